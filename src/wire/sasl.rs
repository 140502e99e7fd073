//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS towards the client, by pgwire's arithmetic.
//!
//! PLUS ties the proof to the TLS connection: somebody in between, whose own certificate the client has not checked,
//! cannot pass it on. It is offered over TLS alone, before the plain mechanism. pgwire knows the flag and the
//! mechanism each, and not that they must fit; that is checked here, as PostgreSQL does, so that nobody in between can
//! take PLUS away. INVARIANT: where PLUS is offered, a client that could have used it and did not is refused.
//!
//! Whoever is not known gets a verifier that is made up of the name
//! and a secret of this process: the same salt at every try, so that names cannot be told apart, and never a login.
//! A client's bytes reach pgwire only under a length limit; its messages never reach a client (it quotes the name in
//! the SCRAM message, which libpq leaves empty).
//! <https://www.rfc-editor.org/rfc/rfc5802>, <https://www.postgresql.org/docs/current/sasl-authentication.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::{
    ScramSecret, ScramServerAuth, ScramServerAuthWaitingForClientFinal,
};
use ring::hmac;
use ring::rand::SystemRandom;

use super::channel_binding::tls_server_end_point;

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
const SCRAM_SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// The one kind of binding that PostgreSQL knows, as the client's messages begin with it.
const GS2_BOUND: &str = "p=tls-server-end-point,,";
/// Bytes of a message of the client at most.
const MESSAGE_BYTES_MAX: usize = 2048;
/// Iterations and salt of made-up verifiers: PostgreSQL's own defaults.
const ITERATIONS: usize = 4096;
const SALT_BYTES: usize = 16;
/// SHA-256.
const KEY_BYTES: usize = 32;

/// What a login over a TLS connection is bound to.
#[derive(Debug, Clone)]
pub struct EndPoint {
    /// The hash is Scrim's own, so that the two readers of the certificate must agree.
    hash: Vec<u8>,
    server: ScramServerAuth,
}

impl EndPoint {
    /// Of the server's certificate in DER; `None` where its signature defines nothing.
    pub fn of(certificate: &[u8]) -> Option<EndPoint> {
        let hash = tls_server_end_point(certificate)?;
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(certificate)
        );
        let mut server = ScramServerAuth::new();
        server.configure_certificate(pem.as_bytes()).ok()?;
        Some(EndPoint { hash, server })
    }

    /// How a client's last message begins.
    fn said_again(&self) -> String {
        format!("c={},", STANDARD.encode([GS2_BOUND.as_bytes(), &self.hash].concat()))
    }
}

/// The mechanisms on offer, the best first.
pub fn mechanisms(end_point: Option<&EndPoint>) -> &'static [&'static str] {
    match end_point {
        Some(_) => &[SCRAM_SHA_256_PLUS, SCRAM_SHA_256],
        None => &[SCRAM_SHA_256],
    }
}

/// The secret that verifiers of unknown users are made of. One a process.
pub struct ProcessSecret(hmac::Key);

impl ProcessSecret {
    /// A new one of the system's randomness; `None` when there is none.
    pub fn random() -> Option<ProcessSecret> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        key.ok().map(ProcessSecret)
    }

    fn derive(&self, purpose: &[u8], user: &str) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose);
        context.update(b"\0");
        context.update(user.as_bytes());
        context.sign().as_ref().to_vec()
    }
}

/// Why a login by SCRAM ends. No text of these names a user or quotes a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SaslFault {
    /// Any other mechanism than those on offer.
    #[error("client selected an invalid SASL authentication mechanism")]
    Mechanism,
    /// Not what SCRAM says here.
    #[error("malformed SCRAM message")]
    Malformed,
    /// PLUS without binding, binding without PLUS, or a binding of another kind.
    #[error("malformed SCRAM message: the mechanism and the channel binding do not fit")]
    ChannelBinding,
    /// The client could bind the login and was told that the server cannot, by somebody in between.
    #[error(
        "SCRAM channel binding negotiation error: the client supports it but thinks the server does not"
    )]
    Downgrade,
    /// The client has bound the login to another certificate than ours: somebody is in between.
    #[error("SCRAM channel binding check failed")]
    OtherEndPoint,
    /// A message longer than any client's.
    #[error("SCRAM message of {0} bytes is too long")]
    TooLong(usize),
    /// A message out of turn.
    #[error("SCRAM message out of turn")]
    OutOfTurn,
    /// Wrong password or unknown user: to the client always `password authentication failed for user "…"` with the
    /// name of the startup message.
    #[error("password authentication failed")]
    Password,
}

impl SaslFault {
    /// SQLSTATE to close the connection with.
    pub fn code(&self) -> &'static str {
        match self {
            SaslFault::Password => "28P01",
            SaslFault::Downgrade | SaslFault::OtherEndPoint => "28000",
            SaslFault::Mechanism
            | SaslFault::Malformed
            | SaslFault::ChannelBinding
            | SaslFault::TooLong(_)
            | SaslFault::OutOfTurn => "08P01",
        }
    }
}

