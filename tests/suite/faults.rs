//! What a broken or hostile peer does, and that nobody else notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness;
use crate::harness::client::Client;

fn connect() -> TcpStream {
    let stream = TcpStream::connect(harness::scrim().address).expect("TCP connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("time-out");
    stream
}

/// Sends bytes and reads to the end; a reset is an end too.
fn told(bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect();
    // The other side may have closed already.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn others_do_not_notice() {
    let answers = harness::connect("support", &[]).simple("SELECT count(*) FROM customers");
    assert_eq!(answers.len(), 1);
    assert!(answers[0].error.is_none(), "{answers:?}");
}

#[test]
fn garbage_before_the_login() {
    let cases: [&[u8]; 8] = [
        b"",
        b"\0",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0xff; 64],
        &[0, 0, 0, 8, 4, 210, 22, 47, 0, 0, 0, 8, 4, 210, 22, 47, 9],
        &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        &[0, 0, 0, 9, 0, 3, 0, 0, b'x'],
    ];
    for bytes in cases {
        let answer = told(bytes);
        assert!(!answer.windows(3).any(|window| window == b"qzx"));
    }
    others_do_not_notice();
}

/// After the login: the connection ends with FATAL 08P01.
#[test]
fn lies_about_lengths_after_the_login() {
    let cases: [&[u8]; 7] = [
        // Lengths below 4, above every limit, and negative.
        &[b'Q', 0, 0, 0, 3],
        &[b'S', 0x7f, 0xff, 0xff, 0xff],
        &[b'Q', 0xff, 0xff, 0xff, 0xff],
        // A type that does not exist.
        &[b'?', 0, 0, 0, 4],
        // A Query without its end, and a Sync that hides one.
        &[b'Q', 0, 0, 0, 6, b'S', b'E'],
        &[b'S', 0, 0, 0, 14, b'Q', 0, 0, 0, 9, b'T', b'A', b'B', b'L', 0],
        // A Bind whose counts lie.
        &[b'B', 0, 0, 0, 10, 0, 0, 0x7f, 0xff, 0, 0],
    ];
    for role in ["support"] {
        for bytes in cases {
            let mut client = harness::connect(role, &[]);
            client.send_raw(bytes);
            let mut last = None;
            while let Some(frame) = client.next_frame() {
                last = Some(frame);
            }
            let last = last.unwrap_or_else(|| panic!("{bytes:?}: nothing was said"));
            let text = String::from_utf8_lossy(&last.body);
            assert_eq!(last.kind, b'E', "{bytes:?}");
            assert!(text.contains("FATAL") && text.contains("C08P01"), "{bytes:?}: {text}");
        }
    }
    others_do_not_notice();
}

#[test]
fn a_statement_over_the_limit_is_refused_and_the_session_lives() {
    let mut client = harness::connect("support", &[]);
    for padding in [1024 * 1024, 8 * 1024 * 1024] {
        let text = format!("SELECT '{}'", "x".repeat(padding));
        for answers in [client.simple(&text), vec![client.extended(&text, false)]] {
            let error = answers[0].error.as_ref().expect("a refusal");
            assert_eq!(error.code, "54000", "{}", error.message);
        }
        assert!(client.simple("SELECT 1")[0].error.is_none());
    }
}

#[test]
fn deep_nesting_is_refused_and_the_session_lives() {
    let mut client = harness::connect("support", &[]);
    let deep = |count: usize| format!("SELECT {}1{}", "(".repeat(count), ")".repeat(count));
    let texts = [
        deep(1000),
        deep(100_000),
        format!("SELECT {}", vec!["1"; 100_000].join("+")),
        format!("SELECT {} 1", "NOT ".repeat(100_000)),
        format!("SELECT {}1", "- ".repeat(100_000)),
        format!("SELECT 1 {}", "/*".repeat(100_000)),
        "SELECT * FROM ".to_owned() + &"(SELECT * FROM ".repeat(2000),
    ];
    for text in texts {
        let answers = client.simple(&text);
        // Parentheses alone make no tree deeper: then the answer is 1.
        let error = answers[0].error.as_ref();
        let is_fine =
            error.is_none_or(|error| matches!(error.code.as_str(), "54001" | "54000" | "42601"));
        assert!(is_fine, "{error:?}");
        assert!(client.simple("SELECT 1")[0].error.is_none());
    }
}

#[test]
fn half_open_connections_are_not_noticed() {
    let mut flood: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    for stream in &mut flood {
        // The first bytes of a startup message that never ends.
        let _ = stream.write_all(&[0, 0, 0, 100, 0, 3]);
    }
    others_do_not_notice();
    drop(flood);
    others_do_not_notice();
}

#[test]
fn a_client_that_vanishes_takes_nobody_along() {
    for _ in 0..10 {
        let mut client = harness::connect("support", &[]);
        client
            .send(b'Q', b"SELECT a.name FROM customers a, customers b, customers c, customers d\0");
    }
    others_do_not_notice();
}

#[test]
fn logins_fail_as_postgresql_says_it() {
    let connect = |user: &str, password: &str, database: &str, options: &[(&str, &str)]| {
        Client::connect(harness::scrim().address, user, password, database, options)
            .err()
            .map(|error| (error.severity, error.code))
    };
    let fatal = |code: &str| Some(("FATAL".to_owned(), code.to_owned()));
    let alice = scrim::demo::sample_password("alice");
    assert_eq!(connect("alice", "wrong", "desk", &[]), fatal("28P01"));
    assert_eq!(connect("nobody", "wrong", "desk", &[]), fatal("28P01"));
    assert_eq!(connect("alice", &alice, "nowhere", &[]), fatal("3D000"));
    let cases = [
        ("scrim.role", "admin", "28000"),
        ("scrim.end_user", "kim", "28000"),
        ("client_encoding", "SJIS", "22023"),
        ("replication", "database", "0A000"),
        ("search_path", "trap, pg_catalog", "42501"),
        ("standard_conforming_strings", "off", "42501"),
        ("client_min_messages", "debug5", "42501"),
        ("session_preload_libraries", "x", "42501"),
        ("role", "dba", "42501"),
        ("options", "-c role=dba", "42501"),
        ("options", "-c standard_conforming_strings=off", "42501"),
    ];
    for (name, value, code) in cases {
        assert_eq!(
            connect("alice", &alice, "desk", &[(name, value)]),
            fatal(code),
            "{name}={value}"
        );
    }
    assert_eq!(connect("alice", &alice, "desk", &[("options", "-c scrim.role=support")]), None);
}
