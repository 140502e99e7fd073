//! What people ask of the rules: what happens to a statement, who sees a column, what a user sees, what is wrong. Asked by
//! `scrim explain` and `scrim check`, and by the console; values never come into it.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod explanation;
mod idle;
mod one_user;
mod problems;
mod statement;
mod who_sees;

pub use explanation::{Explanation, Outcome, Refused, Relation, Sent};
pub use idle::idle_rules;
pub use one_user::OneUser;
pub use problems::Problems;
pub use statement::{Asked, stated, statement};
pub use who_sees::{Reader, Rows, Sight, WhoSees};
