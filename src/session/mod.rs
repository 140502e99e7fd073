//! One client: greeting, login, and the queue of expected replies.
//!
//! States are types, and a transition consumes the old one:
//!
//! ```text
//! socket ──► greeting ──SSLRequest, GSSENCRequest (once each), direct TLS──► greeting
//!               ├─ CancelRequest ─► registry ─► upstream::cancel ─► closed, never an answer
//!               └─ StartupMessage ─► authenticating ──SCRAM, token──► welcoming ──► serving (masked role)
//!                                                                            └────► untouched (all is clear)
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
mod crowd;
mod doorkeeper;
mod entrance;
mod footprint;
mod greeting;
mod in_force;
mod journal;
mod link;
mod listening;
mod on_record;
mod outside;
mod parameters;
mod peer;
mod pipeline;
mod planning;
mod plans;
mod proxied;
mod registry;
mod roll;
mod serving;
mod settings;
mod showing;
mod slowing;
mod source;
mod statements;
mod stating;
mod stream;
mod untouched;
mod visiting;
mod welcoming;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::audit::{Audit, Record, SessionFacts};
use crate::config::{ClientTls, ConnectionLimits, PseudonymKey, TrustedProxies};
use crate::ledger::Board;
use crate::metrics::Metrics;
use crate::pool::{PoolOptions, Pools};
use crate::rules::{Role, RuleSet};
use crate::shadow::Shadow;
use crate::telemetry::Telemetry;
use crate::tokens::{TokenOptions, Tokens};
use crate::upstream::Endpoint;
use crate::wire::keepalive;
use crate::wire::sasl::ProcessSecret;
use attached::Attached;
pub use attached::Stage;
use authenticating::{Admitted, NotIn, authenticate};
use budgets::Budgets;
use catalogs::Catalogs;
pub use catalogs::{Lease, Seen};
use closing::Farewell;
use crowd::Crowd;
use doorkeeper::Doorkeeper;
use entrance::Greetings;
use footprint::Footprint;
use greeting::{Greeted, Greeting, greet};
use in_force::{InForce, Standing};
use journal::Journal;
use link::Link;
pub use listening::Listener;
use listening::Listeners;
use peer::Peer;
use pipeline::Out;
pub use planning::{Message, Planned, PlannedPart, Who, plan};
pub use plans::Plans;
use registry::Registry;
use roll::Roll;
pub use roll::{Doing, Present};
use serving::Serving;
pub use settings::{Settings, Values};
use slowing::{Slowing, TooLong};
use stream::ClientStream;
use untouched::Untouched;
pub use visiting::NotAdmitted;
use welcoming::Kind;

/// From the first byte to the end of authentication.
const LOGIN_DEADLINE: Duration = Duration::from_secs(15);
/// How long sessions may take to say goodbye when they are told to end.
const END: Duration = Duration::from_secs(4);
/// Pause after an accept that failed for want of something (file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// SQLSTATE of a login that failed, whatever was wrong with it.
const WRONG_PASSWORD: &str = "28P01";
/// What budgets are for.
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// What a proxy is made of.
pub struct ProxyOptions {
    /// The PostgreSQL behind.
    pub endpoint: Endpoint,
    /// What clients see.
    pub tls: ClientTls,
    /// Whose tokens are taken as passwords.
    pub tokens: Option<TokenOptions>,
    /// Who says for whom it speaks.
    pub proxies: TrustedProxies,
    /// How many sessions there may be.
    pub connection_limits: ConnectionLimits,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The audit trail.
    pub audit: Audit,
    /// Where spans go.
    pub telemetry: Option<Arc<Telemetry>>,
    /// The key of keyed masks, for the server connections of masked sessions.
    pub pseudonym_key: Option<PseudonymKey>,
    /// How server connections are shared.
    pub pool: PoolOptions,
    /// Masks may be put on rows as they pass.
    pub masks_on_the_wire: bool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Rules that are judged beside those in force.
    pub shadow: Arc<Shadow>,
    /// The grants in force.
    pub board: Arc<Board>,
}

/// Shared by all sessions.
pub struct Proxy {
    endpoint: Arc<Endpoint>,
    in_force: watch::Sender<Arc<InForce>>,
    proxies: TrustedProxies,
    audit: Audit,
    pseudonym_key: Option<PseudonymKey>,
    metrics: Arc<Metrics>,
    telemetry: Option<Arc<Telemetry>>,
    secret: ProcessSecret,
    registry: Arc<Registry>,
    roll: Arc<Roll>,
    doorkeeper: Arc<Doorkeeper>,
    catalogs: Catalogs,
    pools: Pools<Box<Footprint>>,
    greetings: Greetings,
    lookups: Budgets,
    plans: Plans,
    statements: Budgets,
    shadow: Arc<Shadow>,
    board: Arc<Board>,
    slowing: Slowing,
    crowd: Arc<Crowd>,
    connection_limits: ConnectionLimits,
    sessions: AtomicU64,
}

