//! `scrim report --subject`: who was shown a row, by the trail of a Scrim that runs, in both protocols.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::client::Answer;
use crate::harness::own::{Own, bind, execute, parse};
use crate::reports::{ended, facts, folder, login, read, with};

fn scrim(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.arg("report").args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    let output = command.output().expect("scrim starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
}

fn about(own: &Own, subject: &str, more: &[&str]) -> Value {
    let arguments = [&["--subject", subject, "--format", "json"], more].concat();
    let (code, text) = scrim(own.desk.folder(), &arguments);
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Support and agent have their rows on record, and whoever extends support.
fn open() -> Own {
    Own::open_changed(|desk, text| {
        let file = desk.folder().join("masking-rules/40-roles.yaml");
        let rules = std::fs::read_to_string(&file).expect("rules");
        let line = "  support:\n    description";
        assert!(rules.contains(line), "{rules}");
        let rules = rules.replacen(line, "  support:\n    audit_rows: true\n    description", 1);
        std::fs::write(&file, rules).expect("rules");
        text
    })
}

fn well(answers: &[Answer]) {
    for answer in answers {
        assert!(answer.error.is_none(), "{answer:?}");
    }
}

/// The ends of statements of a user, in order: shape and what was seen.
fn ends(own: &Own, user: &str, count: usize) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    own.wait("the records", || {
        let records = own.audit();
        found.clear();
        for record in
            records.iter().filter(|one| one["event"] == "statement" && one["user"] == user)
        {
            let is_end = |end: &&Value| {
                end["event"] == "completed"
                    && end["session"] == record["session"]
                    && end["statement"] == record["statement"]
            };
            let end = records.iter().find(is_end);
            let shape = record["sql"].as_str().unwrap_or_default().to_owned();
            found.extend(end.map(|end| (shape, end["rows_seen"].clone())));
        }
        found.len() >= count
    });
    assert_eq!(found.len(), count, "{found:#?}");
    found
}

/// What the last `statements` of alice have left on record, one after another.
fn seen(own: &Own, statements: &[&str]) -> Vec<Value> {
    let mut alice = own.connect("alice");
    for statement in statements {
        well(&alice.simple(statement));
    }
    drop(alice);
    let all = ends(own, "alice", statements.len());
    all.into_iter().map(|(_, seen)| seen).collect()
}

fn keys(seen: &Value) -> Value {
    let all = seen.as_array().unwrap_or_else(|| panic!("no list: {seen}"));
    json!(all.iter().map(|one| json!([one["relation"], one["keys"]])).collect::<Vec<_>>())
}

#[test]
fn keys_that_come_out_are_named_and_others_are_unknown() {
    let own = open();
    let customers = |keys: Value| json!([["public.customers", keys]]);
    let unknown = || customers(json!("unknown"));
    let cases: Vec<(&str, Value)> = vec![
        ("SELECT id, email, phone FROM customers WHERE id = 7", customers(json!(["7"]))),
        (
            "SELECT email, id AS number FROM customers WHERE id IN (3, 1) ORDER BY 2",
            customers(json!(["1", "3"])),
        ),
        (
            "SELECT * FROM (SELECT id, email FROM customers WHERE id < 3) s",
            customers(json!(["1", "2"])),
        ),
        (
            "WITH c AS (SELECT * FROM customers WHERE id = 4) SELECT id, email FROM c",
            customers(json!(["4"])),
        ),
        // What gives no row shows none.
        ("SELECT id FROM customers WHERE id < 0", json!([])),
        ("SELECT 1", json!([])),
        // The key does not come out.
        ("SELECT email FROM customers WHERE id = 7", unknown()),
        ("SELECT id + 0, email FROM customers WHERE id = 7", unknown()),
        ("SELECT id::text FROM customers WHERE id = 7", unknown()),
        ("SELECT count(*) FROM customers", unknown()),
        ("SELECT EXISTS (SELECT 1 FROM customers WHERE id = 7)", unknown()),
        (
            "SELECT id FROM customers WHERE id = 1 UNION SELECT id FROM customers WHERE id = 2",
            unknown(),
        ),
        ("COPY (SELECT id FROM customers WHERE id = 7) TO STDOUT", unknown()),
        // It comes out of one mention, and the other shows rows of which nobody knows.
        (
            "SELECT a.id, b.email FROM customers a JOIN customers b ON b.id = a.id + 1 WHERE a.id = 1",
            json!([["public.customers", ["1"]], ["public.customers", "unknown"]]),
        ),
        (
            "WITH c AS (SELECT * FROM customers) SELECT x.id, y.email FROM c x, c y WHERE x.id = 1 AND y.id = 2",
            json!([["public.customers", ["1"]], ["public.customers", "unknown"]]),
        ),
        (
            "SELECT id, lag(email) OVER (ORDER BY id) FROM customers WHERE id IN (1, 2)",
            json!([["public.customers", ["1", "2"]], ["public.customers", "unknown"]]),
        ),
        // Of two relations, one with its key; and rows that an outer join has filled up.
        (
            "SELECT c.id, o.total FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.id = 1",
            json!([["public.customers", ["KEY"]], ["public.orders", "unknown"]]),
        ),
        (
            "SELECT c.id, o.id FROM customers c LEFT JOIN orders o ON o.customer_id = -c.id WHERE c.id = 5",
            json!([["public.customers", ["5"]]]),
        ),
        // A key of two columns, whole and in part.
        (
            "SELECT product_id, order_id FROM order_items WHERE order_id = 1 ORDER BY 1 LIMIT 1",
            json!([["public.order_items", [["1", "PRODUCT"]]]]),
        ),
        (
            "SELECT order_id FROM order_items WHERE order_id = 1",
            json!([["public.order_items", "unknown"]]),
        ),
        // A view is read through its definition.
        ("SELECT id FROM customer_contacts WHERE id = 6", customers(json!(["6"]))),
    ];
    let statements: Vec<&str> = cases.iter().map(|(statement, _)| *statement).collect();
    let found = seen(&own, &statements);
    for ((statement, expected), seen) in cases.iter().zip(&found) {
        let (mut told, expected) = (keys(seen), expected.to_string());
        if expected.contains("KEY") {
            assert!(told[0][1][0].is_string(), "{statement}: {told}");
            told[0][1][0] = json!("KEY");
        }
        if expected.contains("PRODUCT") {
            assert!(told[0][1][0][1].is_string(), "{statement}: {told}");
            told[0][1][0][1] = json!("PRODUCT");
        }
        assert_eq!(told.to_string(), expected, "{statement}");
    }
    // Columns that come from the row itself are named; where it is not certain of which row they are, the key alone.
    assert_eq!(found[0][0]["columns"].to_string(), json!(["email", "id", "phone"]).to_string());
    let joined = statements.iter().position(|one| one.contains("b.email")).expect("the join");
    assert_eq!(found[joined][0]["columns"], json!(["id"]));
}

#[test]
fn both_protocols_formats_portals_and_cursors_are_read() {
    let own = open();
    let mut alice = own.connect("alice");
    for binary in [false, true] {
        let one = alice.extended("SELECT email, id FROM customers WHERE id = 9", binary);
        assert!(one.error.is_none() && one.rows.len() == 1, "{one:?}");
    }
    // In pieces: each Execute has a record of its own.
    parse(&mut alice, "p", "SELECT id, name FROM customers WHERE id < 6 ORDER BY id");
    bind(&mut alice, "", "p");
    for rows_max in [2, 2, 0] {
        execute(&mut alice, "", rows_max);
    }
    alice.send(b'S', b"");
    well(&alice.answers());
    // A parameter so long that the Bind streams through: the formats of its rows are not read.
    parse(&mut alice, "long", "SELECT id, $1 <> '' FROM customers WHERE id = 1");
    let mut body = b"\0long\0".to_vec();
    body.extend(0_i16.to_be_bytes());
    body.extend(1_i16.to_be_bytes());
    let value = vec![b'x'; 200_000];
    body.extend(i32::try_from(value.len()).expect("short").to_be_bytes());
    body.extend(&value);
    body.extend(0_i16.to_be_bytes());
    alice.send(b'B', &body);
    execute(&mut alice, "", 0);
    alice.send(b'S', b"");
    well(&alice.answers());
    well(&alice.simple("PREPARE q AS SELECT id FROM customers WHERE id = 10; EXECUTE q"));
    well(&alice.simple(
        "BEGIN; DECLARE c BINARY CURSOR FOR SELECT id, email, phone FROM customers WHERE id < 4 ORDER BY id; FETCH 2 FROM c",
    ));
    let fetched = alice.extended("FETCH 2 FROM c", false);
    assert!(fetched.error.is_none(), "{fetched:?}");
    well(
        &alice.simple(
            "DECLARE d CURSOR FOR SELECT email FROM customers WHERE id = 1; FETCH d; COMMIT",
        ),
    );
    let all = ends(&own, "alice", 15);
    let told: Vec<(String, Value)> = all
        .iter()
        .filter(|(shape, _)| !["BEGIN", "COMMIT"].contains(&shape.as_str()))
        .map(|(shape, seen)| (shape.split(' ').next().unwrap_or_default().to_owned(), keys(seen)))
        .collect();
    let customers = |keys: Value| json!([["public.customers", keys]]);
    let expected = [
        ("SELECT", customers(json!(["9"]))),
        ("SELECT", customers(json!(["9"]))),
        ("SELECT", customers(json!(["1", "2"]))),
        ("SELECT", customers(json!(["3", "4"]))),
        ("SELECT", customers(json!(["5"]))),
        ("SELECT", customers(json!([]))),
        ("PREPARE", json!([])),
        ("EXECUTE", customers(json!(["10"]))),
        ("DECLARE", json!([])),
        ("FETCH", customers(json!(["1", "2"]))),
        ("FETCH", customers(json!(["3"]))),
        ("DECLARE", json!([])),
        ("FETCH", customers(json!("unknown"))),
    ];
    let expected: Vec<(String, Value)> =
        expected.into_iter().map(|(word, keys)| (word.to_owned(), keys)).collect();
    assert_eq!(told.len() + 2, 15, "{all:#?}");
    assert_eq!(told, expected, "{all:#?}");
    // The record of a FETCH says by which masks.
    let (_, fetch) = all.iter().find(|(shape, _)| shape.starts_with("FETCH")).expect("a FETCH");
    assert_eq!(fetch[0]["masked"]["email"], "email", "{fetch}");
    let streamed = all.iter().find(|(shape, _)| shape.contains("<>")).expect("the long one");
    assert_eq!(streamed.1[0]["more"], 1, "{streamed:?}");
}

#[test]
fn what_the_role_does_not_see_is_not_on_record() {
    let own = open();
    // Hidden, masked by a pseudonym, and masked on the way: no key, and no value, comes into the trail.
    own.edit("20-customers.yaml", "      id: open", "      id: customer.number");
    let version = own.version();
    own.edit(
        "40-roles.yaml",
        "      person.name: name",
        "      customer.number: {constant: 0}\n      person.name: name",
    );
    own.wait_for_other_rules(&version);
    let found = seen(
        &own,
        &["SELECT id, email FROM customers WHERE email <> ''", "SELECT * FROM customers"],
    );
    for one in &found {
        assert_eq!(keys(one), json!([["public.customers", "unknown"]]), "{found:#?}");
    }
    // A role without it has nothing at all, and its record looks as ever.
    let mut rita = own.connect("ana");
    well(&rita.simple("SELECT region FROM customers"));
    let (_, without) = ends(&own, "ana", 1).remove(0);
    assert_eq!(without, Value::Null);
    let text = std::fs::read_to_string(own.desk.audit_file()).expect("a trail");
    // The mark of digits alone stands in a microsecond or a hash by chance, so it is looked for as the sample has it.
    for part in ["qzx", "90417.", "-190417", "-290417"] {
        assert!(!text.contains(part), "a value of a customer: {part}");
    }
}

#[test]
fn a_thousand_are_named_and_the_rest_is_counted() {
    let own = open();
    let statement = "SELECT customers.id FROM customers, generate_series(1, 3) WHERE id < 4";
    let many = "SELECT o.order_id, o.product_id, g FROM order_items o, generate_series(1, 2) g";
    let found = seen(&own, &[statement, many]);
    // The same row three times is one key.
    assert_eq!(keys(&found[0]), json!([["public.customers", ["1", "2", "3"]]]));
    assert_eq!(found[0][0]["more"], Value::Null);
    assert!(found[1][0]["keys"].as_array().is_some_and(|keys| keys.len() <= 1000));
}

#[test]
fn a_person_is_told_who_has_seen_them() {
    let own = open();
    let mut alice = own.connect("alice");
    well(&alice.simple("SET scrim.purpose = 'callback'"));
    well(&alice.simple("SELECT id, name, email FROM customers WHERE id = 7"));
    well(&alice.simple("SELECT id FROM customers WHERE id = 8"));
    well(&alice.simple("SELECT count(*) FROM customers WHERE tier = 'pro'"));
    let mut metabase = own.connect_as("metabase", &[("options", "-c scrim.role=support")]);
    well(&metabase.simple("SET scrim.end_user = 'kim@corp.example'"));
    well(&metabase.simple("SELECT * FROM customer_contacts WHERE id = 7"));
    let mut ana = own.connect("ana");
    well(&ana.simple("SELECT id, region FROM customers"));
    well(&ana.simple("SELECT id FROM customers WHERE id < 0"));
    drop((alice, metabase, ana));
    own.wait("the ends", || own.audit().iter().filter(|one| one["event"] == "logout").count() >= 3);
    let told = about(&own, "public.customers:7", &[]);
    let subject = &told["subject"];
    let seen = subject["seen"].as_array().expect("a list");
    assert_eq!(seen.len(), 2, "{told:#}");
    assert_eq!(
        (&seen[0]["user"], &seen[0]["role"], &seen[0]["clear"]),
        (&json!("alice"), &json!("support"), &json!(["id"]))
    );
    assert_eq!(seen[0]["masked"], json!({"email": ["email"], "name": ["name"]}));
    assert_eq!(seen[0]["in_result"].to_string(), json!(["email", "id", "name"]).to_string());
    assert_eq!(
        (&seen[1]["user"], &seen[1]["end_user"]),
        (&json!("metabase"), &json!("kim@corp.example"))
    );
    let possible = subject["possible"].as_array().expect("a list");
    let of = |user: &str| {
        let found: Vec<&Value> = possible.iter().filter(|one| one["user"] == user).collect();
        assert_eq!(found.len(), 1, "{user} in {told:#}");
        (found[0]["why"].clone(), found[0]["statements"].clone())
    };
    assert_eq!(of("alice"), (json!("its keys do not come out of the statement"), json!(1)));
    assert_eq!(of("ana"), (json!("the role has no `audit_rows`"), json!(1)));
    // Another row; another period; another user.
    let eight = about(&own, "public.customers:8", &[]);
    assert_eq!(eight["subject"]["seen"].as_array().map(Vec::len), Some(1));
    let later = about(&own, "public.customers:7", &["--since", "2100-01-01"]);
    assert_eq!(
        (&later["subject"]["seen"], &later["subject"]["possible"]),
        (&json!([]), &json!([]))
    );
    let one = about(&own, "public.customers:007", &["--user", "metabase"]);
    assert_eq!(one["subject"]["seen"].as_array().map(Vec::len), Some(1), "{one:#}");
    let (code, text) = scrim(own.desk.folder(), &["--subject", "public.customers:7"]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "subject         public.customers:7\n",
        "seen by statements 2, opened to statements 0, possibly seen by statements 2\n",
        "\nSeen\n",
        "email: email; name: name",
        "\nPossibly seen\n",
        "nothing says that it is",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert!(!text.contains("By role"), "{text}");
    let (code, page) =
        scrim(own.desk.folder(), &["--subject", "public.customers:7", "--format", "html"]);
    assert!(
        code == Some(0) && page.contains("id=\"seen\"") && page.contains("kim@corp.example"),
        "{page}"
    );
    let (code, text) =
        scrim(own.desk.folder(), &["--subject", "public.customers:7", "--language", "ko"]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "행              public.customers:7\n",
        "본 문장 2, ",
        "\n보았을 수도 있는 것\n",
        "역할에 `audit_rows`가 없음",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

/// A row of a partition is the same row, whichever name it is read by; and a key in another order of columns too.
#[test]
fn partitions_and_composite_keys_are_the_same_row() {
    let own = open();
    let mut alice = own.connect("alice");
    let answer = alice.simple("SELECT id, paid_on FROM payments_2026_01 ORDER BY id LIMIT 1");
    well(&answer);
    let id = String::from_utf8(answer[0].rows[0][0].clone().expect("an id")).expect("text");
    well(&alice.simple("SELECT order_id, product_id FROM order_items WHERE order_id = 1"));
    let product = alice.simple("SELECT min(product_id) FROM order_items WHERE order_id = 1");
    let product = String::from_utf8(product[0].rows[0][0].clone().expect("one")).expect("text");
    drop(alice);
    ends(&own, "alice", 3);
    let item = about(&own, &format!("public.order_items:1,{product}"), &[]);
    assert_eq!(item["subject"]["seen"].as_array().map(Vec::len), Some(1), "{item:#}");
    assert_eq!(item["subject"]["key_columns"], json!(["order_id", "product_id"]));
    // Days are no type of which keys are read: what was read of a partition may be the row of the parent.
    let payment = about(&own, &format!("public.payments:{id},2026-01-05"), &[]);
    assert_eq!(payment["subject"]["seen"], json!([]), "{payment:#}");
    let possible = payment["subject"]["possible"].as_array().expect("a list");
    assert_eq!(possible.len(), 1, "{payment:#}");
    assert_eq!(possible[0]["relation"], "public.payments_2026_01");
    assert!(payment["notes"].to_string().contains("keys of type date are not read"), "{payment:#}");
}

#[test]
fn wrong_use_is_explained() {
    // Without any role that has it.
    let own = Own::open("");
    let mut alice = own.connect("alice");
    well(&alice.simple("SELECT id FROM customers"));
    drop(alice);
    own.wait("the end", || own.audit().iter().any(|one| one["event"] == "logout"));
    let folder = own.desk.folder();
    for (arguments, parts) in [
        (&["--subject", "public.customers"][..], &["names no row", "public.customers:42"][..]),
        (&["--subject", "customers:1"], &["needs its schema"]),
        (
            &["--subject", "public.custmers:1"],
            &[
                "there is no relation `public.custmers` in database `desk`",
                "did you mean `public.customers`?",
            ],
        ),
        (&["--subject", "public.unlisted:1"], &["has no primary key"]),
        (
            &["--subject", "public.customer_contacts:1"],
            &["has no primary key", "a table that it reads"],
        ),
        (
            &["--subject", "public.customers:abc"],
            &["`abc` is no value of `id`, which is of type bigint"],
        ),
        (
            &["--subject", "public.order_items:1"],
            &["(order_id, product_id)", "1 of its 2 values is given"],
        ),
        (&["--subject", "\u{1b}[2J"], &["names no row"]),
    ] {
        let (code, text) = scrim(folder, arguments);
        assert_eq!(code, Some(2), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    for more in [&["--offline"][..], &["--no-rules"], &["--verify"]] {
        let (code, text) = scrim(folder, &[&["--subject", "public.customers:1"], more].concat());
        assert!(code == Some(2) && text.contains("cannot be used with"), "{text}");
    }
    let (code, text) = scrim(folder, &["--subject", "public.customers:1"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing is on record because no role has `audit_rows: true`"), "{text}");
    assert!(text.contains("the role has no `audit_rows`"), "{text}");
}

#[test]
fn rows_beyond_a_limit_were_not_seen() {
    let own = open();
    let version = own.version();
    own.edit(
        "40-roles.yaml",
        "    audit_rows: true\n",
        "    audit_rows: true\n    limits: {rows: 2}\n",
    );
    own.wait_for_other_rules(&version);
    let mut alice = own.connect("alice");
    let stopped = alice.simple("SELECT id FROM customers ORDER BY id");
    assert!(stopped[0].error.is_some() && stopped[0].rows.len() == 2, "{stopped:?}");
    drop(alice);
    let (_, seen) = ends(&own, "alice", 1).remove(0);
    assert_eq!(keys(&seen), json!([["public.customers", ["1", "2"]]]));
    assert_eq!(about(&own, "public.customers:3", &[])["subject"]["seen"], json!([]));
}

/// Over a trail made here: what a killed Scrim, a grant, a thousand rows and a newer Scrim have left.
#[test]
fn what_is_not_certain_is_told_apart() {
    let customers =
        || json!([{"relation": "public.customers", "clear": ["id"], "masked": {"email": "email"}}]);
    let shown = |session, number, rows_seen: Value| {
        with(ended(session, number, 5), json!({"rows_seen": rows_seen}))
    };
    let keys = |keys: Value, more: u64| json!([{"relation": "public.customers", "columns": ["id"], "keys": keys, "more": more}]);
    let elsewhere = with(read(1, 6, "alice", "support", customers()), json!({"database": "other"}));
    let granted = with(
        read(1, 7, "alice", "support", customers()),
        json!({"opened": [
            {"grant": 3, "relation": "public.customers", "column": "email", "cells": 2, "keys": ["7", "8"]},
            {"grant": 4, "relation": "public.customers", "column": "email", "cells": 1, "keys": ["77"]},
        ]}),
    );
    let declared = with(
        read(2, 2, "ana", "analyst", customers()),
        json!({"sql": "DECLARE c CURSOR FOR SELECT email FROM customers"}),
    );
    let records: Vec<Value> = vec![
        login(1, "alice", "support"),
        read(1, 1, "alice", "support", customers()),
        shown(1, 1, keys(json!(["7", "8"]), 0)),
        read(1, 2, "alice", "support", customers()),
        shown(1, 2, keys(json!(["70", ["7"]]), 0)),
        // Another key, and rows that are not named.
        read(1, 3, "alice", "support", customers()),
        shown(1, 3, keys(json!(["9"]), 12)),
        read(1, 4, "alice", "support", customers()),
        shown(1, 4, keys(json!("unknown"), 0)),
        // Nothing was shown, though something was read.
        read(1, 5, "alice", "support", customers()),
        shown(1, 5, json!([])),
        elsewhere,
        shown(1, 6, keys(json!(["7"]), 0)),
        granted,
        shown(1, 7, keys(json!(["9"]), 0)),
        // It never ended: Scrim was killed, and the number comes again.
        read(1, 8, "alice", "support", customers()),
        login(1, "rita", "reception"),
        shown(1, 8, keys(json!(["7"]), 0)),
        login(2, "ana", "analyst"),
        read(2, 1, "ana", "analyst", customers()),
        ended(2, 1, 0),
        declared,
        ended(2, 2, 0),
        // A FETCH of which the record itself says what it reads.
        with(read(1, 9, "rita", "reception", json!([])), json!({"sql": "FETCH ? FROM c"})),
        shown(
            1,
            9,
            json!([{"relation": "public.customers", "columns": ["id"], "keys": ["7"], "clear": ["id"],
                "masked": {"phone": "phone", "email": {"of": "a newer Scrim"}}}]),
        ),
        // Refused, so not seen; and a view.
        with(
            facts(1, "rita", "reception"),
            json!({"event": "statement", "statement": 10, "verdict": "refuse",
            "sql": "SELECT ?", "relations": customers()}),
        ),
        read(
            1,
            11,
            "rita",
            "reception",
            json!([{"relation": "public.customer_emails", "clear": ["email"]}]),
        ),
        shown(1, 11, json!([{"relation": "public.customer_emails", "keys": "unknown"}])),
    ];
    let records: Vec<(&str, Value)> =
        records.into_iter().map(|record| ("2026-11-02T09:00:00.000000Z", record)).collect();
    let folder = folder(&records);
    let arguments = ["--subject", "public.customers:7", "--format", "json"];
    let (code, text) = scrim(folder.path(), &arguments);
    assert_eq!(code, Some(0), "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let subject = &told["subject"];
    let list = |name: &str| subject[name].as_array().expect("a list").clone();
    let seen: Vec<Value> = list("seen")
        .iter()
        .map(|one| json!([one["session"], one["statement"], one["user"]]))
        .collect();
    assert_eq!(json!(seen), json!([[1, 1, "alice"], [1, 2, "alice"], [1, 9, "rita"]]), "{told:#}");
    let fetched = &list("seen")[2];
    assert_eq!(
        fetched["masked"],
        json!({"email": ["a mask of a newer Scrim"], "phone": ["phone"]})
    );
    let opened = list("opened");
    assert_eq!(opened.len(), 1, "{told:#}");
    assert_eq!((&opened[0]["grant"], &opened[0]["columns"]), (&json!(3), &json!(["email"])));
    let mut possible: Vec<(String, String, u64)> = list("possible")
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (text("user"), text("why"), one["statements"].as_u64().unwrap_or_default())
        })
        .collect();
    possible.sort();
    let one = |user: &str, why: &str| (user.to_owned(), why.to_owned(), 1);
    assert_eq!(
        possible,
        [
            one("alice", "its keys do not come out of the statement"),
            one("alice", "rows beyond those that a record names"),
            one("alice", "the end of the statement is not on record"),
            one("ana", "the role has no `audit_rows`"),
            one("rita", "read by a view"),
        ],
        "{told:#}"
    );
}
