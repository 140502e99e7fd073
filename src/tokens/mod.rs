//! JSON Web Tokens as passwords: the keys of an issuer, and what a token must hold to let somebody in.
//!
//! A token comes from outside, and nothing in it is believed before its signature is checked by a key that the
//! configuration names: of its header only `alg` and `kid` count, and both only choose among what is allowed and known
//! already. `jku`, `jwk`, `x5u` and `x5c` are never looked at. Symmetric algorithms and `none` are no algorithms here.
//!
//! INVARIANTS: no [`Fault`], no log line and no `Debug` holds a token or a claim of one; keys are fetched from the
//! address of the configuration only.
//! <https://www.rfc-editor.org/rfc/rfc7519>, <https://www.rfc-editor.org/rfc/rfc8725>

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod fetch;
mod holder;
mod judge;
mod keys;
mod signature;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use fetch::{Address, AddressFault, KEYS_BYTES_MAX};
pub use holder::{Admission, Tokens};
pub use jsonwebtoken::Algorithm;
pub use judge::Fault;
pub use keys::{Keys, KeysFault};

/// Algorithms that may be allowed, by their names; all of them are if none are named.
pub const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// `jwt:` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOptions {
    /// `iss`, to the letter.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// Where the issuer's keys come from.
    pub keys: KeyPlace,
    /// Where the user stands in the claims: a name, or names from the outside in.
    pub user_claim: Vec<String>,
    /// Where the roles stand; `None`: the rules alone say which.
    pub role_claim: Option<Vec<String>>,
    /// Those of [`ALGORITHMS`] that count.
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock may be from ours.
    pub leeway: Duration,
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// A file, as it was read with the configuration.
    File {
        /// Where it lies.
        path: PathBuf,
        /// What stands in it.
        keys: Arc<Keys>,
    },
    /// Fetched over HTTP.
    Address(Address),
}

impl KeyPlace {
    /// The file, where it is one: it is watched.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            KeyPlace::File { path, .. } => Some(path),
            KeyPlace::Address(_) => None,
        }
    }
}
