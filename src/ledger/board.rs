//! What is in force, for the sessions: looked at before each statement, so it costs next to nothing where there is nothing.
//!
//! A grant ends by two clocks of this machine, whichever is first: the one that people set, and the one that only runs. So
//! neither a clock that is set back nor a machine that has slept lets it live longer. What comes from a shared store counts
//! for a moment only, and is renewed with every look: a Scrim that cannot look, for whatever reason, grants nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::grants::Grant;
use crate::policy::{Opening, Openings};
use crate::rules::RuleSet;

/// Of one user, at once. More would make each statement of the user a long one.
const OF_A_USER_MAX: usize = 16;

/// The grants in force.
#[derive(Debug, Default)]
pub struct Board {
    has_any: AtomicBool,
    live: RwLock<Live>,
}

#[derive(Debug, Default)]
struct Live {
    /// Until when all of it counts; `None`: until it is cleared.
    counts_until: Option<Instant>,
    of_users: HashMap<String, Vec<One>>,
}

#[derive(Debug)]
struct One {
    role: String,
    database: String,
    /// Milliseconds since 1970, by this machine's clock.
    until: i64,
    /// The same by the clock that nobody sets.
    until_instant: Instant,
    opening: Arc<Opening>,
}

/// The time at which a store was read, by its clock and by this machine's.
#[derive(Debug, Clone, Copy)]
pub struct AsOf {
    /// By the store's: grants begin and end by it.
    pub store: i64,
    /// By this machine's, not later than that.
    pub own: i64,
    /// The same by the clock that nobody sets.
    pub instant: Instant,
}

impl AsOf {
    /// Of a store that has no other clock than this machine's.
    pub fn own() -> AsOf {
        let now = super::now();
        AsOf { store: now, own: now, instant: Instant::now() }
    }
}

impl Board {
    /// What is opened to a session now; `None`: nothing.
    pub fn of(&self, user: &str, role: &str, database: &str) -> Option<Openings> {
        if !self.has_any.load(Ordering::Acquire) {
            return None;
        }
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let own = live.of_users.get(user)?;
        let (now, instant) = (super::now(), Instant::now());
        if live.counts_until.is_some_and(|until| instant >= until) {
            return None;
        }
        let own = own.iter().filter(|one| {
            now < one.until
                && instant < one.until_instant
                && one.role == role
                && one.database == database
        });
        let own: Vec<Arc<Opening>> = own.map(|one| Arc::clone(&one.opening)).collect();
        (!own.is_empty()).then(|| own.into())
    }

    /// From now on these, by these rules, as they were at a time; with `counts_until` only until then. Gives how many are
    /// in force, and those that the rules do not let count any more, each with why.
    pub fn put(
        &self,
        grants: &[Grant],
        rules: &RuleSet,
        as_of: AsOf,
        counts_until: Option<Instant>,
    ) -> (usize, Vec<(u64, String)>) {
        let mut of_users: HashMap<String, Vec<One>> = HashMap::new();
        let (mut count, mut refused) = (0_usize, Vec::new());
        for grant in grants.iter().filter(|grant| grant.is_in_force(as_of.store)) {
            let ends = grant.until.and_then(|until| ends(until, as_of));
            match (grant.opening(rules, as_of.store), ends) {
                (Ok(opening), Some((until, until_instant))) => {
                    let own = of_users.entry(grant.wish.user.clone()).or_default();
                    if own.len() >= OF_A_USER_MAX {
                        let why = format!("the user has {OF_A_USER_MAX} others in force");
                        refused.push((grant.number, why));
                        continue;
                    }
                    count = count.saturating_add(1);
                    own.push(One {
                        role: grant.wish.role.clone(),
                        database: grant.wish.database.clone(),
                        until,
                        until_instant,
                        opening: Arc::new(opening),
                    });
                }
                (Ok(_), None) => {}
                (Err(why), _) => refused.push((grant.number, why)),
            }
        }
        let has_any = !of_users.is_empty();
        *self.live.write().unwrap_or_else(PoisonError::into_inner) =
            Live { counts_until, of_users };
        self.has_any.store(has_any, Ordering::Release);
        (count, refused)
    }

    /// It is still so, until then.
    pub fn renew(&self, counts_until: Instant) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.counts_until = Some(counts_until);
    }

    /// Nothing is in force.
    pub fn clear(&self) {
        self.live.write().unwrap_or_else(PoisonError::into_inner).of_users.clear();
        self.has_any.store(false, Ordering::Release);
    }
}

/// The end of a grant by this machine's clocks.
fn ends(until: i64, as_of: AsOf) -> Option<(i64, Instant)> {
    let left = until.saturating_sub(as_of.store);
    let lasts = Duration::from_millis(u64::try_from(left).ok()?);
    Some((as_of.own.saturating_add(left), as_of.instant.checked_add(lasts)?))
}

#[cfg(test)]
mod tests;
