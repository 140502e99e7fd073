//! Temporary access, end to end: from a request to its end, in live sessions, whatever they have prepared and opened.

use std::process::Command;

use scrim::demo::sample_password;
use serde_json::{Value, json};

use crate::harness::client::{Answer, Client};
use crate::harness::own::{Own, bind, code, execute, parse, run_prepared, value};
use crate::harness::sample_verifier;

/// The first two customers; a grant of these tests is mostly about the first.
const TWO: &str = "SELECT id, phone FROM customers WHERE id IN (1, 2) ORDER BY id";
pub(crate) const PHONE: &str = "SELECT phone FROM customers WHERE id = 1";

pub(crate) fn rules() -> String {
    let verifier = sample_verifier();
    format!(
        r#"
roles:
  helper:
    extends: support
    may: [read, write, temp_tables, explain]
    masks: {{staff.id: clear}}
    rows: {{public.customers: region <> 'overseas'}}
    grants:
      may: [contact, identity, staff]
      hidden: [staff.login]
      longest: 8h
      approvers: [lead]
      break_glass: true
      whole_columns: true
      widen_rows: true
  strict:
    extends: helper
  narrow:
    extends: support
    grants: {{may: [contact.phone], longest: 10m, approval: none, approvers: [lead]}}
  lead:
    extends: support
users:
  hana: {{roles: [helper, narrow], password: "{verifier}"}}
  hugo: {{role: helper, password: "{verifier}"}}
  lea: {{role: lead, password: "{verifier}"}}
  lars: {{roles: [lead, helper], password: "{verifier}"}}
  nils: {{role: narrow, password: "{verifier}"}}
  stig: {{role: strict, password: "{verifier}"}}
"#
    )
}

/// With few server connections, so that sessions take turns on them.
fn open() -> Own {
    Own::open_changed(|desk, text| {
        let file = desk.folder().join("masking-rules/60-grants.yaml");
        std::fs::write(file, rules()).expect("rules");
        text + "pool: {size: 2}\ngrants: {store: grants.db}\n"
    })
}

pub(crate) fn connect(own: &Own, user: &str, options: &[(&str, &str)]) -> Client {
    // A verifier does not depend on the name.
    Client::connect(own.address(), user, &sample_password("alice"), "desk", options)
        .unwrap_or_else(|error| panic!("{error:?}: {}", own.said()))
}

/// `scrim grant …`: whether it was done, and what was said.
pub(crate) fn grant(own: &Own, args: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_scrim"))
        .arg("grant")
        .args(args)
        .arg("--config")
        .arg(own.desk.configuration())
        .env("SCRIM_USER_PASSWORD", sample_password("alice"))
        .output()
        .expect("scrim");
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).expect("UTF-8"))
}

pub(crate) fn must(own: &Own, args: &[&str]) -> String {
    let (is_done, said) = grant(own, args);
    assert!(is_done, "{args:?}: {said}");
    said
}

/// Asks for one customer's phone, or what `more` says instead, and has it agreed to. Gives its number.
pub(crate) fn granted(own: &Own, user: &str, what: &[&str]) -> String {
    let asked = [&[user], what, &["--because", "T-123", "--as", user]].concat();
    let said = must(own, &asked);
    let number = said.split_whitespace().nth(1).expect("a number").to_owned();
    must(own, &["approve", &number, "--as", "lea"]);
    number
}

pub(crate) const FIRST: &[&str] = &[
    "--mask",
    "contact.phone=clear",
    "--table",
    "public.customers",
    "--rows",
    "id = 1",
    "--for",
    "1h",
];

pub(crate) fn wait_for(own: &Own, in_force: f64) {
    own.wait("the grants", || own.figure("scrim_grants_in_force") == in_force);
}

