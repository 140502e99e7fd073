//! Who may do what, and what of a grant counts by other rules.

use super::*;
use crate::grants::{LAPSES_AFTER_MS, Rows};
use crate::rules::{NoEnvironment, load};
use crate::text::Sources;

const RULES: &str = "
roles:
  helper:
    may: [read]
    masks: {\"*\": redact}
    grants: {may: [contact], longest: 1h, approvers: [lead], break_glass: true}
  lead:
    may: [read]
    masks: {\"*\": redact}
  free:
    may: [read]
    masks: {\"*\": redact}
    grants: {may: [contact.phone], longest: 1h, approval: none, whole_columns: true}
";

fn rules_of(roles: &str) -> RuleSet {
    let verifier = postgres_protocol::password::scram_sha_256(b"x");
    let user = |name: &str, roles: &str| {
        format!("  {name}: {{roles: [{roles}], password: \"{verifier}\"}}\n")
    };
    let users = [("hana", "helper"), ("hugo", "helper"), ("lea", "lead"), ("lars", "lead, helper")];
    let users: String = users.iter().map(|(name, roles)| user(name, roles)).collect();
    let mut sources = Sources::default();
    sources.add("rules.yaml".to_owned(), format!("{roles}users:\n{users}{}", user("fred", "free")));
    load(sources, &NoEnvironment).unwrap_or_else(|(_, found)| panic!("{found:?}")).0
}

fn wish(user: &str, role: &str) -> Wish {
    Wish {
        database: "desk".into(),
        user: user.into(),
        role: role.into(),
        masks: vec![("contact.phone".into(), "clear".into())],
        table: Some("public.customers".into()),
        rows: Some(Rows {
            condition: "id = 42".into(),
            key: vec!["id".into()],
            keys: vec![vec!["42".into()]],
        }),
        widens: false,
        seconds: 1800,
        because: "T-123".into(),
        columns: vec!["public.customers.phone".into()],
    }
}

fn asked(by: &str, how: How, rules: &RuleSet) -> Result<Grant, String> {
    ask(wish("hana", "helper"), &rules.user(by).expect("a user"), how, rules, 1000)
}

#[test]
fn a_grant_lives_from_the_decision_on() {
    let rules = rules_of(RULES);
    let lea = rules.user("lea").expect("lea");
    let grant = asked("hana", How::Ask, &rules).expect("asked");
    assert!(grant.opening(&rules, 1000).is_err());
    let grant = approve(grant, &lea, &rules, 5000).expect("approved");
    assert_eq!(grant.until, Some(5000 + 1_800_000));
    assert_eq!(grant.opening(&rules, 5000).map(|opening| opening.grant), Ok(0));
    assert!(grant.opening(&rules, 5000 + 1_799_999).is_ok());
    assert!(grant.opening(&rules, 5000 + 1_800_000).is_err());
    let revoked = revoke(grant, &lea, &rules, 6000).expect("revoked");
    assert!(revoked.opening(&rules, 6000).is_err());
    assert!(revoke(revoked, &lea, &rules, 7000).is_err());
}

#[test]
fn rows_are_some_and_not_too_many() {
    let rules = rules_of(RULES);
    let hana = rules.user("hana").expect("hana");
    let of = |count: usize| {
        let keys = (0..count).map(|key| vec![key.to_string()]).collect();
        let rows = Rows { condition: "true".into(), key: vec!["id".into()], keys };
        Wish { rows: Some(rows), ..wish("hana", "helper") }
    };
    for (count, is_taken) in [(0, false), (1, true), (KEYS_MAX, true), (KEYS_MAX + 1, false)] {
        let asked = ask(of(count), &hana, How::Ask, &rules, 0);
        assert_eq!(asked.is_ok(), is_taken, "{count}");
    }
}

#[test]
fn nobody_waits_for_ever() {
    let rules = rules_of(RULES);
    let lea = rules.user("lea").expect("lea");
    let grant = asked("hana", How::Ask, &rules).expect("asked");
    assert!(approve(grant.clone(), &lea, &rules, 1000 + LAPSES_AFTER_MS).is_ok());
    let late = approve(grant, &lea, &rules, 1001 + LAPSES_AFTER_MS);
    assert!(late.is_err_and(|why| why.contains("lapsed")));
}

#[test]
fn other_rules_end_what_they_would_not_allow() {
    let rules = rules_of(RULES);
    let lea = rules.user("lea").expect("lea");
    let grant = asked("hana", How::Ask, &rules).expect("asked");
    let grant = approve(grant, &lea, &rules, 1000).expect("approved");
    let glass = asked("hana", How::BreakGlass, &rules).expect("broken");
    for (from, to, counts, glass_counts) in [
        ("longest: 1h", "longest: 2h", true, true),
        ("longest: 1h", "longest: 10m", false, false),
        ("may: [contact]", "may: [identity]", false, false),
        ("may: [contact]", "may: [contact.phone]", true, true),
        ("may: [contact]", "may: [contact.phone.home]", false, false),
        ("approvers: [lead]", "approvers: [helper]", false, true),
        (", break_glass: true", "", true, false),
        (
            "    grants: {may: [contact], longest: 1h, approvers: [lead], break_glass: true}\n",
            "",
            false,
            false,
        ),
    ] {
        assert!(RULES.contains(from), "{from}");
        let newer = rules_of(&RULES.replace(from, to));
        assert_eq!(grant.opening(&newer, 2000).is_ok(), counts, "{from} → {to}");
        assert_eq!(glass.opening(&newer, 2000).is_ok(), glass_counts, "{from} → {to}");
    }
}

#[test]
fn a_grant_that_somebody_has_written_himself_does_not_count() {
    let rules = rules_of(RULES);
    let lea = rules.user("lea").expect("lea");
    let good = asked("hana", How::Ask, &rules).expect("asked");
    let good = approve(good, &lea, &rules, 1000).expect("approved");
    assert!(good.opening(&rules, 2000).is_ok());
    let by = |name: &str| Grant { decided_by: Some(name.into()), ..good.clone() };
    for (what, grant) in [
        ("by oneself", by("hana")),
        ("by who may not", by("hugo")),
        ("by nobody", Grant { decided_by: None, ..good.clone() }),
        ("by who asked", Grant { asked_by: "lea".into(), ..good.clone() }),
        ("longer", Grant { until: Some(i64::MAX), ..good.clone() }),
        ("never decided", Grant { decided_at: None, ..good.clone() }),
        ("glass for another", Grant { break_glass: true, asked_by: "lea".into(), ..good.clone() }),
        ("no rows", Grant { wish: Wish { rows: None, ..wish("hana", "helper") }, ..good.clone() }),
        (
            "widened",
            Grant { wish: Wish { widens: true, ..wish("hana", "helper") }, ..good.clone() },
        ),
        ("another role", Grant { wish: wish("hana", "lead"), ..good.clone() }),
    ] {
        assert!(grant.opening(&rules, 2000).is_err(), "{what}");
    }
}

#[test]
fn without_approval_only_what_the_rules_name() {
    let rules = rules_of(RULES);
    let fred = rules.user("fred").expect("fred");
    let grant = ask(wish("fred", "free"), &fred, How::Ask, &rules, 0).expect("in force");
    assert!(grant.is_in_force(1) && grant.opening(&rules, 1).is_ok());
    assert!(ask(wish("fred", "free"), &fred, How::BreakGlass, &rules, 0).is_err());
    let wide = Wish { masks: vec![("contact".into(), "clear".into())], ..wish("fred", "free") };
    assert!(ask(wide, &fred, How::Ask, &rules, 0).is_err());
    let hana = rules.user("hana").expect("hana");
    assert!(ask(wish("fred", "free"), &hana, How::Ask, &rules, 0).is_err());
}
