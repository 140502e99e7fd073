//! What sessions share: cancel keys, catalog snapshots, role views.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dashmap::DashMap;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Mutex;

use crate::catalog::Snapshot;
use crate::policy::RoleView;
use crate::rules::RuleSet;
use crate::upstream::{Endpoint, ServerConnection, load_snapshot};

/// A catalog is not read more often than this, whoever asks.
const RELOAD_AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// How long reading a catalog may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// A cancel key of our own: process id and secret.
pub(super) type CancelKey = (i32, [u8; 4]);

/// Where a cancel request goes.
#[derive(Debug, Clone)]
pub(super) struct CancelTarget {
    pub(super) endpoint: Endpoint,
    pub(super) backend_key: (i32, Vec<u8>),
}

/// Everything that sessions find by name or key.
#[derive(Debug)]
pub(super) struct Registry {
    service: Endpoint,
    rules: Arc<RuleSet>,
    random: SystemRandom,
    cancels: DashMap<CancelKey, CancelTarget>,
    catalogs: DashMap<String, Arc<Catalog>>,
    views: DashMap<(String, String), (u64, Arc<RoleView>)>,
}

#[derive(Debug, Default)]
struct Catalog {
    state: Mutex<CatalogState>,
}

#[derive(Debug, Default)]
struct CatalogState {
    snapshot: Option<Arc<Snapshot>>,
    loaded_at: Option<Instant>,
    versions: u64,
}

impl Registry {
    pub(super) fn new(service: Endpoint, rules: Arc<RuleSet>) -> Registry {
        Registry {
            service,
            rules,
            random: SystemRandom::new(),
            cancels: DashMap::new(),
            catalogs: DashMap::new(),
            views: DashMap::new(),
        }
    }

    /// A key that no live session has; `None` when there is no randomness.
    pub(super) fn register(&self, target: CancelTarget) -> Option<CancelKey> {
        for _ in 0..16 {
            let mut bytes = [0_u8; 8];
            self.random.fill(&mut bytes).ok()?;
            let [a, b, c, d, key @ ..] = bytes;
            // Process ids are positive.
            let process_id = i32::from_be_bytes([a & 0x7f, b, c, d]);
            let entry = self.cancels.entry((process_id, key));
            if let dashmap::Entry::Vacant(entry) = entry {
                entry.insert(target);
                return Some((process_id, key));
            }
        }
        None
    }

    pub(super) fn forget(&self, key: &CancelKey) {
        self.cancels.remove(key);
    }

    pub(super) fn cancel_target(&self, process_id: i32, key: &[u8]) -> Option<CancelTarget> {
        let key: [u8; 4] = key.try_into().ok()?;
        self.cancels.get(&(process_id, key)).map(|target| target.clone())
    }

    /// The snapshot of a database; loaded if there is none yet. The text of an error is for the log.
    pub(super) async fn snapshot(&self, database: &str) -> Result<Arc<Snapshot>, String> {
        let catalog = self.catalog(database);
        let mut state = catalog.state.lock().await;
        if let Some(snapshot) = &state.snapshot {
            return Ok(snapshot.clone());
        }
        self.load(database, &mut state).await
    }

    /// Looks again, but not more often than once a second. True when something has changed.
    pub(super) async fn refresh(&self, database: &str) -> bool {
        let catalog = self.catalog(database);
        let mut state = catalog.state.lock().await;
        let before = state.versions;
        if state.loaded_at.is_some_and(|at| at.elapsed() < RELOAD_AT_MOST_EVERY) {
            return false;
        }
        if let Err(error) = self.load(database, &mut state).await {
            tracing::warn!(database, error, "the catalog cannot be read again");
        }
        state.versions != before
    }

    /// Databases whose catalog has been read.
    pub(super) fn databases(&self) -> Vec<String> {
        self.catalogs.iter().map(|entry| entry.key().clone()).collect()
    }

    /// What a role sees of a database now.
    pub(super) async fn view(&self, database: &str, role: &str) -> Result<Arc<RoleView>, String> {
        let snapshot = self.snapshot(database).await?;
        let key = (database.to_owned(), role.to_owned());
        if let Some(entry) = self.views.get(&key)
            && entry.0 == snapshot.version
        {
            return Ok(entry.1.clone());
        }
        let version = snapshot.version;
        let view = RoleView::new(role, self.rules.clone(), snapshot)
            .ok_or_else(|| format!("there is no role `{role}`"))?;
        let view = Arc::new(view);
        self.views.insert(key, (version, view.clone()));
        Ok(view)
    }

    fn catalog(&self, database: &str) -> Arc<Catalog> {
        self.catalogs.entry(database.to_owned()).or_default().clone()
    }

    async fn load(
        &self,
        database: &str,
        state: &mut CatalogState,
    ) -> Result<Arc<Snapshot>, String> {
        let loading = async {
            let parameters = [("client_encoding".to_owned(), "UTF8".to_owned())];
            let mut connection =
                ServerConnection::open(&self.service, database, &parameters, LOAD_TIMEOUT)
                    .await
                    .map_err(|error| error.to_string())?;
            load_snapshot(&mut connection).await.map_err(|error| error.to_string())
        };
        let mut snapshot = tokio::time::timeout(LOAD_TIMEOUT, loading)
            .await
            .map_err(|_| "it takes too long".to_owned())??;
        state.loaded_at = Some(Instant::now());
        if let Some(old) = &state.snapshot {
            snapshot.version = old.version;
            if **old == snapshot {
                return Ok(old.clone());
            }
        }
        state.versions = state.versions.saturating_add(1);
        snapshot.version = state.versions;
        let snapshot = Arc::new(snapshot);
        state.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }
}
