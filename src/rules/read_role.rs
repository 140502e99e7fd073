//! From YAML to roles as they are written, before `extends`.

use std::collections::BTreeMap;

use super::granting::{GrantRules, grants};
use super::load::{is_plain_name, twice};
use super::name::{RelationName, parse_channel, parse_relation};
use super::read_mask::read_mask;
use super::read_masks_of_text::kinds;
use super::role::{
    DatabaseUser, DetailKind, Detection, Limits, MaskRule, Permissions, PurposeLines, RowRule, Then,
};
use super::table::SqlText;
use super::tag::TagPattern;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Entry, Kind, Node};
use crate::text::{Diagnostic, Span};

/// A role as written, before `extends`. What a role does not say is `None` or empty.
pub(super) struct RoleDraft {
    pub(super) span: Span,
    pub(super) extends: Option<(String, Span)>,
    pub(super) may: Option<(Permissions, Span)>,
    pub(super) description: Option<String>,
    pub(super) masks: Vec<MaskRule>,
    pub(super) rows: BTreeMap<RelationName, RowRule>,
    pub(super) lookup: Option<(Vec<(TagPattern, Span)>, Span)>,
    pub(super) functions: Option<Vec<(RelationName, Span)>>,
    pub(super) listen: Option<Vec<(String, Span)>>,
    pub(super) notify: Option<Vec<(String, Span)>>,
    pub(super) purposes: Option<(Purposes, Span)>,
    pub(super) details: Option<(BTreeMap<String, DetailKind>, Span)>,
    pub(super) limits: Option<(Limits, Span)>,
    pub(super) guard: Option<(Detection, Span)>,
    pub(super) audit_rows: Option<(bool, Span)>,
    pub(super) grants: Option<GrantRules>,
    pub(super) database_user: Option<DatabaseUser>,
}

/// `purposes` as written: their names, and what is said of each.
#[derive(Clone, Default)]
pub(super) struct Purposes {
    pub(super) names: Vec<String>,
    pub(super) lines: BTreeMap<String, PurposeLines>,
}

pub(super) const KEYS: [&str; 16] = [
    "description",
    "extends",
    "may",
    "masks",
    "rows",
    "lookup",
    "functions",
    "listen",
    "notify",
    "limits",
    "purposes",
    "details",
    "guard",
    "audit_rows",
    "grants",
    "database_user",
];

/// Keys of a purpose of which something is said.
pub(super) const PURPOSE: [&str; 2] = ["masks", "rows"];

/// What `scrim.…` means already; no detail may be called so.
const OWN_SETTINGS: [&str; 8] =
    ["user", "end_user", "role", "purpose", "masks", "pools", "grants", "pseudonym_key"];

/// Words of `details`.
pub(super) const DETAIL_KINDS: [&str; 3] = ["text", "integer", "uuid"];

/// Words of `may`.
pub(super) const PERMISSIONS: [&str; 5] = ["read", "write", "explain", "temp_tables", "everything"];

/// Keys of `limits`.
pub(super) const LIMITS: [&str; 8] = [
    "rows",
    "bytes",
    "statement_seconds",
    "idle_transaction_seconds",
    "statements_per_second",
    "lookups_per_minute",
    "message_bytes",
    "connections",
];

/// Keys of `guard`.
pub(super) const GUARD: [&str; 2] = ["detect", "then"];

/// Keys of `database_user`.
pub(super) const DATABASE_USER: [&str; 2] = ["user", "password"];

/// `statement_timeout` and `idle_in_transaction_session_timeout` are each a number of milliseconds in 31 bits.
const STATEMENT_SECONDS_MAX: u64 = 2_147_483;

/// What a session states stands in each statement that goes by it.
pub const STATED_BYTES_MAX: usize = 256;

/// With `scrim.` before it, a name of PostgreSQL's.
const DETAIL_NAME_BYTES_MAX: usize = 48;

/// Every driver's own messages are shorter.
const MESSAGE_BYTES_MIN: u64 = 1024;

