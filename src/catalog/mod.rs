//! A snapshot of the database's catalog: relations, columns, keys, inheritance, and the names of functions,
//! operators and types that are not PostgreSQL's own.
//!
//! Pure: a [`Snapshot`] is built from rows that somebody else fetched with [`QUERIES`], and answers questions
//! about names. It decides nothing.

mod made;
mod read;
mod resolve;
mod snapshot;
mod type_family;

pub use made::{IndexOf, MADE_QUERIES, Made, MadeOf, read_made};
pub use read::{CatalogError, QUERIES, read_snapshot};
pub use resolve::{SearchPath, TempTables};
pub use snapshot::{
    Column, FunctionName, KNOWN_VERSIONS, Relation, RelationKind, RelationOid, Snapshot, UserType,
    UserTypeKind, ViewDefinition,
};
pub use type_family::TypeFamily;
