//! Which literals of a text mean nothing to its plan: by an allow-list of places in PostgreSQL's own tree.
//!
//! A literal is free where it is compared with something (`=`, `<`, `LIKE`, `IN`, `BETWEEN`, …), by itself or cast to a plain type,
//! where it is a number of rows after LIMIT or OFFSET, and where it is written: a value of a new row, or what a column is
//! assigned, by itself or in arithmetic with columns (`balance + 5`). What comes out of a comparison is true or false, whatever
//! stood in it, and what is written goes to its column: no name, no place in a list, no call. Everywhere else (arguments,
//! positions in GROUP BY, keys, results) it stays in the key.

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

/// Operators whose operands are values and nothing else, where something is written.
const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "||"];

/// For each literal, whether it is free; `None`: none is, or the text is not for this.
pub fn free(lifted: &Lifted<'_>) -> Option<Vec<bool>> {
    let lower = lifted.text.to_ascii_lowercase();
    if NAMING.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let statements = grammar::parse(lifted.text).ok()?;
    let [statement] = <[_; 1]>::try_from(statements).ok()?;
    let statement = *statement.stmt?;
    match statement.node {
        Some(
            Node::SelectStmt(_) | Node::InsertStmt(_) | Node::UpdateStmt(_) | Node::DeleteStmt(_),
        ) => {}
        _ => return None,
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
            Node::InsertStmt(insert) => {
                let given = insert.select_stmt.as_deref().and_then(|given| given.node.as_ref());
                if let Some(Node::SelectStmt(given)) = given {
                    for row in &given.values_lists {
                        let Some(Node::List(row)) = &row.node else { continue };
                        row.items.iter().for_each(|value| self.written(value));
                    }
                }
                if let Some(conflict) = &insert.on_conflict_clause {
                    self.assigned(&conflict.target_list);
                }
            }
            Node::UpdateStmt(update) => self.assigned(&update.target_list),
            _ => {}
        }
    }

    fn assigned(&mut self, targets: &[protobuf::Node]) {
        for target in targets {
            if let Some(Node::ResTarget(target)) = &target.node
                && target.indirection.is_empty()
                && let Some(value) = &target.val
            {
                self.written(value);
            }
        }
    }

    /// What a column gets.
    fn written(&mut self, value: &protobuf::Node) {
        match &value.node {
            Some(Node::AExpr(expression)) if is_arithmetic(expression) => {
                for side in [&expression.lexpr, &expression.rexpr].into_iter().flatten() {
                    self.written(side);
                }
            }
            _ => self.operand(value),
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
        let Ok(mut start) = usize::try_from(constant.location) else { return };
        // Of `-5` the grammar makes one constant, which begins at its sign.
        if kind == Kind::Integer && self.lifted.text.as_bytes().get(start) == Some(&b'-') {
            start = start.saturating_add(1);
        }
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
    let Some(name) = bare_operator(expression) else { return false };
    let between = matches!(name, "BETWEEN" | "NOT BETWEEN");
    compares && (between || COMPARISONS.contains(&name))
}

fn is_arithmetic(expression: &protobuf::AExpr) -> bool {
    AExprKind::try_from(expression.kind) == Ok(AExprKind::AexprOp)
        && bare_operator(expression).is_some_and(|name| ARITHMETIC.contains(&name))
}

/// Its name, where no schema stands in front of it.
fn bare_operator(expression: &protobuf::AExpr) -> Option<&str> {
    match expression.name.as_slice() {
        [protobuf::Node { node: Some(Node::String(name)) }] => Some(&name.sval),
        _ => None,
    }
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
