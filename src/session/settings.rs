//! What a session has set: search_path, purpose, end user, and all that it may set. Pure.
//!
//! Follows PostgreSQL's own rules for settings: a value set in a transaction goes with the transaction, SET LOCAL
//! goes with its end, savepoints give back what they found. A single statement outside BEGIN is a transaction too.
//! The same is kept of each server connection that sessions share: the difference is what a session sets again when
//! it gets another one.
//! INVARIANT: nothing here changes before the server has said that the statement succeeded.
//! <https://www.postgresql.org/docs/current/sql-set.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::{SearchPath, TempTables};
use crate::grammar::quote_identifier;
use crate::sql::Effect;

/// The settings that Scrim follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// `search_path`
    pub search_path: SearchPath,
    /// `scrim.purpose`
    pub purpose: Option<String>,
    /// `scrim.end_user`
    pub end_user: Option<String>,
    /// Details by name: `scrim.ticket`.
    pub details: Arc<BTreeMap<String, String>>,
    /// Temporary tables.
    pub temp_tables: TempTables,
    /// Channels that are listened to.
    pub channels: Arc<BTreeSet<String>>,
    /// Other settings by name, each with the statement that sets it.
    pub others: Arc<BTreeMap<String, String>>,
}

impl Values {
    fn set_other(&mut self, name: &str, text: Option<&String>) {
        if self.others.get(name) == text {
            return;
        }
        let others = Arc::make_mut(&mut self.others);
        match text {
            Some(text) => others.insert(name.to_owned(), text.clone()),
            None => others.remove(name),
        };
    }

    fn set_channel(&mut self, channel: &str, is_heard: bool) {
        if self.channels.contains(channel) == is_heard {
            return;
        }
        let channels = Arc::make_mut(&mut self.channels);
        match is_heard {
            true => channels.insert(channel.to_owned()),
            false => channels.remove(channel),
        };
    }

    /// True where a server connection with the settings of `there` needs nothing to have those of here. Temporary tables
    /// and channels are no settings.
    fn is_set_as(&self, there: &Values) -> bool {
        self.search_path == there.search_path
            && self.purpose == there.purpose
            && self.end_user == there.end_user
            && self.details == there.details
            && self.others == there.others
    }

    /// The statements that make `there` what is here; none where nothing differs.
    fn from(&self, there: &Values) -> Vec<String> {
        let mut statements = Vec::new();
        // Nearly always: it is asked for each message.
        if self.is_set_as(there) {
            return statements;
        }
        if !Arc::ptr_eq(&self.others, &there.others) {
            let gone = there.others.keys().filter(|name| !self.others.contains_key(*name));
            statements.extend(gone.map(|name| format!("RESET {name}")));
            let new =
                self.others.iter().filter(|(name, text)| there.others.get(*name) != Some(text));
            statements.extend(new.map(|(_, text)| text.clone()));
        }
        if self.search_path != there.search_path {
            statements.push(format!("SET search_path TO {}", path_text(&self.search_path)));
        }
        let details = self.details.keys().chain(there.details.keys()).map(String::as_str);
        let stated: BTreeSet<&str> = ["purpose", "end_user"].into_iter().chain(details).collect();
        for name in stated {
            let here = self.stated(name);
            if here != there.stated(name) {
                let value = literal(here.map(String::as_str).unwrap_or_default());
                statements.push(format!("SET scrim.{} TO {value}", quote_identifier(name)));
            }
        }
        statements
    }

    /// What the session states under a name.
    pub fn stated(&self, name: &str) -> Option<&String> {
        match name {
            "purpose" => self.purpose.as_ref(),
            "end_user" => self.end_user.as_ref(),
            detail => self.details.get(detail),
        }
    }

    fn state(&mut self, name: &str, value: Option<String>) {
        match (name, value) {
            ("purpose", value) => self.purpose = value,
            ("end_user", value) => self.end_user = value,
            (_, value) if self.details.get(name) == value.as_ref() => {}
            (_, Some(value)) => {
                drop(Arc::make_mut(&mut self.details).insert(name.to_owned(), value));
            }
            (_, None) => drop(Arc::make_mut(&mut self.details).remove(name)),
        }
    }
}

/// Copies only what differs, which is seldom: it is done at the end of each transaction.
fn make_same(these: &mut Values, as_those: &Values) {
    if these != as_those {
        these.clone_from(as_those);
    }
}

