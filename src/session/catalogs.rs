//! What is known of the databases, shared by their sessions: snapshots by database and login, role views by role.
//!
//! A snapshot is loaded when the first session needs it, looked at again every few seconds while there are
//! sessions, and when a statement names a relation that it does not know. Looking is one cheap query; everything is
//! read again only when its answer has changed. Whoever asks while somebody else is looking waits for that answer.
//! All queries run on a connection of their own, so no session is ever held up by another's.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::pipeline::Judge;
use crate::catalog::Snapshot;
use crate::guard::{self, Breach};
use crate::policy::RoleView;
use crate::rules::RuleSet;
use crate::upstream::{
    Endpoint, LoadError, QueryError, ServerConnection, UpstreamError, load_snapshot,
};

/// How often databases with sessions are looked at.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// A database without sessions is not looked at; a snapshot older than this is, before it is used again.
const FRESH: Duration = Duration::from_secs(10);
/// Looks because of an unknown name happen at most this often.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);

/// Changes when anything that a snapshot holds does. `xmin` is the transaction that wrote a row; temporary
/// relations come and go and are no part of a snapshot.
const FINGERPRINT: &str = "
SELECT pg_catalog.concat_ws(' ',
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', n.oid, n.xmin))))
    FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_(toast_)?temp_'),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', c.oid, c.xmin))))
    FROM pg_catalog.pg_class c WHERE c.relpersistence <> 't'),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', a.attrelid, a.attnum, a.xmin))))
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE c.relpersistence <> 't'),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', i.indexrelid, i.xmin))))
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid WHERE c.relpersistence <> 't'),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', t.oid, t.xmin))))
    FROM pg_catalog.pg_type t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n
      WHERE n.oid = t.typnamespace AND n.nspname ~ '^pg_(toast_)?temp_')),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', p.oid, p.xmin))))
    FROM pg_catalog.pg_proc p),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', o.oid, o.xmin))))
    FROM pg_catalog.pg_operator o),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', k.oid, k.xmin))))
    FROM pg_catalog.pg_cast k),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', k.oid, k.xmin))))
    FROM pg_catalog.pg_constraint k WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c
      WHERE c.oid = k.conrelid AND c.relpersistence = 't')),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', r.oid, r.xmin))))
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE c.relpersistence <> 't'),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', h.inhrelid, h.inhparent, h.inhseqno, h.xmin))))
    FROM pg_catalog.pg_inherits h))";

/// Why there is no picture of a database.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFault {
    /// No connection.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The queries failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database takes too long.
    #[error("the database takes too long to tell its catalog")]
    Timeout,
    /// The role is gone from the rules.
    #[error("there is no such role")]
    NoRole,
}

impl From<QueryError> for CatalogFault {
    fn from(error: QueryError) -> CatalogFault {
        CatalogFault::Load(LoadError::Query(error))
    }
}

/// All databases that sessions use.
pub struct Catalogs {
    rules: Arc<RuleSet>,
    databases: DashMap<Place, Arc<Database>>,
    views: DashMap<(Place, String), Arc<RoleView>>,
}

/// A database, seen by a login.
type Place = (String, String);

/// One of them.
pub struct Database {
    place: Place,
    endpoint: Arc<Endpoint>,
    version: AtomicU64,
    current: RwLock<Option<Arc<Snapshot>>>,
    loader: Mutex<Loader>,
    sessions: AtomicUsize,
}

#[derive(Default)]
struct Loader {
    connection: Option<ServerConnection>,
    fingerprint: Option<String>,
    checked: Option<Instant>,
}

/// A session's interest in a database, given up when dropped.
pub struct Lease {
    database: Arc<Database>,
}

impl Catalogs {
    /// None known yet.
    pub fn new(rules: Arc<RuleSet>) -> Catalogs {
        Catalogs { rules, databases: DashMap::new(), views: DashMap::new() }
    }

    /// Enters a session. The database is known to exist: the session has a connection to it.
    pub fn enter(&self, name: &str, endpoint: &Arc<Endpoint>) -> Lease {
        let place = (name.to_owned(), endpoint.user.clone());
        let database = self.databases.entry(place.clone()).or_insert_with(|| {
            Arc::new(Database {
                place,
                endpoint: Arc::clone(endpoint),
                version: AtomicU64::new(0),
                current: RwLock::new(None),
                loader: Mutex::new(Loader::default()),
                sessions: AtomicUsize::new(0),
            })
        });
        database.sessions.fetch_add(1, Ordering::AcqRel);
        Lease { database: Arc::clone(&database) }
    }

    /// What a role sees now. Loads the catalog if nobody has.
    pub async fn view(&self, lease: &Lease, role: &str) -> Result<Arc<RoleView>, CatalogFault> {
        let database = &lease.database;
        // Where somebody is looking right now, what there is will do; where there is nothing, wait for it.
        let loader = match database.snapshot() {
            Some(_) => database.loader.try_lock().ok(),
            None => Some(database.loader.lock().await),
        };
        if let Some(mut loader) = loader
            && loader.checked.is_none_or(|checked| checked.elapsed() > FRESH)
        {
            database.look(&mut loader).await?;
        }
        let snapshot = database.snapshot();
        let snapshot = snapshot.ok_or(CatalogFault::Timeout)?;
        self.view_of(database, role, snapshot).ok_or(CatalogFault::NoRole)
    }

