//! A small model of PostgreSQL, as far as the order of replies goes, and a shell that drives a pipeline against it.
//!
//! Texts: `ok N` gives N rows, `raw N` too but from a column that must not flow, `late N` gives N rows and fails,
//! `bad` fails when it is parsed, `set P`, `begin`, `commit`, `rollback`. `refuse` is refused by the shell.
//! `listen C` and its like are in [`super::channels`].
//! What the shell has planned carries the search_path it was planned under: `v@P ok 3`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{BufMut, Bytes, BytesMut};

use super::super::super::footprint::Footprint;
use super::super::super::plans::{Again, Recurring};
use super::super::super::settings::{Settings, Values};
use super::super::super::source::Source;
use super::super::super::statements::Prepared;
use super::super::{
    Ceiling, Event, Fault, Judge, Origin, Out, POISON, Pipeline, SentStatement, Step,
};
use super::channels::{CLIENT, Channels, FORBIDDEN};
use crate::audit::StatementFacts;
use crate::catalog::SearchPath;
use crate::guard::Breach;
use crate::policy::WireMasks;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader::{self, Named};
use crate::wire::writer::{self, ErrorMessage};
use crate::wire::{Frame, Limits, Piece, Pieces};

pub const RAW_TABLE: i32 = 666;
/// Stands in every row of `raw`, and in the server's own words for a poisoned text.
pub const CANARY: &str = "qzx";

pub fn error(code: &str, message: &str) -> Bytes {
    let mut said = BytesMut::new();
    writer::error_response(&mut said, &ErrorMessage::new("ERROR", code, message));
    said.freeze()
}

pub struct Model {
    pub prepared: HashMap<String, String>,
    /// Text and rows left.
    portals: HashMap<String, (String, usize)>,
    txn: u8,
    skipping: bool,
    path: String,
    path_before: String,
    pub said: BytesMut,
    pub executed: Vec<String>,
    /// Takes texts as the client wrote them, and refuses by itself: what a client should see.
    is_reference: bool,
    /// Sessions come and go, and set what they need; statements come with them.
    is_shared: bool,
    pub channels: Channels,
    /// Extended messages have come since the last Sync or Query.
    in_unit: bool,
}

impl Model {
    pub fn shared(process_id: i32) -> Model {
        let channels = Channels::new(Some(process_id));
        Model { is_shared: true, channels, ..Model::new(false) }
    }

