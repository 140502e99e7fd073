//! JSON Schema for editors: what is checked in is what the binary prints, and no schema marks what a reader takes.
//!
//! `SCRIM_UPDATE=1` writes `docs/schemas` anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use scrim::config::{Config, ProcessEnvironment};
use scrim::demo::{SAMPLE_RULE_TESTS, SAMPLE_RULES};
use scrim::rules::{Environment, load};
use scrim::text::Sources;
use serde_json::{Value, json};

use crate::harness::sample_verifier;

/// Broken rules whose form is right: what is wrong with them is a meaning, or stands in two places. `scrim check` says it.
const BEYOND_FORM: &[&str] = &[
    "environment",
    "key-kinds",
    "numbers",
    "open-and-classified",
    "same-key",
    "same-line-in-a-role",
    "twice",
    "unknown-role",
    "untouched",
];

/// Every key of the rules.
const EVERY_RULE: &str = r#"
databases: [desk]
open: [public.products, "catalog.*", 'public."Price List"']
tables:
  public.customers:
    columns: {id: open, email: contact.email, 5: a-b.c_d}
    conditions: {consented: marketing_consent}
roles:
  base: {masks: {"*": redact}}
  support:
    description: first line
    extends: base
    may: [read, write, explain, temp_tables]
    masks:
      "*": redact
      a.*: clear
      b: {constant: X}
      c: {keep_first: 1, keep_last: 2}
      d: {keep_last: 4}
      e: {round: 0.5}
      f: {truncate: year}
      g: {cap: [null, 5]}
      h: {replace: a, with: ""}
      i: {scrub: [email, phone]}
      j: {pseudonym: token, domain: people}
      k: {shift: 30, by: id}
      l: {noise: 0.1}
      m: {each: {json: {keep: [$.a], paths: {"$.b[*]": {sql: "upper({})"}}}}}
      n: {when: consented, then: null, else: "${MASK}"}
      o: hide
    rows: {public.customers: consented}
    lookup: [contact]
    functions: [public.distance_km]
    listen: [orders]
    notify: [orders]
    limits:
      rows: 1
      bytes: "${ROWS}"
      statement_seconds: 1
      idle_transaction_seconds: 1
      statements_per_second: 1
      lookups_per_minute: 0
      message_bytes: 1024
      connections: 1
    purposes: {refund: {masks: {identity: hide}, rows: {public.orders: id = scrim.ticket}}, answer: }
    details: {ticket: integer}
    guard: {detect: [card, rrn], then: redact}
    audit_rows: true
    grants:
      may: [contact, identity]
      hidden: [identity]
      longest: 8h
      approval: required
      approvers: [base]
      break_glass: true
      whole_columns: false
      widen_rows: true
    database_user: {user: own, password: "${SECRET}"}
users:
  alice: {role: support, token: alice, connections: 2}
  bob: {roles: [support, base], certificate: bob, acts_for_others: true}
  carl: {role: base, password: "VERIFIER"}
token_users: {roles: [support], connections: 1}
"#;

