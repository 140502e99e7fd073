//! The database of a scan: one connection that only reads, a table at a time, each in a short transaction.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::catalog::Snapshot;
use crate::config::Config;
use crate::scan::{
    CATALOG_QUERY, Sample, SampleLimits, Table, read_catalog, read_samples, sample_queries,
    size_query,
};
use crate::upstream::{QueryError, ServerConnection, load_snapshot};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The catalog of a large database takes a while.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(60);
/// What the network may take beside the server.
const GRACE: Duration = Duration::from_secs(10);

/// One connection.
pub(super) struct Source {
    connection: ServerConnection,
    timeout: Duration,
}

/// What was seen of a table.
pub(super) struct Looked {
    pub(super) samples: Vec<Option<Sample>>,
    pub(super) rows: Option<usize>,
    pub(super) failed: Option<String>,
}

impl Looked {
    /// Nobody looked.
    pub(super) fn unseen(table: &Table) -> Looked {
        Looked { samples: vec![None; table.columns.len()], rows: None, failed: None }
    }

    fn failed(table: &Table, why: String) -> Looked {
        Looked { failed: Some(why), ..Looked::unseen(table) }
    }
}

impl Source {
    /// Logs in, with settings that keep the load small: nothing is written, nothing waits long, nothing runs in parallel.
    pub(super) async fn open(
        config: &Config,
        database: &str,
        timeout: Duration,
    ) -> Result<Source, String> {
        let timeout_ms = timeout.as_millis().to_string();
        let settings = [
            ("client_encoding", "UTF8"),
            ("application_name", "scrim scan"),
            ("default_transaction_read_only", "on"),
            ("statement_timeout", timeout_ms.as_str()),
            ("lock_timeout", "1000"),
            ("idle_in_transaction_session_timeout", "60000"),
            ("max_parallel_workers_per_gather", "0"),
            ("search_path", "pg_catalog"),
            ("datestyle", "ISO"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let connection = ServerConnection::open(&config.endpoint, database, &settings, CONNECT_TIMEOUT)
            .await
            .map_err(|error| format!("error: {error}\n  the database scanned is `{database}`; `--database NAME` scans another"))?;
        Ok(Source { connection, timeout })
    }

    /// The catalog as the rules see it, and the tables to look into.
    pub(super) async fn catalog(&mut self) -> Result<(Snapshot, Vec<Table>), String> {
        let asking = async {
            self.connection
                .query("SET statement_timeout = '60s'; SET lock_timeout = '30s'")
                .await
                .map_err(|error| error.to_string())?;
            let snapshot =
                load_snapshot(&mut self.connection).await.map_err(|error| error.to_string())?;
            let rows =
                self.connection.query(CATALOG_QUERY).await.map_err(|error| error.to_string())?;
            let back = format!(
                "SET statement_timeout = {}; SET lock_timeout = '1s'",
                self.timeout.as_millis()
            );
            self.connection.query(&back).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((snapshot, read_catalog(&rows)?))
        };
        tokio::time::timeout(CATALOG_TIMEOUT, asking)
            .await
            .map_err(|_| "error: the database takes too long to tell its catalog".to_owned())?
            .map_err(|error| format!("error: {error}"))
    }

    /// Samples of all tables, in their order. A table that fails does not end it; a connection that breaks does.
    pub(super) async fn look(
        &mut self,
        tables: &[Table],
        limits: SampleLimits,
    ) -> Result<Vec<Looked>, String> {
        let bar = progress(tables.len());
        let mut all = Vec::with_capacity(tables.len());
        for table in tables {
            bar.set_message(table.sql_name().escape_debug().to_string());
            all.push(self.look_at(table, limits).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(all)
    }

    async fn look_at(&mut self, table: &Table, limits: SampleLimits) -> Result<Looked, String> {
        if !table.columns.iter().any(|column| column.is_readable) {
            return Ok(Looked::failed(table, self.reason("42501")));
        }
        self.connection.query("BEGIN READ ONLY").await.map_err(broken)?;
        let mut table = table.clone();
        let size = self.ask(&size_query(&table)).await?;
        table.bytes = match size {
            Ok(rows) => first_number(&rows),
            Err(code) => return self.give_up(&table, &code).await,
        };
        let table = &table;
        let mut answers = Vec::new();
        for (columns, first, second) in sample_queries(table, limits) {
            let mut answer = self.ask(&first).await?;
            if let (Ok(rows), Some(second)) = (&answer, second)
                && rows.is_empty()
            {
                answer = self.ask(&second).await?;
            }
            match answer {
                Ok(rows) => answers.push((columns, rows)),
                Err(code) => return self.give_up(table, &code).await,
            }
        }
        self.connection.query("COMMIT").await.map_err(broken)?;
        let rows = answers.iter().map(|(_, rows)| rows.len()).max();
        Ok(Looked { samples: read_samples(table, answers), rows, failed: None })
    }

    async fn give_up(&mut self, table: &Table, code: &str) -> Result<Looked, String> {
        self.connection.query("ROLLBACK").await.map_err(broken)?;
        Ok(Looked::failed(table, self.reason(code)))
    }

    /// Rows, or the SQLSTATE alone: the server's message may quote a value.
    async fn ask(&mut self, sql: &str) -> Result<Result<Vec<Vec<Option<String>>>, String>, String> {
        let limit = self.timeout.saturating_add(GRACE);
        match tokio::time::timeout(limit, self.connection.query(sql)).await {
            Err(_) => {
                Err("error: the database does not answer, nor does it end the statement".into())
            }
            Ok(Ok(rows)) => Ok(Ok(rows)),
            Ok(Err(QueryError::Server { code, .. })) => Ok(Err(code)),
            Ok(Err(error @ QueryError::Broken(_))) => Err(broken(error)),
        }
    }

    fn reason(&self, code: &str) -> String {
        match code {
            "42501" => "the service account may not read it (42501)".into(),
            "57014" => format!("it took more than {} s (57014)", self.timeout.as_secs()),
            "55P03" => "somebody has locked it (55P03)".into(),
            "42P01" | "42703" => format!("it has changed meanwhile ({code})"),
            code => format!("the database answered {code}"),
        }
    }
}

fn first_number(rows: &[Vec<Option<String>>]) -> u64 {
    let value = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    value.and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// What a broken connection says holds nothing of a row: it is of the protocol, or of the end of a session.
fn broken(error: QueryError) -> String {
    match error {
        QueryError::Server { code, .. } => format!("error: the database answered {code}"),
        QueryError::Broken(_) => {
            "error: the connection to the database broke; nothing was written".into()
        }
    }
}

/// On a terminal; nothing elsewhere.
fn progress(tables: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(tables).unwrap_or(u64::MAX));
    match ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
