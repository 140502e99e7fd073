//! Grants: what somebody may see for a while that the role does not show, asked for by one person and agreed to by another.
//!
//! ```text
//!            approve            time is up
//! asked ───────────► in force ───────────► expired
//!   │ reject            ▲   │ revoke
//!   ▼                   │   ▼
//! rejected     break glass  revoked        asked, and nobody has agreed for a day: lapsed
//! ```
//!
//! Pure: who it is comes in as a user of the rules, and the time as milliseconds since 1970. What was decided once is
//! looked at again by the rules in force whenever a grant is to count ([`Grant::opening`]): rules that have become
//! tighter end it.
//!
//! INVARIANT: who agrees is neither who asked nor who gains by it, compared by user.

mod asking;
mod form;
mod judging;

use serde::{Deserialize, Serialize};

pub use asking::{Draft, Wanted, draft};
pub use form::time;
pub use judging::{How, approve, ask, break_glass_roles, reject, revoke};

/// A request that nobody has agreed to for so long is none any more, milliseconds.
pub const LAPSES_AFTER_MS: i64 = 24 * 3600 * 1000;

/// What is asked for. It never changes: who agrees has seen all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Where.
    pub database: String,
    /// For whom.
    pub user: String,
    /// In which of the user's roles.
    pub role: String,
    /// Tags with the mask that is seen of them, as one writes them.
    pub masks: Vec<(String, String)>,
    /// The only table that is meant: `public.customers`.
    pub table: Option<String>,
    /// The only rows that are meant.
    pub rows: Option<Rows>,
    /// These rows are seen though the role's filter drops them.
    pub widens: bool,
    /// For how long, from when it is agreed to, seconds.
    pub seconds: u64,
    /// What for: a ticket, a reason.
    pub because: String,
    /// The columns that it opened when it was asked for, for who has to agree.
    pub columns: Vec<String>,
}

/// Rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// One SQL expression over the row.
    pub condition: String,
    /// Columns of the primary key.
    pub key: Vec<String>,
    /// The rows that fulfilled it when it was asked for.
    pub keys: Vec<Vec<String>>,
}

/// How far it is, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has decided.
    Asked,
    /// Agreed to.
    InForce,
    /// Not agreed to.
    Rejected,
    /// Taken back.
    Revoked,
    /// Over.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] =
        [State::Asked, State::InForce, State::Rejected, State::Revoked, State::Expired];

    /// As it is kept, and told.
    pub fn word(self) -> &'static str {
        match self {
            State::Asked => "asked",
            State::InForce => "in force",
            State::Rejected => "rejected",
            State::Revoked => "revoked",
            State::Expired => "expired",
        }
    }

    /// Reads the word.
    pub fn of(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A grant. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// By which people speak of it; 0: it has none yet.
    pub number: u64,
    /// What is asked for.
    pub wish: Wish,
    /// By whom.
    pub asked_by: String,
    /// When.
    pub asked_at: i64,
    /// Taken without asking anybody.
    pub break_glass: bool,
    /// How far it is.
    pub state: State,
    /// Who agreed, or did not.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<i64>,
    /// When it ends.
    pub until: Option<i64>,
    /// Who took it back.
    pub ended_by: Option<String>,
    /// When.
    pub ended_at: Option<i64>,
}

impl Grant {
    /// How far it is now, as a word: by the clock too.
    pub fn status(&self, now: i64) -> &'static str {
        match self.state {
            State::Asked if self.has_lapsed(now) => "lapsed",
            State::InForce if !self.is_in_force(now) => State::Expired.word(),
            state => state.word(),
        }
    }

    /// True when nobody has agreed in time.
    pub fn has_lapsed(&self, now: i64) -> bool {
        self.state == State::Asked && now.saturating_sub(self.asked_at) > LAPSES_AFTER_MS
    }

    /// True between the decision and the end.
    pub fn is_in_force(&self, now: i64) -> bool {
        self.state == State::InForce && self.until.is_some_and(|until| now < until)
    }
}