/// The list as SET takes it.
fn path_text(path: &SearchPath) -> String {
    let SearchPath(names) = path;
    if names.is_empty() {
        return "''".to_owned();
    }
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// Always in quotes: some words mean something else without.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string, with `standard_conforming_strings` on.
pub fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The statement that sets what a client wished for at startup.
pub fn set_text(name: &str, value: &str) -> String {
    // A name with a dot is two words; each is an identifier.
    let name: Vec<String> = name.split('.').map(quote_identifier).collect();
    format!("SET {} TO {}", name.join("."), literal(value))
}

/// True for `SET … TO` a time of at least a second, or none at all; what is written otherwise is not.
fn is_leisurely(text: &str) -> bool {
    let value = text.rsplit_once(" TO ").map_or("", |(_, value)| value.trim_matches('\''));
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let Some((number, unit)) = value.split_at_checked(digits) else { return false };
    let Ok(number) = number.parse::<u64>() else { return false };
    match unit.trim() {
        "" | "ms" => number == 0 || number >= 1000,
        "s" | "min" | "h" | "d" => true,
        _ => false,
    }
}

/// The values in force, and those that a ROLLBACK, COMMIT or RESET brings back.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As at the start of the session: for RESET.
    start: Values,
    /// As before the transaction: for ROLLBACK.
    before: Values,
    /// As after COMMIT: without what is LOCAL.
    lasting: Values,
    /// In force.
    current: Values,
    savepoints: Vec<Savepoint>,
    /// The transaction had an error that nothing has undone yet.
    failed: bool,
}

#[derive(Debug, Clone)]
struct Savepoint {
    name: String,
    lasting: Values,
    current: Values,
}

impl Settings {
    /// At the start of a session.
    pub fn new(start: Values) -> Settings {
        Settings {
            before: start.clone(),
            lasting: start.clone(),
            current: start.clone(),
            start,
            savepoints: Vec::new(),
            failed: false,
        }
    }

    /// The values in force.
    pub fn current(&self) -> &Values {
        &self.current
    }

    /// True when the end of the transaction may change what is in force.
    pub fn may_fall_back(&self) -> bool {
        self.current != self.before || self.lasting != self.before || !self.savepoints.is_empty()
    }

    /// The statements that bring a server connection with the settings of `there` to those in force here; `None`:
    /// they are the same. Only where both are outside a transaction.
    pub fn difference(&self, there: &Settings) -> Option<Vec<String>> {
        let statements = self.current.from(&there.current);
        (!statements.is_empty()).then_some(statements)
    }

    /// A server connection has been brought to the settings in force `here`. Temporary tables and channels are nobody
    /// else's.
    pub fn now_as(&mut self, here: &Settings) {
        let now = Values {
            temp_tables: TempTables::default(),
            channels: Arc::default(),
            ..here.current.clone()
        };
        self.before = now.clone();
        self.lasting = now.clone();
        self.current = now;
        self.end_transaction();
    }

    /// RESET ALL on a server connection.
    pub fn as_at_the_start(&mut self) {
        *self = Settings::new(self.start.clone());
    }

    /// The values at the start.
    pub fn at_the_start(&self) -> &Values {
        &self.start
    }

    /// True where what is set could end the very statements that are to set it back.
    pub fn is_hasty(&self) -> bool {
        let others = &self.current.others;
        ["statement_timeout", "transaction_timeout"]
            .iter()
            .filter_map(|name| others.get(*name))
            .any(|text| !is_leisurely(text))
    }

    /// True while the session has temporary tables.
    pub fn has_temp_tables(&self) -> bool {
        self.current.temp_tables != TempTables::default()
    }

    /// True while the session listens to a channel.
    pub fn listens(&self) -> bool {
        !self.current.channels.is_empty()
    }

    /// True for a channel that the session listens to, or does again if the transaction fails: the server says what it has
    /// to say before it says which.
    pub fn hears(&self, channel: &str) -> bool {
        self.current.channels.contains(channel) || self.before.channels.contains(channel)
    }

