//! The unnamed statement, sent again and again: each Parse is judged as if it were the first of its kind, whatever has changed
//! since the one before, whoever asks for its description, and wherever it runs.

use crate::harness::client::{Answer, Client};
use crate::harness::own::{Own, bind, code, execute, parse, value};

/// Part of every true value, and of no masked one.
const CANARY: &str = "qzx";
const EMAIL: &str = "SELECT email FROM customers WHERE id = 1";

fn describe(client: &mut Client, kind: u8) {
    client.send(b'D', &[kind, 0]);
}

fn sync(client: &mut Client) -> Vec<Answer> {
    client.send(b'S', b"");
    client.answers()
}

/// One way to run a text.
type Way = fn(&mut Client, &str) -> Answer;

/// What a client may do with a text, each in the unnamed statement.
const WAYS: [(&str, Way); 7] = [
    ("as drivers do", |client, text| client.extended(text, false)),
    ("asks for the portal's rows", |client, text| {
        parse(client, "", text);
        bind(client, "", "");
        describe(client, b'P');
        execute(client, "", 0);
        last(sync(client))
    }),
    ("asks for nothing", |client, text| {
        parse(client, "", text);
        bind(client, "", "");
        execute(client, "", 0);
        last(sync(client))
    }),
    ("asks too late", |client, text| {
        parse(client, "", text);
        bind(client, "", "");
        execute(client, "", 0);
        describe(client, b'P');
        last(sync(client))
    }),
    ("in a unit of its own", |client, text| {
        parse(client, "", text);
        let parsed = sync(client);
        if parsed.is_empty() { run_bound(client) } else { last(parsed) }
    }),
    ("described in a unit of its own", |client, text| {
        parse(client, "", text);
        describe(client, b'S');
        let parsed = sync(client);
        if parsed.is_empty() { run_bound(client) } else { last(parsed) }
    }),
    ("where asking was skipped", |client, text| {
        parse(client, "", text);
        let parsed = sync(client);
        if !parsed.is_empty() {
            return last(parsed);
        }
        bind(client, "", "there is none");
        describe(client, b'P');
        execute(client, "", 0);
        let skipped = last(sync(client));
        assert_eq!(code(&skipped), "26000", "{skipped:?}");
        run_bound(client)
    }),
];

fn run_bound(client: &mut Client) -> Answer {
    bind(client, "", "");
    execute(client, "", 0);
    last(sync(client))
}

/// The last answer; a description that came by itself is none.
fn last(mut answers: Vec<Answer>) -> Answer {
    answers.pop().unwrap_or_default()
}

fn run(client: &mut Client, text: &str) {
    let answer = last(client.simple(text));
    assert_eq!(code(&answer), "", "{text}: {answer:?}");
}

/// By every way, twice: as it is made and as it is known.
fn every_way(client: &mut Client, text: &str, mut look: impl FnMut(&str, Answer)) {
    // The last one fails on purpose, which a transaction would not survive.
    let ways = if client.transaction == b'I' { WAYS.len() } else { WAYS.len() - 1 };
    for (way, run) in WAYS.iter().take(ways).chain(WAYS.iter().take(ways)) {
        look(way, run(client, text));
        let received = String::from_utf8_lossy(&client.take_received()).into_owned();
        assert!(!received.contains(CANARY), "{text}, {way}: {received}");
    }
}

fn gives(client: &mut Client, text: &str, expected: &str) {
    every_way(client, text, |way, answer| assert_eq!(value(&answer), expected, "{text}, {way}"));
}

fn refuses(client: &mut Client, text: &str, expected: &str) {
    every_way(client, text, |way, answer| {
        assert_eq!(code(&answer), expected, "{text}, {way}: {answer:?}");
    });
}

