//! What the server sends.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::super::footprint;
use super::super::statements::{Prepared, Rows};
use super::expected::{Execution, Fate, Probed, Reply};
use super::rows::{is_same, stopped_by_guard};
use super::sightings::{self, rows_seen};
use super::{Course, Event, Fault, Judge, Mute, Out, Pipeline, Txn};
use crate::audit::StatementFacts;
use crate::catalog::SearchPath;
use crate::guard::text_columns;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader;
use crate::wire::{Frame, Piece, writer};

/// Settings that decide how texts are read; the server may never report another value.
pub(super) const PINNED: [(&str, &str); 2] =
    [("client_encoding", "UTF8"), ("standard_conforming_strings", "on")];
/// What the server calls its own login, which is not the client's.
pub(super) const NOT_THE_CLIENTS: [&str; 2] = ["session_authorization", "is_superuser"];

impl Pipeline {
    /// Takes a message of the server, or a piece of one.
    pub fn reply(&mut self, piece: Piece, out: &mut Out) -> Result<(), Fault> {
        if !self.is_replaying() {
            self.say_owed(out);
        }
        match piece {
            Piece::Whole(frame) => self.reply_whole(frame, out),
            Piece::Start { tag: b'D', bytes } if self.masks().is_some() => {
                self.from_server = Some(self.hold_row(bytes, out)?);
                Ok(())
            }
            Piece::Start { tag: tag @ (b'D' | b'd'), bytes } => {
                let course = self.row(bytes, tag == b'd', false, out)?;
                self.from_server = Some(course);
                Ok(())
            }
            Piece::Start { tag, .. } => Err(self.misfit(tag)),
            Piece::More { bytes, last } => {
                let course = self.from_server;
                if last {
                    self.from_server = None;
                }
                match course {
                    Some(Course::Forward) => {
                        self.count_more(bytes.len());
                        out.to_client.extend_from_slice(&bytes);
                        Ok(())
                    }
                    Some(Course::Hold) => self.hold_more(&bytes, last, out),
                    Some(Course::Drop) | None => Ok(()),
                }
            }
        }
    }

    fn reply_whole(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        match frame.tag() {
            _ if self.is_replaying() => self.replayed(frame, out),
            tag @ (b'D' | b'd') => self.row(frame.into_bytes(), tag == b'd', true, out).map(|_| ()),
            b'H' => self.copy_begins(frame, out),
            b'c' => self.copy_ends(frame, out),
            b'G' => self.copy_asks(frame, out),
            b'N' => {
                if let Some(fields) = self.judge.clean(frame.body()) {
                    message(b'N', &fields, &mut out.to_client);
                }
                Ok(())
            }
            b'A' => self.notified(&frame, out),
            b'S' => self.parameter(frame, out),
            b'E' => self.error(&frame, out),
            b'Z' => self.ready(frame, out),
            _ => {
                self.answer(frame, out)?;
                self.say_what_is_due(out);
                Ok(())
            }
        }
    }

