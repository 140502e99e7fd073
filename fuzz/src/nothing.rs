//! The one shape in which relations that say what the server does for others may stand: a sub-select without a row.

use serde_json::Value;

use crate::oracle::{node, text};

/// Relations that Scrim shows empty.
const EMPTY: [&str; 3] = ["pg_prepared_xacts", "pg_replication_slots", "pg_stat_replication"];

/// True for `SELECT … FROM pg_catalog.NAME AS l WHERE false` of such a relation alone.
pub(crate) fn is_read(query: &Value) -> bool {
    let Some([item]) = query["from_clause"].as_array().map(Vec::as_slice) else { return false };
    let Some(relation) = node(item, "RangeVar") else { return false };
    let is_known = text(relation, "schemaname") == "pg_catalog"
        && EMPTY.contains(&text(relation, "relname"))
        && text(&relation["alias"], "aliasname") == "l";
    let never = node(&query["where_clause"], "AConst").is_some_and(|constant| {
        constant["isnull"] == false && constant["val"]["Boolval"]["boolval"] == false
    });
    is_known && never
}
