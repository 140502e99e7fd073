//! Authentication towards the server: trust, SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, and nothing weaker.
//!
//! Over TLS the proof is bound to the server's certificate where the server offers it (PLUS): somebody between us
//! and the server cannot pass it on, even where the certificate is not checked. Where the server does not seem to
//! offer it we say that we could have (flag `y`), so that one who does offer it sees that somebody took it away.
//!
//! The password leaves this process only as a SCRAM proof. A server that asks for it in the clear or as MD5 is
//! refused, and so is one that says "ok" in the middle of SCRAM, before it has shown that it knows the password.

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use secrecy::ExposeSecret;

use super::connect::{Endpoint, ServerConnection, UpstreamError, send};
use super::stream::ServerStream;
use crate::wire::reader::{self, Authentication, Malformed};
use crate::wire::{Frame, channel_binding, writer};

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Says who logs in, proves it, and reads on to the first ReadyForQuery.
pub(super) async fn log_in(
    stream: ServerStream,
    endpoint: &Endpoint,
    database: &str,
    parameters: &[(String, String)],
) -> Result<ServerConnection, UpstreamError> {
    let mut connection = ServerConnection {
        stream,
        buffer: BytesMut::new(),
        parameters: Vec::new(),
        backend_key: (0, Vec::new()),
        host: 0,
    };
    let mut named = vec![("user", endpoint.user.as_str()), ("database", database)];
    for (name, value) in parameters {
        if name == "replication" {
            return Err(broken("a startup parameter `replication` is never sent"));
        }
        named.push((name, value));
    }
    let mut out = BytesMut::new();
    writer::startup(&mut out, &named).map_err(|fault| broken(&fault.to_string()))?;
    send(&mut connection.stream, &out).await?;
    authenticate(&mut connection, endpoint).await?;
    greet(&mut connection).await?;
    Ok(connection)
}

fn broken(why: &str) -> UpstreamError {
    UpstreamError::Broken(why.to_owned())
}

fn malformed(fault: Malformed) -> UpstreamError {
    UpstreamError::Broken(fault.to_string())
}

/// The next message that is neither an error nor a notice.
async fn next(connection: &mut ServerConnection) -> Result<Frame, UpstreamError> {
    loop {
        let frame = connection.receive().await.map_err(UpstreamError::Broken)?;
        match frame.tag() {
            b'N' => {}
            b'E' => {
                let fields = reader::error_fields(frame.body()).map_err(malformed)?;
                return Err(UpstreamError::Refused {
                    code: fields.field(b'C').unwrap_or("XX000").to_owned(),
                    message: fields.field(b'M').unwrap_or_default().to_owned(),
                });
            }
            _ => return Ok(frame),
        }
    }
}

/// The next message, which must be an Authentication.
async fn next_authentication(connection: &mut ServerConnection) -> Result<Frame, UpstreamError> {
    let frame = next(connection).await?;
    match frame.tag() {
        b'R' => Ok(frame),
        other => Err(unexpected(other, "an authentication message")),
    }
}

fn unexpected(tag: u8, expected: &str) -> UpstreamError {
    let tag = char::from(tag);
    UpstreamError::Broken(format!("message of type {tag:?}, expected {expected}"))
}

async fn authenticate(
    connection: &mut ServerConnection,
    endpoint: &Endpoint,
) -> Result<(), UpstreamError> {
    let asked = next_authentication(connection).await?;
    match reader::authentication(asked.body()).map_err(malformed)? {
        Authentication::Ok => Ok(()),
        Authentication::Sasl { mechanisms } => {
            let (mechanism, binding) = choose(&mechanisms, end_point(&connection.stream))?;
            scram(connection, endpoint, mechanism, binding).await
        }
        Authentication::CleartextPassword => Err(broken(
            "the server asks for the password in the clear; use `scram-sha-256` in pg_hba.conf",
        )),
        Authentication::Md5Password { .. } => Err(broken(
            "the server asks for an MD5 of the password; use `scram-sha-256` in pg_hba.conf and set the password anew",
        )),
        Authentication::SaslContinue(_) | Authentication::SaslFinal(_) => {
            Err(broken("SCRAM message out of turn"))
        }
        Authentication::Other(code) => Err(UpstreamError::Broken(format!(
            "the server asks for authentication {code}, which Scrim does not speak"
        ))),
    }
}