    /// The answer that the front entry waits for.
    fn answer(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(frame.tag());
        let Some(front) = self.queue.front_mut() else { return Err(misfit) };
        if matches!(front.fate, Fate::Replace(_) | Fate::Synthesise(_)) {
            // A poisoned text was taken.
            return Err(misfit);
        }
        match (&mut front.reply, frame.tag()) {
            // Without a statement: the query that stands for a COPY, or one that was prepared on another server
            // connection; a poisoned text has been dealt with above.
            (Reply::Parse { name, prepared, shared }, b'1') => {
                if let Some(footprint) = &mut self.footprint
                    && let Some(shared) = shared
                {
                    footprint.prepared(shared);
                }
                if let Some(prepared) = prepared {
                    if name.is_empty() && shared.is_none() {
                        self.unnamed = Some(Arc::clone(prepared));
                    }
                    self.statements.parsed(name, Arc::clone(prepared));
                }
                self.pass_and_pop(frame, out);
            }
            (Reply::Bind { portal, statement, formats }, b'2') => {
                self.statements.bound(portal, statement, formats.take());
                self.unit_is_bound();
                self.pass_and_pop(frame, out);
            }
            (Reply::Close { kind, name }, b'3') => {
                let (kind, name) = (*kind, std::mem::take(name));
                self.closed(kind, &name);
                self.pass_and_pop(frame, out);
            }
            (Reply::DescribeStatement { has_parameters, .. }, b't') if !*has_parameters => {
                *has_parameters = true;
                self.pass(frame, out);
            }
            (Reply::DescribeStatement { has_parameters: true, .. }, b'T' | b'n')
            | (Reply::DescribePortal { .. }, b'T' | b'n') => self.described(frame, out),
            (Reply::Execute(_), b'C' | b's' | b'I') => return self.executed(frame, out),
            (Reply::Query(_), b'1' | b'2') => return self.bound_again(&frame, misfit),
            (Reply::Query(run), b'T') if run.is_bound() && run.ended < run.statements.len() => {
                let judge = Arc::clone(&run.judge);
                self.query_described(frame, judge.as_ref(), out);
            }
            (Reply::Query(run), b'C')
                if run.is_bound() && run.ended < run.statements.len() && !run.failed =>
            {
                return self.query_completed(frame, out);
            }
            (Reply::Query(run), b'I') if run.statements.is_empty() && !run.was_empty => {
                run.was_empty = true;
                self.pass(frame, out);
            }
            _ => return Err(misfit),
        }
        Ok(())
    }

    /// The description that somebody asked for by Describe.
    fn described(&mut self, frame: Frame, out: &mut Out) {
        let Some(front) = self.queue.front() else { return };
        let is_ours = front.fate == Fate::Swallow;
        // Under a name of ours is what we have put there.
        let (judged, known, is_certain) = match &front.reply {
            Reply::DescribeStatement { name, judged, .. } => {
                (judged, self.statements.prepared(name), is_ours)
            }
            Reply::DescribePortal { name, judged } => {
                let portal = self.statements.portal(name);
                (judged, portal.and_then(|portal| portal.prepared.as_ref()), false)
            }
            _ => return,
        };
        let known = known.cloned();
        // It must be of what was looked up when it was asked for; else nothing is learned.
        let is_known =
            |prepared: &Arc<Prepared>| known.as_ref().is_some_and(|it| Arc::ptr_eq(it, prepared));
        let judged = judged.clone().filter(|(prepared, _)| is_certain || is_known(prepared));
        let has_rows = frame.tag() == b'T';
        // Judged by what is known now; the statement's own judge may be older.
        let described = judged.as_ref().map(|(prepared, _)| prepared).or(known.as_ref());
        let masks = described.and_then(|prepared| prepared.masks.as_deref());
        let verdict = if has_rows { self.judge.rows(frame.body(), masks) } else { Ok(()) };
        let audits_rows = self.ceiling.audits_rows && judged.is_some() && has_rows;
        let row_keys = audits_rows.then(|| self.judge.row_keys(frame.body(), masks)).flatten();
        if let Some((prepared, version)) = judged {
            prepared.set_columns(has_rows.then(|| frame.body()));
            if self.ceiling.audits_rows {
                prepared.set_row_keys(row_keys);
            }
            let rows = match &verdict {
                _ if !has_rows => Rows::None,
                Ok(()) => Rows::Good,
                Err(breach) => Rows::Bad(breach.clone()),
            };
            prepared.set_judged(rows, version);
        }
        if is_ours {
            self.queue.pop_front();
            return;
        }
        match verdict {
            Ok(()) => self.pass_and_pop(frame, out),
            Err(breach) => {
                if let Some(prepared) = known {
                    prepared.set_rows(Rows::Bad(breach.clone()));
                }
                out.events.push(Event::Breach { statement: 0, breach });
                self.queue.pop_front();
                self.fail_alone(stopped_by_guard(), out);
            }
        }
    }

