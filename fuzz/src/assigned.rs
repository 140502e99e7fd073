//! What a write assigns: to a column that the role sees masked, only what leaves its value as it is.
//!
//! `CASE WHEN mask IS NOT DISTINCT FROM CAST(value AS type) THEN column WHEN failure THEN column END`, of one column, and
//! nothing else. The failure is a text that no boolean is like, and quotes nothing of the row.

use pg_query::protobuf::AExprKind;
use serde_json::Value;

use crate::oracle::{names, node, text};
use crate::stand_in::{MASK, ROW};

/// How what fails begins, before the column's name.
const KEPT: &str = "scrim$kept:";

/// The client's value in the form that keeps a masked column; `None`: it is another form.
pub fn kept<'v>(value: &'v Value, relation: &str, column: &str) -> Option<&'v Value> {
    let case = node(value, "CaseExpr")?;
    let [same, other] = case["args"].as_array()?.as_slice() else { return None };
    if !case["arg"].is_null() || !case["defresult"].is_null() {
        return None;
    }
    let (same, other) = (node(same, "CaseWhen")?, node(other, "CaseWhen")?);
    let is_own = |value: &Value| {
        node(value, "ColumnRef").is_some_and(|own| names(own.get("fields")) == [ROW, column])
    };
    if !is_own(&same["result"]) || !is_own(&other["result"]) || !fails(&other["expr"], column) {
        return None;
    }
    let comparison = node(&same["expr"], "AExpr")?;
    let mask = node(&comparison["lexpr"], "ColumnRef")?;
    let is_mask = names(mask.get("fields")) == [MASK, format!("{relation}.{column}").as_str()];
    let is_same = comparison["kind"] == i32::from(AExprKind::AexprNotDistinct);
    (is_mask && is_same).then(|| node(&comparison["rexpr"], "TypeCast"))?.map(|cast| &cast["arg"])
}

/// A text that begins with [`KEPT`] and the column's name, cast to a boolean; nothing of the row is quoted in it.
fn fails(value: &Value, column: &str) -> bool {
    let Some(cast) = node(value, "TypeCast") else { return false };
    let is_bool = names(cast["type_name"].get("names")).last() == Some(&"bool");
    let Some(joined) = node(&cast["arg"], "AExpr") else { return false };
    let said = node(&joined["lexpr"], "TypeCast").and_then(|cast| node(&cast["arg"], "AConst"));
    let said = said.map(|said| text(&said["val"]["Sval"], "sval"));
    let nothing = node(&joined["rexpr"], "FuncCall");
    let is_nothing = nothing.is_some_and(|call| {
        names(call.get("funcname")) == ["pg_catalog", "substr"]
            && node(&call["args"][2], "AConst").is_some_and(|length| {
                length["isnull"] == false && length["val"]["Ival"]["ival"] == 0
            })
    });
    is_bool
        && names(joined.get("name")) == ["||"]
        && said == Some(format!("{KEPT}{column}").as_str())
        && is_nothing
}
