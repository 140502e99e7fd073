//! One client: greeting, login, and the queue of expected replies.
//!
//! ```text
//! greeting ─► authenticating ─► serving ─► end
//! ```
//!
//! A session and its server connection are two values: `serving` turns the pieces of either side into bytes for
//! the other, through [`pipeline`], which is pure. No SQL is read here; that is `sql`'s.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod authenticating;
mod frontend;
mod greeting;
mod pipeline;
mod registry;
mod serving;
mod settings;
mod statements;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::audit::Audit;
use crate::config::ClientTls;
use crate::rules::RuleSet;
use crate::upstream::Endpoint;
use crate::wire::sasl::ProcessSecret;
use greeting::Turned;
use registry::Registry;

/// How long a client has to log in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Sockets that may be on their way to a login, in all and from one address.
const UNAUTHENTICATED_MAX: usize = 256;
const UNAUTHENTICATED_PER_ADDRESS_MAX: usize = 64;

/// How often the catalogs are looked at again.
const CATALOG_EVERY: Duration = Duration::from_secs(5);

/// How long sessions have to end at a shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a proxy is made of.
#[derive(Debug, Clone)]
pub struct ProxyOptions {
    /// The PostgreSQL behind.
    pub endpoint: Endpoint,
    /// What clients see.
    pub tls: ClientTls,
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// The audit trail.
    pub audit: Audit,
}

/// Shared by all sessions.
pub struct Proxy {
    endpoint: Endpoint,
    tls: ClientTls,
    rules: Arc<RuleSet>,
    audit: Audit,
    secret: ProcessSecret,
    registry: Registry,
    sessions: AtomicU64,
    unauthenticated: Arc<Semaphore>,
    by_address: DashMap<IpAddr, usize>,
}

impl Proxy {
    /// `None` when there is no randomness.
    pub fn new(options: ProxyOptions) -> Option<Arc<Proxy>> {
        let ProxyOptions { endpoint, tls, rules, audit } = options;
        Some(Arc::new(Proxy {
            registry: Registry::new(endpoint.clone(), rules.clone()),
            endpoint,
            tls,
            rules,
            audit,
            secret: ProcessSecret::random()?,
            sessions: AtomicU64::new(0),
            unauthenticated: Arc::new(Semaphore::new(UNAUTHENTICATED_MAX)),
            by_address: DashMap::new(),
        }))
    }
}

/// Serves clients until `shutdown`, then ends the sessions.
pub async fn serve(proxy: Arc<Proxy>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let (stop, stopped) = watch::channel(false);
    let mut sessions = JoinSet::new();
    let watcher = tokio::spawn(watch_catalogs(proxy.clone()));
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = sessions.join_next(), if !sessions.is_empty() => {
                if let Err(error) = ended {
                    // A panic ends its own session alone.
                    tracing::error!(%error, "a session ended badly");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    sessions.spawn(client(proxy.clone(), socket, stopped.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must end first.
                    tracing::error!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    watcher.abort();
    // Sessions that have ended do not listen any more.
    let _ = stop.send(true);
    let all = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, all).await.is_err() {
        tracing::warn!(count = sessions.len(), "sessions were cut off");
        sessions.shutdown().await;
    }
}

async fn watch_catalogs(proxy: Arc<Proxy>) {
    loop {
        tokio::time::sleep(CATALOG_EVERY).await;
        for database in proxy.registry.databases() {
            proxy.registry.refresh(&database).await;
        }
    }
}

/// One connection, from its first byte to its last.
async fn client(proxy: Arc<Proxy>, socket: TcpStream, stopped: watch::Receiver<bool>) {
    let Ok(address) = socket.peer_addr() else { return };
    let Ok(permit) = proxy.unauthenticated.clone().try_acquire_owned() else {
        tracing::warn!("too many connections that have not logged in");
        return;
    };
    let Some(counted) = Counted::new(&proxy, address.ip()) else {
        tracing::warn!(%address, "too many connections from this address that have not logged in");
        return;
    };
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let session = proxy.sessions.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    let login = async {
        let greeted = greeting::greet(&proxy, socket).await?;
        authenticating::authenticate(&proxy, greeted, session, address.to_string()).await
    };
    let welcomed = match tokio::time::timeout(LOGIN_TIMEOUT, login).await {
        Ok(Ok(welcomed)) => welcomed,
        Ok(Err(Turned::Cancel)) => return,
        Ok(Err(turned)) => {
            tracing::info!(session, %address, %turned, "a client did not log in");
            return;
        }
        Err(_) => {
            tracing::info!(session, %address, "a client took too long to log in");
            return;
        }
    };
    drop(counted);
    drop(permit);
    serving::serve_session(proxy, welcomed, stopped).await;
}

/// One more unauthenticated connection of an address, while it lives.
struct Counted<'a> {
    proxy: &'a Proxy,
    address: IpAddr,
}

impl<'a> Counted<'a> {
    fn new(proxy: &'a Proxy, address: IpAddr) -> Option<Counted<'a>> {
        let mut count = proxy.by_address.entry(address).or_default();
        if *count >= UNAUTHENTICATED_PER_ADDRESS_MAX {
            return None;
        }
        *count = count.saturating_add(1);
        drop(count);
        Some(Counted { proxy, address })
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(mut count) = self.proxy.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
        }
        self.proxy.by_address.remove_if(&self.address, |_, count| *count == 0);
    }
}
