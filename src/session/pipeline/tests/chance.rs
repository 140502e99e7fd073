//! Random legal pipelines: through Scrim a client sees, byte for byte, what a server that refuses by itself would
//! have said; and what was audited is what ran.

use std::cell::Cell;

use bytes::BytesMut;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::bench::{Bench, summary};
use super::channels::{FORBIDDEN, could_be};
use super::message;
use super::model::{CANARY, Model};
use crate::session::pipeline::Event;
use crate::wire::{Limits, Piece, Pieces};

fn channel() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just(FORBIDDEN)]
}

fn text(with_raw: bool) -> BoxedStrategy<String> {
    let mut texts = vec![
        (6, (0..4).prop_map(|rows| format!("ok {rows}")).boxed()),
        (1, (0..3).prop_map(|rows| format!("late {rows}")).boxed()),
        // Prepared they fail, each at another message.
        (2, (0..3).prop_map(|rows| format!("typed {rows}")).boxed()),
        (2, (0..3).prop_map(|rows| format!("moved {rows}")).boxed()),
        (1, Just("bad".to_owned()).boxed()),
        (2, "[ab]".prop_map(|path| format!("set {path}")).boxed()),
        (2, Just("begin".to_owned()).boxed()),
        (1, Just("commit".to_owned()).boxed()),
        (1, Just("rollback".to_owned()).boxed()),
        (2, Just("refuse".to_owned()).boxed()),
        (2, channel().prop_map(|channel| format!("listen {channel}")).boxed()),
        (1, prop_oneof![Just("*"), channel()].prop_map(|it| format!("unlisten {it}")).boxed()),
        (2, channel().prop_map(|channel| format!("notify {channel}")).boxed()),
        (1, Just(String::new()).boxed()),
    ];
    if with_raw {
        texts.push((4, (1..4).prop_map(|rows| format!("raw {rows}")).boxed()));
    }
    proptest::strategy::Union::new_weighted(texts).boxed()
}

fn operation(with_raw: bool) -> BoxedStrategy<String> {
    let name = || prop_oneof![Just("-"), Just("s"), Just("t")];
    prop_oneof![
        3 => text(with_raw).prop_map(|text| format!("Q {text}")),
        1 => (0..3, 0..3).prop_map(|(a, b)| format!("Q ok {a}; ok {b}")),
        1 => (0..3).prop_map(|a| format!("Q ok {a}; refuse")),
        5 => (name(), text(with_raw)).prop_map(|(name, text)| format!("P {name} {text}")),
        5 => (name(), name()).prop_map(|(portal, name)| format!("B {portal} {name}")),
        1 => name().prop_map(|name| format!("DS {name}")),
        1 => name().prop_map(|name| format!("DP {name}")),
        5 => (name(), 0..3).prop_map(|(name, rows)| format!("E {name} {rows}")),
        1 => name().prop_map(|name| format!("CS {name}")),
        1 => name().prop_map(|name| format!("CP {name}")),
        4 => Just("S".to_owned()),
        1 => Just("H".to_owned()),
        1 => channel().prop_map(|channel| format!("Q listen {channel}")),
        // What another session sends.
        2 => channel().prop_map(|channel| format!("A {channel}")),
    ]
    .boxed()
}

/// Operations, each with the number of the server's messages that are delivered after it.
fn script(with_raw: bool) -> impl Strategy<Value = Vec<(String, usize)>> {
    let delivered = prop_oneof![3 => Just(0), 1 => 1_usize..4, 1 => Just(1000)];
    proptest::collection::vec((operation(with_raw), delivered), 1..40).prop_map(|mut script| {
        // A Query that Scrim refuses by itself leaves the unnamed statement where it is, PostgreSQL's own error
        // drops it; so nobody binds it after a Query without a Parse between.
        let mut is_known = false;
        for (words, _) in &mut script {
            if words.starts_with('Q') {
                is_known = false;
            } else if words.starts_with("P - ") {
                is_known = true;
            } else if words.starts_with("B ") && words.ends_with(" -") && !is_known {
                *words = words.replace(" -", " s");
            } else if words.as_str() == "DS -" && !is_known {
                *words = "DS s".to_owned();
            }
        }
        script.push(("S".to_owned(), 1000));
        script
    })
}

