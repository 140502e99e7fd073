//! A plan that is kept is the plan that would be made.

use proptest::prelude::*;

use super::*;
use crate::session::planning::plan_now;
use crate::session::settings::{Settings, Values};
use crate::sql::lifting::lift;
use crate::sql::tests::{RULES, view_with};

/// Of which some have an effect, some are refused, and some mean another thing to each of the sessions below.
const TEXTS: &[&str] = &[
    "SELECT email FROM customers WHERE id = 17",
    "SELECT email FROM customers WHERE id = 18",
    "SELECT email FROM customers WHERE id = 19",
    "SELECT email FROM customers WHERE id = 5 AND name = 'Kim' LIMIT 1",
    "SELECT email FROM customers WHERE id = 6 AND name = 'O Brien' LIMIT 2",
    "SELECT email FROM customers WHERE id = 7 AND name = 'scrim lifts 00' LIMIT 3",
    "SELECT 1, email FROM customers WHERE id = 8 ORDER BY 1",
    "SELECT 2, email FROM customers WHERE id = 9 ORDER BY 2",
    "SELECT 2, email FROM customers WHERE id = 10 ORDER BY 2",
    "SELECT email FROM public.customers",
    "SELECT title FROM products; SELECT name FROM customers",
    "SELECT ssn FROM customers",
    "SELECT * FROM scratch",
    "SELECT current_user",
    "SHOW scrim.user",
    "SHOW scrim.masks",
    "SET search_path TO catalog",
    "SET search_path TO catalog; SELECT email FROM customers",
    "BEGIN",
    "PREPARE p AS SELECT email FROM customers",
    "DECLARE c CURSOR FOR SELECT email FROM customers",
    "UPDATE customers SET name = 'Kim' WHERE id = 17",
    "UPDATE customers SET name = 'Lee' WHERE id = 18",
    "UPDATE customers SET name = 'current_user' WHERE id = 19",
    "UPDATE customers SET name = 'scrim lifts 00' WHERE id = 20",
    "UPDATE customers SET name = 'scrim$row' WHERE id = 21",
    "UPDATE customers SET name = 'pg_total_relation_size' WHERE id = 22",
    "UPDATE customers SET email = 'a' WHERE id = 1",
    "UPDATE customers SET email = 'b' WHERE id = 2",
    "UPDATE customers SET id = id + 5 WHERE name = 'x' RETURNING name",
    "UPDATE customers SET id = id + 6 WHERE name = 'y' RETURNING name",
    "UPDATE customers SET id = id + 7 WHERE name = 'z' RETURNING name",
    "UPDATE customers SET id = id + -8 WHERE name = 'z' RETURNING name",
    "UPDATE customers SET id = id + -9 WHERE name = 'z' RETURNING name",
    "UPDATE customers SET id = id + -0 WHERE name = 'z' RETURNING name",
    "INSERT INTO customers (id, name) VALUES (1, 'Kim') ON CONFLICT (id) DO UPDATE SET name = 'x'",
    "INSERT INTO customers (id, name) VALUES (2, 'Lee') ON CONFLICT (id) DO UPDATE SET name = 'y'",
    "INSERT INTO customers (id, name) VALUES (3, 'Han') ON CONFLICT (id) DO UPDATE SET name = 'z'",
    "DELETE FROM customers WHERE id = 1 AND email = 'x'",
    "DELETE FROM customers WHERE id = 2 AND email = 'y'",
    "DELETE FROM customers WHERE id = 3 AND email = 'z'",
    "SELEC",
    "",
];

/// Sees addresses, and no names.
const OTHER_RULES: &str = "
open: [public.products]
tables:
  public.customers:
    columns: {id: open, email: contact.email, name: person.name}
roles:
  support:
    masks: {'*': redact, contact.email: clear, person.name: hide}
";

/// May write; names are clear, and rows go by them.
const WRITER_RULES: &str = "
open: [public.products]
tables:
  public.customers:
    columns: {id: open, email: contact.email, name: person.name, ssn: identity.ssn}
roles:
  support:
    may: [read, write]
    masks: {'*': redact, contact.email: 'null', person.name: clear, identity: hide}
    rows: {public.customers: name <> 'Park'}
";

struct Asker {
    view: Arc<RoleView>,
    who: Who,
    settings: Settings,
}

