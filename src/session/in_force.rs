//! The rules in force, and how a live session comes by newer ones.
//!
//! Newer rules are made ready beside the old ones and then put in their place at once. A session follows between
//! messages; one that could not have begun under the newer rules, or that only a new session can follow them with,
//! is ended at once. [`judge`] decides, and is pure. A session that began with a token ends with the token.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::time::Instant;

use super::closing::Farewell;
use super::roll::Entered;
use crate::config::ClientTls;
use crate::rules::{DatabaseUser, Role, RuleSet, User};
use crate::tokens::Tokens;

/// How long a unit of the extended protocol that is under way may take to its Sync: what has been bound in it is still
/// executed. Who sends it at once does not notice; who keeps a unit open does not keep the rules.
const UNIT_GRACE: Duration = Duration::from_secs(1);
/// SQLSTATE of a session whose token has expired: class 28, invalid authorization, and a subclass that neither the
/// standard nor PostgreSQL has.
const TOKEN_EXPIRED: &str = "28S01";
/// Somebody may set the clock: a token is looked at again after so long at the latest.
const LOOK_AT_TOKEN: Duration = Duration::from_secs(60);

/// What of the configuration can change while Scrim runs.
pub struct InForce {
    /// The rules.
    pub rules: Arc<RuleSet>,
    /// What clients see.
    pub tls: ClientTls,
    /// Whose tokens let somebody in.
    pub tokens: Option<Arc<Tokens>>,
    /// Counts up with each change.
    pub number: u64,
}

/// A session's side: what it goes by, and whether there is something newer.
pub struct Standing {
    incoming: watch::Receiver<Arc<InForce>>,
    /// There may be something newer that has not been looked at.
    is_heard: bool,
    /// What the session goes by.
    current: Arc<InForce>,
    /// What it has been found able to follow, and does not yet.
    next: Option<(Arc<InForce>, Instant)>,
    user: String,
    role: String,
    is_untouched: bool,
    /// When the token is over by which it has begun.
    until: Option<SystemTime>,
    /// Where an operator finds it.
    entered: Entered,
}

impl Standing {
    /// For a session that began under `current`, and that ends at `until` where it began with a token, or when an
    /// operator wants it to.
    pub fn new(
        incoming: watch::Receiver<Arc<InForce>>,
        current: Arc<InForce>,
        user: &str,
        role: &str,
        is_untouched: bool,
        until: Option<SystemTime>,
        entered: Entered,
    ) -> Standing {
        let (user, role) = (user.to_owned(), role.to_owned());
        // They may have changed while the session began.
        Standing {
            incoming,
            is_heard: true,
            current,
            next: None,
            user,
            role,
            is_untouched,
            until,
            entered,
        }
    }

    /// The end that a token brings, or newer rules as soon as there are any.
    pub fn must_end(&mut self) -> Option<Farewell> {
        if self.until.is_some_and(|until| until <= SystemTime::now()) {
            let message = "scrim: the token of this session has expired";
            return Some(
                Farewell::new(TOKEN_EXPIRED, message).hint("connect again with a new token"),
            );
        }
        if !self.is_heard && !self.incoming.has_changed().unwrap_or(false) {
            return None;
        }
        self.is_heard = false;
        if self.entered.must_end() {
            return Some(Farewell::shutdown());
        }
        let newest = match &self.next {
            Some((next, _)) => next.number,
            None => self.current.number,
        };
        let next = Arc::clone(&self.incoming.borrow_and_update());
        if next.number == newest {
            return None;
        }
        let (old, new) = (&self.current.rules, &next.rules);
        match judge(old, new, &self.user, &self.role, self.is_untouched) {
            Ok(()) => {
                // Whoever falls further behind is behind since the first.
                let since = self.next.as_ref().map_or_else(Instant::now, |(_, since)| *since);
                self.next = Some((next, since));
                None
            }
            Err(farewell) => Some(farewell),
        }
    }

    /// True when the session has yet to follow.
    pub fn is_behind(&self) -> bool {
        self.next.is_some()
    }

    /// True when it has been so for a moment only.
    pub fn has_grace(&self) -> bool {
        self.next.as_ref().is_some_and(|(_, since)| since.elapsed() < UNIT_GRACE)
    }

    /// From now on by the newer rules: gives them, once.
    pub fn follow(&mut self) -> Option<Arc<InForce>> {
        let (next, _) = self.next.take()?;
        self.current = Arc::clone(&next);
        Some(next)
    }

    /// The rules that the session goes by.
    pub fn current(&self) -> &Arc<InForce> {
        &self.current
    }