const EVERY_SETTING: &str = "
listen: [127.0.0.1:6432, /run/scrim/.s.PGSQL.6432]
limits: {connections: 5, connections_per_address: 2}
proxy_protocol: {from: [10.0.0.5]}
database: {host: [h, i], port: [5432, 5433], target_session_attrs: any, user: u, name: n, password: p, password_file: f, tls: verify-full, ca: c}
rules: r
tls: {mode: allow, certificate: c, key: k, client_ca: a}
jwt: {issuer: i, audience: [a], keys: k, ca: c, user_claim: sub, role_claim: [a, b], algorithms: [ES256], leeway_seconds: 5}
pool: {mode: session, size: 5, min_size: 1, wait_seconds: 1, idle_seconds: 1, lifetime_seconds: 1, check_seconds: 1}
admin: 127.0.0.1:6433
masks: in_sql
console: {roles: {auditor: [look, try, end_sessions, grant, trace]}, session_minutes: 1, session_hours: 1, origins: [https://s.example]}
audit: {file: f, durability: synced, key_file: k, rotate: {bytes: 10000, daily: true, keep: 3}, sinks: [stdout, {syslog: /dev/log, facility: auth}, {postgres: {host: h, port: 5432, user: u, name: n, password: p, password_file: f, tls: require, ca: c}, table: a.b, name: one}]}
grants: {store: {host: h, port: 5432, user: u, name: n, password: p, password_file: f, tls: require, ca: c}, name: one}
masks: in_sql
secrets: {pseudonym_key_file: f}
shadow: {rules: s, report: p}
log: {format: json, level: debug}
telemetry: {otlp: o, ca: c, service_name: s, sample: 0.5}
reload: on_signal
drain_seconds: 0
";

struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        let known = [("MASK", "email"), ("ROWS", "7"), ("SECRET", "s")];
        known.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn validator(schema: &Value) -> Validator {
    jsonschema::validator_for(schema).expect("a schema")
}

fn read(text: &str) -> Option<Value> {
    serde_yaml::from_str(text).ok()
}

fn every_rule() -> String {
    EVERY_RULE.replace("VERIFIER", sample_verifier())
}

fn is_taken(text: &str) -> Result<(), String> {
    let mut sources = Sources::default();
    sources.add("t.yaml", text);
    load(sources, &Variables).map(drop).map_err(|(_, found)| {
        found.into_iter().map(|one| one.message).collect::<Vec<_>>().join("; ")
    })
}

/// All keys of all mappings that a schema describes.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.extend(properties.keys().cloned());
    }
    match schema {
        Value::Object(map) => map.values().for_each(|value| keys(value, found)),
        Value::Array(list) => list.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

fn keys_of(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            keys_of(value, found);
        }),
        Value::Array(list) => list.iter().for_each(|value| keys_of(value, found)),
        _ => {}
    }
}

#[test]
fn what_is_checked_in_is_up_to_date() {
    let folder = root().join("docs/schemas");
    let is_update = std::env::var_os("SCRIM_UPDATE").is_some();
    for whose in ["rules", "config", "tests"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_scrim"));
        let output = command.args(["schema", whose]).output().expect("scrim starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        let file = folder.join(format!("{whose}.schema.json"));
        if is_update {
            std::fs::write(&file, &printed).expect("a file");
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == printed, "{} is not what `scrim schema {whose}` prints", file.display());
    }
}

#[test]
fn the_samples_have_the_form() {
    let (rules, tests) = (validator(&scrim::rules::schema()), validator(&scrim::trials::schema()));
    for (schema, files) in [(&rules, SAMPLE_RULES), (&tests, SAMPLE_RULE_TESTS)] {
        for (name, text) in files {
            let document = read(text).expect("YAML");
            let wrong: Vec<String> =
                schema.iter_errors(&document).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
            assert!(text.contains("\n# yaml-language-server: $schema="), "{name} names no schema");
        }
    }
    let config = validator(&scrim::config::schema());
    let text = std::fs::read_to_string(root().join("scrim.yaml")).expect("scrim.yaml");
    assert!(config.is_valid(&read(&text).expect("YAML")));
}

/// A key that is new in a reader has to come here, and one that is gone has to go.
#[test]
fn schema_and_reader_know_the_same_keys() {
    let text = every_rule();
    assert_eq!(is_taken(&text), Ok(()));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scrim.yaml");
    std::fs::write(&file, EVERY_SETTING).expect("a file");
    // The files that it names are not there; its keys are all known.
    let said =
        Config::load(&file, &ProcessEnvironment).map(drop).expect_err("no files").to_string();
    assert!(!said.contains("unknown key"), "{said}");
    for (schema, text) in
        [(scrim::rules::schema(), text.as_str()), (scrim::config::schema(), EVERY_SETTING)]
    {
        let document = read(text).expect("YAML");
        let wrong: Vec<String> =
            validator(&schema).iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let (mut known, mut shown) = (BTreeSet::new(), BTreeSet::new());
        keys(&schema, &mut known);
        keys_of(&document, &mut shown);
        let missing: Vec<&String> = known.difference(&shown).collect();
        assert!(missing.is_empty(), "keys of the schema that are not here: {missing:?}");
    }
}

/// Every broken file is marked, or known to be broken beyond its form.
#[test]
fn broken_rules_are_marked() {
    let schema = validator(&scrim::rules::schema());
    let mut accepted = Vec::new();
    let mut marked = 0;
    for entry in std::fs::read_dir(root().join("tests/rules/bad")).expect("a folder").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a file");
        // What is no YAML the editor says by itself.
        let Some(document) = read(&text) else { continue };
        match schema.is_valid(&document) {
            true => accepted.push(name),
            false => marked += 1,
        }
    }
    accepted.sort();
    assert_eq!(accepted, BEYOND_FORM, "files of which the form is right");
    assert!(marked >= 15, "only {marked} are marked");
}

