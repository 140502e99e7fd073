use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Settings, Values};
use crate::catalog::SearchPath;
use crate::sql::Effect;

fn path(name: &str) -> SearchPath {
    SearchPath(vec![name.to_owned()])
}

fn settings() -> Settings {
    Settings::new(Values { search_path: path("start"), ..Values::default() })
}

fn set(local: bool, name: &str) -> Effect {
    Effect::SearchPath { local, path: Some(path(name)) }
}

fn state(local: bool, purpose: &str) -> Effect {
    Effect::State { name: "purpose".into(), local, value: Some(purpose.into()) }
}

fn run(settings: &mut Settings, effects: &[Effect]) {
    for effect in effects {
        settings.apply(effect, "");
    }
}

fn now(settings: &Settings) -> &str {
    &settings.current().search_path.0[0]
}

#[test]
fn a_set_outside_a_transaction_stays() {
    let mut settings = settings();
    run(&mut settings, &[set(false, "a")]);
    settings.ready_idle();
    assert_eq!(now(&settings), "a");
    assert!(!settings.may_fall_back());
    run(&mut settings, &[Effect::SearchPath { local: false, path: None }]);
    settings.ready_idle();
    assert_eq!(now(&settings), "start");
}

#[test]
fn an_error_behind_a_set_in_the_same_implicit_transaction_takes_it_back() {
    let mut settings = settings();
    run(&mut settings, &[set(false, "a")]);
    assert_eq!(now(&settings), "a");
    settings.fail();
    settings.ready_idle();
    assert_eq!(now(&settings), "start");
}

#[test]
fn local_goes_with_the_transaction() {
    let mut settings = settings();
    run(&mut settings, &[Effect::Begin, set(false, "a"), set(true, "b")]);
    assert_eq!(now(&settings), "b");
    settings.apply(&Effect::Commit { chain: false }, "COMMIT");
    assert_eq!(now(&settings), "a");
}

#[test]
fn commit_of_a_failed_transaction_is_a_rollback() {
    let mut settings = settings();
    run(&mut settings, &[Effect::Begin, set(false, "a")]);
    settings.fail();
    settings.apply(&Effect::Commit { chain: false }, "ROLLBACK");
    assert_eq!(now(&settings), "start");
    // What is set behind it in the same text stays.
    run(&mut settings, &[set(false, "b")]);
    settings.ready_idle();
    assert_eq!(now(&settings), "b");
}

#[test]
fn savepoints_give_back_what_they_found() {
    let mut settings = settings();
    let save = |name: &str| Effect::Savepoint(name.into());
    run(&mut settings, &[Effect::Begin, set(false, "a"), save("s"), set(false, "b")]);
    run(&mut settings, &[save("s"), set(true, "c"), Effect::Release("s".into())]);
    assert_eq!(now(&settings), "c");
    settings.fail();
    run(&mut settings, &[Effect::RollbackTo("s".into())]);
    assert_eq!(now(&settings), "a");
    run(&mut settings, &[set(false, "d"), Effect::RollbackTo("s".into())]);
    assert_eq!(now(&settings), "a");
    settings.apply(&Effect::Commit { chain: false }, "COMMIT");
    settings.ready_idle();
    assert_eq!(now(&settings), "a");
}

#[test]
fn reset_all_brings_the_start_back() {
    let mut settings = settings();
    run(&mut settings, &[set(false, "a"), state(false, "refund")]);
    settings.ready_idle();
    run(&mut settings, &[Effect::ResetAll]);
    settings.ready_idle();
    assert_eq!(now(&settings), "start");
    assert_eq!(settings.current().purpose, None);
}

#[test]
fn what_is_stated_goes_with_its_transaction() {
    let mut settings = settings();
    let purpose = |settings: &Settings| settings.current().purpose.clone().unwrap_or_default();
    run(&mut settings, &[state(false, "a")]);
    settings.ready_idle();
    run(&mut settings, &[Effect::Begin, state(true, "b")]);
    assert_eq!(purpose(&settings), "b");
    assert!(settings.may_fall_back());
    settings.apply(&Effect::Commit { chain: false }, "COMMIT");
    settings.ready_idle();
    assert_eq!(purpose(&settings), "a");
    run(&mut settings, &[Effect::Begin, state(false, "b"), Effect::Savepoint("s".into())]);
    run(&mut settings, &[state(false, "c"), Effect::RollbackTo("s".into())]);
    assert_eq!(purpose(&settings), "b");
    settings.apply(&Effect::Commit { chain: false }, "ROLLBACK");
    settings.ready_idle();
    assert_eq!(purpose(&settings), "a");
    // Alone, it is local to its own transaction.
    run(&mut settings, &[state(true, "b")]);
    settings.ready_idle();
    assert_eq!(purpose(&settings), "a");
    let detail = |value: Option<&str>| Effect::State {
        name: "ticket".into(),
        local: false,
        value: value.map(str::to_owned),
    };
    run(&mut settings, &[detail(Some("7"))]);
    settings.ready_idle();
    assert_eq!(settings.current().stated("ticket").map(String::as_str), Some("7"));
    run(&mut settings, &[detail(None)]);
    settings.ready_idle();
    assert_eq!(settings.current().stated("ticket"), None);
    run(&mut settings, &[detail(Some("7")), state(false, "c"), Effect::DiscardAll]);
    settings.ready_idle();
    assert_eq!((settings.current().stated("ticket"), purpose(&settings).as_str()), (None, ""));
}

