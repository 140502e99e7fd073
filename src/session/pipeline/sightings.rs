//! Which rows a statement has shown, for the audit of roles with `audit_rows`. For others there is nothing here.
//!
//! INVARIANTS: what is named has gone to the client; what may have been shown and is not named is said to be unknown.

use std::sync::Arc;

use super::super::statements::Statements;
use super::Pipeline;
use super::expected::{Execution, Progress, SentStatement};
use crate::audit::{CanShow, KeysSeen, RowsSeen, StatementFacts};
use crate::guard::{Formats, RowKeys, ShownKeys};
use crate::sql::{Effect, StatementKind};

/// What a result has shown so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighted {
    /// Keys that have gone out.
    pub keys: ShownKeys,
    /// What the cursor reads, where the statement is a FETCH.
    cursor: Option<Arc<StatementFacts>>,
}

impl Pipeline {
    /// What is known of a statement that the audit is to have the rows of.
    pub fn about(&self, about: &Arc<StatementFacts>) -> Option<Arc<StatementFacts>> {
        self.ceiling.audits_rows.then(|| Arc::clone(about))
    }
}

/// The result of a Query is described: what will be looked for in its rows.
pub(super) fn of_query(
    statements: &Statements,
    statement: &SentStatement,
    at: Option<RowKeys>,
) -> Option<Box<Sighted>> {
    let about = statement.about.as_ref()?;
    let at = at.unwrap_or_default();
    Some(sighted(statements, &at, Formats::Described, about, &statement.effect))
}

/// The rows of an Execute come now.
pub(super) fn of_execution(statements: &Statements, run: &Execution) -> Option<Box<Sighted>> {
    let (about, prepared) = (run.about.as_ref()?, run.prepared.as_ref()?);
    let formats = statements.portal(&run.portal)?.formats.clone();
    let formats = formats.map_or(Formats::Unknown, Formats::Bound);
    let at = prepared.row_keys().unwrap_or_default();
    Some(sighted(statements, &at, formats, about, &prepared.effect))
}

fn sighted(
    statements: &Statements,
    at: &RowKeys,
    formats: Formats,
    about: &StatementFacts,
    effect: &Effect,
) -> Box<Sighted> {
    let cursor = match effect {
        Effect::Fetch(name) => statements.cursor_reads(name),
        _ => None,
    };
    let read = &cursor.as_deref().unwrap_or(about).can_show;
    let once = |relation: &str| read.iter().any(|one| one.relation == relation && one.once);
    let keys = ShownKeys::new(at, formats, once);
    Box::new(Sighted { keys, cursor })
}

/// What the audit has to say of the rows of a statement that has ended; `None`: nothing, since its role has no `audit_rows`.
pub(super) fn rows_seen(
    kind: Option<StatementKind>,
    about: Option<&Arc<StatementFacts>>,
    progress: &Progress,
    is_failed: bool,
) -> Option<Vec<RowsSeen>> {
    let about = about?;
    let sighted = progress.sighted.as_deref();
    let cursor = sighted.and_then(|sighted| sighted.cursor.as_deref());
    let mut seen: Vec<RowsSeen> = Vec::new();
    let known = sighted.map(|sighted| sighted.keys.relations()).unwrap_or_default();
    for shown in known.iter().filter(|shown| !shown.keys.is_empty() || shown.more > 0) {
        seen.push(RowsSeen {
            relation: shown.relation.clone(),
            columns: shown.columns.clone(),
            keys: KeysSeen::These(shown.keys.iter().cloned().collect()),
            more: shown.more,
            masked: serde_json::Map::new(),
            clear: Vec::new(),
        });
    }
    if shows(kind, progress.rows, is_failed) {
        let is_told = |one: &&CanShow| {
            let is_known = known.iter().any(|shown| shown.relation == one.relation);
            !(is_known && one.once && !one.others)
        };
        let untold = cursor.unwrap_or(about).can_show.iter().filter(is_told);
        seen.extend(untold.map(|one| RowsSeen {
            relation: one.relation.clone(),
            columns: Default::default(),
            keys: KeysSeen::Unknown,
            more: 0,
            masked: serde_json::Map::new(),
            clear: Vec::new(),
        }));
    }
    if let Some(cursor) = cursor {
        for one in &mut seen {
            let read = cursor.relations.iter().find(|read| read.relation == one.relation);
            if let Some(read) = read {
                one.masked = read.masked.clone();
                one.clear = read.clear.clone();
            }
        }
    }
    Some(seen)
}

/// True for a statement that has given data, or has put some where it can be read later.
fn shows(kind: Option<StatementKind>, rows: u64, is_failed: bool) -> bool {
    match kind {
        Some(StatementKind::TempTable | StatementKind::Write { .. }) => !is_failed || rows > 0,
        Some(
            StatementKind::Select
            | StatementKind::Show
            | StatementKind::Fetch
            | StatementKind::Execute
            | StatementKind::Copy { .. },
        ) => rows > 0,
        // A plan, a cursor or a prepared statement shows no row.
        Some(
            StatementKind::Explain { .. }
            | StatementKind::Cursor
            | StatementKind::Prepare
            | StatementKind::Transaction
            | StatementKind::Set
            | StatementKind::CopyIn
            | StatementKind::Definition
            | StatementKind::Discard
            | StatementKind::Listen
            | StatementKind::Notify,
        )
        | None => false,
    }
}
