//! Which reader a statement went through where it is not the first, for the audit and statistics.
//!
//! sqlparser reads what most clients say. What it does not, or not as PostgreSQL does, is rewritten on PostgreSQL's own
//! tree; what is found there that nobody has judged, by the places of the names alone. What stands here is of our own
//! words: no text, no name and no value of the client.

use pg_query::NodeRef;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{AExprKind, ParseResult, RawStmt};

/// How a statement was read, or which reader was the last to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reading {
    /// The reader.
    pub reader: Reader,
    /// What stands in the statement that the first reader is known not to read: the first of a list, so one statement
    /// counts once. `other` where nothing of the list does.
    pub construct: &'static str,
}

/// Readers, but for sqlparser, the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reader {
    /// The rewriter on PostgreSQL's own tree.
    Tree,
    /// The places of names, as PostgreSQL's parser gives them.
    Places,
    /// That of statements that write, which is on PostgreSQL's tree too.
    Write,
}

impl Reader {
    /// As one word.
    pub fn word(self) -> &'static str {
        match self {
            Reader::Tree => "tree",
            Reader::Places => "places",
            Reader::Write => "write",
        }
    }
}

/// Whether a node is such a construct.
type Is = fn(&NodeRef<'_>) -> bool;

/// Constructs by the name they are counted by, rarest first.
const CONSTRUCTS: &[(&str, Is)] = &[
    ("sql_json", is_sql_json),
    ("xml", |node| matches!(node, NodeRef::XmlExpr(_) | NodeRef::XmlSerialize(_))),
    ("xmltable", |node| matches!(node, NodeRef::RangeTableFunc(_))),
    ("cycle_or_search", is_cycle_or_search),
    ("rows_from", |node| matches!(node, NodeRef::RangeFunction(from) if from.is_rowsfrom)),
    ("tablesample", |node| matches!(node, NodeRef::RangeTableSample(_))),
    ("argument_by_name", |node| matches!(node, NodeRef::NamedArgExpr(_))),
    ("argument_list", |node| matches!(node, NodeRef::FuncCall(call) if call.func_variadic)),
    ("ordered_set", |node| matches!(node, NodeRef::FuncCall(call) if call.agg_within_group)),
    ("grouping_sets", |node| matches!(node, NodeRef::GroupingSet(_) | NodeRef::GroupingFunc(_))),
    (
        "group_by_distinct",
        |node| matches!(node, NodeRef::SelectStmt(select) if select.group_distinct),
    ),
    ("window", |node| matches!(node, NodeRef::WindowDef(_))),
    ("row_locks", |node| matches!(node, NodeRef::LockingClause(_))),
    ("between_symmetric", is_between_symmetric),
    ("operator_by_schema", |node| matches!(node, NodeRef::AExpr(expr) if expr.name.len() > 1)),
    ("field_or_subscript", |node| matches!(node, NodeRef::AIndirection(_))),
    ("collation", |node| matches!(node, NodeRef::CollateClause(_))),
    ("row", |node| matches!(node, NodeRef::RowExpr(_) | NodeRef::MultiAssignRef(_))),
    ("type_modifier", |node| matches!(node, NodeRef::TypeName(name) if !name.typmods.is_empty())),
    ("operator", is_odd_operator),
];

/// What of the list stands in a statement.
pub(super) fn construct(statement: &RawStmt) -> &'static str {
    let tree = ParseResult { version: 0, stmts: vec![statement.clone()] };
    let nodes = tree.nodes();
    let stands = |is: &Is| nodes.iter().any(|(node, ..)| is(node));
    CONSTRUCTS.iter().find(|(_, is)| stands(is)).map_or("other", |(name, _)| name)
}

fn is_sql_json(node: &NodeRef<'_>) -> bool {
    matches!(
        node,
        NodeRef::JsonFuncExpr(_)
            | NodeRef::JsonTable(_)
            | NodeRef::JsonObjectConstructor(_)
            | NodeRef::JsonArrayConstructor(_)
            | NodeRef::JsonArrayQueryConstructor(_)
            | NodeRef::JsonObjectAgg(_)
            | NodeRef::JsonArrayAgg(_)
            | NodeRef::JsonParseExpr(_)
            | NodeRef::JsonScalarExpr(_)
            | NodeRef::JsonSerializeExpr(_)
            | NodeRef::JsonIsPredicate(_)
    )
}

fn is_cycle_or_search(node: &NodeRef<'_>) -> bool {
    matches!(node, NodeRef::CommonTableExpr(cte)
        if cte.cycle_clause.is_some() || cte.search_clause.is_some())
}

/// Other than those of arithmetic, comparison and text.
fn is_odd_operator(node: &NodeRef<'_>) -> bool {
    const PLAIN: [&str; 16] =
        ["+", "-", "*", "/", "%", "^", "=", "<>", "<", ">", "<=", ">=", "||", "~", "~~", "BETWEEN"];
    let NodeRef::AExpr(expr) = node else { return false };
    let name = expr.name.first().and_then(|name| name.node.as_ref());
    !matches!(name, Some(Node::String(name)) if PLAIN.contains(&name.sval.as_str()))
}

fn is_between_symmetric(node: &NodeRef<'_>) -> bool {
    const KINDS: [AExprKind; 2] = [AExprKind::AexprBetweenSym, AExprKind::AexprNotBetweenSym];
    matches!(node, NodeRef::AExpr(expr) if KINDS.iter().any(|kind| expr.kind == i32::from(*kind)))
}

#[cfg(test)]
mod tests {
    use super::construct;
    use crate::grammar::parse;

    #[test]
    fn a_construct_is_a_word_of_ours() {
        for (text, expected) in [
            ("SELECT json_value('{}', '$.a' RETURNING int)", "sql_json"),
            ("WITH RECURSIVE r(n) AS (SELECT 1) CYCLE n SET c USING p SELECT 1", "cycle_or_search"),
            ("SELECT make_interval(days => 1)", "argument_by_name"),
            ("SELECT 1 BETWEEN SYMMETRIC 2 AND 0", "between_symmetric"),
            ("SELECT 1 OPERATOR(pg_catalog.+) 1", "operator_by_schema"),
            ("SELECT a *<> b FROM things", "operator"),
            ("SELECT secret FROM things WHERE a = 1", "other"),
        ] {
            assert_eq!(construct(&parse(text).unwrap()[0]), expected, "{text}");
        }
    }
}
