//! System relations: an allow-list that covers what drivers and tools read.
//!
//! What is not here is closed: relations that hold data (`pg_statistic`, `pg_stats`, `pg_largeobject`), secrets
//! (`pg_authid`, `pg_shadow`, `pg_user_mapping`), or other people's statements (`pg_prepared_statements`,
//! `pg_cursors`). Where tools need a relation of which a part is closed, it becomes a hole. What is hidden from
//! the role is absent from the catalogs that list relations and columns.
//! <https://www.postgresql.org/docs/current/catalogs.html>

use super::Speaker;
use super::hole::Content;
use super::refusal::Refusal;
use super::resolve::Target;
use crate::catalog::Relation;
use crate::policy::{Access, ColumnVerdict};

/// Relations of `pg_catalog` that hold definitions only.
const PG_CATALOG: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_attribute",
    "pg_auth_members",
    "pg_available_extension_versions",
    "pg_available_extensions",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_database",
    "pg_db_role_setting",
    "pg_default_acl",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_table",
    "pg_group",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_init_privs",
    "pg_language",
    "pg_locks",
    "pg_matviews",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_range",
    "pg_rewrite",
    "pg_roles",
    "pg_rules",
    "pg_seclabel",
    "pg_seclabels",
    "pg_sequence",
    "pg_settings",
    "pg_shdepend",
    "pg_shdescription",
    "pg_statistic_ext",
    "pg_tables",
    "pg_tablespace",
    "pg_timezone_abbrevs",
    "pg_timezone_names",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_config_map",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user",
    "pg_views",
];

/// `information_schema` holds definitions only, but for options that may hold passwords.
const INFORMATION_SCHEMA_CLOSED: &[&str] = &[
    "_pg_foreign_servers",
    "_pg_foreign_table_columns",
    "_pg_foreign_tables",
    "_pg_user_mappings",
    "foreign_data_wrapper_options",
    "foreign_server_options",
    "foreign_table_options",
    "column_options",
    "user_mapping_options",
    "user_mappings",
];

/// Columns by which catalogs name the relation or the column that a row is about.
struct Listing {
    schema: &'static str,
    name: &'static str,
    /// Column with `pg_class.oid`.
    relation: Option<&'static str>,
    /// Column with `attnum`.
    column: Option<&'static str>,
    /// Columns with the relation's schema and name.
    named: Option<(&'static str, &'static str)>,
    /// Column with the column's name.
    column_name: Option<&'static str>,
}

const fn by_oid(
    name: &'static str,
    relation: &'static str,
    column: Option<&'static str>,
) -> Listing {
    Listing {
        schema: "pg_catalog",
        name,
        relation: Some(relation),
        column,
        named: None,
        column_name: None,
    }
}

const fn by_name(
    schema: &'static str,
    name: &'static str,
    named: (&'static str, &'static str),
    column_name: Option<&'static str>,
) -> Listing {
    Listing { schema, name, relation: None, column: None, named: Some(named), column_name }
}

const TABLE: (&str, &str) = ("table_schema", "table_name");
const SCHEMANAME: (&str, &str) = ("schemaname", "tablename");

/// Where the hidden would show.
const LISTINGS: &[Listing] = &[
    by_oid("pg_class", "oid", None),
    by_oid("pg_attribute", "attrelid", Some("attnum")),
    by_oid("pg_attrdef", "adrelid", Some("adnum")),
    by_oid("pg_description", "objoid", Some("objsubid")),
    by_oid("pg_index", "indrelid", None),
    by_oid("pg_constraint", "conrelid", None),
    by_oid("pg_inherits", "inhrelid", None),
    by_oid("pg_trigger", "tgrelid", None),
    by_oid("pg_policy", "polrelid", None),
    by_name("pg_catalog", "pg_tables", SCHEMANAME, None),
    by_name("pg_catalog", "pg_indexes", SCHEMANAME, None),
    by_name("information_schema", "tables", TABLE, None),
    by_name("information_schema", "columns", TABLE, Some("column_name")),
    by_name("information_schema", "column_privileges", TABLE, Some("column_name")),
    by_name("information_schema", "role_column_grants", TABLE, Some("column_name")),
    by_name("information_schema", "table_privileges", TABLE, None),
    by_name("information_schema", "role_table_grants", TABLE, None),
    by_name("information_schema", "table_constraints", TABLE, None),
    by_name("information_schema", "key_column_usage", TABLE, Some("column_name")),
    by_name("information_schema", "constraint_column_usage", TABLE, Some("column_name")),
    by_name("information_schema", "constraint_table_usage", TABLE, None),
];

/// What a system relation is for a role.
pub(super) fn judge(speaker: Speaker<'_>, relation: &Relation) -> Result<Target, Refusal> {
    let name = relation.name.as_str();
    let full = format!("{}.{}", relation.schema, relation.name);
    if relation.schema == "pg_catalog" && name == "pg_stat_activity" {
        return Ok(Target::Hole(own_activity(relation)));
    }
    let is_listed = match relation.schema.as_str() {
        "pg_catalog" => PG_CATALOG.contains(&name),
        "information_schema" => !INFORMATION_SCHEMA_CLOSED.contains(&name),
        _ => false,
    };
    if !is_listed {
        let why = "it is not among the system relations that masked roles may read";
        return Err(Refusal::closed_relation(&full, why));
    }
    let listing = LISTINGS
        .iter()
        .find(|listing| listing.schema == relation.schema && listing.name == relation.name);
    if let Some(listing) = listing
        && let Some(content) = without_hidden(speaker, relation, listing)
    {
        return Ok(Target::Hole(content));
    }
    Ok(Target::Open { schema: relation.schema.clone(), name: relation.name.clone() })
}

