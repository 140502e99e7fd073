//! What a client holds on the server: prepared statements and portals, by name. Pure.
//!
//! When the rules have changed, what is held is *older*: statements are planned again before they are bound, portals
//! and cursors are not read any further.
//!
//! INVARIANT: the tables say what the server has confirmed, no more. What is still on its way stands in the
//! pipeline's queue.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::source::Source;
use crate::audit::StatementFacts;
use crate::guard::{Breach, Discretion, RowKeys, text_columns};
use crate::policy::WireMasks;
use crate::sql::{Effect, StatementKind};
use crate::wire::reader;

/// Named statements and open portals of a session at most, each; a client that wants more is refused.
pub const NAMES_MAX: usize = 4096;

/// A statement that was planned and sent in a Parse.
pub struct Prepared {
    /// For the audit.
    pub facts: Arc<StatementFacts>,
    /// Its kind; `None` for an empty text.
    pub kind: Option<StatementKind>,
    /// What its execution means for the session.
    pub effect: Effect,
    /// What a PREPARE makes.
    pub makes: Option<Arc<Prepared>>,
    /// For a COPY: a query without rows that is described as its rows would be.
    pub probe: Option<Arc<str>>,
    /// For an EXPLAIN: what of the plan it may show.
    pub discretion: Option<Arc<Discretion>>,
    /// What its rows need before they may go to the client.
    pub masks: Option<Arc<WireMasks>>,
    /// What was sent in its Parse; `None` where SQL has made it.
    pub source: Option<Source>,
    /// What the client is told in the place of what the server says when it is complete.
    pub tag: Option<&'static str>,
    /// Code runs in it that nobody here has read, or it sets something.
    pub runs_code: bool,
    /// Its rows are described when it is executed, unless the client has asked for them before.
    is_described_late: bool,
    /// It has no name, and the server connection keeps it under one of ours.
    is_kept: AtomicBool,
    /// Version of the catalog under which its rows were last judged.
    judged_under: AtomicU64,
    rows: Mutex<Rows>,
    /// What it is planned from; `None`: SQL has prepared it.
    pub origin: Option<PlannedFrom>,
    /// Of the columns that it was described with last; `None`: not yet.
    columns: Mutex<Option<Columns>>,
    /// Which of them take any text.
    texts: Mutex<Option<Arc<[bool]>>>,
    /// Where keys stand in its rows, if they are to be on record.
    row_keys: Mutex<Option<Arc<RowKeys>>>,
}

/// What a Parse said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFrom {
    /// The client's text.
    pub text: Arc<str>,
    /// Parameter types as given.
    pub types: Arc<[u32]>,
}

