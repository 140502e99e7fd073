//! The keys of an issuer, over HTTP: one GET, bounded in time and length.
//!
//! Redirects are not followed, since where they lead stands in no configuration. Without TLS only this machine is asked:
//! who can change keys on their way can make tokens.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// All of it, from the first look for the name. A login that waits for it has time left.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Sets of keys are some kilobytes; what is longer is something else.
pub const KEYS_BYTES_MAX: usize = 256 * 1024;
/// Headers of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// As TLS knows HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// Where keys are fetched.
#[derive(Clone)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
    /// `None`: without TLS, from this machine.
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    /// For comparing.
    roots: Option<Arc<RootCertStore>>,
}

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
    #[error("no answer within {} seconds", TIMEOUT.as_secs())]
    Timeout,
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("the answer is no HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request cannot be made")]
    Request,
    #[error("the answer's status is {0}; redirects are not followed")]
    Status(StatusCode),
    #[error("the answer is longer than {} KiB, or was cut off", KEYS_BYTES_MAX / 1024)]
    Body,
}

impl Address {
    /// Takes `https:`, and `http:` of this machine. `roots` must have signed the certificate of `https:`.
    pub fn new(text: &str, roots: &Arc<RootCertStore>) -> Result<Address, AddressFault> {
        let uri: Uri = text.parse().map_err(|_| AddressFault::NoAddress)?;
        let authority = uri.authority().ok_or(AddressFault::NoAddress)?;
        if authority.as_str().contains('@') {
            return Err(AddressFault::Credentials);
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let (is_open, port) = match uri.scheme_str() {
            Some("https") => (false, 443),
            Some("http") => (true, 80),
            _ => return Err(AddressFault::NoAddress),
        };
        let port = authority.port_u16().unwrap_or(port);
        let host = host.to_owned();
        if is_open {
            let address = host.parse::<std::net::IpAddr>().ok();
            if host != "localhost" && !address.is_some_and(|address| address.is_loopback()) {
                return Err(AddressFault::Open);
            }
            return Ok(Address { uri, host, port, tls: None, roots: None });
        }
        let name = ServerName::try_from(host.clone()).map_err(|_| AddressFault::NoAddress)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| AddressFault::NoAddress)?;
        let mut config = config.with_root_certificates(Arc::clone(roots)).with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let tls = Some((name, Arc::new(config)));
        Ok(Address { uri, host, port, tls, roots: Some(Arc::clone(roots)) })
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        let roots = |address: &Address| address.roots.as_ref().map(|store| store.roots.clone());
        self.uri == other.uri && roots(self) == roots(other)
    }
}

impl Eq for Address {}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.host)
    }
}

/// What stands there.
pub(super) async fn fetch(address: &Address) -> Result<Vec<u8>, FetchFault> {
    let fetching = async {
        let host = (address.host.as_str(), address.port);
        let socket = TcpStream::connect(host).await.map_err(FetchFault::Connect)?;
        match &address.tls {
            None => exchange(address, socket).await,
            Some((name, config)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), socket).await;
                exchange(address, stream.map_err(FetchFault::Connect)?).await
            }
        }
    };
    tokio::time::timeout(TIMEOUT, fetching).await.unwrap_or(Err(FetchFault::Timeout))
}

async fn exchange(
    address: &Address,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Vec<u8>, FetchFault> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // Ends with this function, however that ends.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let host = address.uri.authority().map(hyper::http::uri::Authority::as_str);
    let path = address.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(HOST, host.unwrap_or_default())
        .header(USER_AGENT, concat!("scrim/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .body(Empty::<hyper::body::Bytes>::new())
        .map_err(|_| FetchFault::Request)?;
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(FetchFault::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), KEYS_BYTES_MAX).collect().await;
    Ok(body.map_err(|_| FetchFault::Body)?.to_bytes().to_vec())
}

#[cfg(test)]
mod tests;
