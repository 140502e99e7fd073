//! `ctid`, `xmin` and `tableoid` of a relation that became a hole: the hole carries those that the statement names.
//!
//! They are columns of the sub-select like others then, so a `*` that must not have them is written out by name.
//! <https://www.postgresql.org/docs/current/ddl-system-columns.html>

use sqlparser::ast::{Expr, SelectItem, SelectItemQualifiedWildcardKind};

use super::names::{parts, quoted};
use super::scope::Item;
use super::{Done, Refusal, Rewriter};
use crate::catalog::RelationKind;

/// Those that tools read: by `ctid` they page, by `xmin` they see whether a row has changed, by `tableoid` which
/// partition it is in.
const CARRIED: [&str; 3] = ["ctid", "xmin", "tableoid"];

impl Rewriter<'_> {
    /// A column was mentioned: if it is a system column of a hole, the hole carries it from now on.
    pub(super) fn note_system_column(&mut self, mention: &[String]) {
        let (qualifier, name) = match mention {
            [name] => (None, name),
            [.., qualifier, name] => (Some(qualifier), name),
            [] => return,
        };
        let Some(name) = CARRIED.into_iter().find(|carried| carried == name) else { return };
        for items in self.scopes.iter().rev() {
            let mut meant = items
                .iter()
                .filter(|item| qualifier.is_none_or(|qualifier| item.alias == *qualifier));
            let Some(first) = meant.next() else { continue };
            // Of two relations an unqualified one is ambiguous; what is not known may have a column of that name.
            if meant.next().is_none() && self.has_system_columns(first) {
                if let Some(hole) = first.hole.and_then(|hole| self.holes.get_mut(hole))
                    && !hole.system_columns.contains(&name)
                {
                    hole.system_columns.push(name);
                }
                return;
            }
            if qualifier.is_some() {
                return;
            }
        }
    }

    fn has_system_columns(&self, item: &Item) -> bool {
        let Some(template) = &item.template else {
            let hole = item.hole.and_then(|hole| self.holes.get(hole));
            return hole.is_some_and(|hole| hole.content.carries());
        };
        let relation = self.speaker.view.snapshot().relation(template.oid);
        relation.is_some_and(|relation| match relation.kind {
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::MaterializedView => true,
            RelationKind::ForeignTable | RelationKind::View | RelationKind::Sequence => false,
        })
    }

    fn carries(&self, item: &Item) -> bool {
        let hole = item.hole.and_then(|hole| self.holes.get(hole));
        hole.is_some_and(|hole| !hole.system_columns.is_empty())
    }

    /// Writes the stars of a select list out, where a relation in FROM carries system columns. `before`: how many
    /// mentions there were before this SELECT was walked.
    pub(super) fn expand_stars(
        &self,
        projection: &mut Vec<SelectItem>,
        before: usize,
        merges: bool,
    ) -> Done {
        let Some(items) = self.scopes.last() else { return Ok(()) };
        if !items.iter().any(|item| self.carries(item)) {
            return Ok(());
        }
        self.no_whole_rows(items, projection, before)?;
        let mut expanded = Vec::with_capacity(projection.len());
        for item in std::mem::take(projection) {
            match &item {
                SelectItem::Wildcard(_) => {
                    if merges {
                        return Err(by_name());
                    }
                    for item in items {
                        expanded.extend(self.columns(item)?);
                    }
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    let names = parts(name).unwrap_or_default();
                    let named = items.iter().find(|item| names.last() == Some(&item.alias));
                    match named {
                        Some(named) if self.carries(named) => {
                            expanded.extend(self.columns(named)?);
                        }
                        Some(_) | None => expanded.push(item),
                    }
                }
                _ => expanded.push(item),
            }
        }
        *projection = expanded;
        Ok(())
    }

    /// A whole row would have the system column as one more.
    fn no_whole_rows(&self, items: &[Item], projection: &[SelectItem], before: usize) -> Done {
        let mentions = self.mentions.get(before..).unwrap_or_default();
        for item in items.iter().filter(|item| self.carries(item)) {
            let is_row = |mention: &&Vec<String>| match mention.as_slice() {
                [name] => *name == item.alias,
                [.., name, star] => *name == item.alias && star == "*",
                [] => false,
            };
            let stars = projection.iter().filter(|listed| match listed {
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => parts(name).is_some_and(|names| names.last() == Some(&item.alias)),
                _ => false,
            });
            if mentions.iter().filter(is_row).count() > stars.count() {
                return Err(by_name());
            }
        }
        Ok(())
    }

    /// The columns that `*` means of one relation.
    fn columns(&self, item: &Item) -> Result<Vec<SelectItem>, Refusal> {
        if item.renamed {
            return Err(by_name());
        }
        let names: Vec<String> = match (&item.template, &item.open) {
            (Some(template), _) => {
                template.visible_columns().map(|column| column.name.clone()).collect()
            }
            (None, Some((schema, name))) => {
                let relation = self.speaker.view.snapshot().relation_named(schema, name);
                let columns = relation.ok_or_else(by_name)?.columns.iter();
                columns.map(|column| column.name.clone()).collect()
            }
            (None, None) => return Err(by_name()),
        };
        let column = |name: String| {
            let column = Expr::CompoundIdentifier(vec![quoted(&item.alias), quoted(&name)]);
            SelectItem::UnnamedExpr(column)
        };
        Ok(names.into_iter().map(column).collect())
    }
}

fn by_name() -> Refusal {
    Refusal::not_understood("write the columns by name where ctid, xmin or tableoid is one of them")
}
