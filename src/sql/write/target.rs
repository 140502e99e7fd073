//! A relation that is written, as the role sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use pg_query::protobuf::RangeVar;

use super::super::Speaker;
use super::super::hole::Content;
use super::super::refusal::Refusal;
use super::super::resolve;
use crate::catalog::{Column, Relation, RelationKind, RelationOid, Snapshot};
use crate::policy::{Access, ColumnVerdict, Template};

/// A relation that a role may write.
#[derive(Debug, Clone)]
pub(in super::super) struct Target {
    /// Its schema.
    pub(in super::super) schema: String,
    /// Its name.
    pub(in super::super) name: String,
    /// What the role sees of it; `None`: all.
    pub(in super::super) template: Option<Arc<Template>>,
    /// What the client calls it.
    pub(in super::super) called: String,
    /// The client gave it no other name.
    pub(in super::super) unaliased: bool,
    /// A partition or child is hidden, so where a row lies is not to be told.
    pub(in super::super) hides_children: bool,
    columns: Vec<Column>,
    /// Columns that decide what is seen, here, in a parent or in a child.
    decisive: BTreeSet<String>,
}

/// What a column is to a role that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Seen {
    /// Clear, and nothing goes by it.
    Clear,
    /// Clear, and a row filter or another column's mask goes by it.
    Decisive,
    /// Masked.
    Masked,
    /// Not there.
    Absent,
}

impl Target {
    /// The relation that a statement names.
    pub(in super::super) fn of(
        relation: Option<&RangeVar>,
        speaker: Speaker<'_>,
    ) -> Result<Target, Refusal> {
        let relation = relation.ok_or_else(|| Refusal::not_understood("a write to nothing"))?;
        let found = resolve::resolve_named(speaker, relation)?;
        if let resolve::Target::Hole(Content::View(..)) = &found {
            let (schema, name) = found.name();
            let why = "it is a view; write to the tables behind it";
            return Err(Refusal::not_written(&format!("{schema}.{name}"), why));
        }
        if let resolve::Target::Hole(Content::Temporary { .. }) = &found {
            return Err(Refusal::temporary(
                "takes INSERT of VALUES or a query, TRUNCATE and DROP, and is not changed otherwise",
            ));
        }
        let (schema, name) = found.name();
        let target = Target::named(speaker, schema, name)
            .ok_or_else(|| Refusal::no_such_relation(&relation.relname))??;
        let alias = relation.alias.as_ref().map(|alias| alias.aliasname.clone());
        Ok(Target {
            unaliased: alias.is_none(),
            called: alias.unwrap_or_else(|| relation.relname.clone()),
            ..target
        })
    }

    /// The relation of that name, if it may be written at all; `None` where there is none.
    pub(in super::super) fn named(
        speaker: Speaker<'_>,
        schema: &str,
        name: &str,
    ) -> Option<Result<Target, Refusal>> {
        let relation = speaker.view.snapshot().relation_named(schema, name)?;
        Some(Target::from(relation, speaker))
    }

    fn from(relation: &Relation, speaker: Speaker<'_>) -> Result<Target, Refusal> {
        let full = || format!("{}.{}", relation.schema, relation.name);
        let refused = |why: &str| Err(Refusal::not_written(&full(), why));
        if relation.is_system() {
            return refused("it is the database's own");
        }
        match relation.kind {
            RelationKind::Table | RelationKind::PartitionedTable => {}
            RelationKind::View => return refused("it is a view; write to the tables behind it"),
            RelationKind::MaterializedView => return refused("it is a materialised view"),
            RelationKind::ForeignTable => return refused("it is a foreign table"),
            RelationKind::Sequence => return refused("it is a sequence"),
        }
        let template = match speaker.view.access(relation.oid) {
            Access::Open => None,
            Access::Masked(template) => Some(template),
            Access::Hidden => return Err(Refusal::no_such_relation(&relation.name)),
            Access::Closed { reason } => return Err(Refusal::closed_relation(&full(), &reason)),
            Access::View(_) => return refused("it is a view; write to the tables behind it"),
        };
        Ok(Target {
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            template,
            called: relation.name.clone(),
            unaliased: true,
            hides_children: hides_children(relation, speaker),
            columns: relation.columns.clone(),
            decisive: decisive(relation, speaker),
        })
    }

