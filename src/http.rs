//! One request over HTTP to an address that stands in the configuration: bounded in time and length.
//!
//! Redirects are not followed, since where they lead stands in no configuration. Knows neither tokens nor spans: who asks
//! says what is asked, how long is waited, and whether the address may go without TLS.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Headers of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// As TLS knows HTTP/1.1.
const ALPN: &[u8] = b"http/1.1";

/// Where is asked.
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

/// What is wrong with an address. Holds nothing of it: a password may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAddress {
    /// No such thing, or of another protocol.
    Malformed,
    /// `user:password@`.
    Credentials,
}

/// How long an answer is waited for, and how much of it is taken.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// All of it, from the first look for the name.
    pub time: Duration,
    /// The answer's body, in bytes.
    pub body_bytes: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The time is up.
    #[error("no answer within {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// Nobody there, or somebody whose certificate does not fit.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// Something else is spoken there.
    #[error("the answer is no HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// More than the bound, or less than was announced.
    #[error("the answer is longer than {} KiB, or was cut off", .0 / 1024)]
    Body(usize),
}

impl Address {
    /// Takes `https:`, whose certificate `roots` must have signed, and `http:`.
    ///
    /// # Errors
    /// Whatever is neither; `https:` without `roots`.
    pub fn new(text: &str, roots: Option<&Arc<RootCertStore>>) -> Result<Address, NoAddress> {
        let uri: Uri = text.parse().map_err(|_| NoAddress::Malformed)?;
        let authority = uri.authority().ok_or(NoAddress::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(NoAddress::Credentials);
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
        let host = host.to_owned();
        let (port, roots) = match (uri.scheme_str(), roots) {
            (Some("https"), Some(roots)) => (443, Some(roots)),
            (Some("http"), _) => (80, None),
            _ => return Err(NoAddress::Malformed),
        };
        let port = authority.port_u16().unwrap_or(port);
        let tls = match roots {
            None => None,
            Some(roots) => {
                let name = ServerName::try_from(host.clone()).map_err(|_| NoAddress::Malformed)?;
                Some((name, Arc::new(client_config(roots).ok_or(NoAddress::Malformed)?)))
            }
        };
        Ok(Address { uri, host, port, tls, roots: roots.map(Arc::clone) })
    }

    /// With this path, where the address names none.
    pub fn or_path(mut self, path: &'static str) -> Address {
        if matches!(self.uri.path(), "" | "/") {
            let mut parts = self.uri.clone().into_parts();
            parts.path_and_query = Some(PathAndQuery::from_static(path));
            self.uri = Uri::from_parts(parts).unwrap_or(self.uri);
        }
        self
    }

    /// False where others on the way could read and change what passes: without TLS, and of another machine.
    pub fn is_safe_on_the_way(&self) -> bool {
        let address = self.host.parse::<IpAddr>().ok();
        let is_of_this_machine =
            self.host == "localhost" || address.is_some_and(|address| address.is_loopback());
        self.tls.is_some() || is_of_this_machine
    }

    /// Asks once, on a connection of its own. Of the request's address nothing counts but what this one has.
    ///
    /// # Errors
    /// Where there is no whole answer; what its status says is for who asks.
    pub async fn ask(
        &self,
        request: Request<Bytes>,
        bounds: Bounds,
    ) -> Result<Response<Bytes>, Fault> {
        let asking = async {
            let socket = TcpStream::connect((self.host.as_str(), self.port)).await?;
            match &self.tls {
                None => self.exchange(socket, request, bounds).await,
                Some((name, config)) => {
                    let connector = TlsConnector::from(Arc::clone(config));
                    let stream = connector.connect(name.clone(), socket).await?;
                    self.exchange(stream, request, bounds).await
                }
            }
        };
        tokio::time::timeout(bounds.time, asking).await.unwrap_or(Err(Fault::Timeout(bounds.time)))
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request<Bytes>,
        bounds: Bounds,
    ) -> Result<Response<Bytes>, Fault> {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_BYTES_MAX);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        // Ends with this function, however that ends.
        let mut driving = JoinSet::new();
        driving.spawn(connection);
        let (mut parts, body) = request.into_parts();
        let authority = self.uri.authority().map(hyper::http::uri::Authority::as_str);
        if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host).ok()) {
            parts.headers.insert(HOST, host);
        }
        parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let agent = HeaderValue::from_static(concat!("scrim/", env!("CARGO_PKG_VERSION")));
        parts.headers.insert(USER_AGENT, agent);
        // A server is asked for a path; the whole address is for proxies.
        let path = self.uri.path_and_query().cloned();
        parts.uri = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await?;
        let (head, body) = answer.into_parts();
        let most = bounds.body_bytes;
        let body = Limited::new(body, most).collect().await.map_err(|_| Fault::Body(most))?;
        Ok(Response::from_parts(head, body.to_bytes()))
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

impl Eq for Address {}

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

#[cfg(test)]
mod tests;
