//! `open` and `tables`: what the relations of the database hold.

use std::collections::BTreeMap;

use super::name::{RelationName, RelationPattern};
use super::tag::Tag;
use crate::text::reader::Reader;
use crate::text::yaml::Entry;
use crate::text::{Diagnostic, Span};

/// A line of `open`.
#[derive(Debug, Clone)]
pub struct OpenRule {
    /// What is open.
    pub pattern: RelationPattern,
    /// The databases in which this counts; `None`: all.
    pub databases: Option<Vec<String>>,
    /// Where it was written.
    pub span: Span,
}

/// An entry of `tables`.
#[derive(Debug, Clone)]
pub struct TableRule {
    /// The relation.
    pub relation: RelationName,
    /// The databases in which this counts; `None`: all.
    pub databases: Option<Vec<String>>,
    /// Columns by their exact name.
    pub columns: BTreeMap<String, ColumnRule>,
    /// Named facts about a row, for `when` and `rows`.
    pub conditions: BTreeMap<String, SqlText>,
    /// The key of the entry.
    pub span: Span,
}

/// What one column holds.
#[derive(Debug, Clone)]
pub struct ColumnRule {
    /// The tag.
    pub tag: Tag,
    /// The column's line.
    pub span: Span,
}

/// SQL that somebody wrote into the rules.
#[derive(Debug, Clone)]
pub struct SqlText {
    /// The expression.
    pub text: String,
    /// Where it was written.
    pub span: Span,
}

pub(super) const KEYS: [&str; 2] = ["columns", "conditions"];

/// Reads one entry of `tables`.
pub(super) fn read_table(
    reader: &mut Reader<'_>,
    entry: &Entry,
    databases: Option<&Vec<String>>,
) -> Option<TableRule> {
    let relation = match super::name::parse_relation(&entry.key) {
        Ok(relation) => relation,
        Err(why) => {
            reader.complain(Diagnostic::error(why, entry.key_span));
            return None;
        }
    };
    let mut table = TableRule {
        relation,
        databases: databases.cloned(),
        columns: BTreeMap::new(),
        conditions: BTreeMap::new(),
        span: entry.key_span,
    };
    for part in reader.mapping(&entry.value) {
        match part.key.as_str() {
            "columns" => {
                for column in reader.mapping(&part.value) {
                    let Some(text) = reader.text(&column.value) else { continue };
                    match Tag::parse(&text) {
                        Ok(tag) => {
                            let rule = ColumnRule { tag, span: column.key_span };
                            table.columns.insert(column.key.clone(), rule);
                        }
                        Err(why) => reader.complain(Diagnostic::error(why, column.value.span)),
                    }
                }
            }
            "conditions" => {
                for condition in reader.mapping(&part.value) {
                    if !is_condition_name(&condition.key) {
                        let message = format!("`{}` is no name for a condition", condition.key);
                        let help = "lower-case letters, digits and _, such as `consented`";
                        reader.complain(Diagnostic::error(message, condition.key_span).help(help));
                    }
                    if let Some(text) = reader.filled_text(&condition.value) {
                        let sql = SqlText { text, span: condition.value.span };
                        table.conditions.insert(condition.key.clone(), sql);
                    }
                }
            }
            _ => reader.unknown_key(part, &KEYS),
        }
    }
    Some(table)
}

/// Conditions are named in SQL without quotes, which folds them.
fn is_condition_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}
