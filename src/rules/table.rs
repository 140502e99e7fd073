//! `open` and `tables`: what the relations of the database hold.

use std::collections::BTreeMap;

use super::name::{RelationName, RelationPattern};
use super::tag::Tag;
use crate::text::Span;

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