    /// What returns when there is something newer than now, the token is over, or `also` has another value. Every idle
    /// session keeps one, so it is one future and not several within each other.
    pub fn changes<T: Send + Sync>(
        &self,
        also: &watch::Receiver<T>,
    ) -> impl Future<Output = ()> + Send + Sync + use<T> {
        let (mut incoming, mut also) = (self.incoming.clone(), also.clone());
        incoming.mark_unchanged();
        also.mark_unchanged();
        // Few sessions have a token.
        let over = self.until.map(|until| Box::pin(over(until)));
        async move {
            let is_gone = tokio::select! {
                changed = incoming.changed() => changed.is_err(),
                changed = also.changed() => changed.is_err(),
                () = or_never(over) => false,
            };
            if is_gone {
                // The proxy is, which only happens to tests that drop it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when there is something newer, or the token is over.
    pub async fn changed(&mut self) {
        let over = self.until.map(|until| Box::pin(over(until)));
        tokio::select! {
            changed = self.incoming.changed() => {
                if changed.is_err() {
                    // The proxy is gone, which only happens to tests that drop it.
                    std::future::pending::<()>().await;
                }
                self.is_heard = true;
            }
            () = or_never(over) => {}
        }
    }
}

/// Returns when `done` does, and never where there is none.
async fn or_never(done: Option<impl Future<Output = ()> + Unpin>) {
    match done {
        Some(done) => done.await,
        None => std::future::pending().await,
    }
}

/// Returns when it is so late.
async fn over(until: SystemTime) {
    while let Some(rest) = until.duration_since(SystemTime::now()).ok().filter(|it| !it.is_zero()) {
        tokio::time::sleep(rest.min(LOOK_AT_TOKEN)).await;
    }
}

/// Fetches the keys of tokens when it is time, whoever logs in: what an issuer has taken back shall not count for long.
pub async fn keep_keys_fresh(mut incoming: watch::Receiver<Arc<InForce>>) {
    loop {
        let tokens = incoming.borrow_and_update().tokens.clone();
        let rest = match &tokens {
            Some(tokens) => {
                tokens.refresh().await;
                tokens.rest()
            }
            None => Duration::MAX,
        };
        // Also where nobody's tokens are taken any more, or another's.
        if let Ok(Err(_)) = tokio::time::timeout(rest, incoming.changed()).await {
            return;
        }
    }
}

/// True when a role's bytes pass as they are. Limits (of connections aside) and purposes are kept by what a masked session does; a role that
/// has them is not passed through.
pub fn passes_through(role: &Role) -> bool {
    role.is_untouched() && !role.limits.look_at_sessions() && role.purposes.is_empty()
}

/// May a session that began under the old rules go on under the new ones?
pub fn judge(
    old: &RuleSet,
    new: &RuleSet,
    user: &str,
    role: &str,
    is_untouched: bool,
) -> Result<(), Farewell> {
    let (before, after) = (old.user(user), new.user(user));
    let (before, Some(after)) = (before.as_ref(), after.as_ref()) else {
        return Err(ended(format!("user `{user}` is not in the rules any more")));
    };
    if before.is_none_or(|before| verifier(before) != verifier(after)) {
        return Err(ended(format!("the password of user `{user}` has changed")));
    }
    if before.is_some_and(|before| before.certificate != after.certificate) {
        return Err(ended(format!("the certificate of user `{user}` has changed")));
    }
    if before.is_some_and(|before| before.token != after.token) {
        return Err(ended(format!("the token of user `{user}` has changed")));
    }
    if before.is_some_and(|before| before.acts_for_others && !after.acts_for_others) {
        return Err(ended(format!("user `{user}` may not act for others any more")));
    }
    let new_role = new.roles.get(role).filter(|_| after.roles.iter().any(|name| name == role));
    let (Some(old_role), Some(new_role)) = (old.roles.get(role), new_role) else {
        return Err(ended(format!("role `{role}` is not one of user `{user}`'s any more")));
    };
    if is_untouched && !passes_through(new_role) {
        return Err(ended(format!("role `{role}` does not see everything any more")));
    }
    match only_for_new_sessions(old_role, new_role) {
        Some(what) => Err(ended(format!("{what} of role `{role}` changed"))),
        None => Ok(()),
    }
}

/// What a session has been given once, at its start.
fn only_for_new_sessions(old: &Role, new: &Role) -> Option<&'static str> {
    let stated_is_kept = old.purposes.iter().all(|purpose| new.purposes.contains(purpose));
    if login(old.database_user.as_ref()) != login(new.database_user.as_ref()) {
        Some("the login at the database")
    } else if old.limits.statement_seconds != new.limits.statement_seconds {
        Some("the statement time limit")
    } else if old.limits.idle_transaction_seconds != new.limits.idle_transaction_seconds {
        Some("the time limit of idle transactions")
    } else if new.is_keyed() && !old.is_keyed() {
        Some("the use of keyed masks")
    } else if !stated_is_kept || (old.purposes.is_empty() && !new.purposes.is_empty()) {
        Some("the purposes")
    } else {
        None
    }
}

fn verifier(user: &User) -> Option<&str> {
    user.verifier.as_ref().map(ExposeSecret::expose_secret)
}

fn login(own: Option<&DatabaseUser>) -> Option<(&str, Option<&str>)> {
    own.map(|own| (own.user.as_str(), own.password.as_ref().map(ExposeSecret::expose_secret)))
}

fn ended(why: String) -> Farewell {
    Farewell::new("57P01", format!("scrim: the rules have changed: {why}"))
        .hint("this session is over; connect again for what the rules allow now")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{NoEnvironment, load};
    use crate::text::Sources;

    const ROLES: &str = "roles:\n  desk:\n    may: [read]\n    masks: {\"*\": redact}\n";

    fn rules(roles: &str, users: &str) -> RuleSet {
        let mut sources = Sources::default();
        sources.add("rules.yaml".to_owned(), format!("{roles}{users}"));
        load(sources, &NoEnvironment).unwrap_or_else(|(_, found)| panic!("{found:?}")).0
    }

    fn users(role: &str, password: &str) -> String {
        // Any salt would do, and the same one makes the same verifier.
        let key = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(format!("{text:0>32}"))
        };
        let (salt, key) = (key("salt"), key(password));
        format!(
            "users:\n  kim: {{role: {role}, password: \"SCRAM-SHA-256$4096:{salt}${key}:{key}\"}}\n"
        )
    }

    #[test]
    fn who_could_not_have_begun_is_ended_and_others_go_on() {
        let other = "  other:\n    may: [read]\n    masks: {\"*\": redact}\n";
        let with_other = format!("{ROLES}{other}");
        let old = rules(&with_other, &users("desk", "a"));
        let changed = |more: &str| format!("{ROLES}{more}{other}");
        let lee = users("desk", "a").replace("kim", "lee");
        for (roles, users, said) in [
            (with_other.as_str(), users("desk", "a"), None),
            (&with_other.replace("redact", "null"), users("desk", "a"), None),
            (&with_other, lee, Some("user `kim` is not in")),
            (&with_other, users("desk", "b"), Some("the password of user `kim`")),
            (
                &with_other,
                users("desk", "a").replace('}', ", certificate: kim}"),
                Some("the certif"),
            ),
            (&with_other, users("other", "a"), Some("role `desk` is not one of")),
            (&other.replacen("  other", "roles:\n  other", 1), users("other", "a"), Some("role")),
            (&changed("    limits: {statement_seconds: 3}\n"), users("desk", "a"), Some("time")),
            (
                &changed("    limits: {idle_transaction_seconds: 3}\n"),
                users("desk", "a"),
                Some("time"),
            ),
            (&changed("    limits: {rows: 3, bytes: 3}\n"), users("desk", "a"), None),
            (&changed("    limits: {connections: 1}\n"), users("desk", "a"), None),
            (&changed("    limits: {statements_per_second: 1}\n"), users("desk", "a"), None),
            (&changed("    purposes: [help]\n"), users("desk", "a"), Some("the purposes")),
            (&changed("    database_user: {user: own}\n"), users("desk", "a"), Some("login")),
        ] {
            let new = rules(roles, &users);
            let judged = judge(&old, &new, "kim", "desk", false);
            match (said, judged) {
                (None, Ok(())) => {}
                (Some(said), Err(farewell)) => {
                    assert!(farewell.message.contains(said), "{farewell}");
                    assert_eq!(farewell.code, "57P01");
                }
                (said, judged) => panic!("{said:?}: {judged:?}"),
            }
        }
    }

    #[test]
    fn purposes_may_become_more_but_not_fewer() {
        let with =
            |list: &str| rules(&format!("{ROLES}    purposes: [{list}]\n"), &users("desk", "a"));
        let (few, many) = (with("help"), with("help, refund"));
        assert!(judge(&few, &many, "kim", "desk", false).is_ok());
        assert!(judge(&many, &few, "kim", "desk", false).is_err());
    }

    #[test]
    fn who_is_passed_through_needs_a_role_that_is() {
        let all = "roles:\n  desk:\n    may: [everything]\n    masks: {\"*\": clear}\n";
        let (open, closed) = (rules(all, &users("desk", "a")), rules(ROLES, &users("desk", "a")));
        assert!(judge(&open, &open, "kim", "desk", true).is_ok());
        assert!(judge(&open, &closed, "kim", "desk", true).is_err());
        assert!(judge(&closed, &open, "kim", "desk", false).is_ok());
    }
}
