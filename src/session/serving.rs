//! A session at work: one task owns both sockets.
//!
//! Bytes are read from a side only while the other side's unwritten bytes stay under a mark, so that a slow
//! reader slows the writer and never fills memory; both directions stay live, so that nobody waits for a peer
//! that waits for us.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use super::Proxy;
use super::authenticating::{Welcomed, fatal};
use super::pipeline::{Event, Fate, Judge, Pipeline};
use super::registry::{CancelKey, CancelTarget};
use super::settings::Settings;
use super::statements::Names;
use crate::audit::{Outcome, Record, SessionFacts};
use crate::guard::{self, Breach};
use crate::policy::RoleView;
use crate::upstream;
use crate::wire::writer::{self, ErrorMessage};
use crate::wire::{Limits, Piece, Pieces};

/// Unwritten bytes to one side from which on the other is not read.
const UNWRITTEN_BYTES_MAX: usize = 256 * 1024;

/// Replies that may be outstanding before the client is not read any more.
const OUTSTANDING_MAX: usize = 10_000;

const READ_BYTES: usize = 16 * 1024;

/// How long the last words to a client may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// How a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said goodbye or is gone.
    Client,
    /// The client broke the protocol: SQLSTATE and message.
    Protocol(&'static str, String),
    /// The server is gone; what it had to say has been passed on.
    Server,
    /// The server said something that fits nothing.
    Alarm,
    /// Scrim stops.
    Shutdown,
}

/// A session. Its sockets are not in it: it only turns pieces into bytes for either side.
pub(super) struct Session {
    pub(super) proxy: Arc<Proxy>,
    pub(super) facts: Arc<SessionFacts>,
    pub(super) is_masked: bool,
    pub(super) acts_for_others: bool,
    pub(super) purposes: Vec<String>,
    pub(super) rows_max: Option<u64>,
    pub(super) view: Option<Arc<RoleView>>,
    pub(super) pipeline: Pipeline,
    pub(super) names: Names,
    pub(super) settings: Settings,
    pub(super) statements: u64,
    pub(super) to_client: BytesMut,
    pub(super) to_server: BytesMut,
    /// The type of a long message that is being swallowed.
    pub(super) swallowing: Option<u8>,
    pub(super) copying_in: bool,
    /// The rest of the server's long message does not reach the client.
    dropping: bool,
    /// A statement failed since the last ReadyForQuery.
    failed: bool,
    begun: Instant,
    cancel_key: CancelKey,
    cancel_target: CancelTarget,
}

/// Serves a client until one side ends.
pub(super) async fn serve_session(
    proxy: Arc<Proxy>,
    welcomed: Welcomed,
    mut shutdown: watch::Receiver<bool>,
) {
    let Welcomed { stream, buffer, server, user, role, facts, settings, cancel_key, cancel_target } =
        welcomed;
    let is_masked = !role.is_untouched();
    let view = match is_masked {
        true => proxy.registry.view(&facts.database, &facts.role).await.ok(),
        false => None,
    };
    let mut session = Session {
        proxy,
        facts,
        is_masked,
        acts_for_others: user.acts_for_others,
        purposes: role.purposes.clone(),
        rows_max: role.limits.rows.filter(|_| is_masked),
        view,
        pipeline: Pipeline::new(),
        names: Names::default(),
        settings,
        statements: 0,
        to_client: BytesMut::new(),
        to_server: BytesMut::new(),
        swallowing: None,
        copying_in: false,
        dropping: false,
        failed: false,
        begun: Instant::now(),
        cancel_key,
        cancel_target,
    };
    let (mut client_in, mut client_out) = tokio::io::split(stream);
    let (mut server_in, mut server_out) = tokio::io::split(server.stream);
    let mut from_client = (Pieces::new(Limits::frontend()), buffer);
    let mut from_server = (Pieces::new(Limits::backend()), server.buffer);
    let (mut client_unflushed, mut server_unflushed) = (false, false);
    // What came with the last login message is not waited for again.
    let mut end = session.drain_client(&mut from_client).await.err();
    while end.is_none() {
        let client_pending = !session.to_client.is_empty() || client_unflushed;
        let server_pending = !session.to_server.is_empty() || server_unflushed;
        let client_has_room = session.to_client.len() < UNWRITTEN_BYTES_MAX;
        let may_read_client = client_has_room
            && session.to_server.len() < UNWRITTEN_BYTES_MAX
            && session.pipeline.len() < OUTSTANDING_MAX;
        let is_idle = session.pipeline.is_idle() && session.pipeline.status() == b'I';
        from_client.1.reserve(READ_BYTES);
        from_server.1.reserve(READ_BYTES);
        let step: Result<(), End> = tokio::select! {
            biased;
            written = write(&mut client_out, &mut session.to_client, &mut client_unflushed),
                if client_pending => written.map_err(|_| End::Client),
            written = write(&mut server_out, &mut session.to_server, &mut server_unflushed),
                if server_pending => written.map_err(|_| End::Server),
            read = server_in.read_buf(&mut from_server.1), if client_has_room => match read {
                Ok(count) if count > 0 => session.drain_server(&mut from_server).await,
                Ok(_) | Err(_) => Err(End::Server),
            },
            read = client_in.read_buf(&mut from_client.1), if may_read_client => match read {
                Ok(count) if count > 0 => session.drain_client(&mut from_client).await,
                Ok(_) | Err(_) => Err(End::Client),
            },
            _ = shutdown.changed(), if is_idle => Err(End::Shutdown),
        };
        end = step.err();
    }
    if let Some(end) = end {
        session.finish(end, &mut client_out, &mut server_out).await;
    }
}

