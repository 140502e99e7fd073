//! All that must hold before a change is taken; what the machine runs is what people run.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::needs;
use crate::readme;
use crate::run;
use crate::servers::{self, Server};
use crate::tests;

/// A step's name and what it does.
type Step = (String, Box<dyn Fn() -> Outcome>);

/// A client of the tests that is in a workspace of its own; its test builds it.
const SQLX_CLIENT: &str = "tests/sqlx-client/Cargo.toml";

/// Where nothing is said.
const SERVERS: &str = "installed,oldest,newest";

fn steps(servers: &[Server]) -> Vec<Step> {
    let step = |name: &str, does: fn() -> Outcome| -> Step { (name.into(), Box::new(does)) };
    let mut steps = vec![step("format", format), step("lints", lints)];
    for server in servers.iter().copied() {
        let does: Box<dyn Fn() -> Outcome> = match server {
            Server::Installed => Box::new(move || tests::on(server, &[], None)),
            Server::Version(_) => Box::new(move || tests::on_another(server)),
        };
        steps.push((format!("tests, {}", server.name()), does));
    }
    steps.push(step("documentation", documentation));
    steps.push(step("readme", readme::check));
    steps.push(step("licences", licences));
    steps
}

/// Which servers the tests run on.
fn chosen(arguments: &[String]) -> Result<Vec<Server>, String> {
    let text = match arguments {
        [] => SERVERS,
        [option, text] if option == "--servers" => text,
        [option] => option.strip_prefix("--servers=").ok_or_else(|| unknown(option))?,
        [other, ..] => return Err(unknown(other)),
    };
    let installed = servers::installed_version();
    let mut servers = servers::chosen(text, installed)?;
    if servers.contains(&Server::Installed) {
        servers.retain(|server| installed.is_none_or(|it| *server != Server::Version(it)));
    }
    Ok(servers)
}

fn unknown(argument: &str) -> String {
    format!("`ci` takes `--servers` and which ({}), found `{argument}`", servers::CHOICES)
}

/// Runs every step, also after one has failed, and says at the end which failed and how long each took.
pub fn run(arguments: &[String]) -> Outcome {
    // A wrong word is told before anything is installed, and what will be installed is not known yet.
    chosen(arguments)?;
    let mut times: Vec<(String, Duration, Outcome)> = Vec::new();
    // Nothing builds without these, so nothing goes on without them.
    let began = Instant::now();
    heading("needs");
    needs()?;
    times.push(("needs".into(), began.elapsed(), Ok(())));
    let servers = chosen(arguments)?;
    for (name, step) in steps(&servers) {
        heading(&name);
        let began = Instant::now();
        let outcome = step();
        if let Err(error) = &outcome {
            run::say(&format!("error: {error}"));
        }
        times.push((name, began.elapsed(), outcome));
    }
    run::print("\nstep                          seconds");
    for (name, time, outcome) in &times {
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        run::print(&format!("{name:<28} {:>8.1}  {verdict}", time.as_secs_f64()));
    }
    let failed: Vec<&str> = times
        .iter()
        .filter(|(_, _, outcome)| outcome.is_err())
        .map(|(name, _, _)| name.as_str())
        .collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(format!("failed: {}", failed.join(", "))),
    }
}

fn heading(name: &str) {
    run::print(&format!("\n== {name}"));
}

fn needs() -> Outcome {
    needs::compiler()?;
    needs::postgres()?;
    needs::clients()?;
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if run::succeed(run::cargo(&[subcommand, "--version"]).stdout(std::process::Stdio::null()))
            .is_err()
        {
            let mut rustup = std::process::Command::new("rustup");
            run::succeed(rustup.args(["component", "add", component]).current_dir(run::root()))?;
        }
    }
    Ok(())
}

fn format() -> Outcome {
    let other = ["fmt", "--check", "--manifest-path", SQLX_CLIENT];
    run::succeed(&mut run::cargo(&["fmt", "--all", "--check"]))
        .and(run::succeed(&mut run::cargo(&other)))
}

fn lints() -> Outcome {
    let arguments =
        ["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    run::succeed(&mut run::cargo(&arguments))
}

fn documentation() -> Outcome {
    let mut cargo = run::cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
    run::succeed(cargo.env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Licences, sources and banned crates. cargo-deny is built once, unoptimised, for it has little to do.
fn licences() -> Outcome {
    let tools = run::target().join("tools");
    let own = tools.join("bin/cargo-deny");
    let deny = match run::works("cargo-deny", &["--version"]) {
        true => "cargo-deny".into(),
        false => own.clone(),
    };
    if !run::works(&deny, &["--version"]) {
        let mut install = run::cargo(&["install", "--quiet", "--locked", "--profile", "dev"]);
        install.args(["cargo-deny", "--root"]).arg(&tools);
        // Nobody will look into it with a debugger.
        run::succeed(install.env("CARGO_PROFILE_DEV_DEBUG", "false"))?;
    }
    for manifest in ["Cargo.toml", SQLX_CLIENT] {
        let mut check = std::process::Command::new(&deny);
        check.args(["--log-level", "error", "--manifest-path", manifest]);
        check.args(["--config", "deny.toml", "check", "bans", "licenses", "sources"]);
        run::succeed(check.current_dir(run::root()))?;
    }
    Ok(())
}
