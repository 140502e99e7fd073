//! Logins that have failed make the next ones wait: by user and client address, so that nobody else notices.
//!
//! Pure but for the instants that it is given. Names are as they were claimed, whoever exists. Attempts of the same kind
//! wait one behind the other, so many at once try no more passwords than one after the other.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// So many may fail before anybody waits: who mistypes is not an attacker.
const FREE: u32 = 3;
/// The first wait; each further failure doubles it.
const WAIT: Duration = Duration::from_millis(500);
/// The longest. Together with a login it is well below the time that a login has.
const WAIT_MAX: Duration = Duration::from_secs(4);
/// Failures are forgotten when there has been none for so long.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// Kinds that are remembered at most; clients choose the names.
const KINDS_MAX: usize = 16_384;

/// Who tries: the client's address (of IPv6 the network, since a client has all of it) and the name claimed.
pub type Kind = (Option<IpAddr>, String);

/// Failures by kind.
#[derive(Default)]
pub struct Slowing {
    failed: DashMap<Kind, Failed>,
}

struct Failed {
    count: u32,
    last: Instant,
    /// When the next one may begin.
    next: Instant,
}

/// Too many wait already: this is how long one more would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong(pub Duration);

/// The kind of an attempt.
pub fn kind(address: Option<IpAddr>, name: &str) -> Kind {
    let address = address.map(|address| match address {
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        IpAddr::V4(_) => address,
    });
    (address, name.to_owned())
}

impl Slowing {
    /// How long an attempt has to wait before it begins.
    pub fn enter(&self, kind: &Kind, now: Instant) -> Result<Duration, TooLong> {
        let Some(mut failed) = self.failed.get_mut(kind) else { return Ok(Duration::ZERO) };
        if is_forgotten(&failed, now) {
            return Ok(Duration::ZERO);
        }
        let begin = failed.next.max(now);
        let wait = begin.saturating_duration_since(now);
        if wait > WAIT_MAX {
            return Err(TooLong(wait));
        }
        failed.next = begin + pause(failed.count);
        Ok(wait)
    }

    /// An attempt has failed.
    pub fn failed(&self, kind: Kind, now: Instant) {
        if self.failed.len() >= KINDS_MAX {
            self.make_room(now);
        }
        let fresh = || Failed { count: 0, last: now, next: now };
        let mut failed = self.failed.entry(kind).or_insert_with(fresh);
        if is_forgotten(&failed, now) {
            *failed = fresh();
        }
        failed.count = failed.count.saturating_add(1);
        failed.last = now;
        failed.next = failed.next.max(now + pause(failed.count));
    }

    /// Forgets what is over, and of the rest the oldest quarter, so that it is seldom done.
    fn make_room(&self, now: Instant) {
        self.failed.retain(|_, failed| !is_forgotten(failed, now));
        let mut all: Vec<Instant> = self.failed.iter().map(|entry| entry.last).collect();
        all.sort_unstable();
        let Some(oldest) = all.get(KINDS_MAX / 4).filter(|_| all.len() >= KINDS_MAX) else {
            return;
        };
        self.failed.retain(|_, failed| failed.last > *oldest);
    }

    /// An attempt was good.
    pub fn succeeded(&self, kind: &Kind) {
        self.failed.remove(kind);
    }
}

fn is_forgotten(failed: &Failed, now: Instant) -> bool {
    now.saturating_duration_since(failed.last) >= FORGOTTEN
}

fn pause(failures: u32) -> Duration {
    match failures.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => WAIT.saturating_mul(1 << over.min(16)).min(WAIT_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Kind {
        kind(Some([10, 0, 0, 1].into()), "alice")
    }

    #[test]
    fn failures_make_the_same_one_wait_longer_and_longer() {
        let (slowing, start) = (Slowing::default(), Instant::now());
        let waits: Vec<u128> = (0..10)
            .scan(start, |now, _| {
                let wait = slowing.enter(&alice(), *now).unwrap();
                *now += wait;
                slowing.failed(alice(), *now);
                Some(wait.as_millis())
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 500, 1000, 2000, 4000, 4000, 4000, 4000]);
        for other in [
            kind(Some([10, 0, 0, 2].into()), "alice"),
            kind(Some([10, 0, 0, 1].into()), "dba"),
            kind(None, "alice"),
        ] {
            assert_eq!(slowing.enter(&other, start), Ok(Duration::ZERO));
        }
        slowing.succeeded(&alice());
        assert_eq!(slowing.enter(&alice(), start), Ok(Duration::ZERO));
    }

    #[test]
    fn many_at_once_wait_in_turn_and_not_for_ever() {
        let (slowing, start) = (Slowing::default(), Instant::now());
        (0..4).for_each(|_| slowing.failed(alice(), start));
        let waits: Vec<_> = (0..6).map(|_| slowing.enter(&alice(), start)).collect();
        let seconds = |seconds| Ok(Duration::from_secs(seconds));
        let too_long = Err(TooLong(Duration::from_secs(5)));
        assert_eq!(waits, [seconds(1), seconds(2), seconds(3), seconds(4), too_long, too_long]);
        let later = start + FORGOTTEN;
        assert_eq!(slowing.enter(&alice(), later), Ok(Duration::ZERO));
        slowing.failed(alice(), later);
        assert_eq!(slowing.enter(&alice(), later), Ok(Duration::ZERO));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let of = |text: &str| kind(Some(text.parse().unwrap()), "alice");
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn names_without_end_fill_no_memory_and_the_oldest_go() {
        let (slowing, start) = (Slowing::default(), Instant::now());
        for number in 0..KINDS_MAX + 10 {
            let at = start + Duration::from_millis(u64::try_from(number).unwrap());
            slowing.failed(kind(None, &number.to_string()), at);
            if number < 3 {
                (0..5).for_each(|_| slowing.failed(alice(), at));
            }
        }
        let last = start + Duration::from_secs(17);
        assert!(slowing.failed.len() <= KINDS_MAX);
        // Whoever has failed lately is still known.
        let newest = kind(None, &(KINDS_MAX + 9).to_string());
        assert!(slowing.failed.contains_key(&newest) && !slowing.failed.contains_key(&alice()));
        // At the same moment, too.
        (0..KINDS_MAX * 2)
            .for_each(|number| slowing.failed(kind(None, &format!("x{number}")), last));
        assert!(slowing.failed.len() <= KINDS_MAX);
    }
}
