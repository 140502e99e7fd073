//! Rows on their way to the client, and the data of a COPY, which is rows too.
//!
//! INVARIANT: nothing goes out before its description has been judged, nor beyond the role's limit.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::statements::{Prepared, Rows};
use super::expected::{Execution, Fate, Probed, Progress, Reply};
use super::{Course, Event, Fault, Out, Pipeline, sightings};
use crate::guard::{Breach, Caught, Detector, Unreadable, mask_row};
use crate::policy::WireMasks;
use crate::rules::{ScrubKind, Then};
use crate::sql::StatementKind;
use crate::wire::Frame;
use crate::wire::frame::announced_bytes;
use crate::wire::writer::{self, ErrorMessage};

/// The overall format in a CopyOutResponse: every column is in binary format.
const COPY_IS_BINARY: u8 = 1;
/// Type byte and length.
const HEADER_BYTES: usize = 5;
/// A row that is masked as it passes is held whole, so it may not be longer.
const MASKED_ROW_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Pipeline {
    /// A row, or the first piece of one: forwarded if its description has been judged and the limit allows. The
    /// data of a COPY is rows too.
    pub(super) fn row(
        &mut self,
        bytes: Bytes,
        is_copy: bool,
        is_whole: bool,
        out: &mut Out,
    ) -> Result<Course, Fault> {
        let misfit = self.misfit(if is_copy { b'd' } else { b'D' });
        let bytes = match self.masks() {
            None => bytes,
            Some(_) if is_copy => return Err(misfit),
            Some(masks) => match self.masked(&masks, bytes, out)? {
                Some(masked) => masked,
                None => return Ok(Course::Drop),
            },
        };
        let length = announced_bytes(&bytes);
        let ceiling = &self.ceiling;
        let Some(front) = self.queue.front_mut() else { return Err(misfit) };
        if front.fate != Fate::Forward {
            return Err(misfit);
        }
        let (progress, before, bytes_before, extra, discretion, number, texts) =
            match &mut front.reply {
                Reply::Execute(run) => {
                    if run.about.is_some() && run.progress.sighted.is_none() && !is_copy {
                        run.progress.sighted = sightings::of_execution(&self.statements, run);
                    }
                    let Some(portal) = self.statements.portal_mut(&run.portal) else {
                        return Err(misfit);
                    };
                    if !is_same(run.prepared.as_ref(), portal.prepared.as_ref()) {
                        return Err(misfit);
                    }
                    judge_execution(run, portal.prepared.as_deref(), out);
                    let (before, bytes_before) = (portal.rows, portal.bytes);
                    portal.rows = portal.rows.saturating_add(1);
                    portal.bytes = portal.bytes.saturating_add(length);
                    let extra = portal.prepared.as_ref().map_or(0, |known| known.extra_messages());
                    let discretion =
                        portal.prepared.as_ref().and_then(|known| known.discretion.clone());
                    let number = run.number.unwrap_or_default();
                    let has_detector = ceiling.detector.is_some();
                    let texts = portal.prepared.as_ref().filter(|_| has_detector);
                    let texts = texts.and_then(|known| known.texts());
                    (&mut run.progress, before, bytes_before, extra, discretion, number, texts)
                }
                Reply::Query(run) => {
                    let is_described = run.progress.is_judged || run.progress.stopped.is_some();
                    let Some(statement) = run.statements.get(run.ended) else { return Err(misfit) };
                    if !is_described || statement.is_probe {
                        return Err(misfit);
                    }
                    let extra = match statement.kind {
                        StatementKind::Copy { extra_messages } => extra_messages,
                        _ => 0,
                    };
                    let (before, bytes_before) = (run.progress.rows, run.progress.bytes);
                    let (discretion, number) = (statement.discretion.clone(), statement.number);
                    let texts = run.progress.texts.clone();
                    (&mut run.progress, before, bytes_before, extra, discretion, number, texts)
                }
                _ => return Err(misfit),
            };
        if progress.is_copying != is_copy {
            return Err(misfit);
        }
        if let Some((most, error)) = &ceiling.rows
            && before >= most.saturating_add(u64::from(extra))
            && progress.stopped.is_none()
        {
            progress.stopped = Some(error.clone());
        }
        // Before any byte of the row goes out, by the length that it announces.
        if let Some((most, error)) = &ceiling.bytes
            && bytes_before.saturating_add(length) > *most
            && progress.stopped.is_none()
        {
            progress.stopped = Some(error.clone());
        }
        if progress.stopped.is_some() || self.mute.is_some() {
            return Ok(Course::Drop);
        }
        let mut bytes = match discretion {
            None => bytes,
            Some(discretion) => {
                let body = bytes.get(HEADER_BYTES..).filter(|_| is_whole).unwrap_or_default();
                match discretion.row(body) {
                    Ok(Some(row)) => row,
                    Ok(None) => return Ok(Course::Drop),
                    Err(Unreadable) => {
                        progress.stopped = Some(no_plan());
                        return Ok(Course::Drop);
                    }
                }
            }
        };
        let before = progress.sighted.is_some().then(|| bytes.clone());
        if let Some(detector) = &ceiling.detector {
            match searched(detector, bytes, is_whole, texts, progress, number, out) {
                Some(clean) => bytes = clean,
                None => return Ok(Course::Drop),
            }
        }
        if let (Some(sighted), Some(before)) = (&mut progress.sighted, &before) {
            sighted.keys.row(body_of(&bytes), body_of(before));
        }
        progress.rows = progress.rows.saturating_add(1);
        progress.bytes = progress.bytes.saturating_add(size(bytes.len()));
        out.to_client.extend_from_slice(&bytes);
        Ok(Course::Forward)
    }

    /// What the rows need that come now.
    pub(super) fn masks(&self) -> Option<Arc<WireMasks>> {
        match &self.queue.front()?.reply {
            Reply::Execute(run) => {
                let portal = self.statements.portal(&run.portal)?;
                portal.prepared.as_ref()?.masks.clone()
            }
            Reply::Query(run) => run.statements.get(run.ended)?.masks.clone(),
            _ => None,
        }
    }

    /// A whole row with its masks on; `None`: it is none, and no more of the result goes out.
    fn masked(
        &mut self,
        masks: &WireMasks,
        bytes: Bytes,
        out: &mut Out,
    ) -> Result<Option<Bytes>, Fault> {
        let masking = self.masking.get_or_insert_default();
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        match mask_row(masks, body, &mut masking.made) {
            Ok(()) => Ok(Some(masking.made.split().freeze())),
            Err(Unreadable) => {
                let breach = Breach { position: 0, table: 0, column: 0 };
                self.stop(stopped_by_guard(), Some(breach), out)?;
                Ok(None)
            }
        }
    }

    /// The first piece of a row that is to be masked.
    pub(super) fn hold_row(&mut self, bytes: Bytes, out: &mut Out) -> Result<Course, Fault> {
        if announced_bytes(&bytes) > MASKED_ROW_BYTES_MAX {
            self.stop(too_large_to_mask(), None, out)?;
            return Ok(Course::Drop);
        }
        let masking = self.masking.get_or_insert_default();
        masking.held.clear();
        masking.held.extend_from_slice(&bytes);
        Ok(Course::Hold)
    }

    /// The next one.
    pub(super) fn hold_more(
        &mut self,
        bytes: &[u8],
        is_last: bool,
        out: &mut Out,
    ) -> Result<(), Fault> {
        let masking = self.masking.get_or_insert_default();
        masking.held.extend_from_slice(bytes);
        if is_last {
            let row = std::mem::take(&mut masking.held).freeze();
            self.row(row, false, true, out)?;
        }
        Ok(())
    }

    /// No more of the result that comes now goes out.
    fn stop(&mut self, error: Bytes, breach: Option<Breach>, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(b'D');
        let (statement, progress) = match self.queue.front_mut().map(|front| &mut front.reply) {
            Some(Reply::Execute(run)) => (run.number.unwrap_or_default(), &mut run.progress),
            Some(Reply::Query(run)) => {
                let statement = run.statements.get(run.ended);
                (statement.map_or(0, |statement| statement.number), &mut run.progress)
            }
            _ => return Err(misfit),
        };
        if progress.stopped.is_none() {
            out.events.extend(breach.map(|breach| Event::Breach { statement, breach }));
            progress.stopped = Some(error);
        }
        Ok(())
    }

    /// CopyOutResponse: the rows that follow are those that the probe has described.
    pub(super) fn copy_begins(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(b'H');
        let Some(front) = self.queue.front_mut() else { return Err(misfit) };
        if front.fate != Fate::Forward {
            return Err(misfit);
        }
        let progress = match &mut front.reply {
            Reply::Execute(run) => {
                let Some(portal) = self.statements.portal(&run.portal) else { return Err(misfit) };
                let is_copy = run.prepared.as_ref().is_some_and(|known| known.probe.is_some());
                if !is_copy || !is_same(run.prepared.as_ref(), portal.prepared.as_ref()) {
                    return Err(misfit);
                }
                judge_execution(run, portal.prepared.as_deref(), out);
                &mut run.progress
            }
            Reply::Query(run) => {
                let is_copy = run.statements.get(run.ended).is_some_and(|statement| {
                    matches!(statement.kind, StatementKind::Copy { .. }) && !statement.is_probe
                });
                match run.probed {
                    Probed::Good if is_copy => run.progress.is_judged = true,
                    Probed::Bad if is_copy => run.progress.stopped = Some(stopped_by_guard()),
                    Probed::Good | Probed::Bad | Probed::Nothing => return Err(misfit),
                }
                run.probed = Probed::Nothing;
                &mut run.progress
            }
            _ => return Err(misfit),
        };
        if progress.is_copying {
            return Err(misfit);
        }
        progress.is_copying = true;
        progress.is_binary = frame.body().first() == Some(&COPY_IS_BINARY);
        if progress.stopped.is_none() {
            self.pass(frame, out);
        }
        Ok(())
    }

    /// CopyDone.
    pub(super) fn copy_ends(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(b'c');
        let progress = match self.queue.front_mut().map(|front| &mut front.reply) {
            Some(Reply::Execute(run)) => &mut run.progress,
            Some(Reply::Query(run)) => &mut run.progress,
            _ => return Err(misfit),
        };
        if !progress.is_copying {
            return Err(misfit);
        }
        progress.is_copying = false;
        if progress.stopped.is_none() {
            self.pass(frame, out);
        }
        Ok(())
    }

    pub(super) fn count_more(&mut self, bytes: usize) {
        if let Some(front) = self.queue.front_mut() {
            match &mut front.reply {
                Reply::Execute(run) => {
                    run.progress.bytes = run.progress.bytes.saturating_add(size(bytes));
                }
                Reply::Query(run) => {
                    run.progress.bytes = run.progress.bytes.saturating_add(size(bytes));
                }
                _ => {}
            }
        }
    }
}

