//! psqlODBC, on which Excel, Tableau, Power BI and others stand: plain, with a cursor for each SELECT, with and without
//! prepared statements.

use serde_json::{Value, json};

use super::script::{in_python, through_scrim};
use crate::canary;

fn session(user: &str, options: &str) -> Value {
    let text = through_scrim(user, in_python("odbc_session.py", &[options]));
    assert_eq!(canary::find(text.as_bytes()), Vec::<String>::new());
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn odbc_reads_masks_in_each_of_its_ways() {
    for options in [
        "UseDeclareFetch=0",
        "UseDeclareFetch=1;Fetch=3",
        "UseDeclareFetch=1;Fetch=3;UseServerSidePrepare=0",
        "UseServerSidePrepare=0",
        "Protocol=7.4-2;UseDeclareFetch=1",
    ] {
        let found = session("alice", options);
        assert_eq!(found["rows"][0], json!([1, "m***@example.com"]), "{options}");
        assert_eq!(found["rows"].as_array().map(Vec::len), Some(8), "{options}");
        assert_eq!(found["all"], 40, "{options}");
        assert_eq!(found["primary"], json!(["id"]), "{options}");
        let has =
            |key: &str, name: &str| found[key].as_array().expect("a list").contains(&json!(name));
        assert!(has("tables", "public.customers") && !has("tables", "public.staff"), "{options}");
        assert!(has("columns", "email") && has("foreign", "orders"), "{options}");
        assert!(has("statistics", "customers_pkey"), "{options}");
        assert_eq!(found["refused"], "42501", "{options}");
        assert_eq!(found["after"], "m***@example.com", "{options}");
    }
}

#[test]
fn odbc_reads_a_smaller_world_too() {
    let found = session("ana", "UseDeclareFetch=1;Fetch=3");
    assert_eq!(found["all"], 26);
    assert!(!found["columns"].as_array().expect("a list").contains(&json!("rrn")));
    assert_eq!(found["foreign"], json!([]));
}
