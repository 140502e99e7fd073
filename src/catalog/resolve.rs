//! Names without a schema, and how PostgreSQL finds them.
//! <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>

use super::snapshot::{Relation, Snapshot};

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
    pub fn parse(_value: &str) -> Option<SearchPath> {
        todo!()
    }

    /// The schemas that are searched, in order, `pg_catalog` in front unless it is named.
    pub fn schemas<'a>(&'a self, _snapshot: &'a Snapshot) -> Vec<&'a str> {
        todo!()
    }
}

impl Snapshot {
    /// The relation that an unqualified name means under a search_path.
    pub fn resolve<'a>(&'a self, _path: &SearchPath, _name: &str) -> Option<&'a Relation> {
        todo!()
    }
}
