//! What cannot be used is said with what to do, and what was written by hand or set against Scrim opens nothing.

use super::*;

#[test]
fn what_is_wrong_with_it_is_said_with_what_to_do() {
    let store = Store::empty(standing());
    let own = own(&store.setting());
    let configuration = own.desk.configuration();
    let check = || run(&configuration, &["check"]);
    let list = || grant(&own, &["list"]);
    let is_said = |parts: &[&str]| {
        for (is_done, told) in [check(), list()] {
            let has = parts.iter().all(|part| told.contains(part));
            assert!(!is_done && has, "{parts:?}: {told}");
        }
        // The running one says the same, and comes to it.
        own.wait("what is wrong", || {
            let (_, ready) = own.readiness();
            let degraded = ready["checks"]["grants"]["degraded"].as_str().unwrap_or_default();
            degraded.contains(parts[0]) && own.figure("scrim_grants_unread") == 1.0
        });
    };
    is_said(&["holds no store of grants", "scrim grant init"]);
    // The account may not make tables, unless somebody lets it.
    let (is_done, told) = run(&configuration, &["grant", "init"]);
    assert!(!is_done && told.contains("may not make") && told.contains("init --sql"), "{told}");
    store.run("CREATE SCHEMA scrim_grants");
    is_said(&["holds no store of grants"]);
    store.run("CREATE TABLE scrim_grants.store (x int)");
    is_said(&["holds what this Scrim does not know"]);
    let (is_done, told) = run(&configuration, &["grant", "init"]);
    assert!(!is_done && told.contains("there is a store"), "{told}");
    store.run("DROP SCHEMA scrim_grants CASCADE");
    store.run(&format!("GRANT CREATE ON DATABASE {} TO {ACCOUNT}", store.name));
    let (is_done, told) = run(&configuration, &["grant", "init"]);
    assert!(is_done && told.contains("made a store"), "{told}");
    own.wait("the store", || own.figure("scrim_grants_unread") == 0.0);
    assert!(check().0 && list().0);
    store.run("DROP SCHEMA scrim_grants CASCADE");
    store.run(&store.sql());
    own.wait("the other store", || own.figure("scrim_grants_unread") == 0.0);

    store.run("UPDATE scrim_grants.store SET version = 2");
    is_said(&["is of version 2", "the same version"]);
    store.run("UPDATE scrim_grants.store SET version = 1");
    // What is missing is said as SQL that mends it.
    for (from, missing) in [
        ("USAGE ON SCHEMA scrim_grants", "USAGE ON SCHEMA scrim_grants"),
        ("SELECT ON scrim_grants.store", "SELECT ON scrim_grants.store"),
        ("UPDATE (steps) ON scrim_grants.store", "UPDATE (steps) ON scrim_grants.store"),
        ("SELECT ON scrim_grants.grants", "SELECT ON scrim_grants.grants"),
        ("INSERT ON scrim_grants.grants", "INSERT ON scrim_grants.grants"),
        ("UPDATE (until) ON scrim_grants.grants", "UPDATE (state, decided_by"),
        ("SELECT ON scrim_grants.happened", "SELECT ON scrim_grants.happened"),
        ("INSERT ON scrim_grants.happened", "INSERT ON scrim_grants.happened"),
    ] {
        store.run(&format!("REVOKE {from} FROM {ACCOUNT}"));
        let (is_done, told) = check();
        assert!(!is_done && told.contains(&format!("GRANT {missing}")), "{from}: {told}");
        let (_, sql) = told.split_once("its owner runs: ").expect("SQL");
        store.run(sql);
        let (is_done, told) = check();
        assert!(is_done, "{from}: {told}");
    }
    // A view in a table's place would run its owner's functions.
    store.run("ALTER TABLE scrim_grants.grants RENAME TO g; CREATE VIEW scrim_grants.grants AS TABLE scrim_grants.g");
    is_said(&["holds no store of grants"]);
    store.run("DROP VIEW scrim_grants.grants; ALTER TABLE scrim_grants.g RENAME TO grants");
    store.run("ALTER TABLE scrim_grants.grants RENAME COLUMN wish TO other");
    let (is_done, told) = list();
    assert!(!is_done && told.contains("42703"), "{told}");
    store.run("ALTER TABLE scrim_grants.grants RENAME COLUMN other TO wish");
    own.wait("the store", || own.figure("scrim_grants_unread") == 0.0);

    let text = std::fs::read_to_string(&configuration).expect("configuration");
    let with = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let file = own.desk.folder().join("other.yaml");
        std::fs::write(&file, text.replace(from, to)).expect("a file");
        let (is_done, told) = run(&file, &["check"]);
        assert!(!is_done && !told.contains(PASSWORD), "{told}");
        told
    };
    let password = format!("password: {PASSWORD}");
    assert!(with(&password, "password: hunter2").contains("28P01"));
    assert!(with(&format!("name: {}", store.name), "name: nowhere").contains("3D000"));
    assert!(with(&format!("user: {ACCOUNT}"), "user: nobody").contains("28P01"));
    let told = with(&format!("{password}, tls: disable"), &format!("{password}, tls: require"));
    assert!(told.contains("does not support it"), "{told}");
}

