//! `audit:` of `scrim.yaml`.

use std::path::Path;

use super::server::{self, Server};
use crate::audit::{
    AuditOptions, Durability, FACILITIES, Rotation, SinkOptions, SyslogAddress, TablePlace, machine,
};
use crate::rules::RuleSet;
use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};

pub(super) const KEYS: [&str; 5] = ["file", "durability", "key_file", "rotate", "sinks"];
/// Keys of `rotate`.
pub(super) const ROTATE: [&str; 3] = ["bytes", "daily", "keep"];
/// Keys of a syslog among the sinks.
pub(super) const SYSLOG: [&str; 2] = ["syslog", "facility"];
/// Keys of a table among the sinks.
pub(super) const TABLE: [&str; 3] = ["postgres", "table", "name"];
/// Keys of `postgres`.
pub(super) const POSTGRES: [&str; 9] = server::KEYS;
/// What a sink may be known by.
const SINK: [&str; 2] = ["syslog", "postgres"];

/// Schema and table, if nothing is said.
const TABLE_NAME: (&str, &str) = ("scrim_audit", "trail");
/// PostgreSQL cuts longer names.
const NAME_BYTES_MAX: usize = 63;

const OWN_ACCOUNT: &str = "give the audit an account of its own, such as `scrim_audit`: what the accounts of the database \
                           can write, clients may write through Scrim; docs/operating.md";

/// A file of fewer bytes would hold a few statements.
pub(super) const ROTATE_BYTES_MIN: u64 = 10_000;
/// More files than a folder should hold.
pub(super) const KEEP_MAX: u64 = 100_000;

const UDP: &str = "udp://";
/// Whose messages are for few eyes.
const FACILITY: u8 = 10;

/// What has been read of it; whether it can stay so depends on the rest of the file.
pub(super) struct AuditDraft {
    options: AuditOptions,
    sinks: Vec<SinkDraft>,
}

enum SinkDraft {
    Ready(SinkOptions),
    Table { server: Box<Server>, span: Span, name: (String, String), scrim: Option<String> },
}

impl AuditDraft {
    /// Where nothing is said.
    pub(super) fn new(folder: &Path) -> AuditDraft {
        let options = AuditOptions::of_file(folder.join("audit.jsonl"));
        AuditDraft { options, sinks: Vec::new() }
    }

    /// What it comes to beside a database to which Scrim logs in as `service`.
    pub(super) fn finish(self, reader: &mut Reader<'_>, service: &str) -> AuditOptions {
        let sinks = self.sinks.into_iter().map(|sink| sink.finish(reader, service)).collect();
        AuditOptions { sinks, ..self.options }
    }
}

impl SinkDraft {
    fn finish(self, reader: &mut Reader<'_>, service: &str) -> SinkOptions {
        let (server, span, (schema, table), scrim) = match self {
            SinkDraft::Ready(options) => return options,
            SinkDraft::Table { server, span, name, scrim } => (server, span, name, scrim),
        };
        if server.has_host_and_user() && server.user() == service {
            let message = format!(
                "the audit's table is written by the same account as that of `database`, `{service}`"
            );
            reader.complain(Diagnostic::error(message, span).help(OWN_ACCOUNT));
        }
        if server.is_anybodys() && !reader.has_errors() {
            let message = "nobody checks whether this server is the right one, and whoever is in its place reads the \
                           trail, and keeps from the table what they like";
            let help = "`tls: verify-full` with a `ca`";
            reader.complain(Diagnostic::warning(message, span).help(help));
        }
        let (endpoint, database) = server.finish(reader);
        let scrim = scrim.or_else(machine).unwrap_or_else(|| "scrim".to_owned());
        SinkOptions::Table(Box::new(TablePlace { endpoint, database, schema, table, scrim }))
    }
}

