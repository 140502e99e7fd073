//! The one shape in which PostgreSQL's views of statistics may be read: a sub-select that shows no value of a column.
//!
//! Whether what it says of a whole column is said of the right columns is not looked at here.

use serde_json::Value;

use crate::oracle::{is_empty, names, node, text};

/// The views.
pub const VIEWS: [&str; 3] = ["pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"];

/// Columns that say of what there is statistics.
const OF: [&str; 11] = [
    "attname",
    "attnames",
    "expr",
    "exprs",
    "inherited",
    "kinds",
    "schemaname",
    "statistics_name",
    "statistics_owner",
    "statistics_schemaname",
    "tablename",
];

/// Columns that say something of a whole column, under a condition.
const FIGURES: [&str; 5] = ["avg_width", "correlation", "dependencies", "n_distinct", "null_frac"];

/// What is wrong with a SELECT whose source is such a view, and nothing else; `None`: its source is another.
pub(crate) fn judge(query: &Value) -> Option<Result<(), String>> {
    let [item] = query["from_clause"].as_array()?.as_slice() else { return None };
    let relation = node(item, "RangeVar")?;
    let name = text(relation, "relname");
    if text(relation, "schemaname") != "pg_catalog" || !VIEWS.contains(&name) {
        return None;
    }
    let wrong = |what: &str| Some(Err(format!("pg_catalog.{name} {what}")));
    if text(&relation["alias"], "aliasname") != "l" {
        return wrong("outside of its sub-select");
    }
    if is_empty(query.get("limit_offset")) {
        return wrong("without a fence");
    }
    for (member, value) in query.as_object().into_iter().flatten() {
        match member.as_str() {
            "from_clause" => {}
            "target_list" => {
                let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let shown = |item: &Value| node(item, "ResTarget").map(|to| to["val"].clone());
                let is_shown = |value: Value| is_guarded(&value) || is_harmless(&value);
                if !list.iter().all(|item| shown(item).is_some_and(is_shown)) {
                    return wrong("shows a value");
                }
            }
            _ if !is_harmless(value) => return wrong("is asked for a value"),
            _ => {}
        }
    }
    Some(Ok(()))
}

/// `CASE WHEN false THEN … END`, or a figure under a condition that is a sub-select.
fn is_guarded(value: &Value) -> bool {
    let Some(case) = node(value, "CaseExpr") else { return false };
    let [when] = case["args"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        return false;
    };
    let Some(when) = node(when, "CaseWhen") else { return false };
    if !case["arg"].is_null() || !case["defresult"].is_null() {
        return false;
    }
    let never = node(&when["expr"], "AConst").is_some_and(|constant| {
        constant["isnull"] == false && constant["val"]["Boolval"]["boolval"] == false
    });
    let column = node(&when["result"], "ColumnRef");
    let is_figure = match names(column.and_then(|column| column.get("fields"))).as_slice() {
        ["l", name] => FIGURES.contains(name),
        _ => false,
    };
    let is_asked = node(&when["expr"], "SubLink").is_some() && is_harmless(&when["expr"]);
    never || (is_figure && is_asked)
}

/// Names of the view only what says of what there is statistics. A name that stands alone may be anything of it.
fn is_harmless(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().all(|(kind, inner)| match kind.as_str() {
            "ColumnRef" => match names(inner.get("fields")).as_slice() {
                ["l", name] => OF.contains(name),
                [other, _] => *other != "l" && !other.is_empty(),
                _ => false,
            },
            _ => is_harmless(inner),
        }),
        Value::Array(list) => list.iter().all(is_harmless),
        _ => true,
    }
}
