//! The test suites of drivers, each against PostgreSQL and through Scrim.

use std::process::Command;

use crate::Outcome;
use crate::needs;
use crate::run;

/// The packages by which pip and the index know them, and what runs their tests.
const DRIVERS: [(&str, &str); 4] = [
    ("asyncpg", "asyncpg"),
    ("psycopg2-binary", "psycopg2"),
    ("pg8000", "pg8000"),
    ("SQLAlchemy", "sqlalchemy"),
];
const TOOLS: [&str; 4] = ["pytest", "pytest-timeout", "distro", "pytz"];

/// How Scrim pools.
const MODES: [&str; 2] = ["session", "transaction"];

/// All of them, or the one that is named, in both modes or the one that is.
pub fn run(arguments: &[String]) -> Outcome {
    let known = DRIVERS.map(|(_, name)| name);
    let (mut wanted, mut mode) = (None, None);
    for given in arguments {
        match given.as_str() {
            name if known.contains(&name) && wanted.is_none() => wanted = Some(name),
            name if MODES.contains(&name) && mode.is_none() => mode = Some(name),
            _ => {
                let (drivers, modes) = (known.join(", "), MODES.join(", "));
                return Err(format!(
                    "unknown driver `{given}`; known: {drivers}, and a mode: {modes}"
                ));
            }
        }
    }
    needs::compiler()?;
    needs::postgres()?;
    let folder = run::target().join("driver-suites");
    let python = folder.join("venv/bin/python");
    if !python.is_file() {
        let venv = folder.join("venv");
        run::succeed(Command::new("python3").args(["-m", "venv"]).arg(venv)).map_err(|error| {
            format!("{error}; please install Python 3.11 or newer with venv (`python3-venv`)")
        })?;
    }
    let installed = DRIVERS.map(|(installed, _)| installed);
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet"]).args(installed).args(TOOLS);
    run::succeed(&mut pip)?;
    let mut fetch = Command::new(&python);
    fetch.arg(run::root().join("tests/suite/clients/fetch_suites.py")).arg(&folder);
    fetch.args(DRIVERS.map(|(installed, name)| format!("{installed}:{name}")));
    run::succeed(&mut fetch)?;
    let mut cargo = run::cargo(&["test", "--quiet", "--test", "suite", "clients::suites::"]);
    cargo.args(["--", "--nocapture"]).env("SCRIM_DRIVER_SUITES", &folder);
    if let Some(name) = wanted {
        cargo.env("SCRIM_DRIVER_SUITE", name);
    }
    if let Some(mode) = mode {
        cargo.env("SCRIM_DRIVER_MODE", mode);
    }
    run::succeed(&mut cargo)
}
