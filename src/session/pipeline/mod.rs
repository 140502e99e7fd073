//! The queue of expected replies of a masked session. Pure: frames in, bytes and events out; no socket, no clock.
//!
//! PostgreSQL answers strictly in order. Every message sent to it leaves an [`Expected`] in the queue: which reply
//! is due, what becomes of it ([`Fate`]), and what it changes. The front entry meets the server's next reply.
//!
//! ```text
//!  client ──► take ──► Plan / Execute ──► (shell plans and audits) ──► query, parse, execute, refuse…
//!               │                                                            │ bytes, and an entry at the back
//!               └── forwarded, dropped, or Wait                              ▼
//!                                              queue: [Expected] [Expected] [Expected]
//!                                                        ▲ front
//!  client ◄── forwarded, judged, replaced, swallowed ── reply ◄── server
//!
//!  error of Parse, Bind, Describe, Execute, Close: entries up to the next Sync are dropped, or, when none has been
//!                                                  sent, what the client sends is, up to its Sync
//!  error of Query or Sync:                         the entry waits for its ReadyForQuery
//! ```
//!
//! A refused statement is *poisoned*: a text that cannot parse goes in its place, and PostgreSQL's error is replaced.
//! Transaction state, skipping and order are then the server's own.
//!
//! The server connection may be another one at each transaction ([`shared`] has how that is kept from the client).
//!
//! Names (statements, portals) and settings change only when the server confirms; what a message will mean is looked
//! up newest first among what is on its way, and where that depends on how an earlier unit ends, the message waits.
//!
//! A statement that was planned under older rules is planned again when a Bind or Describe names it (`older`): the
//! message is given back with [`Step::Renew`] and is offered again when the server has the new form.
//!
//! INVARIANTS, each kept by closing the session when it is broken ([`Fault`]):
//! - each entry meets exactly one fate, in order; a reply that does not fit the front entry closes both connections;
//! - the transaction state is the server's, from ReadyForQuery, never ours;
//! - no byte of a refused statement's text is written to the server;
//! - where an error is replaced, no byte of the server's error is written to the client;
//! - no row goes out before its description has been judged;
//! - bytes to the client are whole messages, or pieces of one that are completed before anything else.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html>

mod again;
mod backend;
mod copy_in;
mod expected;
mod failing;
mod frontend;
mod lookup;
mod notifying;
mod older;
mod rows;
mod shared;
mod sightings;
mod unnamed;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::footprint::{Footprint, Reported};
use super::settings::Settings;
use super::statements::{Prepared, Statements};
use crate::audit::RowsSeen;
use crate::guard::{Breach, Detector, RowKeys};
use crate::policy::WireMasks;
use crate::rules::{ScrubKind, Then};
use crate::wire::reader::Malformed;
use crate::wire::{Piece, writer};

pub use expected::SentStatement;
use expected::{Expected, Fate, Reply};
pub use lookup::Use;
pub use shared::CLEANING;

/// What is sent in place of a refused text. It parses under no setting.
pub const POISON: &str = "scrim refused this";
/// The name under which a poisoned Parse is sent that stands for another message. Never prepared.
const POISON_NAME: &str = "scrim$refused";
/// The name under which the query is prepared that stands for a COPY while its rows are judged.
const PROBE_NAME: &str = "scrim$probe";
/// Replies that may be outstanding. Clients that pipeline deeper wait.
const ENTRIES_MAX: usize = 1024;

/// Judges what the server says about results. The guard in production, a model in tests.
pub trait Judge: Send + Sync {
    /// May rows of this description go to the client?
    /// `masks` are put on them on the way.
    fn rows(&self, description: &[u8], masks: Option<&WireMasks>) -> Result<(), Breach>;
    /// Where the keys of rows stand in a result of this description, if they are to be on record.
    fn row_keys(&self, _description: &[u8], _masks: Option<&WireMasks>) -> Option<RowKeys> {
        None
    }
    /// Would the same masks be put on the same columns now?
    fn are_current(&self, masks: &WireMasks) -> bool;
    /// The body of an error or notice without what could quote a row.
    fn clean(&self, fields: &[u8]) -> Option<Vec<u8>>;
    /// May what is sent to this channel go to the client?
    fn may_hear(&self, channel: &str) -> bool;
    /// Counts up when what `rows` answers may have changed.
    fn version(&self) -> u64;
}

/// The transaction state, as the server said it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Txn {
    /// `I`
    Idle,
    /// `T`
    InBlock,
    /// `E`
    Failed,
}

/// What the pipeline produces.
#[derive(Debug, Default)]
pub struct Out {
    /// For the client.
    pub to_client: BytesMut,
    /// For the server.
    pub to_server: BytesMut,
    /// For the audit.
    pub events: Vec<Event>,
}

