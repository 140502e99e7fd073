//! What the audit is to know of a plan: what it reads, writes, looks up, can see by grants, and can show rows of. Names and
//! counts, and keys that grants name.

use crate::audit::{CanShow, CellsOpened, LookupMade, RelationRead, RelationWritten};
use crate::catalog::RelationKind;
use crate::grammar::Scans;
use crate::policy::{Opening, RoleView};
use crate::sql::{LookedUp, PlannedStatement, Read, Written};

/// Of which relations a statement can show rows: of what it reads, views apart, whose definitions stand in it, and what
/// belongs to PostgreSQL or to the session.
pub(super) fn can_show(statement: &PlannedStatement, view: &RoleView) -> Vec<CanShow> {
    let scans = Scans::of(statement.sql.as_str());
    let has_rows = |read: &&Read| {
        let found = view.snapshot().relation_named(&read.schema, &read.relation);
        found.is_some_and(|relation| {
            !relation.is_system() && (read.open || relation.kind != RelationKind::View)
        })
    };
    let told = |read: &Read| CanShow {
        relation: format!("{}.{}", read.schema, read.relation),
        once: scans.as_ref().is_some_and(|scans| scans.are_once(&read.schema, &read.relation)),
        others: scans.as_ref().is_none_or(Scans::have_windows),
    };
    statement.reads.iter().filter(has_rows).map(told).collect()
}

/// What a statement can see by grants: whatever of it it mentions, in every row that is opened, since a condition, an
/// aggregate or a cursor may look at each of them.
pub(super) fn opened(statement: &PlannedStatement, view: &RoleView) -> Vec<CellsOpened> {
    let mut found: Vec<CellsOpened> = Vec::new();
    if view.openings().is_empty() {
        return found;
    }
    let mut add = |schema: &str, relation: &str, column: &str, openings: Vec<&Opening>| {
        for opening in openings {
            let keys = opening.keys();
            let cells = keys.as_ref().map(|keys| u64::try_from(keys.len()).unwrap_or(u64::MAX));
            let one = CellsOpened {
                grant: opening.grant,
                relation: format!("{schema}.{relation}"),
                column: column.to_owned(),
                cells,
                keys: keys.unwrap_or_default(),
            };
            if !found.contains(&one) {
                found.push(one);
            }
        }
    };
    for read in &statement.reads {
        let (schema, relation) = (&read.schema, &read.relation);
        add(schema, relation, "*", view.openings_of_rows(schema, relation));
        for (column, _) in &read.masked {
            add(schema, relation, column, view.openings_of(schema, relation, column));
        }
    }
    for write in &statement.writes {
        let (schema, relation) = (&write.schema, &write.relation);
        add(schema, relation, "*", view.openings_of_rows(schema, relation));
    }
    found
}

pub(super) fn lookup(looked_up: LookedUp) -> LookupMade {
    let LookedUp { schema, relation, column, values } = looked_up;
    LookupMade { relation: format!("{schema}.{relation}"), column, values }
}

pub(super) fn relation(read: Read) -> RelationRead {
    RelationRead {
        relation: format!("{}.{}", read.schema, read.relation),
        clear: read.clear.into_iter().collect(),
        masked: read
            .masked
            .into_iter()
            .map(|(column, mask)| (column, serde_json::Value::String(mask)))
            .collect(),
    }
}

pub(super) fn written(write: Written) -> RelationWritten {
    RelationWritten {
        relation: format!("{}.{}", write.schema, write.relation),
        kind: write.kind,
        columns: write.columns,
    }
}
