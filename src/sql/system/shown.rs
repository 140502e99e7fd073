//! Columns of catalogs that are there and look otherwise than they are: how many rows and pages a relation has of
//! which the role does not see all rows, bounds of partitions by a column that does not exist for it, and what the
//! statistics say of columns that it does not see clear.
//!
//! Of statistics no value is ever shown, of no column: they outlive rows, and nobody needs them to read a table. How
//! many are NULL, how wide and how different they are is shown where a query would tell as much.
//! <https://www.postgresql.org/docs/current/view-pg-stats.html>

use super::absent::{Absent, is_one_of};
use super::identifier;
use crate::catalog::{Column, Relation};
use crate::policy::{Access, ColumnVerdict, RoleView};

/// Views of statistics: those of columns, of several columns, and of expressions.
pub(super) const COLUMNS: &str = "pg_stats";
pub(super) const SEVERAL: &str = "pg_stats_ext";
pub(super) const EXPRESSIONS: &str = "pg_stats_ext_exprs";

/// Columns of them that say what there is statistics of.
const OF: [&str; 11] = [
    "schemaname",
    "tablename",
    "attname",
    "inherited",
    "statistics_schemaname",
    "statistics_name",
    "statistics_owner",
    "attnames",
    "exprs",
    "expr",
    "kinds",
];

/// Columns that say something of the whole.
const FIGURES: [&str; 5] = ["null_frac", "avg_width", "n_distinct", "correlation", "dependencies"];

/// What of a role's relations can be counted and compared by a query: all of some, and columns of others.
struct Clear {
    relations: Vec<u32>,
    columns: Vec<(u32, i16)>,
}

impl Clear {
    fn of(view: &RoleView) -> Clear {
        let mut clear = Clear { relations: Vec::new(), columns: Vec::new() };
        for relation in view.snapshot().relations.values().filter(|known| !known.is_system()) {
            match view.access(relation.oid) {
                Access::Open => clear.relations.push(relation.oid.0),
                Access::Masked(template) if template.filter.is_none() => {
                    let columns = template.columns.iter();
                    let seen = columns.filter(|column| column.verdict == ColumnVerdict::Clear);
                    clear.columns.extend(seen.map(|column| (relation.oid.0, column.number)));
                }
                Access::Masked(_) | Access::View(_) | Access::Hidden | Access::Closed { .. } => {}
            }
        }
        clear.relations.sort_unstable();
        clear.columns.sort_unstable();
        clear
    }

    /// A condition over `l`, a view of statistics.
    fn condition(&self, view: &str) -> String {
        let oids: Vec<String> = self.relations.iter().map(u32::to_string).collect();
        let whole = format!("c.oid = ANY (CAST(ARRAY[{}] AS pg_catalog.oid[]))", oids.join(", "));
        let found = "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace";
        let named = "n.nspname = l.schemaname AND c.relname = l.tablename";
        if view != COLUMNS {
            return format!("EXISTS (SELECT {found} WHERE {named} AND {whole})");
        }
        format!(
            "EXISTS (SELECT {found} JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid WHERE {named} AND \
             a.attname = l.attname AND ({whole} OR {}))",
            is_one_of(&self.columns, "a.attrelid", "a.attnum")
        )
    }
}

/// True for a view of statistics.
pub(super) fn is_statistics(relation: &Relation) -> bool {
    relation.schema == "pg_catalog"
        && matches!(relation.name.as_str(), COLUMNS | SEVERAL | EXPRESSIONS)
}

/// The SQL of a column over `l`; `None` for one that is as it is. By allow-list in the views of statistics.
pub(super) fn column(
    view: &RoleView,
    absent: &Absent,
    relation: &Relation,
    column: &Column,
) -> Option<String> {
    let name = column.name.as_str();
    let own = format!("l.{}", identifier(name));
    if is_statistics(relation) {
        // No type's own NULL: some are pseudo-types.
        return match name {
            _ if OF.contains(&name) => None,
            _ if FIGURES.contains(&name) => {
                let clear = Clear::of(view).condition(&relation.name);
                Some(format!("CASE WHEN {clear} THEN {own} END"))
            }
            _ => Some(format!("CASE WHEN false THEN {own} END")),
        };
    }
    match (relation.schema.as_str(), relation.name.as_str(), name) {
        ("pg_catalog", "pg_attribute", _) => Some(absent.attribute(name)),
        // -1 is what PostgreSQL says of a table that nobody has counted.
        ("pg_catalog", "pg_class", "reltuples") => {
            absent.is_filtered("l.oid").map(|is| format!("CASE WHEN {is} THEN -1 ELSE {own} END"))
        }
        ("pg_catalog", "pg_class", "relpages" | "relallvisible" | "relallfrozen") => {
            absent.is_filtered("l.oid").map(|is| format!("CASE WHEN {is} THEN 0 ELSE {own} END"))
        }
        ("pg_catalog", "pg_class", "relpartbound") => absent
            .is_below_hidden_key("l.oid")
            .map(|is| format!("CASE WHEN NOT {is} THEN {own} END")),
        ("information_schema", "columns", "column_default" | "generation_expression") => {
            has_absent_default(absent).map(|has| format!("CASE WHEN NOT {has} THEN {own} END"))
        }
        ("information_schema", "columns", "is_generated") => {
            has_absent_default(absent).map(|has| {
                format!("CASE WHEN {has} THEN CAST('NEVER' AS {}) ELSE {own} END", column.type_sql)
            })
        }
        ("information_schema", "columns", "is_nullable") => absent.is_blurred_by_name().map(|is| {
            format!("CASE WHEN {is} THEN CAST('YES' AS {}) ELSE {own} END", column.type_sql)
        }),
        _ => None,
    }
}

/// True for a row of information_schema.columns about a column whose default or expression is made of what is absent.
fn has_absent_default(absent: &Absent) -> Option<String> {
    let defaults = absent.defaults()?;
    Some(format!(
        "EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid \
         AND f.adnum = a.attnum WHERE n.nspname = l.table_schema AND c.relname = l.table_name AND \
         a.attname = l.column_name AND f.oid = ANY ({defaults}))"
    ))
}