/// The form is never stricter than the reader: each value of the rules, replaced by each kind of value.
#[test]
fn nothing_is_marked_that_is_right() {
    let schema = validator(&scrim::rules::schema());
    let original = read(&every_rule()).expect("YAML");
    let mut places = Vec::new();
    pointers(&original, String::new(), &mut places);
    let replacements = [
        json!(null),
        json!(true),
        json!(0),
        json!(5),
        json!(0.5),
        json!(-1),
        json!(""),
        json!("zzz"),
        json!("a.b"),
        json!("*"),
        json!("${ROWS}"),
        json!("null"),
        json!([]),
        json!(["zzz"]),
        json!([5, 6]),
        json!({}),
        json!({"zzz": 1}),
        json!({"keep_last": 4}),
        json!({"role": "base"}),
    ];
    let (mut taken, mut refused) = (0, 0);
    for place in &places {
        for replacement in &replacements {
            let mut document = original.clone();
            *document.pointer_mut(place).expect("a place") = replacement.clone();
            let text = serde_json::to_string(&document).expect("JSON");
            let is_valid = schema.is_valid(&document);
            match is_taken(&text) {
                Ok(()) => {
                    taken += 1;
                    assert!(is_valid, "{place} := {replacement} is right, and marked");
                }
                Err(why) => {
                    refused += usize::from(!is_valid);
                    // What the environment gives is no form.
                    let is_known = !replacement.to_string().contains("${");
                    let is_form = why.contains("unknown key") || why.contains("belongs here, not");
                    assert!(
                        !(is_form && is_known && is_valid),
                        "{place} := {replacement} is not marked: {why}"
                    );
                }
            }
        }
    }
    assert!(taken > 300 && refused > 1000, "{taken} {refused}");
}

/// The places of all values.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    let step = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| pointers(value, step(key), found)),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(number, value)| pointers(value, step(&number.to_string()), found));
        }
        _ => {}
    }
    if !at.is_empty() {
        found.push(at);
    }
}

#[test]
fn tests_that_are_broken_are_marked() {
    let schema = validator(&scrim::trials::schema());
    let one = |rest: &str| format!("tests:\n  - {{name: n, {rest}}}\n");
    for (text, is_right) in [
        (one("role: support, query: SELECT 1, expect: [1]"), true),
        (one("user: alice, statement: SELECT 1, refused: [42501, no]"), true),
        (one("query: SELECT 1, expect: [1]"), false),
        (one("role: support, expect: [1]"), false),
        (one("role: support, query: SELECT 1"), false),
        (one("role: support, query: SELECT 1, statement: SELECT 2, rows: 1"), false),
        (one("role: support, query: SELECT 1, expects: [1]"), false),
        (one("role: support, query: SELECT 1, expect: [[[1]]]"), false),
        ("test: []\n".to_owned(), false),
    ] {
        assert_eq!(schema.is_valid(&read(&text).expect("YAML")), is_right, "{text}");
    }
    assert!(Path::new(&root().join("masking-rules/tests")).is_dir());
}
