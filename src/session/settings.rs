//! What a session has set: search_path, purpose, end user. Pure.
//!
//! Follows PostgreSQL's own rules for settings: a value set in a transaction goes with the transaction, SET LOCAL
//! goes with its end, savepoints give back what they found. A single statement outside BEGIN is a transaction too.
//! INVARIANT: nothing here changes before the server has said that the statement succeeded.
//! <https://www.postgresql.org/docs/current/sql-set.html>

use crate::catalog::{SearchPath, TempTables};
use crate::sql::Effect;

/// The settings that Scrim follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// `search_path`
    pub search_path: SearchPath,
    /// `scrim.purpose`
    pub purpose: Option<String>,
    /// `scrim.end_user`
    pub end_user: Option<String>,
    /// Temporary tables.
    pub temp_tables: TempTables,
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
            Effect::ResetAll => {
                let temp_tables = std::mem::take(&mut self.current.temp_tables);
                self.lasting = Values { temp_tables, ..self.start.clone() };
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
            Effect::Purpose(purpose) => {
                let purpose = purpose.clone().or_else(|| self.start.purpose.clone());
                self.lasting.purpose = purpose.clone();
                self.current.purpose = purpose;
            }
            Effect::EndUser(end_user) => {
                let end_user = end_user.clone().or_else(|| self.start.end_user.clone());
                self.lasting.end_user = end_user.clone();
                self.current.end_user = end_user;
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
        self.current = self.lasting.clone();
        self.before = self.lasting.clone();
        self.end_transaction();
    }

    fn roll_back(&mut self) {
        self.current = self.before.clone();
        self.lasting = self.before.clone();
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
mod tests {
    use super::{Settings, Values};
    use crate::catalog::{SearchPath, TempTables};
    use crate::sql::Effect;

    fn path(name: &str) -> SearchPath {
        SearchPath(vec![name.to_owned()])
    }

    fn settings() -> Settings {
        Settings::new(Values {
            search_path: path("start"),
            purpose: None,
            end_user: None,
            temp_tables: TempTables::default(),
        })
    }

    fn set(local: bool, name: &str) -> Effect {
        Effect::SearchPath { local, path: Some(path(name)) }
    }

    fn run(settings: &mut Settings, effects: &[Effect]) {
        for effect in effects {
            settings.apply(effect, "");
        }
    }

    fn now(settings: &Settings) -> &str {
        &settings.current().search_path.0[0]
    }

    #[test]
    fn a_set_outside_a_transaction_stays() {
        let mut settings = settings();
        run(&mut settings, &[set(false, "a")]);
        settings.ready_idle();
        assert_eq!(now(&settings), "a");
        assert!(!settings.may_fall_back());
        run(&mut settings, &[Effect::SearchPath { local: false, path: None }]);
        settings.ready_idle();
        assert_eq!(now(&settings), "start");
    }

    #[test]
    fn an_error_behind_a_set_in_the_same_implicit_transaction_takes_it_back() {
        let mut settings = settings();
        run(&mut settings, &[set(false, "a")]);
        assert_eq!(now(&settings), "a");
        settings.fail();
        settings.ready_idle();
        assert_eq!(now(&settings), "start");
    }

    #[test]
    fn local_goes_with_the_transaction() {
        let mut settings = settings();
        run(&mut settings, &[Effect::Begin, set(false, "a"), set(true, "b")]);
        assert_eq!(now(&settings), "b");
        settings.apply(&Effect::Commit { chain: false }, "COMMIT");
        assert_eq!(now(&settings), "a");
    }

    #[test]
    fn commit_of_a_failed_transaction_is_a_rollback() {
        let mut settings = settings();
        run(&mut settings, &[Effect::Begin, set(false, "a")]);
        settings.fail();
        settings.apply(&Effect::Commit { chain: false }, "ROLLBACK");
        assert_eq!(now(&settings), "start");
        // What is set behind it in the same text stays.
        run(&mut settings, &[set(false, "b")]);
        settings.ready_idle();
        assert_eq!(now(&settings), "b");
    }

    #[test]
    fn savepoints_give_back_what_they_found() {
        let mut settings = settings();
        let save = |name: &str| Effect::Savepoint(name.into());
        run(&mut settings, &[Effect::Begin, set(false, "a"), save("s"), set(false, "b")]);
        run(&mut settings, &[save("s"), set(true, "c"), Effect::Release("s".into())]);
        assert_eq!(now(&settings), "c");
        settings.fail();
        run(&mut settings, &[Effect::RollbackTo("s".into())]);
        assert_eq!(now(&settings), "a");
        run(&mut settings, &[set(false, "d"), Effect::RollbackTo("s".into())]);
        assert_eq!(now(&settings), "a");
        settings.apply(&Effect::Commit { chain: false }, "COMMIT");
        settings.ready_idle();
        assert_eq!(now(&settings), "a");
    }

    #[test]
    fn reset_all_brings_the_start_back() {
        let mut settings = settings();
        run(&mut settings, &[set(false, "a"), Effect::Purpose(Some("refund".into()))]);
        settings.ready_idle();
        run(&mut settings, &[Effect::ResetAll]);
        settings.ready_idle();
        assert_eq!(now(&settings), "start");
        assert_eq!(settings.current().purpose, None);
    }

    #[test]
    fn temporary_tables_come_and_go_with_their_transaction() {
        let mut settings = settings();
        let make =
            |name: &str, until_commit| Effect::CreateTemp { name: name.into(), until_commit };
        let names = |settings: &Settings| {
            let all = ["a", "b", "c"];
            all.into_iter()
                .filter(|name| settings.current().temp_tables.contains(name))
                .collect::<String>()
        };
        run(&mut settings, &[Effect::Begin, make("a", false), make("b", true)]);
        assert_eq!(names(&settings), "ab");
        settings.apply(&Effect::Commit { chain: false }, "COMMIT");
        settings.ready_idle();
        assert_eq!(names(&settings), "a");
        run(&mut settings, &[Effect::Begin, make("c", false), Effect::DropTemp(vec!["a".into()])]);
        assert_eq!(names(&settings), "c");
        run(&mut settings, &[Effect::Rollback { chain: false }]);
        settings.ready_idle();
        assert_eq!(names(&settings), "a");
        run(&mut settings, &[Effect::ResetAll]);
        settings.ready_idle();
        assert_eq!(names(&settings), "a");
        run(&mut settings, &[make("b", true)]);
        settings.ready_idle();
        assert_eq!(names(&settings), "a");
        run(&mut settings, &[Effect::DiscardTemp]);
        settings.ready_idle();
        assert_eq!(names(&settings), "");
    }
}
