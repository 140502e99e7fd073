//! The second net of a role, `guard`: what nobody has classified, in every way out.

use scrim::demo::{SERVICE_LOGIN, sample_password};
use serde_json::Value;

use crate::harness::client::{Answer, Client};
use crate::harness::own::{Own, code, value};
use crate::harness::sample_verifier;

const CARD: &str = "4111 1111 1111 1111";
const RRN: &str = "850312-1904175";

/// Roles that see a table of notes, each with its own way; the users' verifiers are alice's.
fn open() -> Own {
    let verifier = sample_verifier();
    let mut rules = String::from("open: [public.notes]\nroles:\n");
    for then in ["redact", "refuse", "alarm"] {
        rules += &format!(
            "  {then}s:\n    may: [read, write]\n    masks: {{\"*\": redact}}\n    listen: [news]\n    guard: {{detect: [rrn, card], then: {then}}}\n"
        );
    }
    rules += "  trusting: {extends: redacts, masks: {\"*\": redact}}\nusers:\n";
    for role in ["redacts", "refuses", "alarms", "trusting"] {
        rules += &format!("  {role}: {{role: {role}, password: \"{verifier}\"}}\n");
    }
    Own::open_changed(|desk, text| {
        let notes = format!(
            "CREATE TABLE public.notes (id int PRIMARY KEY, note text, number bigint, data jsonb, list text[]);
             INSERT INTO public.notes VALUES (1, 'a soft shirt', 7, '{{}}', '{{}}'),
               (2, 'paid with {CARD}, {RRN}', 4111111111111111, '{{\"card\": \"{CARD}\"}}', ARRAY['x', '{CARD}']);
             GRANT SELECT, INSERT, UPDATE ON public.notes TO {SERVICE_LOGIN}"
        );
        desk.server().run("desk", &notes).unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(desk.folder().join("masking-rules/60-guard.yaml"), &rules).expect("rules");
        text
    })
}

fn connect(own: &Own, user: &str) -> Client {
    Client::connect(own.address(), user, &sample_password("alice"), "desk", &[])
        .unwrap_or_else(|error| panic!("{error:?}: {}", own.said()))
}

fn texts(answer: &Answer) -> Vec<Vec<Option<String>>> {
    let text = |value: &Option<Vec<u8>>| {
        value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
    };
    answer.rows.iter().map(|row| row.iter().map(text).collect()).collect()
}

/// Nothing that was received holds a card, in whatever form.
fn is_clean(client: &mut Client) -> bool {
    let received = client.take_received();
    holds_nothing(&String::from_utf8_lossy(&received))
}

/// No card and no number of a resident. Of the card eight digits: four stand in a port or a microsecond of a log by chance.
fn holds_nothing(text: &str) -> bool {
    ["4111 1111", "41111111", "850312-", "8503121"].iter().all(|part| !text.contains(part))
}

#[test]
fn what_is_found_is_redacted_in_every_form() {
    let own = open();
    let mut client = connect(&own, "redacts");
    let all = "SELECT id, note, number, data, list FROM notes ORDER BY id";
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        vec![some("1"), some("a soft shirt"), some("7"), some("{}"), some("{}")],
        vec![some("2"), some("paid with [card], [rrn]"), None, None, None],
    ];
    // The third time it is bound.
    for _ in 0..4 {
        assert_eq!(texts(&client.simple(all)[0]), expected);
    }
    assert_eq!(texts(&client.extended(all, false)), expected);
    let binary = client.extended(all, true);
    assert_eq!(binary.rows[1][1].as_deref(), Some(&b"paid with [card], [rrn]"[..]));
    assert_eq!(binary.rows[1][3..], [None, None]);
    assert_eq!(
        value(&client.simple("SELECT 'card: ' || note FROM notes WHERE id = 2")[0]),
        "card: paid with [card], [rrn]"
    );
    let cursor = client
        .simple("BEGIN; DECLARE c CURSOR FOR SELECT note FROM notes WHERE id = 2; FETCH c; COMMIT");
    assert_eq!(texts(&cursor[2]), [[some("paid with [card], [rrn]")]]);
    let returned = client.simple("UPDATE notes SET id = 2 WHERE id = 2 RETURNING note");
    assert_eq!(value(&returned[0]), "paid with [card], [rrn]");
    for copy in [
        "COPY notes TO STDOUT",
        "COPY notes TO STDOUT (FORMAT csv)",
        "COPY notes (id, note) TO STDOUT (FORMAT binary)",
        "COPY (SELECT list FROM notes) TO STDOUT (FORMAT binary)",
    ] {
        let answer = client.simple(copy).remove(0);
        assert_eq!(code(&answer), "42501", "{copy}");
    }
    let clean = client.simple("COPY (SELECT id, note FROM notes WHERE id = 1) TO STDOUT").remove(0);
    assert_eq!((clean.error, clean.copied.as_slice()), (None, &b"1\ta soft shirt\n"[..]));
    // What cannot be searched is not shown.
    let long = "SELECT repeat('x', 70000) AS long";
    assert_eq!(code(&client.simple(long)[0]), "54000");
    assert_eq!(code(&client.extended(long, false)), "54000");
    assert!(is_clean(&mut client));
    let mut heir = connect(&own, "trusting");
    assert_eq!(texts(&heir.simple(all)[0]), expected);
    own.wait("what was found is on record", || {
        let found = own.audit().into_iter().filter(|record| record["event"] == "found");
        let found: Vec<Value> = found.filter(|record| record["user"] == "redacts").collect();
        let has = |kind: &str, position: u64| {
            found.iter().any(|record| {
                record["kind"] == kind
                    && record["position"] == position
                    && record["then"] == "redact"
            })
        };
        has("card", 2) && has("rrn", 2) && has("card", 4) && has("card", 0)
    });
    assert!(own.figure("scrim_guard_found_total") > 0.0);
    assert!(holds_nothing(&own.said()), "{}", own.said());
}

