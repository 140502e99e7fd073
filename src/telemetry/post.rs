//! Posts to the collector, over HTTP: bounded in time and length, redirects not followed.
//!
//! The exporter asks for it on a thread of its own; the work is done on Scrim's runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// All of it, from the first look for the name.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A collector answers with a few bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Where OTLP is taken, if the address says no path.
const PATH: &str = "/v1/traces";
/// As TLS knows HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// A collector's address.
#[derive(Clone)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
    /// `None`: without TLS.
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    /// For comparing.
    roots: Option<Arc<RootCertStore>>,
}

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
        let uri: Uri = text.parse().map_err(|_| AddressFault::NoAddress)?;
        let authority = uri.authority().ok_or(AddressFault::NoAddress)?.clone();
        if authority.as_str().contains('@') {
            return Err(AddressFault::Credentials);
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let host = host.to_owned();
        let (port, roots) = match (uri.scheme_str(), roots) {
            (Some("https"), Some(roots)) => (443, Some(roots)),
            (Some("http"), _) => (80, None),
            _ => return Err(AddressFault::NoAddress),
        };
        let port = authority.port_u16().unwrap_or(port);
        let tls = match roots {
            None => None,
            Some(roots) => {
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| AddressFault::NoAddress)?;
                Some((name, Arc::new(client_config(roots).ok_or(AddressFault::NoAddress)?)))
            }
        };
        let uri = match uri.path() {
            "" | "/" => {
                let mut parts = uri.into_parts();
                parts.path_and_query = Some(PATH.parse().map_err(|_| AddressFault::NoAddress)?);
                Uri::from_parts(parts).map_err(|_| AddressFault::NoAddress)?
            }
            _ => uri,
        };
        Ok(Address { uri, host, port, tls, roots: roots.map(Arc::clone) })
    }
}

fn client_config(roots: &Arc<RootCertStore>) -> Option<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().ok()?;
    let mut config = config.with_root_certificates(Arc::clone(roots)).with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Some(config)
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        let roots = |address: &Address| address.roots.as_ref().map(|store| store.roots.clone());
        self.uri == other.uri && roots(self) == roots(other)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.host)
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
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    #[error("the answer is no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer is longer than {} KiB, or was cut off", ANSWER_BYTES_MAX / 1024)]
    Body,
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
        let posting = self.runtime.spawn(async move {
            let posting = post(&address, request);
            tokio::time::timeout(TIMEOUT, posting).await.unwrap_or(Err(Fault::Timeout))
        });
        let outcome = posting.await.unwrap_or(Err(Fault::Stopping));
        self.report(&outcome);
        Ok(outcome?)
    }
}

async fn post(address: &Address, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
    let socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
    match &address.tls {
        None => exchange(address, socket, request).await,
        Some((name, config)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            exchange(address, connector.connect(name.clone(), socket).await?, request).await
        }
    }
}

async fn exchange(
    address: &Address,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Fault> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // Ends with this function, however that ends.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let (mut parts, body) = request.into_parts();
    let authority = address.uri.authority().map(hyper::http::uri::Authority::as_str);
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host).ok()) {
        parts.headers.insert(HOST, host);
    }
    parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let agent = HeaderValue::from_static(concat!("scrim/", env!("CARGO_PKG_VERSION")));
    parts.headers.insert(USER_AGENT, agent);
    // A server is asked for a path; the whole address is for proxies.
    let path = address.uri.path_and_query().map_or(PATH, |path| path.as_str());
    parts.uri = path.parse().unwrap_or_default();
    let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| Fault::Body)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
