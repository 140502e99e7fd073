//! Posts to the collector.
//!
//! The exporter asks for it on a thread of its own; the work is done on Scrim's runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use rustls::RootCertStore;
use tokio::runtime::Handle;

use crate::http::{self, Bounds, NoAddress};

/// A collector answers with a few bytes.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), body_bytes: 64 * 1024 };
/// Where OTLP is taken, if the address says no path.
const PATH: &str = "/v1/traces";

/// A collector's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(http::Address);

/// What is wrong with an address. No text of these quotes it: a password may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// No such thing.
    #[error("this is no address of a collector, such as http://127.0.0.1:4318")]
    NoAddress,
    /// `user:password@`.
    #[error("an address of a collector has no user and no password in it")]
    Credentials,
}

impl Address {
    /// Takes `https:`, whose certificate `roots` must have signed, and `http:`. Without a path, OTLP's own is meant.
    pub fn new(text: &str, roots: Option<&Arc<RootCertStore>>) -> Result<Address, AddressFault> {
        match http::Address::new(text, roots) {
            Ok(address) => Ok(Address(address.or_path(PATH))),
            Err(NoAddress::Malformed) => Err(AddressFault::NoAddress),
            Err(NoAddress::Credentials) => Err(AddressFault::Credentials),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The exporter's HTTP client.
pub(super) struct Poster {
    address: Arc<Address>,
    runtime: Handle,
    /// Whether the last attempt went wrong: the log says so once.
    is_failing: AtomicBool,
}

impl fmt::Debug for Poster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poster")
    }
}

/// Why a batch has not arrived.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Http(#[from] http::Fault),
    #[error("Scrim is stopping")]
    Stopping,
}

impl Poster {
    /// Works on the runtime that is running.
    pub(super) fn new(address: Address) -> Poster {
        let address = Arc::new(address);
        Poster { address, runtime: Handle::current(), is_failing: AtomicBool::new(false) }
    }

    /// Once when it begins to go wrong, once when it is well again.
    fn report(&self, outcome: &Result<Response<Bytes>, Fault>) {
        let wrong = match outcome {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the answer's status is {}", answer.status())),
            Err(fault) => Some(fault.to_string()),
        };
        let before = self.is_failing.swap(wrong.is_some(), Ordering::Relaxed);
        match wrong {
            Some(wrong) if !before => {
                tracing::warn!(reason = wrong, "spans do not reach the collector and are lost");
            }
            None if before => tracing::info!("spans reach the collector again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Poster {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let address = Arc::clone(&self.address);
        let posting = self.runtime.spawn(async move { address.0.ask(request, BOUNDS).await });
        let outcome = match posting.await {
            Ok(outcome) => outcome.map_err(Fault::from),
            Err(_) => Err(Fault::Stopping),
        };
        self.report(&outcome);
        Ok(outcome?)
    }
}
