//! What the client sends.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::super::source::SHARED_NAME;
use super::super::statements::Prepared;
use super::again::Binding;
use super::copy_in::Copied;
use super::expected::{Execution, Fate, Judged, Probed, Progress, QueryRun, Reply, SentStatement};
use super::lookup::{Known, Use};
use super::shared::{ByName, Provided};
use super::{
    Ask, Course, ENTRIES_MAX, Execute, Fault, Origin, Out, POISON, POISON_NAME, PROBE_NAME,
    Pipeline, Step, Txn,
};
use crate::audit::StatementFacts;
use crate::wire::reader::{self, BindHead, Named};
use crate::wire::writer::{self, ErrorMessage, Unwritable};
use crate::wire::{Frame, Piece};

/// Type byte and length, which the first piece of a long message begins with.
const HEADER_BYTES: usize = 5;

impl Pipeline {
    /// Takes a message of the client, or a piece of one.
    pub fn take(&mut self, piece: Piece, out: &mut Out) -> Result<Step, Fault> {
        self.keep_settings(out);
        let before = out.to_server.len();
        let tag = match &piece {
            Piece::Whole(frame) => Some(frame.tag()),
            Piece::Start { tag, .. } => Some(*tag),
            Piece::More { .. } => None,
        };
        self.comes_in_unit(&piece, out);
        let step = self.take_piece(piece, out)?;
        if !matches!(step, Step::Wait(_)) {
            self.hold_sent(tag, before, out);
        }
        Ok(step)
    }

    fn take_piece(&mut self, piece: Piece, out: &mut Out) -> Result<Step, Fault> {
        let piece = match self.take_copy(piece, out)? {
            Copied::Done(step) => return Ok(step),
            Copied::Not(piece) => piece,
        };
        match piece {
            Piece::Whole(frame) => self.take_whole(frame, out),
            Piece::Start { tag, bytes } => self.take_start(tag, bytes, out),
            Piece::More { bytes, last } => {
                if self.from_client == Some(Course::Forward) {
                    out.to_server.extend_from_slice(&bytes);
                }
                if last {
                    self.from_client = None;
                }
                Ok(Step::Done)
            }
        }
    }

    fn take_whole(&mut self, frame: Frame, out: &mut Out) -> Result<Step, Fault> {
        match frame.tag() {
            b'X' => return Ok(Step::Terminate),
            tag if self.may_fall_back_to_text() || self.waits_for_unit(tag) => {
                return Ok(self.wait(Piece::Whole(frame), out));
            }
            b'S' => {
                reader::nothing(frame.body(), "Sync message")?;
                if self.queue.len() >= ENTRIES_MAX {
                    return Ok(self.wait(Piece::Whole(frame), out));
                }
                self.skipping = false;
                self.unit_open = false;
                self.push(Reply::Sync, Fate::Forward);
                return Ok(send(frame, out));
            }
            // No COPY takes it; PostgreSQL ignores what comes late, and so do we.
            b'd' | b'c' | b'f' => return Ok(Step::Done),
            _ if self.skipping => return Ok(Step::Done),
            b'H' => {
                reader::nothing(frame.body(), "Flush message")?;
                // Without a server connection there is nothing that it could bring.
                return if self.is_attached() { Ok(send(frame, out)) } else { Ok(Step::Done) };
            }
            _ => {}
        }
        if self.queue.len() >= ENTRIES_MAX {
            return Ok(self.wait(Piece::Whole(frame), out));
        }
        match frame.tag() {
            b'Q' => {
                let text = reader::Query::read(frame.body())?.text.into();
                self.ask(Piece::Whole(frame), text, Origin::Query, out)
            }
            b'P' => {
                let parse = reader::Parse::read(frame.body())?;
                let name = parse.name.to_owned();
                let types =
                    if parse.types.is_empty() { Arc::default() } else { parse.types.into() };
                let origin = Origin::Parse { name, types };
                let text = parse.text.into();
                if self.is_shared && matches!(self.statement(parse.name), Known::Uncertain) {
                    return Ok(self.wait(Piece::Whole(frame), out));
                }
                self.ask(Piece::Whole(frame), text, origin, out)
            }
            b'B' => {
                let head = BindHead::of_whole(frame.body())?;
                if self.names_older(head.statement) {
                    let name = head.statement.to_owned();
                    return Ok(self.renew_first(Piece::Whole(frame), name, out));
                }
                let (portal, statement) = (head.portal.to_owned(), head.statement.to_owned());
                self.bind(Piece::Whole(frame), portal, statement, out)
            }
            b'D' => self.describe(frame, out),
            b'E' => self.look_up_execution(frame, out),
            b'C' => self.close(frame, out),
            b'F' => Ok(Step::FunctionCall),
            other => {
                Err(Fault::client(format!("invalid frontend message type {}", i32::from(other))))
            }
        }
    }

