//! One client: greeting, login, and the queue of expected replies.
//!
//! States are types, and a transition consumes the old one:
//!
//! ```text
//! socket ──► greeting ──SSLRequest, GSSENCRequest (once each), direct TLS──► greeting
//!               ├─ CancelRequest ─► registry ─► upstream::cancel ─► closed, never an answer
//!               └─ StartupMessage ─► authenticating ──SCRAM──► welcoming ──► serving (masked role)
//!                                                                     └────► untouched (all is clear)
//! any of them ──► closing: one FATAL where PostgreSQL would say one, then the socket
//! ```
//!
//! One task a session owns both sockets. Shared between sessions are the [`Proxy`]'s rules, audit, registry,
//! catalogs and doorkeeper, and nothing else. This room reads no SQL: texts go to `sql::plan` and come back as what
//! may be sent.
//!
//! INVARIANTS: nothing is planned or sent before login; before login at most a few kilobytes of a client are held,
//! for a limited time and a limited number of clients; a refused statement's text never reaches the server; the
//! server's cancel key never reaches a client; no log line holds a literal, a value or a name of the client.
//! <https://www.postgresql.org/docs/current/protocol-flow.html>

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod attached;
mod authenticating;
mod budgets;
mod catalogs;
mod closing;
mod doorkeeper;
mod entrance;
mod footprint;
mod greeting;
mod journal;
mod link;
mod parameters;
mod pipeline;
mod planning;
mod registry;
mod serving;
mod settings;
mod showing;
mod statements;
mod stream;
mod untouched;
mod welcoming;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::{Audit, Record, SessionFacts};
use crate::config::{ClientTls, PseudonymKey};
use crate::pool::{PoolOptions, Pools};
use crate::rules::{Role, RuleSet, User};
use crate::upstream::Endpoint;
use crate::wire::sasl::ProcessSecret;
use attached::{Attached, Stage};
use authenticating::{NotIn, authenticate};
use budgets::Budgets;
use catalogs::Catalogs;
use closing::Farewell;
use doorkeeper::Doorkeeper;
use entrance::Greetings;
use footprint::Footprint;
use greeting::{Greeted, Greeting, greet};
use journal::Journal;
use link::Link;
use pipeline::Out;
use registry::Registry;
use serving::Serving;
use untouched::Untouched;
use welcoming::Kind;

/// From the first byte to the end of authentication.
const LOGIN_DEADLINE: Duration = Duration::from_secs(15);
/// How long sessions may take to become idle when the proxy ends.
const DRAIN: Duration = Duration::from_secs(4);
/// How long they may take to say goodbye after that.
const END: Duration = Duration::from_secs(4);
/// Pause after an accept that failed for want of something (file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a proxy is made of.
pub struct ProxyOptions {
    /// The PostgreSQL behind.
    pub endpoint: Endpoint,
    /// What clients see.
    pub tls: ClientTls,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The audit trail.
    pub audit: Audit,
    /// The key of keyed masks, for the server connections of masked sessions.
    pub pseudonym_key: Option<PseudonymKey>,
    /// How server connections are shared.
    pub pool: PoolOptions,
}

/// Shared by all sessions.
pub struct Proxy {
    endpoint: Arc<Endpoint>,
    tls: ClientTls,
    rules: Arc<RuleSet>,
    audit: Audit,
    pseudonym_key: Option<PseudonymKey>,
    secret: ProcessSecret,
    registry: Arc<Registry>,
    doorkeeper: Arc<Doorkeeper>,
    catalogs: Catalogs,
    pools: Pools<Footprint>,
    greetings: Greetings,
    lookups: Budgets,
    sessions: AtomicU64,
}

impl Proxy {
    /// `None` when the system gives no random numbers.
    pub fn new(options: ProxyOptions) -> Option<Arc<Proxy>> {
        Some(Arc::new(Proxy {
            endpoint: Arc::new(options.endpoint),
            tls: options.tls,
            catalogs: Catalogs::new(Arc::clone(&options.rules)),
            rules: options.rules,
            audit: options.audit,
            pseudonym_key: options.pseudonym_key,
            secret: ProcessSecret::random()?,
            registry: Arc::default(),
            doorkeeper: Arc::default(),
            pools: Pools::new(options.pool),
            greetings: Greetings::default(),
            lookups: Budgets::default(),
            sessions: AtomicU64::new(0),
        }))
    }

    /// How a role logs in at the database.
    fn endpoint(&self, role: &Role) -> Arc<Endpoint> {
        match &role.database_user {
            None => Arc::clone(&self.endpoint),
            Some(own) => Arc::new(Endpoint {
                user: own.user.clone(),
                password: own.password.clone(),
                ..Endpoint::clone(&self.endpoint)
            }),
        }
    }
}

