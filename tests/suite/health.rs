//! Health and figures: what they say is so.

use crate::harness::own::{Own, code, value};

#[test]
fn readiness_follows_the_database() {
    let own = Own::open("");
    own.wait("readiness", || own.readiness().0 == 200);
    let (_, ready) = own.readiness();
    assert_eq!(ready["ready"], true);
    for check in ["rules", "database", "catalog", "audit", "stage"] {
        assert_eq!(ready["checks"][check]["ok"], true, "{ready}");
    }
    assert_eq!(own.figure("scrim_ready"), 1.0);
    own.desk.server().run("desk", "CHECKPOINT").expect("checkpoint");
    own.desk.server().halt().expect("halt");
    own.wait("that the database is gone", || own.readiness().0 == 503);
    let (_, ready) = own.readiness();
    assert_eq!(ready["checks"]["database"]["ok"], false, "{ready}");
    assert!(ready["checks"]["database"]["reason"].is_string(), "{ready}");
    assert_eq!(ready["checks"]["audit"]["ok"], true, "{ready}");
    // The process lives all the same.
    assert_eq!(own.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(own.get("/nothing").0, 404);
    own.desk.server().resume().expect("resume");
    own.wait("readiness", || own.readiness().0 == 200);
}

#[test]
fn figures_are_what_was_done() {
    let own = Own::open("");
    assert!(own.try_connect("nobody").is_err());
    let mut alice = own.connect("alice");
    let mut dba = own.connect("dba");
    assert_eq!(alice.simple("SELECT id, email, name FROM customers WHERE id < 4")[0].rows.len(), 3);
    alice.simple("SELECT pg_read_file('x')");
    alice.simple("SELECT 1/0");
    dba.simple("SELECT 1");
    alice.simple("BEGIN");
    let long = "SELECT pg_sleep(60)\0";
    dba.send(b'Q', long.as_bytes());
    own.wait("a statement", || {
        own.figure("scrim_sessions{role=\"admin\",state=\"active\"}") == 1.0
    });
    for (name, expected) in [
        ("scrim_logins_total", 2.0),
        ("scrim_logins_refused_total{reason=\"password\"}", 1.0),
        ("scrim_sessions{role=\"support\",state=\"in_transaction\"}", 1.0),
        ("scrim_sessions{role=\"support\",state=\"idle\"}", 0.0),
        ("scrim_statements_total{verdict=\"rewrite\"}", 1.0),
        ("scrim_statements_total{verdict=\"refuse\"}", 1.0),
        ("scrim_refusals_total{reason=\"function\"}", 1.0),
        ("scrim_masked_columns_total", 2.0),
        ("scrim_statements_failed_total", 1.0),
        ("scrim_guard_alarms_total", 0.0),
        ("scrim_rows_total", 4.0),
        ("scrim_planning_seconds_count", 4.0),
        ("scrim_plans_made_total", 4.0),
        ("scrim_plans_kept_total", 0.0),
        ("scrim_reloads_total{outcome=\"good\"}", 0.0),
        ("scrim_audit_well", 1.0),
        ("scrim_reload_failed", 0.0),
    ] {
        assert_eq!(own.figure(name), expected, "{name} in\n{}", own.get("/metrics").1);
    }
    let (_, text) = own.get("/metrics");
    for told in ["alice", "nobody", "customers", "desk", "127.0.0.1"] {
        assert!(!text.contains(told), "`{told}` in\n{text}");
    }
    assert!(text.contains(&format!("scrim_rules{{version=\"{}\"}} 1", own.version())), "{text}");
    assert!(text.contains("scrim_build_info{version="), "{text}");
    drop(dba);
    own.wait("an end", || own.figure("scrim_sessions{role=\"admin\",state=\"active\"}") == 0.0);
}

/// Many sessions at once meet a table that is new: the catalog is read once, not once for each.
#[test]
fn a_changed_catalog_is_read_once_for_all() {
    let own = Own::open("");
    let mut clients: Vec<_> = (0..40).map(|_| own.connect("alice")).collect();
    for client in &mut clients {
        assert_eq!(code(&client.simple("SELECT count(*) FROM customers")[0]), "");
    }
    let read = || own.figure("scrim_catalog_refreshes_total");
    let looked = || own.figure("scrim_catalog_looks_total");
    for round in 0..3 {
        let (reads, looks) = (read(), looked());
        let sql =
            format!("CREATE TABLE fresh{round} (i int); GRANT SELECT ON fresh{round} TO scrim");
        own.desk.server().run("desk", &sql).expect("a new table");
        let text = format!("SELECT i FROM fresh{round}\0");
        own.wait("the new table", || {
            clients.iter_mut().for_each(|client| client.send(b'Q', text.as_bytes()));
            let answers: Vec<_> = clients.iter_mut().flat_map(|client| client.answers()).collect();
            answers.iter().all(|answer| answer.error.is_none())
        });
        // The table and its grant may be seen one after the other.
        assert!((1.0..=2.0).contains(&(read() - reads)), "{} times", read() - reads);
        assert!(looked() - looks < 30.0, "{} looks", looked() - looks);
    }
}

/// What only changes the parts of a catalog that are seldom thought of.
#[test]
fn ddl_is_seen_whoever_makes_it() {
    let own = Own::open("");
    let mut dba = own.connect("dba");
    let mut alice = own.connect("alice");
    alice.simple("SELECT count(*) FROM customers");
    own.desk
        .server()
        .run("desk", "CREATE TABLE own (i int); CREATE SEQUENCE numbers")
        .expect("DDL");
    own.wait("readiness", || own.readiness().0 == 200);
    for sql in [
        "ALTER SEQUENCE numbers OWNED BY own.i",
        "CREATE COLLATION folded (provider = icu, locale = 'und', deterministic = false)",
        "ALTER TABLE own ALTER COLUMN i TYPE bigint",
    ] {
        let before = own.figure("scrim_catalog_refreshes_total");
        own.desk.server().run("desk", sql).expect(sql);
        own.wait(sql, || own.figure("scrim_catalog_refreshes_total") > before);
    }
    let before = own.figure("scrim_catalog_refreshes_total");
    assert_eq!(code(&dba.simple("BEGIN")[0]), "");
    let made = dba.simple("CREATE TABLE through_scrim (i int)");
    if code(&made[0]).is_empty() {
        dba.simple("COMMIT");
        own.wait("DDL through Scrim", || own.figure("scrim_catalog_refreshes_total") > before);
    }
}

/// And again where it may mean something else, or where a catalog or rules are newer.
#[test]
fn a_text_is_planned_once() {
    const TEXT: &str = "SELECT email FROM customers WHERE id = 1";
    let own = Own::open("");
    let (mut alice, mut other) = (own.connect("alice"), own.connect("alice"));
    let figures = || (own.figure("scrim_plans_made_total"), own.figure("scrim_plans_kept_total"));
    for client in [&mut alice, &mut other] {
        assert_eq!(value(&client.simple(TEXT)[0]), "m***@example.com");
        assert_eq!(value(&client.extended(TEXT, false)), "m***@example.com");
    }
    assert_eq!(figures(), (1.0, 3.0));
    other.simple("SET search_path TO catalog");
    assert_eq!(code(&other.simple(TEXT)[0]), "42P01");
    assert_eq!(figures().1, 3.0);
    assert_eq!(own.connect("ana").simple(TEXT)[0].rows, [[None]]);
    assert_eq!(figures().1, 3.0);
    // A newer catalog: the column that everybody may see is nobody's any more.
    own.desk.server().run("desk", "ALTER TABLE customers RENAME email TO mail").expect("renamed");
    own.wait("the newer catalog", || code(&alice.simple(TEXT)[0]) == "42703");
}
