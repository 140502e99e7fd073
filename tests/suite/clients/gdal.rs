//! ogr2ogr, by which maps are made: it reads through cursors, and asks the catalogs for keys and geometries.

use std::process::Command;

use crate::canary;
use crate::harness;

/// The table as CSV.
fn read(user: &str, table: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("out.csv");
    let port = harness::scrim().address.port();
    let password = scrim::demo::sample_password(user);
    let output = Command::new("ogr2ogr")
        .args(["-f", "CSV"])
        .arg(&file)
        .arg(format!("PG:host=127.0.0.1 port={port} dbname=desk user={user} password={password}"))
        .arg(table)
        .output()
        .expect("no ogr2ogr: run `cargo xtask test`, which installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{user}: {said}");
    assert!(!said.contains("ERROR"), "{user}: {said}");
    let csv = std::fs::read(&file).expect("what ogr2ogr wrote");
    assert_eq!(canary::find(&csv), Vec::<String>::new(), "{user}: {table}");
    String::from_utf8(csv).expect("text")
}

#[test]
fn ogr2ogr_reads_masks() {
    let csv = read("alice", "customers");
    assert_eq!(csv.lines().count(), 41, "{csv}");
    let first = csv.lines().nth(1).expect("a row");
    assert!(first.starts_with("K** M*******,m***@example.com,****-****-0001,"), "{first}");
    assert_eq!(read("alice", "customer_overview").lines().count(), 41);
}

#[test]
fn ogr2ogr_reads_a_smaller_world_too() {
    let csv = read("ana", "customers");
    assert_eq!(csv.lines().count(), 27, "{csv}");
    assert!(!csv.lines().next().expect("a head").contains("rrn"), "{csv}");
}
