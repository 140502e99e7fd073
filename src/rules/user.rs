//! Users: who may log in, and with which roles.

use secrecy::SecretString;

use super::load::UserDraft;
use crate::text::reader::Reader;
use crate::text::yaml::Entry;
use crate::text::{Diagnostic, Span};

/// A login.
#[derive(Debug, Clone)]
pub struct User {
    /// The name in the startup message.
    pub name: String,
    /// Roles; the first is the default. Never empty, every one exists.
    pub roles: Vec<String>,
    /// A SCRAM-SHA-256 verifier in PostgreSQL's form, its shape already checked; `None` when the user has only a
    /// certificate.
    pub verifier: Option<SecretString>,
    /// May state `scrim.end_user`.
    pub acts_for_others: bool,
    /// Where the name stands.
    pub span: Span,
}

const KEYS: [&str; 5] = ["role", "roles", "password", "certificate", "acts_for_others"];

/// Reads one entry of `users`.
pub(super) fn read_user(reader: &mut Reader<'_>, entry: &Entry) -> Option<UserDraft> {
    let mut wanted_roles = Vec::new();
    let mut verifier = None;
    let mut acts_for_others = false;
    for part in reader.mapping(&entry.value) {
        let value = &part.value;
        match part.key.as_str() {
            "role" => wanted_roles.extend(reader.text(value).map(|role| (role, value.span))),
            "roles" => wanted_roles.extend(reader.texts(value)),
            "password" => {
                if let Some(text) = reader.text(value) {
                    if is_verifier(&text) {
                        verifier = Some(SecretString::from(text));
                    } else {
                        // What was written may be the password itself: it is not repeated, and the line is
                        // not shown.
                        let message = "this password is not a SCRAM-SHA-256 verifier";
                        let help = format!("`scrim password {}` makes one", entry.key);
                        reader.complain(
                            Diagnostic::error(message, part.key_span).help(help).secret(),
                        );
                    }
                }
            }
            "certificate" => {
                let message = "client certificates are not available in this version";
                reader.complain(Diagnostic::error(message, part.key_span));
            }
            "acts_for_others" => acts_for_others = reader.truth(value).unwrap_or(false),
            _ => reader.unknown_key(part, &KEYS),
        }
    }
    if wanted_roles.is_empty() {
        let message = format!("user `{}` has no role", entry.key);
        reader.complain(Diagnostic::error(message, entry.key_span));
        return None;
    }
    if verifier.is_none() && !reader.has_errors() {
        let message = format!("user `{}` has no way to log in", entry.key);
        let help = format!("`scrim password {}` makes a verifier for `password`", entry.key);
        reader.complain(Diagnostic::error(message, entry.key_span).help(help));
    }
    let roles = wanted_roles.iter().map(|(role, _)| role.clone()).collect();
    let user =
        User { name: entry.key.clone(), roles, verifier, acts_for_others, span: entry.key_span };
    Some(UserDraft { user, wanted_roles })
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL keeps it.
fn is_verifier(text: &str) -> bool {
    let parts = || {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (head, keys) = rest.split_once('$')?;
        let (iterations, salt) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        Some((iterations.parse::<u32>().ok()?, salt, stored, server))
    };
    let decoded = |text: &str| base64_bytes(text);
    parts().is_some_and(|(iterations, salt, stored, server)| {
        (1..=10_000_000).contains(&iterations)
            && decoded(salt).is_some_and(|length| length > 0)
            && decoded(stored) == Some(32)
            && decoded(server) == Some(32)
    })
}

/// The length of what a base64 text decodes to; `None` if it is none.
fn base64_bytes(text: &str) -> Option<usize> {
    let body = text.trim_end_matches('=');
    let padding = text.len().checked_sub(body.len())?;
    let is_plain = body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    let whole = text.len().is_multiple_of(4) && padding <= 2 && is_plain;
    whole.then(|| body.len().saturating_mul(3) / 4)
}
