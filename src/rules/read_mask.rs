//! From YAML to a [`MaskSpec`].
//!
//! INVARIANT: a mask that is not read is an error. Were it left out, a shorter and perhaps looser line of the role
//! would count for its columns.

use super::json_mask::read_json;
use super::mask_spec::{MaskSpec, Scalar, TruncateUnit};
use super::read_keyed_masks::{noise, pseudonym, shift};
use super::read_masks_of_text::{replace, scrub};
use super::table::SqlText;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Entry, Kind, Node};
use crate::text::{Diagnostic, Span};

/// Masks that are one word.
pub(super) const WORDS: [(&str, MaskSpec); 9] = [
    ("clear", MaskSpec::Clear),
    ("hide", MaskSpec::Hide),
    ("null", MaskSpec::Null),
    ("redact", MaskSpec::Redact),
    ("email", MaskSpec::Email),
    ("phone", MaskSpec::Phone),
    ("card", MaskSpec::Card),
    ("name", MaskSpec::Name),
    ("ip", MaskSpec::Ip),
];

/// Masks that are a mapping, by the key that names them.
pub(super) const KEYS: [&str; 15] = [
    "constant",
    "keep_first",
    "keep_last",
    "round",
    "truncate",
    "cap",
    "replace",
    "scrub",
    "pseudonym",
    "shift",
    "noise",
    "each",
    "json",
    "when",
    "sql",
];

pub(super) const UNITS: [(&str, TruncateUnit); 6] = [
    ("year", TruncateUnit::Year),
    ("quarter", TruncateUnit::Quarter),
    ("month", TruncateUnit::Month),
    ("week", TruncateUnit::Week),
    ("day", TruncateUnit::Day),
    ("hour", TruncateUnit::Hour),
];

/// Digits of a `round` step: more than any number of PostgreSQL needs.
const STEP_CHARACTERS_MAX: usize = 40;

