//! A desk and a Scrim of a test's own: whose files may be changed, and that may be told to end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use scrim::demo::{Desk, RunningScrim, sample_password};
use serde_json::Value;

use super::client::{Answer, Client, put_string};

/// What does not happen for so long never does.
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct Own {
    pub scrim: Option<RunningScrim>,
    pub desk: Desk,
}

impl Own {
    /// With these lines more in scrim.yaml.
    pub fn open(more: &str) -> Own {
        Own::open_changed(|_, text| text + more)
    }

    /// With another scrim.yaml, and whatever else is changed on the desk before the start.
    pub fn open_changed(change: impl FnOnce(&Desk, String) -> String) -> Own {
        let desk = Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let file = desk.configuration();
        let text = std::fs::read_to_string(&file).expect("configuration");
        let text = change(&desk, format!("{text}admin: 127.0.0.1:0\n"));
        std::fs::write(&file, text).expect("configuration");
        let mut own = Own { scrim: None, desk };
        own.start();
        own
    }

    pub fn start(&mut self) {
        let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &self.desk)
            .unwrap_or_else(|error| panic!("{error}"));
        self.scrim = Some(scrim);
    }

    pub fn address(&self) -> SocketAddr {
        self.scrim.as_ref().expect("running").address()
    }

    pub fn said(&self) -> String {
        self.scrim.as_ref().map(RunningScrim::said).unwrap_or_default()
    }

    pub fn try_connect(&self, user: &str) -> Result<Client, String> {
        Client::connect(self.address(), user, &sample_password(user), "desk", &[])
            .map_err(|error| format!("{} {} {}", error.severity, error.code, error.message))
    }

    /// With startup parameters.
    pub fn connect_as(&self, user: &str, options: &[(&str, &str)]) -> Client {
        Client::connect(self.address(), user, &sample_password(user), "desk", options)
            .unwrap_or_else(|error| panic!("{} {}", error.code, error.message))
    }

    pub fn connect(&self, user: &str) -> Client {
        self.try_connect(user).unwrap_or_else(|error| panic!("{error}: {}", self.said()))
    }

    pub fn rules_file(&self, name: &str) -> PathBuf {
        self.desk.folder().join("masking-rules").join(name)
    }

    /// Changes a rules file as editors do: by a rename over it.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let file = self.rules_file(name);
        let text = std::fs::read_to_string(&file).expect("rules");
        assert!(text.contains(from), "no `{from}` in {name}");
        let new = self.desk.folder().join("masking-rules").join(".new");
        std::fs::write(&new, text.replacen(from, to, 1)).expect("rules");
        std::fs::rename(&new, &file).expect("rules");
    }

    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.desk.folder().join("scrim.pid")).expect("pid");
        let done = Command::new("kill").args([&format!("-{name}"), pid.trim()]).status();
        assert!(done.expect("kill").success());
    }

    /// The admin address, which stands in the log.
    pub fn admin(&self) -> SocketAddr {
        let said = self.said();
        let (_, rest) = said.split_once("http://").unwrap_or_else(|| panic!("no address: {said}"));
        let address: String =
            rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        address.parse().expect("an address")
    }

    /// Status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin()).expect("admin address");
        stream.set_read_timeout(Some(TIMEOUT)).expect("time-out");
        let request = format!("GET {path} HTTP/1.1\r\nHost: scrim\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (status.expect("a status"), body.to_owned())
    }

    /// `/readyz`
    pub fn readiness(&self) -> (u16, Value) {
        let (status, body) = self.get("/readyz");
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")))
    }

    /// One figure; 0 where it has not been counted yet.
    pub fn figure(&self, name: &str) -> f64 {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// The version of the rules in force.
    pub fn version(&self) -> String {
        let (_, ready) = self.readiness();
        ready["checks"]["rules"]["version"].as_str().expect("a version").to_owned()
    }

    /// Waits until other rules are in force than those of `version`.
    pub fn wait_for_other_rules(&self, version: &str) {
        self.wait("other rules", || self.version() != version);
    }

    /// Waits for what must happen.
    pub fn wait(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < TIMEOUT, "never: {what}: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All records of the audit trail.
    pub fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.desk.audit_file()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

pub fn parse(client: &mut Client, name: &str, statement: &str) {
    let mut body = Vec::new();
    put_string(&mut body, name);
    put_string(&mut body, statement);
    body.extend(0_i16.to_be_bytes());
    client.send(b'P', &body);
}

pub fn bind(client: &mut Client, portal: &str, statement: &str) {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    put_string(&mut body, statement);
    body.extend([0; 6]);
    client.send(b'B', &body);
}

pub fn execute(client: &mut Client, portal: &str, rows_max: i32) {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    body.extend(rows_max.to_be_bytes());
    client.send(b'E', &body);
}

/// Binds and executes a prepared statement in a unit of its own.
pub fn run_prepared(client: &mut Client, name: &str) -> Answer {
    bind(client, "", name);
    execute(client, "", 0);
    client.send(b'S', b"");
    client.answers().pop().expect("an answer")
}

/// SQLSTATE of an answer; empty: it is no error.
pub fn code(answer: &Answer) -> &str {
    answer.error.as_ref().map_or("", |error| &error.code)
}

/// The first value of an answer that has one.
pub fn value(answer: &Answer) -> String {
    assert!(answer.error.is_none(), "{answer:?}");
    let value = answer.rows.first().and_then(|row| row.first()).expect("a value");
    String::from_utf8(value.clone().expect("not NULL")).expect("UTF-8")
}

/// What a connection hears before it ends: SQLSTATE and message of the FATAL.
pub fn last_words(client: &mut Client) -> String {
    let mut last = None;
    while let Some(frame) = client.next_frame() {
        last = Some(frame);
    }
    let last = last.expect("last words");
    assert_eq!(last.kind, b'E', "{last:?}");
    String::from_utf8_lossy(&last.body).into_owned()
}
