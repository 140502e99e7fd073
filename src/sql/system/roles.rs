//! Catalogs that name roles: the login's name is the Scrim user's there.
//!
//! OIDs, access lists (`aclitem`) and the type `regrole` are PostgreSQL's own and stay.

use super::{Relation, identifier};
use crate::sql::Speaker;
use crate::sql::who;

/// Every column with the name of a role, of the relations that masked roles may read.
const NAMED: &[(&str, &str, &[&str])] = &[
    ("pg_catalog", "pg_group", &["groname"]),
    ("pg_catalog", "pg_matviews", &["matviewowner"]),
    ("pg_catalog", "pg_policies", &["roles"]),
    ("pg_catalog", "pg_roles", &["rolname"]),
    ("pg_catalog", "pg_stat_activity", &["usename"]),
    ("pg_catalog", "pg_stats_ext", &["statistics_owner"]),
    ("pg_catalog", "pg_stats_ext_exprs", &["statistics_owner"]),
    ("pg_catalog", "pg_tables", &["tableowner"]),
    ("pg_catalog", "pg_user", &["usename"]),
    ("pg_catalog", "pg_user_mappings", &["usename"]),
    ("pg_catalog", "pg_views", &["viewowner"]),
    ("information_schema", "administrable_role_authorizations", &["grantee", "role_name"]),
    ("information_schema", "applicable_roles", &["grantee", "role_name"]),
    ("information_schema", "column_privileges", &["grantor", "grantee"]),
    ("information_schema", "enabled_roles", &["role_name"]),
    ("information_schema", "foreign_data_wrappers", &["authorization_identifier"]),
    ("information_schema", "foreign_servers", &["authorization_identifier"]),
    ("information_schema", "role_column_grants", &["grantor", "grantee"]),
    ("information_schema", "role_routine_grants", &["grantor", "grantee"]),
    ("information_schema", "role_table_grants", &["grantor", "grantee"]),
    ("information_schema", "role_udt_grants", &["grantor", "grantee"]),
    ("information_schema", "role_usage_grants", &["grantor", "grantee"]),
    ("information_schema", "routine_privileges", &["grantor", "grantee"]),
    ("information_schema", "schemata", &["schema_owner"]),
    ("information_schema", "table_privileges", &["grantor", "grantee"]),
    ("information_schema", "udt_privileges", &["grantor", "grantee"]),
    ("information_schema", "usage_privileges", &["grantor", "grantee"]),
];

/// Who asks, and as whom.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    user: &'a str,
    login: &'a str,
}

impl<'a> Names<'a> {
    /// Of a session.
    pub(super) fn of(speaker: Speaker<'a>) -> Names<'a> {
        Names { user: speaker.user, login: who::login(speaker) }
    }

    /// The relation's name, where it names roles and the user is called otherwise than the login.
    pub(super) fn known(self, relation: &Relation) -> Option<&'static str> {
        let found = NAMED
            .iter()
            .find(|(schema, name, _)| *schema == relation.schema && *name == relation.name);
        found.filter(|_| self.user != self.login).map(|(_, name, _)| *name)
    }

    /// A column over `row`, of such a relation; `None` for one that names no role. Where a role of the database has the
    /// user's name by chance, the two change names, so that each is there once.
    pub(super) fn column(self, relation: &Relation, column: &str, row: &str) -> Option<String> {
        let (_, _, named) = NAMED
            .iter()
            .find(|(schema, name, _)| *schema == relation.schema && *name == relation.name)?;
        let known = relation.column(column)?;
        if self.user == self.login || !named.contains(&column) {
            return None;
        }
        let own = format!("{row}.{}", identifier(column));
        let (user, login) = (literal(self.user), literal(self.login));
        let type_sql = &known.type_sql;
        if type_sql.ends_with("[]") {
            return Some(format!(
                "pg_catalog.array_replace({own}, CAST({login} AS pg_catalog.name), CAST({user} AS pg_catalog.name))"
            ));
        }
        Some(format!(
            "CASE CAST({own} AS pg_catalog.text) WHEN {login} THEN CAST({user} AS {type_sql}) \
             WHEN {user} THEN CAST({login} AS {type_sql}) ELSE {own} END"
        ))
    }
}

fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
