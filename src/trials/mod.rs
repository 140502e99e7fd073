//! The rule tests of the security team: YAML in, one session of a Scrim of our own for each, what holds and what does
//! not out.
//!
//! ```text
//! files → read → cases ──► own Scrim ── the session, the plans, the guard of `run` ── PostgreSQL
//!                            └─► answers → compare → report: text, JSON, JUnit
//! ```
//!
//! Nothing here decides what a role sees: the Scrim that is asked is the one that `run` starts, with the same rules, on a
//! socket that nobody else can reach, by a password that is made for the run. What a case does is undone.
//!
//! INVARIANT: what a `never_shows` finds is not printed, in no format.

mod caller;
mod case;
mod compare;
mod files;
mod junit;
mod own_scrim;
mod read;
mod report;
mod schema;
mod table;

pub use caller::{Answer, Bounds, NoAnswer, ServerError, ask, leave};
pub use case::{Case, Place, Who};
pub use compare::{Difference, Mark, Verdict};
pub use files::{Found, find_cases};
pub use own_scrim::{NotRun, OwnScrim};
pub use report::{Report, Tried};
pub use schema::schema;
