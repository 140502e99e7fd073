//! Equality of texts as PostgreSQL's scanner reads them.
//!
//! The grammar sees kinds and values of tokens and nothing else, so texts with the same tokens are the same tree, places
//! apart, and one of them need not be read to know that. So are texts that differ in words that say nothing: the AS of an
//! alias, INNER and OUTER. Texts with other tokens may be the same tree too: this does not say so.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

use std::borrow::Cow;

use pg_query::protobuf::{KeywordKind, Token};

use super::tokens::{is_blank, tokens};

/// True when the scanner finds the same in both.
pub fn are_same_tokens(a: &str, b: &str) -> bool {
    let (Some(of_a), Some(of_b)) = (pieces(a), pieces(b)) else { return false };
    of_a.len() == of_b.len() && of_a.iter().zip(&of_b).all(|(one, other)| one.is(other))
}

/// A token and how it is written.
struct Piece<'t> {
    token: Token,
    is_keyword: bool,
    written: &'t str,
}

/// The tokens, comments apart; `None` where the scanner finds an error, or something of the text stands in none of them.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let tokens = tokens(text)?;
    let mut found = Vec::with_capacity(tokens.len());
    let mut rest = 0;
    for token in tokens {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        let written = text.get(start..end)?;
        if written.is_empty() || !is_blank(text.get(rest..start)?) {
            return None;
        }
        rest = end;
        let kind = Token::try_from(token.token).ok()?;
        if matches!(kind, Token::SqlComment | Token::CComment) {
            continue;
        }
        if says_nothing(&found, kind) {
            found.pop();
        }
        let is_keyword = token.keyword_kind() != KeywordKind::NoKeyword;
        found.push(Piece { token: kind, is_keyword, written });
    }
    is_blank(text.get(rest..)?).then_some(found)
}

/// True when the last word is one that the grammar takes or leaves in front of the next one, wherever it takes both. An
/// identifier that is no keyword stands behind a whole expression or relation as its alias and as nothing else; INNER and
/// OUTER are no aliases. Behind a dot each word is a name: `a.as b` is not `a.b`.
fn says_nothing(found: &[Piece<'_>], next: Token) -> bool {
    let [.., before, word] = found else { return false };
    let may_go = match word.token {
        Token::As => next == Token::Ident,
        Token::InnerP | Token::OuterP => next == Token::Join,
        _ => false,
    };
    may_go && before.token != Token::Ascii46
}

impl Piece<'_> {
    fn is(&self, other: &Piece<'_>) -> bool {
        if self.token != other.token {
            return false;
        }
        match self.token {
            // A keyword's value is its kind; `<>` and `!=` are one operator.
            _ if self.is_keyword && other.is_keyword => true,
            Token::NotEquals => true,
            Token::Ident => {
                let same = self.name().zip(other.name()).is_some_and(|(one, other)| one == other);
                same || self.written == other.written
            }
            _ => self.written == other.written,
        }
    }

    /// What an identifier says; `None` where it depends on an encoding.
    fn name(&self) -> Option<Cow<'_, str>> {
        match self.written.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
            Some(inner) if inner.contains('"') => Some(inner.replace("\"\"", "\"").into()),
            Some(inner) => Some(inner.into()),
            None if !self.written.is_ascii() => None,
            None => Some(self.written.to_ascii_lowercase().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::are_same_tokens;

    #[test]
    fn texts_are_the_same_as_the_scanner_reads_them() {
        for (a, b) in [
            ("select a from t where b=1", "SELECT a FROM t WHERE b = 1"),
            ("select \"a\".\"b\" from \"T\"", "SELECT a.b FROM \"T\""),
            ("SELECT A, b /* b */ -- c\n FROM T", "SELECT a, b FROM t"),
            ("SELECT a != 1", "SELECT a <> 1"),
            ("SELECT 'it''s', E'\\n', $1, $x$y$x$", "select 'it''s',E'\\n',$1,$x$y$x$"),
            ("SELECT \"a\"\"b\"", "SELECT \"a\"\"b\""),
            ("SELECT a AS b FROM t AS c", "SELECT a b FROM t c"),
            ("SELECT a b FROM t INNER JOIN u ON c", "SELECT a AS b FROM t JOIN u ON c"),
            ("SELECT FROM t LEFT OUTER JOIN u ON c", "SELECT FROM t LEFT JOIN u ON c"),
        ] {
            assert!(are_same_tokens(a, b), "{a} | {b}");
        }
    }

    #[test]
    fn what_the_grammar_could_tell_apart_is_not_the_same() {
        for (a, b) in [
            ("SELECT 1", "SELECT 2"),
            ("SELECT 'a'", "SELECT 'A'"),
            ("SELECT 'a'", "SELECT E'a'"),
            ("SELECT E'\\''", "SELECT '\\'''"),
            ("SELECT 'a b'", "SELECT 'a  b'"),
            ("SELECT 'a' 'b'", "SELECT 'a''b'"),
            ("SELECT \"A\"", "SELECT a"),
            ("SELECT É", "SELECT é"),
            ("SELECT \"é\"", "SELECT É"),
            // A keyword in quotes is none.
            ("SELECT \"name\"", "SELECT name"),
            ("SELECT \"user\"", "SELECT user"),
            ("SELECT a - -1", "SELECT a --1"),
            ("SELECT a -- b\n", "SELECT a - - b"),
            ("SELECT a <= b", "SELECT a < = b"),
            ("SELECT a /* b", "SELECT a"),
            ("SELECT 1.0", "SELECT 1.00"),
            ("SELECT 1 a", "SELECT 1a"),
            ("SELECT $1", "SELECT $2"),
            ("SELECT a.AS b", "SELECT a.b"),
            ("SELECT FROM a.inner JOIN b ON c", "SELECT FROM a.JOIN b ON c"),
            // Words that are not only aliases.
            ("SELECT x::interval AS day", "SELECT x::interval day"),
            ("SELECT double AS precision", "SELECT double precision"),
            ("SELECT FROM t LEFT JOIN u ON c", "SELECT FROM t JOIN u ON c"),
            ("SELECT FROM t LEFT JOIN u ON c", "SELECT FROM t, u"),
            ("SELECT a AS b", "SELECT a AS c"),
            ("SELECT a AS b", "SELECT a, b"),
            ("SELECT a AS", "SELECT a"),
            ("SELECT a", "SELECT a;"),
            ("SELECT (a)", "SELECT a"),
            ("SELECT a", "SELECT \"a"),
        ] {
            assert!(!are_same_tokens(a, b), "{a} | {b}");
        }
    }
}
