//! The trusted walker.
//!
//! It visits every node of a SELECT's raw tree, asks [`Terms`] about every mention (relation, function, operator,
//! type, collation, field), and refuses every node it does not know. Structs are taken apart with full patterns:
//! a field that a later grammar adds breaks the build here.
//!
//! INVARIANT: what [`prove`] accepts mentions nothing that [`Terms`] were not asked about, and every relation in
//! it that is no common table expression in scope stands in [`Proof::relations`]. What PostgreSQL calls without
//! a name being written (`=` in IN, CASE, USING and DISTINCT FROM, `>=` in BETWEEN) is asked by its name.
//!
//! Not asked, since PostgreSQL finds it by type and never by name: the default operator classes behind ORDER BY,
//! GROUP BY, DISTINCT and set operations, the casts between types, and what subscripts mean. They are the
//! business of whoever allows types.
//!
//! The recursion is as deep as the tree, and no tree out of [`super::parse`] is deeper than 100 protobuf
//! messages (prost's limit), which are about 50 nodes, or 92 arms of UNION. The deepest took 384 KiB of stack in a
//! build without optimisation; a worker of tokio has 2 MiB. Trees made otherwise are no concern of this room.

mod ask;
mod assign;
mod expression;
mod from;
mod json;
mod naming;
mod node_name;
mod query;
mod scope;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use naming::Use;
pub use naming::{
    KEEPING_FUNCTIONS, NAMING_FUNCTIONS, Naming, UNITING_FUNCTIONS, is_naming_type, names_objects,
};
pub use scope::{Scope, ScopeItem, Source};
pub use write::{Assignment, Reference, Row, Standing, Wrap, Write, WriteKind};

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
    ///
    /// The SQL/JSON expressions of PostgreSQL 16 and 17 (`json_value(…)`, `json_scalar(…)`) are asked about too,
    /// as calls without arguments: an older server reads them as calls of a function of that name.
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
    /// May `(expression).name` be written? It is a field, a call of any function with one argument, or a cast of what is no
    /// row. `alias.name` of a function in FROM is asked about here too, where nobody has given it such a column.
    fn may_select_field(&self, name: &str) -> Result<(), Violation>;
    /// May `alias.name` (or longer) be written? It is a column, or a call of a function over a row.
    fn may_select_column(&self, name: &str) -> Result<(), Violation>;
    /// May a collation be named?
    fn may_collate(&self, schema: Option<&str>, name: &str) -> Result<(), Violation>;
    /// May `current_user` or one of its like be said? To the database it is the login, whoever asks.
    fn may_name_login(&self, word: &'static str) -> Result<(), Violation> {
        Err(Violation::Login(word))
    }
    /// May a relation be written? Only [`prove_statement`] asks.
    fn may_write(
        &self,
        _catalog: Option<&str>,
        _schema: Option<&str>,
        name: &str,
    ) -> Result<(), Violation> {
        Err(Violation::Relation(name.to_owned()))
    }
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
    /// A type that does not exist, as far as may be said.
    #[error("type \"{0}\" does not exist")]
    NoSuchType(String),
    /// `(x).name` where `name` is a function.
    #[error("field `{0}`")]
    Field(String),
    /// A collation.
    #[error("collation `{0}`")]
    Collation(String),
    /// `current_user` and its like.
    #[error("`{0}`, which is the login at the database and nobody in particular,")]
    Login(&'static str),
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
    /// star is the name `*`. What means more columns than it names counts as a star: NATURAL JOIN as one without
    /// qualifier, a join that has an alias too, a relation whose columns get other names (`customers AS c(a, b)`) as
    /// one with its alias.
    pub columns: BTreeSet<ColumnUse>,
    /// Names that are given to something: to columns of a select list, to what is in FROM and its columns, to common
    /// table expressions and theirs.
    pub labels: BTreeSet<String>,
    /// Relations that are written. This and what follows is found by [`prove_statement`] only.
    pub writes: Vec<Write>,
    /// Column references, once for each place.
    pub references: Vec<Reference>,
    /// FROM clauses, as far as their columns are known.
    pub scopes: Vec<Scope>,
    /// What stands for something around an expression.
    pub wraps: Vec<Wrap>,
    /// Calls by a bare name: byte offset and name.
    pub calls: Vec<(usize, String)>,
    /// What is done with values that name relations and types.
    pub naming: Naming,
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
    let mut walker = Walker::new(terms, Extent::Query);
    walker.output = Use::Shown;
    walker.select(select_of(statement)?)?;
    walker.ask_columns_of_functions()?;
    walker.proof.relations.sort_by_key(|relation| relation.location);
    Ok(walker.proof)
}