/// A count of rows in PostgreSQL is a `bigint`.
const ROWS_MAX: u64 = i64::MAX.unsigned_abs();

/// Reads one entry of `roles`.
pub(super) fn read_role(reader: &mut Reader<'_>, entry: &Entry) -> RoleDraft {
    let mut role = RoleDraft {
        span: entry.key_span,
        extends: None,
        may: None,
        description: None,
        masks: Vec::new(),
        rows: BTreeMap::new(),
        functions: None,
        listen: None,
        notify: None,
        purposes: None,
        details: None,
        limits: None,
        lookup: None,
        guard: None,
        audit_rows: None,
        grants: None,
        database_user: None,
    };
    if !is_plain_name(&entry.key) {
        let message = format!("`{}` is no name for a role", entry.key);
        reader.complain(Diagnostic::error(message, entry.key_span));
    }
    for part in reader.mapping(&entry.value) {
        let (value, span) = (&part.value, part.key_span);
        match part.key.as_str() {
            "description" => role.description = reader.text(value),
            "extends" => role.extends = reader.text(value).map(|name| (name, value.span)),
            "may" => role.may = Some((permissions(reader, value), span)),
            "masks" => role.masks = masks(reader, value),
            "rows" => role.rows = rows(reader, value),
            "lookup" => role.lookup = Some((lookup(reader, value), span)),
            "functions" => role.functions = Some(functions(reader, value)),
            "listen" => role.listen = Some(channels(reader, value)),
            "notify" => role.notify = Some(channels(reader, value)),
            "limits" => role.limits = Some((limits(reader, value), span)),
            "purposes" => role.purposes = Some((purposes(reader, value), span)),
            "details" => role.details = Some((details(reader, value), span)),
            "guard" => role.guard = guard(reader, value).map(|guard| (guard, span)),
            "audit_rows" => role.audit_rows = reader.truth(value).map(|is_so| (is_so, span)),
            "grants" => role.grants = grants(reader, value, span),
            "database_user" => role.database_user = database_user(reader, value),
            _ => reader.unknown_key(part, &KEYS),
        }
    }
    role
}

fn permissions(reader: &mut Reader<'_>, node: &Node) -> Permissions {
    let mut may = Permissions::default();
    for (word, span) in reader.given_texts(node).unwrap_or_default() {
        let flag = match word.as_str() {
            "read" => &mut may.read,
            "everything" => &mut may.everything,
            "write" => &mut may.write,
            "explain" => &mut may.explain,
            "temp_tables" => &mut may.temp_tables,
            _ => {
                let message = format!("`{word}` is none of: {}", PERMISSIONS.join(", "));
                reader.complain(with_near(Diagnostic::error(message, span), &word, &PERMISSIONS));
                continue;
            }
        };
        *flag = true;
    }
    may
}

fn masks(reader: &mut Reader<'_>, node: &Node) -> Vec<MaskRule> {
    let mut masks: Vec<MaskRule> = Vec::new();
    for entry in reader.mapping(node) {
        let mask = read_mask(reader, entry);
        let pattern = match TagPattern::parse(&entry.key) {
            Ok(pattern) => pattern,
            Err(why) => {
                reader.complain(Diagnostic::error(why, entry.key_span));
                continue;
            }
        };
        // `contact` and `contact.*` are the same line.
        if let Some(first) = masks.iter().find(|rule| rule.pattern == pattern) {
            reader.complain(twice(&entry.key, entry.key_span, first.span));
            continue;
        }
        masks.extend(mask.map(|mask| MaskRule { pattern, mask, span: entry.key_span }));
    }
    masks
}

