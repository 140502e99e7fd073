//! Are two answers the same? Scrim's is held against the masked copy's.

use crate::harness::client::{Answer, Field, text};
use crate::masked_copy::RowTypes;

/// `record`, and `record[]`: what a row type of a masked table is called through Scrim.
const RECORD: u32 = 2249;
const RECORD_ARRAY: u32 = 2287;

/// The differences between what the copy says and what Scrim says, in words; empty: the same.
pub fn differences(
    copy: &[Answer],
    scrim: &[Answer],
    ordered: bool,
    row_types: &RowTypes,
) -> Vec<String> {
    if copy.len() != scrim.len() {
        return vec![format!(
            "the masked copy gives {} answers, Scrim gives {}: {}",
            copy.len(),
            scrim.len(),
            scrim.iter().map(summary).collect::<Vec<_>>().join("; ")
        )];
    }
    copy.iter()
        .zip(scrim)
        .filter_map(|(copy, scrim)| one(copy, scrim, ordered, row_types))
        .collect()
}

fn one(copy: &Answer, scrim: &Answer, ordered: bool, row_types: &RowTypes) -> Option<String> {
    let error =
        |answer: &Answer| answer.error.as_ref().map(|e| (e.code.clone(), plain(&e.message)));
    if error(copy) != error(scrim) {
        return Some(format!("the masked copy: {}; Scrim: {}", summary(copy), summary(scrim)));
    }
    if copy.error.is_some() {
        return None;
    }
    match (&copy.columns, &scrim.columns) {
        (None, None) => {}
        (Some(left), Some(right)) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                if !same_field(left, right, row_types) {
                    return Some(format!(
                        "column in the masked copy: `{}` of type {} ({}); through Scrim: `{}` of type {} ({})",
                        left.name,
                        left.type_oid,
                        left.type_modifier,
                        right.name,
                        right.type_oid,
                        right.type_modifier
                    ));
                }
            }
        }
        _ => return Some(format!("the masked copy: {}; Scrim: {}", summary(copy), summary(scrim))),
    }
    if copy.tag != scrim.tag {
        return Some(format!("tag of the masked copy: {:?}; of Scrim: {:?}", copy.tag, scrim.tag));
    }
    let lines = |answer: &Answer| {
        let copied =
            answer.copied.split(|byte| *byte == b'\n').map(|line| vec![Some(line.to_vec())]);
        let mut rows: Vec<Vec<Option<Vec<u8>>>> =
            answer.rows.iter().cloned().chain(copied).collect();
        if !ordered {
            rows.sort();
        }
        rows
    };
    let (left, right) = (lines(copy), lines(scrim));
    let at = left.iter().zip(&right).position(|(left, right)| left != right);
    if left.len() == right.len() && at.is_none() {
        return None;
    }
    let at = at.unwrap_or(left.len().min(right.len()));
    let row = |rows: &[Vec<Option<Vec<u8>>>]| rows.get(at).map_or("no row".into(), |row| draw(row));
    Some(format!(
        "row {} of {}{}: the masked copy has `{}`, Scrim has `{}`",
        at + 1,
        left.len(),
        if ordered { "" } else { " (sorted)" },
        row(&left),
        row(&right)
    ))
}

/// A message without what pinning names and replacing tables does to it, which says nothing about data.
fn plain(message: &str) -> String {
    message
        .replace("pg_catalog.", "")
        .replace("invalid reference to FROM-clause entry", "missing FROM-clause entry")
}

fn same_field(copy: &Field, scrim: &Field, row_types: &RowTypes) -> bool {
    let row = row_types.rows.contains(&copy.type_oid) && scrim.type_oid == RECORD
        || row_types.arrays.contains(&copy.type_oid) && scrim.type_oid == RECORD_ARRAY;
    copy.name == scrim.name
        && (row || copy.type_oid == scrim.type_oid && copy.type_modifier == scrim.type_modifier)
}

/// An answer in one line, for people.
pub fn summary(answer: &Answer) -> String {
    if let Some(error) = &answer.error {
        let hint = error.hint.as_ref().map_or(String::new(), |hint| format!(" (hint: {hint})"));
        return format!("error {} {}{hint}", error.code, error.message);
    }
    let columns = answer.columns.as_ref().map_or(0, Vec::len);
    let tag = answer.tag.as_deref().unwrap_or("no tag");
    format!("{tag}, {columns} columns, {} rows", answer.rows.len())
}

/// A result as pages show it: names, then rows.
pub fn render(answer: &Answer) -> Vec<String> {
    let names = answer.columns.iter().flatten().map(|field| field.name.clone());
    let mut lines = vec![names.collect::<Vec<_>>().join(" | ")];
    lines.extend(answer.rows.iter().map(|row| draw(row)));
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

fn draw(row: &[Option<Vec<u8>>]) -> String {
    let value = |value: &Option<Vec<u8>>| match value {
        Some(bytes) => text(bytes).replace('\n', "⏎"),
        None => "␀".into(),
    };
    row.iter().map(value).collect::<Vec<_>>().join(" | ")
}
