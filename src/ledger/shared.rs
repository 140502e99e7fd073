//! A PostgreSQL of one's own choosing: one table of grants, one of what has happened to them, one row that says how many
//! steps there were.
//!
//! Whoever changes something takes the one row first, so changes come one after the other and steps have their numbers in
//! the order of their commits: two people cannot decide about one request, and who has read up to a step has missed none.
//!
//! Times are those of the store's clock, whoever writes them. Values are parameters; nothing that somebody has typed
//! stands in a text. The search_path is pinned and names are written out, so nobody else's functions are found.

mod making;

use std::time::Duration;

use super::{Fault, Happened, first_step, last_step};
use crate::grants::{Grant, State};
use crate::upstream::{Endpoint, QueryError, ServerConnection};

pub use making::made_by_hand;

/// What is meant where something is wrong with it.
const STORE: &str = "store";

/// How long a login may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a question may take, where nobody says so.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Steps that are read at once.
const STEPS_MAX: &str = "50";

const COLUMNS: &str = "g.number, g.wish, g.asked_by, g.asked_at, g.break_glass, g.state, g.decided_by, g.decided_at, \
                       g.until, g.ended_by, g.ended_at";
/// Of [`COLUMNS`].
const COLUMNS_COUNT: usize = 11;

/// The store's clock, milliseconds since 1970. Not `now()`, which stands still in a transaction.
const CLOCK: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// Whatever the account or the database has set, what is done is done so.
const SETTINGS: [(&str, &str); 9] = [
    ("application_name", "scrim grants"),
    ("client_encoding", "UTF8"),
    ("search_path", "pg_catalog, pg_temp"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    // What was said to be done is done, though the server falls over.
    ("synchronous_commit", "on"),
    ("lock_timeout", "2s"),
    ("statement_timeout", "5s"),
    // Who has stopped in the middle of a change keeps nobody else from theirs.
    ("idle_in_transaction_session_timeout", "10s"),
];

/// Where it is.
#[derive(Debug, Clone)]
pub struct SharedPlace {
    /// The server, and the account.
    pub endpoint: Endpoint,
    /// The database.
    pub database: String,
}

/// A connection to a server that may hold a store.
pub(super) struct Connected {
    connection: ServerConnection,
}

impl Connected {
    async fn open(place: &SharedPlace) -> Result<Connected, Fault> {
        let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let connection =
            ServerConnection::open(&place.endpoint, &place.database, &settings, CONNECT_TIMEOUT);
        Ok(Connected { connection: connection.await? })
    }

    async fn ask(
        &mut self,
        text: &str,
        values: &[Option<&str>],
    ) -> Result<Vec<Vec<Option<String>>>, Fault> {
        let asked = tokio::time::timeout(ASK_TIMEOUT, self.connection.query_with(text, values));
        Ok(asked.await.map_err(|_| Fault::Slow)??)
    }

    /// Several statements in a text, without values.
    async fn run(&mut self, text: &str) -> Result<(), Fault> {
        let asked = tokio::time::timeout(ASK_TIMEOUT, self.connection.query(text));
        asked.await.map_err(|_| Fault::Slow)??;
        Ok(())
    }

    /// Ends a transaction. Who hears nothing then does not know.
    async fn commit(&mut self) -> Result<(), Fault> {
        self.run("COMMIT").await.map_err(|fault| match fault {
            Fault::Query(QueryError::Broken(why)) => Fault::Uncertain(why),
            Fault::Slow => Fault::Uncertain("it does not answer in time".to_owned()),
            fault => fault,
        })
    }
}

/// A store, open.
pub struct Shared {
    connected: Connected,
    /// Its name, which it got when it was made.
    id: String,
}

/// What a look at it tells.
pub(super) struct Glance {
    /// Its clock.
    pub(super) now: i64,
    /// How many steps there were.
    pub(super) steps: i64,
    /// Other when anything about the grants in force is: their numbers, with the versions of their rows.
    pub(super) state: String,
}

/// Makes its tables, by the account of the place.
///
/// # Errors
/// It may not, or they are there.
pub async fn make(place: &SharedPlace) -> Result<(), Fault> {
    Connected::open(place).await?.make(place).await?;
    Shared::open(place).await.map(drop)
}

impl Shared {
    /// Opens it.
    ///
    /// # Errors
    /// It cannot be reached, is not there, is of another version, or may not be used.
    pub async fn open(place: &SharedPlace) -> Result<Shared, Fault> {
        let mut connected = Connected::open(place).await?;
        let id = connected.judge(place).await?;
        let mut shared = Shared { connected, id };
        // A standby is told at once, and not by a write that it refuses.
        shared.glance().await?;
        Ok(shared)
    }

    /// The name that it got when it was made.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Its clock.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn now(&mut self) -> Result<i64, Fault> {
        Ok(self.glance().await?.now)
    }

    /// Looks whether something has changed.
    pub(super) async fn glance(&mut self) -> Result<Glance, Fault> {
        // A row version is named by its place and who has written it, so what is changed by hand is seen too.
        let text = format!(
            "SELECT {CLOCK}, pg_is_in_recovery(), id, steps, (SELECT string_agg(number || ' ' || xmin || ' ' || ctid, ',' \
             ORDER BY number) FROM scrim_grants.grants WHERE state = 'in force') FROM scrim_grants.store WHERE version = 1"
        );
        let rows = self.connected.ask(&text, &[]).await?;
        match rows.as_slice() {
            [row] => match row.as_slice() {
                [_, Some(is_standby), ..] if is_standby != "f" => Err(Fault::Standby),
                [now, _, Some(id), steps, state] if *id == self.id => Ok(Glance {
                    now: number(now)?,
                    steps: number(steps)?,
                    state: state.clone().unwrap_or_default(),
                }),
                _ => Err(Fault::Unknown(STORE)),
            },
            _ => Err(Fault::Unknown(STORE)),
        }
    }

    /// Those that are asked for or in force; with `all`, the others too, the latest last.
    ///
    /// # Errors
    /// They cannot be read, or are something else.
    pub async fn grants(&mut self, all: bool) -> Result<Vec<Grant>, Fault> {
        self.grants_where(if all { "true" } else { "state IN ('asked', 'in force')" }).await
    }

    /// Those in force.
    pub(super) async fn in_force(&mut self) -> Result<Vec<Grant>, Fault> {
        self.grants_where("state = 'in force'").await
    }

    async fn grants_where(&mut self, which: &str) -> Result<Vec<Grant>, Fault> {
        let text =
            format!("SELECT {COLUMNS} FROM scrim_grants.grants g WHERE {which} ORDER BY number");
        let rows = self.connected.ask(&text, &[]).await?;
        rows.iter().map(|row| grant(row)).collect()
    }

    /// One more.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn add(&mut self, grant: Grant) -> Result<Grant, Fault> {
        let (step, _) = self.begin().await?;
        let added = self.added(grant, step).await;
        self.ended(added).await
    }

    async fn added(&mut self, grant: Grant, step: i64) -> Result<Grant, Fault> {
        let wish = serde_json::to_string(&grant.wish).map_err(|_| Fault::Unknown(STORE))?;
        let (asked_at, decided_at, until) =
            (grant.asked_at.to_string(), text(grant.decided_at), text(grant.until));
        let rows = self
            .connected
            .ask(
                "INSERT INTO scrim_grants.grants (wish, asked_by, asked_at, break_glass, state, decided_by, decided_at, \
                 until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING number",
                &[
                    Some(&wish),
                    Some(&grant.asked_by),
                    Some(&asked_at),
                    Some(if grant.break_glass { "t" } else { "f" }),
                    Some(grant.state.word()),
                    grant.decided_by.as_deref(),
                    decided_at.as_deref(),
                    until.as_deref(),
                ],
            )
            .await?;
        let row = rows.first().and_then(|row| row.first()).ok_or(Fault::Unknown(STORE))?;
        let row = number(row)?;
        self.note(step, row, first_step(&grant), Some(&grant.asked_by), grant.asked_at).await?;
        Ok(Grant { number: u64::try_from(row).map_err(|_| Fault::Unknown(STORE))?, ..grant })
    }

    /// Changes one, by what is decided about it as it stands, at the time of the store's clock.
    ///
    /// # Errors
    /// There is none, or what was decided is that it may not be; it cannot be written.
    pub async fn change(
        &mut self,
        number: u64,
        action: &str,
        decide: impl FnOnce(Grant, i64) -> Result<Grant, String>,
    ) -> Result<Grant, Fault> {
        let row = i64::try_from(number).map_err(|_| Fault::NoSuch(number))?;
        let (step, now) = self.begin().await?;
        let changed = self.changed(row, number, step, action, |grant| decide(grant, now)).await;
        self.ended(changed).await
    }

    async fn changed(
        &mut self,
        row: i64,
        number: u64,
        step: i64,
        action: &str,
        decide: impl FnOnce(Grant) -> Result<Grant, String>,
    ) -> Result<Grant, Fault> {
        let text = format!("SELECT {COLUMNS} FROM scrim_grants.grants g WHERE number = $1");
        let found = self.connected.ask(&text, &[Some(&row.to_string())]).await?;
        let found = grant(found.first().ok_or(Fault::NoSuch(number))?)?;
        let changed = decide(found).map_err(Fault::Refused)?;
        self.write(row, &changed).await?;
        let (who, at) = last_step(&changed);
        self.note(step, row, action, who, at).await?;
        Ok(changed)
    }

    /// Takes the one row, after whoever has it. Gives the number of the step that is to come, and the time.
    async fn begin(&mut self) -> Result<(i64, i64), Fault> {
        self.connected.run("BEGIN").await?;
        let taking = format!(
            "UPDATE scrim_grants.store SET steps = steps + 1 WHERE version = 1 RETURNING steps, {CLOCK}"
        );
        let taken = self.connected.ask(&taking, &[]).await;
        let taken = taken.and_then(|rows| match rows.first().map(Vec::as_slice) {
            Some([steps, now]) => Ok((number(steps)?, number(now)?)),
            _ => Err(Fault::Unknown(STORE)),
        });
        match taken {
            Ok(taken) => Ok(taken),
            Err(fault) => self.ended(Err(fault)).await,
        }
    }

    /// Ends what was begun, as it went.
    async fn ended<T>(&mut self, went: Result<T, Fault>) -> Result<T, Fault> {
        match went {
            Ok(done) => self.connected.commit().await.map(|()| done),
            Err(fault) => {
                // If that is not heard, the end of the connection does the same.
                let _ = self.connected.run("ROLLBACK").await;
                Err(fault)
            }
        }
    }

    async fn write(&mut self, row: i64, grant: &Grant) -> Result<(), Fault> {
        let row = row.to_string();
        let (decided_at, until, ended_at) =
            (text(grant.decided_at), text(grant.until), text(grant.ended_at));
        self.connected
            .ask(
                "UPDATE scrim_grants.grants SET state = $2, decided_by = $3, decided_at = $4, until = $5, ended_by = $6, \
                 ended_at = $7 WHERE number = $1",
                &[
                    Some(&row),
                    Some(grant.state.word()),
                    grant.decided_by.as_deref(),
                    decided_at.as_deref(),
                    until.as_deref(),
                    grant.ended_by.as_deref(),
                    ended_at.as_deref(),
                ],
            )
            .await
            .map(drop)
    }

    async fn note(
        &mut self,
        step: i64,
        row: i64,
        action: &str,
        who: Option<&str>,
        at: i64,
    ) -> Result<(), Fault> {
        let (step, row, at) = (step.to_string(), row.to_string(), at.to_string());
        self.connected
            .ask(
                "INSERT INTO scrim_grants.happened (step, grant_number, action, who, at) VALUES ($1, $2, $3, $4, $5)",
                &[Some(&step), Some(&row), Some(action), who, Some(&at)],
            )
            .await
            .map(drop)
    }

    /// Writes down that those are over whose time is up, unless somebody else is writing: then it is for later.
    pub(super) async fn expire(&mut self) -> Result<(), Fault> {
        self.connected.run("BEGIN").await?;
        let expired = self.expired().await;
        self.ended(expired).await
    }

    async fn expired(&mut self) -> Result<(), Fault> {
        let taking = format!(
            "SELECT steps, {CLOCK} FROM scrim_grants.store WHERE version = 1 FOR UPDATE SKIP LOCKED"
        );
        let taken = self.connected.ask(&taking, &[]).await?;
        let Some([steps, now]) = taken.first().map(Vec::as_slice) else { return Ok(()) };
        let (mut step, now) = (number(steps)?, number(now)?);
        let over = self
            .connected
            .ask(
                "UPDATE scrim_grants.grants SET state = 'expired', ended_at = until WHERE number IN (\
                 SELECT number FROM scrim_grants.grants WHERE state = 'in force' AND coalesce(until, 0) <= $1 \
                 FOR UPDATE SKIP LOCKED) RETURNING number, coalesce(until, $1)",
                &[Some(&now.to_string())],
            )
            .await?;
        if over.is_empty() {
            return Ok(());
        }
        for row in &over {
            let [row, at] = row.as_slice() else { return Err(Fault::Unknown(STORE)) };
            step = step.saturating_add(1);
            self.note(step, number(row)?, "expired", None, number(at)?).await?;
        }
        let steps = step.to_string();
        self.connected
            .ask("UPDATE scrim_grants.store SET steps = $1", &[Some(&steps)])
            .await
            .map(drop)
    }

    /// What has happened after a step, the first ones of it.
    pub(super) async fn happened_after(&mut self, step: i64) -> Result<Vec<Happened>, Fault> {
        let text = format!(
            "SELECT {COLUMNS}, h.step, h.action, h.who, h.at FROM scrim_grants.happened h JOIN scrim_grants.grants g \
             ON g.number = h.grant_number WHERE h.step > $1 ORDER BY h.step LIMIT {STEPS_MAX}"
        );
        let rows = self.connected.ask(&text, &[Some(&step.to_string())]).await?;
        let happened = |row: &Vec<Option<String>>| match row.get(COLUMNS_COUNT..) {
            Some([step, Some(action), who, at]) => Ok(Happened {
                number: number(step)?,
                action: action.clone(),
                who: who.clone(),
                at: number(at)?,
                grant: grant(row)?,
            }),
            _ => Err(Fault::Unknown(STORE)),
        };
        rows.iter().map(happened).collect()
    }

    /// The step before the first one of any grant that is not over: where a trail begins that has none.
    pub(super) async fn step_before_live(&mut self) -> Result<i64, Fault> {
        let text = "SELECT coalesce((SELECT min(h.step) - 1 FROM scrim_grants.happened h JOIN scrim_grants.grants g \
                    ON g.number = h.grant_number WHERE g.state IN ('asked', 'in force')), \
                    (SELECT max(step) FROM scrim_grants.happened), 0)";
        let rows = self.connected.ask(text, &[]).await?;
        number(rows.first().and_then(|row| row.first()).ok_or(Fault::Unknown(STORE))?)
    }
}