/// A unit of a client that sends its text each time, with what it may ask for beside; or something in between.
fn unit() -> impl Strategy<Value = Vec<String>> {
    let text = prop_oneof![
        4 => (0..3).prop_map(|rows| format!("stale {rows}")),
        3 => (0..3).prop_map(|rows| format!("ok {rows}")),
        1 => (0..2).prop_map(|rows| format!("late {rows}")),
        1 => (0..2).prop_map(|rows| format!("typed {rows}")),
        1 => Just("bad".to_owned()),
        1 => Just("refuse".to_owned()),
    ];
    // Between the Parse and its Bind, and behind that.
    let before = prop_oneof![6 => Just(None), 1 => Just(Some("DS -")), 1 => Just(Some("H")), 1 => Just(Some("B - t"))];
    let behind = prop_oneof![
        3 => Just("DP -".to_owned()),
        6 => (0..3).prop_map(|rows| format!("E - {rows}")),
        1 => Just("B s -".to_owned()),
        1 => Just("E s 0".to_owned()),
        1 => Just("DS -".to_owned()),
        1 => Just("CP -".to_owned()),
        1 => Just("H".to_owned()),
        1 => Just("P - ok 1".to_owned()),
        1 => Just("P s ok 2".to_owned()),
    ];
    let whole = (text, before, proptest::collection::vec(behind, 0..5)).prop_map(
        |(text, before, behind)| {
            let first = before.map(str::to_owned);
            let mut unit = vec![format!("P - {text}")];
            unit.extend(first);
            unit.push("B - -".to_owned());
            unit.extend(behind);
            // Nobody has a named one already.
            if unit.iter().any(|words| words.starts_with("P s")) {
                unit.insert(0, "CS s".to_owned());
            }
            unit.push("S".to_owned());
            unit
        },
    );
    prop_oneof![
        8 => whole,
        1 => (0..3).prop_map(|rows| vec![format!("Q ok {rows}")]),
        1 => Just(vec!["S".to_owned()]),
        1 => "[ab]".prop_map(|path| vec![format!("Q set {path}")]),
    ]
}

fn units() -> impl Strategy<Value = Vec<(String, usize)>> {
    let delivered = prop_oneof![3 => Just(0), 1 => 1_usize..4, 2 => Just(1000)];
    let ends = prop_oneof![1 => Just(0), 3 => Just(1000)];
    proptest::collection::vec((unit(), proptest::collection::vec(delivered, 9), ends), 1..20)
        .prop_map(|units| {
            let mut script = Vec::new();
            for (unit, delivered, end) in units {
                let delivered = delivered.into_iter().chain(std::iter::repeat(0));
                script.extend(unit.into_iter().zip(delivered));
                if let Some((_, last)) = script.last_mut() {
                    *last = end;
                }
            }
            script
        })
}

fn reference(script: &[(String, usize)]) -> Model {
    let mut model = Model::new(true);
    for (words, _) in script {
        if let Some(channel) = words.strip_prefix("A ") {
            model.somebody_notifies(channel);
            continue;
        }
        let mut bytes = message(words);
        let piece = Pieces::new(Limits::frontend()).next(&mut bytes).unwrap().unwrap();
        let Piece::Whole(frame) = piece else { unreachable!() };
        model.handle(&frame);
    }
    model
}

fn play(bench: &mut Bench, script: &[(String, usize)]) {
    for (words, delivered) in script {
        match words.strip_prefix("A ") {
            Some(channel) => bench.somebody_notifies(channel),
            None => bench.send(&message(words)),
        }
        bench.deliver(*delivered);
    }
}

/// Answers, and what was said beside them. Where that stands between answers may differ: a server to which Scrim has not
/// sent what it refuses by itself is idle for longer.
fn apart(said: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut pieces = Pieces::new(Limits::backend());
    let mut said = BytesMut::from(said);
    let (mut answers, mut notifications) = (Vec::new(), Vec::new());
    while let Some(Piece::Whole(frame)) = pieces.next(&mut said).unwrap() {
        match frame.tag() {
            b'A' => notifications.push(frame.into_bytes().to_vec()),
            _ => answers.extend_from_slice(&frame.into_bytes()),
        }
    }
    (answers, notifications)
}

/// By several servers in turn a client sees what one server would have said.
fn through_servers(script: &[(String, usize)], servers: usize) -> Result<Bench, TestCaseError> {
    let mut bench = Bench::shared(servers);
    play(&mut bench, script);
    while bench.deliver(usize::MAX) > 0 {}
    prop_assert!(bench.pipeline.is_quiet(), "a reply is still due");
    let (said, expected) = (apart(&bench.to_client), reference(script));
    prop_assert_eq!(summary(&said.0), summary(&apart(&expected.said).0));
    prop_assert!(could_be(&said.1, &expected.channels.told));
    each_ends_once(&bench)?;
    Ok(bench)
}

fn each_ends_once(bench: &Bench) -> Result<(), TestCaseError> {
    let mut ended = std::collections::BTreeSet::new();
    for event in &bench.events {
        let Event::Completed { statement, .. } = event else { continue };
        prop_assert!(ended.insert(*statement), "a statement ends twice");
    }
    prop_assert_eq!(ended.len(), bench.accepted.len());
    Ok(())
}

