//! Where grants are kept, and what of them is in force: an embedded database (SQLite) that the command line writes and a
//! running Scrim follows, or a PostgreSQL that several Scrims share.
//!
//! INVARIANT: what cannot be read is not granted. Whatever is wrong with the store, the board is empty.

mod board;
mod fault;
mod follower;
mod kept;
mod shared;
mod store;
mod told;

pub use board::{AsOf, Board};
pub use fault::Fault;
pub use follower::{Follower, Looked};
pub use kept::Ledger;
pub use shared::{SharedPlace, made_by_hand, make};

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::grants::{Grant, State};

/// `grants:` of scrim.yaml.
#[derive(Debug, Clone)]
pub struct GrantsOptions {
    /// Where they are.
    pub place: Place,
    /// As what this Scrim writes of shared grants; `None`: the machine's name.
    pub name: Option<String>,
}

/// Where grants are kept.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a file of one Scrim.
    File(PathBuf),
    /// In a database that several Scrims share.
    Shared(Box<SharedPlace>),
}

/// Something that has happened to a grant.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Its number.
    pub number: i64,
    /// `asked`, `approved`, `break_glass`, `rejected`, `revoked`, `expired`
    pub action: String,
    /// By whom.
    pub who: Option<String>,
    /// When, milliseconds since 1970.
    pub at: i64,
    /// To which, as it is now.
    pub grant: Grant,
}

/// Milliseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX)
}

/// What somebody has added to a grant is a step; the word for one that begins it.
fn first_step(grant: &Grant) -> &'static str {
    match (grant.break_glass, grant.state) {
        (true, _) => "break_glass",
        (false, State::InForce) => "approved",
        (false, _) => "asked",
    }
}

/// By whom, and when, a grant came to be as it is.
fn last_step(grant: &Grant) -> (Option<&str>, i64) {
    let (who, at) = match grant.state {
        State::Revoked | State::Expired => (grant.ended_by.as_deref(), grant.ended_at),
        State::Asked | State::InForce | State::Rejected => {
            (grant.decided_by.as_deref(), grant.decided_at)
        }
    };
    (who, at.unwrap_or_default())
}
