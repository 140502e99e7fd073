//! What is known of the databases, shared by their sessions: snapshots by database and login, role views by role.
//!
//! A snapshot is loaded when the first session needs it, looked at again every few seconds while there are
//! sessions, soon after DDL has gone through Scrim, and when a statement names a relation that it does not know.
//! Looking is one cheap query; everything is read again only when its answer has changed. Whoever asks while somebody
//! else is looking waits for that answer. All queries run on a connection of their own, so no session is ever held up
//! by another's, and no database by another.
//!
//! Views that are in use are compiled under a new snapshot, or new rules, before anybody goes by it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::in_force::InForce;
use super::pipeline::Judge;
use crate::catalog::Snapshot;
use crate::guard::{self, Breach, RowKeys};
use crate::metrics::Metrics;
use crate::policy::{RoleView, WireMasks};
use crate::upstream::{
    Endpoint, LoadError, QueryError, ServerConnection, UpstreamError, load_snapshot,
};

/// How often databases with sessions are looked at.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// A database without sessions is not looked at; a snapshot older than this is, before it is used again.
const FRESH: Duration = Duration::from_secs(10);
/// Looks because of an unknown name happen at most this often.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// How long DDL that comes by is gathered, so that a migration does not have its catalog read for each statement.
const NUDGE_PAUSE: Duration = Duration::from_secs(1);
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
    FROM pg_catalog.pg_inherits h),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', k.oid, k.xmin))))
    FROM pg_catalog.pg_opclass k),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':', k.oid, k.xmin))))
    FROM pg_catalog.pg_collation k),
 (SELECT pg_catalog.concat_ws('/', pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat_ws(':',
      d.classid, d.objid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype))))
    FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' OR EXISTS (SELECT FROM pg_catalog.pg_class c
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid AND c.relkind = 'S'
        AND c.relpersistence <> 't')))";

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
    databases: DashMap<Place, Arc<Database>>,
    nudged: Notify,
    metrics: Arc<Metrics>,
}

/// A database, seen by a login.
type Place = (String, String);

/// One of them.
pub struct Database {
    place: Place,
    endpoint: Arc<Endpoint>,
    version: AtomicU64,
    current: RwLock<Option<Arc<Snapshot>>>,
    /// By role, with the number of the rules.
    views: DashMap<String, (u64, Arc<RoleView>)>,
    loader: Mutex<Loader>,
    seen: RwLock<Seen>,
    sessions: AtomicUsize,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Loader {
    connection: Option<ServerConnection>,
    fingerprint: Option<String>,
    checked: Option<Instant>,
}

/// How looking went.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When it went well last.
    pub well: Option<Instant>,
    /// Why it did not the last time; nothing secret.
    pub fault: Option<String>,
}

/// A session's interest in a database, given up when dropped.
pub struct Lease {
    database: Arc<Database>,
}

impl Catalogs {
    /// None known yet.
    pub fn new(metrics: Arc<Metrics>) -> Catalogs {
        Catalogs { databases: DashMap::new(), nudged: Notify::new(), metrics }
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
                views: DashMap::new(),
                loader: Mutex::new(Loader::default()),
                seen: RwLock::default(),
                sessions: AtomicUsize::new(0),
                metrics: Arc::clone(&self.metrics),
            })
        });
        database.sessions.fetch_add(1, Ordering::AcqRel);
        Lease { database: Arc::clone(&database) }
    }

    /// DDL has gone by: databases are looked at soon, not only when it is time.
    pub fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Looks at all databases that have sessions, every few seconds, for ever.
    pub async fn keep_fresh(&self) {
        // Dropped with us, and what still looks with it.
        let mut looking = JoinSet::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(CHECK_EVERY) => {}
                () = self.nudged.notified() => tokio::time::sleep(NUDGE_PAUSE).await,
            }
            while looking.try_join_next().is_some() {}
            for database in self.all() {
                looking.spawn(async move { database.keep_fresh().await });
            }
        }
    }

    /// Compiles the views that are in use under rules that are to come into force.
    pub async fn prepare(&self, rules: &Arc<InForce>) {
        for database in self.all() {
            let Some(snapshot) = database.snapshot() else { continue };
            database.compile(snapshot, |_| (rules.number, Arc::clone(&rules.rules))).await;
        }
    }

    fn all(&self) -> Vec<Arc<Database>> {
        self.databases.iter().map(|database| Arc::clone(&database)).collect()
    }
}

impl Lease {
    /// What a role sees now. Loads the catalog if nobody has.
    pub async fn view(&self, role: &str, rules: &InForce) -> Result<Arc<RoleView>, CatalogFault> {
        let database = &self.database;
        // Where somebody is looking right now, what there is will do; where there is nothing, wait for it.
        let loader = match database.snapshot() {
            Some(_) => database.loader.try_lock().ok(),
            None => Some(database.loader.lock().await),
        };
        if let Some(mut loader) = loader
            && loader.checked.is_none_or(|checked| {
                let has_none = database.snapshot().is_none();
                checked.elapsed() > if has_none { REFRESH_EVERY } else { FRESH }
            })
        {
            database.look(&mut loader).await?;
        }
        let snapshot = database.snapshot();
        let snapshot = snapshot.ok_or(CatalogFault::Timeout)?;
        database.view(role, rules, snapshot).ok_or(CatalogFault::NoRole)
    }

    /// What a role sees, when it is something else than under `version`.
    pub fn newer_view(&self, role: &str, rules: &InForce, version: u64) -> Option<Arc<RoleView>> {
        if self.database.version.load(Ordering::Acquire) == version {
            return None;
        }
        self.view_under(role, rules)
    }

