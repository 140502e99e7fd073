//! SCRAM-SHA-256 towards the client, by pgwire's arithmetic.
//!
//! Only the plain mechanism is offered, on TLS too. Whoever is not known gets a verifier that is made up of the name
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

const SCRAM_SHA_256: &str = "SCRAM-SHA-256";
/// Bytes of a message of the client at most.
const MESSAGE_BYTES_MAX: usize = 2048;
/// Iterations and salt of made-up verifiers: PostgreSQL's own defaults.
const ITERATIONS: usize = 4096;
const SALT_BYTES: usize = 16;
/// SHA-256.
const KEY_BYTES: usize = 32;

/// The mechanisms on offer.
pub fn mechanisms() -> &'static [&'static str] {
    &[SCRAM_SHA_256]
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
    /// Any other mechanism than the one on offer.
    #[error("client selected an invalid SASL authentication mechanism")]
    Mechanism,
    /// Not what SCRAM says here.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The client asks for channel binding without being offered it.
    #[error("SCRAM channel binding is not offered")]
    ChannelBinding,
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
    /// given; `None`, and one that cannot be read, is a login that fails.
    pub fn new(verifier: Option<&str>, user: &str, process_secret: &ProcessSecret) -> Scram {
        let secret = verifier.and_then(read_verifier);
        // Made up for everybody, so that a known name takes no less time than an unknown one.
        let made_up = made_up(user, process_secret);
        Scram { known: secret.is_some(), state: State::First(secret.unwrap_or(made_up)) }
    }

    /// Takes the mechanism and the client-first-message, gives the server-first-message.
    pub fn first(&mut self, mechanism: &str, data: &[u8]) -> Result<String, SaslFault> {
        let State::First(secret) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(SaslFault::OutOfTurn);
        };
        if mechanism != SCRAM_SHA_256 {
            return Err(SaslFault::Mechanism);
        }
        check_length(data)?;
        if data.first() == Some(&b'p') {
            return Err(SaslFault::ChannelBinding);
        }
        let (server_first, waiting) = ScramServerAuth::new()
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
