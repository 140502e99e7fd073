//! The sockets on which clients are awaited, as one.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, UnixListener};

use super::peer::Peer;
use super::stream::ClientStream;

/// A socket on which clients are awaited.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(ClientStream, Peer)>> {
        match self {
            Listener::Tcp(listener) => listener
                .poll_accept(context)
                .map_ok(|(socket, address)| (ClientStream::Tcp(socket), Peer::tcp(address))),
            Listener::Unix(listener) => listener
                .poll_accept(context)
                .map_ok(|(socket, _)| (ClientStream::Unix(socket), Peer::local())),
        }
    }
}

/// All of them.
pub(super) struct Listeners {
    all: Vec<Listener>,
    /// Who is asked first, so that a busy one does not keep the others from being heard.
    first: usize,
}

impl Listeners {
    pub(super) fn new(all: Vec<Listener>) -> Listeners {
        Listeners { all, first: 0 }
    }

    /// The next client of any. Cancel-safe.
    pub(super) async fn accept(&mut self) -> io::Result<(ClientStream, Peer)> {
        poll_fn(|context| {
            let count = self.all.len();
            for place in (self.first..count).chain(0..self.first.min(count)) {
                let Some(listener) = self.all.get(place) else { continue };
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    self.first = place.saturating_add(1);
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }
}
