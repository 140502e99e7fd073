//! How many sockets may stand at the door, not yet logged in.
//!
//! When there are too many, of one address or of all, the one that has waited longest has to go: a flood of sockets
//! that never log in pushes out itself, and whoever logs in at once gets in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Sockets in all.
pub const WAITING_MAX: usize = 256;
/// Sockets of one address; all Unix sockets are one.
pub const WAITING_OF_ADDRESS_MAX: usize = 192;

/// Counts who waits.
#[derive(Default)]
pub struct Doorkeeper {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    /// In the order in which they came.
    tickets: BTreeMap<u64, (Option<IpAddr>, Arc<Notify>)>,
}

/// A place at the door; given back when dropped.
pub struct Ticket {
    number: u64,
    must_go: Arc<Notify>,
    keeper: Arc<Doorkeeper>,
}

impl Doorkeeper {
    /// A place for a new socket; somebody else may lose theirs.
    pub fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Ticket {
        let must_go = Arc::new(Notify::new());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address: Vec<u64> = waiting
            .tickets
            .iter()
            .filter(|(_, (other, _))| *other == address)
            .map(|(number, _)| *number)
            .collect();
        let evicted = if of_address.len() >= WAITING_OF_ADDRESS_MAX {
            of_address.first().copied()
        } else if waiting.tickets.len() >= WAITING_MAX {
            waiting.tickets.keys().next().copied()
        } else {
            None
        };
        if let Some((_, must_go)) = evicted.and_then(|number| waiting.tickets.remove(&number)) {
            must_go.notify_one();
        }
        let number = waiting.next;
        waiting.next = waiting.next.wrapping_add(1);
        waiting.tickets.insert(number, (address, Arc::clone(&must_go)));
        Ticket { number, must_go, keeper: Arc::clone(self) }
    }
}

impl Ticket {
    /// Returns when the place has been given to somebody else.
    pub async fn lost(&self) {
        self.must_go.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut waiting = self.keeper.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.tickets.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::{Doorkeeper, Ticket, WAITING_MAX, WAITING_OF_ADDRESS_MAX};

    fn is_lost(ticket: &Ticket) -> bool {
        use std::future::Future;
        use std::task::{Context, Waker};
        let mut context = Context::from_waker(Waker::noop());
        std::pin::pin!(ticket.lost()).poll(&mut context).is_ready()
    }

    #[test]
    fn a_flood_pushes_out_itself() {
        let keeper = Arc::new(Doorkeeper::default());
        let (flood, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let quiet = keeper.enter(Some(other));
        let mut tickets: Vec<_> =
            (0..WAITING_OF_ADDRESS_MAX + 1).map(|_| keeper.enter(Some(flood))).collect();
        assert!(is_lost(&tickets[0]));
        assert!(!is_lost(&tickets[1]) && !is_lost(&quiet));
        tickets.remove(0);
        drop(tickets);
        assert_eq!(keeper.waiting.lock().unwrap().tickets.len(), 1);
    }

    #[test]
    fn there_is_a_limit_for_all_together() {
        let keeper = Arc::new(Doorkeeper::default());
        let address = |number: usize| IpAddr::from([10, 0, (number / 256) as u8, number as u8]);
        let tickets: Vec<_> =
            (0..WAITING_MAX + 1).map(|n| keeper.enter(Some(address(n)))).collect();
        assert!(is_lost(&tickets[0]) && !is_lost(&tickets[1]));
        assert_eq!(keeper.waiting.lock().unwrap().tickets.len(), WAITING_MAX);
    }
}
