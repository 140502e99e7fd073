//! Sessions that are passed through share server connections too, where there are fewer than they need: what one has
//! goes with it, and none sees what another has.

use super::{Pooled, code, execute, parse, table, value};
use crate::harness::client::{Client, put_string, text};

fn prepare(client: &mut Client, name: &str, sql: &str) {
    parse(client, name, sql);
    client.send(b'S', b"");
    assert_eq!(code(&client.answers()), "none", "{sql}");
}

/// The error with which one that waits is told that nothing came free; it ends the session.
fn is_told_to_wait(client: &mut Client, sql: &str) -> bool {
    let mut body = Vec::new();
    put_string(&mut body, sql);
    client.send(b'Q', &body);
    let frame = client.frame();
    frame.kind == b'E' && text(&frame.body).contains("became free")
}

#[test]
fn many_live_on_one_connection_and_each_has_what_it_had() {
    let pooled = Pooled::open("size: 1");
    let mut clients: Vec<Client> = (0..8).map(|_| pooled.connect("dba")).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let set = format!(
            "SET work_mem TO '{}MB'; SET TIME ZONE 'Asia/Seoul'; SET search_path TO \"odd'name\", public",
            number + 5
        );
        assert_eq!(code(&client.simple(&set)), "none");
        prepare(client, "s", &format!("SELECT {number} + 0"));
        prepare(client, "typed", "SELECT 7 WHERE $1::int8 = 1");
    }
    for _ in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(table(&execute(client, "s")[0])[0][0], number.to_string());
            assert_eq!(value(client, "SHOW work_mem"), format!("{}MB", number + 5));
            assert_eq!(value(client, "SHOW search_path"), "\"odd'name\", public");
            assert_ne!(value(client, "SELECT count(*) FROM customers"), "0");
            assert_eq!(code(&client.simple("SELECT 1/0")), "22012");
            assert_eq!(code(&client.simple("BEGIN; SET LOCAL app.tenant = '7'; SELECT set_config('app.x', '1', true); COMMIT")), "none");
        }
    }
    let mut fresh = pooled.connect("dba");
    assert_ne!(value(&mut fresh, "SHOW work_mem"), "5MB");
    assert_eq!(value(&mut fresh, "SELECT count(*) FROM pg_prepared_statements"), "0");
}

#[test]
fn the_unnamed_statement_waits_for_its_bind() {
    let pooled = Pooled::open("size: 1");
    let (mut one, mut other) = (pooled.connect("dba"), pooled.connect("dba"));
    prepare(&mut one, "", "SELECT 'mine'");
    prepare(&mut other, "", "SELECT 'yours'");
    for _ in 0..2 {
        assert_eq!(table(&execute(&mut one, "")[0])[0][0], "mine");
        assert_eq!(table(&execute(&mut other, "")[0])[0][0], "yours");
    }
    // As on one connection, a Query takes it away.
    one.simple("SELECT 1");
    assert_eq!(value(&mut other, "SELECT 2"), "2");
    assert_eq!(code(&execute(&mut one, "")), "26000");
}

/// A driver that prepares, waits, and binds (pg8000): asking what is there takes nothing away.
#[test]
fn the_unnamed_statement_stays_where_the_connection_is_kept() {
    let pooled = Pooled::open("size: 1, wait_seconds: 1");
    let (mut one, mut other) = (pooled.connect("dba"), pooled.connect("dba"));
    assert_eq!(code(&one.simple("CREATE TEMP TABLE kept AS SELECT 'mine' AS n")), "none");
    prepare(&mut one, "", "SELECT n FROM kept");
    assert!(is_told_to_wait(&mut other, "SELECT 1"));
    assert_eq!(table(&execute(&mut one, "")[0])[0][0], "mine");
    // As without anybody who waits, a Query takes it away.
    assert_eq!(value(&mut one, "SELECT 2"), "2");
    assert_eq!(code(&execute(&mut one, "")), "26000");
}