/// Writes some, and flushes once all is written.
async fn write(
    out: &mut (impl AsyncWrite + Unpin),
    bytes: &mut BytesMut,
    unflushed: &mut bool,
) -> io::Result<()> {
    if bytes.is_empty() {
        out.flush().await?;
        *unflushed = false;
        return Ok(());
    }
    if out.write_buf(bytes).await? == 0 {
        return Err(io::Error::from(io::ErrorKind::WriteZero));
    }
    *unflushed = true;
    if bytes.is_empty() && bytes.capacity() > UNWRITTEN_BYTES_MAX {
        *bytes = BytesMut::new();
    }
    Ok(())
}

impl Session {
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    async fn drain_client(&mut self, from: &mut (Pieces, BytesMut)) -> Result<(), End> {
        let (pieces, buffer) = from;
        loop {
            match pieces.next(buffer) {
                Ok(Some(piece)) => self.hear_client(piece).await?,
                Ok(None) => return Ok(()),
                Err(fault) => return Err(End::Protocol("08P01", fault.to_string())),
            }
        }
    }

    async fn drain_server(&mut self, from: &mut (Pieces, BytesMut)) -> Result<(), End> {
        let (pieces, buffer) = from;
        let mut events = Vec::new();
        loop {
            let heard = match pieces.next(buffer) {
                Ok(Some(piece)) => self.hear_server(piece, &mut events),
                Ok(None) => return Ok(()),
                Err(fault) => {
                    tracing::error!(%fault, "the database broke the protocol");
                    Err(End::Alarm)
                }
            };
            for event in events.drain(..) {
                self.happened(event).await;
            }
            heard?;
        }
    }

    fn hear_server(&mut self, piece: Piece, events: &mut Vec<Event>) -> Result<(), End> {
        let (tag, bytes) = match piece {
            Piece::Whole(frame) => (frame.tag(), frame.into_bytes()),
            Piece::Start { tag, bytes } => (tag, bytes),
            Piece::More { bytes, last } => {
                if !self.dropping {
                    self.to_client.put(bytes);
                }
                self.dropping = self.dropping && !last;
                return Ok(());
            }
        };
        let body = bytes.get(5..).unwrap_or_default();
        match tag {
            b'G' => self.copying_in = true,
            b'C' | b'E' | b'Z' => self.copying_in = false,
            _ => {}
        }
        if tag == b'E' {
            self.failed = true;
        }
        let judge =
            self.is_masked.then(|| RoleJudge { view: self.view.clone(), rows_max: self.rows_max });
        let judge = judge.as_ref().map(|judge| judge as &dyn Judge);
        let fate = match self.pipeline.hear(tag, body, judge, events) {
            Ok(fate) => fate,
            // An untouched role's bytes pass whatever we think of them.
            Err(_) if !self.is_masked => Fate::Forward,
            Err(misfit) => {
                tracing::error!(session = self.facts.session, %misfit, "the session is closed");
                return Err(End::Alarm);
            }
        };
        self.dropping = false;
        match fate {
            Fate::Forward => self.to_client.put(bytes),
            Fate::Clean if !self.is_masked => self.to_client.put(bytes),
            Fate::Clean => self.put_clean(tag, body),
            Fate::Drop => self.dropping = true,
            Fate::Put(instead) => {
                self.to_client.put(instead);
                self.dropping = true;
            }
        }
        Ok(())
    }

    /// An error or a notice, without what could quote a row.
    fn put_clean(&mut self, tag: u8, body: &[u8]) {
        match guard::clean_error_fields(body) {
            Some(clean) => {
                let length = u32::try_from(clean.len().saturating_add(4)).unwrap_or(u32::MAX);
                self.to_client.put_u8(tag);
                self.to_client.put_u32(length);
                self.to_client.put_slice(&clean);
            }
            None if tag == b'E' => {
                let message = ErrorMessage::new("ERROR", "XX000", "scrim: an unreadable error");
                writer::error_response(&mut self.to_client, &message);
            }
            None => {}
        }
    }

