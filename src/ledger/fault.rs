//! Why grants cannot be read or changed, in words that say what to do.

use crate::upstream::{QueryError, UpstreamError};

/// Why the grants cannot be read, or not be changed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file.
    #[error("the file of grants cannot be used: {0}")]
    File(#[from] std::io::Error),
    /// What is in it.
    #[error("the file of grants cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    /// Something else than what this Scrim writes.
    #[error("the {0} of grants holds what this Scrim does not know")]
    Unknown(&'static str),
    /// There is none of that number.
    #[error("there is no grant {0}")]
    NoSuch(u64),
    /// It may not be.
    #[error("{0}")]
    Refused(String),
    /// The server of the shared store, or its login.
    #[error(
        "the store of grants cannot be reached: {0}\n  `grants: {{store: …}}` in scrim.yaml names it; Scrim speaks to it \
         directly, not through a pooler"
    )]
    Unreachable(#[from] UpstreamError),
    /// It is too slow for what it has to answer.
    #[error("the store of grants does not answer in time")]
    Slow,
    /// What it answers.
    #[error("the store of grants cannot be used: {0}")]
    Query(#[from] QueryError),
    /// No tables.
    #[error(
        "database `{0}` holds no store of grants\n  `scrim grant init` makes one; `scrim grant init --sql` prints what its \
         owner runs instead"
    )]
    Missing(String),
    /// Tables of another Scrim.
    #[error(
        "the store of grants is of version {0}, and this Scrim knows version 1\n  all Scrims that share it have to be of \
         the same version; docs/grants.md"
    )]
    Version(String),
    /// The account may not do what it has to.
    #[error("account `{account}` may not use the store of grants\n  its owner runs: {missing}")]
    Privileges {
        /// Who.
        account: String,
        /// What is missing, as SQL.
        missing: String,
    },
    /// It follows another server.
    #[error(
        "the store of grants is a standby, which may be behind: nothing counts that stands there\n  name the primary in \
         `grants: {{store: …}}`"
    )]
    Standby,
    /// There are tables already.
    #[error("there is a store of grants already in database `{0}`")]
    IsThere(String),
    /// The account may not make tables.
    #[error(
        "account `{0}` may not make a store of grants: {1}\n  `scrim grant init --sql` prints what an owner of the \
         database runs instead"
    )]
    MayNotMake(String, String),
    /// It was sent, and nothing was heard.
    #[error(
        "the store of grants has not said whether it was done: {0}\n  `scrim grant list --all` shows it"
    )]
    Uncertain(String),
}
