//! Where to listen: the addresses of the configuration, or what the service manager has opened.

use std::net::SocketAddr;

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The sockets.
pub(super) struct Sockets {
    /// For clients.
    pub(super) clients: TcpListener,
    /// For health and figures.
    pub(super) admin: Option<TcpListener>,
}

impl Sockets {
    /// Of the sockets that come with the process (`LISTEN_FDS`) the first is for clients, the second is the admin
    /// address. Others are opened.
    pub(super) async fn open(
        listen: SocketAddr,
        admin: Option<SocketAddr>,
    ) -> Result<Sockets, String> {
        let mut given = ListenFd::from_env();
        let clients = match take(&mut given, 0)? {
            Some(listener) => listener,
            None => bind(listen).await?,
        };
        let admin = match (take(&mut given, 1)?, admin) {
            (Some(listener), _) => Some(listener),
            (None, Some(address)) => Some(bind(address).await?),
            (None, None) => None,
        };
        Ok(Sockets { clients, admin })
    }
}

fn take(given: &mut ListenFd, place: usize) -> Result<Option<TcpListener>, String> {
    if place >= given.len() {
        return Ok(None);
    }
    let unusable = |error: std::io::Error| {
        let number = place.saturating_add(1);
        format!("error: socket {number} of the service manager is no TCP listener: {error}")
    };
    let Some(listener) = given.take_tcp_listener(place).map_err(unusable)? else {
        return Ok(None);
    };
    listener.set_nonblocking(true).map_err(unusable)?;
    TcpListener::from_std(listener).map(Some).map_err(unusable)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| format!("error: cannot listen on {address}: {error}"))
}