/// `pg_stat_activity` with one's own statements only; the others' stay, as numbers to count.
fn own_activity(relation: &Relation) -> Content {
    const CLOSED: [&str; 6] =
        ["query", "application_name", "client_addr", "client_hostname", "client_port", "query_id"];
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|column| {
            let name = identifier(&column.name);
            if CLOSED.contains(&column.name.as_str()) {
                format!("CAST(NULL AS {}) AS {name}", column.type_sql)
            } else {
                format!("a.{name} AS {name}")
            }
        })
        .collect();
    Content::System {
        schema: "pg_catalog",
        name: "pg_stat_activity",
        sql: format!(
            "(SELECT {} FROM pg_catalog.pg_stat_activity AS a OFFSET 0)",
            columns.join(", ")
        ),
    }
}

/// The listing without what is hidden from the role; `None` when nothing is.
fn without_hidden(speaker: Speaker<'_>, relation: &Relation, listing: &Listing) -> Option<Content> {
    let snapshot = speaker.view.snapshot();
    let mut relations = Vec::new();
    let mut columns = Vec::new();
    for other in snapshot.relations.values().filter(|other| !other.is_system()) {
        match speaker.view.access(other.oid) {
            Access::Hidden => relations.push(other),
            Access::Masked(template) => {
                for column in &template.columns {
                    if column.verdict == ColumnVerdict::Hidden {
                        columns.push((other, column.number, column.name.clone()));
                    }
                }
            }
            Access::View(view) => {
                for column in &view.template.columns {
                    if column.verdict == ColumnVerdict::Hidden {
                        columns.push((other, column.number, column.name.clone()));
                    }
                }
            }
            Access::Open | Access::Closed { .. } => {}
        }
    }
    relations.sort_by_key(|relation| relation.oid);
    columns.sort_by_key(|(relation, number, _)| (relation.oid, *number));
    let mut conditions = Vec::new();
    if let Some(oid) = listing.relation {
        if !relations.is_empty() {
            let list: Vec<String> = relations.iter().map(|r| r.oid.0.to_string()).collect();
            conditions.push(format!("(l.{oid} IN ({})) IS NOT TRUE", list.join(", ")));
        }
        if let Some(number) = listing.column
            && !columns.is_empty()
        {
            let list: Vec<String> =
                columns.iter().map(|(r, n, _)| format!("({}, {n})", r.oid.0)).collect();
            let list = list.join(", ");
            conditions.push(format!("((l.{oid}, l.{number}) IN ({list})) IS NOT TRUE"));
        }
    }
    if let Some((schema, name)) = listing.named {
        for hidden in &relations {
            conditions.push(format!(
                "(l.{schema} = {} AND l.{name} = {}) IS NOT TRUE",
                literal(&hidden.schema),
                literal(&hidden.name)
            ));
        }
        if let Some(column) = listing.column_name {
            for (hidden, _, column_name) in &columns {
                conditions.push(format!(
                    "(l.{schema} = {} AND l.{name} = {} AND l.{column} = {}) IS NOT TRUE",
                    literal(&hidden.schema),
                    literal(&hidden.name),
                    literal(column_name)
                ));
            }
        }
    }
    if listing.name == "pg_class" && !relations.is_empty() {
        // Their indexes and TOAST tables tell their names too.
        let list: Vec<String> = relations.iter().map(|r| r.oid.0.to_string()).collect();
        let list = list.join(", ");
        conditions.push(format!(
            "NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i WHERE i.indexrelid = l.oid AND \
             i.indrelid IN ({list}))"
        ));
        conditions.push(format!(
            "NOT EXISTS (SELECT FROM pg_catalog.pg_class AS t WHERE t.reltoastrelid = l.oid AND \
             t.oid IN ({list}))"
        ));
    }
    // The default of a column that was added later is kept there, as a value.
    let is_attribute = listing.name == "pg_attribute";
    if conditions.is_empty() {
        if !is_attribute {
            return None;
        }
        conditions.push("true".to_owned());
    }
    let list: Vec<String> = relation
        .columns
        .iter()
        .map(|column| match column.name.as_str() {
            "attmissingval" if is_attribute => {
                "CASE WHEN false THEN l.attmissingval END AS attmissingval".to_owned()
            }
            name => format!("l.{}", identifier(name)),
        })
        .collect();
    // tableoid is asked for by psql and pg_dump, and means the catalog itself.
    let sql = format!(
        "(SELECT {}{} FROM {}.{} AS l WHERE {})",
        list.join(", "),
        if listing.relation.is_some() { ", l.tableoid" } else { "" },
        listing.schema,
        listing.name,
        conditions.join(" AND ")
    );
    Some(Content::System { schema: listing.schema, name: listing.name, sql })
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}