#[test]
fn temporary_tables_come_and_go_with_their_transaction() {
    let mut settings = settings();
    let make = |name: &str, until_commit| Effect::CreateTemp { name: name.into(), until_commit };
    let names = |settings: &Settings| {
        let all = ["a", "b", "c"];
        all.into_iter()
            .filter(|name| settings.current().temp_tables.contains(name))
            .collect::<String>()
    };
    run(&mut settings, &[Effect::Begin, make("a", false), make("b", true)]);
    assert_eq!(names(&settings), "ab");
    settings.apply(&Effect::Commit { chain: false }, "COMMIT");
    settings.ready_idle();
    assert_eq!(names(&settings), "a");
    run(&mut settings, &[Effect::Begin, make("c", false), Effect::DropTemp(vec!["a".into()])]);
    assert_eq!(names(&settings), "c");
    run(&mut settings, &[Effect::Rollback { chain: false }]);
    settings.ready_idle();
    assert_eq!(names(&settings), "a");
    run(&mut settings, &[Effect::ResetAll]);
    settings.ready_idle();
    assert_eq!(names(&settings), "a");
    run(&mut settings, &[make("b", true)]);
    settings.ready_idle();
    assert_eq!(names(&settings), "a");
    run(&mut settings, &[Effect::DiscardTemp]);
    settings.ready_idle();
    assert_eq!(names(&settings), "");
}

#[test]
fn a_time_too_short_to_set_it_back_is_told_from_others() {
    for (value, hasty) in [
        ("'1ms'", true),
        ("999", true),
        ("'1us'", true),
        ("'0.5s'", true),
        ("0", false),
        ("'30s'", false),
        ("1000", false),
        ("'5 min'", false),
    ] {
        let text = format!("SET statement_timeout TO {value}");
        let settings = starting_with(&[("statement_timeout", &text)]);
        assert_eq!(settings.is_hasty(), hasty, "{value}");
    }
}

fn starting_with(others: &[(&str, &str)]) -> Settings {
    let others = others.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    let others = Arc::new(others.collect::<BTreeMap<String, String>>());
    Settings::new(Values { search_path: path("start"), others, ..Values::default() })
}

#[test]
fn a_session_sets_again_what_another_connection_has_not() {
    let mut session = starting_with(&[("timezone", "SET timezone TO 'UTC'")]);
    let mut server = settings();
    let statements = session.difference(&server).unwrap();
    assert_eq!(statements, ["SET timezone TO 'UTC'"]);
    server.now_as(&session);
    assert_eq!(session.difference(&server), None);

    let datestyle = || vec![("datestyle".to_owned(), Some("SET datestyle TO 'ISO'".to_owned()))];
    for settings in [&mut session, &mut server] {
        run(settings, &[Effect::Set(datestyle()), set(false, "a\"b")]);
        settings.ready_idle();
    }
    assert_eq!(session.difference(&server), None);
    let fresh = settings();
    let statements = session.difference(&fresh).unwrap();
    let expected =
        ["SET datestyle TO 'ISO'", "SET timezone TO 'UTC'", "SET search_path TO \"a\"\"b\""];
    assert_eq!(statements, expected);
    // And the next session does not find them.
    let statements = fresh.difference(&session).unwrap();
    assert_eq!(statements, ["RESET datestyle", "RESET timezone", "SET search_path TO \"start\""]);
}

#[test]
fn reset_means_the_start_of_the_session_and_not_of_the_connection() {
    let start = [("timezone", "SET timezone TO 'UTC'")];
    let (mut session, mut server) = (starting_with(&start), settings());
    server.now_as(&session);
    for effect in [Effect::Set(vec![("timezone".into(), None)]), Effect::ResetAll] {
        for settings in [&mut session, &mut server] {
            run(settings, std::slice::from_ref(&effect));
            settings.ready_idle();
        }
        assert_eq!(session.difference(&server).unwrap(), ["SET timezone TO 'UTC'"]);
        server.now_as(&session);
    }
}
