//! Roles: what a kind of person may do and see.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::SecretString;

use super::granting::GrantRules;
use super::mask_spec::{MaskSpec, ScrubKind};
use super::name::RelationName;
use super::table::SqlText;
use super::tag::TagPattern;
use crate::text::Span;

/// A role, with everything it inherits through `extends` already in it.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The role that it extends.
    pub extends: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// What kinds of statements.
    pub may: Permissions,
    /// One line a pattern; a nearer role's line has replaced the inherited one. Order is of no meaning.
    pub masks: Vec<MaskRule>,
    /// Row filters by relation. A nearer role's filter replaces the inherited one for the same relation.
    pub rows: BTreeMap<RelationName, RowRule>,
    /// User functions the role may call, by schema and name (all overloads).
    pub functions: Vec<(RelationName, Span)>,
    /// Tags of masked columns by whose true value rows may be found.
    pub lookup: Vec<(TagPattern, Span)>,
    /// Channels that sessions may LISTEN to. What is sent there reaches them as it is, without a mask.
    pub listen: Vec<(String, Span)>,
    /// Channels that sessions may NOTIFY.
    pub notify: Vec<(String, Span)>,
    /// When not empty, the session must state one.
    pub purposes: Vec<String>,
    /// What is seen otherwise for a purpose, by its name; only those of which something is said.
    pub by_purpose: BTreeMap<String, PurposeLines>,
    /// What a session may state beside user and purpose, by name: `scrim.ticket`.
    pub details: BTreeMap<String, DetailKind>,
    /// What a session may cost.
    pub limits: Limits,
    /// What is looked for in results, beside the masks.
    pub guard: Option<Detection>,
    /// The primary keys of the rows that it is shown are on record.
    pub audit_rows: bool,
    /// What may be opened to its users for a while; `None`: nothing.
    pub grants: Option<GrantRules>,
    /// Own login upstream.
    pub database_user: Option<DatabaseUser>,
    /// Where its name stands.
    pub span: Span,
}

/// `may:`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions {
    /// SELECT and what belongs to it.
    pub read: bool,
    /// INSERT, UPDATE, DELETE, MERGE.
    pub write: bool,
    /// EXPLAIN.
    pub explain: bool,
    /// Temporary tables.
    pub temp_tables: bool,
    /// Any statement at all.
    pub everything: bool,
}

/// One line of `masks`.
#[derive(Debug, Clone)]
pub struct MaskRule {
    /// Which tags.
    pub pattern: TagPattern,
    /// The mask.
    pub mask: MaskSpec,
    /// The line.
    pub span: Span,
}

/// One line of `rows`.
#[derive(Debug, Clone)]
pub struct RowRule {
    /// The filter: names of conditions and columns in an SQL expression.
    pub filter: SqlText,
    /// The line.
    pub span: Span,
}

/// `guard:`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    /// What is looked for. In order of [`ScrubKind`], each once.
    pub kinds: Vec<ScrubKind>,
    /// What is done where it is found.
    pub then: Then,
}

impl fmt::Display for Detection {
    /// `redact card, rrn`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        write!(f, "{} {}", self.then.word(), kinds.join(", "))
    }
}

/// `then:`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// What is found is replaced.
    Redact,
    /// The statement ends with an error.
    Refuse,
    /// It passes.
    Alarm,
}

impl Then {
    /// All of them.
    pub const ALL: [Then; 3] = [Then::Redact, Then::Refuse, Then::Alarm];

    /// As rules write it.
    pub fn word(self) -> &'static str {
        match self {
            Then::Redact => "redact",
            Then::Refuse => "refuse",
            Then::Alarm => "alarm",
        }
    }
}

/// What is said of one of the `purposes`: lines that count before the role's own.
#[derive(Debug, Clone, Default)]
pub struct PurposeLines {
    /// As `masks` of the role.
    pub masks: Vec<MaskRule>,
    /// As `rows` of the role.
    pub rows: BTreeMap<RelationName, RowRule>,
}

/// What a detail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailKind {
    /// Any text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A uuid.
    Uuid,
}

