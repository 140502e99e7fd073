//! A session of an untouched role: bytes pass both ways as they came.
//!
//! Messages are cut apart only to audit the texts of Query and Parse, to follow ReadyForQuery, to see DDL go by, to
//! know whether its connection may become somebody else's (`moving`), and to keep each side's messages whole. Nothing is
//! planned, judged or rewritten.

mod belongings;
mod moving;
mod outdated;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Proxy;
use super::attached::{Attached, Ending, Remains};
use super::closing::{Farewell, error_frame};
use super::journal::not_accepted;
use super::link::{Moved, WAITING_BYTES_MAX};
use super::pipeline::{Event, Txn};
use super::settings::Values;
use super::showing;
use crate::audit::{SessionFacts, StatementFacts};
use crate::grammar::shape;
use crate::metrics::State;
use crate::wire::{Frame, Limits, Piece, Pieces, reader, writer};
pub use moving::Moving;

/// ReadyForQuery messages that may be due.
const GROUPS_MAX: usize = 1024;
/// Statements that are followed up to one ReadyForQuery.
const GROUP_STATEMENTS_MAX: usize = 1024;

/// An untouched session.
pub struct Untouched {
    proxy: Arc<Proxy>,
    attached: Attached,
    user: String,
    role: String,
    values: Values,
    from_client: Pieces,
    from_server: Pieces,
    /// Statements up to each ReadyForQuery that is due.
    due: VecDeque<Vec<u64>>,
    /// Statements since the last Query, FunctionCall or Sync.
    open: Vec<u64>,
    /// Which ReadyForQuery belongs to which statement can no longer be told (a Query inside an open unit, a Sync
    /// during COPY): outcomes are not recorded any more.
    is_muddled: bool,
    in_unit: bool,
    txn: Txn,
    rows: u64,
    bytes: u64,
    error: Option<String>,
    /// A message of the server is under way to the client.
    is_mid_message: bool,
    /// The server has said goodbye.
    is_told: bool,
    /// DDL has succeeded since the server was last idle.
    has_ddl: bool,
    moving: Moving,
}

impl Untouched {
    /// From the welcome on.
    pub fn new(
        proxy: Arc<Proxy>,
        attached: Attached,
        facts: &SessionFacts,
        purpose: Option<String>,
        end_user: Option<String>,
        moving: Moving,
    ) -> Untouched {
        Untouched {
            proxy,
            attached,
            user: facts.user.clone(),
            role: facts.role.clone(),
            values: Values { purpose, end_user, ..Values::default() },
            from_client: Pieces::new(Limits::frontend()),
            from_server: Pieces::new(Limits::backend()),
            due: VecDeque::new(),
            open: Vec::new(),
            is_muddled: false,
            in_unit: false,
            txn: Txn::Idle,
            rows: 0,
            bytes: 0,
            error: None,
            is_mid_message: false,
            is_told: false,
            has_ddl: false,
            moving,
        }
    }

    /// Serves to the end.
    pub async fn serve(mut self: Box<Self>) {
        let ending = self.run().await;
        let remains = match (self.due.is_empty(), self.in_unit || self.is_muddled) {
            (false, _) => Remains::Busy,
            (true, true) => Remains::OpenUnit,
            (true, false) => Remains::Nothing,
        };
        let left: Vec<u64> = self.due.drain(..).flatten().chain(self.open.drain(..)).collect();
        let error = Some(ending.code().to_owned());
        for statement in left {
            let completed = Event::Completed {
                statement,
                rows: 0,
                bytes: 0,
                error: error.clone(),
                rows_seen: None,
            };
            self.attached.out.events.push(completed);
        }
        Box::pin(self.attached.end(ending, remains, !self.is_mid_message)).await;
    }

