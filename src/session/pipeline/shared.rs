//! A server connection that is the session's for one transaction only, and what has to be there when it comes.
//!
//! - **Settings.** What the session has set and the connection has not is set first, by a Query of our own
//!   ([`Reply::Replay`]), in the same write as the client's message; so is what others left there.
//! - **Statements.** A named statement has another name there, made of its text: the same for whoever sends the same
//!   text. One that is there already is not sent again; one that is missing is sent before it is used. What the client
//!   closes stays. The unnamed statement is the session's own, and is sent again where it is not there; one that has been met before
//!   has such a name too ([`super::unnamed`]).
//! - **Parameters** that the client was told, and that are others on this connection, are told anew.
//!
//! INVARIANT: the connection goes back only when nothing is outstanding, no transaction is open, and nothing is on it
//! that only this session may have (temporary tables, cursors WITH HOLD, statements made by SQL, channels that are listened
//! to).

use std::collections::VecDeque;
use std::sync::Arc;

use super::backend::NOT_THE_CLIENTS;
use super::expected::{Fate, Reply};
use super::lookup::Known;
use super::{Fault, Out, Pipeline};
use crate::session::attached::Remains;
use crate::session::footprint::{self, Footprint, Reported};
use crate::session::source::{PASSING, SHARED_NAME, Source};
use crate::session::statements::Prepared;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader::{self, Named};
use crate::wire::{Frame, Piece, writer};

/// What user code may have left behind, taken away; prepared statements stay.
pub const CLEANING: [&str; 6] = [
    "CLOSE ALL",
    "RESET ALL",
    "UNLISTEN *",
    "SELECT pg_catalog.pg_advisory_unlock_all()",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
];

/// A statement in the place of another one, and what the client is told when it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandIn {
    /// What is sent.
    pub text: &'static str,
    /// What is told.
    pub tag: &'static str,
}

/// Fails where DEALLOCATE would, which is in a failed transaction, and changes nothing that anybody can see.
const DEALLOCATE: StandIn = StandIn { text: "SET scrim.deallocated TO ''", tag: "DEALLOCATE" };

