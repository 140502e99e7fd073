//! How a running Scrim follows a store: it looks, puts what is in force on the board, and gives what has happened.
//!
//! A file is asked four times a second, which costs a few system calls. So is a shared store, by one short question over one
//! connection: a notification would tell of changes, but not that the store still lives, nor what time it is there, so a
//! question is needed anyway, and finds changes too, by hand as well. What was read counts for a second at most: from then
//! on it may have been taken back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::shared::{Shared, SharedPlace};
use super::store::Store;
use super::told::Told;
use super::{AsOf, Board, Fault, Happened, Place, now};
use crate::rules::RuleSet;

/// How often a store is asked whether anything has changed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long what was read in a shared store counts, from before it was asked for.
const COUNTS_FOR: Duration = Duration::from_secs(1);
/// How long a look at a shared store may take: another one is to follow before that is over.
const LOOK_TIMEOUT: Duration = Duration::from_millis(700);
/// How long one that opens it may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between two looks at a shared store that is not there.
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// What a look has brought.
#[derive(Debug)]
pub struct Looked {
    /// What has happened and does not stand in the audit.
    pub untold: Vec<Happened>,
    /// The board is made anew: how many are in force, and which do not count.
    pub put: Option<(usize, Vec<(u64, String)>)>,
}

/// Follows a store.
pub enum Follower {
    /// A file.
    File(FileFollower),
    /// A PostgreSQL.
    Shared(Box<SharedFollower>),
}

impl Follower {
    /// Of a store, for an audit trail in a file.
    pub fn new(place: &Place, audit_file: &Path) -> Follower {
        match place {
            Place::File(path) => Follower::File(FileFollower { path: path.clone(), store: None }),
            Place::Shared(place) => Follower::Shared(Box::new(SharedFollower {
                place: (**place).clone(),
                shared: None,
                seen: None,
                ends: Vec::new(),
                told: Told::of_trail(audit_file),
                failures: 0,
            })),
        }
    }

    /// True where steps have the same numbers in the trails of several Scrims.
    pub fn is_shared(&self) -> bool {
        matches!(self, Follower::Shared(_))
    }

    /// Looks. The board is made anew when something has changed, or the rules have.
    ///
    /// # Errors
    /// It cannot be read; the board is to be cleared.
    pub async fn look(
        &mut self,
        board: &Arc<Board>,
        rules: &Arc<RuleSet>,
        is_newer: bool,
    ) -> Result<Looked, Fault> {
        match self {
            Follower::File(file) => file.look(board, rules, is_newer).await,
            Follower::Shared(shared) => shared.look(board, rules, is_newer).await,
        }
    }

    /// It stands in the audit.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn told(&mut self, number: i64) -> Result<(), Fault> {
        match self {
            Follower::File(file) => file.told(number).await,
            Follower::Shared(shared) => {
                shared.told(number);
                Ok(())
            }
        }
    }

    /// How long to wait before the next look.
    pub fn pause(&self) -> Duration {
        match self {
            Follower::Shared(shared) if shared.failures > 0 => pause(shared.failures, dice()),
            Follower::File(_) | Follower::Shared(_) => LOOK_EVERY,
        }
    }
}

/// After so many failures; twice as long each time, and not the same for all who wait for one server.
fn pause(failures: u32, dice: u8) -> Duration {
    let most = LOOK_EVERY.saturating_mul(1_u32.checked_shl(failures.min(8)).unwrap_or(1));
    let half = most.min(PAUSE_MAX) / 2;
    half.saturating_add(half.saturating_mul(u32::from(dice)) / 255)
}

fn dice() -> u8 {
    let mut one = [0_u8; 1];
    // Without any, all wait equally long, which is no harm.
    let _ = SystemRandom::new().fill(&mut one);
    let [one] = one;
    one
}

/// Follows a file.
pub struct FileFollower {
    path: PathBuf,
    store: Option<Store>,
}

impl FileFollower {
    async fn look(
        &mut self,
        board: &Arc<Board>,
        rules: &Arc<RuleSet>,
        is_newer: bool,
    ) -> Result<Looked, Fault> {
        let (store, path) = (self.store.take(), self.path.clone());
        let (board, rules) = (Arc::clone(board), Arc::clone(rules));
        let looking = tokio::task::spawn_blocking(move || {
            let mut store = match store {
                Some(store) => store,
                None => Store::open(&path)?,
            };
            let has_expired = store.expire(now())?;
            let has_changed = store.has_changed()?;
            let put = match has_changed || has_expired || is_newer {
                true => Some(board.put(&store.grants(false)?, &rules, AsOf::own(), None)),
                false => None,
            };
            let untold = store.untold()?;
            Ok::<_, Fault>((store, Looked { untold, put }))
        });
        let (store, looked) = looking.await.map_err(std::io::Error::other)??;
        self.store = Some(store);
        Ok(looked)
    }