    async fn run(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.hear().await {
                return ending;
            }
            let is_idle = self.is_idle() && !self.in_unit;
            if let Some(ending) = self.attached.must_end(is_idle) {
                return ending;
            }
            if let Some(newer) = self.attached.standing.follow() {
                self.attached.journal.follow(&newer.rules.version);
            }
            self.attached.seat.set(match self.txn {
                _ if !self.due.is_empty() || self.in_unit => State::Active,
                Txn::Idle => State::Idle,
                Txn::InBlock | Txn::Failed => State::InTransaction,
            });
            if self.is_to_give()
                && let Err(ending) = Box::pin(self.give_up()).await
            {
                return ending;
            }
            let out = &self.attached.out;
            let client = out.to_server.len() < WAITING_BYTES_MAX && self.due.len() < GROUPS_MAX;
            let server = out.to_client.len() < WAITING_BYTES_MAX;
            let wanted = self.wanted();
            let (moved, is_wanted) = tokio::select! {
                moved = self.attached.exchange(client, server, None) => (moved, false),
                // Looked at above, once all that has come is heard.
                () = wanted => (None, true),
            };
            if is_wanted {
                self.moving.end_turn();
            }
            match moved {
                Some(Moved::Bytes) | None => {}
                Some(Moved::ClientGone) => return Ending::ClientGone,
                Some(Moved::ServerGone) if self.is_told => return Ending::Told,
                Some(Moved::ServerGone) => return Ending::ServerGone,
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.due.is_empty() && self.txn == Txn::Idle
    }

    async fn hear(&mut self) -> Result<(), Ending> {
        while self.attached.out.to_client.len() < WAITING_BYTES_MAX {
            match self.from_server.next(self.attached.link.server_inbox()) {
                Ok(Some(piece)) => self.pass_to_client(piece),
                Ok(None) => break,
                Err(fault) => {
                    tracing::error!(%fault, "the server does not keep to the protocol");
                    let message = "scrim: the database does not keep to the protocol";
                    return Err(Ending::Away(Farewell::new("08P01", message)));
                }
            }
        }
        while self.attached.out.to_server.len() < WAITING_BYTES_MAX && self.due.len() < GROUPS_MAX {
            let next = self.from_client.next(self.attached.link.client_inbox());
            match next.map_err(|fault| Ending::Away(Farewell::from(fault)))? {
                Some(piece) => self.pass_to_server(piece).await?,
                None => break,
            }
        }
        self.attached.tell().await;
        Ok(())
    }

    async fn pass_to_server(&mut self, piece: Piece) -> Result<(), Ending> {
        let bytes = match piece {
            Piece::Whole(frame) => {
                let tag = frame.tag();
                if tag == b'X' {
                    return Err(Box::pin(self.goodbye()).await);
                }
                self.take_server().await?;
                let text = self.text_of(&frame);
                if !self.note(tag, text).await? {
                    return Ok(());
                }
                let instead = self.moving.outdated.instead(&frame);
                instead.or_else(|| self.shown(&frame)).unwrap_or_else(|| frame.into_bytes())
            }
            Piece::Start { tag, bytes } => {
                self.take_server().await?;
                let text = matches!(tag, b'Q' | b'P').then(|| "<too large>".to_owned());
                if text.is_some() {
                    self.moving.bind();
                }
                if !self.note(tag, text).await? {
                    // The rest of it would have nowhere to go.
                    let message = not_accepted(&crate::audit::NotAccepted::Failed).message;
                    return Err(Ending::Away(Farewell::new("53400", message)));
                }
                bytes
            }
            Piece::More { bytes, .. } => bytes,
        };
        self.attached.out.to_server.extend_from_slice(&bytes);
        Ok(())
    }

    /// A Query in the place of one that asks for what PostgreSQL does not know.
    fn shown(&self, frame: &Frame) -> Option<Bytes> {
        if frame.tag() != b'Q' {
            return None;
        }
        let asked = showing::asked(reader::Query::read(frame.body()).ok()?.text)?;
        let told = showing::Told { user: &self.user, role: &self.role };
        let text = showing::answer(asked, &told, || self.proxy.pools.figures());
        let mut query = BytesMut::new();
        writer::query(&mut query, &text).ok()?;
        Some(query.freeze())
    }

    /// The server finishes what it was asked; the client hears it if it still listens.
    async fn goodbye(&mut self) -> Ending {
        let until = tokio::time::Instant::now() + super::attached::GOODBYE_MAX;
        while tokio::time::Instant::now() < until && !self.due.is_empty() {
            match self.attached.exchange(false, true, Some(until)).await {
                Some(Moved::Bytes) => {
                    while let Ok(Some(piece)) =
                        self.from_server.next(self.attached.link.server_inbox())
                    {
                        self.pass_to_client(piece);
                    }
                }
                None if self.attached.must_end(false).is_none() => {}
                Some(Moved::ClientGone | Moved::ServerGone) | None => break,
            }
        }
        Ending::Terminated
    }

    /// Audits a text and keeps the books. False: the text is not to be sent, and the client has been told.
    async fn note(&mut self, tag: u8, text: Option<String>) -> Result<bool, Ending> {
        if let Some(shape) = text {
            let facts = Arc::new(StatementFacts::of_shape(shape));
            match self.attached.journal.accept(&facts, &self.values).await {
                Ok(number) if self.open.len() < GROUP_STATEMENTS_MAX => self.open.push(number),
                Ok(_) => self.is_muddled = true,
                Err(error) => {
                    let refusal = not_accepted(&error);
                    if tag != b'Q' || !self.is_idle() || self.in_unit {
                        return Err(Ending::Away(Farewell::new(refusal.code, refusal.message)));
                    }
                    let out = &mut self.attached.out.to_client;
                    out.extend_from_slice(&error_frame(&refusal));
                    writer::ready_for_query(out, b'I');
                    return Ok(false);
                }
            }
        }
        match tag {
            b'Q' | b'F' => {
                self.is_muddled |= self.in_unit;
                self.end_group();
            }
            b'S' => self.end_group(),
            b'P' | b'B' | b'D' | b'E' | b'C' => self.in_unit = true,
            _ => {}
        }
        Ok(true)
    }

    fn end_group(&mut self) {
        self.in_unit = false;
        let group = std::mem::take(&mut self.open);
        self.due.push_back(group);
    }

    fn pass_to_client(&mut self, piece: Piece) {
        let bytes = match piece {
            Piece::Whole(frame) => {
                match frame.tag() {
                    b'D' | b'd' => self.count(frame.len()),
                    b'E' => match self.moving.outdated.said(&frame) {
                        Some(said) => {
                            self.error = Some(outdated::CODE.to_owned());
                            return self.attached.out.to_client.extend_from_slice(&said);
                        }
                        None => self.note_error(&frame),
                    },
                    b'C' => self.done(&frame),
                    b'S' => self.moving.note_parameter(frame.body()),
                    b'A' => return self.pass_notification(&frame),
                    b'Z' => self.ready(&frame),
                    // Syncs that were sent before it are read as part of the copy and never answered.
                    b'G' => self.is_muddled |= self.due.len() > 1,
                    _ => {}
                }
                frame.into_bytes()
            }
            Piece::Start { bytes, .. } => {
                self.count(bytes.len());
                self.is_mid_message = true;
                bytes
            }
            Piece::More { bytes, last } => {
                self.is_mid_message = !last;
                self.bytes = self.bytes.saturating_add(size(bytes.len()));
                bytes
            }
        };
        self.attached.out.to_client.extend_from_slice(&bytes);
    }

    fn count(&mut self, bytes: usize) {
        self.rows = self.rows.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size(bytes));
    }