#[test]
fn what_of_the_setting_cannot_be() {
    let told = |setting: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("masking-rules")).expect("a folder");
        let role =
            "roles: {r: {may: [read], database_user: {user: desk_login}, masks: {\"*\": redact}}}";
        std::fs::write(folder.path().join("masking-rules/r.yaml"), role).expect("rules");
        let file = folder.path().join("scrim.yaml");
        std::fs::write(&file, setting).expect("a file");
        let (is_done, told) = run(&file, &["check", "--offline"]);
        assert!(!told.contains("hunter2"), "{told}");
        (is_done, told)
    };
    for (setting, said) in [
        ("grants: {store: {host: h}}", "needs `host` and `user`"),
        ("grants: {store: {user: u}}", "needs `host` and `user`"),
        ("grants: {store: {host: h, user: scrim}}", "the same account as that of `database`"),
        ("grants: {store: {host: h, user: desk_login}}", "role `r` logs in to the database as"),
        ("grants: {store: {host: h, user: u, tls: verify-full}}", "needs a `ca`"),
        ("grants: {store: {host: h, user: u, pasword: hunter2}}", "unknown key `pasword`"),
        (
            "grants: {store: {host: h, user: u, password: a, password_file: f}}",
            "`store` has `password`",
        ),
        ("grants: {store: \"postgres://u:hunter2@h/d\"}", "is the name of a file, or a PostgreSQL"),
        ("grants: {store: \"host=h password=hunter2\"}", "is the name of a file, or a PostgreSQL"),
        ("grants: {store: [a]}", "belongs here"),
        ("grants: {store: grants.db, names: a}", "unknown key `names`"),
        ("grants: {name: a}", "needs a `store`"),
    ] {
        let (is_done, told) = told(setting);
        assert!(!is_done && told.contains(said), "{setting}: {told}");
    }
    // Who is in between is seen only where the certificate is checked.
    for (host, is_warned) in
        [("db.example.com", true), ("127.0.0.1", false), ("/run/postgresql", false)]
    {
        let (is_done, told) = told(&format!("grants: {{store: {{host: {host}, user: u}}}}"));
        assert!(is_done, "{told}");
        assert_eq!(told.contains("grants what they like"), is_warned, "{host}: {told}");
    }
    let (is_done, warned) = told("grants: {store: grants.db, name: one}");
    assert!(is_done && warned.contains("that several Scrims share only"), "{warned}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scrim.yaml");
    std::fs::write(&file, "grants: {store: grants.db}").expect("a file");
    let (is_done, told) = run(&file, &["grant", "init"]);
    assert!(!is_done && told.contains("needs no `init`"), "{told}");
}

