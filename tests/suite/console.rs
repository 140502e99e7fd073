//! The console: every page, every wrong use, and what a browser makes of it.

mod browser;
mod granting;
pub mod http;
mod tracing;

use std::collections::BTreeMap;
use std::path::Path;

use scrim::config::{Config, ProcessEnvironment};
use serde_json::Value;

use crate::canary;
use crate::harness::own::{Own, last_words, value};
use http::{Page, Visitor};

/// Who may do what in these tests: otto looks, metabase tries as two roles, the dba does everything; alice nothing.
const CONSOLE: &str = "console:\n  roles:\n    auditor: [look]\n    analyst: [look, try]\n    admin: [look, try, end_sessions, trace]\n";

/// The page of a column.
const COLUMN: &str = "/console/column?schema=public&relation=customers&column=email";

/// Every page that a person can come to.
const PAGES: [&str; 10] = [
    "/console/grants",
    "/console",
    "/console?tag=contact&seen=part&role=support&name=cust",
    COLUMN,
    "/console/playground",
    "/console/statements",
    "/console/sessions",
    "/console/rules",
    "/console/rules?file=50-users.yaml",
    "/console/report?make=1&since=7d",
];

fn own() -> Own {
    let own = Own::open(CONSOLE);
    own.wait("the catalog", || own.readiness().0 == 200);
    own
}

fn acts(own: &Own) -> Vec<Value> {
    own.audit().into_iter().filter(|record| record["event"] == "console").collect()
}

fn has_act(own: &Own, expected: &[(&str, Value)]) -> bool {
    acts(own).iter().any(|act| expected.iter().all(|(name, value)| act[*name] == *value))
}

#[test]
fn it_is_off_unless_configured() {
    let own = Own::open("");
    for path in ["/", "/console", "/console/sign-in", "/console/assets/style.css"] {
        assert_eq!(own.get(path).0, 404, "{path}");
    }
}

#[test]
fn a_login_lets_in_who_may_look_and_tells_others_nothing() {
    let own = own();
    let mut visitor = Visitor::new(own.admin());
    for path in PAGES.iter().chain(&["/"]) {
        let page = visitor.get(path);
        assert_eq!(page.status, 303, "{path}");
        assert!(matches!(page.location(), "/console/sign-in" | "/console"), "{path}");
    }
    // Unknown, wrong, and right but without a right here: the same page to the byte, but for the forms' token.
    let failed: Vec<Page> = [("nobody", "x"), ("otto", "x"), ("alice", "alice-demo")]
        .into_iter()
        .map(|(user, password)| visitor.sign_in_as(user, password))
        .collect();
    for page in &failed {
        assert_eq!((page.status, &page.body), (401, &failed[0].body));
        assert!(page.body.contains("The name or the password is wrong"), "{}", page.body);
        assert!(page.header("set-cookie").is_none());
    }
    let mut visitor = Visitor::new(own.admin());
    let page = visitor.sign_in("otto");
    assert_eq!((page.status, page.location()), (303, "/console"));
    let cookie = page.headers.iter().find(|(_, value)| value.starts_with("scrim_console="));
    let (_, cookie) = cookie.expect("a cookie");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let token = cookie.split(['=', ';']).nth(1).expect("a value");
    assert_eq!(token.len(), 43, "256 bits in base64");
    assert_eq!(visitor.get("/console").status, 200);
    // Another token each time, and the one before is over.
    let old = visitor.cookies.clone();
    visitor.sign_in("otto");
    assert_ne!(visitor.cookies, old);
    assert_eq!(visitor.get("/console").status, 200);
    let mut earlier = Visitor { cookies: old, ..Visitor::new(own.admin()) };
    assert_eq!(earlier.get("/console").status, 303);
    let kept = visitor.cookies.clone();
    assert_eq!(visitor.post("/console/sign-out", &[]).location(), "/console/sign-in");
    let mut again = Visitor { cookies: kept, ..Visitor::new(own.admin()) };
    assert_eq!(again.get("/console").status, 303, "the cookie is good for nothing");
    own.wait("the records", || has_act(&own, &[("act", "sign_out".into())]));
    for (user, refused) in [
        ("nobody", Value::from("password")),
        ("otto", "password".into()),
        ("alice", "not_allowed".into()),
        ("otto", Value::Null),
    ] {
        let expected = [("act", "sign_in".into()), ("user", user.into()), ("refused", refused)];
        assert!(has_act(&own, &expected), "{expected:?} in {:?}", acts(&own));
    }
    for record in acts(&own) {
        assert!(!record.to_string().contains("alice-demo"), "{record}");
    }
}

