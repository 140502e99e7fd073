//! System relations: an allow-list that covers what drivers and tools read.
//!
//! What is not here is closed: relations that hold data (`pg_statistic`, `pg_largeobject`), secrets
//! (`pg_authid`, `pg_shadow`, `pg_user_mapping`), or other people's statements (`pg_prepared_statements`,
//! `pg_cursors`). Where tools need a relation of which a part is closed, it becomes a hole. What is hidden from
//! the role is absent from the catalogs that list relations and columns.
//! <https://www.postgresql.org/docs/current/catalogs.html>

mod absent;
mod readable;
mod roles;
mod shown;
mod telling;

use absent::Absent;
pub(super) use absent::Beside;
use readable::{INFORMATION_SCHEMA, PG_CATALOG};
use roles::Names;
use telling::TELLING;

use super::Speaker;
use super::hole::Content;
use super::refusal::Refusal;
use super::resolve::Target;
use crate::catalog::{Column, Relation, RelationKind};
use crate::policy::RoleView;

/// Relations of `pg_catalog` that tools need, with the columns of theirs that are closed: statements as they were sent,
/// Scrim's own address, and options that may hold passwords.
const PARTLY: &[(&str, &[&str])] = &[
    (OWN_SESSION, &["query", "client_addr", "client_hostname", "client_port", "query_id"]),
    ("pg_foreign_server", &["srvoptions"]),
    ("pg_subscription", &["subconninfo"]),
    ("pg_user_mappings", &["umoptions"]),
];

/// Of sessions the own one is there.
const OWN_SESSION: &str = "pg_stat_activity";

/// Tables by name, which BI tools ask for. The counters beside them are NULL: by them a role could count true rows, one
/// statement after the other.
const TABLE_COUNTERS: [&str; 2] = ["pg_stat_all_tables", "pg_stat_user_tables"];

/// Large objects cannot be read, so there are none.
const LARGE_OBJECTS: &str = "pg_largeobject_metadata";

/// What a system relation is for a role.
pub(super) fn judge(speaker: Speaker<'_>, relation: &Relation) -> Result<Target, Refusal> {
    let name = relation.name.as_str();
    let full = format!("{}.{}", relation.schema, relation.name);
    let part = PARTLY.iter().find(|(known, _)| *known == name);
    if let (Some((name, closed)), "pg_catalog") = (part, relation.schema.as_str()) {
        // Until PostgreSQL 13 nobody but a superuser may read two more.
        let old = *name == "pg_subscription" && speaker.view.snapshot().major_version() < 14;
        let denied: &[&str] = if old { &["oid", "subsynccommit"] } else { &[] };
        let closed = [closed, denied].concat();
        return Ok(Target::Hole(partly(speaker, relation, name, &closed)));
    }
    if relation.schema == "pg_catalog" && name == LARGE_OBJECTS {
        return Ok(Target::Hole(none_of(relation, LARGE_OBJECTS)));
    }
    let counters = TABLE_COUNTERS.iter().find(|known| **known == name);
    if let (Some(name), "pg_catalog") = (counters, relation.schema.as_str()) {
        return Ok(Target::Hole(table_counters(speaker, relation, name)));
    }
    let is_listed = match relation.schema.as_str() {
        "pg_catalog" => PG_CATALOG.contains(&name),
        "information_schema" => INFORMATION_SCHEMA.contains(&name),
        _ => false,
    };
    if !is_listed {
        let why = "it is not among the system relations that masked roles may read";
        return Err(Refusal::closed_relation(&full, why));
    }
    if let Some(content) = without_absent(speaker, relation) {
        return Ok(Target::Hole(content));
    }
    Ok(Target::Open { schema: relation.schema.clone(), name: relation.name.clone() })
}

/// A system relation without some of its columns, which are NULL.
fn partly(
    speaker: Speaker<'_>,
    relation: &Relation,
    name: &'static str,
    closed: &[&str],
) -> Content {
    let roles = Names::of(speaker);
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| {
            let name = identifier(&column.name);
            if closed.contains(&column.name.as_str()) {
                format!("CAST(NULL AS {}) AS {name}", column.type_sql)
            } else if let Some(role) = roles.column(relation, &column.name, "a") {
                format!("{role} AS {name}")
            } else {
                format!("a.{name} AS {name}")
            }
        })
        .collect();
    // pg_dump asks for it. Views have none, and of pg_subscription nobody may read it.
    let tableoid = if name == "pg_foreign_server" { ", a.tableoid AS tableoid" } else { "" };
    let own = match name {
        OWN_SESSION => " WHERE a.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()",
        _ => "",
    };
    Content::System {
        schema: "pg_catalog",
        name,
        sql: format!(
            "(SELECT {}{tableoid} FROM pg_catalog.{name} AS a{own} OFFSET 0)",
            columns.join(", ")
        ),
        by_user: roles.known(relation).is_some(),
    }
}