/// Reads it; what it gives counts only where nothing was complained about.
pub(super) fn audit(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> AuditDraft {
    let AuditDraft { mut options, mut sinks } = AuditDraft::new(folder);
    for entry in reader.mapping(node) {
        let value = &entry.value;
        match entry.key.as_str() {
            "file" => {
                if let Some(path) = reader.filled_text(value) {
                    options.file = folder.join(path);
                }
            }
            "key_file" => {
                options.key_file = reader.filled_text(value).map(|path| folder.join(path));
            }
            "durability" => {
                let words = [("queued", Durability::Queued), ("synced", Durability::Synced)];
                if let Some(durability) = reader.word(value, &words) {
                    options.durability = durability;
                }
            }
            "rotate" => options.rotation = rotate(reader, value),
            "sinks" => {
                let items = reader.list(value);
                sinks = items.iter().filter_map(|item| sink(reader, item, folder)).collect();
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    AuditDraft { options, sinks }
}

fn rotate(reader: &mut Reader<'_>, node: &Node) -> Option<Rotation> {
    let mut rotation = Rotation { bytes: None, daily: false, keep: None };
    for entry in reader.mapping(node) {
        let value = &entry.value;
        match entry.key.as_str() {
            "bytes" => rotation.bytes = reader.number(value, ROTATE_BYTES_MIN, i64::MAX as u64),
            "daily" => rotation.daily = reader.truth(value).unwrap_or_default(),
            "keep" => {
                let keep = reader.number(value, 1, KEEP_MAX);
                rotation.keep = keep.and_then(|keep| usize::try_from(keep).ok());
            }
            _ => reader.unknown_key(entry, &ROTATE),
        }
    }
    if rotation.bytes.is_none() && !rotation.daily && !reader.has_errors() {
        let message = "`rotate` says when no file is closed";
        let help = "write `bytes: 100000000`, or `daily: true`, or both";
        reader.complain(Diagnostic::error(message, node.span).help(help));
    }
    Some(rotation)
}

fn sink(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<SinkDraft> {
    let Kind::Mapping(entries) = &node.kind else {
        return reader
            .word(node, &[("stdout", ())])
            .map(|()| SinkDraft::Ready(SinkOptions::Stdout));
    };
    if entries.iter().any(|entry| entry.key == "postgres") {
        return table(reader, node, folder);
    }
    let (mut address, mut facility) = (None, FACILITY);
    for entry in entries {
        let value = &entry.value;
        match entry.key.as_str() {
            "syslog" => address = Some(syslog(reader, value)?),
            "facility" => facility = reader.word(value, &FACILITIES).unwrap_or(FACILITY),
            _ => {
                // It may be what a table is, misspelt, with a password in it.
                reader.conceal(value);
                reader.unknown_key(entry, if address.is_some() { &SYSLOG } else { &SINK });
            }
        }
    }
    if address.is_none() {
        let message = "a sink is `stdout`, `{syslog: ADDRESS}` or `{postgres: {host: …, user: …}}`";
        reader.complain(Diagnostic::error(message, node.span));
    }
    address.map(|address| SinkDraft::Ready(SinkOptions::Syslog { address, facility }))
}

fn table(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<SinkDraft> {
    let (schema, table) = TABLE_NAME;
    let (mut name, mut scrim) = ((schema.to_owned(), table.to_owned()), None);
    let mut found = None;
    for entry in reader.mapping(node) {
        let value = &entry.value;
        match entry.key.as_str() {
            "postgres" => {
                let mut server = Server::new("postgres");
                server.read(reader, value, folder);
                if !server.has_host_and_user() && matches!(value.kind, Kind::Mapping(_)) {
                    let message = "`postgres` needs `host` and `user`";
                    reader.complain(Diagnostic::error(message, value.span).help(OWN_ACCOUNT));
                }
                found = Some((Box::new(server), value.span));
            }
            "table" => name = table_name(reader, value).unwrap_or(name),
            "name" => scrim = reader.filled_text(value),
            _ => {
                reader.conceal(value);
                reader.unknown_key(entry, &TABLE);
            }
        }
    }
    found.map(|(server, span)| SinkDraft::Table { server, span, name, scrim })
}

/// `schema.table`, of letters that mean the same in quotation marks and without.
fn table_name(reader: &mut Reader<'_>, node: &Node) -> Option<(String, String)> {
    let text = reader.filled_text(node)?;
    let is_name = |name: &str| {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        name.bytes().all(is_plain)
            && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
            && name.len() <= NAME_BYTES_MAX
    };
    match text.split_once('.') {
        Some((schema, table)) if is_name(schema) && is_name(table) => {
            Some((schema.to_owned(), table.to_owned()))
        }
        Some(_) | None => {
            let message = format!("`{text}` is no name of a table");
            let help =
                "schema and table in small letters, digits and `_`, such as `scrim_audit.trail`";
            reader.complain(Diagnostic::error(message, node.span).help(help));
            None
        }
    }
}

/// Roles whose own login is an account by which the audit's table is written.
pub(super) fn judge(options: &AuditOptions, rules: &RuleSet) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for sink in &options.sinks {
        let SinkOptions::Table(place) = sink else { continue };
        let user = &place.endpoint.user;
        let own = rules.roles.iter().filter(|(_, role)| {
            role.database_user.as_ref().is_some_and(|login| login.user == *user)
        });
        found.extend(own.map(|(name, _)| {
            let message = format!(
                "role `{name}` logs in to the database as `{user}`, by which the audit's table is written"
            );
            Diagnostic::placeless(message).help(OWN_ACCOUNT)
        }));
    }
    found
}

fn syslog(reader: &mut Reader<'_>, node: &Node) -> Option<SyslogAddress> {
    let text = reader.filled_text(node)?;
    let udp = text.strip_prefix(UDP).map(str::parse);
    match udp {
        Some(Ok(address)) => Some(SyslogAddress::Udp(address)),
        None if text.starts_with('/') => Some(SyslogAddress::Unix(text.into())),
        Some(Err(_)) | None => {
            let message = format!("`{text}` is no address of a syslog");
            let help = "a socket, such as `/dev/log`, or `udp://10.0.0.5:514`";
            reader.complain(Diagnostic::error(message, node.span).help(help));
            None
        }
    }
}
