//! A primary and a standby: Scrim goes where sessions can write, and follows when that changes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use scrim::demo::{Desk, PostgresOptions, PrivatePostgres, sample_password};
use scrim::upstream::{Endpoint, Host, Hosts, ServerConnection, SessionAttributes, TlsMode};

use crate::harness::client::cancel;
use crate::harness::own::{Own, code, value};

/// A standby needs more in the log than the tests' servers write.
const LOG_FOR_A_STANDBY: &str = "ALTER SYSTEM SET wal_level = replica";

fn shell(script: &str, arguments: &[&Path]) {
    let done = Command::new("sh").args(["-ec", script, "sh"]).args(arguments).output();
    let done = done.expect("sh");
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
}

fn run(server: &PrivatePostgres, sql: &str) -> String {
    server.run("desk", sql).unwrap_or_else(|error| panic!("{error}")).trim().to_owned()
}

/// A copy of the desk's server as it is now, which follows nobody and waits to be promoted.
fn standby_of(primary: &PrivatePostgres) -> PrivatePostgres {
    run(primary, LOG_FOR_A_STANDBY);
    // It is broken off, and what was committed just before is not on disk of itself.
    run(primary, "CHECKPOINT");
    primary.halt().expect("down");
    primary.resume().expect("up");
    run(primary, "CHECKPOINT");
    primary.halt().expect("down");
    let standby = PrivatePostgres::start(&PostgresOptions::default()).expect("a server");
    standby.halt().expect("down");
    shell(
        "rm -r \"$2/data\"; cp -a \"$1/data\" \"$2/data\"; rm -f \"$2/data/postmaster.pid\"; \
         cp -p \"$2/data/PG_VERSION\" \"$2/data/standby.signal\"",
        &[primary.socket_folder(), standby.socket_folder()],
    );
    primary.resume().expect("up");
    standby.resume().expect("up");
    assert_eq!(run(&standby, "SELECT pg_is_in_recovery()"), "t");
    standby
}

/// Both in scrim.yaml, the standby first.
fn with_both(desk: &Desk, standby: &PrivatePostgres, text: &str) -> String {
    let own = desk.server().port();
    let ports =
        format!("  port: [{}, {own}]\n  target_session_attrs: read-write\n", standby.port());
    let changed = text.replacen("  host: 127.0.0.1\n", "  host: [127.0.0.1, 127.0.0.1]\n", 1);
    let changed = changed.replacen(&format!("  port: {own}\n"), &ports, 1);
    assert_eq!(changed.lines().count(), text.lines().count() + 1, "{changed}");
    changed
}

const PORT: &str = "SELECT pg_catalog.current_setting('port')";
const MASKED: &str = "SELECT email FROM customers WHERE id = 1";

#[test]
fn sessions_go_where_they_can_write() {
    let mut standby = None;
    let mut own = Own::open_changed(|desk, text| {
        let made = standby_of(desk.server());
        let text = with_both(desk, &made, &text);
        standby = Some(made);
        text
    });
    let standby = standby.expect("made");
    let (here, there) = (own.desk.server().port().to_string(), standby.port().to_string());
    let mut alice = own.connect("alice");
    assert_eq!(value(&own.connect("dba").simple(PORT)[0]), here);
    assert_eq!(value(&alice.simple(MASKED)[0]), "m***@example.com");
    own.wait("readiness", || own.readiness().0 == 200);
    // Who wants to write nothing is welcome where one can.
    let mut careful = own.connect_as("dba", &[("options", "-c default_transaction_read_only=on")]);
    assert_eq!(value(&careful.simple(PORT)[0]), here);
    assert_eq!(code(&careful.simple("CREATE TABLE mark (id int)")[0]), "25006");

    // Where each is known, one of another cluster is none, also when nobody else is there.
    let other = crate::harness::postgres();
    let (hosts, known) = ([own.desk.server().port(), other.port()], sample_password("scrim"));
    let hosts = hosts.map(|port| Host { name: "127.0.0.1".into(), port }).into();
    let endpoint = Endpoint {
        hosts: Hosts::of(hosts, SessionAttributes::Any),
        user: "scrim".to_owned(),
        password: Some(known.into()),
        tls: TlsMode::Disable,
        ca: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let open = || {
        let seconds = Duration::from_secs(20);
        runtime.block_on(ServerConnection::open(&endpoint, "desk", &[], seconds)).map(drop)
    };
    open().expect("the desk's");

    // The primary is gone, and nobody has taken its place.
    own.desk.server().halt().expect("down");
    let error = open().expect_err("another cluster").to_string();
    assert!(error.contains("will not do: it is of another cluster"), "{error}");
    // A connection at rest may be lent until the server's processes have all gone.
    let mut refused = String::new();
    own.wait("no database", || match own.try_connect("dba") {
        Ok(_) => false,
        Err(said) => {
            refused = said;
            true
        }
    });
    assert!(refused.starts_with("FATAL 57P03 scrim: the database cannot be reached"), "{refused}");
    let why = format!("127.0.0.1:{there} will not do: sessions there can only read");
    own.wait("the reason", || own.said().contains(&why));

    // The standby has.
    assert_eq!(run(&standby, "SELECT pg_promote()"), "t");
    own.wait("a database that answers", || own.try_connect("dba").is_ok());
    let mut dba = own.connect("dba");
    assert_eq!(value(&dba.simple(PORT)[0]), there);
    own.wait("masked sessions too", || {
        own.try_connect("alice").is_ok_and(|mut alice| code(&alice.simple(MASKED)[0]).is_empty())
    });
    assert_eq!(value(&own.connect("alice").simple(MASKED)[0]), "m***@example.com");
    own.wait("readiness", || own.readiness().0 == 200);
    assert!(own.said().contains("another host of the database from now on"), "{}", own.said());

    // Who comes back and believes to be the primary still is not asked, as long as the other one is there.
    own.desk.server().resume().expect("up");
    assert_eq!(value(&own.connect("dba").simple(PORT)[0]), there);
    // A cancel goes where the session is.
    let mut sleeper = own.connect("dba");
    sleeper.send(b'Q', b"SELECT pg_sleep(600)\0");
    own.wait("a statement that runs", || {
        run(&standby, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active'") == "1"
    });
    cancel(own.address(), &sleeper.backend_key);
    assert_eq!(code(&sleeper.answers()[0]), "57014");
    drop(own.scrim.take());
}
