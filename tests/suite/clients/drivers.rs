//! Drivers, each in a script that says what came back. Through Scrim that is what the masked copy gives to the same
//! script, and for the untouched role what PostgreSQL gives.

use std::process::Command;

use super::script::{Place, in_node, in_python, through_scrim};
use crate::canary;
use crate::harness;
use crate::masked_copy::masked_copy;

const MASKED: [&str; 3] = ["support", "analyst", "auditor"];

/// Runs the script of a role through Scrim and past it, for masked roles and for the untouched one.
pub(super) fn compare(command: impl Fn(&str) -> Command) {
    for role in MASKED.into_iter().chain(["admin"]) {
        let user = harness::user_of(role);
        let through = through_scrim(user, command(role));
        let past = match role {
            "admin" => {
                let server = harness::postgres();
                let (host, port) = (server.socket_folder(), server.port());
                Place { host, port, user: "postgres" }.run(command(role))
            }
            _ => {
                let copy = masked_copy(role);
                let (host, port) = (copy.server.socket_folder(), copy.server.port());
                Place { host, port, user }.run(command(role))
            }
        };
        assert_eq!(through, past, "{role}");
        assert!(through.len() > 200, "{role}: {through}");
        let found = canary::find(through.as_bytes());
        assert_eq!(found.is_empty(), role != "admin", "{role}: {found:?}");
    }
}

fn of_python(driver: &str) {
    compare(|_| in_python("drivers_session.py", &[driver]));
}

fn of_node(driver: &str) {
    compare(|_| in_node("node_session.mjs", &[driver]));
}

#[test]
fn asyncpg_gives_what_the_masked_copy_gives() {
    of_python("asyncpg");
}

#[test]
fn django_gives_what_the_masked_copy_gives() {
    if harness::server_version() < 14 {
        return harness::say("skipped: Django refuses PostgreSQL before 14, and has said so");
    }
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
