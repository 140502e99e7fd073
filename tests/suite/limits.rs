//! What a role's `limits` and `purposes` do to a session, end to end.

use std::path::Path;
use std::time::{Duration, Instant};

use scrim::demo::{Desk, RunningScrim, SAMPLE_RULES, sample_password};
use serde_json::Value;

use crate::harness::client::{Answer, Client, ServerError, put_string};

const ROWS_MAX: usize = 5;
/// An audit record is written at most 100 ms after the statement; a busy machine gets more.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A desk whose rules have a role with few rows, one with little time, and one with purposes, each with a user of
/// that name.
struct Limited {
    scrim: RunningScrim,
    desk: Desk,
}

impl Limited {
    fn open() -> Limited {
        let desk = Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let rules = desk.folder().join("masking-rules/60-limited.yaml");
        std::fs::write(rules, limited_rules()).expect("rules");
        let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &desk)
            .unwrap_or_else(|error| panic!("{error}"));
        Limited { scrim, desk }
    }

    fn try_connect(
        &self,
        user: &str,
        options: &[(&str, &str)],
    ) -> Result<Client, Box<ServerError>> {
        let password = sample_password("alice");
        Client::connect(self.scrim.address(), user, &password, "desk", options)
    }

    fn connect(&self, user: &str, options: &[(&str, &str)]) -> Client {
        self.try_connect(user, options)
            .unwrap_or_else(|error| panic!("{error:?}: {}", self.scrim.said()))
    }

    /// The purposes in the audit of all statements of a session, by its application's name, in order.
    fn purposes(&self, application: &str, count: usize) -> Vec<Option<String>> {
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.desk.audit_file()).unwrap_or_default();
            let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let purposes: Vec<Option<String>> = records
                .filter(|record| record["application"] == application)
                .filter(|record| record["sql"].as_str().is_some_and(|s| s.contains("customers")))
                .map(|record| record["purpose"].as_str().map(str::to_owned))
                .collect();
            if purposes.len() >= count || began.elapsed() > AUDIT_TIMEOUT {
                return purposes;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The users' verifiers are alice's: a verifier does not depend on the name (RFC 5802).
fn limited_rules() -> String {
    let (_, users) = SAMPLE_RULES.iter().find(|(name, _)| name.contains("users")).expect("users");
    let verifier = users.split('"').find(|part| part.starts_with("SCRAM-SHA-256$"));
    let verifier = verifier.expect("a verifier");
    format!(
        "roles:
  few_rows: {{extends: support, may: [read], limits: {{rows: {ROWS_MAX}}}}}
  hasty: {{extends: support, may: [read], limits: {{statement_seconds: 1}}}}
  purposeful: {{extends: support, may: [read], purposes: [support, refund]}}
users:
  few_rows: {{role: few_rows, password: \"{verifier}\"}}
  hasty: {{role: hasty, password: \"{verifier}\"}}
  purposeful: {{role: purposeful, password: \"{verifier}\"}}
"
    )
}

fn code(answer: &Answer) -> &str {
    answer.error.as_ref().map_or("", |error| error.code.as_str())
}

fn one(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

#[test]
fn no_more_rows_than_the_limit() {
    let limited = Limited::open();
    let mut client = limited.connect("few_rows", &[]);
    let all = "SELECT id FROM customers";
    let as_many = "SELECT id FROM customers LIMIT 5";
    for binary in [false, true] {
        let answer = client.extended(all, binary);
        assert_eq!(code(&answer), "54000", "{answer:?}");
        assert!(answer.rows.len() <= ROWS_MAX, "{} rows", answer.rows.len());
        let answer = client.extended(as_many, binary);
        assert_eq!((code(&answer), answer.rows.len()), ("", ROWS_MAX), "{answer:?}");
    }
    let answer = one(client.simple(all));
    assert_eq!(code(&answer), "54000", "{answer:?}");
    assert!(answer.rows.len() <= ROWS_MAX);
    for (options, lines_beside_rows) in [("", 0), ("(FORMAT csv, HEADER)", 1), ("(FORMAT csv)", 0)]
    {
        let copy = |query: &str| format!("COPY ({query}) TO STDOUT {options}");
        for form in ["simple", "extended"] {
            let mut answer = |sql: &str| match form {
                "simple" => one(client.simple(sql)),
                _ => client.extended(sql, false),
            };
            let many = answer(&copy(all));
            assert_eq!(code(&many), "54000", "{form} {options} {many:?}");
            let few = answer(&copy(as_many));
            let lines = few.copied.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!((code(&few), lines), ("", ROWS_MAX + lines_beside_rows), "{form} {few:?}");
        }
    }
    for (rows, expected) in [("ALL", "54000"), ("5", "")] {
        client.simple("BEGIN; DECLARE c CURSOR FOR SELECT id FROM customers");
        let answer = one(client.simple(&format!("FETCH {rows} FROM c")));
        assert_eq!(code(&answer), expected, "{answer:?}");
        client.simple("ROLLBACK");
    }
    let error = answer.error.expect("an error");
    assert!(
        error.message.starts_with("scrim: ") && error.message.contains("few_rows"),
        "{error:?}"
    );
    assert!(error.hint.is_some());

    // The limit is a statement's, not a message's; nothing behind the error is run.
    let answers = client.simple(&format!("{as_many}; {as_many}"));
    assert!(answers.iter().all(|answer| code(answer).is_empty()), "{answers:?}");
    let answers = client.simple(&format!("{all}; SELECT 1"));
    assert_eq!(answers.len(), 1, "{answers:?}");

    client.simple("BEGIN");
    assert_eq!(code(&one(client.simple(all))), "54000");
    client.simple("ROLLBACK");
    assert_eq!(client.transaction, b'I');
    assert_eq!(one(client.simple(as_many)).rows.len(), ROWS_MAX);
}

/// Rows of a portal count together, however they are fetched.
#[test]
fn rows_of_a_portal_count_together() {
    let limited = Limited::open();
    let mut client = limited.connect("few_rows", &[]);
    let mut parse = Vec::new();
    put_string(&mut parse, "");
    put_string(&mut parse, "SELECT id FROM customers");
    parse.extend(0_i16.to_be_bytes());
    client.send(b'P', &parse);
    let mut bind = Vec::new();
    put_string(&mut bind, "p");
    put_string(&mut bind, "");
    bind.extend([0; 6]);
    client.send(b'B', &bind);
    let mut execute = Vec::new();
    put_string(&mut execute, "p");
    execute.extend(2_i32.to_be_bytes());
    for _ in 0..4 {
        client.send(b'E', &execute);
    }
    client.send(b'S', &[]);
    let (mut rows, mut errors) = (0, 0);
    loop {
        let frame = client.frame();
        match frame.kind {
            b'D' => rows += 1,
            b'E' => {
                assert!(String::from_utf8_lossy(&frame.body).contains("C54000"));
                errors += 1;
            }
            b'Z' => break,
            _ => {}
        }
    }
    assert!(rows <= ROWS_MAX, "{rows} rows");
    assert_eq!(errors, 1);
    assert_eq!(one(client.simple("SELECT 1")).rows.len(), 1);
}

#[test]
fn no_more_time_than_the_limit() {
    let limited = Limited::open();
    let mut client = limited.connect("hasty", &[("statement_timeout", "0")]);
    let limit_is_there = |client: &mut Client, after: &str| {
        let answer = one(client.simple("SHOW statement_timeout"));
        let value = answer.rows.first().and_then(|row| row.first().cloned()).flatten();
        assert_eq!(value.as_deref(), Some(&b"1s"[..]), "after {after}");
    };
    limit_is_there(&mut client, "a startup option");
    for attempt in [
        "SET statement_timeout = 0",
        "SET LOCAL statement_timeout = 0",
        "SET SESSION \"statement_timeout\" TO DEFAULT",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT set_config('STATEMENT_TIMEOUT', '0', true)",
        "SELECT set_config('statement' || '_timeout', '0', false)",
        "SELECT set_config(U&'\\0073tatement_timeout', '0', false)",
        "SELECT set_config(n, '0', false) FROM (VALUES ('statement_timeout')) AS v(n)",
        "UPDATE pg_settings SET setting = '0' WHERE name = 'statement_timeout'",
    ] {
        let answer = one(client.simple(attempt));
        assert_eq!(code(&answer), "42501", "{attempt}: {answer:?}");
        limit_is_there(&mut client, attempt);
    }
    for harmless in ["RESET statement_timeout", "RESET ALL", "DISCARD ALL"] {
        client.simple(harmless);
        limit_is_there(&mut client, harmless);
    }
    let endless = "SELECT count(*) FROM customers a, customers b, customers c, customers d, customers e, \
                   customers f";
    let answer = one(client.simple(endless));
    assert_eq!(code(&answer), "57014", "{answer:?}");
    assert_eq!(one(client.simple("SELECT 1")).rows.len(), 1);
}

#[test]
fn nothing_is_read_without_a_purpose() {
    let limited = Limited::open();
    let read = "SELECT id FROM customers WHERE id = 1";
    let mut client = limited.connect("purposeful", &[("application_name", "purposes")]);
    let refused = |client: &mut Client, when: &str| {
        for answer in [one(client.simple(read)), client.extended(read, true)] {
            assert_eq!(code(&answer), "42501", "{when}: {answer:?}");
            let hint = answer.error.and_then(|error| error.hint).unwrap_or_default();
            assert!(hint.contains("support") && hint.contains("refund"), "{when}: {hint}");
        }
    };
    let allowed = |client: &mut Client, when: &str| {
        let answer = one(client.simple(read));
        assert_eq!((code(&answer), answer.rows.len()), ("", 1), "{when}: {answer:?}");
    };
    refused(&mut client, "at first");
    let answer = one(client.simple("SET scrim.purpose = 'gossip'"));
    assert!(!code(&answer).is_empty(), "{answer:?}");
    refused(&mut client, "after a purpose that nobody knows");
    client.simple("BEGIN");
    client.simple("SET scrim.purpose = 'refund'");
    allowed(&mut client, "within the transaction");
    client.simple("ROLLBACK");
    refused(&mut client, "after the rollback");
    client.simple("SET scrim.purpose = 'refund'");
    allowed(&mut client, "after SET");
    client.simple("RESET scrim.purpose");
    refused(&mut client, "after RESET");
    client.simple("SET scrim.purpose = 'support'");
    allowed(&mut client, "after SET again");
    client.simple("DISCARD ALL");
    refused(&mut client, "after DISCARD ALL");

    let mut stated = limited
        .connect("purposeful", &[("scrim.purpose", "support"), ("application_name", "stated")]);
    allowed(&mut stated, "with a startup option");
    let purposes = limited.purposes("stated", 1);
    assert_eq!(purposes.first(), Some(&Some("support".into())), "{purposes:?}");
    let purposes = limited.purposes("purposes", 13);
    for purpose in ["refund", "support"] {
        assert!(purposes.contains(&Some(purpose.into())), "{purposes:?}");
    }

    let error = limited.try_connect("purposeful", &[("scrim.purpose", "gossip")]);
    let error = error.err().expect("no login for a purpose that nobody knows");
    assert_eq!(error.severity, "FATAL", "{error:?}");
}
