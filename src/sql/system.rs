//! System relations: an allow-list that covers what drivers and tools read.
//!
//! What is not here is closed: relations that hold data (`pg_statistic`, `pg_largeobject`), secrets
//! (`pg_authid`, `pg_shadow`, `pg_user_mapping`), or other people's statements (`pg_prepared_statements`,
//! `pg_cursors`). Where tools need a relation of which a part is closed, it becomes a hole. What is hidden from
//! the role is absent from the catalogs that list relations and columns.
//! <https://www.postgresql.org/docs/current/catalogs.html>

mod absent;
mod counters;
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
    ("pg_foreign_server", &["srvoptions"]),
    ("pg_stat_activity", &["query", "client_addr", "client_hostname", "client_port", "query_id"]),
    ("pg_stat_gssapi", &["principal"]),
    ("pg_subscription", &["subconninfo"]),
    ("pg_user_mappings", &["umoptions"]),
];

/// Of sessions the own one is there.
const OWN_SESSION: &[&str] = &["pg_stat_activity", "pg_stat_gssapi"];

/// Relations without a row. Large objects cannot be read, so there are none; the rest is what the whole server is busy
/// with for others, of which a copy of the database knows nothing.
const EMPTY: &[&str] = &[
    "pg_largeobject_metadata",
    "pg_prepared_xacts",
    "pg_replication_slots",
    "pg_stat_replication",
    "pg_stat_subscription",
    "pg_stat_user_functions",
];

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
    let empty = EMPTY.iter().find(|known| **known == name);
    if let (Some(name), "pg_catalog") = (empty, relation.schema.as_str()) {
        return Ok(Target::Hole(none_of(relation, name)));
    }
    if let Some(content) = counters::without_figures(speaker.view, relation) {
        return Ok(Target::Hole(content));
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
            } else if let Some(role) = roles.column(relation, &column.name, "l") {
                format!("{role} AS {name}")
            } else {
                format!("l.{name} AS {name}")
            }
        })
        .collect();
    let own = match OWN_SESSION.contains(&name) {
        true => " WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()",
        false => "",
    };
    Content::System {
        schema: "pg_catalog",
        name,
        list: format!("(SELECT {}", columns.join(", ")),
        rest: format!(" FROM pg_catalog.{name} AS l{own} OFFSET 0)"),
        // Of pg_subscription nobody may read them.
        carries: relation.kind == RelationKind::Table && name != "pg_subscription",
        by_user: roles.known(relation).is_some(),
    }
}

/// Catalogs that masked roles may read, by name.
pub fn readable_catalogs() -> impl Iterator<Item = &'static str> {
    PG_CATALOG.iter().copied().chain(PARTLY.iter().map(|(name, _)| *name))
}

/// Every system relation that masked roles may read, in whole or in part: schema and name.
pub fn readable_relations() -> impl Iterator<Item = (&'static str, &'static str)> {
    let standard = INFORMATION_SCHEMA.iter().map(|name| ("information_schema", *name));
    let catalogs = readable_catalogs().chain(counters::names()).chain(EMPTY.iter().copied());
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
    view.hides(|view| !Absent::of(view).is_empty())
}

/// True when a function that tells this tells something that it must not.
pub(super) fn concerns(speaker: Speaker<'_>, beside: Beside) -> bool {
    Absent::of(speaker.view).concerns(beside)
}

/// The OIDs of all that is absent, and what else there is not to be told of, as a relation with the column `oid`.
pub(super) fn absent_objects(speaker: Speaker<'_>, beside: Beside) -> Content {
    let sql = Absent::of(speaker.view).untold(beside);
    whole("pg_class", sql)
}

/// The hidden columns, as a relation with the columns `oid`, `number` and `name`; `None` where there are none.
pub(super) fn absent_columns(speaker: Speaker<'_>) -> Option<Content> {
    let sql = Absent::of(speaker.view).hidden_columns()?;
    Some(whole("pg_attribute", sql))
}

/// What says something of its own.
fn whole(name: &'static str, sql: String) -> Content {
    Content::System {
        schema: "pg_catalog",
        name,
        list: sql,
        rest: String::new(),
        carries: false,
        by_user: false,
    }
}

/// A system relation without a row.
fn none_of(relation: &Relation, name: &'static str) -> Content {
    let columns: Vec<String> =
        relation.columns.iter().map(|column| format!("l.{}", identifier(&column.name))).collect();
    Content::System {
        schema: "pg_catalog",
        name,
        list: format!("(SELECT {}", columns.join(", ")),
        rest: format!(" FROM pg_catalog.{name} AS l WHERE false)"),
        carries: relation.kind == RelationKind::Table,
        by_user: false,
    }
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
    let schema = if relation.schema == "pg_catalog" { "pg_catalog" } else { "information_schema" };
    let rows = match conditions.as_slice() {
        [] if is_always => " OFFSET 0".to_owned(),
        [] => String::new(),
        conditions => format!(" WHERE {} OFFSET 0", conditions.join(" AND ")),
    };
    let rest = format!(" FROM {schema}.{} AS l{rows}", identifier(name));
    let list = format!("SELECT {}", list.join(", "));
    Some(Content::System {
        schema,
        name,
        list: format!("({}{list}", absent.with(&format!("{list}{rest}"))),
        rest: format!("{rest})"),
        // psql and pg_dump ask for tableoid, which means the catalog itself, pgAdmin for xmin.
        carries: relation.kind == RelationKind::Table,
        by_user: names_roles.is_some(),
    })
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
