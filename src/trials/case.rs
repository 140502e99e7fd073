//! A case: who asks what, and what has to come of it.

use std::fmt;
use std::sync::Arc;

use regex::Regex;

/// One test.
#[derive(Debug, Clone)]
pub struct Case {
    /// For people; unique in its file.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// As whom it asks.
    pub who: Who,
    /// Where, if not in the database that `check` looks at.
    pub database: Option<String>,
    /// `scrim.purpose`
    pub purpose: Option<String>,
    /// `scrim.end_user`
    pub end_user: Option<String>,
    /// Settings at the start.
    pub settings: Vec<(String, String)>,
    /// One statement.
    pub statement: String,
    /// Its parameters, as text; `None`: NULL.
    pub params: Vec<Option<String>>,
    /// What has to come of it.
    pub expected: Expected,
    /// What must never come.
    pub never: Vec<Pattern>,
}

/// File, line and column, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As it is shown to people.
    pub file: Arc<str>,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// As whom a case asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Anybody of the role.
    Role(String),
    /// A user of the rules, in one of the user's roles; `None`: the first.
    User {
        /// The user.
        name: String,
        /// The role.
        role: Option<String>,
    },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Role(role) => write!(f, "role {role}"),
            Who::User { name, role: None } => write!(f, "user {name}"),
            Who::User { name, role: Some(role) } => write!(f, "user {name} as {role}"),
        }
    }
}

/// What has to come.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The names of the columns.
    pub columns: Option<Vec<String>>,
    /// The rows.
    pub rows: Option<Vec<Vec<Cell>>>,
    /// The rows come in this order.
    pub is_ordered: bool,
    /// How many rows come, or are written.
    pub count: Option<u64>,
    /// An error that has all of these in its SQLSTATE or its words.
    pub refused: Option<Vec<String>>,
}

/// A value that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// NULL
    Null,
    /// As PostgreSQL prints it.
    Text(String),
    /// `true` and `false`, which PostgreSQL prints as `t` and `f`.
    Truth(bool),
}

impl Cell {
    /// True when a value is what is expected.
    pub fn is(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Cell::Null, None) => true,
            (Cell::Text(text), Some(value)) => text == value,
            (Cell::Truth(true), Some(value)) => matches!(value, "t" | "true"),
            (Cell::Truth(false), Some(value)) => matches!(value, "f" | "false"),
            (Cell::Null, Some(_)) | (Cell::Text(_) | Cell::Truth(_), None) => false,
        }
    }

    /// As PostgreSQL prints it.
    pub fn value(&self) -> Option<&str> {
        match self {
            Cell::Null => None,
            Cell::Text(text) => Some(text),
            Cell::Truth(true) => Some("t"),
            Cell::Truth(false) => Some("f"),
        }
    }
}

/// What must never come: `/a regular expression/`, `/one without regard to case/i`, or a text.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As it was written.
    pub written: String,
    pub(super) regex: Regex,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(written: &str) -> Result<Pattern, String> {
        let expression = match written.strip_prefix('/') {
            None => regex::escape(written),
            Some(rest) => match (rest.strip_suffix('/'), rest.strip_suffix("/i")) {
                (Some(""), _) | (_, Some("")) => return Err("this pattern is empty".to_owned()),
                (Some(pattern), _) => pattern.to_owned(),
                (None, Some(pattern)) => format!("(?i:{pattern})"),
                (None, None) => {
                    return Err("a pattern that begins with `/` ends with `/` or `/i`".to_owned());
                }
            },
        };
        let regex = Regex::new(&expression).map_err(|error| {
            // The last line says what; those before draw the place.
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default();
            format!("this is no regular expression: {}", last.trim_start_matches("error: "))
        })?;
        Ok(Pattern { written: written.to_owned(), regex })
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns() {
        let matches = |pattern: &str, text: &str| {
            Pattern::parse(pattern).map(|pattern| pattern.regex.is_match(text))
        };
        assert_eq!(matches("/q.x/", "aqzxb"), Ok(true));
        assert_eq!(matches("/QZX/i", "aqzxb"), Ok(true));
        assert_eq!(matches("/a|b/i", "xB"), Ok(true));
        assert_eq!(matches("q.x", "aqzxb"), Ok(false));
        assert_eq!(matches("q.x", "q.x"), Ok(true));
        for bad in ["//", "//i", "/", "/a", "/a/x", "/(/"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
