//! What the session has set, as far as Scrim must know it: search_path, purpose, end user.
//!
//! Follows PostgreSQL's transactions: what was SET in a transaction that rolls back was never set.
//! <https://www.postgresql.org/docs/current/sql-set.html>

use crate::catalog::SearchPath;
use crate::sql::Effect;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Values {
    search_path: SearchPath,
    purpose: Option<String>,
    end_user: Option<String>,
}

/// The settings of a session.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    at_start: Values,
    now: Values,
    /// What holds after COMMIT; differs from `now` by SET LOCAL.
    after_commit: Values,
    /// What held before the transaction, and at each savepoint.
    before: Option<Values>,
    savepoints: Vec<(String, Values, Values)>,
}

impl Settings {
    pub(super) fn new(
        search_path: SearchPath,
        purpose: Option<String>,
        end_user: Option<String>,
    ) -> Settings {
        let values = Values { search_path, purpose, end_user };
        Settings {
            at_start: values.clone(),
            now: values.clone(),
            after_commit: values,
            before: None,
            savepoints: Vec::new(),
        }
    }

    pub(super) fn search_path(&self) -> &SearchPath {
        &self.now.search_path
    }

    pub(super) fn purpose(&self) -> Option<&str> {
        self.now.purpose.as_deref()
    }

    pub(super) fn end_user(&self) -> Option<&str> {
        self.now.end_user.as_deref()
    }

    /// A statement has succeeded.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::None | Effect::Deallocate(_) | Effect::ClosePortal(_) => {}
            Effect::Begin => self.begin(),
            Effect::Commit { chain } => {
                self.end(true);
                if *chain {
                    self.begin();
                }
            }
            Effect::Rollback { chain } => {
                self.end(false);
                if *chain {
                    self.begin();
                }
            }
            Effect::Savepoint(name) => {
                self.savepoints.push((name.clone(), self.now.clone(), self.after_commit.clone()));
            }
            Effect::Release(name) => {
                if let Some(index) = self.savepoint(name) {
                    self.savepoints.truncate(index);
                }
            }
            Effect::RollbackTo(name) => {
                if let Some(index) = self.savepoint(name) {
                    // The savepoint itself stays.
                    self.savepoints.truncate(index.saturating_add(1));
                    if let Some((_, now, after_commit)) = self.savepoints.last() {
                        self.now = now.clone();
                        self.after_commit = after_commit.clone();
                    }
                }
            }
            Effect::SearchPath { local, path } => {
                let path = path.clone().unwrap_or_else(|| self.at_start.search_path.clone());
                self.set(*local, |values| values.search_path = path.clone());
            }
            Effect::Purpose(purpose) => {
                let value = purpose.clone().or_else(|| self.at_start.purpose.clone());
                self.set(false, |values| values.purpose.clone_from(&value));
            }
            Effect::EndUser(end_user) => {
                let value = end_user.clone().or_else(|| self.at_start.end_user.clone());
                self.set(false, |values| values.end_user.clone_from(&value));
            }
            Effect::ResetAll | Effect::DiscardAll => {
                let start = self.at_start.clone();
                self.set(false, |values| *values = start.clone());
            }
        }
    }

    /// ReadyForQuery: outside a transaction everything is as after a commit, or as before if it failed.
    pub(super) fn ready(&mut self, status: u8, failed: bool) {
        if status == b'I' && (self.before.is_some() || self.now != self.after_commit) {
            self.end(!failed);
        }
    }

    fn savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|(known, ..)| known == name)
    }

    fn set(&mut self, local: bool, change: impl Fn(&mut Values)) {
        // An implicit transaction begins with its first change.
        if self.before.is_none() {
            self.before = Some(self.now.clone());
        }
        change(&mut self.now);
        if !local {
            change(&mut self.after_commit);
        }
    }

    fn begin(&mut self) {
        if self.before.is_none() {
            self.before = Some(self.now.clone());
        }
    }

    fn end(&mut self, committed: bool) {
        if !committed && let Some(before) = &self.before {
            self.after_commit = before.clone();
        }
        self.before = None;
        self.savepoints.clear();
        self.now = self.after_commit.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> Effect {
        Effect::SearchPath { local: false, path: Some(SearchPath(vec![name.into()])) }
    }

    fn local(name: &str) -> Effect {
        Effect::SearchPath { local: true, path: Some(SearchPath(vec![name.into()])) }
    }

    #[test]
    fn as_transactions_do() {
        let begin = Effect::Begin;
        let commit = Effect::Commit { chain: false };
        let rollback = Effect::Rollback { chain: false };
        let save = |name: &str| Effect::Savepoint(name.into());
        let back = |name: &str| Effect::RollbackTo(name.into());
        let cases: Vec<(Vec<Effect>, &str)> = vec![
            (vec![path("a")], "a"),
            (vec![begin.clone(), path("a"), commit.clone()], "a"),
            (vec![begin.clone(), path("a"), rollback.clone()], "start"),
            (vec![begin.clone(), local("a")], "a"),
            (vec![begin.clone(), local("a"), commit.clone()], "start"),
            (vec![begin.clone(), path("a"), local("b"), commit], "a"),
            (vec![begin.clone(), save("s"), path("a"), back("s")], "start"),
            (vec![begin.clone(), path("a"), save("s"), path("b"), back("s"), path("c")], "c"),
            (vec![path("a"), Effect::ResetAll], "start"),
            (vec![path("a"), begin, path("b"), rollback], "a"),
        ];
        for (effects, expected) in cases {
            let mut settings = Settings::new(SearchPath(vec!["start".into()]), None, None);
            let mut status = b'I';
            for effect in &effects {
                settings.apply(effect);
                match effect {
                    Effect::Begin => status = b'T',
                    Effect::Commit { .. } | Effect::Rollback { .. } => status = b'I',
                    _ => {}
                }
                settings.ready(status, false);
            }
            assert_eq!(settings.search_path().0, [expected], "{effects:?}");
        }
    }

    #[test]
    fn a_failed_implicit_transaction_sets_nothing() {
        let mut settings = Settings::new(SearchPath(vec!["start".into()]), None, None);
        settings.apply(&path("a"));
        settings.ready(b'I', true);
        assert_eq!(settings.search_path().0, ["start"]);
    }
}