#[test]
fn rules_that_change_count_for_the_next_parse() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    gives(&mut client, EMAIL, "m***@example.com");
    let version = own.version();
    own.edit("40-roles.yaml", "contact.email: email", "contact.email: redact");
    own.wait_for_other_rules(&version);
    gives(&mut client, EMAIL, "***");
    let version = own.version();
    own.edit("40-roles.yaml", "contact.email: redact", "contact.email: hide");
    own.wait_for_other_rules(&version);
    refuses(&mut client, EMAIL, "42703");
}

/// A name that is another column by now, of which the plan knows nothing: the server says where the rows come from, each time.
#[test]
fn a_column_that_takes_another_ones_name_is_never_shown() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    let text = "SELECT tier FROM customers WHERE id = 1";
    let tier = value(&client.extended(text, false));
    gives(&mut client, text, &tier);
    let change = |sql: &str| own.desk.server().run("desk", sql).expect("DDL");
    change(
        "ALTER TABLE customers RENAME COLUMN tier TO other; ALTER TABLE customers RENAME COLUMN email TO tier;
         ALTER TABLE customers RENAME COLUMN other TO email",
    );
    // Until the catalog has been looked at, the guard stops the rows; then the rules go by the new names, by which the
    // column of addresses is open. That is what they say, so the names go back before.
    let mut stopped = 0;
    for (way, run) in &WAYS {
        let answer = run(&mut client, text);
        if own.figure("scrim_catalog_refreshes_total") > 1.0 {
            break;
        }
        assert_eq!(code(&answer), "42501", "{way}: {answer:?}");
        let received = String::from_utf8_lossy(&client.take_received()).into_owned();
        assert!(!received.contains(CANARY), "{way}: {received}");
        stopped += 1;
    }
    change(
        "ALTER TABLE customers RENAME COLUMN email TO other; ALTER TABLE customers RENAME COLUMN tier TO email;
         ALTER TABLE customers RENAME COLUMN other TO tier",
    );
    assert!(stopped > 0, "the catalog was looked at too soon");
    own.wait("the names", || code(&client.extended(text, false)).is_empty());
    gives(&mut client, text, &tier);
}

#[test]
fn what_names_mean_is_looked_up_each_time() {
    let own = Own::open("");
    let mut client = own.connect("ana");
    gives(&mut client, "SELECT count(*) FROM customers WHERE false", "0");
    run(&mut client, "SET search_path TO pg_catalog");
    refuses(&mut client, "SELECT count(*) FROM customers WHERE false", "42P01");
    run(&mut client, "RESET search_path");
    gives(&mut client, "SELECT count(*) FROM customers WHERE false", "0");
    // A table of the session's own in front of it, and gone with the transaction.
    run(&mut client, "BEGIN");
    run(&mut client, "CREATE TEMP TABLE customers AS SELECT 'mine' AS email, 1 AS id");
    gives(&mut client, EMAIL, "mine");
    run(&mut client, "ROLLBACK");
    every_way(&mut client, EMAIL, |way, answer| {
        assert!(code(&answer).is_empty() && !format!("{answer:?}").contains("mine"), "{way}");
    });
}

#[test]
fn what_is_stated_counts_each_time() {
    let own = Own::open_changed(|desk, text| {
        let file = desk.folder().join("masking-rules/40-roles.yaml");
        let rules = std::fs::read_to_string(&file).expect("rules");
        let more = "  support:\n    purposes:\n      help:\n      refund: {masks: {contact.email: redact}}\n";
        std::fs::write(&file, rules.replacen("  support:\n", more, 1)).expect("rules");
        text
    });
    let mut client = own.connect("alice");
    refuses(&mut client, EMAIL, "42501");
    run(&mut client, "SET scrim.purpose = 'help'");
    gives(&mut client, EMAIL, "m***@example.com");
    run(&mut client, "SET scrim.purpose = 'refund'");
    gives(&mut client, EMAIL, "***");
    run(&mut client, "BEGIN");
    run(&mut client, "SET LOCAL scrim.purpose = 'help'");
    gives(&mut client, EMAIL, "m***@example.com");
    run(&mut client, "ROLLBACK");
    gives(&mut client, EMAIL, "***");
    run(&mut client, "RESET scrim.purpose");
    refuses(&mut client, EMAIL, "42501");
}

