//! DuckDB reads tables by binary COPY, each connection a range of ctid: its schema, every table, and what it pushes down.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::script::{in_python, through_scrim};
use crate::canary;
use crate::harness::{self, client::text};

fn read(role: &str) -> Value {
    let user = harness::user_of(role);
    let folder = tempfile::tempdir().expect("a folder");
    let text = through_scrim(
        user,
        in_python("duckdb_reading.py", &[&folder.path().display().to_string()]),
    );
    let found: Value =
        serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let rows = sizes(role);
    let tables = found["tables"].as_object().expect("tables");
    assert_eq!(found["closed"], json!(["public.revealed"]), "{user}");
    assert_eq!(tables.len(), rows.len() - 1, "{tables:?}");
    for (name, count) in tables {
        assert_eq!(count, &json!(rows[name]), "{user}: {name}");
        let file = folder.path().join(format!("{name}.csv"));
        let csv = std::fs::read(&file).expect("what DuckDB wrote");
        assert_eq!(canary::find(&csv), Vec::<String>::new(), "{user}: {name}");
    }
    found
}

/// Each table that the user sees, with its rows as another client counts them.
fn sizes(role: &str) -> BTreeMap<String, i64> {
    let mut client = harness::connect(role, &[]);
    let names = "SELECT n.nspname || '.' || c.relname FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') \
                 AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";
    let mut rows = |sql: &str| client.simple(sql).pop().expect("an answer").rows;
    let tables = rows(names);
    let value = |row: &[Option<Vec<u8>>]| text(row[0].as_deref().expect("a value"));
    let size = |name: String| {
        let counted = rows(&format!("SELECT count(*) FROM {name}"));
        (name, counted.first().map_or(0, |row| value(row).parse().expect("a count")))
    };
    tables.iter().map(|row| value(row)).map(size).collect()
}

#[test]
fn duckdb_reads_masks() {
    let found = read("support");
    assert_eq!(
        found["first"],
        json!([
            1,
            "K** M*******",
            "m***@example.com",
            "****-****-0001",
            "1985-01-01",
            "1290000.00"
        ])
    );
    assert_eq!(found["joined"], json!([["m***@example.com", 3]]));
    assert_eq!(found["sent"], json!([["m***@example.com"]]));
}

/// Rows and a column that the role does not see.
#[test]
fn duckdb_reads_a_smaller_world_too() {
    let found = read("analyst");
    assert_eq!(found["tables"]["public.customers"], 26);
}
