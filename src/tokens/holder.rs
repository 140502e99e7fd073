//! Holds the issuer's keys, and fetches them again when it is time or when a token names one that is not known.
//!
//! INVARIANT: whatever clients send, keys are fetched once in [`BETWEEN_FETCHES`] at most, and a client that goes away
//! ends no fetch that others wait for.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::judge::{Fault, judge};
use super::keys::Keys;
use super::{Address, KeyPlace, TokenOptions, fetch};

/// Tokens that name unknown keys make nobody ask the issuer more often.
const BETWEEN_FETCHES: Duration = Duration::from_secs(10);
/// Keys are fetched again after so long: what an issuer has taken back counts no longer than this.
const FRESH: Duration = Duration::from_secs(300);
/// The same after a fetch that failed.
const RETRY: Duration = Duration::from_secs(30);
/// Keys that could not be fetched anew for so long count no more: who can keep them from coming could keep a key alive
/// that was taken back.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Who tokens let in.
pub struct Tokens {
    options: TokenOptions,
    /// What was fetched last; always `None` with a file.
    held: RwLock<Option<Held>>,
    tried: Mutex<Option<Instant>>,
}

#[derive(Clone)]
struct Held {
    keys: Arc<Keys>,
    at: Instant,
}

/// A token that lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The roles of this session, in the order of the rules.
    pub roles: Vec<String>,
    /// When it must end.
    pub until: SystemTime,
}

impl Tokens {
    /// Without keys yet, where they have to be fetched.
    pub fn new(options: TokenOptions) -> Tokens {
        Tokens { options, held: RwLock::new(None), tried: Mutex::new(None) }
    }

    /// What the configuration says.
    pub fn options(&self) -> &TokenOptions {
        &self.options
    }

    /// Does this token let in the user for whom `needed` must stand in the user claim, and who has these roles?
    ///
    /// # Errors
    /// Why not; for the log alone.
    pub async fn admit(
        self: &Arc<Self>,
        token: &str,
        needed: &str,
        roles: &[String],
    ) -> Result<Admission, Fault> {
        let by_known_keys = || self.keys().and_then(|keys| judge(token, &keys, &self.options));
        let claims = match by_known_keys() {
            Err(Fault::UnknownKey | Fault::NoKeys) => {
                self.refresh().await;
                by_known_keys()?
            }
            judged => judged?,
        };
        claims.judge_user(needed, &self.options)?;
        let roles = claims.roles(roles, &self.options)?;
        Ok(Admission { roles, until: claims.until })
    }

    /// The keys that count now.
    fn keys(&self) -> Result<Arc<Keys>, Fault> {
        match &self.options.keys {
            KeyPlace::File { keys, .. } => Ok(Arc::clone(keys)),
            KeyPlace::Address(_) => {
                let held = self.held();
                let held = held.filter(|held| held.at.elapsed() < AGE_MAX);
                held.map(|held| held.keys).ok_or(Fault::NoKeys)
            }
        }
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the keys, unless that was tried a moment ago. Where it fails, those from before stay.
    pub async fn refresh(self: &Arc<Self>) {
        let KeyPlace::Address(address) = &self.options.keys else { return };
        let (this, address) = (Arc::clone(self), address.clone());
        // A task of its own: whoever has asked may go away meanwhile.
        let _ = tokio::spawn(async move { this.fetch(&address).await }).await;
    }

    /// How long until they should be fetched again.
    pub fn rest(&self) -> Duration {
        match self.held().filter(|held| held.at.elapsed() < FRESH) {
            Some(held) => FRESH.saturating_sub(held.at.elapsed()),
            None => RETRY,
        }
    }

    async fn fetch(&self, address: &Address) {
        let mut tried = self.tried.lock().await;
        if tried.is_some_and(|at| at.elapsed() < BETWEEN_FETCHES) {
            return;
        }
        *tried = Some(Instant::now());
        let fetched = fetch::fetch(address).await.map_err(|fault| fault.to_string());
        let read = fetched.and_then(|text| Keys::read(&text).map_err(|fault| fault.to_string()));
        let before = self.held();
        match read {
            Ok(keys) => {
                if before.is_none_or(|before| *before.keys != keys) {
                    tracing::info!(keys = keys.count(), "the issuer of tokens has other keys");
                }
                let held = Held { keys: Arc::new(keys), at: Instant::now() };
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
            }
            Err(why) => match before {
                Some(before) => tracing::warn!(
                    %why,
                    age_seconds = before.at.elapsed().as_secs(),
                    "the keys of the issuer of tokens could not be fetched; those from before count"
                ),
                None => tracing::warn!(
                    %why,
                    "the keys of the issuer of tokens could not be fetched; tokens let nobody in"
                ),
            },
        }
    }
}
