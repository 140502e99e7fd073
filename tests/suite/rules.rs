//! Rules as people write them: what is right is read, and what is wrong is said so that it can be put right.
//!
//! Below `tests/rules/bad` stands what is wrong: a file, or a folder of files, with the diagnostics beside it
//! (`.expected`). `SCRIM_UPDATE=1` writes them anew; read what has changed before you commit it.
//! Whoever writes a password there, or a value of [`ENVIRONMENT`], writes `hunter2` into it: it must not come back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use scrim::rules::{Environment, Limits, MaskSpec, RelationPattern, RuleSet, Tag, load};
use scrim::text::{Diagnostic, Severity, Sources, render};

/// What the environment holds in these tests.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("SECRET", "Hunter2 of the environment"),
    ("SHORT", "hu2"),
    ("REGION", "hunter2-region"),
    ("ROWS", "1000"),
    ("MASK", "email"),
    ("EMPTY", ""),
];

/// The marks of everything that must not be shown.
const MARKS: [&str; 4] = ["hunter2", "Hunter2", "hu2", "2200022"];

struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        ENVIRONMENT.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }
}

type Read = Result<(RuleSet, Vec<Diagnostic>), (Sources, Vec<Diagnostic>)>;

fn read(files: &[(String, String)]) -> Read {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(name.as_str(), text.as_str());
    }
    load(sources, &Variables)
}

fn good(text: &str) -> (RuleSet, Vec<String>) {
    let (rules, warnings) = read(&[("rules.yaml".into(), text.into())])
        .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)));
    (rules, warnings.into_iter().map(|warning| warning.message).collect())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/bad")
}

