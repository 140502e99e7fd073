//! `token_users`: who has no entry of their own, and a good token.

use super::user::WantedRoles;
use super::{RuleSet, User};
use crate::text::reader::Reader;
use crate::text::yaml::{Entry, Kind};
use crate::text::{Diagnostic, Span};

pub(super) const KEYS: [&str; 3] = ["role", "roles", "connections"];

/// Bytes of a name at most: PostgreSQL's `name` holds no more, and two users must not look like one.
const NAME_BYTES_MAX: usize = 63;
/// Beside ASCII letters and digits, what account names, mail addresses and the subjects of issuers are made of. Nobody
/// has read these names before they are somebody: none of them shall look like another, or mean something to SQL.
const NAME_CHARACTERS: &str = "._-@+:/|=#~";

/// Those whom the rules do not name. The user claim of their token is their name, its role claim chooses their roles.
#[derive(Debug, Clone)]
pub struct TokenUsers {
    /// Roles that a token may choose; the first of those that it chooses is the default. Never empty, every one exists.
    pub roles: Vec<String>,
    /// Sessions of each at once.
    pub connections: Option<u64>,
    /// Where the key stands.
    pub span: Span,
}

/// Reads `token_users`, with the places of its roles, which are not known to exist yet.
pub(super) fn read_token_users(
    reader: &mut Reader<'_>,
    entry: &Entry,
) -> Option<(TokenUsers, Vec<(String, Span)>)> {
    let mut wanted = WantedRoles::default();
    let mut connections = None;
    if !matches!(entry.value.kind, Kind::Mapping(_) | Kind::Null) {
        reader.conceal(&entry.value);
    }
    for part in reader.mapping(&entry.value) {
        match part.key.as_str() {
            "role" | "roles" => wanted.read(reader, part),
            "connections" => connections = reader.number(&part.value, 1, u64::from(u32::MAX)),
            _ => {
                // It may be a password, or a token.
                reader.conceal(&part.value);
                reader.unknown_key(part, &KEYS);
            }
        }
    }
    if wanted.roles.is_empty() {
        let message = "`token_users` has no role";
        let help = "`roles: [support, analyst]`: those that the role claim of a token may choose";
        reader.complain(Diagnostic::error(message, entry.key_span).help(help));
        return None;
    }
    let roles = wanted.roles.iter().map(|(role, _)| role.clone()).collect();
    Some((TokenUsers { roles, connections, span: entry.key_span }, wanted.roles))
}

fn may_be_named(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || NAME_CHARACTERS.contains(c))
}

impl RuleSet {
    /// The user of this name: by its own entry, or else one of `token_users`.
    pub fn user(&self, name: &str) -> Option<User> {
        if let Some(user) = self.users.get(name) {
            return Some(user.clone());
        }
        let all = self.token_users.as_ref()?;
        if !may_be_named(name) {
            return None;
        }
        Some(User {
            name: name.to_owned(),
            roles: all.roles.clone(),
            verifier: None,
            certificate: None,
            certificate_span: all.span,
            token: Some(name.to_owned()),
            token_span: all.span,
            connections: all.connections,
            acts_for_others: false,
            span: all.span,
        })
    }

    /// The places of everybody who logs in by a token, with the name where there is one.
    pub fn token_logins(&self) -> Vec<(Option<&str>, Span)> {
        let named = self.users.values().filter(|user| user.token.is_some());
        let named = named.map(|user| (Some(user.name.as_str()), user.token_span));
        named.chain(self.token_users.iter().map(|all| (None, all.span))).collect()
    }
}
