//! A table of a PostgreSQL as a sink: a row a line, in the order of the trail, many at once.
//!
//! INVARIANT: a line that counts as taken is committed there. One that may have been, since nothing was heard of it, is sent
//! again, and is there once: a row is known by the Scrim, the number and the hash of its line. Two lines of one number, as
//! there are where somebody has put back an older file, are two rows, and an auditor sees both.
//!
//! The writer is a thread and the connection is async: the thread drives it, while it waits for an answer and at no other
//! time. So a connection that has ended meanwhile is noticed when it is used, and another one is tried at once.
//!
//! Values are parameters. The search_path is pinned and names are written out, so nobody else's functions are found.

mod catching_up;
mod fault;
mod making;
mod row;

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::upstream::{Endpoint, QueryError, ServerConnection};

pub use fault::TableFault;
use fault::Why;
pub use making::table_by_hand;
use making::{KEY, explained, full_name};
use row::{COLUMNS, Rows};

/// How long a login may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer may take. Meanwhile the queue fills, and then statements are refused.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows of one statement, and the bytes of their lines; a longer line goes alone.
const ROWS_MAX: usize = 512;
const BYTES_MAX: usize = 1 << 20;

/// Whatever the account or the database has set, what is done is done so.
const SETTINGS: [(&str, &str); 12] = [
    ("application_name", "scrim audit"),
    ("client_encoding", "UTF8"),
    ("search_path", "pg_catalog, pg_temp"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    // What counts as taken is there though the server falls over.
    ("synchronous_commit", "on"),
    ("lock_timeout", "2s"),
    ("statement_timeout", "4s"),
    ("client_min_messages", "error"),
    // Rows of a connection that is gone and not closed would keep the same ones of the next from being added.
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// A table of a PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlace {
    /// The server, and the account.
    pub endpoint: Endpoint,
    /// The database.
    pub database: String,
    /// The schema of the table.
    pub schema: String,
    /// The table.
    pub table: String,
    /// As what this Scrim's lines are known there.
    pub scrim: String,
}

impl TablePlace {
    /// `schema.table`
    fn named(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    fn fault(&self, why: Why) -> TableFault {
        let place = format!("{}, database `{}`", self.endpoint.hosts, self.database);
        TableFault { place, why: explained(why, self) }
    }
}

/// Makes the table, by the account of the place.
///
/// # Errors
/// It may not, or the table is there.
pub async fn make_table(place: &TablePlace) -> Result<(), TableFault> {
    let making = async {
        Connected::open(place).await?.make(place).await?;
        Connected::open(place).await?.judge(place).await
    };
    making.await.map_err(|why| place.fault(why))
}

/// Whether the table is there and can be written.
///
/// # Errors
/// It is not, or cannot.
pub async fn check_table(place: &TablePlace) -> Result<(), TableFault> {
    let checking = async { Connected::open(place).await?.judge(place).await };
    checking.await.map_err(|why| place.fault(why))
}

/// A connection to a server that may have the table.
struct Connected {
    connection: ServerConnection,
}

/// Number and hash of rows that were added last: of one number, of which there may be several.
type Last = Vec<(u64, String)>;

impl Connected {
    async fn open(place: &TablePlace) -> Result<Connected, Why> {
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let connection =
            ServerConnection::open(&place.endpoint, &place.database, &settings, CONNECT_TIMEOUT);
        Ok(Connected { connection: connection.await? })
    }

    async fn ask(
        &mut self,
        text: &str,
        values: &[Option<&str>],
    ) -> Result<Vec<Vec<Option<String>>>, Why> {
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.connection.query_with(text, values));
        Ok(asked.await.map_err(|_| Why::Slow)??)
    }

    /// Several statements in a text, without values.
    async fn run(&mut self, text: &str) -> Result<(), Why> {
        let asked = tokio::time::timeout(ANSWER_TIMEOUT, self.connection.query(text));
        asked.await.map_err(|_| Why::Slow)??;
        Ok(())
    }

    /// Adds the rows of these lines, all of them or none; one that is there stays as it is.
    async fn add<'l>(
        &mut self,
        place: &TablePlace,
        lines: impl IntoIterator<Item = &'l [u8]>,
    ) -> Result<(), Why> {
        let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
        let arrays = COLUMNS.iter().zip(2..).map(|((_, of), number)| format!("${number}::{of}[]"));
        let text = format!(
            "INSERT INTO {} (scrim, {}) SELECT $1::text, * FROM unnest({}) ON CONFLICT ({KEY}) DO NOTHING",
            full_name(place),
            names.join(", "),
            arrays.collect::<Vec<_>>().join(", ")
        );
        let rows = Rows::of(lines);
        let values: Vec<Option<&str>> =
            std::iter::once(place.scrim.as_str()).chain(rows.arrays()).map(Some).collect();
        self.ask(&text, &values).await.map(drop)
    }

    /// The rows of the highest number that this Scrim has added.
    async fn last(&mut self, place: &TablePlace) -> Result<Last, Why> {
        let table = full_name(place);
        let text = format!(
            "SELECT sequence, hash FROM {table} WHERE scrim = $1 AND sequence = \
             (SELECT max(sequence) FROM {table} WHERE scrim = $1)"
        );
        let rows = self.ask(&text, &[Some(&place.scrim)]).await?;
        let last = rows.into_iter().filter_map(|row| match <[_; 2]>::try_from(row) {
            Ok([Some(sequence), Some(hash)]) => Some((sequence.parse().ok()?, hash)),
            Ok(_) | Err(_) => None,
        });
        Ok(last.collect())
    }
}