    /// A statement has succeeded; `tag` is what the server said: COMMIT of a failed transaction says `ROLLBACK`.
    pub fn apply(&mut self, effect: &Effect, tag: &str) {
        match effect {
            Effect::None
            | Effect::Begin
            | Effect::Prepare(_)
            | Effect::Execute(_)
            | Effect::Fetch(_)
            | Effect::Declare { .. }
            | Effect::Deallocate(_)
            | Effect::ClosePortal(_) => {}
            Effect::Commit { .. } if tag == "ROLLBACK" => self.roll_back(),
            Effect::Commit { .. } => self.commit(),
            Effect::Rollback { .. } => self.roll_back(),
            Effect::Savepoint(name) => self.savepoints.push(Savepoint {
                name: name.clone(),
                lasting: self.lasting.clone(),
                current: self.current.clone(),
            }),
            Effect::Release(name) => {
                if let Some(place) = self.savepoint(name) {
                    self.savepoints.truncate(place);
                }
            }
            Effect::RollbackTo(name) => self.roll_back_to(name),
            Effect::SearchPath { local, path } => {
                let path = path.clone().unwrap_or_else(|| self.start.search_path.clone());
                if !local {
                    self.lasting.search_path = path.clone();
                }
                self.current.search_path = path;
            }
            Effect::Set(settings) => {
                for (name, text) in settings {
                    let text = text.as_ref().or_else(|| self.start.others.get(name)).cloned();
                    self.lasting.set_other(name, text.as_ref());
                    self.current.set_other(name, text.as_ref());
                }
            }
            Effect::ResetAll => {
                let temp_tables = std::mem::take(&mut self.current.temp_tables);
                let channels = std::mem::take(&mut self.current.channels);
                self.lasting = Values { temp_tables, channels, ..self.start.clone() };
                self.current = self.lasting.clone();
            }
            Effect::DiscardAll => {
                self.lasting = self.start.clone();
                self.current = self.start.clone();
            }
            Effect::CreateTemp { name, until_commit } => {
                self.lasting.temp_tables.add(name, *until_commit);
                self.current.temp_tables.add(name, *until_commit);
            }
            Effect::DropTemp(names) => {
                for name in names {
                    self.lasting.temp_tables.remove(name);
                    self.current.temp_tables.remove(name);
                }
            }
            Effect::DiscardTemp => {
                self.lasting.temp_tables = TempTables::default();
                self.current.temp_tables = TempTables::default();
            }
            Effect::Listen(channel) => {
                self.lasting.set_channel(channel, true);
                self.current.set_channel(channel, true);
            }
            Effect::Unlisten(Some(channel)) => {
                self.lasting.set_channel(channel, false);
                self.current.set_channel(channel, false);
            }
            Effect::Unlisten(None) => {
                self.lasting.channels = Arc::default();
                self.current.channels = Arc::default();
            }
            Effect::State { name, local, value } => {
                let value = value.clone().or_else(|| self.start.stated(name).cloned());
                if !local {
                    self.lasting.state(name, value.clone());
                }
                self.current.state(name, value);
            }
        }
    }

    /// A statement has failed.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// The server is ready outside a transaction: whatever ran has been committed, or rolled back after an error.
    pub fn ready_idle(&mut self) {
        if self.failed {
            self.roll_back();
        } else {
            self.commit();
        }
    }

    /// The server itself says what search_path is (PostgreSQL 18 and later).
    pub fn report_search_path(&mut self, path: SearchPath) {
        if self.current.search_path != path {
            self.lasting.search_path = path.clone();
            self.current.search_path = path;
        }
    }

    fn commit(&mut self) {
        self.lasting.temp_tables.commit();
        make_same(&mut self.current, &self.lasting);
        make_same(&mut self.before, &self.lasting);
        self.end_transaction();
    }

    fn roll_back(&mut self) {
        make_same(&mut self.current, &self.before);
        make_same(&mut self.lasting, &self.before);
        self.end_transaction();
    }

    fn end_transaction(&mut self) {
        self.savepoints.clear();
        self.failed = false;
    }

    fn roll_back_to(&mut self, name: &str) {
        let Some(place) = self.savepoint(name) else { return };
        if let Some(savepoint) = self.savepoints.get(place) {
            self.lasting = savepoint.lasting.clone();
            self.current = savepoint.current.clone();
        }
        self.savepoints.truncate(place.saturating_add(1));
        self.failed = false;
    }

    /// The innermost savepoint of a name.
    fn savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name)
    }
}

#[cfg(test)]
mod tests;
