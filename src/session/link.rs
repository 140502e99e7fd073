//! Two sockets and what waits between them: one task moves bytes both ways.
//!
//! Knows no message. INVARIANT: memory is bounded: a side is read only while the caller has room for what it may
//! lead to, and a buffer that is empty is given back, so an idle session holds none.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::footprint::Footprint;
use super::pipeline::Out;
use super::registry::Target;
use super::stream::ClientStream;
use crate::pool::Lent;
use crate::upstream::ServerConnection;

/// While this much waits for one side, the other is not read.
pub const WAITING_BYTES_MAX: usize = 256 * 1024;
/// Room made before a read.
const READ_BYTES: usize = 16 * 1024;

/// A server connection of the pool.
pub type Server = Lent<Footprint>;

/// Both sockets; that to the server may be missing.
pub struct Link {
    client: ClientStream,
    from_client: BytesMut,
    client_flow: Flow,
    server: Option<Server>,
    server_flow: Flow,
    /// What there is while there is no server.
    nothing: BytesMut,
}

/// How writing to a socket stands.
#[derive(Debug, Clone, Copy, Default)]
struct Flow {
    is_unflushed: bool,
    is_broken: bool,
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Bytes have come or gone.
    Bytes,
    /// The client has closed its connection.
    ClientGone,
    /// The server has.
    ServerGone,
}

impl Link {
    /// The buffer holds what has been read beyond the login.
    pub fn new(client: ClientStream, from_client: BytesMut) -> Link {
        Link {
            client,
            from_client,
            client_flow: Flow::default(),
            server: None,
            server_flow: Flow::default(),
            nothing: BytesMut::new(),
        }
    }

    /// A server connection comes.
    pub fn attach(&mut self, server: Server) {
        self.server = Some(server);
        self.server_flow = Flow::default();
    }

    /// It goes.
    pub fn detach(&mut self) -> Option<Server> {
        self.server.take()
    }

    /// The server connection, for what nobody's client has asked: nothing may be outstanding on it.
    pub fn connection(&mut self) -> Option<&mut ServerConnection> {
        self.server.as_mut().and_then(Lent::connection)
    }

    /// Where a cancel goes.
    pub fn target(&mut self) -> Option<Target> {
        let server = self.server.as_mut()?;
        let endpoint = Arc::clone(server.place().endpoint());
        server.connection().map(|connection| (endpoint, connection.backend_key.clone()))
    }

    /// True when all that was written has left, so that the server connection may go.
    pub fn has_nothing_from_server(&mut self) -> bool {
        !self.server_flow.is_unflushed
            && !self.server_flow.is_broken
            && self.server_inbox().is_empty()
    }

    /// Bytes of the client, not yet cut.
    pub fn client_inbox(&mut self) -> &mut BytesMut {
        &mut self.from_client
    }

    /// Bytes of the server, not yet cut.
    pub fn server_inbox(&mut self) -> &mut BytesMut {
        match self.server.as_mut().and_then(Lent::connection) {
            Some(connection) => &mut connection.buffer,
            None => &mut self.nothing,
        }
    }

    /// The client's socket, when all else is over.
    pub fn into_client(self) -> ClientStream {
        self.client
    }

    /// Writes what waits, reads what may be read; returns when anything has moved. Cancel-safe.
    pub async fn exchange(&mut self, out: &mut Out, client: bool, server: bool) -> Moved {
        poll_fn(|context| self.poll(context, out, client, server)).await
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
        out: &mut Out,
        client: bool,
        server: bool,
    ) -> Poll<Moved> {
        let mut has_moved = false;
        match self.client_flow.poll_write(context, &mut self.client, &mut out.to_client) {
            Ok(moved) => has_moved |= moved,
            Err(_) => return Poll::Ready(Moved::ClientGone),
        }
        if let Some(connection) = self.server.as_mut().and_then(Lent::connection) {
            let flow = &mut self.server_flow;
            match flow.poll_write(context, &mut connection.stream, &mut out.to_server) {
                Ok(moved) => has_moved |= moved,
                // What it has said before is still to be read.
                Err(_) => {
                    flow.is_broken = true;
                    out.to_server.clear();
                }
            }
            if server {
                match poll_read(context, &mut connection.stream, &mut connection.buffer) {
                    Poll::Ready(Ok(1..)) => has_moved = true,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::ServerGone),
                    Poll::Pending if flow.is_broken => return Poll::Ready(Moved::ServerGone),
                    Poll::Pending => {}
                }
            }
        }
        if client {
            match poll_read(context, &mut self.client, &mut self.from_client) {
                Poll::Ready(Ok(1..)) => has_moved = true,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::ClientGone),
                Poll::Pending => {}
            }
        }
        if has_moved { Poll::Ready(Moved::Bytes) } else { Poll::Pending }
    }
}

fn poll_read(
    context: &mut Context<'_>,
    stream: &mut (impl AsyncRead + Unpin),
    inbox: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    inbox.reserve(READ_BYTES);
    let read = pin!(stream.read_buf(inbox)).poll(context);
    if read.is_pending() && inbox.is_empty() {
        *inbox = BytesMut::new();
    }
    read
}

impl Flow {
    /// True when something has been written.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
        out: &mut BytesMut,
    ) -> io::Result<bool> {
        let mut has_written = false;
        while !out.is_empty() && !self.is_broken {
            match Pin::new(&mut *stream).poll_write(context, out) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    out.advance(count);
                    has_written = true;
                    self.is_unflushed = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(has_written),
            }
        }
        if has_written {
            *out = BytesMut::new();
        }
        if self.is_unflushed
            && let Poll::Ready(flushed) = Pin::new(&mut *stream).poll_flush(context)
        {
            flushed?;
            self.is_unflushed = false;
        }
        Ok(has_written)
    }
}