#[test]
fn what_cannot_be_given_to_another_connection_keeps_its_own() {
    let pooled = Pooled::open("size: 1, wait_seconds: 1");
    let server = pooled.desk.server();
    let mut owner = Client::connect_unix(server.socket_folder(), server.port(), "postgres", "desk");
    assert_eq!(code(&owner.simple("GRANT svc_support TO scrim")), "none");
    let keeps = [
        ("BEGIN", "SELECT 7"),
        ("CREATE TEMP TABLE kept AS SELECT 7 AS n", "SELECT n FROM kept"),
        ("CREATE TYPE pg_temp.kept AS ENUM ('7')", "SELECT '7'::pg_temp.kept"),
        ("PREPARE p AS SELECT 7", "EXECUTE p"),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 7; COMMIT", "FETCH c"),
        ("LISTEN here", "SELECT 7 FROM pg_listening_channels()"),
        ("SELECT pg_advisory_lock(7)", "SELECT 7 FROM pg_locks WHERE locktype = 'advisory'"),
        ("SET app.tenant = '7'", "SHOW app.tenant"),
        ("SELECT set_config('app.tenant', '7', false)", "SHOW app.tenant"),
        ("DO $$ BEGIN PERFORM set_config('app.tenant', '7', false); END $$", "SHOW app.tenant"),
        ("CREATE TEMP SEQUENCE drawn START 7; SELECT nextval('drawn')", "SELECT lastval()"),
        ("SET ROLE svc_support", "SELECT 7 WHERE current_user = 'svc_support'"),
        ("SET client_encoding TO 'LATIN1'", "SELECT 7 WHERE pg_client_encoding() = 'LATIN1'"),
    ];
    for (makes, uses) in keeps {
        let mut keeper = pooled.connect("dba");
        let made = keeper.simple(makes);
        assert_eq!(code(&made), "none", "{makes}");
        let other = pooled.try_connect("dba", &[]).map(drop).map_err(|error| error.code);
        assert_eq!(other, Err("53300".into()), "{makes}");
        assert_eq!(value(&mut keeper, uses), "7", "{makes}");
        keeper.send(b'X', b"");
        assert!(keeper.next_frame().is_none());
    }
    // And what has ended keeps nothing any more.
    let mut one = pooled.connect("dba");
    let (mut other, mut third) = (pooled.connect("dba"), pooled.connect("dba"));
    assert_eq!(code(&one.simple("BEGIN; CREATE TEMP TABLE short (a int); ROLLBACK")), "none");
    assert_eq!(value(&mut other, "SELECT 7"), "7");
    assert_eq!(code(&one.simple("BEGIN")), "none");
    assert!(is_told_to_wait(&mut third, "SELECT 1"));
    assert_eq!(code(&one.simple("COMMIT")), "none");
    assert_eq!(value(&mut other, "SELECT 7"), "7");
}

#[test]
fn in_session_mode_a_connection_stays_with_its_session() {
    let pooled = Pooled::open("mode: session, size: 1, wait_seconds: 1");
    let _keeper = pooled.connect("dba");
    let other = pooled.try_connect("dba", &[]).map(drop).map_err(|error| error.code);
    assert_eq!(other, Err("53300".into()));
}

#[test]
fn with_room_for_all_nothing_moves() {
    let pooled = Pooled::open("size: 2");
    let (mut one, mut other) = (pooled.connect("dba"), pooled.connect("dba"));
    let pid = value(&mut one, "SELECT pg_backend_pid()");
    assert_ne!(value(&mut other, "SELECT pg_backend_pid()"), pid);
    assert_eq!(code(&one.simple("SET application_name TO 'one'")), "none");
    assert_eq!(value(&mut one, "SELECT pg_backend_pid()"), pid);
}

/// Drivers tell their own notifications from others' by the process id of the login.
#[test]
fn a_session_knows_its_own_notifications_wherever_it_is() {
    let pooled = Pooled::open("size: 1");
    let (mut one, mut other) = (pooled.connect("dba"), pooled.connect("dba"));
    assert_ne!(one.backend_key[..4], other.backend_key[..4]);
    for client in [&mut one, &mut other] {
        assert_eq!(code(&client.simple("SELECT 1")), "none");
        let told = client.backend_key[..4].to_vec();
        for sql in ["LISTEN here", "NOTIFY here, 'there'", "UNLISTEN *"] {
            let mut body = Vec::new();
            put_string(&mut body, sql);
            client.send(b'Q', &body);
            let mut heard = Vec::new();
            loop {
                let frame = client.frame();
                match frame.kind {
                    b'A' => heard.push(frame.body),
                    b'Z' => break,
                    _ => {}
                }
            }
            match sql.starts_with("NOTIFY") {
                true => assert_eq!(heard, [[&told[..], b"here\0there\0"].concat()]),
                false => assert!(heard.is_empty()),
            }
        }
        client.send(b'X', b"");
        assert!(client.next_frame().is_none());
    }
}

