//! Expected and got, without a database.

use super::*;
use crate::trials::case::{Expected, Pattern, Place, Who};

fn case(expected: Expected, never: &[&str]) -> Case {
    Case {
        name: "a test".into(),
        place: Place { file: "t.yaml".into(), line: 1, column: 1 },
        who: Who::Role("support".into()),
        database: None,
        purpose: None,
        end_user: None,
        settings: Vec::new(),
        statement: "SELECT 'secret-7'".into(),
        params: Vec::new(),
        expected,
        never: never.iter().map(|pattern| Pattern::parse(pattern).unwrap()).collect(),
    }
}

fn rows(rows: &[&str]) -> Vec<Vec<Cell>> {
    let cell = |text: &str| match text {
        "␀" => Cell::Null,
        text => Cell::Text(text.to_owned()),
    };
    rows.iter().map(|row| row.split(' ').map(cell).collect()).collect()
}

fn answer(columns: &[&str], rows: &[&str]) -> Answer {
    let value = |text: &str| (text != "␀").then(|| text.to_owned());
    Answer {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        rows: rows.iter().map(|row| row.split(' ').map(value).collect()).collect(),
        count: Some(rows.len() as u64),
        ..Answer::default()
    }
}

fn marks(verdict: &Verdict) -> String {
    let difference = verdict.difference.iter().flat_map(|difference| &difference.rows);
    let line = |(mark, row): &(Mark, Vec<String>)| {
        let sign = match mark {
            Mark::Same => '=',
            Mark::Missing => '-',
            Mark::Extra => '+',
        };
        format!("{sign}{}", row.join(" "))
    };
    difference.map(line).collect::<Vec<_>>().join(",")
}

#[test]
fn rows_in_any_order_are_the_same_rows() {
    let expected = |list: &[&str]| Expected { rows: Some(rows(list)), ..Expected::default() };
    let judged =
        |list: &[&str], came: &[&str]| judge(&case(expected(list), &[]), &answer(&["a"], came));
    assert_eq!(judged(&["1", "2", "2"], &["2", "1", "2"]), Verdict::default());
    assert_eq!(judged(&[], &[]), Verdict::default());
    // As often as they are expected, and NULL is no text.
    assert_eq!(marks(&judged(&["1", "2", "2"], &["2", "1", "1"])), "=1,=2,-2,+1");
    assert_eq!(marks(&judged(&["␀"], &["null"])), "-␀,+null");
    assert_eq!(marks(&judged(&["1"], &[])), "-1");
    assert_eq!(judged(&["1"], &[]).problems, ["rows: 1 expected, 0 came"]);
}

#[test]
fn rows_in_order_are_told_one_by_one() {
    let judged = |list: &[&str], came: &[&str]| {
        let expected = Expected { rows: Some(rows(list)), is_ordered: true, ..Expected::default() };
        judge(&case(expected, &[]), &answer(&["a"], came))
    };
    assert_eq!(judged(&["1", "2"], &["1", "2"]), Verdict::default());
    assert_eq!(marks(&judged(&["1", "2"], &["2", "1"])), "-1,+2,-2,+1");
    assert_eq!(marks(&judged(&["1", "2", "3"], &["0", "1", "2", "3"])), "+0,=1,=2,=3");
    assert_eq!(marks(&judged(&["1", "x", "3", "4"], &["1", "2", "3", "5"])), "=1,-x,+2,=3,-4,+5");
    assert_eq!(marks(&judged(&["1", "1"], &["1"])), "=1,-1");
}

#[test]
fn columns_counts_and_refusals() {
    let columns = |names: &[&str]| Expected {
        columns: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..Expected::default()
    };
    let came = answer(&["id", "email"], &["1 a"]);
    assert_eq!(judge(&case(columns(&["id", "email"]), &[]), &came), Verdict::default());
    let verdict = judge(&case(columns(&["id"]), &[]), &came);
    assert_eq!(verdict.problems, ["columns expected: id", "columns that came: id, email"]);
    let count = |count| Expected { count: Some(count), ..Expected::default() };
    assert_eq!(judge(&case(count(1), &[]), &came), Verdict::default());
    assert_eq!(judge(&case(count(2), &[]), &came).problems, ["rows: 2 expected, 1 came"]);
    let refused = |parts: &[&str]| Expected {
        refused: Some(parts.iter().map(|part| (*part).to_owned()).collect()),
        ..Expected::default()
    };
    let error = ServerError {
        code: "42501".into(),
        message: "scrim: no".into(),
        hint: Some("ask kim".into()),
        detail: None,
    };
    let no = Answer { error: Some(error), ..Answer::default() };
    assert_eq!(judge(&case(refused(&["42501", "kim"]), &[]), &no), Verdict::default());
    // A part of an SQLSTATE is none.
    assert_eq!(judge(&case(refused(&["425"]), &[]), &no).problems.len(), 1);
    assert_eq!(judge(&case(refused(&["42501"]), &[]), &came).problems.len(), 1);
    let never = judge(&case(Expected::default(), &["/x/"]), &no);
    assert_eq!(never.problems, ["refused: 42501 scrim: no (ask kim)"]);
}

#[test]
fn what_never_shows_is_never_printed() {
    let secret = |text: &str| text.contains("secret-7");
    let expected = Expected { rows: Some(rows(&["1 y"])), ..Expected::default() };
    let case = case(expected, &["/secret-[0-9]/"]);
    let places = [
        answer(&["a", "b"], &["1 y", "2 secret-7"]),
        answer(&["a", "secret-7"], &["1 y"]),
        Answer { notices: vec!["secret-7".into()], ..answer(&["a", "b"], &["1 y"]) },
        Answer {
            error: Some(ServerError { hint: Some("secret-7".into()), ..ServerError::default() }),
            ..Answer::default()
        },
    ];
    for (place, answer) in places.into_iter().enumerate() {
        let verdict = judge(&case, &answer);
        assert!(!verdict.problems.is_empty(), "{place}");
        assert!(!secret(&format!("{verdict:?}")), "{place}: {verdict:?}");
    }
    assert!(!secret(&statement(&case)));
    assert_eq!(judge(&case, &answer(&["a", "b"], &["1 y"])), Verdict::default());
}
