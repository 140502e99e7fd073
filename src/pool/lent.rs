//! A connection in a session's hands, and one at rest.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Lineage;
use super::place::Place;
use crate::upstream::ServerConnection;
use crate::wire::writer;

/// How long a connection may take to show that it lives, or to be cleaned.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A row for each channel that is listened to.
const LISTENING: &str = "SELECT FROM pg_catalog.pg_listening_channels()";

/// A connection that is nobody's.
pub(super) struct AtRest<T> {
    connection: ServerConnection,
    /// What the server reported when it was opened.
    reported: Vec<(String, String)>,
    pub(super) lineage: Lineage,
    /// What its last session has left on it.
    left: Option<T>,
    /// Which session that was; 0: none.
    pub(super) session: u64,
    opened: Instant,
    since: Instant,
}

impl<T> AtRest<T> {
    pub(super) fn new(connection: ServerConnection, lineage: Lineage) -> AtRest<T> {
        let now = Instant::now();
        let reported = connection.parameters.clone();
        AtRest { connection, reported, lineage, left: None, session: 0, opened: now, since: now }
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// The number of its host.
    pub(super) fn host(&self) -> usize {
        self.connection.host
    }

    pub(super) fn rested(&self) -> Duration {
        self.since.elapsed()
    }

    pub(super) fn comes_to_rest(&mut self) {
        self.since = Instant::now();
    }

    /// Nothing has come that ends it; after a longer rest it is asked.
    pub(super) async fn is_alive(&mut self, check_after: Duration) -> bool {
        if !self.is_open() {
            return false;
        }
        if self.rested() <= check_after {
            return true;
        }
        let asking = self.connection.query("SELECT 1");
        matches!(tokio::time::timeout(ANSWER_TIMEOUT, asking).await, Ok(Ok(_)))
    }

    /// Looks whether the server has said anything. What it says by itself is its goodbye, or a parameter's new value
    /// that whoever gets the connection reads.
    pub(super) fn is_open(&mut self) -> bool {
        let connection = &mut self.connection;
        let read = pin!(connection.stream.read_buf(&mut connection.buffer));
        let is_open = match read.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending | Poll::Ready(Ok(1..)) => true,
            Poll::Ready(Ok(0) | Err(_)) => false,
        };
        is_open && connection.buffer.first().is_none_or(|tag| matches!(tag, b'S' | b'N'))
    }

    /// As far as the socket takes it at once; the server notices the rest.
    pub(super) fn say_goodbye(&mut self) {
        let mut goodbye = BytesMut::new();
        writer::terminate(&mut goodbye);
        let stream = &mut self.connection.stream;
        let saying = pin!(async {
            stream.write_all(&goodbye).await?;
            stream.flush().await
        });
        let _ = saying.poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// A connection lent to a session. Dropped, it is closed; [`Lent::give_back`] is the way to share it.
pub struct Lent<T> {
    place: Arc<Place<T>>,
    /// `None` at the very end only.
    at_rest: Option<Box<AtRest<T>>>,
    /// Freed last.
    seat: Option<OwnedSemaphorePermit>,
}

impl<T> Lent<T> {
    pub(super) fn new(
        place: Arc<Place<T>>,
        at_rest: Box<AtRest<T>>,
        seat: OwnedSemaphorePermit,
    ) -> Lent<T> {
        Lent { place, at_rest: Some(at_rest), seat: Some(seat) }
    }

    pub(super) async fn is_alive(&mut self, check_after: Duration) -> bool {
        match &mut self.at_rest {
            Some(at_rest) => at_rest.is_alive(check_after).await,
            None => false,
        }
    }

    /// Nothing has come that ends it.
    pub(super) fn is_open(&mut self) -> bool {
        self.at_rest.as_mut().is_some_and(|at_rest| at_rest.is_open())
    }

    /// Closes the connection, keeps the seat.
    pub(super) fn into_seat(mut self) -> Option<OwnedSemaphorePermit> {
        self.seat.take()
    }

    /// The connection; `None` never happens while the session has it.
    pub fn connection(&mut self) -> Option<&mut ServerConnection> {
        self.at_rest.as_mut().map(|at_rest| &mut at_rest.connection)
    }

    /// What the session before has left on it; `None`: it is as it was opened.
    pub fn take_left(&mut self) -> Option<T> {
        self.at_rest.as_mut().and_then(|at_rest| at_rest.left.take())
    }

    /// Which session had it before; 0: none.
    pub fn last_session(&self) -> u64 {
        self.at_rest.as_ref().map_or(0, |at_rest| at_rest.session)
    }

    /// Where it leads.
    pub fn place(&self) -> &Arc<Place<T>> {
        &self.place
    }

    /// Gives it back. INVARIANT, the session's to keep: nothing is outstanding on it, no transaction is open, and
    /// `left` says all that the next one must know.
    pub fn give_back(mut self, left: T, session: u64) {
        if let Some(mut at_rest) = self.at_rest.take() {
            at_rest.left = Some(left);
            at_rest.session = session;
            self.place.give_back(at_rest);
        }
    }

    /// Brings it back to what it was when it was opened, and gives it back; closes it if that fails. Nothing may be
    /// outstanding on it.
    pub async fn clean_and_give_back(mut self) {
        let Some(at_rest) = &mut self.at_rest else { return };
        let cleaning = async {
            // What sessions were told meanwhile is no more; what DISCARD changes is reported anew.
            at_rest.connection.parameters.clone_from(&at_rest.reported);
            at_rest.connection.query("ROLLBACK").await?;
            at_rest.connection.query("DISCARD ALL").await?;
            at_rest.connection.query(LISTENING).await
        };
        let cleaned = tokio::time::timeout(ANSWER_TIMEOUT, cleaning).await;
        let is_clean = matches!(cleaned, Ok(Ok(channels)) if channels.is_empty());
        if let Some(mut at_rest) = self.at_rest.take_if(|_| is_clean) {
            at_rest.left = None;
            at_rest.session = 0;
            self.place.give_back(at_rest);
        }
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(mut at_rest) = self.at_rest.take() {
            at_rest.say_goodbye();
            self.place.left(1);
        }
    }
}