/// Proves one statement that may write: INSERT, UPDATE, DELETE, MERGE, or a SELECT with one of them in its WITH.
pub fn prove_statement(
    statement: &protobuf::RawStmt,
    terms: &dyn Terms,
) -> Result<Proof, Violation> {
    let protobuf::RawStmt { stmt, stmt_location: _, stmt_len: _ } = statement;
    let mut walker = Walker::new(terms, Extent::Statement);
    walker.statement(stmt.as_ref().and_then(|node| node.node.as_ref()))?;
    walker.ask_columns_of_functions()?;
    walker.proof.relations.sort_by_key(|relation| relation.location);
    Ok(walker.proof)
}

/// Proves one expression over one row: `SELECT <expression>` as parsed, nothing else beside it. No sub-select,
/// no star, no parameter, and no function of PostgreSQL's that counts, windows or multiplies rows stands in it.
pub fn prove_expression(
    statement: &protobuf::RawStmt,
    terms: &dyn Terms,
) -> Result<Proof, Violation> {
    let mut walker = Walker::new(terms, Extent::Expression);
    walker.only_expression(select_of(statement)?)?;
    Ok(walker.proof)
}

fn select_of(statement: &protobuf::RawStmt) -> Result<&protobuf::SelectStmt, Violation> {
    let protobuf::RawStmt { stmt, stmt_location: _, stmt_len: _ } = statement;
    match stmt.as_ref().and_then(|node| node.node.as_ref()) {
        Some(Node::SelectStmt(select)) => Ok(select),
        Some(other) => Err(Violation::Node(node_name::node_name(other))),
        None => Err(Violation::Node("RawStmt")),
    }
}

/// What is being proven.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// A whole query.
    Query,
    /// A whole statement, which may write.
    Statement,
    /// One expression over one row.
    Expression,
}

type Proven = Result<(), Violation>;

/// `'t` is the tree.
struct Walker<'t, 'a> {
    terms: &'a dyn Terms,
    extent: Extent,
    proof: Proof,
    /// Names of the common table expressions in scope, inner ones last. Which of several of the same name is
    /// meant does not matter here: none of them is a relation.
    ctes: Vec<&'t str>,
    /// The row that an expression could name.
    row: Option<Row>,
    /// Functions in FROM.
    functions: Vec<from::Called<'t>>,
    /// The innermost FROM clause.
    scope: Option<usize>,
    cte_columns: scope::CteColumns<'t>,
    /// Places of names of output columns.
    keys: BTreeSet<i32>,
    /// Places of references that stand where a star is more than one value, or something is taken of a row.
    standing: BTreeMap<i32, Standing>,
    /// What becomes of the value of the next expression.
    used: Use,
    /// What becomes of the columns of the next query.
    output: Use,
}

impl<'a> Walker<'_, 'a> {
    fn new(terms: &'a dyn Terms, extent: Extent) -> Self {
        Walker {
            terms,
            extent,
            proof: Proof::default(),
            ctes: Vec::new(),
            row: None,
            functions: Vec::new(),
            scope: None,
            cte_columns: scope::CteColumns::default(),
            keys: BTreeSet::new(),
            standing: BTreeMap::new(),
            used: Use::default(),
            output: Use::default(),
        }
    }
}

#[cfg(test)]
mod tests;
