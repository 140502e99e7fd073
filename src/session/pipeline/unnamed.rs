//! A Parse without a name whose statement the server connection keeps prepared: nothing is parsed, and what the client binds
//! is bound to what is there.
//!
//! Such a client expects PostgreSQL to read its text each time. So what is kept counts within the unit of its Parse, and only
//! where its Bind comes next; what else the client does with its statement, PostgreSQL has it read first. And one thing must
//! not reach it: that a table has changed since the statement was prepared (`cached plan must not change result type`). The
//! Bind says so, before anything has run. Outside a transaction the rest of the unit is held until the Bind is through, and
//! where it is not, the statement is prepared anew, and what is held is sent once more.
//!
//! ```text
//!  client ──► Parse Bind Describe Execute Sync          ──►  Bind Describe Execute Sync
//!                                                       ◄──  ErrorResponse                    nothing is told
//!                                                       ◄──  ReadyForQuery                    nothing is told
//!                                                       ──►  Close Parse Bind Describe Execute Sync
//! ```
//!
//! What the client sends behind the unit waits meanwhile. In a transaction, which the error would end, it is the client's, as
//! it is for a Query ([`super::again`]); the next time the statement is prepared anew.

use std::sync::Arc;

use bytes::BytesMut;

use super::expected::{Expected, Fate, Reply};
use super::lookup::Known;
use super::{Fault, Out, Pipeline, Txn};
use crate::session::statements::Prepared;
use crate::wire::reader::{self, BindHead, Named};
use crate::wire::{Frame, Piece, writer};

/// So much of a unit is held; what comes behind waits until the Bind is through.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// A unit that began with a Parse without a name, of a statement that the server connection keeps.
pub(super) struct Unit {
    prepared: Arc<Prepared>,
    /// Its name on the server connection.
    name: Arc<str>,
    stage: Stage,
    /// What has been sent from the Bind on, where it may be sent once more.
    sent: BytesMut,
}

/// How far the unit is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The statement was prepared before, and nothing has been sent.
    Answered,
    /// Its Bind has been sent.
    Bound,
    /// So has the Sync.
    Whole,
    /// The Bind has failed, and the Sync has been sent.
    Failed,
    /// The Bind is through, or nothing was there before.
    Settled,
}

impl Pipeline {
    /// True where a Parse without a name may go by what the server connection keeps: it begins a unit, and nothing that is on
    /// its way can fail before it.
    pub fn may_keep_unnamed(&self) -> bool {
        let is_replay = |expected: &Expected| matches!(expected.reply, Reply::Replay { .. });
        self.is_shared
            && self.is_attached()
            && self.txn != Txn::Failed
            && !self.unit_open
            && !self.skipping
            && self.mute.is_none()
            && self.queue.iter().all(is_replay)
    }

    /// Such a Parse: answered, or sent since nothing was there.
    pub(super) fn begins_unit(&mut self, prepared: Arc<Prepared>, name: Arc<str>, was_there: bool) {
        let stage = if was_there { Stage::Answered } else { Stage::Settled };
        let sent = BytesMut::new();
        self.unit = Some(Box::new(Unit { prepared, name, stage, sent }));
        self.owes_parse_complete |= was_there;
    }

    /// Tells the client that its statement is there: with what comes next, as PostgreSQL does, which spares a packet.
    pub(super) fn say_owed(&mut self, out: &mut Out) {
        if std::mem::take(&mut self.owes_parse_complete) {
            writer::parse_complete(&mut out.to_client);
        }
    }

    /// A message of the client, before anything is made of it.
    pub(super) fn comes_in_unit(&mut self, piece: &Piece, out: &mut Out) {
        let Some(unit) = &mut self.unit else { return };
        let is_sync = matches!(piece, Piece::Whole(frame) if frame.tag() == b'S');
        // A long one is not held.
        let binds = match piece {
            Piece::Whole(frame) if frame.tag() == b'B' => {
                BindHead::of_whole(frame.body()).is_ok_and(|head| head.statement.is_empty())
            }
            Piece::Whole(_) | Piece::Start { .. } | Piece::More { .. } => false,
        };
        match unit.stage {
            Stage::Answered if !binds => {
                self.say_owed(out);
                self.ends_unit();
            }
            Stage::Settled if is_sync => self.ends_unit(),
            Stage::Bound if is_sync => unit.prepared.set_kept(false),
            Stage::Answered | Stage::Settled | Stage::Bound | Stage::Whole | Stage::Failed => {}
        }
    }

