//! An untouched session that gives its server connection up where somebody waits for one, and gets another when it needs
//! it.
//!
//! As long as there is room, nothing is asked and nothing moves: the connection stays with its session between
//! transactions, and costs what bytes cost. INVARIANT: it goes only when it is idle outside a transaction, when the
//! server has named all that is on it and each of it can be put on another, and it is cleaned before anybody gets it.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::Instant;

use super::Untouched;
use super::belongings::{Belongings, question};
use super::outdated::Outdated;
use crate::pool::{Lineage, Place};
use crate::session::attached::Ending;
use crate::session::closing::Farewell;
use crate::session::footprint::{self, Footprint, Reported};
use crate::sql::leaves_untold;
use crate::upstream::QueryError;
use crate::wire::{Frame, reader, writer};

/// Who has waited for a connection and is at work has it for so long, though others wait: to move costs PostgreSQL as much
/// as a few dozen short transactions, and two hundred sessions at work would do little else.
const TURN: Duration = Duration::from_millis(200);
/// Who has done nothing for so long is not at work.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the server may take to say what is there, and to take it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A longer text of the unnamed statement is not kept, and keeps the connection instead.
const UNNAMED_BYTES_MAX: usize = 16 * 1024;
/// Type, length and process id of a NotificationResponse.
const NOTIFICATION_START_BYTES: usize = 9;

/// First words of what a server says it has done, after which it can still say what is there. Others (DO, CALL, LOAD,
/// LISTEN, …) may have done anything.
const TELLING: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DISCARD",
    "DROP",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "INSERT",
    "LOCK",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "START",
    "TRUNCATE",
    "UNLISTEN",
    "UPDATE",
    "VACUUM",
];

/// The way to server connections.
pub struct Moving {
    place: Arc<Place<Box<Footprint>>>,
    lineage: Lineage,
    /// What the client has been told of parameters.
    told: Reported,
    /// The session keeps its connection to its end.
    is_bound: bool,
    /// The server has named something that cannot be moved. It is asked again when the session has done something.
    is_kept: bool,
    /// The Parse of the unnamed statement, which no catalog has.
    unnamed: Option<Box<[u8]>>,
    /// What the connection that was given up had; `None`: there is a connection.
    left: Option<Belongings>,
    /// Until when it keeps the connection that it has waited for; `None`: it has waited for none.
    turn: Option<Instant>,
    /// Statements that could not be moved as they were.
    pub(super) outdated: Outdated,
}

impl Moving {
    /// With a connection of this place and lineage. `told`: the parameters that the client has been told.
    pub fn new(
        place: Arc<Place<Box<Footprint>>>,
        lineage: Lineage,
        told: Reported,
        is_shared: bool,
    ) -> Moving {
        Moving {
            place,
            lineage,
            told,
            is_bound: !is_shared,
            is_kept: false,
            unnamed: None,
            left: None,
            turn: None,
            outdated: Outdated::default(),
        }
    }

    /// True until the connection is given up, and when there is one again.
    pub fn has_server(&self) -> bool {
        self.left.is_none()
    }

    /// The session is not at work any more, or has been for long enough.
    pub fn end_turn(&mut self) {
        self.turn = None;
    }

    /// The session does what nobody can follow.
    pub fn bind(&mut self) {
        self.is_bound = true;
        self.unnamed = None;
    }

    /// A text goes to the server.
    pub fn note_text(&mut self, text: &str) {
        if !self.is_bound && leaves_untold(text) {
            self.bind();
        }
    }

    /// A Parse goes to the server, of the statement of this name.
    pub fn note_parse(&mut self, name: &str, frame: &[u8]) {
        self.outdated.forget(name);
        match frame.len() {
            _ if self.is_bound || !name.is_empty() => {}
            0..=UNNAMED_BYTES_MAX => self.unnamed = Some(frame.into()),
            _ => self.bind(),
        }
    }

    /// A Query takes the unnamed statement away.
    pub fn note_query(&mut self) {
        self.unnamed = None;
    }

    /// The server says that it has done something.
    pub fn note_done(&mut self, tag: &str) {
        if matches!(tag, "DEALLOCATE ALL" | "DISCARD ALL") {
            self.outdated.forget_all();
        }
        if !TELLING.contains(&tag.split(' ').next().unwrap_or_default()) {
            self.bind();
        }
    }

    /// The server is idle again, after something that may have taken away what could not be moved.
    pub fn note_ready(&mut self) {
        self.is_kept = false;
    }

    /// The server tells the client of a parameter.
    pub fn note_parameter(&mut self, body: &[u8]) {
        match reader::parameter_status(body) {
            Ok(("client_encoding", value)) if value != "UTF8" => self.bind(),
            Ok((name, value)) => drop(footprint::set(&mut self.told, name, value)),
            Err(_) => self.bind(),
        }
    }
}

impl Untouched {
    /// True when somebody waits for a connection and this one may go.
    pub(super) fn is_to_give(&self) -> bool {
        self.may_give()
            && self.moving.place.is_wanted()
            && self.moving.turn.is_none_or(|turn| turn <= Instant::now())
    }

    /// True when the connection may go, as far as is known without asking.
    pub(super) fn may_give(&self) -> bool {
        !self.moving.is_bound
            && !self.moving.is_kept
            && self.moving.has_server()
            && !self.is_muddled
            && self.is_idle()
            && !self.in_unit
            && self.attached.out.to_server.is_empty()
            && self.from_client.between_messages()
            && self.from_server.between_messages()
    }

