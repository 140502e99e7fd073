//! Prepared statements and portals, as the client knows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::audit::{RelationRead, Verdict};
use crate::sql::Effect;

/// Names a client may hold at once; PostgreSQL has no such limit, but nobody needs more.
const NAMES_MAX: usize = 20_000;

/// A statement that was planned and sent to be parsed.
#[derive(Debug)]
pub(super) struct Prepared {
    /// For the audit: the statement with its literals replaced.
    pub(super) shape: String,
    pub(super) verdict: Verdict,
    pub(super) relations: Vec<RelationRead>,
    pub(super) effect: Effect,
    /// Reads something, so that a purpose may be needed.
    pub(super) is_query: bool,
    /// What the guard said of its result's columns: nothing flows before.
    good: OnceLock<bool>,
}

impl Prepared {
    pub(super) fn new(
        shape: String,
        verdict: Verdict,
        relations: Vec<RelationRead>,
        effect: Effect,
        is_query: bool,
    ) -> Prepared {
        Prepared { shape, verdict, relations, effect, is_query, good: OnceLock::new() }
    }

    /// The guard's word; the first one stands.
    pub(super) fn judge(&self, is_good: bool) {
        // A later description of the same statement says the same.
        let _ = self.good.set(is_good);
    }

    pub(super) fn is_good(&self) -> bool {
        self.good.get() == Some(&true)
    }
}

/// How to take back a change to the names.
#[derive(Debug)]
pub(super) enum Undo {
    Statement(String, Option<Arc<Prepared>>),
    Portal(String, Option<Arc<Prepared>>),
}

/// What a client's names mean.
#[derive(Debug, Default)]
pub(super) struct Names {
    statements: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Arc<Prepared>>,
}

impl Names {
    pub(super) fn statement(&self, name: &str) -> Option<Arc<Prepared>> {
        self.statements.get(name).cloned()
    }

    pub(super) fn portal(&self, name: &str) -> Option<Arc<Prepared>> {
        self.portals.get(name).cloned()
    }

    /// True when there is no room for another name.
    pub(super) fn is_full(&self) -> bool {
        self.statements.len().saturating_add(self.portals.len()) >= NAMES_MAX
    }

    pub(super) fn set_statement(&mut self, name: &str, prepared: Option<Arc<Prepared>>) -> Undo {
        Undo::Statement(name.to_owned(), set(&mut self.statements, name, prepared))
    }

    pub(super) fn set_portal(&mut self, name: &str, prepared: Option<Arc<Prepared>>) -> Undo {
        Undo::Portal(name.to_owned(), set(&mut self.portals, name, prepared))
    }

    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Statement(name, before) => drop(set(&mut self.statements, &name, before)),
            Undo::Portal(name, before) => drop(set(&mut self.portals, &name, before)),
        }
    }

    /// Portals end with their transaction.
    pub(super) fn transaction_ended(&mut self) {
        self.portals.clear();
    }
}

fn set(
    map: &mut HashMap<String, Arc<Prepared>>,
    name: &str,
    value: Option<Arc<Prepared>>,
) -> Option<Arc<Prepared>> {
    match value {
        Some(value) => map.insert(name.to_owned(), value),
        None => map.remove(name),
    }
}
