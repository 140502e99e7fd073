//! How a masked session comes by its server connections.
//!
//! In transaction mode each is any of those that were opened the same way; what the session has set is set again by the
//! pipeline. In session mode it is one, opened with the client's own startup parameters, from beginning to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;

use super::closing::Farewell;
use super::footprint::{Footprint, Reported};
use super::link::Server;
use super::parameters;
use super::pipeline::CLEANING;
use super::settings::{Settings, Values};
use crate::catalog::SearchPath;
use crate::pool::{Lineage, Place, PoolError};
use crate::upstream::{QueryError, ServerConnection};

/// How long the database may take for what is asked before a session begins.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// Greetings that are remembered at most; clients choose what goes into them.
const GREETINGS_MAX: usize = 4096;

/// A connection, what is known of it, and whether this session had it last.
pub type Taken = (Server, Box<Footprint>, bool);

/// A masked session's way to its server connections.
pub struct Entrance {
    place: Arc<Place<Box<Footprint>>>,
    lineage: Lineage,
    is_shared: bool,
    /// The one of the beginning, if it has not been used.
    first: Option<Taken>,
    /// One of which nothing is known yet.
    bare: Option<Server>,
}

impl Entrance {
    /// Without one yet.
    pub fn new(place: Arc<Place<Box<Footprint>>>, lineage: Lineage, is_shared: bool) -> Entrance {
        Entrance { place, lineage, is_shared, first: None, bare: None }
    }

    /// True when the session gives its connection back after each transaction.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// As [`Entrance::take`], where nothing has to be waited for.
    pub fn take_at_once(&mut self, session: u64) -> Option<Taken> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let mut server = self.place.take_at_once(&self.lineage, session)?;
        let is_own = server.last_session() == session;
        match server.take_left() {
            Some(footprint) => Some((server, footprint, is_own)),
            None => {
                self.bare = Some(server);
                None
            }
        }
    }

    /// A connection, if need be after waiting.
    pub async fn take(&mut self, session: u64) -> Result<Taken, Farewell> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let mut server = match self.bare.take() {
            Some(server) => server,
            None => self.place.take(&self.lineage, session).await.map_err(|error| {
                tracing::warn!(session, %error, "no server connection");
                Farewell::from(&error)
            })?,
        };
        let is_own = server.last_session() == session;
        let footprint = match server.take_left() {
            Some(footprint) => footprint,
            None => look(server.connection().ok_or_else(lost)?).await?,
        };
        Ok((server, footprint, is_own))
    }

    /// True where PostgreSQL has a setting of this name, or would take it for one of an extension that is to come.
    pub async fn has_setting(&mut self, session: u64, name: &str) -> Result<bool, Farewell> {
        if name.contains('.') {
            return Ok(true);
        }
        // All names are like this; what is not needs no question, and cannot ask anything else.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Ok(false);
        }
        let (mut server, footprint, _) = self.take(session).await?;
        // pg_settings leaves some out.
        let sql = format!("SELECT pg_catalog.current_setting('{name}', true)");
        let asked = ask(server.connection().ok_or_else(lost)?, &sql).await;
        let has = match asked {
            Ok(rows) => rows.into_iter().flatten().flatten().next().is_some(),
            Err(farewell) if farewell == lost() => return Err(farewell),
            // It is there, and not for the login to see.
            Err(_) => true,
        };
        server.give_back(footprint, session);
        Ok(has)
    }

    /// What a client is told of the server, and the search_path it starts with, where the client wishes for these
    /// settings. From memory where somebody has wished for the same before.
    pub async fn greeting(
        &mut self,
        greetings: &Greetings,
        session: u64,
        wishes: &Start,
    ) -> Result<Greeting, Farewell> {
        let key = GreetingKey {
            login: (self.place.endpoint().user.clone(), self.place.database().to_owned()),
            parameters: Arc::clone(&self.lineage.parameters),
            wishes: wishes.clone(),
        };
        if self.is_shared
            && let Some(known) = greetings.0.get(&key)
        {
            return Ok(known.clone());
        }
        let (mut server, mut footprint, is_own) = self.take(session).await?;
        let connection = server.connection().ok_or_else(lost)?;
        let search_path = match &wishes.search_path {
            Some(path) => path.clone(),
            None => footprint.settings.at_the_start().search_path.clone(),
        };
        let start = Values { search_path, others: Arc::clone(&wishes.others), ..Values::default() };
        if self.is_shared {
            set_up(connection, &mut footprint, &Settings::new(start.clone())).await?;
        }
        let greeting =
            Greeting { reported: Arc::clone(&footprint.reported), search_path: start.search_path };
        if self.is_shared {
            server.give_back(footprint, session);
            if greetings.0.len() < GREETINGS_MAX {
                greetings.0.insert(key, greeting.clone());
            }
        } else {
            self.first = Some((server, footprint, is_own));
        }
        Ok(greeting)
    }
}

