//! The keys of an issuer, from its address: one GET. Without TLS only this machine is asked: who can change keys on their
//! way can make tokens.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT, HeaderValue};
use hyper::{Request, StatusCode};
use rustls::RootCertStore;

use crate::http::{self, Bounds, NoAddress};

/// Sets of keys are some kilobytes; what is longer is something else.
pub const KEYS_BYTES_MAX: usize = 256 * 1024;
/// A login that waits for it has time left.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), body_bytes: KEYS_BYTES_MAX };

/// Where keys are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(http::Address);

/// What is wrong with an address. No text of these quotes it: a password may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// No such thing.
    #[error("this is no address of a key set, such as https://id.example.com/jwks.json")]
    NoAddress,
    /// `user:password@`.
    #[error("an address of keys has no user and no password in it: keys are public")]
    Credentials,
    /// `http:` over a network.
    #[error(
        "without TLS whoever stands in between can put keys of their own in the place of the issuer's"
    )]
    Open,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFault {
    #[error(transparent)]
    Http(#[from] http::Fault),
    #[error("the answer's status is {0}; redirects are not followed")]
    Status(StatusCode),
}

impl Address {
    /// Takes `https:`, and `http:` of this machine. `roots` must have signed the certificate of `https:`.
    pub fn new(text: &str, roots: &Arc<RootCertStore>) -> Result<Address, AddressFault> {
        match http::Address::new(text, Some(roots)) {
            Ok(address) if address.is_safe_on_the_way() => Ok(Address(address)),
            Ok(_) => Err(AddressFault::Open),
            Err(NoAddress::Malformed) => Err(AddressFault::NoAddress),
            Err(NoAddress::Credentials) => Err(AddressFault::Credentials),
        }
    }
}

/// What stands there.
pub(super) async fn fetch(Address(address): &Address) -> Result<Bytes, FetchFault> {
    let mut request = Request::new(Bytes::new());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = address.ask(request, BOUNDS).await?;
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body()),
        other => Err(FetchFault::Status(other)),
    }
}

#[cfg(test)]
mod tests;
