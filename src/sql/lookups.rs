//! Lookups in holes: their proof, and what is said of them.
//!
//! The rewriter is not trusted with them either: each column must be one that the role may look up, and each value a
//! constant or a parameter, as PostgreSQL's own grammar reads it.

use std::collections::BTreeSet;

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{RawStmt, ResTarget};

use super::hole::{Content, Hole, Lookup};
use super::refusal::Refusal;
use crate::grammar::{self, Terms};
use crate::policy::LookupKind;

/// Values that a statement finds rows by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedUp {
    /// The relation's schema.
    pub schema: String,
    /// Its name.
    pub relation: String,
    /// The column.
    pub column: String,
    /// How many.
    pub values: u64,
}

/// The lookups of a statement's holes.
pub(super) fn of(holes: &[Hole]) -> Vec<LookedUp> {
    let mut found = Vec::new();
    for hole in holes {
        for lookup in &hole.lookups {
            found.push(LookedUp {
                schema: hole.content.schema().to_owned(),
                relation: hole.content.name().to_owned(),
                column: lookup.column.clone(),
                values: u64::try_from(lookup.operands.len()).unwrap_or(u64::MAX),
            });
        }
    }
    found
}

/// Proves the lookups of a hole; gives the parameters in them.
pub(super) fn prove_lookups(
    hole: &Hole,
    terms: &dyn Terms,
    role: &str,
) -> Result<BTreeSet<i32>, Refusal> {
    let mut parameters = BTreeSet::new();
    for lookup in &hole.lookups {
        if !is_allowed(&hole.content, lookup) {
            return Err(lost());
        }
        for operand in &lookup.operands {
            let text = format!("SELECT {}", operand.text);
            let mut statements = grammar::parse(&text).map_err(|_| lost())?;
            let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
                return Err(lost());
            };
            if !is_one_constant(&statement) {
                return Err(lost());
            }
            let proof = grammar::prove(&statement, terms)
                .map_err(|found| Refusal::violation(&found, role))?;
            parameters.extend(proof.parameters);
        }
    }
    Ok(parameters)
}

fn lost() -> Refusal {
    Refusal::not_understood("a lookup that cannot be proven")
}

fn is_allowed(content: &Content, lookup: &Lookup) -> bool {
    let Content::Masked(template) = content else { return false };
    let mut columns = template.visible_columns().filter(|column| column.name == lookup.column);
    let kind = columns.next().and_then(|column| column.lookup);
    match kind {
        Some(LookupKind::Text) => true,
        Some(LookupKind::Plain) => {
            !lookup.lower && lookup.operands.iter().all(|operand| !operand.lower)
        }
        None => false,
    }
}

/// `SELECT constant`, and nothing else.
fn is_one_constant(statement: &RawStmt) -> bool {
    let Some(Node::SelectStmt(select)) =
        statement.stmt.as_ref().and_then(|node| node.node.as_ref())
    else {
        return false;
    };
    let [target] = select.target_list.as_slice() else { return false };
    let Some(Node::ResTarget(target)) = &target.node else { return false };
    let ResTarget { name, indirection, val, location: _ } = &**target;
    let mut rest = (**select).clone();
    rest.target_list.clear();
    let is_bare = rest == super::wrapped::bare();
    let value = val.as_ref().and_then(|value| value.node.as_ref());
    is_bare && name.is_empty() && indirection.is_empty() && value.is_some_and(is_constant)
}

fn is_constant(node: &Node) -> bool {
    match node {
        Node::AConst(_) | Node::ParamRef(_) => true,
        Node::TypeCast(cast) => {
            cast.arg.as_ref().and_then(|arg| arg.node.as_ref()).is_some_and(is_constant)
        }
        _ => false,
    }
}