impl DetailKind {
    /// Words of `details`, with what they mean.
    pub const WORDS: [(&'static str, DetailKind); 3] =
        [("text", DetailKind::Text), ("integer", DetailKind::Integer), ("uuid", DetailKind::Uuid)];

    /// As the rules say it.
    pub fn word(self) -> &'static str {
        match self {
            DetailKind::Text => "text",
            DetailKind::Integer => "integer",
            DetailKind::Uuid => "uuid",
        }
    }

    /// True for what PostgreSQL reads as such a value, written in the plain way.
    pub fn takes(self, value: &str) -> bool {
        match self {
            DetailKind::Text => true,
            DetailKind::Integer => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                digits.bytes().all(|byte| byte.is_ascii_digit()) && value.parse::<i64>().is_ok()
            }
            DetailKind::Uuid => {
                let parts: Vec<&str> = value.split('-').collect();
                parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
                    && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
            }
        }
    }
}

/// `limits:`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one statement's result.
    pub rows: Option<u64>,
    /// Bytes of one statement's result, as they go over the wire.
    pub bytes: Option<u64>,
    /// Seconds that one statement may run.
    pub statement_seconds: Option<u64>,
    /// Seconds that a transaction may stand still between two statements.
    pub idle_transaction_seconds: Option<u64>,
    /// Statements that a user may run within a second.
    pub statements_per_second: Option<u64>,
    /// Values that a user may look up within a minute.
    pub lookups_per_minute: Option<u64>,
    /// Bytes of one message of a client.
    pub message_bytes: Option<u64>,
    /// Sessions with the role at once.
    pub connections: Option<u64>,
}

impl Limits {
    /// What is not said here is as inherited.
    pub(super) fn or(self, inherited: Limits) -> Limits {
        Limits {
            rows: self.rows.or(inherited.rows),
            bytes: self.bytes.or(inherited.bytes),
            statement_seconds: self.statement_seconds.or(inherited.statement_seconds),
            idle_transaction_seconds: self
                .idle_transaction_seconds
                .or(inherited.idle_transaction_seconds),
            statements_per_second: self.statements_per_second.or(inherited.statements_per_second),
            lookups_per_minute: self.lookups_per_minute.or(inherited.lookups_per_minute),
            message_bytes: self.message_bytes.or(inherited.message_bytes),
            connections: self.connections.or(inherited.connections),
        }
    }

    /// True when there is one that is kept by looking at what a session does, and not at its login alone.
    pub fn look_at_sessions(&self) -> bool {
        Limits { connections: None, ..*self } != Limits::default()
    }
}

/// `database_user:`
#[derive(Debug, Clone)]
pub struct DatabaseUser {
    /// Login name.
    pub user: String,
    /// Its password.
    pub password: Option<SecretString>,
}

impl Role {
    /// True when the role may hear what is sent to a channel.
    pub fn may_listen(&self, channel: &str) -> bool {
        self.listen.iter().any(|(allowed, _)| allowed == channel)
    }

    /// True when the role may send to a channel.
    pub fn may_notify(&self, channel: &str) -> bool {
        self.notify.iter().any(|(allowed, _)| allowed == channel)
    }

    /// True when some mask of the role, for whatever purpose, needs the key.
    pub fn is_keyed(&self) -> bool {
        self.all_masks().any(|rule| rule.mask.is_keyed())
    }

    /// Its mask lines, and those that count for a purpose only.
    pub fn all_masks(&self) -> impl Iterator<Item = &MaskRule> {
        self.masks.iter().chain(self.by_purpose.values().flat_map(|lines| &lines.masks))
    }

    /// Its row filters, and those that count for a purpose only.
    pub fn all_rows(&self) -> impl Iterator<Item = &RowRule> {
        self.rows.values().chain(self.by_purpose.values().flat_map(|lines| lines.rows.values()))
    }

    /// The role as it is for a purpose: what is said of that counts before the role's own lines.
    pub fn stating(&self, purpose: Option<&str>) -> Role {
        let mut role = self.clone();
        let Some(lines) = purpose.and_then(|purpose| self.by_purpose.get(purpose)) else {
            return role;
        };
        role.masks.retain(|own| lines.masks.iter().all(|nearer| nearer.pattern != own.pattern));
        role.masks.extend(lines.masks.iter().cloned());
        role.rows.extend(lines.rows.iter().map(|(name, rule)| (name.clone(), rule.clone())));
        role
    }

    /// True when the role's bytes may pass untouched: it may do everything, sees everything, all rows.
    pub fn is_untouched(&self) -> bool {
        self.may.everything
            && self.rows.is_empty()
            && self.masks.iter().any(|rule| rule.pattern == TagPattern::Rest)
            && self.masks.iter().all(|rule| matches!(rule.mask, MaskSpec::Clear))
    }
}
