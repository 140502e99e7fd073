//! From YAML to the masks that search in text: `replace` and `scrub`.

use super::mask_spec::{MaskSpec, ScrubKind};
use super::read_mask::entry_of;
use super::regex;
use crate::text::Diagnostic;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Entry, Kind, Node};

/// A regular expression and what stands in the place of each match.
pub(super) fn replace(reader: &mut Reader<'_>, node: &Node, entries: &[Entry]) -> Option<MaskSpec> {
    let pattern = entry_of(entries, "replace").and_then(|entry| {
        let text = reader.filled_text(&entry.value)?;
        if let Err(why) = regex::check(&text) {
            let message = format!("this regular expression cannot be used: {why}");
            let help =
                "a subset of PostgreSQL's that cannot fail while it runs; docs/masks.md has it";
            reader.complain(Diagnostic::error(message, entry.value.span).help(help));
            return None;
        }
        Some(text)
    });
    let Some(entry) = entry_of(entries, "with") else {
        let message = "a mask with `replace` needs `with`";
        let help = "`with: \"\"` takes each match away";
        reader.complain(Diagnostic::error(message, node.span).help(help));
        return None;
    };
    let with = reader.text(&entry.value)?;
    if with.contains('\0') {
        let message = "PostgreSQL has no zero character in texts";
        reader.complain(Diagnostic::error(message, entry.value.span));
        return None;
    }
    Some(MaskSpec::Replace { pattern: pattern?, with })
}

/// The kinds, each once, whatever their order.
pub(super) fn scrub(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    kinds(reader, node, "scrub").map(MaskSpec::Scrub)
}

/// A list of kinds of things that stand in texts, as the value of a key.
pub(super) fn kinds(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<Vec<ScrubKind>> {
    let words = reader.given_texts(node)?;
    if words.is_empty() && matches!(node.kind, Kind::Sequence(_)) {
        let known: Vec<&str> = ScrubKind::ALL.iter().map(|kind| kind.name()).collect();
        let diagnostic =
            Diagnostic::error(format!("`{key}` needs to know what to look for"), node.span);
        reader.complain(diagnostic.help(format!("some of: {}", known.join(", "))));
        return None;
    }
    let mut kinds = Vec::new();
    let mut is_whole = true;
    for (word, span) in words {
        match ScrubKind::ALL.into_iter().find(|kind| kind.name() == word) {
            Some(kind) if kinds.contains(&kind) => {
                let message = format!("`{word}` stands in the list twice");
                reader.complain(Diagnostic::error(message, span));
                is_whole = false;
            }
            Some(kind) => kinds.push(kind),
            None => {
                let known: Vec<&str> = ScrubKind::ALL.iter().map(|kind| kind.name()).collect();
                let message = format!("`{word}` is none of: {}", known.join(", "));
                reader.complain(with_near(Diagnostic::error(message, span), &word, &known));
                is_whole = false;
            }
        }
    }
    kinds.sort();
    (is_whole && !kinds.is_empty()).then_some(kinds)
}
