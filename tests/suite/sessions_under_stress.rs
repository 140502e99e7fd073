//! What sessions must still get right when clients pipeline oddly, databases go away, and peers misbehave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use scrim::demo::{Desk, RunningScrim, sample_password};
use serde_json::{Value, json};

use crate::harness;
use crate::harness::client::{Client, put_string};

/// A whole desk and a Scrim of a test's own.
struct Own {
    scrim: Option<RunningScrim>,
    desk: Desk,
}

impl Own {
    fn open(change: impl Fn(String) -> String) -> Own {
        let desk = Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
        let file = desk.configuration();
        let text = std::fs::read_to_string(&file).expect("configuration");
        std::fs::write(&file, change(text)).expect("configuration");
        let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &desk)
            .unwrap_or_else(|error| panic!("{error}"));
        Own { scrim: Some(scrim), desk }
    }

    /// What a client is told at login, or, where Scrim knows enough to let it in, at its first statement.
    fn refused_without_database(&self, user: &str) -> String {
        let mut client = match self.try_connect(user) {
            Ok(client) => client,
            Err(refused) => return refused,
        };
        client.send(b'Q', b"SELECT 1\0");
        let frame = client.next_frame().expect("last words");
        assert_eq!(frame.kind, b'E');
        assert!(client.next_frame().is_none(), "the session goes on without a database");
        let fields = frame.body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let field = |code: char| {
            fields.clone().find_map(|field| field.strip_prefix(code).map(str::to_owned))
        };
        ['S', 'C', 'M'].map(|code| field(code).unwrap_or_default()).join(" ")
    }

    fn try_connect(&self, user: &str) -> Result<Client, String> {
        let address = self.scrim.as_ref().expect("running").address();
        Client::connect(address, user, &sample_password(user), "desk", &[])
            .map_err(|error| format!("{} {} {}", error.severity, error.code, error.message))
    }

    fn connect(&self, user: &str) -> Client {
        self.try_connect(user).unwrap_or_else(|error| {
            panic!("{error}: {}", self.scrim.as_ref().map(RunningScrim::said).unwrap_or_default())
        })
    }

    /// Megabytes that Scrim holds.
    fn resident_mb(&self) -> u64 {
        let pid = std::fs::read_to_string(self.desk.folder().join("scrim.pid")).expect("pid");
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim()));
        let status = status.expect("status of a process");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kb: u64 = line.split_whitespace().nth(1).expect("kB").parse().expect("a number");
        kb / 1024
    }
}

fn parse(client: &mut Client, name: &str, statement: &str) {
    let mut body = Vec::new();
    put_string(&mut body, name);
    put_string(&mut body, statement);
    body.extend(0_i16.to_be_bytes());
    client.send(b'P', &body);
}

fn bind(client: &mut Client, portal: &str, statement: &str) {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    put_string(&mut body, statement);
    body.extend([0; 6]);
    client.send(b'B', &body);
}

fn execute(client: &mut Client, portal: &str) {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    body.extend(0_i32.to_be_bytes());
    client.send(b'E', &body);
}

fn query(client: &mut Client, text: &str) {
    let mut body = Vec::new();
    put_string(&mut body, text);
    client.send(b'Q', &body);
}

/// All statement records of a session, by its application name, once so many are there.
fn audited(application: &str, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(&harness::scrim().audit_file).unwrap_or_default();
        let records: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|record| {
                record["application"] == application && record.get("verdict").is_some()
            })
            .collect();
        if records.len() >= count || began.elapsed() > Duration::from_secs(10) {
            return records;
        }
        std::thread::yield_now();
    }
}

fn one_value(client: &mut Client, text: &str) -> String {
    let answers = client.simple(text);
    let last = answers.last().expect("an answer");
    assert!(last.error.is_none(), "{text}: {last:?}");
    let value = last.rows.first().and_then(|row| row.first()).expect("a value").clone();
    String::from_utf8(value.expect("not NULL")).expect("UTF-8")
}