    /// The start of a long message: a Bind streams through; a text over the limit, and a function call, go nowhere.
    fn take_start(&mut self, tag: u8, bytes: Bytes, out: &mut Out) -> Result<Step, Fault> {
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        if self.may_fall_back_to_text() || self.waits_for_unit(tag) {
            return Ok(self.wait(Piece::Start { tag, bytes }, out));
        }
        if self.skipping || tag == b'd' {
            self.from_client = Some(Course::Drop);
            return Ok(Step::Done);
        }
        if self.queue.len() >= ENTRIES_MAX {
            return Ok(self.wait(Piece::Start { tag, bytes }, out));
        }
        match tag {
            b'B' => {
                let head = BindHead::read(body)?;
                if self.names_older(head.statement) {
                    let name = head.statement.to_owned();
                    return Ok(self.renew_first(Piece::Start { tag, bytes }, name, out));
                }
                let (portal, statement) = (head.portal.to_owned(), head.statement.to_owned());
                self.bind(Piece::Start { tag, bytes }, portal, statement, out)
            }
            b'Q' => {
                self.from_client = Some(Course::Drop);
                Ok(Step::Plan(Ask { text: None, origin: Origin::Query }))
            }
            b'P' => {
                self.from_client = Some(Course::Drop);
                // Whether the unnamed statement dies with it is all that the name is needed for.
                let unnamed = body.first() == Some(&0);
                let name = if unnamed { String::new() } else { POISON_NAME.to_owned() };
                let origin = Origin::Parse { name, types: Arc::default() };
                Ok(Step::Plan(Ask { text: None, origin }))
            }
            b'F' => {
                self.from_client = Some(Course::Drop);
                Ok(Step::FunctionCall)
            }
            other => {
                Err(Fault::client(format!("invalid frontend message type {}", i32::from(other))))
            }
        }
    }

