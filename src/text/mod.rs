//! Source texts, spans in them, and the diagnostics that point at them.
//!
//! Everything a person wrote (rules, configuration) is quoted back through here and nowhere else, so that every
//! complaint looks alike: file, line, column, the line itself, a caret, and what to do.
//! This room does not know what the texts mean.

mod conceal;
mod diagnostic;
mod nearest;
pub mod reader;
pub mod schema;
pub mod yaml;

pub use conceal::Secrets;
pub use diagnostic::{Diagnostic, Label, Severity, render};
pub use nearest::nearest;

use std::sync::Arc;

/// Which text of a [`Sources`] a span points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub(crate) u32);

/// A range of bytes in one source text; `start <= end`, both on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Where something was written, in the form people use: `10-roles.yaml:12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The file as it is shown to people.
    pub file: Arc<str>,
    /// Line, counted from 1.
    pub line: u32,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One text with the name under which people know it.
#[derive(Clone)]
pub struct Source {
    /// The path as given on the command line or found below the rules folder.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// The text may hold a password that should not stand there.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All texts of one load, so that spans survive merging.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<Source>,
    secrets: Secrets,
}

impl Sources {
    /// Adds a text and gives the id its spans carry.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Source { name: name.into(), text: text.into() });
        id
    }

    /// Remembers what no diagnostic about these texts may show.
    pub fn keep_secret(&mut self, secrets: Secrets) {
        self.secrets.extend(secrets);
    }

    /// The text behind an id; `None` for an id of another `Sources`.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.files.get(id.0 as usize)
    }

    /// All texts in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.files.iter().enumerate().map(|(index, source)| (SourceId(index as u32), source))
    }

    /// A text as it may be shown, line for line: without passwords.
    pub fn shown(&self, id: SourceId) -> Option<String> {
        let source = self.source(id)?;
        Some(self.secrets.shown(id, &source.text, &[]).text)
    }

    /// File and line of a span's start.
    pub fn origin(&self, span: Span) -> Origin {
        let Some(source) = self.source(span.source) else {
            return Origin { file: Arc::from("?"), line: 0 };
        };
        let before = source.text.get(..span.start).unwrap_or(&source.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Origin { file: source.name.clone(), line: line as u32 }
    }
}
