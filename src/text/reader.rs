//! Reading a YAML tree into something checked: complaints are collected, not thrown, so that a person sees all of
//! them at once.

use super::yaml::{Entry, Kind, Node};
use super::{Diagnostic, Severity, Span, nearest};

/// Where `${NAME}` comes from; the process environment in production, a map in tests.
pub trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Collects complaints while a tree is read.
pub struct Reader<'a> {
    environment: &'a dyn Environment,
    /// What was found so far.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Nothing found yet.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Reader { environment, diagnostics: Vec::new() }
    }

    /// True when something was found that is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }

    /// Notes a complaint.
    pub fn complain(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Notes that a node is something else than it should be.
    pub fn expected(&mut self, node: &Node, expected: &str) {
        let message = format!("{expected} belongs here, not {}", node.kind.name());
        self.complain(Diagnostic::error(message, node.span));
    }

    /// The lines of a mapping; nothing at all is an empty one.
    pub fn mapping<'n>(&mut self, node: &'n Node) -> &'n [Entry] {
        match &node.kind {
            Kind::Mapping(entries) => entries,
            Kind::Null => &[],
            Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Sequence(_) => {
                self.expected(node, "a mapping (`key: value`)");
                &[]
            }
        }
    }

    /// The items of a list; nothing at all is an empty one.
    pub fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            Kind::Sequence(nodes) => nodes,
            Kind::Null => &[],
            Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Mapping(_) => {
                self.expected(node, "a list");
                &[]
            }
        }
    }

    /// A text with every `${NAME}` replaced; numbers and words count as texts.
    pub fn text(&mut self, node: &Node) -> Option<String> {
        match &node.kind {
            Kind::String(text) => self.substituted(text, node.span),
            Kind::Number(text) => Some(text.clone()),
            Kind::Bool(truth) => Some(truth.to_string()),
            Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => {
                self.expected(node, "a text");
                None
            }
        }
    }

    /// A list of texts with their places.
    pub fn texts(&mut self, node: &Node) -> Vec<(String, Span)> {
        let mut texts = Vec::new();
        for item in self.list(node) {
            texts.extend(self.text(item).map(|text| (text, item.span)));
        }
        texts
    }

    /// `true` or `false`.
    pub fn truth(&mut self, node: &Node) -> Option<bool> {
        match &node.kind {
            Kind::Bool(truth) => Some(*truth),
            Kind::Null
            | Kind::Number(_)
            | Kind::String(_)
            | Kind::Sequence(_)
            | Kind::Mapping(_) => {
                self.expected(node, "true or false");
                None
            }
        }
    }

    /// A whole number from `least` on.
    pub fn number(&mut self, node: &Node, least: u64) -> Option<u64> {
        let number = match &node.kind {
            Kind::Number(text) => text.parse::<u64>().ok().filter(|number| *number >= least),
            Kind::Null | Kind::Bool(_) | Kind::String(_) | Kind::Sequence(_) | Kind::Mapping(_) => {
                None
            }
        };
        if number.is_none() {
            self.expected(node, &format!("a whole number from {least} on"));
        }
        number
    }

    /// One of some words.
    pub fn word<T: Copy>(&mut self, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{text}` is none of: {}", names.join(", "));
            self.complain(with_near(Diagnostic::error(message, node.span), &text, &names));
        }
        found
    }

    /// Complains about a key that is not known.
    pub fn unknown_key(&mut self, entry: &Entry, known: &[&str]) {
        let message = format!("unknown key `{}`", entry.key);
        let diagnostic = Diagnostic::error(message, entry.key_span);
        let near = nearest(&entry.key, known.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        self.complain(diagnostic.help(help));
    }

    /// `${NAME}` takes the environment, `$${` stands for itself. The values never come up in a complaint.
    fn substituted(&mut self, text: &str, span: Span) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, tail) = rest.split_at(start);
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = tail.get(2..).unwrap_or_default();
                continue;
            }
            out.push_str(before);
            let Some((name, after)) = tail.get(2..).and_then(|tail| tail.split_once('}')) else {
                self.complain(
                    Diagnostic::error("`${` without a `}`", span)
                        .help("write `$${` for the two characters"),
                );
                return None;
            };
            match self.environment.variable(name) {
                Some(value) => out.push_str(&value),
                None => {
                    let message = format!("the environment variable `{name}` is not set");
                    self.complain(Diagnostic::error(message, span));
                    return None;
                }
            }
            rest = after;
        }
        out.push_str(rest);
        Some(out)
    }
}

/// Adds a "did you mean" where a word is near.
pub fn with_near(diagnostic: Diagnostic, word: &str, known: &[&str]) -> Diagnostic {
    match nearest(word, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
