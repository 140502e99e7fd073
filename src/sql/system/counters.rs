//! Views of counters, which tools ask for beside a table, an index or a database: the rows with their names, and of
//! what was counted nothing. By the counters a role could count true rows, one statement after the other.
//!
//! INVARIANT: the views here have a row for each thing there is, whether anybody used it or not.
//! <https://www.postgresql.org/docs/current/monitoring-stats.html>

use super::absent::Absent;
use super::identifier;
use crate::catalog::Relation;
use crate::policy::RoleView;
use crate::sql::hole::Content;

/// Columns that name what is counted.
const TABLE: &[&str] = &["relid", "schemaname", "relname"];
const INDEX: &[&str] = &["relid", "indexrelid", "schemaname", "relname", "indexrelname"];

/// Views with the columns of theirs that are as they are; all others are NULL.
const COUNTERS: &[(&str, &[&str])] = &[
    ("pg_stat_all_indexes", INDEX),
    ("pg_stat_all_tables", TABLE),
    ("pg_stat_database", &["datid", "datname"]),
    ("pg_stat_user_indexes", INDEX),
    ("pg_stat_user_tables", TABLE),
    ("pg_statio_all_indexes", INDEX),
    ("pg_statio_all_sequences", TABLE),
    ("pg_statio_all_tables", TABLE),
    ("pg_statio_user_indexes", INDEX),
    ("pg_statio_user_sequences", TABLE),
    ("pg_statio_user_tables", TABLE),
];

/// Their names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COUNTERS.iter().map(|(name, _)| *name)
}

/// The view as a role sees it; `None` for other relations.
pub(super) fn without_figures(view: &RoleView, relation: &Relation) -> Option<Content> {
    let (name, shown) = COUNTERS
        .iter()
        .find(|(name, _)| relation.schema == "pg_catalog" && relation.name == *name)?;
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| match column.name.as_str() {
            known if shown.contains(&known) => format!("l.{known}"),
            other => format!("CAST(NULL AS {}) AS {}", column.type_sql, identifier(other)),
        })
        .collect();
    let absent = Absent::of(view);
    let mut conditions = absent.conditions(relation);
    conditions.push("true".to_owned());
    let sql = format!(
        "SELECT {} FROM pg_catalog.{name} AS l WHERE {} OFFSET 0",
        columns.join(", "),
        conditions.join(" AND ")
    );
    Some(super::whole(name, format!("({}{sql})", absent.with(&sql))))
}
