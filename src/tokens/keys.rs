//! The keys of an issuer: a JSON Web Key Set, of which what can check signatures is kept.
//!
//! A set may hold keys for other things, and kinds of keys that are newer than Scrim: they are left out. What is kept
//! is for asymmetric algorithms alone; a symmetric key in a set is a secret that somebody has published.
//! <https://www.rfc-editor.org/rfc/rfc7517>

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use ring::digest;
use serde::Deserialize;
use serde_json::Value;

use super::judge::Fault;

/// Bits of an RSA modulus, as ring takes them.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// Keys that can check signatures; at least one.
pub struct Keys {
    keys: Vec<Key>,
    /// SHA-256 of the text.
    hash: Vec<u8>,
    holds_secrets: bool,
}

struct Key {
    id: Option<String>,
    /// What it is for.
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why a text gives no keys. No text of these quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// Something else.
    #[error("it is no JSON Web Key Set (`{{\"keys\": […]}}`)")]
    NoSet,
    /// Keys, in another form.
    #[error("it is PEM, and a JSON Web Key Set (`{{\"keys\": […]}}`) belongs here")]
    Pem,
    /// Keys of other kinds.
    #[error(
        "none of its {0} keys can check tokens: RSA of 2048 bits and more, P-256, P-384 and Ed25519 can, \
         where `use`, `key_ops` and `alg` do not say otherwise"
    )]
    NoneFits(usize),
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a set.
    pub fn read(text: &[u8]) -> Result<Keys, KeysFault> {
        if text.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(KeysFault::Pem);
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| KeysFault::NoSet)?;
        let count = set.keys.len();
        let holds_secrets = set.keys.iter().any(is_secret);
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeysFault::NoneFits(count));
        }
        let hash = digest::digest(&digest::SHA256, text).as_ref().to_vec();
        Ok(Keys { keys, hash, holds_secrets })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// True when there are private or symmetric keys too, which do not belong here.
    pub fn holds_secrets(&self) -> bool {
        self.holds_secrets
    }

    /// The keys by which a token with this `kid` and algorithm may be checked; without a `kid`, the only one that fits.
    pub(super) fn fitting(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<&DecodingKey>, Fault> {
        let fits = |key: &&Key| key.algorithms.contains(&algorithm);
        match id {
            Some(id) => {
                let named = || self.keys.iter().filter(|key| key.id.as_deref() == Some(id));
                let fitting: Vec<_> = named().filter(fits).map(|key| &key.key).collect();
                match fitting.is_empty() {
                    false => Ok(fitting),
                    true if named().next().is_some() => Err(Fault::Misfit),
                    true => Err(Fault::UnknownKey),
                }
            }
            None => match self.keys.iter().filter(fits).collect::<Vec<_>>().as_slice() {
                [] => Err(Fault::Misfit),
                [only] => Ok(vec![&only.key]),
                _ => Err(Fault::NoKeyId),
            },
        }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Keys) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Keys {}

/// Says how many there are.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.keys.len())
    }
}

impl Key {
    /// `None`: it is for something else, or too weak.
    fn read(value: Value) -> Option<Key> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let common = &jwk.common;
        let is_for_signatures = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let may_verify =
            common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !is_for_signatures || !may_verify {
            return None;
        }
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let has = |text: &str, length: usize| bytes(text).is_some_and(|it| it.len() == length);
        let (key, fits): (DecodingKey, &[Algorithm]) = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => {
                let (n, e) = (bytes(&rsa.n)?, bytes(&rsa.e)?);
                let n = without_zeros(&n);
                let bits = n
                    .len()
                    .checked_mul(8)?
                    .checked_sub(usize::try_from(n.first()?.leading_zeros()).ok()?)?;
                if !RSA_BITS.contains(&bits) {
                    return None;
                }
                (DecodingKey::from_rsa_raw_components(n, without_zeros(&e)), RSA)
            }
            AlgorithmParameters::EllipticCurve(point) => {
                let (length, fits): (_, &[Algorithm]) = match point.curve {
                    EllipticCurve::P256 => (32, &[Algorithm::ES256]),
                    EllipticCurve::P384 => (48, &[Algorithm::ES384]),
                    _ => return None,
                };
                if !has(&point.x, length) || !has(&point.y, length) {
                    return None;
                }
                (DecodingKey::from_ec_components(&point.x, &point.y).ok()?, fits)
            }
            AlgorithmParameters::OctetKeyPair(pair) => {
                if pair.curve != EllipticCurve::Ed25519 || !has(&pair.x, 32) {
                    return None;
                }
                (DecodingKey::from_ed_components(&pair.x).ok()?, &[Algorithm::EdDSA])
            }
            // Symmetric ones, and what is newer.
            _ => return None,
        };
        let algorithms = match common.key_algorithm {
            None => fits.to_vec(),
            Some(only) => {
                let only = Algorithm::try_from(only).ok().filter(|only| fits.contains(only));
                vec![only?]
            }
        };
        Some(Key { id: common.key_id.clone(), algorithms, key })
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A private key, or a symmetric one.
fn is_secret(key: &Value) -> bool {
    key.get("d").is_some() || key.get("k").is_some()
}
