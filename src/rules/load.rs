//! Texts → [`RuleSet`].

use std::collections::BTreeMap;

use ring::digest;

use super::role::{RoleDraft, resolve_roles};
use super::table::TableRule;
use super::{OpenRule, RuleSet, User};
pub use crate::text::reader::Environment;
use crate::text::reader::Reader;
use crate::text::yaml::{self, Entry, Node};
use crate::text::{Diagnostic, Sources, Span};

const KEYS: [&str; 5] = ["open", "tables", "roles", "users", "databases"];

/// Reads and merges the rule files (already read, in `sources`).
/// Gives the rules with warnings, or all diagnostics with at least one error among them.
pub fn load(
    sources: Sources,
    environment: &dyn Environment,
) -> Result<(RuleSet, Vec<Diagnostic>), (Sources, Vec<Diagnostic>)> {
    let mut reader = Reader::new(environment);
    let mut merged = Merged::default();
    for (id, _) in sources.iter() {
        match yaml::parse(&sources, id) {
            Ok(document) => merged.file(&mut reader, &document),
            Err(diagnostic) => reader.complain(diagnostic),
        }
    }
    let roles = resolve_roles(&mut reader, &merged.roles);
    for user in merged.users.values() {
        for (role, span) in &user.wanted_roles {
            if !merged.roles.contains_key(role) {
                let known: Vec<&str> = merged.roles.keys().map(String::as_str).collect();
                let message = format!("there is no role `{role}`");
                let diagnostic = Diagnostic::error(message, *span);
                reader.complain(crate::text::reader::with_near(diagnostic, role, &known));
            }
        }
    }
    if reader.has_errors() {
        return Err((sources, reader.diagnostics));
    }
    let version = version(&sources);
    let users = merged.users.into_iter().map(|(name, draft)| (name, draft.user)).collect();
    let rules =
        RuleSet { sources, version, open: merged.open, tables: merged.tables, roles, users };
    Ok((rules, reader.diagnostics))
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
                "databases" => {}
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
    }

    fn open(&mut self, reader: &mut Reader<'_>, node: &Node, databases: Option<&Vec<String>>) {
        for (text, span) in reader.texts(node) {
            match super::name::parse_pattern(&text) {
                Ok(pattern) => {
                    let same = self.open.iter().find(|rule| {
                        rule.pattern == pattern && rule.databases.as_ref() == databases
                    });
                    if let Some(first) = same {
                        reader.complain(twice(&text, span, first.span));
                        continue;
                    }
                    self.open.push(OpenRule { pattern, databases: databases.cloned(), span });
                }
                Err(why) => reader.complain(Diagnostic::error(why, span)),
            }
        }
    }

    fn tables(&mut self, reader: &mut Reader<'_>, node: &Node, databases: Option<&Vec<String>>) {
        for entry in reader.mapping(node) {
            let Some(table) = super::table::read_table(reader, entry, databases) else { continue };
            let same = self.tables.iter().find(|other| {
                other.relation == table.relation && overlap(&other.databases, &table.databases)
            });
            match same {
                Some(first) => reader.complain(twice(&entry.key, table.span, first.span)),
                None => self.tables.push(table),
            }
        }
    }

    fn roles(&mut self, reader: &mut Reader<'_>, node: &Node) {
        for entry in reader.mapping(node) {
            if let Some(first) = self.roles.get(&entry.key) {
                reader.complain(twice(&entry.key, entry.key_span, first.span));
                continue;
            }
            let role = super::role::read_role(reader, entry);
            self.roles.insert(entry.key.clone(), role);
        }
    }

    fn users(&mut self, reader: &mut Reader<'_>, node: &Node) {
        for entry in reader.mapping(node) {
            if let Some(first) = self.users.get(&entry.key) {
                reader.complain(twice(&entry.key, entry.key_span, first.user.span));
                continue;
            }
            if let Some(user) = super::user::read_user(reader, entry) {
                self.users.insert(entry.key.clone(), user);
            }
        }
    }
}

fn databases(reader: &mut Reader<'_>, entries: &[Entry]) -> Option<Vec<String>> {
    let entry = entries.iter().find(|entry| entry.key == "databases")?;
    Some(reader.texts(&entry.value).into_iter().map(|(name, _)| name).collect())
}

fn overlap(a: &Option<Vec<String>>, b: &Option<Vec<String>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.iter().any(|name| b.contains(name)),
        (None, _) | (_, None) => true,
    }
}

fn twice(name: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error(format!("`{name}` stands in the rules twice"), span)
        .also(first, "first named here")
}
