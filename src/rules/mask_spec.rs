//! Masks as the rules name them, before any column type is known.

use super::table::SqlText;
use crate::text::Span;

/// A mask of DESIGN's table, as written. What it means for a column type is `mask`'s business.
#[derive(Debug, Clone)]
pub enum MaskSpec {
    /// The value itself.
    Clear,
    /// The column does not exist.
    Hide,
    /// NULL.
    Null,
    /// By type: `***`, 0, false, 1970-01-01, ….
    Redact,
    /// A constant, cast to the type.
    Constant(Scalar),
    /// `keep_first` and `keep_last`, in characters; both may be set.
    Keep {
        /// Characters kept at the start.
        first: u32,
        /// Characters kept at the end.
        last: u32,
    },
    /// `k***@example.com`
    Email,
    /// Punctuation and the last four digits.
    Phone,
    /// As phone, from 12 digits.
    Card,
    /// First character of each word.
    Name,
    /// Numbers, down to a multiple; a positive decimal as it was written.
    Round(String),
    /// Dates and timestamps.
    Truncate(TruncateUnit),
    /// By row. `condition` is the name of a condition of the table, or an SQL expression over its columns.
    When {
        /// Name or expression.
        condition: SqlText,
        /// The mask where it is true.
        then: Box<MaskSpec>,
        /// The mask where it is false or NULL.
        otherwise: Box<MaskSpec>,
        /// The whole mask.
        span: Span,
    },
    /// An expression over `{}` and the row's columns.
    Sql(SqlText),
}

/// A YAML scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it was written.
    Number(String),
    /// A string.
    String(String),
}

/// `truncate:` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncateUnit {
    /// year
    Year,
    /// quarter
    Quarter,
    /// month
    Month,
    /// ISO week
    Week,
    /// day
    Day,
    /// hour
    Hour,
}

impl MaskSpec {
    /// The mask as one would write it in YAML's flow form, for people: `{keep_last: 4}`, `email`.
    pub fn label(&self) -> String {
        match self {
            MaskSpec::Clear => "clear".into(),
            MaskSpec::Hide => "hide".into(),
            MaskSpec::Null => "null".into(),
            MaskSpec::Redact => "redact".into(),
            MaskSpec::Constant(scalar) => format!("{{constant: {}}}", scalar.label()),
            MaskSpec::Keep { first, last: 0 } => format!("{{keep_first: {first}}}"),
            MaskSpec::Keep { first: 0, last } => format!("{{keep_last: {last}}}"),
            MaskSpec::Keep { first, last } => format!("{{keep_first: {first}, keep_last: {last}}}"),
            MaskSpec::Email => "email".into(),
            MaskSpec::Phone => "phone".into(),
            MaskSpec::Card => "card".into(),
            MaskSpec::Name => "name".into(),
            MaskSpec::Round(step) => format!("{{round: {step}}}"),
            MaskSpec::Truncate(unit) => format!("{{truncate: {}}}", unit.name()),
            MaskSpec::When { condition, then, otherwise, .. } => {
                format!(
                    "{{when: {}, then: {}, else: {}}}",
                    condition.text,
                    then.label(),
                    otherwise.label()
                )
            }
            MaskSpec::Sql(sql) => format!("{{sql: {:?}}}", sql.text),
        }
    }
}

impl Scalar {
    /// As in YAML.
    pub fn label(&self) -> String {
        match self {
            Scalar::Null => "null".into(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(text) => text.clone(),
            Scalar::String(text) => format!("{text:?}"),
        }
    }
}

impl TruncateUnit {
    /// The word, which is also PostgreSQL's field name for `date_trunc`.
    pub fn name(self) -> &'static str {
        match self {
            TruncateUnit::Year => "year",
            TruncateUnit::Quarter => "quarter",
            TruncateUnit::Month => "month",
            TruncateUnit::Week => "week",
            TruncateUnit::Day => "day",
            TruncateUnit::Hour => "hour",
        }
    }
}
