//! EXPLAIN, for roles that may: of a query, without running it, and with estimates off.
//!
//! What the server says of the plan is judged line by line when it comes ([`crate::guard::Discretion`]).
//! <https://www.postgresql.org/docs/current/sql-explain.html>

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, DefElem, DefElemAction, ExplainStmt};

use super::Speaker;
use super::refusal::Refusal;

/// Judges an EXPLAIN: gives the statement with the options that are sent, and whether its plan comes as JSON.
pub(super) fn judge(explain: &ExplainStmt, speaker: Speaker<'_>) -> Result<(Node, bool), Refusal> {
    let role = speaker.view.role();
    let refused = |what: &str| Err(Refusal::statement_kind(what, &role.name));
    if !role.may.explain {
        return refused("EXPLAIN");
    }
    match explain.query.as_ref().and_then(|query| query.node.as_ref()) {
        Some(Node::SelectStmt(query)) if query.into_clause.is_none() => {}
        _ => return refused("EXPLAIN of what is no SELECT"),
    }
    let mut json = false;
    let mut options = vec![option("costs", "off")];
    for given in &explain.options {
        let Some(Node::DefElem(given)) = &given.node else {
            return Err(Refusal::explain_option("of this form"));
        };
        let name = given.defname.as_str();
        let unknown = || Err(Refusal::explain_option(name));
        let Some(value) = value(given) else { return unknown() };
        match (name, value.to_ascii_lowercase().as_str()) {
            ("format", "text") => json = false,
            ("format", "json") => json = true,
            ("analyze", value) if is_on(value) => return refused("EXPLAIN ANALYZE"),
            ("verbose", value) if is_on(value) => return refused("EXPLAIN VERBOSE"),
            // Estimates are never shown.
            ("costs", value) if is_on(value) || is_off(value) => {}
            ("generic_plan", value) if is_on(value) => options.push(option("generic_plan", "on")),
            (
                "analyze" | "verbose" | "settings" | "buffers" | "wal" | "timing" | "summary"
                | "memory" | "generic_plan",
                value,
            ) if is_off(value) => {}
            _ => return unknown(),
        }
    }
    if json {
        options.push(option("format", "json"));
    }
    Ok((Node::ExplainStmt(Box::new(ExplainStmt { options, ..explain.clone() })), json))
}

/// As `defGetBoolean` (commands/define.c) reads it.
fn is_on(value: &str) -> bool {
    matches!(value, "true" | "on" | "1")
}

fn is_off(value: &str) -> bool {
    matches!(value, "false" | "off" | "0")
}

/// An option's value as text; one without a value is on.
fn value(option: &DefElem) -> Option<String> {
    if !option.defnamespace.is_empty() {
        return None;
    }
    match option.arg.as_ref().map(|arg| arg.node.as_ref()) {
        None => Some("on".to_owned()),
        Some(Some(Node::String(text))) => Some(text.sval.clone()),
        Some(Some(Node::Integer(number))) => Some(number.ival.to_string()),
        Some(Some(Node::Boolean(truth))) => Some(truth.boolval.to_string()),
        Some(_) => None,
    }
}

fn option(name: &str, value: &str) -> protobuf::Node {
    let value = protobuf::String { sval: value.to_owned() };
    let arg = protobuf::Node { node: Some(Node::String(value)) };
    let option = DefElem {
        defname: name.to_owned(),
        arg: Some(Box::new(arg)),
        defaction: DefElemAction::DefelemUnspec.into(),
        // As the parser leaves it.
        arg_location: -1,
        ..DefElem::default()
    };
    protobuf::Node { node: Some(Node::DefElem(Box::new(option))) }
}
