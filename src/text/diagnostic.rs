//! Diagnostics, and the one place that draws them.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

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
    /// The lines may hold a secret: only their places are shown.
    pub is_secret: bool,
}

impl Diagnostic {
    /// An error about a place.
    pub fn error(message: impl Into<String>, span: Span) -> Diagnostic {
        let primary = Some(Label { span, text: String::new() });
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            primary,
            secondary: Vec::new(),
            help: None,
            is_secret: false,
        }
    }

    /// A warning about a place.
    pub fn warning(message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(message, span) }
    }

    /// The same with a help.
    pub fn help(self, help: impl Into<String>) -> Diagnostic {
        Diagnostic { help: Some(help.into()), ..self }
    }

    /// The same without the lines it is about.
    pub fn secret(self) -> Diagnostic {
        Diagnostic { is_secret: true, ..self }
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
    let mut group = Group::with_title(level.primary_title(&diagnostic.message));
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
        if diagnostic.is_secret {
            for (_, label) in labels {
                let line = sources.origin(label.span).line as usize;
                group = group.element(Origin::path(&*source.name).line(line));
            }
            continue;
        }
        let mut snippet = Snippet::source(&*source.text).path(&*source.name);
        for (kind, label) in labels {
            let end = label.span.end.min(source.text.len());
            let start = label.span.start.min(end);
            let annotation = kind.span(start..end);
            let annotation =
                if label.text.is_empty() { annotation } else { annotation.label(&*label.text) };
            snippet = snippet.annotation(annotation);
        }
        group = group.element(snippet);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(&**help));
    }
    renderer.render(&[group])
}
