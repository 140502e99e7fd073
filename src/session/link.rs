//! Two sockets and what waits between them: one task moves bytes both ways.
//!
//! Knows no message. INVARIANT: memory is bounded: a side is read only while the caller has room for what it may
//! lead to, and a buffer that is empty is given back, so an idle session holds none.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::pipeline::Out;
use super::stream::ClientStream;
use crate::upstream::ServerStream;

/// While this much waits for one side, the other is not read.
pub const WAITING_BYTES_MAX: usize = 256 * 1024;
/// Room made before a read.
const READ_BYTES: usize = 16 * 1024;

/// Both sockets.
pub struct Link {
    client: End<ClientStream>,
    server: End<ServerStream>,
}

struct End<S> {
    stream: S,
    inbox: BytesMut,
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
    /// The buffers hold what has been read beyond the logins.
    pub fn new(
        client: ClientStream,
        from_client: BytesMut,
        server: ServerStream,
        from_server: BytesMut,
    ) -> Link {
        Link { client: End::new(client, from_client), server: End::new(server, from_server) }
    }

    /// Bytes of the client, not yet cut.
    pub fn client_inbox(&mut self) -> &mut BytesMut {
        &mut self.client.inbox
    }

    /// Bytes of the server, not yet cut.
    pub fn server_inbox(&mut self) -> &mut BytesMut {
        &mut self.server.inbox
    }

    /// The client's socket, when all else is over.
    pub fn into_client(self) -> ClientStream {
        self.client.stream
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
        match self.client.poll_write(context, &mut out.to_client) {
            Ok(moved) => has_moved |= moved,
            Err(_) => return Poll::Ready(Moved::ClientGone),
        }
        match self.server.poll_write(context, &mut out.to_server) {
            Ok(moved) => has_moved |= moved,
            // What it has said before is still to be read.
            Err(_) => {
                self.server.is_broken = true;
                out.to_server.clear();
            }
        }
        if server {
            match self.server.poll_read(context) {
                Poll::Ready(Ok(1..)) => has_moved = true,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::ServerGone),
                Poll::Pending if self.server.is_broken => return Poll::Ready(Moved::ServerGone),
                Poll::Pending => {}
            }
        }
        if client {
            match self.client.poll_read(context) {
                Poll::Ready(Ok(1..)) => has_moved = true,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::ClientGone),
                Poll::Pending => {}
            }
        }
        if has_moved { Poll::Ready(Moved::Bytes) } else { Poll::Pending }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> End<S> {
    fn new(stream: S, inbox: BytesMut) -> End<S> {
        End { stream, inbox, is_unflushed: false, is_broken: false }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.inbox.reserve(READ_BYTES);
        let read = pin!(self.stream.read_buf(&mut self.inbox)).poll(context);
        if read.is_pending() && self.inbox.is_empty() {
            self.inbox = BytesMut::new();
        }
        read
    }

    /// True when something has been written.
    fn poll_write(&mut self, context: &mut Context<'_>, out: &mut BytesMut) -> io::Result<bool> {
        let mut has_written = false;
        while !out.is_empty() && !self.is_broken {
            match Pin::new(&mut self.stream).poll_write(context, out) {
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
            && let Poll::Ready(flushed) = Pin::new(&mut self.stream).poll_flush(context)
        {
            flushed?;
            self.is_unflushed = false;
        }
        Ok(has_written)
    }
}