/// A Parse that the server skips does not rename what a later unit executes: the audit says what runs.
#[test]
fn the_audit_is_not_fooled_by_a_statement_that_was_skipped() {
    for (application, skipped) in
        [("skipped-select", "SELECT 42"), ("skipped-set", "SET application_name = 'harmless'")]
    {
        let mut client = harness::connect("support", &[("application_name", application)]);
        parse(&mut client, "", "SELECT name FROM customers WHERE id = 1");
        client.send(b'S', b"");
        assert!(client.answers().iter().all(|answer| answer.error.is_none()));
        // At once: the first unit fails before its Parse, so the second executes what the unnamed statement
        // still is.
        bind(&mut client, "", "nothing");
        parse(&mut client, "", skipped);
        client.send(b'S', b"");
        bind(&mut client, "", "");
        execute(&mut client, "");
        client.send(b'S', b"");
        assert_eq!(client.answers()[0].error.as_ref().map(|e| e.code.as_str()), Some("26000"));
        let answers = client.answers();
        assert_eq!(answers[0].rows.len(), 1, "{answers:?}");
        let records = audited(application, 1);
        assert_eq!(records.len(), 1, "{records:?}");
        let relation = &records[0]["relations"][0]["relation"];
        assert_eq!(relation, &json!("public.customers"), "{records:?}");
    }
}

/// COMMIT of a failed transaction is a rollback, of search_path too.
#[test]
fn search_path_follows_a_commit_that_was_none() {
    let mut client = harness::connect("support", &[]);
    client.simple("BEGIN");
    client.simple("SET search_path = catalog");
    client.simple("SELECT 1/0");
    client.simple("COMMIT");
    assert_eq!(one_value(&mut client, "SHOW search_path"), "\"$user\", public");
    assert_eq!(one_value(&mut client, "SELECT count(*) > 0 FROM products"), "t");
    let answers = client.simple("SELECT count(*) FROM regions");
    assert_eq!(answers[0].error.as_ref().map(|error| error.code.as_str()), Some("42P01"));
}

/// What is planned while a SET is on its way is planned under what it sets.
#[test]
fn a_pipelined_statement_sees_the_search_path_of_the_one_before() {
    let mut client = harness::connect("support", &[]);
    query(&mut client, "SET search_path = catalog");
    query(&mut client, "SELECT count(*) FROM regions");
    query(&mut client, "SET search_path = public");
    query(&mut client, "SELECT count(*) FROM regions");
    let codes: Vec<Option<String>> = (0..4)
        .map(|_| client.answers()[0].error.as_ref().map(|error| error.code.clone()))
        .collect();
    assert_eq!(codes, [None, None, None, Some("42P01".to_owned())]);
    // In one unit, without anything that makes the server speak before its Sync.
    parse(&mut client, "set", "SET search_path = catalog");
    bind(&mut client, "", "set");
    execute(&mut client, "");
    parse(&mut client, "get", "SELECT count(*) FROM regions");
    bind(&mut client, "", "get");
    execute(&mut client, "");
    client.send(b'S', b"");
    let answers = client.answers();
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    assert_eq!(answers.len(), 2);
}

/// An error behind a SET in the same unit takes the SET back.
#[test]
fn a_set_in_a_failed_unit_was_never_made() {
    let mut client = harness::connect("support", &[]);
    parse(&mut client, "", "SET search_path = catalog");
    bind(&mut client, "", "");
    execute(&mut client, "");
    parse(&mut client, "", "SELECT 1/0");
    bind(&mut client, "", "");
    execute(&mut client, "");
    client.send(b'S', b"");
    // The next unit is on its way before the first has ended.
    parse(&mut client, "", "SELECT count(*) FROM products");
    bind(&mut client, "", "");
    execute(&mut client, "");
    client.send(b'S', b"");
    client.answers();
    let answers = client.answers();
    assert!(answers[0].error.is_none(), "{answers:?}");
    assert_eq!(one_value(&mut client, "SHOW search_path"), "\"$user\", public");
}

