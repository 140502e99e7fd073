//! Fetches what `catalog` needs.
//!
//! No transaction of its own: whoever needs one picture of the catalog opens a transaction before.

use super::connect::ServerConnection;
use crate::catalog::{QUERIES, Snapshot, read_snapshot};

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
pub async fn load_snapshot(connection: &mut ServerConnection) -> Result<Snapshot, LoadError> {
    let mut answers = Vec::new();
    for sql in QUERIES {
        answers.push(connection.query(sql).await?);
    }
    Ok(read_snapshot(&answers)?)
}
