//! The privacy report: what the audit trail says, held against the rules.
//!
//! ```text
//! line of the trail → entry → tally (one pass; kinds of data by the rules) ┐
//! rules, catalog → picture                                                 ┴► report ──► sections → text, HTML
//!                                                                                   └──► JSON
//! ```
//!
//! It reads no file and knows no clock; who calls it has checked the chain. The trail holds names that anybody may have
//! chosen, such as those of logins that failed: in a terminal and in a page they are shown, and do nothing.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod about_rules;
mod about_subject;
mod by_row;
mod chart;
mod entry;
mod granted;
mod habits;
mod head;
mod html;
mod kinds;
mod row;
mod sections;
mod shown;
mod subject;
mod tally;
mod text;
mod time;
mod told;
mod unused;
mod words;

pub use entry::Entry;
pub use kinds::Kinds;
pub use row::{NoRow, relation_and_key, relations_with_keys};
pub use shown::shown;
pub use subject::{Sightings, Subject};
pub use tally::{Question, Tally};
pub use time::{beginning, end};
pub use told::{Report, Rules, TrailTold};
pub use words::Language;
pub(crate) use words::texts;
