//! `current_setting($1)`: SQLAlchemy's reflection binds the setting's name.
//!
//! The proof wants a literal, because the key of pseudonyms is a setting too. So the call becomes a CASE over the
//! settings that tools ask for, each by its own literal; whatever is bound, none but these can be read.

use pg_query::protobuf::{self, node::Node};

use super::{expression, literal, type_of};
use crate::grammar::functions;

/// What drivers and tools read. All of them exist in every version that is supported, and every role may read them.
const NAMES: &[&str] = &[
    "application_name",
    "block_size",
    "bytea_output",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_table_access_method",
    "default_tablespace",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "extra_float_digits",
    "integer_datetimes",
    "intervalstyle",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lock_timeout",
    "max_identifier_length",
    "max_index_keys",
    "role",
    "search_path",
    "server_encoding",
    "server_version",
    "server_version_num",
    "session_authorization",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
    "transaction_isolation",
    "transaction_read_only",
];

/// No setting can be called so: PostgreSQL's error quotes it.
const NONE_OF_THEM: &str = "named by a parameter: write it as a plain literal";

/// The value of a setting whose name is a parameter; `None` where it is none, which the proof refuses.
pub(super) fn of_parameter(name: &protobuf::Node, user: &str) -> Option<protobuf::Node> {
    if !is_parameter(name) {
        return None;
    }
    let mut case = String::from("CASE pg_catalog.lower(CAST($1 AS pg_catalog.text))");
    for name in NAMES {
        let value = if functions::names_login(name) {
            format!("CAST({} AS pg_catalog.text)", literal(user))
        } else {
            format!("pg_catalog.current_setting({})", literal(name))
        };
        case.push_str(&format!(" WHEN {} THEN {value}", literal(name)));
    }
    case.push_str(" END");
    let mut made = expression(&case, name.clone())?;
    let Some(Node::CaseExpr(case)) = &mut made.node else { return None };
    // NULL for NULL. And as it is no constant, the planner does not try what it gives before it is asked.
    let none = format!(
        "pg_catalog.current_setting({}, CAST($1 AS pg_catalog.text) IS NULL)",
        literal(NONE_OF_THEM)
    );
    case.defresult = Some(Box::new(expression(&none, name.clone())?));
    Some(made)
}

fn is_parameter(node: &protobuf::Node) -> bool {
    match &node.node {
        Some(Node::ParamRef(_)) => true,
        Some(Node::TypeCast(cast)) => {
            matches!(type_of(cast), Some("text" | "varchar"))
                && cast
                    .arg
                    .as_deref()
                    .is_some_and(|arg| matches!(arg.node, Some(Node::ParamRef(_))))
        }
        _ => false,
    }
}
