//! Names without a schema, and how PostgreSQL finds them.
//! <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>

use super::snapshot::{Relation, Snapshot};

/// PostgreSQL's NAMEDATALEN - 1: longer identifiers are cut.
const NAME_BYTES_MAX: usize = 63;

/// A `search_path` as the session set it: names after unquoting and folding, `$user` not yet replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchPath(pub Vec<String>);

impl Default for SearchPath {
    /// PostgreSQL's default: `"$user", public`.
    fn default() -> Self {
        SearchPath(vec!["$user".into(), "public".into()])
    }
}

impl SearchPath {
    /// Reads a `search_path` value as PostgreSQL's `SplitIdentifierString` does; `None` if it is malformed.
    pub fn parse(value: &str) -> Option<SearchPath> {
        let mut names = Vec::new();
        let mut rest = value.trim();
        if rest.is_empty() {
            return Some(SearchPath(names));
        }
        loop {
            let (name, tail) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_name(quoted)?,
                None => {
                    let end = rest.find([',', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
                    let (name, tail) = rest.split_at(end);
                    (name.to_ascii_lowercase(), tail)
                }
            };
            if name.is_empty() {
                return None;
            }
            names.push(cut(name));
            let tail = tail.trim_start();
            if tail.is_empty() {
                return Some(SearchPath(names));
            }
            rest = tail.strip_prefix(',')?.trim_start();
        }
    }

    /// The schemas that are searched, in order, `pg_catalog` in front unless it is named. Temporary schemas are
    /// never searched: masked roles have no temporary tables.
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
    use super::SearchPath;

    #[test]
    fn values_as_postgresql_reads_them() {
        let cases: [(&str, Option<&[&str]>); 9] = [
            ("", Some(&[])),
            ("public", Some(&["public"])),
            ("\"$user\", public", Some(&["$user", "public"])),
            ("Public,\"Weird \"\"Name\"", Some(&["public", "Weird \"Name"])),
            // Only ASCII letters are folded.
            ("\u{c9}COLE", Some(&["\u{c9}cole"])),
            ("a b", None),
            ("a,,b", None),
            ("a,", None),
            ("\"open", None),
        ];
        for (value, expected) in cases {
            let expected =
                expected.map(|names| SearchPath(names.iter().map(|s| (*s).to_owned()).collect()));
            assert_eq!(SearchPath::parse(value), expected, "{value}");
        }
    }
}
