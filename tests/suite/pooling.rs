//! Sessions that share server connections: none notices that it does, and none sees what another has left.

mod again;
mod untouched;

use std::path::Path;
use std::time::{Duration, Instant};

use scrim::demo::{Desk, RunningScrim, sample_password};

use crate::harness::client::{Answer, Client, ServerError, cancel, put_string, text};

/// A desk whose Scrim has a pool of its own making.
pub struct Pooled {
    scrim: RunningScrim,
    desk: Desk,
}

impl Pooled {
    pub fn open(pool: &str) -> Pooled {
        let desk = Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let path = desk.configuration();
        let configuration = std::fs::read_to_string(&path).expect("configuration");
        std::fs::write(&path, format!("{configuration}\npool: {{{pool}}}\n")).expect("written");
        let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &desk)
            .unwrap_or_else(|error| panic!("{error}"));
        Pooled { scrim, desk }
    }

    fn try_connect(
        &self,
        user: &str,
        options: &[(&str, &str)],
    ) -> Result<Client, Box<ServerError>> {
        let password = sample_password(user);
        Client::connect(self.scrim.address(), user, &password, "desk", options)
    }

    pub fn connect(&self, user: &str) -> Client {
        self.try_connect(user, &[])
            .unwrap_or_else(|error| panic!("{error:?}: {}", self.scrim.said()))
    }

    /// In use, idle and waiting, of the masked sessions' pool.
    fn figures(&self) -> (String, String, String) {
        let mut dba = self.connect("dba");
        let answers = dba.simple("SHOW scrim.pools");
        let rows = table(&answers[0]);
        let row = rows.iter().find(|row| row[2] == "masked").unwrap_or_else(|| panic!("{rows:?}"));
        (row[4].clone(), row[5].clone(), row[6].clone())
    }
}

fn table(answer: &Answer) -> Vec<Vec<String>> {
    assert!(answer.error.is_none(), "{answer:?}");
    let value = |value: &Option<Vec<u8>>| value.as_deref().map_or("␀".into(), text);
    answer.rows.iter().map(|row| row.iter().map(value).collect()).collect()
}

fn value(client: &mut Client, sql: &str) -> String {
    let answers = client.simple(sql);
    table(&answers[0])[0][0].clone()
}

fn code(answers: &[Answer]) -> String {
    let error = answers.iter().find_map(|answer| answer.error.as_ref());
    error.map_or_else(|| "none".to_owned(), |error| error.code.clone())
}

fn parse(client: &mut Client, name: &str, sql: &str) {
    let mut body = Vec::new();
    put_string(&mut body, name);
    put_string(&mut body, sql);
    body.extend(0_i16.to_be_bytes());
    client.send(b'P', &body);
}

fn bind_and_execute(client: &mut Client, name: &str) {
    let mut body = vec![0];
    put_string(&mut body, name);
    body.extend([0; 6]);
    client.send(b'B', &body);
    client.send(b'E', &[0; 5]);
}

/// One unit of the extended protocol that executes a prepared statement.
fn execute(client: &mut Client, name: &str) -> Vec<Answer> {
    bind_and_execute(client, name);
    client.send(b'S', b"");
    client.answers()
}

#[test]
fn many_sessions_live_on_one_connection() {
    let pooled = Pooled::open("size: 1");
    let mut clients: Vec<Client> =
        (0..20).map(|number| pooled.connect(["alice", "ana", "otto"][number % 3])).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        parse(client, "s", &format!("SELECT {number} + 0"));
        client.send(b'S', b"");
        assert_eq!(code(&client.answers()), "none");
    }
    for _ in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            let answers = execute(client, "s");
            assert_eq!(table(&answers[0])[0][0], number.to_string());
        }
    }
    assert_eq!(pooled.figures(), ("0".into(), "1".into(), "0".into()));
}

