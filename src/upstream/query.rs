//! Queries of our own, over the simple protocol: the catalog, probes.

use super::connect::ServerConnection;

/// A query of our own failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The server said no.
    #[error("the database refused a query of Scrim: {code} {message}")]
    Server {
        /// SQLSTATE.
        code: String,
        /// Message.
        message: String,
    },
    /// The connection is gone.
    #[error("the connection to the database broke: {0}")]
    Broken(String),
}

impl ServerConnection {
    /// Runs one statement and gives its rows in text form.
    pub async fn query(&mut self, _sql: &str) -> Result<Vec<Vec<Option<String>>>, QueryError> {
        todo!()
    }
}
