//! Which columns of what goes into a hole a statement may want.
//!
//! A template with all columns of a relation is always right. One with fewer is right where no name in the statement can
//! mean a column that is left out, and quicker to plan for PostgreSQL, which looks at every expression of a sub-select.
//! So everything goes by names, wherever they stand: a name that is mentioned at all is wanted of every hole that has
//! it; and what could mean a whole row, or nothing that is known here, wants all of everything.

use std::collections::BTreeSet;

use super::Speaker;
use super::hole::Hole;
use super::rewrite::Rewritten;
use crate::grammar::{ColumnUse, Proof};
use crate::policy::{ColumnVerdict, Wanted};

/// What a proven statement wants.
pub(super) struct Wishes<'a> {
    proof: &'a Proof,
    /// Something in the statement may mean columns that it does not name, so all of all holes are wanted.
    all: bool,
    /// Of each hole, the columns that are wanted as they are.
    raw: &'a [BTreeSet<String>],
}

impl<'a> Wishes<'a> {
    /// What the statement wants that `proof` is about.
    pub(super) fn new(
        proof: &'a Proof,
        rewritten: &'a Rewritten,
        raw: &'a [BTreeSet<String>],
        speaker: Speaker<'_>,
    ) -> Wishes<'a> {
        let snapshot = speaker.view.snapshot();
        let open = rewritten.open.iter();
        let open = open.filter_map(|(schema, name)| snapshot.relation_named(schema, name));
        let open: BTreeSet<&str> =
            open.flat_map(|relation| &relation.columns).map(|column| &*column.name).collect();
        let is_known = |column: &ColumnUse| {
            let name = column.name.as_str();
            name == "*"
                || proof.labels.contains(name)
                || open.contains(name)
                || proof.functions.iter().any(|function| last_part(function) == name)
                || rewritten.holes.iter().any(|hole| has(hole, name))
        };
        // PostgreSQL's hint for a name that does not exist names a column that is called nearly so.
        let all = !proof.columns.iter().all(is_known);
        Wishes { proof, all, raw }
    }

    /// What is wanted of the hole of this number, which the statement calls `alias`.
    pub(super) fn of(&self, index: usize, hole: &Hole, alias: Option<&str>) -> Wanted {
        let raw = self.raw.get(index).cloned().unwrap_or_default();
        Wanted { columns: self.columns(hole, alias), raw }
    }

    /// `None`: all of them.
    fn columns(&self, hole: &Hole, alias: Option<&str>) -> Option<BTreeSet<String>> {
        let (Some(columns), Some(alias), false) = (hole.content.columns(), alias, self.all) else {
            return None;
        };
        if self.proof.columns.iter().any(|column| is_whole(column, hole, alias)) {
            return None;
        }
        let names: BTreeSet<&str> = self.proof.columns.iter().map(|column| &*column.name).collect();
        let named = columns.iter().filter(|column| names.contains(&*column.name));
        Some(named.map(|column| column.name.clone()).collect())
    }
}

/// True for what may mean the whole row of the hole: a star, its alias as a value, and what is written as a column of
/// it and is none, which may call a function over the row.
fn is_whole(column: &ColumnUse, hole: &Hole, alias: &str) -> bool {
    match column.qualifier.as_deref() {
        None => column.name == "*" || column.name == alias,
        Some(qualifier) if qualifier == alias => column.name == "*" || !has(hole, &column.name),
        Some(_) => false,
    }
}

/// True for a column of the hole that the role sees. What a system relation has is not known here.
fn has(hole: &Hole, name: &str) -> bool {
    let is_named = |column: &crate::policy::ColumnAccess| {
        column.verdict != ColumnVerdict::Hidden && column.name == name
    };
    hole.content.columns().is_some_and(|columns| columns.iter().any(is_named))
        || hole.system_columns.contains(&name)
}

/// `lower` of `pg_catalog.lower`.
fn last_part(function: &str) -> &str {
    function.rsplit('.').next().unwrap_or(function)
}
