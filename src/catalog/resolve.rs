//! Names without a schema, and how PostgreSQL finds them.
//! <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>

use std::collections::BTreeSet;

use super::snapshot::{Relation, Snapshot};

/// PostgreSQL's NAMEDATALEN - 1: longer identifiers are cut.
const NAME_BYTES_MAX: usize = 63;
/// PostgreSQL's `scanner_isspace`.
const SPACES: [char; 5] = [' ', '\t', '\n', '\r', '\u{c}'];
const VERTICAL_TAB: char = '\u{b}';

/// A `search_path` as the session set it: names after unquoting and folding, `$user` not yet replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchPath(pub Vec<String>);

impl Default for SearchPath {
    /// PostgreSQL's default: `"$user", public`.
    fn default() -> Self {
        SearchPath(vec!["$user".into(), "public".into()])
    }
}

/// The temporary tables of a session, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TempTables {
    lasting: BTreeSet<String>,
    /// Those that end with the transaction.
    until_commit: BTreeSet<String>,
}

impl TempTables {
    /// None at all.
    pub const NONE: &'static TempTables =
        &TempTables { lasting: BTreeSet::new(), until_commit: BTreeSet::new() };

    /// True when there is one of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.lasting.contains(name) || self.until_commit.contains(name)
    }

    /// One has been made.
    pub fn add(&mut self, name: &str, until_commit: bool) {
        let tables = if until_commit { &mut self.until_commit } else { &mut self.lasting };
        tables.insert(name.to_owned());
    }

    /// One has been dropped.
    pub fn remove(&mut self, name: &str) {
        self.lasting.remove(name);
        self.until_commit.remove(name);
    }

    /// The transaction has been committed.
    pub fn commit(&mut self) {
        self.until_commit.clear();
    }
}

impl SearchPath {
    /// Reads a `search_path` value as PostgreSQL's `SplitIdentifierString` does; `None` if it is malformed.
    ///
    /// What separates names must be exactly what the server takes for space: a name that Scrim reads otherwise is
    /// a schema that the server searches and Scrim does not know of. The vertical tab is space from PostgreSQL 16
    /// on and part of a name before, so outside quotes it is malformed here.
    pub fn parse(value: &str) -> Option<SearchPath> {
        let mut names = Vec::new();
        let mut rest = value.trim_start_matches(SPACES);
        if rest.is_empty() {
            return Some(SearchPath(names));
        }
        loop {
            let (name, tail) = match rest.strip_prefix('"') {
                // `SET search_path = ''` reads back as `""`: no such schema, but well formed.
                Some(quoted) => quoted_name(quoted)?,
                None => {
                    let end =
                        rest.find(|c: char| c == ',' || SPACES.contains(&c)).unwrap_or(rest.len());
                    let (name, tail) = rest.split_at(end);
                    if name.is_empty() || name.contains(VERTICAL_TAB) {
                        return None;
                    }
                    (name.to_ascii_lowercase(), tail)
                }
            };
            names.push(cut(name));
            let tail = tail.trim_start_matches(SPACES);
            if tail.is_empty() {
                return Some(SearchPath(names));
            }
            rest = tail.strip_prefix(',')?.trim_start_matches(SPACES);
        }
    }

    /// The schemas that are searched, in order, `pg_catalog` in front unless it is named. The server passes
    /// over what the login may not use; here all are searched, for a role may have a login of its own, and what it
    /// may use changes: an operator in any of them counts as one that could be meant. Temporary schemas are not
    /// among them: a session's own tables are in [`TempTables`].
    pub fn schemas<'a>(&'a self, snapshot: &'a Snapshot) -> Vec<&'a str> {
        let mut schemas: Vec<&str> = Vec::with_capacity(self.0.len().saturating_add(1));
        if !self.0.iter().any(|name| name == "pg_catalog") {
            schemas.push("pg_catalog");
        }
        for name in &self.0 {
            let name = if name == "$user" { snapshot.login.as_str() } else { name.as_str() };
            if snapshot.schemas.contains(name) && !schemas.contains(&name) {
                schemas.push(name);
            }
        }
        schemas
    }
}

impl Snapshot {
    /// The relation that an unqualified name means under a search_path.
    pub fn resolve<'a>(&'a self, path: &SearchPath, name: &str) -> Option<&'a Relation> {
        path.schemas(self).into_iter().find_map(|schema| self.relation_named(schema, name))
    }
}

/// The name up to its closing quote, and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, tail) = rest.split_once('"')?;
        name.push_str(part);
        match tail.strip_prefix('"') {
            Some(tail) => {
                name.push('"');
                rest = tail;
            }
            None => return Some((name, tail)),
        }
    }
}

fn cut(mut name: String) -> String {
    let mut end = NAME_BYTES_MAX.min(name.len());
    while !name.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    name.truncate(end);
    name
}

#[cfg(test)]
mod tests {
    use super::{SearchPath, Snapshot};

    fn path(names: &[&str]) -> SearchPath {
        SearchPath(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn values_as_postgresql_reads_them() {
        let long = "n".repeat(62);
        let cut_long = format!("{long}\u{e9}x");
        let cases: [(&str, Option<&[&str]>); 18] = [
            ("", Some(&[])),
            (" \u{c}", Some(&[])),
            ("public", Some(&["public"])),
            ("\"$user\", public", Some(&["$user", "public"])),
            ("Public,\"Weird \"\"Name\"", Some(&["public", "Weird \"Name"])),
            // Only ASCII letters are folded.
            ("\u{c9}COLE", Some(&["\u{c9}cole"])),
            // What an empty value reads back as.
            ("\"\"", Some(&[""])),
            // A form feed is space for the server; a no-break space is part of the name.
            ("trap\u{c}, public", Some(&["trap", "public"])),
            ("\u{c}trap", Some(&["trap"])),
            ("\u{a0}trap", Some(&["\u{a0}trap"])),
            // The character that does not fit into 63 bytes goes as a whole.
            (&cut_long, Some(&[&long])),
            // The vertical tab depends on the server's version.
            ("trap\u{b}, public", None),
            ("\"trap\u{b}\"", Some(&["trap\u{b}"])),
            ("a b", None),
            ("a,,b", None),
            ("a,", None),
            ("\"open", None),
            ("a\"b\" c", None),
        ];
        for (value, expected) in cases {
            assert_eq!(SearchPath::parse(value), expected.map(path), "{value:?}");
        }
    }

    #[test]
    fn schemas_that_are_searched() {
        let mut snapshot = Snapshot { login: "scrim".into(), ..Snapshot::default() };
        for schema in ["pg_catalog", "public", "scrim"] {
            snapshot.schemas.insert(schema.into());
        }
        for (names, expected) in [
            (&["$user", "public"] as &[&str], &["pg_catalog", "scrim", "public"] as &[&str]),
            (&["public", "pg_catalog", "public"], &["public", "pg_catalog"]),
            (&["nowhere", "public"], &["pg_catalog", "public"]),
            (&[], &["pg_catalog"]),
        ] {
            assert_eq!(path(names).schemas(&snapshot), expected, "{names:?}");
        }
    }
}