/// A statement that another connection would prepare with other columns, or not at all, is not run there: PostgreSQL's own
/// error says so, and drivers know it by its routine.
#[test]
fn a_prepared_statement_is_never_another_one_after_a_move() {
    let pooled = Pooled::open("size: 1");
    let (mut one, mut other) = (pooled.connect("dba"), pooled.connect("dba"));
    let directly = |sql: &str| {
        let done = pooled.desk.server().run("desk", sql);
        done.unwrap_or_else(|error| panic!("{error}"))
    };
    directly("CREATE TABLE changing AS SELECT 1 AS a; CREATE TABLE going AS SELECT 1 AS a");
    directly("GRANT SELECT, UPDATE ON changing, going TO scrim");
    let sql = [
        ("changes", "SELECT * FROM changing"),
        ("goes", "SELECT * FROM going"),
        ("stays", "SELECT a FROM changing"),
        ("none", "UPDATE changing SET a = a"),
    ];
    for (name, sql) in sql {
        prepare(&mut one, name, sql);
    }
    assert_eq!(code(&other.simple("SELECT 1")), "none");
    for (name, _) in sql {
        assert_eq!(code(&execute(&mut one, name)), "none", "{name}");
    }
    one.take_received();
    assert_eq!(code(&other.simple("SELECT 1")), "none");
    directly("ALTER TABLE changing ADD COLUMN b int; DROP TABLE going");
    for (name, wanted) in
        [("changes", "0A000"), ("goes", "0A000"), ("stays", "none"), ("none", "none")]
    {
        assert_eq!(code(&execute(&mut one, name)), wanted, "{name}");
        one.send(b'D', &[b"S", name.as_bytes(), b"\0"].concat());
        one.send(b'S', b"");
        assert_eq!(code(&one.answers()), wanted, "{name}");
    }
    let said = text(&one.take_received());
    assert!(said.contains("\0Mcached plan must not change result type\0RRevalidateCachedQuery\0"));
    assert!(!said.contains("outdated"), "{said}");
    // It stays so, wherever the session goes, until it is prepared again or closed.
    assert_eq!(code(&other.simple("SELECT 1")), "none");
    assert_eq!(code(&execute(&mut one, "changes")), "0A000");
    prepare(&mut one, "changes", "SELECT * FROM changing");
    assert_eq!(table(&execute(&mut one, "changes")[0])[0].len(), 2);
    one.send(b'C', b"Sgoes\0");
    one.send(b'S', b"");
    assert_eq!(code(&one.answers()), "none");
    assert_eq!(code(&execute(&mut one, "goes")), "26000");
    // A path under which it cannot be prepared.
    assert_eq!(code(&one.simple("SET search_path = nowhere")), "none");
    assert_eq!(code(&other.simple("SELECT 1")), "none");
    assert_eq!(code(&one.simple("SET search_path = public")), "none");
    assert_eq!(code(&execute(&mut one, "stays")), "0A000");
    assert_eq!(code(&one.simple("DEALLOCATE ALL")), "none");
    assert_eq!(code(&execute(&mut one, "stays")), "26000");
}

/// Its connection is kept for what cannot be moved as long as that is there, and not to its end.
#[test]
fn what_is_gone_keeps_nothing() {
    let pooled = Pooled::open("size: 1");
    let keeps = [
        ("CREATE TEMP TABLE kept AS SELECT 7 AS n", "DROP TABLE kept"),
        ("PREPARE p AS SELECT 7", "DEALLOCATE p"),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 7; COMMIT", "CLOSE c"),
        ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)"),
    ];
    let mut keeper = pooled.connect("dba");
    for (makes, takes) in keeps {
        assert_eq!(code(&keeper.simple(makes)), "none", "{makes}");
        // While somebody waits, the server is asked, and names it.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| value(&mut pooled.connect("dba"), "SELECT 8"));
            for _ in 0..20 {
                assert_eq!(value(&mut keeper, "SELECT 7"), "7");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            assert!(!waiting.is_finished(), "{makes}");
            assert_eq!(code(&keeper.simple(takes)), "none", "{takes}");
            assert_eq!(waiting.join().expect("a connection"), "8", "{takes}");
        });
    }
}
