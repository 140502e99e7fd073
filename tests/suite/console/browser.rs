//! Headless Chromium, driven by a script: login, matrix, playground, light and dark, English and Korean, and a narrow
//! window. Pictures are left in `target/console`.

use std::path::Path;
use std::process::Command;

use super::own;
use super::tracing::put_rows_on_record;
use crate::harness::say;

#[test]
fn a_browser_comes_through() {
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !is_there("chromedriver") || !is_there("python3") {
        return say("skipped: the console in a browser needs chromium, chromium-driver and Python");
    }
    let own = own();
    let mut alice = own.connect("alice");
    alice.simple("SELECT name, email FROM customers WHERE id = 1");
    alice.simple("SELECT pg_read_file('x')");
    put_rows_on_record(&own);
    let mut alice = own.connect("alice");
    alice.simple("SET scrim.purpose = 'callback'");
    alice.simple("SELECT id, name, email FROM customers WHERE id = 3");
    drop(alice);
    own.wait("its end", || own.audit().iter().any(|one| !one["rows_seen"].is_null()));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/console/browser.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(format!("http://{}", own.admin())).arg(&pictures);
    let output = python.output().expect("Python");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
