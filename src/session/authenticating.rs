//! The login: SCRAM-SHA-256 (bound to the TLS connection where the client can) with the verifiers of the rules, a client
//! certificate, or both; or a token as a password in the clear, over TLS.
//!
//! INVARIANT: a password in the clear is asked for over TLS only, and only where a token is taken.
//! Whoever is unknown goes the same way to the same error as whoever has the wrong password, and so does whoever does not
//! show the certificate that the user needs.
//! <https://www.postgresql.org/docs/current/sasl-authentication.html>

use std::time::SystemTime;

use bytes::BytesMut;
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::closing::Farewell;
use super::greeting::Greeted;
use super::in_force::InForce;
use super::stream::ClientStream;
use crate::rules::{RuleSet, User};
use crate::wire::sasl::{self, ProcessSecret, SaslFault, Scram};
use crate::wire::{Frame, Limits, Piece, Pieces, reader, writer};

const READ_BYTES: usize = 1024;

/// Why nobody is logged in.
#[derive(Debug, PartialEq, Eq)]
pub enum NotIn {
    /// The client has gone; psql does so to ask for a password.
    Gone,
    /// The client is sent away.
    Away(Farewell),
}

impl From<Farewell> for NotIn {
    fn from(farewell: Farewell) -> NotIn {
        NotIn::Away(farewell)
    }
}

/// A client that is who it says.
pub struct Admitted {
    /// Who, with the roles of this session.
    pub user: User,
    /// When its token is over, where it has one.
    pub until: Option<SystemTime>,
}

/// Makes sure that the client is who it says.
pub async fn authenticate(
    greeted: &mut Greeted,
    in_force: &InForce,
    secret: &ProcessSecret,
    session: u64,
) -> Result<Admitted, NotIn> {
    let rules = in_force.rules.as_ref();
    let name = greeted.startup.user().map(str::to_owned);
    let name = name.ok_or_else(|| {
        Farewell::new("28000", "no PostgreSQL user name specified in startup packet")
    })?;
    // Whose certificate is missing is nobody.
    let certified = greeted.stream.certified_names();
    let user = rules.user(&name).filter(|user| is_certified(user, &certified));
    let verifier = user.as_ref().and_then(|user| user.verifier.clone());
    let mut out = BytesMut::new();
    if let Some(negotiation) = greeted.startup.negotiation() {
        let options = &negotiation.unknown_options;
        writer::negotiate_protocol_version(&mut out, negotiation.version, options);
    }
    let user = match user {
        Some(user) if user.token.is_some() => {
            if !matches!(greeted.stream, ClientStream::Tls(_)) {
                return Err(only_over_tls().into());
            }
            let admitted = by_token(greeted, in_force, user, &mut out, session).await?;
            return admitted.ok_or_else(|| wrong_password(&name, rules).into());
        }
        Some(user) if user.verifier.is_none() && user.certificate.is_some() => {
            // The welcome says AuthenticationOk.
            send(greeted, &mut out).await?;
            return Ok(Admitted { user, until: None });
        }
        user => user,
    };
    writer::authentication_sasl(&mut out, sasl::mechanisms(greeted.end_point.as_ref()));
    let verifier = verifier.as_ref().map(ExposeSecret::expose_secret);
    let mut scram = Scram::new(verifier, &name, secret, greeted.end_point.clone());
    let mut pieces = Pieces::new(Limits::login());
    let refused = |fault: SaslFault| match fault {
        SaslFault::Password => wrong_password(&name, rules),
        SaslFault::Downgrade | SaslFault::OtherEndPoint => Farewell::new(
            fault.code(),
            fault.to_string(),
        )
        .hint(
            "somebody may stand between the client and Scrim; sslmode=verify-full keeps them out",
        ),
        SaslFault::Mechanism
        | SaslFault::Malformed
        | SaslFault::ChannelBinding
        | SaslFault::TooLong(_)
        | SaslFault::OutOfTurn => Farewell::new(fault.code(), fault.to_string()),
    };
    let frame = ask(greeted, &mut pieces, &mut out).await?;
    let initial = reader::sasl_initial(frame.body()).map_err(Farewell::from)?;
    let data = initial.data.unwrap_or_default();
    let said = scram.first(initial.mechanism, data).map_err(refused)?;
    writer::authentication_sasl_continue(&mut out, said.as_bytes());
    let frame = ask(greeted, &mut pieces, &mut out).await?;
    let said = scram.last(frame.body()).map_err(refused)?;
    writer::authentication_sasl_final(&mut out, said.as_bytes());
    send(greeted, &mut out).await?;
    // A made-up verifier lets nobody in; without a user there is nobody to let in either way.
    let user = user.ok_or_else(|| refused(SaslFault::Password))?;
    Ok(Admitted { user, until: None })
}