pub(crate) fn one(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

fn run(client: &mut Client, text: &str) {
    let answer = one(client.simple(text));
    assert_eq!(code(&answer), "", "{text}: {answer:?}");
}

pub(crate) fn texts(answer: &Answer) -> Vec<Vec<String>> {
    assert!(answer.error.is_none(), "{answer:?}");
    let text = |value: &Option<Vec<u8>>| {
        value.as_ref().map_or("NULL".to_owned(), |v| String::from_utf8(v.clone()).expect("UTF-8"))
    };
    answer.rows.iter().map(|row| row.iter().map(text).collect()).collect()
}

/// By each protocol.
pub(crate) fn seen(client: &mut Client, text: &str) -> Vec<Vec<String>> {
    let simple = texts(&one(client.simple(text)));
    let extended = texts(&client.extended(text, false));
    assert_eq!(simple, extended, "{text}");
    simple
}

pub(crate) fn truth(own: &Own, text: &str) -> String {
    own.desk.server().run("desk", text).expect("an answer").trim().to_owned()
}

#[test]
fn from_the_request_to_the_end() {
    let own = open();
    let phone = truth(&own, PHONE);
    let (mut hana, mut hugo) = (connect(&own, "hana", &[]), connect(&own, "hugo", &[]));
    let masked = seen(&mut hana, TWO);
    assert!(masked[0][1].starts_with("**"), "{masked:?}");
    let said = must(
        &own,
        &[
            "hana",
            "--mask",
            "contact.phone=clear",
            "--table",
            "public.customers",
            "--rows",
            "id = 1",
        ]
        .into_iter()
        .chain(["--for", "15s", "--because", "T-123", "--as", "hana"])
        .collect::<Vec<_>>(),
    );
    assert!(said.contains("grant 1  asked") && said.contains("public.customers.phone"), "{said}");
    assert!(!said.contains(&phone), "{said}");
    // Asked for is not agreed to.
    assert_eq!(seen(&mut hana, TWO), masked);
    must(&own, &["approve", "1", "--as", "lea"]);
    wait_for(&own, 1.0);
    let opened = seen(&mut hana, TWO);
    assert_eq!(opened[0][1], phone);
    assert_eq!(opened[1], masked[1], "another row");
    // To who has the same role, and whose texts are the same, nothing is.
    for _ in 0..3 {
        assert_eq!(seen(&mut hugo, TWO), masked);
        assert_eq!(seen(&mut hana, TWO), opened);
    }
    let shown = texts(&one(hana.simple("SHOW scrim.grants")));
    assert_eq!(shown[0][0], "1");
    assert_eq!(shown[0][3..5], ["id = 1".to_owned(), "1".to_owned()]);
    assert!(seen(&mut hugo, "SHOW scrim.grants").is_empty());
    // By one protocol: the end may come between two statements.
    own.wait("the end", || texts(&one(hana.simple(TWO))) == masked);
    wait_for(&own, 0.0);
    assert_eq!(seen(&mut hana, TWO), masked);
    assert!(seen(&mut hana, "SHOW scrim.grants").is_empty());
    own.wait("the record of the end", || {
        own.audit().iter().any(|r| r["event"] == "grant" && r["action"] == "expired")
    });
    let records = own.audit();
    let of = |action: &str| {
        let found = records.iter().find(|r| r["event"] == "grant" && r["action"] == action);
        found.unwrap_or_else(|| panic!("no {action}: {records:?}")).clone()
    };
    assert_eq!(of("asked")["by"], "hana");
    assert_eq!(of("approved")["by"], "lea");
    assert_eq!(of("approved")["keys"], json!(["1"]));
    assert_eq!(of("approved")["columns"], json!(["public.customers.phone"]));
    assert_eq!(of("expired").get("by"), None);
    let opened: Vec<&Value> = records.iter().filter(|r| !r["opened"].is_null()).collect();
    assert!(!opened.is_empty());
    for record in opened {
        assert_eq!(record["user"], "hana", "{record}");
        let cells = json!([{"grant": 1, "relation": "public.customers", "column": "phone",
            "cells": 1, "keys": ["1"]}]);
        assert_eq!(record["opened"], cells, "{record}");
    }
    assert!(own.figure("scrim_grant_cells_total") > 0.0);
    assert!(!std::fs::read_to_string(own.desk.audit_file()).expect("audit").contains(&phone));
}

#[test]
fn what_is_taken_back_is_gone_whatever_was_prepared_or_opened() {
    let own = open();
    let phone = truth(&own, PHONE);
    let number = granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    let mut prepared = connect(&own, "hana", &[]);
    parse(&mut prepared, "s", PHONE);
    prepared.send(b'S', b"");
    prepared.answers();
    for _ in 0..3 {
        assert_eq!(value(&run_prepared(&mut prepared, "s")), phone);
    }
    let mut by_sql = connect(&own, "hana", &[]);
    run(&mut by_sql, &format!("PREPARE p AS {PHONE}"));
    assert_eq!(value(&one(by_sql.simple("EXECUTE p"))), phone);
    own.wait("a free connection", || own.figure("scrim_grants_in_force") == 1.0);
    run(&mut by_sql, "BEGIN");
    run(&mut by_sql, &format!("DECLARE c CURSOR FOR {PHONE}"));
    let copied = one(prepared.simple(&format!("COPY ({PHONE}) TO STDOUT")));
    assert_eq!(String::from_utf8_lossy(&copied.copied).trim(), phone);
    // A portal that has been read half-way, in a transaction.
    run(&mut prepared, "BEGIN");
    parse(&mut prepared, "many", "SELECT phone FROM customers WHERE id IN (1, 2) ORDER BY id DESC");
    bind(&mut prepared, "half", "many");
    execute(&mut prepared, "half", 1);
    prepared.send(b'S', b"");
    prepared.answers();

    must(&own, &["revoke", &number, "--as", "hana"]);
    wait_for(&own, 0.0);
    execute(&mut prepared, "half", 1);
    prepared.send(b'S', b"");
    let answer = prepared.answers().pop().expect("an answer");
    assert_eq!(code(&answer), "24000", "{answer:?}");
    run(&mut prepared, "ROLLBACK");
    let answer = run_prepared(&mut prepared, "s");
    assert!(value(&answer).starts_with("**"), "{answer:?}");
    let fetched = one(by_sql.simple("FETCH c"));
    assert_eq!(code(&fetched), "24000", "{fetched:?}");
    run(&mut by_sql, "ROLLBACK");
    assert_eq!(code(&one(by_sql.simple("EXECUTE p"))), "26000");
    for client in [&mut prepared, &mut by_sql] {
        assert!(seen(client, PHONE)[0][0].starts_with("**"));
        let copied = one(client.simple(&format!("COPY ({PHONE}) TO STDOUT")));
        assert!(copied.copied.starts_with(b"**"), "{copied:?}");
    }
    // Granted anew, it is another grant, and what was opened under the other one stays closed.
    granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    assert_eq!(value(&run_prepared(&mut prepared, "s")), phone);
}

#[test]
fn four_eyes() {
    let own = open();
    let ask = |user: &str, by: &str, more: &[&str]| {
        grant(&own, &[&[user], FIRST, &["--because", "T-1", "--as", by], more].concat())
    };
    for (user, by, more, said) in [
        // Wrong: for somebody else, for a role without `grants`, by nobody.
        ("hana", "hugo", [].as_slice(), "user `hugo` may not ask for user `hana`"),
        ("stig", "stig", &[], "role `strict` can be granted nothing"),
        ("lea", "lea", &[], "role `lead` can be granted nothing"),
        ("dba", "lea", &[], "role `admin` can be granted nothing"),
        ("nobody", "lea", &[], "there is no user `nobody`"),
        ("hana", "nobody", &[], "the password of user `nobody` is wrong"),
        ("hana", "hana", &["--role", "lead"], "user `hana` has no role `lead`"),
    ] {
        let (is_done, told) = ask(user, by, more);
        assert!(!is_done && told.contains(said), "{user} by {by}: {told}");
    }
    let (is_done, told) = grant(&own, &["--as", "hana"]);
    assert!(!is_done && told.contains("Usage"), "{told}");
    let (is_done, told) = grant(&own, &["hana", "--as", "hana"]);
    assert!(!is_done && told.contains("--mask"), "{told}");
    let wrong_password = Command::new(env!("CARGO_BIN_EXE_scrim"))
        .args(["grant", "hana", "--because", "T", "--as", "hana", "--config"])
        .arg(own.desk.configuration())
        .args(FIRST)
        .env("SCRIM_USER_PASSWORD", "not it")
        .output()
        .expect("scrim");
    assert!(!wrong_password.status.success());
    assert!(String::from_utf8_lossy(&wrong_password.stderr).contains("is wrong"));
    // 1: hana for herself; 2: lars, who may agree, for hugo; 3: lars for himself.
    for (user, by) in [("hana", "hana"), ("hugo", "lars")] {
        assert!(ask(user, by, &[]).0, "{user} by {by}");
    }
    assert!(ask("lars", "lars", &["--role", "helper"]).0);
    for (number, by, said) in [
        ("1", "hana", "another person"),
        ("1", "hugo", "may not decide"),
        ("2", "lars", "another person"),
        ("2", "hugo", "another person"),
        ("3", "lars", "another person"),
        ("9", "lea", "there is no grant 9"),
    ] {
        for action in ["approve", "reject"] {
            let (is_done, told) = grant(&own, &[action, number, "--as", by]);
            assert!(!is_done && told.contains(said), "{action} {number} by {by}: {told}");
        }
    }
    must(&own, &["approve", "1", "--as", "lars"]);
    must(&own, &["reject", "2", "--as", "lea"]);
    for args in [
        ["approve", "1", "--as", "lea"],
        ["reject", "1", "--as", "lea"],
        ["approve", "2", "--as", "lea"],
        ["revoke", "2", "--as", "lea"],
        ["revoke", "1", "--as", "hugo"],
    ] {
        assert!(!grant(&own, &args).0, "{args:?}");
    }
    must(&own, &["revoke", "1", "--as", "lea"]);
    assert!(!grant(&own, &["approve", "1", "--as", "lea"]).0, "what is taken back stays so");
    let listed = must(&own, &["list", "--all", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let states: Vec<&Value> =
        listed.as_array().expect("a list").iter().map(|g| &g["status"]).collect();
    assert_eq!(states, ["revoked", "rejected", "asked"]);
    // Where no approval is needed, it is in force at once, and for what the rules say only.
    let (is_done, told) = ask("nils", "nils", &[]);
    assert!(!is_done && told.contains("600 seconds at most"), "{told}");
}

#[test]
fn what_may_not_be_asked_for() {
    let own = open();
    let base = ["--for", "5m", "--because", "T-1"];
    let mut wrong = Vec::new();
    for (what, said) in [
        // Of tags that the rules do not name, and masks that look further than at their column.
        (&["--mask", "payment.card=clear", "--rows", "id = 1"][..], "may not be granted"),
        (&["--mask", "*=clear"], "is no tag"),
        (&["--mask", "contact.phone={sql: rrn}", "--rows", "id = 1"], "cannot put"),
        (&["--mask", "contact.phone=hide"], "cannot put"),
        (&["--mask", "contact.phone"], "no TAG=MASK"),
        (&["--mask", "staff.secret=clear"], "would open nothing"),
        // Conditions that are more than one expression over what the role sees of the row.
        (&["--rows", "rrn like '8%'"], "is not clear"),
        (&["--rows", "phone = '1'"], "is not clear"),
        (&["--rows", "consented"], "there is no column or condition"),
        (&["--rows", "id = (SELECT min(id) FROM staff)"], "is not allowed"),
        (&["--rows", "EXISTS (SELECT 1 FROM staff)"], "is not allowed"),
        (&["--rows", "pg_read_file('/etc/passwd') IS NULL"], "is not allowed"),
        (&["--rows", "public.own_eq(id, 1)"], "is not allowed"),
        (&["--rows", "current_setting('scrim.pseudonym_key') = ''"], "is not allowed"),
        (&["--rows", "true) OR (true"], "syntax error"),
        (&["--rows", "true; DROP TABLE staff"], ""),
        (&["--rows", "true FROM staff"], ""),
        (&["--rows", "1 UNION SELECT 2"], ""),
        (&["--rows", "id = 1 -- "], ""),
        (&["--rows", "id = $1"], "is not allowed"),
        (&["--rows", "customers.id = 1"], "without a qualifier"),
        (&["--rows", "id = scrim.user"], "not written plainly"),
        (&["--rows", "ctid = '(0,1)'"], "no column"),
        (&["--rows", "id / (id - 1) > 0"], "cannot be computed"),
        (&["--rows", "id < 0"], "no row fulfils"),
        (&["--rows", ""], ""),
        (&["--rows", "id = 1", "--table", "public.nothing"], "there is no table"),
        (&["--rows", "true", "--table", "pg_catalog.pg_authid"], ""),
        (&["--rows", "id = 1", "--for", "9h"], "lasts"),
        (&["--rows", "id = 1", "--for", "0m"], "is no time"),
        (&["--rows", "id = 1", "--because", " "], "needs a reason"),
    ] {
        let has = |name: &str| what.contains(&name);
        let mut args = vec!["hana", "--as", "hana"];
        args.extend(what);
        for pair in base.chunks(2).filter(|pair| !has(pair[0])) {
            args.extend(pair);
        }
        if !has("--mask") {
            args.extend(["--mask", "contact.phone=clear"]);
        }
        if has("--rows") && !has("--table") {
            args.extend(["--table", "public.customers"]);
        }
        let (is_done, told) = grant(&own, &args);
        if what == ["--rows", "id = 1 -- "] {
            // A comment is none in the text that is kept.
            assert!(is_done && told.contains("where id = 1 ("), "{told}");
            continue;
        }
        if is_done || !told.contains(said) || told.contains("division by zero") {
            wrong.push(format!("{what:?}: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (is_done, told) = grant(
        &own,
        &["nils", "--as", "nils", "--mask", "contact.phone=clear", "--for", "5m", "--because", "T"],
    );
    assert!(!is_done && told.contains("needs rows"), "{told}");
}

#[test]
fn a_grant_opens_what_it_says_and_nothing_else() {
    let own = open();
    let phone = truth(&own, PHONE);
    granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    let mut hana = connect(&own, "hana", &[]);
    // Whatever stands around it, the law holds: as if the column held the phone in this row.
    for (text, expected) in [
        (format!("SELECT count(*) FROM customers WHERE phone = '{phone}'"), "1"),
        ("SELECT max(length(phone)) = min(length(phone)) FROM customers WHERE id = 1".into(), "t"),
        ("SELECT email LIKE '%***%' FROM customers WHERE id = 1".into(), "t"),
        (
            format!("WITH c AS (SELECT * FROM customers) SELECT id FROM c WHERE phone = '{phone}'"),
            "1",
        ),
        ("SELECT count(*) FROM customers WHERE region = 'overseas'".into(), "0"),
    ] {
        assert_eq!(seen(&mut hana, &text), [[expected]], "{text}");
    }
    let others = "SELECT * FROM customers WHERE id <> 1 ORDER BY id";
    assert_eq!(seen(&mut hana, others), seen(&mut connect(&own, "hugo", &[]), others));
    let columns = "SELECT email, rrn, card_number, notes FROM customers WHERE id = 1";
    assert_eq!(seen(&mut hana, columns), seen(&mut connect(&own, "hugo", &[]), columns));
    // The column stays masked to whoever plans and writes.
    for (text, sqlstate) in [
        ("UPDATE customers SET phone = '1' WHERE id = 1", "42501"),
        ("UPDATE customers SET tier = phone WHERE id = 1", "42501"),
        ("UPDATE customers SET tier = 'pro' WHERE phone = '1'", "42501"),
        (
            "INSERT INTO tickets (id, customer_id, subject) SELECT 99999, 1, phone FROM customers",
            "42501",
        ),
        ("CREATE TEMP TABLE kept AS SELECT id, phone FROM customers", "42501"),
        ("CREATE TEMP TABLE kept AS SELECT * FROM customers", "42501"),
        ("CREATE TEMP TABLE kept AS TABLE customers", "42501"),
        ("PREPARE w AS UPDATE customers SET tier = phone WHERE id = 1", ""),
        (
            "WITH w AS (UPDATE customers SET tier = phone WHERE id = 1 RETURNING 1) SELECT 1",
            "42501",
        ),
        ("DELETE FROM customers WHERE id = 1 RETURNING phone", "42501"),
    ] {
        let answer = one(hana.simple(text));
        match sqlstate {
            "" => assert_ne!(code(&answer), "", "{text}"),
            sqlstate => assert_eq!(code(&answer), sqlstate, "{text}: {answer:?}"),
        }
    }
    run(&mut hana, "UPDATE customers SET tier = tier WHERE id = 1");
    run(&mut hana, "CREATE TEMP TABLE kept AS SELECT id, email FROM customers");
    let plan = format!(
        "{:?}",
        texts(&one(hana.simple("EXPLAIN SELECT phone FROM customers WHERE phone = 'x'")))
    );
    assert!(!plan.contains("CASE"), "{plan}");
    // In the user's other role it does not count.
    let mut narrow = connect(&own, "hana", &[("scrim.role", "narrow")]);
    assert!(seen(&mut narrow, PHONE)[0][0].starts_with("**"));
    assert!(seen(&mut narrow, "SHOW scrim.grants").is_empty());
}

#[test]
fn hidden_columns_and_other_rows_only_where_the_rules_say_so() {
    let own = open();
    let mut hana = connect(&own, "hana", &[]);
    let logins = "SELECT count(login) FROM staff";
    assert_eq!(code(&one(hana.simple(logins))), "42703");
    let one_login = ["--mask", "staff.login=clear", "--rows", "id = 1", "--for", "1h"];
    let hidden = granted(&own, "hana", &one_login);
    wait_for(&own, 1.0);
    // The other rows show nothing of a column that does not exist otherwise.
    assert_eq!(seen(&mut hana, logins), [["1"]]);
    assert_eq!(code(&one(hana.simple("SELECT password_hash FROM staff"))), "42703");
    must(&own, &["revoke", &hidden, "--as", "lea"]);
    wait_for(&own, 0.0);
    assert_eq!(code(&one(hana.simple(logins))), "42703");

    let far = truth(&own, "SELECT min(id) FROM customers WHERE region = 'overseas'");
    let row = format!("SELECT id FROM customers WHERE id = {far}");
    let rows = format!("id = {far}");
    let phone = [
        "--mask",
        "contact.phone=clear",
        "--table",
        "public.customers",
        "--rows",
        &rows,
        "--for",
        "1h",
    ];
    let (is_done, told) =
        grant(&own, &[&["hana"], &phone[..], &["--because", "T", "--as", "hana"]].concat());
    assert!(!is_done && told.contains("no row fulfils"), "{told}");
    assert!(seen(&mut hana, &row).is_empty());
    granted(&own, "hana", &[&phone[..], &["--widen-rows"]].concat());
    wait_for(&own, 1.0);
    assert_eq!(seen(&mut hana, &row), [[far.as_str()]]);
    assert_eq!(
        seen(&mut hana, "SELECT count(*) FROM customers WHERE region = 'overseas'"),
        [["1"]]
    );
    let email = seen(&mut hana, &format!("SELECT email FROM customers WHERE id = {far}"));
    assert!(email[0][0].contains("***"), "{email:?}");
    let written = one(hana.simple(&format!("UPDATE customers SET tier = 'pro' WHERE id = {far}")));
    assert_eq!(code(&written), "42501", "{written:?}");
    let opened = own.audit().into_iter().rev().find(|r| r["opened"].is_array()).expect("a record");
    assert_eq!(opened["opened"][0]["column"], "*", "{opened}");
}

#[test]
fn break_glass_is_loud() {
    let own = open();
    let phone = truth(&own, PHONE);
    let glass = |by: &str| {
        let args = [&["break-glass"], FIRST, &["--because", "on fire", "--as", by]].concat();
        grant(&own, &args)
    };
    let (is_done, told) = glass("nils");
    assert!(!is_done && told.contains("600 seconds"), "{told}");
    let (is_done, told) = glass("hugo");
    assert!(is_done && told.contains("BREAK-GLASS") && told.contains("in force"), "{told}");
    wait_for(&own, 1.0);
    let mut hugo = connect(&own, "hugo", &[]);
    assert_eq!(seen(&mut hugo, PHONE), [[phone.as_str()]]);
    own.wait("the alarm", || own.figure("scrim_break_glass_total") == 1.0);
    assert!(own.said().contains("ALARM: a user has broken the glass"), "{}", own.said());
    let record = own.audit().into_iter().find(|r| r["action"] == "break_glass").expect("a record");
    assert_eq!((&record["user"], &record["because"]), (&json!("hugo"), &json!("on fire")));
    // Tighter rules end it at once.
    let version = own.version();
    own.edit("60-grants.yaml", "break_glass: true", "break_glass: false");
    own.wait_for_other_rules(&version);
    wait_for(&own, 0.0);
    assert!(seen(&mut hugo, PHONE)[0][0].starts_with("**"));
}

#[test]
fn what_cannot_be_read_is_not_granted() {
    let mut own = open();
    granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    let mut hana = connect(&own, "hana", &[]);
    let phone = seen(&mut hana, PHONE);
    assert!(!phone[0][0].starts_with("**"));
    assert_eq!(own.readiness().1["checks"]["grants"], json!({"ok": true}));
    let file = own.desk.folder().join("grants.db");
    let kept = own.desk.folder().join("kept.db");
    std::fs::rename(&file, &kept).expect("moved");
    std::fs::write(&file, "no database at all, and long enough to be taken for the head of one")
        .expect("a file");
    own.wait("the fault", || own.figure("scrim_grants_unread") == 1.0);
    assert!(seen(&mut hana, PHONE)[0][0].starts_with("**"));
    let (status, ready) = own.readiness();
    assert_eq!(status, 200, "{ready}");
    assert!(ready["checks"]["grants"]["degraded"].is_string(), "{ready}");
    assert!(own.said().contains("THE GRANTS CANNOT BE READ"));
    assert!(!grant(&own, &["list"]).0);
    std::fs::rename(&kept, &file).expect("moved back");
    own.wait("the grant", || seen(&mut hana, PHONE) == phone);
    // Another Scrim finds it too, before the first client comes.
    own.scrim = None;
    own.start();
    assert_eq!(seen(&mut connect(&own, "hana", &[]), PHONE), phone);
    let told = own.audit().iter().filter(|r| r["event"] == "grant").count();
    assert_eq!(told, 2, "each thing that happens is recorded once");
}
