//! The queue of expected replies: what the server still owes, and what becomes of each answer.
//!
//! ```text
//! client frame ─► push(Expected) ─► server
//! server frame ─► hear() ─► Forward | Drop | Put(bytes), and events
//! ```
//!
//! Pure: no socket, no clock. INVARIANTS: the transaction's state is only ever what the server's ReadyForQuery
//! says; each entry meets exactly one fate; an answer that fits no entry ends the session ([`Misfit`]); once an
//! error of ours has been put in place of an answer, nothing of the server's reaches the client until the next
//! ReadyForQuery.
//! <https://www.postgresql.org/docs/current/protocol-flow.html>

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::statements::{Prepared, Undo};
use crate::guard::Breach;
use crate::sql::Effect;

/// What kind of answer an entry waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// A simple query's, to its ReadyForQuery.
    Simple,
    /// ParseComplete.
    Parse,
    /// BindComplete.
    Bind,
    /// ParameterDescription, then RowDescription or NoData.
    DescribeStatement,
    /// RowDescription or NoData.
    DescribePortal,
    /// Rows and how they end.
    Execute,
    /// CloseComplete.
    Close,
    /// ReadyForQuery.
    Sync,
}

/// One statement that runs, for the audit and for what it leaves behind.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Its number in the session.
    pub(super) statement: u64,
    /// When it was accepted: microseconds on the session's clock.
    pub(super) started_us: u64,
    /// Rows so far.
    pub(super) rows: u64,
    /// Bytes of rows so far.
    pub(super) bytes: u64,
    /// What to remember once it has succeeded.
    pub(super) effect: Effect,
}

/// One thing the server owes.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) awaited: Awaited,
    /// Asked by Scrim, not by the client.
    pub(super) is_own: bool,
    /// The server's error is replaced by this ErrorResponse.
    pub(super) refusal: Option<Bytes>,
    /// The statements that run, in order.
    pub(super) runs: VecDeque<Run>,
    /// The statement a Describe or an Execute is about.
    pub(super) prepared: Option<Arc<Prepared>>,
    /// What to take back if this is skipped or fails.
    pub(super) undo: Option<Undo>,
    /// What a name means once this has succeeded.
    pub(super) confirm: Option<(String, Arc<Prepared>)>,
}

impl Expected {
    pub(super) fn new(awaited: Awaited) -> Expected {
        Expected {
            awaited,
            is_own: false,
            refusal: None,
            runs: VecDeque::new(),
            prepared: None,
            undo: None,
            confirm: None,
        }
    }
}

/// What becomes of a server frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes to the client as it is.
    Forward,
    /// An error or notice goes to the client without what could quote a row.
    Clean,
    /// It does not.
    Drop,
    /// This goes in its place.
    Put(Bytes),
}

/// What the session has to do besides.
#[derive(Debug)]
pub(super) enum Event {
    /// A statement has ended; with its SQLSTATE if it failed.
    Ended(Run, Option<String>),
    /// These were skipped: take back, in this order.
    Undo(Undo),
    /// A name means this from now on.
    Confirm(String, Arc<Prepared>),
    /// The guard stopped a result.
    Breach(Option<u64>, Breach),
    /// ReadyForQuery.
    Ready(u8),
}

/// The server's answer fits nothing that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an answer of type {tag:?} does not fit what is expected")]
pub(super) struct Misfit {
    tag: char,
}

/// Who looks at what passes; an untouched role has nobody.
pub(super) trait Judge {
    /// Judges the body of a RowDescription.
    fn row_description(&self, body: &[u8]) -> Result<(), Breach>;
    /// Rows a statement may give; `None`: any number.
    fn rows_max(&self) -> Option<u64>;
    /// The ErrorResponse for a result that must not flow.
    fn breach_error(&self) -> Bytes;
    /// The ErrorResponse for too many rows.
    fn rows_error(&self) -> Bytes;
}

/// The queue.
#[derive(Debug)]
pub(super) struct Pipeline {
    queue: VecDeque<Expected>,
    /// The server ignores everything up to Sync.
    skipping: bool,
    /// Nothing goes to the client up to ReadyForQuery.
    muted: bool,
    /// `I`, `T` or `E`.
    status: u8,
}