/// Thousands of messages in one unit, and thousands of Syncs, without reading between.
#[test]
fn a_deep_pipeline_comes_through() {
    for role in ["support", "admin"] {
        let mut client = harness::connect(role, &[]);
        parse(&mut client, "s", "SELECT 1");
        for _ in 0..5000 {
            bind(&mut client, "", "s");
            execute(&mut client, "");
        }
        client.send(b'S', b"");
        assert_eq!(client.answers().len(), 5000);
        for _ in 0..5000 {
            client.send(b'S', b"");
        }
        for _ in 0..5000 {
            assert!(client.answers().is_empty());
        }
    }
}

#[test]
fn a_running_statement_is_cancelled_by_its_key_and_by_no_other() {
    for role in ["support", "admin"] {
        let mut client = harness::connect(role, &[]);
        let sql = "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e, orders f";
        query(&mut client, &format!("{sql}, orders g, orders h, orders i, orders j"));
        let cancel = |key: &[u8]| {
            let mut stream = TcpStream::connect(harness::scrim().address).expect("connection");
            let mut packet = (key.len() as u32 + 8).to_be_bytes().to_vec();
            packet.extend(80_877_102_u32.to_be_bytes());
            packet.extend(key);
            stream.write_all(&packet).expect("a cancel request");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an end");
            assert!(answer.is_empty(), "a cancel request is never answered");
        };
        let mut wrong = client.backend_key.clone();
        *wrong.last_mut().expect("a key") ^= 1;
        cancel(&wrong);
        // Whether the server has begun by now is not known: ask until it has heard.
        let key = client.backend_key.clone();
        let asking = std::thread::spawn(move || {
            for _ in 0..50 {
                cancel(&key);
            }
        });
        let answers = client.answers();
        assert_eq!(answers[0].error.as_ref().map(|e| e.code.as_str()), Some("57014"), "{role}");
        asking.join().expect("cancel requests");
    }
}

/// A client that is gone leaves nothing running.
#[test]
fn what_a_vanished_client_was_running_is_cancelled() {
    let own = Own::open(|text| text);
    for user in ["alice", "dba"] {
        let mut client = own.connect(user);
        let list = (0..12).map(|n| format!("orders o{n}")).collect::<Vec<_>>().join(", ");
        query(&mut client, &format!("SELECT count(*) FROM {list}"));
        let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' \
                       AND usename <> current_user";
        let wait_for = |count: &str| {
            let began = Instant::now();
            while own.desk.server().run("desk", running).expect("activity").trim() != count {
                assert!(began.elapsed() < Duration::from_secs(20), "{user}: still not {count}");
            }
        };
        wait_for("1");
        drop(client);
        wait_for("0");
    }
}

#[test]
fn a_database_that_goes_and_comes_back() {
    let own = Own::open(|text| text);
    for user in ["alice", "dba"] {
        let mut client = own.connect(user);
        // In a transaction, so that the session has a connection to lose.
        client.simple("BEGIN");
        assert_eq!(one_value(&mut client, "SELECT 1"), "1");
        let mut idle = own.connect(user);
        assert_eq!(one_value(&mut idle, "SELECT 1"), "1");
        // The private server commits without waiting for its disk, and a crash would take the passwords along.
        own.desk.server().run("desk", "CHECKPOINT").expect("checkpoint");
        own.desk.server().halt().expect("halt");
        let mut last = None;
        while let Some(frame) = client.next_frame() {
            last = Some(frame);
        }
        let last = last.expect("last words");
        assert_eq!(last.kind, b'E');
        let text = String::from_utf8_lossy(&last.body).into_owned();
        assert!(text.contains("FATAL"), "{text}");
        let refused = own.refused_without_database(user);
        assert!(
            refused.starts_with("FATAL 57P03 scrim: ")
                || refused.starts_with("FATAL 08006 scrim: "),
            "{refused}"
        );
        own.desk.server().resume().expect("resume");
        assert_eq!(one_value(&mut own.connect(user), "SELECT 1"), "1");
        if user == "alice" {
            // Who had none has not noticed.
            assert_eq!(one_value(&mut idle, "SELECT 1"), "1");
        }
    }
}

