//! `scrim explain` of a column and of a user, the real binary against the real database.

use std::process::Command;

use serde_json::Value;

use crate::harness;

fn explain(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.arg("explain").arg("--config").arg(harness::configuration());
    let output = command.args(arguments).output().expect("scrim starts");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code(), said.concat())
}

fn json(arguments: &[&str]) -> Value {
    let (code, text) = explain(&[arguments, &["--format", "json"]].concat());
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn who_sees_a_column_and_how() {
    let (code, text) = explain(&["--column", "public.customers.phone"]);
    let expected = "\
column     public.customers.phone  (character varying(40))
holds      contact.phone (20-customers.yaml:12)

  admin               clear (passes untouched)    by 40-roles.yaml:117
                      users: dba
  agent               phone                       by 40-roles.yaml:18
                      only rows where region <> 'overseas', by 40-roles.yaml:92
                      users: aria
  analyst             {constant: \"+00 000 0000\"}  by 40-roles.yaml:41
                      only rows where consented, by 40-roles.yaml:50
                      users: ana, metabase
  auditor             null                        by 40-roles.yaml:108
                      users: otto
  clerk               phone                       by 40-roles.yaml:18
                      only rows where id = scrim.customer, by 40-roles.yaml:131
                      users: cleo
  clerk for question  phone                       by 40-roles.yaml:18
                      only rows where id = scrim.customer, by 40-roles.yaml:131
                      users: cleo
  clerk for refund    redact                      by 40-roles.yaml:127
                      only rows where id = scrim.customer, by 40-roles.yaml:131
                      users: cleo
  reception           phone                       by 40-roles.yaml:18
                      rows can be found by its true value (lookup)
                      users: rita
  researcher          {pseudonym: digits}         by 40-roles.yaml:60
                      users: rosa
  support             phone                       by 40-roles.yaml:18
                      users: alice, metabase

read by
";
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with(expected), "{text}\ninstead of\n{expected}");
    assert!(text.contains("\n  public.customer_contacts  (a view, "), "{text}");
}

#[test]
fn programs_read_who_sees_a_column() {
    let found = json(&["--column", "public.staff.login"]);
    assert_eq!(
        (&found["column"], &found["tag"]),
        (&"public.staff.login".into(), &"staff.login".into())
    );
    let roles = found["roles"].as_array().expect("roles");
    let seen: Vec<String> = roles
        .iter()
        .map(|role| {
            format!("{} {}", role["role"].as_str().unwrap(), role["seen"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        seen,
        [
            "admin clear (passes untouched)",
            "agent hidden",
            "analyst hidden",
            "auditor {keep_first: 2}",
            "clerk hidden",
            "clerk for question hidden",
            "clerk for refund hidden",
            "reception hidden",
            "researcher hidden",
            "support hidden",
        ]
    );
    // What holds a copy, and what shows it.
    let found = json(&["--column", "public.customers.email"]);
    let readers = found["read_by"].to_string();
    assert!(
        readers.contains("public.customer_emails") && readers.contains("holds a copy"),
        "{readers}"
    );
    // A name that is no lower-case word.
    assert_eq!(json(&["--column", "public.oddities.\"E-Mail\""])["tag"], "contact.email");
    // What nobody classified, and what a view shows.
    assert_eq!(json(&["--column", "public.unlisted.id"])["tag"], "unclassified");
    let found = json(&["--column", "public.customer_overview.email"]);
    assert_eq!(found["roles"][1]["seen"], "by its definition");
}

/// What is told is what a session of each role is told by `SHOW scrim.masks`.
#[test]
fn it_is_what_a_session_shows() {
    for role in ["support", "analyst", "agent", "auditor", "researcher", "reception"] {
        let mut client = harness::connect(role, &[]);
        let answers = client.simple("SHOW scrim.masks");
        let rows = &answers[0].rows;
        for column in
            ["customers.email", "customers.rrn", "orders.total", "staff.login", "payments.amount"]
        {
            let (relation, name) = column.split_once('.').expect("a column");
            let found = json(&["--column", &format!("public.{column}")]);
            let roles = found["roles"].as_array().expect("roles");
            let told = roles.iter().find(|own| own["role"] == role).expect("the role")["seen"]
                .as_str()
                .expect("text");
            let value = |value: &Option<Vec<u8>>| {
                value.as_deref().map(harness::client::text).unwrap_or_default()
            };
            let shown = rows.iter().find(|row| {
                value(&row[0]) == format!("public.{relation}") && value(&row[1]) == name
            });
            let shown = shown.map_or("absent".to_owned(), |row| value(&row[2]));
            let same = shown == told || (shown == "absent" && matches!(told, "hidden" | "clear"));
            assert!(same, "{role} {column}: SHOW says {shown}, explain says {told}");
        }
    }
}

#[test]
fn what_a_user_sees() {
    let (code, text) = explain(&["--user", "rita"]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "user       rita  (50-users.yaml:",
        "logs in    by a password\nroles      reception\n\nas reception  (40-roles.yaml:94)\n  Answers the phone, and must find who is calling.\n",
        "  may        read\n",
        "  functions  public.distance_km\n",
        "  listens to orders_changed\n",
        "  limits     lookups_per_minute 1000\n",
        "  contact.phone: phone, by 40-roles.yaml:18, found by its true value\n      public.customers.phone",
        "  staff.login: hidden, by 40-roles.yaml:30\n      public.staff.login\n",
        "  unclassified: redact, by 40-roles.yaml:13\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let (_, text) = explain(&["--user", "dba"]);
    assert!(text.contains("passes untouched: everything is clear"), "{text}");
    let found = json(&["--user", "metabase"]);
    assert_eq!(found["acts_for_others"], true);
    assert_eq!(
        (&found["roles"][0]["role"], &found["roles"][1]["role"]),
        (&"analyst".into(), &"support".into())
    );
    assert_eq!(found["roles"][0]["rows"][0]["filter"], "consented");
}

#[test]
fn wrong_use_is_told() {
    for (arguments, says) in [
        (&["--column", "customers.phone"][..], "needs its schema: `public.customers.phone`"),
        (&["--column", "phone"], "schema.relation.column"),
        (&["--column", "public.customers.phon"], "did you mean `phone`?"),
        (&["--column", "public.custommers.phone"], "did you mean `public.customers`?"),
        (&["--column", "pg_catalog.pg_class.relname"], "not yours"),
        (&["--user", "alise"], "did you mean `alice`?"),
        (&["--user", "alice", "--role", "support"], "cannot be used with"),
        (&["--column", "public.customers.phone", "SELECT 1"], "cannot be used with"),
        (&["SELECT 1"], "--role"),
    ] {
        let (code, text) = explain(arguments);
        assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}
