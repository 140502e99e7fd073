//! Who is here: sessions by the cancel key that their client was told.
//!
//! The keys are Scrim's own; the server's never reach a client. So are the process ids of masked sessions; an untouched
//! one has its server connection's, which `pg_backend_pid()` and notifications tell it too. A cancel is passed on only while the session that
//! was told the key is here, to the server connection that it has at that moment. INVARIANT: while a cancel is on its
//! way, up to the moment at which PostgreSQL has closed the connection that brought it, that server connection stays
//! with its session; and where that moment was never seen, nobody else gets it. Else it could end somebody else's
//! statement.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS>

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Mutex;

use ring::rand::{SecureRandom, SystemRandom};

use crate::upstream::{self, Endpoint};

/// Key lengths: protocol 3.0 has 4 bytes, 3.2 lets a server choose up to 256.
const SHORT_KEY_BYTES: usize = 4;
const LONG_KEY_BYTES: usize = 32;

/// All sessions.
#[derive(Default)]
pub struct Registry {
    sessions: DashMap<i32, Present>,
}

struct Present {
    key: Vec<u8>,
    serving: Arc<Serving>,
}

/// Which server connection a session has now. Held while a cancel is on its way there.
type Serving = Mutex<Option<Served>>;

struct Served {
    target: Target,
    /// A cancel was sent there, and PostgreSQL has not been seen to be through with it.
    is_doubtful: bool,
}

/// Where a cancel goes: the server, and the process id and key of the connection there.
pub type Target = (Arc<Endpoint>, usize, (i32, Vec<u8>));

/// A session's entry, taken out when dropped.
pub struct Presence {
    process_id: i32,
    key: Vec<u8>,
    serving: Arc<Serving>,
    registry: Arc<Registry>,
}

impl Registry {
    /// Enters a session under a new key, and under the process id that is asked for unless somebody has it; `None` when
    /// there is no randomness.
    pub fn enter(
        self: &Arc<Self>,
        has_long_keys: bool,
        mut wanted: Option<i32>,
    ) -> Option<Presence> {
        let mut key = vec![0; if has_long_keys { LONG_KEY_BYTES } else { SHORT_KEY_BYTES }];
        loop {
            let mut id = [0; 4];
            let random = SystemRandom::new();
            random.fill(&mut key).ok()?;
            random.fill(&mut id).ok()?;
            let process_id = wanted.take().unwrap_or(i32::from_be_bytes(id) & i32::MAX);
            if let Entry::Vacant(place) = self.sessions.entry(process_id) {
                let serving: Arc<Serving> = Arc::default();
                place.insert(Present { key: key.clone(), serving: Arc::clone(&serving) });
                return Some(Presence { process_id, key, serving, registry: Arc::clone(self) });
            }
        }
    }

    /// Passes a cancel on to the session that was told this key, if it is here. There is never an answer.
    pub async fn cancel(&self, process_id: i32, key: &[u8]) {
        let found = self
            .sessions
            .get(&process_id)
            .and_then(|present| is_equal(&present.key, key).then(|| Arc::clone(&present.serving)));
        let Some(serving) = found else { return };
        let mut serving = serving.lock().await;
        let Some(Served { target: (endpoint, host, backend_key), is_doubtful }) = &mut *serving
        else {
            return;
        };
        // Also where this is given up half-way.
        let was_doubtful = std::mem::replace(is_doubtful, true);
        match upstream::cancel(endpoint, *host, backend_key).await {
            Ok(()) => *is_doubtful = was_doubtful,
            Err(error) => tracing::warn!(%error, "a cancel could not be passed on"),
        }
    }
}

impl Presence {
    /// What the client is told.
    pub fn process_id(&self) -> i32 {
        self.process_id
    }

    /// What the client is told.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The session has this server connection now.
    pub async fn has(&self, target: Target) {
        *self.serving.lock().await = Some(Served { target, is_doubtful: false });
    }

    /// The session gives its server connection up. Returns when no cancel is on its way there; false: one may still
    /// be, and the connection must be closed.
    pub async fn has_none(&self) -> bool {
        self.serving.lock().await.take().is_none_or(|served| !served.is_doubtful)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.registry.sessions.remove(&self.process_id);
    }
}

/// Takes as long for any two keys of a length.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    let differing = left.iter().zip(right).fold(0, |all, (a, b)| all | (a ^ b));
    left.len() == right.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Registry, is_equal};

    #[test]
    fn a_process_id_is_given_once() {
        let registry = Arc::new(Registry::default());
        let first = registry.enter(false, Some(4711)).unwrap();
        assert_eq!(first.process_id(), 4711);
        let second = registry.enter(true, Some(4711)).unwrap();
        assert_ne!(second.process_id(), 4711);
        drop(first);
        assert_eq!(registry.enter(true, Some(4711)).unwrap().process_id(), 4711);
    }

    #[test]
    fn keys_are_equal_or_not() {
        assert!(is_equal(b"abcd", b"abcd"));
        assert!(!is_equal(b"abcd", b"abce"));
        assert!(!is_equal(b"abcd", b"abcdabcd"));
        assert!(!is_equal(b"abcd", b""));
    }
}
