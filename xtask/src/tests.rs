//! All tests, with cargo's own results once more at the end; and the suite on servers of other versions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::needs;
use crate::run;
use crate::servers::{self, Server};

/// `--servers` chooses what to run on; other arguments go to `cargo test`.
pub fn run(arguments: &[String]) -> Outcome {
    let mut rest = Vec::new();
    let mut chosen = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = match argument.strip_prefix("--servers") {
            // Behind `--` stands what libtest shall have.
            _ if argument == "--" => {
                rest.push(argument.clone());
                rest.extend(arguments.by_ref().cloned());
                continue;
            }
            Some("") => arguments
                .next()
                .ok_or_else(|| format!("`--servers` wants to know which: {}", servers::CHOICES))?,
            Some(value) if value.starts_with('=') => &value[1..],
            Some(_) | None => {
                rest.push(argument.clone());
                continue;
            }
        };
        chosen = Some(text.to_owned());
    }
    let Some(chosen) = chosen else { return on(Server::Installed, &rest, None) };
    needs::postgres()?;
    let chosen = servers::chosen(&chosen, servers::installed_version())?;
    on_each(&chosen, &rest)
}

/// Runs on one server after the other, also after one has failed, and says at the end which failed.
fn on_each(chosen: &[Server], arguments: &[String]) -> Outcome {
    let mut outcomes = Vec::new();
    for server in chosen {
        run::print(&format!("\n== {}", server.name()));
        let outcome = on(*server, arguments, None);
        if let Err(error) = &outcome {
            run::say(&format!("error: {error}"));
        }
        outcomes.push((server.name(), outcome));
    }
    run::print("");
    for (name, outcome) in &outcomes {
        run::print(&format!("{name:<22} {}", if outcome.is_ok() { "ok" } else { "FAILED" }));
    }
    let failed: Vec<&str> =
        outcomes.iter().filter(|(_, it)| it.is_err()).map(|(name, _)| name.as_str()).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("tests failed on {}", failed.join(", "))),
    }
}

/// Parts of the suite that `ci` leaves out on servers beside the installed one: they ask no server, or ask it nothing that
/// differs by its version (sockets, processes, files, the pool, how drivers bind and read), or take minutes and are a second
/// look at what stays in.
/// `cargo xtask test --servers all` leaves out nothing.
const INDEPENDENT: &[&str] = &[
    "audit_table::",
    "cases::again::",
    "cases::lifted::",
    "cases::real::",
    "cases::the_core_alone_follows_the_law",
    "cases::told_apart::",
    "cli::",
    "clients::drivers::",
    "clients::odbc::",
    "clients::sqlx::",
    "config::",
    "console::",
    "failover::",
    "faults::",
    "grants::",
    "grants_shared::",
    "health::",
    "house::",
    "key::",
    "lifecycle::",
    "limits::",
    "listening::",
    "messages::",
    "notifications::",
    "outages::",
    "parse_rate::",
    "pooling::",
    "random::random_statements_follow_the_law",
    "reload::",
    "reports::",
    "rule_tests::",
    "rules::",
    "rules_diff::",
    "schemas::",
    "sessions_under_stress::",
    "shadow::",
    "soak::",
    "stated::",
    "subjects::",
    "telemetry::",
    "tokens::",
    "tpch::",
    "unnamed::",
    "walk_through::",
];

/// Clients that `ci` runs on the installed and the newest server only: what of them depends on the version are the catalogs
/// they ask, which grow; psql, pg_dump and JDBC, which look at every kind of object, stay on the oldest too.
const OF_THE_NEWEST: &[&str] =
    &["clients::adminer::", "clients::duckdb::", "clients::gdal::", "clients::sqlalchemy::"];

/// Of those left out everywhere, what is asked about the pages that are about versions.
const OF_VERSIONS: &[&str] = &["cases::real::", "cases::told_apart::"];
const PAGES_OF_VERSIONS: &str = "newer-servers.md";

/// What of the suite depends on the version of the server, in a few minutes: every page of cases and attacks, the
/// catalogs, the clients. On the pages that are about versions, everything.
pub fn on_another(server: Server) -> Outcome {
    let older = match server {
        Server::Version(servers::NEWEST) | Server::Installed => &[],
        Server::Version(_) => OF_THE_NEWEST,
    };
    let skip = INDEPENDENT.iter().chain(older).flat_map(|name| ["--skip", name]);
    let arguments: Vec<String> = ["--"].into_iter().chain(skip).map(str::to_owned).collect();
    let most = on(server, &arguments, None);
    let arguments: Vec<String> =
        ["--"].iter().chain(OF_VERSIONS).map(|it| (*it).to_owned()).collect();
    most.and(on(server, &arguments, Some(PAGES_OF_VERSIONS)))
}

/// Installs what the tests need and runs them: all of them on the installed server, the suite on another, since the rest
/// asks no server or is about the programs that are installed. `pages` chooses among the pages of statements.
pub fn on(server: Server, arguments: &[String], pages: Option<&str>) -> Outcome {
    needs::compiler()?;
    needs::postgres()?;
    needs::clients()?;
    // One test binary that fails shall not hide the next one's failures.
    let mut cargo = match server {
        Server::Installed => run::cargo(&["test", "--workspace", "--no-fail-fast"]),
        Server::Version(major) => {
            let programs = servers::fetch(major)?;
            let mut cargo = run::cargo(&["test", "--workspace", "--test", "suite"]);
            cargo.env("SCRIM_POSTGRES_BIN", programs);
            cargo
        }
    };
    if let Some(pages) = pages {
        cargo.env("SCRIM_CASES", pages);
    }
    watch(cargo.args(arguments))
}

/// Runs cargo and repeats its results at the end.
fn watch(cargo: &mut Command) -> Outcome {
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run cargo test: {error}"))?;
    let mut results = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let _ = std::io::stdout().write_all(&line);
            if line.starts_with(b"test result:") {
                results.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| format!("cargo test is lost: {error}"))?;
    run::print("");
    for result in &results {
        run::print(result);
    }
    match status.success() {
        true => Ok(()),
        false => Err(format!("cargo test ended with {status}")),
    }
}

/// A name that nothing has would leave out nothing, and nobody would notice.
#[test]
fn what_is_left_out_is_there() {
    let suite = run::root().join("tests/suite");
    let text = |name: &str| std::fs::read_to_string(suite.join(name)).unwrap_or_default();
    let main = text("main.rs");
    for name in INDEPENDENT.iter().chain(OF_THE_NEWEST) {
        let (module, rest) = name.split_once("::").expect("a module");
        assert!(main.contains(&format!("mod {module};")), "{name}");
        let inside = match rest.strip_suffix("::") {
            Some(inner) => format!("mod {inner};"),
            None if rest.is_empty() => continue,
            None => format!("fn {rest}("),
        };
        assert!(text(&format!("{module}.rs")).contains(&inside), "{name}");
    }
    assert!(OF_VERSIONS.iter().all(|name| INDEPENDENT.contains(name)));
    for folder in ["cases", "attacks"] {
        assert!(run::root().join("tests").join(folder).join(PAGES_OF_VERSIONS).is_file());
    }
}
