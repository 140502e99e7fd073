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

/// All of them, or the one that is named.
pub fn run(arguments: &[String]) -> Outcome {
    let known = DRIVERS.map(|(_, name)| name);
    let wanted = match arguments {
        [] => None,
        [name] if known.contains(&name.as_str()) => Some(name),
        _ => {
            let given = arguments.join(" ");
            return Err(format!("unknown driver `{given}`; known: {}", known.join(", ")));
        }
    };
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
    run::succeed(&mut cargo)
}