#[test]
fn failures_make_the_next_ones_wait() {
    let own = own();
    let mut visitor = Visitor::new(own.admin());
    visitor.get("/console/sign-in");
    // At once, so that they wait one behind the other.
    let answers: Vec<Page> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..3)
            .map(|_| {
                let mut one = visitor.clone();
                scope.spawn(move || {
                    (0..3).map(|_| one.sign_in_as("rosa", "wrong")).collect::<Vec<_>>()
                })
            })
            .collect();
        running.into_iter().flat_map(|one| one.join().expect("a visitor")).collect()
    });
    assert!(answers.iter().all(|page| matches!(page.status, 401 | 429 | 503)), "{answers:?}");
    // A session of the same name waits too: it is one count.
    own.wait("the records", || acts(&own).len() >= 4);
    assert!(answers.iter().any(|page| page.status == 401));
}

/// A page as a careful browser would look at it.
fn judge(path: &str, page: &Page) {
    let Page { body, .. } = page;
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(page.header(name), Some(value), "{path}: {name}");
    }
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for (part, is_in) in [
        ("frame-ancestors 'none'", true),
        ("base-uri 'none'", true),
        ("form-action 'self'", true),
        ("unsafe", false),
        ("http", false),
        ("data:", false),
    ] {
        assert_eq!(policy.contains(part), is_in, "{part} in {policy}");
    }
    if page.header("content-type") != Some("text/html; charset=utf-8") || page.status == 303 {
        return;
    }
    for (needed, count) in
        [("<main", 1), ("<h1>", 1), ("class=\"skip\"", 1), ("<body>", 1), ("<footer>", 1)]
    {
        assert_eq!(body.matches(needed).count(), count, "{path}: {needed}");
    }
    for forbidden in
        [" style=", " onclick=", " onerror=", "<style", "javascript:", "http://", "https://"]
    {
        // What the rules and the report say may hold an address, as a text.
        let tags: String =
            body.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag).collect();
        let found = tags.replace("http://www.w3.org", "").contains(forbidden);
        assert!(!found, "{path}: {forbidden}");
    }
    for script in body.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/console/assets/follow.js\" defer></script>"), "{path}");
    }
    for table in body.split("<table").skip(1) {
        let table = table.split("</table>").next().unwrap_or_default();
        assert!(table.contains("scope=\"col\""), "{path}: a table without heads of columns");
    }
    // A label, or a name that is said, for all that can be filled in.
    for kind in ["<input", "<select", "<textarea"] {
        for (at, _) in body.match_indices(kind) {
            let tag = body[at..].split('>').next().unwrap_or_default();
            let before = &body[..at];
            let is_labelled = before.rfind("<label") > before.rfind("</label>");
            let is_said = tag.contains("aria-label=") || tag.contains("type=\"hidden\"");
            assert!(is_labelled || is_said, "{path}: {tag}");
        }
    }
}

