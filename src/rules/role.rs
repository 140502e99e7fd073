//! Roles: what a kind of person may do and see.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::mask_spec::{MaskSpec, read_mask};
use super::name::{RelationName, parse_relation};
use super::table::SqlText;
use super::tag::TagPattern;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Entry, Node};
use crate::text::{Diagnostic, Span};

/// A role, with everything it inherits through `extends` already in it.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name.
    pub name: String,
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
    /// When not empty, the session must state one.
    pub purposes: Vec<String>,
    /// What a session may cost.
    pub limits: Limits,
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

/// `limits:`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one statement's result.
    pub rows: Option<u64>,
    /// Seconds that one statement may run.
    pub statement_seconds: Option<u64>,
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
    /// True when the role's bytes may pass untouched: it may do everything, sees everything, all rows.
    pub fn is_untouched(&self) -> bool {
        self.may.everything
            && self.rows.is_empty()
            && self.masks.iter().any(|rule| rule.pattern == TagPattern::Rest)
            && self.masks.iter().all(|rule| matches!(rule.mask, MaskSpec::Clear))
    }
}

/// A role as written, before `extends`.
pub(super) struct RoleDraft {
    pub(super) span: Span,
    extends: Option<(String, Span)>,
    may: Option<Permissions>,
    description: Option<String>,
    masks: Vec<MaskRule>,
    rows: BTreeMap<RelationName, RowRule>,
    functions: Vec<(RelationName, Span)>,
    purposes: Option<Vec<String>>,
    limits: Limits,
    database_user: Option<DatabaseUser>,
}

const KEYS: [&str; 10] = [
    "description",
    "extends",
    "may",
    "masks",
    "rows",
    "lookup",
    "functions",
    "limits",
    "purposes",
    "database_user",
];

/// Reads one entry of `roles`.
pub(super) fn read_role(reader: &mut Reader<'_>, entry: &Entry) -> RoleDraft {
    let mut role = RoleDraft {
        span: entry.key_span,
        extends: None,
        may: None,
        description: None,
        masks: Vec::new(),
        rows: BTreeMap::new(),
        functions: Vec::new(),
        purposes: None,
        limits: Limits::default(),
        database_user: None,
    };
    for part in reader.mapping(&entry.value) {
        let value = &part.value;
        match part.key.as_str() {
            "description" => role.description = reader.text(value),
            "extends" => role.extends = reader.text(value).map(|name| (name, value.span)),
            "may" => role.may = Some(permissions(reader, value)),
            "masks" => role.masks = masks(reader, value),
            "rows" => role.rows = rows(reader, value),
            "lookup" => {
                reader.texts(value);
                let message = "`lookup` is not available in this version: every use of these \
                               columns sees their mask";
                reader.complain(Diagnostic::warning(message, part.key_span));
            }
            "functions" => role.functions = functions(reader, value),
            "limits" => role.limits = limits(reader, value),
            "purposes" => {
                let purposes = reader.texts(value);
                role.purposes = Some(purposes.into_iter().map(|(name, _)| name).collect());
            }
            "database_user" => role.database_user = database_user(reader, value),
            _ => reader.unknown_key(part, &KEYS),
        }
    }
    role
}

fn permissions(reader: &mut Reader<'_>, node: &Node) -> Permissions {
    const WORDS: [&str; 5] = ["read", "write", "explain", "temp_tables", "everything"];
    let mut may = Permissions::default();
    for (word, span) in reader.texts(node) {
        match word.as_str() {
            "read" => may.read = true,
            "everything" => may.everything = true,
            "write" | "explain" | "temp_tables" => {
                match word.as_str() {
                    "write" => may.write = true,
                    "explain" => may.explain = true,
                    _ => may.temp_tables = true,
                }
                let message = format!(
                    "`{word}` is not available to masked roles in this version: such statements are refused"
                );
                reader.complain(Diagnostic::warning(message, span));
            }
            _ => {
                let message = format!("`{word}` is none of: {}", WORDS.join(", "));
                reader.complain(with_near(Diagnostic::error(message, span), &word, &WORDS));
            }
        }
    }
    may
}

fn masks(reader: &mut Reader<'_>, node: &Node) -> Vec<MaskRule> {
    let mut masks: Vec<MaskRule> = Vec::new();
    for entry in reader.mapping(node) {
        let pattern = match TagPattern::parse(&entry.key) {
            Ok(pattern) => pattern,
            Err(why) => {
                reader.complain(Diagnostic::error(why, entry.key_span));
                continue;
            }
        };
        // `contact` and `contact.*` are the same line.
        if let Some(first) = masks.iter().find(|rule| rule.pattern == pattern) {
            let message = format!("`{}` has two masks", entry.key);
            reader.complain(
                Diagnostic::error(message, entry.key_span).also(first.span, "first named here"),
            );
            continue;
        }
        if let Some(mask) = read_mask(reader, &entry.value) {
            masks.push(MaskRule { pattern, mask, span: entry.key_span });
        }
    }
    masks
}

