//! `pool:` of `scrim.yaml`.

use std::time::Duration;

use crate::pool::{PoolMode, PoolOptions};
use crate::text::Diagnostic;
use crate::text::reader::Reader;
use crate::text::yaml::Node;

/// Server connections that PostgreSQL could have at all (`MAX_BACKENDS`).
pub(super) const POOL_SIZE_MAX: u64 = 262_143;
/// A week: longer is a mistake of units.
pub(super) const POOL_SECONDS_MAX: u64 = 7 * 24 * 3600;

pub(super) const KEYS: [&str; 7] = [
    "mode",
    "size",
    "min_size",
    "wait_seconds",
    "idle_seconds",
    "lifetime_seconds",
    "check_seconds",
];

/// Reads it; what it gives counts only where nothing was complained about.
pub(super) fn pool(reader: &mut Reader<'_>, node: &Node) -> PoolOptions {
    let mut pool = PoolOptions::default();
    let mut least = None;
    for entry in reader.mapping(node) {
        let value = &entry.value;
        let seconds = |reader: &mut Reader<'_>, now: &mut Duration| {
            let seconds = reader.number(value, 1, POOL_SECONDS_MAX);
            *now = seconds.map_or(*now, Duration::from_secs);
        };
        match entry.key.as_str() {
            "mode" => {
                let words =
                    [("transaction", PoolMode::Transaction), ("session", PoolMode::Session)];
                pool.mode = reader.word(value, &words).unwrap_or(pool.mode);
            }
            "size" => pool.size = size(reader, value, 1).unwrap_or(pool.size),
            "min_size" => {
                pool.min_size = size(reader, value, 0).unwrap_or(pool.min_size);
                least = Some(value.span);
            }
            "wait_seconds" => seconds(reader, &mut pool.wait),
            "idle_seconds" => seconds(reader, &mut pool.idle),
            "lifetime_seconds" => seconds(reader, &mut pool.lifetime),
            "check_seconds" => seconds(reader, &mut pool.check_after),
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if let Some(span) = least
        && pool.min_size > pool.size
    {
        let message = format!("`min_size` is more than `size`, which is {}", pool.size);
        reader.complain(Diagnostic::error(message, span));
    }
    pool
}

fn size(reader: &mut Reader<'_>, node: &Node, least: u64) -> Option<usize> {
    reader.number(node, least, POOL_SIZE_MAX).and_then(|size| usize::try_from(size).ok())
}
