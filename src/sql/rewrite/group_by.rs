//! `GROUP BY` a primary key: PostgreSQL lets the other columns of the table stand ungrouped, which it cannot see
//! any more through a sub-select. The columns that are mentioned are added to the GROUP BY; grouping by the key
//! and by what depends on it gives the same groups.
//! <https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-GROUP>

use sqlparser::ast::{Expr, GroupByExpr, SelectItem, Value};

use super::Rewriter;
use super::names::{meaning, quoted};
use super::scope::{Item, Mention};

impl Rewriter<'_> {
    /// `before`: how many mentions there were before select list, HAVING and ORDER BY were walked.
    pub(super) fn restore_dependency(
        &self,
        group_by: &mut GroupByExpr,
        projection: &[SelectItem],
        before: usize,
    ) {
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else { return };
        if exprs.is_empty() || !modifiers.is_empty() {
            return;
        }
        let grouped: Vec<Vec<String>> =
            exprs.iter().filter_map(|expr| column(expr, projection)).collect();
        exprs.extend(self.dependent_columns(&grouped, before).into_iter().map(
            |(alias, column)| Expr::CompoundIdentifier(vec![quoted(&alias), quoted(&column)]),
        ));
    }

    /// Columns of the innermost FROM, with their qualifiers, that depend on the columns in `grouped` and are
    /// mentioned from `before` on.
    pub(super) fn dependent_columns(
        &self,
        grouped: &[Mention],
        before: usize,
    ) -> Vec<(String, String)> {
        let Some(items) = self.scopes.last() else { return Vec::new() };
        let mentions = self.mentions.get(before..).unwrap_or_default();
        let mut added = Vec::new();
        for item in items {
            let Some(template) = &item.template else { continue };
            let is_grouped =
                |name: &str| grouped.iter().any(|mention| means(mention, item, name, items));
            let key = &template.primary_key;
            if key.is_empty() || item.renamed || !key.iter().all(|name| is_grouped(name)) {
                continue;
            }
            let relation = self.speaker.view.snapshot().relation(template.oid);
            for column in template.visible_columns() {
                let groupable = relation
                    .and_then(|relation| relation.column(&column.name))
                    .is_some_and(|column| column.groupable);
                if groupable
                    && !is_grouped(&column.name)
                    && mentions.iter().any(|mention| may_mean(mention, item, &column.name))
                {
                    added.push((item.alias.clone(), column.name.clone()));
                }
            }
        }
        added
    }
}

/// The column that a GROUP BY expression is, also by its ordinal.
fn column(expr: &Expr, projection: &[SelectItem]) -> Option<Vec<String>> {
    match expr {
        Expr::Identifier(ident) => Some(vec![meaning(ident)]),
        Expr::CompoundIdentifier(idents) => Some(idents.iter().map(meaning).collect()),
        Expr::Nested(inner) => column(inner, projection),
        Expr::Value(value) => {
            let Value::Number(text, _) = &value.value else { return None };
            let index = text.parse::<usize>().ok()?.checked_sub(1)?;
            match projection.get(index)? {
                SelectItem::UnnamedExpr(Expr::Value(_)) => None,
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    column(expr, &[])
                }
                SelectItem::ExprWithAliases { .. }
                | SelectItem::QualifiedWildcard(..)
                | SelectItem::Wildcard(_) => None,
            }
        }
        _ => None,
    }
}

/// True when a mention certainly is column `name` of `item`: a bare name only if no neighbour could have it.
fn means(mention: &[String], item: &Item, name: &str, items: &[Item]) -> bool {
    match mention {
        [column] => {
            column == name
                && items.iter().all(|other| {
                    other.alias == item.alias
                        || (other.template.is_some() && !other.renamed && !other.has_column(name))
                })
        }
        [.., qualifier, column] => column == name && *qualifier == item.alias,
        [] => false,
    }
}

/// True when a mention may be column `name` of `item`; stars are every column.
fn may_mean(mention: &[String], item: &Item, name: &str) -> bool {
    match mention {
        [column] => column == name || column == "*",
        [.., qualifier, column] => (column == name || column == "*") && *qualifier == item.alias,
        [] => false,
    }
}
