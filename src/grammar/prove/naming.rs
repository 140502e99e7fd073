//! Values that name relations and types: `'staff'::regclass`. PostgreSQL makes them of any number and any text, and shows
//! the name of whatever has the number. A cast is looked at where it is written; this is about those that nobody writes:
//! `coalesce(NULL::regclass, 16400)` turns the number into a name, since both sides must have one type.
//!
//! So it is noted whether such a value goes on, to where its type could spread, and whether anything in the text makes one
//! type of several. Either alone is harmless.
//! <https://www.postgresql.org/docs/current/typeconv-union-case.html>

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::{Proven, Walker};
use crate::grammar::functions;

/// Functions that give such a value, or rows with one.
pub const NAMING_FUNCTIONS: [&str; 9] = [
    "pg_basetype",
    "pg_partition_ancestors",
    "pg_partition_root",
    "pg_partition_tree",
    "pg_typeof",
    "to_regclass",
    "to_regoperator",
    "to_regprocedure",
    "to_regtype",
];

/// Types whose values name relations or types: functions and operators are named with the types of their arguments.
const NAMING: [&str; 4] = ["regclass", "regtype", "regprocedure", "regoperator"];

/// Functions whose arguments get one type, and what makes arrays, whose comparisons do the same with texts.
pub const UNITING_FUNCTIONS: [&str; 15] = [
    "array_agg",
    "array_append",
    "array_cat",
    "array_fill",
    "array_position",
    "array_positions",
    "array_prepend",
    "array_remove",
    "array_replace",
    "arraycontained",
    "arraycontains",
    "arrayoverlap",
    "lag",
    "lead",
    "width_bucket",
];

/// Functions that give back an argument, or are of its type in another way.
pub const KEEPING_FUNCTIONS: [&str; 16] = [
    "any_value",
    "array_reverse",
    "array_sample",
    "array_shuffle",
    "array_sort",
    "first_value",
    "json_populate_record",
    "json_populate_recordset",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "last_value",
    "mode",
    "nth_value",
    "percentile_disc",
    "trim_array",
    "unnest",
];

/// What a text does with values that name relations and types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Naming {
    /// One goes on to where its type could spread.
    pub goes_on: bool,
    /// The outermost select list shows one.
    pub is_shown: bool,
    /// Something makes one type of several.
    pub unites: bool,
    /// One is made by something else than a cast.
    pub is_made: bool,
}

impl Naming {
    /// True where a number or a text could become such a value without a cast.
    pub fn is_loose(self) -> bool {
        self.is_made || self.goes_on && self.unites
    }
}

/// What becomes of an expression's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Use {
    /// Nobody knows.
    #[default]
    GoesOn,
    /// It is compared, sorted or cast to a type that names nothing.
    AtOnce,
    /// It is an array that becomes a text: nothing compares it, and nothing else has its type.
    IntoText,
    /// It goes to the client.
    Shown,
}

/// True for a type whose values name relations or types, or an array of such.
pub fn names_objects(name: &protobuf::TypeName) -> bool {
    last(&name.names).is_some_and(is_naming_type)
}

/// The same for the name of a type of PostgreSQL's own.
pub fn is_naming_type(name: &str) -> bool {
    NAMING.contains(&name.strip_prefix('_').unwrap_or(name))
}

fn last(names: &[protobuf::Node]) -> Option<&str> {
    match &names.last()?.node {
        Some(Node::String(protobuf::String { sval })) => Some(sval),
        _ => None,
    }
}

/// True for a name that means the built-in function: where somebody has overloaded it, it is pinned.
fn is_builtin(names: &[protobuf::Node], name: &str) -> bool {
    match names {
        [_] => last(names) == Some(name),
        [schema, _] => {
            last(std::slice::from_ref(schema)) == Some("pg_catalog") && last(names) == Some(name)
        }
        _ => false,
    }
}

/// A cast to a type that names objects, as it stands.
fn is_naming_cast(node: &protobuf::Node) -> bool {
    matches!(&node.node, Some(Node::TypeCast(cast)) if cast.type_name.as_ref().is_some_and(names_objects))
}

/// True where all are such casts, of one type then.
pub(super) fn are_naming_casts(nodes: &[protobuf::Node]) -> bool {
    !nodes.is_empty() && nodes.iter().all(is_naming_cast)
}

/// An operand whose type is another one's affair.
pub(super) fn is_untyped(node: &protobuf::Node) -> bool {
    matches!(node.node, Some(Node::AConst(_) | Node::ParamRef(_)))
}

/// True where the type that several expressions get is none that names objects, whatever columns are among them: all are
/// constants, or one has a type that does not go together with numbers.
fn is_settled<'n>(mut nodes: impl Iterator<Item = &'n protobuf::Node> + Clone) -> bool {
    let is_text = |node: &protobuf::Node| match &node.node {
        Some(Node::TypeCast(cast)) => matches!(
            cast.type_name.as_ref().and_then(|name| last(&name.names)),
            Some(
                "text"
                    | "varchar"
                    | "bpchar"
                    | "name"
                    | "bool"
                    | "json"
                    | "jsonb"
                    | "date"
                    | "timestamptz"
            )
        ),
        Some(Node::BoolExpr(_) | Node::NullTest(_) | Node::BooleanTest(_)) => true,
        _ => false,
    };
    let is_constant = |node: &protobuf::Node| matches!(node.node, Some(Node::AConst(_)));
    nodes.clone().all(is_constant) || nodes.any(is_text)
}

