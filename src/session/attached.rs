//! What every session at work has: a client, now and then a server connection, a journal, a place in the registry,
//! and an end.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::closing::{self, Farewell};
use super::crowd::Place;
use super::footprint::Footprint;
use super::in_force::Standing;
use super::journal::Journal;
use super::link::{Link, Moved, Server};
use super::outside::{Heard, Outside};
use super::pipeline::Out;
use super::registry::Presence;
use crate::metrics::Seat;
use crate::upstream;

/// How long what a client has asked for before its goodbye may take.
pub const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// How far the proxy's own end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Serving.
    Open,
    /// No new clients; sessions end when they are idle.
    Draining,
    /// Sessions end now.
    Ending,
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The client has gone without a word.
    ClientGone,
    /// The client has said goodbye.
    Terminated,
    /// The server has gone without a word.
    ServerGone,
    /// The server has said goodbye, and the client has been told.
    Told,
    /// The client is sent away.
    Away(Farewell),
}

impl Ending {
    /// SQLSTATE for the audit of statements that end with the session.
    pub fn code(&self) -> &str {
        match self {
            Ending::ClientGone | Ending::Terminated => "57014",
            Ending::ServerGone | Ending::Told => "08006",
            Ending::Away(farewell) => &farewell.code,
        }
    }
}

/// What is going on at the server connection when a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// A statement runs.
    Busy,
    /// Nothing runs, but the client has not said Sync.
    OpenUnit,
    /// Nothing; a transaction may be open.
    Nothing,
}

/// A session at work.
pub struct Attached {
    /// Both sockets.
    pub link: Link,
    /// What waits to be written and told.
    pub out: Out,
    /// The audit.
    pub journal: Journal,
    /// By which rules it goes.
    pub standing: Standing,
    /// Its place among the sessions that are counted.
    pub seat: Seat,
    presence: Presence,
    /// It counts to the end.
    _place: Place,
    session: u64,
    stage: watch::Receiver<Stage>,
    /// As it was looked at last.
    stage_now: Stage,
    outside: Outside,
    has_rested: bool,
}

impl Attached {
    /// Puts a session together; `out` holds the welcome.
    #[expect(clippy::too_many_arguments, reason = "each is a thing of its own, named once")]
    pub fn new(
        link: Link,
        out: Out,
        journal: Journal,
        standing: Standing,
        seat: Seat,
        presence: Presence,
        place: Place,
        session: u64,
        mut stage: watch::Receiver<Stage>,
    ) -> Attached {
        let stage_now = *stage.borrow_and_update();
        Attached {
            link,
            out,
            journal,
            standing,
            seat,
            presence,
            _place: place,
            session,
            stage,
            stage_now,
            outside: Outside::default(),
            has_rested: false,
        }
    }

    /// The proxy's stage. The value is looked at under a lock of all sessions, so only where it is a new one.
    fn stage(&mut self) -> Stage {
        if self.stage.has_changed().unwrap_or(false) {
            self.stage_now = *self.stage.borrow_and_update();
        }
        self.stage_now
    }

    /// True once after the session has been idle for a while, and has given room back.
    pub fn has_rested(&mut self) -> bool {
        std::mem::take(&mut self.has_rested)
    }

    /// A server connection comes.
    pub fn attach(&mut self, server: Server) {
        self.link.attach(server);
    }

    /// From now on a cancel of the client reaches the server connection. One that comes earlier has come before the
    /// statement that it is meant for.
    pub async fn may_be_cancelled(&mut self) {
        if let Some(target) = self.link.target() {
            self.presence.has(target).await;
        }
    }

    /// It goes back, when no cancel is on its way to it any more.
    pub async fn give_back(&mut self, left: Box<Footprint>) {
        let is_certain = self.presence.has_none().await;
        if let Some(server) = self.link.detach()
            && is_certain
        {
            match left.settings.is_hasty() || left.may_listen {
                // Nobody has to wait for it, and where it fails, nobody gets the connection.
                true => drop(tokio::spawn(server.clean_and_give_back())),
                false => server.give_back(left, self.session),
            }
        }
    }

    /// It goes back as it was when it was opened, when no cancel is on its way to it any more. Nobody waits for that.
    pub async fn give_back_cleaned(&mut self) {
        let is_certain = self.presence.has_none().await;
        if let Some(server) = self.link.detach()
            && is_certain
        {
            tokio::spawn(server.clean_and_give_back());
        }
    }

    /// What the client was told to be its process id.
    pub fn process_id(&self) -> i32 {
        self.presence.process_id()
    }

    /// The session's number.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// Tells the audit what has happened.
    pub async fn tell(&mut self) {
        if !self.out.events.is_empty() {
            self.journal.tell(&mut self.out.events).await;
        }
    }