fn paths(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// Files of a case by name and text: the case itself, or what stands in its folder.
fn files(case: &Path) -> Vec<(String, String)> {
    let paths = if case.is_dir() { paths(case) } else { [case.to_owned()].into() };
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    paths.iter().map(|p| (name(p), std::fs::read_to_string(p).expect("a text"))).collect()
}

#[test]
fn broken_files_are_explained() {
    let update = std::env::var_os("SCRIM_UPDATE").is_some();
    let mut cases = paths(&folder());
    cases.retain(|path| path.extension().is_none_or(|end| end == "yaml"));
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (sources, found) = match read(&files(case)) {
            Err(found) => found,
            Ok(_) => panic!("{} is fine", case.display()),
        };
        assert!(found.iter().any(|d| d.severity == Severity::Error), "{}", case.display());
        let drawn = render(&sources, &found, false) + "\n";
        let debug = format!("{sources:?}");
        for mark in MARKS {
            assert!(!drawn.contains(mark), "{} shows a secret:\n{drawn}", case.display());
            assert!(!debug.contains(mark), "{} prints a secret:\n{debug}", case.display());
        }
        let expected = case.with_extension("expected");
        if update {
            std::fs::write(&expected, &drawn).expect("writable");
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != drawn {
            wrong.push(format!("{}:\n{drawn}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "SCRIM_UPDATE=1 writes these:\n\n{}", wrong.join("\n"));
}

#[test]
fn every_expected_text_has_its_case() {
    for path in paths(&folder()) {
        if path.extension().is_some_and(|end| end == "expected") {
            let is_case = path.with_extension("yaml").exists() || path.with_extension("").is_dir();
            assert!(is_case, "{}", path.display());
        }
    }
}

#[test]
fn the_sample_rules_are_fine() {
    let files: Vec<_> =
        scrim::demo::SAMPLE_RULES.iter().map(|(n, t)| ((*n).into(), (*t).into())).collect();
    let (rules, _) = read(&files)
        .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)));
    assert_eq!((rules.roles.len(), rules.users.len()), (8, 9));
    assert!(rules.roles["admin"].is_untouched());
    assert!(["support", "analyst", "auditor"].iter().all(|r| !rules.roles[*r].is_untouched()));
    assert_eq!(rules.roles["auditor"].functions.len(), 1);
    assert_eq!(rules.version.len(), 16);
}

/// The page of the design.
const EVERYTHING: &str = r#"
open: [public.products, "catalog.*"]
tables:
  public.customers:
    columns:
      id: open
      email: contact.email
      E-Mail: contact.email
      "1": person.name
    conditions:
      consented: marketing_consent
      expired: created_at < now() - interval '3 years'
  public."Customers": {columns: {id: open}}
roles:
  support:
    description: First line. Helps one customer at a time.
    may: [read]
    masks:
      "*": redact
      person.name: clear
      contact.email: email
      contact.phone: {keep_last: 4}
      contact.fax: {keep_last: 4, keep_first: 2}
      identity: hide
      payment.card: card
      finance.balance: {round: 1000}
      finance.rate: {round: 0.05}
      finance.salary: null
      finance.note: ~
      text.free: {constant: "it's"}
      text.flag: {constant: true}
      text.none: {constant: null}
      text.number: {constant: 1.50}
      text.own: {sql: "upper(left({}, 1))"}
      person.birth_date: {when: consented, then: {truncate: year}, else: {when: "id > 5", then: clear, else: hide}}
      deep.*: phone
      more.cap: {cap: [0, 100.5]}
      more.days: {cap: [2000-01-01, null]}
      more.ip: ip
      more.replace: {with: '\1"', replace: '(?i)(\d)[a-z]'}
      more.scrub: {scrub: [phone, url, email]}
      more.token: {pseudonym: token}
      more.digits: {domain: people, pseudonym: digits}
      more.shift: {shift: 30, by: customer_id}
      more.noise: {noise: 0.10}
      more.each: {each: {when: consented, then: ip, else: redact}}
      more.keep: {json: {keep: [$.prefs, "$.list[*].name"]}}
      more.paths: {json: {paths: {$.a.b: email, "$.list[*]": {keep_last: 4}}, keep: [$."a b"]}}
    rows:
      public.customers: not expired
    lookup: [contact.email, contact.phone]
    functions: [public.distance_km, public."Far"]
    limits: {rows: 10000, statement_seconds: 30, lookups_per_minute: 20, bytes: 5000000,
      idle_transaction_seconds: 60, statements_per_second: 50, message_bytes: 100000, connections: 40}
    purposes: [support, refund]
    database_user: {user: svc_support, password: "${SECRET}"}
users:
  alice: {role: support, password: "SCRAM-SHA-256$4096:hCW6dMCZbmWQ6lxkzPRWDQ==$kVw1LbQ/8Zo1ZJIH6gUYS+B3Qxy21A+1GvCpfdRBF0U=:zkbbJuXvDVmEwF7mlMFVZx2g+1VhuqtD0KUHnmDTbgk="}
  metabase:
    roles: [support]
    acts_for_others: true
    certificate: metabase.example.com
    connections: 10
    password: "SCRAM-SHA-256$4096:hCW6dMCZbmWQ6lxkzPRWDQ==$kVw1LbQ/8Zo1ZJIH6gUYS+B3Qxy21A+1GvCpfdRBF0U=:zkbbJuXvDVmEwF7mlMFVZx2g+1VhuqtD0KUHnmDTbgk="
"#;

#[test]
fn everything_that_may_be_said() {
    let (rules, warnings) = good(EVERYTHING);
    assert_eq!(warnings, Vec::<String>::new());
    let lookup = &rules.roles["support"].lookup;
    assert_eq!(lookup[1].0, scrim::rules::TagPattern::Prefix("contact.phone".into()));
    let limits = Limits {
        rows: Some(10_000),
        bytes: Some(5_000_000),
        statement_seconds: Some(30),
        idle_transaction_seconds: Some(60),
        statements_per_second: Some(50),
        lookups_per_minute: Some(20),
        message_bytes: Some(100_000),
        connections: Some(40),
    };
    assert_eq!(rules.roles["support"].limits, limits);
    assert_eq!(rules.users["metabase"].connections, Some(10));
    assert_eq!(rules.users["metabase"].certificate.as_deref(), Some("metabase.example.com"));
    assert_eq!(rules.open[1].pattern, RelationPattern::Schema("catalog".into()));
    assert_eq!(rules.tables[0].columns["E-Mail"].tag, Tag::Named("contact.email".into()));
    assert_eq!(rules.tables[0].columns["1"].tag, Tag::Named("person.name".into()));
    assert_eq!(rules.tables[1].relation.name, "Customers");
    let role = &rules.roles["support"];
    let labels: Vec<String> = role.masks.iter().map(|rule| rule.mask.label()).collect();
    let by_row =
        "{when: consented, then: {truncate: year}, else: {when: id > 5, then: clear, else: hide}}";
    assert_eq!(
        labels,
        [
            "redact",
            "clear",
            "email",
            "{keep_last: 4}",
            "{keep_first: 2, keep_last: 4}",
            "hide",
            "card",
            "{round: 1000}",
            "{round: 0.05}",
            "null",
            "null",
            "{constant: \"it's\"}",
            "{constant: true}",
            "{constant: null}",
            "{constant: 1.50}",
            "{sql: \"upper(left({}, 1))\"}",
            by_row,
            "phone",
            "{cap: [0, 100.5]}",
            "{cap: [\"2000-01-01\", null]}",
            "ip",
            "{replace: \"(?i)(\\\\d)[a-z]\", with: \"\\\\1\\\"\"}",
            "{scrub: [url, email, phone]}",
            "{pseudonym: token}",
            "{pseudonym: digits, domain: people}",
            "{shift: 30, by: customer_id}",
            "{noise: 0.10}",
            "{each: {when: consented, then: ip, else: redact}}",
            "{json: {keep: [$.prefs, $.list[*].name]}}",
            "{json: {keep: [$.\"a b\"], paths: {$.a.b: email, $.list[*]: {keep_last: 4}}}}",
        ]
    );
    assert_eq!(role.functions[1].0.name, "Far");
    assert_eq!((role.limits.rows, role.limits.statement_seconds), (Some(10_000), Some(30)));
    assert_eq!(rules.users["metabase"].roles, ["support"]);
    assert!(rules.users["metabase"].acts_for_others && !rules.users["alice"].acts_for_others);
    let keyed: Vec<String> =
        rules.keyed_masks().iter().map(|rule| rules.origin(rule.span).to_string()).collect();
    assert_eq!(keyed.len(), 4, "{keyed:?}");
    let origin = rules.origin(role.masks[2].span);
    assert_eq!(origin.to_string(), "rules.yaml:21");
    let debug = format!("{rules:?}");
    assert!(!debug.contains("Hunter2") && !debug.contains("kVw1LbQ"), "{debug}");
}

#[test]
fn the_environment_is_taken_where_it_is_asked_for() {
    let (rules, _) = good(
        r#"
roles:
  support:
    masks: {a: "${MASK}", b: {constant: "$${MASK} ${MASK}${EMPTY}"}, c: {round: "${ROWS}"}}
    rows: {public.orders: "region = '${REGION}'"}
    limits: {rows: "${ROWS}"}
"#,
    );
    let role = &rules.roles["support"];
    let labels: Vec<String> = role.masks.iter().map(|rule| rule.mask.label()).collect();
    assert_eq!(labels, ["email", "{constant: \"${MASK} email\"}", "{round: 1000}"]);
    let filter = role.rows.values().next().expect("a filter");
    assert_eq!(filter.filter.text, "region = 'hunter2-region'");
    assert_eq!(role.limits.rows, Some(1000));
    // What others say about these rules later shows no value either.
    let later = Diagnostic::error("there is no column `hunter2-region`", filter.span);
    let drawn = render(&rules.sources, &[later], false);
    assert!(!drawn.contains("hunter2") && drawn.contains("`${REGION}`"), "{drawn}");
}

#[test]
fn whom_nothing_but_a_token_names() {
    let (rules, _) = good(
        "roles: {a: {masks: {\"*\": redact}}, b: {masks: {\"*\": redact}}}\n\
         users: {kim: {role: b, token: 0815}}\n\
         token_users: {roles: [a, b], connections: 2}\n",
    );
    let kim = rules.user("kim").expect("kim");
    assert_eq!((kim.token.as_deref(), kim.roles), (Some("0815"), vec!["b".to_owned()]));
    for name in
        ["lee", "lee@example.com", "auth0|5f7c", "spiffe://example.com/lee", &"x".repeat(63)]
    {
        let user = rules.user(name).expect(name);
        assert_eq!((user.name.as_str(), user.token.as_deref()), (name, Some(name)));
        assert_eq!((user.roles.len(), user.connections), (2, Some(2)));
        assert!(user.verifier.is_none() && user.certificate.is_none() && !user.acts_for_others);
    }
    // Others need an entry of their own.
    for name in
        ["", " lee", "lee ", "l\u{435}e", "o'brien", "a\"b", "a\\b", "a\nb", "a$b", &"x".repeat(64)]
    {
        assert!(rules.user(name).is_none(), "{name}");
    }
    assert_eq!(rules.token_logins().len(), 2);
}

#[test]
fn databases_of_their_own() {
    let files = |second: &str| {
        let one = "databases: [a, b]\nopen: [x.o]\ntables: {x.t: {columns: {c: p}}}\n".to_owned();
        let two =
            format!("databases: [{second}]\nopen: [x.o]\ntables: {{x.t: {{columns: {{c: q}}}}}}\n");
        read(&[("1.yaml".into(), one), ("2.yaml".into(), two)])
    };
    let (rules, _) = files("c, d").expect("apart");
    assert_eq!((rules.open.len(), rules.tables.len()), (2, 2));
    assert_eq!(rules.tables[0].databases.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(files("c, b").expect_err("together").1.len(), 2);
}

#[test]
fn the_version_is_of_names_and_texts() {
    let version = |name: &str, text: &str| {
        read(&[(name.into(), text.into())]).unwrap_or_else(|_| panic!("{text}")).0.version
    };
    let first = version("a.yaml", "open: [x.a]");
    assert_eq!(first, version("a.yaml", "open: [x.a]"));
    assert_ne!(first, version("b.yaml", "open: [x.a]"));
    assert_ne!(first, version("a.yaml", "open: [x.a] "));
}

/// YAML that looks like rules, with slips in it.
fn rules_like() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "open",
        "tables",
        "roles",
        "users",
        "databases",
        "columns",
        "conditions",
        "masks",
        "rows",
        "may",
        "extends",
        "limits",
        "purposes",
        "functions",
        "lookup",
        "database_user",
        "password",
        "role",
        "public.a",
        "Public.\"B\"",
        "a",
        "\"*\"",
        "contact.email",
        "contact.*",
        "when",
        "then",
        "else",
        "constant",
        "keep_last",
        "round",
        "sql",
        "truncate",
        "scrub",
        "r1",
        "r2",
        "1",
        "~",
    ]);
    let word = prop::sample::select(vec![
        "clear",
        "redact",
        "email",
        "hide",
        "null",
        "open",
        "contact.email",
        "everything",
        "read",
        "r1",
        "r2",
        "public.a",
        "x.*",
        "4",
        "-1",
        "1.5",
        "true",
        "''",
        "\"${SECRET}\"",
        "\"${NONE}\"",
        "\"$${\"",
        "\"${\"",
        "hunter2",
        "99999999999",
        "*x",
        "&x y",
        "!t z",
        "",
    ]);
    word.prop_map(str::to_owned).prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                let entries: Vec<_> = entries.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_rules_panic_and_no_secret_is_told(
        top in prop::collection::btree_map(
            prop::sample::select(vec!["open", "tables", "roles", "users", "databases", "rolse"]),
            rules_like(),
            0..6,
        ),
    ) {
        let text: String = top.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
        let (sources, found, is_good) = match read(&[("a.yaml".into(), text)]) {
            Ok((rules, found)) => (rules.sources, found, true),
            Err((sources, found)) => (sources, found, false),
        };
        let has_errors = found.iter().any(|found| found.severity == Severity::Error);
        prop_assert_ne!(is_good, has_errors);
        let drawn = render(&sources, &found, false);
        prop_assert!(!drawn.contains("Hunter2"), "{drawn}");
        // The word `hunter2` is a secret only where a password should be.
        prop_assert!(!drawn.contains("password: hunter2"), "{drawn}");
    }

    /// No line of a role that loads is dropped in silence: a shorter line would count in its place.
    #[test]
    fn every_mask_that_loads_is_there(
        lines in prop::collection::btree_map("[a-z]{1,6}(\\.[a-z]{1,6})?", mask_like(), 1..4),
    ) {
        let masks: String =
            lines.iter().map(|(tag, mask)| format!("      {tag}: {mask}\n")).collect();
        let text = format!("roles:\n  r:\n    masks:\n{masks}");
        if let Ok((rules, _)) = read(&[("a.yaml".into(), text)]) {
            prop_assert_eq!(rules.roles["r"].masks.len(), lines.len());
        }
    }

    #[test]
    fn random_texts_do_not_panic(text in "\\PC{0,80}") {
        let _ = read(&[("a.yaml".into(), text)]);
    }
}