/// Operators that compare numbers of objects.
fn compares(name: &[protobuf::Node]) -> bool {
    matches!(last(name), Some("=" | "<>" | "!=" | "<" | "<=" | ">" | ">="))
}

impl<'t> Walker<'t, '_> {
    /// A value that names something stands here.
    pub(super) fn note_name(&mut self, used: Use) {
        match used {
            Use::GoesOn => self.proof.naming.goes_on = true,
            Use::AtOnce | Use::IntoText => {}
            Use::Shown => self.proof.naming.is_shown = true,
        }
    }

    /// Several expressions get one type.
    pub(super) fn unite<'n>(&mut self, nodes: impl Iterator<Item = &'n protobuf::Node> + Clone) {
        if !is_settled(nodes) {
            self.proof.naming.unites = true;
        }
    }

    pub(super) fn unites(&mut self) {
        self.proof.naming.unites = true;
    }

    /// A type whose input something runs that is no cast: columns of functions, of XML and of JSON.
    pub(super) fn ask_made_type(&mut self, name: &protobuf::TypeName) -> Proven {
        self.proof.naming.is_made |= names_objects(name);
        self.ask_type(name)
    }

    /// An expression of whose value it is known what becomes of it.
    pub(super) fn used(&mut self, node: &'t protobuf::Node, used: Use) -> Proven {
        self.used = used;
        self.expression(node)
    }

    /// What a call does with its arguments.
    pub(super) fn note_call(&mut self, call: &protobuf::FuncCall, used: Use) -> Use {
        let name = last(&call.funcname).unwrap_or_default();
        if NAMING_FUNCTIONS.contains(&name) {
            self.note_name(used);
        }
        // `regclass(16400)` is a cast that does not look like one.
        if NAMING.contains(&name) {
            self.proof.naming.is_made = true;
        }
        let is_known = functions::is_allowed(name);
        // An array of one thing has its type, and could only give it to what it is compared with.
        let is_alone = used == Use::IntoText && is_builtin(&call.funcname, "array_agg");
        if (UNITING_FUNCTIONS.contains(&name) && !is_alone) || !is_known {
            self.unites();
        }
        if is_builtin(&call.funcname, "array_to_string") {
            return Use::IntoText;
        }
        match is_known && !UNITING_FUNCTIONS.contains(&name) && !KEEPING_FUNCTIONS.contains(&name) {
            true => Use::AtOnce,
            false => Use::GoesOn,
        }
    }

    /// How the sides of an operator are used; and what they do to each other's types.
    pub(super) fn note_sides(&mut self, expression: &protobuf::AExpr) -> (Use, Use) {
        use protobuf::AExprKind;
        let left = expression.lexpr.as_deref();
        let right = expression.rexpr.as_deref();
        let both = (Use::AtOnce, Use::AtOnce);
        let list = |node: &protobuf::Node| match &node.node {
            Some(Node::List(protobuf::List { items })) => items.len() > 1,
            _ => true,
        };
        let items = right.map(items_of).unwrap_or_default();
        let all_named = are_naming_casts(items) && left.is_some_and(|left| !is_untyped(left));
        match expression.kind() {
            AExprKind::AexprOp if compares(&expression.name) => both,
            AExprKind::AexprOp => {
                if last(&expression.name) == Some("||") {
                    let sides = left.into_iter().chain(right);
                    if !sides.clone().any(is_untyped) {
                        self.unite(sides);
                    }
                }
                (Use::GoesOn, Use::GoesOn)
            }
            AExprKind::AexprDistinct
            | AExprKind::AexprNotDistinct
            | AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => both,
            AExprKind::AexprIn | AExprKind::AexprOpAny | AExprKind::AexprOpAll if all_named => both,
            AExprKind::AexprIn if right.is_some_and(list) => {
                self.unite(items.iter().chain(left));
                (Use::GoesOn, Use::GoesOn)
            }
            AExprKind::AexprIn => both,
            AExprKind::AexprOpAny | AExprKind::AexprOpAll => (Use::AtOnce, Use::GoesOn),
            AExprKind::AexprNullif
            | AExprKind::AexprLike
            | AExprKind::AexprIlike
            | AExprKind::AexprSimilar
            | AExprKind::Undefined => (Use::GoesOn, Use::GoesOn),
        }
    }
}

/// The members of a list or of an array that is written out.
fn items_of(node: &protobuf::Node) -> &[protobuf::Node] {
    match &node.node {
        Some(Node::List(protobuf::List { items })) => items,
        Some(Node::AArrayExpr(array)) => &array.elements,
        _ => &[],
    }
}
