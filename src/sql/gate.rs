//! The gate: statement kinds and settings, by allow-list, on PostgreSQL's own tree.

use crate::catalog::SearchPath;

/// Kinds of statements that pass the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// SELECT, VALUES, TABLE.
    Select,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, …
    Transaction,
    /// SET, RESET.
    Set,
    /// SHOW.
    Show,
    /// DEALLOCATE, DISCARD, CLOSE.
    Discard,
}

/// What the session must remember of a statement once the server has confirmed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// BEGIN or START TRANSACTION.
    Begin,
    /// COMMIT or END; `chain` starts the next transaction.
    Commit {
        /// AND CHAIN
        chain: bool,
    },
    /// ROLLBACK or ABORT.
    Rollback {
        /// AND CHAIN
        chain: bool,
    },
    /// SAVEPOINT name.
    Savepoint(String),
    /// RELEASE name.
    Release(String),
    /// ROLLBACK TO name.
    RollbackTo(String),
    /// SET search_path. `None`: to the value at the start of the session.
    SearchPath {
        /// SET LOCAL
        local: bool,
        /// The new path.
        path: Option<SearchPath>,
    },
    /// RESET ALL.
    ResetAll,
    /// DISCARD ALL.
    DiscardAll,
    /// DEALLOCATE name; `None`: ALL.
    Deallocate(Option<String>),
    /// CLOSE cursor; `None`: ALL.
    ClosePortal(Option<String>),
    /// SET scrim.purpose; `None`: RESET.
    Purpose(Option<String>),
    /// SET scrim.end_user; `None`: RESET.
    EndUser(Option<String>),
}
