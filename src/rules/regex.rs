//! Regular expressions that PostgreSQL surely takes.
//!
//! INVARIANT: what passes here compiles on every PostgreSQL, and neither fails nor backtracks while it runs; a mask
//! must not raise an error. So it is a subset of the advanced expressions: no references back to a group, no
//! octal or hexadecimal escapes, no collating elements, and a limit of size.
//! <https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS>

/// Characters of an expression.
const LENGTH_MAX: usize = 1000;
/// Atoms after every `{m,n}` is written out; PostgreSQL gives up at some tens of thousands.
const SIZE_MAX: usize = 4000;
/// PostgreSQL's DUPMAX.
const BOUND_MAX: usize = 255;
/// Groups in groups.
const DEPTH_MAX: usize = 20;

/// Checks an expression.
///
/// # Errors
/// What is wrong with it, for a diagnostic.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    if pattern.chars().count() > LENGTH_MAX {
        return Err(format!("it has more than {LENGTH_MAX} characters"));
    }
    if pattern.contains('\0') {
        return Err("PostgreSQL has no zero character in texts".into());
    }
    let rest = pattern.strip_prefix("(?i)").unwrap_or(pattern);
    let mut reader = Expression { rest: rest.chars().collect(), depth: 0 };
    reader.rest.reverse();
    let size = reader.branches()?;
    match reader.peek() {
        Some(_) => Err("there is a `)` too many".into()),
        None if size > SIZE_MAX => Err("it is too large when its bounds are written out".into()),
        None => Ok(()),
    }
}

struct Expression {
    /// The end is in front.
    rest: Vec<char>,
    depth: usize,
}

impl Expression {
    fn peek(&self) -> Option<char> {
        self.rest.last().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.rest.pop()
    }

    fn takes(&mut self, text: &str) -> bool {
        let is_there = text.chars().rev().eq(self
            .rest
            .get(self.rest.len().saturating_sub(text.chars().count())..)
            .unwrap_or_default()
            .iter()
            .copied());
        if is_there {
            self.rest.truncate(self.rest.len().saturating_sub(text.chars().count()));
        }
        is_there
    }

    /// `a|b|c`, up to the end or a `)`; gives its size.
    fn branches(&mut self) -> Result<usize, String> {
        let mut size = self.branch()?;
        while self.takes("|") {
            size = size.saturating_add(self.branch()?);
        }
        Ok(size)
    }

    fn branch(&mut self) -> Result<usize, String> {
        let mut size = 0usize;
        while self.peek().is_some_and(|next| next != '|' && next != ')') {
            let (atom, may_repeat) = self.atom()?;
            let times = self.quantifier()?;
            if times.is_some() && !may_repeat {
                return Err("a condition cannot be repeated".into());
            }
            size = size.saturating_add(atom.saturating_mul(times.unwrap_or(1).max(1)));
        }
        Ok(size)
    }

    /// Its size, and whether it may be repeated.
    fn atom(&mut self) -> Result<(usize, bool), String> {
        match self.next() {
            Some('(') => self.group(),
            Some('[') => self.bracket().map(|()| (1, true)),
            Some('\\') => self.escape(),
            Some('^' | '$') => Ok((1, false)),
            Some('*' | '+' | '?') => Err("a quantifier stands behind nothing".into()),
            Some('{') => Err("`{` stands behind nothing; write `\\{` for the character".into()),
            Some(_) => Ok((1, true)),
            None => Err("it ends too early".into()),
        }
    }

