//! The connections of one login to one database: lent, at rest, waited for.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::lent::{AtRest, Lent};
use super::{Lineage, PoolError, PoolOptions};
use crate::upstream::{Endpoint, ServerConnection};

/// How long a new connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A login's connections to a database.
pub struct Place<T> {
    endpoint: Arc<Endpoint>,
    database: String,
    options: Arc<PoolOptions>,
    /// Taken by whoever is lent a connection. Fair: first come, first served.
    seats: Arc<Semaphore>,
    shelf: Mutex<Shelf<T>>,
    waiting: AtomicUsize,
    /// Wakes somebody who has a connection and no work for it.
    wanted: Notify,
    was_used: AtomicUsize,
    waited_ms: AtomicU64,
    waits: AtomicU64,
}

struct Shelf<T> {
    /// The one that came back last stands last, and goes first.
    at_rest: Vec<Box<AtRest<T>>>,
    /// Lent, at rest, or about to be either.
    open: usize,
    /// What the last new connection was opened with, for keeping some ready.
    usual: Option<Lineage>,
}

/// How full a place is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The login.
    pub user: String,
    /// The database.
    pub database: String,
    /// For sessions that are passed through.
    pub is_untouched: bool,
    /// Connections at most.
    pub size: usize,
    /// Lent to sessions.
    pub in_use: usize,
    /// Open, and nobody's.
    pub idle: usize,
    /// Sessions that wait for one.
    pub waiting: usize,
    /// Waits that have ended, since the start.
    pub waits: u64,
    /// What they took in all, in milliseconds.
    pub waited_ms: u64,
}

