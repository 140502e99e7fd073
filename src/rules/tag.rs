//! Tags: what a column holds, and the patterns by which roles speak of it.

/// What a column holds. A column without a rule is unclassified, which is the absence of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tag {
    /// Built in: clear for every role.
    Open,
    /// A dotted name, free to choose: `contact.email`.
    Named(String),
}

/// The left side of a role's mask line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TagPattern {
    /// `"*"`: the rest, unclassified columns too.
    Rest,
    /// `contact` covers `contact` and `contact.*`; the longest match wins.
    Prefix(String),
}