/// The mask of a line. A line with nothing at all is somebody's slip, not the mask `null`.
pub(super) fn read_mask(reader: &mut Reader<'_>, entry: &Entry) -> Option<MaskSpec> {
    let node = &entry.value;
    match &node.kind {
        Kind::Null if entry.is_empty => {
            let message = format!("`{}` has no mask", entry.key);
            let help = "the mask for NULL is written `null`";
            reader.complain(Diagnostic::error(message, entry.key_span).help(help));
            None
        }
        Kind::Null => Some(MaskSpec::Null),
        Kind::String(_) => {
            let word = reader.text(node)?;
            if let Some((_, mask)) = WORDS.iter().find(|(name, _)| *name == word) {
                return Some(mask.clone());
            }
            reader.complain(unknown_mask(&word, node.span));
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
    if KEYS.contains(&word) {
        return Diagnostic::error(format!("mask `{word}` needs a value"), span)
            .help(format!("write `{{{word}: …}}`"));
    }
    let words = WORDS.iter().map(|(name, _)| *name);
    let known: Vec<&str> = words.chain(KEYS).collect();
    with_near(Diagnostic::error(format!("there is no mask `{word}`"), span), word, &known)
}

fn read_mapping(reader: &mut Reader<'_>, node: &Node, entries: &[Entry]) -> Option<MaskSpec> {
    // The key that says which mask it is need not come first.
    let names = |entry: &&Entry| KEYS.contains(&entry.key.as_str());
    let Some(head) = entries.iter().find(names).or(entries.first()) else {
        reader.expected(node, "a mask");
        return None;
    };
    let (allowed, mask): (&[&str], _) = match head.key.as_str() {
        "constant" => (&["constant"], constant(reader, head)),
        "keep_first" | "keep_last" => (&["keep_first", "keep_last"], keep(reader, entries)),
        "round" => (&["round"], round(reader, &head.value)),
        "truncate" => (&["truncate"], reader.word(&head.value, &UNITS).map(MaskSpec::Truncate)),
        "cap" => (&["cap"], cap(reader, &head.value)),
        "replace" => (&["replace", "with"], replace(reader, node, entries)),
        "scrub" => (&["scrub"], scrub(reader, &head.value)),
        "pseudonym" => (&["pseudonym", "domain"], pseudonym(reader, head, entries)),
        "shift" => (&["shift", "by"], shift(reader, node, head, entries)),
        "noise" => (&["noise"], noise(reader, &head.value)),
        "each" => {
            let inner = read_mask(reader, head);
            (&["each"], inner.map(|inner| MaskSpec::Each(Box::new(inner))))
        }
        "json" => (&["json"], read_json(reader, &head.value)),
        "when" => (&["when", "then", "else"], by_row(reader, node, head, entries)),
        "sql" => {
            let text = reader.filled_text(&head.value);
            let mask = text.map(|text| MaskSpec::Sql(SqlText { text, span: head.value.span }));
            (&["sql"], mask)
        }
        word if WORDS.iter().any(|(name, _)| *name == word) => {
            let message = format!("mask `{word}` is one word");
            let help = format!("write `{word}` alone");
            reader.complain(Diagnostic::error(message, head.key_span).help(help));
            return None;
        }
        "then" | "else" => {
            let message = "a mask with `then` and `else` needs `when`";
            reader.complain(Diagnostic::error(message, node.span));
            return None;
        }
        word @ ("with" | "domain" | "by") => {
            let head = match word {
                "with" => "replace",
                "domain" => "pseudonym",
                _ => "shift",
            };
            let message = format!("a mask with `{word}` needs `{head}`");
            reader.complain(Diagnostic::error(message, node.span));
            return None;
        }
        word => {
            reader.complain(unknown_mask(word, head.key_span));
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

pub(super) fn entry_of<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == key)
}

fn constant(reader: &mut Reader<'_>, entry: &Entry) -> Option<MaskSpec> {
    let node = &entry.value;
    let scalar = match &node.kind {
        Kind::Null if !entry.is_empty => Scalar::Null,
        Kind::Bool(truth) => Scalar::Bool(*truth),
        Kind::Number(text) => Scalar::Number(text.clone()),
        Kind::String(_) => Scalar::String(reader.text(node)?),
        Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => {
            reader.expected(node, "a text, a number, `true`, `false` or `null`");
            return None;
        }
    };
    Some(MaskSpec::Constant(scalar))
}

fn keep(reader: &mut Reader<'_>, entries: &[Entry]) -> Option<MaskSpec> {
    let mut count = |key| match entry_of(entries, key) {
        Some(entry) => reader
            .number(&entry.value, 0, u64::from(u16::MAX))
            .and_then(|count| u32::try_from(count).ok()),
        None => Some(0),
    };
    let (first, last) = (count("keep_first"), count("keep_last"));
    first.zip(last).map(|(first, last)| MaskSpec::Keep { first, last })
}

/// A positive plain decimal, kept as it was written.
fn round(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    let text = match &node.kind {
        Kind::Number(text) => Some(text.clone()),
        Kind::String(text) if text.contains("${") => Some(reader.text(node)?),
        Kind::Null | Kind::Bool(_) | Kind::String(_) | Kind::Sequence(_) | Kind::Mapping(_) => None,
    };
    let is_step = |text: &String| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is_plain
            && text.len() <= STEP_CHARACTERS_MAX
            && text.parse::<f64>().is_ok_and(|step| step > 0.0)
    };
    let step = text.filter(is_step);
    if step.is_none() {
        let diagnostic = Diagnostic::error("`round` needs a positive number", node.span);
        reader.complain(diagnostic.help("such as `{round: 1000}` or `{round: 0.5}`"));
    }
    step.map(MaskSpec::Round)
}

/// `[LOW, HIGH]`; `null` leaves one side open.
fn cap(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    let wrong = |reader: &mut Reader<'_>, message: &str| {
        let diagnostic = Diagnostic::error(message, node.span);
        reader
            .complain(diagnostic.help("such as `{cap: [0, 100]}` or `{cap: [2000-01-01, null]}`"));
        None
    };
    let Kind::Sequence(ends) = &node.kind else {
        return wrong(reader, "`cap` needs a list of two ends");
    };
    let [low, high] = ends.as_slice() else {
        return wrong(reader, "`cap` needs a list of two ends");
    };
    let mut end = |node: &Node| match &node.kind {
        Kind::Null => Some(None),
        Kind::Number(text) => Some(Some(Scalar::Number(text.clone()))),
        Kind::String(_) => reader.text(node).map(|text| Some(Scalar::String(text))),
        Kind::Bool(_) | Kind::Sequence(_) | Kind::Mapping(_) => {
            reader.expected(node, "a number, a date or `null`");
            None
        }
    };
    let (low, high) = (end(low), end(high));
    let is_upside_down = match (low.as_ref()?, high.as_ref()?) {
        (None, None) => return wrong(reader, "`cap` with two open ends cuts nothing"),
        (Some(Scalar::Number(low)), Some(Scalar::Number(high))) => {
            matches!((low.parse::<f64>(), high.parse::<f64>()), (Ok(low), Ok(high)) if low > high)
        }
        (Some(Scalar::String(low)), Some(Scalar::String(high))) => low > high,
        (Some(_), Some(_)) => {
            return wrong(reader, "one end of `cap` is a number, the other one is none");
        }
        (None, Some(_)) | (Some(_), None) => false,
    };
    if is_upside_down {
        return wrong(reader, "the first end of `cap` is above the second");
    }
    Some(MaskSpec::Cap { low: low?, high: high? })
}

fn by_row(
    reader: &mut Reader<'_>,
    node: &Node,
    head: &Entry,
    entries: &[Entry],
) -> Option<MaskSpec> {
    let text = reader.filled_text(&head.value);
    let condition = text.map(|text| SqlText { text, span: head.value.span });
    let mut part = |key: &str| match entry_of(entries, key) {
        Some(entry) => read_mask(reader, entry),
        None => {
            let message = format!("a mask with `when` needs `{key}`");
            reader.complain(Diagnostic::error(message, node.span));
            None
        }
    };
    let (then, otherwise) = (part("then"), part("else"));
    let (then, otherwise) = (Box::new(then?), Box::new(otherwise?));
    Some(MaskSpec::When { condition: condition?, then, otherwise, span: node.span })
}