fn rows(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<RelationName, RowRule> {
    let mut rows = BTreeMap::new();
    for entry in reader.mapping(node) {
        let filter = reader.text(&entry.value);
        match (parse_relation(&entry.key), filter) {
            (Ok(relation), Some(text)) => {
                let filter = SqlText { text, span: entry.value.span };
                rows.insert(relation, RowRule { filter, span: entry.key_span });
            }
            (Err(why), _) => reader.complain(Diagnostic::error(why, entry.key_span)),
            (Ok(_), None) => {}
        }
    }
    rows
}

fn functions(reader: &mut Reader<'_>, node: &Node) -> Vec<(RelationName, Span)> {
    let mut functions = Vec::new();
    for (text, span) in reader.texts(node) {
        match parse_relation(&text) {
            Ok(name) => functions.push((name, span)),
            Err(why) => reader.complain(Diagnostic::error(why, span)),
        }
    }
    functions
}

fn limits(reader: &mut Reader<'_>, node: &Node) -> Limits {
    const KEYS: [&str; 3] = ["rows", "statement_seconds", "lookups_per_minute"];
    let mut limits = Limits::default();
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "rows" => limits.rows = reader.number(&entry.value, 1),
            "statement_seconds" => limits.statement_seconds = reader.number(&entry.value, 1),
            // There are no lookups yet, so there are never too many.
            "lookups_per_minute" => {
                reader.number(&entry.value, 1);
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    limits
}

fn database_user(reader: &mut Reader<'_>, node: &Node) -> Option<DatabaseUser> {
    const KEYS: [&str; 2] = ["user", "password"];
    let (mut user, mut password) = (None, None);
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "user" => user = reader.text(&entry.value),
            "password" => password = reader.text(&entry.value).map(SecretString::from),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if user.is_none() {
        reader.complain(Diagnostic::error("`database_user` needs a `user`", node.span));
    }
    Some(DatabaseUser { user: user?, password })
}

/// Follows `extends`: nearer lines win, pattern by pattern and relation by relation; functions add up; what the
/// nearer role does not say at all is inherited.
pub(super) fn resolve_roles(
    reader: &mut Reader<'_>,
    drafts: &BTreeMap<String, RoleDraft>,
) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    for (name, draft) in drafts {
        let mut role = Role {
            name: name.clone(),
            description: draft.description.clone(),
            may: Permissions::default(),
            masks: Vec::new(),
            rows: BTreeMap::new(),
            functions: Vec::new(),
            purposes: Vec::new(),
            limits: Limits::default(),
            database_user: None,
            span: draft.span,
        };
        let (mut may, mut purposes) = (None, None);
        let mut seen = vec![name.as_str()];
        let mut next = Some(draft);
        while let Some(nearer) = next {
            inherit(&mut role, nearer);
            may = may.or(nearer.may);
            purposes = purposes.or_else(|| nearer.purposes.clone());
            next = None;
            let Some((parent, span)) = &nearer.extends else { continue };
            match drafts.get(parent) {
                None => {
                    let known: Vec<&str> = drafts.keys().map(String::as_str).collect();
                    let message = format!("there is no role `{parent}` to extend");
                    // Said once, where it stands.
                    if seen.len() == 1 {
                        let diagnostic = Diagnostic::error(message, *span);
                        reader.complain(with_near(diagnostic, parent, &known));
                    }
                }
                Some(_) if seen.contains(&parent.as_str()) => {
                    let message =
                        format!("role `{name}` extends itself: {} → {parent}", seen.join(" → "));
                    reader.complain(Diagnostic::error(message, *span));
                }
                Some(draft) => {
                    seen.push(parent);
                    next = Some(draft);
                }
            }
        }
        role.may = may.unwrap_or(Permissions { read: true, ..Permissions::default() });
        role.purposes = purposes.unwrap_or_default();
        roles.insert(name.clone(), role);
    }
    roles
}

/// Takes what the role does not have yet.
fn inherit(role: &mut Role, from: &RoleDraft) {
    for mask in &from.masks {
        if role.masks.iter().all(|own| own.pattern != mask.pattern) {
            role.masks.push(mask.clone());
        }
    }
    for (relation, filter) in &from.rows {
        role.rows.entry(relation.clone()).or_insert_with(|| filter.clone());
    }
    for (function, span) in &from.functions {
        if role.functions.iter().all(|(own, _)| own != function) {
            role.functions.push((function.clone(), *span));
        }
    }
    role.limits.rows = role.limits.rows.or(from.limits.rows);
    role.limits.statement_seconds = role.limits.statement_seconds.or(from.limits.statement_seconds);
    if role.database_user.is_none() {
        role.database_user.clone_from(&from.database_user);
    }
}
