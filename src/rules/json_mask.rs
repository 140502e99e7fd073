//! `json`: what of a document is kept, and what is masked.
//!
//! Paths are a small part of SQL/JSON's: `$.a.b`, `$."a b"`, `$['a b']`, `$.list[*].name`. As in its lax mode an array
//! where a member is asked for means each of its elements, so that `[*]` makes a difference only at the end.

use std::collections::BTreeMap;

use super::mask_spec::MaskSpec;
use super::read_mask::read_mask;
use crate::text::reader::Reader;
use crate::text::yaml::{Entry, Kind, Node};
use crate::text::{Diagnostic, Span};

/// Members in members; PostgreSQL's planner has to read what becomes of them.
const STEPS_MAX: usize = 8;
const PATHS_MAX: usize = 200;

/// The mask, as written and as a tree.
#[derive(Debug, Clone)]
pub struct JsonMask {
    /// `None`: everything is kept that `paths` does not name.
    pub keep: Option<Vec<String>>,
    /// Masks by path.
    pub paths: Vec<(String, MaskSpec)>,
    /// Both as a tree.
    pub root: JsonNode,
}

/// A place in the document.
#[derive(Debug, Clone, Default)]
pub struct JsonNode {
    /// What is not named below is kept.
    pub keep: bool,
    /// The mask of the whole place; then nothing is below.
    pub mask: Option<Box<MaskSpec>>,
    /// Members that a path names.
    pub members: BTreeMap<String, JsonNode>,
}

impl JsonMask {
    /// As one would write it.
    pub(super) fn label(&self) -> String {
        let keep = self.keep.as_ref().map(|keep| format!("keep: [{}]", keep.join(", ")));
        let paths: Vec<String> =
            self.paths.iter().map(|(path, mask)| format!("{path}: {}", mask.label())).collect();
        let paths = (!paths.is_empty()).then(|| format!("paths: {{{}}}", paths.join(", ")));
        let parts: Vec<String> = keep.into_iter().chain(paths).collect();
        format!("{{json: {{{}}}}}", parts.join(", "))
    }
}

/// Reads `{keep: […], paths: {…}}`.
pub(super) fn read_json(reader: &mut Reader<'_>, node: &Node) -> Option<MaskSpec> {
    let Kind::Mapping(entries) = &node.kind else {
        let diagnostic = Diagnostic::error("`json` needs `keep`, `paths` or both", node.span);
        reader.complain(diagnostic.help(
            "such as `{json: {keep: [$.plan]}}` or `{json: {paths: {$.contact.email: email}}}`",
        ));
        return None;
    };
    let mut draft = Draft::default();
    for entry in entries {
        match entry.key.as_str() {
            "keep" => draft.keep(reader, &entry.value),
            "paths" => draft.paths(reader, &entry.value),
            _ => {
                reader.unknown_key(entry, &["keep", "paths"]);
                draft.is_broken = true;
            }
        }
    }
    if entries.is_empty() {
        reader.complain(Diagnostic::error("`json` needs `keep`, `paths` or both", node.span));
        return None;
    }
    let Draft { keep, paths, mut root, is_broken, .. } = draft;
    root.keep = keep.is_none();
    (!is_broken).then_some(MaskSpec::Json(JsonMask { keep, paths, root }))
}

#[derive(Default)]
struct Draft {
    keep: Option<Vec<String>>,
    paths: Vec<(String, MaskSpec)>,
    root: JsonNode,
    /// Every place that is named, without its `[*]`, and where.
    places: Vec<(Vec<String>, bool, Span)>,
    is_broken: bool,
}

impl Draft {
    fn keep(&mut self, reader: &mut Reader<'_>, node: &Node) {
        let Some(texts) = reader.given_texts(node) else {
            self.is_broken = true;
            return;
        };
        if texts.is_empty() {
            let diagnostic = Diagnostic::error("`keep` keeps nothing", node.span);
            reader.complain(diagnostic.help("that is `redact`"));
            self.is_broken = true;
        }
        let mut written = Vec::new();
        for (text, span) in texts {
            let Some((steps, _)) = self.place(reader, &text, span, false) else { continue };
            if steps.is_empty() {
                let diagnostic = Diagnostic::error("this keeps everything", span);
                reader.complain(diagnostic.help("that is `clear`"));
                self.is_broken = true;
                continue;
            }
            self.node(&steps).keep = true;
            written.push(text);
        }
        self.keep = Some(written);
    }

