//! Is this token good, and what does it say?

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::keys::Keys;
use super::{ALGORITHMS, TokenOptions, signature};

/// `typ` of what may be a password here: an access token, or one that does not say. Others are made for other ends.
const KINDS: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// Why a token lets nobody in, for the log. No text of these quotes the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Something else.
    #[error("it is no JSON Web Token, or something in it has the wrong form")]
    Malformed,
    /// `alg` is `none`, symmetric, unknown or not among `algorithms`.
    #[error("its algorithm (`alg`) is not allowed")]
    Algorithm,
    /// `typ`.
    #[error("it is a token for something else (`typ`)")]
    Kind,
    /// `crit`, `b64`.
    #[error("its header demands what Scrim does not know (`crit`)")]
    Critical,
    /// No keys have been fetched yet, or for too long.
    #[error("the issuer's keys are not known; the log says why they could not be fetched")]
    NoKeys,
    /// `kid`.
    #[error("no key of the issuer has its `kid`")]
    UnknownKey,
    /// No `kid`, and several keys would do.
    #[error("it has no `kid`, and several keys of the issuer would do")]
    NoKeyId,
    /// The key is for another algorithm.
    #[error("the issuer's key is not for its algorithm (`alg`)")]
    Misfit,
    /// Signed by another key, or changed since.
    #[error("its signature is wrong")]
    Signature,
    /// `exp`.
    #[error("it has expired (`exp`)")]
    Expired,
    /// `nbf`.
    #[error("it is not valid yet (`nbf`)")]
    TooEarly,
    /// `iss`.
    #[error("it is of another issuer (`iss`)")]
    Issuer,
    /// `aud`.
    #[error("it is for somebody else (`aud`)")]
    Audience,
    /// `exp`, `iss` or `aud` is missing or no such thing.
    #[error(
        "it does not say until when it is valid, by whom or for whom (`exp`, `iss`, `aud`), or not in the right form"
    )]
    Incomplete,
    /// The user claim is missing or no text.
    #[error("it has no user claim, or not as a text")]
    NoUser,
    /// The user claim says somebody else.
    #[error("it is of another user")]
    User,
    /// The role claim is missing, empty, or neither a text nor a list of texts.
    #[error("it has no role claim, or not as a text or a list of texts")]
    NoRole,
    /// The role claim names a role that is not one of the user's.
    #[error("its role claim names a role that the rules do not give this user")]
    Role,
}

/// What counts of a header.
#[derive(Deserialize)]
struct Head {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

/// What a good token says.
pub(super) struct Claims {
    claims: Map<String, Value>,
    /// When it is over, leeway included.
    pub(super) until: SystemTime,
}

/// Judges a token by the keys of its issuer, now.
pub(super) fn judge(token: &str, keys: &Keys, options: &TokenOptions) -> Result<Claims, Fault> {
    let head = head(token)?;
    let algorithm = ALGORITHMS.iter().find(|(name, _)| *name == head.alg);
    let algorithm = algorithm.map(|(_, algorithm)| *algorithm).ok_or(Fault::Algorithm)?;
    if !options.algorithms.contains(&algorithm) {
        return Err(Fault::Algorithm);
    }
    if head.typ.is_some_and(|typ| !KINDS.iter().any(|kind| kind.eq_ignore_ascii_case(&typ))) {
        return Err(Fault::Kind);
    }
    if head.crit.is_some() || head.b64.is_some() {
        return Err(Fault::Critical);
    }
    if !signature::is_ready() {
        return Err(Fault::NoKeys);
    }
    let validation = validation(algorithm, options);
    let mut last = Fault::Signature;
    for key in keys.fitting(head.kid.as_deref(), algorithm)? {
        match decode::<Map<String, Value>>(token, key, &validation) {
            Ok(data) => return claims(data.claims, options),
            Err(error) => last = fault(error.kind()),
        }
    }
    Err(last)
}

fn head(token: &str) -> Result<Head, Fault> {
    let mut parts = token.split('.');
    let (Some(head), Some(_), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::Malformed);
    };
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| Fault::Malformed)?;
    serde_json::from_slice(&head).map_err(|_| Fault::Malformed)
}

fn validation(algorithm: Algorithm, options: &TokenOptions) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&options.issuer]);
    validation.set_audience(&options.audience);
    validation.leeway = options.leeway.as_secs();
    validation.validate_nbf = true;
    validation
}

fn fault(kind: &ErrorKind) -> Fault {
    match kind {
        ErrorKind::InvalidSignature => Fault::Signature,
        ErrorKind::ExpiredSignature => Fault::Expired,
        ErrorKind::ImmatureSignature => Fault::TooEarly,
        ErrorKind::InvalidIssuer => Fault::Issuer,
        ErrorKind::InvalidAudience => Fault::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Fault::Incomplete,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Fault::Algorithm,
        ErrorKind::InvalidKeyFormat => Fault::Misfit,
        _ => Fault::Malformed,
    }
}

/// What jsonwebtoken is generous about: an issuer is one text.
fn claims(claims: Map<String, Value>, options: &TokenOptions) -> Result<Claims, Fault> {
    if claims.get("iss").and_then(Value::as_str) != Some(options.issuer.as_str()) {
        return Err(Fault::Issuer);
    }
    let expires = claims.get("exp").and_then(Value::as_f64).ok_or(Fault::Incomplete)?;
    let until = Duration::try_from_secs_f64(expires)
        .ok()
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .and_then(|expires| expires.checked_add(options.leeway))
        .ok_or(Fault::Incomplete)?;
    Ok(Claims { claims, until })
}

impl Claims {
    /// The token must be of this user.
    pub(super) fn judge_user(&self, needed: &str, options: &TokenOptions) -> Result<(), Fault> {
        let user = self.at(&options.user_claim).and_then(Value::as_str).ok_or(Fault::NoUser)?;
        match user == needed {
            true => Ok(()),
            false => Err(Fault::User),
        }
    }

    /// Those of the user's roles that the token names, in the order of the rules; all where no role claim counts. A name
    /// that is none of them is refused whole: what the issuer means by it is not known here.
    pub(super) fn roles(
        &self,
        of_user: &[String],
        options: &TokenOptions,
    ) -> Result<Vec<String>, Fault> {
        let Some(path) = &options.role_claim else { return Ok(of_user.to_vec()) };
        let named: Vec<&str> = match self.at(path) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => {
                let texts: Option<Vec<&str>> = all.iter().map(Value::as_str).collect();
                texts.ok_or(Fault::NoRole)?
            }
            _ => return Err(Fault::NoRole),
        };
        if named.is_empty() {
            return Err(Fault::NoRole);
        }
        if !named.iter().all(|name| of_user.iter().any(|role| role == name)) {
            return Err(Fault::Role);
        }
        Ok(of_user.iter().filter(|role| named.contains(&role.as_str())).cloned().collect())
    }

    fn at(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.claims.get(first)?, |value, name| value.get(name))
    }
}

#[cfg(test)]
mod tests;