/// What the audit must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An accepted statement has ended.
    Completed {
        /// Its number.
        statement: u64,
        /// Rows given to the client.
        rows: u64,
        /// Their bytes.
        bytes: u64,
        /// SQLSTATE, if it failed or never ran.
        error: Option<String>,
        /// Which rows it has shown, where that is to be on record.
        rows_seen: Option<Vec<RowsSeen>>,
    },
    /// The guard stopped a result.
    Breach {
        /// The statement's number; 0: it was only described.
        statement: u64,
        /// What it found.
        breach: Breach,
    },
    /// Something that the role's `guard` names was found in a result.
    Found {
        /// The statement's number; 0: it was heard on a channel.
        statement: u64,
        /// Position of the column, from 1; 0 in a COPY, and in what is heard.
        position: usize,
        /// What it looks like.
        kind: ScrubKind,
        /// What was done.
        then: Then,
    },
}

/// What the shell has to do for a message of the client.
#[derive(Debug)]
pub enum Step {
    /// Nothing.
    Done,
    /// Offer the same piece again after the next reply.
    Wait(Piece),
    /// Plan a text, then call `query` or `parse`, or the refusal of either.
    Plan(Ask),
    /// Audit an execution, then call `execute` or `refuse_execute`.
    Execute(Execute),
    /// Plan a statement again, call `try_renewed` and `renew`, and offer the piece again; or call `refuse_piece`.
    Renew(Renew),
    /// Audit the refusal of a function call, then call `refuse_query`.
    FunctionCall,
    /// The client says goodbye.
    Terminate,
}

/// A text to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The text; `None`: it is longer than any statement may be.
    pub text: Option<Arc<str>>,
    /// Where it came from.
    pub origin: Origin,
}

/// Query or Parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A simple Query.
    Query,
    /// A Parse.
    Parse {
        /// Name of the statement.
        name: String,
        /// Parameter types as given.
        types: Arc<[u32]>,
    },
}

/// A portal to be executed.
#[derive(Clone)]
pub struct Execute {
    /// The portal.
    pub portal: String,
    /// Rows at most; 0: all.
    pub rows_max: i32,
    /// Its statement, if there is one.
    pub prepared: Option<Arc<Prepared>>,
}

/// A message that names a statement of older rules.
pub struct Renew {
    /// The message.
    pub piece: Piece,
    /// The statement's name.
    pub name: String,
    /// The statement as it was planned.
    pub prepared: Arc<Prepared>,
}

impl std::fmt::Debug for Renew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renew").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Execute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execute").field("rows_max", &self.rows_max).finish_non_exhaustive()
    }
}

/// How much of one statement's result the client gets at most, each with the error that stands for the rest.
#[derive(Debug, Clone, Default)]
pub struct Ceiling {
    /// Rows.
    pub rows: Option<(u64, Bytes)>,
    /// Bytes of rows, headers included.
    pub bytes: Option<(u64, Bytes)>,
    /// What is looked for in them.
    pub detector: Option<Arc<Detector>>,
    /// The keys of its rows are to be on record.
    pub audits_rows: bool,
}

/// Why a session cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The client does not keep to the protocol.
    #[error("{message}")]
    Client {
        /// SQLSTATE.
        code: &'static str,
        /// For the client.
        message: String,
    },
    /// The server's reply does not fit what was asked: an alarm.
    #[error("the server sent {got:?} where {due} was due")]
    Misfit {
        /// The type byte.
        got: char,
        /// What was due.
        due: &'static str,
    },
    /// A server connection could not be brought to the session's settings.
    #[error("the settings of the session could not be set again: {code}")]
    NotAsItWas {
        /// SQLSTATE.
        code: String,
    },
    /// The server has said goodbye; the client has been told.
    #[error("the server ended the session")]
    ServerFatal,
}

impl Fault {
    fn client(message: String) -> Fault {
        Fault::Client { code: "08P01", message }
    }
}

impl From<Malformed> for Fault {
    fn from(fault: Malformed) -> Fault {
        let message = match fault.utf8 {
            true => format!("invalid byte sequence for encoding \"UTF8\" in {}", fault.what),
            false => format!("invalid message format: {fault}"),
        };
        Fault::Client { code: fault.code(), message }
    }
}

/// Where the rest of a message that comes in pieces goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Forward,
    Drop,
    /// To the pieces before it, since only the whole can be masked.
    Hold,
}

/// So much room for rows that are masked is kept from one result to the next.
const MASKING_BYTES_KEPT: usize = 16 * 1024;

/// A row on its way through its masks. It does not print.
#[derive(Default)]
struct Masking {
    /// The pieces of a row that have come.
    held: BytesMut,
    /// Where the masked row is made.
    made: BytesMut,
}

