//! Authentication towards the server: trust, SCRAM-SHA-256, and nothing weaker.
//!
//! The password leaves this process only as a SCRAM proof. A server that asks for it in the clear or as MD5 is
//! refused, and so is one that says "ok" in the middle of SCRAM, before it has shown that it knows the password.

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use secrecy::ExposeSecret;

use super::connect::{Endpoint, ServerConnection, UpstreamError, send};
use super::stream::ServerStream;
use crate::wire::reader::{self, Authentication, Malformed};
use crate::wire::{Frame, writer};

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";

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
        Authentication::Sasl { mechanisms } if mechanisms.contains(&SCRAM_SHA_256) => {
            scram(connection, endpoint).await
        }
        Authentication::Sasl { .. } => Err(broken(
            "the server offers no SASL mechanism that Scrim speaks; expected `SCRAM-SHA-256`",
        )),
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

async fn scram(
    connection: &mut ServerConnection,
    endpoint: &Endpoint,
) -> Result<(), UpstreamError> {
    let password = endpoint
        .password
        .as_ref()
        .ok_or_else(|| broken("the server asks for a password and none is configured"))?;
    // `unsupported`, not `unrequested`: the latter claims that the server did not offer binding, which one with
    // TLS does, and it would rightly take that for a downgrade.
    let binding = ChannelBinding::unsupported();
    let mut scram = ScramSha256::new(password.expose_secret().as_bytes(), binding);
    let fault = |error: std::io::Error| UpstreamError::Broken(format!("SCRAM: {error}"));

    let mut out = BytesMut::new();
    writer::sasl_initial(&mut out, SCRAM_SHA_256, scram.message())
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