/// The error in place of a result that the guard stopped.
pub(super) fn stopped_by_guard() -> Bytes {
    let mut said = BytesMut::new();
    let error = ErrorMessage {
        hint: Some("this is a fault of the rules or of Scrim; an alarm has been recorded"),
        ..ErrorMessage::new(
            "ERROR",
            "42501",
            "scrim: the result was stopped, since it could not be shown to be masked",
        )
    };
    writer::error_response(&mut said, &error);
    said.freeze()
}

/// A row, or data of a COPY, as it may go out by the role's `guard`; `None`: no more of the result does.
fn searched(
    detector: &Detector,
    bytes: Bytes,
    is_whole: bool,
    texts: Option<Arc<[bool]>>,
    progress: &mut Progress,
    statement: u64,
    out: &mut Out,
) -> Option<Bytes> {
    let then = detector.then();
    let body = bytes.get(HEADER_BYTES..).filter(|_| is_whole);
    let caught = match body {
        Some(body) if progress.is_copying => Ok(detector.copy_data(body, progress.is_binary)),
        Some(body) => detector.row(body, texts.as_deref()),
        None => Err(Unreadable),
    };
    match caught {
        Ok(None) => Some(bytes),
        Ok(Some(Caught { found, instead })) => {
            let first = found.first().copied();
            for (position, kind) in found {
                if !progress.found.contains(&(position, kind)) {
                    progress.found.push((position, kind));
                    out.events.push(Event::Found { statement, position, kind, then });
                }
            }
            match (then, instead) {
                (Then::Alarm, _) => Some(bytes),
                (Then::Redact, Some(instead)) => Some(instead),
                (Then::Redact | Then::Refuse, _) => {
                    progress.stopped = Some(stopped_by_detector(then, first));
                    None
                }
            }
        }
        // Longer than what is held at once, or no row.
        Err(Unreadable) if then == Then::Alarm => Some(bytes),
        Err(Unreadable) => {
            progress.stopped = Some(not_searched());
            None
        }
    }
}

