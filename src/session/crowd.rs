//! How many sessions there are: in all, of an address, of a user, of a role. Each counts from its login to its end.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::closing::Farewell;
use crate::config::ConnectionLimits;
use crate::rules::{Role, User};

/// The counts.
#[derive(Default)]
pub struct Crowd(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    all: u64,
    of_address: HashMap<Option<IpAddr>, u64>,
    of_user: HashMap<String, u64>,
    of_role: HashMap<String, u64>,
}

/// A session's place; given back when dropped.
pub struct Place {
    address: Option<IpAddr>,
    user: String,
    role: String,
    crowd: Arc<Crowd>,
}

impl Crowd {
    /// A place, unless a limit has been reached.
    pub fn enter(
        self: &Arc<Self>,
        limits: &ConnectionLimits,
        address: Option<IpAddr>,
        user: &User,
        role: &Role,
    ) -> Result<Place, Farewell> {
        let mut counts = self.lock();
        let is_full = |count: u64, most: Option<u64>| most.is_some_and(|most| count >= most);
        let of = |counts: &HashMap<String, u64>, name: &str| {
            counts.get(name).copied().unwrap_or_default()
        };
        let of_address = counts.of_address.get(&address).copied().unwrap_or_default();
        // The first is PostgreSQL's own, and so is the one for the user, who is a role to its clients.
        let (message, hint) = if is_full(counts.all, limits.all) {
            (
                "sorry, too many clients already".to_owned(),
                "`limits: {connections: …}` in scrim.yaml allows more",
            )
        } else if is_full(of_address, limits.of_address) {
            (
                "scrim: too many connections from this address".to_owned(),
                "`limits: {connections_per_address: …}` in scrim.yaml allows more",
            )
        } else if is_full(of(&counts.of_user, &user.name), user.connections) {
            (
                format!("too many connections for role \"{}\"", user.name),
                "`connections: …` of the user in the rules allows more",
            )
        } else if is_full(of(&counts.of_role, &role.name), role.limits.connections) {
            (
                format!("scrim: too many connections with role `{}`", role.name),
                "`limits: {connections: …}` of the role in the rules allows more",
            )
        } else {
            counts.all = counts.all.saturating_add(1);
            add(&mut counts.of_address, address);
            add(&mut counts.of_user, user.name.clone());
            add(&mut counts.of_role, role.name.clone());
            drop(counts);
            let (user, role) = (user.name.clone(), role.name.clone());
            return Ok(Place { address, user, role, crowd: Arc::clone(self) });
        };
        Err(Farewell::new("53300", message).hint(hint))
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.lock();
        counts.all = counts.all.saturating_sub(1);
        take(&mut counts.of_address, &self.address);
        take(&mut counts.of_user, &self.user);
        take(&mut counts.of_role, &self.role);
    }
}

fn add<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: K) {
    let count = counts.entry(key).or_default();
    *count = count.saturating_add(1);
}

fn take<K: Eq + Hash>(counts: &mut HashMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
