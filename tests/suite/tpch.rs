//! The 22 queries of TPC-H over masked tables: all are answered, and as the masked copy answers.
//!
//! A database of its own, so the core alone: its plan is run on the true tables. The copy is made by hand, in SQL.
//! <https://www.tpc.org/tpch/>

use scrim::catalog::SearchPath;
use scrim::policy::RoleView;
use scrim::sql::{Speaker, plan};

use crate::cases::compare;
use crate::harness::client::{Client, Form};
use crate::harness::core;
use crate::harness::start_desk;
use crate::masked_copy::RowTypes;

#[test]
fn every_query_is_answered_as_on_the_masked_copy() {
    let server = start_desk();
    server.run("desk", include_str!("tpch/schema.sql")).unwrap_or_else(|error| panic!("{error}"));
    let connect = |path: &str| {
        let (folder, port) = (server.socket_folder(), server.port());
        Client::connect_unix_with(folder, port, "scrim", "desk", &[("search_path", path)])
    };
    let (mut direct, mut copy, mut raw) = (connect("public"), connect("copy"), connect("tpch"));
    let rules = core::rules_of(&[("tpch.yaml", include_str!("tpch/rules.yaml"))]);
    let view = RoleView::new("reader", rules, core::snapshot_over(&mut direct)).expect("a role");
    let path = SearchPath::parse("tpch").expect("a search_path");
    let queries = pg_query::split_with_parser(include_str!("tpch/queries.sql")).expect("queries");
    assert_eq!(queries.len(), 22);
    let mut wrong = Vec::new();
    let (mut with_rows, mut masked) = (0, 0);
    for (index, query) in queries.iter().enumerate() {
        let mut fail = |what: String| wrong.push(format!("query {}: {what}", index + 1));
        let planned = match plan(query, Speaker::new(&view, &path, "tester", false)) {
            Ok(planned) => planned.statements[0].sql.as_str().to_owned(),
            Err(refusal) => {
                fail(format!("{refusal} {:?}", refusal.hint));
                continue;
            }
        };
        let expected = copy.run(Form::ExtendedText, query, &[query]);
        let got = direct.run(Form::ExtendedText, &planned, &[&planned]);
        let none = RowTypes::default();
        compare::differences(&expected, &got, true, &none).into_iter().for_each(&mut fail);
        let truth = raw.run(Form::ExtendedText, query, &[query]);
        for answer in expected.iter().chain(&truth).filter_map(|answer| answer.error.as_ref()) {
            fail(format!("{} {}", answer.code, answer.message));
        }
        with_rows += usize::from(expected.iter().any(|answer| !answer.rows.is_empty()));
        let differs = truth.iter().zip(&expected).any(|(a, b)| a.rows != b.rows);
        masked += usize::from(differs);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Or nothing is shown.
    assert!(with_rows >= 20, "{with_rows} queries give rows");
    assert!(masked >= 13, "the masks change {masked} answers");
}