/// Masks, right and wrong ones.
fn mask_like() -> impl Strategy<Value = String> {
    let number = prop::sample::select(vec!["0", "4", "-1", "1.5", "5000000000", "1e3", "x", ""]);
    let key = prop::sample::select(vec![
        "keep_first",
        "keep_last",
        "round",
        "truncate",
        "constant",
        "cap",
        "replace",
        "scrub",
        "each",
        "json",
        "pseudonym",
        "shift",
        "noise",
        "sql",
    ]);
    let word = prop::sample::select(vec![
        "clear",
        "null",
        "email",
        "~",
        "scrub",
        "ip",
        "emial",
        "",
        "{}",
        "[]",
        "[email]",
        "[1, 2]",
        "{keep: [$.a]}",
        "{paths: {$.a: name}}",
    ]);
    prop_oneof![
        word.clone().prop_map(str::to_owned),
        (key, number).prop_map(|(key, number)| format!("{{{key}: {number}}}")),
        (word.clone(), word).prop_map(|(a, b)| format!("{{when: x, then: {a}, else: {b}}}")),
    ]
}

#[test]
fn a_mask_by_row_keeps_its_parts() {
    let (rules, _) = good("roles: {r: {masks: {a: {when: x, then: clear, else: null}}}}");
    let MaskSpec::When { then, otherwise, .. } = &rules.roles["r"].masks[0].mask else {
        panic!("a mask by row")
    };
    assert!(matches!((&**then, &**otherwise), (MaskSpec::Clear, MaskSpec::Null)));
}
