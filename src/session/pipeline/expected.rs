//! What is due from the server, and what becomes of it.

use std::sync::Arc;

use bytes::Bytes;

use super::super::statements::Prepared;
use super::Judge;
use super::again::Binding;
use super::sightings::Sighted;
use crate::audit::StatementFacts;
use crate::guard::Discretion;
use crate::policy::WireMasks;
use crate::rules::ScrubKind;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader::Named;

/// One outstanding reply.
pub struct Expected {
    /// Which.
    pub reply: Reply,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// To the client, after the guard.
    Forward,
    /// Nowhere: the client did not ask. An error is told all the same, since it ends the client's unit.
    Swallow,
    /// It must be an error, and this stands in its place.
    Replace(Bytes),
    /// The server was not asked; this is said when its turn comes.
    Synthesise(Bytes),
}

/// A statement whose rows a description judges, with the catalog's version when it was asked for. Always where Scrim itself
/// asks, and where the client asks first.
pub type Judged = Option<(Arc<Prepared>, u64)>;

/// Kinds of replies.
pub enum Reply {
    /// Everything from a Query to its ReadyForQuery.
    Query(QueryRun),
    /// ParseComplete. `None`: poisoned.
    Parse {
        /// Name of the statement.
        name: String,
        /// The statement.
        prepared: Option<Arc<Prepared>>,
        /// The name under which it will be on the server connection, whoever has that next.
        shared: Option<Arc<str>>,
    },
    /// BindComplete.
    Bind {
        /// Name of the portal.
        portal: String,
        /// Name of the statement.
        statement: String,
        /// In which formats its rows come, where somebody reads them.
        formats: Option<Arc<[i16]>>,
    },
    /// ParameterDescription, then RowDescription or NoData.
    DescribeStatement {
        /// Name of the statement.
        name: String,
        /// What it tells of this statement's rows is kept.
        judged: Judged,
        /// ParameterDescription has come, or none does.
        has_parameters: bool,
    },
    /// RowDescription or NoData.
    DescribePortal {
        /// Name of the portal.
        name: String,
        /// What it tells of this statement's rows is kept.
        judged: Judged,
    },
    /// Rows, then CommandComplete, PortalSuspended or EmptyQueryResponse.
    Execute(Execution),
    /// CloseComplete.
    Close {
        /// Statement or portal.
        kind: Named,
        /// Its name.
        name: String,
    },
    /// ReadyForQuery.
    Sync,
    /// ReadyForQuery of a unit that has failed for what the client need not know, and is sent once more then.
    Anew,
    /// A Query of our own that brings the server connection to the session's settings: so many statements still due,
    /// then ReadyForQuery. None of it is the client's.
    Replay {
        /// CommandComplete messages that have not come.
        due: usize,
    },
}

impl Reply {
    /// For the alarm.
    pub fn due(&self) -> &'static str {
        match self {
            Reply::Query(_) => "the answer to Query",
            Reply::Parse { .. } => "ParseComplete",
            Reply::Bind { .. } => "BindComplete",
            Reply::DescribeStatement { .. } => "the description of a statement",
            Reply::DescribePortal { .. } => "the description of a portal",
            Reply::Execute(_) => "the answer to Execute",
            Reply::Close { .. } => "CloseComplete",
            Reply::Sync => "ReadyForQuery",
            Reply::Anew => "ReadyForQuery of a unit that is sent once more",
            Reply::Replay { .. } => "the answer to the settings of the session",
        }
    }

    /// True for those that end with ReadyForQuery and whose errors skip nothing.
    pub fn ends_ready(&self) -> bool {
        match self {
            Reply::Query(_) | Reply::Sync | Reply::Anew | Reply::Replay { .. } => true,
            Reply::Parse { .. }
            | Reply::Bind { .. }
            | Reply::DescribeStatement { .. }
            | Reply::DescribePortal { .. }
            | Reply::Execute(_)
            | Reply::Close { .. } => false,
        }
    }

    /// How many statements of the client it takes to say this.
    pub fn statements(&self) -> usize {
        match self {
            Reply::Query(run) => run.statements.len().saturating_sub(run.ended).max(1),
            Reply::Parse { .. }
            | Reply::Bind { .. }
            | Reply::DescribeStatement { .. }
            | Reply::DescribePortal { .. }
            | Reply::Execute(_)
            | Reply::Close { .. }
            | Reply::Replay { .. }
            | Reply::Anew
            | Reply::Sync => 1,
        }
    }

    /// True while the server waits for the client's data of a COPY.
    pub fn is_fed(&self) -> bool {
        match self {
            Reply::Query(QueryRun { progress, .. })
            | Reply::Execute(Execution { progress, .. }) => progress.feeding == Feeding::Open,
            Reply::Parse { .. }
            | Reply::Bind { .. }
            | Reply::DescribeStatement { .. }
            | Reply::DescribePortal { .. }
            | Reply::Close { .. }
            | Reply::Replay { .. }
            | Reply::Anew
            | Reply::Sync => false,
        }
    }

    /// True when its success may change settings.
    pub fn may_change_settings(&self) -> bool {
        match self {
            Reply::Query(run) => run.statements.iter().any(|one| changes_settings(&one.effect)),
            Reply::Execute(run) => {
                run.prepared.as_ref().is_some_and(|prepared| changes_settings(&prepared.effect))
            }
            Reply::Parse { .. }
            | Reply::Bind { .. }
            | Reply::DescribeStatement { .. }
            | Reply::DescribePortal { .. }
            | Reply::Close { .. }
            | Reply::Replay { .. }
            | Reply::Anew
            | Reply::Sync => false,
        }
    }
}

