//! The process under a service manager: it drains, ends, and tells how it is.

use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::own::{Own, code, last_words};

#[test]
fn running_transactions_finish_and_new_clients_are_told() {
    let own = Own::open("");
    own.wait("readiness", || own.readiness().0 == 200);
    let (mut alice, mut dba, mut idle) =
        (own.connect("alice"), own.connect("dba"), own.connect("ana"));
    for client in [&mut alice, &mut dba] {
        assert_eq!(code(&client.simple("BEGIN")[0]), "");
    }
    own.signal("TERM");
    assert!(last_words(&mut idle).contains("C57P01"));
    let (status, ready) = own.readiness();
    assert_eq!(status, 503);
    assert_eq!(ready["checks"]["stage"]["ok"], false, "{ready}");
    let refused = own.try_connect("ana").map(drop).expect_err("draining");
    assert!(refused.starts_with("FATAL 57P03 scrim: "), "{refused}");
    for client in [&mut alice, &mut dba] {
        assert_eq!(code(&client.simple("SELECT count(*) FROM customers")[0]), "");
        assert_eq!(client.simple("COMMIT")[0].tag.as_deref(), Some("COMMIT"));
        assert!(last_words(client).contains("C57P01"));
    }
    own.wait("the end", || own.scrim.as_ref().expect("running").has_ended());
    let ended = std::fs::read_to_string(own.desk.folder().join("ended")).expect("exit code");
    assert_eq!(ended.trim(), "0", "{}", own.said());
    assert!(own.audit().iter().filter(|record| record["event"] == "logout").count() >= 3);
}

#[test]
fn who_does_not_finish_is_ended_by_time_or_by_a_second_signal() {
    for more in ["drain_seconds: 1\n", "drain_seconds: 3600\n"] {
        let own = Own::open(more);
        let mut client = own.connect("alice");
        client.simple("BEGIN");
        let mut idle = own.connect("dba");
        own.signal("TERM");
        assert!(last_words(&mut idle).contains("C57P01"));
        if more.contains("3600") {
            assert!(!own.scrim.as_ref().expect("running").has_ended());
            own.signal("INT");
        }
        assert!(last_words(&mut client).contains("C57P01"));
        own.wait("the end", || own.scrim.as_ref().expect("running").has_ended());
    }
}

/// `scrim run` on a desk, started as a service manager does.
struct Managed {
    process: Child,
}

impl Managed {
    /// The script is given Scrim's binary and the configuration.
    fn start(own: &Own, script: &str, environment: &[(&str, &str)]) -> Managed {
        let mut command = Command::new("python3");
        command.args(["-c", script, env!("CARGO_BIN_EXE_scrim")]);
        command.arg(own.desk.configuration()).envs(environment.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Managed { process: command.spawn().expect("python3") }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .expect("kill")
                .success()
        );
    }
}

impl Managed {
    /// What it has written to standard error, once it has ended.
    fn last_said(mut self) -> String {
        let mut said = String::new();
        let mut stream = self.process.stderr.take().expect("a pipe");
        stream.read_to_string(&mut said).expect("text");
        said
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Opens two sockets, tells where, and becomes Scrim with them.
const ACTIVATE: &str = r#"
import os, socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
with open(os.environ["PORTS"] + ".new", "w") as file:
    file.write(" ".join(str(one.getsockname()[1]) for one in sockets))
os.rename(os.environ["PORTS"] + ".new", os.environ["PORTS"])
held = [os.dup(one.fileno()) for one in sockets]
for target, one in enumerate(held, 3):
    os.dup2(one, target + 40)
for target in range(3, 3 + len(held)):
    os.dup2(target + 40, target, inheritable=True)
own = str(os.getpid())
os.environ.update(LISTEN_PID=own, LISTEN_FDS=str(len(held)), WATCHDOG_PID=own)
os.execv(sys.argv[1], [sys.argv[1], "run", "--workers", "1", "--config", sys.argv[2]])
"#;

#[test]
fn a_service_manager_is_told_and_may_give_the_sockets() {
    let mut own = Own::open("");
    // Its desk is all that is wanted: one process writes the audit file.
    drop(own.scrim.take());
    let folder = own.desk.folder().to_owned();
    let (told, ports) = (folder.join("notify"), folder.join("ports"));
    let heard = UnixDatagram::bind(&told).expect("a socket");
    heard.set_read_timeout(Some(Duration::from_secs(30))).expect("time-out");
    let mut lines = Vec::new();
    let mut wait_for = |expected: &str| {
        let began = Instant::now();
        while !lines.iter().any(|line: &String| line.starts_with(expected)) {
            assert!(began.elapsed() < Duration::from_secs(30), "no {expected} in {lines:?}");
            let mut buffer = [0; 4096];
            let count = match heard.recv(&mut buffer) {
                Ok(count) => count,
                // A machine that was paused and goes on.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("{expected}: {error}"),
            };
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            lines.extend(text.lines().map(str::to_owned));
        }
        lines.clear();
    };
    let text = |path: &std::path::Path| path.to_str().expect("a path").to_owned();
    let environment = [
        ("NOTIFY_SOCKET", text(&told)),
        ("PORTS", text(&ports)),
        ("WATCHDOG_USEC", "400000".to_owned()),
    ];
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let managed = Managed::start(&own, ACTIVATE, &environment);
    wait_for("READY=1");
    wait_for("WATCHDOG=1");
    let ports = std::fs::read_to_string(&ports).expect("ports");
    let (clients, admin) = ports.split_once(' ').expect("two ports");
    for port in [clients, admin] {
        std::net::TcpStream::connect(format!("127.0.0.1:{port}")).expect("a given socket");
    }
    let address = format!("127.0.0.1:{clients}").parse().expect("an address");
    let password = scrim::demo::sample_password("alice");
    let mut client =
        crate::harness::client::Client::connect(address, "alice", &password, "desk", &[])
            .unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(code(&client.simple("SELECT 1")[0]), "");
    managed.signal("HUP");
    wait_for("RELOADING=1");
    wait_for("READY=1");
    managed.signal("TERM");
    wait_for("STOPPING=1");
    assert!(last_words(&mut client).contains("C57P01"));
    let said = managed.last_said();
    assert!(said.contains("serving sessions workers=1"), "{said}");
}