/// A hash over names, types and modifiers of columns; `None`: there are none.
pub type Columns = Option<u64>;

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
        facts: Arc<StatementFacts>,
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
            masks: None,
            source: None,
            tag: None,
            runs_code: false,
            is_described_late: false,
            is_kept: AtomicBool::new(false),
            judged_under,
            rows,
            origin: None,
            columns: Mutex::default(),
            texts: Mutex::default(),
            row_keys: Mutex::default(),
        }
    }

    /// What came in a Parse, from which it can be planned again.
    pub fn planned_from(self, text: Arc<str>, types: Arc<[u32]>) -> Prepared {
        Prepared { origin: Some(PlannedFrom { text, types }), ..self }
    }

    /// A COPY, whose rows are described by a query of their own.
    pub fn with_probe(self, probe: Option<Arc<str>>) -> Prepared {
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

    /// One whose rows are masked on their way.
    pub fn with_masks(self, masks: Option<Arc<WireMasks>>) -> Prepared {
        Prepared { masks, ..self }
    }

    /// With what was sent in its Parse.
    pub fn with_source(self, source: Source) -> Prepared {
        Prepared { source: Some(source), ..self }
    }

    /// Of which the client is told another tag than the server gives.
    pub fn with_tag(self, tag: Option<&'static str>) -> Prepared {
        Prepared { tag, ..self }
    }

    /// One in which code may run that nobody here has read.
    pub fn running_code(self, runs_code: bool) -> Prepared {
        Prepared { runs_code, ..self }
    }

    /// A query that is the unnamed statement is executed once, most often, and its client asks for its rows itself: to ask
    /// after its Parse too would be to ask twice.
    pub fn described_late(self, is_unnamed: bool) -> Prepared {
        let is_query = self.kind == Some(StatementKind::Select) && self.probe.is_none();
        Prepared { is_described_late: is_unnamed && is_query, ..self }
    }

    /// One without a name that server connections keep, since it has been met before.
    pub fn kept(self, is_kept: bool) -> Prepared {
        Prepared { is_kept: AtomicBool::new(is_kept), ..self }
    }

    /// True for such a one, while that counts.
    pub fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    /// Whether it counts from now on.
    pub fn set_kept(&self, is_kept: bool) {
        self.is_kept.store(is_kept, Ordering::Relaxed);
    }

    /// True when its rows are described no earlier than the client asks for them, or executes it.
    pub fn is_described_late(&self) -> bool {
        self.is_described_late
    }

    /// True while that has not been.
    pub fn awaits_description(&self) -> bool {
        self.is_described_late && self.rows() == Rows::Unknown
    }

    /// True for statements that the server must describe.
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

    /// The columns that it was described with last.
    pub fn columns(&self) -> Option<Columns> {
        *self.columns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of the columns take any text.
    pub fn texts(&self) -> Option<Arc<[bool]>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where keys stand in its rows, if they are to be on record.
    pub fn row_keys(&self) -> Option<Arc<RowKeys>> {
        self.row_keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server has described it.
    pub fn set_row_keys(&self, keys: Option<RowKeys>) {
        *self.row_keys.lock().unwrap_or_else(PoisonError::into_inner) = keys.map(Arc::new);
    }

    /// The server has described it: by the body of a RowDescription, or as giving no rows.
    pub fn set_columns(&self, description: Option<&[u8]>) {
        let texts = description.and_then(text_columns);
        *self.texts.lock().unwrap_or_else(PoisonError::into_inner) = texts;
        let columns = description.map(columns_of);
        *self.columns.lock().unwrap_or_else(PoisonError::into_inner) = Some(columns);
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

/// What PostgreSQL compares before it executes a plan that it has made again. Where columns come from may change with
/// the rules.
fn columns_of(description: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    match reader::row_description(description) {
        Ok(columns) => {
            for column in columns {
                (column.name, column.type_oid, column.modifier).hash(&mut hasher);
            }
        }
        // Nobody gets its rows; like itself alone.
        Err(_) => description.hash(&mut hasher),
    }
    hasher.finish()
}

/// A portal: a statement with its parameters, and how far it has been read.
#[derive(Clone)]
pub struct Portal {
    /// The statement; `None` where Scrim did not prepare it.
    pub prepared: Option<Arc<Prepared>>,
    /// Rows given to the client so far.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Opened under older rules.
    pub is_older: bool,
    /// In which formats its rows come, where somebody reads them.
    pub formats: Option<Arc<[i16]>>,
}

/// A cursor that SQL has declared.
struct Cursor {
    holds: bool,
    is_older: bool,
    /// What it reads, where the rows are to be on record.
    about: Option<Arc<StatementFacts>>,
}

/// The tables.
#[derive(Default)]
pub struct Statements {
    prepared: HashMap<String, Arc<Prepared>>,
    /// Names of those that were planned under older rules.
    older: HashSet<String>,
    portals: HashMap<String, Portal>,
    /// How many of the prepared ones SQL has made.
    made_by_sql: usize,
    cursors: HashMap<String, Cursor>,
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

    /// True while there is something on the server connection that no other one has: a statement that SQL has
    /// prepared, or a cursor that outlives its transaction.
    pub fn are_bound(&self) -> bool {
        self.made_by_sql > 0 || self.cursors.values().any(|cursor| cursor.holds)
    }

    /// True when no further names can be taken.
    pub fn is_full(&self) -> bool {
        let fullest = self.prepared.len().max(self.portals.len()).max(self.cursors.len());
        fullest >= NAMES_MAX
    }

    /// The rules have changed, and nothing is on its way: all that is held is older.
    pub fn age(&mut self) {
        self.older = self.prepared.keys().cloned().collect();
        self.portals.values_mut().for_each(|portal| portal.is_older = true);
        self.cursors.values_mut().for_each(|cursor| cursor.is_older = true);
    }

    /// The catalog has changed: what is masked on its way by what is no longer so is older.
    pub fn age_masked(&mut self, is_current: impl Fn(&WireMasks) -> bool) {
        let is_stale =
            |prepared: &Prepared| prepared.masks.as_deref().is_some_and(|masks| !is_current(masks));
        let stale = self.prepared.iter().filter(|(_, prepared)| is_stale(prepared));
        self.older.extend(stale.map(|(name, _)| name.clone()));
    }

    /// True when a statement of that name was planned under older rules.
    pub fn is_older(&self, name: &str) -> bool {
        self.older.contains(name)
    }

    /// True when a portal of that name, or a cursor, was opened under older rules.
    pub fn is_older_portal(&self, name: &str) -> bool {
        self.portals.get(name).is_some_and(|portal| portal.is_older)
            || self.cursors.get(name).is_some_and(|cursor| cursor.is_older)
    }

    /// ParseComplete.
    pub fn parsed(&mut self, name: &str, prepared: Arc<Prepared>) {
        self.drop_statement(name);
        self.made_by_sql = self.made_by_sql.saturating_add(usize::from(prepared.source.is_none()));
        self.prepared.insert(name.to_owned(), prepared);
    }

    /// BindComplete.
    pub fn bound(&mut self, portal: &str, statement: &str, formats: Option<Arc<[i16]>>) {
        let prepared = self.prepared.get(statement).cloned();
        let opened = Portal { prepared, rows: 0, bytes: 0, is_older: false, formats };
        self.portals.insert(portal.to_owned(), opened);
    }

    /// A statement is gone.
    pub fn drop_statement(&mut self, name: &str) {
        self.older.remove(name);
        if self.prepared.remove(name).is_some_and(|prepared| prepared.source.is_none()) {
            self.made_by_sql = self.made_by_sql.saturating_sub(1);
        }
    }

    /// A portal is gone.
    pub fn drop_portal(&mut self, name: &str) {
        self.portals.remove(name);
        self.cursors.remove(name);
    }

    /// The transaction has ended, and with it all portals, but for cursors that are held beyond.
    pub fn drop_portals(&mut self) {
        self.portals.clear();
        self.cursors.retain(|_, cursor| cursor.holds);
    }

    /// The unnamed one stays (`DropAllPreparedStatements`).
    fn drop_statements(&mut self) {
        self.prepared.retain(|name, _| name.is_empty());
        self.made_by_sql = 0;
        self.older.retain(|name| name.is_empty());
    }

    /// What a cursor reads, where its rows are to be on record.
    pub fn cursor_reads(&self, name: &str) -> Option<Arc<StatementFacts>> {
        self.cursors.get(name)?.about.clone()
    }

    /// A statement has succeeded; `makes` is what a PREPARE has made, `about` what the statement reads, where the rows are to
    /// be on record.
    pub fn apply(
        &mut self,
        effect: &Effect,
        makes: Option<&Arc<Prepared>>,
        about: Option<&Arc<StatementFacts>>,
    ) {
        match effect {
            Effect::Prepare(name) => {
                if let Some(made) = makes {
                    self.parsed(name, Arc::clone(made));
                }
            }
            Effect::Deallocate(Some(name)) => self.drop_statement(name),
            Effect::Deallocate(None) => self.drop_statements(),
            Effect::Declare { name, holds } => {
                let about = about.cloned();
                let cursor = Cursor { holds: *holds, is_older: false, about };
                self.cursors.insert(name.clone(), cursor);
            }
            Effect::ClosePortal(Some(name)) => self.drop_portal(name),
            Effect::ClosePortal(None) => {
                self.drop_portals();
                self.cursors.clear();
            }
            Effect::DiscardAll => {
                self.drop_statements();
                self.drop_portals();
                self.cursors.clear();
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
            | Effect::Set(_)
            | Effect::ResetAll
            | Effect::Listen(_)
            | Effect::Unlisten(_)
            | Effect::State { .. } => {}
        }
    }
}
