//! What values of a kind look like: numbers by their checksums, addresses by their form, and where such stand in a text.
//!
//! [`scan`](crate::scan) judges columns by it, the [`guard`](crate::guard) what leaves. Pure; what is looked at is never kept,
//! and never printed.

mod inside;
pub(crate) mod numbers;
pub(crate) mod web;

pub use inside::{GaveUp, find};

/// What one value is by its form, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sure {
    /// Few things look like that.
    Yes,
    /// It could be, if the column's name says so.
    Maybe,
}

pub(crate) fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
