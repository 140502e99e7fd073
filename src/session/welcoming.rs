//! From a client that is who it says to a session: role, settings, database, welcome.
//!
//! INVARIANT: a masked session starts with its texts read the one way that planning assumes (encoding, string
//! syntax), with a search_path that is known, and with what its role may see; else it does not start.

use std::sync::Arc;

use bytes::BytesMut;

use super::Proxy;
use super::catalogs::{CatalogFault, Lease};
use super::closing::Farewell;
use super::crowd::Place;
use super::entrance::{Entrance, Start};
use super::footprint::Reported;
use super::in_force::{InForce, passes_through};
use super::link::Server;
use super::parameters::{self, Unfit, Wishes};
use super::peer::Peer;
use super::planning::Who;
use super::registry::Presence;
use super::settings::Values;
use super::untouched::Moving;
use crate::audit::SessionFacts;
use crate::config::PseudonymKey;
use crate::policy::RoleView;
use crate::pool::{Lineage, PoolMode};
use crate::rules::{Role, User};
use crate::sql::unfit_to_state;
use crate::wire::startup::Startup;
use crate::wire::writer;

/// A session about to begin.
pub struct Welcomed {
    /// Who it is, for the audit.
    pub facts: Arc<SessionFacts>,
    /// The session's entry in the registry.
    pub presence: Presence,
    /// What it counts as.
    pub place: Place,
    /// What the client is told.
    pub welcome: BytesMut,
    /// What it is made of.
    pub kind: Kind,
    /// As stated at startup.
    pub purpose: Option<String>,
    /// As stated at startup.
    pub end_user: Option<String>,
}

/// What a session is made of.
pub enum Kind {
    /// A masked one.
    Masked(Box<Masked>),
    /// One that is passed through, with its first server connection and the way to others.
    Untouched(Box<Server>, Moving),
}

/// A masked session.
pub struct Masked {
    /// Whose it is.
    pub who: Who,
    /// Its interest in the database's catalog.
    pub lease: Lease,
    /// What the role sees.
    pub view: Arc<RoleView>,
    /// Settings at the start.
    pub start: Values,
    /// Parameters that the client is told.
    pub told: Reported,
    /// Its way to server connections.
    pub entrance: Entrance,
}

/// What is known of a client when it is sent away.
pub fn claimed_facts(rules: &InForce, startup: &Startup, session: u64, peer: Peer) -> SessionFacts {
    let application = startup.parameter("application_name").unwrap_or_default();
    SessionFacts {
        session,
        user: parameters::cut(startup.user().unwrap_or_default()),
        role: String::new(),
        client: peer.to_string(),
        via: peer.via().map(|proxy| proxy.to_string()),
        application: parameters::cut(application),
        database: parameters::cut(startup.database().unwrap_or_default()),
        rules: rules.rules.version.clone(),
    }
}

/// Chooses the role, connects to the database, and puts the welcome together.
pub async fn welcome(
    proxy: &Proxy,
    rules: &InForce,
    startup: &Startup,
    user: &User,
    session: u64,
    peer: Peer,
) -> Result<Welcomed, Farewell> {
    let wishes = parameters::wishes(startup)?;
    let role = role(rules, user, &wishes)?;
    judge_own_settings(role, user, &wishes)?;
    let place = proxy.crowd.enter(&proxy.connection_limits, peer.ip(), user, role)?;
    let is_untouched = passes_through(role);
    let endpoint = proxy.endpoint(role);
    let database = startup.database().unwrap_or_default();
    let servers = proxy.pools.place(&endpoint, database, is_untouched);
    let is_shared = proxy.pools.options().mode == PoolMode::Transaction;
    let (mut kind, told) = match is_untouched {
        true => {
            let parameters = Arc::new(parameters::untouched_parameters(&wishes));
            let lineage = Lineage { is_untouched, parameters };
            let taken = servers.take(&lineage, session).await;
            let mut server = taken.map_err(|error| {
                tracing::warn!(session, %error, "no server connection");
                Farewell::from(&error)
            })?;
            let told = server.connection().map(|connection| connection.parameters.clone());
            let told: Reported = Arc::new(told.unwrap_or_default());
            let moving = Moving::new(servers, lineage, Arc::clone(&told), is_shared);
            (Kind::Untouched(Box::new(server), moving), told)
        }
        false => {
            let limits = role.limits;
            let parameters = match parameters::masked_parameters(&wishes, limits) {
                Ok(parameters) => parameters,
                Err(Unfit { farewell, refused }) => {
                    let Some(name) = refused else { return Err(farewell) };
                    let own = parameters::masked_parameters(&Wishes::default(), limits);
                    let parameters = Arc::new(own.map(|own| own.pinned).unwrap_or_default());
                    let mut entrance =
                        Entrance::new(servers, Lineage { is_untouched, parameters }, true);
                    return Err(match entrance.has_setting(session, &name).await? {
                        true => farewell,
                        false => parameters::unknown_setting(&name),
                    });
                }
            };
            let (mut opened_with, start) = match is_shared {
                true => (parameters.pinned.clone(), parameters.start()?),
                false => (parameters.all(&wishes), Start::default()),
            };
            // Who has no use for it does not get it; an untouched role could even read it.
            if role.is_keyed() {
                opened_with.extend(proxy.pseudonym_key.iter().flat_map(PseudonymKey::parameters));
            }
            let lineage = Lineage { is_untouched, parameters: Arc::new(opened_with) };
            let mut entrance = Entrance::new(servers, lineage, is_shared);
            let greeting = entrance.greeting(&proxy.greetings, session, &start).await?;
            let lease = proxy.catalogs.enter(database, &endpoint);
            let view = view(rules, &lease, role).await?;
            let told = Arc::clone(&greeting.reported);
            let masked = Masked {
                who: Who { user: user.name.as_str().into(), acts_for_others: user.acts_for_others },
                lease,
                view,
                start: Values {
                    search_path: greeting.search_path,
                    purpose: wishes.purpose.clone(),
                    end_user: wishes.end_user.clone(),
                    details: Arc::new(wishes.details.clone()),
                    others: start.others,
                    ..Values::default()
                },
                told: greeting.reported,
                entrance,
            };
            (Kind::Masked(Box::new(masked)), told)
        }
    };
    let has_long_keys = startup.minor_spoken() >= 2;
    // It keeps this connection as long as nobody waits for one.
    let process_id = match &mut kind {
        Kind::Untouched(server, _) => {
            server.connection().map(|connection| connection.backend_key.0)
        }
        Kind::Masked(_) => None,
    };
    let presence = proxy
        .registry
        .enter(has_long_keys, process_id)
        .ok_or_else(|| Farewell::new("XX000", "scrim: the system gives no random numbers"))?;
    let mut welcome = BytesMut::new();
    say_welcome(&mut welcome, user, &told, &presence, !is_untouched)?;
    let facts = SessionFacts {
        user: user.name.clone(),
        role: role.name.clone(),
        application: wishes.application,
        ..claimed_facts(rules, startup, session, peer)
    };
    let (purpose, end_user) = (wishes.purpose, wishes.end_user);
    Ok(Welcomed { facts: Arc::new(facts), presence, place, welcome, kind, purpose, end_user })
}