/// Sessions that differ in one thing each.
fn askers() -> Vec<Asker> {
    let view = Arc::new(view_with(RULES));
    let alice = Who { user: "alice".into(), acts_for_others: false };
    let settings = |path: &[&str], temporary: Option<&str>| {
        let path: Vec<String> = path.iter().map(|schema| (*schema).to_owned()).collect();
        let mut values = Values { search_path: SearchPath(path), ..Values::default() };
        temporary.into_iter().for_each(|name| values.temp_tables.add(name, false));
        Settings::new(values)
    };
    let of = |view: &Arc<RoleView>, who: &Who, settings| Asker {
        view: Arc::clone(view),
        who: who.clone(),
        settings,
    };
    vec![
        of(&view, &alice, settings(&["public"], None)),
        of(&Arc::new(view_with(OTHER_RULES)), &alice, settings(&["public"], None)),
        of(&view, &Who { user: "bob".into(), ..alice.clone() }, settings(&["public"], None)),
        of(&view, &Who { acts_for_others: true, ..alice.clone() }, settings(&["public"], None)),
        of(&view, &alice, settings(&["catalog"], None)),
        of(&view, &alice, settings(&["public"], Some("scratch"))),
        of(&view, &alice, settings(&["public"], Some("customers"))),
        of(&Arc::new(view_with(WRITER_RULES)), &alice, settings(&["public"], None)),
    ]
}

impl Asker {
    fn asks<'a>(&'a self, text: &'a str) -> Asked<'a> {
        Asked { view: &self.view, who: &self.who, values: self.settings.current(), text }
    }

    /// What is sent, or why nothing is.
    fn afresh(&self, text: &str) -> String {
        shown(plan_now(text, &self.view, &self.settings, &self.who, true))
    }

    /// As a session does it.
    fn through(&self, plans: &Plans, text: &str) -> String {
        if let Some(planned) = plans.get(self.asks(text)) {
            return shown(Ok(planned));
        }
        let lifted = lift(text);
        if let Some(planned) =
            lifted.as_ref().and_then(|lifted| plans.fill(self.asks(text), lifted))
        {
            return shown(Ok(planned));
        }
        let plan = |text: &str| plan_now(text, &self.view, &self.settings, &self.who, true);
        let planned = plan(text);
        if let Ok(planned) = &planned {
            plans.keep(self.asks(text), planned);
            if let Some(lifted) = &lifted {
                plans.learn(self.asks(text), lifted, planned, |text| plan(text).ok());
            }
        }
        shown(planned)
    }
}

fn shown(planned: Result<Planned, crate::sql::Refusal>) -> String {
    let planned = match planned {
        Ok(planned) => planned,
        Err(refusal) => return format!("{refusal:?}"),
    };
    let part = |part: PlannedPart| {
        let PlannedPart { text, probe, facts, kind, effect, tag, makes, .. } = part;
        format!("{text} {probe:?} {facts:?} {kind:?} {effect:?} {tag:?} {}", makes.is_some())
    };
    planned.statements.into_iter().map(part).collect::<Vec<_>>().join("; ")
}

#[test]
fn each_asker_is_told_something_of_their_own() {
    let askers = askers();
    let told = |text: &str| -> Vec<String> { askers.iter().map(|one| one.afresh(text)).collect() };
    let (first, users) = (told(TEXTS[0]), told("SHOW scrim.user"));
    // So the property below can fail in each part of the key.
    assert_ne!(first[0], first[1], "what is seen");
    assert_ne!(users[0], users[2], "who asks");
    assert_ne!(first[0], first[4], "where names are looked up");
    assert_ne!(
        told("SELECT * FROM scratch")[0],
        told("SELECT * FROM scratch")[5],
        "temporary tables"
    );
}

#[test]
fn what_is_kept_is_found_again() {
    let (plans, askers) = (Plans::default(), askers());
    for text in ["SELECT email FROM customers", "SELECT email FROM customers WHERE id = 17"] {
        assert!(plans.get(askers[0].asks(text)).is_none());
        askers[0].through(&plans, text);
        assert!(plans.get(askers[0].asks(text)).is_some());
        for other in &askers[1..] {
            assert!(plans.get(other.asks(text)).is_none(), "it is another session's");
        }
    }
}

#[test]
fn what_differs_in_literals_is_planned_twice_at_most() {
    let (plans, askers) = (Plans::default(), askers());
    let fills = |asker: &Asker, text: &str| {
        lift(text).is_some_and(|lifted| plans.fill(asker.asks(text), &lifted).is_some())
    };
    let by =
        |id: usize| format!("SELECT email FROM customers WHERE id = {id} AND name IN ('a', 'b')");
    for id in 1..=2 {
        assert!(!fills(&askers[0], &by(id)));
        askers[0].through(&plans, &by(id));
    }
    assert!(fills(&askers[0], &by(3)));
    assert!(!fills(
        &askers[0],
        "SELECT email FROM customers WHERE id = 3 AND name IN ('a', 'b', 'c')"
    ));
    for other in &askers[1..] {
        assert!(!fills(other, &by(3)), "it is another session's");
    }
    // By its position, which is no free literal.
    let ordered = |place: usize, id: usize| {
        format!("SELECT id, email FROM customers WHERE id = {id} ORDER BY {place}")
    };
    for id in 1..=2 {
        askers[0].through(&plans, &ordered(1, id));
    }
    assert!(fills(&askers[0], &ordered(1, 3)));
    assert!(!fills(&askers[0], &ordered(2, 3)));
}