#[test]
fn what_is_found_ends_the_statement() {
    let own = open();
    let mut client = connect(&own, "refuses");
    for sql in ["SELECT note FROM notes ORDER BY id", "SELECT id, number FROM notes"] {
        for answer in
            [client.simple(sql).remove(0), client.extended(sql, true), client.extended(sql, false)]
        {
            let is_binary_number = sql.contains("number") && answer.error.is_none();
            assert!(code_is(&answer, "42501") || is_binary_number, "{sql}: {answer:?}");
        }
    }
    let error = client.simple("SELECT id, note FROM notes").remove(0).error.expect("an error");
    assert_eq!(
        error.message,
        "scrim: the result was stopped: something in column 2 looks like `rrn`"
    );
    // Nothing is written whose answer could be stopped.
    let returning = client.simple("INSERT INTO notes VALUES (3, 'x') RETURNING note").remove(0);
    assert_eq!(code(&returning), "42501");
    assert_eq!(value(&client.simple("SELECT count(*) FROM notes")[0]), "2");
    // The session goes on, inside a transaction as an error does.
    let answers = client.simple("BEGIN; SELECT note FROM notes");
    assert_eq!(code(&answers[1]), "42501");
    client.simple("ROLLBACK");
    assert_eq!(value(&client.simple("SELECT note FROM notes WHERE id = 1")[0]), "a soft shirt");
    assert!(is_clean(&mut client));
}

#[test]
fn what_is_found_passes_with_an_alarm() {
    let own = open();
    let mut client = connect(&own, "alarms");
    let answer = client.simple("SELECT note FROM notes WHERE id = 2").remove(0);
    assert_eq!(value(&answer), format!("paid with {CARD}, {RRN}"));
    assert_eq!(
        client.simple("SELECT repeat('x', 70000)")[0].rows[0][0].as_ref().map(Vec::len),
        Some(70_000)
    );
    own.wait("an alarm is on record", || {
        own.audit().iter().any(|record| record["event"] == "found" && record["then"] == "alarm")
    });
}

#[test]
fn what_is_heard_is_searched() {
    let own = open();
    for (user, heard) in [
        ("redacts", Some("lost: [card]".to_owned())),
        ("refuses", None),
        ("alarms", Some(format!("lost: {CARD}"))),
    ] {
        let mut client = connect(&own, user);
        assert_eq!(client.simple("LISTEN news")[0].error, None, "{user}");
        let notify = format!("SELECT pg_notify('news', 'lost: {CARD}'), pg_notify('news', 'over')");
        own.desk.server().run("desk", &notify).expect("sent");
        let mut payloads = Vec::new();
        while payloads.last().is_none_or(|last| last != "over") {
            let frame = client.frame();
            assert_eq!(frame.kind, b'A');
            let mut parts = frame.body[4..].split(|byte| *byte == 0);
            assert_eq!(parts.next(), Some(&b"news"[..]));
            payloads
                .push(String::from_utf8(parts.next().expect("a payload").to_vec()).expect("text"));
        }
        let expected: Vec<String> = heard.into_iter().chain(["over".to_owned()]).collect();
        assert_eq!(payloads, expected, "{user}");
    }
}

fn code_is(answer: &Answer, code: &str) -> bool {
    answer.error.as_ref().is_some_and(|error| error.code == code)
}