/// The error in place of a result in which the role's `guard` has found something.
fn stopped_by_detector(then: Then, first: Option<(usize, ScrubKind)>) -> Bytes {
    let (position, kind) = first.map_or((0, "secret"), |(position, kind)| (position, kind.name()));
    let place = match position {
        0 => "in the data of the COPY".to_owned(),
        position => format!("in column {position}"),
    };
    let message = format!("scrim: the result was stopped: something {place} looks like `{kind}`");
    let hint = match then {
        Then::Redact => "the role's `guard` redacts it in a SELECT; a COPY cannot be redacted",
        Then::Refuse | Then::Alarm => {
            "the role's `guard` refuses it: leave the column out, or ask for it to be classified"
        }
    };
    let mut said = BytesMut::new();
    let error = ErrorMessage { hint: Some(hint), ..ErrorMessage::new("ERROR", "42501", &message) };
    writer::error_response(&mut said, &error);
    said.freeze()
}

/// The error in place of a result that cannot be searched.
fn not_searched() -> Bytes {
    let mut said = BytesMut::new();
    let error = ErrorMessage {
        hint: Some("the role's `guard` looks through all rows; ask for less of the value: left(…)"),
        ..ErrorMessage::new(
            "ERROR",
            "54000",
            "scrim: the result was stopped: a row is too large to be searched",
        )
    };
    writer::error_response(&mut said, &error);
    said.freeze()
}

