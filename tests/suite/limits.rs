//! What a role's `limits` and `purposes` do to a session, end to end.

use std::path::Path;
use std::time::{Duration, Instant};

use scrim::demo::{Desk, RunningScrim, sample_password};
use serde_json::Value;

use crate::harness::client::{Answer, Client, Form, ServerError, put_string};
use crate::harness::own::{Own, bind, execute, last_words, parse};
use crate::harness::sample_verifier;

const ROWS_MAX: usize = 5;
const BYTES_MAX: usize = 2000;
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
    let verifier = sample_verifier();
    format!(
        "roles:
  few_rows: {{extends: support, may: [read], limits: {{rows: {ROWS_MAX}}}}}
  hasty: {{extends: support, may: [read], limits: {{statement_seconds: 1}}}}
  purposeful: {{extends: support, may: [read], purposes: [support, refund]}}
  few_bytes: {{extends: support, may: [read], limits: {{bytes: {BYTES_MAX}}}}}
  paced: {{extends: support, may: [read], limits: {{statements_per_second: 3}}}}
  prompt: {{extends: support, may: [read], limits: {{idle_transaction_seconds: 1}}}}
  single: {{extends: support, may: [read], limits: {{connections: 1}}}}
  terse: {{extends: support, may: [read], limits: {{message_bytes: 20000}}}}
  single_untouched: {{may: [everything], masks: {{\"*\": clear}}, limits: {{connections: 1}}}}
users:
  few_bytes: {{role: few_bytes, password: \"{verifier}\"}}
  paced: {{role: paced, password: \"{verifier}\"}}
  prompt: {{role: prompt, password: \"{verifier}\"}}
  terse: {{role: terse, password: \"{verifier}\"}}
  single: {{role: single, password: \"{verifier}\"}}
  other_single: {{role: single, password: \"{verifier}\"}}
  single_untouched: {{role: single_untouched, password: \"{verifier}\"}}
  alone: {{roles: [support, few_rows], password: \"{verifier}\", connections: 1}}
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

/// Rows of 111 bytes on the wire, header included: 18 of them are within the limit.
const WIDE: &str = "SELECT repeat('x', 100) FROM generate_series(1, 100)";
const WIDE_BYTES: usize = 111;

#[test]
fn no_more_bytes_than_the_limit() {
    let limited = Limited::open();
    let mut client = limited.connect("few_bytes", &[]);
    let fit = BYTES_MAX / WIDE_BYTES;
    for form in Form::ALL {
        let answer = one(client.run(form, WIDE, &[WIDE]));
        assert_eq!((code(&answer), answer.rows.len()), ("54000", fit), "{form:?}");
        let error = answer.error.expect("an error");
        assert!(error.message.contains("more than 2000 bytes"), "{error:?}");
        // One row that is too large: nothing of it comes.
        client.take_received();
        let huge = "SELECT repeat('x', 200000)";
        let answer = one(client.run(form, huge, &[huge]));
        assert_eq!((code(&answer), answer.rows.len()), ("54000", 0), "{form:?}");
        assert!(client.take_received().len() < 1000);
        let little = "SELECT repeat('x', 100) FROM generate_series(1, 18)";
        let answer = one(client.run(form, little, &[little]));
        assert_eq!((code(&answer), answer.rows.len()), ("", 18), "{form:?}");
    }
    let copied = one(client.simple(&format!("COPY ({WIDE}) TO STDOUT")));
    assert_eq!(code(&copied), "54000");
    assert!(copied.copied.len() <= BYTES_MAX, "{}", copied.copied.len());
    // Each statement of a text for itself; the parts of a portal together.
    let each = "SELECT repeat('x', 100) FROM generate_series(1, 10)";
    let answers = client.simple(&format!("{each}; {each}"));
    assert!(answers.iter().all(|answer| code(answer).is_empty()), "{answers:?}");
    parse(&mut client, "", WIDE);
    bind(&mut client, "", "");
    execute(&mut client, "", 10);
    execute(&mut client, "", 10);
    client.send(b'S', b"");
    let answers = client.answers();
    let rows: Vec<usize> = answers.iter().map(|answer| answer.rows.len()).collect();
    assert_eq!((rows, code(&answers[1])), (vec![10, fit - 10], "54000"));
    assert_eq!(one(client.simple("SELECT 1")).rows.len(), 1);
    let written = one(client.simple("INSERT INTO orders DEFAULT VALUES RETURNING id"));
    assert_eq!(code(&written), "42501");
}

#[test]
fn no_more_statements_a_second_than_the_limit() {
    let limited = Limited::open();
    let mut client = limited.connect("paced", &[("application_name", "paced")]);
    // A text alone that is too many is never run; three of them are.
    let four = client.simple("SELECT 1; SELECT 2; SELECT 3; SELECT 4");
    assert_eq!(code(&one(four)), "53400");
    std::thread::sleep(Duration::from_millis(1100));
    let three = client.simple("SELECT 1; SELECT 2; SELECT 3");
    assert_eq!(three.len(), 3, "{three:?}");
    // All sessions of the user count together, in each form.
    for form in Form::ALL {
        let mut other = limited.connect("paced", &[]);
        let mut told = None;
        for _ in 0..200 {
            let answer = one(other.run(form, "SELECT 1", &["SELECT 1"]));
            let one_more = one(client.run(form, "SELECT 1", &["SELECT 1"]));
            told = [answer, one_more].into_iter().find_map(|answer| answer.error);
            if told.is_some() {
                break;
            }
        }
        let error = told.expect("never too many");
        assert_eq!(error.code, "53400");
        assert!(error.message.contains("may run 3 statements a second"), "{error:?}");
    }
    // Who waits goes on, and others never noticed.
    let mut alice = limited.connect("few_rows", &[]);
    (0..20).for_each(|_| assert_eq!(code(&one(alice.simple("SELECT 1"))), ""));
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(code(&one(client.simple("SELECT 1"))), "");
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(limited.desk.audit_file()).unwrap_or_default();
        if text.lines().any(|line| line.contains("\"paced\"") && line.contains("\"too_often\"")) {
            break;
        }
        assert!(began.elapsed() < AUDIT_TIMEOUT, "no record of the refusal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_transaction_does_not_stand_still_for_longer_than_the_limit() {
    let limited = Limited::open();
    for options in [&[][..], &[("idle_in_transaction_session_timeout", "0")]] {
        let mut client = limited.connect("prompt", options);
        for sql in [
            "SET idle_in_transaction_session_timeout = 0",
            "SET LOCAL idle_in_transaction_session_timeout TO '1h'",
            "SELECT set_config('idle_in_transaction_session_timeout', '0', false)",
        ] {
            assert_eq!(code(&one(client.simple(sql))), "42501", "{sql}");
        }
        client.simple("RESET ALL");
        client.simple("BEGIN");
        assert_eq!(code(&one(client.simple("SELECT 1"))), "");
        // PostgreSQL ends it by itself.
        let last = client.frame();
        let said = String::from_utf8_lossy(&last.body).into_owned();
        assert!(last.kind == b'E' && said.contains("25P03"), "{said}");
        assert_eq!(client.next_frame(), None);
    }
    // Outside a transaction nobody is ended.
    let mut client = limited.connect("prompt", &[]);
    assert_eq!(code(&one(client.simple("SELECT 1"))), "");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(code(&one(client.simple("SELECT 1"))), "");
}

/// Connects as soon as those who have gone are gone.
fn connect_soon(limited: &Limited, user: &str, options: &[(&str, &str)]) -> Client {
    let began = Instant::now();
    loop {
        match limited.try_connect(user, options) {
            Ok(client) => return client,
            Err(error) => assert!(began.elapsed() < AUDIT_TIMEOUT, "{error:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_more_connections_than_the_limits() {
    let limited = Limited::open();
    let refused = |user: &str, options: &[(&str, &str)]| {
        let error = limited.try_connect(user, options).err().expect(user);
        assert_eq!((error.severity.as_str(), error.code.as_str()), ("FATAL", "53300"), "{user}");
        error.message.clone()
    };
    // By role, whoever the user is.
    let first = limited.connect("single", &[]);
    let said = "scrim: too many connections with role `single`";
    assert_eq!(refused("single", &[]), said);
    assert_eq!(refused("other_single", &[]), said);
    drop(first);
    drop(connect_soon(&limited, "other_single", &[]));
    // By user, whatever the role: PostgreSQL's own words.
    let first = limited.connect("alone", &[]);
    assert_eq!(
        refused("alone", &[("scrim.role", "few_rows")]),
        "too many connections for role \"alone\""
    );
    drop(first);
    drop(connect_soon(&limited, "alone", &[("scrim.role", "few_rows")]));
    // A role that passes untouched keeps it, and stays untouched.
    let mut first = limited.connect("single_untouched", &[]);
    refused("single_untouched", &[]);
    assert_eq!(code(&one(first.simple("DO 'BEGIN END'"))), "");
    // A wrong password is told before a limit is.
    let wrong = Client::connect(limited.scrim.address(), "single_untouched", "wrong", "desk", &[]);
    assert_eq!(wrong.err().expect("refused").code, "28P01");
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(limited.desk.audit_file()).unwrap_or_default();
        if text.lines().filter(|line| line.contains("\"refused\":\"53300\"")).count() >= 4 {
            break;
        }
        assert!(began.elapsed() < AUDIT_TIMEOUT, "the refusals are not in the audit: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_more_connections_of_an_address_or_in_all() {
    for (more, said) in [
        ("limits: {connections_per_address: 2}\n", "scrim: too many connections from this address"),
        ("limits: {connections: 2}\n", "sorry, too many clients already"),
    ] {
        let own = Own::open(more);
        let held = [own.connect("alice"), own.connect("dba")];
        let refused = own.try_connect("alice").err().expect("refused");
        assert_eq!(refused, format!("FATAL 53300 {said}"));
        drop(held);
        own.wait("a place", || own.try_connect("alice").is_ok());
    }
    // Behind a proxy it is the client's address that counts.
    let own =
        Own::open("limits: {connections_per_address: 1}\nproxy_protocol: {from: [127.0.0.1]}\n");
    let connect = |last: u8| {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71".to_vec();
        header.extend([last, 10, 0, 0, 1, 0x30, 0x39, 0x19, 0x20]);
        Client::connect_after(own.address(), &header, "alice", &sample_password("alice"), "desk")
    };
    let held = [connect(1), connect(2)].map(|client| client.expect("in"));
    assert_eq!(connect(1).err().expect("refused").code, "53300");
    drop(held);
}

#[test]
fn failed_logins_make_the_next_ones_wait() {
    let own = Own::open("");
    let address = own.address();
    let try_one = move |password: &str| {
        Client::connect(address, "alice", password, "desk", &[]).err().map(|error| error.code)
    };
    for _ in 0..4 {
        assert_eq!(try_one("wrong").as_deref(), Some("28P01"));
    }
    // Many at once: some wait for their turn, and the rest are sent away without a look at their password.
    let tries: Vec<_> = (0..16).map(|_| std::thread::spawn(move || try_one("wrong"))).collect();
    let told: Vec<_> = tries.into_iter().map(|one| one.join().expect("an answer")).collect();
    let count = |code: &str| told.iter().filter(|told| told.as_deref() == Some(code)).count();
    assert_eq!(count("28P01") + count("53300"), 16, "{told:?}");
    assert!(count("53300") >= 8, "{told:?}");
    // Other users do not notice, nor does who is in.
    assert_eq!(own.connect("dba").simple("SELECT 1")[0].rows.len(), 1);
    // The right password works when its turn comes, and is free again after.
    own.wait("a turn", || try_one(&sample_password("alice")).is_none());
    for _ in 0..3 {
        assert_eq!(try_one("wrong").as_deref(), Some("28P01"));
        assert_eq!(try_one(&sample_password("alice")), None);
    }
    let refused =
        |code: &str| own.audit().iter().filter(|record| record["refused"] == code).count();
    own.wait("the refusals in the audit", || refused("53300") >= count("53300"));
}

/// How a client sends something.
type Sending<'a> = &'a dyn Fn(&mut Client);

#[test]
fn no_longer_messages_than_the_limit() {
    let limited = Limited::open();
    let text = |bytes: usize| format!("SELECT length('{}')", "x".repeat(bytes));
    let with_value = |client: &mut Client, bytes: usize| {
        parse(client, "", "SELECT length($1::text)");
        let mut body = b"\0\0\0\0\0\x01".to_vec();
        body.extend(u32::try_from(bytes).expect("a length").to_be_bytes());
        body.extend(vec![b'x'; bytes]);
        body.extend(0_i16.to_be_bytes());
        client.send(b'B', &body);
        execute(client, "", 0);
        client.send(b'S', b"");
    };
    let mut client = limited.connect("terse", &[("application_name", "terse")]);
    assert_eq!(code(&one(client.simple(&text(19_000)))), "");
    with_value(&mut client, 19_000);
    assert_eq!(code(&one(client.answers())), "");
    // Held whole, in pieces, and announced only: the rest is never waited for.
    let mut announced = vec![b'B'];
    announced.extend(0x3fff_0000_u32.to_be_bytes());
    announced.extend(vec![0; 70_000]);
    let ways: [(&str, Sending<'_>); 4] = [
        ("a text", &|client| client.send(b'Q', format!("{}\0", text(30_000)).as_bytes())),
        ("a value", &|client| with_value(client, 30_000)),
        ("a large value", &|client| with_value(client, 300_000)),
        ("an announced value", &|client| client.send_raw(&announced)),
    ];
    for (what, send) in ways {
        let mut client = limited.connect("terse", &[("application_name", "terse")]);
        send(&mut client);
        let said = last_words(&mut client);
        assert!(said.contains("FATAL") && said.contains("C54000"), "{what}: {said}");
        assert!(said.contains("over the limit of role `terse`"), "{what}: {said}");
    }
    // Others are not limited.
    let mut other = limited.connect("few_rows", &[]);
    with_value(&mut other, 300_000);
    assert_eq!(code(&one(other.answers())), "");
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(limited.desk.audit_file()).unwrap_or_default();
        let of_them = |line: &&str| line.contains("\"terse\"") && line.contains("\"too_large\"");
        if text.lines().filter(of_them).count() == 4 {
            break;
        }
        assert!(began.elapsed() < AUDIT_TIMEOUT, "the refusals are not in the audit");
        std::thread::sleep(Duration::from_millis(20));
    }
}
