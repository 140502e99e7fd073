//! sqlx, by a program in a workspace of its own: its enums and domains, which it looks up in the catalogs, statements that it
//! keeps and forgets, savepoints, COPY, its pool, and for the untouched role LISTEN, advisory locks and what `query!` asks.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::drivers::compare;
use super::script::target;
use crate::harness::{self, say};

/// As its manifest says.
const RUST_MINOR_MIN: u32 = 94;

/// Built by the cargo that builds the suite, once.
fn program() -> PathBuf {
    let folder = target().join("sqlx-client");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sqlx-client/Cargo.toml");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&folder);
    let built = cargo.status().expect("cargo");
    assert!(built.success(), "the client does not build");
    folder.join("debug/scrim-sqlx-client")
}

/// sqlx asks for a newer Rust than Scrim does.
fn is_old_cargo() -> bool {
    let said = Command::new(env!("CARGO")).arg("--version").output().expect("cargo").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let minor = said.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    minor.is_some_and(|minor| minor < RUST_MINOR_MIN)
}

#[test]
fn sqlx_gives_what_the_masked_copy_gives() {
    if is_old_cargo() {
        return say("skipped: sqlx needs Rust 1.94");
    }
    let program = program();
    let run = || {
        compare(|role| {
            let mut command = Command::new(&program);
            command.args((role == "admin").then_some("writes"));
            command
        });
    };
    // Seen once, on a machine that was busy with two suites: a connection was closed without a word. What Scrim said of it is
    // shown, and it must not come again.
    if catch_unwind(run).is_err() {
        let said = harness::scrim().said();
        let lines: Vec<&str> = said.lines().rev().take(40).collect();
        say(&format!("sqlx is run once more; Scrim, latest first:\n{}", lines.join("\n")));
        run();
    }
}
