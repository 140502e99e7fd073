//! What is sent: a query as it is, in an order, limited, or wrapped in another statement.

use super::schema::{Sort, Table};
use super::tree::{Sql, fill, text};
use super::writer::{Parameter, Writer};
use crate::dice::Dice;
use crate::harness::client::Form;

/// A statement, or several that belong together.
#[derive(Debug, Clone)]
pub struct Statement {
    pub tree: Sql,
    pub shape: Shape,
    pub form: Form,
    /// Some expression may fail on ordinary values.
    pub risky: bool,
    /// All rows come in an order that the statement decides.
    pub ordered: bool,
    pub parameters: Vec<Parameter>,
}

/// How the query of the tree is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Plain,
    Copy(&'static str),
    Cursor,
    Prepared,
    /// Parse, Bind with values, Execute.
    Bound,
}

impl Statement {
    /// The texts, in order, of which `query` is the tree's.
    pub fn texts(&self, query: &str) -> Vec<String> {
        match self.shape {
            Shape::Plain | Shape::Bound => vec![query.into()],
            Shape::Copy(options) => vec![format!("COPY ({query}) TO STDOUT{options}")],
            Shape::Cursor => vec![
                "BEGIN".into(),
                format!("DECLARE c SCROLL CURSOR FOR {query}"),
                "FETCH 3 FROM c".into(),
                "MOVE 1 FROM c".into(),
                "FETCH BACKWARD 2 FROM c".into(),
                "FETCH ALL FROM c".into(),
                "CLOSE c".into(),
                "COMMIT".into(),
            ],
            Shape::Prepared => {
                vec![format!("PREPARE p AS {query}"), "EXECUTE p".into(), "DEALLOCATE p".into()]
            }
        }
    }
}

pub fn write(dice: Dice, tables: &[Table]) -> Statement {
    let mut writer = Writer::new(dice, tables);
    writer.risky = writer.dice.one_in(10);
    let form = *writer.dice.pick(&Form::ALL);
    let shape = match writer.dice.roll(16) {
        0 => Shape::Copy(""),
        1 => Shape::Copy(" (FORMAT csv, HEADER)"),
        2 => Shape::Cursor,
        3 => Shape::Prepared,
        4 | 5 => Shape::Bound,
        _ => Shape::Plain,
    };
    if shape == Shape::Bound {
        writer.parameters = Some(Vec::new());
    }
    let (tree, ordered) = top(&mut writer, shape == Shape::Cursor);
    let parameters = writer.parameters.take().unwrap_or_default();
    Statement { tree, shape, form, risky: writer.risky, ordered, parameters }
}

/// The outermost query. Where rows are counted off, their order is by their whole text: rows that it leaves
/// unordered are the same.
fn top(writer: &mut Writer<'_>, must_be_ordered: bool) -> (Sql, bool) {
    if !must_be_ordered && writer.dice.one_in(40) {
        let table = writer.dice.pick(writer.tables).clone();
        return (text(format!("TABLE {}.{}", table.schema, table.name)), false);
    }
    if !must_be_ordered && writer.dice.one_in(60) {
        let (a, b) = (writer.expression(Sort::Int, 2), writer.expression(Sort::Text, 2));
        return (fill("VALUES ({}, {}), (2, 'b')", vec![a, b]), false);
    }
    let (query, columns) = writer.query(2, None);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let kind = if must_be_ordered { 0 } else { writer.dice.roll(10) };
    let around = match kind {
        0 => "SELECT * FROM ({}) AS q ORDER BY (q.*)::text".to_owned(),
        1 => {
            let ends = [" LIMIT 5", " LIMIT 7 OFFSET 2", " OFFSET 3 ROWS FETCH FIRST 4 ROWS ONLY"];
            format!(
                "SELECT * FROM ({{}}) AS q ORDER BY (q.*)::text DESC{}",
                writer.dice.pick(&ends)
            )
        }
        2 => "SELECT count(*) FROM ({}) AS q".to_owned(),
        3 => "SELECT to_jsonb(q.*) AS j FROM ({}) AS q".to_owned(),
        4 => format!("SELECT {} FROM ({{}}) AS q", names.join(", ")),
        5 => "SELECT q FROM ({}) AS q".to_owned(),
        6 => "SELECT md5(string_agg((q.*)::text, '|' ORDER BY (q.*)::text)) AS all FROM ({}) AS q"
            .to_owned(),
        _ => return (query, false),
    };
    let whole = fill(&around, vec![query.clone()]);
    // A cursor's pages mean something only in an order.
    let instead = if kind == 0 { Vec::new() } else { vec![query] };
    (Sql::Or(Box::new(whole), instead), kind < 2)
}
