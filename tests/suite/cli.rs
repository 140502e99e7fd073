//! The commands as a person meets them: help with an example, errors on standard error, exit codes.

use std::process::{Command, Output};

/// What this version has of the design's commands.
const COMMANDS: &[&str] = &[
    "run", "demo", "check", "explain", "scan", "test", "diff", "report", "shadow", "grant",
    "audit", "schema", "password",
];

fn scrim(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.args(arguments).current_dir(std::env::temp_dir());
    command.stdin(std::process::Stdio::null()).output().expect("scrim starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_command_has_help_with_an_example() {
    let help = text(&scrim(&["--help"]).stdout);
    for command in COMMANDS {
        assert!(help.contains(command), "`scrim --help` does not mention `{command}`:\n{help}");
        let output = scrim(&[command, "--help"]);
        assert!(output.status.success(), "scrim {command} --help: {}", text(&output.stderr));
        let help = text(&output.stdout);
        let example = help.to_ascii_lowercase().contains("example");
        assert!(example && help.contains(&format!("scrim {command}")), "no example:\n{help}");
    }
}

#[test]
fn wrong_use_fails_on_standard_error() {
    for arguments in [
        &[][..],
        &["no-such-command"],
        &["run", "--no-such-option"],
        &["run", "--workers", "0"],
        &["run", "--workers", "many"],
        &["run", "--config", "/no/such/scrim.yaml"],
        &["check", "--config", "/no/such/scrim.yaml"],
        &["explain"],
        &["explain", "--role", "support"],
        &["scan", "--no-such-option"],
        &["scan", "--config", "/no/such/scrim.yaml"],
        &["password"],
        &["test", "--config", "/no/such/scrim.yaml"],
        &["test", "--no-such-option"],
        &["diff"],
        &["schema", "no-such-file"],
        &["diff", "/no/such/folder", "/no/such/folder"],
        &["report", "--config", "/no/such/scrim.yaml"],
        &["report", "--no-such-option"],
        &["audit", "init", "--config", "/no/such/scrim.yaml"],
        &["audit", "no-such-command"],
        &["demo", "--no-such-option"],
    ] {
        let output = scrim(arguments);
        assert!(!output.status.success(), "scrim {arguments:?} should fail");
        assert!(!output.stderr.is_empty(), "scrim {arguments:?} says nothing on standard error");
        assert_eq!(text(&output.stdout), "", "scrim {arguments:?} fails on standard output");
    }
}

#[test]
fn a_missing_file_is_named() {
    let output = scrim(&["check", "--config", "/no/such/scrim.yaml"]);
    let said = text(&output.stderr);
    assert!(said.contains("/no/such/scrim.yaml"), "{said}");
}

#[test]
fn the_version_is_the_package_s() {
    let output = scrim(&["--version"]);
    assert_eq!(text(&output.stdout).trim(), concat!("scrim ", env!("CARGO_PKG_VERSION")));
}