    async fn told(&mut self, number: i64) -> Result<(), Fault> {
        let Some(mut store) = self.store.take() else { return Ok(()) };
        let telling = tokio::task::spawn_blocking(move || (store.told(number), store));
        let (told, store) = telling.await.map_err(std::io::Error::other)?;
        told?;
        self.store = Some(store);
        Ok(())
    }
}

/// Follows a PostgreSQL.
pub struct SharedFollower {
    place: SharedPlace,
    shared: Option<Shared>,
    /// What the grants in force were when the board was made; `None`: it is to be made.
    seen: Option<String>,
    /// When those end, by the store's clock.
    ends: Vec<i64>,
    told: Told,
    /// Looks that have failed, one after the other.
    failures: u32,
}

impl SharedFollower {
    async fn look(
        &mut self,
        board: &Board,
        rules: &RuleSet,
        is_newer: bool,
    ) -> Result<Looked, Fault> {
        let looked = match self.shared.take() {
            Some(shared) => self.within(LOOK_TIMEOUT, Some(shared), board, rules, is_newer).await,
            None => {
                self.seen = None;
                self.within(OPEN_TIMEOUT, None, board, rules, is_newer).await
            }
        };
        self.failures = match &looked {
            Ok(_) => 0,
            Err(_) => self.failures.saturating_add(1),
        };
        looked
    }

    /// A connection on which something was not answered in time is not used any more.
    async fn within(
        &mut self,
        timeout: Duration,
        shared: Option<Shared>,
        board: &Board,
        rules: &RuleSet,
        is_newer: bool,
    ) -> Result<Looked, Fault> {
        let place = self.place.clone();
        let looking = async {
            let mut shared = match shared {
                Some(shared) => shared,
                None => Shared::open(&place).await?,
            };
            let looked = self.looked(&mut shared, board, rules, is_newer).await?;
            Ok::<_, Fault>((shared, looked))
        };
        let (shared, looked) =
            tokio::time::timeout(timeout, looking).await.map_err(|_| Fault::Slow)??;
        self.shared = Some(shared);
        Ok(looked)
    }

    async fn looked(
        &mut self,
        shared: &mut Shared,
        board: &Board,
        rules: &RuleSet,
        is_newer: bool,
    ) -> Result<Looked, Fault> {
        // Before the question: what is answered is not older.
        let (own, instant) = (now(), Instant::now());
        let glance = shared.glance().await?;
        let as_of = AsOf { store: glance.now, own, instant };
        let counts_until = instant.checked_add(COUNTS_FOR).unwrap_or(instant);
        let is_over = self.ends.iter().any(|end| *end <= glance.now);
        if is_over {
            shared.expire().await?;
        }
        let has_changed = self.seen.as_ref() != Some(&glance.state);
        let put = match has_changed || is_over || is_newer {
            true => {
                let grants = shared.in_force().await?;
                // Those that are over and not written down so have no end to be waited for but this.
                self.ends = grants.iter().map(|grant| grant.until.unwrap_or_default()).collect();
                self.seen = Some(glance.state);
                Some(board.put(&grants, rules, as_of, Some(counts_until)))
            }
            false => {
                board.renew(counts_until);
                None
            }
        };
        let known = self.told.step(shared.id(), glance.steps);
        let step = match known {
            Some(step) => step,
            None => {
                let step = shared.step_before_live().await?;
                self.told.set(shared.id(), step);
                step
            }
        };
        let untold = match step < glance.steps {
            true => shared.happened_after(step).await?,
            false => Vec::new(),
        };
        Ok(Looked { untold, put })
    }

    fn told(&mut self, step: i64) {
        if let Some(shared) = &self.shared {
            self.told.set(shared.id(), step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_it_is_away_the_less_it_is_asked_and_not_by_all_at_once() {
        assert_eq!(pause(1, 0), Duration::from_millis(250));
        assert_eq!(pause(1, 255), Duration::from_millis(500));
        for failures in 1..100 {
            let (least, most) = (pause(failures, 0), pause(failures, 255));
            assert!(least < most && most <= PAUSE_MAX && least >= LOOK_EVERY, "{failures}");
            assert!(pause(failures.saturating_add(1), 0) >= least);
        }
    }
}