    /// CommandComplete, PortalSuspended or EmptyQueryResponse of an Execute.
    fn executed(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let tag = tag_text(&frame)?;
        let Some(Reply::Execute(run)) = self.queue.pop_front().map(|front| front.reply) else {
            return Err(self.misfit(frame.tag()));
        };
        let bound = self.statements.portal(&run.portal).and_then(|known| known.prepared.as_ref());
        if run.prepared.is_none() || !is_same(run.prepared.as_ref(), bound) {
            return Err(Fault::Misfit { got: char::from(frame.tag()), due: "an error" });
        }
        if run.progress.is_copying {
            return Err(Fault::Misfit { got: char::from(frame.tag()), due: "CopyDone" });
        }
        if run.prepared.as_ref().is_some_and(|known| known.kind == Some(StatementKind::TempTable)) {
            self.judge_temp_table(&run, out)?;
        }
        if let (b'C', Some(prepared)) = (frame.tag(), &run.prepared) {
            self.apply(&prepared.effect, prepared.makes.as_ref(), tag, run.about.as_ref());
        }
        let progress = run.progress;
        let kind = run.prepared.as_ref().and_then(|prepared| prepared.kind);
        let completed = |error: Option<String>| {
            let rows_seen = rows_seen(kind, run.about.as_ref(), &progress, error.is_some());
            run.number.map(|statement| Event::Completed {
                statement,
                rows: progress.rows,
                bytes: progress.bytes,
                error,
                rows_seen,
            })
        };
        match progress.stopped.clone() {
            Some(stopped) => {
                out.events.extend(completed(Some(code_of(&stopped))));
                self.fail_alone(stopped, out);
            }
            None => {
                out.events.extend(completed(None));
                if self.mute.is_none() {
                    let tag = run.prepared.as_ref().and_then(|prepared| prepared.tag);
                    out.to_client.extend_from_slice(&completion(frame, tag));
                }
            }
        }
        Ok(())
    }

    /// What a temporary table was filled with has been described and judged; else it may hold anything, and the
    /// session that could read it ends.
    fn judge_temp_table(&self, run: &Execution, out: &mut Out) -> Result<(), Fault> {
        match run.prepared.as_ref().map(|prepared| prepared.rows()) {
            Some(Rows::Good) => Ok(()),
            Some(Rows::Bad(breach)) => {
                let statement = run.number.unwrap_or_default();
                out.events.push(Event::Breach { statement, breach });
                Err(self.misfit(b'C'))
            }
            Some(Rows::Unknown | Rows::None) | None => Err(self.misfit(b'C')),
        }
    }

    fn query_described(&mut self, frame: Frame, judge: &dyn Judge, out: &mut Out) {
        let has_detector = self.ceiling.detector.is_some();
        let Some(Reply::Query(run)) = self.queue.front_mut().map(|front| &mut front.reply) else {
            return;
        };
        let statement = run.statements.get(run.ended);
        let is_probe = statement.is_some_and(|statement| statement.is_probe);
        let masks = statement.and_then(|statement| statement.masks.as_deref());
        let verdict = judge.rows(frame.body(), masks);
        match verdict {
            Ok(()) if is_probe => run.probed = Probed::Good,
            Ok(()) => {
                run.progress.is_judged = true;
                if has_detector {
                    run.progress.texts = text_columns(frame.body());
                }
                if let Some(statement) = statement.filter(|statement| statement.about.is_some()) {
                    let at = judge.row_keys(frame.body(), masks);
                    run.progress.sighted = sightings::of_query(&self.statements, statement, at);
                }
                self.pass(frame, out);
            }
            Err(breach) if is_probe => {
                let number = run.statements.get(run.ended).map(|statement| statement.number);
                let statement = number.unwrap_or_default();
                out.events.push(Event::Breach { statement, breach });
                run.probed = Probed::Bad;
            }
            Err(breach) => {
                let number = run.statements.get(run.ended).map(|statement| statement.number);
                let statement = number.unwrap_or_default();
                out.events.push(Event::Breach { statement, breach });
                run.progress.stopped = Some(stopped_by_guard());
            }
        }
    }