#[test]
fn in_a_failed_transaction_nothing_runs_and_afterwards_it_does() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    gives(&mut client, EMAIL, "m***@example.com");
    for (way, go) in &WAYS {
        run(&mut client, "BEGIN");
        let failed = last(client.simple("SELECT 1 / 0"));
        assert_eq!(code(&failed), "22012");
        let answer = go(&mut client, EMAIL);
        assert_eq!(code(&answer), "25P02", "{way}: {answer:?}");
        run(&mut client, "ROLLBACK");
        assert_eq!(value(&go(&mut client, EMAIL)), "m***@example.com", "{way}");
    }
}

/// One server connection for several sessions: each finds there what another has left, and gets its own rows.
#[test]
fn on_a_connection_of_others_it_is_the_sessions_own() {
    let own = Own::open("pool: {size: 1}\n");
    let (mut alice, mut ana) = (own.connect("alice"), own.connect("ana"));
    let masked = "m***@example.com";
    for _ in 0..3 {
        // Parsed here, with the other one's between.
        parse(&mut alice, "", EMAIL);
        assert!(sync(&mut alice).is_empty());
        parse(&mut ana, "", "SELECT name FROM customers WHERE id = 1");
        assert!(sync(&mut ana).is_empty());
        assert_eq!(value(&run_bound(&mut alice)), masked);
        gives(&mut alice, EMAIL, masked);
        let others = run_bound(&mut ana);
        assert!(code(&others).is_empty() && !format!("{others:?}").contains('@'), "{others:?}");
        run(&mut ana, "SET TimeZone = 'Asia/Seoul'");
    }
}

/// Each execution is on record, with what it has read.
#[test]
fn each_is_on_record() {
    let own = Own::open("");
    let mut client = own.connect_as("alice", &[("application_name", "recorded")]);
    let mut runs = 0;
    every_way(&mut client, EMAIL, |_, _| runs += 1);
    let is_ours = |record: &serde_json::Value| {
        record["event"] == "statement"
            && record["application"] == "recorded"
            && record["relations"][0]["masked"]["email"] == "email"
    };
    own.wait("the records", || own.audit().iter().filter(|one| is_ours(one)).count() >= runs);
    assert_eq!(own.audit().iter().filter(|one| is_ours(one)).count(), runs);
}

/// What is met again is bound to what the server connection keeps: the same answers, and a change of its table is nobody's error.
#[test]
fn what_is_met_again_is_kept() {
    let own = Own::open("");
    let mut client = own.connect("alice");
    let text = "SELECT id, price, name FROM products WHERE id = 1";
    let mut ask = || {
        parse(&mut client, "", text);
        bind(&mut client, "", "");
        describe(&mut client, b'P');
        execute(&mut client, "", 0);
        let answer = last(sync(&mut client));
        assert_eq!(code(&answer), "", "{answer:?}");
        answer
    };
    let bound = || own.figure("scrim_texts_bound_total");
    let first = ask();
    for _ in 0..3 {
        assert_eq!(ask(), first);
    }
    assert!(bound() >= 3.0, "{}", bound());
    for change in [
        "ALTER TABLE products ALTER price TYPE text",
        "ALTER TABLE products RENAME price TO cost; ALTER TABLE products ADD price text DEFAULT 'free'",
        "ALTER TABLE products DROP price; ALTER TABLE products RENAME cost TO price",
    ] {
        own.desk.server().run("desk", change).expect("DDL");
        let changed = ask();
        assert_eq!(changed.rows[0][0], first.rows[0][0]);
        let free = changed.rows[0][1].as_deref() == Some(b"free".as_slice());
        assert_eq!(free, change.contains("DEFAULT"), "{change}: {changed:?}");
        assert_eq!(ask(), changed);
    }
}
