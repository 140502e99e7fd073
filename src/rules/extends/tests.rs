use crate::rules::{MaskSpec, NoEnvironment, RuleSet, TagPattern, load};
use crate::text::{Diagnostic, Sources};

fn read(text: &str) -> Result<(RuleSet, Vec<Diagnostic>), Vec<String>> {
    let mut sources = Sources::default();
    sources.add("roles.yaml", text);
    load(sources, &NoEnvironment)
        .map_err(|(_, found)| found.into_iter().map(|found| found.message).collect())
}

const FAMILY: &str = "
roles:
  far:
    may: [read, explain]
    masks: {\"*\": redact, contact: email, contact.phone: phone}
    rows: {public.a: x > 1, public.b: y}
    functions: [public.f]
    limits: {rows: 10, statement_seconds: 5}
    purposes: [p]
    database_user: {user: far}
  middle:
    extends: far
  near:
    extends: middle
    masks: {contact.*: clear, person: hide}
    rows: {public.A: x > 2}
    functions: []
    limits: {rows: 20}
";

#[test]
fn nearer_lines_win_and_the_rest_is_inherited() {
    let (rules, _) = read(FAMILY).unwrap();
    let near = &rules.roles["near"];
    let masks: Vec<_> =
        near.masks.iter().map(|rule| (rule.pattern.clone(), rule.mask.label())).collect();
    let prefix = |text: &str| TagPattern::Prefix(text.into());
    assert_eq!(masks.len(), 4);
    assert!(masks.contains(&(prefix("contact"), "clear".into())));
    assert!(masks.contains(&(prefix("contact.phone"), "phone".into())));
    assert!(masks.contains(&(TagPattern::Rest, "redact".into())));
    let filters: Vec<_> = near.rows.values().map(|rule| rule.filter.text.as_str()).collect();
    assert_eq!(filters, ["x > 2", "y"]);
    assert!(near.functions.is_empty() && near.may.explain && near.may.read);
    assert_eq!((near.limits.rows, near.limits.statement_seconds), (Some(20), Some(5)));
    assert_eq!(near.purposes, ["p"]);
    assert_eq!(near.database_user.as_ref().unwrap().user, "far");
    assert_eq!(rules.roles["middle"].functions.len(), 1);
}

#[test]
fn a_role_that_says_nothing_reads_and_sees_nothing_clear() {
    let (rules, _) = read("roles: {a: }").unwrap();
    let role = &rules.roles["a"];
    assert!(role.may.read && !role.may.everything && role.masks.is_empty());
    assert!(!role.is_untouched());
}

#[test]
fn a_circle_is_told_once_and_where_it_stands() {
    let found = read(
        "roles: {d: {extends: a}, a: {extends: b}, b: {extends: c}, c: {extends: a}, \
         e: {extends: e}}",
    );
    assert_eq!(
        found.unwrap_err(),
        [
            "roles extend each other in a circle: `a` → `b` → `c` → `a`",
            "roles extend each other in a circle: `e` → `e`",
        ]
    );
}

#[test]
fn only_who_sees_everything_and_may_everything_is_untouched() {
    let role = |lines: &str| {
        let text = format!("roles:\n  up: {{rows: {{public.a: x}}}}\n  r: {{{lines}}}\n");
        read(&text).unwrap().0.roles["r"].is_untouched()
    };
    assert!(role("may: [everything], masks: {\"*\": clear}"));
    assert!(role("may: [everything], masks: {\"*\": clear, a: clear}"));
    for lines in [
        "may: [everything]",
        "may: [everything], masks: {a: clear}",
        "may: [everything], masks: {\"*\": clear, a: hide}",
        "may: [everything], masks: {\"*\": {when: x, then: clear, else: clear}}",
        "may: [everything], masks: {\"*\": {sql: \"{}\"}}",
        "may: [everything], masks: {\"*\": clear}, extends: up",
        "may: [everything], masks: {\"*\": clear}, rows: {public.a: \"true\"}",
        "may: [read, write, explain, temp_tables], masks: {\"*\": clear}",
        "masks: {\"*\": clear}",
    ] {
        assert!(!role(lines), "{lines}");
    }
}

#[test]
fn what_would_not_be_kept_is_refused() {
    let untouched = "may: [everything], masks: {\"*\": clear}";
    for (lines, what) in [
        ("limits: {rows: 1}", "`limits`"),
        ("purposes: [x]", "`purposes`"),
        ("audit_rows: true", "`audit_rows`"),
    ] {
        let found = read(&format!("roles: {{r: {{{untouched}, {lines}}}}}")).unwrap_err();
        assert!(found.len() == 1 && found[0].contains(what), "{found:?}");
    }
    for lines in ["purposes: []", "audit_rows: false"] {
        assert!(read(&format!("roles: {{r: {{{untouched}, {lines}}}}}")).is_ok());
    }
}

#[test]
fn conditions_of_masks_are_kept_as_written() {
    let (rules, _) =
        read("roles: {r: {masks: {a: {else: hide, then: clear, when: b > 1}}}}").unwrap();
    let MaskSpec::When { condition, .. } = &rules.roles["r"].masks[0].mask else {
        panic!("a mask by row")
    };
    assert_eq!(condition.text, "b > 1");
}

#[test]
fn rows_on_record_are_inherited_until_a_nearer_role_says_otherwise() {
    let (rules, _) = read(
        "roles: {a: {audit_rows: true}, b: {extends: a}, c: {extends: b, audit_rows: false}, d: {}}",
    )
    .unwrap();
    let is_so = |name: &str| rules.roles[name].audit_rows;
    assert_eq!([is_so("a"), is_so("b"), is_so("c"), is_so("d")], [true, true, false, false]);
}
