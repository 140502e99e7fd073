//! YAML with places: every node knows where it stands.
//!
//! `serde_yaml` says what a scalar means, `saphyr_parser` where it stands. Both read the same text, and where they
//! do not see the same tree it is refused: nobody should trust rules that two readers read differently. Anchors,
//! tags and several documents are refused too; rules are to be read from top to bottom.

use saphyr_parser::{Event, Parser, ScanError};
use serde_yaml::Value;

use super::{Diagnostic, SourceId, Sources, Span};

/// Nesting that a rules file never needs.
const DEPTH_MAX: usize = 32;

/// A node of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of nodes.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`, `~`, or nothing
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// A string.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping with string keys, in order.
    Mapping(Vec<Entry>),
}

/// One line of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Kind {
    /// For people: "a list".
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a text",
            Kind::Sequence(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }
}

/// Reads the one document of a source. An empty source is [`Kind::Null`].
pub fn parse(sources: &Sources, id: SourceId) -> Result<Node, Diagnostic> {
    let text = sources.source(id).map(|source| source.text.clone()).unwrap_or_default();
    let marked = Builder { id, text: &text, offsets: offsets(&text), anchored: None }.document()?;
    let value: Value = serde_yaml::from_str(&text).map_err(|error| {
        let place = error.location().map_or(0, |location| location.index());
        Diagnostic::error(error.to_string(), clamp(id, &text, place))
    })?;
    meaning(marked, &value)
}

/// A node whose scalars have no meaning yet.
struct Marked {
    span: Span,
    shape: Shape,
}

enum Shape {
    Scalar(String),
    Sequence(Vec<Marked>),
    Mapping(Vec<(Marked, Marked)>),
}

/// Byte offset of each character, and of the end: the parser counts characters.
fn offsets(text: &str) -> Vec<usize> {
    text.char_indices().map(|(index, _)| index).chain([text.len()]).collect()
}

fn clamp(id: SourceId, text: &str, byte: usize) -> Span {
    let mut start = byte.min(text.len());
    while !text.is_char_boundary(start) {
        start = start.saturating_sub(1);
    }
    let next = text.get(start..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Span { source: id, start, end: start.saturating_add(next) }
}

struct Builder<'a> {
    id: SourceId,
    text: &'a str,
    offsets: Vec<usize>,
    anchored: Option<Span>,
}

impl<'a> Builder<'a> {
    fn document(mut self) -> Result<Marked, Diagnostic> {
        let mut parser = Parser::new_from_str(self.text);
        let mut document = None;
        while let Some(event) = parser.next() {
            let (event, span) = event.map_err(|error| self.scan_error(&error))?;
            let span = self.span(span);
            match event {
                Event::StreamStart | Event::StreamEnd | Event::Nothing | Event::DocumentEnd => {}
                Event::DocumentStart(_) if document.is_some() => {
                    return Err(Diagnostic::error("a file holds one document only", span));
                }
                Event::DocumentStart(_) => {}
                event => document = Some(self.node(&mut parser, event, span, 0)?),
            }
        }
        if let Some(span) = self.anchored {
            return Err(Diagnostic::error("anchors and tags are not used here", span)
                .help("write the value out, so that the file can be read from top to bottom"));
        }
        let span = Span { source: self.id, start: 0, end: 0 };
        Ok(document.unwrap_or(Marked { span, shape: Shape::Scalar(String::new()) }))
    }

    fn node(
        &mut self,
        parser: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
        event: Event<'a>,
        span: Span,
        depth: usize,
    ) -> Result<Marked, Diagnostic> {
        if depth > DEPTH_MAX {
            return Err(Diagnostic::error("this is nested too deeply", span));
        }
        match event {
            Event::Scalar(text, _, anchor, tag) => {
                self.refuse_anchor(anchor != 0 || tag.is_some(), span);
                Ok(Marked { span, shape: Shape::Scalar(text.into_owned()) })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_anchor(anchor != 0 || tag.is_some(), span);
                let mut nodes = Vec::new();
                loop {
                    let (event, inner) = self.next(parser, span)?;
                    if matches!(event, Event::SequenceEnd) {
                        return Ok(Marked { span, shape: Shape::Sequence(nodes) });
                    }
                    nodes.push(self.node(parser, event, inner, depth.saturating_add(1))?);
                }
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_anchor(anchor != 0 || tag.is_some(), span);
                let mut entries = Vec::new();
                loop {
                    let (event, inner) = self.next(parser, span)?;
                    if matches!(event, Event::MappingEnd) {
                        return Ok(Marked { span, shape: Shape::Mapping(entries) });
                    }
                    let key = self.node(parser, event, inner, depth.saturating_add(1))?;
                    let (event, inner) = self.next(parser, span)?;
                    let value = self.node(parser, event, inner, depth.saturating_add(1))?;
                    entries.push((key, value));
                }
            }
            Event::Alias(_) => Err(Diagnostic::error("aliases are not used here", span)),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(Diagnostic::error("this is no value", span)),
        }
    }

