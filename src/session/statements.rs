//! What a client holds on the server: prepared statements and portals, by name. Pure.
//!
//! INVARIANT: the tables say what the server has confirmed, no more. What is still on its way stands in the
//! pipeline's queue.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::{LookupMade, RelationRead, RelationWritten};
use crate::guard::{Breach, Discretion};
use crate::sql::{Effect, Reading, StatementKind};

/// Named statements and open portals of a session at most, each; a client that wants more is refused.
pub const NAMES_MAX: usize = 4096;

/// What the audit says of a statement, whenever it is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementFacts {
    /// Without literals.
    pub shape: String,
    /// Sent in another form than it came.
    pub rewritten: bool,
    /// What it reads.
    pub relations: Vec<RelationRead>,
    /// What it writes.
    pub writes: Vec<RelationWritten>,
    /// What it finds by true values.
    pub lookups: Vec<LookupMade>,
    /// How it was read, where not as most are.
    pub reading: Option<Reading>,
}

/// A statement that was planned and sent in a Parse.
pub struct Prepared {
    /// For the audit.
    pub facts: StatementFacts,
    /// Its kind; `None` for an empty text.
    pub kind: Option<StatementKind>,
    /// What its execution means for the session.
    pub effect: Effect,
    /// What a PREPARE makes.
    pub makes: Option<Arc<Prepared>>,
    /// For a COPY: a query without rows that is described as its rows would be.
    pub probe: Option<String>,
    /// For an EXPLAIN: what of the plan it may show.
    pub discretion: Option<Arc<Discretion>>,
    /// Version of the catalog under which its rows were last judged.
    judged_under: AtomicU64,
    rows: Mutex<Rows>,
}

/// What is known of a statement's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// The server has not described them yet.
    Unknown,
    /// It gives none.
    None,
    /// They may go to the client.
    Good,
    /// They may not.
    Bad(Breach),
}

impl Prepared {
    /// Planned under a version of the catalog; not yet described.
    pub fn new(
        facts: StatementFacts,
        kind: Option<StatementKind>,
        effect: Effect,
        version: u64,
    ) -> Prepared {
        let judged_under = AtomicU64::new(version);
        let rows = Mutex::new(Rows::Unknown);
        Prepared {
            facts,
            kind,
            effect,
            makes: None,
            probe: None,
            discretion: None,
            judged_under,
            rows,
        }
    }

    /// A COPY, whose rows are described by a query of their own.
    pub fn with_probe(self, probe: Option<String>) -> Prepared {
        Prepared { probe, ..self }
    }

    /// A PREPARE, which makes another statement.
    pub fn with_made(self, makes: Option<Arc<Prepared>>) -> Prepared {
        Prepared { makes, ..self }
    }

    /// An EXPLAIN, whose rows are edited.
    pub fn with_discretion(self, discretion: Option<Arc<Discretion>>) -> Prepared {
        Prepared { discretion, ..self }
    }

    /// True for statements whose description is asked for after Parse.
    pub fn is_described(&self) -> bool {
        self.probe.is_some() || self.kind.is_some_and(StatementKind::has_rows)
    }

    /// Rows of an answer that are none: messages of a COPY.
    pub fn extra_messages(&self) -> u8 {
        match self.kind {
            Some(StatementKind::Copy { extra_messages }) => extra_messages,
            Some(_) | None => 0,
        }
    }

    /// What is known of its rows.
    pub fn rows(&self) -> Rows {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server has described them, and they have been judged.
    pub fn set_rows(&self, rows: Rows) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// As [`Prepared::set_rows`], by a Describe that was sent under this version of the catalog.
    pub fn set_judged(&self, rows: Rows, version: u64) {
        self.set_rows(rows);
        self.judged_under.store(version, Ordering::Relaxed);
    }

    /// True when its rows must be judged again: the catalog has changed since they were, or what it names may be
    /// another cursor or statement by now.
    pub fn is_outdated(&self, version: u64) -> bool {
        if matches!(self.kind, Some(StatementKind::Fetch | StatementKind::Execute)) {
            return true;
        }
        self.is_described() && self.judged_under.load(Ordering::Relaxed) != version
    }
}

/// A portal: a statement with its parameters, and how far it has been read.
#[derive(Clone)]
pub struct Portal {
    /// The statement; `None` where Scrim did not prepare it.
    pub prepared: Option<Arc<Prepared>>,
    /// Rows given to the client so far.
    pub rows: u64,
}

/// Both tables.
#[derive(Default)]
pub struct Statements {
    prepared: HashMap<String, Arc<Prepared>>,
    portals: HashMap<String, Portal>,
}

impl Statements {
    /// A statement by name.
    pub fn prepared(&self, name: &str) -> Option<&Arc<Prepared>> {
        self.prepared.get(name)
    }

    /// A portal by name.
    pub fn portal(&self, name: &str) -> Option<&Portal> {
        self.portals.get(name)
    }

    /// A portal by name, to count its rows.
    pub fn portal_mut(&mut self, name: &str) -> Option<&mut Portal> {
        self.portals.get_mut(name)
    }

    /// True when no further names can be taken.
    pub fn is_full(&self) -> bool {
        self.prepared.len() >= NAMES_MAX || self.portals.len() >= NAMES_MAX
    }

    /// ParseComplete.
    pub fn parsed(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.prepared.insert(name.to_owned(), prepared);
    }

    /// BindComplete.
    pub fn bound(&mut self, portal: &str, statement: &str) {
        let prepared = self.prepared.get(statement).cloned();
        self.portals.insert(portal.to_owned(), Portal { prepared, rows: 0 });
    }

    /// A statement is gone.
    pub fn drop_statement(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// A portal is gone.
    pub fn drop_portal(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// The transaction has ended, and all portals with it.
    pub fn drop_portals(&mut self) {
        self.portals.clear();
    }

    /// A statement has succeeded; `makes` is what a PREPARE has made.
    pub fn apply(&mut self, effect: &Effect, makes: Option<&Arc<Prepared>>) {
        match effect {
            Effect::Prepare(name) => {
                if let Some(made) = makes {
                    self.parsed(name, Arc::clone(made));
                }
            }
            Effect::Deallocate(Some(name)) => self.drop_statement(name),
            Effect::Deallocate(None) => self.prepared.clear(),
            Effect::ClosePortal(Some(name)) => self.drop_portal(name),
            Effect::ClosePortal(None) => self.drop_portals(),
            Effect::DiscardAll => {
                self.prepared.clear();
                self.drop_portals();
            }
            Effect::None
            | Effect::CreateTemp { .. }
            | Effect::DropTemp(_)
            | Effect::DiscardTemp
            | Effect::Execute(_)
            | Effect::Fetch(_)
            | Effect::Begin
            | Effect::Commit { .. }
            | Effect::Rollback { .. }
            | Effect::Savepoint(_)
            | Effect::Release(_)
            | Effect::RollbackTo(_)
            | Effect::SearchPath { .. }
            | Effect::ResetAll
            | Effect::Purpose(_)
            | Effect::EndUser(_) => {}
        }
    }
}