fn through_scrim(script: &[(String, usize)]) -> Bench {
    let mut bench = Bench::new(None);
    play(&mut bench, script);
    while bench.deliver(usize::MAX) > 0 {}
    assert!(bench.pipeline.is_quiet(), "a reply is still due");
    bench
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_client_sees_what_a_server_that_refuses_by_itself_would_say(script in script(false)) {
        let bench = through_scrim(&script);
        let expected = reference(&script);
        let (said, answers) = (apart(&bench.to_client), apart(&expected.said).0);
        prop_assert_eq!(summary(&said.0), summary(&answers));
        prop_assert_eq!(said.0, answers);
        prop_assert!(could_be(&said.1, &expected.channels.told));
        // Nothing of the server's own words for a poisoned text.
        prop_assert!(!bench.to_client.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
        // The settings that Scrim follows are the server's.
        prop_assert_eq!(&bench.pipeline.settings.current().search_path.0[0], bench.server.path());
    }

    #[test]
    fn what_was_audited_is_what_ran(script in script(false)) {
        let bench = through_scrim(&script);
        let mut completed: Vec<&String> = Vec::new();
        let mut ended = std::collections::BTreeSet::new();
        for event in &bench.events {
            let Event::Completed { statement, error, .. } = event else { continue };
            prop_assert!(ended.insert(*statement), "a statement ends twice");
            let shape = &bench.accepted[statement];
            // A suspended portal has not run to its end; the server's list has it once, at the end.
            if error.is_none() && !shape.is_empty() {
                completed.push(shape);
            }
        }
        prop_assert_eq!(ended.len(), bench.accepted.len());
        // Each that ran was audited, in order.
        let mut left = completed.into_iter();
        for ran in &bench.executed {
            prop_assert!(left.any(|shape| shape == ran), "{} ran unaudited", ran);
        }
    }

    #[test]
    fn no_row_that_must_not_flow_ever_does(script in script(true)) {
        let bench = through_scrim(&script);
        prop_assert!(!bench.to_client.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
        summary(&bench.to_client);
        // The same where servers are shared, and where all of it has been met before.
        let mut bench = Bench::shared(2);
        for _ in 0..2 {
            play(&mut bench, &script);
            bench.send(&message("Q rollback"));
        }
        while bench.deliver(usize::MAX) > 0 {}
        prop_assert!(!bench.to_client.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
    }

    #[test]
    fn a_session_does_not_notice_that_its_servers_change(script in script(false), servers in 1_usize..4) {
        // A name that is taken is told by Scrim before the server has read the text, so each is closed before.
        let script: Vec<(String, usize)> = script
            .into_iter()
            .flat_map(|(words, delivered)| {
                let name = words.strip_prefix("P ").and_then(|rest| rest.split(' ').next());
                let close = name.filter(|name| *name != "-").map(|name| (format!("CS {name}"), 0));
                close.into_iter().chain([(words.clone(), delivered)]).collect::<Vec<_>>()
            })
            .collect();
        through_servers(&script, servers)?;
    }
}

/// Tables change after each unit.
#[test]
fn who_sends_a_text_each_time_does_not_notice_that_it_is_kept() {
    let (kept, refused) = (Cell::new(0), Cell::new(0));
    let config =
        ProptestConfig { cases: 3000, source_file: Some(file!()), ..ProptestConfig::default() };
    let played = TestRunner::new(config).run(&(units(), 1_usize..4), |(script, servers)| {
        let bench = through_servers(&script, servers)?;
        // Nothing runs twice, and nothing that was not accepted.
        prop_assert!(bench.executed.len() <= bench.accepted.len());
        let servers = bench.at_rest.iter().map(|(server, _)| server).chain([&bench.server]);
        refused.set(refused.get() + servers.map(|server| server.refused_binds).sum::<usize>());
        kept.set(kept.get() + bench.kept);
        Ok(())
    });
    played.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        kept.get() > 2000 && refused.get() > 100,
        "{} kept, {} anew",
        kept.get(),
        refused.get()
    );
}

/// Found by chance: what PostgreSQL drops before it reads a text was still there when Scrim refused the text by itself.
#[test]
fn a_refused_query_takes_the_unnamed_statement_away() {
    for script in [
        &["P - ok 1", "S", "Q refuse", "B - -", "S"][..],
        &["P - listen a", "S", "Q ok 0; refuse", "P s typed 0", "P - ok 0", "S", "B - -", "S"],
    ] {
        let script: Vec<_> = script.iter().map(|words| ((*words).to_owned(), 1000)).collect();
        let said = apart(&through_scrim(&script).to_client).0;
        assert!(summary(&said).ends_with("E26000 ZI"), "{}", summary(&said));
        assert_eq!(said, apart(&reference(&script).said).0);
    }
}
