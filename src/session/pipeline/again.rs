//! A Query whose statement the server connection keeps prepared: bound and executed instead of being read anew.
//!
//! The client sees the answer to a Query: what the messages in its place say of themselves is swallowed, and the
//! ReadyForQuery of their Sync is that of the Query.
//!
//! What PostgreSQL has against the prepared form (another type than it would give a literal, a table that has changed since)
//! is nothing to the client, whose text may be right: before the statement has begun, and outside a transaction, which
//! the error would end, the text is sent as it is.

use std::sync::Arc;

use bytes::BytesMut;

use super::expected::{Fate, QueryRun, Reply};
use super::{Fault, Out, Pipeline, SentStatement, Txn};
use crate::session::plans::{Again, Recurring};
use crate::wire::Frame;
use crate::wire::reader::{self, BindHead, Named};
use crate::wire::writer::{self, Unwritable};

/// What comes before the rows.
pub struct Binding {
    recurring: Arc<Recurring>,
    /// The statement's name.
    name: Arc<str>,
    /// ParseComplete has not come.
    parses: bool,
    /// BindComplete has not come.
    binds: bool,
    /// What is sent where that fails; `None`: the error is the client's.
    text: Option<Arc<str>>,
    /// It has failed.
    has_failed: bool,
}

impl Pipeline {
    /// Sends a planned Query that has been met before. `text` is the whole of it. False: it went as it is.
    pub fn query_again(
        &mut self,
        again: &Again,
        text: &Arc<str>,
        statements: Vec<SentStatement>,
        out: &mut Out,
    ) -> Result<bool, Unwritable> {
        let name = self.name_there(again.recurring.source());
        let is_there = self.is_there(&name);
        if !self.may_bind(again, is_there) {
            return self.query(text, statements, out).map(|()| false);
        }
        // All of it or nothing: half of it would be answered, and nobody would expect that.
        let mut written = BytesMut::new();
        if !is_there {
            let source = again.recurring.source();
            writer::parse(&mut written, &name, &source.text, &source.types)?;
        }
        let values: Vec<Option<&[u8]>> =
            again.values.iter().map(|value| Some(value.as_bytes())).collect();
        let head = BindHead { portal: "", statement: &name };
        writer::bind(&mut written, head, &[], &values, &[])?;
        writer::describe(&mut written, Named::Portal, "")?;
        writer::execute(&mut written, "", 0)?;
        writer::sync(&mut written);
        if !is_there {
            self.make_way(&name, out);
        }
        out.to_server.extend_from_slice(&written);
        self.note_kinds(statements.iter().map(|statement| (statement.kind, statement.runs_code)));
        let binding = Binding {
            recurring: Arc::clone(&again.recurring),
            name,
            parses: !is_there,
            binds: true,
            text: (self.txn == Txn::Idle).then(|| Arc::clone(text)),
            has_failed: false,
        };
        self.push_query(statements, Some(Box::new(binding)), Fate::Forward);
        Ok(true)
    }

    /// An error of the server must be one that the text would have had too, or be followed by nothing.
    fn may_bind(&self, again: &Again, is_there: bool) -> bool {
        let is_replay = |reply: &Reply| matches!(reply, Reply::Replay { .. });
        let may_fail = match self.txn {
            Txn::Idle => true,
            Txn::InBlock => is_there,
            Txn::Failed => false,
        };
        self.is_shared
            && self.is_attached()
            && may_fail
            && again.recurring.is_fit()
            && !self.unit_open
            && !self.skipping
            && self.mute.is_none()
            && self.queue.iter().all(|expected| is_replay(&expected.reply))
    }

    /// True while a text may have to be sent again, which must come before whatever the client sends next.
    pub(super) fn may_fall_back_to_text(&self) -> bool {
        self.queue.iter().any(|expected| match &expected.reply {
            Reply::Query(run) => {
                run.binding.as_ref().is_some_and(|binding| binding.binds && binding.text.is_some())
            }
            _ => false,
        })
    }

    /// ParseComplete or BindComplete in front of the rows.
    pub(super) fn bound_again(&mut self, frame: &Frame, misfit: Fault) -> Result<(), Fault> {
        let Some(binding) = self.binding() else { return Err(misfit) };
        match frame.tag() {
            b'1' if binding.parses => {
                binding.parses = false;
                let name = Arc::clone(&binding.name);
                if let Some(footprint) = &mut self.footprint {
                    footprint.prepared(&name);
                }
                Ok(())
            }
            b'2' if binding.binds && !binding.parses => {
                binding.binds = false;
                Ok(())
            }
            _ => Err(misfit),
        }
    }

    /// True where an error is not for the client: the text is sent instead, once the server is ready.
    pub(super) fn falls_back_to_text(&mut self, code: &str) -> bool {
        let is_muted = self.mute.is_some();
        let Some(binding) = self.binding().filter(|binding| binding.binds) else { return false };
        let name = Arc::clone(&binding.name);
        let parses = binding.parses;
        // Of syntax and names, of values, of what is not there, of a plan that gives other columns than before.
        let is_of_the_form =
            ["42", "22", "26", "0A"].into_iter().any(|class| code.starts_with(class));
        let falls_back = is_of_the_form && binding.text.is_some() && !is_muted;
        if falls_back {
            binding.has_failed = true;
            if parses {
                binding.recurring.is_refused();
            }
        }
        // It is prepared anew next time.
        if let Some(footprint) = &mut self.footprint {
            footprint.dropped(&name);
        }
        falls_back
    }

    /// ReadyForQuery after that: sends the text. False: it is none.
    pub(super) fn sends_text(&mut self, frame: &Frame, out: &mut Out) -> Result<bool, Fault> {
        let misfit = self.misfit(b'Z');
        let Some(Reply::Query(run)) = self.queue.front_mut().map(|front| &mut front.reply) else {
            return Ok(false);
        };
        let Some(binding) = run.binding.take_if(|binding| binding.has_failed) else {
            return Ok(false);
        };
        let text = binding.text.ok_or_else(|| misfit.clone())?;
        if reader::ready_status(frame.body()) != Ok(b'I')
            || writer::query(&mut out.to_server, &text).is_err()
        {
            return Err(misfit);
        }
        Ok(true)
    }

    fn binding(&mut self) -> Option<&mut Binding> {
        match self.queue.front_mut().map(|front| &mut front.reply) {
            Some(Reply::Query(run)) => run.binding.as_deref_mut(),
            _ => None,
        }
    }
}

impl QueryRun {
    /// True once rows may come.
    pub fn is_bound(&self) -> bool {
        self.binding.as_ref().is_none_or(|binding| !binding.binds)
    }
}
