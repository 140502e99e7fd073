//! From a client that is who it says to a session with a server connection: role, settings, database, welcome.
//!
//! INVARIANT: a masked session starts with its texts read the one way that planning assumes (encoding, string
//! syntax), with a search_path that is known, and with what its role may see; else it does not start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::Proxy;
use super::catalogs::{CatalogFault, Lease};
use super::closing::Farewell;
use super::in_force::{InForce, passes_through};
use super::parameters::{self, Wishes};
use super::planning::Who;
use super::registry::Presence;
use super::settings::Values;
use crate::audit::SessionFacts;
use crate::catalog::{SearchPath, TempTables};
use crate::config::PseudonymKey;
use crate::policy::RoleView;
use crate::rules::{Role, User};
use crate::upstream::{Endpoint, ServerConnection};
use crate::wire::startup::Startup;
use crate::wire::writer;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

/// A session about to begin.
pub struct Welcomed {
    /// Who it is, for the audit.
    pub facts: Arc<SessionFacts>,
    /// The server connection, logged in.
    pub server: ServerConnection,
    /// Where it leads.
    pub endpoint: Arc<Endpoint>,
    /// The session's entry in the registry.
    pub presence: Presence,
    /// What the client is told.
    pub welcome: BytesMut,
    /// `None`: the role is untouched.
    pub masked: Option<Masked>,
    /// As stated at startup.
    pub purpose: Option<String>,
    /// As stated at startup.
    pub end_user: Option<String>,
}

/// What a masked session has besides.
pub struct Masked {
    /// Whose it is.
    pub who: Who,
    /// Its interest in the database's catalog.
    pub lease: Lease,
    /// What the role sees.
    pub view: Arc<RoleView>,
    /// Settings at the start.
    pub start: Values,
}

/// What is known of a client when it is sent away.
pub fn claimed_facts(
    rules: &InForce,
    startup: &Startup,
    session: u64,
    peer: SocketAddr,
) -> SessionFacts {
    let application = startup.parameter("application_name").unwrap_or_default();
    SessionFacts {
        session,
        user: parameters::cut(startup.user().unwrap_or_default()),
        role: String::new(),
        client: peer.to_string(),
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
    peer: SocketAddr,
) -> Result<Welcomed, Farewell> {
    let wishes = parameters::wishes(startup)?;
    let role = role(rules, user, &wishes)?;
    judge_own_settings(role, user, &wishes)?;
    let is_untouched = passes_through(role);
    let parameters = match is_untouched {
        true => parameters::untouched_parameters(&wishes),
        false => {
            let seconds = role.limits.statement_seconds;
            let mut parameters = parameters::masked_parameters(&wishes, seconds)?;
            // Who has no use for it does not get it; an untouched role could even read it.
            if role.masks.iter().any(|rule| rule.mask.is_keyed()) {
                parameters.extend(proxy.pseudonym_key.iter().flat_map(PseudonymKey::parameters));
            }
            parameters
        }
    };
    let endpoint = proxy.endpoint(role);
    let database = startup.database().unwrap_or_default();
    let server = ServerConnection::open(&endpoint, database, &parameters, CONNECT_TIMEOUT).await;
    let mut server = server.map_err(|error| {
        tracing::warn!(session, %error, "no server connection");
        Farewell::from(&error)
    })?;
    let masked = match is_untouched {
        true => None,
        false => {
            let lease = proxy.catalogs.enter(database, &endpoint);
            Some(masked(rules, lease, role, user, wishes.clone(), &mut server).await?)
        }
    };
    let has_long_keys = startup.minor_spoken() >= 2;
    let presence = proxy
        .registry
        .enter(Arc::clone(&endpoint), server.backend_key.clone(), has_long_keys)
        .ok_or_else(|| Farewell::new("XX000", "scrim: the system gives no random numbers"))?;
    let mut welcome = BytesMut::new();
    say_welcome(&mut welcome, user, &server, &presence, masked.is_some())?;
    let facts = SessionFacts {
        user: user.name.clone(),
        role: role.name.clone(),
        application: wishes.application,
        ..claimed_facts(rules, startup, session, peer)
    };
    let (purpose, end_user) = (wishes.purpose, wishes.end_user);
    let facts = Arc::new(facts);
    Ok(Welcomed { facts, server, endpoint, presence, welcome, masked, purpose, end_user })
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
    if let Some(purpose) = &wishes.purpose
        && !role.purposes.is_empty()
        && !role.purposes.contains(purpose)
    {
        return Err(Farewell::new("42501", "scrim: this purpose is not one of the role's")
            .hint(format!("purposes of role `{}`: {}", role.name, role.purposes.join(", "))));
    }
    if wishes.end_user.is_some() && !user.acts_for_others {
        let message = format!("scrim: user `{}` may not state `scrim.end_user`", user.name);
        return Err(Farewell::new("28000", message)
            .hint("the user needs `acts_for_others: true` in the rules"));
    }
    Ok(())
}

async fn masked(
    rules: &InForce,
    lease: Lease,
    role: &Role,
    user: &User,
    wishes: Wishes,
    server: &mut ServerConnection,
) -> Result<Masked, Farewell> {
    for (name, only) in [("client_encoding", "UTF8"), ("standard_conforming_strings", "on")] {
        let reported = server.parameters.iter().find(|(known, _)| known == name);
        if reported.is_none_or(|(_, value)| value != only) {
            let message = format!("scrim: the database does not have `{name}` at `{only}`");
            return Err(Farewell::new("08006", message));
        }
    }
    let search_path = search_path(server).await?;
    let view = lease.view(&role.name, rules).await.map_err(|error| {
        tracing::warn!(%error, "no catalog");
        match error {
            CatalogFault::Upstream(error) => Farewell::from(&error),
            CatalogFault::Load(_) | CatalogFault::Timeout | CatalogFault::NoRole => {
                Farewell::new("57P03", "scrim: the catalog of the database cannot be read")
                    .hint("the log of Scrim has the details")
            }
        }
    })?;
    Ok(Masked {
        who: Who { user: user.name.as_str().into(), acts_for_others: user.acts_for_others },
        lease,
        view,
        start: Values {
            search_path,
            purpose: wishes.purpose,
            end_user: wishes.end_user,
            temp_tables: TempTables::default(),
        },
    })
}

/// What the session's search_path is: reported by PostgreSQL 18 and later, asked for otherwise.
async fn search_path(server: &mut ServerConnection) -> Result<SearchPath, Farewell> {
    let reported = server.parameters.iter().find(|(name, _)| name == "search_path");
    let value = match reported {
        Some((_, value)) => value.clone(),
        None => {
            let lost = || Farewell::new("08006", "scrim: the connection to the database failed");
            let asking = server.query("SHOW search_path");
            let rows = tokio::time::timeout(QUERY_TIMEOUT, asking).await;
            let rows = rows.map_err(|_| lost())?.map_err(|_| lost())?;
            rows.into_iter().flatten().next().flatten().ok_or_else(lost)?
        }
    };
    parameters::judge_search_path(&value).map_err(|farewell| {
        farewell.hint("it is the default of the database or of its login; start with another")
    })
}

fn say_welcome(
    out: &mut BytesMut,
    user: &User,
    server: &ServerConnection,
    presence: &Presence,
    is_masked: bool,
) -> Result<(), Farewell> {
    writer::authentication_ok(out);
    for (name, value) in &server.parameters {
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
