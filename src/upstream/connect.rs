//! From an address to a connection that is ready for a query.
//!
//! The invariants: nothing is written in the clear where TLS is required (the SSLRequest excepted), nothing the
//! server sends before the handshake is read as if it had come after it, and there is no way back from TLS to
//! plain. Unix sockets are never TLS, whatever the mode says, as in libpq.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP>

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::hosts::{Host, Hosts};
use super::login;
use super::stream::ServerStream;
use crate::wire::{keepalive, tls, writer};

/// How long a cancel may take in all.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// `tls:` of `database`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    Disable,
    /// If the server has it; the certificate is not checked.
    Prefer,
    /// Always; the certificate is not checked.
    Require,
    /// Always; the certificate must be signed by `ca` and name the host.
    VerifyFull,
}

/// Where the database is and how to log in.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its addresses.
    pub hosts: Hosts,
    /// Login.
    pub user: String,
    /// Its password; `None` where the server trusts us.
    pub password: Option<SecretString>,
    /// TLS.
    pub tls: TlsMode,
    /// Certificates that `VerifyFull` trusts, already loaded.
    pub ca: Option<Arc<rustls::RootCertStore>>,
}

/// The same place, by the same login and the same proof: a configuration that was not changed.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Endpoint) -> bool {
        // Without `..`: a field that is added is to be thought of here.
        let Endpoint { hosts, user, password, tls, ca } = self;
        let roots =
            |ca: &Option<Arc<rustls::RootCertStore>>| ca.as_ref().map(|ca| ca.roots.clone());
        *hosts == other.hosts
            && *user == other.user
            && exposed(password) == exposed(&other.password)
            && *tls == other.tls
            && roots(ca) == roots(&other.ca)
    }
}

impl Eq for Endpoint {}

fn exposed(secret: &Option<SecretString>) -> Option<&str> {
    secret.as_ref().map(|secret| secret.expose_secret())
}

/// Why there is no connection. The text is for the log and says nothing secret.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Nothing listens, name unknown, time-out.
    #[error("cannot connect to {host}:{port}: {source}")]
    Connect {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server is there and not what is wanted.
    #[error("{host} will not do: {why}")]
    Unfit {
        /// As configured.
        host: String,
        /// What it is.
        why: String,
    },
    /// None of several hosts.
    #[error("no host of the database will do: {0}")]
    NoHost(String),
    /// TLS was required or checked and failed.
    #[error("TLS with the database failed: {0}")]
    Tls(String),
    /// The server refused the login or the database: its own code and message, for the client where PostgreSQL
    /// would say the same (3D000 no such database, 53300 too many connections, 57P03 starting up).
    #[error("the database refused the connection: {code} {message}")]
    Refused {
        /// SQLSTATE.
        code: String,
        /// Message.
        message: String,
    },
    /// The peer is no PostgreSQL, or broke off.
    #[error("login at the database failed: {0}")]
    Broken(String),
}

/// A connection after login. The session owns its socket halves through this.
pub struct ServerConnection {
    /// Plain or TLS.
    pub stream: ServerStream,
    /// Bytes read and not yet cut into pieces.
    pub buffer: BytesMut,
    /// ParameterStatus as reported at login, in order; a name once, with its last value.
    pub parameters: Vec<(String, String)>,
    /// For cancel: process id and key.
    pub backend_key: (i32, Vec<u8>),
    /// The number of the host among those of its endpoint.
    pub host: usize,
}

impl ServerConnection {
    /// Connects and logs in to `database` with startup parameters beside user and database (naming those, or
    /// `replication`, is an error), at the first host that will do. Gives up after `timeout`.
    pub async fn open(
        endpoint: &Endpoint,
        database: &str,
        parameters: &[(String, String)],
        timeout: Duration,
    ) -> Result<ServerConnection, UpstreamError> {
        let hosts = &endpoint.hosts;
        let each = timeout / hosts.attempts();
        let mut faults = Vec::new();
        for (number, host, wanted) in hosts.tried() {
            let opening = async {
                let stream = connect(endpoint, host).await?;
                let mut connection = login::log_in(stream, endpoint, database, parameters).await?;
                hosts.judge(&mut connection, host, wanted, parameters).await?;
                connection.host = number;
                Ok(connection)
            };
            match within(host, each, opening).await {
                Ok(connection) => {
                    hosts.have(number);
                    return Ok(connection);
                }
                Err(fault) if fault.is_everywhere() => return Err(fault),
                Err(fault) => faults.push((host, fault)),
            }
        }
        Err(only_or_all(faults))
    }

    /// The same over a socket that is there already, with nobody in between who would have to be convinced.
    pub async fn over(
        socket: UnixStream,
        user: &str,
        database: &str,
        parameters: &[(String, String)],
        timeout: Duration,
    ) -> Result<ServerConnection, UpstreamError> {
        let endpoint = Endpoint {
            hosts: Hosts::one("this process", 0),
            user: user.to_owned(),
            password: None,
            tls: TlsMode::Disable,
            ca: None,
        };
        let opening = login::log_in(ServerStream::Unix(socket), &endpoint, database, parameters);
        let here = Host { name: "this process".to_owned(), port: 0 };
        within(&here, timeout, opening).await
    }
}