/// PostgreSQL reports the path from 18 on; before, nobody hears of it.
#[test]
fn the_search_path_is_the_session_s_own() {
    let pooled = Pooled::open("size: 1");
    let own = || {
        pooled
            .try_connect("alice", &[("search_path", "catalog, public")])
            .unwrap_or_else(|error| panic!("{error:?}"))
    };
    let mut first = own();
    assert_eq!(value(&mut first, "SHOW search_path"), "catalog, public");
    // Who has a temporary table keeps the connection, and what is done at the end is done with it.
    let mut other = pooled.connect("ana");
    other.simple("CREATE TEMP TABLE own (a int)");
    assert_eq!(value(&mut other, "SHOW search_path"), "\"$user\", public");
    drop(other);
    for user in ["ana", "alice"] {
        let mut next = pooled.connect(user);
        assert_eq!(value(&mut next, "SHOW search_path"), "\"$user\", public");
        assert_eq!(code(&next.simple("SELECT count(*) FROM regions")), "42P01");
    }
    // What it started with is what RESET and DISCARD bring back.
    for reset in ["RESET search_path", "RESET ALL", "DISCARD ALL", "SET search_path TO DEFAULT"] {
        first.simple("SET search_path TO pg_catalog");
        assert_eq!(code(&first.simple(reset)), "none", "{reset}");
        assert_eq!(value(&mut first, "SHOW search_path"), "catalog, public", "{reset}");
        assert_eq!(value(&mut first, "SELECT count(*) FROM regions"), "4", "{reset}");
    }
    assert_eq!(value(&mut own(), "SHOW search_path"), "catalog, public");
}

#[test]
fn what_a_session_has_set_is_its_own() {
    let pooled = Pooled::open("size: 1");
    let mut seoul = pooled
        .try_connect("alice", &[("TimeZone", "asia/seoul"), ("application_name", "first")])
        .unwrap_or_else(|error| panic!("{error:?}"));
    // As PostgreSQL writes it.
    assert_eq!(seoul.parameters["TimeZone"], "Asia/Seoul");
    let mut other = pooled.connect("alice");
    let default = value(&mut other, "SHOW timezone");
    assert_ne!(default, "Asia/Seoul");
    for _ in 0..2 {
        assert_eq!(value(&mut seoul, "SHOW timezone"), "Asia/Seoul");
        assert_eq!(value(&mut seoul, "SHOW application_name"), "first");
        assert_eq!(value(&mut other, "SHOW timezone"), default);
        assert_eq!(value(&mut other, "SHOW application_name"), "");
    }
    // SET, SET LOCAL, RESET, and what a ROLLBACK takes back.
    assert_eq!(code(&seoul.simple("SET timezone TO 'UTC'; SET search_path TO pg_catalog")), "none");
    assert_eq!(value(&mut other, "SHOW timezone"), default);
    assert_eq!(value(&mut other, "SHOW search_path"), "\"$user\", public");
    assert_eq!(value(&mut seoul, "SHOW timezone"), "UTC");
    assert_eq!(value(&mut seoul, "SHOW search_path"), "pg_catalog");
    seoul.simple("BEGIN; SET timezone TO 'Asia/Tokyo'; ROLLBACK");
    assert_eq!(value(&mut other, "SHOW timezone"), default);
    assert_eq!(value(&mut seoul, "SHOW timezone"), "UTC");
    seoul.simple("RESET timezone");
    assert_eq!(value(&mut seoul, "SHOW timezone"), "Asia/Seoul");
    seoul.simple("DISCARD ALL");
    assert_eq!(value(&mut other, "SHOW timezone"), default);
    assert_eq!(value(&mut seoul, "SHOW timezone"), "Asia/Seoul");
    assert_eq!(value(&mut seoul, "SHOW search_path"), "\"$user\", public");
    seoul.simple(
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
    );
    assert_eq!(value(&mut other, "SHOW default_transaction_read_only"), "off");
    assert_eq!(value(&mut other, "SHOW transaction_isolation"), "read committed");
    assert_eq!(value(&mut seoul, "SHOW default_transaction_read_only"), "on");
    assert_eq!(value(&mut seoul, "SHOW transaction_isolation"), "serializable");
    // The purpose is the session's too.
    seoul.simple("SET scrim.purpose TO 'refund'");
    assert_eq!(value(&mut other, "SHOW scrim.purpose"), "");
    assert_eq!(value(&mut seoul, "SHOW scrim.purpose"), "refund");
    // One that could end the setting back: the next session does not suffer from it.
    for _ in 0..20 {
        assert_eq!(code(&seoul.simple("SET statement_timeout TO '1ms'")), "none");
        assert_eq!(value(&mut other, "SHOW statement_timeout"), "0");
        assert_eq!(code(&seoul.simple("RESET statement_timeout")), "none");
    }
    // What pg_dump restricts itself with.
    let restrict = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings \
                    WHERE name = 'restrict_nonsystem_relation_kind'";
    if !seoul.simple(restrict)[0].rows.is_empty() {
        assert_eq!(value(&mut other, "SHOW restrict_nonsystem_relation_kind"), "");
    }
    // A wish that cannot be is refused at login, as PostgreSQL does.
    let wrong = pooled.try_connect("alice", &[("TimeZone", "nowhere/at_all")]).err();
    assert_eq!(
        wrong.map(|error| (error.severity, error.code)),
        Some(("FATAL".into(), "22023".into()))
    );
}

