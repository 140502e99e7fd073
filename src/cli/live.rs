//! What `check`, `explain` and `diff` ask the database.

use std::path::Path;
use std::time::Duration;

use crate::catalog::{RelationOid, Snapshot};
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::policy::{IndexOf, Made};
use crate::rules::RuleSet;
use crate::upstream::{ServerConnection, load_snapshot, rows_read_only};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A question over data that takes longer is no question for a few rows.
const DATA_TIMEOUT: Duration = Duration::from_secs(20);

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

/// Generated columns with the columns of the same relation that they are made of. Until PostgreSQL 14 the column itself
/// depends on those, later its expression does.
const GENERATED: &str = "SELECT a.attrelid, a.attnum, d.refobjsubid FROM pg_attribute a \
    JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum \
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid \
      AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum \
      AND ((d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid) \
        OR (d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum)) \
    WHERE a.attgenerated <> '' ORDER BY 1, 2, 3";

/// Indexes by the relation that they are of, with every column that they are made of: keys, expressions, conditions.
const INDEXES: &str = "SELECT i.indrelid, c.relname, (SELECT string_agg(DISTINCT n::text, ' ') FROM ( \
      SELECT unnest(i.indkey::int2[])::int4 AS n UNION SELECT d.refobjsubid FROM pg_depend d \
      WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid \
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid) AS of) \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relpersistence <> 't' ORDER BY 1, 2";

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
    // First reads the catalog, which pins the search_path.
    let snapshot = read(&mut connection).await?;
    let rows = asked(&mut connection, GENERATED).await?;
    let columns = rows.iter().filter_map(|row| match row.as_slice() {
        [Some(oid), Some(number), Some(of)] => {
            Some((RelationOid(oid.parse().ok()?), number.parse().ok()?, of.parse().ok()?))
        }
        _ => None,
    });
    let columns = columns.collect();
    let rows = asked(&mut connection, INDEXES).await?;
    let indexes = rows.into_iter().filter_map(|row| match row.as_slice() {
        [Some(oid), Some(name), Some(of)] => {
            let of = of.split(' ').filter_map(|number| number.parse().ok()).collect();
            Some(IndexOf { relation: RelationOid(oid.parse().ok()?), name: name.clone(), of })
        }
        _ => None,
    });
    Ok((snapshot, Made { columns, indexes: indexes.collect() }))
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

async fn asked(
    connection: &mut ServerConnection,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, String> {
    let rows = tokio::time::timeout(CONNECT_TIMEOUT, connection.query(query)).await;
    rows.map_err(|_| "error: the database takes too long to tell its catalog".to_owned())?
        .map_err(|error| format!("error: {error}"))
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
        .map_err(|_| "error: the database takes too long to tell its catalog".to_owned())?
        .map_err(|error| format!("error: {error}"))
}
