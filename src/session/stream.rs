//! The socket to a client, plain or TLS, as one type.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::wire::identity;

/// A stream of bytes to a client.
pub enum ClientStream {
    /// TCP, as it came.
    Tcp(TcpStream),
    /// Unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl ClientStream {
    /// The names in the certificate that the client has shown, which an authority of clients has signed; mostly none.
    pub fn certified_names(&self) -> Vec<String> {
        let ClientStream::Tls(stream) = self else { return Vec::new() };
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        shown.map(|certificate| identity::names(certificate)).unwrap_or_default()
    }
}

/// The stream inside, pinned: every kind is `Unpin`.
macro_rules! inside {
    ($stream:expr, $inside:ident => $do:expr) => {
        match $stream.get_mut() {
            ClientStream::Tcp(stream) => {
                let $inside = Pin::new(stream);
                $do
            }
            ClientStream::Unix(stream) => {
                let $inside = Pin::new(stream);
                $do
            }
            ClientStream::Tls(stream) => {
                let $inside = Pin::new(stream.as_mut());
                $do
            }
        }
    };
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inside!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        inside!(self, stream => stream.poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inside!(self, stream => stream.poll_shutdown(context))
    }
}
