//! What the console itself asks the database, as the service login and on connections of its own: the keys of rows that a grant is
//! to open, and what the catalog says beyond the snapshot. What people ask in the playground goes through a session of Scrim.
//!
//! INVARIANT: what the server says of an error is not repeated: it may quote data.

use std::time::Duration;

use super::Console;
use crate::catalog::Made;
use crate::upstream::{ServerConnection, load_made, rows_read_only};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The condition of a request is one for a few rows.
const KEYS_TIMEOUT: Duration = Duration::from_secs(15);
/// Two queries over the catalog.
const MADE_TIMEOUT: Duration = Duration::from_secs(10);

impl Console {
    /// Rows of a question for keys; `None`: it has no answer in time.
    pub(super) async fn keys(&self, query: &str) -> Option<Vec<Vec<Option<String>>>> {
        let mut connection = self.connection().await?;
        rows_read_only(&mut connection, query, KEYS_TIMEOUT).await.ok()?
    }

    /// Of what generated columns and indexes are made; `None`: the database does not say, or too many ask.
    pub(super) async fn made_of_columns(&self) -> Option<Made> {
        let Ok(_turn) = self.asking.try_acquire() else { return None };
        let mut connection = self.connection().await?;
        tokio::time::timeout(MADE_TIMEOUT, load_made(&mut connection)).await.ok()?.ok()
    }

    async fn connection(&self) -> Option<ServerConnection> {
        let parameters = [
            ("client_encoding".to_owned(), "UTF8".to_owned()),
            ("application_name".to_owned(), "scrim console".to_owned()),
        ];
        let opening =
            ServerConnection::open(&self.endpoint, &self.database, &parameters, CONNECT_TIMEOUT);
        opening.await.ok()
    }
}
