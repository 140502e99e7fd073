//! `scrim report`, the real binary: over a trail made here, whose figures are known, and over that of a Scrim that runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::client::Client;
use crate::harness::own::Own;
use crate::harness::rules_folder;

fn scrim(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.arg("report").args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    let Output { status, stdout, stderr } = command.output().expect("scrim starts");
    (
        status.code(),
        String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr),
    )
}

fn report(folder: &Path, arguments: &[&str]) -> Value {
    let (code, text) = scrim(folder, &[arguments, &["--format", "json"]].concat());
    assert_eq!(code, Some(0), "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn hash(line: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, line.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Records as lines of a chain that goes on after `last` lines, the last of which has the hash.
fn chain(records: &[(&str, Value)], mut last: u64, mut previous: String) -> (String, String) {
    let mut text = String::new();
    for (time, record) in records {
        last += 1;
        let mut line = json!({"time": time, "sequence": last, "previous": previous});
        let fields = record.as_object().expect("a record").clone();
        line.as_object_mut().expect("a line").extend(fields);
        let line = line.to_string();
        previous = hash(&line);
        text += &line;
        text.push('\n');
    }
    (text, previous)
}

fn first() -> String {
    "0".repeat(64)
}

/// A folder with the sample rules, and a trail of these records.
pub fn folder(records: &[(&str, Value)]) -> TempDir {
    let folder = rules_folder(&[]);
    let (text, _) = chain(records, 0, first());
    std::fs::write(folder.path().join("audit.jsonl"), text).expect("a trail");
    folder
}

pub fn facts(session: u64, user: &str, role: &str) -> Value {
    json!({"session": session, "user": user, "role": role, "client": "10.0.0.7:4711",
        "application": "psql", "database": "desk", "rules": "0123456789abcdef"})
}

pub fn with(mut facts: Value, more: Value) -> Value {
    let fields = more.as_object().expect("fields").clone();
    facts.as_object_mut().expect("facts").extend(fields);
    facts
}

pub fn read(session: u64, number: u64, user: &str, role: &str, relations: Value) -> Value {
    with(
        facts(session, user, role),
        json!({"event": "statement", "statement": number,
        "verdict": "rewrite", "sql": "SELECT ?", "fingerprint": "", "relations": relations}),
    )
}

pub fn ended(session: u64, number: u64, rows: u64) -> Value {
    json!({"event": "completed", "session": session, "statement": number, "rows": rows,
        "bytes": rows * 10, "duration_us": 5})
}

pub fn login(session: u64, user: &str, role: &str) -> Value {
    with(facts(session, user, role), json!({"event": "login"}))
}

fn customers() -> Value {
    json!([{"relation": "public.customers", "clear": ["id", "tier"], "masked": {"email": "email"}}])
}

/// Two people, a refusal, a lookup, a login that failed, and a session number that comes again after a restart.
fn desk_day() -> Vec<(&'static str, Value)> {
    let refused = with(
        facts(1, "alice", "support"),
        json!({"event": "statement",
        "statement": 2, "verdict": "refuse", "reason": "function", "rule": "40-roles.yaml:9",
        "sql": "SELECT pg_read_file(?)", "fingerprint": "", "relations": []}),
    );
    let looked_up = with(
        read(
            2,
            1,
            "rita",
            "reception",
            json!([{"relation": "public.customers",
        "clear": ["id"], "masked": {"phone": "phone"}}]),
        ),
        json!({"purpose": "callback",
        "lookups": [{"relation": "public.customers", "column": "phone", "values": 3}]}),
    );
    let failed = with(facts(3, "root", ""), json!({"event": "login", "refused": "28P01"}));
    vec![
        ("2026-11-02T09:00:00.000000Z", login(1, "alice", "support")),
        ("2026-11-02T09:00:01.000000Z", read(1, 1, "alice", "support", customers())),
        ("2026-11-02T09:00:02.000000Z", refused),
        ("2026-11-02T09:00:03.000000Z", ended(1, 1, 40)),
        ("2026-11-02T10:00:00.000000Z", login(2, "rita", "reception")),
        ("2026-11-02T10:00:01.000000Z", looked_up),
        ("2026-11-02T10:00:02.000000Z", ended(2, 1, 2)),
        ("2026-11-02T10:00:03.000000Z", failed),
        // Its end never came: Scrim was killed. The next session 1 is another one, and so is its statement 1.
        ("2026-11-02T23:30:00.000000Z", read(1, 3, "alice", "support", customers())),
        ("2026-11-03T09:00:00.000000Z", login(1, "ana", "analyst")),
        ("2026-11-03T09:00:01.000000Z", ended(1, 3, 1000)),
        (
            "2026-11-03T09:00:02.000000Z",
            read(
                1,
                1,
                "ana",
                "analyst",
                json!([{"relation": "public.orders", "clear": ["id", "not_judged_yet"], "masked": {}}]),
            ),
        ),
        ("2026-11-03T09:00:03.000000Z", ended(1, 1, 7)),
        (
            "2026-11-03T09:00:03.500000Z",
            with(
                facts(1, "ana", "analyst"),
                json!({"event": "found",
            "statement": 1, "position": 2, "kind": "card", "then": "redact"}),
            ),
        ),
        ("2026-11-03T09:00:04.000000Z", json!({"event": "logout", "session": 1})),
        ("2026-11-03T09:00:05.000000Z", json!({"event": "of_a_newer_scrim"})),
    ]
}

fn named<'v>(list: &'v Value, key: &str, name: &str) -> &'v Value {
    let all = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    all.iter().find(|one| one[key] == name).unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

#[test]
fn figures_are_those_of_the_trail() {
    let folder = folder(&desk_day());
    let told = report(folder.path(), &[]);
    assert_eq!(told["trail"]["records"], 16);
    assert_eq!(told["trail"]["broken"], Value::Null);
    let totals = &told["totals"];
    for (key, count) in [
        ("statements", 4),
        ("refused", 1),
        ("failed", 0),
        ("rows", 49),
        ("bytes", 490),
        ("users", 3),
        ("logins", 3),
        ("failed_logins", 1),
        ("lookups", 3),
    ] {
        assert_eq!(totals[key], count, "{key} in {totals}");
    }
    let support = named(&told["roles"], "name", "support");
    assert_eq!(
        (&support["rows"], &support["statements"], &support["refused"]),
        (&json!(40), &json!(2), &json!(1))
    );
    assert_eq!(named(&told["users"], "name", "ana")["rows"], 7);
    assert_eq!(named(&told["purposes"], "name", "callback")["users"], json!(["rita"]));
    assert_eq!(named(&told["purposes"], "name", "")["rows"], 47);
    let email = named(&told["kinds"], "kind", "contact.email");
    assert_eq!((&email["statements_masked"], &email["statements_clear"]), (&json!(2), &json!(0)));
    assert_eq!((&email["rows_masked"], &email["users"]), (&json!(40), &json!(["alice"])));
    assert_eq!(named(&told["kinds"], "kind", "open")["statements_clear"], 4);
    let function = named(&told["refusals"], "reason", "function");
    assert_eq!((&function["count"], &function["rules"]), (&json!(1), &json!(["40-roles.yaml:9"])));
    let lookup = named(&told["lookups"], "column", "public.customers.phone");
    assert_eq!((&lookup["user"], &lookup["values"]), (&json!("rita"), &json!(3)));
    let found = named(&told["found"], "kind", "card");
    assert_eq!(
        (&found["then"], &found["role"], &found["count"], &found["users"]),
        (&json!("redact"), &json!("analyst"), &json!(1), &json!(["ana"]))
    );
    let failed = named(&told["failed_logins"], "claimed_user", "root");
    assert_eq!(
        (&failed["sqlstate"], &failed["addresses"]),
        (&json!("28P01"), &json!(["10.0.0.7"]))
    );
    assert_eq!(told["week"][0][9], 2, "Monday");
    assert_eq!(told["rules"]["catalog_of"], "desk");
    assert!(
        told["notes"].to_string().contains("newer Scrim")
            && told["notes"].to_string().contains("others were in force")
    );
    let unjudged = named(&told["unclassified"], "column", "public.orders.not_judged_yet");
    assert_eq!((&unjudged["statements"], &unjudged["users"]), (&json!(1), &json!(["ana"])));
}

#[test]
fn permissions_nobody_used_are_named_with_their_lines() {
    let folder = folder(&desk_day());
    let told = report(folder.path(), &[]);
    let unused = told["unused"].as_array().expect("a list");
    let has = |what: &str, whose: &str, which: &str| {
        unused
            .iter()
            .any(|one| one["what"] == what && one["whose"] == whose && one["which"] == which)
    };
    assert!(has("role", "researcher", "") && has("user", "rosa", "researcher"), "{unused:#?}");
    assert!(
        has("role_of_user", "metabase", "support") || has("user", "metabase", "analyst, support")
    );
    assert!(has("data", "support", "contact.phone") && !has("data", "support", "contact.email"));
    assert!(has("lookup", "reception", "identity") && !has("lookup", "reception", "contact"));
    assert!(has("may", "analyst", "temp_tables"));
    assert!(!unused.iter().any(|one| one["whose"] == "alice"), "{unused:#?}");
    let phone = unused.iter().find(|one| one["what"] == "data" && one["which"] == "contact.phone");
    let phone = phone.expect("the phone");
    assert!(phone["columns"].to_string().contains("public.customers.phone"), "{phone}");
    assert!(
        phone["rule"].as_str().is_some_and(|rule| rule.starts_with("40-roles.yaml:")),
        "{phone}"
    );
    // Of one role; and not of one user, of whom nothing is known that others did not use.
    let told = report(folder.path(), &["--role", "support"]);
    let unused = told["unused"].as_array().expect("a list");
    assert!(
        unused
            .iter()
            .all(|one| one["what"].as_str().unwrap().contains("user") || one["whose"] == "support")
    );
    assert_eq!(report(folder.path(), &["--user", "alice"])["unused"], Value::Null);
}

#[test]
fn rules_that_go_by_the_row_are_told() {
    let folder = folder(&desk_day());
    let told = report(folder.path(), &["--role", "analyst"]);
    let lines = told["by_row"].as_array().expect("a list");
    let has = |what: &str, which: &str| {
        let line = lines.iter().find(|line| line["what"] == what && line["which"] == which);
        line.unwrap_or_else(|| panic!("{what} {which} in {told:#}"))
    };
    let rows = has("rows", "public.customers");
    assert_eq!((&rows["role"], &rows["condition"]), (&json!("analyst"), &json!("consented")));
    assert_eq!(rows["names"], json!(["public.customers.consented: marketing_consent"]));
    assert_eq!((&rows["by_time"], &rows["purpose"]), (&json!(false), &Value::Null));
    assert_eq!(report(folder.path(), &["--user", "alice"])["by_row"], Value::Null);
    // What is kept for a time.
    let rules = folder.path().join("rules/20-customers.yaml");
    let text = std::fs::read_to_string(&rules).expect("the sample rules");
    let kept = "consented: marketing_consent AND created_at > now() - interval '5 years'";
    std::fs::write(&rules, text.replace("consented: marketing_consent", kept)).expect("a file");
    let told = report(folder.path(), &["--role", "analyst"]);
    assert_eq!(told["by_row"][0]["by_time"], true, "{told:#}");
    let text = scrim(folder.path(), &["--role", "analyst"]).1;
    let line =
        text.lines().find(|line| line.contains("only rows where") && line.contains("consented"));
    let line = line.unwrap_or_else(|| panic!("a line in\n{text}"));
    assert!(line.contains("marketing_consent AND") && line.contains(" yes "), "{line}");
}

#[test]
fn what_is_asked_for_is_told() {
    let folder = folder(&desk_day());
    let rows = |arguments: &[&str]| report(folder.path(), arguments)["totals"]["rows"].clone();
    assert_eq!(rows(&["--user", "alice"]), 40);
    assert_eq!(rows(&["--role", "reception"]), 2);
    assert_eq!(rows(&["--role", "reception", "--user", "alice"]), 0);
    assert_eq!(rows(&["--until", "2026-11-02"]), 42);
    assert_eq!(rows(&["--since", "2026-11-03"]), 7);
    assert_eq!(rows(&["--since", "2026-11-02T10:00", "--until", "2026-11-02T10:00:02"]), 2);
    assert_eq!(rows(&["--since", "2026-11-02T10:00:02Z"]), 7);
    // In Seoul 23:30 is the next day's morning.
    let told = report(folder.path(), &["--timezone", "Asia/Seoul"]);
    assert_eq!(named(&told["days"], "day", "2026-11-03")["statements"], 2, "{told:#}");
    assert_eq!(told["week"][1][8], 1);
    let utc = report(folder.path(), &[]);
    assert_eq!(named(&utc["days"], "day", "2026-11-02")["statements"], 3);
}

/// Ten days of about a hundred rows at nine o'clock; on the last one ten thousand at three in the night.
#[test]
fn an_unusual_day_and_hour_stand_out() {
    let mut records = Vec::new();
    let times: Vec<(String, u64)> = (1..=10)
        .map(|day| match day {
            10 => ("2026-11-10T03:00:00.000000Z".to_owned(), 10_000),
            day => (format!("2026-11-{day:02}T09:00:00.000000Z"), 90 + day * 3),
        })
        .collect();
    for (number, (time, rows)) in (1..).zip(&times) {
        for user in ["alice", "rita"] {
            let session = if user == "alice" { 1 } else { 2 };
            let rows = if user == "rita" { 100 } else { *rows };
            records.push((time.as_str(), read(session, number, user, "support", customers())));
            records.push((time.as_str(), ended(session, number, rows)));
        }
    }
    let folder = folder(&records);
    let told = report(folder.path(), &[]);
    let volume = told["unusual_volume"].as_array().expect("a list");
    assert_eq!(volume.len(), 1, "{volume:#?}");
    assert_eq!(
        (&volume[0]["user"], &volume[0]["day"], &volume[0]["of"]),
        (&json!("alice"), &json!("2026-11-10"), &json!("rows"))
    );
    assert_eq!(
        (&volume[0]["count"], &volume[0]["usual"], &volume[0]["days"]),
        (&json!(10_000), &json!(106.5), &json!(10))
    );
    let hours = told["unusual_hours"].as_array().expect("a list");
    assert_eq!(hours.len(), 2, "{hours:#?}");
    assert_eq!((&hours[0]["day"], &hours[0]["hours"]), (&json!("2026-11-10"), &json!([3])));
    // What is usual is told by the days before the period too.
    let last = report(folder.path(), &["--since", "2026-11-10"]);
    assert_eq!(last["unusual_volume"], told["unusual_volume"]);
    assert_eq!(last["totals"]["statements"], 2);
    let before = report(folder.path(), &["--until", "2026-11-09"]);
    assert_eq!((&before["unusual_volume"], &before["unusual_hours"]), (&json!([]), &json!([])));
    assert_eq!(
        report(folder.path(), &["--until", "2026-11-03"])["without_habits"],
        json!(["alice", "rita"])
    );
}

#[test]
fn a_terminal_gets_tables() {
    let folder = folder(&desk_day());
    let (code, text) = scrim(folder.path(), &[]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        "chain           whole\n",
        "statements 4, refused 1, rows given 49, users 3, logins 3, logins that failed 1, values looked up 3\n",
        "\nBy role\n  role       statements  refused  rows  bytes  lookups  users\n  support             2        1    40  400 B        0  alice\n",
        "\nBy purpose\n",
        "\nBy kind of data\n",
        "\nRefusals by reason\n  reason    refused  users  roles    rules\n  function        1  alice  support  40-roles.yaml:9\n",
        "\nUnusual volume\n",
        "Fewer than 7 active days: alice, ana, rita.",
        "\nPermissions that nobody used\n",
        "\nColumns that nobody has classified\n",
        "  public.orders.not_judged_yet",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let (code, text) = scrim(folder.path(), &["--since", "2027-01-01"]);
    assert!(code == Some(0) && text.contains("no statement in this period"), "{text}");
    let (_, text) = scrim(folder.path(), &["--offline"]);
    assert!(text.contains("the database was not asked"), "{text}");
    let (_, text) = scrim(folder.path(), &["--no-rules"]);
    assert!(!text.contains("By kind of data") && text.contains("By role"), "{text}");
}

/// Names are chosen by whoever tries to log in, and by whoever names a purpose.
#[test]
fn names_do_nothing_where_they_are_shown() {
    let names = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'; DROP TABLE customers; --",
        "</td></table></style></title><svg onload=alert(1)>",
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "nimda\u{202e}\u{200b}",
        "&lt;b&gt; ${7*7} {{7*7}}",
        "line\nnot verified: no",
        "{0} {1} {9}",
    ];
    let mut records = Vec::new();
    for (session, name) in (1..).zip(names) {
        let failed = with(
            facts(session, name, name),
            json!({"event": "login", "refused": "28P01", "client": name}),
        );
        records.push(("2026-11-02T09:00:00.000000Z", failed));
        let relations = json!([{"relation": name, "clear": [name], "masked": {}}]);
        let statement = with(
            read(session, 1, name, name, relations),
            json!({"purpose": name, "end_user": name,
            "lookups": [{"relation": name, "column": name, "values": 1}]}),
        );
        records.push(("2026-11-02T09:00:01.000000Z", statement));
        let refused = with(
            read(session, 2, name, name, json!([])),
            json!({"verdict": "refuse", "reason": name, "rule": name}),
        );
        records.push(("2026-11-02T09:00:02.000000Z", refused));
        records.push((
            "2026-11-02T09:00:03.000000Z",
            with(
                facts(session, name, name),
                json!({"event": "breach", "statement": 1, "table": 1, "column": 1}),
            ),
        ));
    }
    let folder = folder(&records);
    let user = names[0];
    for arguments in [
        &["--format", "html"][..],
        &["--format", "html", "--user", user],
        &["--format", "html", "--language", "ko"],
    ] {
        let (code, page) = scrim(folder.path(), arguments);
        assert_eq!(code, Some(0), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
        for tag in [
            "<script",
            "<img",
            "onload=alert(1)>",
            "onerror=alert(1)>",
            "</style></title>",
            "\u{1b}",
            "\u{7}",
            "\u{202e}",
            "\u{200b}",
        ] {
            assert!(!page.contains(tag), "{tag} in\n{page}");
        }
        // What opens is closed, and by us: no name has made an element or ended one.
        for element in ["table", "svg", "style", "title", "section", "td"] {
            let opened = page.matches(&format!("<{element}>")).count()
                + page.matches(&format!("<{element} ")).count();
            assert_eq!(opened, page.matches(&format!("</{element}>")).count(), "{element}");
        }
        assert_eq!(page.matches("<style").count(), 1);
    }
    let (_, text) = scrim(folder.path(), &[]);
    assert!(
        text.contains("\\u{1b}[2J")
            && text.contains("nimda\\u{202e}\\u{200b}")
            && text.contains("line\\u{a}not"),
        "{text}"
    );
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
    assert!(text.contains("ALARMS of the guard"), "{text}");
    // A wrong name on the command line does nothing either.
    let (_, text) = scrim(folder.path(), &["--timezone", "\u{1b}[2J"]);
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn the_page_needs_nothing_beside_it() {
    let folder = folder(&desk_day());
    let (code, page) = scrim(folder.path(), &["--format", "html"]);
    assert_eq!(code, Some(0), "{page}");
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
    for part in [
        "default-src 'none'",
        "prefers-color-scheme: dark",
        "<svg",
        "contact.email",
        "By kind of data",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    for outside in ["http://", "https://", "src=", "url(", "@import", "<link", "<iframe", "<script"]
    {
        assert!(!page.contains(outside), "{outside} in\n{page}");
    }
    // Every place that is named is there.
    for (at, _) in page.match_indices("href=\"#") {
        let id = page[at + 7..].split('"').next().expect("an id");
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

fn is_hangul(character: char) -> bool {
    ('가'..='힣').contains(&character)
}

/// What stands between two texts, wherever they do.
fn between<'t>(text: &'t str, before: &str, after: &'t str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

#[test]
fn korean_is_korean_throughout() {
    let folder = folder(&desk_day());
    let (code, page) = scrim(folder.path(), &["--format", "html", "--language", "ko"]);
    assert_eq!(code, Some(0), "{page}");
    assert!(page.contains("<html lang=\"ko\">"), "{page}");
    let mut count = 0;
    for (before, after) in [
        ("<h1>", "</h1>"),
        ("<h2>", "</h2>"),
        ("<th scope=\"col\"", "</th>"),
        ("<dt>", "</dt>"),
        ("<figcaption>", "</figcaption>"),
        ("</strong> <span>", "</span>"),
        ("<p class=\"nothing\">", "</p>"),
        ("aria-label=\"", "\""),
    ] {
        for text in between(&page, before, after) {
            assert!(text.chars().any(is_hangul), "{before}{text}");
            count += 1;
        }
    }
    assert!(count > 60, "{count} in\n{page}");
    // Names, rules and codes are as they are.
    for part in ["contact.email", "40-roles.yaml:", "alice"] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    let (code, text) = scrim(folder.path(), &["--language", "ko"]);
    assert_eq!(code, Some(0), "{text}");
    for part in [
        // Letters of two places each.
        "해시 체인       온전함\n",
        "문장 4, 거부 1, 내준 행 49, 사용자 3, 로그인 3, 실패한 로그인 1, 찾아본 값 3\n",
        "\n역할별\n  역할       문장  거부  행  바이트  찾아보기  사용자\n  support       2     1  40   400 B         0  alice\n",
        "활동한 날이 7일보다 적은 사용자: alice, ana, rita.",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let english = scrim(folder.path(), &["--language", "en"]).1;
    assert!(english.contains("\nBy role\n") && !english.contains(is_hangul), "{english}");
}

#[test]
fn a_broken_chain_is_refused_unless_told() {
    let folder = folder(&desk_day());
    let file = folder.path().join("audit.jsonl");
    let (code, text) = scrim(folder.path(), &["--verify"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("the chain is whole: 16 records, number 1 to 16, 2026-11-02T09:00:00Z to 2026-11-03T09:00:05Z, 1 file\n"), "{text}");
    let whole = std::fs::read_to_string(&file).expect("a trail");
    let last = hash(whole.lines().last().expect("a line"));
    assert!(text.contains(&last), "{text}");
    let third = hash(whole.lines().nth(2).expect("a line"));
    assert_eq!(scrim(folder.path(), &["--verify", "--kept", &third]).0, Some(0));
    assert_eq!(
        scrim(folder.path(), &["--verify", "--kept", &third.to_ascii_uppercase()]).0,
        Some(0)
    );
    assert_eq!(scrim(folder.path(), &["--verify", "--kept", &hash("x")]).0, Some(1));

    std::fs::write(&file, whole.replacen("\"rows\":40", "\"rows\":4", 1)).expect("a trail");
    for arguments in [&["--verify"][..], &[], &["--format", "html"], &["--no-rules"]] {
        let (code, text) = scrim(folder.path(), arguments);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.starts_with("error: the audit trail is broken: ")
                && text.contains("audit.jsonl, line 5: does not carry the hash of the line before"),
            "{text}"
        );
    }
    let (code, text) = scrim(folder.path(), &["--unverified"]);
    assert!(
        code == Some(0) && text.contains("NOT VERIFIED: ") && text.contains("line 5"),
        "{text}"
    );
    let (_, page) = scrim(folder.path(), &["--unverified", "--format", "html"]);
    assert!(page.contains("role=\"alert\"") && page.contains("was not verified"), "{page}");
    let told = report(folder.path(), &["--unverified"]);
    assert_eq!((&told["totals"]["rows"], &told["trail"]["records"]), (&json!(13), &json!(16)));
    assert!(told["trail"]["broken"].as_str().is_some_and(|fault| fault.contains("line 5")));

    // Cut in the middle of the last line, and not by a Scrim that writes.
    std::fs::write(&file, &whole[..whole.len() - 10]).expect("a trail");
    let (code, text) = scrim(folder.path(), &["--verify"]);
    assert!(code == Some(1) && text.contains("line 16: is not whole"), "{text}");
    // Without its first record.
    let (_, rest) = whole.split_once('\n').expect("lines");
    std::fs::write(&file, rest).expect("a trail");
    assert_eq!(scrim(folder.path(), &["--verify"]).0, Some(1));
    let (code, text) = scrim(folder.path(), &["--verify", "--partial"]);
    assert!(
        code == Some(0) && text.contains("number 2 to 16") && text.contains("not looked at"),
        "{text}"
    );
}

#[test]
fn closed_files_belong_to_the_trail() {
    let folder = rules_folder(&[]);
    let all = desk_day();
    let (one, previous) = chain(&all[..8], 0, first());
    let rotated = json!({"event": "rotated", "closed": "audit.jsonl.20261102-000000000008"});
    let mut rest = vec![("2026-11-02T11:00:00.000000Z", rotated)];
    rest.extend(all[8..].iter().cloned());
    let (two, _) = chain(&rest, 8, previous);
    let closed = folder.path().join("audit.jsonl.20261102-000000000008");
    std::fs::write(&closed, one).expect("a file");
    std::fs::write(folder.path().join("audit.jsonl"), two).expect("a file");
    // What is called like one and is none.
    std::fs::write(folder.path().join("audit.jsonl.key"), "x").expect("a file");
    std::fs::write(folder.path().join("audit.jsonl.20261102-000000000008.gz"), "x")
        .expect("a file");
    let told = report(folder.path(), &[]);
    assert_eq!((&told["totals"]["rows"], &told["trail"]["records"]), (&json!(49), &json!(17)));
    assert_eq!(told["trail"]["files"].as_array().map(Vec::len), Some(2));
    // Given in any order.
    let given = ["--no-rules", "audit.jsonl", "audit.jsonl.20261102-000000000008"];
    assert_eq!(report(folder.path(), &given)["totals"]["rows"], 49);
    let (code, text) = scrim(folder.path(), &["--verify", "audit.jsonl"]);
    assert!(
        code == Some(1)
            && text.contains("audit.jsonl, line 1: is not the first record of the trail"),
        "{text}"
    );
    assert_eq!(scrim(folder.path(), &["--verify", "--partial", "audit.jsonl"]).0, Some(0));
    std::fs::remove_file(closed).expect("gone");
    assert_eq!(scrim(folder.path(), &["--verify"]).0, Some(1));
}

#[test]
fn wrong_use_is_explained() {
    let folder = folder(&desk_day());
    for (arguments, says) in [
        (&["--since", "yesterday"][..], "`yesterday` is no time"),
        (&["--since", ""], "there is no time"),
        (&["--since", "2026-11-03", "--until", "2026-11-02"], "is not after `--since`"),
        (&["--timezone", "Moon/Base"], "no time zone `Moon/Base`"),
        (
            &["--config", "/no/such/scrim.yaml"],
            "`scrim report --no-rules FILE…` needs no configuration",
        ),
        (&["/no/such/audit.jsonl"], "cannot read /no/such/audit.jsonl"),
        (
            &["--database", "nowhere"],
            "`--no-rules` reports without rules, `--offline` without the database",
        ),
        (&["--kept", "00"], "--verify"),
        (&["--verify", "--unverified"], "cannot be used with"),
        (&["--offline", "--database", "desk"], "cannot be used with"),
        (&["--language", "fr"], "[possible values: en, ko]"),
        (&["--language", "ko", "--format", "json"], "`--language` is for text and HTML"),
        (&["--language", "ko", "--verify"], "cannot be used with"),
    ] {
        let (code, text) = scrim(folder.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(says), "{says} in\n{text}");
    }
    std::fs::remove_file(folder.path().join("audit.jsonl")).expect("gone");
    let (code, text) = scrim(folder.path(), &[]);
    assert!(code == Some(2) && text.contains("there is no audit trail audit.jsonl"), "{text}");
    // Something else than a trail.
    std::fs::write(folder.path().join("audit.jsonl"), "hello\n").expect("a file");
    assert_eq!(scrim(folder.path(), &[]).0, Some(1));
    std::fs::write(folder.path().join("audit.jsonl"), "").expect("a file");
    let (code, text) = scrim(folder.path(), &["--verify"]);
    assert!(code == Some(0) && text.contains("no record"), "{text}");
}

fn is_well(client: &mut Client, statement: &str) -> bool {
    client.simple(statement).iter().all(|answer| answer.error.is_none())
}

/// A Scrim that runs, closes its files, and tells a syslog.
#[test]
fn what_people_did_is_told_while_scrim_runs() {
    let socket: PathBuf = std::env::temp_dir().join(format!("scrim-syslog-{}", std::process::id()));
    let _ = std::fs::remove_file(&socket);
    let syslog = std::os::unix::net::UnixDatagram::bind(&socket).expect("a socket");
    // A queue of datagrams is short, so somebody reads meanwhile.
    let listener = std::thread::spawn(move || {
        let (mut heard, mut buffer) = (Vec::new(), vec![0; 65536]);
        loop {
            let length = syslog.recv(&mut buffer).expect("a message");
            if length == 0 {
                return heard;
            }
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    });
    let audit = format!(
        "audit:\n  file: audit.jsonl\n  rotate: {{bytes: 10000, keep: 50}}\n  sinks: [{{syslog: {}, facility: local1}}]\n",
        socket.display()
    );
    let mut own =
        Own::open_changed(|_, text| text.replace("audit:\n  file: audit.jsonl\n", &audit));
    let mut alice = own.connect("alice");
    for _ in 0..20 {
        assert!(is_well(&mut alice, "SELECT email FROM customers"));
    }
    assert!(!is_well(&mut alice, "SELECT pg_read_file('x')"));
    let mut rita = own.connect("rita");
    assert!(is_well(&mut rita, "SELECT id FROM customers WHERE phone = '010-1234-5678'"));
    assert!(Client::connect(own.address(), "<b>nobody</b>", "x", "desk", &[]).is_err());
    let folder = own.desk.folder().to_owned();
    let is_there = |told: &Value| {
        told["totals"]["failed_logins"] == 1
            && told["totals"]["lookups"] == 1
            && told["totals"]["statements"].as_u64() >= Some(21)
    };
    let began = std::time::Instant::now();
    let told = loop {
        let told = report(&folder, &[]);
        if is_there(&told) {
            break told;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "{told:#}");
    };
    assert!(told["trail"]["files"].as_array().expect("files").len() > 1, "{told:#}");
    let support = named(&told["roles"], "name", "support");
    assert_eq!((&support["statements"], &support["refused"]), (&json!(20), &json!(1)), "{told:#}");
    assert_eq!(named(&told["refusals"], "reason", "function")["count"], 1);
    assert_eq!(named(&told["kinds"], "kind", "contact.email")["statements_masked"], 20);
    assert_eq!(named(&told["lookups"], "user", "rita")["column"], "public.customers.phone");
    drop((alice, rita));
    own.scrim = None;
    let (code, text) = scrim(&folder, &["--verify"]);
    assert!(code == Some(0) && text.contains("the chain is whole"), "{text}");
    // The syslog has heard every record, in order.
    let files = scrim::audit::trail_files(&folder.join("audit.jsonl")).expect("files");
    let written: String =
        files.iter().map(|file| std::fs::read_to_string(file).expect("a file")).collect();
    let end = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    end.send_to(&[], &socket).expect("an end");
    let heard: Vec<String> = listener.join().expect("the syslog");
    assert_eq!(heard.len(), written.lines().count());
    for (message, line) in heard.iter().zip(written.lines()) {
        // Facility local1, and what is alarming, a warning or for information.
        assert!(message.starts_with("<14") && message.ends_with(line), "{message} and {line}");
    }
    assert!(heard.iter().any(|message| message.contains(" login - {")));
    let _ = std::fs::remove_file(&socket);
}