impl Masking {
    /// Where a large row has passed, its room is given back.
    fn is_small(&self) -> bool {
        self.held.capacity().max(self.made.capacity()) <= MASKING_BYTES_KEPT
    }
}

/// After an error of ours that the server knows nothing of, the client hears nothing until it is ready again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mute {
    /// The next Sync's ReadyForQuery ends it.
    ToSync,
    /// The front Query's own ReadyForQuery ends it.
    ToReady,
}

/// The session's heart.
pub struct Pipeline {
    queue: VecDeque<Expected>,
    txn: Txn,
    /// Extended messages have been sent since the last Sync or Query.
    unit_open: bool,
    /// The unit has failed, and the client's messages go nowhere up to its Sync.
    skipping: bool,
    mute: Option<Mute>,
    from_client: Option<Course>,
    from_server: Option<Course>,
    /// For rows that are masked as they pass; `None`: none has come yet.
    masking: Option<Box<Masking>>,
    /// A Flush has been sent for a message that waits.
    flushed: bool,
    /// What is known of the server connection; `None`: there is none.
    footprint: Option<Box<Footprint>>,
    /// Server connections are shared with other sessions, and statements on them too, under names of our own.
    is_shared: bool,
    /// The unit under way, where it may have to be sent once more.
    unit: Option<Box<unnamed::Unit>>,
    /// The client has yet to be told that its statement is there.
    owes_parse_complete: bool,
    /// Which of the session's statements is the unnamed one on this server connection.
    unnamed: Option<Arc<Prepared>>,
    /// What the client was told at login to be its process id.
    process_id: i32,
    /// Parameters, as the client was told.
    told: Reported,
    /// Names.
    pub statements: Statements,
    /// Settings.
    pub settings: Settings,
    judge: Arc<dyn Judge>,
    ceiling: Ceiling,
}

impl Pipeline {
    /// At the start of a session, without a server connection.
    pub fn new(settings: Settings, judge: Arc<dyn Judge>, ceiling: Ceiling) -> Self {
        Pipeline {
            queue: VecDeque::new(),
            txn: Txn::Idle,
            unit_open: false,
            skipping: false,
            mute: None,
            from_client: None,
            from_server: None,
            masking: None,
            flushed: false,
            footprint: None,
            is_shared: false,
            unit: None,
            owes_parse_complete: false,
            unnamed: None,
            process_id: 0,
            told: Reported::default(),
            statements: Statements::default(),
            settings,
            judge,
            ceiling,
        }
    }

    /// The catalog has changed: from now on this judge.
    pub fn set_judge(&mut self, judge: Arc<dyn Judge>) {
        self.statements.age_masked(|masks| judge.are_current(masks));
        self.judge = judge;
    }

    /// The rules have changed, and nothing is outstanding: from now on this judge and these limits, and what is held is
    /// older.
    pub fn set_rules(&mut self, judge: Arc<dyn Judge>, ceiling: Ceiling) {
        self.judge = judge;
        self.ceiling = ceiling;
        self.statements.age();
    }

    /// The transaction state, as the server said it last.
    pub fn txn(&self) -> Txn {
        self.txn
    }

    /// True when nothing is outstanding.
    pub fn is_quiet(&self) -> bool {
        self.queue.is_empty() && self.from_client.is_none()
    }

    /// How many statements the server has to run before it has said what it must: it keeps answers to itself up to the
    /// next Sync or Query. 0: it may be silent for as long as it likes.
    pub fn statements_due(&self) -> usize {
        let must_speak = self.queue.iter().any(|expected| expected.reply.ends_ready());
        if !must_speak || self.queue.front().is_some_and(|expected| expected.reply.is_fed()) {
            return 0;
        }
        let statements = self.queue.iter().map(|expected| expected.reply.statements());
        statements.fold(0, usize::saturating_add)
    }

    /// True when the server is idle outside a transaction and owes nothing.
    pub fn is_idle(&self) -> bool {
        self.is_quiet() && self.txn == Txn::Idle && !self.unit_open && !self.skipping
    }

    /// True when a message of ours may be written to the client.
    pub fn is_between_messages(&self) -> bool {
        self.from_server != Some(Course::Forward)
    }

    fn push(&mut self, reply: Reply, fate: Fate) {
        self.flushed = false;
        self.queue.push_back(Expected { reply, fate });
    }

    /// Asks the server for what it has in its buffers, once for each message that waits.
    fn wait(&mut self, piece: Piece, out: &mut Out) -> Step {
        // Always: a Query inside a unit that has failed is skipped, and then nothing else makes the server speak.
        if !self.flushed {
            self.flushed = true;
            writer::flush(&mut out.to_server);
        }
        Step::Wait(piece)
    }
}

#[cfg(test)]
mod tests;
