//! How often a statement may read a relation: rather too often than too seldom.
//!
//! Which columns of a result belong to one and the same row of a relation can be told only where the relation stands once
//! in what is sent; and whether a row shows nothing of others, only where no window goes over them. Looked for in the
//! tokens of PostgreSQL's own scanner, of which nothing is left out, and not in a tree, of which a walker may miss a branch.
//!
//! INVARIANT: of a statement in which every relation has its schema, [`Scans::are_once`] is true only for what is read
//! once, wherever the text may put it.

use pg_query::protobuf::Token;

use super::parse::check_size;

/// The words and signs of a statement.
pub struct Scans {
    tokens: Vec<Word>,
    /// A common table expression that is read more than once, or may be.
    is_repeated: bool,
    has_windows: bool,
}

enum Word {
    /// A name as PostgreSQL reads it, or a key word in small letters.
    Name(String),
    /// `.`, `(`, `)`, `,`
    Sign(u8),
    Other,
}

impl Scans {
    /// Of a text; `None` where it cannot be scanned.
    pub fn of(text: &str) -> Option<Scans> {
        check_size(text).ok()?;
        let mut tokens = Vec::new();
        for token in super::tokens::tokens(text)? {
            let place = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
            let slice = text.get(place)?;
            let kind = Token::try_from(token.token).ok()?;
            tokens.push(match (kind, slice.as_bytes()) {
                (Token::SqlComment | Token::CComment, _) => continue,
                // U&"…" has escapes of its own.
                (Token::Uident, _) => return None,
                (_, [sign @ (b'.' | b'(' | b')' | b',')]) => Word::Sign(*sign),
                (Token::Ident, [b'"', ..]) => Word::Name(unquoted(slice)?),
                (_, [first, ..])
                    if first.is_ascii_alphabetic() || *first == b'_' || *first > 127 =>
                {
                    match kind {
                        Token::Sconst | Token::Usconst | Token::Bconst | Token::Xconst => {
                            Word::Other
                        }
                        _ => Word::Name(slice.to_ascii_lowercase()),
                    }
                }
                _ => Word::Other,
            });
        }
        let mut scans = Scans { tokens, is_repeated: false, has_windows: false };
        scans.has_windows = scans.tokens.iter().any(|word| is_name(word, "over"));
        scans.is_repeated = scans.repeats();
        Some(scans)
    }

    /// A relation is read once, and each row of it goes into one row of what stands above it.
    pub fn are_once(&self, schema: &str, name: &str) -> bool {
        !self.is_repeated && self.mentions(schema, name) == 1
    }

    /// Values of other rows than its own may stand in a row.
    pub fn have_windows(&self) -> bool {
        self.has_windows
    }

    /// `schema.name`, unless it is the head of `schema.name.column`.
    fn mentions(&self, schema: &str, name: &str) -> usize {
        let is_mention = |at: usize| {
            let [first, dot, last] = [at, at.saturating_add(1), at.saturating_add(2)]
                .map(|place| self.tokens.get(place));
            first.is_some_and(|word| is_name(word, schema))
                && dot.is_some_and(|word| is_sign(word, b'.'))
                && last.is_some_and(|word| is_name(word, name))
                && !self.tokens.get(at.saturating_add(3)).is_some_and(|word| is_sign(word, b'.'))
        };
        (0..self.tokens.len()).filter(|at| is_mention(*at)).count()
    }

    /// What stands before `AS (` is the name of a common table expression, or something like it (a window, the list of
    /// columns of a function): each may be named once more.
    fn repeats(&self) -> bool {
        for at in 0..self.tokens.len() {
            if !self.tokens.get(at).is_some_and(|word| is_name(word, "as")) {
                continue;
            }
            let mut next = at.saturating_add(1);
            for word in ["not", "materialized"] {
                let is_there = self.tokens.get(next).is_some_and(|found| is_name(found, word));
                next = next.saturating_add(usize::from(is_there));
            }
            if !self.tokens.get(next).is_some_and(|word| is_sign(word, b'(')) {
                continue;
            }
            match self.name_before(at) {
                Some(name) if self.bare(name) <= 2 => {}
                Some(_) | None => return true,
            }
        }
        false
    }