/// The table, open. Made, used and dropped where no other runtime is.
pub(super) struct Table {
    runtime: Runtime,
    place: TablePlace,
    /// `None` after a failure.
    connected: Option<Connected>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Table {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be reached, is not there, or may not be used.
    pub(super) fn open(place: &TablePlace) -> io::Result<Table> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut table = Table { runtime, place: place.clone(), connected: None };
        table.add(&[])?;
        Ok(table)
    }

    /// Adds the rows of the first ones of these lines, which are without their ends, and gives of how many.
    ///
    /// # Errors
    /// They are not there, or that is not known.
    pub(super) fn give(&mut self, lines: &[&[u8]]) -> io::Result<usize> {
        let mut bytes = 0_usize;
        let fit = lines.iter().take(ROWS_MAX).take_while(|line| {
            bytes = bytes.saturating_add(line.len());
            bytes <= BYTES_MAX
        });
        let count = fit.count().max(1);
        let (first, _) = lines.split_at_checked(count).unwrap_or((lines, &[]));
        self.add(first)?;
        Ok(first.len())
    }

    fn add(&mut self, lines: &[&[u8]]) -> io::Result<()> {
        self.with(async |connected, place| connected.add(place, lines.iter().copied()).await)
    }

    /// The rows of the highest number that this Scrim has added.
    fn last(&mut self) -> io::Result<Last> {
        self.with(async |connected, place| connected.last(place).await)
    }

    /// Does it over the connection that there is, or else over a new one, to a table that was looked at.
    fn with<T>(
        &mut self,
        mut doing: impl AsyncFnMut(&mut Connected, &TablePlace) -> Result<T, Why>,
    ) -> io::Result<T> {
        let place = &self.place;
        let kept = self.connected.take();
        let done = self.runtime.block_on(async {
            if let Some(mut connected) = kept {
                match doing(&mut connected, place).await {
                    Ok(done) => return Ok((done, connected)),
                    // It may have ended long ago.
                    Err(Why::Query(QueryError::Broken(_))) => {}
                    Err(why) => return Err(why),
                }
            }
            let mut connected = Connected::open(place).await?;
            connected.judge(place).await?;
            let done = doing(&mut connected, place).await?;
            Ok((done, connected))
        });
        let (done, connected) =
            done.map_err(|why| io::Error::other(place.fault(why).to_string()))?;
        self.connected = Some(connected);
        Ok(done)
    }
}