    fn ask(
        &mut self,
        piece: Piece,
        text: Arc<str>,
        origin: Origin,
        out: &mut Out,
    ) -> Result<Step, Fault> {
        // What EXECUTE, FETCH or MOVE names in a Query is looked up before it is sent.
        let may_name = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["execute", "fetch", "move"].into_iter().any(|word| text.contains(word))
        };
        // And so is what PREPARE and DEALLOCATE name, which has another name on a shared server connection.
        let has = |word: &[u8]| {
            text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
        };
        let waits = !self.queue.is_empty()
            && ((origin == Origin::Query && may_name(&text))
                || (self.is_shared && (has(b"prepare") || has(b"deallocate"))));
        if waits || self.settings_are_uncertain() {
            return Ok(self.wait(piece, out));
        }
        Ok(Step::Plan(Ask { text: Some(text), origin }))
    }

    /// A Bind, or the start of a long one.
    fn bind(
        &mut self,
        piece: Piece,
        portal: String,
        statement: String,
        out: &mut Out,
    ) -> Result<Step, Fault> {
        let there = match self.provide(&statement, out) {
            Provided::Wait => return Ok(self.wait(piece, out)),
            Provided::Absent => {
                if matches!(piece, Piece::Start { .. }) {
                    self.from_client = Some(Course::Drop);
                }
                self.refuse_parse(POISON_NAME, no_such_statement(&statement), out);
                return Ok(Step::Done);
            }
            Provided::AsIs => None,
            Provided::Under(name) => Some(name),
        };
        // The catalog has changed since the rows were judged: ask and judge again, before any row comes. Only the
        // answer makes it known: a Describe that the server skips has judged nothing.
        if let Known::Yes(prepared) = self.statement(&statement)
            && prepared.is_outdated(self.judge.version())
        {
            let name = there.as_deref().unwrap_or(&statement);
            self.describe_ourselves(name, prepared, &[], out);
        }
        if statement.is_empty() {
            self.binds_unnamed();
        }
        let formats = match &piece {
            Piece::Whole(frame) if self.ceiling.audits_rows => {
                Some(reader::Bind::read(frame.body())?.result_formats.into())
            }
            // Of a long one they have not come yet.
            Piece::Whole(_) | Piece::Start { .. } | Piece::More { .. } => None,
        };
        let bytes = match piece {
            Piece::Whole(frame) => frame.into_bytes(),
            Piece::Start { bytes, .. } => {
                self.from_client = Some(Course::Forward);
                bytes
            }
            Piece::More { bytes, .. } => bytes,
        };
        match there {
            None => out.to_server.extend_from_slice(&bytes),
            Some(there) => rename(&bytes, &portal, &statement, &there, out),
        }
        self.unit_open = true;
        self.push(Reply::Bind { portal, statement, formats }, Fate::Forward);
        Ok(Step::Done)
    }

    fn describe(&mut self, frame: Frame, out: &mut Out) -> Result<Step, Fault> {
        let describe = reader::Describe::read(frame.body())?;
        let name = describe.name.to_owned();
        if describe.kind == Named::Statement && self.names_older(&name) {
            return Ok(self.renew_first(Piece::Whole(frame), name, out));
        }
        if describe.kind == Named::Portal && self.statements.is_older_portal(&name) {
            // Refused as its execution is, unless what is on its way binds another.
            match self.portal(&name) {
                Known::Uncertain => return Ok(self.wait(Piece::Whole(frame), out)),
                Known::Yes(prepared) if self.reads_older(&name, &prepared) => {
                    let prepared = Some(prepared);
                    return Ok(Step::Execute(Execute { portal: name, rows_max: 0, prepared }));
                }
                Known::Yes(_) | Known::No => {}
            }
        }
        let reply = match describe.kind {
            Named::Portal => {
                let judged = self.judges(self.portal(&name));
                Reply::DescribePortal { name, judged }
            }
            Named::Statement => {
                let there = match self.provide(&name, out) {
                    Provided::Wait => return Ok(self.wait(Piece::Whole(frame), out)),
                    Provided::Absent => {
                        self.refuse_parse(POISON_NAME, no_such_statement(&name), out);
                        return Ok(Step::Done);
                    }
                    Provided::AsIs => None,
                    Provided::Under(name) => Some(name),
                };
                let judged = self.judges(self.statement(&name));
                let reply = Reply::DescribeStatement { name, judged, has_parameters: false };
                if let Some(there) = there {
                    self.unit_open = true;
                    if writer::describe(&mut out.to_server, Named::Statement, &there).is_ok() {
                        self.push(reply, Fate::Forward);
                    }
                    return Ok(Step::Done);
                }
                reply
            }
        };
        self.unit_open = true;
        self.push(reply, Fate::Forward);
        Ok(send(frame, out))
    }

    /// The statement of which a Describe of the client tells for the first time.
    fn judges(&self, known: Known) -> Judged {
        match known {
            Known::Yes(prepared) if prepared.awaits_description() => {
                Some((prepared, self.judge.version()))
            }
            Known::Yes(_) | Known::No | Known::Uncertain => None,
        }
    }

    fn close(&mut self, frame: Frame, out: &mut Out) -> Result<Step, Fault> {
        let close = reader::Close::read(frame.body())?;
        let (kind, name) = (close.kind, close.name.to_owned());
        self.unit_open = true;
        if self.is_shared && kind == Named::Statement {
            match self.statement(&name) {
                Known::Uncertain => return Ok(self.wait(Piece::Whole(frame), out)),
                // Another session's, which is not there for this one.
                Known::No if name.starts_with(SHARED_NAME) => {
                    let mut said = BytesMut::new();
                    writer::close_complete(&mut said);
                    let name = POISON_NAME.to_owned();
                    self.push(Reply::Close { kind, name }, Fate::Synthesise(said.freeze()));
                    self.say_what_is_due(out);
                    return Ok(Step::Done);
                }
                // It stays on the server connection, for whoever needs it next.
                Known::Yes(prepared) if prepared.source.is_some() => {
                    let mut said = BytesMut::new();
                    writer::close_complete(&mut said);
                    self.push(Reply::Close { kind, name }, Fate::Synthesise(said.freeze()));
                    self.say_what_is_due(out);
                    return Ok(Step::Done);
                }
                Known::Yes(_) | Known::No => {}
            }
        }
        self.push(Reply::Close { kind, name }, Fate::Forward);
        Ok(send(frame, out))
    }

    /// One Describe that the client did not send; its answer is judged and swallowed.
    ///
    /// A COPY is not described by the server; a query of ours is in its place, prepared and closed again.
    pub(super) fn describe_ourselves(
        &mut self,
        name: &str,
        prepared: Arc<Prepared>,
        types: &[u32],
        out: &mut Out,
    ) {
        let probe = prepared.probe.clone();
        let name = if probe.is_some() { PROBE_NAME } else { name };
        if let Some(probe) = &probe
            && writer::parse(&mut out.to_server, name, probe, types).is_ok()
        {
            let reply = Reply::Parse { name: name.to_owned(), prepared: None, shared: None };
            self.push(reply, Fate::Swallow);
        }
        if writer::describe(&mut out.to_server, Named::Statement, name).is_ok() {
            let reply = Reply::DescribeStatement {
                name: name.to_owned(),
                judged: Some((prepared, self.judge.version())),
                has_parameters: false,
            };
            self.push(reply, Fate::Swallow);
        }
        if probe.is_some() && writer::close(&mut out.to_server, Named::Statement, name).is_ok() {
            let reply = Reply::Close { kind: Named::Statement, name: name.to_owned() };
            self.push(reply, Fate::Swallow);
        }
    }

    /// One Describe of a portal, where no row of its statement has been judged, nor will be before the server comes to an
    /// Execute. What another unit asks for may be skipped.
    fn describe_late(&mut self, portal: &str, prepared: &Arc<Prepared>, out: &mut Out) {
        if !prepared.awaits_description() {
            return;
        }
        for expected in self.queue.iter().rev() {
            match &expected.reply {
                Reply::DescribeStatement { judged: Some((asked, _)), .. }
                | Reply::DescribePortal { judged: Some((asked, _)), .. }
                    if Arc::ptr_eq(asked, prepared) =>
                {
                    return;
                }
                reply if reply.ends_ready() => break,
                _ => {}
            }
        }
        if writer::describe(&mut out.to_server, Named::Portal, portal).is_ok() {
            let judged = Some((Arc::clone(prepared), self.judge.version()));
            let reply = Reply::DescribePortal { name: portal.to_owned(), judged };
            self.push(reply, Fate::Swallow);
        }
    }

    fn look_up_execution(&mut self, frame: Frame, out: &mut Out) -> Result<Step, Fault> {
        let execute = reader::Execute::read(frame.body())?;
        let (portal, rows_max) = (execute.portal.to_owned(), execute.rows_max);
        match self.portal(&portal) {
            Known::Uncertain => Ok(self.wait(Piece::Whole(frame), out)),
            Known::Yes(prepared) if self.may_use(&prepared.effect) == Use::Uncertain => {
                Ok(self.wait(Piece::Whole(frame), out))
            }
            Known::Yes(prepared) => match self.by_name(&prepared) {
                ByName::Uncertain => Ok(self.wait(Piece::Whole(frame), out)),
                ByName::Absent(name) => {
                    self.refuse_parse(POISON_NAME, no_such_statement(name), out);
                    Ok(Step::Done)
                }
                ByName::Taken(name) => {
                    self.refuse_parse(POISON_NAME, statement_exists(name), out);
                    Ok(Step::Done)
                }
                ByName::AsItMust => {
                    Ok(Step::Execute(Execute { portal, rows_max, prepared: Some(prepared) }))
                }
            },
            Known::No => Ok(Step::Execute(Execute { portal, rows_max, prepared: None })),
        }
    }

    /// Sends a planned Query: its verified texts, joined.
    pub fn query(
        &mut self,
        text: &str,
        statements: Vec<SentStatement>,
        out: &mut Out,
    ) -> Result<(), Unwritable> {
        writer::query(&mut out.to_server, text)?;
        self.note_kinds(statements.iter().map(|statement| (statement.kind, statement.runs_code)));
        self.push_query(statements, None, Fate::Forward);
        Ok(())
    }

    /// Refuses a Query or a FunctionCall: by ourselves when the server is idle, else by a poisoned text.
    pub fn refuse_query(&mut self, error: Bytes, out: &mut Out) {
        // PostgreSQL drops the unnamed statement before it reads a text: where the server has one, it has to hear of it.
        if self.is_quiet_and_idle() && self.unnamed.is_none() {
            let mut said = BytesMut::from(error.as_ref());
            writer::ready_for_query(&mut said, b'I');
            if self.is_shared {
                // As PostgreSQL does before it reads the text; what is on a server connection is not asked for it.
                self.statements.drop_statement("");
            }
            // Nothing is asked, so nothing is due: said at once.
            self.push_query(Vec::new(), None, Fate::Synthesise(said.freeze()));
            self.say_what_is_due(out);
        } else if writer::query(&mut out.to_server, POISON).is_ok() {
            self.push_query(Vec::new(), None, Fate::Replace(error));
        }
    }

    /// Sends a planned Parse, and asks for its rows if it gives any.
    pub fn parse(
        &mut self,
        name: &str,
        text: &str,
        types: &[u32],
        prepared: Arc<Prepared>,
        out: &mut Out,
    ) -> Result<(), Unwritable> {
        self.unit_open = true;
        if name.is_empty() {
            self.ends_unit();
        }
        let shared = self.shared_name(name, &prepared);
        let is_there = shared.as_deref().is_some_and(|shared| self.is_there(shared));
        let there = shared.as_deref().unwrap_or(name).to_owned();
        let prepares = |shared| Reply::Parse {
            name: name.to_owned(),
            prepared: Some(Arc::clone(&prepared)),
            shared,
        };
        // A failed transaction takes no Parse; that is for the server to say, and so it is while one may fail.
        let may_fail = self.txn == Txn::Failed
            || self
                .queue
                .iter()
                .any(|before| matches!(before.reply, Reply::Sync | Reply::Query(_)));
        if let Some(shared) = shared.as_ref().filter(|_| name.is_empty() && is_there && !may_fail) {
            self.begins_unit(Arc::clone(&prepared), Arc::clone(shared), true);
            self.statements.parsed(name, Arc::clone(&prepared));
        } else if is_there && !may_fail {
            let mut said = BytesMut::new();
            writer::parse_complete(&mut said);
            self.push(prepares(None), Fate::Synthesise(said.freeze()));
            self.say_what_is_due(out);
        } else {
            if let Some(shared) = &shared {
                self.make_way(shared, out);
            }
            writer::parse(&mut out.to_server, &there, text, types)?;
            if let Some(shared) = shared.as_ref().filter(|_| name.is_empty()) {
                self.begins_unit(Arc::clone(&prepared), Arc::clone(shared), false);
            }
            self.push(prepares(shared), Fate::Forward);
        }
        if prepared.is_described() && !prepared.is_described_late() {
            self.describe_ourselves(&there, prepared, types, out);
        }
        Ok(())
    }

    /// Refuses a Parse by a poisoned one.
    pub fn refuse_parse(&mut self, name: &str, error: Bytes, out: &mut Out) {
        if writer::parse(&mut out.to_server, name, POISON, &[]).is_ok() {
            self.unit_open = true;
            let reply = Reply::Parse { name: name.to_owned(), prepared: None, shared: None };
            self.push(reply, Fate::Replace(error));
        }
    }

    /// Sends an Execute that the audit has accepted.
    pub fn execute(
        &mut self,
        execute: Execute,
        number: Option<u64>,
        about: Option<&Arc<StatementFacts>>,
        out: &mut Out,
    ) -> Result<(), Unwritable> {
        let before = out.to_server.len();
        if let Some(prepared) = &execute.prepared {
            self.describe_late(&execute.portal, prepared, out);
        }
        writer::execute(&mut out.to_server, &execute.portal, execute.rows_max)?;
        self.unit_open = true;
        let runs = |prepared: &Arc<Prepared>| Some((prepared.kind?, prepared.runs_code));
        self.note_kinds(execute.prepared.iter().filter_map(runs));
        let (portal, prepared) = (execute.portal, execute.prepared);
        let (progress, about) = (Progress::default(), about.and_then(|about| self.about(about)));
        let reply = Reply::Execute(Execution { number, portal, prepared, about, progress });
        self.push(reply, Fate::Forward);
        self.hold_sent(None, before, out);
        Ok(())
    }

    /// Refuses an Execute: a poisoned Parse fails in its place.
    pub fn refuse_execute(&mut self, error: Bytes, out: &mut Out) {
        self.refuse_parse(POISON_NAME, error, out);
    }

    pub(super) fn push_query(
        &mut self,
        statements: Vec<SentStatement>,
        binding: Option<Box<Binding>>,
        fate: Fate,
    ) {
        self.unit_open = false;
        let judge = Arc::clone(&self.judge);
        let run = QueryRun {
            statements,
            judge,
            ended: 0,
            was_empty: false,
            failed: false,
            probed: Probed::Nothing,
            progress: Progress::default(),
            binding,
        };
        self.push(Reply::Query(run), fate);
    }

    /// As [`Pipeline::is_idle`], while the message at hand may still be coming in.
    fn is_quiet_and_idle(&self) -> bool {
        self.queue.is_empty() && self.txn == Txn::Idle && !self.unit_open && !self.skipping
    }

    /// Says made-up replies whose turn has come.
    pub(super) fn say_what_is_due(&mut self, out: &mut Out) {
        while let Some(front) = self.queue.front() {
            let Fate::Synthesise(said) = &front.fate else { return };
            if self.mute.is_none() {
                out.to_client.extend_from_slice(said);
            }
            match self.queue.pop_front().map(|front| front.reply) {
                Some(Reply::Parse { name, prepared: Some(prepared), .. }) => {
                    self.statements.parsed(&name, prepared);
                }
                Some(Reply::Close { kind, name }) => self.closed(kind, &name),
                _ => {}
            }
        }
    }

    pub(super) fn closed(&mut self, kind: Named, name: &str) {
        match kind {
            Named::Statement => {
                self.statements.drop_statement(name);
                if let Some(footprint) = &mut self.footprint {
                    footprint.dropped(name);
                }
            }
            Named::Portal => self.statements.drop_portal(name),
        }
    }
}