#[test]
fn every_page_is_there_in_both_languages_and_holds_no_value() {
    let own = own();
    let mut alice = own.connect("alice");
    alice.simple("SELECT name, email FROM customers WHERE id < 4 AND name <> 'secret-literal'");
    alice.simple("SELECT pg_read_file('secret-file')");
    for user in ["otto", "dba"] {
        let mut visitor = Visitor::new(own.admin());
        judge("/console/sign-in", &visitor.get("/console/sign-in"));
        visitor.sign_in(user);
        for path in PAGES {
            for (language, tag) in [("ko-KR,ko;q=0.9", "ko"), ("en", "en")] {
                visitor.headers = vec![("Accept-Language".to_owned(), language.to_owned())];
                let page = visitor.get(path);
                assert_eq!(page.status, 200, "{path}: {}", page.body);
                judge(path, &page);
                assert!(page.body.contains(&format!("<html lang=\"{tag}\"")), "{path}");
                let has_hangul = page.body.contains("누가 무엇을 보는가");
                assert_eq!(has_hangul, tag == "ko", "{path}");
                for secret in ["secret-literal", "secret-file", "SCRAM-SHA-256$", "-demo"] {
                    // Comments of the rules speak of the demo's passwords.
                    let body = page.body.replace("alice-demo, ana-demo", "");
                    assert!(!body.contains(secret), "{path}: {secret}");
                }
                if !path.contains("rules") {
                    let found = canary::find(page.body.as_bytes());
                    assert!(found.is_empty(), "{path}: {found:?}");
                }
            }
        }
        // The switch counts more than what the browser wishes for.
        visitor.headers = vec![("Accept-Language".to_owned(), "ko".to_owned())];
        let back = [("language", "en"), ("back", "/console/rules")];
        let page = visitor.post("/console/settings", &back);
        assert_eq!((page.status, page.location()), (303, "/console/rules"));
        let page =
            visitor.post("/console/settings", &[("theme", "dark"), ("back", "//evil.example")]);
        assert_eq!((page.status, page.location()), (303, "/console"));
        let page = visitor.get("/console");
        assert!(page.body.contains("<html lang=\"en\" data-theme=\"dark\""), "{}", page.body);
    }
    let mut visitor = Visitor::new(own.admin());
    visitor.sign_in("otto");
    let matrix = visitor.get("/console").body;
    for told in ["customers", "contact.email", "support", "clerk for refund", "{keep_first: 2}"] {
        assert!(matrix.contains(told), "{told}");
    }
    let filtered = visitor.get("/console?tag=contact&role=support").body;
    assert!(filtered.contains("column=email") && !filtered.contains("column=balance"));
    assert!(!filtered.contains("<th scope=\"col\">researcher"), "{filtered}");
    let nothing = visitor.get("/console?name=no-such-name").body;
    assert!(nothing.contains("Nothing fits."));
    let column = visitor.get(COLUMN).body;
    for told in ["varying", "contact.email", "40-roles.yaml:", "alice"] {
        assert!(column.contains(told), "{told} in {column}");
    }
    assert_eq!(
        visitor.get("/console/column?schema=public&relation=customers&column=x").status,
        404
    );
    assert_eq!(visitor.get("/console/nothing").status, 404);
    let rules = visitor.get("/console/rules?file=50-users.yaml").body;
    assert!(rules.contains("password: ***") || rules.contains("password: \"***"), "{rules}");
    let statements = visitor.get("/console/statements").body;
    assert!(
        statements.contains("FROM customers WHERE id &lt; ? AND name &lt;&gt; ?"),
        "{statements}"
    );
    assert!(statements.contains("pg_read_file(?)") && statements.contains("✕ "), "{statements}");
    let refused = visitor.get("/console/statements?only=refused").body;
    assert!(refused.contains("pg_read_file(?)") && !refused.contains("FROM customers"));
    let report = visitor.get("/console/report?make=1&since=now").status;
    assert_eq!(report, 400);
    tracing::a_row(&own);
}

