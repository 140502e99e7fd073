//! `grants:` of `scrim.yaml`: where grants are kept, a file or a PostgreSQL.

use std::path::{Path, PathBuf};

use super::server::{self, Server};
use crate::ledger::{GrantsOptions, Place, SharedPlace};
use crate::rules::RuleSet;
use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};

pub(super) const KEYS: [&str; 2] = ["store", "name"];
/// Keys of a `store` that is a PostgreSQL.
pub(super) const STORE: [&str; 9] = server::KEYS;

const OWN_ACCOUNT: &str = "give the grants an account of their own, such as `scrim_grants`: what the accounts of the \
                           database can write, clients may write through Scrim; docs/grants.md";

/// What has been read of it; whether it can stay so depends on the rest of the file.
pub(super) struct GrantsDraft {
    store: Store,
    name: Option<(String, Span)>,
}

enum Store {
    File(PathBuf),
    Server(Box<Server>, Span),
}

impl GrantsDraft {
    /// What it comes to beside a database to which Scrim logs in as `service`.
    pub(super) fn finish(self, reader: &mut Reader<'_>, service: &str) -> GrantsOptions {
        let place = match self.store {
            Store::File(path) => {
                if let Some((_, span)) = self.name {
                    let message = "`name` counts with a `store` that several Scrims share only";
                    reader.complain(Diagnostic::warning(message, span));
                }
                Place::File(path)
            }
            Store::Server(server, span) => {
                if server.user() == service {
                    let message = format!(
                        "the grants are kept by the same account as that of `database`, `{service}`"
                    );
                    reader.complain(Diagnostic::error(message, span).help(OWN_ACCOUNT));
                }
                if server.is_anybodys() && !reader.has_errors() {
                    let message = "nobody checks whether this server is the right one, and whoever is in its place \
                                   grants what they like";
                    let help = "`tls: verify-full` with a `ca`";
                    reader.complain(Diagnostic::warning(message, span).help(help));
                }
                let (endpoint, database) = server.finish(reader);
                Place::Shared(Box::new(SharedPlace { endpoint, database }))
            }
        };
        GrantsOptions { place, name: self.name.map(|(name, _)| name) }
    }
}

/// Reads it; paths are relative to `folder`.
pub(super) fn grants(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<GrantsDraft> {
    let (mut store, mut name) = (None, None);
    let mut has_store = false;
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "store" => {
                has_store = true;
                store = read_store(reader, &entry.value, folder);
            }
            "name" => {
                name = reader.filled_text(&entry.value).map(|name| (name, entry.value.span));
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if !has_store {
        let diagnostic = Diagnostic::error("`grants` needs a `store`", node.span);
        reader.complain(diagnostic.help(
            "the file in which grants are kept: `store: grants.db`; or a PostgreSQL: `store: {host: …, user: …}`",
        ));
    }
    store.map(|store| GrantsDraft { store, name })
}

fn read_store(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<Store> {
    if matches!(node.kind, Kind::Mapping(_)) {
        let mut server = Server::new("store");
        server.read(reader, node, folder);
        if !server.has_host_and_user() {
            let message = "a `store` that is a PostgreSQL needs `host` and `user`";
            reader.complain(Diagnostic::error(message, node.span).help(OWN_ACCOUNT));
        }
        return Some(Store::Server(Box::new(server), node.span));
    }
    if let Kind::String(text) = &node.kind
        && (text.contains("://") || text.contains("host="))
    {
        // A password may stand in it.
        reader.conceal(node);
        let message = "`store` is the name of a file, or a PostgreSQL by its parts";
        let help = "`store: {host: …, port: …, user: …, name: …, password_file: …}`";
        reader.complain(Diagnostic::error(message, node.span).help(help));
        return None;
    }
    Some(Store::File(folder.join(reader.filled_text(node)?)))
}

/// Roles whose own login is the account by which grants are kept.
pub(super) fn judge(options: &GrantsOptions, rules: &RuleSet) -> Vec<Diagnostic> {
    let Place::Shared(place) = &options.place else { return Vec::new() };
    let user = &place.endpoint.user;
    let own = rules
        .roles
        .iter()
        .filter(|(_, role)| role.database_user.as_ref().is_some_and(|login| login.user == *user));
    own.map(|(name, _)| {
        let message = format!(
            "role `{name}` logs in to the database as `{user}`, by which the grants are kept"
        );
        Diagnostic::placeless(message).help(OWN_ACCOUNT)
    })
    .collect()
}
