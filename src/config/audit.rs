//! `audit:` of `scrim.yaml`.

use std::path::Path;

use crate::audit::{AuditOptions, Durability, FACILITIES, Rotation, SinkOptions, SyslogAddress};
use crate::text::Diagnostic;
use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};

pub(super) const KEYS: [&str; 5] = ["file", "durability", "key_file", "rotate", "sinks"];
/// Keys of `rotate`.
pub(super) const ROTATE: [&str; 3] = ["bytes", "daily", "keep"];
/// Keys of a syslog among the sinks.
pub(super) const SYSLOG: [&str; 2] = ["syslog", "facility"];

/// A file of fewer bytes would hold a few statements.
pub(super) const ROTATE_BYTES_MIN: u64 = 10_000;
/// More files than a folder should hold.
pub(super) const KEEP_MAX: u64 = 100_000;

const UDP: &str = "udp://";
/// Whose messages are for few eyes.
const FACILITY: u8 = 10;

/// Reads it; what it gives counts only where nothing was complained about.
pub(super) fn audit(
    reader: &mut Reader<'_>,
    node: &Node,
    folder: &Path,
    mut options: AuditOptions,
) -> AuditOptions {
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
                options.sinks = items.iter().filter_map(|item| sink(reader, item)).collect();
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    options
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

fn sink(reader: &mut Reader<'_>, node: &Node) -> Option<SinkOptions> {
    if !matches!(node.kind, Kind::Mapping(_)) {
        return reader.word(node, &[("stdout", ())]).map(|()| SinkOptions::Stdout);
    }
    let (mut address, mut facility) = (None, FACILITY);
    for entry in reader.mapping(node) {
        let value = &entry.value;
        match entry.key.as_str() {
            "syslog" => address = Some(syslog(reader, value)?),
            "facility" => facility = reader.word(value, &FACILITIES).unwrap_or(FACILITY),
            _ => reader.unknown_key(entry, &SYSLOG),
        }
    }
    if address.is_none() {
        let message = "a sink is `stdout` or `{syslog: ADDRESS}`";
        reader.complain(Diagnostic::error(message, node.span));
    }
    address.map(|address| SinkOptions::Syslog { address, facility })
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
