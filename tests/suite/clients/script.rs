//! Scripts of this folder in other languages, and how they are run against a server.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness;

/// What Python must be able to import; `cargo xtask test` asks the same.
const IMPORTS: &str = "import psycopg, sqlalchemy.dialects.postgresql.psycopg, pyodbc, duckdb, \
                       duckdb_extension_postgres_scanner, pytz, asyncpg, \
                       django, psycopg2, pg8000; \
                       assert psycopg.pq.version() >= 180000";

/// The Python that `cargo xtask test` found or made.
pub(crate) fn python() -> PathBuf {
    [target().join("python/bin/python"), "python3".into(), "/usr/bin/python3".into()]
        .into_iter()
        .find(|python| {
            let output = Command::new(python).args(["-c", IMPORTS]).output();
            output.is_ok_and(|output| output.status.success())
        })
        .expect("no Python has the clients: run `cargo xtask test`, which installs them")
}

/// Where a script finds its server, in libpq's variables.
pub(super) struct Place<'a> {
    pub(super) host: &'a Path,
    pub(super) port: u16,
    pub(super) user: &'a str,
}

impl Place<'_> {
    /// What the command prints.
    pub(super) fn run(&self, mut command: Command) -> String {
        let output = command
            .env("PGHOST", self.host)
            .env("PGPORT", self.port.to_string())
            .env("PGDATABASE", "desk")
            .env("PGUSER", self.user)
            .env("PGPASSWORD", scrim::demo::sample_password(self.user))
            .output()
            .expect("Python or Node.js: run `cargo xtask test`, which installs it");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}", self.user);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What the command prints, run through Scrim as a user of the sample desk.
pub(super) fn through_scrim(user: &str, command: Command) -> String {
    let port = harness::scrim().address.port();
    Place { host: Path::new("127.0.0.1"), port, user }.run(command)
}

/// A script of this folder, to be run by Python.
pub(super) fn in_python(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(python());
    command.arg(folder().join(script)).args(arguments);
    command
}

/// The same by Node.js, with the folder of the drivers that `cargo xtask test` installs as its first argument.
pub(super) fn in_node(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(folder().join(script)).arg(target().join("node")).args(arguments);
    command
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/clients")
}

pub(super) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from)
}
