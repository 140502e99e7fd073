//! The trusted walker.
//!
//! Rules of the house: every struct is taken apart with all its fields, so a field that nobody looks at does not
//! compile; every node kind that is not named is refused. Recursion is bounded because libpg_query gives no tree
//! deeper than prost decodes (100 levels of messages).

mod expression;
mod from;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

/// What a text may mention. The answers decide; [`super::prove`] makes sure that every mention is asked about.
pub trait Terms {
    /// May a relation that is no CTE in scope stand in FROM? `catalog` is set for three-part names.
    /// Common table expressions are the walker's own business and are never asked about.
    fn may_read(
        &self,
        catalog: Option<&str>,
        schema: Option<&str>,
        name: &str,
    ) -> Result<(), Violation>;
    /// May a function, aggregate or window function be called? The whole call is handed over since some may be
    /// called only with constant arguments.
    fn may_call(
        &self,
        schema: Option<&str>,
        name: &str,
        call: &protobuf::FuncCall,
    ) -> Result<(), Violation>;
    /// May an operator be used? `schema` is set for `OPERATOR(schema.op)`.
    fn may_operate(&self, schema: Option<&str>, operator: &str) -> Result<(), Violation>;
    /// May a type be named (casts, column definitions of functions in FROM, JSON RETURNING, …)?
    fn may_cast(&self, schema: Option<&str>, name: &str) -> Result<(), Violation>;
    /// May `(expression).name` be written? It is a field, or a call of any function with one argument.
    fn may_select_field(&self, name: &str) -> Result<(), Violation>;
    /// May `alias.name` (or longer) be written? It is a column, or a call of a function over a row.
    fn may_select_column(&self, name: &str) -> Result<(), Violation>;
    /// May a collation be named?
    fn may_collate(&self, schema: Option<&str>, name: &str) -> Result<(), Violation>;
}

/// What stands in a text that must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A node kind outside the allow-list; PostgreSQL's name of the node.
    #[error("`{0}` is not something that can be proven safe")]
    Node(&'static str),
    /// A relation.
    #[error("relation `{0}`")]
    Relation(String),
    /// A function.
    #[error("function `{0}`")]
    Function(String),
    /// A function whose arguments must be constants here: name, what is needed.
    #[error("function `{0}` {1}")]
    Arguments(String, &'static str),
    /// An operator.
    #[error("operator `{0}`")]
    Operator(String),
    /// A type.
    #[error("type `{0}`")]
    Type(String),
    /// `(x).name` where `name` is a function.
    #[error("field `{0}`")]
    Field(String),
    /// A collation.
    #[error("collation `{0}`")]
    Collation(String),
}

/// What was found in a text all of which is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Relations in FROM that are no CTE, in the order of their position.
    pub relations: Vec<RelationUse>,
    /// `$n` that occur.
    pub parameters: BTreeSet<i32>,
    /// Functions that are called, as written: `lower`, `pg_catalog.lower`.
    pub functions: BTreeSet<String>,
    /// Columns that are mentioned, with the qualifier in front if there is one (`None` for a bare name); a
    /// star is the name `*`.
    pub columns: BTreeSet<ColumnUse>,
}

/// A relation in FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationUse {
    /// Byte offset of the name in the text that was parsed.
    pub location: usize,
    /// Schema, as parsed.
    pub schema: Option<String>,
    /// Name, as parsed.
    pub name: String,
    /// Alias, if one was given.
    pub alias: Option<String>,
}

/// A mention of a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnUse {
    /// The last qualifier: `c` in `c.email`.
    pub qualifier: Option<String>,
    /// The name, or `*`.
    pub name: String,
}

/// Proves one SELECT (or VALUES) statement.
pub fn prove(statement: &protobuf::RawStmt, terms: &dyn Terms) -> Result<Proof, Violation> {
    let protobuf::RawStmt { stmt, stmt_location: _, stmt_len: _ } = statement;
    let mut walker = Walker::new(terms, SubSelects::Allowed);
    match stmt.as_deref().and_then(|node| node.node.as_ref()) {
        Some(Node::SelectStmt(select)) => walker.select(select)?,
        Some(other) => return Err(Violation::Node(kind(other))),
        None => return Err(Violation::Node("nothing")),
    }
    Ok(walker.proof)
}

