//! Names, types and a sample of values → a classification for people to review.
//!
//! [`judge()`] says of each column what it holds, how sure that is and why; [`new_file`] and [`update()`] write it as rules.
//! Values come in as [`Unseen`] and never leave: what is printed is made of names of the catalog, numbers, and words that
//! stand in this room's own lists.
//!
//! INVARIANT: a file that `scan` writes changes nothing that anybody sees. A proposal is a tag below `review.`, for which
//! no role has a line, until a person takes `review.` away.

mod catalog;
mod counts;
mod document;
mod facts;
mod harmless;
mod judge;
mod kind;
mod names;
mod people_words;
mod report;
mod sampling;
mod tokens;
mod update;
mod values;
mod words;
mod write;

pub use catalog::{CATALOG_QUERY, read_catalog, size_query};
pub use document::Place;
pub use facts::{Column, Form, Sample, Table, Unseen, sql_identifier};
pub use judge::{CONFIDENCE_MIN, Finding, Verdict, follow_keys, judge};
pub use kind::Kind;
pub use report::{summary, to_json};
pub use sampling::{SampleLimits, read_samples, sample_queries};
pub use update::{Approved, approved, is_ours, update};
pub use write::{Known, Proposal, REVIEW, TableProposal, new_file};

#[cfg(test)]
mod tests;
