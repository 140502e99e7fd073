//! Which literals of a text mean nothing to its plan: by an allow-list of places in PostgreSQL's own tree.
//!
//! A literal is free where it is compared with something (`=`, `<`, `LIKE`, `IN`, `BETWEEN`, …), by itself or cast to a plain type,
//! and where it is a number of rows after LIMIT or OFFSET. What comes out of a comparison is true or false, whatever stood in
//! it: no name, no column, no call. Everywhere else (arguments, positions in GROUP BY, keys, results) it stays in the key.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, AExprKind};

use super::{Kind, Lifted};
use crate::grammar::{self, children};

/// A text with one of these words, in whatever place, is not lifted: literals can be names there.
const NAMING: &[&str] =
    &["pg_", "information_schema", "regc", "regt", "regp", "rego", "regd", "regn", "regr"];

/// Types to which a literal may be cast where it is compared.
const PLAIN_TYPES: &[&str] = &[
    "bool",
    "bpchar",
    "date",
    "float4",
    "float8",
    "int2",
    "int4",
    "int8",
    "interval",
    "numeric",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
];

/// Operators that compare.
const COMPARISONS: &[&str] = &["=", "<>", "!=", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*"];

/// For each literal, whether it is free; `None`: none is, or the text is not for this.
pub fn free(lifted: &Lifted<'_>) -> Option<Vec<bool>> {
    let lower = lifted.text.to_ascii_lowercase();
    if NAMING.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let statements = grammar::parse(lifted.text).ok()?;
    let [statement] = <[_; 1]>::try_from(statements).ok()?;
    let statement = *statement.stmt?;
    if !matches!(statement.node, Some(Node::SelectStmt(_))) {
        return None;
    }
    let mut found = Places { lifted, free: vec![false; lifted.literals.len()] };
    let mut below = vec![statement];
    while let Some(protobuf::Node { node: Some(mut node) }) = below.pop() {
        found.look(&node);
        below.extend(children(&mut node).into_iter().map(std::mem::take));
    }
    found.free.contains(&true).then_some(found.free)
}

struct Places<'l, 't> {
    lifted: &'l Lifted<'t>,
    free: Vec<bool>,
}

impl Places<'_, '_> {
    fn look(&mut self, node: &Node) {
        match node {
            Node::AExpr(expression) if is_comparison(expression) => {
                for side in [&expression.lexpr, &expression.rexpr].into_iter().flatten() {
                    match &side.node {
                        Some(Node::List(list)) => {
                            for item in &list.items {
                                self.operand(item);
                            }
                        }
                        _ => self.operand(side),
                    }
                }
            }
            Node::SelectStmt(select) => {
                for rows in [&select.limit_count, &select.limit_offset].into_iter().flatten() {
                    self.constant(rows);
                }
            }
            _ => {}
        }
    }

    fn operand(&mut self, node: &protobuf::Node) {
        match &node.node {
            Some(Node::TypeCast(cast)) if cast.type_name.as_ref().is_some_and(is_plain) => {
                if let Some(value) = &cast.arg {
                    self.constant(value);
                }
            }
            _ => self.constant(node),
        }
    }

    /// Free, if the tree and the scan agree on where it stands and what it is.
    fn constant(&mut self, node: &protobuf::Node) {
        use protobuf::a_const::Val;
        let Some(Node::AConst(constant)) = &node.node else { return };
        let kind = match &constant.val {
            Some(Val::Sval(_)) => Kind::Text,
            Some(Val::Ival(_)) => Kind::Integer,
            _ => return,
        };
        let Ok(start) = usize::try_from(constant.location) else { return };
        let is_it = |literal: &super::Literal| literal.start == start && literal.kind == kind;
        let place = self.lifted.literals.iter().position(is_it);
        if let Some(free) = place.and_then(|place| self.free.get_mut(place)) {
            *free = true;
        }
    }
}

fn is_comparison(expression: &protobuf::AExpr) -> bool {
    let compares = match AExprKind::try_from(expression.kind) {
        Ok(
            AExprKind::AexprOp
            | AExprKind::AexprIn
            | AExprKind::AexprLike
            | AExprKind::AexprIlike
            | AExprKind::AexprBetween
            | AExprKind::AexprNotBetween,
        ) => true,
        Ok(_) | Err(_) => false,
    };
    let name = match expression.name.as_slice() {
        [protobuf::Node { node: Some(Node::String(name)) }] => name.sval.as_str(),
        _ => return false,
    };
    let between = matches!(name, "BETWEEN" | "NOT BETWEEN");
    compares && (between || COMPARISONS.contains(&name))
}

/// Of PostgreSQL's own, no array, without modifiers.
fn is_plain(name: &protobuf::TypeName) -> bool {
    let word = |node: &protobuf::Node| match &node.node {
        Some(Node::String(word)) => Some(word.sval.clone()),
        _ => None,
    };
    let words: Option<Vec<String>> = name.names.iter().map(word).collect();
    let is_known = match words.as_deref() {
        Some([name]) => PLAIN_TYPES.contains(&name.as_str()),
        Some([schema, name]) => schema == "pg_catalog" && PLAIN_TYPES.contains(&name.as_str()),
        Some(_) | None => false,
    };
    is_known
        && name.array_bounds.is_empty()
        && name.typmods.is_empty()
        && !name.setof
        && !name.pct_type
}
