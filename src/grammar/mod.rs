//! PostgreSQL's own grammar (libpg_query): parse, print, and prove.
//!
//! [`prove`] is the trusted walker of the house: it looks at a tree that PostgreSQL's grammar built and shows
//! that nothing stands in it that [`Terms`] do not allow. Everything else may be wrong; this must not be. So it
//! is an allow-list in every respect: a node kind it does not name is refused, a field it does not look at does
//! not compile (structs are taken apart without `..`).
//! This room knows no roles, no rules and no sqlparser.

mod children;
mod constant;
pub mod functions;
mod identifier;
mod parse;
mod prove;
mod same_tokens;
mod same_tree;
mod scans;
mod shape;
mod tokens;

pub use children::children;
pub use constant::{constant_text, is_text_literal};
pub use identifier::quote_identifier;
pub use parse::{
    LENGTH_BYTES_MAX, SyntaxError, SyntaxFault, canonical, deparse, parse, pretty, printed,
};
pub use prove::{
    Assignment, ColumnUse, KEEPING_FUNCTIONS, NAMING_FUNCTIONS, Naming, Proof, Reference,
    RelationUse, Row, Scope, ScopeItem, Source, Standing, Terms, UNITING_FUNCTIONS, Violation,
    Wrap, Write, WriteKind, is_naming_type, names_objects, prove, prove_expression,
    prove_statement,
};

/// The schema in which names stand for what is put into a statement later. No catalog has it.
pub const RESERVED_SCHEMA: &str = "scrim$";
pub use same_tokens::are_same_tokens;
pub use same_tree::{is_same_but_pinned, is_same_text};
pub use scans::Scans;
pub use shape::{fingerprint, shape};
pub use tokens::tokens;
