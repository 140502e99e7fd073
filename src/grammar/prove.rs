//! The trusted walker.

use std::collections::BTreeSet;

use pg_query::protobuf;

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
pub fn prove(_statement: &protobuf::RawStmt, _terms: &dyn Terms) -> Result<Proof, Violation> {
    todo!()
}

/// Proves one expression with no sub-select in it: `SELECT <expression>` as parsed, nothing else beside it.
pub fn prove_expression(
    _statement: &protobuf::RawStmt,
    _terms: &dyn Terms,
) -> Result<Proof, Violation> {
    todo!()
}