fn rows(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<RelationName, RowRule> {
    let mut rows: BTreeMap<RelationName, RowRule> = BTreeMap::new();
    for entry in reader.mapping(node) {
        let filter = reader.filled_text(&entry.value);
        let relation = match parse_relation(&entry.key) {
            Ok(relation) => relation,
            Err(why) => {
                reader.complain(Diagnostic::error(why, entry.key_span));
                continue;
            }
        };
        // `public.Orders` and `public.orders` are the same relation.
        if let Some(first) = rows.get(&relation) {
            reader.complain(twice(&entry.key, entry.key_span, first.span));
            continue;
        }
        if let Some(text) = filter {
            let filter = SqlText { text, span: entry.value.span };
            rows.insert(relation, RowRule { filter, span: entry.key_span });
        }
    }
    rows
}

fn lookup(reader: &mut Reader<'_>, node: &Node) -> Vec<(TagPattern, Span)> {
    let mut lookup = Vec::new();
    for (tag, span) in reader.given_texts(node).unwrap_or_default() {
        match TagPattern::parse(&tag) {
            Ok(TagPattern::Rest) => {
                let message =
                    "`lookup` needs tags: `*` would be every column, unclassified ones too";
                reader.complain(Diagnostic::error(message, span));
            }
            Ok(pattern) => lookup.push((pattern, span)),
            Err(why) => reader.complain(Diagnostic::error(why, span)),
        }
    }
    lookup
}

fn functions(reader: &mut Reader<'_>, node: &Node) -> Vec<(RelationName, Span)> {
    let mut functions = Vec::new();
    for (text, span) in reader.given_texts(node).unwrap_or_default() {
        match parse_relation(&text) {
            Ok(name) => functions.push((name, span)),
            Err(why) => {
                let diagnostic = Diagnostic::error(why, span);
                reader.complain(match text.contains('(') {
                    true => diagnostic.help("a name covers all its overloads: no arguments here"),
                    false => diagnostic,
                });
            }
        }
    }
    functions
}

fn channels(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, Span)> {
    let mut channels: Vec<(String, Span)> = Vec::new();
    for (text, span) in reader.given_texts(node).unwrap_or_default() {
        if text == "*" {
            let message =
                "`*` is no channel: name each one, since what is sent there is not masked";
            reader.complain(Diagnostic::error(message, span));
            continue;
        }
        match parse_channel(&text) {
            // `Orders` and `orders` are the same channel.
            Ok(name) => match channels.iter().find(|(known, _)| *known == name) {
                Some((_, first)) => reader.complain(twice(&text, span, *first)),
                None => channels.push((name, span)),
            },
            Err(why) => reader.complain(Diagnostic::error(why, span)),
        }
    }
    channels
}

/// A list of names, or a mapping from each to what is seen otherwise for it.
fn purposes(reader: &mut Reader<'_>, node: &Node) -> Purposes {
    let mut purposes = Purposes::default();
    let mut name = |reader: &mut Reader<'_>, purpose: &str, span: Span| {
        if is_plain_name(purpose) && purpose.len() <= STATED_BYTES_MAX {
            purposes.names.push(purpose.to_owned());
        } else {
            let message = format!("`{purpose}` is no name for a purpose");
            reader.complain(Diagnostic::error(message, span));
        }
    };
    if !matches!(node.kind, Kind::Mapping(_)) {
        for (purpose, span) in reader.given_texts(node).unwrap_or_default() {
            name(reader, &purpose, span);
        }
        return purposes;
    }
    let entries = reader.mapping(node);
    for entry in entries {
        name(reader, &entry.key, entry.key_span);
    }
    if entries.is_empty() {
        reader.complain(Diagnostic::error("there is no purpose here", node.span));
    }
    for entry in entries.iter().filter(|entry| entry.value.kind != Kind::Null) {
        let mut lines = PurposeLines::default();
        for part in reader.mapping(&entry.value) {
            match part.key.as_str() {
                "masks" => lines.masks = masks(reader, &part.value),
                "rows" => lines.rows = rows(reader, &part.value),
                _ => reader.unknown_key(part, &PURPOSE),
            }
        }
        if !lines.masks.is_empty() || !lines.rows.is_empty() {
            purposes.lines.insert(entry.key.clone(), lines);
        }
    }
    purposes
}

