//! Who saw one row, asked in the console.

use serde_json::Value;

use super::http::{Page, Visitor};
use super::{acts, has_act, judge};
use crate::canary;
use crate::harness::own::Own;

pub const PATH: &str = "/console/report/row";

/// From now on rows that support is shown are on record.
pub fn put_rows_on_record(own: &Own) {
    let version = own.version();
    let line = "  support:\n    description";
    own.edit(
        "40-roles.yaml",
        line,
        &line.replace("description", "audit_rows: true\n    description"),
    );
    own.wait_for_other_rules(&version);
}

fn ask(visitor: &mut Visitor, relation: &str, key: &str, more: &[(&str, &str)]) -> Page {
    let fields = [&[("relation", relation), ("key", key)], more].concat();
    let page = visitor.post(PATH, &fields);
    judge(PATH, &page);
    assert!(canary::find(page.body.as_bytes()).is_empty(), "{}", page.body);
    page
}

fn text(page: &Page) -> String {
    page.body.replace("&quot;", "\"").replace("&#39;", "'")
}

/// Of a Scrim at which alice has read customers while no role had its rows on record.
pub fn a_row(own: &Own) {
    let mut dba = Visitor::new(own.admin());
    dba.sign_in("dba");
    assert!(dba.get("/console/report").body.contains(PATH));
    let form = dba.get(PATH);
    judge(PATH, &form);
    assert!(form.body.contains("<option value=\"public.customers\">"), "{}", form.body);
    own.wait("what alice read", || {
        let page = ask(&mut dba, "public.customers", "3", &[]);
        assert_eq!(page.status, 200, "{}", page.body);
        let all =
            ["nothing is on record because no role has", "the role has no `audit_rows`", "alice"];
        all.iter().all(|part| page.body.contains(part))
    });
    put_rows_on_record(own);
    let mut alice = own.connect("alice");
    alice.simple("SET scrim.purpose = '<b>callback</b>'");
    alice.simple("SELECT id, name, email FROM customers WHERE id = 3");
    drop(alice);
    own.wait("what alice was shown", || {
        let page = ask(&mut dba, "public.customers", "003", &[]);
        page.body.contains("email: email") && page.body.contains("&lt;b&gt;callback&lt;/b&gt;")
    });
    dba.headers = vec![("Accept-Language".to_owned(), "ko".to_owned())];
    let page = ask(&mut dba, "public.customers", "3", &[]);
    for part in ["보았을 수도 있는 것", "행의 키가 클라이언트로 나갔습니다", "email: email"]
    {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    assert!(!page.body.contains("Possibly seen"), "{}", page.body);
    dba.headers.clear();
    // Another row, another time, another user: the reading of before is a possible one, and no more.
    for (key, more, is_possible) in [
        ("4", &[][..], true),
        ("3", &[("since", "2100-01-01")], false),
        ("3", &[("user", "ana")], false),
    ] {
        let page = ask(&mut dba, "public.customers", key, more);
        assert!(!page.body.contains("callback"), "{key} {more:?}: {}", page.body);
        assert_eq!(page.body.contains("alice"), is_possible, "{key} {more:?}: {}", page.body);
    }
    what_names_no_row(&mut dba);
    who_may(own, &mut dba);
}

fn what_names_no_row(dba: &mut Visitor) {
    let long = "1".repeat(1001);
    let evil = "\"><script>alert(1)</script>";
    for (relation, key, english, korean) in [
        ("", "", "names no row", "행의 이름이 아닙니다"),
        ("customers", "1", "needs its schema", "릴레이션의 이름이 아닙니다"),
        ("pg_catalog.pg_class", "1", "is no name of a relation", "릴레이션의 이름이 아닙니다"),
        ("public.custmers", "1", "did you mean `public.customers`?", "혹시 `public.customers`?"),
        ("public.unlisted", "1", "has no primary key", "기본 키가 없습니다"),
        ("public.customer_contacts", "1", "a table that it reads", "이 뷰가 읽는 테이블"),
        ("public.customers", "abc", "`abc` is no value of `id`", "`id`의 값이 될 수 없습니다"),
        ("public.customers", "3 OR 1=1", "is no value of `id`", "`id`의 값이 될 수 없습니다"),
        ("public.customers", evil, "alert(1)", "alert(1)"),
        (evil, "1", "is no name of a relation", "릴레이션의 이름이 아닙니다"),
        ("public.order_items", "1", "1 of its 2 values is given", "값 2개 가운데"),
        ("public.order_items", "1,2,3", "3 of its 2 values are given", "3개가 적혀"),
        ("public.customers", long.as_str(), "is too long", "너무 깁니다"),
    ] {
        for (language, words) in [("en", english), ("ko", korean)] {
            dba.headers = vec![("Accept-Language".to_owned(), language.to_owned())];
            let page = ask(dba, relation, key, &[]);
            assert_eq!(page.status, 400, "{relation}:{key}");
            assert!(text(&page).contains(words), "{words} in {}", page.body);
            assert!(!page.body.contains("<script>alert"), "{}", page.body);
            // What was typed is still there, and said to be wrong.
            assert_eq!(page.body.matches("aria-invalid=\"true\"").count(), 2, "{}", page.body);
            assert!(
                text(&page).contains(&format!(
                    "name=\"relation\" list=\"relations\" value=\"{}\"",
                    relation.replace('<', "&lt;").replace('>', "&gt;")
                )),
                "{}",
                page.body
            );
        }
    }
    dba.headers.clear();
    for more in [("since", "soon"), ("timezone", "Moon"), ("until", "<script>")] {
        let page = ask(dba, "public.customers", "3", &[more]);
        assert_eq!(page.status, 400, "{more:?}: {}", page.body);
    }
}

fn who_may(own: &Own, dba: &mut Visitor) {
    // In an address there is no question.
    let page = dba.get(&format!("{PATH}?relation=public.customers&key=3"));
    assert!(page.status == 200 && !page.body.contains("id=\"answer\""), "{}", page.body);
    let mut foreign = dba.clone();
    foreign.headers = vec![("Sec-Fetch-Site".to_owned(), "cross-site".to_owned())];
    assert_eq!(foreign.post(PATH, &[("relation", "public.customers"), ("key", "5")]).status, 403);
    // Who may look, and no more.
    let mut otto = Visitor::new(own.admin());
    otto.sign_in("otto");
    assert!(!otto.get("/console/report?make=1").body.contains(PATH));
    assert_eq!(otto.get(PATH).status, 403);
    assert_eq!(ask(&mut otto, "public.customers", "6", &[]).status, 403);
    let shown = || Value::from("public.customers:3");
    for (user, act, refused, row) in [
        ("dba", "trace", Value::Null, shown()),
        ("dba", "trace", "no_such_row".into(), Value::Null),
        ("otto", "trace", "not_allowed".into(), Value::Null),
        ("otto", "report", Value::Null, Value::Null),
    ] {
        let expected =
            [("user", user.into()), ("act", act.into()), ("refused", refused), ("row", row)];
        own.wait("the record", || has_act(own, &expected));
    }
    for act in acts(own) {
        for typed in ["script", "custmers", "customers:5", "customers:6"] {
            assert!(!act.to_string().contains(typed), "{typed} in {act}");
        }
    }
}