    async fn happened(&mut self, event: Event) {
        match event {
            Event::Ended(run, error) => {
                if error.is_none() {
                    self.settings.apply(&run.effect);
                }
                let outcome = Outcome {
                    session: self.facts.session,
                    statement: run.statement,
                    rows: run.rows,
                    bytes: run.bytes,
                    duration_us: self.now_us().saturating_sub(run.started_us),
                    error,
                };
                self.note(Record::Completed(outcome)).await;
            }
            Event::Undo(undo) => self.names.undo(undo),
            Event::Confirm(name, prepared) => {
                self.names.set_statement(&name, Some(prepared));
            }
            Event::Breach(statement, breach) => {
                tracing::error!(
                    session = self.facts.session,
                    table = breach.table,
                    column = breach.column,
                    "a result with a masked column was stopped"
                );
                let record = Record::Breach {
                    facts: self.facts.clone(),
                    statement: statement.unwrap_or(self.statements),
                    table: breach.table,
                    column: breach.column,
                };
                self.note(record).await;
            }
            Event::Ready(status) => {
                self.settings.ready(status, self.failed);
                self.failed = false;
                if status == b'I' && self.pipeline.is_idle() {
                    self.names.transaction_ended();
                }
            }
        }
    }

    /// A record of something that has happened already.
    async fn note(&self, record: Record) {
        if let Err(error) = self.proxy.audit.accept(record).await {
            tracing::error!(%error, "something that happened is not in the audit trail");
        }
    }

    async fn finish(
        &mut self,
        end: End,
        client: &mut (impl AsyncWrite + Unpin),
        server: &mut (impl AsyncWrite + Unpin),
    ) {
        let is_running = !self.pipeline.is_idle();
        let last_words: Option<Bytes> = match &end {
            End::Client => None,
            End::Protocol(code, message) => Some(fatal(code, message)),
            // A FATAL of the server's own has been passed on already.
            End::Server if self.failed => None,
            End::Server => Some(fatal("08006", "scrim: the database closed the connection")),
            End::Alarm => Some(fatal("XX000", "scrim: the session was closed for safety")),
            End::Shutdown => {
                let message = "terminating connection due to administrator command";
                Some(fatal("57P01", message))
            }
        };
        self.to_client.extend_from_slice(&last_words.unwrap_or_default());
        let farewell = async {
            client.write_all(&self.to_client).await?;
            client.shutdown().await
        };
        if !matches!(end, End::Client) {
            // Who does not listen has gone.
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
        if is_running && !matches!(end, End::Server) {
            let target = &self.cancel_target;
            if let Err(error) = upstream::cancel(&target.endpoint, &target.backend_key).await {
                tracing::info!(%error, "a statement of a client that is gone was not cancelled");
            }
        }
        let mut goodbye = BytesMut::new();
        writer::terminate(&mut goodbye);
        let goodbye = async {
            server.write_all(&goodbye).await?;
            server.shutdown().await
        };
        let _ = tokio::time::timeout(FAREWELL, goodbye).await;
        self.proxy.registry.forget(&self.cancel_key);
        self.note(Record::Logout { facts: self.facts.clone() }).await;
    }
}

/// The guard, with the role's eyes.
struct RoleJudge {
    view: Option<Arc<RoleView>>,
    rows_max: Option<u64>,
}

impl Judge for RoleJudge {
    fn row_description(&self, body: &[u8]) -> Result<(), Breach> {
        match &self.view {
            Some(view) => guard::judge_row_description(body, view),
            None => Err(Breach { position: 0, table: 0, column: 0 }),
        }
    }

    fn rows_max(&self) -> Option<u64> {
        self.rows_max
    }

    fn breach_error(&self) -> Bytes {
        let message =
            "scrim: the result was stopped, since a masked column would have come out of it";
        error("42501", message, "nothing was shown; please report this statement")
    }

    fn rows_error(&self) -> Bytes {
        let most = self.rows_max.unwrap_or_default();
        let message = format!("scrim: the result has more than the {most} rows this role may read");
        error("54000", &message, "ask for fewer rows, with WHERE or LIMIT")
    }
}

fn error(code: &str, message: &str, hint: &str) -> Bytes {
    let mut out = BytesMut::new();
    let hint = Some(hint);
    writer::error_response(
        &mut out,
        &ErrorMessage { hint, ..ErrorMessage::new("ERROR", code, message) },
    );
    out.freeze()
}
