//! SQLAlchemy: its inspector reads every table, key, index, check and view through the catalogs.

use serde_json::Value;

use super::script::{in_python, through_scrim};
use crate::canary;

fn reflected(user: &str) -> Value {
    let text = through_scrim(user, in_python("sqlalchemy_reflection.py", &[]));
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn sqlalchemy_reflects_what_the_role_sees() {
    let found = reflected("alice");
    assert_eq!(found["user"], "alice");
    assert_eq!(found["staff"], false);
    let customers = &found["tables"]["public.customers"];
    assert_eq!(customers["pk_constraint"]["constrained_columns"], serde_json::json!(["id"]));
    // Masked and not told apart, so it may look like nothing; clear, so it is what it is.
    assert_eq!(customers["columns"]["name"][1], true);
    assert_eq!(customers["columns"]["id"][1], false);
    let keys = &found["tables"]["public.orders"]["foreign_keys"];
    assert_eq!(keys[0]["referred_table"], "customers", "{keys}");
    assert_eq!(found["views"].as_object().map(serde_json::Map::len), Some(2), "{}", found["views"]);
    let all = found.to_string();
    for hidden in ["public.staff", "password_hash", "home_phone", "desk_logins", "staff_"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    assert!(canary::find(found["row"].to_string().as_bytes()).is_empty());
}

/// A hidden column, and a table of which not all rows are seen.
#[test]
fn sqlalchemy_reflects_a_smaller_world_too() {
    let found = reflected("ana");
    let customers = &found["tables"]["public.customers"];
    assert!(customers["columns"]["rrn"].is_null() && customers["columns"]["id"].is_array());
    assert_eq!(found["tables"]["public.orders"]["foreign_keys"], serde_json::json!([]));
    assert!(!found["tables"].to_string().contains("rrn"), "{}", found["tables"]);
    assert!(found["views"]["customer_numbers"].is_null());
}
