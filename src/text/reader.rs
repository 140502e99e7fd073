//! Reading a YAML tree into something checked: complaints are collected, not thrown, so that a person sees all of
//! them at once.
//!
//! INVARIANT: whoever gets `None` (or nothing) from a reader, there is a complaint that says why. Nothing that was
//! written is left out in silence: a mask that is not read would show what it should mask.

use secrecy::SecretString;

use super::yaml::{Entry, Kind, Node};
use super::{Diagnostic, Secrets, Severity, Span, nearest};

/// Where `${NAME}` comes from; the process environment in production, a map in tests.
pub trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Has no variables: a `${NAME}` is an error.
#[derive(Debug, Clone, Copy)]
pub struct NoEnvironment;

impl Environment for NoEnvironment {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// Collects complaints while a tree is read.
pub struct Reader<'a> {
    environment: &'a dyn Environment,
    diagnostics: Vec<Diagnostic>,
    secrets: Secrets,
}

impl<'a> Reader<'a> {
    /// Nothing found yet.
    pub fn new(environment: &'a dyn Environment) -> Self {
        Reader { environment, diagnostics: Vec::new(), secrets: Secrets::default() }
    }

    /// True when something was found that is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }

    /// What was found, and what must not be shown with it.
    pub fn finish(self) -> (Vec<Diagnostic>, Secrets) {
        (self.diagnostics, self.secrets)
    }

    /// Notes a complaint. Values of the environment are taken out of its words.
    pub fn complain(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.message = self.secrets.scrubbed(&diagnostic.message);
        diagnostic.help = diagnostic.help.map(|help| self.secrets.scrubbed(&help));
        self.diagnostics.push(diagnostic);
    }

    /// Notes that a node is something else than it should be.
    pub fn expected(&mut self, node: &Node, expected: &str) {
        let message = format!("{expected} belongs here, not {}", node.kind.name());
        self.complain(Diagnostic::error(message, node.span));
    }

    /// Complains about a key that is not known. Where a password is among the known ones, it may be a misspelt
    /// password, and its value is concealed.
    pub fn unknown_key(&mut self, entry: &Entry, known: &[&str]) {
        if known.contains(&"password") {
            self.conceal(&entry.value);
        }
        let message = format!("unknown key `{}`", entry.key);
        let diagnostic = Diagnostic::error(message, entry.key_span);
        let help = match nearest(&entry.key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        self.complain(diagnostic.help(help));
    }

    /// No diagnostic shows this node.
    pub fn conceal(&mut self, node: &Node) {
        self.secrets.conceal(node.span);
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

    /// A list of texts with their places; nothing at all is an empty one.
    pub fn texts(&mut self, node: &Node) -> Vec<(String, Span)> {
        let mut texts = Vec::new();
        for item in self.list(node) {
            texts.extend(self.text(item).map(|text| (text, item.span)));
        }
        texts
    }

    /// The same where nothing at all is no list: it may be one whose lines went missing.
    pub fn given_texts(&mut self, node: &Node) -> Option<Vec<(String, Span)>> {
        if node.kind == Kind::Null {
            self.expected(node, "a list");
            return None;
        }
        Some(self.texts(node))
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

    /// A text in which something must stand.
    pub fn filled_text(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if text.trim().is_empty() {
            self.complain(Diagnostic::error("this text is empty", node.span));
            return None;
        }
        Some(text)
    }

    /// A text that no diagnostic shows.
    pub fn secret(&mut self, node: &Node) -> Option<SecretString> {
        self.conceal(node);
        self.filled_text(node).map(SecretString::from)
    }

    /// `true` or `false`.
    pub fn truth(&mut self, node: &Node) -> Option<bool> {
        let found = match &node.kind {
            Kind::Bool(truth) => Some(*truth),
            Kind::String(text) if takes_environment(text) => {
                match self.substituted(text, node.span)?.as_str() {
                    "true" => Some(true),
                    "false" => Some(false),
                    _ => None,
                }
            }
            Kind::Null
            | Kind::Number(_)
            | Kind::String(_)
            | Kind::Sequence(_)
            | Kind::Mapping(_) => None,
        };
        if found.is_none() {
            self.expected(node, "`true` or `false`");
        }
        found
    }

    /// A whole number from `least` to `most`.
    pub fn number(&mut self, node: &Node, least: u64, most: u64) -> Option<u64> {
        let text = match &node.kind {
            Kind::Number(text) => Some(text.clone()),
            Kind::String(text) if takes_environment(text) => {
                Some(self.substituted(text, node.span)?)
            }
            Kind::Null | Kind::Bool(_) | Kind::String(_) | Kind::Sequence(_) | Kind::Mapping(_) => {
                None
            }
        };
        let Some(text) = text else {
            self.expected(node, "a whole number");
            return None;
        };
        let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| is_whole && (least..=most).contains(number));
        if number.is_none() {
            let message = format!("this is no whole number from {least} to {most}");
            self.complain(Diagnostic::error(message, node.span));
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

    /// `${NAME}` takes the environment, `$${` stands for `${`.
    fn substituted(&mut self, text: &str, span: Span) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, tail) = rest.split_at(start);
            let tail = tail.get(2..).unwrap_or_default();
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = tail;
                continue;
            }
            out.push_str(before);
            let Some((name, after)) = tail.split_once('}').filter(|(name, _)| is_variable(name))
            else {
                // What stands there may be part of a password: it is not repeated.
                let message = "`${` is not followed by the name of an environment variable and `}`";
                let help = "write `$${` for the two characters themselves";
                self.complain(Diagnostic::error(message, span).help(help));
                return None;
            };
            match self.environment.variable(name) {
                Some(value) => {
                    self.secrets.taken(name, &value);
                    out.push_str(&value);
                }
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

/// A text that is meant to become a number, or `true`, by the environment.
fn takes_environment(text: &str) -> bool {
    text.contains("${")
}

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Adds a "did you mean" where a word is near.
pub fn with_near(diagnostic: Diagnostic, word: &str, known: &[&str]) -> Diagnostic {
    match nearest(word, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}
