//! Who stands still: a server, a client, the network between. What has a time ends in time, and holds nothing after that.

use std::time::{Duration, Instant};

use super::*;
use crate::harness::client::put_string;
use crate::harness::own::{bind, parse};

/// Rules in which support has a second for a statement.
fn in_a_hurry(more: &str) -> Own {
    Own::open_changed(|desk, text| {
        prepare(desk);
        let file = desk.folder().join("masking-rules/40-roles.yaml");
        let rules = std::fs::read_to_string(&file).expect("rules");
        let may = "    may: [read]\n";
        let limited = format!("{may}    limits: {{statement_seconds: 1}}\n");
        std::fs::write(&file, rules.replacen(may, &limited, 1)).expect("rules");
        text + more
    })
}

/// The limit is the server's to keep; one that does not answer any more keeps none.
#[test]
fn a_statement_ends_in_time_though_the_server_stands_still() {
    let own = in_a_hurry("pool: {size: 3}\n");
    let (mut simple, mut extended) = (own.connect("alice"), own.connect("alice"));
    let mut prepared = own.connect("alice");
    for client in [&mut simple, &mut extended] {
        well(client, "BEGIN");
    }
    // Two statements have two seconds.
    let began = Instant::now();
    well(&mut prepared, "SELECT 1");
    let all = processes(&own);
    signal("STOP", &all);
    query(&mut simple, "SELECT email FROM customers WHERE id = 1; SELECT 1");
    parse(&mut extended, "", "SELECT 1");
    bind(&mut extended, "", "");
    extended.send(b'S', b"");
    let words: Vec<Frame> = [&mut simple, &mut extended].map(|client| client.frame()).into();
    signal("CONT", &all);
    for last in words {
        assert!(is_last_word(&last) && says(&last, "C08006") && says(&last, "has not"), "{last:?}");
    }
    assert!(began.elapsed() > Duration::from_secs(2));
    all_is_as_it_was(&own);
    // Who is only slow to say Sync is not ended: the server keeps what it has to say up to then, a time that is up too.
    parse(&mut prepared, "", "SELECT 1");
    prepared.expect_silence(Duration::from_secs(14));
    prepared.send(b'S', b"");
    assert!(prepared.answers().iter().all(|answer| code(answer) == "57014"));
    well(&mut prepared, "SELECT 1");
}

/// Its rows fill every buffer, and the server waits: not for ever, and nobody else with it.
#[test]
fn a_client_that_does_not_read_has_its_time_too() {
    let own = in_a_hurry("pool: {size: 1}\n");
    let mut stalled = own.connect("alice");
    query(&mut stalled, "SELECT repeat('x', 1000) FROM generate_series(1, 100000)");
    assert_eq!(stalled.frame().kind, b'T');
    // With the only connection there is.
    let mut other = own.connect("alice");
    assert_eq!(value(&other.simple("SELECT email FROM customers WHERE id = 1")[0]), EMAIL);
    all_is_as_it_was(&own);
}

#[test]
fn half_a_message_holds_no_connection() {
    let own = open("pool: {size: 1}\n");
    let mut other = own.connect("alice");
    // Half a Query; half a Parse; and all but the last byte of a Sync.
    let halves: [&[u8]; 3] = [b"Q\0\0\0\x40SELECT 1", b"P\0\0\0\x40s\0SELECT", b"S\0\0\0"];
    let mut stalled: Vec<Client> = halves
        .iter()
        .map(|half| {
            let mut client = own.connect("alice");
            well(&mut client, "SELECT 1");
            client.send_raw(half);
            client
        })
        .collect();
    assert_eq!(value(&other.simple("SELECT email FROM customers WHERE id = 1")[0]), EMAIL);
    // The last one finishes what it has begun to say.
    let sync = stalled.last_mut().expect("a client");
    sync.send_raw(b"\x04");
    assert_eq!(sync.frame().kind, b'Z');
    drop(stalled);
    all_is_as_it_was(&own);
}

/// A value of a megabyte that never comes whole, whatever its length says: what has been passed on ends with it.
#[test]
fn who_vanishes_in_the_middle_of_a_value_leaves_nothing_of_it() {
    let own = open("pool: {size: 1}\n");
    for round in 0..3 {
        let mut aria = own.connect("aria");
        parse(&mut aria, "", "INSERT INTO marks VALUES ($1)");
        let mut body = Vec::new();
        put_string(&mut body, "");
        put_string(&mut body, "");
        body.extend([0, 0, 0, 1]);
        body.extend(1_000_000_u32.to_be_bytes());
        let mut message = vec![b'B'];
        message.extend((body.len() as u32 + 4 + 1_000_000 + 2).to_be_bytes());
        message.extend(body);
        message.extend(vec![b'v'; [0, 10_000, 900_000][round]]);
        aria.send_raw(&message);
        drop(aria);
        all_is_as_it_was(&own);
        // The same of COPY: its line has begun.
        let mut aria = own.connect("aria");
        query(&mut aria, "COPY marks FROM STDIN");
        assert_eq!(aria.frame().kind, b'G');
        aria.send(b'd', b"whole\n");
        aria.send_raw(b"d\0\x0f\xff\xffhalf\n");
        drop(aria);
        all_is_as_it_was(&own);
    }
    assert_eq!(marks(&own), BTreeSet::new());
}

/// A byte a second is too slow to log in, and nobody waits for it.
#[test]
fn a_login_of_a_byte_a_second_ends() {
    let own = open("");
    let slow = Cable::to(own.address());
    slow.set(Way::Up, Flow::Trickle(Duration::from_secs(1)));
    let login = std::thread::spawn(move || {
        catch_unwind(AssertUnwindSafe(|| {
            Client::connect(slow.address(), "alice", &sample_password("alice"), "desk", &[]).is_ok()
        }))
        .unwrap_or(false)
    });
    let mut others = 0;
    while !login.is_finished() {
        assert_eq!(value(&own.connect("alice").simple("SELECT 1")[0]), "1");
        others += 1;
    }
    assert!(!login.join().expect("no panic") && others > 0);
    all_is_as_it_was(&own);
}

/// Who is gone without a word is noticed by asking: the system asks on all sockets, on either side.
#[test]
fn the_network_is_asked_for_who_says_nothing() {
    let own = open("");
    let mut alice = own.connect("alice");
    well(&mut alice, "BEGIN");
    let scrim = own.address().port();
    let database = own.desk.server().port();
    let port = |text: &str| text.rsplit(':').next().and_then(|it| u16::from_str_radix(it, 16).ok());
    // Local and remote address, state, queues, timer; 02: it waits for the time to ask. proc(5), `/proc/net/tcp`
    let asked = |is_ours: &dyn Fn(u16, u16) -> bool| {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("sockets");
        let lines: Vec<Vec<&str>> =
            table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        let ours = lines.iter().filter(|line| {
            line[3] == "01" && port(line[1]).zip(port(line[2])).is_some_and(|(a, b)| is_ours(a, b))
        });
        let timers: Vec<&str> = ours.map(|line| line[5]).collect();
        !timers.is_empty() && timers.iter().all(|timer| timer.starts_with("02:"))
    };
    own.wait("questions to clients", || asked(&|local, _| local == scrim));
    own.wait("questions to the database", || asked(&|_, remote| remote == database));
}
