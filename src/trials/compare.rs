//! What was expected and what came. Pure.

use super::caller::{Answer, ServerError};
use super::case::{Case, Cell};
use super::table::NULL;

/// What stands in the place of what must never be shown.
const CONCEALED: &str = "[must never show]";
/// Length of a value that is printed, in characters.
const VALUE_CHARACTERS_MAX: usize = 200;

/// What came of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What does not hold, in words; none: it holds.
    pub problems: Vec<String>,
    /// The rows side by side, where they are not as expected.
    pub difference: Option<Difference>,
}

/// Rows that are there and should not be, and the other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The names of the columns that came.
    pub columns: Vec<String>,
    /// The rows as they are printed.
    pub rows: Vec<(Mark, Vec<String>)>,
}

/// What a row of a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// As expected.
    Same,
    /// Expected, and did not come.
    Missing,
    /// Came, and is not expected.
    Extra,
}

/// Judges an answer.
pub fn judge(case: &Case, answer: &Answer) -> Verdict {
    let mut verdict = Verdict::default();
    match (&answer.error, &case.expected.refused) {
        (Some(error), Some(parts)) => refused(case, error, parts, &mut verdict),
        (Some(error), None) => {
            verdict.problems.push(format!("refused: {}", words(case, error)));
        }
        (None, Some(parts)) => {
            let rows = answer.rows.len();
            let parts = parts.join("`, `");
            verdict
                .problems
                .push(format!("it is not refused (`{parts}`), and gives {}", counted(rows, "row")));
        }
        (None, None) => answered(case, answer, &mut verdict),
    }
    never_shows(case, answer, &mut verdict);
    verdict
}

fn refused(case: &Case, error: &ServerError, parts: &[String], verdict: &mut Verdict) {
    let ServerError { code, message, detail, hint } = error;
    let whole: Vec<&str> = [Some(message), detail.as_ref(), hint.as_ref()]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let has = |part: &String| part == code || whole.iter().any(|text| text.contains(part.as_str()));
    for part in parts.iter().filter(|part| !has(part)) {
        verdict
            .problems
            .push(format!("`{part}` is not in what it is refused with: {}", words(case, error)));
    }
}

fn answered(case: &Case, answer: &Answer, verdict: &mut Verdict) {
    let expected = &case.expected;
    let mut is_comparable = true;
    if let Some(columns) = expected.columns.as_ref().filter(|columns| **columns != answer.columns) {
        is_comparable = columns.len() == answer.columns.len();
        let listed = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => {
                names.iter().map(|name| shown(case, Some(name))).collect::<Vec<_>>().join(", ")
            }
        };
        verdict.problems.push(format!("columns expected: {}", listed(columns)));
        verdict.problems.push(format!("columns that came: {}", listed(&answer.columns)));
    }
    if let Some(rows) = &expected.rows {
        let marked = match expected.is_ordered {
            true => in_order(rows, &answer.rows),
            false => in_any_order(rows, &answer.rows),
        };
        let is_same = marked.iter().all(|(mark, _)| *mark == Mark::Same);
        if !is_same || !is_comparable {
            let order = if expected.is_ordered { ", in this order" } else { "" };
            verdict.problems.push(format!(
                "rows: {} expected{order}, {} came",
                rows.len(),
                answer.rows.len()
            ));
            let printed = |row: Row<'_>| match row {
                Row::Expected(row) => row.iter().map(|cell| shown(case, cell.value())).collect(),
                Row::Came(row) => row.iter().map(|value| shown(case, value.as_deref())).collect(),
            };
            verdict.difference = Some(Difference {
                columns: answer.columns.iter().map(|name| shown(case, Some(name))).collect(),
                rows: marked.into_iter().map(|(mark, row)| (mark, printed(row))).collect(),
            });
        }
    }
    if let Some(count) = expected.count {
        let came =
            answer.count.unwrap_or_else(|| u64::try_from(answer.rows.len()).unwrap_or(u64::MAX));
        if came != count {
            verdict.problems.push(format!("rows: {count} expected, {came} came"));
        }
    }
}

#[derive(Clone, Copy)]
enum Row<'a> {
    Expected(&'a [Cell]),
    Came(&'a [Option<String>]),
}

fn is_same(expected: &[Cell], came: &[Option<String>]) -> bool {
    expected.len() == came.len()
        && expected.iter().zip(came).all(|(cell, value)| cell.is(value.as_deref()))
}

/// Each expected row takes one that came; what is left over differs, those that were expected first.
fn in_any_order<'a>(
    expected: &'a [Vec<Cell>],
    came: &'a [Vec<Option<String>>],
) -> Vec<(Mark, Row<'a>)> {
    let mut free: Vec<&Vec<Option<String>>> = came.iter().collect();
    let mut marked = Vec::new();
    let mut missing = Vec::new();
    for row in expected {
        match free.iter().position(|other| is_same(row, other)) {
            Some(place) => {
                free.remove(place);
                marked.push((Mark::Same, Row::Expected(row)));
            }
            None => missing.push((Mark::Missing, Row::Expected(row))),
        }
    }
    marked.extend(missing);
    marked.extend(free.into_iter().map(|row| (Mark::Extra, Row::Came(row))));
    marked
}

