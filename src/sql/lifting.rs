//! A text with its literals lifted out, so that statements that differ in them can share one plan. Pure; no parser.
//!
//! Follows PostgreSQL's lexical rules as far as they are plain, with `standard_conforming_strings` on, and gives up at
//! whatever is not: strings with a prefix, dollar quotes, strings in several pieces, odd numbers. Which literals mean
//! nothing to a plan is for [`free`] to say, from PostgreSQL's own tree.
//!
//! INVARIANT: two texts with the same [`Lifted::key`] have the same tokens but for the literals left out of it, and each of
//! those is a token of the same kind in both.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

mod free;

pub use free::free;

/// Digits of an integer that is lifted: more might be a number of another type.
const DIGITS_MAX: usize = 9;
/// Literals of a text; with more it is planned each time.
const LITERALS_MAX: usize = 64;
/// Stands for a literal in a key. A text that has it is not lifted.
const MARK: char = '\u{1}';
/// How names of Scrim's own begin, which no text that writes may hold, in literals neither: such a text is planned, and refused.
const OWN: &str = "scrim$";

/// Of one type for the grammar, whatever it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `'plain'`: no quote and no backslash in it.
    Text,
    /// `42`: written as PostgreSQL would print it.
    Integer,
}

/// A literal that may be lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Literal {
    /// Where it begins in the text, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
}

/// A text and where its literals are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifted<'t> {
    text: &'t str,
    literals: Vec<Literal>,
}

/// Finds the literals of a text; `None`: there are none, or it is not plain.
pub fn lift(text: &str) -> Option<Lifted<'_>> {
    let mut scan = Scan { text, bytes: text.as_bytes(), at: 0, literals: Vec::new() };
    scan.run()?;
    let literals = scan.literals;
    (!literals.is_empty() && literals.len() <= LITERALS_MAX).then_some(Lifted { text, literals })
}

impl<'t> Lifted<'t> {
    /// The literals, in order.
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// What a literal is in the text, quotes included.
    pub fn source(&self, literal: &Literal) -> &'t str {
        self.text.get(literal.start..literal.end).unwrap_or_default()
    }

    /// The text with a mark in the place of each literal for which `is_out` says so, by its number.
    pub fn key(&self, is_out: impl Fn(usize) -> bool) -> String {
        self.with(|number, literal| {
            is_out(number).then_some(match literal.kind {
                Kind::Text => "\u{1}s",
                Kind::Integer => "\u{1}i",
            })
        })
    }

    /// The text with others in the place of literals; `None` leaves one as it is.
    pub fn with<'o>(&self, other: impl Fn(usize, &Literal) -> Option<&'o str>) -> String {
        let mut text = String::with_capacity(self.text.len());
        let mut end = 0;
        for (number, literal) in self.literals.iter().enumerate() {
            if let Some(other) = other(number, literal) {
                text.push_str(self.text.get(end..literal.start).unwrap_or_default());
                text.push_str(other);
                end = literal.end;
            }
        }
        text.push_str(self.text.get(end..).unwrap_or_default());
        text
    }
}

struct Scan<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    literals: Vec<Literal>,
}