#[test]
fn what_check_says_stands_on_the_page_of_the_rules() {
    let own = Own::open_changed(|desk, text| {
        let people = "CREATE TABLE public.people (id int PRIMARY KEY, rrn text,
              born text GENERATED ALWAYS AS (left(rrn, 6)) STORED, name text);
            CREATE INDEX people_by_rrn ON public.people (name)";
        desk.server().run("desk", people).unwrap_or_else(|error| panic!("{error}"));
        let rules = "tables:\n  public.people:\n    columns: {id: open, rrn: identity, born: open, name: open}\n\
                     roles:\n  helper: {masks: {\"*\": redact, identity: hide}}\n";
        std::fs::write(desk.folder().join("masking-rules/60-people.yaml"), rules).expect("rules");
        text + CONSOLE
    });
    own.wait("the catalog", || own.readiness().0 == 200);
    let mut visitor = Visitor::new(own.admin());
    visitor.sign_in("otto");
    for _ in 0..2 {
        let page = visitor.get("/console/rules").body;
        for told in [
            "nobody has the role `helper`",
            "and sees `born`, which is generated from it",
            "and sees an index whose name tells of it: `people_by_rrn`",
        ] {
            assert!(page.contains(told), "{told}\nis not in\n{page}");
        }
        assert!(!page.contains("were not looked at"), "{page}");
    }
}

