//! A shell that drives a pipeline between a client and [`super::model`]: it plans, accepts and delivers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;

use super::super::super::footprint::Footprint;
use super::super::super::plans::{Again, Recurring};
use super::super::super::settings::{Settings, Values};
use super::super::super::source::Source;
use super::super::super::statements::Prepared;
use super::super::{Ceiling, Event, Fault, Judge, Origin, Out, Pipeline, SentStatement, Step};
use super::channels::{CLIENT, FORBIDDEN};
use super::model::{Model, error, rows_of};
use crate::audit::StatementFacts;
use crate::catalog::SearchPath;
use crate::guard::Breach;
use crate::policy::WireMasks;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader;
use crate::wire::{Limits, Piece, Pieces};

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
    /// What is met again in a Parse without a name is kept.
    pub keeps_unnamed: bool,
    /// How often.
    pub kept: usize,
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
            keeps_unnamed: true,
            kept: 0,
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
                    let shape = Arc::clone(&text);
                    let text = match text.is_empty() {
                        true => text,
                        false => format!("v@{path} {text}").into(),
                    };
                    let values = self.pipeline.settings.current();
                    let source = Source::new(Arc::clone(&text), Arc::clone(&types), values);
                    let is_kept = self.keeps_unnamed
                        && name.is_empty()
                        && self.again(&[&*shape], &[text.to_string()]).is_some()
                        && self.pipeline.may_keep_unnamed();
                    self.kept += usize::from(is_kept);
                    let prepared = prepared.with_source(source).described_late(name.is_empty());
                    let prepared = Arc::new(prepared.kept(is_kept));
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
