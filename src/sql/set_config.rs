//! `SELECT set_config('search_path', '…', false)`, which is SET search_path: pg_dump and its like say it so.

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