impl Pipeline {
    pub(super) fn new() -> Pipeline {
        Pipeline { queue: VecDeque::new(), skipping: false, muted: false, status: b'I' }
    }

    /// The transaction's state as the server last said it.
    pub(super) fn status(&self) -> u8 {
        self.status
    }

    /// True when the server owes nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.skipping
    }

    /// How much is owed.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Something was sent. Gives back what will never be answered, since the server skips to Sync.
    pub(super) fn push(&mut self, expected: Expected) -> Option<Expected> {
        if self.skipping {
            if expected.awaited != Awaited::Sync {
                return Some(expected);
            }
            self.skipping = false;
        }
        self.queue.push_back(expected);
        None
    }

    /// A frame of the server. `judge` is `None` for an untouched role.
    pub(super) fn hear(
        &mut self,
        tag: u8,
        body: &[u8],
        judge: Option<&dyn Judge>,
        events: &mut Vec<Event>,
    ) -> Result<Fate, Misfit> {
        match tag {
            b'S' => return Ok(Fate::Forward),
            b'N' => return Ok(if self.muted { Fate::Drop } else { Fate::Clean }),
            b'A' => return Ok(if judge.is_some() { Fate::Drop } else { Fate::Forward }),
            b'E' => return Ok(self.error(body, events)),
            b'Z' => return self.ready(body, events),
            _ => {}
        }
        let misfit = Misfit { tag: char::from(tag) };
        let muted = self.muted;
        let front = self.queue.front_mut().ok_or(misfit)?;
        if front.refusal.is_some() {
            // A poisoned statement can only fail.
            return Err(misfit);
        }
        let is_own = front.is_own;
        let (fate, done) = match (front.awaited, tag) {
            (Awaited::Parse, b'1') | (Awaited::Bind, b'2') | (Awaited::Close, b'3') => {
                let confirmed = front.confirm.take();
                events.extend(confirmed.map(|(name, prepared)| Event::Confirm(name, prepared)));
                (Fate::Forward, true)
            }
            (Awaited::DescribeStatement, b't') => (Fate::Forward, false),
            (Awaited::DescribeStatement | Awaited::DescribePortal, b'n') => {
                if let Some(prepared) = &front.prepared {
                    prepared.judge(true);
                }
                (Fate::Forward, true)
            }
            (Awaited::DescribeStatement | Awaited::DescribePortal, b'T') => {
                match judge.map_or(Ok(()), |judge| judge.row_description(body)) {
                    Ok(()) => {
                        if let Some(prepared) = &front.prepared {
                            prepared.judge(true);
                        }
                        (Fate::Forward, true)
                    }
                    Err(breach) => {
                        if let Some(prepared) = &front.prepared {
                            prepared.judge(false);
                        }
                        events.push(Event::Breach(None, breach));
                        let error = judge.map(Judge::breach_error).unwrap_or_default();
                        // What was asked by Scrim itself is not answered; the rows will not flow.
                        (if is_own { Fate::Drop } else { Fate::Put(error) }, true)
                    }
                }
            }
            (Awaited::Simple, b'T') => {
                match judge.map_or(Ok(()), |judge| judge.row_description(body)) {
                    Ok(()) => (Fate::Forward, false),
                    Err(breach) => {
                        let statement = front.runs.front().map(|run| run.statement);
                        events.push(Event::Breach(statement, breach));
                        (Fate::Put(judge.map(Judge::breach_error).unwrap_or_default()), false)
                    }
                }
            }
            (Awaited::Simple | Awaited::Execute, b'D') => {
                (row(front, body, judge, muted, events), false)
            }
            (Awaited::Execute, b'C' | b'I' | b's') => {
                ended(front, tag, None, events);
                (Fate::Forward, true)
            }
            (Awaited::Simple, b'C' | b'I') => {
                ended(front, tag, None, events);
                (Fate::Forward, false)
            }
            // COPY is for untouched roles only.
            (Awaited::Simple | Awaited::Execute, b'G' | b'H' | b'd' | b'c') if judge.is_none() => {
                (Fate::Forward, false)
            }
            _ => return Err(misfit),
        };
        if done {
            self.queue.pop_front();
        }
        if muted || is_own {
            return Ok(Fate::Drop);
        }
        if matches!(fate, Fate::Put(_)) {
            self.muted = true;
        }
        Ok(fate)
    }

    fn error(&mut self, body: &[u8], events: &mut Vec<Event>) -> Fate {
        let code = crate::wire::reader::error_fields(body).ok().and_then(|mut fields| {
            fields.find(|(kind, _)| *kind == b'C').map(|(_, text)| text.to_owned())
        });
        let Some(front) = self.queue.front_mut() else {
            // Unasked, as at a shutdown: the connection ends with it.
            return Fate::Clean;
        };
        let refusal = front.refusal.take();
        while !front.runs.is_empty() {
            ended(front, b'E', code.clone().or(Some("XX000".into())), events);
        }
        if front.awaited != Awaited::Simple && front.awaited != Awaited::Sync {
            self.skip(events);
        }
        if self.muted {
            return Fate::Drop;
        }
        match refusal {
            Some(refusal) => {
                self.muted = true;
                Fate::Put(refusal)
            }
            None => Fate::Clean,
        }
    }

    /// Drops what the server ignores after an error: everything up to Sync. Newest first, so that what is taken
    /// back ends as it was.
    fn skip(&mut self, events: &mut Vec<Event>) {
        let sync = self.queue.iter().position(|expected| expected.awaited == Awaited::Sync);
        let count = sync.unwrap_or(self.queue.len());
        self.skipping = sync.is_none();
        let skipped: Vec<Expected> = self.queue.drain(..count).collect();
        for expected in skipped.into_iter().rev() {
            for run in expected.runs {
                // Accepted, but never run: it ends with the error before it.
                events.push(Event::Ended(run, Some("25P02".into())));
            }
            events.extend(expected.undo.map(Event::Undo));
        }
    }

    fn ready(&mut self, body: &[u8], events: &mut Vec<Event>) -> Result<Fate, Misfit> {
        let misfit = Misfit { tag: 'Z' };
        let status = crate::wire::reader::ready_status(body).map_err(|_| misfit)?;
        let front = self.queue.pop_front().ok_or(misfit)?;
        if !matches!(front.awaited, Awaited::Simple | Awaited::Sync) {
            return Err(misfit);
        }
        self.status = status;
        self.muted = false;
        events.push(Event::Ready(status));
        Ok(Fate::Forward)
    }
}

