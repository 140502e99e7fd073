//! Statement texts without their literals: what the audit and statistics may know.
//!
//! INVARIANT: a shape is put together from whole tokens of PostgreSQL's own scanner, and only of kinds named
//! here: keywords, identifiers, parameters, operators and punctuation. What lies between tokens is white space
//! or a comment and becomes one space. So no byte of a literal or a comment can stand in it.
//! Identifiers are kept, quoted ones too: PostgreSQL looks them up and does not compare with them. But whoever
//! comes from another database writes `WHERE email = "kim@example.com"`, so what is quoted and looks like no
//! name becomes `"?"`.

use pg_query::protobuf::{KeywordKind, ScanToken, Token};

use super::parse::check_size;
use super::tokens::tokens;

/// What stands for a text that cannot be scanned.
const UNREADABLE: &str = "<unreadable>";

/// A shape is not longer than about this; what is cut off is marked by `…`.
const LENGTH_BYTES_MAX: usize = 16 * 1024;

/// The text with every literal replaced by `?`, comments gone, white space folded; never fails: what cannot be
/// scanned gives `<unreadable>`. No byte of a literal, a comment or a quoted string survives. A list of literals
/// (`?, ?, ?`) is one `?`.
pub fn shape(text: &str) -> String {
    scanned(text).unwrap_or_else(|| UNREADABLE.to_owned())
}

/// libpg_query's fingerprint, which ignores literals; for statistics only, it proves nothing.
pub fn fingerprint(text: &str) -> Option<u64> {
    check_size(text).ok()?;
    pg_query::fingerprint(text, 0, 0).ok().map(|fingerprint| fingerprint.value)
}

/// What a token leaves in the shape.
enum Trace<'t> {
    Literal,
    Word(&'t str),
    Comment,
}

fn scanned(text: &str) -> Option<String> {
    check_size(text).ok()?;
    let tokens = tokens(text)?;
    let mut shape = Shape::default();
    let mut end_before = 0;
    for token in &tokens {
        let start = usize::try_from(token.start).ok()?;
        let end = usize::try_from(token.end).ok()?;
        if start < end_before || end < start {
            return None;
        }
        let is_apart = start > end_before;
        match trace(text.get(start..end)?, token)? {
            Trace::Literal => shape.literal(is_apart),
            Trace::Word(word) => shape.word(word, is_apart),
            Trace::Comment => shape.gap(),
        }
        end_before = end;
        if shape.text.len() > LENGTH_BYTES_MAX {
            return Some(shape.cut());
        }
    }
    Some(shape.text)
}

/// `None` for a token that should not be what it is.
fn trace<'t>(slice: &'t str, token: &ScanToken) -> Option<Trace<'t>> {
    let kind = Token::try_from(token.token).ok()?;
    let is_keyword =
        KeywordKind::try_from(token.keyword_kind).is_ok_and(|kind| kind != KeywordKind::NoKeyword);
    match kind {
        Token::Sconst
        | Token::Usconst
        | Token::Bconst
        | Token::Xconst
        | Token::Fconst
        | Token::Iconst => Some(Trace::Literal),
        Token::SqlComment | Token::CComment => Some(Trace::Comment),
        Token::Ident | Token::Uident if !slice.contains('"') || could_be_a_name(slice) => {
            Some(Trace::Word(slice))
        }
        Token::Ident | Token::Uident => Some(Trace::Word("\"?\"")),
        _ if is_keyword => is_of(slice, |byte| byte.is_ascii_alphabetic() || byte == b'_'),
        // `$1`
        Token::Param => is_of(slice, |byte| byte.is_ascii_digit() || byte == b'$'),
        // Operators and punctuation, single characters included.
        _ => is_of(slice, |byte| byte.is_ascii_punctuation() && !matches!(byte, b'\'' | b'"')),
    }
}

/// Not longer than PostgreSQL's names, and without what addresses, numbers of cards and people, and texts have.
fn could_be_a_name(quoted: &str) -> bool {
    const NAME_BYTES_MAX: usize = 63;
    const DIGITS_MAX: usize = 8;
    quoted.len() <= NAME_BYTES_MAX + 2
        && quoted.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX
        && !quoted.contains(|c: char| c == '@' || c.is_control())
}

/// The slice, if every byte of it is of a kind; else the scanner gave a token that is not understood here.
fn is_of(slice: &str, is_fit: impl Fn(u8) -> bool) -> Option<Trace<'_>> {
    slice.bytes().all(is_fit).then_some(Trace::Word(slice))
}

#[derive(Default)]
struct Shape {
    text: String,
    /// A comment or white space stands before the next token.
    is_apart: bool,
}

impl Shape {
    fn gap(&mut self) {
        self.is_apart = true;
    }

    fn word(&mut self, word: &str, is_apart: bool) {
        self.space(is_apart);
        self.text.push_str(word);
    }

    /// `?, ?` becomes `?`.
    fn literal(&mut self, is_apart: bool) {
        let list = self.text.trim_end().strip_suffix(',').map(str::trim_end);
        if let Some(list) = list.filter(|list| list.ends_with('?') && !ends_in_operator(list)) {
            self.text.truncate(list.len());
            self.is_apart = false;
            return;
        }
        self.space(is_apart);
        self.text.push('?');
    }

    fn space(&mut self, is_apart: bool) {
        if (is_apart || self.is_apart) && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.is_apart = false;
    }

    fn cut(mut self) -> String {
        // The last token may be a very long name.
        let mut end = LENGTH_BYTES_MAX.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        self.text.truncate(end);
        self.text.push_str(" …");
        self.text
    }
}

/// `?` is an operator of jsonb too; it is not folded where another `?` or operator stands before it.
fn ends_in_operator(text: &str) -> bool {
    let before = text.strip_suffix('?').unwrap_or(text);
    before.ends_with(|last: char| "~!@#^&|`?+*/%<>=".contains(last))
}

#[cfg(test)]
mod tests;