#[test]
fn what_is_written_is_lifted_too() {
    let (plans, askers) = (Plans::default(), askers());
    let writer = &askers[7];
    let fills = |text: &str| {
        let lifted = lift(text)?;
        let filled = plans.fill(writer.asks(text), &lifted)?;
        assert!(filled.again.is_none(), "nothing that writes is kept prepared");
        Some(filled.statements.iter().map(|part| part.text.to_string()).collect::<String>())
    };
    let update = |name: &str, by: i32, id: usize| {
        format!("UPDATE customers SET name = '{name}', id = id + {by} WHERE id = {id}")
    };
    for (name, by) in [("Kim", 5), ("Lee", 6), ("Kim", -5), ("Lee", -6)] {
        assert_eq!(fills(&update(name, by, 1)), None);
        writer.through(&plans, &update(name, by, 1));
    }
    let filled = fills(&update("Han", 7, 2)).expect("it differs in literals");
    assert!(filled.contains("'Han'") && filled.contains("+ 7"), "{filled}");
    assert!(fills(&update("Han", -7, 2)).is_some_and(|filled| filled.contains("+ -7")));
    // Not of the same kind, and what no statement may hold.
    assert_eq!(fills("UPDATE customers SET name = 5, id = id + 7 WHERE id = 2"), None);
    assert_eq!(fills(&update("scrim$row", 7, 2)), None);
}

#[test]
fn a_sign_is_no_operator() {
    let (plans, askers) = (Plans::default(), askers());
    for id in 1..=3 {
        let text = format!("SELECT email FROM customers WHERE id = -{id}");
        askers[0].through(&plans, &text);
    }
    let text = "SELECT email FROM customers WHERE id = -4";
    let filled = lift(text).and_then(|lifted| plans.fill(askers[0].asks(text), &lifted));
    assert!(filled.is_some_and(|filled| filled.again.is_none()));
}

#[test]
fn what_has_an_effect_is_planned_each_time() {
    let (plans, askers) = (Plans::default(), askers());
    for text in [
        "BEGIN",
        "SET search_path TO catalog; SELECT 1",
        "PREPARE p AS SELECT email FROM customers",
        "DECLARE c CURSOR FOR SELECT email FROM customers",
        "DEALLOCATE p",
        "SELEC",
    ] {
        askers[0].through(&plans, text);
        assert!(plans.get(askers[0].asks(text)).is_none(), "{text}");
    }
}

#[test]
fn they_have_no_more_room_than_they_are_given() {
    let (plans, askers) = (Plans::with_capacity(64 * 1024, true), askers());
    for number in 0..500 {
        askers[0].through(&plans, &format!("SELECT email AS e{number} FROM customers"));
        assert!(plans.kept.weight() <= 64 * 1024, "{}", plans.kept.weight());
    }
    assert!(plans.kept.len() > 4, "{}", plans.kept.len());
    let long = format!("SELECT {} FROM customers", vec!["id"; TEXT_BYTES_MAX / 4 + 1].join(", "));
    askers[0].through(&plans, &long);
    assert!(plans.get(askers[0].asks(&long)).is_none());
}

#[test]
fn a_view_that_is_gone_is_held_by_nothing_here() {
    let plans = Plans::default();
    let asker = askers().swap_remove(1);
    asker.through(&plans, TEXTS[0]);
    let view = Arc::downgrade(&asker.view);
    drop(asker);
    assert!(view.upgrade().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever asked for what before.
    #[test]
    fn a_kept_plan_is_the_plan_that_would_be_made(
        asked in prop::collection::vec((0..8_usize, 0..TEXTS.len()), 1..60),
        room in prop_oneof![Just(BYTES_MAX), Just(16 * 1024)],
    ) {
        let (plans, askers) = (Plans::with_capacity(room, true), askers());
        for (asker, text) in asked {
            let asker = &askers[asker];
            prop_assert_eq!(asker.through(&plans, TEXTS[text]), asker.afresh(TEXTS[text]));
        }
    }
}
