//! Shadow mode, end to end: rules that are not in force are judged on what comes, and change nothing.

use std::process::{Command, Output};

use serde_json::Value;

use crate::canary;
use crate::harness::client::{Client, Form};
use crate::harness::own::{Own, code, parse, run_prepared, value};

/// In the literals of these statements.
const WORD: &str = "spokenword";

/// A desk with rules in the shadow, which are the sample's but for these lines.
fn open(lines: &[(&str, &str)]) -> Own {
    Own::open_changed(|desk, text| {
        let (from, to) = (desk.folder().join("masking-rules"), desk.folder().join("next-rules"));
        std::fs::create_dir_all(&to).expect("a folder");
        for file in std::fs::read_dir(from).expect("rules").flatten() {
            if file.path().is_file() {
                std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
            }
        }
        let roles = to.join("40-roles.yaml");
        let mut rules = std::fs::read_to_string(&roles).expect("rules");
        for (from, to) in lines {
            assert!(rules.contains(from), "no `{from}`");
            rules = rules.replacen(from, to, 1);
        }
        std::fs::write(roles, rules).expect("rules");
        text + "shadow: {rules: next-rules, report: shadow.json}\n"
    })
}

fn report(own: &Own) -> Value {
    let text = std::fs::read_to_string(own.desk.folder().join("shadow.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// The report's entry of a statement that has this in it.
fn entry(own: &Own, part: &str) -> Option<Value> {
    let report = report(own);
    let statements = report["statements"].as_array()?.clone();
    statements
        .into_iter()
        .find(|entry| entry["statement"].as_str().is_some_and(|s| s.contains(part)))
}

fn wait_for(own: &Own, part: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    own.wait(part, || entry(own, part).is_some_and(|entry| is_so(&entry)));
    entry(own, part).expect("waited for")
}

fn shadow(own: &Own, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.args(["shadow", "--config"]).arg(own.desk.configuration()).args(arguments);
    command.output().expect("scrim starts")
}

const CHANGED: &[(&str, &str)] = &[
    ("contact.email: email ", "contact.email: clear "),
    ("identity: {keep_first: 2} ", "identity: hide "),
    ("staff: hide                       # all", "staff: redact # all"),
    (
        "functions: [public.distance_km]",
        "functions: []\n    rows: {public.tickets: status <> 'closed'}",
    ),
];

#[test]
fn what_would_change_is_in_the_report_and_nothing_changes() {
    let own = open(CHANGED);
    let mut client: Client = own.connect("alice");
    own.wait("the report", || report(&own)["judged"] == 0);
    for id in [1, 2, 3] {
        let text = format!("SELECT email FROM customers WHERE id = {id} AND name <> '{WORD}'");
        for form in [Form::Simple, Form::ExtendedText] {
            let answers = client.run(form, &text, &[&text]);
            assert!(value(&answers[0]).contains("***@"), "{answers:?}");
        }
    }
    parse(&mut client, "s", "SELECT name, email FROM customers WHERE id = 4");
    client.send(b'S', b"");
    client.answers();
    for _ in 0..4 {
        assert_eq!(code(&run_prepared(&mut client, "s")), "");
    }
    for (text, expected) in [
        ("SELECT id, status FROM orders WHERE status <> 'spokenword'", ""),
        ("SELECT public.distance_km(1, 1, 2, 2)", ""),
        ("SELECT rrn FROM customers WHERE rrn = 'spokenword'", ""),
        ("SELECT login FROM staff WHERE login = 'spokenword'", "42P01"),
        ("SELECT subject, 'spokenword' FROM tickets", ""),
        ("SELECT email FROM customer_overview WHERE id = 1", ""),
        ("DO 'spokenword'", "42501"),
    ] {
        let answers = client.simple(text);
        assert_eq!(code(&answers[0]), expected, "{text}: {answers:?}");
    }
    let found = canary::find(&client.take_received());
    assert!(found.is_empty(), "the shadow rules are not in force: {found:?}");

    // Six of the three texts; by the shadow rules the address would be clear.
    let email = wait_for(&own, "SELECT email FROM customers WHERE", |entry| entry["times"] == 6);
    assert_eq!(email["role"], "support");
    let one = &email["differences"][0];
    assert_eq!(
        (&one["subject"], &one["what"], &one["effect"], &one["live"], &one["shadow"]),
        (
            &"column".into(),
            &"public.customers.email".into(),
            &"more".into(),
            &"email".into(),
            &"clear".into()
        ),
        "{email}"
    );
    assert!(one["shadow_rules"].to_string().contains("40-roles.yaml:"), "{one}");
    assert_eq!(
        email["differences"].as_array().map(Vec::len),
        Some(1),
        "only what it reads: {email}"
    );
    wait_for(&own, "SELECT name, email", |entry| entry["times"] == 4);
    let refused = |part: &str, reason: &str, code: &str| {
        let entry = wait_for(&own, part, |entry| entry["times"] == 1);
        assert_eq!(entry["live"]["verdict"], "allowed", "{entry}");
        assert_eq!(entry["shadow"]["verdict"], "refused", "{entry}");
        assert_eq!(
            (&entry["shadow"]["reason"], &entry["shadow"]["code"]),
            (&reason.into(), &code.into())
        );
    };
    refused("distance_km", "function", "42501");
    // What names a hidden column is sent, and PostgreSQL says that there is none.
    let rrn = wait_for(&own, "SELECT rrn", |_| true);
    assert_eq!(rrn["differences"][0]["shadow"], "hidden", "{rrn}");
    let staff = wait_for(&own, "FROM staff", |_| true);
    assert_eq!(
        (&staff["live"]["verdict"], &staff["shadow"]["verdict"]),
        (&"refused".into(), &"allowed".into())
    );
    let tickets = wait_for(&own, "FROM tickets", |_| true);
    let rows = &tickets["differences"][0];
    assert_eq!(
        (&rows["subject"], &rows["live"], &rows["shadow"], &rows["effect"]),
        (&"rows".into(), &"all".into(), &"filtered".into(), &"less".into())
    );
    // A view shows what the role sees of the table below.
    let view = wait_for(&own, "customer_overview", |_| true);
    assert_eq!(view["differences"][0]["what"], "public.customers.email", "{view}");
    assert!(entry(&own, "FROM orders").is_none() && entry(&own, "DO").is_none());

    let (log, text) = (own.said(), report(&own).to_string());
    assert!(log.contains("the shadow rules would change a statement"), "{log}");
    for (place, text) in [("the log", &log), ("the report", &text)] {
        assert!(!text.contains("spokenword"), "a literal is in {place}: {text}");
    }
    for (figure, least) in [
        ("scrim_shadow_rules", 1.0),
        ("scrim_shadow_judged_total", 8.0),
        ("scrim_shadow_differences", 7.0),
        ("scrim_shadow_statements_total{outcome=\"otherwise\"}", 13.0),
        ("scrim_shadow_statements_total{outcome=\"refused\"}", 1.0),
        ("scrim_shadow_statements_total{outcome=\"allowed\"}", 1.0),
        ("scrim_shadow_statements_total{outcome=\"same\"}", 2.0),
    ] {
        assert!(own.figure(figure) >= least, "{figure}: {}", own.figure(figure));
    }
    let told = shadow(&own, &[]);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_eq!(told.status.code(), Some(3), "{text}");
    for part in [
        "would be refused\n",
        "would be allowed\n",
        "would be seen otherwise\n",
        "  support, 6 times: SELECT email FROM customers WHERE id = ? AND name <> ?\n",
        "    + public.customers.email: email → clear  (20-customers.yaml:",
        "    - rows public.tickets: all → filtered  (no line → 40-roles.yaml:",
        "      function (42501)",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    let json = shadow(&own, &["--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["statements"].as_array().map(Vec::len), Some(7));
}

#[test]
fn a_broken_shadow_hurts_nobody() {
    let mut own = open(&[("contact.email: email ", "contact.email: clear ")]);
    let mut client = own.connect("alice");
    let file = own.desk.folder().join("next-rules/40-roles.yaml");
    let good = std::fs::read_to_string(&file).expect("rules");
    std::fs::write(&file, good.replace("contact.email: clear", "contact.email: cleer"))
        .expect("rules");
    own.wait("the complaint", || own.said().contains("the SHADOW RULES are broken"));
    let (status, ready) = own.readiness();
    assert_eq!((status, &ready["checks"]["rules"]["ok"]), (200, &true.into()), "{ready}");
    assert_eq!(own.figure("scrim_reloads_total{outcome=\"bad\"}"), 0.0);
    // Those before are judged on.
    assert!(value(&client.simple("SELECT email FROM customers WHERE id = 1")[0]).contains("***"));
    wait_for(&own, "SELECT email", |_| true);
    // Others begin anew.
    let before = report(&own)["shadow"].clone();
    std::fs::write(&file, good.replace("contact.email: clear", "contact.email: redact"))
        .expect("rules");
    own.wait("other shadow rules", || report(&own)["shadow"] != before);
    assert!(value(&client.simple("SELECT email FROM customers WHERE id = 1")[0]).contains("***@"));
    let email = wait_for(&own, "SELECT email", |_| true);
    assert_eq!(email["differences"][0]["effect"], "less", "{email}");
    assert_eq!(shadow(&own, &[]).status.code(), Some(0), "nobody would see more");
    // Other rules in force: what was found before is about something else.
    let (version, live) = (own.version(), report(&own)["live"].clone());
    own.edit("40-roles.yaml", "contact.email: email ", "contact.email: null ");
    own.wait_for_other_rules(&version);
    own.wait("another report", || report(&own)["live"] != live);
    // Gone from the configuration, it is over; broken from the start, it is no reason not to start.
    let configuration = own.desk.configuration();
    let text = std::fs::read_to_string(&configuration).expect("configuration");
    std::fs::write(&configuration, text.replace("shadow: {", "# shadow: {"))
        .expect("configuration");
    own.signal("HUP");
    own.wait("the end of it", || own.figure("scrim_shadow_rules") == 0.0);
    assert_eq!(code(&client.simple("SELECT email FROM customers WHERE id = 2")[0]), "");
    std::fs::write(&configuration, text).expect("configuration");
    std::fs::write(&file, "roles: [").expect("rules");
    own.scrim = None;
    own.start();
    let mut client = own.connect("alice");
    assert_eq!(code(&client.simple("SELECT email FROM customers WHERE id = 2")[0]), "");
    assert!(own.said().contains("the SHADOW RULES are broken"), "{}", own.said());
    assert_eq!(own.figure("scrim_shadow_rules"), 0.0);
}

/// What a role or a user is by the rules, they are by the shadow rules, or are told not to be.
#[test]
fn roles_users_and_purposes_are_judged_too() {
    let own = open(&[
        ("  analyst:\n", "  analysts:\n"),
        (
            "    may: [read]\n    masks:\n      \"*\": redact\n      person.name: name",
            "    may: [read]\n    purposes: [help]\n    masks:\n      \"*\": redact\n      person.name: name",
        ),
    ]);
    let users = own.desk.folder().join("next-rules/50-users.yaml");
    let text = std::fs::read_to_string(&users).expect("users");
    let text = text
        .replace("role: analyst", "role: analysts")
        .replace("[analyst, support]", "[analysts, support]");
    std::fs::write(&users, text.replace("  otto:", "  otti:")).expect("users");
    own.wait("the shadow rules", || own.figure("scrim_shadow_rules") == 1.0);
    for (user, reason) in [("alice", "purpose"), ("ana", "role"), ("otto", "user")] {
        let mut client = own.connect(user);
        let text = format!("SELECT count(*) AS of_{user} FROM customers");
        assert_eq!(code(&client.simple(&text)[0]), "", "{user}");
        let entry = wait_for(&own, &format!("of_{user}"), |_| true);
        assert_eq!(entry["shadow"]["reason"], reason, "{entry}");
    }
}

#[test]
fn wrong_use_is_told() {
    let own = Own::open("");
    let said = shadow(&own, &[]);
    assert_eq!(said.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&said.stderr).contains("has no `shadow`"), "{said:?}");
    let missing = shadow(&own, &["--report", "nowhere.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot read the shadow report"));
    let configuration = own.desk.configuration();
    let text = std::fs::read_to_string(&configuration).expect("configuration");
    for (lines, says) in [
        ("shadow: {report: r.json}", "`shadow` needs `rules`"),
        ("shadow: {rules: next, folder: x}", "unknown key `folder`"),
        ("shadow: {rules: masking-rules/next}", "stand in the folder of the rules in force"),
        (
            "shadow: {rules: next, report: next/r.json}",
            "the shadow report stands in a rules folder",
        ),
    ] {
        std::fs::write(&configuration, format!("{text}{lines}\n")).expect("configuration");
        let said = shadow(&own, &[]);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains(says), "{lines}: {said}");
    }
}
