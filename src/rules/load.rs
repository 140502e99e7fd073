//! Texts → [`RuleSet`].

use std::collections::BTreeMap;

use ring::digest;

use super::extends::resolve_roles;
use super::name::{RelationName, RelationPattern};
use super::read_role::{RoleDraft, read_role};
use super::table::TableRule;
use super::{OpenRule, RuleSet, TokenUsers, User};
pub use crate::text::reader::{Environment, NoEnvironment};
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{self, Entry, Kind, Node};
use crate::text::{Diagnostic, Sources, Span};

pub(super) const KEYS: [&str; 6] = ["open", "tables", "roles", "users", "token_users", "databases"];

/// Reads and merges the rule files (already read, in `sources`).
///
/// Gives the rules with warnings.
///
/// # Errors
/// All diagnostics, warnings too, with at least one error among them.
pub fn load(
    mut sources: Sources,
    environment: &dyn Environment,
) -> Result<(RuleSet, Vec<Diagnostic>), (Sources, Vec<Diagnostic>)> {
    let mut reader = Reader::new(environment);
    let mut merged = Merged::default();
    for (id, _) in sources.iter() {
        match yaml::parse(&sources, id) {
            Ok(document) => merged.file(&mut reader, &document),
            Err(found) => found.into_iter().for_each(|found| reader.complain(found)),
        }
    }
    let roles = resolve_roles(&mut reader, &merged.roles);
    let known: Vec<&str> = roles.keys().map(String::as_str).collect();
    let of_users = merged.users.values().flat_map(|user| &user.wanted_roles);
    let of_tokens = merged.token_users.iter().flat_map(|(_, wanted)| wanted);
    let of_grants = roles.values().filter_map(|role| role.grants.as_ref());
    let approvers: Vec<_> = of_grants.flat_map(|grants| &grants.approvers).collect();
    for (role, span) in of_users.chain(of_tokens).chain(approvers) {
        if !roles.contains_key(role) {
            let diagnostic = Diagnostic::error(format!("there is no role `{role}`"), *span);
            reader.complain(with_near(diagnostic, role, &known));
        }
    }
    let has_errors = reader.has_errors();
    let (mut diagnostics, secrets) = reader.finish();
    sources.keep_secret(secrets);
    // In the order of the files and lines, as people read them.
    diagnostics.sort_by_key(|found| found.primary.as_ref().map(|label| label.span));
    if has_errors {
        return Err((sources, diagnostics));
    }
    let version = version(&sources);
    let Merged { open, tables, users, token_users, .. } = merged;
    let users = users.into_iter().map(|(name, draft)| (name, draft.user)).collect();
    let token_users = token_users.map(|(users, _)| users);
    Ok((RuleSet { sources, version, open, tables, roles, users, token_users }, diagnostics))
}

