//! YAML with places: every node knows where it stands. <https://yaml.org/spec/1.2.2/>
//!
//! `serde_yaml` says what a scalar means, `saphyr_parser` where it stands. Both read the same text, and where they
//! do not see the same tree it is refused: nobody should trust rules that two readers read differently. Anchors,
//! aliases, merge keys, tags and several documents are refused too; rules are to be read from top to bottom.

mod marked;

use serde_yaml::{Mapping, Value};

use super::{Diagnostic, SourceId, Sources, Span};
use marked::{Marked, Shape};

/// A rules file is written by people; what is larger is something else.
const BYTES_MAX: usize = 4 << 20;

/// A node of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands, from its first to its last character. An empty value stands where its key does.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of nodes.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~`, or nothing
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A decimal number, as it was written.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping with string keys, in order; no key stands there twice.
    Mapping(Vec<Entry>),
}

/// One line of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, as it was written: `123` and `true` are names here.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
    /// Nothing stands behind the key, not even `null`.
    pub is_empty: bool,
}

impl Kind {
    /// For people: "a list".
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a text",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }
}

/// Reads the one document of a source. An empty source is [`Kind::Null`].
///
/// # Errors
/// What is no YAML, or YAML of a kind that is not used here; all complaints, except that the text is given up at
/// the first place that is no YAML at all.
pub fn parse(sources: &Sources, id: SourceId) -> Result<Node, Vec<Diagnostic>> {
    let text = sources.source(id).map(|source| source.text.clone()).unwrap_or_default();
    if text.len() > BYTES_MAX {
        let span = Span { source: id, start: 0, end: 0 };
        let message = format!("this file is larger than {} MiB", BYTES_MAX >> 20);
        return Err(vec![Diagnostic::error(message, span)]);
    }
    let marked = marked::read(&text, id)?;
    let value: Value = serde_yaml::from_str(&text).map_err(|error| {
        let characters = error.location().map_or(0, |location| location.index());
        let byte = text.char_indices().nth(characters).map_or(text.len(), |(byte, _)| byte);
        let span = Span { source: id, start: byte, end: byte };
        vec![Diagnostic::error(format!("this is no YAML: {error}"), span)]
    })?;
    meaning(marked, &value).map_err(|found| vec![found])
}

/// Gives scalars the meaning that `serde_yaml` sees; the two trees must have the same form.
fn meaning(marked: Marked, value: &Value) -> Result<Node, Diagnostic> {
    let span = marked.span;
    let kind = match (marked.shape, value) {
        (Shape::Scalar(text), Value::Null) if is_null(&text) => Kind::Null,
        (Shape::Scalar(text), Value::Bool(truth))
            if text.eq_ignore_ascii_case(if *truth { "true" } else { "false" }) =>
        {
            Kind::Bool(*truth)
        }
        (Shape::Scalar(text), Value::Number(number)) if is_same_number(&text, number) => {
            Kind::Number(text)
        }
        (Shape::Scalar(_), Value::Number(_)) => {
            return Err(Diagnostic::error("a number is written in decimal digits here", span));
        }
        (Shape::Scalar(text), Value::String(same)) if text == *same => Kind::String(text),
        (Shape::Sequence(nodes), Value::Sequence(values)) if nodes.len() == values.len() => {
            let nodes: Result<_, _> =
                nodes.into_iter().zip(values).map(|(node, value)| meaning(node, value)).collect();
            Kind::Sequence(nodes?)
        }
        (Shape::Mapping(entries), Value::Mapping(mapping)) if entries.len() == mapping.len() => {
            mapping_meaning(entries, mapping)?
        }
        _ => return Err(disagreement(span)),
    };
    Ok(Node { span, kind })
}

/// Both readers keep the order of the text, so the lines go together one by one.
fn mapping_meaning(entries: Vec<(Marked, Marked)>, mapping: &Mapping) -> Result<Kind, Diagnostic> {
    let mut read = Vec::with_capacity(entries.len());
    for ((key, value), (same_key, same_value)) in entries.into_iter().zip(mapping) {
        let key_span = key.span;
        let key = match meaning(key, same_key)?.kind {
            Kind::String(text) | Kind::Number(text) => text,
            Kind::Bool(truth) => truth.to_string(),
            Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => {
                return Err(Diagnostic::error("a key is a name", key_span)
                    .help("write it in quotation marks if it is meant as one"));
            }
        };
        let is_empty = value.is_empty();
        let mut value = meaning(value, same_value)?;
        if is_empty {
            value.span = key_span;
        }
        read.push(Entry { key, key_span, value, is_empty });
    }
    Ok(Kind::Mapping(read))
}

fn disagreement(span: Span) -> Diagnostic {
    Diagnostic::error("two YAML readers do not agree on what this is", span)
        .help("write it in a plainer way, such as in quotation marks")
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

fn is_same_number(text: &str, number: &serde_yaml::Number) -> bool {
    let is_decimal =
        text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    is_decimal && text.parse::<f64>().ok() == number.as_f64()
}

#[cfg(test)]
mod tests;
