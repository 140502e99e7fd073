//! What the tests stand on: one PostgreSQL for the whole binary, the sample database, and the real `scrim run` in
//! front of it, as a process of its own.

pub mod cable;
pub mod client;
pub mod core;
pub mod own;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use scrim::demo::{
    Desk, PostgresOptions, PrivatePostgres, RunningScrim, SAMPLE_RULES, sample_password,
};
use serde_json::Value;
use tempfile::TempDir;

use client::Client;

/// Scrim, running.
pub struct Scrim {
    pub address: SocketAddr,
    /// The authority behind its certificate.
    pub authority: PathBuf,
    pub audit_file: PathBuf,
    process: RunningScrim,
}

/// Users of the sample by the role they start with.
const USERS: &[(&str, &str)] = &[
    ("support", "alice"),
    ("agent", "aria"),
    ("analyst", "ana"),
    ("researcher", "rosa"),
    ("reception", "rita"),
    ("clerk", "cleo"),
    ("auditor", "otto"),
    ("admin", "dba"),
];

/// The customer of whom the pages' clerk speaks.
pub const CLERKS_CUSTOMER: &str = "8";

/// An audit record is written at most 100 ms after the statement; a busy machine gets more.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(5);

fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}")))
}

impl Scrim {
    /// What Scrim has written to its log so far.
    pub fn said(&self) -> String {
        self.process.said()
    }
}

/// The server that all tests share, with the sample database `desk`; what changes it needs one of its own.
pub fn postgres() -> &'static PrivatePostgres {
    desk().server()
}

/// The shared Scrim's scrim.yaml, with all that it names beside it.
pub fn configuration() -> PathBuf {
    desk().configuration()
}

/// A folder with the sample rules and scrim.yaml for the shared server, and these files below `rules/`.
pub fn rules_folder(more: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules");
    std::fs::create_dir_all(rules.join("tests")).expect("folders");
    let original = configuration();
    let text = std::fs::read_to_string(&original).expect("configuration");
    let key = original.with_file_name("pseudonym.key");
    let text = text.replace("rules: masking-rules", "rules: rules");
    let text = text.replace(
        "pseudonym_key_file: pseudonym.key",
        &format!("pseudonym_key_file: {}", key.display()),
    );
    let (before, rest) = text.split_once("tls:\n  mode: allow").expect("TLS");
    let (_, after) = rest.split_once("audit:").expect("an audit");
    let text = format!("{before}audit:{after}");
    std::fs::write(folder.path().join("scrim.yaml"), text).expect("configuration");
    for (name, text) in SAMPLE_RULES.iter().chain(more) {
        std::fs::write(rules.join(name), text).expect("a file");
    }
    folder
}

/// Its major version.
pub fn server_version() -> u32 {
    static VERSION: OnceLock<u32> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let number = postgres().run("postgres", "SHOW server_version_num").expect("an answer");
        number.trim().parse::<u32>().expect("a number") / 10_000
    })
}

/// A verifier of the sample: that of alice, good for any name (RFC 5802), so rules of a test's own need none.
pub fn sample_verifier() -> &'static str {
    let (_, users) = SAMPLE_RULES.iter().find(|(name, _)| name.contains("users")).expect("users");
    let verifier = users.split('"').find(|part| part.starts_with("SCRAM-SHA-256$"));
    verifier.expect("a verifier")
}

/// A line on standard error that libtest does not keep to itself: why something was not tested.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A server of one's own with the sample database, for what changes it.
pub fn start_desk() -> PrivatePostgres {
    let server = PrivatePostgres::start(&PostgresOptions::default())
        .unwrap_or_else(|error| panic!("{error}"));
    scrim::demo::load_desk(&server).unwrap_or_else(|error| panic!("{error}"));
    server
}

/// The Scrim that all tests share.
pub fn scrim() -> &'static Scrim {
    static SCRIM: OnceLock<Scrim> = OnceLock::new();
    let scrim = SCRIM.get_or_init(|| {
        let process = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), desk())
            .unwrap_or_else(|error| panic!("{error}"));
        Scrim {
            address: process.address(),
            authority: desk().authority(),
            audit_file: desk().audit_file(),
            process,
        }
    });
    assert!(!scrim.process.has_ended(), "Scrim has ended: {}", scrim.process.said());
    scrim
}

/// A connection through Scrim as the user who starts with the role. `options` are startup parameters.
pub fn connect(role: &str, options: &[(&str, &str)]) -> Client {
    let user = user_of(role);
    let options = &[stated_by(role).as_slice(), options].concat();
    Client::connect(scrim().address, user, &sample_password(user), "desk", options)
        .unwrap_or_else(|error| panic!("login of {user}: {} {}", error.code, error.message))
}

/// What a session of a role states: `clerk for refund` has a purpose, and clerks speak of one customer.
pub fn stated_by(role: &str) -> Vec<(&'static str, &str)> {
    let (role, purpose) = match role.split_once(" for ") {
        Some((role, purpose)) => (role, Some(("scrim.purpose", purpose))),
        None => (role, None),
    };
    let customer = (role == "clerk").then_some(("scrim.customer", CLERKS_CUSTOMER));
    customer.into_iter().chain(purpose).collect()
}

/// The user of the sample who starts with the role.
pub fn user_of(role: &str) -> &'static str {
    let role = role.split(" for ").next().unwrap_or(role);
    let found = USERS.iter().find(|(known, _)| *known == role);
    found.unwrap_or_else(|| panic!("nobody has the role `{role}`")).1
}

/// A connection to the sample database itself, past Scrim.
pub fn connect_direct(login: &str) -> Client {
    Client::connect_unix(postgres().socket_folder(), postgres().port(), login, "desk")
}

/// What is wrong with the audit records of the session with that application name: some statement's record should
/// have all that `expected` has.
pub fn audit_differs(application: &str, expected: &Value) -> Vec<String> {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(&scrim().audit_file).unwrap_or_default();
        let records: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|record| {
                record["application"] == application && record.get("verdict").is_some()
            })
            .collect();
        if records.iter().any(|record| is_part_of(expected, record)) {
            return Vec::new();
        }
        if began.elapsed() > AUDIT_TIMEOUT {
            let records: Vec<String> = records.iter().map(Value::to_string).collect();
            return vec![format!(
                "no audit record has {expected}; there are\n{}",
                records.join("\n")
            )];
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Objects may have more keys than expected; everything else is equal.
fn is_part_of(expected: &Value, record: &Value) -> bool {
    match (expected, record) {
        (Value::Object(expected), Value::Object(record)) => expected
            .iter()
            .all(|(name, value)| record.get(name).is_some_and(|found| is_part_of(value, found))),
        (Value::Array(expected), Value::Array(record)) => {
            expected.len() == record.len()
                && expected.iter().zip(record).all(|(expected, found)| is_part_of(expected, found))
        }
        _ => expected == record,
    }
}
