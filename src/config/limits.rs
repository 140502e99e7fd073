//! `limits:` of `scrim.yaml`.

use crate::text::reader::Reader;
use crate::text::yaml::Node;

/// How many sessions there may be at once; what is not limited has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub all: Option<u64>,
    /// Of one client address; all Unix sockets are one.
    pub of_address: Option<u64>,
}

pub(super) const KEYS: [&str; 2] = ["connections", "connections_per_address"];

/// Reads the key.
pub(super) fn limits(reader: &mut Reader<'_>, node: &Node) -> ConnectionLimits {
    let mut limits = ConnectionLimits::default();
    for entry in reader.mapping(node) {
        let mut number = || reader.number(&entry.value, 1, u64::from(u32::MAX));
        match entry.key.as_str() {
            "connections" => limits.all = number(),
            "connections_per_address" => limits.of_address = number(),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    limits
}