fn changes_settings(effect: &Effect) -> bool {
    match effect {
        Effect::SearchPath { .. }
        | Effect::Set(_)
        | Effect::ResetAll
        | Effect::DiscardAll
        | Effect::CreateTemp { .. }
        | Effect::DropTemp(_)
        | Effect::DiscardTemp
        | Effect::State { .. } => true,
        // These bring back what the settings in force remember; with none that could, nothing changes.
        Effect::Commit { .. } | Effect::Rollback { .. } | Effect::RollbackTo(_) => false,
        Effect::None
        | Effect::Begin
        | Effect::Savepoint(_)
        | Effect::Release(_)
        | Effect::Prepare(_)
        | Effect::Execute(_)
        | Effect::Fetch(_)
        | Effect::Declare { .. }
        | Effect::Deallocate(_)
        | Effect::ClosePortal(_)
        // No text is read otherwise for what is heard.
        | Effect::Listen(_)
        | Effect::Unlisten(_) => false,
    }
}

/// The statements of a Query, and how far the server is.
pub struct QueryRun {
    /// In order; empty for an empty text, and for a poisoned one.
    pub statements: Vec<SentStatement>,
    /// Judges their rows.
    pub judge: Arc<dyn Judge>,
    /// Statements that have ended.
    pub ended: usize,
    /// EmptyQueryResponse has come.
    pub was_empty: bool,
    /// An error has come.
    pub failed: bool,
    /// What was found of the rows of the COPY that comes next.
    pub probed: Probed,
    /// Of the statement under way.
    pub progress: Progress,
    /// What is sent in its place, where the server keeps the statement prepared.
    pub binding: Option<Box<Binding>>,
}

/// What a probe has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Probed {
    /// There was none.
    #[default]
    Nothing,
    /// The rows may go to the client.
    Good,
    /// They may not; the alarm has been raised.
    Bad,
}

/// A statement of a Query.
#[derive(Clone)]
pub struct SentStatement {
    /// Its number in the audit.
    pub number: u64,
    /// Its kind.
    pub kind: StatementKind,
    /// What its success means for the session.
    pub effect: Effect,
    /// What of the plan an EXPLAIN may show.
    pub discretion: Option<Arc<Discretion>>,
    /// What its rows need before they may go to the client.
    pub masks: Option<Arc<WireMasks>>,
    /// What a PREPARE makes.
    pub makes: Option<Arc<Prepared>>,
    /// What it reads, where the rows are to be on record.
    pub about: Option<Arc<StatementFacts>>,
    /// What the client is told in the place of what the server says when it is complete.
    pub tag: Option<&'static str>,
    /// Code runs in it that nobody here has read, or it sets something.
    pub runs_code: bool,
    /// Stands in front of a COPY, of which it has the number: its description is judged in the place of that
    /// which COPY does not give, and nothing of it goes to the client.
    pub is_probe: bool,
}

/// An Execute, and how far the server is.
pub struct Execution {
    /// Its number in the audit; `None`: there was nothing to audit, and the server must say that there is no such
    /// portal.
    pub number: Option<u64>,
    /// The portal.
    pub portal: String,
    /// The statement, as looked up when it was sent.
    pub prepared: Option<Arc<Prepared>>,
    /// What it reads, where the rows are to be on record.
    pub about: Option<Arc<StatementFacts>>,
    /// Rows.
    pub progress: Progress,
}

/// How far a result is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Its rows may flow: described and judged.
    pub is_judged: bool,
    /// The server is sending the data of a COPY.
    pub is_copying: bool,
    /// The server takes the client's data of a COPY.
    pub feeding: Feeding,
    /// Rows given to the client.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Which columns take any text, where that matters.
    pub texts: Option<Arc<[bool]>>,
    /// The data of the COPY is in binary format.
    pub is_binary: bool,
    /// What has been found and told, by position.
    pub found: Vec<(usize, ScrubKind)>,
    /// Which rows have been shown, where that is to be on record.
    pub sighted: Option<Box<Sighted>>,
    /// No row goes out any more; this error stands in the place of the completion.
    pub stopped: Option<Bytes>,
}

/// The data of a COPY from the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Feeding {
    /// The server has not asked for it.
    #[default]
    NotYet,
    /// The client sends it.
    Open,
    /// The client has said that it is all, or has given up.
    Over,
}
