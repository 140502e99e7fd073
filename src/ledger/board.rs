//! What is in force, for the sessions: looked at before each statement, so it costs next to nothing where there is nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::grants::Grant;
use crate::policy::{Opening, Openings};
use crate::rules::RuleSet;

/// Of one user, at once. More would make each statement of the user a long one.
const OF_A_USER_MAX: usize = 16;

/// The grants in force.
#[derive(Debug, Default)]
pub struct Board {
    has_any: AtomicBool,
    live: RwLock<HashMap<String, Vec<Live>>>,
}

#[derive(Debug)]
struct Live {
    role: String,
    database: String,
    /// Milliseconds since 1970.
    until: i64,
    opening: Arc<Opening>,
}

impl Board {
    /// What is opened to a session now; `None`: nothing.
    pub fn of(&self, user: &str, role: &str, database: &str) -> Option<Openings> {
        if !self.has_any.load(Ordering::Acquire) {
            return None;
        }
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let own = live.get(user)?;
        let now = super::now();
        let own = own
            .iter()
            .filter(|one| now < one.until && one.role == role && one.database == database);
        let own: Vec<Arc<Opening>> = own.map(|one| Arc::clone(&one.opening)).collect();
        (!own.is_empty()).then(|| own.into())
    }

    /// From now on these, by these rules. Gives how many are in force, and those that the rules do not let count any more,
    /// each with why.
    pub fn put(&self, grants: &[Grant], rules: &RuleSet) -> (usize, Vec<(u64, String)>) {
        let now = super::now();
        let mut live: HashMap<String, Vec<Live>> = HashMap::new();
        let (mut count, mut refused) = (0_usize, Vec::new());
        for grant in grants.iter().filter(|grant| grant.is_in_force(now)) {
            match (grant.opening(rules, now), grant.until) {
                (Ok(opening), Some(until)) => {
                    let own = live.entry(grant.wish.user.clone()).or_default();
                    if own.len() >= OF_A_USER_MAX {
                        let why = format!("the user has {OF_A_USER_MAX} others in force");
                        refused.push((grant.number, why));
                        continue;
                    }
                    count = count.saturating_add(1);
                    own.push(Live {
                        role: grant.wish.role.clone(),
                        database: grant.wish.database.clone(),
                        until,
                        opening: Arc::new(opening),
                    });
                }
                (Ok(_), None) => {}
                (Err(why), _) => refused.push((grant.number, why)),
            }
        }
        let has_any = !live.is_empty();
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        self.has_any.store(has_any, Ordering::Release);
        (count, refused)
    }

    /// Nothing is in force.
    pub fn clear(&self) {
        self.live.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.has_any.store(false, Ordering::Release);
    }
}