    /// Returns when somebody wants a connection and this session has had its turn, or nothing has come for a while; never
    /// while its connection may not go.
    pub(super) fn wanted(&self) -> impl Future<Output = ()> + use<> {
        let place = self.may_give().then(|| Arc::clone(&self.moving.place));
        let turn = self.moving.turn;
        async move {
            let Some(place) = place else { return std::future::pending().await };
            let is_on = |turn: &Instant| *turn > Instant::now();
            if turn.is_none_or(|turn| !is_on(&turn)) || !place.is_wanted() {
                place.wanted().await;
            }
            if let Some(turn) = turn.filter(is_on) {
                // Somebody else may have one to give now.
                place.pass_on();
                tokio::time::sleep_until(turn.min(Instant::now() + PAUSE)).await;
            }
        }
    }

    /// Asks the server what is there, and gives the connection up where all of it can be moved.
    pub(super) async fn give_up(&mut self) -> Result<(), Ending> {
        if !self.attached.link.has_nothing_from_server() {
            return Ok(());
        }
        let question = question(&self.moving.place.endpoint().user);
        let unnamed = self.moving.unnamed.as_deref();
        let Some(connection) = self.attached.link.connection() else { return Ok(()) };
        let asking = async {
            let left = match connection.query(&question).await {
                Ok(rows) => Belongings::read(rows),
                // A cancel that came late, a time limit of its own, …: the server is ready again.
                Err(QueryError::Server { .. }) => None,
                Err(error @ QueryError::Broken(_)) => return Err(error),
            };
            let Some((mut left, (messages, answers))) =
                left.and_then(|left| left.describing().ok().map(|asked| (left, asked)))
            else {
                // The question was a Query, and has taken the unnamed statement away. Where it cannot be prepared again,
                // who binds it hears that it does not exist.
                if let Some(unnamed) = unnamed {
                    let mut messages = BytesMut::from(unnamed);
                    writer::sync(&mut messages);
                    connection.tell(&messages, 1).await?;
                }
                return Ok(None);
            };
            let answers = match answers {
                0 => Vec::new(),
                _ => connection.tell(&messages, answers).await?,
            };
            let outdated = left.described(answers);
            Ok(Some((left, outdated)))
        };
        let left = match tokio::time::timeout(ANSWER_TIMEOUT, asking).await {
            Ok(Ok(left)) => left,
            Ok(Err(_)) | Err(_) => return Err(Ending::ServerGone),
        };
        match left {
            Some((left, outdated)) => {
                outdated.into_iter().for_each(|name| self.moving.outdated.add(name));
                self.moving.left = Some(left);
                self.attached.give_back_cleaned().await;
            }
            None => {
                self.moving.is_kept = true;
                self.moving.place.pass_on();
            }
        }
        Ok(())
    }

    /// NotificationResponse. Clients know their own by the process id that they were told at login; the server's is another
    /// one once the session has moved.
    pub(super) fn pass_notification(&mut self, frame: &Frame) {
        let server = self.attached.link.target().map(|(_, _, (process_id, _))| process_id);
        let told = self.attached.process_id().to_be_bytes();
        let out = &mut self.attached.out.to_client;
        match frame.as_bytes().split_at_checked(NOTIFICATION_START_BYTES) {
            Some((start, rest)) if start.ends_with(&server.unwrap_or_default().to_be_bytes()) => {
                let (header, _) = start.split_at(start.len().saturating_sub(size_of::<i32>()));
                for part in [header, &told, rest] {
                    out.extend_from_slice(part);
                }
            }
            _ => out.extend_from_slice(frame.as_bytes()),
        }
    }

    /// A connection, with what the last one had.
    pub(super) async fn take_server(&mut self) -> Result<(), Ending> {
        let Some(left) = self.moving.left.take() else { return Ok(()) };
        let session = self.attached.session();
        let Moving { place, lineage, .. } = &self.moving;
        let taken = match place.take_at_once(lineage, session) {
            Some(server) => Ok(server),
            None => self.attached.or_stage(Box::pin(place.take(lineage, session))).await?,
        };
        let mut server = taken.map_err(|error| {
            tracing::warn!(session, %error, "no server connection");
            Ending::Away(Farewell::from(&error))
        })?;
        let lost = || Ending::ServerGone;
        let (messages, answers) =
            left.messages(self.moving.unnamed.as_deref()).map_err(|_| lost())?;
        let connection = server.connection().ok_or_else(lost)?;
        if answers > 0 {
            let telling = tokio::time::timeout(ANSWER_TIMEOUT, connection.tell(&messages, answers));
            let mut told = telling.await.map_err(|_| lost())?.map_err(|_| lost())?.into_iter();
            if left.has_settings()
                && let Some(Err(QueryError::Server { code, .. })) = told.next()
            {
                let message = "scrim: the settings of the session could not be set again";
                return Err(Ending::Away(Farewell::new(&code, message)));
            }
            let outdated = left.outdated(told);
            let (closing, answers) = Belongings::closing(&outdated).map_err(|_| lost())?;
            if answers > 0 {
                let telling = connection.tell(&closing, answers);
                let telling = tokio::time::timeout(ANSWER_TIMEOUT, telling);
                telling.await.map_err(|_| lost())?.map_err(|_| lost())?;
            }
            outdated.into_iter().for_each(|name| self.moving.outdated.add(name));
        }
        let told = &mut self.moving.told;
        for (name, value) in &connection.parameters {
            if footprint::set(told, name, value) {
                writer::parameter_status(&mut self.attached.out.to_client, name, value);
            }
        }
        self.moving.turn = Some(Instant::now() + TURN);
        self.attached.attach(server);
        self.attached.may_be_cancelled().await;
        Ok(())
    }
}
