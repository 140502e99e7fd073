//! What the console asks of the proxy: whether a password is right, who is here, to end a session, and a session of
//! somebody whom it knows.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};

use super::authenticating::Admitted;
use super::greeting::{Greeting, greet};
use super::peer::Peer;
use super::roll::Present;
use super::slowing::{self, TooLong};
use super::stream::ClientStream;
use super::{AtWork, LOGIN_DEADLINE, Proxy, Stage, begin, parameters};
use crate::audit::SessionFacts;
use crate::config::ClientTls;
use crate::pool::Figures;
use crate::wire::sasl::{SaslFault, Scram};

/// The one mechanism without a TLS connection to bind to.
const MECHANISM: &str = "SCRAM-SHA-256";

/// Why somebody is not who they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Unknown, or the password is wrong, or the user has none, or needs more than one: nothing tells which.
    Wrong,
    /// Too many have failed; so many seconds to wait.
    TooMany(u64),
}

impl Proxy {
    /// Whether this is the password of the user, by the same verifier and with the same slowness after failures as for
    /// sessions. Who needs a certificate or a token is not admitted: neither can be shown here. `turns` are so many as may
    /// be looked at at once.
    ///
    /// # Errors
    /// Why not, in words that tell nobody which names there are.
    pub async fn check_password(
        &self,
        name: &str,
        password: SecretString,
        address: Option<IpAddr>,
        turns: &Semaphore,
    ) -> Result<(), NotAdmitted> {
        let kind = slowing::kind(address, &parameters::cut(name));
        match self.slowing.enter(&kind, Instant::now()) {
            Ok(wait) => tokio::time::sleep(wait).await,
            Err(TooLong(wait)) => {
                return Err(NotAdmitted::TooMany(wait.as_secs().saturating_add(1)));
            }
        }
        let user = self.rules().user(name);
        let user = user.filter(|user| user.certificate.is_none() && user.token.is_none());
        let verifier = user.and_then(|user| user.verifier);
        let verifier = verifier.as_ref().map(|verifier| verifier.expose_secret());
        let scram = Scram::new(verifier, name, &self.secret, None);
        // Taken after the wait, so that who must wait holds up nobody. The semaphore is never closed.
        let _turn = turns.acquire().await;
        // As slow as the verifier wants it to be, so not where it would hold up others.
        let checked = tokio::task::spawn_blocking(move || speak(scram, &password)).await;
        match checked.unwrap_or(Err(SaslFault::Password)) {
            Ok(()) => {
                self.slowing.succeeded(&kind);
                Ok(())
            }
            Err(_) => {
                self.slowing.failed(kind, Instant::now());
                Err(NotAdmitted::Wrong)
            }
        }
    }

    /// A session of a user who is known already: like any other from the greeting on, with its limits, its audit and its
    /// place in the roll, but that nobody asks for a password. The user is taken from the rules in force, whatever the
    /// startup message says.
    ///
    /// # Errors
    /// The system gives no sockets.
    pub fn session_of(
        self: &Arc<Self>,
        user: &str,
        client: SocketAddr,
        stage: watch::Receiver<Stage>,
    ) -> io::Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()?;
        let (proxy, user) = (Arc::clone(self), user.to_owned());
        tokio::spawn(async move {
            let session = proxy.sessions.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let greeting = greet(ClientStream::Unix(ours), &ClientTls::Disable);
            let greeting = tokio::time::timeout(LOGIN_DEADLINE, Box::pin(greeting)).await;
            let Ok(Greeting::Session(greeted)) = greeting else { return };
            let rules = Arc::clone(&proxy.in_force.borrow());
            let Some(user) = rules.rules.user(&user) else { return };
            let admitted = Admitted { user, until: None };
            let peer = Peer::tcp(client);
            let beginning = begin(proxy, rules, *greeted, admitted, session, peer, stage);
            match Box::pin(beginning).await {
                Some(AtWork::Masked(serving)) => serving.serve().await,
                Some(AtWork::Untouched(untouched)) => untouched.serve().await,
                None => {}
            }
        });
        Ok(theirs)
    }

    /// All sessions.
    pub fn sessions(&self) -> Vec<Present> {
        self.roll.all()
    }

    /// Ends a session, as an administrator of PostgreSQL would: what it runs is cancelled. `None`: it is not here.
    pub fn end_session(&self, number: u64) -> Option<Arc<SessionFacts>> {
        let facts = self.roll.mark(number)?;
        // Wakes all, who look whether they are meant.
        self.in_force.send_modify(|_| {});
        Some(facts)
    }

    /// How full the pools are.
    pub fn pool_figures(&self) -> Vec<Figures> {
        self.pools.figures()
    }
}

/// Both sides of a login, of which this process is both.
fn speak(mut scram: Scram, password: &SecretString) -> Result<(), SaslFault> {
    let password = password.expose_secret().as_bytes();
    let mut client = ScramSha256::new(password, ChannelBinding::unsupported());
    let said = scram.first(MECHANISM, client.message())?;
    client.update(said.as_bytes()).map_err(|_| SaslFault::Malformed)?;
    scram.last(client.message()).map(drop)
}
