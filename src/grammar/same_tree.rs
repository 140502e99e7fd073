//! Equality of parse trees, apart from places in the text.
//!
//! Every field of every node takes part, also those that nobody thought of: trees are compared as the JSON
//! that their own serialisation gives, in which only the fields named here are blank. A field that a later
//! pg_query adds makes trees differ, never equal.

use std::io;

use pg_query::protobuf::RawStmt;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::same_tokens::are_same_tokens;

/// True when both are the same statements.
pub(super) fn is_same_tree(a: &[RawStmt], b: &[RawStmt]) -> bool {
    match (placeless(a), placeless(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

/// True when two texts are the same statements. Most often their tokens tell, and neither is read.
pub fn is_same_text(a: &str, b: &str) -> bool {
    if a == b || are_same_tokens(a, b) {
        return true;
    }
    matches!((super::parse(a), super::parse(b)), (Ok(a), Ok(b)) if is_same_tree(&a, &b))
}

/// True when two texts are the same but for `pg_catalog` in front of these operators.
pub fn is_same_but_pinned(a: &str, b: &str, operators: &[String]) -> bool {
    let unpinned = |text: &str| -> Option<String> {
        let mut json = String::from_utf8(placeless(&super::parse(text).ok()?)?).ok()?;
        let node = |name: &str| {
            let name = serde_json::to_string(name).ok()?;
            Some(format!("{{\"node\":{{\"String\":{{\"sval\":{name}}}}}}}"))
        };
        for operator in operators {
            let (schema, operator) = (node("pg_catalog")?, node(operator)?);
            json = json.replace(&format!("{schema},{operator}"), &operator);
        }
        Some(json)
    };
    matches!((unpinned(a), unpinned(b)), (Some(a), Some(b)) if a == b)
}

/// Fields that hold a place in the text, or (`funcformat`) only how a call was written: `overlay(a, b, 1)` or
/// `overlay(a placing b from 1)`, which PostgreSQL looks at when it prints a view and nowhere else.
fn is_place(field: &[u8]) -> bool {
    matches!(
        field,
        b"location"
            | b"stmt_location"
            | b"stmt_len"
            | b"name_location"
            | b"list_start"
            | b"list_end"
            | b"rexpr_list_start"
            | b"rexpr_list_end"
            | b"funcformat"
    )
}

fn placeless(statements: &[RawStmt]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(4096);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Placeless::default());
    statements.serialize(&mut serializer).ok()?;
    Some(out)
}

/// Writes JSON as usual, but 0 for the number of a field that holds a place.
#[derive(Default)]
struct Placeless {
    field: Vec<u8>,
    in_field: bool,
}

impl Formatter for Placeless {
    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.field.clear();
        self.in_field = true;
        CompactFormatter.begin_object_key(writer, first)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if self.in_field {
            self.field.extend_from_slice(fragment.as_bytes());
        }
        CompactFormatter.write_string_fragment(writer, fragment)
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.in_field = false;
        CompactFormatter.end_object_key(writer)
    }

    fn write_i32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i32) -> io::Result<()> {
        let value = if is_place(&self.field) { 0 } else { value };
        CompactFormatter.write_i32(writer, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::parse;

    fn is_same(a: &str, b: &str) -> bool {
        is_same_tree(&parse(a).unwrap(), &parse(b).unwrap())
    }

    #[test]
    fn pinned_is_the_same_and_nothing_else() {
        let same = |a: &str, b: &str| is_same_but_pinned(a, b, &["=".into()]);
        assert!(same("select a = b and c", "select a operator(pg_catalog.=) b and c"));
        assert!(!same("select a = b", "select a operator(public.=) b"));
        assert!(!same("select a <> b", "select a operator(pg_catalog.<>) b"));
        // The long form binds as tightly as `||`.
        assert!(!same("select a = b || c", "select a operator(pg_catalog.=) b || c"));
    }

    #[test]
    fn texts_are_the_same_by_their_tokens_or_by_their_trees() {
        assert!(is_same_text("select a as b from t", "SELECT a AS b FROM t"));
        assert!(is_same_text("select a b from t", "SELECT (a) AS b FROM t;"));
        assert!(!is_same_text("select a b from t", "SELECT a AS c FROM t"));
        assert!(!is_same_text("select a b c from t", "SELECT a b FROM t"));
    }

    #[test]
    fn only_places_are_forgiven() {
        assert!(is_same("select 1", "  SELECT /* one */ 1 "));
        assert!(is_same("select a in (1, 2), array[1]", "select a  in ( 1 , 2 ),  array [ 1 ]"));
        assert!(!is_same("select 1", "select 2"));
        assert!(!is_same("select 'location'", "select 'stmt_len'"));
        assert!(!is_same("select 1 limit 1", "select 1 limit 2"));
        assert!(!is_same("select true", "select false"));
        assert!(!is_same("select 1", "select 1; select 1"));
        assert!(!is_same("select from a", "select from only a"));
        assert!(!is_same("select \"A\"", "select a"));
        assert!(!is_same("select a union select b", "select a union all select b"));
    }
}
