//! From a fresh socket to a StartupMessage: TLS, GSS declined, cancel requests.
//!
//! ```text
//! Accepted ─► SSLRequest (once) ─► TLS ─► Greeting
//!          ─► GSSENCRequest (once): N
//!          ─► CancelRequest ─► closed, never an answer
//!          ─► StartupMessage ─► Authenticating
//! ```

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Proxy;
use crate::config::ClientTls;
use crate::upstream;
use crate::wire::startup::{self, FirstPacket, Startup};
use crate::wire::writer::{self, ErrorMessage};

/// A socket of a client, plain or TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A client that has said who it is.
pub(super) struct Greeted {
    pub(super) stream: Box<dyn Stream>,
    pub(super) buffer: BytesMut,
    pub(super) startup: Startup,
}

/// Why a client did not get further; what it was told, it was told already.
#[derive(Debug, thiserror::Error)]
pub(super) enum Turned {
    /// It went away, or broke the protocol.
    #[error("{0}")]
    Away(#[from] io::Error),
    /// It was refused, with this SQLSTATE.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// It wanted a cancel.
    #[error("a cancel request")]
    Cancel,
}

/// Greets a client.
pub(super) async fn greet(proxy: &Proxy, socket: TcpStream) -> Result<Greeted, Turned> {
    let mut stream: Box<dyn Stream> = Box::new(socket);
    let mut buffer = BytesMut::new();
    let (mut is_tls, mut asked_gss) = (false, false);
    loop {
        let packet = match startup::read(&mut buffer) {
            Ok(Some(packet)) => packet,
            Ok(None) => {
                buffer.reserve(1024);
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                continue;
            }
            Err(fault) => {
                let message = fault.to_string();
                return Err(turn_away(&mut stream, fault.code(), &message, None).await);
            }
        };
        match packet {
            FirstPacket::SslRequest if is_tls => {
                return Err(turn_away(&mut stream, "08P01", "TLS is on already", None).await);
            }
            FirstPacket::SslRequest => match &proxy.tls {
                ClientTls::Disable => stream.write_all(b"N").await?,
                ClientTls::Allow(config) | ClientTls::Require(config) => {
                    if !buffer.is_empty() {
                        // Bytes that nobody has encrypted, to be taken for such that somebody has.
                        let message = "received unencrypted data after SSL request";
                        return Err(turn_away(&mut stream, "08P01", message, None).await);
                    }
                    stream.write_all(b"S").await?;
                    stream.flush().await?;
                    let acceptor = TlsAcceptor::from(config.clone());
                    stream = Box::new(acceptor.accept(stream).await?);
                    is_tls = true;
                }
            },
            FirstPacket::GssEncRequest if asked_gss || is_tls => {
                return Err(turn_away(&mut stream, "08P01", "GSS was declined already", None).await);
            }
            FirstPacket::GssEncRequest => {
                asked_gss = true;
                stream.write_all(b"N").await?;
            }
            FirstPacket::Cancel { process_id, key } => {
                if let Some(target) = proxy.registry.cancel_target(process_id, &key) {
                    // PostgreSQL gives no answer, and neither do we.
                    let cancelled = upstream::cancel(&target.endpoint, &target.backend_key).await;
                    if let Err(error) = cancelled {
                        tracing::info!(%error, "a cancel request did not arrive");
                    }
                }
                return Err(Turned::Cancel);
            }
            FirstPacket::Startup(startup) => {
                if matches!(proxy.tls, ClientTls::Require(_)) && !is_tls {
                    let hint = Some("connect with TLS: sslmode=require");
                    let message = "scrim: this server takes encrypted connections only";
                    return Err(turn_away(&mut stream, "28000", message, hint).await);
                }
                return Ok(Greeted { stream, buffer, startup });
            }
        }
    }
}

/// Tells a client why it cannot go on.
pub(super) async fn turn_away(
    stream: &mut Box<dyn Stream>,
    code: &'static str,
    message: &str,
    hint: Option<&str>,
) -> Turned {
    let mut out = BytesMut::new();
    let error = ErrorMessage { hint, ..ErrorMessage::new("FATAL", code, message) };
    writer::error_response(&mut out, &error);
    let told = async {
        stream.write_all(&out).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    match told.await {
        Ok(()) | Err(_) => Turned::Refused(code),
    }
}
