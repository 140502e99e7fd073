//! The tree of a text by `saphyr_parser`'s events: places and forms, no meaning.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

use crate::text::{Diagnostic, SourceId, Span};

/// Nesting that a rules file never needs.
const DEPTH_MAX: usize = 32;

/// A node whose scalars have no meaning yet.
pub(super) struct Marked {
    pub(super) span: Span,
    pub(super) shape: Shape,
    is_plain: bool,
}

pub(super) enum Shape {
    Scalar(String),
    Sequence(Vec<Marked>),
    Mapping(Vec<(Marked, Marked)>),
}

impl Marked {
    /// Nothing stands there.
    pub(super) fn is_empty(&self) -> bool {
        self.is_plain && matches!(&self.shape, Shape::Scalar(text) if text.is_empty())
    }
}

/// Reads the one document of a text.
pub(super) fn read(text: &str, id: SourceId) -> Result<Marked, Vec<Diagnostic>> {
    let offsets = text.char_indices().map(|(index, _)| index).chain([text.len()]).collect();
    let parser = Parser::new_from_str(text);
    let mut builder = Builder { id, text, offsets, parser, complaints: Vec::new() };
    match builder.document() {
        Ok(document) if builder.complaints.is_empty() => Ok(document),
        Ok(_) => Err(builder.complaints),
        Err(last) => {
            builder.complaints.push(last);
            Err(builder.complaints)
        }
    }
}

struct Builder<'a> {
    id: SourceId,
    text: &'a str,
    /// Byte offset of each character, and of the end: the parser counts characters.
    offsets: Vec<usize>,
    parser: Parser<'a, StrInput<'a>>,
    complaints: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Marked, Diagnostic> {
        let mut document = None;
        while let Some(next) = self.parser.next() {
            let (event, span) = next.map_err(|error| self.scan_error(&error))?;
            let span = self.span(span);
            match event {
                Event::StreamStart | Event::StreamEnd | Event::Nothing | Event::DocumentEnd => {}
                Event::DocumentStart(_) if document.is_some() => {
                    return Err(Diagnostic::error("a file holds one document only", span)
                        .help("put the rest into a file of its own"));
                }
                Event::DocumentStart(_) => {}
                event => document = Some(self.node(event, span, 0)?),
            }
        }
        let span = Span { source: self.id, start: 0, end: 0 };
        let nothing = Marked { span, shape: Shape::Scalar(String::new()), is_plain: true };
        Ok(document.unwrap_or(nothing))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Marked, Diagnostic> {
        if depth > DEPTH_MAX {
            return Err(Diagnostic::error("this is nested too deeply", span));
        }
        let inner = depth.saturating_add(1);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span);
                let is_plain = style == ScalarStyle::Plain;
                Ok(Marked { span, shape: Shape::Scalar(text.into_owned()), is_plain })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span);
                let mut nodes = Vec::new();
                loop {
                    let (event, place) = self.next(span)?;
                    if matches!(event, Event::SequenceEnd) {
                        let shape = Shape::Sequence(nodes);
                        return Ok(Marked {
                            span: self.up_to(span, place),
                            shape,
                            is_plain: false,
                        });
                    }
                    nodes.push(self.node(event, place, inner)?);
                }
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), span);
                self.mapping(span, inner)
            }
            Event::Alias(_) => {
                self.complaints.push(
                    Diagnostic::error("aliases are not used here", span).help(
                        "write the value out, so that the file can be read from top to bottom",
                    ),
                );
                Ok(Marked { span, shape: Shape::Scalar(String::new()), is_plain: true })
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(Diagnostic::error("this is no value", span)),
        }
    }

    fn mapping(&mut self, span: Span, depth: usize) -> Result<Marked, Diagnostic> {
        let mut entries = Vec::new();
        let mut keys: HashMap<String, Span> = HashMap::new();
        loop {
            let (event, place) = self.next(span)?;
            if matches!(event, Event::MappingEnd) {
                let shape = Shape::Mapping(entries);
                return Ok(Marked { span: self.up_to(span, place), shape, is_plain: false });
            }
            let key = self.node(event, place, depth)?;
            match &key.shape {
                Shape::Scalar(name) if name == "<<" => self.complaints.push(
                    Diagnostic::error("merge keys are not used here", key.span)
                        .help("a role takes over the lines of another one by `extends`"),
                ),
                Shape::Scalar(name) => match keys.get(name) {
                    Some(first) => self.complaints.push(
                        Diagnostic::error(format!("`{name}` stands here twice"), key.span)
                            .also(*first, "first named here"),
                    ),
                    None => drop(keys.insert(name.clone(), key.span)),
                },
                Shape::Sequence(_) | Shape::Mapping(_) => {
                    self.complaints.push(Diagnostic::error("a key is a name", key.span));
                }
            }
            let (event, place) = self.next(span)?;
            let value = self.node(event, place, depth)?;
            entries.push((key, value));
        }
    }

    fn next(&mut self, outer: Span) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, self.span(span))),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Err(Diagnostic::error("this does not end", outer)),
        }
    }

    fn refuse(&mut self, anchor: usize, has_tag: bool, span: Span) {
        let what = match (anchor != 0, has_tag) {
            (true, _) => "anchors",
            (false, true) => "tags with `!`",
            (false, false) => return,
        };
        self.complaints.push(
            Diagnostic::error(format!("{what} are not used here"), span)
                .help("write the value out, so that the file can be read from top to bottom"),
        );
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.byte(span.start.index());
        Span { source: self.id, start, end: self.byte(span.end.index()).max(start) }
    }

    /// From the start of a collection to where its end was seen, without the blank that follows.
    fn up_to(&self, start: Span, end: Span) -> Span {
        let text = self.text.get(start.start..end.end).unwrap_or_default();
        Span { end: start.start.saturating_add(text.trim_end().len()).max(start.end), ..start }
    }

    fn byte(&self, character: usize) -> usize {
        self.offsets.get(character).copied().unwrap_or(self.text.len())
    }

    fn scan_error(&self, error: &ScanError) -> Diagnostic {
        let start = self.byte(error.marker().index());
        let next = self.text.get(start..).and_then(|rest| rest.chars().next());
        let end = start.saturating_add(next.filter(|c| *c != '\n').map_or(0, char::len_utf8));
        let span = Span { source: self.id, start, end };
        let found = Diagnostic::error(format!("this is no YAML: {}", error.info()), span);
        // Between braces, YAML takes the `{` of `${NAME}` for one of its own.
        let line = self.text.get(..end).and_then(|before| before.rsplit('\n').next());
        match line.is_some_and(|line| line.contains("${")) {
            true => found.help("inside `{…}` and `[…]`, write \"${NAME}\" in quotation marks"),
            false if next == Some('*') => {
                found.help("a text that begins with `*` stands in quotation marks")
            }
            false => found,
        }
    }
}
