//! The report: what is in its file, and how it is told to people.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::findings::{Difference, Verdict};

/// A report is shorter; what is longer is another file.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What the shadow rules would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The version of the rules in force.
    pub live: String,
    /// The version of the shadow rules.
    pub shadow: String,
    /// When the first statement could be judged, UTC.
    pub since: String,
    /// When the file was written, UTC.
    pub written: String,
    /// Statements that were judged, each shape of a role once.
    pub judged: u64,
    /// Of which nothing would change.
    pub same: u64,
    /// That differ, and for which there was no place here.
    pub left_out: u64,
    /// Those that differ.
    pub statements: Vec<Entry>,
}

/// A statement that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose.
    pub role: String,
    /// For which purpose, where the role has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Without its literals.
    pub statement: String,
    /// The verdict by the rules in force, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Verdict>,
    /// The verdict by the shadow rules, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Verdict>,
    /// What is seen otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differences: Vec<Difference>,
    /// When it was found, UTC.
    pub first: String,
    /// How often it has run since.
    pub times: u64,
}

/// There is no report to be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

impl Report {
    /// Reads a report's file.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn read(file: &Path) -> Result<Report, Unreadable> {
        let name = file.display();
        let mut text = String::new();
        let opened = std::fs::File::open(file);
        opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text)).map_err(
            |error| Unreadable(format!("cannot read the shadow report `{name}`: {error}")),
        )?;
        serde_json::from_str(&text)
            .map_err(|error| Unreadable(format!("`{name}` is no shadow report: {error}")))
    }

    /// True where the shadow rules show somebody more, or it cannot be told that they do not.
    pub fn shows_more(&self) -> bool {
        self.left_out > 0
            || self.statements.iter().any(|entry| {
                matches!(entry.shadow, Some(Verdict::Allowed))
                    || entry
                        .differences
                        .iter()
                        .any(|one| matches!(one.effect.as_str(), "more" | "unclear"))
            })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "rules in force {}, shadow rules {}; from {} to {}\n",
            self.live, self.shadow, self.since, self.written
        );
        for title in ["would be refused", "would be allowed", "would be seen otherwise"] {
            let mut entries: Vec<&Entry> =
                self.statements.iter().filter(|entry| entry.title() == title).collect();
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.times));
            if entries.is_empty() {
                continue;
            }
            let _ = writeln!(text, "\n{title}");
            entries.into_iter().for_each(|entry| entry.tell(&mut text));
        }
        let _ = write!(
            text,
            "\n{} judged: {} differ, {} are the same",
            counted(self.judged),
            u64::try_from(self.statements.len()).unwrap_or(u64::MAX).saturating_add(self.left_out),
            self.same
        );
        if self.left_out > 0 {
            let _ = write!(text, "; {} that differ are left out here", self.left_out);
        }
        text
    }
}

impl Entry {
    fn title(&self) -> &'static str {
        match &self.live {
            Some(Verdict::Allowed) => "would be refused",
            Some(Verdict::Refused { .. }) => "would be allowed",
            None => "would be seen otherwise",
        }
    }

    fn tell(&self, text: &mut String) {
        let purpose = self.purpose.as_ref().map(|purpose| format!(" for {purpose}"));
        let purpose = purpose.unwrap_or_default();
        let _ =
            writeln!(text, "  {}{purpose}, {} times: {}", self.role, self.times, self.statement);
        for verdict in self.live.iter().chain(&self.shadow) {
            if let Verdict::Refused { reason, code, rule } = verdict {
                let by = rule.as_ref().map(|rule| format!(", by {rule}")).unwrap_or_default();
                let _ = writeln!(text, "      {reason} ({code}){by}");
            }
        }
        for one in &self.differences {
            let mark = match one.effect.as_str() {
                "more" => '+',
                "less" => '-',
                "other" => ' ',
                _ => '?',
            };
            let subject = if one.subject == "column" { "" } else { one.subject.as_str() };
            let name = format!("{subject} {}", one.what);
            let _ = writeln!(
                text,
                "    {mark} {}: {} → {}  ({} → {})",
                name.trim_start(),
                one.live,
                one.shadow,
                lines(&one.live_rules),
                lines(&one.shadow_rules)
            );
        }
    }
}

fn lines(lines: &[String]) -> String {
    if lines.is_empty() { "no line".to_owned() } else { lines.join(", ") }
}

fn counted(statements: u64) -> String {
    match statements {
        1 => "1 statement".to_owned(),
        count => format!("{count} statements"),
    }
}