impl<T> Place<T> {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        database: String,
        options: Arc<PoolOptions>,
    ) -> Place<T> {
        Place {
            endpoint,
            database,
            seats: Arc::new(Semaphore::new(options.size)),
            options,
            shelf: Mutex::new(Shelf { at_rest: Vec::new(), open: 0, usual: None }),
            waiting: AtomicUsize::new(0),
            wanted: Notify::new(),
            was_used: AtomicUsize::new(0),
            waited_ms: AtomicU64::new(0),
            waits: AtomicU64::new(0),
        }
    }

    /// Where it leads, for a cancel.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// A connection for a session, if need be after waiting for a seat. `session` had best get the connection that it
    /// had before: what it left there is what it needs.
    ///
    /// # Errors
    /// All are lent for longer than sessions wait, or the database does not let us in.
    pub async fn take(
        self: &Arc<Self>,
        lineage: &Lineage,
        session: u64,
    ) -> Result<Lent<T>, PoolError> {
        let mut seat = self.seat().await?;
        loop {
            let found = self.shelf().take(lineage, session, self.host());
            let at_rest = match found {
                Some(at_rest) => at_rest,
                None => self.open(lineage).await?,
            };
            let mut lent = Lent::new(Arc::clone(self), at_rest, seat);
            if lent.is_alive(self.options.check_after).await {
                return Ok(lent);
            }
            seat = match lent.into_seat() {
                Some(seat) => seat,
                None => self.seat().await?,
            };
        }
    }

    /// As [`Place::take`], where nothing has to be waited for: the usual case, without the room that waiting takes.
    pub fn take_at_once(self: &Arc<Self>, lineage: &Lineage, session: u64) -> Option<Lent<T>> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let at_rest = self.shelf().take(lineage, session, self.host())?;
        if at_rest.rested() > self.options.check_after {
            self.shelf().at_rest.push(at_rest);
            return None;
        }
        let mut lent = Lent::new(Arc::clone(self), at_rest, seat);
        lent.is_open().then_some(lent)
    }

    /// True while somebody waits for a connection.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Returns when somebody may have begun to wait. Who is told and has none to give calls [`Place::pass_on`].
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Somebody else is told that a connection is wanted.
    pub fn pass_on(&self) {
        if self.is_wanted() {
            self.wanted.notify_one();
        }
    }

    async fn seat(&self) -> Result<OwnedSemaphorePermit, PoolError> {
        if let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() {
            return Ok(seat);
        }
        let waiting = Waiting::new(self);
        self.wanted.notify_one();
        let seat = tokio::time::timeout(self.options.wait, Arc::clone(&self.seats).acquire_owned());
        let seat = seat.await.ok().and_then(Result::ok);
        let waited = waiting.since.elapsed();
        self.waits.fetch_add(1, Ordering::Relaxed);
        let milliseconds = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.waited_ms.fetch_add(milliseconds, Ordering::Relaxed);
        seat.ok_or(PoolError::Full { size: self.options.size, waited })
    }

    /// A new connection; one of another lineage is closed for it where there is no room.
    async fn open(&self, lineage: &Lineage) -> Result<Box<AtRest<T>>, PoolError> {
        let evicted = {
            let mut shelf = self.shelf();
            shelf.open = shelf.open.saturating_add(1);
            shelf.usual = Some(lineage.clone());
            let evicted = if shelf.open > self.options.size { shelf.oldest() } else { None };
            shelf.open = shelf.open.saturating_sub(usize::from(evicted.is_some()));
            evicted
        };
        if let Some(mut evicted) = evicted {
            evicted.say_goodbye();
        }
        // Given up half-way, or failed, it is open no more.
        let mut opening = Opening { place: self, has_failed: true };
        let parameters = &lineage.parameters;
        let connection =
            ServerConnection::open(&self.endpoint, &self.database, parameters, CONNECT_TIMEOUT)
                .await?;
        opening.has_failed = false;
        self.was_used.store(1, Ordering::Relaxed);
        Ok(Box::new(AtRest::new(connection, lineage.clone())))
    }

    /// A connection comes back; its seat is free after this.
    pub(super) fn give_back(&self, mut at_rest: Box<AtRest<T>>) {
        if at_rest.age() > self.options.lifetime || at_rest.host() != self.host() {
            at_rest.say_goodbye();
            return self.left(1);
        }
        at_rest.comes_to_rest();
        self.shelf().at_rest.push(at_rest);
    }

    /// Connections are closed.
    pub(super) fn left(&self, count: usize) {
        let mut shelf = self.shelf();
        shelf.open = shelf.open.saturating_sub(count);
    }

    pub(super) fn figures(&self) -> Figures {
        let (idle, open) = {
            let shelf = self.shelf();
            (shelf.at_rest.len(), shelf.open)
        };
        Figures {
            size: self.options.size,
            in_use: open.saturating_sub(idle),
            idle,
            waiting: self.waiting.load(Ordering::Relaxed),
            waits: self.waits.load(Ordering::Relaxed),
            waited_ms: self.waited_ms.load(Ordering::Relaxed),
            ..Figures::default()
        }
    }

    /// Somebody has it in hand, or it has had a connection.
    pub(super) fn is_worth_keeping(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 || self.was_used.load(Ordering::Relaxed) > 0
    }

    /// Closes what has rested or lived too long, and opens what is to be kept ready.
    pub(super) async fn keep(&self) {
        let (closing, missing) = {
            let mut shelf = self.shelf();
            let closing = shelf.retire(&self.options, self.host());
            let missing = self.options.min_size.min(self.options.size).saturating_sub(shelf.open);
            (closing, shelf.usual.clone().filter(|usual| missing > 0 && !usual.is_untouched))
        };
        self.left(closing.len());
        for mut at_rest in closing {
            at_rest.say_goodbye();
        }
        if let Some(lineage) = missing
            && let Ok(_seat) = Arc::clone(&self.seats).try_acquire_owned()
        {
            // One at a time: a database that has just come back is not to be run over.
            match self.open(&lineage).await {
                Ok(at_rest) => self.give_back(at_rest),
                Err(error) => tracing::debug!(%error, "no connection to keep ready"),
            }
        }
    }

    /// Where connections are opened now. Those to the host before are lent no more: it may be a primary that does not know
    /// that there is another one.
    fn host(&self) -> usize {
        self.endpoint.hosts.current()
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf<T>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Shelf<T> {
    /// The session's last, or the one that came back last.
    fn take(&mut self, lineage: &Lineage, session: u64, host: usize) -> Option<Box<AtRest<T>>> {
        let fits = |at_rest: &AtRest<T>| at_rest.lineage == *lineage && at_rest.host() == host;
        let all = || self.at_rest.iter();
        let place = all()
            .rposition(|at_rest| at_rest.session == session && fits(at_rest))
            .or_else(|| all().rposition(|at_rest| fits(at_rest)))?;
        Some(self.at_rest.remove(place))
    }

    fn oldest(&mut self) -> Option<Box<AtRest<T>>> {
        (!self.at_rest.is_empty()).then(|| self.at_rest.remove(0))
    }

    fn retire(&mut self, options: &PoolOptions, host: usize) -> Vec<Box<AtRest<T>>> {
        let mut closing = Vec::new();
        let mut spare = self.open.saturating_sub(options.min_size);
        let mut place = 0;
        while let Some(at_rest) = self.at_rest.get(place) {
            let is_idle = at_rest.rested() > options.idle && spare > 0;
            if is_idle || at_rest.age() > options.lifetime || at_rest.host() != host {
                spare = spare.saturating_sub(1);
                closing.push(self.at_rest.remove(place));
            } else {
                place = place.saturating_add(1);
            }
        }
        closing
    }
}

/// Counts a session that waits, for as long as it does.
struct Waiting<'a> {
    waiting: &'a AtomicUsize,
    since: Instant,
}

impl<'a> Waiting<'a> {
    fn new<T>(place: &'a Place<T>) -> Waiting<'a> {
        place.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting { waiting: &place.waiting, since: Instant::now() }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is counted as open before it is.
struct Opening<'a, T> {
    place: &'a Place<T>,
    has_failed: bool,
}

impl<T> Drop for Opening<'_, T> {
    fn drop(&mut self) {
        if self.has_failed {
            self.place.left(1);
        }
    }
}
