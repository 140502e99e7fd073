//! Grants in the console: the rules of `scrim grant`, by the person signed in.

use std::path::Path;
use std::process::Command;

use scrim::demo::sample_password;
use serde_json::Value;

use super::http::Visitor;
use super::{acts, has_act};
use crate::harness::client::Client;
use crate::harness::own::{Own, value};
use crate::harness::{sample_verifier, say};

const CONSOLE: &str = "grants: {store: grants.db}\nconsole:\n  roles:\n    auditor: [look]\n    helper: [grant]\n    lead: [look, grant]\n";

fn rules() -> String {
    let verifier = sample_verifier();
    format!(
        r#"
roles:
  helper:
    extends: support
    grants: {{may: [contact], longest: 1h, approvers: [lead], break_glass: true}}
  lead:
    extends: support
users:
  hana: {{role: helper, password: "{verifier}"}}
  lea: {{role: lead, password: "{verifier}"}}
  lars: {{roles: [lead, helper], password: "{verifier}"}}
"#
    )
}

fn own() -> Own {
    own_with(&rules())
}

fn own_with(rules: &str) -> Own {
    let own = Own::open_changed(|desk, text| {
        let file = desk.folder().join("masking-rules/60-grants.yaml");
        std::fs::write(file, rules).expect("rules");
        text + CONSOLE
    });
    own.wait("the catalog", || own.readiness().0 == 200);
    own
}

fn visitor(own: &Own, user: &str, password_of: &str) -> Visitor {
    let mut visitor = Visitor::new(own.admin());
    let page = visitor.sign_in_as(user, &sample_password(password_of));
    assert_eq!(page.status, 303, "{}", page.body);
    visitor
}

const FIRST: [(&str, &str); 7] = [
    ("user", "hana"),
    ("masks", "contact.phone=clear\r\n"),
    ("table", "public.customers"),
    ("rows", "id = 1"),
    ("for", "30m"),
    ("because", "T-123 <b>"),
    ("role", ""),
];

fn changed(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    FIRST.into_iter().map(|(known, old)| (known, if known == name { value } else { old })).collect()
}

fn for_lars() -> Vec<(&'static str, &'static str)> {
    let fields = changed("user", "lars").into_iter();
    fields.map(|(name, old)| (name, if name == "role" { "helper" } else { old })).collect()
}

/// What hana sees of the first customer.
fn phone(own: &Own) -> String {
    let password = sample_password("alice");
    let client = Client::connect(own.address(), "hana", &password, "desk", &[]);
    let mut client = client.unwrap_or_else(|error| panic!("{error:?}"));
    value(&client.simple("SELECT phone FROM customers WHERE id = 1")[0])
}

