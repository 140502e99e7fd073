//! Fetches what `catalog` needs.
//!
//! No transaction of its own: whoever needs one picture of the catalog opens a transaction before.

use super::connect::ServerConnection;
use crate::catalog::{MADE_QUERIES, Made, QUERIES, Snapshot, read_made, read_snapshot};

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

/// Runs `catalog::MADE_QUERIES` and reads the answers.
///
/// # Errors
/// The server's.
pub async fn load_made(connection: &mut ServerConnection) -> Result<Made, LoadError> {
    if let Some(pins) = QUERIES.first() {
        connection.query(pins).await?;
    }
    let [columns, indexes] = MADE_QUERIES;
    let columns = connection.query(columns).await?;
    let indexes = connection.query(indexes).await?;
    Ok(read_made(&[columns, indexes]))
}