/// Asks a host to cancel what `backend_key` is doing there; returns when the server has closed the connection, so
/// that the key's connection may be given to somebody else only after. Gives up after 5 seconds.
pub async fn cancel(
    endpoint: &Endpoint,
    host: usize,
    backend_key: &(i32, Vec<u8>),
) -> Result<(), UpstreamError> {
    let host = endpoint.hosts.get(host).ok_or_else(|| UpstreamError::NoHost(host.to_string()))?;
    let (process_id, key) = backend_key;
    let mut request = BytesMut::new();
    writer::cancel_request(&mut request, *process_id, key)
        .map_err(|fault| UpstreamError::Broken(fault.to_string()))?;
    let asking = async {
        let mut stream = connect(endpoint, host).await?;
        send(&mut stream, &request).await?;
        let mut ignored = [0; 64];
        // A reset is as good an end as any: PostgreSQL answers nothing either way.
        while let Ok(1..) = stream.read(&mut ignored).await {}
        Ok(())
    };
    within(host, CANCEL_TIMEOUT, asking).await
}

impl UpstreamError {
    /// True for what the other hosts would say too: a wrong password, no such database. A server that starts or stops
    /// speaks for itself only.
    /// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
    fn is_everywhere(&self) -> bool {
        match self {
            UpstreamError::Refused { code, .. } => !code.starts_with("57P"),
            UpstreamError::Connect { .. }
            | UpstreamError::Unfit { .. }
            | UpstreamError::NoHost(_)
            | UpstreamError::Tls(_)
            | UpstreamError::Broken(_) => false,
        }
    }
}

/// The fault of the only attempt, or what was wrong with each host.
fn only_or_all(mut faults: Vec<(&Host, UpstreamError)>) -> UpstreamError {
    match (faults.pop(), faults.is_empty()) {
        (Some((_, only)), true) => only,
        (last, _) => {
            faults.extend(last);
            let said = |(host, fault): &(&Host, UpstreamError)| match fault {
                UpstreamError::Connect { source, .. } => format!("{host}: {source}"),
                UpstreamError::Unfit { .. } => fault.to_string(),
                UpstreamError::Refused { .. }
                | UpstreamError::NoHost(_)
                | UpstreamError::Tls(_)
                | UpstreamError::Broken(_) => format!("{host}: {fault}"),
            };
            UpstreamError::NoHost(faults.iter().map(said).collect::<Vec<_>>().join("; "))
        }
    }
}

async fn within<T>(
    host: &Host,
    timeout: Duration,
    doing: impl Future<Output = Result<T, UpstreamError>>,
) -> Result<T, UpstreamError> {
    match tokio::time::timeout(timeout, doing).await {
        Ok(done) => done,
        Err(_) => Err(unreachable_because(host, io::Error::from(io::ErrorKind::TimedOut))),
    }
}

fn unreachable_because(host: &Host, source: io::Error) -> UpstreamError {
    UpstreamError::Connect { host: host.name.clone(), port: host.port, source }
}

pub(super) async fn send(stream: &mut ServerStream, bytes: &[u8]) -> Result<(), UpstreamError> {
    let broken = |error: io::Error| UpstreamError::Broken(error.to_string());
    stream.write_all(bytes).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

/// To the socket, and through TLS as the mode says.
async fn connect(endpoint: &Endpoint, host: &Host) -> Result<ServerStream, UpstreamError> {
    let fault = |source| unreachable_because(host, source);
    if host.name.starts_with('/') {
        let path = format!("{}/.s.PGSQL.{}", host.name, host.port);
        let socket = UnixStream::connect(path).await.map_err(fault)?;
        return Ok(ServerStream::Unix(socket));
    }
    let address = (host.name.as_str(), host.port);
    let mut socket = TcpStream::connect(address).await.map_err(fault)?;
    socket.set_nodelay(true).map_err(fault)?;
    keepalive::ask_server(&socket).map_err(fault)?;
    let required = match endpoint.tls {
        TlsMode::Disable => return Ok(ServerStream::Tcp(socket)),
        TlsMode::Prefer => false,
        TlsMode::Require | TlsMode::VerifyFull => true,
    };
    match ask_for_tls(&mut socket).await.map_err(fault)? {
        b'S' => shake_hands(endpoint, host, socket).await,
        b'N' if required => Err(UpstreamError::Tls("the server does not support it".to_owned())),
        b'N' => Ok(ServerStream::Tcp(socket)),
        other => Err(UpstreamError::Tls(format!(
            "the server answered {:?} to the request, expected `S` or `N`",
            char::from(other)
        ))),
    }
}

/// Exactly one byte is read: what follows belongs to the handshake.
async fn ask_for_tls(socket: &mut TcpStream) -> io::Result<u8> {
    let mut request = BytesMut::new();
    writer::ssl_request(&mut request);
    socket.write_all(&request).await?;
    socket.read_u8().await
}

async fn shake_hands(
    endpoint: &Endpoint,
    host: &Host,
    socket: TcpStream,
) -> Result<ServerStream, UpstreamError> {
    let fault = |error: &dyn std::error::Error| UpstreamError::Tls(error.to_string());
    let name = ServerName::try_from(host.name.clone());
    let (config, name) = match endpoint.tls {
        TlsMode::VerifyFull => {
            let roots = endpoint.ca.as_ref().ok_or_else(|| {
                UpstreamError::Tls("`verify-full` needs the certificates it trusts".to_owned())
            })?;
            let config = tls::client_config_verify_full(Arc::clone(roots));
            (config, name.map_err(|error| fault(&error))?)
        }
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => {
            // The name is not checked; one that is no DNS name is simply not told to the server.
            let nobody = ServerName::from(std::net::Ipv4Addr::UNSPECIFIED);
            let config = tls::client_config_dangerous_no_verify();
            (config, name.unwrap_or(nobody))
        }
    };
    let connector = TlsConnector::from(config.map_err(|error| fault(&error))?);
    let stream = connector.connect(name, socket).await;
    let stream = stream.map_err(|error| fault(&error))?;
    Ok(ServerStream::Tls(Box::new(stream)))
}

#[cfg(test)]
mod tests;
