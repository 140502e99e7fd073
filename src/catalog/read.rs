//! From rows of text to a [`Snapshot`].

use super::snapshot::Snapshot;

/// The queries to run, in order, on a connection of the service account. Each sets nothing and needs no rights
/// beyond reading `pg_catalog`. They are written so that they mean the same under any search_path.
pub const QUERIES: &[&str] = &[];

/// A row did not have the shape that its query promises.
#[derive(Debug, thiserror::Error)]
#[error("catalog query {query} returned something unexpected: {what}")]
pub struct CatalogError {
    /// Index into [`QUERIES`].
    pub query: usize,
    /// What was wrong; holds no data.
    pub what: String,
}

/// Builds a snapshot of the answers to [`QUERIES`]: one list of rows a query, values in text form.
pub fn read_snapshot(_answers: &[Vec<Vec<Option<String>>>]) -> Result<Snapshot, CatalogError> {
    todo!()
}