/// SHA-256 over names and texts, in order, the first 16 hex digits.
fn version(sources: &Sources) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for (_, source) in sources.iter() {
        for part in [&source.name, &source.text] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    let hash = context.finish();
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Merged {
    open: Vec<OpenRule>,
    tables: Vec<TableRule>,
    roles: BTreeMap<String, RoleDraft>,
    users: BTreeMap<String, UserDraft>,
    /// With the places of its roles.
    token_users: Option<(TokenUsers, Vec<(String, Span)>)>,
}

/// A user whose roles are not yet known to exist.
pub(super) struct UserDraft {
    pub(super) user: User,
    pub(super) wanted_roles: Vec<(String, Span)>,
}

impl Merged {
    fn file(&mut self, reader: &mut Reader<'_>, document: &Node) {
        let entries = reader.mapping(document);
        let databases = databases(reader, entries);
        for entry in entries {
            match entry.key.as_str() {
                "open" => self.open(reader, &entry.value, databases.as_ref()),
                "tables" => self.tables(reader, &entry.value, databases.as_ref()),
                "roles" => self.roles(reader, &entry.value),
                "users" => self.users(reader, &entry.value),
                "token_users" => self.token_users(reader, entry),
                "databases" => {}
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
    }

    fn open(&mut self, reader: &mut Reader<'_>, node: &Node, databases: Option<&Vec<String>>) {
        for (text, span) in reader.texts(node) {
            let pattern = match super::name::parse_pattern(&text) {
                Ok(pattern) => pattern,
                Err(why) => {
                    reader.complain(Diagnostic::error(why, span));
                    continue;
                }
            };
            let rule = OpenRule { pattern, databases: databases.cloned(), span };
            let first = self.open.iter().find(|other| {
                other.pattern == rule.pattern && overlap(&other.databases, &rule.databases)
            });
            if let Some(first) = first {
                reader.complain(twice(&text, span, first.span));
                continue;
            }
            if let RelationPattern::Relation(relation) = &rule.pattern
                && let Some(table) = self.table(relation, &rule.databases)
            {
                reader.complain(open_and_classified(&text, span, table.span));
                continue;
            }
            self.open.push(rule);
        }
    }

    fn tables(&mut self, reader: &mut Reader<'_>, node: &Node, databases: Option<&Vec<String>>) {
        for entry in reader.mapping(node) {
            let Some(table) = super::table::read_table(reader, entry, databases) else { continue };
            if let Some(first) = self.table(&table.relation, &table.databases) {
                reader.complain(twice(&entry.key, table.span, first.span));
                continue;
            }
            let pattern = RelationPattern::Relation(table.relation.clone());
            let open = self
                .open
                .iter()
                .find(|rule| rule.pattern == pattern && overlap(&rule.databases, &table.databases));
            match open {
                Some(open) => {
                    reader.complain(open_and_classified(&entry.key, table.span, open.span));
                }
                None => self.tables.push(table),
            }
        }
    }

    fn table(
        &self,
        relation: &RelationName,
        databases: &Option<Vec<String>>,
    ) -> Option<&TableRule> {
        self.tables
            .iter()
            .find(|other| other.relation == *relation && overlap(&other.databases, databases))
    }

    fn roles(&mut self, reader: &mut Reader<'_>, node: &Node) {
        for entry in reader.mapping(node) {
            // Read in any case: its lines are worth their complaints too.
            let role = read_role(reader, entry);
            match self.roles.get(&entry.key) {
                Some(first) => reader.complain(twice(&entry.key, entry.key_span, first.span)),
                None => drop(self.roles.insert(entry.key.clone(), role)),
            }
        }
    }

    fn users(&mut self, reader: &mut Reader<'_>, node: &Node) {
        if !matches!(node.kind, Kind::Mapping(_)) {
            // Whatever it is, it may hold passwords.
            reader.conceal(node);
        }
        for entry in reader.mapping(node) {
            let user = super::user::read_user(reader, entry);
            match self.users.get(&entry.key) {
                Some(first) => reader.complain(twice(&entry.key, entry.key_span, first.user.span)),
                None => self.users.extend(user.map(|user| (entry.key.clone(), user))),
            }
        }
    }

    fn token_users(&mut self, reader: &mut Reader<'_>, entry: &Entry) {
        let read = super::token_users::read_token_users(reader, entry);
        match &self.token_users {
            Some((first, _)) => reader.complain(twice(&entry.key, entry.key_span, first.span)),
            None => self.token_users = read,
        }
    }
}

/// The databases in which a file counts; `None`: all.
fn databases(reader: &mut Reader<'_>, entries: &[Entry]) -> Option<Vec<String>> {
    let entry = entries.iter().find(|entry| entry.key == "databases")?;
    let names = reader.given_texts(&entry.value)?;
    if names.is_empty() {
        let message = "`databases` names none, so this file would never count";
        let help = "leave `databases` out where a file counts for all";
        reader.complain(Diagnostic::error(message, entry.key_span).help(help));
    }
    Some(names.into_iter().map(|(name, _)| name).collect())
}

fn overlap(a: &Option<Vec<String>>, b: &Option<Vec<String>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.iter().any(|name| b.contains(name)),
        (None, _) | (_, None) => true,
    }
}

/// The same name for the second time.
pub(super) fn twice(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error(format!("`{name}` stands in the rules twice"), span)
        .also(first, "first named here")
}

/// `open` would make new columns clear for everybody, which is not what somebody wants who classifies columns.
fn open_and_classified(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error(format!("`{name}` is both open and classified by columns"), span)
        .also(first, "first named here")
        .help("name it under `tables` alone, with the tag `open` for each column that is")
}

/// A name that people can see and type.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control)
}
