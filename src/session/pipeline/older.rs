//! Statements that were planned under older rules, on their way to newer ones.
//!
//! What is sent for one, while the client's message waits:
//!
//! ```text
//! 1. Parse scrim$renewed, Describe, Close       does it parse, and are its columns the same?
//! 2. Close NAME, Parse NAME                     in the place of the old one, when they are
//! 3. the client's message
//! ```
//!
//! Where 1 fails, the server's error is the client's unit's own, and the old form stays, to be tried again. Where the
//! statement is refused now, or its columns are others, the message is refused by a poisoned text.

use std::sync::Arc;

use bytes::Bytes;

use super::super::statements::Prepared;
use super::expected::{Fate, Reply};
use super::lookup::Known;
use super::{Course, Out, Pipeline, Renew, Step};
use crate::wire::Piece;
use crate::wire::reader::Named;
use crate::wire::writer::{self, Unwritable};

/// The name under which a statement that is planned again is tried.
const RENEWED_NAME: &str = "scrim$renewed";

impl Pipeline {
    /// True when a message names a statement of older rules, or may, as far as is known by now.
    pub(super) fn names_older(&self, name: &str) -> bool {
        self.statements.is_older(name)
            && match self.statement(name) {
                Known::Yes(prepared) => self.is_held(name, &prepared),
                Known::Uncertain => true,
                Known::No => false,
            }
    }

    fn is_held(&self, name: &str, prepared: &Arc<Prepared>) -> bool {
        self.statements.prepared(name).is_some_and(|held| Arc::ptr_eq(held, prepared))
    }

    /// A message that names one: the statement first.
    pub(super) fn renew_first(&mut self, piece: Piece, name: String, out: &mut Out) -> Step {
        match self.statement(&name) {
            Known::Yes(prepared) if !self.settings_are_uncertain() => {
                Step::Renew(Renew { piece, name, prepared })
            }
            Known::Yes(_) | Known::No | Known::Uncertain => self.wait(piece, out),
        }
    }

    /// Asks the server for the columns of a statement that was planned again, without touching the one it is for.
    pub fn try_renewed(
        &mut self,
        text: &str,
        types: &[u32],
        prepared: &Arc<Prepared>,
        out: &mut Out,
    ) -> Result<(), Unwritable> {
        writer::parse(&mut out.to_server, RENEWED_NAME, text, types)?;
        self.unit_open = true;
        let (name, prepares) = (RENEWED_NAME.to_owned(), None);
        self.push(Reply::Parse { name, prepared: prepares, shared: None }, Fate::Swallow);
        self.describe_ourselves(RENEWED_NAME, Arc::clone(prepared), types, out);
        if writer::close(&mut out.to_server, Named::Statement, RENEWED_NAME).is_ok() {
            let reply = Reply::Close { kind: Named::Statement, name: RENEWED_NAME.to_owned() };
            self.push(reply, Fate::Swallow);
        }
        Ok(())
    }

    /// True while the server has yet to describe it.
    pub fn is_asked(&self, prepared: &Arc<Prepared>) -> bool {
        self.queue.iter().any(|expected| match &expected.reply {
            Reply::DescribeStatement { judged: Some((asked, _)), .. } => {
                Arc::ptr_eq(asked, prepared)
            }
            _ => false,
        })
    }

    /// Puts a statement that was planned again in the place of the old one.
    pub fn renew(
        &mut self,
        name: &str,
        text: &str,
        types: &[u32],
        prepared: Arc<Prepared>,
        out: &mut Out,
    ) -> Result<(), Unwritable> {
        self.unit_open = true;
        let shared = self.shared_name(name, &prepared);
        match &shared {
            Some(shared) => self.make_way(shared, out),
            None => {
                writer::close(&mut out.to_server, Named::Statement, name)?;
                let kind = Named::Statement;
                self.push(Reply::Close { kind, name: name.to_owned() }, Fate::Swallow);
            }
        }
        let there = shared.as_deref().unwrap_or(name).to_owned();
        writer::parse(&mut out.to_server, &there, text, types)?;
        let (name, prepares) = (name.to_owned(), Some(Arc::clone(&prepared)));
        self.push(Reply::Parse { name, prepared: prepares, shared }, Fate::Swallow);
        if prepared.probe.is_some() {
            self.describe_ourselves(&there, prepared, types, out);
        }
        Ok(())
    }

    /// True when a portal that is this statement's was opened under older rules.
    pub fn reads_older(&self, portal: &str, prepared: &Arc<Prepared>) -> bool {
        self.statements.portal(portal).is_some_and(|held| {
            let is_same = held.prepared.as_ref().is_some_and(|held| Arc::ptr_eq(held, prepared));
            held.is_older && is_same
        })
    }

    /// True when a unit of the extended protocol is under way.
    pub fn is_in_unit(&self) -> bool {
        self.unit_open
    }

    /// True when a message may be taken though the session is to go by newer rules first: it belongs to what has
    /// begun, or means nothing new.
    pub fn goes_on(&self, piece: &Piece, has_grace: bool) -> bool {
        let tag = match piece {
            Piece::Whole(frame) => frame.tag(),
            Piece::Start { tag, .. } => *tag,
            Piece::More { .. } => return true,
        };
        matches!(tag, b'X' | b'S' | b'H' | b'd' | b'c' | b'f')
            || (has_grace && self.unit_open && matches!(tag, b'B' | b'D' | b'E' | b'C'))
            || self.is_feeding()
    }

    /// A message of the client waits, and the server is asked for what it has in its buffers.
    pub fn hold(&mut self, piece: Piece, out: &mut Out) -> Option<Piece> {
        match self.wait(piece, out) {
            Step::Wait(piece) => Some(piece),
            _ => None,
        }
    }

    /// Refuses a message that is not taken: a poisoned Parse fails in its place.
    pub fn refuse_piece(&mut self, piece: &Piece, error: Bytes, out: &mut Out) {
        if matches!(piece, Piece::Start { .. }) {
            self.from_client = Some(Course::Drop);
        }
        self.refuse_execute(error, out);
    }
}
