//! Two sockets and what waits between them: one task moves bytes both ways.
//!
//! Knows no message. INVARIANT: memory is bounded: a side is read only while the caller has room for what it may
//! lead to, a buffer that is empty is kept only while it is short, and once the session has been idle for a while
//! ([`Link::give_room_back`]) it is not: an idle session holds none.

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
/// Room made before a read: enough for what is usual.
const ROOM_BYTES_MIN: usize = 2 * 1024;
/// Room for a read when each before it was full.
const ROOM_BYTES_MAX: usize = 64 * 1024;
/// A buffer that has grown beyond this is given back as soon as it is empty.
const KEPT_BYTES_MAX: usize = 8 * 1024;

/// A server connection of the pool.
pub type Server = Lent<Box<Footprint>>;

/// Both sockets; that to the server may be missing.
pub struct Link {
    client: ClientStream,
    from_client: BytesMut,
    client_flow: Flow,
    client_room: Room,
    server: Option<Server>,
    server_flow: Flow,
    server_room: Room,
    /// What there is while there is no server.
    nothing: BytesMut,
    /// Room has been given back, and nothing has moved since.
    is_at_rest: bool,
}

/// How writing to a socket stands.
#[derive(Debug, Clone, Copy, Default)]
struct Flow {
    is_unflushed: bool,
    is_broken: bool,
    /// What waits has grown large.
    is_large: bool,
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
            client_room: Room::default(),
            server: None,
            server_flow: Flow::default(),
            server_room: Room::default(),
            nothing: BytesMut::new(),
            is_at_rest: false,
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
        let connection = server.connection()?;
        Some((endpoint, connection.host, connection.backend_key.clone()))
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

    /// The session is idle: whatever is empty takes no memory.
    pub fn give_room_back(&mut self, out: &mut Out) {
        for buffer in [&mut out.to_client, &mut out.to_server] {
            free(buffer);
        }
        free(&mut self.from_client);
        free(self.server_inbox());
        out.events.shrink_to_fit();
        self.is_at_rest = true;
    }

    /// Writes what waits, reads what may be read; ready when anything has moved.
    pub fn poll(
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
                let room = &mut self.server_room;
                let (stream, inbox) = (&mut connection.stream, &mut connection.buffer);
                match room.poll_read(context, stream, inbox, self.is_at_rest) {
                    Poll::Ready(Ok(1..)) => has_moved = true,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::ServerGone),
                    Poll::Pending if flow.is_broken => return Poll::Ready(Moved::ServerGone),
                    Poll::Pending => {}
                }
            }
        }
        if client {
            let (room, inbox) = (&mut self.client_room, &mut self.from_client);
            match room.poll_read(context, &mut self.client, inbox, self.is_at_rest) {
                Poll::Ready(Ok(1..)) => has_moved = true,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::ClientGone),
                Poll::Pending => {}
            }
        }
        if !has_moved {
            return Poll::Pending;
        }
        self.is_at_rest = false;
        Poll::Ready(Moved::Bytes)
    }
}

/// Gives a buffer back that is empty.
fn free(buffer: &mut BytesMut) {
    if buffer.is_empty() {
        *buffer = BytesMut::new();
    }
}

/// How much is made room for: more while there is more.
#[derive(Debug, Clone, Copy)]
struct Room {
    bytes: usize,
    /// What has been read has grown large; of a buffer, no more is seen than what nobody has taken out of it.
    is_large: bool,
}

impl Default for Room {
    fn default() -> Room {
        Room { bytes: ROOM_BYTES_MIN, is_large: false }
    }
}

impl Room {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncRead + Unpin),
        inbox: &mut BytesMut,
        is_at_rest: bool,
    ) -> Poll<io::Result<usize>> {
        let Room { bytes, is_large } = self;
        inbox.reserve(*bytes);
        *is_large |= inbox.capacity() > KEPT_BYTES_MAX;
        let room = inbox.capacity().saturating_sub(inbox.len());
        let read = pin!(stream.read_buf(inbox)).poll(context);
        match &read {
            Poll::Ready(Ok(count)) if *count == room => {
                *bytes = bytes.saturating_mul(2).min(ROOM_BYTES_MAX);
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                *bytes = ROOM_BYTES_MIN;
                // Who rests waits without the room that reading takes.
                if inbox.is_empty() && (std::mem::take(is_large) || is_at_rest) {
                    free(inbox);
                }
            }
        }
        read
    }
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
        self.is_large |= out.capacity() > KEPT_BYTES_MAX;
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
        if out.is_empty() && std::mem::take(&mut self.is_large) {
            free(out);
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use bytes::BytesMut;
    use tokio::io::AsyncWriteExt as _;

    use super::{ROOM_BYTES_MAX, Room};

    #[tokio::test]
    async fn room_grows_while_there_is_more_and_goes_when_there_is_nothing() {
        let (mut near, mut far) = tokio::io::duplex(1024 * 1024);
        near.write_all(&vec![7; 512 * 1024]).await.unwrap();
        let (mut room, mut inbox, mut largest) = (Room::default(), BytesMut::new(), 0);
        let mut total = 0;
        while total < 512 * 1024 {
            let count =
                poll_fn(|context| room.poll_read(context, &mut far, &mut inbox, false)).await;
            largest = largest.max(count.unwrap());
            total += inbox.split().len();
        }
        assert!(largest > ROOM_BYTES_MAX / 2 && largest <= 2 * ROOM_BYTES_MAX, "{largest}");
        poll_fn(|context| {
            assert!(room.poll_read(context, &mut far, &mut inbox, false).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(inbox.capacity(), 0);
    }

    /// By 2 KiB for each of ten thousand clients this shows.
    #[tokio::test]
    async fn short_room_stays_while_a_session_is_busy_and_not_while_it_rests() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let (mut room, mut inbox) = (Room::default(), BytesMut::new());
        near.write_all(b"x").await.unwrap();
        for (is_at_rest, has_room) in [(false, true), (true, false), (false, true)] {
            poll_fn(|context| {
                let _ = room.poll_read(context, &mut far, &mut inbox, is_at_rest);
                inbox.clear();
                assert!(room.poll_read(context, &mut far, &mut inbox, is_at_rest).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!(inbox.capacity() > 0, has_room, "at rest: {is_at_rest}");
        }
    }
}