#[test]
fn who_finds_all_connections_taken_waits_in_turn_and_is_told() {
    let pooled = Pooled::open("size: 1, wait_seconds: 1");
    let mut holder = pooled.connect("alice");
    let (mut second, mut third) = (pooled.connect("alice"), pooled.connect("ana"));
    assert_eq!(code(&holder.simple("BEGIN")), "none");
    // One that comes free in time.
    let waiting = std::thread::spawn(move || {
        let answers = second.simple("SELECT 1");
        (second, code(&answers))
    });
    while pooled.figures().2 != "1" {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(code(&holder.simple("COMMIT")), "none");
    let (_second, said) = waiting.join().expect("no panic");
    assert_eq!(said, "none");
    // One that does not.
    assert_eq!(code(&holder.simple("BEGIN")), "none");
    let began = Instant::now();
    let mut body = Vec::new();
    put_string(&mut body, "SELECT 1");
    third.send(b'Q', &body);
    let frame = third.frame();
    assert!(began.elapsed() >= Duration::from_secs(1));
    let said = text(&frame.body);
    assert!(frame.kind == b'E' && said.contains("53300") && said.contains("became free"), "{said}");
    assert!(third.next_frame().is_none());
    assert_eq!(code(&holder.simple("SELECT 1; COMMIT")), "none");
}

#[test]
fn what_no_other_connection_has_keeps_the_session_on_its_own() {
    let pooled = Pooled::open("size: 2");
    let mut ana = pooled.connect("ana");
    let mut other = pooled.connect("ana");
    for (makes, uses, ends) in [
        ("CREATE TEMP TABLE kept AS SELECT 7 AS n", "SELECT n FROM kept", "DROP TABLE kept"),
        ("PREPARE p AS SELECT 7", "EXECUTE p", "DEALLOCATE p"),
        (
            "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 7 FROM generate_series(1, 9); COMMIT",
            "FETCH c",
            "CLOSE ALL",
        ),
    ] {
        assert_eq!(code(&ana.simple(makes)), "none", "{makes}");
        for _ in 0..3 {
            assert_eq!(value(&mut other, "SELECT 1"), "1");
            assert_eq!(value(&mut ana, uses), "7", "{uses}");
            assert_ne!(code(&other.simple(uses)), "none", "{uses}");
        }
        assert_eq!(pooled.figures().0, "1", "{makes}");
        assert_eq!(code(&ana.simple(ends)), "none", "{ends}");
        assert_eq!(pooled.figures().0, "0", "{ends}");
    }
    // And goes with it.
    assert_eq!(code(&ana.simple("CREATE TEMP TABLE kept AS SELECT 7 AS n")), "none");
    assert_eq!(code(&ana.simple("SET work_mem TO '7MB'; PREPARE p AS SELECT 7")), "none");
    drop(ana);
    while pooled.figures().0 != "0" {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut next = [pooled.connect("ana"), pooled.connect("ana")];
    for client in &mut next {
        assert_eq!(code(&client.simple("BEGIN")), "none");
    }
    for client in &mut next {
        assert_ne!(value(client, "SHOW work_mem"), "7MB");
        for gone in ["SELECT n FROM kept", "EXECUTE p"] {
            client.simple("SAVEPOINT s");
            assert_ne!(code(&client.simple(gone)), "none", "{gone}");
            client.simple("ROLLBACK TO s");
        }
        client.simple("COMMIT");
    }
}

#[test]
fn a_transaction_of_who_has_gone_is_rolled_back() {
    let pooled = Pooled::open("size: 1");
    let mut aria = pooled.connect("aria");
    let before = value(&mut aria, "SELECT count(*) FROM order_items");
    assert_eq!(code(&aria.simple("BEGIN; DELETE FROM order_items")), "none");
    drop(aria);
    let mut next = pooled.connect("aria");
    assert_eq!(value(&mut next, "SELECT count(*) FROM order_items"), before);
}

/// Up to ReadyForQuery: the SQLSTATE of an error, or `none`.
fn until_ready(client: &mut Client) -> String {
    let mut said = "none".to_owned();
    loop {
        let frame = client.next_frame().unwrap_or_else(|| panic!("the session has ended: {said}"));
        match frame.kind {
            b'E' => said = text(&frame.body),
            b'Z' => break,
            _ => {}
        }
    }
    match said.contains("C57014") {
        true => "57014".to_owned(),
        false => said,
    }
}

#[test]
fn a_cancel_never_ends_another_sessions_statement() {
    const LONG: &str = "SELECT count(*) FROM generate_series(1, 300000)";
    let pooled = Pooled::open("size: 1");
    let address = pooled.scrim.address();
    let (mut first, mut second) = (pooled.connect("alice"), pooled.connect("alice"));
    let key = first.backend_key.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let canceller = std::thread::spawn({
        let stop = std::sync::Arc::clone(&stop);
        move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                cancel(address, &key);
            }
        }
    });
    let mut cancelled = 0;
    let mut body = Vec::new();
    put_string(&mut body, LONG);
    for _ in 0..60 {
        // Both at once on the one connection, in whatever order.
        first.send(b'Q', &body);
        second.send(b'Q', &body);
        match until_ready(&mut first).as_str() {
            "none" => {}
            "57014" => cancelled += 1,
            other => panic!("{other}"),
        }
        assert_eq!(until_ready(&mut second), "none", "somebody else's cancel");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    canceller.join().expect("no panic");
    assert!(cancelled > 0, "no cancel arrived at all, so nothing was tested");
}

/// Found by dice: the server was asked for the client's name, while it was not known yet whether there is such a statement.
#[test]
fn deallocate_in_the_pipeline_that_prepares_or_prepared_before_there_is_anything() {
    let pooled = Pooled::open("size: 1");
    let mut one = pooled.connect("alice");
    parse(&mut one, "s", "SELECT 42");
    one.send(b'S', b"");
    parse(&mut one, "d", "DEALLOCATE s");
    one.send(b'S', b"");
    for _ in 0..2 {
        assert_eq!(code(&one.answers()), "none");
    }
    assert_eq!(execute(&mut one, "d")[0].tag.as_deref(), Some("DEALLOCATE"));
    // There is none any more, and then there is one again.
    assert_eq!(code(&execute(&mut one, "d")), "26000");
    parse(&mut one, "s", "SELECT 43");
    one.send(b'S', b"");
    assert_eq!(code(&one.answers()), "none");
    assert_eq!(code(&execute(&mut one, "d")), "none");
    assert_eq!(code(&execute(&mut one, "s")), "26000");
    // What SQL has prepared has its own name on the server connection.
    assert_eq!(code(&one.simple("PREPARE s AS SELECT 44")), "none");
    assert_eq!(code(&execute(&mut one, "d")), "26000");
    assert_eq!(value(&mut one, "EXECUTE s"), "44");
    assert_eq!(code(&one.simple("DEALLOCATE s")), "none");
}

#[test]
fn a_statement_of_the_protocol_is_deallocated_by_sql_and_not_executed() {
    let pooled = Pooled::open("size: 1");
    let (mut one, mut two) = (pooled.connect("alice"), pooled.connect("alice"));
    for client in [&mut one, &mut two] {
        parse(client, "s", "SELECT 42");
        client.send(b'S', b"");
        assert_eq!(code(&client.answers()), "none");
    }
    assert_eq!(code(&one.simple("EXECUTE s")), "0A000");
    assert_eq!(code(&one.simple("PREPARE s AS SELECT 1")), "42P05");
    let answers = one.simple("DEALLOCATE s");
    assert_eq!(answers[0].tag.as_deref(), Some("DEALLOCATE"));
    assert_eq!(code(&execute(&mut one, "s")), "26000");
    assert_eq!(table(&execute(&mut two, "s")[0])[0][0], "42");
    // Its name on the server is nobody's to use.
    let mut dba = pooled.connect("dba");
    assert_eq!(table(&dba.simple("SELECT 1")[0])[0][0], "1");
    for sql in ["EXECUTE \"scrim$0\"", "DEALLOCATE \"scrim$0\"", "PREPARE \"scrim$0\" AS SELECT 1"]
    {
        assert_eq!(code(&one.simple(sql)), "42939", "{sql}");
    }
    parse(&mut one, "scrim$0", "SELECT 1");
    one.send(b'S', b"");
    assert_eq!(code(&one.answers()), "42939");
    // DEALLOCATE ALL of one session takes nothing from another.
    assert_eq!(code(&one.simple("DEALLOCATE ALL")), "none");
    assert_eq!(table(&execute(&mut two, "s")[0])[0][0], "42");
    assert_eq!(code(&one.simple("DISCARD ALL")), "none");
    assert_eq!(table(&execute(&mut two, "s")[0])[0][0], "42");
}

#[test]
fn roles_that_share_a_connection_see_each_their_own() {
    let pooled = Pooled::open("size: 1");
    let sql = "SELECT email, phone FROM customers WHERE id = 1";
    let seen = |client: &mut Client| table(&execute(client, "s")[0]);
    let mut clients = ["alice", "ana", "otto"].map(|user| pooled.connect(user));
    let mut alone = Vec::new();
    for client in &mut clients {
        parse(client, "s", sql);
        client.send(b'S', b"");
        assert_eq!(code(&client.answers()), "none");
        alone.push(seen(client));
    }
    assert_ne!(alone[0], alone[1]);
    for _ in 0..3 {
        for (client, alone) in clients.iter_mut().zip(&alone) {
            assert_eq!(&seen(client), alone);
        }
    }
}

#[test]
fn session_mode_gives_a_clean_connection_to_the_next() {
    let pooled = Pooled::open("mode: session, size: 1");
    let mut ana = pooled.connect("ana");
    let made = "SET work_mem TO '7MB'; CREATE TEMP TABLE kept AS SELECT 1; PREPARE p AS SELECT 1";
    assert_eq!(code(&ana.simple(made)), "none");
    parse(&mut ana, "s", "SELECT 3");
    ana.send(b'S', b"");
    ana.answers();
    // One name space, as in PostgreSQL.
    assert_eq!(value(&mut ana, "EXECUTE s"), "3");
    ana.send(b'X', b"");
    assert!(ana.next_frame().is_none());
    let mut next = pooled.connect("ana");
    assert_ne!(value(&mut next, "SHOW work_mem"), "7MB");
    for gone in ["SELECT * FROM kept", "EXECUTE p", "EXECUTE s"] {
        assert_ne!(code(&next.simple(gone)), "none", "{gone}");
    }
}

#[test]
fn a_connection_that_the_database_has_closed_is_not_lent() {
    let pooled = Pooled::open("size: 2");
    let mut alice = pooled.connect("alice");
    assert_eq!(value(&mut alice, "SELECT 1"), "1");
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE application_name = '' AND datname = 'desk' AND pid <> pg_backend_pid() \
                 AND backend_type = 'client backend'";
    let mut owner = Client::connect_unix(
        pooled.desk.server().socket_folder(),
        pooled.desk.server().port(),
        "postgres",
        "desk",
    );
    assert_ne!(value(&mut owner, ended), "0");
    std::thread::sleep(Duration::from_millis(100));
    let mut body = Vec::new();
    put_string(&mut body, "SELECT 2");
    alice.send(b'Q', &body);
    let first = alice.frame();
    assert_eq!(first.kind, b'T', "{} {}", text(&first.body), pooled.scrim.said());
    assert_eq!(table(&alice.answers()[0])[0][0], "2");
}
