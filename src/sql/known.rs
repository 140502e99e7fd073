//! Texts of well-known clients that are let through as a whole, in canonical form to the letter, where a rule for their
//! parts would let through too much.
//!
//! What is sent for one has every name pinned, and reads nothing of anybody's data.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::Speaker;
use crate::grammar::deparse;

/// By this pg_dump keeps itself from views that somebody could have put a trap into. Where the server has no such
/// setting, there is no row.
const RESTRICTION: &str = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings \
                           WHERE name = 'restrict_nonsystem_relation_kind'";

/// The same as it is sent.
const RESTRICTION_SENT: &str = "SELECT pg_catalog.set_config(name, 'view, foreign-table', false) AS set_config \
                                FROM pg_catalog.pg_settings \
                                WHERE name OPERATOR(pg_catalog.=) 'restrict_nonsystem_relation_kind'";

/// How one connection gives its snapshot to others that shall read the same: pg_dump's jobs, and DuckDB's, which asks
/// in one statement whether it talks to a standby. Each call makes a file on the server, so a statement makes one.
const EXPORTS: [(&str, &str); 3] = [
    ("SELECT pg_export_snapshot()", "SELECT pg_catalog.pg_export_snapshot()"),
    ("SELECT pg_catalog.pg_export_snapshot()", "SELECT pg_catalog.pg_export_snapshot()"),
    (
        "SELECT pg_is_in_recovery(), pg_export_snapshot(), (SELECT count(*) FROM pg_stat_wal_receiver)",
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_export_snapshot(), \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_wal_receiver)",
    ),
];

/// What pg_dump asks for the dependencies of objects, in canonical form. `classid` is a number in the catalogs, so it is
/// one in all arms.
const DEPENDENCIES: &str = "(SELECT classid, objid, refclassid, refobjid, deptype FROM pg_depend \
     WHERE deptype <> 'p' AND deptype <> 'e' UNION ALL \
     SELECT 'pg_opfamily'::regclass AS classid, amopfamily AS objid, refclassid, refobjid, deptype \
     FROM pg_depend d, pg_amop o WHERE deptype NOT IN ('p', 'e', 'i') AND classid = 'pg_amop'::regclass \
     AND objid = o.oid AND NOT (refclassid = 'pg_opfamily'::regclass AND amopfamily = refobjid)) UNION ALL \
     SELECT 'pg_opfamily'::regclass AS classid, amprocfamily AS objid, refclassid, refobjid, deptype \
     FROM pg_depend d, pg_amproc p WHERE deptype NOT IN ('p', 'e', 'i') AND classid = 'pg_amproc'::regclass \
     AND objid = p.oid AND NOT (refclassid = 'pg_opfamily'::regclass AND amprocfamily = refobjid) ORDER BY 1, 2";

/// What is sent for a SELECT that is known.
pub(super) fn sent_for(
    statement: &protobuf::RawStmt,
    select: &protobuf::SelectStmt,
) -> Option<&'static str> {
    // Most statements are not printed for it.
    let may_be = match select.from_clause.as_slice() {
        [] => select.target_list.iter().any(calls_export),
        [protobuf::Node { node: Some(Node::RangeVar(relation)) }] => {
            relation.relname == "pg_settings"
        }
        _ => false,
    };
    if !may_be {
        return None;
    }
    let canonical = deparse(statement).ok()?;
    let mut known = EXPORTS.into_iter().chain([(RESTRICTION, RESTRICTION_SENT)]);
    known.find(|(text, _)| *text == canonical).map(|(_, sent)| sent)
}

fn calls_export(target: &protobuf::Node) -> bool {
    let Some(Node::ResTarget(target)) = &target.node else { return false };
    let Some(Node::FuncCall(call)) = target.val.as_ref().and_then(|value| value.node.as_ref())
    else {
        return false;
    };
    let name = call.funcname.last().and_then(|name| name.node.as_ref());
    matches!(name, Some(Node::String(name)) if name.sval == "pg_export_snapshot")
}

/// True for [`DEPENDENCIES`], where its relations are the catalogs.
pub(super) fn names_nothing(canonical: &str, speaker: Speaker<'_>) -> bool {
    let catalogs = ["pg_depend", "pg_amop", "pg_amproc"];
    canonical == DEPENDENCIES && !catalogs.iter().any(|name| speaker.temp_tables.contains(name))
}

#[cfg(test)]
mod tests {
    use super::{DEPENDENCIES, EXPORTS, RESTRICTION};
    use crate::grammar::{deparse, parse};

    #[test]
    fn known_texts_are_met_in_their_canonical_form() {
        let text = "SELECT classid, objid, refclassid, refobjid, deptype FROM pg_depend \
                    WHERE deptype != 'p' AND deptype != 'e'\nUNION ALL\n\
                    SELECT 'pg_opfamily'::regclass AS classid, amopfamily AS objid, refclassid, refobjid, deptype \
                    FROM pg_depend d, pg_amop o WHERE deptype NOT IN ('p', 'e', 'i') AND \
                    classid = 'pg_amop'::regclass AND objid = o.oid AND \
                    NOT (refclassid = 'pg_opfamily'::regclass AND amopfamily = refobjid)\nUNION ALL\n\
                    SELECT 'pg_opfamily'::regclass AS classid, amprocfamily AS objid, refclassid, refobjid, deptype \
                    FROM pg_depend d, pg_amproc p WHERE deptype NOT IN ('p', 'e', 'i') AND \
                    classid = 'pg_amproc'::regclass AND objid = p.oid AND \
                    NOT (refclassid = 'pg_opfamily'::regclass AND amprocfamily = refobjid)\nORDER BY 1,2";
        let canonical = |text: &str| {
            let statements = parse(text).expect("SQL");
            deparse(&statements[0]).expect("a text")
        };
        assert_eq!(canonical(text), DEPENDENCIES);
        // Canonical form is a fixed point, so what is not is never met.
        for known in EXPORTS.map(|(text, _)| text).into_iter().chain([RESTRICTION]) {
            assert_eq!(canonical(known), known);
        }
    }
}