    /// The name before a place, and before the list of columns that may stand between.
    fn name_before(&self, at: usize) -> Option<&str> {
        let mut at = at.checked_sub(1)?;
        if is_sign(self.tokens.get(at)?, b')') {
            let mut depth = 1_usize;
            while depth > 0 {
                at = at.checked_sub(1)?;
                match self.tokens.get(at)? {
                    Word::Sign(b')') => depth = depth.saturating_add(1),
                    Word::Sign(b'(') => depth = depth.saturating_sub(1),
                    Word::Sign(_) | Word::Name(_) | Word::Other => {}
                }
            }
            at = at.checked_sub(1)?;
        }
        match self.tokens.get(at)? {
            Word::Name(name) => Some(name),
            Word::Sign(_) | Word::Other => None,
        }
    }

    /// How often a name stands by itself: neither behind a dot nor before one.
    fn bare(&self, name: &str) -> usize {
        let is_dot = |at: Option<usize>| {
            at.and_then(|at| self.tokens.get(at)).is_some_and(|word| is_sign(word, b'.'))
        };
        let is_bare = |(at, word): &(usize, &Word)| {
            is_name(word, name) && !is_dot(at.checked_sub(1)) && !is_dot(at.checked_add(1))
        };
        self.tokens.iter().enumerate().filter(is_bare).count()
    }
}

fn is_name(word: &Word, name: &str) -> bool {
    matches!(word, Word::Name(found) if found == name)
}

fn is_sign(word: &Word, sign: u8) -> bool {
    matches!(word, Word::Sign(found) if *found == sign)
}

fn unquoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(text: &str) -> bool {
        Scans::of(text).is_some_and(|scans| scans.are_once("public", "t"))
    }

    #[test]
    fn what_may_be_read_twice_is_not_read_once() {
        for text in [
            "SELECT id FROM public.t",
            "SELECT id FROM \"public\".\"t\" AS t",
            "SELECT id FROM PUBLIC . T",
            "SELECT public.t.id FROM public.t WHERE 'public.t' <> ''",
            "SELECT id /* public.t */ FROM (SELECT t.id FROM public.t) AS t(id)",
            "WITH a AS (SELECT * FROM public.t) SELECT a.id FROM a",
            "WITH a(x) AS MATERIALIZED (SELECT id FROM public.t), b AS (SELECT 1) SELECT x FROM a, b",
            "SELECT id FROM public.t JOIN public.t2 USING (id)",
        ] {
            assert!(once(text), "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT id FROM other.t",
            "SELECT id FROM public.\"T\"",
            "SELECT a.id, b.email FROM public.t a JOIN public.t b ON a.id < b.id",
            "SELECT id FROM public.t WHERE id IN (SELECT max(id) FROM \"public\".t)",
            "WITH a AS (SELECT * FROM public.t) SELECT x.id, y.email FROM a x, a AS y",
            "WITH a(x) AS NOT MATERIALIZED (SELECT id FROM public.t) SELECT 1 FROM a x, \"a\" y",
            "WITH RECURSIVE a AS (SELECT id FROM public.t UNION ALL SELECT id FROM a) SELECT * FROM a",
            "SELECT id FROM U&\"public\".t",
            "SELECT '",
        ] {
            assert!(!once(text), "{text}");
        }
    }

    #[test]
    fn a_window_goes_over_other_rows() {
        let has = |text: &str| Scans::of(text).unwrap().have_windows();
        assert!(has("SELECT id, lag(email) OVER (ORDER BY id) FROM public.t"));
        assert!(has("SELECT id, count(*) over w FROM public.t WINDOW w AS (ORDER BY id)"));
        assert!(!has("SELECT id, 'over', t.overs FROM public.t"));
    }
}