/// Serves clients until `shutdown`; then idle sessions are ended, and after a few seconds all of them.
pub async fn serve(proxy: Arc<Proxy>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let (stage, stages) = watch::channel(Stage::Open);
    let mut sessions = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut chores = JoinSet::new();
    chores.spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.catalogs.keep_fresh().await }
    });
    chores.spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.pools.keep().await }
    });
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    sessions.spawn(attend(Arc::clone(&proxy), socket, peer, stages.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = sessions.join_next() => note_panic(ended),
        }
    }
    drop(listener);
    for (next, patience) in [(Stage::Draining, DRAIN), (Stage::Ending, END)] {
        stage.send_replace(next);
        let ending = async {
            while let Some(ended) = sessions.join_next().await {
                note_panic(ended);
            }
        };
        // Whoever is still there is told again, or cut off.
        let _ = tokio::time::timeout(patience, ending).await;
    }
    sessions.shutdown().await;
    chores.shutdown().await;
}

/// A panic ends its session and nothing else. What it says may quote data, so only that it happened is logged.
fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a session ended by a panic, which is a fault of Scrim");
    }
}

/// A client from its first byte to its last.
async fn attend(
    proxy: Arc<Proxy>,
    socket: TcpStream,
    peer: SocketAddr,
    mut stage: watch::Receiver<Stage>,
) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a socket was gone before it began");
        return;
    }
    let session = proxy.sessions.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let ticket = proxy.doorkeeper.enter(peer.ip());
    let arrived = tokio::select! {
        arrived = tokio::time::timeout(LOGIN_DEADLINE, arrive(&proxy, socket, session, peer)) => {
            arrived.ok().flatten()
        }
        () = ticket.lost() => None,
        _ = stage.changed() => None,
    };
    drop(ticket);
    let Some((greeted, user)) = arrived else { return };
    begin(proxy, greeted, user, session, peer, stage).await;
}

/// Up to the end of authentication. `None`: there is nobody to be served.
async fn arrive(
    proxy: &Arc<Proxy>,
    socket: TcpStream,
    session: u64,
    peer: SocketAddr,
) -> Option<(Greeted, User)> {
    let mut greeted = match greet(socket, &proxy.tls).await {
        Greeting::Session(greeted) => *greeted,
        Greeting::Cancel { process_id, key } => {
            proxy.registry.cancel(process_id, &key).await;
            return None;
        }
        Greeting::Away(stream, farewell) => {
            closing::close(stream, &farewell.frame()).await;
            return None;
        }
        Greeting::Nobody => return None,
    };
    match authenticate(&mut greeted, &proxy.rules, &proxy.secret).await {
        Ok(user) => {
            let user = user.clone();
            Some((greeted, user))
        }
        Err(NotIn::Gone) => None,
        Err(NotIn::Away(farewell)) => {
            send_away(proxy, greeted, farewell, session, peer).await;
            None
        }
    }
}

/// A client that is who it says: its role, its database, its session.
async fn begin(
    proxy: Arc<Proxy>,
    greeted: Greeted,
    user: User,
    session: u64,
    peer: SocketAddr,
    stage: watch::Receiver<Stage>,
) {
    let welcomed = welcoming::welcome(&proxy, &greeted.startup, &user, session, peer).await;
    let welcomed = match welcomed {
        Ok(welcomed) => welcomed,
        Err(farewell) => return send_away(&proxy, greeted, farewell, session, peer).await,
    };
    let facts = Arc::clone(&welcomed.facts);
    let journal = Journal::new(proxy.audit.clone(), welcomed.facts);
    if let Err(error) = journal.login().await {
        let refusal = journal::not_accepted(&error);
        let farewell = Farewell::new(refusal.code, refusal.message);
        return closing::close(greeted.stream, &farewell.frame()).await;
    }
    let mut attached = Attached::new(
        Link::new(greeted.stream, greeted.buffer),
        Out { to_client: welcomed.welcome, ..Out::default() },
        journal,
        welcomed.presence,
        session,
        stage,
    );
    match welcomed.kind {
        Kind::Masked(masked) => Serving::new(proxy, attached, *masked).serve().await,
        Kind::Untouched(server) => {
            attached.attach(*server).await;
            let (purpose, end_user) = (welcomed.purpose, welcomed.end_user);
            Untouched::new(proxy, attached, &facts, purpose, end_user).serve().await;
        }
    }
}

/// Tells a client why it does not get in, and the audit that it tried.
async fn send_away(
    proxy: &Proxy,
    greeted: Greeted,
    farewell: Farewell,
    session: u64,
    peer: SocketAddr,
) {
    let facts: SessionFacts = welcoming::claimed_facts(proxy, &greeted.startup, session, peer);
    let record = Record::Login { facts: Arc::new(facts), refused: Some(farewell.code.clone()) };
    if let Err(error) = proxy.audit.accept(record).await {
        tracing::error!(session, %error, "a record is missing in the audit trail");
    }
    closing::close(greeted.stream, &farewell.frame()).await;
}