#[test]
fn what_is_not_asked_for_by_our_own_pages_is_not_done() {
    let own = own();
    let mut visitor = Visitor::new(own.admin());
    visitor.sign_in("dba");
    let mut victim = own.connect("alice");
    let page = visitor.get("/console/sessions");
    let token = page.token();
    let number = page.session_of("alice");
    let form = format!("token={token}&session={number}");
    let good: Vec<(&str, String)> = vec![
        ("Host", visitor.host()),
        ("Origin", format!("http://{}", visitor.host())),
        ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
        ("Cookie", visitor.cookie_header()),
    ];
    let with = |changes: &[(&'static str, Option<&str>)]| -> Vec<(String, String)> {
        let mut headers: BTreeMap<String, String> =
            good.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        for (name, value) in changes {
            match value {
                Some(value) => drop(headers.insert((*name).to_owned(), (*value).to_owned())),
                None => drop(headers.remove(*name)),
            }
        }
        headers.into_iter().collect()
    };
    let path = "/console/sessions/end";
    let try_it = |method: &str, headers: Vec<(String, String)>, body: &str| {
        http::exchange(own.admin(), method, path, &headers, body.as_bytes())
    };
    for (what, status, changes) in [
        ("another host", 421, vec![("Host", Some("evil.example:6433"))]),
        ("a name that leads here", 421, vec![("Host", Some("localhost.evil.example"))]),
        ("another origin", 403, vec![("Origin", Some("http://evil.example"))]),
        ("another port", 403, vec![("Origin", Some("http://127.0.0.1:1"))]),
        ("no origin", 403, vec![("Origin", None)]),
        ("a sandbox", 403, vec![("Origin", Some("null"))]),
        ("another site", 403, vec![("Sec-Fetch-Site", Some("cross-site"))]),
        ("the same site", 403, vec![("Sec-Fetch-Site", Some("same-site"))]),
        ("no cookie", 403, vec![("Cookie", None)]),
        ("a made-up cookie", 303, vec![("Cookie", Some("scrim_console=AAAA"))]),
        ("a form of files", 400, vec![("Content-Type", Some("multipart/form-data"))]),
        ("plain text", 400, vec![("Content-Type", Some("text/plain"))]),
    ] {
        let page = try_it("POST", with(&changes), &form);
        assert_eq!(page.status, status, "{what}: {}", page.body);
        judge(what, &page);
    }
    let mut stranger = Visitor::new(own.admin());
    let other = stranger.sign_in("otto");
    assert_eq!(other.status, 303);
    let others = stranger.get("/console").token();
    for (what, status, body) in [
        ("no token", 403, format!("session={number}")),
        ("somebody else's token", 403, format!("token={others}&session={number}")),
        ("half a token", 403, format!("token={}&session={number}", &token[..20])),
        ("too many fields", 400, format!("{form}{}", "&a=b".repeat(300))),
        ("too many bytes", 413, format!("{form}&a={}", "b".repeat(70_000))),
    ] {
        assert_eq!(try_it("POST", with(&[]), &body).status, status, "{what}");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        assert_eq!(try_it(method, with(&[]), "").status, 405, "{method}");
    }
    // By GET nothing is done, whatever stands in it.
    let page = visitor.get(&format!("{path}?{form}"));
    assert_eq!(page.status, 404);
    assert_eq!(value(&victim.simple("SELECT 1")[0]), "1");
    assert!(!has_act(&own, &[("act", "end_session".into())]));
    assert_eq!(
        try_it("POST", with(&[]), &form).status,
        303,
        "all of it was for want of one thing only"
    );
    assert!(last_words(&mut victim).contains("57P01"));
    // A request that asks a proxy.
    let page = http::exchange(own.admin(), "GET", "http://127.0.0.1/console", &with(&[]), b"");
    assert_eq!(page.status, 421);
}

#[test]
fn sessions_end_and_others_go_on() {
    let own = own();
    let (mut alice, mut other, mut dba) =
        (own.connect("alice"), own.connect("alice"), own.connect("dba"));
    other.simple("BEGIN");
    dba.send(b'Q', b"SELECT pg_sleep(60)\0");
    let mut visitor = Visitor::new(own.admin());
    visitor.sign_in("dba");
    own.wait("a statement", || visitor.get("/console/sessions").body.contains("runs a statement"));
    let page = visitor.get("/console/sessions");
    judge("/console/sessions", &page);
    assert!(
        page.body.contains("in a transaction") && page.body.contains("At rest"),
        "{}",
        page.body
    );
    let sleeping = page.session_of("dba");
    let done = visitor.post("/console/sessions/end", &[("session", &sleeping)]);
    assert_eq!(done.location(), format!("/console/sessions?ended={sleeping}"));
    assert!(last_words(&mut dba).contains("terminating connection due to administrator command"));
    let page = visitor.get(&format!("/console/sessions?ended={sleeping}"));
    assert!(page.body.contains("The session was told to end: "), "{}", page.body);
    let idle = page.session_of("alice");
    visitor.post("/console/sessions/end", &[("session", &idle)]);
    assert!(last_words(&mut alice).contains("57P01"));
    assert_eq!(value(&other.simple("SELECT 1")[0]), "1");
    own.wait("that it is gone", || {
        let gone = visitor.post("/console/sessions/end", &[("session", &idle)]);
        gone.location() == format!("/console/sessions?gone={idle}")
    });
    for wrong in ["", "x", "-1", "18446744073709551616", "1 or 1"] {
        assert_eq!(
            visitor.post("/console/sessions/end", &[("session", wrong)]).status,
            400,
            "{wrong}"
        );
    }
    // Who may only look sees no button, and it would do nothing.
    let mut looker = Visitor::new(own.admin());
    looker.sign_in("otto");
    let page = looker.get("/console/sessions");
    assert!(!page.body.contains("/console/sessions/end"), "{}", page.body);
    let page = looker.post("/console/sessions/end", &[("session", "1")]);
    assert_eq!(page.status, 403);
    own.wait("the records", || {
        has_act(
            &own,
            &[
                ("act", "end_session".into()),
                ("user", "otto".into()),
                ("refused", "not_allowed".into()),
            ],
        )
    });
    let number: u64 = sleeping.parse().expect("a number");
    assert!(has_act(
        &own,
        &[("act", "end_session".into()), ("user", "dba".into()), ("session", number.into())]
    ));
    assert_eq!(value(&other.simple("SELECT 1")[0]), "1");
}

#[test]
fn the_rules_end_a_session_of_the_console() {
    let own = own();
    let mut otto = Visitor::new(own.admin());
    otto.sign_in("otto");
    let mut dba = Visitor::new(own.admin());
    dba.sign_in("dba");
    let version = own.version();
    own.edit("50-users.yaml", "role: auditor", "role: support");
    own.wait_for_other_rules(&version);
    let page = otto.get("/console");
    assert_eq!((page.status, page.location()), (303, "/console/sign-in"));
    assert_eq!(dba.get("/console").status, 200);
    let version = own.version();
    own.edit(
        "50-users.yaml",
        "role: support\n    password: \"SCRAM-SHA-256$4096:X0w2",
        "role: auditor\n    password: \"SCRAM-SHA-256$4096:X0w2",
    );
    own.wait_for_other_rules(&version);
    assert_eq!(otto.get("/console").status, 303, "over is over");
    own.edit("40-roles.yaml", "may: [read]", "may: [reed]");
    own.wait("that it is broken", || {
        dba.get("/console/rules").body.contains("[reed]")
            || dba.get("/console/rules").body.contains("`reed`")
    });
}

#[test]
fn what_others_have_chosen_is_a_text() {
    let own = own();
    own.desk
        .server()
        .run(
            "desk",
            "CREATE TABLE \"<script>alert(1)</script>\" (\"\"\"><img src=x onerror=alert(2)>\" text PRIMARY KEY, \"a\u{202e}b\" text); \
             GRANT SELECT ON \"<script>alert(1)</script>\" TO scrim",
        )
        .expect("a table");
    let evil = "<script>alert(3)</script>";
    let mut alice = own.connect_as("alice", &[("application_name", evil)]);
    alice.simple("SELECT 1 AS \"<script>alert(4)</script>\"");
    alice.simple("SELECT 1 FROM \"<b onmouseover=alert(5)>\"");
    assert!(own.try_connect("<script>alert(6)</script>").is_err());
    let mut visitor = Visitor::new(own.admin());
    visitor.sign_in_as("<script>alert(7)</script>", "x");
    visitor.sign_in("dba");
    own.wait("the table", || visitor.get("/console").body.contains("alert(1)"));
    let story = "/console/column?schema=public&relation=%3Cscript%3Ealert(1)%3C%2Fscript%3E&column=%22%3E%3Cimg+src%3Dx+onerror%3Dalert(2)%3E";
    let mut paths = PAGES.to_vec();
    paths.extend([
        story,
        "/console?name=%22%3E%3Cscript%3Ealert(8)%3C/script%3E&tag=%22%3E%3Cscript%3E&role=%3Cscript%3E",
        "/console/rules?file=%3Cscript%3Ealert(9)%3C/script%3E",
        "/console/report?make=1&since=%3Cscript%3E&user=%22%3E%3Cscript%3E&timezone=%3Cscript%3E",
        "/console/sessions?ended=%3Cscript%3E",
        "/console/%3Cscript%3E",
    ]);
    let mut seen = String::new();
    for path in paths {
        let page = visitor.get(path);
        judge(path, &page);
        for raw in ["<script>", "<img", "<b onmouseover", "\u{202e}"] {
            assert!(!page.body.contains(raw), "{path}: {raw} in {}", page.body);
        }
        seen.push_str(&page.body);
    }
    let fields = [
        ("relation", "public.\"<script>alert(1)</script>\""),
        ("key", "<script>alert(9)</script>"),
        ("user", "<script>alert(10)</script>"),
    ];
    let page = visitor.post(tracing::PATH, &fields);
    judge(tracing::PATH, &page);
    assert!(page.status == 200 && !page.body.contains("<script>"), "{}", page.body);
    seen.push_str(&page.body);
    let escaped = |number: u32| format!("&lt;script&gt;alert({number})&lt;/script&gt;");
    for number in [1, 3, 4, 8, 9, 10] {
        assert!(seen.contains(&escaped(number)), "alert({number}) is shown");
    }
    assert!(seen.contains("a\\u{202e}b"));
    let sql = format!("SELECT '{evil}' AS \"<img src=x>\", E'a\\nb'");
    let page =
        visitor.post("/console/playground", &[("role", "admin"), ("sql", &sql), ("do", "run")]);
    judge("playground", &page);
    assert!(
        page.body.contains(&escaped(3)) && page.body.contains("&lt;img src=x&gt;"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<script>") && !page.body.contains("<img"));
}

#[test]
fn the_playground_shows_what_a_session_shows() {
    let own = own();
    let mut visitor = Visitor::new(own.admin());
    visitor.sign_in("metabase");
    let mut ask = |fields: &[(&str, &str)]| {
        let page = visitor.post("/console/playground", fields);
        judge("playground", &page);
        page
    };
    let sql = "SELECT id, name, email, identity FROM (SELECT id, name, email, rrn AS identity FROM customers) c WHERE id = 1";
    let page = ask(&[("role", "support"), ("beside", "analyst"), ("sql", sql), ("do", "run")]);
    assert_eq!(page.status, 200);
    // Support sees the address, the analyst has no such column.
    assert!(page.body.contains("<td>m***@example.com</td>"), "{}", page.body);
    assert!(page.body.contains("rewritten") && page.body.contains("42703"), "{}", page.body);
    let both = "SELECT id, email, tier FROM customers WHERE consented_at IS NULL OR id < 9";
    let both = both.replace("consented_at IS NULL OR ", "");
    let page = ask(&[("role", "support"), ("beside", "analyst"), ("sql", &both), ("do", "run")]);
    assert!(
        page.body.contains("m***@example.com")
            && page.body.contains("<td class=\"null\">NULL</td>")
    );
    assert!(page.body.contains("only rows where"), "{}", page.body);
    assert!(canary::find(page.body.as_bytes()).is_empty(), "{}", page.body);
    // Explaining needs no rows, so any role will do; running does.
    let page = ask(&[("role", "admin"), ("sql", "SELECT email FROM customers"), ("do", "explain")]);
    assert!(page.body.contains("as it came"), "{}", page.body);
    let page = ask(&[("role", "admin"), ("sql", "SELECT email FROM customers"), ("do", "run")]);
    assert!(page.body.contains("Rows are shown for your own roles only"), "{}", page.body);
    assert!(!page.body.contains("@example.com"));
    // The role of a detail is not that of the form, and a detail is one that the role has.
    for details in ["role=admin", "end_user=x\nrole=admin", "user=dba", "customer=7", "x"] {
        let fields = [("role", "support"), ("sql", sql), ("details", details), ("do", "run")];
        let page = ask(&fields);
        assert!(canary::find(page.body.as_bytes()).is_empty(), "{details}: {}", page.body);
    }
    for (sql, told) in [
        ("SELECT pg_read_file('/etc/passwd')", "refused"),
        ("SELECT 1; SELECT 2", "42601"),
        ("SELECT FROM WHERE", "42601"),
        ("SELECT generate_series(1, 1000)", "There are more; these are the first."),
        ("SELECT 1 WHERE false", "no rows"),
        ("SELECT 1/0", "22012"),
        ("COPY customers FROM STDIN", "refused"),
    ] {
        let page = ask(&[("role", "support"), ("sql", sql), ("do", "run")]);
        assert!(page.status == 200 && page.body.contains(told), "{sql}: {}", page.body);
        assert!(page.body.matches("<td>").count() <= 101, "{sql}");
    }
    let long = format!("SELECT '{}'", "x".repeat(40_000));
    assert_eq!(ask(&[("role", "support"), ("sql", &long), ("do", "run")]).status, 413);
    assert_eq!(ask(&[("role", "nobody"), ("sql", "SELECT 1"), ("do", "run")]).status, 400);
    own.wait("the records", || {
        own.audit().iter().any(|record| {
            record["application"] == "scrim console"
                && record["user"] == "metabase"
                && record["role"] == "analyst"
                && record["verdict"] == "rewrite"
        })
    });
    assert!(has_act(
        &own,
        &[("act", "try".into()), ("user", "metabase".into()), ("role", "support".into())]
    ));
    assert!(!has_act(&own, &[("act", "try".into()), ("role", "admin".into())]));
    // What is written does not stay, also for who may.
    let mut dba = Visitor::new(own.admin());
    dba.sign_in("dba");
    for sql in [
        "UPDATE customers SET tier = 'gone'",
        "COMMIT",
        "DELETE FROM orders",
        "CREATE TABLE made (i int)",
    ] {
        let page =
            dba.post("/console/playground", &[("role", "admin"), ("sql", sql), ("do", "run")]);
        assert_eq!(page.status, 200, "{sql}");
        assert!(page.body.contains("25006") || sql == "COMMIT", "{sql}: {}", page.body);
    }
    let mut direct = own.connect("dba");
    assert_eq!(value(&direct.simple("SELECT count(*) FROM customers WHERE tier = 'gone'")[0]), "0");
    assert_eq!(value(&direct.simple("SELECT count(*) > 0 FROM orders")[0]), "t");
    // Nothing of it is left in the roll.
    own.wait("their end", || !dba.get("/console/sessions").body.contains("scrim console</td>"));
    let mut looker = Visitor::new(own.admin());
    looker.sign_in("otto");
    assert!(!looker.get("/console/playground").body.contains("value=\"run\""));
    let page = looker
        .post("/console/playground", &[("role", "auditor"), ("sql", "SELECT 1"), ("do", "run")]);
    assert_eq!(page.status, 403);
    let page = looker.post(
        "/console/playground",
        &[("role", "support"), ("sql", "SELECT email FROM customers"), ("do", "explain")],
    );
    assert!(page.status == 200 && page.body.contains("Sent to PostgreSQL"), "{}", page.body);
}

#[test]
fn a_configuration_that_is_wrong_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scrim.yaml");
    let said = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        Config::load(Path::new(&file), &ProcessEnvironment).map(drop).map_err(|wrong| wrong.0)
    };
    let good = "admin: 127.0.0.1:6433\nconsole:\n  roles: {auditor: [look], operator: [try, end_sessions]}\n  \
                session_minutes: 10\n  session_hours: 4\n  origins: [\"https://scrim.example.com\"]\n";
    assert_eq!(said(good), Ok(()));
    assert_eq!(
        said(&good.replace("127.0.0.1", "[::1]").replace("[::1]:6433", "\"[::1]:6433\"")),
        Ok(())
    );
    for (text, told) in [
        ("console: {roles: {auditor: [look]}}\n".to_owned(), "there is none"),
        (good.replace("127.0.0.1", "0.0.0.0"), "without TLS"),
        (good.replace("127.0.0.1", "10.0.0.1"), "without TLS"),
        (
            "admin: 127.0.0.1:6433\nconsole: {session_minutes: 3}\n".to_owned(),
            "`console` needs `roles`",
        ),
        ("admin: 127.0.0.1:6433\nconsole: {roles: {}}\n".to_owned(), "nobody may use"),
        (good.replace("[look]", "[]"), "may do nothing"),
        (good.replace("[look]", "[lok]"), "lok"),
        (good.replace("session_minutes", "session_minute"), "session_minute"),
        (good.replace("10\n", "0\n"), "0"),
        (good.replace("https://scrim", "http://scrim"), "no origin"),
    ] {
        let wrong = said(&text).expect_err(&text);
        assert!(wrong.contains(told), "{told} in {wrong}");
    }
    // Roles are those of the rules.
    let desk = crate::harness::rules_folder(&[]);
    let file = desk.path().join("scrim.yaml");
    let text = std::fs::read_to_string(&file).expect("configuration");
    std::fs::write(
        &file,
        format!("{text}admin: 127.0.0.1:0\nconsole: {{roles: {{auditer: [look]}}}}\n"),
    )
    .expect("written");
    let config = Config::load(&file, &ProcessEnvironment).expect("a configuration");
    let (rules, _) = scrim::config::load_rules(&config.rules, &ProcessEnvironment).expect("rules");
    let wrong = config.judge(&rules);
    assert!(wrong.len() == 1 && wrong[0].message.contains("auditer"), "{wrong:?}");
    assert!(wrong[0].help.as_ref().is_some_and(|help| help.contains("`auditor`")));
}
