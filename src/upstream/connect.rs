//! From an address to a connection that is ready for a query.

use std::sync::Arc;

use bytes::BytesMut;
use secrecy::SecretString;

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
    /// Host name or address; a path that starts with `/` is a folder of Unix sockets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Login.
    pub user: String,
    /// Its password; `None` where the server trusts us.
    pub password: Option<SecretString>,
    /// TLS.
    pub tls: TlsMode,
    /// Certificates that `VerifyFull` trusts, already loaded.
    pub ca: Option<Arc<rustls::RootCertStore>>,
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
    #[error("the database broke off during login: {0}")]
    Broken(String),
}

/// A connection after login. The session owns its socket halves through this.
pub struct ServerConnection {
    /// Plain or TLS.
    pub stream: ServerStream,
    /// Bytes read and not yet cut into pieces.
    pub buffer: BytesMut,
    /// ParameterStatus as reported at login, in order.
    pub parameters: Vec<(String, String)>,
    /// For cancel: process id and key.
    pub backend_key: (i32, Vec<u8>),
}

/// A stream of bytes to the server.
pub enum ServerStream {
    /// TCP.
    Tcp(tokio::net::TcpStream),
    /// Unix socket.
    Unix(tokio::net::UnixStream),
    /// TLS over TCP.
    Tls(Box<tokio_rustls::client::TlsStream<tokio::net::TcpStream>>),
}

impl ServerConnection {
    /// Connects and logs in to `database` with startup parameters beside user and database.
    /// Gives up after `timeout`.
    pub async fn open(
        _endpoint: &Endpoint,
        _database: &str,
        _parameters: &[(String, String)],
        _timeout: std::time::Duration,
    ) -> Result<ServerConnection, UpstreamError> {
        todo!()
    }
}

/// Asks the server to cancel what `backend_key` is doing; returns when the server has closed the connection, so
/// that the key's connection may be given to somebody else only after.
pub async fn cancel(
    _endpoint: &Endpoint,
    _backend_key: &(i32, Vec<u8>),
) -> Result<(), UpstreamError> {
    todo!()
}