    /// What a role sees by the last snapshot; `None`: there is no such role.
    pub fn view_under(&self, role: &str, rules: &InForce) -> Option<Arc<RoleView>> {
        self.database.view(role, rules, self.database.snapshot()?)
    }

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
        // A failure has been logged, and the last snapshot holds.
        database.look(&mut loader).await.unwrap_or(false)
    }

    /// The catalog as it was read last; `None`: it has not been read yet.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.database.snapshot()
    }

    /// How looking at the database went.
    pub fn seen(&self) -> Seen {
        self.database.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
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

    fn view(&self, role: &str, rules: &InForce, snapshot: Arc<Snapshot>) -> Option<Arc<RoleView>> {
        let known = self.views.get(role).map(|known| (known.0, Arc::clone(&known.1)));
        if let Some((number, view)) = &known
            && *number == rules.number
            && view.snapshot().version >= snapshot.version
        {
            return Some(Arc::clone(view));
        }
        let view = Arc::new(RoleView::new(role, Arc::clone(&rules.rules), snapshot)?);
        self.keep(role, rules.number, &view);
        Some(view)
    }

    /// Keeps a view for others, unless there is one of newer rules or a newer snapshot.
    fn keep(&self, role: &str, number: u64, view: &Arc<RoleView>) {
        let age = |number, view: &RoleView| (number, view.snapshot().version);
        let mut kept =
            self.views.entry(role.to_owned()).or_insert_with(|| (number, Arc::clone(view)));
        if age(kept.0, &kept.1) <= age(number, view) {
            *kept = (number, Arc::clone(view));
        }
    }

    /// Compiles the views in use under another snapshot or other rules, on a thread where it holds up nobody.
    async fn compile(
        self: &Arc<Self>,
        snapshot: Arc<Snapshot>,
        rules: impl Fn(&(u64, Arc<RoleView>)) -> (u64, Arc<crate::rules::RuleSet>),
    ) {
        let used: Vec<_> = self
            .views
            .iter()
            .map(|entry| (entry.key().clone(), Arc::clone(&entry.1), rules(entry.value())))
            .collect();
        let database = Arc::clone(self);
        let compiling = tokio::task::spawn_blocking(move || {
            for (role, used, (number, rules)) in used {
                // A role that is gone has no view; its sessions end.
                if let Some(view) = RoleView::new(&role, rules, Arc::clone(&snapshot)) {
                    view.compile_as_used(&used);
                    database.keep(&role, number, &Arc::new(view));
                }
            }
        });
        // What a panic left out is compiled when it is needed, or fails there.
        if compiling.await.is_err() {
            tracing::error!("a view could not be compiled, which is a fault of Scrim");
        }
    }

    async fn keep_fresh(self: Arc<Self>) {
        // Whoever looks already looks for us.
        let Ok(mut loader) = self.loader.try_lock() else { return };
        if self.sessions.load(Ordering::Acquire) == 0 {
            loader.connection = None;
        } else {
            // A failure has been logged, and the last snapshot holds.
            let _ = self.look(&mut loader).await;
        }
    }

    /// Looks whether anything has changed, and reads it again if so. True: it has.
    async fn look(self: &Arc<Self>, loader: &mut Loader) -> Result<bool, CatalogFault> {
        self.metrics.catalog_looks.inc();
        // A connection that has been lying around may have died meanwhile; a new one is tried once.
        let had_connection = loader.connection.is_some();
        let looked = match self.look_once(loader).await {
            Err(_) if had_connection => self.look_once(loader).await,
            result => result,
        };
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let fault = looked.as_ref().err().map(ToString::to_string);
        match &fault {
            None => {
                if seen.fault.is_some() {
                    tracing::info!("the catalog can be looked at again");
                }
                seen.well = Some(Instant::now());
            }
            Some(error) => {
                self.metrics.catalog_failures.inc();
                // Once, not every few seconds.
                if seen.fault.is_none() {
                    tracing::warn!(%error, "the catalog could not be looked at; the last one holds");
                }
            }
        }
        seen.fault = fault;
        looked
    }

    async fn look_once(self: &Arc<Self>, loader: &mut Loader) -> Result<bool, CatalogFault> {
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
        let Some(mut snapshot) = snapshot else { return Ok(false) };
        self.metrics.catalog_refreshes.inc();
        let version = self.version.load(Ordering::Acquire).wrapping_add(1);
        snapshot.version = version;
        let snapshot = Arc::new(snapshot);
        self.compile(Arc::clone(&snapshot), |used| (used.0, Arc::clone(used.1.rules()))).await;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        self.version.store(version, Ordering::Release);
        // Last: who gives up half-way must not leave the mark of a snapshot that nobody goes by.
        loader.fingerprint = fingerprint;
        Ok(true)
    }
}

/// The guard, for one view.
pub struct GuardJudge(pub Arc<RoleView>);

impl Judge for GuardJudge {
    fn rows(&self, description: &[u8], masks: Option<&WireMasks>) -> Result<(), Breach> {
        guard::judge_row_description(description, &self.0, masks)
    }

    fn row_keys(&self, description: &[u8], masks: Option<&WireMasks>) -> Option<RowKeys> {
        match self.0.role().audit_rows {
            true => RowKeys::of(description, &self.0, masks),
            false => None,
        }
    }

    fn are_current(&self, masks: &WireMasks) -> bool {
        masks.columns.iter().all(|raw| self.0.masks_alike(raw))
    }

    fn clean(&self, fields: &[u8]) -> Option<Vec<u8>> {
        guard::clean_error_fields(fields)
    }

    fn may_hear(&self, channel: &str) -> bool {
        self.0.role().may_listen(channel)
    }

    fn version(&self) -> u64 {
        self.0.snapshot().version
    }
}