/// A row: counted, and stopped where the statement's columns are not known to be harmless.
fn row(
    front: &mut Expected,
    body: &[u8],
    judge: Option<&dyn Judge>,
    muted: bool,
    events: &mut Vec<Event>,
) -> Fate {
    let Some(judge) = judge else {
        count(front, body);
        return Fate::Forward;
    };
    if muted {
        return Fate::Drop;
    }
    let is_good =
        front.awaited == Awaited::Simple || front.prepared.as_ref().is_some_and(|p| p.is_good());
    if !is_good {
        let statement = front.runs.front().map(|run| run.statement);
        let unknown = Breach { position: 0, table: 0, column: 0 };
        events.push(Event::Breach(statement, unknown));
        return Fate::Put(judge.breach_error());
    }
    let rows = front.runs.front().map_or(0, |run| run.rows);
    if judge.rows_max().is_some_and(|most| rows >= most) {
        return Fate::Put(judge.rows_error());
    }
    count(front, body);
    Fate::Forward
}

fn count(front: &mut Expected, body: &[u8]) {
    if let Some(run) = front.runs.front_mut() {
        run.rows = run.rows.saturating_add(1);
        run.bytes = run.bytes.saturating_add(body.len() as u64);
    }
}

fn ended(front: &mut Expected, tag: u8, error: Option<String>, events: &mut Vec<Event>) {
    if let Some(mut run) = front.runs.pop_front() {
        // A suspended portal has done nothing yet that outlives it.
        if tag == b's' {
            run.effect = Effect::None;
        }
        events.push(Event::Ended(run, error));
    }
}

#[cfg(test)]
mod tests;
