//! pgjdbc: what its DatabaseMetaData, on which editors and BI tools stand, finds through the catalogs.

use std::process::Command;

use crate::canary;
use crate::harness;

/// Where Debian puts the driver.
const DRIVER: &str = "/usr/share/java/postgresql.jar";

fn metadata(user: &str) -> String {
    let address = format!("127.0.0.1:{}", harness::scrim().address.port());
    let output = Command::new("java")
        .args(["-cp", DRIVER])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/clients/Metadata.java"))
        .args([&address, user, &scrim::demo::sample_password(user)])
        .output()
        .expect("no java: run `cargo xtask test`, which installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{user}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_metadata_of_jdbc_is_what_the_role_sees() {
    let found = metadata("alice");
    for there in [
        "user alice",
        "tables | null | public | customers | TABLE",
        "customers keys | null | public | customers | id | 1 | customers_pkey",
        "orders imported | null | public | customers | id | null | public | orders | customer_id",
        "staff keys: 0 rows",
        "staff indexes: 0 rows",
        "staff columnprivileges: 0 rows",
        "answer | 1 | m***@example.com",
    ] {
        assert!(found.contains(there), "{there} is not in {found}");
    }
    for hidden in ["public | staff", "password_hash", "home_phone", "desk_logins"] {
        assert!(!found.contains(hidden), "{hidden} in {found}");
    }
    assert!(canary::find(found.as_bytes()).is_empty());
}

#[test]
fn the_metadata_of_jdbc_without_rows_and_columns() {
    let found = metadata("ana");
    for there in ["user ana", "orders imported: 0 rows", "cross: 0 rows"] {
        assert!(found.contains(there), "{there} is not in {found}");
    }
    assert!(!found.contains("| rrn |"), "{found}");
    // The number of rows and pages that an index is said to have.
    let index =
        found.lines().find(|line| line.contains("customers_pkey") && line.contains("indexes"));
    assert!(
        index.is_some_and(|line| line.contains("| -1 | 0 |") || line.contains("| 0 | 0 |")),
        "{index:?}"
    );
}