    fn next(
        &self,
        parser: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
        outer: Span,
    ) -> Result<(Event<'a>, Span), Diagnostic> {
        match parser.next() {
            Some(Ok((event, span))) => Ok((event, self.span(span))),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Err(Diagnostic::error("this does not end", outer)),
        }
    }

    fn refuse_anchor(&mut self, present: bool, span: Span) {
        if present && self.anchored.is_none() {
            self.anchored = Some(span);
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let byte = |index: usize| self.offsets.get(index).copied().unwrap_or(self.text.len());
        let start = byte(span.start.index());
        let end = byte(span.end.index()).max(start);
        // A block scalar's or a collection's caret belongs on its first line.
        let line = self.text.get(start..end).and_then(|text| text.find('\n'));
        Span {
            source: self.id,
            start,
            end: line.map_or(end, |length| start.saturating_add(length)),
        }
    }

    fn scan_error(&self, error: &ScanError) -> Diagnostic {
        let place = self.offsets.get(error.marker().index()).copied().unwrap_or(self.text.len());
        Diagnostic::error(error.info().to_owned(), clamp(self.id, self.text, place))
    }
}

/// Gives scalars the meaning that `serde_yaml` sees; the two trees must have the same form.
fn meaning(marked: Marked, value: &Value) -> Result<Node, Diagnostic> {
    let span = marked.span;
    let kind = match (marked.shape, value) {
        (Shape::Scalar(_), Value::Null) => Kind::Null,
        (Shape::Scalar(_), Value::Bool(truth)) => Kind::Bool(*truth),
        (Shape::Scalar(text), Value::Number(_)) => Kind::Number(text),
        (Shape::Scalar(text), Value::String(same)) if text == *same => Kind::String(text),
        (Shape::Sequence(nodes), Value::Sequence(values)) if nodes.len() == values.len() => {
            let nodes: Result<_, _> =
                nodes.into_iter().zip(values).map(|(node, value)| meaning(node, value)).collect();
            Kind::Sequence(nodes?)
        }
        (Shape::Mapping(entries), Value::Mapping(mapping)) => mapping_meaning(entries, mapping)?,
        _ => return Err(Diagnostic::error("two YAML readers do not agree on what this is", span)),
    };
    Ok(Node { span, kind })
}

fn mapping_meaning(
    entries: Vec<(Marked, Marked)>,
    mapping: &serde_yaml::Mapping,
) -> Result<Kind, Diagnostic> {
    let mut read: Vec<Entry> = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let span = key.span;
        let Shape::Scalar(name) = key.shape else {
            return Err(Diagnostic::error("a key is a plain word here", span));
        };
        if let Some(first) = read.iter().find(|entry| entry.key == name) {
            return Err(Diagnostic::error(format!("`{name}` stands here twice"), span)
                .also(first.key_span, "first named here"));
        }
        // A key such as `123` or `true` is meant as a name.
        let found = mapping.iter().find(|(key, _)| match key {
            Value::String(text) => *text == name,
            Value::Number(number) => number.to_string() == name,
            Value::Bool(truth) => truth.to_string() == name,
            _ => false,
        });
        let Some((_, found)) = found else {
            return Err(Diagnostic::error("two YAML readers do not agree on this key", span));
        };
        read.push(Entry { key: name, key_span: span, value: meaning(value, found)? });
    }
    if read.len() != mapping.len() {
        let span = read.first().map(|entry| entry.key_span);
        let span = span.unwrap_or(Span { source: SourceId(0), start: 0, end: 0 });
        return Err(Diagnostic::error("two YAML readers do not agree on these keys", span));
    }
    Ok(Kind::Mapping(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Diagnostic> {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text);
        parse(&sources, id)
    }

    #[test]
    fn spans_are_bytes_of_the_first_line() {
        let node = read("é: [x, 'y']\nb:\n  c: 1.50\n").unwrap();
        let Kind::Mapping(entries) = node.kind else { panic!("a mapping") };
        assert_eq!((entries[0].key_span.start, entries[0].key_span.end), (0, 2));
        let Kind::Mapping(inner) = &entries[1].value.kind else { panic!("a mapping") };
        assert_eq!(inner[0].value.kind, Kind::Number("1.50".into()));
    }

    #[test]
    fn what_is_refused() {
        for text in [
            "a: 1\na: 2\n",
            "a: &x 1\nb: *x\n",
            "a: !t 1",
            "a: 1\n---\nb: 2\n",
            "a: [1\n",
            "? [a]\n: 1\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("").unwrap().kind, Kind::Null);
        assert_eq!(read("# nothing\n").unwrap().kind, Kind::Null);
    }
}