/// What is known of the statement that a text names.
pub(super) enum ByName<'n> {
    /// There, or not there, as the text needs it; or the server connection knows.
    AsItMust,
    /// It is not there.
    Absent(&'n str),
    /// It is there already.
    Taken(&'n str),
    /// It depends on how an earlier unit ends.
    Uncertain,
}

/// What a statement that a message names is called on the server connection.
pub(super) enum Provided {
    /// What the client calls it; the server knows whether there is one.
    AsIs,
    /// Something else.
    Under(Arc<str>),
    /// The session has none; on the server connection there may be somebody else's.
    Absent,
    /// It depends on how an earlier unit ends.
    Wait,
}

impl Pipeline {
    /// From now on server connections come and go. `told`: the parameters that the client has been told.
    pub fn share(&mut self, told: Reported) {
        self.is_shared = true;
        self.told = told;
    }

    /// True while there is a server connection.
    pub fn is_attached(&self) -> bool {
        self.footprint.is_some()
    }

    /// A server connection, idle. `is_own`: this session had it last.
    pub fn attach(&mut self, footprint: Box<Footprint>, is_own: bool, out: &mut Out) {
        self.unnamed = None;
        let is_dirty = footprint.may_be_dirty && !is_own;
        let footprint = self.footprint.insert(footprint);
        if is_dirty {
            footprint.cleaned();
        }
        let difference = self.settings.difference(&footprint.settings).unwrap_or_default();
        let cleaning = CLEANING.iter().take(if is_dirty { CLEANING.len() } else { 0 });
        let statements: Vec<&str> =
            cleaning.copied().chain(difference.iter().map(String::as_str)).collect();
        match statements.is_empty() {
            true => self.tell_parameters(out),
            false => self.replay(&statements, out),
        }
    }

    /// Gives the server connection up, if it may go.
    pub fn detach(&mut self) -> Option<Box<Footprint>> {
        let is_bound = self.statements.are_bound()
            || self.settings.has_temp_tables()
            || self.settings.listens();
        if !self.is_shared || !self.is_idle() || is_bound {
            return None;
        }
        self.unnamed = None;
        self.footprint.take()
    }

    /// The session has been idle for a while: it holds no room for what is due while nothing is.
    pub fn give_room_back(&mut self) {
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
            self.masking = None;
        }
    }

    /// What a RESET has brought back on the server connection may not be what the session started with.
    pub(super) fn keep_settings(&mut self, out: &mut Out) {
        if !self.is_shared || !self.is_idle() {
            return;
        }
        let Some(footprint) = &self.footprint else { return };
        if let Some(difference) = self.settings.difference(&footprint.settings) {
            let statements: Vec<&str> = difference.iter().map(String::as_str).collect();
            self.replay(&statements, out);
        }
    }

    fn replay(&mut self, statements: &[&str], out: &mut Out) {
        if writer::query(&mut out.to_server, &statements.join("; ")).is_ok() {
            // A Query takes the unnamed statement away.
            self.unnamed = None;
            self.push(Reply::Replay { due: statements.len() }, Fate::Swallow);
        }
    }

    /// True while the server brings itself to the session's settings before it comes to the client's message.
    pub fn is_replaying(&self) -> bool {
        matches!(self.queue.front().map(|front| &front.reply), Some(Reply::Replay { .. }))
    }

    /// A message of the server while it answers a replay.
    pub(super) fn replayed(&mut self, frame: Frame, out: &mut Out) -> Result<(), Fault> {
        let misfit = self.misfit(frame.tag());
        let Some(Reply::Replay { due }) = self.queue.front_mut().map(|front| &mut front.reply)
        else {
            return Err(misfit);
        };
        match frame.tag() {
            b'E' => return self.error(&frame, out),
            b'S' => {
                let (name, value) =
                    reader::parameter_status(frame.body()).map_err(|_| misfit.clone())?;
                self.judge_parameter(name, value).ok_or(misfit)?;
                if let Some(footprint) = &mut self.footprint {
                    footprint.reports(name, value);
                }
            }
            b'C' if *due > 0 => *due = due.saturating_sub(1),
            // The row of the one SELECT among them, and what the server remarks.
            b'T' | b'D' if *due > 0 => {}
            b'N' => {}
            b'A' => return self.notified(&frame, out),
            b'Z' if *due == 0 => {
                if reader::ready_status(frame.body()) != Ok(b'I') {
                    return Err(misfit);
                }
                self.queue.pop_front();
                if let Some(footprint) = &mut self.footprint {
                    footprint.settings.now_as(&self.settings);
                }
                self.tell_parameters(out);
                self.say_what_is_due(out);
            }
            _ => return Err(misfit),
        }
        Ok(())
    }

    /// Tells the client of parameters that are others than it was told.
    fn tell_parameters(&mut self, out: &mut Out) {
        let Some(footprint) = &mut self.footprint else { return };
        if Arc::ptr_eq(&self.told, &footprint.reported) {
            return;
        }
        for (name, value) in footprint.reported.iter() {
            if !NOT_THE_CLIENTS.contains(&name.as_str())
                && footprint::set(&mut self.told, name, value)
            {
                writer::parameter_status(&mut out.to_client, name, value);
            }
        }
    }

    /// Sees to it that the statement of that name is on the server connection.
    pub(super) fn provide(&mut self, name: &str, out: &mut Out) -> Provided {
        if !self.is_shared {
            return Provided::AsIs;
        }
        if name.starts_with(SHARED_NAME) {
            return Provided::Absent;
        }
        let prepared = match self.statement(name) {
            Known::Uncertain => return Provided::Wait,
            Known::No if name.is_empty() => return Provided::Absent,
            Known::No => return Provided::AsIs,
            Known::Yes(prepared) => prepared,
        };
        let Some(source) = &prepared.source else { return Provided::AsIs };
        if name.is_empty() && !prepared.is_kept() {
            if !self.is_unnamed(&prepared)
                && writer::parse(&mut out.to_server, "", &source.text, &source.types).is_ok()
            {
                let prepared = Some(Arc::clone(&prepared));
                self.unit_open = true;
                self.push(
                    Reply::Parse { name: String::new(), prepared, shared: None },
                    Fate::Swallow,
                );
            }
            return Provided::AsIs;
        }
        if self.settings_are_uncertain() {
            // What is on its way may have it read another way.
            return Provided::Wait;
        }
        let shared = self.name_there(source);
        if !self.is_there(&shared) {
            self.unit_open = true;
            self.make_way(&shared, out);
            if writer::parse(&mut out.to_server, &shared, &source.text, &source.types).is_ok() {
                let name = shared.to_string();
                let reply =
                    Reply::Parse { name, prepared: None, shared: Some(Arc::clone(&shared)) };
                self.push(reply, Fate::Swallow);
            }
        }
        Provided::Under(shared)
    }

    /// True when the statement will be the unnamed one when the server comes to the next message.
    fn is_unnamed(&self, prepared: &Arc<Prepared>) -> bool {
        for expected in self.queue.iter().rev() {
            if let Reply::Parse { name, prepared: last, .. } = &expected.reply
                && name.is_empty()
            {
                return last.as_ref().is_some_and(|last| Arc::ptr_eq(last, prepared));
            }
            if matches!(expected.reply, Reply::Query(_) | Reply::Replay { .. }) {
                return false;
            }
        }
        self.unnamed.as_ref().is_some_and(|unnamed| Arc::ptr_eq(unnamed, prepared))
    }

    /// The name of a statement on the server connection, where that is not the client's.
    pub(super) fn shared_name(&self, name: &str, prepared: &Prepared) -> Option<Arc<str>> {
        let is_named = !name.is_empty() || prepared.is_kept();
        let source = prepared.source.as_ref().filter(|_| self.is_shared && is_named)?;
        Some(self.name_there(source))
    }

    /// True when a shared statement will be there when the server comes to the next message, whatever fails before.
    pub(super) fn is_there(&mut self, shared: &str) -> bool {
        let mut crossed = false;
        for expected in self.queue.iter().rev() {
            match &expected.reply {
                Reply::Sync => crossed = true,
                Reply::Query(run) => {
                    crossed = true;
                    if run.statements.iter().any(|statement| drops_all(&statement.effect)) {
                        return false;
                    }
                }
                Reply::Parse { shared: Some(name), .. } if **name == *shared => return !crossed,
                Reply::Close { kind: Named::Statement, name } if name == shared => return false,
                Reply::Execute(run) => {
                    if run.prepared.as_ref().is_some_and(|known| drops_all(&known.effect)) {
                        return false;
                    }
                }
                Reply::Parse { .. }
                | Reply::Close { .. }
                | Reply::Bind { .. }
                | Reply::DescribeStatement { .. }
                | Reply::DescribePortal { .. }
                | Reply::Anew
                | Reply::Replay { .. } => {}
            }
        }
        self.footprint.as_mut().is_some_and(|footprint| footprint.uses(shared))
    }

    /// A statement that the front entry names is not as it was prepared, or not there: it is prepared anew when it is needed
    /// next.
    pub(super) fn forget_shared(&mut self) {
        let named = match self.queue.front().map(|front| &front.reply) {
            Some(Reply::Bind { statement, .. }) => self.statements.prepared(statement),
            Some(Reply::DescribeStatement { name, .. }) => self.statements.prepared(name),
            _ => None,
        };
        let source = named.and_then(|prepared| prepared.source.as_ref());
        let name = source.map(|source| self.name_there(source));
        if let (Some(name), Some(footprint)) = (name, &mut self.footprint) {
            footprint.dropped(&name);
        }
    }

    /// What a statement is called on the server connection. Where code may have changed how literals are read, it is nobody
    /// else's, and goes when the connection is cleaned.
    pub(super) fn name_there(&self, source: &Source) -> Arc<str> {
        let name = source.name(self.settings.current());
        match self.footprint.as_ref().is_some_and(|footprint| footprint.may_read_otherwise) {
            true => format!("{name}{PASSING}").into(),
            false => name,
        }
    }

    /// Closes what may have that name already, which is no error where nothing has, and what is too much.
    pub(super) fn make_way(&mut self, shared: &str, out: &mut Out) {
        let superfluous = self.footprint.as_ref().and_then(|footprint| footprint.superfluous());
        for name in superfluous.iter().map(AsRef::as_ref).chain([shared]) {
            if writer::close(&mut out.to_server, Named::Statement, name).is_ok() {
                let reply = Reply::Close { kind: Named::Statement, name: name.to_owned() };
                self.push(reply, Fate::Swallow);
            }
        }
    }

    /// What is sent may leave more behind than is followed: it may listen, and run code that nobody here has read (triggers,
    /// defaults, functions of the user). Each with whether its plan says so.
    pub(super) fn note_kinds(&mut self, sent: impl Iterator<Item = (StatementKind, bool)>) {
        let Some(footprint) = &mut self.footprint else { return };
        for (kind, runs_code) in sent {
            let runs_some = match kind {
                StatementKind::Write { .. }
                | StatementKind::CopyIn
                | StatementKind::TempTable
                | StatementKind::Definition
                // One of them is the `set_config` by which pg_dump restricts itself.
                | StatementKind::Show => true,
                StatementKind::Select
                | StatementKind::Transaction
                | StatementKind::Set
                | StatementKind::Cursor
                | StatementKind::Fetch
                | StatementKind::Prepare
                | StatementKind::Execute
                | StatementKind::Copy { .. }
                | StatementKind::Explain { .. }
                | StatementKind::Listen
                | StatementKind::Notify
                | StatementKind::Discard => runs_code,
            };
            footprint.may_listen |= kind == StatementKind::Listen;
            footprint.may_be_dirty |= runs_some;
            footprint.may_read_otherwise |= runs_code;
        }
    }

    /// True when the session has a named statement of that name.
    pub fn is_taken(&self, name: &str) -> bool {
        self.is_shared && !name.is_empty() && matches!(self.statement(name), Known::Yes(_))
    }

    /// What is sent for a DEALLOCATE of a statement that stays on the server connection.
    pub fn stand_in(&self, effect: &Effect) -> Option<StandIn> {
        let Effect::Deallocate(Some(name)) = effect else { return None };
        match self.statement(name) {
            Known::Yes(prepared) if self.is_shared && prepared.source.is_some() => Some(DEALLOCATE),
            Known::Yes(_) | Known::No | Known::Uncertain => None,
        }
    }

    /// What is prepared for a DEALLOCATE, of what may only be there when it is executed.
    pub fn stand_in_prepared(&self, effect: &Effect) -> Option<StandIn> {
        let Effect::Deallocate(Some(name)) = effect else { return None };
        let is_of_sql = match self.statement(name) {
            Known::Yes(prepared) => prepared.source.is_none(),
            Known::No | Known::Uncertain => false,
        };
        (self.is_shared && !is_of_sql).then_some(DEALLOCATE)
    }

    /// Whether what a prepared DEALLOCATE or PREPARE names is as it must be: the server connection has it under another
    /// name and cannot say.
    pub(super) fn by_name<'p>(&self, prepared: &'p Prepared) -> ByName<'p> {
        match &prepared.effect {
            Effect::Deallocate(Some(name)) if prepared.tag == Some(DEALLOCATE.tag) => {
                match self.statement(name) {
                    Known::Yes(named) if named.source.is_some() => ByName::AsItMust,
                    // What SQL has prepared since would stay there.
                    Known::Yes(_) | Known::No => ByName::Absent(name),
                    Known::Uncertain => ByName::Uncertain,
                }
            }
            Effect::Prepare(name) if self.is_shared => match self.statement(name) {
                Known::Yes(named) if named.source.is_some() => ByName::Taken(name),
                Known::Yes(_) | Known::No => ByName::AsItMust,
                Known::Uncertain => ByName::Uncertain,
            },
            _ => ByName::AsItMust,
        }
    }

    /// What is going on at the server connection.
    pub fn remains(&self) -> Remains {
        if !self.is_quiet() || self.from_server.is_some() {
            Remains::Busy
        } else if self.unit_open || self.skipping {
            Remains::OpenUnit
        } else {
            Remains::Nothing
        }
    }

    /// True for a message that only the server can answer, while there is none. Whether a text is sent at all is
    /// found out by planning it.
    pub fn needs_server(&self, piece: &Piece) -> bool {
        let tag = match piece {
            Piece::Whole(frame) => frame.tag(),
            Piece::Start { tag, .. } => *tag,
            Piece::More { .. } => return false,
        };
        !self.is_attached() && matches!(tag, b'P' | b'B' | b'D' | b'E' | b'C' | b'S')
    }
}

fn drops_all(effect: &Effect) -> bool {
    matches!(effect, Effect::Deallocate(None) | Effect::DiscardAll)
}
