//! What `check` and `explain` ask the database.

use std::path::Path;
use std::time::Duration;

use crate::catalog::Snapshot;
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::rules::RuleSet;
use crate::upstream::{ServerConnection, load_snapshot};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The rules and the catalog of one database, or what is wrong, ready to be shown.
pub(super) async fn rules_and_snapshot(
    config: &Path,
    database: Option<&str>,
) -> Result<(RuleSet, Snapshot), String> {
    let config = Config::load(config, &ProcessEnvironment).map_err(|found| found.0)?;
    let (rules, _) = load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
    let snapshot = snapshot(&config, database).await?;
    Ok((rules, snapshot))
}

/// The catalog of one database.
pub(super) async fn snapshot(config: &Config, database: Option<&str>) -> Result<Snapshot, String> {
    let database = database.unwrap_or(&config.database);
    let parameters = [("client_encoding".to_owned(), "UTF8".to_owned())];
    let mut connection =
        ServerConnection::open(&config.endpoint, database, &parameters, CONNECT_TIMEOUT)
            .await
            .map_err(|error| {
                format!(
                    "error: {error}\n  the database looked at is `{database}`; `--database NAME` \
                     looks at another, `check --offline` at none"
                )
            })?;
    tokio::time::timeout(CONNECT_TIMEOUT, load_snapshot(&mut connection))
        .await
        .map_err(|_| "error: the database takes too long to tell its catalog".to_owned())?
        .map_err(|error| format!("error: {error}"))
}