/// A Bind, or the start of one, with the statement under another name.
fn rename(bytes: &Bytes, portal: &str, statement: &str, there: &str, out: &mut Out) {
    let announced = bytes.get(1..HEADER_BYTES).and_then(|length| length.try_into().ok());
    let length = announced.map_or(0, u32::from_be_bytes);
    // Names are shorter than a message may be, and both lengths fit by far.
    let shrunk = length.wrapping_sub(u32::try_from(statement.len()).unwrap_or_default());
    let length = shrunk.wrapping_add(u32::try_from(there.len()).unwrap_or_default());
    let names = portal.len().saturating_add(statement.len()).saturating_add(2);
    let rest = bytes.get(HEADER_BYTES.saturating_add(names)..).unwrap_or_default();
    out.to_server.put_u8(b'B');
    out.to_server.put_u32(length);
    for name in [portal, there] {
        out.to_server.extend_from_slice(name.as_bytes());
        out.to_server.put_u8(0);
    }
    out.to_server.extend_from_slice(rest);
}

/// In PostgreSQL's own words.
fn statement_exists(name: &str) -> Bytes {
    let mut said = BytesMut::new();
    let message = format!("prepared statement \"{name}\" already exists");
    writer::error_response(&mut said, &ErrorMessage::new("ERROR", "42P05", &message));
    said.freeze()
}

fn no_such_statement(name: &str) -> Bytes {
    let mut said = BytesMut::new();
    let message = match name {
        "" => "unnamed prepared statement does not exist".to_owned(),
        name => format!("prepared statement \"{name}\" does not exist"),
    };
    writer::error_response(&mut said, &ErrorMessage::new("ERROR", "26000", &message));
    said.freeze()
}

fn send(frame: Frame, out: &mut Out) -> Step {
    out.to_server.extend_from_slice(&frame.into_bytes());
    Step::Done
}
