//! What a diagnostic may never show: passwords that stand in a text, and values taken from the environment.
//!
//! A diagnostic quotes the line it speaks of, and messages quote words. A password on such a line becomes `***`,
//! a word that came from the environment becomes `${NAME}` again.
//!
//! INVARIANT: places survive. What stands before a concealed value keeps its column; where something behind it
//! on the same line is pointed at, the stars are as many as the characters.

use std::ops::Range;

use secrecy::{ExposeSecret, SecretString};

use super::Span;

/// Values shorter than this are taken out of words only where they are the whole word.
const PART_CHARACTERS_MIN: usize = 4;

const STARS: &str = "***";

/// What may not be shown.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    spans: Vec<Span>,
    values: Vec<(String, SecretString)>,
}

impl Secrets {
    /// Conceals a place.
    pub fn conceal(&mut self, span: Span) {
        self.spans.push(span);
    }

    /// Conceals what the environment gave for `name`.
    pub fn taken(&mut self, name: &str, value: &str) {
        let is_known = self.values.iter().any(|(known, _)| known == name);
        if !value.is_empty() && !is_known {
            self.values.push((name.to_owned(), SecretString::from(value.to_owned())));
            // A value may hold another one: the longest goes first.
            self.values.sort_by_key(|(_, value)| std::cmp::Reverse(value.expose_secret().len()));
        }
    }

    /// Adds what others have found.
    pub fn extend(&mut self, other: Secrets) {
        self.spans.extend(other.spans);
        for (name, value) in other.values {
            self.taken(&name, value.expose_secret());
        }
    }

    /// A message without values of the environment. Only what stands in backticks or double quotes is looked at:
    /// the words in between are ours, and must not tell whether a value is one of them.
    pub fn scrubbed(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for (name, value) in &self.values {
            // It would end a quotation, and is no word of ours.
            if value.expose_secret().contains(['`', '"']) {
                message = message.replace(value.expose_secret(), &format!("${{{name}}}"));
            }
        }
        let mut out = String::with_capacity(message.len());
        let mut rest = message.as_str();
        while let Some(start) = rest.find(['`', '"']) {
            let (before, quoted) = rest.split_at(start);
            out.push_str(before);
            let mark = if quoted.starts_with('`') { '`' } else { '"' };
            let inside = quoted.get(1..).unwrap_or_default();
            let (word, after) = inside.split_at(inside.find(mark).unwrap_or(inside.len()));
            out.push(mark);
            out.push_str(&self.without_values(word));
            rest = after;
            if let Some(tail) = rest.strip_prefix(mark) {
                out.push(mark);
                rest = tail;
            }
        }
        out.push_str(rest);
        out
    }

    fn without_values(&self, word: &str) -> String {
        let mut word = word.to_owned();
        for (name, value) in &self.values {
            let escaped = value.expose_secret().escape_debug().to_string();
            for value in [value.expose_secret(), escaped.as_str()] {
                if word == value || value.chars().count() >= PART_CHARACTERS_MIN {
                    word = word.replace(value, &format!("${{{name}}}"));
                }
            }
        }
        word
    }

    /// A text as it may be drawn when the places in `pointed` are pointed at.
    pub(super) fn shown(&self, source: super::SourceId, text: &str, pointed: &[usize]) -> Shown {
        let own = self.spans.iter().filter(|span| span.source == source);
        let mut ranges: Vec<Range<usize>> = own.map(|span| span.start..span.end).collect();
        ranges.extend(passwords(text));
        ranges.sort_by_key(|range| (range.start, range.end));
        let mut shown = Shown { text: String::with_capacity(text.len()), cuts: Vec::new() };
        let mut done = 0;
        for range in ranges {
            for piece in lines(text, range.start.max(done)..range.end.min(text.len())) {
                shown.text.push_str(text.get(done..piece.start).unwrap_or_default());
                let line_end = text
                    .get(piece.start..)
                    .and_then(|rest| rest.find('\n'))
                    .map_or(text.len(), |length| piece.start.saturating_add(length));
                let is_short = pointed.iter().all(|at| *at <= piece.start || *at > line_end);
                let start = shown.text.len();
                match is_short {
                    true => shown.text.push_str(STARS),
                    false => {
                        let hidden = text.get(piece.clone()).unwrap_or_default();
                        shown.text.extend(hidden.chars().map(|_| '*'));
                    }
                }
                done = piece.end;
                shown.cuts.push((piece, start..shown.text.len()));
            }
        }
        shown.text.push_str(text.get(done..).unwrap_or_default());
        shown
    }
}

/// A text with stars in it, and where everything went.
pub(super) struct Shown {
    pub(super) text: String,
    /// Bytes of the text that became bytes of stars, in order.
    cuts: Vec<(Range<usize>, Range<usize>)>,
}

impl Shown {
    /// Where a byte of the text stands now.
    pub(super) fn place(&self, byte: usize) -> usize {
        let (mut before, mut now) = (0, 0);
        for (was, is) in &self.cuts {
            if byte < was.end {
                if byte <= was.start {
                    break;
                }
                return is.start.saturating_add(byte.saturating_sub(was.start)).min(is.end);
            }
            (before, now) = (was.end, is.end);
        }
        now.saturating_add(byte.saturating_sub(before)).min(self.text.len())
    }
}