fn role<'a>(rules: &'a InForce, user: &User, wishes: &Wishes) -> Result<&'a Role, Farewell> {
    let name = match &wishes.role {
        Some(wanted) if user.roles.contains(wanted) => Some(wanted),
        Some(wanted) => {
            let message = format!("scrim: role `{wanted}` is not one of user `{}`'s", user.name);
            let hint = format!("the roles of this user: {}", user.roles.join(", "));
            return Err(Farewell::new("28000", message).hint(hint));
        }
        None => user.roles.first(),
    };
    name.and_then(|name| rules.rules.roles.get(name))
        .ok_or_else(|| Farewell::new("28000", format!("scrim: user `{}` has no role", user.name)))
}

fn judge_own_settings(role: &Role, user: &User, wishes: &Wishes) -> Result<(), Farewell> {
    if let Some(unknown) = wishes.details.keys().find(|name| !role.details.contains_key(*name)) {
        return Err(parameters::unknown_setting(&format!("scrim.{unknown}")));
    }
    let own = [("purpose", &wishes.purpose), ("end_user", &wishes.end_user)];
    let own = own.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let details = wishes.details.iter().map(|(name, value)| (name.as_str(), value));
    if let Some(unfit) =
        own.chain(details).find_map(|(name, value)| unfit_to_state(role, name, value))
    {
        let farewell = Farewell::new(unfit.code, unfit.message);
        return Err(match unfit.hint {
            Some(hint) => farewell.hint(hint),
            None => farewell,
        });
    }
    if wishes.end_user.is_some() && !user.acts_for_others {
        let message = format!("scrim: user `{}` may not state `scrim.end_user`", user.name);
        return Err(Farewell::new("28000", message)
            .hint("the user needs `acts_for_others: true` in the rules"));
    }
    Ok(())
}

/// What the role sees, once the catalog is known.
async fn view(rules: &InForce, lease: &Lease, role: &Role) -> Result<Arc<RoleView>, Farewell> {
    lease.view(&role.name, rules).await.map_err(|error| {
        tracing::warn!(%error, "no catalog");
        match error {
            CatalogFault::Upstream(error) => Farewell::from(&error),
            CatalogFault::Load(_) | CatalogFault::Timeout | CatalogFault::NoRole => {
                Farewell::new("57P03", "scrim: the catalog of the database cannot be read")
                    .hint("the log of Scrim has the details")
            }
        }
    })
}

fn say_welcome(
    out: &mut BytesMut,
    user: &User,
    told: &Reported,
    presence: &Presence,
    is_masked: bool,
) -> Result<(), Farewell> {
    writer::authentication_ok(out);
    for (name, value) in told.iter() {
        let value = match name.as_str() {
            "session_authorization" => &user.name,
            "is_superuser" if is_masked => "off",
            _ => value,
        };
        writer::parameter_status(out, name, value);
    }
    writer::backend_key_data(out, presence.process_id(), presence.key())
        .map_err(|_| Farewell::new("XX000", "scrim: the cancel key cannot be told"))?;
    writer::ready_for_query(out, b'I');
    Ok(())
}