    /// CommandComplete of one statement of a Query.
    fn query_completed(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let tag = tag_text(&frame)?;
        let misfit = self.misfit(b'C');
        let Some(Reply::Query(run)) = self.queue.front_mut().map(|front| &mut front.reply) else {
            return Err(misfit);
        };
        let Some(statement) = run.statements.get(run.ended).cloned() else { return Err(misfit) };
        if run.progress.is_copying {
            return Err(misfit);
        }
        run.ended = run.ended.saturating_add(1);
        if statement.is_probe {
            return Ok(());
        }
        let probed = std::mem::take(&mut run.probed);
        if statement.kind == StatementKind::TempTable && probed != Probed::Good {
            return Err(misfit);
        }
        let progress = std::mem::take(&mut run.progress);
        let error = progress.stopped.as_ref().map(|stopped| code_of(stopped));
        let about = statement.about.as_ref();
        let rows_seen = rows_seen(Some(statement.kind), about, &progress, error.is_some());
        out.events.push(Event::Completed {
            statement: statement.number,
            rows: progress.rows,
            bytes: progress.bytes,
            error,
            rows_seen,
        });
        self.apply(&statement.effect, statement.makes.as_ref(), tag, about);
        match progress.stopped {
            Some(stopped) if self.mute.is_none() => {
                out.to_client.extend_from_slice(&stopped);
                // The statements behind it run all the same; the client hears of them no more.
                self.mute = Some(Mute::ToReady);
            }
            Some(_) => {}
            None => self.pass(Frame::new(completion(frame, statement.tag)), out),
        }
        Ok(())
    }

    /// ReadyForQuery.
    fn ready(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        if self.sends_text(&frame, out)? || self.unit_anew(&frame, out)? {
            return Ok(());
        }
        let misfit = self.misfit(b'Z');
        let status = reader::ready_status(frame.body()).map_err(|_| misfit.clone())?;
        let Some(front) = self.queue.pop_front() else { return Err(misfit) };
        self.masking = self.masking.take().filter(|masking| masking.is_small());
        let was_empty = matches!(&front.reply, Reply::Query(run) if run.was_empty);
        let is_query = match &front.reply {
            Reply::Sync => false,
            Reply::Query(run) => {
                let has_ended = match &front.fate {
                    Fate::Replace(_) => run.failed,
                    Fate::Forward => {
                        let is_empty = run.statements.is_empty();
                        run.failed
                            || (run.ended == run.statements.len() && run.was_empty == is_empty)
                    }
                    Fate::Swallow | Fate::Synthesise(_) => false,
                };
                if !has_ended {
                    return Err(misfit);
                }
                true
            }
            _ => return Err(misfit),
        };
        self.txn = match status {
            b'I' => Txn::Idle,
            b'T' => Txn::InBlock,
            _ => Txn::Failed,
        };
        if is_query {
            // PostgreSQL drops the unnamed statement before it reads the text, whatever comes of it, and runs it in the
            // unnamed portal, if there is anything in it.
            self.statements.drop_statement("");
            if !was_empty {
                self.statements.drop_portal("");
            }
            self.unnamed = None;
        }
        if self.txn == Txn::Idle {
            self.settings.ready_idle();
            if let Some(footprint) = &mut self.footprint {
                footprint.settings.ready_idle();
            }
            self.statements.drop_portals();
        }
        let is_heard = match self.mute {
            None => true,
            Some(Mute::ToSync) => !is_query,
            Some(Mute::ToReady) => true,
        };
        if is_heard {
            self.mute = None;
            out.to_client.extend_from_slice(&frame.into_bytes());
        }
        self.say_what_is_due(out);
        Ok(())
    }