/// The parts of a range that are not blank, line by line.
fn lines(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut start = range.start;
    let mut pieces = Vec::new();
    for line in text.get(range).unwrap_or_default().split_inclusive('\n') {
        let blank = line.len().saturating_sub(line.trim_start().len());
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            let from = start.saturating_add(blank);
            pieces.push(from..from.saturating_add(trimmed.len()));
        }
        start = start.saturating_add(line.len());
    }
    pieces
}

/// Values of keys named `password`, found without understanding the text: it may be one that no reader takes.
fn passwords(text: &str) -> Vec<Range<usize>> {
    const KEY: &str = "password";
    let folded = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in folded.match_indices(KEY) {
        let before = text.get(..at).unwrap_or_default();
        let is_inside = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let behind = at.saturating_add(KEY.len());
        let rest = text.get(behind..).unwrap_or_default();
        let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start_matches([' ', '\t']);
        let Some(rest) = rest.strip_prefix(':') else { continue };
        if before.ends_with(is_inside) {
            continue;
        }
        let value = rest.trim_start_matches([' ', '\t']);
        let start = text.len().saturating_sub(value.len());
        let line = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let length = value_bytes(value, before.get(line..).unwrap_or_default());
        found.push(start..start.saturating_add(length));
    }
    found
}

/// How long the value at the start of `rest` may be, `before` being what stands before its key on the line.
fn value_bytes(rest: &str, before: &str) -> usize {
    if let Some(inside) = rest.strip_prefix('"') {
        return quoted_bytes(inside, '"', Some('\\'));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        return quoted_bytes(inside, '\'', None);
    }
    if before.rfind('{') > before.rfind('}') {
        return rest.find(['\n', ',', '}']).unwrap_or(rest.len());
    }
    // A block, or a plain text: it goes on on lines that stand further in.
    let indent = |line: &str| line.len().saturating_sub(line.trim_start().len());
    let outer = indent(before);
    let mut length = rest.find('\n').unwrap_or(rest.len());
    for line in rest.get(length.saturating_add(1)..).unwrap_or_default().split('\n') {
        if !line.trim().is_empty() && indent(line) <= outer {
            break;
        }
        length = length.saturating_add(line.len()).saturating_add(1);
    }
    length.min(rest.len())
}

/// Up to the closing mark, or to the end where there is none.
fn quoted_bytes(inside: &str, mark: char, escape: Option<char>) -> usize {
    let mut is_escaped = false;
    let mut characters = inside.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if is_escaped {
            is_escaped = false;
        } else if Some(c) == escape {
            is_escaped = true;
        } else if c == mark {
            if escape.is_none() && characters.next_if(|(_, next)| *next == mark).is_some() {
                continue;
            }
            // The mark before and this one.
            return at.saturating_add(2);
        }
    }
    inside.len().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::super::SourceId;
    use super::*;

    fn shown(text: &str) -> String {
        Secrets::default().shown(SourceId(0), text, &[]).text
    }

    #[test]
    fn passwords_are_found_in_any_text() {
        for (text, expected) in [
            ("password: hunter2 and more\nx: 1", "password: ***\nx: 1"),
            ("a: {role: b, password: hunter2, rolle: c}", "a: {role: b, password: ***, rolle: c}"),
            ("a: {\"password\": \"hun}ter\\\"2\", b: 1}", "a: {\"password\": ***, b: 1}"),
            ("'password' : 'it''s' # x", "'password' : *** # x"),
            (
                "  password: |\n    hunter\n    two\n  x: 1",
                "  password: ***\n    ***\n    ***\n  x: 1",
            ),
            ("  password:\n    hunter\n  x: 1", "  password:\n    ***\n  x: 1"),
            ("password: \"hunter\ntwo", "password: ***\n***"),
            ("PASSWORD: hunter2", "PASSWORD: ***"),
            ("password_file: x\npassword_hash: y", "password_file: x\npassword_hash: y"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn places_survive() {
        let text = "a: {password: hünter2, b: 1}";
        let at = text.find("b:").unwrap();
        let shown = Secrets::default().shown(SourceId(0), text, &[at]);
        assert_eq!(shown.text, "a: {password: *******, b: 1}");
        assert!(shown.text[shown.place(at)..].starts_with("b:"));
        assert_eq!(shown.place(3), 3);
        assert_eq!(shown.place(text.len()), shown.text.len());
    }

    #[test]
    fn values_of_the_environment_are_taken_out_of_quotations_only() {
        let mut secrets = Secrets::default();
        secrets.taken("A", "hunter2");
        secrets.taken("B", "no");
        secrets.taken("C", "tick`\"");
        assert_eq!(
            secrets.scrubbed("no role `xhunter2y`, `no`, `none` \"hunter2\", hunter2 `tick`\"`"),
            "no role `x${A}y`, `${B}`, `none` \"${A}\", hunter2 `${C}`"
        );
    }
}
