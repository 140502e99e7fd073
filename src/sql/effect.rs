//! What kind a statement is, and what it changes in the session once it has succeeded.

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
    /// SHOW, and `SELECT set_config('search_path', …)`.
    Show,
    /// DECLARE, MOVE.
    Cursor,
    /// FETCH.
    Fetch,
    /// SQL's PREPARE.
    Prepare,
    /// SQL's EXECUTE.
    Execute,
    /// COPY … TO STDOUT.
    Copy {
        /// Messages of data that are no row: a header line, or the end of the binary format.
        extra_messages: u8,
    },
    /// INSERT, UPDATE, DELETE, MERGE, and SELECT with one of them in its WITH.
    Write {
        /// It gives rows.
        returning: bool,
    },
    /// COPY … FROM STDIN.
    CopyIn,
    /// EXPLAIN.
    Explain {
        /// The plan comes as JSON, in one row; else as text, a row a line.
        json: bool,
    },
    /// CREATE TEMP TABLE AS, and INSERT into a temporary table.
    TempTable,
    /// Other statements that make, change or drop temporary tables.
    Definition,
    /// DEALLOCATE, DISCARD, CLOSE, UNLISTEN.
    Discard,
    /// LISTEN.
    Listen,
    /// NOTIFY.
    Notify,
}

impl StatementKind {
    /// As spans have it.
    pub fn word(self) -> &'static str {
        match self {
            StatementKind::Select => "select",
            StatementKind::Transaction => "transaction",
            StatementKind::Set => "set",
            StatementKind::Show => "show",
            StatementKind::Cursor => "cursor",
            StatementKind::Fetch => "fetch",
            StatementKind::Prepare => "prepare",
            StatementKind::Execute => "execute",
            StatementKind::Copy { .. } => "copy",
            StatementKind::Write { .. } => "write",
            StatementKind::CopyIn => "copy_in",
            StatementKind::Explain { .. } => "explain",
            StatementKind::TempTable => "temp_table",
            StatementKind::Definition => "definition",
            StatementKind::Discard => "discard",
            StatementKind::Listen => "listen",
            StatementKind::Notify => "notify",
        }
    }

    /// True for statements that give data, now or when what they make is used.
    pub fn reads(self) -> bool {
        match self {
            StatementKind::Select
            | StatementKind::Cursor
            | StatementKind::Fetch
            | StatementKind::Prepare
            | StatementKind::Execute
            | StatementKind::Write { .. }
            | StatementKind::CopyIn
            | StatementKind::Explain { .. }
            | StatementKind::TempTable
            | StatementKind::Listen
            | StatementKind::Copy { .. } => true,
            StatementKind::Transaction
            | StatementKind::Set
            | StatementKind::Show
            | StatementKind::Definition
            | StatementKind::Notify
            | StatementKind::Discard => false,
        }
    }

    /// True for statements that answer with rows that the server describes.
    pub fn has_rows(self) -> bool {
        match self {
            StatementKind::Select
            | StatementKind::Show
            | StatementKind::Fetch
            | StatementKind::Write { returning: true }
            | StatementKind::Explain { .. }
            | StatementKind::Execute => true,
            StatementKind::Write { returning: false }
            | StatementKind::Transaction
            | StatementKind::Set
            | StatementKind::Discard
            | StatementKind::Cursor
            | StatementKind::Prepare
            | StatementKind::CopyIn
            | StatementKind::TempTable
            | StatementKind::Definition
            | StatementKind::Listen
            | StatementKind::Notify
            | StatementKind::Copy { .. } => false,
        }
    }
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
    /// SET of other settings, up to the end of the session: each with the statement that sets it again; `None`: to
    /// the value at the start of the session.
    Set(Vec<(String, Option<String>)>),
    /// RESET ALL.
    ResetAll,
    /// DISCARD ALL.
    DiscardAll,
    /// A temporary table has been made.
    CreateTemp {
        /// Its name.
        name: String,
        /// ON COMMIT DROP
        until_commit: bool,
    },
    /// DROP TABLE of temporary tables.
    DropTemp(Vec<String>),
    /// DISCARD TEMP.
    DiscardTemp,
    /// PREPARE name: a statement of that name can be executed, by the protocol too.
    Prepare(String),
    /// EXECUTE name. Changes nothing; what it reads is what that statement reads.
    Execute(String),
    /// FETCH or MOVE, or a write WHERE CURRENT OF: the cursor. Changes nothing that is remembered; the name must be a cursor that SQL declared.
    Fetch(String),
    /// DEALLOCATE name; `None`: ALL.
    Deallocate(Option<String>),
    /// DECLARE: a cursor is open, to the end of the transaction or beyond.
    Declare {
        /// Its name.
        name: String,
        /// WITH HOLD
        holds: bool,
    },
    /// CLOSE cursor; `None`: ALL.
    ClosePortal(Option<String>),
    /// LISTEN channel.
    Listen(String),
    /// UNLISTEN channel; `None`: `*`.
    Unlisten(Option<String>),
    /// SET scrim.purpose, scrim.end_user, or a detail of the role.
    State {
        /// `purpose`, `end_user`, or the detail's name.
        name: String,
        /// SET LOCAL
        local: bool,
        /// What is stated; `None`: RESET, to the value at the start of the session.
        value: Option<String>,
    },
}
