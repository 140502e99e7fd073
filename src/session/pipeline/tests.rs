//! The pipeline against a model of the server: by hand, and by chance.

mod bench;
mod chance;
mod channels;
mod model;
mod unnamed;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;

use super::{Event, Fault, SentStatement};
use crate::guard::Discretion;
use crate::session::settings::Values;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader::Named;
use crate::wire::writer;
use bench::{Bench, summary};
use model::{CANARY, error};

/// Messages of a client, in words: `Q text`, `P name text`, `B portal statement`, `DS name`, `DP name`,
/// `E portal rows`, `CS name`, `CP name`, `S`, `H`. `-` is the empty name.
fn message(words: &str) -> BytesMut {
    let mut out = BytesMut::new();
    let (kind, rest) = words.split_once(' ').unwrap_or((words, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    let name = |name: &str| if name == "-" { String::new() } else { name.to_owned() };
    match kind {
        "Q" => writer::query(&mut out, rest).unwrap(),
        "P" => writer::parse(&mut out, &name(first), second, &[]).unwrap(),
        "B" => {
            let mut body = BytesMut::new();
            body.extend_from_slice(name(first).as_bytes());
            body.extend_from_slice(b"\0");
            body.extend_from_slice(name(second).as_bytes());
            body.extend_from_slice(b"\0\0\0\0\0\0\0");
            out.extend_from_slice(b"B");
            out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
            out.extend_from_slice(&body);
        }
        "DS" => writer::describe(&mut out, Named::Statement, &name(first)).unwrap(),
        "DP" => writer::describe(&mut out, Named::Portal, &name(first)).unwrap(),
        "E" => writer::execute(&mut out, &name(first), second.parse().unwrap()).unwrap(),
        "CS" => writer::close(&mut out, Named::Statement, &name(first)).unwrap(),
        "CP" => writer::close(&mut out, Named::Portal, &name(first)).unwrap(),
        "S" => writer::sync(&mut out),
        "H" => writer::flush(&mut out),
        other => panic!("{other}"),
    }
    out
}

/// Sends all of a script at once, then lets the server answer.
fn run(bench: &mut Bench, script: &[&str]) -> String {
    for words in script {
        bench.send(&message(words));
    }
    while bench.deliver(usize::MAX) > 0 {}
    summary(&bench.to_client.split())
}

fn answer(script: &[&str]) -> String {
    run(&mut Bench::new(None), script)
}

#[test]
fn simple_queries() {
    assert_eq!(answer(&["Q ok 2"]), "T D D C ZI");
    assert_eq!(answer(&["Q ok 1; begin; ok 0"]), "T D C C T C ZT");
    assert_eq!(answer(&["Q "]), "I ZI");
    assert_eq!(answer(&["Q ok 1; late 1; ok 1"]), "T D C T D E22012 ZI");
}

#[test]
fn one_unit_of_the_extended_protocol() {
    // Scrim's own Describe between Parse and Bind leaves no trace.
    assert_eq!(answer(&["P - ok 2", "B - -", "DP -", "E - 0", "S"]), "1 2 T D D C ZI");
    assert_eq!(answer(&["P s ok 0", "DS s", "S"]), "1 t T ZI");
    assert_eq!(answer(&["P - begin", "DS -", "B - -", "E - 0", "S"]), "1 t n 2 C ZT");
    assert_eq!(answer(&["P - ", "B - -", "E - 0", "S"]), "1 2 I ZI");
}

#[test]
fn a_refusal_when_idle_is_ours_alone() {
    let mut bench = Bench::new(None);
    assert_eq!(run(&mut bench, &["Q refuse"]), "E42501 ZI");
    assert!(bench.executed.is_empty());
}

#[test]
fn a_refusal_in_a_transaction_fails_it() {
    let script = ["Q begin", "Q ok 1; refuse", "Q ok 1", "Q rollback", "Q ok 1"];
    assert_eq!(answer(&script), "C ZT E42501 ZE E25P02 ZE C ZI T D C ZI");
}

#[test]
fn a_refusal_in_each_place_of_a_pipeline_skips_to_sync() {
    let unit = ["P a ok 1", "B - a", "E - 0"];
    assert_eq!(
        answer(&["P x refuse", unit[0], unit[1], unit[2], "S", "Q ok 0"]),
        "E42501 ZI T C ZI"
    );
    assert_eq!(
        answer(&[unit[0], unit[1], unit[2], "P x refuse", "B - x", "S", "Q ok 0"]),
        "1 2 D C E42501 ZI T C ZI"
    );
    // The server has failed before Scrim sees it: what follows in the unit is dropped, refused or not.
    assert_eq!(
        answer(&["P a bad", "P x refuse", "Q ok 1", "Q refuse", "S", "Q ok 0"]),
        "E42P01 ZI T C ZI"
    );
}

#[test]
fn errors_in_each_place() {
    assert_eq!(answer(&["P a bad", "B - a", "E - 0", "S"]), "E42P01 ZI");
    assert_eq!(answer(&["P a ok 1", "B - b", "E - 0", "S"]), "1 E26000 ZI");
    assert_eq!(answer(&["P a ok 1", "B p a", "E q 0", "S"]), "1 2 E34000 ZI");
    assert_eq!(answer(&["P a late 1", "B p a", "E p 0", "E p 0", "S"]), "1 2 D E22012 ZI");
    let two = ["P a bad", "S", "P a ok 1", "B - a", "E - 0", "S"];
    assert_eq!(answer(&two), "E42P01 ZI 1 2 D C ZI");
}

/// Types of the messages that a script sends to the server, which then answers.
fn sends(bench: &mut Bench, script: &[&str]) -> String {
    for words in script {
        bench.send(&message(words));
    }
    let mut sent = bench.out.to_server.clone();
    let mut pieces = crate::wire::Pieces::new(crate::wire::Limits::frontend());
    let mut tags = Vec::new();
    while let Some(crate::wire::Piece::Whole(frame)) = pieces.next(&mut sent).unwrap() {
        tags.push(char::from(frame.tag()).to_string());
    }
    while bench.deliver(usize::MAX) > 0 {}
    tags.join(" ")
}

#[test]
fn the_unnamed_query_is_described_once_and_before_it_runs() {
    for mut bench in [Bench::new(None), Bench::shared(1)] {
        bench.keeps_unnamed = false;
        // The client asks for the portal, for the statement, for nothing, too late; twice is its own affair.
        for (script, sent) in [
            (&["P - ok 1", "B - -", "DP -", "E - 0", "S"][..], "P B D E S"),
            (&["P - ok 1", "DS -", "B - -", "E - 0", "S"], "P D B E S"),
            (&["P - ok 1", "B - -", "E - 0", "S"], "P B D E S"),
            (&["P - ok 1", "B - -", "E - 0", "DP -", "S"], "P B D E D S"),
            (&["P - ok 1", "DS -", "B - -", "DP -", "E - 0", "S"], "P D B D E S"),
            // What has been judged is known in the next unit, where the statement is still there.
            (&["B - -", "E - 0", "S"], "B E S"),
            // Of another portal it is the same; of another statement it is not.
            (&["P - ok 1", "B p -", "B q -", "DP p", "E q 0", "S"], "P B B D E S"),
            (&["P - ok 1", "B p -", "DP p", "P - ok 2", "B q -", "E q 0", "S"], "P B D P B D E S"),
            // In a unit that fails the answer does not come, so the next one asks.
            (&["P - ok 1", "S"], "P S"),
            (&["B - nothing", "B - -", "DP -", "E - 0", "S"], "B B D E S"),
            (&["B - -", "E - 0", "S"], "B D E S"),
            (&["B - -", "E - 0", "E - 0", "S"], "B E E S"),
            // Nothing to describe.
            (&["P - begin", "B - -", "E - 0", "S"], "P B E S"),
            (&["P - rollback", "B - -", "E - 0", "S"], "P B E S"),
        ] {
            assert_eq!(sends(&mut bench, script), sent, "{script:?}");
        }
        let said = summary(&bench.to_client.split());
        assert!(!said.contains("E42501"), "{said}");
        assert!(!bench.events.iter().any(|event| matches!(event, Event::Breach { .. })));
    }
}

/// Whoever asks for it, and in whatever unit: what must not flow does not.
#[test]
fn rows_of_the_unnamed_query_wait_for_its_own_description() {
    for script in [
        // Another statement is described, and it is fine.
        &["P - ok 1", "B p -", "DP p", "P - raw 1", "B q -", "E q 0", "S"][..],
        &["P s ok 1", "P - raw 1", "DS s", "B q -", "E q 0", "S"],
        // It took the name of one that was fine.
        &["P - ok 1", "DS -", "P - raw 1", "B - -", "E - 0", "S"],
        &["P - ok 1", "DS -", "S", "P - raw 1", "S", "B - -", "E - 0", "S"],
        // What was asked for was skipped.
        &["P - raw 1", "S", "B - nothing", "DS -", "S", "B - -", "E - 0", "S"],
        &["P - raw 1", "DP nothing", "B - -", "E - 0", "S", "B - -", "E - 0", "S"],
        &["P - raw 1", "S", "DP nothing", "DS -", "S", "B - -", "E - 0", "S"],
        // By row, suspended in between.
        &["Q begin", "P - raw 3", "B p -", "E p 1", "E p 1", "S", "E p 1", "S", "Q rollback"],
    ] {
        for mut bench in [Bench::new(None), Bench::shared(2)] {
            let said = {
                for words in script {
                    bench.send(&message(words));
                }
                while bench.deliver(usize::MAX) > 0 {}
                bench.to_client.split()
            };
            assert!(
                !said.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()),
                "{script:?}"
            );
            assert!(summary(&said).contains("E42501"), "{script:?}: {}", summary(&said));
            let breaches = bench.events.iter().any(|event| matches!(event, Event::Breach { .. }));
            assert!(breaches, "{script:?}");
            assert_eq!(run(&mut bench, &["Q ok 1"]), "T D C ZI", "{script:?}");
        }
    }
}

#[test]
fn portals_suspend_and_go_on() {
    let script = ["Q begin", "P s ok 3", "B p s", "E p 2", "E p 2", "E p 2", "S"];
    assert_eq!(answer(&script), "C ZT 1 2 D D s D C C ZT");
}

#[test]
fn flush_without_sync() {
    let mut bench = Bench::new(None);
    assert_eq!(run(&mut bench, &["P s ok 1", "DS s", "H"]), "1 t T");
    assert_eq!(run(&mut bench, &["B - s", "E - 0", "H"]), "2 D C");
    // Nothing is outstanding, but a unit is open: a refusal goes through the server.
    assert_eq!(run(&mut bench, &["Q refuse"]), "E42501 ZI");
    assert_eq!(run(&mut bench, &["S"]), "ZI");
}

#[test]
fn an_error_before_its_sync_has_been_sent() {
    let mut bench = Bench::new(None);
    assert_eq!(run(&mut bench, &["P s bad", "H"]), "E42P01");
    assert_eq!(run(&mut bench, &["B - s", "Q ok 1", "E - 0", "H"]), "");
    assert_eq!(run(&mut bench, &["S"]), "ZI");
    assert_eq!(run(&mut bench, &["Q ok 0"]), "T C ZI");
}

#[test]
fn a_named_statement_comes_along_to_another_server() {
    let mut bench = Bench::shared(2);
    let unit = ["B - s", "E - 0", "S"];
    assert_eq!(run(&mut bench, &["P s ok 1", "DS s", "S"]), "1 t T ZI");
    for _ in 0..4 {
        assert_eq!(run(&mut bench, &unit), "2 D C ZI");
    }
    assert_eq!(run(&mut bench, &["P s ok 2", "S"]), "E42P05 ZI");
    assert_eq!(run(&mut bench, &["CS s", "S"]), "3 ZI");
    assert_eq!(run(&mut bench, &unit), "E26000 ZI");
    // Another of the same text is there already.
    assert_eq!(run(&mut bench, &["P t ok 1", "B - t", "E - 0", "S"]), "1 2 D C ZI");
    assert_eq!(run(&mut bench, &["P s ok 1", "B - s", "E - 0", "S"]), "1 2 D C ZI");
    // All within one transaction, whatever fails.
    let script = ["Q begin", "P u bad", "S", "Q rollback", "P u ok 1", "B - u", "E - 0", "S"];
    assert_eq!(run(&mut bench, &script), "C ZT E42P01 ZE C ZI 1 2 D C ZI");
}

#[test]
fn the_unnamed_statement_is_nobody_elses() {
    let mut bench = Bench::shared(2);
    assert_eq!(run(&mut bench, &["P - ok 1", "S"]), "1 ZI");
    for _ in 0..3 {
        assert_eq!(run(&mut bench, &["B - -", "E - 0", "S"]), "2 D C ZI");
    }
    // A Query takes it away, on whatever server.
    assert_eq!(run(&mut bench, &["Q ok 0"]), "T C ZI");
    for _ in 0..3 {
        assert_eq!(run(&mut bench, &["B - -", "E - 0", "S"]), "E26000 ZI");
        assert_eq!(run(&mut bench, &["DS -", "S"]), "E26000 ZI");
    }
}

#[test]
fn a_text_that_has_been_met_is_kept_prepared() {
    let mut bench = Bench::shared(1);
    let prepared =
        |bench: &Bench| bench.server.prepared.keys().filter(|name| !name.is_empty()).count();
    // The first time as it is; then under a name of ours, which the client does not notice.
    for times in [0, 1, 1] {
        assert_eq!(run(&mut bench, &["Q ok 2"]), "T D D C ZI");
        assert_eq!(prepared(&bench), times);
    }
    // What PostgreSQL does not take prepared is sent as it is, before anything that comes behind it.
    for _ in 0..3 {
        assert_eq!(run(&mut bench, &["Q typed 1", "Q ok 0"]), "T D C ZI T C ZI");
        assert_eq!(
            run(&mut bench, &["Q moved 1", "P s ok 1", "S", "CS s", "S"]),
            "T D C ZI 1 ZI 3 ZI"
        );
    }
    // In a transaction only what is there already: an error would end it.
    let script = ["Q begin", "Q typed 1", "Q ok 2", "Q commit"];
    assert_eq!(run(&mut bench, &script), "C ZT T D C ZT T D D C ZT C ZI");
    // Errors of its own are the statement's.
    for _ in 0..3 {
        assert_eq!(run(&mut bench, &["Q late 1", "Q ok 0"]), "T D E22012 ZI T C ZI");
    }
    // The unnamed portal is gone as after any Query.
    assert_eq!(run(&mut bench, &["Q begin", "Q ok 2", "E - 0", "S"]), "C ZT T D D C ZT E34000 ZE");
    assert_eq!(run(&mut bench, &["Q rollback"]), "C ZI");
}

#[test]
fn names_of_other_sessions_statements_do_not_exist() {
    let mut bench = Bench::shared(1);
    assert_eq!(run(&mut bench, &["P s ok 1", "S"]), "1 ZI");
    let name = bench
        .pipeline
        .statements
        .prepared("s")
        .unwrap()
        .source
        .clone()
        .unwrap()
        .name(&Values::default());
    for words in [format!("B - {name}"), format!("DS {name}")] {
        assert_eq!(run(&mut bench, &[&words, "S"]), "E26000 ZI", "{words}");
    }
    assert_eq!(run(&mut bench, &[&format!("CS {name}"), "S"]), "3 ZI");
    assert_eq!(run(&mut bench, &["B - s", "E - 0", "S"]), "2 D C ZI");
}

#[test]
fn what_a_session_has_set_comes_along() {
    let mut bench = Bench::shared(3);
    assert_eq!(run(&mut bench, &["Q set a"]), "C ZI");
    for _ in 0..4 {
        assert_eq!(run(&mut bench, &["Q ok 1"]), "T D C ZI");
        assert_eq!(bench.server.path(), "a");
    }
    assert_eq!(run(&mut bench, &["Q begin", "Q set b", "Q rollback"]), "C ZT C ZT C ZI");
    assert_eq!(run(&mut bench, &["Q ok 1"]), "T D C ZI");
    assert_eq!(bench.server.path(), "a");
}

#[test]
fn rows_that_are_not_masked_never_go_out() {
    for script in [
        &["Q raw 2"][..],
        &["Q ok 1; raw 2; ok 1"],
        &["P - raw 2", "B - -", "E - 0", "S"],
        &["P - raw 2", "DS -", "B - -", "DP -", "E - 1", "E - 0", "S"],
        &["Q begin", "P s raw 9", "B p s", "E p 2", "H", "E p 2", "S", "Q rollback"],
    ] {
        let mut bench = Bench::new(None);
        for words in script {
            bench.send(&message(words));
        }
        while bench.deliver(usize::MAX) > 0 {}
        let said = bench.to_client.split();
        assert!(!said.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{script:?}");
        assert!(summary(&said).contains("E42501"), "{script:?}: {}", summary(&said));
        let breaches = bench.events.iter().filter(|event| matches!(event, Event::Breach { .. }));
        assert!(breaches.count() > 0, "{script:?}");
        // The session goes on.
        assert_eq!(run(&mut bench, &["Q ok 1"]), "T D C ZI", "{script:?}");
    }
    assert_eq!(answer(&["P - raw 2", "B - -", "E - 0", "S"]), "1 2 E42501 ZI");
    assert_eq!(answer(&["Q ok 1; raw 1; ok 1"]), "T D C E42501 ZI");
}

#[test]
fn rows_beyond_the_limit_are_dropped() {
    let mut bench = Bench::new(Some(2));
    assert_eq!(run(&mut bench, &["Q ok 2"]), "T D D C ZI");
    assert_eq!(run(&mut bench, &["Q ok 3"]), "T D D E54000 ZI");
    assert_eq!(run(&mut bench, &["P - ok 3", "B - -", "E - 0", "S"]), "1 2 D D E54000 ZI");
    let portal = ["Q begin", "P - ok 3", "B - -", "E - 2", "E - 2", "S", "Q rollback"];
    assert_eq!(run(&mut bench, &portal), "C ZT 1 2 D D s E54000 ZT C ZI");
    let last = bench.events.iter().rev().nth(1).unwrap();
    let Event::Completed { rows, error, .. } = last else { panic!("{last:?}") };
    assert_eq!((*rows, error.as_deref()), (0, Some("54000")));
}

#[test]
fn a_reply_that_does_not_fit_is_an_alarm() {
    let mut stray = BytesMut::new();
    model::data_row(&mut stray, "value");
    let mut complete = BytesMut::new();
    writer::command_complete(&mut complete, "SELECT 1");
    let mut ready = BytesMut::new();
    writer::ready_for_query(&mut ready, b'I');
    for (script, bytes) in [
        (&[][..], &stray[..]),
        (&[], &complete),
        (&[], &ready),
        (&[], &error("42601", "unasked")),
        (&["P s ok 1"], &stray),
        (&["Q ok 1"], b"2\0\0\0\x04"),
        (&["Q refuse"], b"G\0\0\0\x07\0\0\0"),
        (&["Q begin", "Q refuse"], &complete),
        (&["S"], b"1\0\0\0\x04"),
    ] {
        let mut bench = Bench::new(None);
        for words in script {
            bench.send(&message(words));
            if *words == "Q begin" {
                while bench.deliver(usize::MAX) > 0 {}
            }
        }
        // Before the server can answer what was asked.
        bench.out.to_server.clear();
        let said = bench.server_says(bytes);
        assert!(matches!(said, Err(Fault::Misfit { .. })), "{script:?}: {said:?}");
    }
}

#[test]
fn notices_and_parameters_pass_anywhere_and_notifications_where_asked_for() {
    let mut bench = Bench::new(None);
    let mut said = BytesMut::new();
    writer::notice_response(&mut said, &writer::ErrorMessage::new("NOTICE", "00000", "x"));
    writer::parameter_status(&mut said, "TimeZone", "UTC");
    writer::parameter_status(&mut said, "session_authorization", "scrim");
    channels::notification(&mut said, 1, "a");
    bench.server_says(&said).unwrap();
    assert_eq!(summary(&bench.to_client), "N S");
    // One that is cut short is an alarm, whoever listens.
    assert!(bench.server_says(b"A\0\0\0\x0a\0\0\0\x01a\0").is_err());
    let mut bench = Bench::new(None);
    let mut pinned = BytesMut::new();
    writer::parameter_status(&mut pinned, "standard_conforming_strings", "off");
    assert!(bench.server_says(&pinned).is_err());
}

#[test]
fn a_fatal_error_ends_the_session_once() {
    let mut bench = Bench::new(None);
    bench.send(&message("Q ok 1"));
    bench.out.to_server.clear();
    let mut fatal = BytesMut::new();
    writer::error_response(&mut fatal, &writer::ErrorMessage::new("FATAL", "57P01", "bye"));
    assert_eq!(bench.server_says(&fatal), Err(Fault::ServerFatal));
    assert_eq!(summary(&bench.out.to_client), "E57P01");
    assert!(
        matches!(&bench.out.events[0], Event::Completed { error: Some(code), .. } if code == "57P01")
    );
}

#[test]
fn a_pipelined_query_waits_for_the_search_path_it_is_planned_under() {
    // The model asserts that each text was planned under the path it runs under.
    assert_eq!(answer(&["Q set a", "Q ok 1", "Q set b", "Q ok 1"]).matches('Z').count(), 4);
    let unit = ["P s set a", "B - s", "E - 0", "P t ok 1", "B - t", "E - 0", "S", "Q ok 1"];
    assert_eq!(answer(&unit), "1 2 C 1 2 D C ZI T D C ZI");
    let failing = ["P s set a", "B - s", "E - 0", "P t late 0", "B - t", "E - 0", "S", "Q ok 1"];
    assert_eq!(answer(&failing), "1 2 C 1 2 E22012 ZI T D C ZI");
}

/// After the catalog has changed, a statement is described and judged again; that is only done when it is answered.
#[test]
fn a_skipped_describe_has_judged_nothing() {
    for skipped in [true, false] {
        let mut bench = Bench::new(None);
        assert_eq!(run(&mut bench, &["P s ok 1", "S", "B - s", "E - 0", "S"]), "1 ZI 2 D C ZI");
        bench.judge.0.store(2, Ordering::Relaxed);
        if skipped {
            assert_eq!(run(&mut bench, &["B - nothing", "B - s", "E - 0", "S"]), "E26000 ZI");
        }
        let said = run(&mut bench, &["B - s", "E - 0", "S"]);
        assert!(said.contains('E') && !said.contains('D'), "{said}");
    }
}

/// COPY describes no rows: the probe in front of it is judged, and decides over its data.
#[test]
fn the_data_of_a_copy_is_judged_by_its_probe() {
    let copy = SentStatement {
        number: 1,
        kind: StatementKind::Copy { extra_messages: 0 },
        discretion: None,
        masks: None,
        effect: Effect::None,
        makes: None,
        about: None,
        tag: None,
        runs_code: false,
        is_probe: false,
    };
    let probe = SentStatement { is_probe: true, ..copy.clone() };
    let of = |table: i32| {
        let mut said = BytesMut::new();
        model::row_description(&mut said, table);
        writer::command_complete(&mut said, "SELECT 0");
        said
    };
    let data = |tag: &str| {
        let mut said = BytesMut::from(&b"H\0\0\0\x07\0\0\0d\0\0\0\x06hi"[..]);
        said.extend_from_slice(if tag.is_empty() { b"" } else { b"c\0\0\0\x04" });
        writer::command_complete(&mut said, "COPY 1");
        writer::ready_for_query(&mut said, b'I');
        said
    };
    let ask = |statements: &[&SentStatement]| {
        let mut bench = Bench::new(None);
        let statements = statements.iter().map(|one| (*one).clone()).collect();
        bench.pipeline.query("as planned", statements, &mut bench.out).unwrap();
        bench.out.to_server.clear();
        bench
    };
    for (table, expected) in [(0, "H d c C ZI"), (666, "E42501 ZI")] {
        let mut bench = ask(&[&probe, &copy]);
        bench.server_says(&of(table)).unwrap();
        assert_eq!(summary(&bench.to_client), "", "the probe is not the client's");
        bench.server_says(&data("c")).unwrap();
        assert_eq!(summary(&bench.to_client), expected);
        let breaches = bench.events.iter().filter(|event| matches!(event, Event::Breach { .. }));
        assert_eq!(breaches.count(), usize::from(table != 0));
        let ends = bench.events.iter().filter(|event| matches!(event, Event::Completed { .. }));
        assert_eq!(ends.count(), 1, "one record, one end");
    }
    // No probe before it; data of what is no COPY; a COPY that never says that it is done.
    assert!(ask(&[&copy]).server_says(&data("c")).is_err());
    let select = SentStatement { kind: StatementKind::Select, ..copy.clone() };
    assert!(ask(&[&select]).server_says(&data("c")).is_err());
    let mut bench = ask(&[&probe, &copy]);
    bench.server_says(&of(0)).unwrap();
    assert!(bench.server_says(&data("")).is_err());
}

/// What fills a temporary table is judged by its probe too; where that is not good, the session that could read the table
/// ends.
#[test]
fn a_temporary_table_is_judged_by_its_probe() {
    let fill = SentStatement {
        number: 1,
        kind: StatementKind::TempTable,
        discretion: None,
        masks: None,
        effect: Effect::None,
        makes: None,
        about: None,
        tag: None,
        runs_code: false,
        is_probe: false,
    };
    let probe = SentStatement { is_probe: true, ..fill.clone() };
    let said = |table: Option<i32>| {
        let mut said = BytesMut::new();
        if let Some(table) = table {
            model::row_description(&mut said, table);
            writer::command_complete(&mut said, "SELECT 0");
        }
        writer::command_complete(&mut said, "SELECT 3");
        writer::ready_for_query(&mut said, b'I');
        said
    };
    for (statements, table, is_fine) in [
        (vec![probe.clone(), fill.clone()], Some(0), true),
        (vec![probe.clone(), fill.clone()], Some(666), false),
        (vec![fill.clone()], None, false),
    ] {
        let mut bench = Bench::new(None);
        bench.pipeline.query("as planned", statements, &mut bench.out).unwrap();
        bench.out.to_server.clear();
        let heard = bench.server_says(&said(table));
        assert_eq!(heard.is_ok(), is_fine, "{table:?}");
        let expected = if is_fine { "C ZI" } else { "" };
        assert_eq!(summary(&bench.out.to_client), if is_fine { "" } else { expected });
        if is_fine {
            assert_eq!(summary(&bench.to_client), expected);
        }
    }
}

/// Each line of a plan is judged; what comes in pieces is too long to be one.
#[test]
fn plans_are_edited_on_their_way() {
    let explain = SentStatement {
        number: 1,
        kind: StatementKind::Explain { json: false },
        discretion: Some(Arc::new(Discretion::of_nothing(false))),
        masks: None,
        effect: Effect::None,
        makes: None,
        about: None,
        tag: None,
        runs_code: false,
        is_probe: false,
    };
    let plan = |lines: &[&str]| {
        let mut said = BytesMut::new();
        model::row_description(&mut said, 0);
        for line in lines {
            writer::data_row(&mut said, &[Some(line.as_bytes())]).unwrap();
        }
        writer::command_complete(&mut said, "EXPLAIN");
        writer::ready_for_query(&mut said, b'I');
        said
    };
    let long = "x".repeat(300_000);
    for (lines, expected) in [
        (vec!["Seq Scan on a", "  Output: secret", "  Filter: (b = 1)"], "T D D C ZI"),
        (vec!["Result", long.as_str(), "  Filter: (b = 1)"], "T D E54000 ZI"),
        (vec!["\u{1}"], "T C ZI"),
    ] {
        let mut bench = Bench::new(None);
        bench.pipeline.query("as planned", vec![explain.clone()], &mut bench.out).unwrap();
        bench.out.to_server.clear();
        bench.server_says(&plan(&lines)).unwrap();
        assert_eq!(summary(&bench.to_client), expected);
    }
}

#[test]
fn malformed_messages_of_the_client_end_the_session() {
    for bytes in [&b"S\0\0\0\x05x"[..], b"Q\0\0\0\x06xx", b"D\0\0\0\x06Xs"] {
        let mut bench = Bench::new(None);
        let mut pieces = crate::wire::Pieces::new(crate::wire::Limits::frontend());
        let piece = pieces.next(&mut BytesMut::from(bytes)).unwrap().unwrap();
        let taken = bench.pipeline.take(piece, &mut bench.out);
        assert!(matches!(taken, Err(Fault::Client { .. })), "{bytes:?}");
        assert!(bench.out.to_server.is_empty());
    }
}

#[test]
fn a_function_call_is_refused() {
    let mut bench = Bench::new(None);
    bench.send(b"F\0\0\0\x0e\0\0\0\x01\0\0\0\0\0\0");
    bench.send(&message("Q begin"));
    bench.send(b"F\0\0\0\x0e\0\0\0\x01\0\0\0\0\0\0");
    while bench.deliver(usize::MAX) > 0 {}
    assert_eq!(summary(&bench.to_client), "E42501 ZI C ZT E42501 ZE");
}

#[test]
fn a_long_bind_streams_and_a_long_text_goes_nowhere() {
    let mut bench = Bench::new(None);
    bench.send(&message("P s ok 0"));
    bench.deliver(usize::MAX);
    let value = vec![b'x'; 200_000];
    let mut bind = b"p\0s\0\0\0\0\x01".to_vec();
    bind.extend((value.len() as u32).to_be_bytes());
    bind.extend(&value);
    bind.extend(b"\0\0");
    let mut long = b"B".to_vec();
    long.extend((bind.len() as u32 + 4).to_be_bytes());
    long.extend(&bind);
    bench.send(&long);
    assert_eq!(bench.out.to_server.len(), long.len());
    bench.out.to_server.clear();

    let mut bench = Bench::new(None);
    let text = vec![b'x'; 3 * 1024 * 1024];
    for tag in [b'Q', b'P'] {
        let mut long = vec![tag];
        long.extend((text.len() as u32 + 4).to_be_bytes());
        long.extend(&text);
        bench.send(&long);
        bench.send(&message("S"));
        assert!(bench.out.to_server.len() < 100, "{}", bench.out.to_server.len());
        while bench.deliver(usize::MAX) > 0 {}
    }
    assert_eq!(summary(&bench.to_client), "E42501 ZI ZI E42501 ZI");
}
