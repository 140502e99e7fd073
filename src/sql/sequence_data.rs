//! The one text by which pg_dump asks PostgreSQL 18 and later how far every sequence has counted.
//!
//! It calls `pg_get_sequence_data`, which reads a sequence by its number, whoever owns it; so that stays closed. In its
//! place the text gets a SELECT from each sequence that the role may see, which is planned like any other: of those that
//! are not clear it gives what a sequence shows that has never been used.

use pg_query::protobuf::RawStmt;
use pg_query::protobuf::node::Node;

use super::Speaker;
use crate::catalog::RelationKind;
use crate::grammar::{self, quote_identifier};
use crate::policy::Access;

const FUNCTION: &str = "pg_get_sequence_data";

/// What pg_dump sends, in canonical form.
const ALL_SEQUENCES: &str = "SELECT seqrelid, format_type(seqtypid, NULL), seqstart, seqincrement, seqmax, seqmin, \
                             seqcache, seqcycle, last_value, is_called FROM pg_catalog.pg_sequence, \
                             pg_get_sequence_data(seqrelid) ORDER BY seqrelid";

/// The text in its place, where a statement is that.
pub(super) fn in_place_of(statement: &RawStmt, speaker: Speaker<'_>) -> Option<String> {
    let select = match statement.stmt.as_ref()?.node.as_ref()? {
        Node::SelectStmt(select) => select,
        _ => return None,
    };
    // Most statements are not printed for it.
    let [_, from] = select.from_clause.as_slice() else { return None };
    if !matches!(from.node, Some(Node::RangeFunction(_)))
        || grammar::deparse(statement).ok()? != ALL_SEQUENCES
    {
        return None;
    }
    let snapshot = speaker.view.snapshot();
    // Before PostgreSQL 18, or in another schema, it is somebody's own function.
    if !snapshot.builtin_functions.contains(FUNCTION)
        || snapshot.user_functions.contains_key(FUNCTION)
    {
        return None;
    }
    let mut sequences: Vec<_> = snapshot
        .relations
        .values()
        .filter(|relation| relation.kind == RelationKind::Sequence)
        .filter(|relation| {
            matches!(speaker.view.access(relation.oid), Access::Open | Access::Masked(_))
        })
        .collect();
    sequences.sort_by_key(|sequence| sequence.oid);
    let of_each = |column: &str| -> String {
        let case = |sequence: &&crate::catalog::Relation| {
            format!(
                "WHEN seqrelid = {} THEN (SELECT {column} FROM {}.{}) ",
                sequence.oid.0,
                quote_identifier(&sequence.schema),
                quote_identifier(&sequence.name)
            )
        };
        sequences.iter().map(case).collect()
    };
    // One that appeared meanwhile is shown at the next dump.
    Some(format!(
        "SELECT seqrelid, pg_catalog.format_type(seqtypid, NULL), seqstart, seqincrement, seqmax, seqmin, seqcache, \
         seqcycle, CASE {}WHEN false THEN 1 ELSE 1 END AS last_value, \
         CASE {}WHEN false THEN false ELSE false END AS is_called FROM pg_catalog.pg_sequence ORDER BY seqrelid",
        of_each("last_value"),
        of_each("is_called")
    ))
}
