//! What stands in FROM beside a row that is written: which columns it has, and its `ctid`, `xmin` and `tableoid`.
//!
//! A system column is its nearest relation's, as any column is. The hole of that relation carries it then, as one more
//! column of a sub-select; a star that would mean it too is refused.

use super::super::super::Speaker;
use super::super::super::hole::Content;
use super::super::super::refusal::Refusal;
use super::super::super::resolve::{self, resolve};
use super::super::SYSTEM_COLUMNS;
use super::{Done, Found, Referrer};
use crate::catalog::RelationKind;
use crate::grammar::{Reference, ScopeItem, Source};

impl Referrer<'_> {
    /// Whether an item has a column, as far as is known.
    pub(super) fn has(&self, item: &ScopeItem, name: &str) -> Option<bool> {
        if SYSTEM_COLUMNS.contains(&name) {
            match &item.source {
                Source::Relation(..) => return self.has_system_columns(item),
                Source::Renamed(source, _) if matches!(**source, Source::Relation(..)) => {
                    return None;
                }
                Source::Renamed(..) | Source::Names(_) | Source::All(_) | Source::Unknown => {}
            }
        }
        let columns = columns(&item.source, self.speaker)?;
        if columns.iter().any(|column| column.as_deref() == Some(name)) {
            return Some(true);
        }
        columns.iter().all(Option::is_some).then_some(false)
    }

    /// Tables have them, and the sub-selects of their templates can carry them.
    fn has_system_columns(&self, item: &ScopeItem) -> Option<bool> {
        let Source::Relation(schema, relation) = &item.source else { return Some(false) };
        let found = resolve(self.speaker, schema.as_deref(), relation).ok()?;
        let (schema, relation) = found.name();
        let relation = self.speaker.view.snapshot().relation_named(schema, relation)?;
        match (&found, relation.kind) {
            (resolve::Target::Hole(content @ Content::System { .. }), RelationKind::Table) => {
                content.carries().then_some(true)
            }
            (resolve::Target::Hole(Content::Temporary { .. } | Content::System { .. }), _) => None,
            (_, RelationKind::View) => Some(false),
            (
                _,
                RelationKind::Table
                | RelationKind::PartitionedTable
                | RelationKind::MaterializedView,
            ) => Some(true),
            (_, RelationKind::ForeignTable | RelationKind::Sequence) => None,
        }
    }

    /// A system column of an item is named: if the item is a hole, it carries it from now on.
    pub(super) fn carry(&mut self, item: &ScopeItem, name: &str) -> Done {
        let Some(name) = SYSTEM_COLUMNS.into_iter().find(|known| *known == name) else {
            return Ok(());
        };
        match self.has(item, name) {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => return Err(by_name()),
        }
        let placed = item.location.and_then(|location| self.placed.get(&location));
        if let Some(hole) = placed.and_then(|index| self.holes.holes.get_mut(*index))
            && !hole.system_columns.contains(&name)
        {
            hole.system_columns.push(name);
        }
        Ok(())
    }

    /// The same where no row that is written is in sight; what is no system column is as it is.
    pub(super) fn system_column(
        &mut self,
        reference: &Reference,
        qualifier: Option<&str>,
        name: &str,
    ) -> Done {
        if !SYSTEM_COLUMNS.contains(&name) {
            return Ok(());
        }
        for (items, _) in self.levels(reference) {
            if let Some(qualifier) = qualifier {
                let named = |item: &&ScopeItem| item.alias.as_deref() == Some(qualifier);
                match items.iter().find(named) {
                    Some(item) => return self.carry(item, name),
                    None => continue,
                }
            }
            match self.find(items, None, name)? {
                Found::Item(item) => return self.carry(item, name),
                Found::Row | Found::Nothing => {}
            }
        }
        Ok(())
    }

    /// A star, or a whole row, would have a system column as one more; so would what merges columns.
    pub(super) fn judge_stars(&self) -> Done {
        let carries = |item: &ScopeItem| {
            let placed = item.location.and_then(|location| self.placed.get(&location));
            let hole = placed.and_then(|index| self.holes.holes.get(*index));
            hole.is_some_and(|hole| !hole.system_columns.is_empty())
        };
        for (index, scope) in self.proof.scopes.iter().enumerate() {
            for item in scope.items.iter().filter(|item| carries(item)) {
                let alias = item.alias.as_deref().unwrap_or_default();
                let is_row = |reference: &Reference| match &reference.fields[..] {
                    [star] if star == "*" => reference.scope == Some(index),
                    [name] => name == alias,
                    [.., name, star] => name == alias && star == "*",
                    [] => false,
                };
                if scope.merges || self.proof.references.iter().any(is_row) {
                    return Err(by_name());
                }
            }
        }
        Ok(())
    }
}

/// The names of the columns of what stands in FROM, as the role sees them; `None` where that is not known.
pub(in super::super) fn columns(
    source: &Source,
    speaker: Speaker<'_>,
) -> Option<Vec<Option<String>>> {
    let (schema, relation) = match source {
        Source::Names(names) => return Some(names.clone()),
        Source::All(all) => {
            let each: Option<Vec<_>> = all.iter().map(|source| columns(source, speaker)).collect();
            return Some(each?.into_iter().flatten().collect());
        }
        Source::Renamed(source, names) => {
            let own = match &**source {
                // A function, all of whose columns are named.
                Source::Unknown => Vec::new(),
                source => columns(source, speaker)?,
            };
            let rest = own.into_iter().skip(names.len());
            return Some(names.iter().cloned().chain(rest).collect());
        }
        Source::Unknown => return None,
        Source::Relation(schema, relation) => (schema, relation),
    };
    let found = resolve(speaker, schema.as_deref(), relation).ok()?;
    let (schema, relation) = found.name();
    let names: Vec<Option<String>> = match &found {
        resolve::Target::Hole(content @ (Content::Masked(_) | Content::View(..))) => {
            let template = content.template()?;
            template.visible_columns().map(|column| Some(column.name.clone())).collect()
        }
        resolve::Target::Hole(Content::Temporary { .. }) => return None,
        resolve::Target::Open { .. } | resolve::Target::Hole(Content::System { .. }) => {
            let relation = speaker.view.snapshot().relation_named(schema, relation)?;
            relation.columns.iter().map(|column| Some(column.name.clone())).collect()
        }
    };
    Some(names)
}

fn by_name() -> Refusal {
    Refusal::not_understood("write the columns by name where ctid, xmin or tableoid is one of them")
}
