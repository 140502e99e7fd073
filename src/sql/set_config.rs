//! `SELECT set_config('search_path', '…', false)`, which is SET search_path: pg_dump and its like say it so. And the
//! one text by which pg_dump keeps itself from views that somebody could have put a trap into.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, SelectStmt, SetOperation, a_const};

use super::Speaker;
use crate::catalog::SearchPath;

/// The path and whether it is local, where a SELECT is this call with constants and nothing else.
pub(super) fn search_path_of(
    select: &SelectStmt,
    speaker: Speaker<'_>,
) -> Option<(Option<SearchPath>, bool)> {
    let [protobuf::Node { node: Some(Node::ResTarget(target)) }] = select.target_list.as_slice()
    else {
        return None;
    };
    let alone = SelectStmt {
        target_list: select.target_list.clone(),
        limit_option: protobuf::LimitOption::Default.into(),
        op: SetOperation::SetopNone.into(),
        ..Default::default()
    };
    let Some(Node::FuncCall(call)) = target.val.as_ref().and_then(|value| value.node.as_ref())
    else {
        return None;
    };
    let plain = protobuf::FuncCall {
        funcname: call.funcname.clone(),
        args: call.args.clone(),
        funcformat: call.funcformat,
        location: call.location,
        ..Default::default()
    };
    if *select != alone || **call != plain || !is_set_config(&call.funcname, speaker) {
        return None;
    }
    let [name, value, local] = call.args.as_slice() else { return None };
    let (a_const::Val::Sval(name), a_const::Val::Sval(value), a_const::Val::Boolval(local)) =
        (constant(name)?, constant(value)?, constant(local)?)
    else {
        return None;
    };
    if !name.sval.eq_ignore_ascii_case("search_path") {
        return None;
    }
    Some((Some(SearchPath::parse(&value.sval)?), local.boolval))
}

/// What pg_dump sends, in canonical form. Where the server has no such setting, there is no row.
const RESTRICTION: &str = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings \
                           WHERE name = 'restrict_nonsystem_relation_kind'";

/// The same with its names pinned, where a canonical text is that.
pub(super) fn restriction_of(canonical: &str) -> Option<&'static str> {
    (canonical == RESTRICTION).then_some(
        "SELECT pg_catalog.set_config(name, 'view, foreign-table', false) AS set_config \
         FROM pg_catalog.pg_settings \
         WHERE name OPERATOR(pg_catalog.=) 'restrict_nonsystem_relation_kind'",
    )
}

/// How one connection gives its snapshot to others that shall read the same: pg_dump's jobs, and DuckDB's, which asks
/// in one statement whether it talks to a standby. By text, for each call makes a file on the server.
const EXPORTS: [(&str, &str); 3] = [
    ("SELECT pg_export_snapshot()", "SELECT pg_catalog.pg_export_snapshot()"),
    ("SELECT pg_catalog.pg_export_snapshot()", "SELECT pg_catalog.pg_export_snapshot()"),
    (
        "SELECT pg_is_in_recovery(), pg_export_snapshot(), (SELECT count(*) FROM pg_stat_wal_receiver)",
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_export_snapshot(), \
         (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_wal_receiver)",
    ),
];

/// What is sent for a canonical text that exports a snapshot.
pub(super) fn export_of(canonical: &str) -> Option<&'static str> {
    EXPORTS.iter().find(|(text, _)| *text == canonical).map(|(_, sent)| *sent)
}

/// PostgreSQL's own: with its schema, or where nobody has another of that name.
fn is_set_config(name: &[protobuf::Node], speaker: Speaker<'_>) -> bool {
    let parts: Option<Vec<&str>> = name
        .iter()
        .map(|part| match &part.node {
            Some(Node::String(part)) => Some(part.sval.as_str()),
            _ => None,
        })
        .collect();
    match parts.as_deref() {
        Some(["pg_catalog", "set_config"]) => true,
        Some(["set_config"]) => !speaker.view.snapshot().user_functions.contains_key("set_config"),
        _ => false,
    }
}

fn constant(node: &protobuf::Node) -> Option<&a_const::Val> {
    match node.node.as_ref()? {
        Node::AConst(constant) => constant.val.as_ref(),
        _ => None,
    }
}