impl Scan<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.saturating_add(ahead)).copied()
    }

    fn skip_while(&mut self, is_part: impl Fn(u8) -> bool) {
        while self.byte(0).is_some_and(&is_part) {
            self.at = self.at.saturating_add(1);
        }
    }

    /// `None`: not plain.
    fn run(&mut self) -> Option<()> {
        if self.text.contains(MARK) || self.text.contains(OWN) {
            return None;
        }
        while let Some(byte) = self.byte(0) {
            match byte {
                b'\'' => self.string()?,
                b'"' => self.quoted_name()?,
                b'0'..=b'9' => self.number()?,
                // `.5`
                b'.' if self.byte(1).is_some_and(|next| next.is_ascii_digit()) => return None,
                b'-' if self.byte(1) == Some(b'-') => {
                    self.skip_while(|byte| byte != b'\n' && byte != b'\r')
                }
                b'/' if self.byte(1) == Some(b'*') => self.comment()?,
                // `$1`; not `$tag$`.
                b'$' if self.byte(1).is_some_and(|next| next.is_ascii_digit()) => {
                    self.at = self.at.saturating_add(1);
                    self.skip_while(|byte| byte.is_ascii_digit());
                    self.apart()?;
                }
                b'$' => return None,
                // `U&'…'`, `U&"…"`
                b'&' if matches!(self.byte(1), Some(b'\'' | b'"')) => return None,
                _ if is_name_start(byte) => {
                    self.skip_while(is_name_part);
                    // `E'…'`, `date'…'`
                    if matches!(self.byte(0), Some(b'\'' | b'"')) {
                        return None;
                    }
                }
                _ => self.at = self.at.saturating_add(1),
            }
        }
        Some(())
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at;
        let mut is_plain = true;
        self.at = self.at.saturating_add(1);
        loop {
            match (self.byte(0)?, self.byte(1)) {
                (b'\'', Some(b'\'')) => {
                    is_plain = false;
                    self.at = self.at.saturating_add(2);
                }
                (b'\'', _) => break,
                (byte, _) => {
                    is_plain &= byte != b'\\' && !byte.is_ascii_control();
                    self.at = self.at.saturating_add(1);
                }
            }
        }
        self.at = self.at.saturating_add(1);
        let end = self.at;
        // Strings with a line between them are one.
        self.skip_while(|byte| byte.is_ascii_whitespace());
        if self.byte(0) == Some(b'\'') || self.byte(0) == Some(b'-') && self.byte(1) == Some(b'-') {
            return None;
        }
        if is_plain {
            self.literals.push(Literal { start, end, kind: Kind::Text });
        }
        Some(())
    }

    fn quoted_name(&mut self) -> Option<()> {
        self.at = self.at.saturating_add(1);
        loop {
            match (self.byte(0)?, self.byte(1)) {
                (b'"', Some(b'"')) => self.at = self.at.saturating_add(2),
                (b'"', _) => break,
                _ => self.at = self.at.saturating_add(1),
            }
        }
        self.at = self.at.saturating_add(1);
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_digit());
        let digits = self.text.get(start..self.at)?;
        if self.byte(0) == Some(b'.') {
            // `1.5` stays; `1..10` and `1.` are left to PostgreSQL.
            self.at = self.at.saturating_add(1);
            let fraction = self.at;
            self.skip_while(|byte| byte.is_ascii_digit());
            if self.at == fraction || self.byte(0) == Some(b'.') {
                return None;
            }
            return self.apart();
        }
        self.apart()?;
        // `-0` is printed without its sign.
        let is_negated = start.checked_sub(1).and_then(|at| self.bytes.get(at)) == Some(&b'-');
        let is_printed_so = digits == "0" && !is_negated || !digits.starts_with('0');
        if digits.len() <= DIGITS_MAX && is_printed_so {
            let (end, kind) = (self.at, Kind::Integer);
            self.literals.push(Literal { start, end, kind });
        }
        Some(())
    }

    /// What has ended is not part of a word.
    fn apart(&self) -> Option<()> {
        let next = self.byte(0);
        (!next.is_some_and(|next| is_name_part(next) || next == b'\'' || next == b'"'))
            .then_some(())
    }

    fn comment(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match (self.byte(0)?, self.byte(1)) {
                (b'/', Some(b'*')) => {
                    depth = depth.saturating_add(1);
                    self.at = self.at.saturating_add(2);
                }
                (b'*', Some(b'/')) => {
                    depth = depth.saturating_sub(1);
                    self.at = self.at.saturating_add(2);
                    if depth == 0 {
                        return Some(());
                    }
                }
                _ => self.at = self.at.saturating_add(1),
            }
        }
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_name_part(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

#[cfg(test)]
mod tests;