#[test]
fn a_session_that_the_server_ends_hears_it_once() {
    let own = Own::open(|text| text);
    for user in ["alice", "dba"] {
        let mut client = own.connect(user);
        client.simple("BEGIN");
        one_value(&mut client, "SELECT 1");
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE usename = 'scrim' AND application_name = ''";
        own.desk.server().run("desk", sql).expect("terminate");
        let mut frames = Vec::new();
        while let Some(frame) = client.next_frame() {
            frames.push(frame);
        }
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert!(String::from_utf8_lossy(&frames[0].body).contains("C57P01"), "{frames:?}");
    }
}

#[test]
fn at_the_end_idle_sessions_hear_why() {
    let mut own = Own::open(|text| text);
    let mut clients = [own.connect("alice"), own.connect("dba")];
    drop(own.scrim.take());
    for client in &mut clients {
        let frame = client.next_frame().expect("last words");
        assert!(String::from_utf8_lossy(&frame.body).contains("C57P01"), "{frame:?}");
        assert!(client.next_frame().is_none());
    }
}

/// Relations that are newer than the snapshot are found, and masked until somebody judges them.
#[test]
fn a_new_table_is_found_and_masked() {
    let own = Own::open(|text| text);
    let mut client = own.connect("alice");
    one_value(&mut client, "SELECT count(*) FROM customers");
    let sql = "CREATE TABLE public.fresh AS SELECT 'qzx'::text AS secret; \
               GRANT SELECT ON public.fresh TO scrim";
    own.desk.server().run("desk", sql).expect("a new table");
    let began = Instant::now();
    loop {
        // Looking again is limited to once a second.
        let answers = client.simple("SELECT secret FROM fresh");
        match &answers[0].error {
            Some(error) => assert_eq!(error.code, "42P01"),
            None => {
                assert_eq!(answers[0].rows, [[Some(b"***".to_vec())]]);
                break;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(20), "never found");
    }
}

/// A prepared statement whose columns have become others since it was judged is judged again.
#[test]
fn a_prepared_statement_is_judged_again_after_ddl() {
    let own = Own::open(|text| text);
    let mut client = own.connect("alice");
    parse(&mut client, "s", "SELECT tier FROM customers WHERE id = 1");
    bind(&mut client, "", "s");
    execute(&mut client, "");
    client.send(b'S', b"");
    assert_eq!(client.answers()[0].rows.len(), 1);
    // `tier` is clear and `notes` is not; now the name is a view's, and the statement reads `notes` through it.
    let sql = "ALTER TABLE customers RENAME TO people; \
               CREATE VIEW customers AS SELECT id, notes AS tier FROM people; \
               GRANT SELECT ON customers TO scrim; CREATE TABLE fresh (i int); GRANT SELECT ON fresh TO scrim";
    own.desk.server().run("desk", sql).expect("renamed columns");
    // Scrim has seen the new catalog when it knows the new table.
    let began = Instant::now();
    while client.simple("SELECT i FROM fresh")[0].error.is_some() {
        assert!(began.elapsed() < Duration::from_secs(20), "the catalog is never looked at");
    }
    client.take_received();
    bind(&mut client, "", "s");
    execute(&mut client, "");
    client.send(b'S', b"");
    let answers = client.answers();
    let bytes = client.take_received();
    assert!(!bytes.windows(3).any(|part| part == b"qzx"), "{answers:?}");
    let error = answers.iter().find_map(|answer| answer.error.as_ref());
    assert!(
        error.is_some_and(|error| error.message.contains("could not be shown to be masked")),
        "{answers:?}"
    );
}

/// The path that a login starts with is the database's business, and Scrim goes by it.
#[test]
fn the_search_path_of_the_login_is_known() {
    let own = Own::open(|text| text);
    own.desk
        .server()
        .run("desk", "ALTER ROLE scrim SET search_path = catalog, public")
        .expect("a default");
    let mut client = own.connect("alice");
    assert_eq!(one_value(&mut client, "SELECT count(*) > 0 FROM regions"), "t");
    assert_eq!(one_value(&mut client, "RESET search_path; SELECT count(*) > 0 FROM regions"), "t");
}

#[test]
fn tls_is_required_where_it_is() {
    let own = Own::open(|text| text.replace("mode: allow", "mode: require"));
    let refused = own.try_connect("alice").map(drop).expect_err("no TLS");
    assert!(refused.starts_with("FATAL 28000 scrim: "), "{refused}");
    // Bytes behind the request are nobody's.
    let address = own.scrim.as_ref().expect("running").address();
    let mut stream = TcpStream::connect(address).expect("connection");
    let ssl_request = [0, 0, 0, 8, 4, 210, 22, 47];
    stream.write_all(&[&ssl_request[..], b"early"].concat()).expect("bytes");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_ne!(answer.first(), Some(&b'S'), "{answer:?}");
    let done = std::process::Command::new(own.desk.server().clients().join("psql"))
        .args(["-X", "-A", "-t", "-c", "SHOW scrim.role"])
        .env("PGHOST", "localhost")
        .env("PGHOSTADDR", "127.0.0.1")
        .env("PGPORT", address.port().to_string())
        .env("PGUSER", "alice")
        .env("PGDATABASE", "desk")
        .env("PGPASSWORD", sample_password("alice"))
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", own.desk.authority())
        .output()
        .expect("psql");
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "support", "{done:?}");
}