/// Asks for a token and judges it. `None`: it lets nobody in, and the log says why.
async fn by_token(
    greeted: &mut Greeted,
    in_force: &InForce,
    user: User,
    out: &mut BytesMut,
    session: u64,
) -> Result<Option<Admitted>, NotIn> {
    writer::authentication_cleartext_password(out);
    let frame = ask(greeted, &mut Pieces::new(Limits::login()), out).await?;
    let token = reader::password(frame.body()).map_err(Farewell::from)?;
    let (Some(tokens), Some(needed)) = (&in_force.tokens, &user.token) else {
        // Rules with such users are not put into force without.
        tracing::error!(session, "a token was refused: the configuration takes none");
        return Ok(None);
    };
    match tokens.admit(token, needed, &user.roles).await {
        Ok(admission) => {
            let user = User { roles: admission.roles, ..user };
            Ok(Some(Admitted { user, until: Some(admission.until) }))
        }
        Err(fault) => {
            tracing::info!(session, %fault, "a token was refused");
            Ok(None)
        }
    }
}

/// Said before anything is asked for: the client has sent no token yet.
fn only_over_tls() -> Farewell {
    let message = "scrim: this user logs in by a token, and tokens are taken over TLS only";
    Farewell::new("28000", message).hint(
        "connect over TCP with sslmode=verify-full, so that nobody in between can read the token",
    )
}

/// The same for everybody, whatever was wrong.
fn wrong_password(name: &str, rules: &RuleSet) -> Farewell {
    let message = format!("password authentication failed for user \"{name}\"");
    let farewell = Farewell::new(SaslFault::Password.code(), message);
    let certificates = rules.users.values().any(|user| user.certificate.is_some()).then_some(
        "users who log in by a certificate have to show one with their name (sslcert, sslkey)",
    );
    let tokens = (!rules.token_logins().is_empty())
        .then_some("what was wrong with a token stands in the log of Scrim");
    let hints: Vec<&str> = certificates.into_iter().chain(tokens).collect();
    match hints.is_empty() {
        true => farewell,
        false => farewell.hint(hints.join("; ")),
    }
}

/// True where the user needs no certificate, or its name is among those in the one that was shown.
fn is_certified(user: &User, certified: &[String]) -> bool {
    user.certificate.as_ref().is_none_or(|needed| certified.contains(needed))
}

/// Sends what there is to say and waits for the answer.
async fn ask(
    greeted: &mut Greeted,
    pieces: &mut Pieces,
    out: &mut BytesMut,
) -> Result<Frame, NotIn> {
    send(greeted, out).await?;
    loop {
        match pieces.next(&mut greeted.buffer).map_err(Farewell::from)? {
            Some(Piece::Whole(frame)) => return Ok(frame),
            Some(Piece::Start { .. } | Piece::More { .. }) => {
                return Err(Farewell::new("08P01", "message out of turn").into());
            }
            None => {}
        }
        greeted.buffer.reserve(READ_BYTES);
        if !matches!(greeted.stream.read_buf(&mut greeted.buffer).await, Ok(1..)) {
            return Err(NotIn::Gone);
        }
    }
}

async fn send(greeted: &mut Greeted, out: &mut BytesMut) -> Result<(), NotIn> {
    greeted.stream.write_all(out).await.map_err(|_| NotIn::Gone)?;
    greeted.stream.flush().await.map_err(|_| NotIn::Gone)?;
    out.clear();
    Ok(())
}