    /// What is kept counts no longer.
    pub(super) fn ends_unit(&mut self) {
        if let Some(unit) = self.unit.take() {
            unit.prepared.set_kept(false);
        }
    }

    /// A Bind of the unnamed statement is about to be sent.
    pub(super) fn binds_unnamed(&mut self) {
        let bound = match self.statement("") {
            Known::Yes(prepared) => Some(prepared),
            Known::No | Known::Uncertain => None,
        };
        let may_be_sent_again = self.txn == Txn::Idle;
        let Some(unit) = self.unit.as_mut().filter(|unit| unit.stage == Stage::Answered) else {
            return;
        };
        // Rules that came in between have put another in its place.
        if !bound.is_some_and(|bound| Arc::ptr_eq(&bound, &unit.prepared)) {
            self.ends_unit();
        } else if may_be_sent_again {
            unit.stage = Stage::Bound;
        } else {
            unit.stage = Stage::Settled;
        }
    }

    /// True for a message that has to wait until the Bind is through.
    pub(super) fn waits_for_unit(&self, tag: u8) -> bool {
        self.unit.as_ref().is_some_and(|unit| match unit.stage {
            Stage::Bound => {
                !matches!(tag, b'D' | b'E' | b'S' | b'H') || unit.sent.len() >= HELD_BYTES_MAX
            }
            Stage::Whole | Stage::Failed => true,
            Stage::Answered | Stage::Settled => false,
        })
    }

    /// A message of the client has been taken, with which all behind `before` was sent.
    pub(super) fn hold_sent(&mut self, tag: Option<u8>, before: usize, out: &Out) {
        let Some(unit) = self.unit.as_mut().filter(|unit| unit.stage == Stage::Bound) else {
            return;
        };
        unit.sent.extend_from_slice(out.to_server.get(before..).unwrap_or_default());
        if tag == Some(b'S') {
            unit.stage = Stage::Whole;
        }
    }

    /// BindComplete.
    pub(super) fn unit_is_bound(&mut self) {
        match self.unit.as_mut() {
            Some(unit) if unit.stage == Stage::Bound => {
                unit.stage = Stage::Settled;
                unit.sent = BytesMut::new();
            }
            Some(unit) if unit.stage == Stage::Whole => self.unit = None,
            Some(_) | None => {}
        }
    }

    /// True where an error is not for the client: the statement is prepared anew once the server is ready.
    pub(super) fn sends_unit_anew(&mut self, code: &str, out: &mut Out) -> bool {
        let is_bind =
            matches!(self.queue.front().map(|front| &front.reply), Some(Reply::Bind { .. }));
        let Some(unit) = self.unit.as_mut() else { return false };
        if !is_bind
            || !matches!(unit.stage, Stage::Bound | Stage::Whole)
            || !matches!(code, "0A000" | "26000")
            || self.mute.is_some()
        {
            return false;
        }
        if unit.stage == Stage::Bound {
            writer::sync(&mut out.to_server);
        }
        unit.stage = Stage::Failed;
        if let Some(footprint) = &mut self.footprint {
            footprint.dropped(&unit.name);
        }
        self.queue.push_front(Expected { reply: Reply::Anew, fate: Fate::Swallow });
        true
    }

    /// ReadyForQuery after that: sends the unit. False: there is none.
    pub(super) fn unit_anew(&mut self, frame: &Frame, out: &mut Out) -> Result<bool, Fault> {
        if !matches!(self.queue.front().map(|front| &front.reply), Some(Reply::Anew)) {
            return Ok(false);
        }
        let misfit = self.misfit(b'Z');
        let Some(unit) = self.unit.as_mut().filter(|unit| unit.stage == Stage::Failed) else {
            return Err(misfit);
        };
        let Some(source) = &unit.prepared.source else { return Err(misfit) };
        if reader::ready_status(frame.body()) != Ok(b'I')
            || writer::close(&mut out.to_server, Named::Statement, &unit.name).is_err()
            || writer::parse(&mut out.to_server, &unit.name, &source.text, &source.types).is_err()
        {
            return Err(misfit);
        }
        out.to_server.extend_from_slice(&std::mem::take(&mut unit.sent));
        unit.stage = Stage::Settled;
        let name = unit.name.to_string();
        let parses = Reply::Parse {
            name: name.clone(),
            prepared: None,
            shared: Some(Arc::clone(&unit.name)),
        };
        self.flushed = false;
        self.queue.pop_front();
        for reply in [parses, Reply::Close { kind: Named::Statement, name }] {
            self.queue.push_front(Expected { reply, fate: Fate::Swallow });
        }
        Ok(true)
    }
}