    /// `schema.name`, for messages.
    pub(in super::super) fn full(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// A column of the relation itself.
    pub(in super::super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(in super::super) fn seen(&self, column: &str) -> Seen {
        if self.column(column).is_none() {
            return Seen::Absent;
        }
        let clear = match self.decisive.contains(column) {
            true => Seen::Decisive,
            false => Seen::Clear,
        };
        let Some(template) = &self.template else { return clear };
        let access = template.columns.iter().find(|access| access.name == column);
        match access.map(|access| &access.verdict) {
            Some(ColumnVerdict::Clear) => clear,
            Some(ColumnVerdict::Masked(_)) => Seen::Masked,
            Some(ColumnVerdict::Hidden) | None => Seen::Absent,
        }
    }

    /// The mask's label.
    pub(in super::super) fn label(&self, column: &str) -> Option<String> {
        let columns = &self.template.as_ref()?.columns;
        let access = columns.iter().find(|access| access.name == column)?;
        match &access.verdict {
            ColumnVerdict::Masked(label) if !access.is_as_text() => Some(label.clone()),
            ColumnVerdict::Masked(_) | ColumnVerdict::Clear | ColumnVerdict::Hidden => None,
        }
    }

    /// The columns that exist for the role, in order.
    pub(in super::super) fn visible(&self) -> impl Iterator<Item = &str> {
        let names = self.columns.iter().map(|column| column.name.as_str());
        names.filter(|name| self.seen(name) != Seen::Absent)
    }

    /// The row filter.
    pub(in super::super) fn has_filter(&self) -> bool {
        self.template.as_ref().is_some_and(|template| template.filter.is_some())
    }

    /// Refuses a column of a list that gives values to new rows.
    pub(in super::super) fn judge_new(&self, column: &str) -> Result<(), Refusal> {
        match self.seen(column) {
            // A new row is the role's own, whatever decides what is seen of it.
            Seen::Clear | Seen::Decisive => Ok(()),
            Seen::Masked => Err(Refusal::not_assigned(
                column,
                &self.full(),
                "it is masked for this role",
                "name the columns that are written, and leave masked ones to their defaults",
            )),
            Seen::Absent => Err(Refusal::no_such_column_of(column, &self.name)),
        }
    }
}

/// The columns by which rows are filtered or masks go, of the relation, its parents and its children: their rows are
/// written and read through one another. A view that `open` names shows true values of the rows it selects, so what it
/// reads is among them. Where a generated column is one of them, all are: what it is made of is not
/// known here.
fn decisive(relation: &Relation, speaker: Speaker<'_>) -> BTreeSet<String> {
    let snapshot = speaker.view.snapshot();
    let family = snapshot.relations.values().filter(|other| {
        other.oid == relation.oid
            || is_below(other, relation, snapshot, DEPTH_MAX)
            || is_below(relation, other, snapshot, DEPTH_MAX)
    });
    let mut decisive = BTreeSet::new();
    let mut all = false;
    for member in family {
        let shown = columns_behind_open_views(member, speaker);
        decisive.extend(shown.map(|column| column.name.clone()));
        let Access::Masked(template) = speaker.view.access(member.oid) else { continue };
        for column in member.columns.iter().filter(|own| template.is_decisive(&own.name)) {
            all |= column.generated;
            decisive.insert(column.name.clone());
        }
    }
    if all {
        decisive.extend(relation.columns.iter().map(|column| column.name.clone()));
    }
    decisive
}

fn hides_children(relation: &Relation, speaker: Speaker<'_>) -> bool {
    let snapshot = speaker.view.snapshot();
    snapshot.relations.values().any(|other| {
        is_below(other, relation, snapshot, DEPTH_MAX)
            && matches!(speaker.view.access(other.oid), Access::Hidden)
    })
}

/// Generations of tables; PostgreSQL allows no circles.
const DEPTH_MAX: usize = 32;

fn is_below(child: &Relation, ancestor: &Relation, snapshot: &Snapshot, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return true };
    child.parents.iter().any(|parent| {
        *parent == ancestor.oid
            || snapshot
                .relation(*parent)
                .is_some_and(|parent| is_below(parent, ancestor, snapshot, depth))
    })
}

fn columns_behind_open_views<'a>(
    relation: &'a Relation,
    speaker: Speaker<'a>,
) -> impl Iterator<Item = &'a Column> {
    let snapshot = speaker.view.snapshot();
    let is_open = |view: &&Relation| {
        view.kind == RelationKind::View
            && !view.is_system()
            && matches!(speaker.view.access(view.oid), Access::Open)
    };
    let mut reads: BTreeSet<(RelationOid, i16)> = BTreeSet::new();
    let mut level: Vec<&Relation> = snapshot.relations.values().filter(is_open).collect();
    // Views of views; what goes deeper than this cannot be read.
    for _ in 0..DEPTH_MAX {
        let below: BTreeSet<_> = level.iter().flat_map(|view| &view.reads).copied().collect();
        let oids: BTreeSet<RelationOid> = below.iter().map(|(oid, _)| *oid).collect();
        level = oids.into_iter().filter_map(|oid| snapshot.relation(oid)).collect();
        level.retain(|below| below.kind == RelationKind::View);
        reads.extend(below);
    }
    relation.columns.iter().filter(move |own| reads.contains(&(relation.oid, own.number)))
}
