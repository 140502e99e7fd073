//! psycopg 3: what Python tools do, in a script of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::harness;

/// The Python that `cargo xtask test` found or made.
pub(super) fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    [target.join("python/bin/python"), "python3".into(), "/usr/bin/python3".into()]
        .into_iter()
        .find(|python| {
            let output = Command::new(python).args(["-c", "import psycopg, sqlalchemy.dialects.postgresql.psycopg"]).output();
            output.is_ok_and(|output| output.status.success())
        })
        .expect("no Python can import psycopg 3 and SQLAlchemy 2: run `cargo xtask test`, which installs it")
}

#[test]
fn psycopg_works() {
    let output = Command::new(python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/clients/psycopg_session.py"))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", harness::scrim().address.port().to_string())
        .env("PGDATABASE", "desk")
        .env("PGUSER", "alice")
        .env("PGPASSWORD", scrim::demo::sample_password("alice"))
        .output()
        .expect("Python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7 checks");
}