/// Proves one expression with no sub-select in it: `SELECT <expression>` as parsed, nothing else beside it.
pub fn prove_expression(
    statement: &protobuf::RawStmt,
    terms: &dyn Terms,
) -> Result<Proof, Violation> {
    let expression =
        only_expression(statement).ok_or(Violation::Node("more than an expression"))?;
    let mut walker = Walker::new(terms, SubSelects::Refused);
    walker.expression(expression)?;
    Ok(walker.proof)
}

/// The expression of a `SELECT <expression>` that has nothing else in it.
fn only_expression(statement: &protobuf::RawStmt) -> Option<&protobuf::Node> {
    let Some(Node::SelectStmt(select)) = &statement.stmt.as_deref()?.node else { return None };
    let [target] = select.target_list.as_slice() else { return None };
    let Some(Node::ResTarget(target)) = &target.node else { return None };
    // All that is not the expression must be what it is in the barest SELECT.
    let mut bare = (**select).clone();
    bare.target_list.clear();
    let is_bare = bare
        == protobuf::SelectStmt {
            limit_option: bare.limit_option,
            op: protobuf::SetOperation::SetopNone.into(),
            ..protobuf::SelectStmt::default()
        };
    let has_name = !target.name.is_empty() || !target.indirection.is_empty();
    if is_bare && !has_name { target.val.as_deref() } else { None }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SubSelects {
    Allowed,
    Refused,
}

struct Walker<'a> {
    terms: &'a dyn Terms,
    sub_selects: SubSelects,
    /// Names of common table expressions in scope, the innermost last.
    ctes: Vec<String>,
    proof: Proof,
}

type Done = Result<(), Violation>;

impl<'a> Walker<'a> {
    fn new(terms: &'a dyn Terms, sub_selects: SubSelects) -> Self {
        Walker { terms, sub_selects, ctes: Vec::new(), proof: Proof::default() }
    }
}

/// A node's name, for a violation. Debug of a prost enum begins with its variant.
fn kind(node: &Node) -> &'static str {
    match node {
        Node::InsertStmt(_) => "InsertStmt",
        Node::UpdateStmt(_) => "UpdateStmt",
        Node::DeleteStmt(_) => "DeleteStmt",
        Node::MergeStmt(_) => "MergeStmt",
        Node::SelectStmt(_) => "SelectStmt",
        Node::SubLink(_) => "SubLink",
        Node::CurrentOfExpr(_) => "CurrentOfExpr",
        Node::SetToDefault(_) => "SetToDefault",
        Node::JsonFuncExpr(_) => "JsonFuncExpr",
        Node::JsonTable(_) => "JsonTable",
        Node::JsonParseExpr(_) => "JsonParseExpr",
        Node::JsonScalarExpr(_) => "JsonScalarExpr",
        Node::JsonSerializeExpr(_) => "JsonSerializeExpr",
        Node::MergeSupportFunc(_) => "MergeSupportFunc",
        Node::RangeVar(_) => "RangeVar",
        Node::CopyStmt(_) => "CopyStmt",
        _ => "a node that is not on the list",
    }
}

/// The strings of a qualified name.
fn strings(nodes: &[protobuf::Node]) -> Result<Vec<&str>, Violation> {
    nodes
        .iter()
        .map(|node| match &node.node {
            Some(Node::String(text)) => Ok(text.sval.as_str()),
            _ => Err(Violation::Node("a name that is not a string")),
        })
        .collect()
}

/// Splits a qualified name; three-part names of functions, types and operators are refused.
fn split<'n>(names: &[&'n str]) -> Result<(Option<&'n str>, &'n str), Violation> {
    match names {
        [name] => Ok((None, name)),
        [schema, name] => Ok((Some(schema), name)),
        _ => Err(Violation::Node("a name of more than two parts")),
    }
}