/// The error in place of a row that is too long to be masked as it passes.
fn too_large_to_mask() -> Bytes {
    let mut said = BytesMut::new();
    let error = ErrorMessage {
        hint: Some("a cursor (DECLARE) has its masks put on by the database, whatever its size"),
        ..ErrorMessage::new(
            "ERROR",
            "54000",
            "scrim: the result was stopped: a row is too large to be masked",
        )
    };
    writer::error_response(&mut said, &error);
    said.freeze()
}

/// The error in place of a plan that is not understood, or is too large.
fn no_plan() -> Bytes {
    let mut said = BytesMut::new();
    let error = ErrorMessage {
        hint: Some("explain a smaller statement, or ask for FORMAT TEXT"),
        ..ErrorMessage::new(
            "ERROR",
            "54000",
            "scrim: the plan could not be read, so it is not shown",
        )
    };
    writer::error_response(&mut said, &error);
    said.freeze()
}

/// INVARIANT: what was audited when it was sent is what runs.
pub(super) fn is_same(sent: Option<&Arc<Prepared>>, bound: Option<&Arc<Prepared>>) -> bool {
    match (sent, bound) {
        (Some(sent), Some(bound)) => Arc::ptr_eq(sent, bound),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The first row of an execution, or the start of its COPY.
fn judge_execution(run: &mut Execution, prepared: Option<&Prepared>, out: &mut Out) {
    if run.progress.is_judged || run.progress.stopped.is_some() {
        return;
    }
    match judge_portal(prepared) {
        Ok(()) => run.progress.is_judged = true,
        Err(breach) => {
            let statement = run.number.unwrap_or_default();
            out.events.push(Event::Breach { statement, breach });
            run.progress.stopped = Some(stopped_by_guard());
        }
    }
}

fn judge_portal(prepared: Option<&Prepared>) -> Result<(), Breach> {
    match prepared.map(Prepared::rows) {
        Some(Rows::Good) => Ok(()),
        Some(Rows::Bad(breach)) => Err(breach),
        Some(Rows::Unknown | Rows::None) | None => Err(Breach { position: 0, table: 0, column: 0 }),
    }
}

fn body_of(row: &Bytes) -> &[u8] {
    row.get(HEADER_BYTES..).unwrap_or_default()
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
