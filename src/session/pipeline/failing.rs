//! What an error does: to what is due from the server, to what the client sends next, and what the client is told.

use bytes::{Bytes, BytesMut};

use super::backend::message;
use super::expected::{Fate, Progress, Reply};
use super::sightings::rows_seen;
use super::{Event, Fault, Mute, Out, Pipeline, SentStatement};
use crate::wire::Frame;
use crate::wire::reader;
use crate::wire::writer::{self, ErrorMessage};

impl Pipeline {
    /// ErrorResponse.
    pub(super) fn error(&mut self, frame: &Frame, out: &mut Out) -> Result<(), Fault> {
        let fields = reader::error_fields(frame.body()).ok();
        let severity = fields.as_ref().and_then(|all| all.field(b'V').or(all.field(b'S')));
        let is_fatal = matches!(severity, Some("FATAL" | "PANIC"));
        let code = fields.as_ref().and_then(|all| all.field(b'C')).unwrap_or("XX000").to_owned();
        if is_fatal {
            self.abandon(&code, out);
            out.to_client.extend_from_slice(&self.cleaned(frame.body()));
            return Err(Fault::ServerFatal);
        }
        if matches!(self.queue.front().map(|front| &front.reply), Some(Reply::Replay { .. })) {
            return Err(Fault::NotAsItWas { code });
        }
        if self.falls_back_to_text(&code) || self.sends_unit_anew(&code, out) {
            return Ok(());
        }
        if matches!(code.as_str(), "0A000" | "26000") {
            self.forget_shared();
        }
        let said = match self.queue.front().map(|front| &front.fate) {
            None => return Err(self.misfit(b'E')),
            Some(Fate::Synthesise(_)) => return Err(self.misfit(b'E')),
            Some(Fate::Replace(error)) => error.clone(),
            Some(Fate::Forward | Fate::Swallow) => self.cleaned(frame.body()),
        };
        self.settings.fail();
        if let Some(footprint) = &mut self.footprint {
            footprint.settings.fail();
        }
        let said = self.take_stopped().unwrap_or(said);
        if self.mute.is_none() {
            out.to_client.extend_from_slice(&said);
        }
        self.end_failed(&code, out)
    }

    /// Where the front entry's rows were stopped, the client hears why rather than what the server says.
    fn take_stopped(&mut self) -> Option<Bytes> {
        match self.queue.front_mut().map(|front| &mut front.reply) {
            Some(Reply::Execute(run)) => run.progress.stopped.take(),
            Some(Reply::Query(run)) => run.progress.stopped.take(),
            _ => None,
        }
    }

    /// The server skips to the unit's Sync, or to the ReadyForQuery of its Query, and so does the queue.
    fn end_failed(&mut self, code: &str, out: &mut Out) -> Result<(), Fault> {
        self.ends_unit();
        let ends_ready = self.queue.front().is_some_and(|front| front.reply.ends_ready());
        if ends_ready {
            let Some(front) = self.queue.front_mut() else { return Ok(()) };
            if let Reply::Query(run) = &mut front.reply {
                if run.failed {
                    return Err(self.misfit(b'E'));
                }
                run.failed = true;
                let progress = std::mem::take(&mut run.progress);
                complete_rest(run.statements.get(run.ended..), &progress, code, out);
            }
            return Ok(());
        }
        // PostgreSQL drops the unnamed statement before it reads the text that was to replace it.
        if let Some(Reply::Parse { name, .. }) = self.queue.front().map(|front| &front.reply)
            && name.is_empty()
        {
            self.statements.drop_statement("");
            self.unnamed = None;
        }
        while let Some(front) = self.queue.pop_front() {
            if matches!(front.reply, Reply::Sync) {
                self.queue.push_front(front);
                return Ok(());
            }
            skip(&front.reply, code, out);
        }
        self.skipping = true;
        Ok(())
    }

    /// The session ends: what was accepted has ended with it.
    pub fn abandon(&mut self, code: &str, out: &mut Out) {
        self.ends_unit();
        while let Some(front) = self.queue.pop_front() {
            skip(&front.reply, code, out);
        }
    }

    /// An error that the server knows nothing of: the client hears nothing more of this unit.
    pub(super) fn fail_alone(&mut self, error: Bytes, out: &mut Out) {
        if self.mute.is_some() {
            return;
        }
        out.to_client.extend_from_slice(&error);
        self.mute = Some(Mute::ToSync);
        if !self.queue.iter().any(|expected| matches!(expected.reply, Reply::Sync)) {
            self.skipping = true;
        }
    }

    fn cleaned(&self, fields: &[u8]) -> Bytes {
        let mut said = BytesMut::new();
        match self.judge.clean(fields) {
            Some(fields) => message(b'E', &fields, &mut said),
            None => writer::error_response(
                &mut said,
                &ErrorMessage::new("ERROR", "XX000", "scrim: the database reported an error"),
            ),
        }
        said.freeze()
    }
}

/// An entry that the server has failed at or skipped.
fn skip(reply: &Reply, code: &str, out: &mut Out) {
    match reply {
        Reply::Execute(run) => out.events.extend(run.number.map(|statement| {
            let kind = run.prepared.as_ref().and_then(|prepared| prepared.kind);
            Event::Completed {
                statement,
                rows: run.progress.rows,
                bytes: run.progress.bytes,
                error: Some(code.to_owned()),
                rows_seen: rows_seen(kind, run.about.as_ref(), &run.progress, true),
            }
        })),
        Reply::Query(run) => {
            complete_rest(run.statements.get(run.ended..), &run.progress, code, out);
        }
        Reply::Parse { .. }
        | Reply::Bind { .. }
        | Reply::DescribeStatement { .. }
        | Reply::DescribePortal { .. }
        | Reply::Close { .. }
        | Reply::Replay { .. }
        | Reply::Anew
        | Reply::Sync => {}
    }
}

/// Completes the statement under way with what it gave, and those behind it with nothing.
fn complete_rest(rest: Option<&[SentStatement]>, progress: &Progress, code: &str, out: &mut Out) {
    // A probe has the number of the COPY behind it.
    let rest = rest.unwrap_or_default().iter().filter(|statement| !statement.is_probe);
    let nothing = Progress::default();
    for (place, sent) in rest.enumerate() {
        let progress = if place == 0 { progress } else { &nothing };
        let (statement, rows, bytes) = (sent.number, progress.rows, progress.bytes);
        let rows_seen = rows_seen(Some(sent.kind), sent.about.as_ref(), progress, true);
        let error = Some(code.to_owned());
        out.events.push(Event::Completed { statement, rows, bytes, error, rows_seen });
    }
}