#[test]
fn a_grant_goes_from_request_to_its_end() {
    let own = own();
    let mut hana = visitor(&own, "hana", "alice");
    let page = hana.get("/console/grants");
    assert!(page.status == 200 && page.body.contains("Ask for a grant"), "{}", page.body);
    let masked = phone(&own);
    let asked = hana.post("/console/grants/ask", &FIRST);
    assert_eq!((asked.status, asked.location()), (303, "/console/grants?done=1"), "{}", asked.body);
    let page = hana.get("/console/grants?done=1");
    for part in ["asked for", "T-123 &lt;b&gt;", "public.customers.phone", "Done: grant 1"] {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    // Four eyes: hana is offered to take it back, and nothing else; and neither she nor who asked decides.
    assert!(page.body.contains("value=\"revoke\"") && !page.body.contains("value=\"approve\""));
    for act in ["approve", "reject"] {
        let page = hana.post("/console/grants/decide", &[("number", "1"), ("act", act)]);
        assert_eq!(page.status, 409, "{}", page.body);
        assert!(page.body.contains("another person has to decide"), "{}", page.body);
    }
    // Who may look sees it, and may not act; nor may who has no right here at all.
    let mut otto = visitor(&own, "otto", "otto");
    let page = otto.get("/console/grants");
    assert!(
        page.body.contains("T-123") && !page.body.contains("/console/grants/"),
        "{}",
        page.body
    );
    let denied = otto.post("/console/grants/decide", &[("number", "1"), ("act", "approve")]);
    assert_eq!(denied.status, 403);
    assert_eq!(otto.post("/console/grants/ask", &FIRST).status, 403);
    assert_eq!(phone(&own), masked);
    let mut lea = visitor(&own, "lea", "alice");
    assert!(lea.get("/console/grants").body.contains("value=\"approve\""));
    let approved = lea.post("/console/grants/decide", &[("number", "1"), ("act", "approve")]);
    assert_eq!(approved.location(), "/console/grants?done=1", "{}", approved.body);
    own.wait("the grant", || own.figure("scrim_grants_in_force") == 1.0);
    assert_ne!(phone(&own), masked);
    // Once is enough.
    let again = lea.post("/console/grants/decide", &[("number", "1"), ("act", "approve")]);
    assert!(again.status == 409 && again.body.contains("nothing to decide"), "{}", again.body);
    let ended = hana.post("/console/grants/decide", &[("number", "1"), ("act", "revoke")]);
    assert_eq!(ended.status, 303, "{}", ended.body);
    own.wait("its end", || own.figure("scrim_grants_in_force") == 0.0);
    assert_eq!(phone(&own), masked);
    let page = lea.get("/console/grants");
    assert!(page.body.contains("taken back"), "{}", page.body);
    own.wait("the records", || {
        own.audit().iter().filter(|one| one["event"] == "grant").count() == 3
    });
    let one = || Value::from(1);
    for (user, act, refused, grant) in [
        ("hana", "ask_grant", Value::Null, Value::Null),
        ("hana", "approve_grant", "by_the_rules".into(), one()),
        ("otto", "approve_grant", "not_allowed".into(), one()),
        ("otto", "ask_grant", "not_allowed".into(), Value::Null),
        ("lea", "approve_grant", Value::Null, one()),
        ("lea", "approve_grant", "by_the_rules".into(), one()),
        ("hana", "revoke_grant", Value::Null, one()),
    ] {
        let expected =
            [("user", user.into()), ("act", act.into()), ("refused", refused), ("grant", grant)];
        assert!(has_act(&own, &expected), "{expected:?} in {:?}", acts(&own));
    }
    the_glass(&own, [&mut hana, &mut lea, &mut otto], &masked);
}

const GLASS: &str = "/console/grants/break-glass";

/// What hana would send, with one field otherwise.
fn broken(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields = changed(name, value);
    fields.extend([("glass", "1"), ("aware", if name == "aware" { value } else { "1" })]);
    fields
}

/// Broken by whoever needs it, where the rules have it, and heard.
fn the_glass(own: &Own, [hana, lea, otto]: [&mut Visitor; 3], masked: &str) {
    let page = hana.get("/console/grants").body;
    assert!(page.contains(GLASS) && page.contains("an alarm goes to whoever watches"), "{page}");
    // Lea may decide, and has no role with it.
    for visitor in [&mut *lea, &mut *otto] {
        assert!(!visitor.get("/console/grants").body.contains(GLASS));
    }
    for (fields, words) in [
        (broken("aware", ""), "that you know of the alarm"),
        (broken("aware", "on"), "that you know of the alarm"),
        (broken("because", ""), "needs a reason"),
        (broken("because", " \t "), "needs a reason"),
        (broken("for", "2h"), "lasts 3600 seconds at most"),
        (broken("masks", "identity=clear"), "may not be granted `identity`"),
        (broken("rows", "email = 'x'"), "is not clear for role `helper`"),
        (broken("role", "lead"), "has no role `lead`"),
    ] {
        let page = hana.post(GLASS, &fields);
        assert_eq!(page.status, 409, "{words}: {}", page.body);
        assert!(page.body.replace("&#39;", "'").contains(words), "{words} in {}", page.body);
        // Typed into this form, and still in this one alone.
        assert_eq!(page.body.matches("value=\"public.customers\"").count(), 1, "{}", page.body);
    }
    let page = lea.post(GLASS, &broken("user", "hana"));
    assert!(page.status == 409 && page.body.contains("role `lead` can be granted nothing"));
    assert_eq!(otto.post(GLASS, &broken("", "")).status, 403);
    let mut foreign = hana.clone();
    foreign.headers = vec![("Sec-Fetch-Site".to_owned(), "cross-site".to_owned())];
    assert_eq!(foreign.post(GLASS, &broken("", "")).status, 403);
    assert_eq!(hana.get(GLASS).status, 404);
    let grants = || own.audit().into_iter().filter(|one| one["event"] == "grant");
    assert_eq!((grants().count(), phone(own).as_str()), (3, masked), "nothing came of it");
    // For oneself, whomever a form names.
    let done = hana.post(GLASS, &broken("user", "lars"));
    assert_eq!((done.status, done.location()), (303, "/console/grants?done=2"), "{}", done.body);
    own.wait("the record", || grants().count() == 4);
    let record = grants().next_back().expect("a record");
    for (name, value) in [
        ("action", "break_glass"),
        ("by", "hana"),
        ("user", "hana"),
        ("role", "helper"),
        ("because", "T-123 <b>"),
    ] {
        assert_eq!(record[name], value, "{name} in {record}");
    }
    own.wait("the alarm", || own.figure("scrim_break_glass_total") == 1.0);
    assert!(own.said().contains("ALARM: a user has broken the glass"), "{}", own.said());
    own.wait("the grant", || own.figure("scrim_grants_in_force") == 1.0);
    assert_ne!(phone(own), masked);
    assert!(lea.get("/console/grants").body.contains("<strong>BREAK-GLASS</strong>"));
    let ended = lea.post("/console/grants/decide", &[("number", "2"), ("act", "revoke")]);
    assert_eq!(ended.status, 303, "{}", ended.body);
    for (user, refused) in
        [("hana", Value::Null), ("lea", "by_the_rules".into()), ("otto", "not_allowed".into())]
    {
        let expected = [("user", user.into()), ("act", "break_glass".into()), ("refused", refused)];
        assert!(has_act(own, &expected), "{expected:?} in {:?}", acts(own));
    }
}

#[test]
fn what_the_rules_do_not_allow_is_refused_with_their_words() {
    let own = own();
    let mut hana = visitor(&own, "hana", "alice");
    for (fields, words) in [
        (changed("masks", "identity=clear"), "may not be granted `identity`"),
        (changed("masks", "contact.phone"), "is no TAG=MASK"),
        (changed("for", "2h"), "lasts 3600 seconds at most"),
        (changed("for", "soon"), "is no time"),
        (changed("because", ""), "needs a reason"),
        (changed("rows", ""), "needs rows"),
        (changed("rows", "id = -1"), "no row fulfils the condition"),
        (changed("rows", "email = 'x'"), "is not clear for role `helper`"),
        (changed("rows", "1 / (id - 1) > 0"), "cannot be computed for every row"),
        (changed("rows", "id = 1); DROP TABLE customers; --"), "It was not done"),
        (changed("user", "lea"), "role `lead` can be granted nothing"),
        (for_lars(), "may not ask for user `lars`"),
        (changed("user", "nobody"), "there is no user `nobody`"),
        (changed("table", "public.nothing"), "there is no table `public.nothing`"),
        (changed("role", "lead"), "has no role `lead`"),
    ] {
        let page = hana.post("/console/grants/ask", &fields);
        assert_eq!(page.status, 409, "{words}: {}", page.body);
        let body = page.body.replace("&#39;", "'").replace("&quot;", "\"");
        assert!(body.contains(words), "{words} in {body}");
        // What was typed is still there.
        assert!(body.contains("value=\"public.customers\"") || words.contains("public.nothing"));
    }
    for (fields, status) in [
        (&[("number", "7"), ("act", "approve")][..], 409),
        (&[("number", "x"), ("act", "approve")], 400),
        (&[("number", "1"), ("act", "destroy")], 400),
        (&[], 400),
    ] {
        assert_eq!(hana.post("/console/grants/decide", fields).status, status, "{fields:?}");
    }
    // A page of another site cannot ask, and nothing came of any of this.
    let mut foreign = hana.clone();
    foreign.headers = vec![("Sec-Fetch-Site".to_owned(), "cross-site".to_owned())];
    assert_eq!(foreign.post("/console/grants/ask", &FIRST).status, 403);
    let page = hana.get("/console/grants");
    assert_eq!(page.body.matches("There is none.").count(), 2, "{}", page.body);
    assert!(own.audit().iter().all(|record| record["event"] != "grant"));
    // Lars may decide and has the role himself: not about his own.
    let mut lars = visitor(&own, "lars", "alice");
    assert_eq!(lars.post("/console/grants/ask", &for_lars()).status, 303);
    assert_eq!(
        lars.post("/console/grants/decide", &[("number", "1"), ("act", "approve")]).status,
        409
    );
    // Without a store there is a page that says so.
    let without = Own::open("console:\n  roles: {auditor: [grant]}\n");
    without.wait("the catalog", || without.readiness().0 == 200);
    let mut otto = visitor(&without, "otto", "otto");
    assert!(otto.get("/console/grants").body.contains("No grants are kept"));
    assert_eq!(otto.post("/console/grants/ask", &FIRST).status, 404);
}

/// By headless Chromium: asked for by one, agreed to by another, in force, and over. Pictures are left in `target/console`.
#[test]
fn a_browser_asks_and_agrees() {
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !is_there("chromedriver") || !is_there("python3") {
        return say("skipped: the console in a browser needs chromium, chromium-driver and Python");
    }
    let own = own();
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/console/granting.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(format!("http://{}", own.admin())).arg(&pictures);
    let output = python.arg(sample_password("alice")).output().expect("Python");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    own.wait("the records", || {
        let grants = own.audit().into_iter().filter(|one| one["event"] == "grant");
        let actions: Vec<Value> = grants.map(|one| one["action"].clone()).collect();
        actions == ["asked", "approved", "revoked", "break_glass"]
    });
}

#[test]
fn the_page_of_rules_tells_of_grants_that_come_to_nothing() {
    let rules = rules()
        .replace("may: [contact]", "may: [contact, contact.phnoe]")
        .replace("approvers: [lead]", "approvers: [lead, spare]")
        .replace("  lead:\n", "  spare:\n    extends: support\n  lead:\n");
    let own = own_with(&rules);
    let page = visitor(&own, "lea", "alice").get("/console/rules").body;
    for part in [
        "no user has the role `spare`, so nobody agrees by it",
        "no column has the tag `contact.phnoe`, so nothing is opened by it",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }
}