    fn group(&mut self) -> Result<(usize, bool), String> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEPTH_MAX {
            return Err(format!("groups stand in groups more than {DEPTH_MAX} deep"));
        }
        let mut may_repeat = true;
        if self.takes("?") {
            let looks = ["=", "!", "<=", "<!"];
            if looks.iter().any(|look| self.takes(look)) {
                may_repeat = false;
            } else if !self.takes(":") {
                return Err(
                    "behind `(?` stands `:`, `=`, `!`, `<=` or `<!`, or `(?i)` at the start".into(),
                );
            }
        }
        let size = self.branches()?;
        if !self.takes(")") {
            return Err("a `)` is missing".into());
        }
        self.depth = self.depth.saturating_sub(1);
        Ok((size.max(1), may_repeat))
    }

    /// `*`, `+`, `?`, `{m}`, `{m,}`, `{m,n}`, each with a `?` behind it or not; gives how often the atom is there.
    fn quantifier(&mut self) -> Result<Option<usize>, String> {
        let times = match self.peek() {
            Some('*' | '+' | '?') => {
                self.next();
                1
            }
            Some('{') => {
                self.next();
                let least = self.number()?;
                let most = match self.takes(",") {
                    true if self.peek() == Some('}') => least,
                    true => self.number()?,
                    false => least,
                };
                if !self.takes("}") || most < least {
                    return Err("bounds are written `{2}`, `{2,}` or `{2,5}`".into());
                }
                most.max(least)
            }
            _ => return Ok(None),
        };
        self.takes("?");
        match self.peek() {
            Some('*' | '+' | '?' | '{') => Err("a quantifier stands behind another".into()),
            _ => Ok(Some(times)),
        }
    }

    fn number(&mut self) -> Result<usize, String> {
        let mut text = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            self.next();
            text.push(digit);
        }
        text.parse()
            .ok()
            .filter(|number| *number <= BOUND_MAX)
            .ok_or_else(|| format!("a bound is a number from 0 to {BOUND_MAX}"))
    }

    fn escape(&mut self) -> Result<(usize, bool), String> {
        match self.next() {
            Some('d' | 'w' | 's' | 'D' | 'W' | 'S' | 't' | 'n' | 'r' | 'f' | 'v') => Ok((1, true)),
            Some('m' | 'M' | 'y' | 'Y' | 'A' | 'Z') => Ok((1, false)),
            Some('u') => self.code_point().map(|()| (1, true)),
            Some(other) if other.is_ascii_punctuation() => Ok((1, true)),
            Some(other) if other.is_ascii_digit() => {
                Err("there are no references back to a group here".into())
            }
            Some(other) => Err(format!("`\\{other}` is no escape that can be used here")),
            None => Err("it ends in a backslash".into()),
        }
    }

    /// Four hexadecimal digits of a character that there is.
    fn code_point(&mut self) -> Result<(), String> {
        let digits: String = (0..4).filter_map(|_| self.next()).collect();
        let is_character = digits.len() == 4
            && u32::from_str_radix(&digits, 16)
                .ok()
                .and_then(char::from_u32)
                .is_some_and(|c| c != '\0');
        if is_character { Ok(()) } else { Err("`\\u` wants four hexadecimal digits".into()) }
    }

    /// `[…]`, behind its `[`.
    fn bracket(&mut self) -> Result<(), String> {
        self.takes("^");
        let mut is_first = true;
        let mut before: Option<char> = None;
        loop {
            let missing = || Err("a `]` is missing".to_owned());
            let Some(next) = self.next() else { return missing() };
            let this = match next {
                ']' if !is_first => return Ok(()),
                '[' if self.takes(":") => {
                    let classes = ["alnum", "alpha", "digit", "lower", "punct", "space", "upper", "xdigit"];
                    if !classes.iter().any(|class| self.takes(&format!("{class}:]"))) {
                        return Err(format!("the classes are: {}", classes.join(", ")));
                    }
                    None
                }
                '[' if matches!(self.peek(), Some('.' | '=')) => {
                    return Err("there are no collating elements here".into());
                }
                '\\' => match self.next() {
                    Some('d' | 'w' | 's') => None,
                    Some('t' | 'n' | 'r' | 'f' | 'v') => Some(' '),
                    Some(other) if other.is_ascii_punctuation() => Some(other),
                    _ => return Err("between brackets only `\\d`, `\\w`, `\\s`, `\\t`, `\\n`, `\\r`, `\\f`, `\\v` and escaped punctuation can be used".into()),
                },
                '-' if before.is_some() && self.peek().is_some_and(|next| next != ']') => {
                    let low = before.take();
                    let high = self.next();
                    let is_range = high.is_some_and(|high| !matches!(high, '[' | '\\' | '-'))
                        && low.zip(high).is_some_and(|(low, high)| low <= high);
                    if !is_range {
                        return Err("a range goes from one character up to another".into());
                    }
                    None
                }
                '-' if !is_first && self.peek() != Some(']') => {
                    return Err("`-` stands first or last between brackets, or in a range".into());
                }
                other => Some(other),
            };
            // A tab and its like have no place in a range.
            before = this.filter(|character| *character != ' ' || next == ' ');
            is_first = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_postgresql_takes() {
        for pattern in [
            "a",
            "[0-9]{4}",
            "(?i)straße|road",
            "(?:a|b)+?c*",
            "^\\d{3}-\\d{2}$",
            "[^\\s@]+@",
            "(?<=a)b(?!c)",
            "[]a]",
            "[a-]",
            "[-a]",
            "[[:alpha:]_]",
            "\\m\\w+\\M",
            "\\u00e9",
            "a{2,}",
            "()",
            "a|",
            "[가-힣]+",
            "}",
            "\\\\",
            "[.]",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_it_may_not() {
        for (pattern, why) in [
            ("*a", "behind nothing"),
            ("a**", "behind another"),
            ("^*", "cannot be repeated"),
            ("(?=a)+", "cannot be repeated"),
            ("\\m*", "cannot be repeated"),
            ("(a", "`)` is missing"),
            ("a)", "too many"),
            ("[a", "`]` is missing"),
            ("[]", "`]` is missing"),
            ("[z-a]", "range"),
            ("[a-\\d]", "range"),
            ("[\\w-z]", "first or last"),
            ("[[.a.]]", "collating"),
            ("[[:name:]]", "classes"),
            ("[[:<:]]a", "classes"),
            ("(a)\\1", "references back"),
            ("\\x41", "no escape"),
            ("\\ud800", "four hexadecimal"),
            ("\\u0000", "four hexadecimal"),
            ("a{256}", "from 0 to 255"),
            ("a{3,2}", "bounds"),
            ("a{2", "bounds"),
            ("{a", "behind nothing"),
            ("a{x}", "from 0 to 255"),
            ("(a{200}){200}", "too large"),
            ("***:a", "behind nothing"),
            ("a(?i)b", "behind `(?`"),
            ("(?#a)", "behind `(?`"),
            ("a\\", "backslash"),
        ] {
            let found = check(pattern).expect_err(pattern);
            assert!(found.contains(why), "{pattern}: {found}");
        }
        assert!(check(&"a".repeat(1001)).is_err());
        assert!(check(&"(".repeat(500)).is_err());
    }
}