    /// What a role sees, when it is something else than under `version`.
    pub fn newer_view(&self, lease: &Lease, role: &str, version: u64) -> Option<Arc<RoleView>> {
        if lease.database.version.load(Ordering::Acquire) == version {
            return None;
        }
        let snapshot = lease.database.snapshot()?;
        self.view_of(&lease.database, role, snapshot)
    }

    fn view_of(
        &self,
        database: &Database,
        role: &str,
        snapshot: Arc<Snapshot>,
    ) -> Option<Arc<RoleView>> {
        let key = (database.place.clone(), role.to_owned());
        if let Some(view) = self.views.get(&key)
            && view.snapshot().version >= snapshot.version
        {
            return Some(Arc::clone(&view));
        }
        let view = Arc::new(RoleView::new(role, Arc::clone(&self.rules), snapshot)?);
        self.views.insert(key, Arc::clone(&view));
        Some(view)
    }

    /// Looks at all databases that have sessions, every few seconds, for ever.
    pub async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(CHECK_EVERY).await;
            let databases: Vec<_> =
                self.databases.iter().map(|database| Arc::clone(&database)).collect();
            for database in databases {
                let mut loader = database.loader.lock().await;
                if database.sessions.load(Ordering::Acquire) == 0 {
                    loader.connection = None;
                } else if database.snapshot().is_some()
                    && let Err(error) = database.look(&mut loader).await
                {
                    tracing::warn!(%error, "the catalog could not be looked at; the last one holds");
                }
            }
        }
    }
}

impl Lease {
    /// A statement names something that the snapshot of `version` does not know: true when there is a newer one.
    pub async fn refresh(&self, version: u64) -> bool {
        let database = &self.database;
        let mut loader = database.loader.lock().await;
        if database.version.load(Ordering::Acquire) != version {
            return true;
        }
        if loader.checked.is_some_and(|checked| checked.elapsed() < REFRESH_EVERY) {
            return false;
        }
        match database.look(&mut loader).await {
            Ok(has_changed) => has_changed,
            Err(error) => {
                tracing::warn!(%error, "the catalog could not be looked at; the last one holds");
                false
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.database.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Database {
    fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether anything has changed, and reads it again if so. True: it has.
    async fn look(&self, loader: &mut Loader) -> Result<bool, CatalogFault> {
        // A connection that has been lying around may have died meanwhile; a new one is tried once.
        let had_connection = loader.connection.is_some();
        match self.look_once(loader).await {
            Err(_) if had_connection => self.look_once(loader).await,
            result => result,
        }
    }

    async fn look_once(&self, loader: &mut Loader) -> Result<bool, CatalogFault> {
        // Taken out: a query that is given up half-way must not leave its connection behind.
        let mut connection = match loader.connection.take() {
            Some(connection) => connection,
            None => {
                let parameters = [
                    ("client_encoding".to_owned(), "UTF8".to_owned()),
                    ("search_path".to_owned(), "pg_catalog".to_owned()),
                    ("application_name".to_owned(), "scrim catalog".to_owned()),
                ];
                let (name, _) = &self.place;
                ServerConnection::open(&self.endpoint, name, &parameters, CONNECT_TIMEOUT).await?
            }
        };
        // Tried again too soon after a failure would be a stampede as well.
        loader.checked = Some(Instant::now());
        let is_known = self.snapshot().is_some();
        let looking = async {
            connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let rows = connection.query(FINGERPRINT).await?;
            let fingerprint = rows.into_iter().flatten().next().flatten();
            let has_changed = !is_known || fingerprint != loader.fingerprint;
            let snapshot = match has_changed {
                true => Some(load_snapshot(&mut connection).await?),
                false => None,
            };
            connection.query("COMMIT").await?;
            Ok::<_, CatalogFault>((connection, fingerprint, snapshot))
        };
        let done = tokio::time::timeout(QUERY_TIMEOUT, looking).await;
        let (connection, fingerprint, snapshot) = done.map_err(|_| CatalogFault::Timeout)??;
        loader.connection = Some(connection);
        loader.fingerprint = fingerprint;
        let Some(mut snapshot) = snapshot else { return Ok(false) };
        let version = self.version.load(Ordering::Acquire).wrapping_add(1);
        snapshot.version = version;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
        self.version.store(version, Ordering::Release);
        Ok(true)
    }
}

/// The guard, for one view.
pub struct GuardJudge(pub Arc<RoleView>);

impl Judge for GuardJudge {
    fn rows(&self, description: &[u8]) -> Result<(), Breach> {
        guard::judge_row_description(description, &self.0)
    }

    fn clean(&self, fields: &[u8]) -> Option<Vec<u8>> {
        guard::clean_error_fields(fields)
    }

    fn version(&self) -> u64 {
        self.0.snapshot().version
    }
}
