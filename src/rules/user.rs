//! Users: who may log in, and with which roles.

use std::borrow::Cow;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use secrecy::{ExposeSecret, SecretString};

use super::load::{UserDraft, is_plain_name};
use crate::text::reader::Reader;
use crate::text::yaml::{Entry, Kind, Node};
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
    /// A name in the certificate that the client must show: its common name or an alternative one. With a verifier
    /// beside it, both are needed.
    pub certificate: Option<String>,
    /// Where that stands.
    pub certificate_span: Span,
    /// What the user claim of a token must be that the client gives as its password. Never beside a verifier; with a
    /// certificate, both are needed.
    pub token: Option<String>,
    /// Where that stands.
    pub token_span: Span,
    /// Sessions of the user at once.
    pub connections: Option<u64>,
    /// May state `scrim.end_user`.
    pub acts_for_others: bool,
    /// Where the name stands.
    pub span: Span,
}

pub(super) const KEYS: [&str; 7] =
    ["role", "roles", "password", "certificate", "token", "connections", "acts_for_others"];

/// Not fewer than RFC 7677 asks for, and not so many that each login would stand still.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=10_000_000;

/// As PostgreSQL makes it (`SCRAM_DEFAULT_SALT_LEN`).
const SALT_BYTES_MIN: usize = 16;

/// SHA-256.
const KEY_BYTES: usize = 32;

/// Reads one entry of `users`.
pub(super) fn read_user(reader: &mut Reader<'_>, entry: &Entry) -> Option<UserDraft> {
    if !matches!(entry.value.kind, Kind::Mapping(_) | Kind::Null) {
        // `alice: secret` is how somebody writes a password.
        reader.conceal(&entry.value);
    }
    if !is_plain_name(&entry.key) {
        let message = format!("`{}` is no name for a user", entry.key);
        reader.complain(Diagnostic::error(message, entry.key_span));
    }
    let mut wanted = WantedRoles::default();
    let (mut verifier, mut has_credential) = (None, false);
    let (mut certificate, mut certificate_span) = (None, entry.key_span);
    let (mut token, mut token_span, mut password_span) = (None, entry.key_span, None);
    let (mut acts_for_others, mut connections) = (false, None);
    for part in reader.mapping(&entry.value) {
        let value = &part.value;
        match part.key.as_str() {
            "role" | "roles" => wanted.read(reader, part),
            "password" => {
                has_credential = true;
                password_span = Some(part.key_span);
                verifier = read_verifier(reader, &entry.key, part.key_span, value);
            }
            "token" => {
                has_credential = true;
                token = read_token(reader, part.key_span, value);
                token_span = part.key_span;
            }
            "certificate" => {
                has_credential = true;
                certificate = read_certificate(reader, value);
                certificate_span = value.span;
            }
            "connections" => connections = reader.number(value, 1, u64::from(u32::MAX)),
            "acts_for_others" => acts_for_others = reader.truth(value).unwrap_or(false),
            _ => {
                // A misspelt `password` is told as such, once.
                has_credential |= part.key.contains("pass");
                reader.unknown_key(part, &KEYS);
            }
        }
    }
    if let (Some(password), Some(_)) = (password_span, &token) {
        let message =
            "a user has `password` or `token`, not both: a token is given as the password";
        reader.complain(
            Diagnostic::error(message, token_span).also(password, "the other one stands here"),
        );
    }
    if !has_credential {
        let message = format!("user `{}` has no way to log in", entry.key);
        let help = password_help(&entry.key);
        reader.complain(Diagnostic::error(message, entry.key_span).help(help));
    }
    if wanted.roles.is_empty() {
        let message = format!("user `{}` has no role", entry.key);
        reader.complain(Diagnostic::error(message, entry.key_span));
        return None;
    }
    let roles = wanted.roles.iter().map(|(role, _)| role.clone()).collect();
    let user = User {
        name: entry.key.clone(),
        roles,
        verifier,
        certificate,
        certificate_span,
        token,
        token_span,
        connections,
        acts_for_others,
        span: entry.key_span,
    };
    Some(UserDraft { user, wanted_roles: wanted.roles })
}

