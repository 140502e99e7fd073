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
    let Some(chosen) = chosen else { return on(Server::Installed, &rest) };
    needs::postgres()?;
    let chosen = servers::chosen(&chosen, servers::installed_version())?;
    on_each(&chosen, &rest)
}

/// Runs on one server after the other, also after one has failed, and says at the end which failed.
fn on_each(chosen: &[Server], arguments: &[String]) -> Outcome {
    let mut outcomes = Vec::new();
    for server in chosen {
        run::print(&format!("\n== {}", server.name()));
        let outcome = on(*server, arguments);
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

/// Installs what the tests need and runs them: all of them on the installed server, the suite on another, since the rest
/// asks no server or is about the programs that are installed.
pub fn on(server: Server, arguments: &[String]) -> Outcome {
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
