//! `scrim test`, the real binary before the real database: what holds, what does not, and what cannot be told.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scrim::demo::{SAMPLE_RULE_TESTS, SAMPLE_RULES};
use serde_json::Value;

use crate::harness::{self, rules_folder as folder};

fn scrim(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.arg("test").args(arguments).current_dir(folder);
    command.stdin(std::process::Stdio::null()).output().expect("scrim starts")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs tests that stand in one file.
fn tried(tests: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = self::folder(&[("tests/t.yaml", tests)]);
    let output = scrim(folder.path(), arguments);
    (output.status.code(), said(&output))
}

fn configuration() -> String {
    harness::configuration().display().to_string()
}

#[test]
fn the_sample_s_tests_hold() {
    let output = scrim(Path::new("/"), &["--config", &configuration()]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let count = SAMPLE_RULE_TESTS.iter().map(|(_, text)| text.matches("- name:").count());
    let count: usize = count.sum();
    assert!(text.ends_with(&format!("{count} tests: all hold\n")), "{text}");
    assert_eq!(text.matches("\nok ").count(), count - 1, "{text}");
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert!(
        readme.expect("README.md").contains(&text),
        "README.md shows something else than\n{text}"
    );
    // The socket and the trail of the run are gone.
    let left = std::fs::read_dir(std::env::temp_dir()).expect("a folder").flatten();
    let pid = |name: &str| name.starts_with("scrim-test-");
    assert!(
        !left
            .into_iter()
            .any(|entry| pid(&entry.file_name().to_string_lossy()) && is_stale(&entry.path()))
    );
}

/// Another test's run may be going on.
fn is_stale(folder: &Path) -> bool {
    let age = folder.metadata().and_then(|what| what.modified()).ok();
    age.and_then(|age| age.elapsed().ok()).is_some_and(|age| age.as_secs() > 3600)
}

/// The tests are worth nothing if a rule that shows too much does not make them fail.
#[test]
fn a_rule_that_shows_too_much_is_noticed_and_its_values_are_not_printed() {
    let (name, roles) =
        SAMPLE_RULES.iter().find(|(name, _)| name.contains("roles")).expect("roles");
    let weaker = roles.replacen("contact.email: email ", "contact.email: clear ", 1);
    assert_ne!(*roles, weaker);
    let mut files: Vec<(String, &str)> = vec![((*name).to_owned(), weaker.as_str())];
    files.extend(SAMPLE_RULE_TESTS.iter().map(|(name, text)| (format!("tests/{name}"), *text)));
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let folder = self::folder(&files);
    for format in ["text", "json", "junit"] {
        let output = scrim(
            folder.path(),
            &["--format", format, "--junit", "junit.xml", "--name", "support recognises"],
        );
        let text = said(&output)
            + &std::fs::read_to_string(folder.path().join("junit.xml")).expect("a report");
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("never_shows") || text.contains("it shows what `/qzx|90417/` finds"),
            "{text}"
        );
        assert!(text.contains("[must never show]"), "{text}");
        assert!(!text.contains("minqzxsu") && !text.contains("@example.com   |"), "{text}");
    }
}

#[test]
fn what_differs_is_shown_row_by_row() {
    let tests = "tests:
  - name: two rows are wrong
    role: support
    query: SELECT id, email FROM customers WHERE id < 4 ORDER BY id
    ordered: true
    expect: |
      id | email
      1  | m***@example.com
      2  | nobody
      3  | j***@example.com
";
    let (code, text) = tried(tests, &[]);
    let expected = "\
FAILED   two rows are wrong
         --> rules/tests/t.yaml:2:5, role support
           SELECT id, email FROM customers WHERE id < 4 ORDER BY id
         rows: 3 expected, in this order, 3 came
             id | email
             1  | m***@example.com
           - 2  | nobody
           + 2  | s***@example.kr
             3  | j***@example.com
           - expected, + came; NULL is ␀
1 test: 0 hold, 1 does not
";
    assert_eq!((code, text.as_str()), (Some(1), expected));
}

#[test]
fn programs_read_the_same() {
    let tests = "tests:
  - {name: 'right & \"proper\"', role: support, query: SELECT 1, expect: [1]}
  - {name: wrong, role: support, query: \"SELECT 'a<b', chr(1)\", expect: [[x, y]]}
  - {name: refused, role: support, query: SELECT * FROM staff, expect: []}
";
    let folder = self::folder(&[("tests/t.yaml", tests)]);
    let output =
        scrim(folder.path(), &["--format", "json", "--output", "r.json", "--junit", "r.xml"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).ends_with("3 tests: 1 holds, 2 do not\n"), "{}", said(&output));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a report");
    let report: Value = serde_json::from_str(&read("r.json")).expect("JSON");
    assert_eq!(
        (&report["tests"], &report["failed"], &report["not_run"]),
        (&3.into(), &2.into(), &0.into())
    );
    let outcomes: Vec<&str> = report["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .filter_map(|case| case["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["holds", "failed", "failed"]);
    assert_eq!(report["cases"][1]["line"], 3);
    assert_eq!(report["cases"][1]["not_expected"][0][0], "a<b");
    let xml = read("r.xml");
    for part in [
        "<testsuites name=\"scrim test\" tests=\"3\" failures=\"2\" errors=\"0\"",
        "<testcase name=\"right &amp; &quot;proper&quot;\" classname=\"role support\" file=\"rules/tests/t.yaml\" line=\"2\"",
        "a&lt;b",
        "<failure message=\"refused: 42P01",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    let mut reader = quick_xml::Reader::from_str(&xml);
    reader.config_mut().check_end_names = true;
    let mut next = || reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}"));
    while next() != quick_xml::events::Event::Eof {}
}

#[test]
fn who_asks_and_how() {
    let more = "roles:
  helper:
    extends: support
    purposes: [refund]
    limits: {lookups_per_minute: 1, connections: 1, statements_per_second: 1}
    lookup: [contact]
users:
  helga: {roles: [helper, analyst], certificate: helga.example.com, connections: 1}
token_users: {roles: [analyst, support]}
";
    let tests = "tests:
  - {name: purpose, role: helper, purpose: refund, query: SELECT count(*) FROM customers, expect: [40]}
  - {name: no purpose, role: helper, query: SELECT count(*) FROM customers, refused: scrim.purpose}
  - {name: wrong purpose, role: helper, purpose: fun, query: SELECT 1, refused: purpose}
  - {name: a certificate is not asked for, user: helga, purpose: refund, query: SELECT current_user, expect: [helga]}
  - {name: another role, user: helga, role: analyst, query: SHOW scrim.role, expect: [analyst]}
  - {name: nobody, role: support, query: SELECT current_user, expect: [rule_test]}
  - {name: by a token alone, user: kim@example.com, query: 'SELECT current_user, count(*) FROM customers', expect: [[kim@example.com, 26]]}
  - {name: settings, role: support, settings: {TimeZone: Asia/Seoul}, query: SHOW TimeZone, expect: [Asia/Seoul]}
  - {name: no such setting, role: support, settings: {session_replication_role: replica}, query: SELECT 1, refused: session_replication_role}
  - {name: nothing, role: support, query: 'SELECT $1::text, $2::bool', params: [null, true], expect: [[null, true]]}
  - {name: lookups are not counted, role: helper, purpose: refund, query: \"SELECT id FROM customers WHERE phone IN ('0904-1710-0001', '0904-1711-0002')\", rows: 2}
  - {name: COPY, role: support, query: 'COPY (SELECT id, email FROM customers WHERE id = 1) TO STDOUT', expect: [\"1\\tm***@example.com\"]}
  - {name: everything, role: admin, query: SELECT count(*) FROM staff, expect: [6]}
  - {name: two statements, role: support, query: SELECT 1; SELECT 2, refused: '42601'}
  - {name: copy in, role: agent, statement: 'COPY orders (id, customer_id, status, total, placed_at) FROM STDIN', refused: sends no data}
";
    // 40 customers, of whom 26 agreed.
    let folder = self::folder(&[("60-more.yaml", more), ("tests/t.yaml", tests)]);
    let text = std::fs::read_to_string(folder.path().join("scrim.yaml")).expect("configuration");
    let certs = harness::configuration().with_file_name("certs");
    let certs = certs.display();
    let keys = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
    std::fs::write(folder.path().join("keys.json"), keys).expect("keys");
    let text = format!(
        "{text}tls: {{mode: allow, certificate: {certs}/server.crt, key: {certs}/server.key, client_ca: {certs}/ca.crt}}\n\
         jwt: {{issuer: https://id.example.com, audience: scrim, keys: keys.json, role_claim: role}}\n"
    );
    std::fs::write(folder.path().join("scrim.yaml"), text).expect("configuration");
    let output = scrim(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn what_a_test_writes_is_undone() {
    let tests = "tests:
  - {name: one, role: agent, statement: \"UPDATE customers SET tier = 'pro' WHERE id = 2\", rows: 1}
  - {name: all, role: admin, statement: DELETE FROM messages, rows: 150}
  - {name: still there, role: admin, query: SELECT count(*) FROM messages, expect: [150]}
  - {name: still so, role: admin, query: SELECT tier FROM customers WHERE id = 2, expect: [basic]}
";
    let (code, text) = tried(tests, &[]);
    assert_eq!(code, Some(0), "{text}");
}

/// Wrong files: what is said, where, and that nothing runs.
#[test]
fn wrong_tests_are_told() {
    let one = |rest: &str| format!("tests:\n  - {{name: n, {rest}}}\n");
    for (tests, says) in [
        (String::new(), "t.yaml:1:1"),
        ("test: []\n".to_owned(), "did you mean `tests`?"),
        ("tests: 5\n".to_owned(), "a list belongs here"),
        ("tests: [5]\n".to_owned(), "a test (`name: …`, `role: …`, `query: …`) belongs here"),
        (one("role: suport, query: SELECT 1, expect: [1]"), "did you mean `support`?"),
        (one("user: alise, query: SELECT 1, expect: [1]"), "did you mean `alice`?"),
        (
            one("user: alice, role: admin, query: SELECT 1, expect: [1]"),
            "does not have role `admin`",
        ),
        (one("query: SELECT 1, expect: [1]"), "neither `role` nor `user`"),
        (one("role: support, expect: [1]"), "asks nothing"),
        (one("role: support, query: '', expect: [1]"), "this text is empty"),
        (one("role: support, query: SELECT 1"), "this test cannot fail"),
        (
            one("role: support, query: SELECT 1, expect: 1"),
            "a table, or a list of rows belongs here",
        ),
        (one("role: support, query: SELECT 1, expects: [1]"), "did you mean `expect`?"),
        (one("role: support, query: SELECT 1, statement: SELECT 2, rows: 1"), "not both"),
        (
            one("role: support, query: SELECT 1, expect: [1], refused: no"),
            "has no rows to `expect`",
        ),
        (one("role: support, query: SELECT 1, rows: 1, refused: no"), "has no `rows`"),
        (one("role: support, query: SELECT 1, refused: []"), "belongs here"),
        (
            one("role: support, query: SELECT 1, ordered: true, rows: 1"),
            "`ordered` is about the rows",
        ),
        (
            one("role: support, query: SELECT 1, columns: [a], expect: [[1, 2]]"),
            "row 1 has not as many values",
        ),
        (
            one("role: support, query: SELECT 1, expect: \"a\\n1 | 2\""),
            "row 1 of this table has 2 values",
        ),
        (
            one("role: support, query: SELECT 1, columns: [a], expect: \"a\\n1\""),
            "names the columns already",
        ),
        (
            one("role: support, query: SELECT 1, never_shows: /(/"),
            "this is no regular expression: unclosed group",
        ),
        (one("role: support, query: SELECT 1, never_shows: /a"), "ends with `/` or `/i`"),
        (one("role: support, query: SELECT 1, expect: [[[1]]]"), "a value belongs here"),
        ("tests:\n  - {role: support, query: SELECT 1, rows: 1}\n".to_owned(), "has no `name`"),
        (
            one("role: support, query: SELECT 1, rows: 1")
                + "  - {name: n, role: support, query: SELECT 2, rows: 1}\n",
            "two tests `n`",
        ),
    ] {
        let (code, text) = tried(&tests, &[]);
        assert_eq!(code, Some(2), "{tests}{text}");
        assert!(text.contains(says) && text.contains("t.yaml:"), "{says} for\n{tests}{text}");
        assert!(!text.contains("ok  "), "{text}");
    }
}

#[test]
fn wrong_use_is_told() {
    let one = "tests:\n  - {name: n, role: support, query: SELECT 1, expect: [1]}\n";
    for (arguments, says) in [
        (&["--name", "x"][..], "has `x` in its name"),
        (&["no/such/folder"], "no/such/folder"),
        (&["--config", "no.yaml"], "no.yaml"),
        (&["--rules", "nowhere"], "nowhere"),
        (&["rules/tests/none"], "rules/tests/none"),
        (&["--list", "--format", "json"], "cannot be used with"),
        (&["--format", "xml"], "invalid value"),
        (&["--output", "no/such/folder/file"], "cannot write `no/such/folder/file`"),
        (&["--database", "nothing"], "nothing"),
    ] {
        let (code, text) = tried(one, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    let folder = self::folder(&[("tests/t.yaml", one)]);
    let broken = folder.path().join("rules/99.yaml");
    std::fs::write(&broken, "role: {}\n").expect("a file");
    let output = scrim(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("99.yaml:1:1"), "{}", said(&output));
    std::fs::remove_file(&broken).expect("a file");
    // Nobody is there.
    let text = std::fs::read_to_string(folder.path().join("scrim.yaml")).expect("configuration");
    let port = format!("port: {}", harness::postgres().port());
    std::fs::write(folder.path().join("scrim.yaml"), text.replace(&port, "port: 1"))
        .expect("configuration");
    let output = scrim(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("cannot connect"), "{}", said(&output));
}

#[test]
fn tests_are_chosen_and_listed() {
    let more = "tests:\n  - {name: three, user: ana, query: SELECT 3, expect: [4]}\n";
    let tests = "tests:
  - {name: one, role: support, query: SELECT 1, expect: [1]}
  - {name: two, role: support, query: SELECT 2, expect: [3]}
";
    let folder = self::folder(&[("tests/a.yaml", tests)]);
    let below: PathBuf = folder.path().join("rules/tests/below");
    std::fs::create_dir(&below).expect("a folder");
    std::fs::write(below.join("b.yml"), more).expect("a file");
    let output = scrim(folder.path(), &["--list"]);
    let expected = "rules/tests/a.yaml:2:5: one (role support)
rules/tests/a.yaml:3:5: two (role support)
rules/tests/below/b.yml:2:5: three (user ana)
";
    assert_eq!((output.status.code(), said(&output).as_str()), (Some(0), expected));
    for (arguments, code, last) in [
        (&["--name", "one"][..], 0, "1 test: it holds\n"),
        (&["--name", "one", "--name", "two"], 1, "2 tests: 1 holds, 1 does not\n"),
        (&["rules/tests/below"], 1, "1 test: 0 hold, 1 does not\n"),
        (&["rules/tests/a.yaml"], 1, "2 tests: 1 holds, 1 does not\n"),
        (&[], 1, "3 tests: 1 holds, 2 do not\n"),
    ] {
        let output = scrim(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).ends_with(last), "{}", said(&output));
    }
}