#[test]
fn what_is_written_by_hand_is_judged_by_the_rules() {
    let store = Store::new(standing());
    let own = store.scrim("one");
    let mut hana = connect(&own, "hana", &[]);
    let phone = truth(&own, PHONE);
    let number = granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    let set = |what: &str| drop(store.run(&format!("UPDATE scrim_grants.grants SET {what}")));
    // Not by who gains, nor by who may not, nor longer than was agreed to, nor for whom the rules say nothing of.
    for (forged, mended) in [
        ("decided_by = 'hana'", "decided_by = 'lea'"),
        ("decided_by = 'hugo'", "decided_by = 'lea'"),
        ("decided_by = NULL", "decided_by = 'lea'"),
        ("break_glass = true, asked_by = 'lea'", "break_glass = false, asked_by = 'hana'"),
        ("until = until + 86400000", "until = until - 86400000"),
        (
            "wish = replace(wish, '\"hana\"', '\"dba\"')",
            "wish = replace(wish, '\"dba\"', '\"hana\"')",
        ),
        (
            "wish = replace(wish, 'contact.phone', 'payment.card')",
            "wish = replace(wish, 'payment.card', 'contact.phone')",
        ),
        ("wish = replace(wish, 'helper', 'strict')", "wish = replace(wish, 'strict', 'helper')"),
        ("state = 'asked'", "state = 'in force'"),
        ("until = NULL", ""),
    ] {
        assert_eq!(seen(&mut hana, PHONE), [[phone.as_str()]], "before {forged}");
        set(forged);
        wait_for(&own, 0.0);
        assert!(is_masked(&mut hana), "{forged}");
        if mended.is_empty() {
            continue;
        }
        set(mended);
        wait_for(&own, 1.0);
    }
    // One that cannot be read makes all unread: it might be the one that was revoked.
    granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    store.run(
        "INSERT INTO scrim_grants.grants (wish, asked_by, asked_at, break_glass, state) \
         VALUES ('{}', 'hana', 0, false, 'in force')",
    );
    own.wait("the fault", || own.figure("scrim_grants_unread") == 1.0);
    assert!(is_masked(&mut hana));
    assert!(own.said().contains("holds what this Scrim does not know"), "{}", own.said());
    store.run("DELETE FROM scrim_grants.grants WHERE wish = '{}'");
    own.wait("the grant", || own.figure("scrim_grants_unread") == 0.0 && !is_masked(&mut hana));
    // Gone without a word.
    store.run("TRUNCATE scrim_grants.grants CASCADE");
    wait_for(&own, 0.0);
    assert!(is_masked(&mut hana));
    assert!(!grant(&own, &["revoke", &number, "--as", "hana"]).0);
}

#[test]
fn what_the_account_and_its_settings_cannot_do() {
    let store = Store::new(standing());
    // Whatever is set for it, and whatever stands in a schema of somebody else's.
    store.run(&format!(
        "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC; \
         CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1970-01-01'::timestamptz $$; \
         CREATE FUNCTION evil.pg_is_in_recovery() RETURNS bool LANGUAGE sql AS $$ SELECT true $$; \
         ALTER ROLE {ACCOUNT} IN DATABASE {name} SET search_path = evil, pg_catalog; \
         ALTER ROLE {ACCOUNT} IN DATABASE {name} SET default_transaction_isolation = 'serializable'; \
         ALTER ROLE {ACCOUNT} IN DATABASE {name} SET default_transaction_read_only = on; \
         ALTER ROLE {ACCOUNT} IN DATABASE {name} SET standard_conforming_strings = off; \
         ALTER ROLE {ACCOUNT} IN DATABASE {name} SET datestyle = 'German'; \
         ALTER ROLE {ACCOUNT} IN DATABASE {name} SET bytea_output = 'escape'",
        name = store.name
    ));
    let own = store.scrim("one");
    let because = "'); DROP TABLE scrim_grants.happened; -- \\' $1 한글";
    let asked = [&["hana"], FIRST, &["--because", because, "--as", "hana"]].concat();
    let told = must(&own, &asked);
    assert!(told.contains(because), "{told}");
    must(&own, &["approve", "1", "--as", "lea"]);
    wait_for(&own, 1.0);
    let mut hana = connect(&own, "hana", &[]);
    assert!(!is_masked(&mut hana));
    assert!(must(&own, &["list"]).contains(because));
    let record = own.audit().into_iter().find(|r| r["action"] == "asked").expect("a record");
    assert_eq!(record["because"], because);
    // Of what was wished nothing can be changed, of what has happened nothing be taken away.
    for forbidden in [
        "UPDATE scrim_grants.grants SET wish = '{}'",
        "UPDATE scrim_grants.grants SET asked_by = 'lea'",
        "UPDATE scrim_grants.happened SET who = 'lea'",
        "DELETE FROM scrim_grants.happened",
        "DELETE FROM scrim_grants.grants",
        "TRUNCATE scrim_grants.happened",
        "UPDATE scrim_grants.store SET version = 2",
        "CREATE TABLE scrim_grants.more (x int)",
        "DROP TABLE scrim_grants.happened",
    ] {
        let told = store.run_as_account(forbidden).expect_err(forbidden);
        assert!(told.contains("permission denied") || told.contains("must be owner"), "{told}");
    }
    // A store in the place of this one is another: nothing that was in force stays, and its steps are told anew.
    store.run("UPDATE scrim_grants.store SET id = 'another'");
    own.wait("the other store", || own.said().contains("holds what this Scrim does not know"));
    own.wait("its steps", || steps(&own).len() == 4);
    assert_eq!(own.figure("scrim_grants_unread"), 0.0);
}