/// What a login over this stream can be bound to.
fn end_point(stream: &ServerStream) -> Option<Vec<u8>> {
    match stream {
        ServerStream::Tcp(_) | ServerStream::Unix(_) => None,
        ServerStream::Tls(stream) => {
            let (_, session) = stream.get_ref();
            let certificate = session.peer_certificates()?.first()?;
            channel_binding::tls_server_end_point(certificate)
        }
    }
}

/// The strongest mechanism that both sides speak, and what to say about channel binding (RFC 5802, section 6).
fn choose(
    mechanisms: &[&str],
    end_point: Option<Vec<u8>>,
) -> Result<(&'static str, ChannelBinding), UpstreamError> {
    let plain = mechanisms.contains(&SCRAM_SHA_256);
    match end_point {
        Some(hash) if mechanisms.contains(&SCRAM_SHA_256_PLUS) => {
            Ok((SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash)))
        }
        // `y`: we could, and the server seems not to.
        Some(_) if plain => Ok((SCRAM_SHA_256, ChannelBinding::unrequested())),
        // `n`: we cannot.
        None if plain => Ok((SCRAM_SHA_256, ChannelBinding::unsupported())),
        Some(_) | None => Err(broken(
            "the server offers no SASL mechanism that Scrim speaks here; expected `SCRAM-SHA-256`",
        )),
    }
}

async fn scram(
    connection: &mut ServerConnection,
    endpoint: &Endpoint,
    mechanism: &str,
    binding: ChannelBinding,
) -> Result<(), UpstreamError> {
    let password = endpoint
        .password
        .as_ref()
        .ok_or_else(|| broken("the server asks for a password and none is configured"))?;
    let mut scram = ScramSha256::new(password.expose_secret().as_bytes(), binding);
    let fault = |error: std::io::Error| UpstreamError::Broken(format!("SCRAM: {error}"));

    let mut out = BytesMut::new();
    writer::sasl_initial(&mut out, mechanism, scram.message())
        .map_err(|fault| broken(&fault.to_string()))?;
    send(&mut connection.stream, &out).await?;
    let answer = next_authentication(connection).await?;
    match reader::authentication(answer.body()).map_err(malformed)? {
        Authentication::SaslContinue(data) => scram.update(data).map_err(fault)?,
        _ => return Err(broken("SCRAM message out of turn")),
    }

    out.clear();
    writer::sasl_response(&mut out, scram.message());
    send(&mut connection.stream, &out).await?;
    let answer = next_authentication(connection).await?;
    match reader::authentication(answer.body()).map_err(malformed)? {
        Authentication::SaslFinal(data) => scram.finish(data).map_err(fault)?,
        _ => return Err(broken("the server did not prove that it knows the password")),
    }

    let done = next_authentication(connection).await?;
    match reader::authentication(done.body()).map_err(malformed)? {
        Authentication::Ok => Ok(()),
        _ => Err(broken("SCRAM did not end")),
    }
}

/// From AuthenticationOk to ReadyForQuery.
async fn greet(connection: &mut ServerConnection) -> Result<(), UpstreamError> {
    loop {
        let frame = next(connection).await?;
        match frame.tag() {
            b'S' => connection.note_parameter(&frame).map_err(malformed)?,
            b'K' => {
                let key = reader::backend_key(frame.body()).map_err(malformed)?;
                connection.backend_key = (key.process_id, key.key.to_vec());
            }
            b'Z' => {
                return match reader::ready_status(frame.body()).map_err(malformed)? {
                    b'I' => Ok(()),
                    _ => Err(broken("the server begins inside a transaction")),
                };
            }
            other => return Err(unexpected(other, "the server's greeting")),
        }
    }
}