/// One login.
pub struct Scram {
    state: State,
    /// What the login can be bound to.
    end_point: Option<EndPoint>,
    /// True once the client has chosen to.
    is_bound: bool,
    /// False for a made-up verifier: the login fails whatever the proof says.
    known: bool,
}

enum State {
    First(ScramSecret),
    Last(Box<ScramServerAuthWaitingForClientFinal>),
    Over,
}

impl Scram {
    /// For `user`, whose verifier in PostgreSQL's form (`SCRAM-SHA-256$<iterations>:<salt>$<stored>:<server>`) is
    /// given; `None`, and one that cannot be read, is a login that fails. With an end point PLUS is on offer.
    pub fn new(
        verifier: Option<&str>,
        user: &str,
        process_secret: &ProcessSecret,
        end_point: Option<EndPoint>,
    ) -> Scram {
        let secret = verifier.and_then(read_verifier);
        // Made up for everybody, so that a known name takes no less time than an unknown one.
        let made_up = made_up(user, process_secret);
        let known = secret.is_some();
        let state = State::First(secret.unwrap_or(made_up));
        Scram { state, end_point, is_bound: false, known }
    }

    /// Takes the mechanism and the client-first-message, gives the server-first-message.
    pub fn first(&mut self, mechanism: &str, data: &[u8]) -> Result<String, SaslFault> {
        let State::First(secret) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(SaslFault::OutOfTurn);
        };
        self.is_bound = match (mechanism, &self.end_point) {
            (SCRAM_SHA_256, _) => false,
            (SCRAM_SHA_256_PLUS, Some(_)) => true,
            _ => return Err(SaslFault::Mechanism),
        };
        check_length(data)?;
        match (data.first(), self.is_bound) {
            (Some(b'p'), true) if data.starts_with(GS2_BOUND.as_bytes()) => {}
            (Some(b'p'), _) | (Some(b'n' | b'y'), true) => return Err(SaslFault::ChannelBinding),
            (Some(b'y'), false) if self.end_point.is_some() => return Err(SaslFault::Downgrade),
            _ => {}
        }
        let server = match &self.end_point {
            Some(end_point) => end_point.server.clone(),
            None => ScramServerAuth::new(),
        };
        let (server_first, waiting) = server
            .on_client_first_message_with_secret(data, secret)
            .map_err(|_| SaslFault::Malformed)?;
        self.state = State::Last(Box::new(waiting));
        Ok(server_first)
    }

    /// Takes the client-final-message and gives the server-final-message: the client is who it says.
    pub fn last(&mut self, data: &[u8]) -> Result<String, SaslFault> {
        let State::Last(waiting) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(SaslFault::OutOfTurn);
        };
        check_length(data)?;
        if let Some(end_point) = self.end_point.as_ref().filter(|_| self.is_bound)
            && !data.starts_with(end_point.said_again().as_bytes())
        {
            return Err(SaslFault::OtherEndPoint);
        }
        let answer = waiting.on_client_final_message(data);
        match answer {
            Ok(server_final) if self.known => Ok(server_final),
            Ok(_) | Err(pgwire::error::PgWireError::InvalidPassword(_)) => Err(SaslFault::Password),
            Err(_) => Err(SaslFault::Malformed),
        }
    }
}

fn check_length(data: &[u8]) -> Result<(), SaslFault> {
    if data.len() > MESSAGE_BYTES_MAX {
        return Err(SaslFault::TooLong(data.len()));
    }
    Ok(())
}

fn read_verifier(verifier: &str) -> Option<ScramSecret> {
    let rest = verifier.strip_prefix(SCRAM_SHA_256)?.strip_prefix('$')?;
    let (head, keys) = rest.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (stored_key, server_key) = keys.split_once(':')?;
    let iterations: usize = iterations.parse().ok().filter(|count| *count > 0)?;
    let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
    let key = |text: &str| {
        let bytes = STANDARD.decode(text).ok();
        bytes.filter(|bytes| bytes.len() == KEY_BYTES)
    };
    Some(ScramSecret::Verifier {
        salt,
        iterations,
        stored_key: key(stored_key)?,
        server_key: key(server_key)?,
    })
}

fn made_up(user: &str, process_secret: &ProcessSecret) -> ScramSecret {
    let mut salt = process_secret.derive(b"salt", user);
    salt.truncate(SALT_BYTES);
    ScramSecret::Verifier {
        salt,
        iterations: ITERATIONS,
        stored_key: process_secret.derive(b"stored key", user),
        server_key: process_secret.derive(b"server key", user),
    }
}

#[cfg(test)]
mod tests;
