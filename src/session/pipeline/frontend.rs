//! What the client sends.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::super::statements::Prepared;
use super::copy_in::Copied;
use super::expected::{Execution, Fate, Probed, Progress, QueryRun, Reply, SentStatement};
use super::lookup::{Known, Use};
use super::{
    Ask, Course, ENTRIES_MAX, Execute, Fault, Origin, Out, POISON, POISON_NAME, PROBE_NAME,
    Pipeline, Step, Txn,
};
use crate::wire::reader::{self, Bind, BindHead, Named};
use crate::wire::writer::{self, Unwritable};
use crate::wire::{Frame, Piece};

/// Type byte and length, which the first piece of a long message begins with.
const HEADER_BYTES: usize = 5;

impl Pipeline {
    /// Takes a message of the client, or a piece of one.
    pub fn take(&mut self, piece: Piece, out: &mut Out) -> Result<Step, Fault> {
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
                return Ok(send(frame, out));
            }
            _ => {}
        }
        if self.queue.len() >= ENTRIES_MAX {
            return Ok(self.wait(Piece::Whole(frame), out));
        }
        match frame.tag() {
            b'Q' => {
                let text = reader::Query::read(frame.body())?.text.to_owned();
                self.ask(Piece::Whole(frame), text, Origin::Query, out)
            }
            b'P' => {
                let parse = reader::Parse::read(frame.body())?;
                let origin =
                    Origin::Parse { name: parse.name.to_owned(), types: parse.types.clone() };
                let text = parse.text.to_owned();
                self.ask(Piece::Whole(frame), text, origin, out)
            }
            b'B' => {
                let head = Bind::read(frame.body())?.head;
                if self.names_older(head.statement) {
                    let name = head.statement.to_owned();
                    return Ok(self.renew_first(Piece::Whole(frame), name, out));
                }
                self.bind(head, out);
                Ok(send(frame, out))
            }
            b'D' => self.describe(frame, out),
            b'E' => self.look_up_execution(frame, out),
            b'C' => {
                let close = reader::Close::read(frame.body())?;
                let reply = Reply::Close { kind: close.kind, name: close.name.to_owned() };
                self.unit_open = true;
                self.push(reply, Fate::Forward);
                Ok(send(frame, out))
            }
            b'F' => Ok(Step::FunctionCall),
            other => {
                Err(Fault::client(format!("invalid frontend message type {}", i32::from(other))))
            }
        }
    }

    /// The start of a long message: a Bind streams through; a text over the limit, and a function call, go nowhere.
    fn take_start(&mut self, tag: u8, bytes: Bytes, out: &mut Out) -> Result<Step, Fault> {
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
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
                self.bind(head, out);
                out.to_server.extend_from_slice(&bytes);
                self.from_client = Some(Course::Forward);
                Ok(Step::Done)
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
                let origin = Origin::Parse { name, types: Vec::new() };
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
        text: String,
        origin: Origin,
        out: &mut Out,
    ) -> Result<Step, Fault> {
        // What EXECUTE, FETCH or MOVE names in a Query is looked up before it is sent.
        let may_name = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["execute", "fetch", "move"].into_iter().any(|word| text.contains(word))
        };
        let waits = origin == Origin::Query && !self.queue.is_empty() && may_name(&text);
        if waits || self.settings_are_uncertain() {
            return Ok(self.wait(piece, out));
        }
        Ok(Step::Plan(Ask { text: Some(text), origin }))
    }

    fn bind(&mut self, head: BindHead<'_>, out: &mut Out) {
        // The catalog has changed since the rows were judged: ask and judge again, before any row comes. Only the
        // answer makes it known: a Describe that the server skips has judged nothing.
        if let Known::Yes(prepared) = self.statement(head.statement)
            && prepared.is_outdated(self.judge.version())
        {
            self.describe_ourselves(head.statement, prepared, &[], out);
        }
        let (portal, statement) = (head.portal.to_owned(), head.statement.to_owned());
        self.unit_open = true;
        self.push(Reply::Bind { portal, statement }, Fate::Forward);
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
            Named::Statement => {
                Reply::DescribeStatement { name, judged: None, has_parameters: false }
            }
            Named::Portal => Reply::DescribePortal { name },
        };
        self.unit_open = true;
        self.push(reply, Fate::Forward);
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
            self.push(Reply::Parse { name: name.to_owned(), prepared: None }, Fate::Swallow);
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

    fn look_up_execution(&mut self, frame: Frame, out: &mut Out) -> Result<Step, Fault> {
        let execute = reader::Execute::read(frame.body())?;
        let (portal, rows_max) = (execute.portal.to_owned(), execute.rows_max);
        match self.portal(&portal) {
            Known::Uncertain => Ok(self.wait(Piece::Whole(frame), out)),
            Known::Yes(prepared) if self.may_use(&prepared.effect) == Use::Uncertain => {
                Ok(self.wait(Piece::Whole(frame), out))
            }
            Known::Yes(prepared) => {
                Ok(Step::Execute(Execute { portal, rows_max, prepared: Some(prepared) }))
            }
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
        self.push_query(statements, Fate::Forward);
        Ok(())
    }

    /// Refuses a Query or a FunctionCall: by ourselves when the server is idle, else by a poisoned text.
    pub fn refuse_query(&mut self, error: Bytes, out: &mut Out) {
        if self.is_quiet_and_idle() {
            let mut said = BytesMut::from(error.as_ref());
            writer::ready_for_query(&mut said, b'I');
            // Nothing is asked, so nothing is due: said at once.
            self.push_query(Vec::new(), Fate::Synthesise(said.freeze()));
            self.say_what_is_due(out);
        } else if writer::query(&mut out.to_server, POISON).is_ok() {
            self.push_query(Vec::new(), Fate::Replace(error));
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
        writer::parse(&mut out.to_server, name, text, types)?;
        self.unit_open = true;
        let reply = Reply::Parse { name: name.to_owned(), prepared: Some(prepared.clone()) };
        self.push(reply, Fate::Forward);
        if prepared.is_described() {
            self.describe_ourselves(name, prepared, types, out);
        }
        Ok(())
    }

    /// Refuses a Parse by a poisoned one.
    pub fn refuse_parse(&mut self, name: &str, error: Bytes, out: &mut Out) {
        if writer::parse(&mut out.to_server, name, POISON, &[]).is_ok() {
            self.unit_open = true;
            let reply = Reply::Parse { name: name.to_owned(), prepared: None };
            self.push(reply, Fate::Replace(error));
        }
    }

    /// Sends an Execute that the audit has accepted.
    pub fn execute(
        &mut self,
        execute: Execute,
        number: Option<u64>,
        out: &mut Out,
    ) -> Result<(), Unwritable> {
        writer::execute(&mut out.to_server, &execute.portal, execute.rows_max)?;
        self.unit_open = true;
        let (portal, prepared) = (execute.portal, execute.prepared);
        let progress = Progress::default();
        let reply = Reply::Execute(Execution { number, portal, prepared, progress });
        self.push(reply, Fate::Forward);
        Ok(())
    }

    /// Refuses an Execute: a poisoned Parse fails in its place.
    pub fn refuse_execute(&mut self, error: Bytes, out: &mut Out) {
        self.refuse_parse(POISON_NAME, error, out);
    }

    fn push_query(&mut self, statements: Vec<SentStatement>, fate: Fate) {
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
            self.queue.pop_front();
        }
    }
}

fn send(frame: Frame, out: &mut Out) -> Step {
    out.to_server.extend_from_slice(&frame.into_bytes());
    Step::Done
}
