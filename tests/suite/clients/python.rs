//! Python, and how a script of this folder is run with it as a user of the sample desk.

use std::path::PathBuf;
use std::process::Command;

use crate::harness;

/// What it must be able to import; `cargo xtask test` asks the same.
const IMPORTS: &str = "import psycopg, sqlalchemy.dialects.postgresql.psycopg, pyodbc, duckdb, \
                       duckdb_extension_postgres_scanner, pytz, asyncpg, \
                       django, psycopg2, pg8000; \
                       assert psycopg.pq.version() >= 180000";

/// The Python that `cargo xtask test` found or made.
pub(crate) fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    [target.join("python/bin/python"), "python3".into(), "/usr/bin/python3".into()]
        .into_iter()
        .find(|python| {
            let output = Command::new(python).args(["-c", IMPORTS]).output();
            output.is_ok_and(|output| output.status.success())
        })
        .expect("no Python has the clients: run `cargo xtask test`, which installs them")
}

/// What the script prints, run as a user; the address and the password are in libpq's variables.
pub(super) fn output(script: &str, user: &str, arguments: &[&str]) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/clients");
    let output = Command::new(python())
        .arg(format!("{folder}/{script}"))
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", harness::scrim().address.port().to_string())
        .env("PGDATABASE", "desk")
        .env("PGUSER", user)
        .env("PGPASSWORD", scrim::demo::sample_password(user))
        .output()
        .expect("Python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{user}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
