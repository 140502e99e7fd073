//! Fetches what `catalog` needs.

use super::connect::ServerConnection;
use crate::catalog::Snapshot;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The query failed.
    #[error(transparent)]
    Query(#[from] super::query::QueryError),
    /// The answer was not understood.
    #[error(transparent)]
    Catalog(#[from] crate::catalog::CatalogError),
}

/// Runs `catalog::QUERIES` and reads the answers.
pub async fn load_snapshot(_connection: &mut ServerConnection) -> Result<Snapshot, LoadError> {
    todo!()
}