fn password_help(user: &str) -> String {
    format!(
        "`scrim password {user}` makes a verifier for `password`; `certificate: NAME` asks for a \
         client certificate with that name, `token: NAME` for a JSON Web Token of that user"
    )
}

/// What the user claim says. Somebody may have put a token itself here, which is a secret.
fn read_token(reader: &mut Reader<'_>, key_span: Span, node: &Node) -> Option<String> {
    if matches!(&node.kind, Kind::String(text) if text.trim_start().starts_with("eyJ")) {
        reader.conceal(node);
        let message =
            "this is a token, and what the user claim of the user's tokens says belongs here";
        let help = "such as `token: kim@example.com`; which claim that is stands below `jwt` in \
                    scrim.yaml";
        reader.complain(Diagnostic::error(message, key_span).help(help));
        return None;
    }
    if matches!(node.kind, Kind::Sequence(_) | Kind::Mapping(_)) {
        reader.conceal(node);
    }
    reader.filled_text(node)
}

/// The name as it stands in the certificate.
fn read_certificate(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.filled_text(node)?;
    if name.contains('*') {
        let message = "the name of a certificate is compared as it is: a `*` stands for itself";
        let help = "write the common name or an alternative name of one certificate";
        reader.complain(Diagnostic::error(message, node.span).help(help));
    }
    Some(name)
}

/// `role` or `roles`.
#[derive(Default)]
pub(super) struct WantedRoles {
    pub(super) roles: Vec<(String, Span)>,
    key: Option<Span>,
}

impl WantedRoles {
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, part: &Entry) {
        if let Some(first) = self.key.replace(part.key_span) {
            let message = "a user has `role` or `roles`, not both";
            reader.complain(
                Diagnostic::error(message, part.key_span).also(first, "first named here"),
            );
        }
        let wanted = match part.key.as_str() {
            "role" => reader.text(&part.value).map(|role| vec![(role, part.value.span)]),
            _ => reader.given_texts(&part.value),
        };
        for (role, span) in wanted.unwrap_or_default() {
            match self.roles.iter().find(|(known, _)| *known == role) {
                Some((_, first)) => {
                    let diagnostic =
                        Diagnostic::error(format!("role `{role}` stands here twice"), span);
                    reader.complain(diagnostic.also(*first, "first named here"));
                }
                None => self.roles.push((role, span)),
            }
        }
    }
}

impl User {
    /// True when this is the user's password. A user without a verifier has none.
    pub fn has_password(&self, password: &SecretString) -> bool {
        let is_it = || {
            let verifier =
                self.verifier.as_ref()?.expose_secret().strip_prefix("SCRAM-SHA-256$")?;
            let (head, keys) = verifier.split_once('$')?;
            let (iterations, salt) = head.split_once(':')?;
            let (stored, _) = keys.split_once(':')?;
            let (salt, stored) = (STANDARD.decode(salt).ok()?, STANDARD.decode(stored).ok()?);
            let iterations: NonZeroU32 = iterations.parse().ok()?;
            // As PostgreSQL does: what SASLprep does not take is taken as it is.
            let written = password.expose_secret();
            let prepared = stringprep::saslprep(written).unwrap_or(Cow::Borrowed(written));
            let mut salted = [0; KEY_BYTES];
            let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
            pbkdf2::derive(algorithm, iterations, &salt, prepared.as_bytes(), &mut salted);
            let client = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salted), b"Client Key");
            let key = digest::digest(&digest::SHA256, client.as_ref());
            // Compared in constant time, by what both make of the same text.
            let of = |key: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, key);
            let tag = hmac::sign(&of(&stored), b"the same key");
            Some(hmac::verify(&of(key.as_ref()), b"the same key", tag.as_ref()).is_ok())
        };
        is_it().unwrap_or(false)
    }
}

