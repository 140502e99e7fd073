//! A small model of PostgreSQL, as far as the order of replies goes. [`super::bench`] drives a pipeline against it.
//!
//! Texts: `ok N` gives N rows, `raw N` too but from a column that must not flow, `late N` gives N rows and fails,
//! `bad` fails when it is parsed, `set P`, `begin`, `commit`, `rollback`. `refuse` is refused by the shell.
//! `stale N` is `ok N` of a table that changes after each unit: what was prepared in an earlier one is not bound.
//! `listen C` and its like are in [`super::channels`].
//! What the shell has planned carries the search_path it was planned under: `v@P ok 3`.

use std::collections::{HashMap, HashSet};

use bytes::{BufMut, Bytes, BytesMut};

use super::super::POISON;
use super::channels::Channels;
use crate::wire::Frame;
use crate::wire::reader::{self, Named};
use crate::wire::writer::{self, ErrorMessage};

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
    /// Names of those that were prepared in the unit under way.
    fresh: HashSet<String>,
    /// Text and rows left.
    portals: HashMap<String, (String, usize)>,
    txn: u8,
    skipping: bool,
    path: String,
    path_before: String,
    pub said: BytesMut,
    pub executed: Vec<String>,
    /// How often what is kept for everybody was not bound since its table had changed.
    pub refused_binds: usize,
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
            fresh: HashSet::new(),
            portals: HashMap::new(),
            txn: b'I',
            skipping: false,
            path: "start".into(),
            path_before: "start".into(),
            said: BytesMut::new(),
            executed: Vec::new(),
            refused_binds: 0,
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
        if matches!(tag, b'S' | b'Q') {
            self.fresh.clear();
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
        self.fresh.insert(parse.name.to_owned());
        writer::parse_complete(&mut self.said);
        Ok(())
    }

    fn bind(&mut self, frame: &Frame) -> Result<(), Bytes> {
        let head = reader::Bind::read(frame.body()).unwrap().head;
        let text = self.prepared.get(head.statement).cloned();
        let text = text.ok_or_else(|| error("26000", "no such statement"))?;
        let text = self.allowed(&text)?;
        // Its table has been changed since it was prepared.
        let is_stale = text.starts_with("stale") && !self.fresh.contains(head.statement);
        if text.starts_with("moved") || is_stale {
            self.refused_binds += usize::from(is_stale && head.statement.starts_with("scrim$"));
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

/// How many, and of which table; `None`: the text gives none.
pub fn rows_of(text: &str) -> Option<(usize, i32)> {
    let (kind, rows) = text.split_once(' ')?;
    match kind {
        "ok" | "late" | "typed" | "moved" | "stale" => Some((rows.parse().unwrap(), 0)),
        "raw" => Some((rows.parse().unwrap(), RAW_TABLE)),
        _ => None,
    }
}