impl Proxy {
    /// `None` when the system gives no random numbers.
    pub fn new(options: ProxyOptions) -> Option<Arc<Proxy>> {
        let ProxyOptions {
            endpoint,
            tls,
            tokens,
            proxies,
            connection_limits,
            rules,
            audit,
            pseudonym_key,
            metrics,
            telemetry,
            pool,
            masks_on_the_wire,
            shadow,
            board,
        } = options;
        let tokens = tokens.map(Tokens::new).map(Arc::new);
        let in_force = Arc::new(InForce { rules, tls, tokens, number: 0 });
        Some(Arc::new(Proxy {
            endpoint: Arc::new(endpoint),
            in_force: watch::Sender::new(in_force),
            proxies,
            catalogs: Catalogs::new(Arc::clone(&metrics)),
            audit,
            pseudonym_key,
            metrics,
            telemetry,
            secret: ProcessSecret::random()?,
            registry: Arc::default(),
            roll: Arc::default(),
            doorkeeper: Arc::default(),
            pools: Pools::new(pool),
            greetings: Greetings::default(),
            plans: Plans::new(masks_on_the_wire),
            lookups: Budgets::for_each(MINUTE),
            statements: Budgets::for_each(SECOND),
            shadow,
            board,
            slowing: Slowing::default(),
            crowd: Arc::default(),
            connection_limits,
            sessions: AtomicU64::new(0),
        }))
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.in_force.borrow().rules)
    }

    /// Puts rules into force, at once and for all sessions, and what clients see of TLS and whose tokens are taken for
    /// new ones. The views that sessions use are compiled before, beside the work that goes on.
    pub async fn put_in_force(
        &self,
        rules: Arc<RuleSet>,
        tls: ClientTls,
        tokens: Option<TokenOptions>,
    ) {
        let current = Arc::clone(&self.in_force.borrow());
        // With the keys that have been fetched, where nothing is new.
        let known =
            current.tokens.as_ref().filter(|known| Some(known.options()) == tokens.as_ref());
        let tokens = known.cloned().or_else(|| tokens.map(Tokens::new).map(Arc::new));
        if current.rules.version == rules.version {
            // Nobody has to follow.
            let (rules, number) = (Arc::clone(&current.rules), current.number);
            self.in_force.send_replace(Arc::new(InForce { rules, tls, tokens, number }));
            return;
        }
        let next = InForce { rules, tls, tokens, number: current.number.wrapping_add(1) };
        let next = Arc::new(next);
        self.catalogs.prepare(&next).await;
        let (before, rules) = (current.rules.version.clone(), next.rules.version.clone());
        let accepted = self.audit.accept(Record::Reload { before, rules }).await;
        if let Err(error) = accepted {
            // Not for want of a record shall rules that may be tighter wait; statements are refused meanwhile.
            tracing::error!(%error, "a record is missing in the audit trail");
        }
        self.in_force.send_replace(next);
    }

    /// A standing interest in a database's catalog, as a session has it, by the login of the configuration.
    pub fn look_after(&self, database: &str) -> Lease {
        let lease = self.catalogs.enter(database, &self.endpoint);
        // At once, not when it is time.
        self.catalogs.nudge();
        lease
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

/// Serves clients as long as the stage is [`Stage::Open`]. While it is [`Stage::Draining`], new clients are told to go
/// elsewhere, idle sessions are ended, and the others when they have become idle. Returns when all have, or soon after
/// [`Stage::Ending`].
pub async fn serve(proxy: Arc<Proxy>, listeners: Vec<Listener>, mut stage: watch::Receiver<Stage>) {
    let mut listeners = Listeners::new(listeners);
    let (mut sessions, mut turned_away) = (JoinSet::new(), JoinSet::new());
    let mut chores = JoinSet::new();
    chores.spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.catalogs.keep_fresh().await }
    });
    chores.spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.pools.keep().await }
    });
    chores.spawn(in_force::keep_keys_fresh(proxy.in_force.subscribe()));
    let for_each = stage.clone();
    loop {
        let now = *stage.borrow_and_update();
        if now == Stage::Ending || (now == Stage::Draining && sessions.is_empty()) {
            break;
        }
        tokio::select! {
            changed = stage.changed() => if changed.is_err() { break },
            accepted = listeners.accept() => match accepted {
                Ok((socket, peer)) => {
                    let clients = if now == Stage::Open { &mut sessions } else { &mut turned_away };
                    clients.spawn(attend(Arc::clone(&proxy), socket, peer, for_each.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = sessions.join_next() => note_panic(ended),
            Some(ended) = turned_away.join_next() => note_panic(ended),
        }
    }
    drop(listeners);
    let ending = async {
        while let Some(ended) = sessions.join_next().await {
            note_panic(ended);
        }
    };
    // Whoever is still there is cut off.
    let _ = tokio::time::timeout(END, ending).await;
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
    mut stream: ClientStream,
    mut peer: Peer,
    mut stage: watch::Receiver<Stage>,
) {
    if let ClientStream::Tcp(socket) = &stream
        && let Err(error) = socket.set_nodelay(true).and_then(|()| keepalive::ask_peer(socket))
    {
        tracing::debug!(%error, "a socket was gone before it began");
        return;
    }
    let session = proxy.sessions.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let deadline = Instant::now() + LOGIN_DEADLINE;
    if peer.ip().is_some_and(|address| proxy.proxies.has(address)) {
        let reading = async {
            match proxied::read_header(&mut stream).await {
                Ok(None) => Some(peer),
                Ok(Some(client)) => Some(peer.stands_for(client)),
                Err(error) => {
                    tracing::warn!(session, proxy = %peer, %error, "closed");
                    None
                }
            }
        };
        let waiting = Box::pin(at_the_door(&proxy, peer, deadline, &mut stage, reading));
        match waiting.await {
            Some(found) => peer = found,
            None => return,
        }
    }
    let rules = Arc::clone(&proxy.in_force.borrow());
    let arriving = arrive(&proxy, &rules, stream, session, peer, stage.clone());
    // What a login needs is freed before the session begins, which may be idle for days.
    let arrived = Box::pin(at_the_door(&proxy, peer, deadline, &mut stage, arriving)).await;
    let Some((greeted, admitted)) = arrived else { return };
    let beginning = begin(proxy, rules, greeted, admitted, session, peer, stage);
    match Box::pin(beginning).await {
        Some(AtWork::Masked(serving)) => serving.serve().await,
        Some(AtWork::Untouched(untouched)) => untouched.serve().await,
        None => {}
    }
}

/// A session that has begun.
enum AtWork {
    Masked(Box<Serving>),
    Untouched(Box<Untouched>),
}

/// What a client does before it is logged in, as long as there is time, it has its place, and Scrim is not ending.
async fn at_the_door<T>(
    proxy: &Proxy,
    peer: Peer,
    deadline: Instant,
    stage: &mut watch::Receiver<Stage>,
    doing: impl Future<Output = Option<T>>,
) -> Option<T> {
    let ticket = proxy.doorkeeper.enter(peer.ip());
    tokio::select! {
        done = timeout_at(deadline, doing) => done.ok().flatten(),
        () = ticket.lost() => None,
        _ = stage.wait_for(|stage| *stage == Stage::Ending) => None,
    }
}

/// Up to the end of authentication. `None`: there is nobody to be served.
async fn arrive(
    proxy: &Arc<Proxy>,
    rules: &InForce,
    stream: ClientStream,
    session: u64,
    peer: Peer,
    stage: watch::Receiver<Stage>,
) -> Option<(Greeted, Admitted)> {
    let mut greeted = match greet(stream, &rules.tls).await {
        Greeting::Session(greeted) => *greeted,
        Greeting::Cancel { mut stream, process_id, key } => {
            proxy.registry.cancel(process_id, &key).await;
            // Over TLS a client takes an end that is not said for an error. Whoever has gone needs none.
            let _ = stream.shutdown().await;
            return None;
        }
        Greeting::Away(stream, farewell) => {
            closing::close(stream, &farewell.frame()).await;
            return None;
        }
        Greeting::Nobody => return None,
    };
    if *stage.borrow() != Stage::Open {
        send_away(proxy, rules, greeted, Farewell::elsewhere(), session, peer).await;
        return None;
    }
    let kind =
        slowing::kind(peer.ip(), &parameters::cut(greeted.startup.user().unwrap_or_default()));
    match proxy.slowing.enter(&kind, std::time::Instant::now()) {
        Ok(wait) => tokio::time::sleep(wait).await,
        Err(TooLong(wait)) => {
            let message = "scrim: too many failed logins of this user from this address";
            let hint = format!("try again in {} seconds", wait.as_secs().saturating_add(1));
            let farewell = Farewell::new("53300", message).hint(hint);
            send_away(proxy, rules, greeted, farewell, session, peer).await;
            return None;
        }
    }
    match authenticate(&mut greeted, rules, &proxy.secret, session).await {
        Ok(admitted) => {
            proxy.slowing.succeeded(&kind);
            Some((greeted, admitted))
        }
        Err(NotIn::Gone) => None,
        Err(NotIn::Away(farewell)) => {
            if farewell.code == WRONG_PASSWORD {
                proxy.slowing.failed(kind, std::time::Instant::now());
            }
            send_away(proxy, rules, greeted, farewell, session, peer).await;
            None
        }
    }
}

/// A client that is who it says: its role, its database, its session. `None`: it was sent away.
async fn begin(
    proxy: Arc<Proxy>,
    rules: Arc<InForce>,
    greeted: Greeted,
    Admitted { user, until }: Admitted,
    session: u64,
    peer: Peer,
    stage: watch::Receiver<Stage>,
) -> Option<AtWork> {
    let welcomed = welcoming::welcome(&proxy, &rules, &greeted.startup, &user, session, peer).await;
    let welcomed = match welcomed {
        Ok(welcomed) => welcomed,
        Err(farewell) => {
            send_away(&proxy, &rules, greeted, farewell, session, peer).await;
            return None;
        }
    };
    let is_untouched = matches!(welcomed.kind, Kind::Untouched(..));
    let facts = Arc::clone(&welcomed.facts);
    let incoming = proxy.in_force.subscribe();
    let seat = proxy.metrics.seat(&facts.role);
    let entered = proxy.roll.enter(&facts, seat.watched());
    let standing =
        Standing::new(incoming, rules, &user.name, &facts.role, is_untouched, until, entered);
    let mut journal = Journal::new(proxy.audit.clone(), Arc::clone(&proxy.metrics), welcomed.facts);
    if let Err(error) = journal.login().await {
        let refusal = journal::not_accepted(&error);
        let farewell = Farewell::new(refusal.code, refusal.message);
        closing::close(greeted.stream, &farewell.frame()).await;
        return None;
    }
    journal.trace(proxy.telemetry.as_ref().map(|telemetry| {
        telemetry.session(session, &facts.role, &facts.database, greeted.arrived)
    }));
    let mut attached = Attached::new(
        Link::new(greeted.stream, greeted.buffer),
        Out { to_client: welcomed.welcome, ..Out::default() },
        journal,
        standing,
        seat,
        welcomed.presence,
        welcomed.place,
        session,
        stage,
    );
    Some(match welcomed.kind {
        Kind::Masked(masked) => AtWork::Masked(Box::new(Serving::new(proxy, attached, *masked))),
        Kind::Untouched(server, moving) => {
            attached.attach(*server);
            attached.may_be_cancelled().await;
            let (purpose, end_user) = (welcomed.purpose, welcomed.end_user);
            let untouched = Untouched::new(proxy, attached, &facts, purpose, end_user, moving);
            AtWork::Untouched(Box::new(untouched))
        }
    })
}

/// Tells a client why it does not get in, and the audit that it tried.
async fn send_away(
    proxy: &Proxy,
    rules: &InForce,
    greeted: Greeted,
    farewell: Farewell,
    session: u64,
    peer: Peer,
) {
    proxy.metrics.login_refused(&farewell.code);
    if let Some(telemetry) = &proxy.telemetry {
        telemetry.login_refused(session, greeted.arrived, &farewell.code);
    }
    let facts: SessionFacts = welcoming::claimed_facts(rules, &greeted.startup, session, peer);
    let record = Record::Login { facts: Arc::new(facts), refused: Some(farewell.code.clone()) };
    if let Err(error) = proxy.audit.accept(record).await {
        tracing::error!(session, %error, "a record is missing in the audit trail");
    }
    closing::close(greeted.stream, &farewell.frame()).await;
}

#[cfg(test)]
mod tests {
    use super::{Serving, Stage, Standing, Untouched, attend, watch};

    /// Bytes of the future that a function gives.
    fn size<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Bytes of what an idle session waits for.
    fn waits<F>(_: impl Fn(&Standing, &watch::Receiver<Stage>) -> F) -> usize {
        size_of::<F>()
    }

    /// As long as a session is there, its task holds the largest of all that it may ever wait for.
    #[test]
    fn an_idle_session_takes_a_few_kilobytes() {
        let waiting = waits(Standing::changes::<Stage>);
        assert!(waiting <= 512, "what it waits for: {waiting}");
        assert!(size(attend) <= 2 * 1024, "the task: {}", size(attend));
        assert!(size_of::<Serving>() <= 3 * 1024, "masked: {}", size_of::<Serving>());
        assert!(size_of::<Untouched>() <= 3 * 1024, "untouched: {}", size_of::<Untouched>());
    }
}
