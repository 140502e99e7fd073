//! Two sets of rules: who sees more by the second one, who less, and what somebody has to look at.
//!
//! ```text
//! rules, catalog → picture (of every role: relations, columns, rows, …) ┐
//! rules, catalog → picture                                              ┴► compare ──► changes ──► report
//! ```
//!
//! What is compared is what comes of the rules, and not their lines: a tag that moves, a role that extends another one and a
//! condition that is defined anew all count by what a role then sees of a column.
//!
//! INVARIANT: a change is said to show less only where `order` proves it. What cannot be compared is a change to be
//! looked at, and counts like one that shows more.

mod compare;
mod granted;
mod order;
mod picture;
mod report;
mod users;

pub use compare::{ALL_ROWS, Change, Effect, Lines, Subject, compare};
pub use picture::{
    ColumnPicture, Filter, Picture, RelationPicture, RolePicture, Seen, UserPicture, standpoint,
};
pub use report::Report;