/// What clients were told, by what they wished for.
#[derive(Default)]
pub struct Greetings(DashMap<GreetingKey, Greeting>);

#[derive(PartialEq, Eq, Hash)]
struct GreetingKey {
    login: (String, String),
    parameters: Arc<Vec<(String, String)>>,
    wishes: Start,
}

/// Settings that a client wishes to start with, in transaction mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Start {
    /// `search_path`
    pub search_path: Option<SearchPath>,
    /// Others, each with the statement that sets it.
    pub others: Arc<BTreeMap<String, String>>,
}

/// What a client is told at its start.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Parameters.
    pub reported: Reported,
    /// Where names are looked for.
    pub search_path: SearchPath,
}

/// What a connection starts with: as planning assumes that texts are read, and a search_path that is known.
async fn look(connection: &mut ServerConnection) -> Result<Box<Footprint>, Farewell> {
    for (name, only) in [("client_encoding", "UTF8"), ("standard_conforming_strings", "on")] {
        let reported = connection.parameters.iter().find(|(known, _)| known == name);
        if reported.is_none_or(|(_, value)| value != only) {
            let message = format!("scrim: the database does not have `{name}` at `{only}`");
            return Err(Farewell::new("08006", message));
        }
    }
    // PostgreSQL 18 and later report it, but not again what they think is known.
    let rows = ask(connection, "SHOW search_path").await?;
    let value = rows.into_iter().flatten().next().flatten().ok_or_else(lost)?;
    let search_path = parameters::judge_search_path(&value).map_err(|farewell| {
        farewell.hint("it is the default of the database or of its login; start with another")
    })?;
    let start = Values { search_path, ..Values::default() };
    let (process_id, _) = connection.backend_key;
    let reported = Arc::new(connection.parameters.clone());
    Ok(Box::new(Footprint::new(start, reported, process_id)))
}

/// Brings a connection to a session's settings, before the session begins: what is wrong with them is said then.
async fn set_up(
    connection: &mut ServerConnection,
    footprint: &mut Footprint,
    settings: &Settings,
) -> Result<(), Farewell> {
    if footprint.may_be_dirty {
        for statement in CLEANING {
            ask(connection, statement).await?;
        }
        footprint.may_be_dirty = false;
        footprint.settings.as_at_the_start();
    }
    for (name, value) in footprint.reported.iter() {
        // What other sessions have been told since the connection was opened.
        match connection.parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => connection.parameters.push((name.clone(), value.clone())),
        }
    }
    for statement in settings.difference(&footprint.settings).unwrap_or_default() {
        ask(connection, &statement).await?;
    }
    footprint.settings.now_as(settings);
    footprint.reported = Arc::new(connection.parameters.clone());
    Ok(())
}

async fn ask(
    connection: &mut ServerConnection,
    statement: &str,
) -> Result<Vec<Vec<Option<String>>>, Farewell> {
    let asking = connection.query(statement);
    match tokio::time::timeout(QUERY_TIMEOUT, asking).await {
        Ok(Ok(rows)) => Ok(rows),
        // A setting that cannot have this value: PostgreSQL would say so at login.
        Ok(Err(QueryError::Server { code, message })) => Err(Farewell::new(&code, message)),
        Ok(Err(QueryError::Broken(_))) | Err(_) => Err(lost()),
    }
}

fn lost() -> Farewell {
    Farewell::new("08006", "scrim: the connection to the database failed")
}

impl From<&PoolError> for Farewell {
    fn from(error: &PoolError) -> Farewell {
        match error {
            PoolError::Upstream(error) => Farewell::from(error),
            PoolError::Full { waited, .. } => {
                let seconds = waited.as_secs();
                let message = format!(
                    "scrim: no connection to the database became free within {seconds} seconds"
                );
                Farewell::new("53300", message)
                    .hint("try again later; `pool: {size: …}` in scrim.yaml allows more")
            }
        }
    }
}
