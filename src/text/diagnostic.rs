//! Diagnostics, and the one place that draws them.

use super::{Sources, Span};

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `check` fails and `run` does not start.
    Error,
    /// Worth a look.
    Warning,
}

/// A place and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The words beside the caret; may be empty.
    pub text: String,
}

/// Something to tell a person about a text of theirs. Small first letter, no full stop, names in backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where; `None` when it is about no place (a missing file).
    pub primary: Option<Label>,
    /// Other places that belong to it: "first named here".
    pub secondary: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
}

/// Draws diagnostics: `error: …`, ` --> file:line:column`, the line, the caret, the help.
pub fn render(_sources: &Sources, _diagnostics: &[Diagnostic], _color: bool) -> String {
    todo!()
}