/// What was written may be the password itself: it is neither repeated nor shown.
fn read_verifier(
    reader: &mut Reader<'_>,
    user: &str,
    key_span: Span,
    node: &Node,
) -> Option<SecretString> {
    let written = reader.secret(node)?;
    let message = match fault(written.expose_secret()) {
        None => return Some(written),
        Some(Fault::NoVerifier) => "this password is not a SCRAM-SHA-256 verifier".to_owned(),
        Some(Fault::Damaged) => "this SCRAM-SHA-256 verifier is damaged".to_owned(),
        Some(Fault::Iterations) => format!(
            "this verifier's iterations are not between {} and {}",
            ITERATIONS.start(),
            ITERATIONS.end()
        ),
    };
    let help = format!("`scrim password {user}` makes one");
    reader.complain(Diagnostic::error(message, key_span).help(help));
    None
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoVerifier,
    Damaged,
    Iterations,
}

/// What keeps a text from being `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL keeps it.
/// <https://www.postgresql.org/docs/current/catalog-pg-authid.html>
fn fault(text: &str) -> Option<Fault> {
    let Some(rest) = text.strip_prefix("SCRAM-SHA-256$") else { return Some(Fault::NoVerifier) };
    let parts = rest.split_once('$').and_then(|(head, keys)| {
        let (iterations, salt) = head.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        Some((iterations, salt, stored, server))
    });
    let Some((iterations, salt, stored, server)) = parts else { return Some(Fault::Damaged) };
    let bytes = |text: &str| STANDARD.decode(text).map_or(0, |bytes| bytes.len());
    let is_number = !iterations.is_empty() && iterations.bytes().all(|b| b.is_ascii_digit());
    let is_whole = is_number
        && bytes(salt) >= SALT_BYTES_MIN
        && bytes(stored) == KEY_BYTES
        && bytes(server) == KEY_BYTES;
    match iterations.parse() {
        _ if !is_whole => Some(Fault::Damaged),
        Ok(count) if ITERATIONS.contains(&count) => None,
        Ok(_) | Err(_) => Some(Fault::Iterations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_verifier() {
        let mut sources = crate::text::Sources::default();
        let source = sources.add("users", "");
        let span = Span { source, start: 0, end: 0 };
        let user = |password: &str| User {
            name: "kim".into(),
            roles: Vec::new(),
            verifier: Some(postgres_protocol::password::scram_sha_256(password.as_bytes()).into()),
            certificate: None,
            certificate_span: span,
            token: None,
            token_span: span,
            connections: None,
            acts_for_others: false,
            span,
        };
        // The last two are the same after SASLprep, and a soft hyphen goes.
        for (known, given, is_it) in [
            ("alice-demo", "alice-demo", true),
            ("alice-demo", "alice-demo ", false),
            ("alice-demo", "", false),
            ("비밀번호", "비밀번호", true),
            ("IX", "I\u{AD}X", true),
            ("\u{2168}", "IX", true),
        ] {
            let given = SecretString::from(given.to_owned());
            assert_eq!(user(known).has_password(&given), is_it, "{known}");
        }
        let nobody = User { verifier: None, ..user("x") };
        assert!(!nobody.has_password(&SecretString::from("x".to_owned())));
    }

    #[test]
    fn only_verifiers_are_verifiers() {
        let verifier = postgres_protocol::password::scram_sha_256(b"alice-demo");
        assert_eq!(fault(&verifier), None);
        for (text, expected) in [
            ("alice-demo".to_owned(), Fault::NoVerifier),
            ("md53175bce1d3201d16594cebf9d7eb3f9d".to_owned(), Fault::NoVerifier),
            (format!(" {verifier}"), Fault::NoVerifier),
            ("SCRAM-SHA-256$".to_owned(), Fault::Damaged),
            (verifier.replace("$4096", "$+4096"), Fault::Damaged),
            (verifier.replace("$4096", "$"), Fault::Damaged),
            (verifier.replace("$4096", "$1"), Fault::Iterations),
            (verifier.replace("$4096", "$99999999999999999999"), Fault::Iterations),
            (format!("{verifier} "), Fault::Damaged),
            (verifier[..verifier.len() - 4].to_owned(), Fault::Damaged),
            ("SCRAM-SHA-256$4096:AAAA$AAAA:AAAA".to_owned(), Fault::Damaged),
        ] {
            assert_eq!(fault(&text), Some(expected), "{text}");
        }
    }
}