    pub fn new(is_reference: bool) -> Model {
        Model {
            prepared: HashMap::new(),
            portals: HashMap::new(),
            txn: b'I',
            skipping: false,
            path: "start".into(),
            path_before: "start".into(),
            said: BytesMut::new(),
            executed: Vec::new(),
            is_reference,
            is_shared: false,
            channels: Channels::new((!is_reference).then_some(1)),
            in_unit: false,
        }
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// Handles a message; true when what it has said goes out now.
    pub fn handle(&mut self, frame: &Frame) -> bool {
        let tag = frame.tag();
        if self.skipping && tag != b'S' {
            return false;
        }
        self.in_unit = !matches!(tag, b'S' | b'Q' | b'H') || (tag == b'H' && self.in_unit);
        let done = match tag {
            b'S' => {
                self.skipping = false;
                self.end_implicit(true);
                self.ready();
                return true;
            }
            b'H' => return true,
            b'Q' => {
                let text = reader::Query::read(frame.body()).unwrap().text.to_owned();
                self.prepared.remove("");
                if !text.is_empty() {
                    self.portals.remove("");
                }
                let done = self.query(&text);
                let is_good = done.is_ok();
                if let Err(said) = done {
                    self.fail(said);
                }
                self.end_implicit(is_good);
                self.ready();
                return true;
            }
            b'P' => self.parse(frame),
            b'B' => self.bind(frame),
            b'D' => self.describe(frame),
            b'E' => {
                let execute = reader::Execute::read(frame.body()).unwrap();
                self.execute(execute.portal, usize::try_from(execute.rows_max).unwrap())
            }
            b'C' => {
                let close = reader::Close::read(frame.body()).unwrap();
                match close.kind {
                    Named::Statement => drop(self.prepared.remove(close.name)),
                    Named::Portal => drop(self.portals.remove(close.name)),
                }
                writer::close_complete(&mut self.said);
                Ok(())
            }
            other => panic!("{}", char::from(other)),
        };
        if let Err(said) = done {
            self.fail(said);
            self.skipping = true;
            // PostgreSQL flushes an error at once (`send_message_to_frontend`).
            return true;
        }
        false
    }

    fn fail(&mut self, said: Bytes) {
        self.said.extend_from_slice(&said);
        if self.txn == b'T' {
            self.txn = b'E';
        } else if self.txn == b'I' {
            self.path = self.path_before.clone();
            self.channels.end(false);
        }
    }

    /// Another session has sent something to a channel; true when it is said at once.
    pub fn somebody_notifies(&mut self, channel: &str) -> bool {
        self.channels.comes(channel);
        let is_idle = self.txn == b'I' && !self.in_unit && !self.skipping;
        if is_idle {
            self.channels.say(&mut self.said);
        }
        is_idle
    }

    fn ready(&mut self) {
        if self.txn == b'I' {
            self.channels.say(&mut self.said);
        }
        writer::ready_for_query(&mut self.said, self.txn);
    }

    fn end_implicit(&mut self, is_good: bool) {
        if self.txn == b'I' {
            if is_good {
                self.path_before = self.path.clone();
            }
            self.channels.end(is_good);
            self.portals.clear();
        }
    }

    /// PostgreSQL's parser: the text without what the shell adds, or an error.
    fn read(&self, text: &str) -> Result<String, Bytes> {
        if text == POISON {
            return Err(error("42601", CANARY));
        }
        if self.is_reference {
            if text == "refuse" {
                return Err(error("42501", "scrim: no"));
            }
        } else if self.is_shared && text.starts_with("SET ") {
            return self.allowed(text);
        } else if !text.is_empty() {
            let (path, rest) = text.strip_prefix("v@").unwrap().split_once(' ').unwrap();
            // A statement that was planned long ago may come to another server connection.
            if !self.is_shared {
                assert_eq!(path, self.path, "planned under another search_path: {text}");
            }
            return self.allowed(rest);
        }
        self.allowed(text)
    }

    fn allowed(&self, text: &str) -> Result<String, Bytes> {
        let is_end = matches!(text, "commit" | "rollback");
        if self.txn == b'E' && !is_end && !text.is_empty() {
            return Err(error("25P02", "aborted"));
        }
        if text == "bad" {
            return Err(error("42P01", "bad"));
        }
        Ok(text.to_owned())
    }

    fn query(&mut self, text: &str) -> Result<(), Bytes> {
        if text.is_empty() {
            writer::empty_query(&mut self.said);
            return Ok(());
        }
        // The parser sees all of the text first.
        if text == POISON || (self.is_reference && text.contains("refuse")) {
            return Err(self.read(if text == POISON { text } else { "refuse" }).unwrap_err());
        }
        for part in text.split("; ") {
            let part = self.read(part)?;
            if let Some((_, table)) = rows_of(&part) {
                self.row_description(table);
            }
            let rows = rows_of(&part).map_or(0, |(rows, _)| rows);
            self.run(&part, rows)?;
        }
        Ok(())
    }

    /// Runs a text to its end: rows, then completion.
    fn run(&mut self, text: &str, rows: usize) -> Result<(), Bytes> {
        self.rows(text, rows);
        if text.starts_with("late") {
            return Err(error("22012", "late"));
        }
        if !text.starts_with("SET ") {
            self.executed.push(text.to_owned());
        }
        let tag = match text.split_once(' ').unwrap_or((text, "")) {
            ("SET", setting) => {
                let path = setting.strip_prefix("search_path TO \"").unwrap();
                self.path = path.trim_end_matches('"').to_owned();
                "SET".to_owned()
            }
            ("set", path) => {
                self.path = path.to_owned();
                "SET".to_owned()
            }
            ("begin", _) => {
                self.txn = b'T';
                "BEGIN".to_owned()
            }
            ("commit", _) if self.txn == b'E' => self.end("ROLLBACK", false),
            ("commit", _) => self.end("COMMIT", true),
            ("rollback", _) => self.end("ROLLBACK", false),
            _ => match self.channels.run(text) {
                Some(tag) => tag.to_owned(),
                None => format!("SELECT {rows}"),
            },
        };
        writer::command_complete(&mut self.said, &tag);
        Ok(())
    }

    fn end(&mut self, tag: &str, is_good: bool) -> String {
        if is_good {
            self.path_before = self.path.clone();
        } else {
            self.path = self.path_before.clone();
        }
        self.channels.end(is_good);
        self.txn = b'I';
        tag.to_owned()
    }

    fn rows(&mut self, text: &str, rows: usize) {
        let value = if text.starts_with("raw") { CANARY } else { "value" };
        for _ in 0..rows {
            data_row(&mut self.said, value);
        }
    }

    fn row_description(&mut self, table: i32) {
        row_description(&mut self.said, table);
    }

    fn parse(&mut self, frame: &Frame) -> Result<(), Bytes> {
        let parse = reader::Parse::read(frame.body()).unwrap();
        if parse.name.is_empty() {
            self.prepared.remove("");
        }
        let text = self.read(parse.text)?;
        // Of another type as a parameter than as a literal.
        if text.starts_with("typed") {
            return Err(error("42883", "typed"));
        }
        if self.prepared.contains_key(parse.name) {
            return Err(error("42P05", "exists"));
        }
        self.prepared.insert(parse.name.to_owned(), text);
        writer::parse_complete(&mut self.said);
        Ok(())
    }

    fn bind(&mut self, frame: &Frame) -> Result<(), Bytes> {
        let head = reader::Bind::read(frame.body()).unwrap().head;
        let text = self.prepared.get(head.statement).cloned();
        let text = text.ok_or_else(|| error("26000", "no such statement"))?;
        let text = self.allowed(&text)?;
        // Its table has been changed since it was prepared.
        if text.starts_with("moved") {
            return Err(error("0A000", "moved"));
        }
        if !head.portal.is_empty() && self.portals.contains_key(head.portal) {
            return Err(error("42P03", "exists"));
        }
        let rows = rows_of(&text).map_or(0, |(rows, _)| rows);
        self.portals.insert(head.portal.to_owned(), (text, rows));
        writer::bind_complete(&mut self.said);
        Ok(())
    }

    fn describe(&mut self, frame: &Frame) -> Result<(), Bytes> {
        let describe = reader::Describe::read(frame.body()).unwrap();
        let text = match describe.kind {
            Named::Statement => self.prepared.get(describe.name).cloned(),
            Named::Portal => self.portals.get(describe.name).map(|(text, _)| text.clone()),
        };
        let text = text.ok_or_else(|| error("26000", "no such name"))?;
        // PostgreSQL still describes what has no rows; a connection that has yet to prepare it cannot.
        if self.txn == b'E' {
            return Err(error("25P02", "aborted"));
        }
        if describe.kind == Named::Statement {
            self.said.extend_from_slice(b"t\0\0\0\x06\0\0");
        }
        match rows_of(&text) {
            Some((_, table)) => self.row_description(table),
            None => writer::no_data(&mut self.said),
        }
        Ok(())
    }

    fn execute(&mut self, name: &str, most: usize) -> Result<(), Bytes> {
        let portal = self.portals.get(name).cloned();
        let (text, left) = portal.ok_or_else(|| error("34000", "no such portal"))?;
        let text = self.allowed(&text)?;
        if text.is_empty() {
            writer::empty_query(&mut self.said);
            return Ok(());
        }
        if most > 0 && left >= most {
            self.rows(&text, most);
            self.portals.insert(name.to_owned(), (text, left - most));
            self.said.extend_from_slice(b"s\0\0\0\x04");
            return Ok(());
        }
        self.portals.insert(name.to_owned(), (text.clone(), 0));
        self.run(&text, left)
    }
}

pub fn data_row(out: &mut BytesMut, value: &str) {
    out.put_u8(b'D');
    out.put_i32(4 + 2 + 4 + value.len() as i32);
    out.put_i16(1);
    out.put_i32(value.len() as i32);
    out.extend_from_slice(value.as_bytes());
}

pub fn row_description(out: &mut BytesMut, table: i32) {
    out.put_u8(b'T');
    out.put_i32(4 + 2 + 2 + 18);
    out.put_i16(1);
    out.extend_from_slice(b"c\0");
    out.put_i32(table);
    out.put_i16(1);
    out.put_i32(25);
    out.put_i16(-1);
    out.put_i32(-1);
    out.put_i16(0);
}

fn rows_of(text: &str) -> Option<(usize, i32)> {
    let (kind, rows) = text.split_once(' ')?;
    match kind {
        "ok" | "late" | "typed" | "moved" => Some((rows.parse().unwrap(), 0)),
        "raw" => Some((rows.parse().unwrap(), RAW_TABLE)),
        _ => None,
    }
}

/// Judges by the table; from the second version of the catalog on, no rows may go at all.
pub struct NoRaw(pub AtomicU64);

impl Judge for NoRaw {
    fn rows(&self, description: &[u8], _: Option<&WireMasks>) -> Result<(), Breach> {
        let is_raw = reader::row_description(description).unwrap().iter().any(|c| c.table != 0);
        match is_raw || self.version() > 1 {
            true => Err(Breach { position: 1, table: 666, column: 1 }),
            false => Ok(()),
        }
    }

