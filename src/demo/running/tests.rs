use std::os::unix::fs::PermissionsExt as _;

use std::path::PathBuf;

use super::*;

/// A program that stands for Scrim, in the desk's folder.
fn program(desk: &Desk, script: &str) -> PathBuf {
    let file = desk.folder().join("program");
    std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("script");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("mode");
    file
}

#[test]
fn what_runs_is_found_and_ended() {
    let desk = Desk::open("127.0.0.1:0").expect("desk");
    let configuration = std::fs::read_to_string(desk.configuration()).expect("scrim.yaml");
    assert!(configuration.contains(&format!("port: {}", desk.server().port())), "{configuration}");

    let script = "echo \"scrim: listening on 127.0.0.1:4711 ($*)\"; exec sleep 600";
    let running = RunningScrim::start(&program(&desk, script), &desk).expect("running");
    assert_eq!(running.address(), SocketAddr::from(([127, 0, 0, 1], 4711)));
    let expected = format!("(run --config {})", desk.configuration().display());
    assert!(running.said().contains(&expected), "{}", running.said());
    assert!(!running.has_ended());
    drop(running);
    assert!(desk.folder().join("ended").exists(), "the program was not ended");

    // What does not come up says why, and a second attempt does not read the first one's words.
    let failing = program(&desk, "echo 'no such rule' >&2; exit 3");
    let error = RunningScrim::start(&failing, &desk).expect_err("it ends at once");
    assert!(error.to_string().contains("no such rule"), "{error}");

    let folder = desk.folder().to_owned();
    drop(desk);
    assert!(!folder.exists(), "{} is still there", folder.display());
}
