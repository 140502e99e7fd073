//! Runs a statement on both sides and says whether the law holds.

use super::statement::{Shape, Statement};
use crate::canary;
use crate::cases::compare;
use crate::harness::client::{Answer, Client, Form};
use crate::masked_copy::RowTypes;

/// What came of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both say the same; how many rows came.
    Same { rows: usize },
    /// Both give the same error.
    SameError(String),
    /// Scrim says no: message and hint without names.
    Refused(String),
    /// Each fails, at other values; or one fails where the other's plan did not get to.
    OrderOfWork { one_sided: bool },
    /// Took too long for a test, on either side.
    TooLong,
    /// The law is broken.
    Wrong(String),
}

/// Runs `query`, which is the statement's tree or a smaller one.
pub fn judge(
    statement: &Statement,
    query: &str,
    copy: &mut Client,
    scrim: &mut Client,
    row_types: &RowTypes,
) -> Verdict {
    let expected = run(statement, query, copy);
    let got = run(statement, query, scrim);
    let (from_copy, from_scrim) = (copy.take_received(), scrim.take_received());
    // The copy's own bytes hold no true value: what looks like a mark in them too, a sum say, is none.
    let known = canary::find(&from_copy);
    let alive = scrim.simple("SELECT 1");
    let rows = alive.first().map(|answer| answer.rows.clone());
    scrim.take_received();
    if rows != Some(vec![vec![Some(b"1".to_vec())]]) {
        return Verdict::Wrong(format!("the session did not survive: {alive:?}"));
    }
    if known.is_empty() {
        let found = canary::find(&from_scrim);
        if !found.is_empty() {
            return Verdict::Wrong(format!("a canary reached the client: {found:?}"));
        }
    }
    weigh(statement, &expected, &got, row_types)
}

/// The SQLSTATE that the copy gives, if it gives one.
pub fn kind(statement: &Statement, query: &str, copy: &mut Client) -> Option<String> {
    let answers = run(statement, query, copy);
    copy.take_received();
    answers.into_iter().find_map(|answer| answer.error).map(|error| error.code)
}

fn weigh(
    statement: &Statement,
    expected: &[Answer],
    got: &[Answer],
    row_types: &RowTypes,
) -> Verdict {
    let error = |answers: &[Answer]| answers.iter().find_map(|answer| answer.error.clone());
    let (left, right) = (error(expected), error(got));
    if let Some(error) = &right
        && error.message.starts_with("scrim: ")
    {
        let hint = error.hint.as_deref().unwrap_or_default();
        return Verdict::Refused(format!("{} ({hint})", error.message));
    }
    let code = |error: &Option<_>| {
        error.as_ref().map(|e: &crate::harness::client::ServerError| e.code.clone())
    };
    let (left_code, right_code) = (code(&left), code(&right));
    if [&left_code, &right_code].into_iter().flatten().any(|code| code == "57014") {
        return Verdict::TooLong;
    }
    let differences = compare::differences(expected, got, statement.ordered, row_types);
    if differences.is_empty() {
        return match left {
            Some(error) => Verdict::SameError(format!("{} {}", error.code, error.message)),
            None => {
                Verdict::Same { rows: got.iter().map(|a| a.rows.len() + a.copied.len() / 2).sum() }
            }
        };
    }
    // PostgreSQL promises no order of evaluation: which row of a join it looks at first, and whether a condition
    // that fails is asked before one that drops the row, is the plan's choice, and the plan over a masked
    // sub-select may be another one than the plan over the copy. So an error of the data (class 22) may name
    // another value, or come on one side only. Either way both sides see masks and nothing else, which the canaries
    // check; that they do in general is shown by all statements without such an error.
    let of_data = |code: &Option<String>| code.as_ref().is_some_and(|code| code.starts_with("22"));
    match (of_data(&left_code), of_data(&right_code)) {
        (true, true) => Verdict::OrderOfWork { one_sided: false },
        (true, false) if right_code.is_none() => Verdict::OrderOfWork { one_sided: true },
        (false, true) if left_code.is_none() => Verdict::OrderOfWork { one_sided: true },
        _ => Verdict::Wrong(differences.join("; ")),
    }
}

fn run(statement: &Statement, query: &str, client: &mut Client) -> Vec<Answer> {
    let texts = statement.texts(query);
    let answers = match statement.shape {
        Shape::Bound => {
            vec![bound(statement, query, client, statement.form == Form::ExtendedBinary)]
        }
        _ => {
            let all = texts.join("; ");
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            client.run(statement.form, &all, &texts)
        }
    };
    if client.transaction != b'I' {
        client.simple("ROLLBACK");
    }
    if statement.shape == Shape::Prepared {
        client.simple("DEALLOCATE ALL");
    }
    answers
}

/// One unit of the extended protocol, with values for its parameters.
fn bound(statement: &Statement, query: &str, client: &mut Client, binary: bool) -> Answer {
    let mut parse = b"\0".to_vec();
    parse.extend(query.as_bytes());
    parse.push(0);
    let count = (statement.parameters.len() as i16).to_be_bytes();
    parse.extend(count);
    for parameter in &statement.parameters {
        parse.extend(parameter.type_oid.to_be_bytes());
    }
    client.send(b'P', &parse);
    let mut bind = b"\0\0\0\0".to_vec();
    bind.extend(count);
    for parameter in &statement.parameters {
        match parameter.value {
            Some(value) => {
                bind.extend((value.len() as i32).to_be_bytes());
                bind.extend(value.as_bytes());
            }
            None => bind.extend((-1_i32).to_be_bytes()),
        }
    }
    bind.extend(1_i16.to_be_bytes());
    bind.extend(i16::from(binary).to_be_bytes());
    client.send(b'B', &bind);
    client.send(b'D', b"P\0");
    client.send(b'E', b"\0\0\0\0\0");
    client.send(b'S', b"");
    client.answers().pop().unwrap_or_default()
}
