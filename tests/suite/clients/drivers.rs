//! Drivers, each in a script that says what came back. Through Scrim that is what the masked copy gives to the same
//! script, and for the untouched role what PostgreSQL gives.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::python;
use crate::canary;
use crate::harness;
use crate::masked_copy::masked_copy;

const MASKED: [&str; 3] = ["support", "analyst", "auditor"];

/// Where a script finds its server.
struct Place {
    host: PathBuf,
    port: u16,
    user: &'static str,
}

impl Place {
    fn run(&self, mut command: Command) -> String {
        let output = command
            .env("PGHOST", &self.host)
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

/// Runs the script through Scrim and past it, for masked roles and for the untouched one.
fn compare(command: impl Fn() -> Command) {
    for role in MASKED.into_iter().chain(["admin"]) {
        let user = harness::user_of(role);
        let port = harness::scrim().address.port();
        let through = Place { host: "127.0.0.1".into(), port, user }.run(command());
        let past = match role {
            "admin" => {
                let server = harness::postgres();
                Place { host: server.socket_folder().into(), port: server.port(), user: "postgres" }
                    .run(command())
            }
            _ => {
                let copy = masked_copy(role);
                let host = copy.server.socket_folder().into();
                Place { host, port: copy.server.port(), user }.run(command())
            }
        };
        assert_eq!(through, past, "{role}");
        assert!(through.len() > 200, "{role}: {through}");
        let found = canary::find(through.as_bytes());
        assert_eq!(found.is_empty(), role != "admin", "{role}: {found:?}");
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/clients").join(name)
}

fn of_python(driver: &str) {
    compare(|| {
        let mut command = Command::new(python::python());
        command.arg(script("drivers_session.py")).arg(driver);
        command
    });
}

fn of_node(driver: &str) {
    // Where `cargo xtask test` puts the modules.
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    compare(|| {
        let mut command = Command::new("node");
        command.arg(script("node_session.mjs")).arg(target.join("node")).arg(driver);
        command
    });
}

#[test]
fn asyncpg_gives_what_the_masked_copy_gives() {
    of_python("asyncpg");
}

#[test]
fn django_gives_what_the_masked_copy_gives() {
    of_python("django");
}

#[test]
fn psycopg2_gives_what_the_masked_copy_gives() {
    of_python("psycopg2");
}

#[test]
fn pg8000_gives_what_the_masked_copy_gives() {
    of_python("pg8000");
}

#[test]
fn node_postgres_gives_what_the_masked_copy_gives() {
    of_node("pg");
}

#[test]
fn postgres_js_gives_what_the_masked_copy_gives() {
    of_node("postgres");
}
