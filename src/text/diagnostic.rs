//! Diagnostics, and the one place that draws them.
//!
//! INVARIANT: no password and no value of the environment is drawn, whatever the diagnostic says (see `conceal`).

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{SourceId, Sources, Span};

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

impl Diagnostic {
    /// An error about a place.
    pub fn error(message: impl Into<String>, span: Span) -> Diagnostic {
        let primary = Some(Label { span, text: String::new() });
        Diagnostic { primary, ..Diagnostic::placeless(message) }
    }

    /// A warning about a place.
    pub fn warning(message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(message, span) }
    }

    /// An error about no place in a text: a file that is missing.
    pub fn placeless(message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            help: None,
        }
    }

    /// The same with a help.
    pub fn help(self, help: impl Into<String>) -> Diagnostic {
        Diagnostic { help: Some(help.into()), ..self }
    }

    /// The same with another place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.secondary.push(Label { span, text: text.into() });
        self
    }
}

/// Draws diagnostics: `error: …`, ` --> file:line:column`, the line, the caret, the help.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let drawn: Vec<String> =
        diagnostics.iter().map(|diagnostic| draw(&renderer, sources, diagnostic)).collect();
    drawn.join("\n\n")
}

fn draw(renderer: &Renderer, sources: &Sources, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let scrubbed = |text: &str| sources.secrets.scrubbed(text);
    let mut group = Group::with_title(level.primary_title(scrubbed(&diagnostic.message)));
    let labels = diagnostic
        .primary
        .iter()
        .map(|label| (AnnotationKind::Primary, label))
        .chain(diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label)));
    // One snippet a file, in the order in which the files come up.
    let mut files: Vec<(SourceId, Vec<(AnnotationKind, &Label)>)> = Vec::new();
    for (kind, label) in labels {
        match files.iter_mut().find(|(id, _)| *id == label.span.source) {
            Some((_, labels)) => labels.push((kind, label)),
            None => files.push((label.span.source, vec![(kind, label)])),
        }
    }
    for (id, labels) in files {
        let Some(source) = sources.source(id) else { continue };
        let pointed: Vec<usize> = labels.iter().map(|(_, label)| label.span.start).collect();
        let shown = sources.secrets.shown(id, &source.text, &pointed);
        let places: Vec<_> = labels
            .into_iter()
            .map(|(kind, label)| {
                let (start, end) = first_line(&source.text, label.span);
                (kind.span(shown.place(start)..shown.place(end)), scrubbed(&label.text))
            })
            .collect();
        let mut snippet = Snippet::source(shown.text).path(&*source.name);
        for (annotation, text) in places {
            let annotation = if text.is_empty() { annotation } else { annotation.label(text) };
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(scrubbed(help)));
    }
    renderer.render(&[group])
}

/// Of something that goes over many lines, a caret points at the first.
fn first_line(text: &str, span: Span) -> (usize, usize) {
    let end = span.end.min(text.len());
    let start = span.start.min(end);
    let line = text.get(start..end).and_then(|text| text.find(['\n', '\r']));
    (start, line.map_or(end, |length| start.saturating_add(length)))
}
