//! Where grants are kept, and what of them is in force: an embedded database (SQLite) that the command line writes and a
//! running Scrim follows.
//!
//! INVARIANT: what cannot be read is not granted. Whatever is wrong with the file, the board is empty.

mod board;
mod store;

pub use board::Board;
pub use store::{Fault, Happened, Store};

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX)
}