/// What both begin and end with is the same; what stands between differs, row by row.
fn in_order<'a>(
    expected: &'a [Vec<Cell>],
    came: &'a [Vec<Option<String>>],
) -> Vec<(Mark, Row<'a>)> {
    let same = |pair: &(&Vec<Cell>, &Vec<Option<String>>)| is_same(pair.0, pair.1);
    let head = expected.iter().zip(came).take_while(same).count();
    let (first, expected) = expected.split_at(head.min(expected.len()));
    let (_, came) = came.split_at(head.min(came.len()));
    let tail = expected.iter().rev().zip(came.iter().rev()).take_while(same).count();
    let (expected, last) = expected.split_at(expected.len().saturating_sub(tail));
    let (came, _) = came.split_at(came.len().saturating_sub(tail));
    let mut marked: Vec<_> = first.iter().map(|row| (Mark::Same, Row::Expected(row))).collect();
    for place in 0..expected.len().max(came.len()) {
        let missing = expected.get(place).map(|row| (Mark::Missing, Row::Expected(row)));
        let extra = came.get(place).map(|row| (Mark::Extra, Row::Came(row)));
        match (missing, extra) {
            // Beside others that differ, a row may be right.
            (Some((_, Row::Expected(row))), Some((_, Row::Came(other)))) if is_same(row, other) => {
                marked.push((Mark::Same, Row::Expected(row)));
            }
            (missing, extra) => marked.extend(missing.into_iter().chain(extra)),
        }
    }
    marked.extend(last.iter().map(|row| (Mark::Same, Row::Expected(row))));
    marked
}

/// Looks at all that came: names, values, errors, notices. Says where, and never what.
fn never_shows(case: &Case, answer: &Answer, verdict: &mut Verdict) {
    for pattern in &case.never {
        let hit = |text: &str| pattern.regex.is_match(text);
        let mut found = Vec::new();
        let named = answer.columns.iter().position(|name| hit(name));
        found.extend(named.map(|place| format!("the name of column {}", place.saturating_add(1))));
        for (number, row) in answer.rows.iter().enumerate() {
            for (place, value) in row.iter().enumerate() {
                if value.as_deref().is_some_and(hit) {
                    let column = answer.columns.get(place);
                    let column = column.map_or("its text".to_owned(), |name| {
                        format!("column {}", shown(case, Some(name)))
                    });
                    found.push(format!("row {}, {column}", number.saturating_add(1)));
                }
            }
        }
        if let Some(ServerError { message, detail, hint, .. }) = &answer.error {
            let mut texts = [Some(message), detail.as_ref(), hint.as_ref()].into_iter().flatten();
            found.extend(texts.any(|text| hit(text)).then(|| "the error".to_owned()));
        }
        found.extend(answer.notices.iter().any(|text| hit(text)).then(|| "a notice".to_owned()));
        if let Some(first) = found.first() {
            let more = match found.len().saturating_sub(1) {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            verdict
                .problems
                .push(format!("it shows what `{}` finds: {first}{more}", pattern.written));
        }
    }
}

fn words(case: &Case, error: &ServerError) -> String {
    let mut text = format!("{} {}", error.code, error.message);
    if let Some(hint) = &error.hint {
        text.push_str(&format!(" ({hint})"));
    }
    concealed(case, &text).unwrap_or(text)
}

/// A value as it is printed.
fn shown(case: &Case, value: Option<&str>) -> String {
    let Some(value) = value else { return NULL.to_owned() };
    if let Some(concealed) = concealed(case, value) {
        return concealed;
    }
    let mut text = String::new();
    for (count, character) in value.chars().enumerate() {
        match character {
            _ if count == VALUE_CHARACTERS_MAX => {
                text.push('…');
                break;
            }
            character if character.is_control() => text.extend(character.escape_default()),
            character => text.push(character),
        }
    }
    text
}

/// `None`: nothing in a text has to be.
fn concealed(case: &Case, text: &str) -> Option<String> {
    let is_hit = case.never.iter().any(|pattern| pattern.regex.is_match(text));
    is_hit.then(|| CONCEALED.to_owned())
}

/// The statement of a case as it is printed: what must never be shown is not, even where the test itself has it.
pub(super) fn statement(case: &Case) -> String {
    let mut text = case.statement.trim().to_owned();
    for pattern in &case.never {
        text = pattern.regex.replace_all(&text, CONCEALED).into_owned();
    }
    text
}

pub(super) fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    }
}

#[cfg(test)]
mod tests;