    fn paths(&mut self, reader: &mut Reader<'_>, node: &Node) {
        let entries: &[Entry] = reader.mapping(node);
        if entries.is_empty() {
            reader.complain(Diagnostic::error("`paths` names none", node.span));
            self.is_broken = true;
        }
        for entry in entries {
            let mask = read_mask(reader, entry);
            self.is_broken |= mask.is_none();
            let place = self.place(reader, &entry.key, entry.key_span, true);
            let (Some(mask), Some((steps, is_each))) = (mask, place) else { continue };
            self.paths.push((entry.key.clone(), mask.clone()));
            let mask = if is_each { MaskSpec::Each(Box::new(mask)) } else { mask };
            self.node(&steps).mask = Some(Box::new(mask));
        }
    }

    fn node(&mut self, steps: &[String]) -> &mut JsonNode {
        steps
            .iter()
            .fold(&mut self.root, |node, step| node.members.entry(step.clone()).or_default())
    }

    /// A path, of which no other says something else.
    fn place(
        &mut self,
        reader: &mut Reader<'_>,
        text: &str,
        span: Span,
        is_mask: bool,
    ) -> Option<(Vec<String>, bool)> {
        let found = match parse(text) {
            Ok((steps, _)) if steps.len() > STEPS_MAX => {
                Err(format!("a path has at most {STEPS_MAX} steps"))
            }
            Ok(_) if self.places.len() >= PATHS_MAX => {
                Err(format!("a mask has at most {PATHS_MAX} paths"))
            }
            found => found,
        };
        let (steps, is_each) = match found {
            Ok(found) => found,
            Err(why) => {
                let diagnostic = Diagnostic::error(why, span);
                reader.complain(
                    diagnostic.help("paths are written `$.a.b`, `$.\"a b\".c`, `$.list[*]`"),
                );
                self.is_broken = true;
                return None;
            }
        };
        // A mask is about all that is below; keeping something that is kept already does no harm.
        let clash = self.places.iter().find(|(other, other_is_mask, _)| {
            *other == steps
                || (*other_is_mask && steps.starts_with(other))
                || (is_mask && other.starts_with(&steps))
        });
        if let Some((_, _, first)) = clash {
            let diagnostic = Diagnostic::error("two paths speak of the same place", span);
            reader.complain(diagnostic.also(*first, "first named here"));
            self.is_broken = true;
            return None;
        }
        self.places.push((steps.clone(), is_mask, span));
        Some((steps, is_each))
    }
}

/// The members of a path, and whether it ends with `[*]`.
fn parse(text: &str) -> Result<(Vec<String>, bool), String> {
    let mut rest = text.strip_prefix('$').ok_or("a path begins with `$`")?;
    let mut steps = Vec::new();
    let mut is_each = false;
    while !rest.is_empty() {
        if let Some(tail) = rest.strip_prefix("[*]") {
            if is_each {
                return Err("`[*]` stands twice in a row".into());
            }
            is_each = true;
            rest = tail;
            continue;
        }
        is_each = false;
        let (name, tail) = if let Some(tail) = rest.strip_prefix('[') {
            let (name, tail) = quoted(tail)?;
            (name, tail.strip_prefix(']').ok_or("a `]` is missing")?)
        } else {
            let tail = rest.strip_prefix('.').ok_or("a step begins with `.` or `[`")?;
            if tail.starts_with(['"', '\'']) {
                quoted(tail)?
            } else {
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
                let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
                let (name, tail) = tail.split_at(end);
                if name.is_empty() {
                    return Err("a step names a member".into());
                }
                (name.to_owned(), tail)
            }
        };
        if name.contains('\0') {
            return Err("PostgreSQL has no zero character in texts".into());
        }
        steps.push(name);
        rest = tail;
    }
    Ok((steps, is_each))
}

/// A name in quotes of either kind; there are no escapes, so a name holds only the other kind.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let wrong = || "between brackets stands `*` or a name in quotes".to_owned();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(wrong)?;
    let text = text.get(1..).unwrap_or_default();
    let (name, tail) = text.split_once(quote).ok_or("a quote is not closed")?;
    if name.contains('\\') {
        return Err("there are no escapes in a path".into());
    }
    Ok((name.to_owned(), tail))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn paths() {
        for (text, steps, is_each) in [
            ("$", &[] as &[&str], false),
            ("$.a", &["a"], false),
            ("$.a.b-c", &["a", "b-c"], false),
            ("$.\"a b\"['c\"d']", &["a b", "c\"d"], false),
            ("$[*]", &[], true),
            ("$.list[*].name", &["list", "name"], false),
            ("$.list[*]", &["list"], true),
            ("$.별명", &["별명"], false),
            ("$.\"\"", &[""], false),
        ] {
            let steps = steps.iter().map(|step| (*step).to_owned()).collect();
            assert_eq!(parse(text), Ok((steps, is_each)), "{text}");
        }
        for text in [
            "",
            "a",
            "$a",
            "$.",
            "$..a",
            "$.a[0]",
            "$.a[*][*]",
            "$.*",
            "$[a]",
            "$['a]",
            "$['a'",
            "$.\"\\\"",
            "$ .a",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