    /// `None`: the server reads texts in another way than planning does.
    pub(super) fn judge_parameter(&self, name: &str, value: &str) -> Option<()> {
        PINNED.iter().all(|(pinned, only)| *pinned != name || *only == value).then_some(())
    }

    fn parameter(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(b'S');
        let (name, value) = reader::parameter_status(frame.body()).map_err(|_| misfit.clone())?;
        self.judge_parameter(name, value).ok_or(misfit)?;
        if let Some(footprint) = &mut self.footprint {
            footprint.reports(name, value);
        }
        if name == "search_path"
            && let Some(path) = SearchPath::parse(value)
        {
            // What is followed is known already: a RESET may bring back another path there than here.
            let is_known = self
                .footprint
                .as_ref()
                .is_some_and(|footprint| footprint.settings.current().search_path == path);
            if let Some(footprint) = &mut self.footprint {
                footprint.settings.report_search_path(path.clone());
            }
            if !is_known {
                self.settings.report_search_path(path);
            }
        }
        if !NOT_THE_CLIENTS.contains(&name) {
            footprint::set(&mut self.told, name, value);
            out.to_client.extend_from_slice(&frame.into_bytes());
        }
        Ok(())
    }

    fn apply(
        &mut self,
        effect: &Effect,
        makes: Option<&Arc<Prepared>>,
        tag: &str,
        about: Option<&Arc<StatementFacts>>,
    ) {
        self.settings.apply(effect, tag);
        self.statements.apply(effect, makes, about);
        if let Some(footprint) = &mut self.footprint {
            footprint.settings.apply(effect, tag);
            if matches!(effect, Effect::Deallocate(None) | Effect::DiscardAll) {
                footprint.dropped_all();
            }
        }
    }

    /// To the client, if it asked and is not told of an error already.
    pub(super) fn pass(&mut self, frame: Frame, out: &mut Out) {
        let is_asked = self.queue.front().is_some_and(|front| front.fate == Fate::Forward);
        if is_asked && self.mute.is_none() {
            out.to_client.extend_from_slice(&frame.into_bytes());
        }
    }

    fn pass_and_pop(&mut self, frame: Frame, out: &mut Out) {
        self.pass(frame, out);
        self.queue.pop_front();
    }

    pub(super) fn misfit(&self, tag: u8) -> Fault {
        let due = self.queue.front().map_or("nothing", |front| front.reply.due());
        Fault::Misfit { got: char::from(tag), due }
    }
}

/// The tag of a CommandComplete; empty for PortalSuspended and EmptyQueryResponse.
fn tag_text(frame: &Frame) -> Result<&str, Fault> {
    if frame.tag() != b'C' {
        return Ok("");
    }
    let tag = reader::command_tag(frame.body());
    tag.map(|tag| tag.text).map_err(|_| Fault::Misfit { got: 'C', due: "CommandComplete" })
}

/// CommandComplete as the client gets it.
fn completion(frame: Frame, tag: Option<&str>) -> Bytes {
    match tag {
        None => frame.into_bytes(),
        Some(tag) => {
            let mut said = BytesMut::new();
            writer::command_complete(&mut said, tag);
            said.freeze()
        }
    }
}

/// The SQLSTATE of an encoded error of ours.
fn code_of(error: &[u8]) -> String {
    let fields = reader::error_fields(error.get(5..).unwrap_or_default()).ok();
    let code = fields.as_ref().and_then(|fields| fields.field(b'C'));
    code.unwrap_or("42501").to_owned()
}

pub(super) fn message(tag: u8, body: &[u8], out: &mut BytesMut) {
    // A body comes out of a frame and only gets shorter, so its length fits.
    let length = i32::try_from(body.len()).unwrap_or(i32::MAX).saturating_add(4);
    out.put_u8(tag);
    out.put_i32(length);
    out.extend_from_slice(body);
}
