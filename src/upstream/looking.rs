//! A question over data that can change nothing.

use std::time::Duration;

use super::{QueryError, ServerConnection};

/// Rows of a question, by a transaction that can only read and takes no longer than this. `None`: it took longer.
///
/// # Errors
/// The server says no. What it says may quote data.
pub async fn rows_read_only(
    connection: &mut ServerConnection,
    query: &str,
    longest: Duration,
) -> Result<Option<Vec<Vec<Option<String>>>>, QueryError> {
    let asking = async {
        connection.query("BEGIN READ ONLY").await?;
        connection.query(&format!("SET LOCAL statement_timeout = {}", longest.as_millis())).await?;
        let rows = connection.query(query).await?;
        connection.query("ROLLBACK").await?;
        Ok(rows)
    };
    // The server's own clock stops the statement; ours a server that does not answer.
    match tokio::time::timeout(longest.saturating_mul(2), asking).await {
        Ok(rows) => rows.map(Some),
        Err(_) => Ok(None),
    }
}