/// Tables by name, and nothing that is counted of them.
fn table_counters(speaker: Speaker<'_>, relation: &Relation, name: &'static str) -> Content {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| match column.name.as_str() {
            "relid" | "schemaname" | "relname" => format!("l.{}", column.name),
            other => format!("CAST(NULL AS {}) AS {}", column.type_sql, identifier(other)),
        })
        .collect();
    let absent = Absent::of(speaker.view);
    let mut conditions = absent.conditions(relation);
    conditions.push("true".to_owned());
    let sql = format!(
        "SELECT {} FROM pg_catalog.{name} AS l WHERE {} OFFSET 0",
        columns.join(", "),
        conditions.join(" AND ")
    );
    let sql = format!("({}{sql})", absent.with(&sql));
    Content::System { schema: "pg_catalog", name, sql, by_user: false }
}

/// Catalogs that masked roles may read, by name.
pub fn readable_catalogs() -> impl Iterator<Item = &'static str> {
    PG_CATALOG.iter().copied().chain(PARTLY.iter().map(|(name, _)| *name))
}

/// Every system relation that masked roles may read, in whole or in part: schema and name.
pub fn readable_relations() -> impl Iterator<Item = (&'static str, &'static str)> {
    let standard = INFORMATION_SCHEMA.iter().map(|name| ("information_schema", *name));
    let catalogs = readable_catalogs().chain(TABLE_COUNTERS).chain([LARGE_OBJECTS]);
    catalogs.map(|name| ("pg_catalog", name)).chain(standard)
}

/// Columns of catalogs by which what is absent is taken out: catalog and column.
pub fn telling_columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    TELLING.iter().flat_map(|(_, name, marks)| {
        marks.iter().flat_map(|mark| mark.columns()).map(|column| (*name, column))
    })
}

/// True when something is absent for the role, or looks otherwise than it is.
pub(super) fn has_absent(speaker: Speaker<'_>) -> bool {
    hides(speaker.view)
}

/// The same of a role.
pub(super) fn hides(view: &RoleView) -> bool {
    !Absent::of(view).is_empty()
}

/// True when a function that tells this tells something that it must not.
pub(super) fn concerns(speaker: Speaker<'_>, beside: Beside) -> bool {
    Absent::of(speaker.view).concerns(beside)
}

/// The OIDs of all that is absent, and what else there is not to be told of, as a relation with the column `oid`.
pub(super) fn absent_objects(speaker: Speaker<'_>, beside: Beside) -> Content {
    let sql = Absent::of(speaker.view).untold(beside);
    Content::System { schema: "pg_catalog", name: "pg_class", sql, by_user: false }
}

/// The hidden columns, as a relation with the columns `oid`, `number` and `name`; `None` where there are none.
pub(super) fn absent_columns(speaker: Speaker<'_>) -> Option<Content> {
    let sql = Absent::of(speaker.view).hidden_columns()?;
    Some(Content::System { schema: "pg_catalog", name: "pg_attribute", sql, by_user: false })
}

/// A system relation without a row.
fn none_of(relation: &Relation, name: &'static str) -> Content {
    let columns: Vec<String> =
        relation.columns.iter().map(|column| format!("l.{}", identifier(&column.name))).collect();
    let sql = format!("(SELECT {} FROM pg_catalog.{name} AS l WHERE false)", columns.join(", "));
    Content::System { schema: "pg_catalog", name, sql, by_user: false }
}

/// The relation without what is absent for the role, and with the user for the login; `None` when it tells of neither.
fn without_absent(speaker: Speaker<'_>, relation: &Relation) -> Option<Content> {
    let roles = Names::of(speaker);
    let names_roles = roles.known(relation);
    let name = known_name(&relation.name).or(names_roles)?;
    let absent = Absent::of(speaker.view);
    let conditions = absent.conditions(relation);
    let is_always = is_attribute(relation) || shown::is_statistics(relation);
    if conditions.is_empty() && !is_always && names_roles.is_none() {
        return None;
    }
    let column = |known: &Column| {
        let name = identifier(&known.name);
        let other = roles
            .column(relation, &known.name, "l")
            .or_else(|| shown::column(speaker.view, &absent, relation, known));
        match other {
            Some(other) => format!("{other} AS {name}"),
            None => format!("l.{name}"),
        }
    };
    let list: Vec<String> = relation.columns.iter().map(column).collect();
    // psql and pg_dump ask for tableoid, which means the catalog itself; views have none.
    let tableoid = if relation.kind == RelationKind::Table { ", l.tableoid" } else { "" };
    let schema = if relation.schema == "pg_catalog" { "pg_catalog" } else { "information_schema" };
    let rows = match conditions.as_slice() {
        [] if is_always => " OFFSET 0".to_owned(),
        [] => String::new(),
        conditions => format!(" WHERE {} OFFSET 0", conditions.join(" AND ")),
    };
    let list = list.join(", ");
    let sql = format!("SELECT {list}{tableoid} FROM {schema}.{} AS l{rows}", identifier(name));
    let sql = format!("({}{sql})", absent.with(&sql));
    Some(Content::System { schema, name, sql, by_user: names_roles.is_some() })
}

/// `attmissingval` of it holds a value, whatever the role sees of the column.
fn is_attribute(relation: &Relation) -> bool {
    relation.schema == "pg_catalog" && relation.name == "pg_attribute"
}

/// The name as it stands in [`TELLING`].
fn known_name(name: &str) -> Option<&'static str> {
    TELLING.iter().map(|(_, known, _)| *known).find(|known| *known == name)
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
