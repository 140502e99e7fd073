//! What `check`, `explain` and `diff` ask the database.

use std::path::Path;
use std::time::Duration;

use crate::catalog::{Made, Snapshot};
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::rules::RuleSet;
use crate::upstream::{ServerConnection, load_made, load_snapshot, rows_read_only};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A question over data that takes longer is no question for a few rows.
const DATA_TIMEOUT: Duration = Duration::from_secs(20);

const TOO_LONG: &str = "error: the database takes too long to tell its catalog";

/// The configuration, its rules and the catalog of one database, or what is wrong, ready to be shown.
pub(super) async fn config_rules_and_snapshot(
    config: &Path,
    database: Option<&str>,
) -> Result<(Config, RuleSet, Snapshot), String> {
    let config = Config::load(config, &ProcessEnvironment).map_err(|found| found.0)?;
    let (rules, _) = load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
    let snapshot = snapshot(&config, database).await?;
    Ok((config, rules, snapshot))
}

/// The catalog of one database.
pub(super) async fn snapshot(config: &Config, database: Option<&str>) -> Result<Snapshot, String> {
    let mut connection = connect(config, database).await?;
    read(&mut connection).await
}

/// The same, and of what generated columns and indexes are made.
pub(super) async fn snapshot_and_made(
    config: &Config,
    database: Option<&str>,
) -> Result<(Snapshot, Made), String> {
    let mut connection = connect(config, database).await?;
    let snapshot = read(&mut connection).await?;
    let made = tokio::time::timeout(CONNECT_TIMEOUT, load_made(&mut connection)).await;
    let made = made.map_err(|_| TOO_LONG.to_owned())?.map_err(|error| format!("error: {error}"))?;
    Ok((snapshot, made))
}

/// Rows of a question over data, by a transaction that can only read. What the server says to it may quote data, and is
/// not repeated.
pub(super) async fn rows_of(
    connection: &mut ServerConnection,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, String> {
    let failed = || "error: the condition cannot be computed for every row".to_owned();
    let rows = rows_read_only(connection, query, DATA_TIMEOUT).await;
    rows.map_err(|_| failed())?.ok_or_else(failed)
}

pub(super) async fn connect(
    config: &Config,
    database: Option<&str>,
) -> Result<ServerConnection, String> {
    let database = database.unwrap_or(&config.database);
    let parameters = [("client_encoding".to_owned(), "UTF8".to_owned())];
    ServerConnection::open(&config.endpoint, database, &parameters, CONNECT_TIMEOUT).await.map_err(
        |error| {
            format!(
                "error: {error}\n  the database looked at is `{database}`; `--database NAME` \
                 looks at another, `check --offline` at none"
            )
        },
    )
}

pub(super) async fn read(connection: &mut ServerConnection) -> Result<Snapshot, String> {
    tokio::time::timeout(CONNECT_TIMEOUT, load_snapshot(connection))
        .await
        .map_err(|_| TOO_LONG.to_owned())?
        .map_err(|error| format!("error: {error}"))
}
