//! What is told of changes: for people, and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::compare::{Change, Effect, Lines, Subject};
use crate::text::Origin;

/// Changes, ready to be told.
#[derive(Debug)]
pub struct Report {
    changes: Vec<Change>,
    is_live: bool,
}

/// Sections in their order: title, subject, and the effect where a subject has a section for each.
const SECTIONS: [(&str, Subject, Option<Effect>); 15] = [
    ("newly seen", Subject::Column, Some(Effect::More)),
    (
        "to be looked at: which one shows more cannot be told",
        Subject::Column,
        Some(Effect::Unclear),
    ),
    ("no longer seen", Subject::Column, Some(Effect::Less)),
    ("seen in another way, and no more", Subject::Column, Some(Effect::Other)),
    ("rows", Subject::Rows, None),
    ("lookups", Subject::Lookup, None),
    ("grants", Subject::Grant, None),
    ("may", Subject::May, None),
    ("limits", Subject::Limit, None),
    ("functions", Subject::Function, None),
    ("channels", Subject::Channel, None),
    ("purposes", Subject::Purpose, None),
    ("logins at the database", Subject::Login, None),
    ("roles", Subject::Role, None),
    ("users", Subject::User, None),
];

impl Report {
    /// Of changes against a catalog, or of the rules alone.
    pub fn new(changes: Vec<Change>, is_live: bool) -> Report {
        Report { changes, is_live }
    }

    /// True when somebody sees more, or it cannot be told that nobody does.
    pub fn shows_more(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.effect, Effect::More | Effect::Unclear))
    }

    fn count(&self, effect: Effect) -> usize {
        self.changes.iter().filter(|change| change.effect == effect).count()
    }

    /// For people: `+` shows more, `?` has to be looked at, `-` shows less, and a blank neither.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (title, subject, effect) in SECTIONS {
            let of_section = |change: &&Change| {
                change.subject == subject && effect.is_none_or(|effect| change.effect == effect)
            };
            let changes: Vec<&Change> = self.changes.iter().filter(of_section).collect();
            if !changes.is_empty() {
                let _ = writeln!(text, "{title}");
                changes.iter().for_each(|change| told(change, &mut text));
                text.push('\n');
            }
        }
        text.push_str(&self.summary());
        text
    }

    fn summary(&self) -> String {
        let counted = |count: usize, verb: &str| {
            let (what, s) = if count == 1 { ("change", "s") } else { ("changes", "") };
            format!("{count} {what} {verb}{s}")
        };
        let mut parts = Vec::new();
        for (effect, verb, rest) in [
            (Effect::More, "show", " more"),
            (Effect::Unclear, "need", " somebody who looks at it"),
            (Effect::Less, "show", " less"),
            (Effect::Other, "do", " neither"),
        ] {
            let count = self.count(effect);
            if count > 0 {
                let verb = if (count, verb) == (1, "do") { "doe" } else { verb };
                parts.push(format!("{}{rest}", counted(count, verb)));
            }
        }
        let of = if self.is_live { "" } else { " (the database was not asked)" };
        match parts.is_empty() {
            true => format!("no change{of}"),
            false if self.shows_more() => format!("{}{of}", parts.join(", ")),
            false => format!("nobody sees more: {}{of}", parts.join(", ")),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        let changes: Vec<Value> = self.changes.iter().map(as_json).collect();
        let report = json!({
            "database_asked": self.is_live,
            "more": self.count(Effect::More),
            "unclear": self.count(Effect::Unclear),
            "less": self.count(Effect::Less),
            "other": self.count(Effect::Other),
            "changes": changes,
        });
        serde_json::to_string_pretty(&report).unwrap_or_else(|error| format!("error: {error}"))
    }
}

fn told(change: &Change, text: &mut String) {
    let sign = match change.effect {
        Effect::More => '+',
        Effect::Unclear => '?',
        Effect::Less => '-',
        Effect::Other => ' ',
    };
    let Change { what, old, new, .. } = change;
    let _ = writeln!(text, "  {sign} {what}: {old} → {new}");
    let mut parts = Vec::new();
    if !change.roles.is_empty() {
        parts.push(change.roles.join(", "));
    }
    parts.extend(change.why.map(str::to_owned));
    parts.extend(lines(&change.rules));
    if !parts.is_empty() {
        let _ = writeln!(text, "      {}", parts.join("; "));
    }
}

/// `20-customers.yaml:9, 40-roles.yaml:18 → 40-roles.yaml:17`
fn lines(lines: &Lines) -> Option<String> {
    let joined =
        |lines: &[Origin]| lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (old, new) = (joined(&lines.old), joined(&lines.new));
    match (old.is_empty(), new.is_empty()) {
        (true, true) => None,
        (true, false) => Some(new),
        (false, true) => Some(format!("was {old}")),
        (false, false) if old == new => Some(new),
        (false, false) => Some(format!("{old} → {new}")),
    }
}

fn as_json(change: &Change) -> Value {
    let subject = match change.subject {
        Subject::Column => "column",
        Subject::Rows => "rows",
        Subject::Lookup => "lookup",
        Subject::Grant => "grant",
        Subject::May => "may",
        Subject::Limit => "limit",
        Subject::Function => "function",
        Subject::Channel => "channel",
        Subject::Purpose => "purpose",
        Subject::Login => "login",
        Subject::Role => "role",
        Subject::User => "user",
    };
    let effect = match change.effect {
        Effect::More => "more",
        Effect::Unclear => "unclear",
        Effect::Less => "less",
        Effect::Other => "other",
    };
    let origins = |lines: &[Origin]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "subject": subject,
        "effect": effect,
        "roles": change.roles,
        "what": change.what,
        "old": change.old,
        "new": change.new,
        "why": change.why,
        "old_rules": origins(&change.rules.old),
        "new_rules": origins(&change.rules.new),
    })
}
