//! The first packets: TLS or not, a cancel or a session.
//!
//! Each upgrade can be asked for once. Bytes that come before a TLS handshake is through were not protected by it
//! and end the connection. A first byte of 0x16 is a TLS handshake without SSLRequest; then ALPN must say
//! `postgresql`, as PostgreSQL 17 has it, so that no other protocol's client can be turned against us. A Unix socket
//! is never TLS, whatever the mode says, as in PostgreSQL: its own permissions guard it.
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>

use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::closing::Farewell;
use super::stream::ClientStream;
use crate::config::ClientTls;
use crate::wire::sasl::EndPoint;
use crate::wire::startup::{self, FirstPacket, Startup, StartupFault};
use crate::wire::tls::ServerTls;

/// First byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;
const ALPN: &[u8] = b"postgresql";
const READ_BYTES: usize = 1024;

/// A client that wants a session.
pub struct Greeted {
    /// Its socket.
    pub stream: ClientStream,
    /// When it had said so.
    pub arrived: SystemTime,
    /// What it has sent beyond its first packet.
    pub buffer: BytesMut,
    /// Its StartupMessage.
    pub startup: Startup,
    /// What its login can be bound to.
    pub end_point: Option<EndPoint>,
}

/// What a new socket turns out to be.
pub enum Greeting {
    /// A session.
    Session(Box<Greeted>),
    /// A cancel request, which gets no answer but the end.
    Cancel {
        /// Its socket.
        stream: ClientStream,
        /// As told to the session.
        process_id: i32,
        /// As told to the session.
        key: Vec<u8>,
    },
    /// Somebody to be sent away.
    Away(ClientStream, Farewell),
    /// Nobody any more, or no PostgreSQL client at all: closed without a word.
    Nobody,
}

/// Reads up to the startup message.
pub async fn greet(stream: ClientStream, tls: &ClientTls) -> Greeting {
    let config = match tls {
        ClientTls::Disable => None,
        ClientTls::Allow(config) | ClientTls::Require(config) => Some(config.as_ref()),
    };
    let ClientStream::Tcp(socket) = stream else {
        return read_packets(stream, tls, None).await;
    };
    let mut first = [0];
    if !matches!(socket.peek(&mut first).await, Ok(1)) {
        return Greeting::Nobody;
    }
    let stream = match config {
        Some(config) if first == [TLS_HANDSHAKE] => match shake_hands(socket, config, true).await {
            Some(stream) => stream,
            None => return Greeting::Nobody,
        },
        _ => ClientStream::Tcp(socket),
    };
    read_packets(stream, tls, config).await
}

async fn read_packets(
    mut stream: ClientStream,
    tls: &ClientTls,
    config: Option<&ServerTls>,
) -> Greeting {
    let (mut has_asked_tls, mut has_asked_gss) = (false, false);
    let mut buffer = BytesMut::new();
    loop {
        let packet = match read_packet(&mut stream, &mut buffer).await {
            Ok(Some(packet)) => packet,
            Ok(None) | Err(StartupFault::Length) => return Greeting::Nobody,
            Err(fault) => {
                return Greeting::Away(stream, Farewell::new(fault.code(), fault.to_string()));
            }
        };
        let is_tls = matches!(stream, ClientStream::Tls(_));
        match packet {
            FirstPacket::Cancel { process_id, key } => {
                return Greeting::Cancel { stream, process_id, key };
            }
            FirstPacket::Startup(startup) => {
                let is_open = matches!(stream, ClientStream::Tcp(_));
                if is_open && matches!(tls, ClientTls::Require(_)) {
                    let farewell = Farewell::new("28000", "scrim: this server requires TLS")
                        .hint("connect with sslmode=require");
                    return Greeting::Away(stream, farewell);
                }
                let end_point = config.filter(|_| is_tls).and_then(|tls| tls.end_point.clone());
                return Greeting::Session(Box::new(Greeted {
                    stream,
                    arrived: SystemTime::now(),
                    buffer,
                    startup,
                    end_point,
                }));
            }
            FirstPacket::GssEncRequest => {
                if has_asked_gss || is_tls || !say(&mut stream, b'N').await {
                    return Greeting::Nobody;
                }
                has_asked_gss = true;
            }
            FirstPacket::SslRequest => {
                if has_asked_tls || is_tls {
                    return Greeting::Nobody;
                }
                has_asked_tls = true;
                let Some(config) = config else {
                    if !say(&mut stream, b'N').await {
                        return Greeting::Nobody;
                    }
                    continue;
                };
                if !buffer.is_empty() {
                    let farewell =
                        Farewell::new("08P01", "received unencrypted data after SSL request");
                    return Greeting::Away(stream, farewell);
                }
                if !say(&mut stream, b'S').await {
                    return Greeting::Nobody;
                }
                let ClientStream::Tcp(socket) = stream else { return Greeting::Nobody };
                match shake_hands(socket, config, false).await {
                    Some(shaken) => stream = shaken,
                    None => return Greeting::Nobody,
                }
            }
        }
    }
}

async fn read_packet(
    stream: &mut ClientStream,
    buffer: &mut BytesMut,
) -> Result<Option<FirstPacket>, StartupFault> {
    loop {
        if let Some(packet) = startup::read(buffer)? {
            return Ok(Some(packet));
        }
        buffer.reserve(READ_BYTES);
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return Ok(None);
        }
    }
}

async fn say(stream: &mut ClientStream, byte: u8) -> bool {
    stream.write_all(&[byte]).await.is_ok() && stream.flush().await.is_ok()
}

async fn shake_hands(socket: TcpStream, tls: &ServerTls, needs_alpn: bool) -> Option<ClientStream> {
    let shaken = TlsAcceptor::from(Arc::clone(&tls.config)).accept(socket).await;
    let stream = shaken
        .inspect_err(|error| tracing::debug!(%error, "a TLS handshake with a client failed"))
        .ok()?;
    let (_, connection) = stream.get_ref();
    if needs_alpn && connection.alpn_protocol() != Some(ALPN) {
        return None;
    }
    Some(ClientStream::Tls(Box::new(stream)))
}
