//! Why the table cannot be written, in words that say what to do.

use crate::upstream::{QueryError, UpstreamError};

/// Why the table of the audit cannot be written, or made.
#[derive(Debug, thiserror::Error)]
#[error("the audit's table at {place}: {why}")]
pub struct TableFault {
    /// Server and database.
    pub(super) place: String,
    /// What is wrong.
    pub(super) why: Why,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Why {
    #[error(
        "{0}\n  `audit: {{sinks: [{{postgres: …}}]}}` in scrim.yaml says where it is, and by which account it is written"
    )]
    Unreachable(#[from] UpstreamError),
    #[error("it does not answer in time")]
    Slow,
    #[error("{0}")]
    Query(#[from] QueryError),
    #[error(
        "there is no table `{0}`\n  `scrim audit init` makes it; `scrim audit init --sql` prints what its owner runs instead"
    )]
    Missing(String),
    #[error(
        "table `{table}` is not as Scrim makes it: {message}\n  `scrim audit init --sql` prints how it has to be"
    )]
    Other { table: String, message: String },
    #[error(
        "account `{account}` may not do with it what it has to: {message}\n  its owner runs: {missing}"
    )]
    Privileges { account: String, message: String, missing: String },
    #[error(
        "it takes no writes, as a standby does\n  name the primary in `audit: {{sinks: [{{postgres: …}}]}}`"
    )]
    ReadOnly,
    #[error(
        "the encoding of the database is {0}, and the lines are UTF8\n  make the table in a database with ENCODING 'UTF8'"
    )]
    Encoding(String),
    #[error("there is a table `{0}` already")]
    IsThere(String),
    #[error(
        "account `{account}` may not make table `{table}`: {message}\n  `scrim audit init --sql` prints what an owner of the \
         database runs instead"
    )]
    MayNotMake { account: String, table: String, message: String },
}