    /// The end that the proxy's own brings, or newer rules.
    pub fn must_end(&mut self, is_idle: bool) -> Option<Ending> {
        if let Some(farewell) = self.standing.must_end() {
            return Some(Ending::Away(farewell));
        }
        match self.stage() {
            Stage::Open => None,
            Stage::Draining if !is_idle => None,
            Stage::Draining | Stage::Ending => Some(Ending::Away(Farewell::shutdown())),
        }
    }

    /// Waits for something outside the session, unless the proxy ends meanwhile.
    pub async fn or_stage<T>(
        &mut self,
        mut future: impl Future<Output = T> + Unpin,
    ) -> Result<T, Ending> {
        loop {
            tokio::select! {
                done = &mut future => return Ok(done),
                changed = self.stage.changed() => {
                    if changed.is_err() {
                        // The proxy is gone, which only happens to tests that drop it.
                        return Ok(future.await);
                    }
                    self.stage_now = *self.stage.borrow();
                    if self.stage_now != Stage::Open {
                        return Err(Ending::Away(Farewell::shutdown()));
                    }
                }
                () = self.standing.changed() => {
                    if let Some(farewell) = self.standing.must_end() {
                        return Err(Ending::Away(farewell));
                    }
                }
            }
        }
    }

    /// Moves bytes. `None`: the time may be up, or the proxy's stage or the rules may have changed.
    pub async fn exchange(
        &mut self,
        client: bool,
        server: bool,
        until: Option<Instant>,
    ) -> Option<Moved> {
        let Some(until) = until else {
            return poll_fn(|context| self.poll_exchange(context, client, server)).await;
        };
        if until <= Instant::now() {
            return None;
        }
        let mut time_is_up = pin!(tokio::time::sleep_until(until));
        poll_fn(|context| match self.poll_exchange(context, client, server) {
            Poll::Ready(moved) => Poll::Ready(moved),
            Poll::Pending => time_is_up.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    fn poll_exchange(
        &mut self,
        context: &mut Context<'_>,
        client: bool,
        server: bool,
    ) -> Poll<Option<Moved>> {
        let (stage, standing) = (&self.stage, &self.standing);
        let wait = || standing.changes(stage);
        // Seldom, so the sockets do not have to wait; and they may have so much to say that nothing else was heard.
        match self.outside.poll(context, wait) {
            Poll::Ready(Heard::Something) => return Poll::Ready(None),
            Poll::Ready(Heard::Idle) => {
                self.link.give_room_back(&mut self.out);
                self.journal.give_room_back();
                self.has_rested = true;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        match self.link.poll(context, &mut self.out, client, server) {
            Poll::Ready(moved) => {
                self.outside.moves();
                Poll::Ready(Some(moved))
            }
            Poll::Pending => {
                self.outside.pauses();
                Poll::Pending
            }
        }
    }

    /// Ends the session: what still runs is cancelled, the client hears why if a message can be put in, and the
    /// server connection goes back to the pool if it can be cleaned.
    pub async fn end(self, ending: Ending, remains: Remains, may_speak: bool) {
        let Attached { mut link, mut out, mut journal, presence, .. } = self;
        // From here on no cancel of the client reaches the server connection.
        let is_certain = presence.has_none().await;
        drop(presence);
        tracing::debug!(session = self.session, ?ending, ?remains, "a session ends");
        journal.tell(&mut out.events).await;
        let is_served = matches!(ending, Ending::ClientGone | Ending::Terminated | Ending::Away(_));
        let is_written = out.to_server.is_empty() && link.has_nothing_from_server();
        if let Some(mut server) = link.detach()
            && is_served
        {
            if remains == Remains::Busy {
                let endpoint = Arc::clone(server.place().endpoint());
                if let Some(connection) = server.connection() {
                    let (host, key) = (connection.host, connection.backend_key.clone());
                    // It may have ended meanwhile, or the database may be gone: then there is nothing to cancel.
                    let _ = upstream::cancel(&endpoint, host, &key).await;
                }
            } else if remains == Remains::Nothing && is_written && is_certain {
                // Nobody has to wait for it.
                tokio::spawn(server.clean_and_give_back());
            }
        }
        if may_speak {
            match &ending {
                Ending::Away(farewell) => out.to_client.extend_from_slice(&farewell.frame()),
                Ending::ServerGone => out.to_client.extend_from_slice(
                    &Farewell::new("08006", "scrim: the connection to the database was lost")
                        .frame(),
                ),
                Ending::ClientGone | Ending::Terminated | Ending::Told => {}
            }
        }
        journal.logout().await;
        match ending {
            Ending::ClientGone => {}
            Ending::Terminated | Ending::ServerGone | Ending::Told | Ending::Away(_) => {
                closing::close(link.into_client(), &out.to_client).await;
            }
        }
    }
}
