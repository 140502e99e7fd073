//! The data of a COPY from the client.
//!
//! The server asks for it (CopyInResponse), and from then on reads nothing else but Sync and Flush, which it ignores.
//! So while a COPY is on its way that has not been asked for, every message of the client waits; while data is due,
//! data goes to the server, Sync and Flush go nowhere, and anything else ends the session, since the server would end
//! the COPY by it and read on in another place than the queue. Data that nobody has asked for, or that comes after the
//! COPY has failed, is dropped, as PostgreSQL does.
//!
//! <https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY>

use super::expected::{Expected, Fate, Feeding, Progress, Reply};
use super::{Course, Fault, Out, Pipeline, Step};
use crate::sql::StatementKind;
use crate::wire::{Frame, Piece};

/// CopyFail, without a word.
const COPY_FAIL: &[u8] = b"f\0\0\0\x05\0";

impl Pipeline {
    /// Takes a message of the client where a COPY decides about it; gives back what is none of its business.
    pub(super) fn take_copy(&mut self, piece: Piece, out: &mut Out) -> Result<Copied, Fault> {
        let tag = match &piece {
            Piece::Whole(frame) => frame.tag(),
            Piece::Start { tag, .. } => *tag,
            Piece::More { .. } => return Ok(Copied::Not(piece)),
        };
        if tag == b'X' {
            return Ok(Copied::Not(piece));
        }
        if self.is_feeding() {
            return self.feed(piece, tag, out).map(Copied::Done);
        }
        if self.queue.iter().any(awaits) {
            return Ok(Copied::Done(self.wait(piece, out)));
        }
        Ok(Copied::Not(piece))
    }

    fn feed(&mut self, piece: Piece, tag: u8, out: &mut Out) -> Result<Step, Fault> {
        match tag {
            b'd' => {}
            b'c' | b'f' => self.set_feeding(Feeding::Over),
            // The server ignores them, so nothing is due for them.
            b'S' | b'H' => return Ok(Step::Done),
            other => {
                let message =
                    format!("unexpected message type 0x{other:02X} during COPY from stdin");
                return Err(Fault::client(message));
            }
        }
        match piece {
            Piece::Whole(frame) => out.to_server.extend_from_slice(&frame.into_bytes()),
            Piece::Start { bytes, .. } => {
                out.to_server.extend_from_slice(&bytes);
                self.from_client = Some(Course::Forward);
            }
            Piece::More { .. } => {}
        }
        Ok(Step::Done)
    }

    /// CopyInResponse.
    pub(super) fn copy_asks(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(b'G');
        let Some(front) = self.queue.front_mut() else { return Err(misfit) };
        if front.fate != Fate::Forward || !awaits(front) {
            return Err(misfit);
        }
        let is_current = match &front.reply {
            Reply::Query(run) => run
                .statements
                .get(run.ended)
                .is_some_and(|statement| statement.kind == StatementKind::CopyIn),
            _ => true,
        };
        if !is_current {
            return Err(misfit);
        }
        if self.mute.is_some() {
            // The client hears of nothing, and would never send any.
            self.set_feeding(Feeding::Over);
            out.to_server.extend_from_slice(COPY_FAIL);
            return Ok(());
        }
        self.set_feeding(Feeding::Open);
        self.pass(frame, out);
        Ok(())
    }

    pub(super) fn is_feeding(&self) -> bool {
        let progress = self.queue.front().and_then(|front| progress(&front.reply));
        progress.is_some_and(|progress| progress.feeding == Feeding::Open)
    }

    fn set_feeding(&mut self, feeding: Feeding) {
        match self.queue.front_mut().map(|front| &mut front.reply) {
            Some(Reply::Execute(run)) => run.progress.feeding = feeding,
            Some(Reply::Query(run)) => run.progress.feeding = feeding,
            _ => {}
        }
    }
}

/// What [`Pipeline::take_copy`] has done.
pub(super) enum Copied {
    /// All there is to do.
    Done(Step),
    /// Nothing: this is to be taken as any other.
    Not(Piece),
}

/// True where the server will still ask for data.
fn awaits(expected: &Expected) -> bool {
    if expected.fate != Fate::Forward {
        return false;
    }
    match &expected.reply {
        Reply::Execute(run) => {
            let is_copy = |kind| kind == Some(StatementKind::CopyIn);
            run.progress.feeding == Feeding::NotYet
                && run.prepared.as_ref().is_some_and(|prepared| is_copy(prepared.kind))
        }
        Reply::Query(run) => {
            let fed = run.progress.feeding != Feeding::NotYet;
            let rest = run.statements.iter().skip(run.ended.saturating_add(usize::from(fed)));
            !run.failed && rest.into_iter().any(|statement| statement.kind == StatementKind::CopyIn)
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

fn progress(reply: &Reply) -> Option<&Progress> {
    match reply {
        Reply::Execute(run) => Some(&run.progress),
        Reply::Query(run) => Some(&run.progress),
        Reply::Parse { .. }
        | Reply::Bind { .. }
        | Reply::DescribeStatement { .. }
        | Reply::DescribePortal { .. }
        | Reply::Close { .. }
        | Reply::Replay { .. }
        | Reply::Anew
        | Reply::Sync => None,
    }
}
