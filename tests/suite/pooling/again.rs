//! What is kept prepared on server connections: how the client notices that it is, which is not at all.

use super::*;
use crate::harness::own;

/// The text that a server connection of Scrim has run last.
fn ran(pooled: &Pooled) -> String {
    let mut owner = owner(pooled);
    let last = "SELECT query FROM pg_stat_activity WHERE usename = 'scrim' AND datname = 'desk' \
                AND query LIKE '%customers%' ORDER BY state_change DESC LIMIT 1";
    value(&mut owner, last)
}

fn owner(pooled: &Pooled) -> Client {
    let server = pooled.desk.server();
    Client::connect_unix(server.socket_folder(), server.port(), "postgres", "desk")
}

#[test]
fn literals_are_parameters_from_the_third_text_on() {
    let pooled = Pooled::open("size: 1");
    let mut alice = pooled.connect("alice");
    for id in 1..=5 {
        let text = format!("SELECT id, email FROM customers WHERE id = {id}");
        assert_eq!(value(&mut alice, &text), id.to_string());
        assert_eq!(
            ran(&pooled).contains("OPERATOR(pg_catalog.=) ($1)"),
            id > 2,
            "{}",
            ran(&pooled)
        );
    }
    // Whoever asks the same: it is there.
    let mut other = pooled.connect("alice");
    assert_eq!(value(&mut other, "SELECT id, email FROM customers WHERE id = 7"), "7");
    assert!(ran(&pooled).contains("($1)"), "{}", ran(&pooled));
    // Within a transaction too; and an error in it is told once, and ends it.
    for sql in ["BEGIN", "SELECT id, email FROM customers WHERE id = 8"] {
        assert_eq!(code(&alice.simple(sql)), "none");
    }
    assert!(ran(&pooled).contains("($1)"), "{}", ran(&pooled));
    assert_eq!(code(&alice.simple("SELECT id, email FROM customers WHERE id = 'x'")), "22P02");
    assert_eq!(code(&alice.simple("SELECT id, email FROM customers WHERE id = 8")), "25P02");
    assert_eq!(code(&alice.simple("ROLLBACK")), "none");
}

#[test]
fn a_changed_table_is_no_error() {
    let pooled = Pooled::open("size: 1");
    let mut owner = owner(&pooled);
    let mut alice = pooled.connect("alice");
    let texts = [
        "SELECT id, price FROM products WHERE id = 1",
        "SELECT * FROM products ORDER BY 1 LIMIT 1",
        "SELECT in_stock, count(*) FROM products GROUP BY in_stock ORDER BY 1 LIMIT 1",
    ];
    let changes = [
        "ALTER TABLE products ALTER price TYPE numeric(12,2), ALTER in_stock TYPE text",
        "ALTER TABLE products ADD COLUMN extra int",
        "ALTER TABLE products ALTER id TYPE bigint",
    ];
    let ask = |alice: &mut Client| {
        for text in texts {
            assert_eq!(code(&alice.simple(text)), "none", "{text}");
            let answer = alice.extended(text, false);
            assert!(answer.error.is_none(), "{text}: {answer:?}");
            // All in one unit, as libpq and node-postgres send it, and with another one behind it.
            for _ in 0..2 {
                parse(alice, "", text);
                own::bind(alice, "", "");
                alice.send(b'D', b"P\0");
                own::execute(alice, "", 0);
                alice.send(b'S', b"");
            }
            for _ in 0..2 {
                let answer = alice.answers().pop().expect("an answer");
                assert!(answer.error.is_none() && !answer.rows.is_empty(), "{text}: {answer:?}");
            }
        }
    };
    for change in changes {
        for _ in 0..3 {
            ask(&mut alice);
        }
        assert_eq!(code(&owner.simple(change)), "none", "{change}");
        ask(&mut alice);
    }
}

/// PostgreSQL reads a literal when it prepares.
#[test]
fn dates_are_read_as_the_session_writes_them() {
    let pooled = Pooled::open("size: 1");
    let with = |style: &str| {
        pooled
            .try_connect("alice", &[("DateStyle", style)])
            .unwrap_or_else(|error| panic!("{error:?}"))
    };
    let mut sessions = [with("ISO, MDY"), with("ISO, DMY"), with("ISO, MDY")];
    let text = "SELECT '01/02/2026'::date::text FROM customers WHERE id = 1";
    for _ in 0..4 {
        for (session, day) in sessions.iter_mut().zip(["2026-01-02", "2026-02-01", "2026-01-02"]) {
            assert_eq!(value(session, text), day);
            assert_eq!(table(&[session.extended(text, false)][0])[0][0], day);
        }
    }
    for session in &mut sessions {
        parse(session, "day", text);
        session.send(b'S', b"");
        assert_eq!(code(&session.answers()), "none");
    }
    for _ in 0..2 {
        for (session, day) in sessions.iter_mut().zip(["2026-01-02", "2026-02-01", "2026-01-02"]) {
            assert_eq!(table(&execute(session, "day")[0])[0][0], day);
        }
    }
    // Who changes it has it read as it is now, as after any change of a prepared statement's table.
    assert_eq!(code(&sessions[0].simple("SET datestyle TO 'ISO, DMY'")), "none");
    assert_eq!(value(&mut sessions[0], text), "2026-02-01");
    assert_eq!(table(&execute(&mut sessions[2], "day")[0])[0][0], "2026-01-02");
}

/// A SELECT that sets something leaves it to nobody else, and neither what was prepared under it.
#[test]
fn what_set_config_sets_is_nobody_elses() {
    let pooled = Pooled::open("size: 1");
    let text = "SELECT '01/02/2026'::date::text";
    for user in ["alice", "ana", "otto"] {
        let mut first = pooled.connect(user);
        let mut other = pooled.connect(user);
        let set = "SELECT set_config(lower('DATESTYLE'), 'ISO, DMY', false)";
        assert_eq!(code(&first.simple(set)), "42501", "{user}: a name that is computed");
        let set = "SELECT set_config('datestyle', 'ISO, DMY', false) FROM customers LIMIT 1";
        assert_eq!(code(&first.simple(&format!("BEGIN; {set}"))), "none", "{user}");
        parse(&mut first, "day", text);
        assert_eq!(table(&execute(&mut first, "day")[0])[0][0], "2026-02-01", "{user}");
        assert_eq!(code(&first.simple("COMMIT")), "none", "{user}");
        assert_eq!(value(&mut other, text), "2026-01-02", "{user}");
        parse(&mut other, "day", text);
        assert_eq!(table(&execute(&mut other, "day")[0])[0][0], "2026-01-02", "{user}");
    }
}