/// What a session may state beside user and purpose: names, each with what it is.
fn details(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<String, DetailKind> {
    let mut details = BTreeMap::new();
    for entry in reader.mapping(node) {
        let (name, span) = (&entry.key, entry.key_span);
        let is_word = name.len() <= DETAIL_NAME_BYTES_MAX
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !is_word {
            let message = format!("`{name}` is no name for a detail");
            let help = "a small letter, then small letters, digits and `_`";
            reader.complain(Diagnostic::error(message, span).help(help));
        } else if OWN_SETTINGS.contains(&name.as_str()) {
            let message = format!("`scrim.{name}` means something already");
            reader.complain(Diagnostic::error(message, span).help("give the detail another name"));
        }
        if let Some(kind) = reader.word(&entry.value, &DetailKind::WORDS) {
            details.insert(name.clone(), kind);
        }
    }
    details
}

fn limits(reader: &mut Reader<'_>, node: &Node) -> Limits {
    let mut limits = Limits::default();
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "rows" => limits.rows = reader.number(&entry.value, 1, ROWS_MAX),
            "statement_seconds" => {
                limits.statement_seconds = reader.number(&entry.value, 1, STATEMENT_SECONDS_MAX);
            }
            "bytes" => limits.bytes = reader.number(&entry.value, 1, ROWS_MAX),
            "idle_transaction_seconds" => {
                limits.idle_transaction_seconds =
                    reader.number(&entry.value, 1, STATEMENT_SECONDS_MAX);
            }
            "statements_per_second" => {
                limits.statements_per_second = reader.number(&entry.value, 1, u64::from(u32::MAX));
            }
            "message_bytes" => {
                limits.message_bytes = reader.number(&entry.value, MESSAGE_BYTES_MIN, ROWS_MAX);
            }
            "connections" => {
                limits.connections = reader.number(&entry.value, 1, u64::from(u32::MAX));
            }
            "lookups_per_minute" => {
                limits.lookups_per_minute = reader.number(&entry.value, 0, u64::from(u32::MAX));
            }
            _ => reader.unknown_key(entry, &LIMITS),
        }
    }
    limits
}

fn guard(reader: &mut Reader<'_>, node: &Node) -> Option<Detection> {
    let (mut detect, mut then) = (None, None);
    let mut has = [false; GUARD.len()];
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "detect" => {
                has[0] = true;
                detect = kinds(reader, &entry.value, "detect");
            }
            "then" => {
                has[1] = true;
                then = reader.filled_text(&entry.value).and_then(|word| {
                    let known = Then::ALL.into_iter().find(|then| then.word() == word);
                    if known.is_none() {
                        let words = Then::ALL.map(Then::word);
                        let message = format!("`{word}` is none of: {}", words.join(", "));
                        let diagnostic = Diagnostic::error(message, entry.value.span);
                        reader.complain(with_near(diagnostic, &word, &words));
                    }
                    known
                });
            }
            _ => reader.unknown_key(entry, &GUARD),
        }
    }
    for (name, has) in GUARD.into_iter().zip(has) {
        if !has {
            let message = format!("`guard` needs `{name}`");
            reader.complain(Diagnostic::error(message, node.span));
        }
    }
    Some(Detection { kinds: detect?, then: then? })
}

fn database_user(reader: &mut Reader<'_>, node: &Node) -> Option<DatabaseUser> {
    let (mut user, mut password) = (None, None);
    let mut has_user = false;
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "user" => {
                has_user = true;
                user = reader.filled_text(&entry.value);
            }
            "password" => password = reader.secret(&entry.value),
            _ => reader.unknown_key(entry, &DATABASE_USER),
        }
    }
    if !has_user {
        // Written in another way than as a mapping, it may hold the password.
        reader.conceal(node);
        reader.complain(Diagnostic::error("`database_user` needs a `user`", node.span));
    }
    Some(DatabaseUser { user: user?, password })
}