/// Sockets that never log in cost little, and shut nobody out.
#[test]
fn a_flood_of_half_open_sockets_shuts_nobody_out() {
    let own = Own::open(|text| text);
    let address = own.scrim.as_ref().expect("running").address();
    let mut inside = own.connect("alice");
    one_value(&mut inside, "SELECT count(*) FROM customers");
    let before = own.resident_mb();
    let mut flood = Vec::new();
    for number in 0..600 {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        // Nearly the longest packet there may be, and never its end; or a message of a gigabyte.
        let mut packet = 9999_u32.to_be_bytes().to_vec();
        packet.extend([0, 3, 0, 0]);
        packet.extend(vec![b'x'; 9000]);
        if number % 2 == 0 {
            packet = vec![0x3f, 0xff, 0xff, 0xff, 0, 3, 0, 0];
        }
        let _ = stream.write_all(&packet);
        flood.push(stream);
        if number % 100 == 99 {
            assert_eq!(one_value(&mut own.connect("alice"), "SELECT 1"), "1");
        }
    }
    assert_eq!(one_value(&mut inside, "SELECT 1"), "1");
    let grown = own.resident_mb().saturating_sub(before);
    assert!(grown < 40, "{grown} MB for sockets that never logged in");
}

/// A client that does not read does not fill Scrim's memory, and gets all its rows when it does.
#[test]
fn a_client_that_does_not_read_costs_little() {
    let own = Own::open(|text| text);
    for user in ["alice", "dba"] {
        let mut client = own.connect(user);
        let before = own.resident_mb();
        query(&mut client, "SELECT repeat('x', 1000) FROM generate_series(1, 100000)");
        // The socket's buffers are full long before: then nothing moves any more.
        let mut other = own.connect(user);
        for _ in 0..200 {
            one_value(&mut other, "SELECT count(*) FROM customers");
        }
        let grown = own.resident_mb().saturating_sub(before);
        assert!(grown < 24, "{user}: {grown} MB");
        let answers = client.answers();
        assert_eq!(answers[0].rows.len(), 100_000, "{:?}", answers[0].error);
    }
}

/// Large values both ways: a Bind of megabytes streams through, and so does a row.
#[test]
fn values_of_megabytes_stream_through() {
    for role in ["support", "admin"] {
        let mut client = harness::connect(role, &[]);
        parse(&mut client, "s", "SELECT $1::text");
        let value = vec![b'v'; 5_000_000];
        let mut body = Vec::new();
        put_string(&mut body, "");
        put_string(&mut body, "s");
        body.extend([0, 0, 0, 1]);
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(&value);
        body.extend([0, 0]);
        client.send(b'B', &body);
        execute(&mut client, "");
        client.send(b'S', b"");
        let answers = client.answers();
        assert_eq!(answers[0].rows, [[Some(value)]], "{role}");
    }
}
