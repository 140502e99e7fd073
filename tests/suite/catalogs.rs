//! The server itself says which of its catalogs tell of relations; each that masked roles may read must be judged.

mod judged;
mod lists;

use std::collections::BTreeSet;

use scrim::sql::{readable_catalogs, telling_columns};

use crate::harness::client::text;
use crate::harness::{connect_direct, say, server_version};

#[test]
fn every_catalog_that_tells_of_relations_is_judged() {
    // From PostgreSQL 14 on the server knows the references between its catalogs; what an older one has is among them.
    if server_version() < 14 {
        return say("skipped: the server does not know the references between its catalogs");
    }
    let sql = "SELECT split_part(fktable::text, '.', 1), fkcols[1] FROM pg_get_catalog_foreign_keys() \
               WHERE pktable = 'pg_class'::regclass ORDER BY 1, 2";
    let answers = connect_direct("postgres").simple(sql);
    let rows = &answers[0].rows;
    assert!(rows.len() > 15, "{} references", rows.len());
    let judged: BTreeSet<(&str, &str)> = telling_columns().collect();
    let readable: BTreeSet<&str> = readable_catalogs().collect();
    let mut missing = Vec::new();
    for row in rows {
        let (table, column) =
            (text(row[0].as_deref().expect("a table")), text(row[1].as_deref().expect("a column")));
        // What may not be read tells nothing. Where a row itself is absent, its other columns are too; the rest name
        // catalogs, tables of extensions by number, or what is gone at the end of a statement.
        let is_of_the_row = ["reltoastrelid", "relrewrite", "extconfig", "refclassid", "classoid"]
            .contains(&column.as_str());
        if readable.contains(table.as_str())
            && !is_of_the_row
            && !judged.contains(&(table.as_str(), column.as_str()))
        {
            missing.push(format!("{table}.{column}"));
        }
    }
    assert!(missing.is_empty(), "nobody has judged: {}", missing.join(", "));
}
