//! One connection to the PostgreSQL behind: TLS, login, startup parameters, and queries of our own.
//!
//! Knows no session and no role. What it hands out after login is a stream of pieces, the server's parameters
//! and its cancel key.

mod catalog_loader;
mod connect;
mod hosts;
mod login;
mod looking;
mod query;
mod stream;

pub use catalog_loader::{LoadError, load_made, load_snapshot};
pub use connect::{Endpoint, ServerConnection, TlsMode, UpstreamError, cancel};
pub use hosts::{Host, Hosts, SessionAttributes};
pub use looking::rows_read_only;
pub use query::QueryError;
pub use stream::ServerStream;