    fn are_current(&self, _: &WireMasks) -> bool {
        true
    }

    fn clean(&self, fields: &[u8]) -> Option<Vec<u8>> {
        Some(fields.to_vec())
    }

    fn may_hear(&self, channel: &str) -> bool {
        channel != FORBIDDEN
    }

    fn version(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A pipeline between a client and a model.
pub struct Bench {
    pub pipeline: Pipeline,
    pub judge: Arc<NoRaw>,
    pub server: Model,
    /// Others, with what is known of them; none where the session keeps its own.
    pub at_rest: std::collections::VecDeque<(Model, Box<Footprint>)>,
    /// Of all servers, in order.
    pub executed: Vec<String>,
    pub out: Out,
    pub to_client: BytesMut,
    pub events: Vec<Event>,
    /// Shape of each statement whose record was taken.
    pub accepted: HashMap<u64, String>,
    /// Texts that have been met.
    met: HashMap<String, Arc<Recurring>>,
    /// Of the server, on the wire.
    wire: BytesMut,
    from_client: Pieces,
    to_server: Pieces,
    from_server: Pieces,
}

impl Bench {
    pub fn new(rows_max: Option<u64>) -> Bench {
        let path = SearchPath(vec!["start".into()]);
        let start = Values { search_path: path, ..Values::default() };
        let rows = rows_max.map(|rows| (rows, error("54000", "scrim: too many rows")));
        let ceiling = Ceiling { rows, ..Ceiling::default() };
        let judge = Arc::new(NoRaw(AtomicU64::new(1)));
        let settings = Settings::new(start.clone());
        let mut pipeline = Pipeline::new(settings, Arc::clone(&judge) as _, ceiling);
        pipeline.set_process_id(CLIENT);
        pipeline.attach(
            Box::new(Footprint::new(start, Arc::default(), 1)),
            true,
            &mut Out::default(),
        );
        Bench {
            pipeline,
            judge,
            at_rest: std::collections::VecDeque::new(),
            executed: Vec::new(),
            server: Model::new(false),
            out: Out::default(),
            to_client: BytesMut::new(),
            events: Vec::new(),
            accepted: HashMap::new(),
            met: HashMap::new(),
            wire: BytesMut::new(),
            from_client: Pieces::new(Limits::frontend()),
            to_server: Pieces::new(Limits::frontend()),
            from_server: Pieces::new(Limits::backend()),
        }
    }

    /// With so many servers, of which the session has one for a transaction.
    pub fn shared(servers: usize) -> Bench {
        let mut bench = Bench::new(None);
        bench.pipeline.share(Arc::default());
        bench.server = Model::shared(1);
        for number in (1..).take(servers).skip(1) {
            let path = SearchPath(vec!["start".into()]);
            let start = Values { search_path: path, ..Values::default() };
            let footprint = Box::new(Footprint::new(start, Arc::default(), number));
            bench.at_rest.push_back((Model::shared(number), footprint));
        }
        bench
    }

    /// The session gives its server back, if it may, and takes another.
    fn change_servers(&mut self) {
        if self.at_rest.is_empty() || !self.wire.is_empty() || !self.out.to_server.is_empty() {
            return;
        }
        let Some(footprint) = self.pipeline.detach() else { return };
        let (server, next) = self.at_rest.pop_front().unwrap();
        let before = std::mem::replace(&mut self.server, server);
        assert!(before.channels.is_deaf(), "a server connection goes back that still listens");
        self.at_rest.push_back((before, footprint));
        self.pipeline.attach(next, false, &mut self.out);
    }

    /// A message of the client; what it waits for is delivered. Panics if it would wait for ever.
    pub fn send(&mut self, bytes: &[u8]) {
        self.change_servers();
        let mut bytes = BytesMut::from(bytes);
        while let Some(mut piece) = self.from_client.next(&mut bytes).unwrap() {
            loop {
                match self.pipeline.take(piece, &mut self.out).unwrap() {
                    Step::Wait(waiting) => {
                        piece = waiting;
                        assert!(self.deliver(usize::MAX) > 0, "a message waits for ever");
                    }
                    step => break self.act(step),
                }
            }
            self.collect();
        }
    }

    fn act(&mut self, step: Step) {
        let path = self.pipeline.settings.current().search_path.0[0].clone();
        let refusal = error("42501", "scrim: no");
        match step {
            Step::Done => {}
            Step::Plan(ask) => match (ask.text, ask.origin) {
                (Some(text), Origin::Query) if !text.contains("refuse") => {
                    let parts: Vec<&str> =
                        text.split("; ").filter(|part| !part.is_empty()).collect();
                    let sent = parts.iter().map(|part| SentStatement {
                        number: self.accept(part),
                        kind: kind(part),
                        effect: effect(part),
                        discretion: None,
                        masks: None,
                        makes: None,
                        about: None,
                        tag: None,
                        runs_code: false,
                        is_probe: false,
                    });
                    let sent = sent.collect();
                    let texts: Vec<String> =
                        parts.iter().map(|part| format!("v@{path} {part}")).collect();
                    let text: Arc<str> = texts.join("; ").into();
                    match self.again(&parts, &texts) {
                        Some(again) => {
                            self.pipeline.query_again(&again, &text, sent, &mut self.out).unwrap();
                        }
                        None => self.pipeline.query(&text, sent, &mut self.out).unwrap(),
                    }
                }
                (_, Origin::Query) => self.pipeline.refuse_query(refusal, &mut self.out),
                (_, Origin::Parse { name, .. }) if self.pipeline.is_taken(&name) => {
                    let taken = error("42P05", "exists");
                    self.pipeline.refuse_parse(&name, taken, &mut self.out);
                }
                (Some(text), Origin::Parse { name, types }) if &*text != "refuse" => {
                    let facts = Arc::new(StatementFacts::of_shape(text.to_string()));
                    let kind = (!text.is_empty()).then(|| match kind(&text) {
                        StatementKind::Select if rows_of(&text).is_none() => {
                            StatementKind::Transaction
                        }
                        kind => kind,
                    });
                    let prepared = Prepared::new(facts, kind, effect(&text), 1);
                    let text = match text.is_empty() {
                        true => text,
                        false => format!("v@{path} {text}").into(),
                    };
                    let values = self.pipeline.settings.current();
                    let source = Source::new(Arc::clone(&text), Arc::clone(&types), values);
                    let prepared = prepared.with_source(source).described_late(name.is_empty());
                    let prepared = Arc::new(prepared);
                    self.pipeline.parse(&name, &text, &types, prepared, &mut self.out).unwrap();
                }
                (_, Origin::Parse { name, .. }) => {
                    self.pipeline.refuse_parse(&name, refusal, &mut self.out);
                }
            },
            Step::Execute(execute) => {
                let shape = execute.prepared.as_ref().map(|known| known.facts.shape.clone());
                let number = shape.map(|shape| self.accept(&shape));
                self.pipeline.execute(execute, number, None, &mut self.out).unwrap();
            }
            Step::FunctionCall => self.pipeline.refuse_query(refusal, &mut self.out),
            Step::Wait(_) | Step::Renew(_) | Step::Terminate => unreachable!(),
        }
    }

    /// A text that gives rows is met again from the second time on.
    fn again(&mut self, parts: &[&str], texts: &[String]) -> Option<Again> {
        let ([part], [text]) = (parts, texts) else { return None };
        rows_of(part)?;
        let values = self.pipeline.settings.current();
        let source = Source::new(text.as_str().into(), Arc::default(), values);
        match self.met.get(text) {
            Some(recurring) => Some(Again { recurring: Arc::clone(recurring), values: Vec::new() }),
            None => {
                self.met.insert(text.clone(), Arc::new(Recurring::new(source)));
                None
            }
        }
    }

    fn accept(&mut self, shape: &str) -> u64 {
        let number = self.accepted.len() as u64 + 1;
        self.accepted.insert(number, shape.to_owned());
        number
    }

    fn collect(&mut self) {
        self.to_client.extend_from_slice(&self.out.to_client.split());
        self.events.append(&mut self.out.events);
    }

    /// Lets the server work and delivers up to so many of its messages; gives how many.
    pub fn deliver(&mut self, most: usize) -> usize {
        self.try_deliver(most).unwrap()
    }

    pub fn try_deliver(&mut self, most: usize) -> Result<usize, Fault> {
        while let Some(piece) = self.to_server.next(&mut self.out.to_server).unwrap() {
            let Piece::Whole(frame) = piece else { panic!("a long message") };
            if self.server.handle(&frame) {
                self.wire.extend_from_slice(&self.server.said.split());
            }
            self.executed.append(&mut self.server.executed);
        }
        let mut count = 0;
        while count < most
            && let Some(piece) = self.from_server.next(&mut self.wire).unwrap()
        {
            self.pipeline.reply(piece, &mut self.out)?;
            count += 1;
        }
        self.collect();
        Ok(count)
    }

    /// Another session sends something to a channel, once all that is on its way has arrived.
    pub fn somebody_notifies(&mut self, channel: &str) {
        while self.deliver(usize::MAX) > 0 {}
        if self.server.somebody_notifies(channel) {
            self.wire.extend_from_slice(&self.server.said.split());
        }
    }

    /// Bytes that the server says of its own accord.
    pub fn server_says(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.wire.extend_from_slice(bytes);
        self.try_deliver(usize::MAX).map(drop)
    }
}

fn effect(text: &str) -> Effect {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("set", path) => {
            Effect::SearchPath { local: false, path: Some(SearchPath(vec![path.to_owned()])) }
        }
        ("begin", _) => Effect::Begin,
        ("commit", _) => Effect::Commit { chain: false },
        ("rollback", _) => Effect::Rollback { chain: false },
        ("listen", channel) => Effect::Listen(channel.to_owned()),
        ("unlisten", "*") => Effect::Unlisten(None),
        ("unlisten", channel) => Effect::Unlisten(Some(channel.to_owned())),
        _ => Effect::None,
    }
}

fn kind(text: &str) -> StatementKind {
    match text.split_once(' ') {
        Some(("listen", _)) => StatementKind::Listen,
        Some(("notify", _)) => StatementKind::Notify,
        _ => StatementKind::Select,
    }
}

/// Types of the messages in a stream, an error with its SQLSTATE, ReadyForQuery with its status: `1 2 D C ZI`.
pub fn summary(bytes: &[u8]) -> String {
    let mut pieces = Pieces::new(Limits::backend());
    let mut bytes = BytesMut::from(bytes);
    let mut words = Vec::new();
    while let Some(piece) = pieces.next(&mut bytes).unwrap() {
        let Piece::Whole(frame) = piece else { panic!("a long message") };
        let tag = char::from(frame.tag());
        words.push(match tag {
            'E' => {
                let fields = reader::error_fields(frame.body()).unwrap();
                format!("E{}", fields.field(b'C').unwrap())
            }
            'Z' => format!("Z{}", char::from(frame.body()[0])),
            tag => tag.to_string(),
        });
    }
    assert!(bytes.is_empty(), "half a message");
    words.join(" ")
}
