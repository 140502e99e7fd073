//! Masks as the rules name them, before any column type is known.

use super::table::SqlText;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Entry, Kind, Node};
use crate::text::{Diagnostic, Span};

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

/// Masks that are one word.
const WORDS: [(&str, MaskSpec); 8] = [
    ("clear", MaskSpec::Clear),
    ("hide", MaskSpec::Hide),
    ("null", MaskSpec::Null),
    ("redact", MaskSpec::Redact),
    ("email", MaskSpec::Email),
    ("phone", MaskSpec::Phone),
    ("card", MaskSpec::Card),
    ("name", MaskSpec::Name),
];

/// Masks that are a mapping, by their first key.
const KEYS: [&str; 7] = ["constant", "keep_first", "keep_last", "round", "truncate", "when", "sql"];

/// Masks that are coming.
const LATER: [&str; 9] =
    ["shift", "noise", "cap", "pseudonym", "ip", "replace", "scrub", "json", "each"];

const UNITS: [(&str, TruncateUnit); 6] = [
    ("year", TruncateUnit::Year),
    ("quarter", TruncateUnit::Quarter),
    ("month", TruncateUnit::Month),
    ("week", TruncateUnit::Week),
    ("day", TruncateUnit::Day),
    ("hour", TruncateUnit::Hour),
];

/// Reads a mask.
pub(super) fn read_mask(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    match &node.kind {
        Kind::Null => Some(MaskSpec::Null),
        Kind::String(word) => {
            if let Some((_, mask)) = WORDS.iter().find(|(name, _)| name == word) {
                return Some(mask.clone());
            }
            reader.complain(unknown_mask(word, node.span));
            None
        }
        Kind::Mapping(entries) => read_mapping(reader, node, entries),
        Kind::Bool(_) | Kind::Number(_) | Kind::Sequence(_) => {
            reader.expected(node, "a mask");
            None
        }
    }
}

fn unknown_mask(word: &str, span: Span) -> Diagnostic {
    if LATER.contains(&word) {
        return Diagnostic::error(format!("mask `{word}` is not available in this version"), span)
            .help("use `redact` or `null` until it is");
    }
    let diagnostic = Diagnostic::error(format!("there is no mask `{word}`"), span);
    if KEYS.contains(&word) {
        return diagnostic.help(format!("`{word}` takes a value: `{{{word}: …}}`"));
    }
    let words: Vec<&str> = WORDS.iter().map(|(name, _)| *name).chain(KEYS).collect();
    with_near(diagnostic, word, &words)
}

fn read_mapping(reader: &mut Reader<'_>, node: &Node, entries: &[Entry]) -> Option<MaskSpec> {
    let find = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    let Some(first) = entries.first() else {
        reader.expected(node, "a mask");
        return None;
    };
    let (allowed, mask): (&[&str], _) = match first.key.as_str() {
        "constant" => (&["constant"], constant(reader, &first.value)),
        "keep_first" | "keep_last" => {
            let mut count = |key| match find(key) {
                Some(node) => reader.number(node, 0).and_then(|n| u32::try_from(n).ok()),
                None => Some(0),
            };
            let (first, last) = (count("keep_first"), count("keep_last"));
            let mask = first.zip(last).map(|(first, last)| MaskSpec::Keep { first, last });
            (&["keep_first", "keep_last"], mask)
        }
        "round" => (&["round"], round(reader, &first.value)),
        "truncate" => (&["truncate"], reader.word(&first.value, &UNITS).map(MaskSpec::Truncate)),
        "when" | "then" | "else" => {
            let span = node.span;
            let condition = find("when").and_then(|node| {
                let text = reader.text(node)?;
                Some(SqlText { text, span: node.span })
            });
            let mut part = |key: &str| match find(key) {
                Some(node) => read_mask(reader, node),
                None => {
                    let message = format!("a mask with `when` needs `{key}`");
                    reader.complain(Diagnostic::error(message, span));
                    None
                }
            };
            let (then, otherwise) = (part("then"), part("else"));
            if condition.is_none() {
                reader.complain(Diagnostic::error("a mask by row needs `when`", span));
            }
            let mask = condition.zip(then.zip(otherwise)).map(|(condition, (then, otherwise))| {
                MaskSpec::When {
                    condition,
                    then: Box::new(then),
                    otherwise: Box::new(otherwise),
                    span,
                }
            });
            (&["when", "then", "else"], mask)
        }
        "sql" => {
            let text = reader.text(&first.value);
            let mask = text.map(|text| MaskSpec::Sql(SqlText { text, span: first.value.span }));
            (&["sql"], mask)
        }
        word => {
            reader.complain(unknown_mask(word, first.key_span));
            return None;
        }
    };
    for entry in entries {
        if !allowed.contains(&entry.key.as_str()) {
            reader.unknown_key(entry, allowed);
        }
    }
    mask
}

fn constant(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    let scalar = match &node.kind {
        Kind::Null => Scalar::Null,
        Kind::Bool(truth) => Scalar::Bool(*truth),
        Kind::Number(text) => Scalar::Number(text.clone()),
        Kind::String(_) => Scalar::String(reader.text(node)?),
        Kind::Sequence(_) | Kind::Mapping(_) => {
            reader.expected(node, "a text, a number, true, false or null");
            return None;
        }
    };
    Some(MaskSpec::Constant(scalar))
}

/// A positive plain decimal.
fn round(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    if let Kind::Number(text) = &node.kind {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_plain && text.parse::<f64>().is_ok_and(|step| step > 0.0) {
            return Some(MaskSpec::Round(text.clone()));
        }
    }
    reader.expected(node, "a positive number");
    None
}