fn text(value: Option<i64>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn number(value: &Option<String>) -> Result<i64, Fault> {
    value.as_ref().and_then(|value| value.parse().ok()).ok_or(Fault::Unknown(STORE))
}

fn optional(value: &Option<String>) -> Result<Option<i64>, Fault> {
    value.as_ref().map(|_| number(value)).transpose()
}

/// What cannot be read makes all of the store unread: one that is left out might be the one that was revoked.
fn grant(row: &[Option<String>]) -> Result<Grant, Fault> {
    let unknown = || Fault::Unknown(STORE);
    let [
        row_number,
        Some(wish),
        Some(asked_by),
        asked_at,
        Some(break_glass),
        Some(state),
        decided_by,
        decided_at,
        until,
        ended_by,
        ended_at,
        ..,
    ] = row
    else {
        return Err(unknown());
    };
    Ok(Grant {
        number: u64::try_from(number(row_number)?).map_err(|_| unknown())?,
        wish: serde_json::from_str(wish).map_err(|_| unknown())?,
        asked_by: asked_by.clone(),
        asked_at: number(asked_at)?,
        break_glass: break_glass == "t",
        state: State::of(state).ok_or_else(unknown)?,
        decided_by: decided_by.clone(),
        decided_at: optional(decided_at)?,
        until: optional(until)?,
        ended_by: ended_by.clone(),
        ended_at: optional(ended_at)?,
    })
}
