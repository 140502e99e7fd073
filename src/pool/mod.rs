//! Server connections that sessions share: who gets one, in which order, for how long.
//!
//! A [`Place`] is a database seen by a login. It has a fixed number of seats; a session sits down to speak to the
//! database and gets up when it has nothing outstanding there. Who finds all seats taken waits in a queue, first come,
//! first served, and only so long.
//!
//! A connection is lent to sessions of its own [`Lineage`] only: what it was opened with, and whether what was said
//! on it was parsed. What its last session left on it (`T`) is kept beside it and never looked at here: the session
//! that gets it next must know, or must find it clean.
//!
//! INVARIANTS: a seat is one connection at most, lent or at rest, so there are never more than `size` of a place and
//! kind; a connection is lent to one session at a time; one that broke, or that nobody can vouch for, is closed and
//! never comes back.

mod lent;
mod place;

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;

pub use lent::Lent;
pub use place::{Figures, Place};

use crate::upstream::{Endpoint, UpstreamError};

/// How often connections at rest are looked after.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// How connections are shared: `pool:` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOptions {
    /// For how long a session keeps its connection.
    pub mode: PoolMode,
    /// Connections of a database and login at most, for masked and for untouched roles each.
    pub size: usize,
    /// Connections that are kept open for masked sessions, once a database and login has been used.
    pub min_size: usize,
    /// How long a session waits for a connection.
    pub wait: Duration,
    /// Connections that have been at rest for longer are closed.
    pub idle: Duration,
    /// Older connections are closed when they come back.
    pub lifetime: Duration,
    /// Connections that have been at rest for longer are asked for a sign of life before they are lent.
    pub check_after: Duration,
}

/// For how long a session keeps its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// Up to the end of its transaction.
    Transaction,
    /// Up to its own end.
    Session,
}

impl Default for PoolOptions {
    /// As `scrim.yaml` without `pool:`.
    fn default() -> PoolOptions {
        PoolOptions {
            mode: PoolMode::Transaction,
            size: 20,
            min_size: 0,
            wait: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            lifetime: Duration::from_secs(3600),
            check_after: Duration::from_secs(30),
        }
    }
}

/// What connections may be lent to the same sessions.
#[derive(Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Texts went over it that nobody has parsed: never lent to a masked role.
    pub is_untouched: bool,
    /// Startup parameters. May hold a key, so they do not print.
    pub parameters: Arc<Vec<(String, String)>>,
}

/// Why a session does not get a connection.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// All are lent.
    #[error("all {size} connections of the pool were in use for {} seconds", waited.as_secs())]
    Full {
        /// How many there are.
        size: usize,
        /// How long the session has waited.
        waited: Duration,
    },
    /// A new one could not be opened.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

/// All places.
pub struct Pools<T> {
    options: Arc<PoolOptions>,
    places: DashMap<Key, Arc<Place<T>>>,
}

/// Login, database, and whether what is said there goes unparsed.
type Key = (String, String, bool);

impl<T: Send + 'static> Pools<T> {
    /// None open yet.
    pub fn new(options: PoolOptions) -> Pools<T> {
        Pools { options: Arc::new(options), places: DashMap::new() }
    }

    /// How they are shared.
    pub fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Where sessions of a login and database get their connections.
    pub fn place(
        &self,
        endpoint: &Arc<Endpoint>,
        database: &str,
        is_untouched: bool,
    ) -> Arc<Place<T>> {
        let key = (endpoint.user.clone(), database.to_owned(), is_untouched);
        let place = self.places.entry(key).or_insert_with(|| {
            Arc::new(Place::new(
                Arc::clone(endpoint),
                database.to_owned(),
                Arc::clone(&self.options),
            ))
        });
        Arc::clone(&place)
    }

    /// A place that no session has ever got a connection of is forgotten: names of databases that do not exist shall
    /// not pile up.
    pub fn forget_unused(&self) {
        self.places.retain(|_, place| place.is_worth_keeping());
    }

    /// How full the pools are, by login and database.
    pub fn figures(&self) -> Vec<Figures> {
        let mut all: Vec<Figures> = self
            .places
            .iter()
            .map(|entry| {
                let (user, database, is_untouched) = entry.key();
                Figures {
                    user: user.clone(),
                    database: database.clone(),
                    is_untouched: *is_untouched,
                    ..entry.value().figures()
                }
            })
            .collect();
        all.sort_by(|a, b| {
            (&a.database, &a.user, a.is_untouched).cmp(&(&b.database, &b.user, b.is_untouched))
        });
        all
    }

    /// Looks after connections at rest, for ever.
    pub async fn keep(&self) {
        loop {
            tokio::time::sleep(KEEP_EVERY).await;
            self.forget_unused();
            let places: Vec<_> = self.places.iter().map(|place| Arc::clone(&place)).collect();
            for place in places {
                place.keep().await;
            }
        }
    }
}