    fn note_error(&mut self, frame: &Frame) {
        let Ok(fields) = reader::error_fields(frame.body()) else { return };
        if matches!(fields.field(b'V'), Some("FATAL" | "PANIC")) {
            self.is_told = true;
        }
        self.error = fields.field(b'C').map(str::to_owned);
    }

    /// CommandComplete.
    fn done(&mut self, frame: &Frame) {
        let tag = reader::command_tag(frame.body()).map(|tag| tag.text).unwrap_or_default();
        self.has_ddl |= is_ddl(tag);
        self.moving.note_done(tag);
    }

    /// The shape of a text that is to be audited.
    fn text_of(&mut self, frame: &Frame) -> Option<String> {
        let text = match frame.tag() {
            b'Q' => {
                self.moving.note_query();
                reader::Query::read(frame.body()).ok().map(|query| query.text)
            }
            b'P' => reader::Parse::read(frame.body()).ok().map(|parse| {
                self.moving.note_parse(parse.name, frame.as_bytes());
                parse.text
            }),
            b'F' => {
                self.moving.bind();
                return None;
            }
            _ => return None,
        };
        match text {
            Some(text) => self.moving.note_text(text),
            None => self.moving.bind(),
        }
        Some(text.map_or_else(|| "<unreadable>".to_owned(), shape))
    }

    fn ready(&mut self, frame: &Frame) {
        self.moving.note_ready();
        self.txn = match reader::ready_status(frame.body()) {
            Ok(b'I') => Txn::Idle,
            Ok(b'T') => Txn::InBlock,
            Ok(_) | Err(_) => Txn::Failed,
        };
        if self.txn == Txn::Idle && std::mem::take(&mut self.has_ddl) {
            self.proxy.catalogs.nudge();
        }
        let (mut rows, mut bytes) =
            (std::mem::take(&mut self.rows), std::mem::take(&mut self.bytes));
        let error = self.error.take();
        let Some(group) = self.due.pop_front() else { return };
        if self.is_muddled {
            return;
        }
        // What a group gave counts for its last statement.
        for statement in group.into_iter().rev() {
            let completed =
                Event::Completed { statement, rows, bytes, error: error.clone(), rows_seen: None };
            self.attached.out.events.push(completed);
            (rows, bytes) = (0, 0);
        }
    }
}

/// What may have changed a catalog. What it misses is seen a few seconds later.
fn is_ddl(tag: &str) -> bool {
    let verb = tag.split(' ').next().unwrap_or_default();
    matches!(verb, "CREATE" | "ALTER" | "DROP" | "DO" | "CALL" | "IMPORT")
}

fn size(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
