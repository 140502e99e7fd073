//! `shadow:` of `scrim.yaml`.

use std::path::{Path, PathBuf};

use crate::text::reader::Reader;
use crate::text::yaml::Node;
use crate::text::{Diagnostic, Span};

pub(super) const KEYS: [&str; 2] = ["rules", "report"];

/// Where the report is, unless it is said.
const REPORT: &str = "shadow-report.json";

/// Rules that are judged on live statements, and are not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowOptions {
    /// Their folder.
    pub rules: PathBuf,
    /// What would change by them, a JSON file.
    pub report: PathBuf,
}

impl ShadowOptions {
    /// What is in a rules folder is read as rules, and watched: neither the shadow's nor the report may stand there.
    pub(super) fn judge(&self, reader: &mut Reader<'_>, rules: &Path, span: Span) {
        if self.rules.starts_with(rules) || rules.starts_with(&self.rules) {
            let message =
                "the shadow rules stand in the folder of the rules in force, or that in theirs";
            let help = "give them a folder beside it";
            reader.complain(Diagnostic::error(message, span).help(help));
        }
        if self.report.starts_with(rules) || self.report.starts_with(&self.rules) {
            let message = "the shadow report stands in a rules folder";
            let help = "each writing of it would be a change of the rules";
            reader.complain(Diagnostic::error(message, span).help(help));
        }
    }
}

/// Reads it; paths are relative to `folder`.
pub(super) fn shadow(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<ShadowOptions> {
    let (mut rules, mut report) = (None, Some(REPORT.to_owned()));
    let mut has_rules = false;
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "rules" => {
                has_rules = true;
                rules = reader.filled_text(&entry.value);
            }
            "report" => report = reader.filled_text(&entry.value),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if !has_rules {
        let diagnostic = Diagnostic::error("`shadow` needs `rules`", node.span);
        reader.complain(diagnostic.help("the folder of the rules that are not in force yet"));
    }
    Some(ShadowOptions { rules: folder.join(rules?), report: folder.join(report?) })
}
