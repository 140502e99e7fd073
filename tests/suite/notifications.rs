//! LISTEN and NOTIFY through Scrim, by sessions that share server connections: who hears what, and what is left behind.

use std::process::Command;
use std::time::Duration;

use scrim::demo::sample_password;

use crate::harness::client::{Client, Frame};
use crate::harness::own::{Own, bind, code, execute, parse, value};

/// What programs do that know nothing of masks: one channel gets a number, the other true values.
const TRIGGERS: &str = "
CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'orders' THEN PERFORM pg_notify('orders_changed', NEW.id::text);
  ELSE PERFORM pg_notify('customers_changed', to_json(NEW)::text); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tell AFTER UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION public.tell();
CREATE TRIGGER tell AFTER UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION public.tell();
CREATE FUNCTION public.eavesdrop() RETURNS void LANGUAGE plpgsql AS $$
BEGIN EXECUTE 'LISTEN customers_changed'; END $$;
GRANT EXECUTE ON FUNCTION public.eavesdrop() TO scrim;
";

const TOUCH_CUSTOMERS: &str = "UPDATE customers SET tier = tier WHERE id = 1";
const TOUCH_ORDER: &str = "UPDATE orders SET status = status WHERE id = 1";

fn open(more: &str) -> Own {
    Own::open_changed(|desk, text| {
        desk.server().run("desk", TRIGGERS).expect("triggers");
        let file = desk.folder().join("masking-rules/40-roles.yaml");
        let rules = std::fs::read_to_string(&file).expect("rules");
        let listens = "    listen: [orders_changed]";
        assert!(rules.contains(listens));
        let functions = format!("    functions: [public.eavesdrop]\n{listens}");
        std::fs::write(&file, rules.replacen(listens, &functions, 1)).expect("rules");
        text + more
    })
}

fn directly(own: &Own, sql: &str) {
    own.desk.server().run("desk", sql).unwrap_or_else(|error| panic!("{error}"));
}

fn well(client: &mut Client, sql: &str) {
    let answers = client.simple(sql);
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{sql}: {answers:?}");
}

/// Process id, channel, payload.
fn notification(frame: &Frame) -> (i32, String, String) {
    assert_eq!(frame.kind, b'A', "{frame:?}");
    let (process_id, rest) = frame.body.split_first_chunk::<4>().expect("a process id");
    let mut texts = rest.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into());
    let mut next = || texts.next().expect("a text");
    (i32::from_be_bytes(*process_id), next(), next())
}

fn heard(client: &mut Client) -> (i32, String, String) {
    notification(&client.frame())
}

fn from_somebody(payload: &str) -> (i32, String, String) {
    (0, "orders_changed".into(), payload.into())
}

/// Types of the messages up to ReadyForQuery, and the notifications among them.
fn until_ready(client: &mut Client) -> (String, Vec<(i32, String, String)>) {
    let (mut kinds, mut notifications) = (String::new(), Vec::new());
    loop {
        let frame = client.frame();
        kinds.push(char::from(frame.kind));
        match frame.kind {
            b'A' => notifications.push(notification(&frame)),
            b'Z' => return (kinds, notifications),
            _ => {}
        }
    }
}

fn query(client: &mut Client, sql: &str) {
    client.send(b'Q', &[sql.as_bytes(), b"\0"].concat());
}

/// Server connections that masked sessions have in hand.
fn in_use(own: &Own) -> String {
    let answers = own.connect("dba").simple("SHOW scrim.pools");
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap_or_default());
    let rows = answers[0].rows.iter();
    let mut rows = rows.map(|row| row.iter().map(|it| text(it).expect("text")).collect::<Vec<_>>());
    rows.find(|row| row[2] == "masked").expect("a pool")[4].clone()
}

#[test]
fn an_idle_session_hears_at_once_what_it_may_and_nothing_else() {
    for mode in ["transaction", "session"] {
        let own = open(&format!("pool: {{mode: {mode}}}\n"));
        let (mut rita, mut other) = (own.connect("rita"), own.connect("rita"));
        let id = i32::from_be_bytes(rita.backend_key[..4].try_into().expect("a process id"));
        well(&mut rita, "LISTEN orders_changed");
        // True values, on a channel that it has not asked for and could not.
        assert_eq!(code(&rita.simple("LISTEN customers_changed")[0]), "42501");
        directly(&own, TOUCH_CUSTOMERS);
        directly(&own, TOUCH_ORDER);
        assert_eq!(heard(&mut rita), from_somebody("1"));
        // By another session, and by itself: by SQL, by a function with a mask for a payload, in the extended protocol.
        well(&mut other, "NOTIFY orders_changed, 'hello'");
        assert_eq!(heard(&mut rita), from_somebody("hello"));
        query(&mut rita, "NOTIFY orders_changed, 'me'");
        let me = |payload: &str| (id, "orders_changed".to_owned(), payload.to_owned());
        assert_eq!(until_ready(&mut rita), ("CAZ".into(), vec![me("me")]));
        query(&mut rita, "SELECT pg_notify('orders_changed', email) FROM customers WHERE id = 1");
        assert_eq!(until_ready(&mut rita), ("TDCAZ".into(), vec![me("m***@example.com")]));
        parse(&mut rita, "n", "NOTIFY orders_changed, 'prepared'");
        bind(&mut rita, "", "n");
        execute(&mut rita, "", 0);
        rita.send(b'S', b"");
        assert_eq!(until_ready(&mut rita), ("12CAZ".into(), vec![me("prepared")]));
        // Within a transaction nothing is said; then all of it, in order.
        well(&mut rita, "BEGIN");
        well(&mut other, "NOTIFY orders_changed, 'a'");
        query(&mut rita, "SELECT 1");
        assert_eq!(until_ready(&mut rita), ("TDCZ".into(), Vec::new()));
        query(&mut rita, "NOTIFY orders_changed, 'b'; COMMIT");
        assert_eq!(until_ready(&mut rita), ("CCAAZ".into(), vec![from_somebody("a"), me("b")]));
        // As large as they come, and one of the session's own making is no way to hear others.
        directly(&own, "SELECT pg_notify('orders_changed', repeat('x', 7999))");
        assert_eq!(heard(&mut rita).2.len(), 7999);
        assert!(crate::canary::find(&rita.take_received()).is_empty(), "{mode}");
        // Who does not listen, or no longer does, hears nothing.
        well(&mut rita, "UNLISTEN orders_changed");
        directly(&own, TOUCH_ORDER);
        for client in [&mut rita, &mut other] {
            query(client, "SELECT 1");
            assert_eq!(until_ready(client).0, "TDCZ", "{mode}");
        }
    }
}

/// A function of the user makes the server listen: neither the session nor the next one on its connection hears anything.
#[test]
fn what_user_code_listens_to_reaches_nobody() {
    for mode in ["transaction", "session"] {
        let own = open(&format!("pool: {{mode: {mode}, size: 1}}\n"));
        let mut rita = own.connect("rita");
        for sql in ["SELECT eavesdrop()", "LISTEN orders_changed; SELECT eavesdrop()"] {
            well(&mut rita, sql);
            directly(&own, TOUCH_CUSTOMERS);
            query(&mut rita, "SELECT 1");
            assert_eq!(until_ready(&mut rita).0, "TDCZ", "{mode}");
        }
        directly(&own, TOUCH_ORDER);
        assert_eq!(heard(&mut rita), from_somebody("1"));
        assert!(crate::canary::find(&rita.take_received()).is_empty(), "{mode}");
        drop(rita);
        let mut next = own.connect("rita");
        let listening = "SELECT count(*) FROM pg_listening_channels()";
        assert_eq!(value(&next.simple(listening)[0]), "0", "{mode}");
        directly(&own, TOUCH_CUSTOMERS);
        directly(&own, TOUCH_ORDER);
        query(&mut next, "SELECT 1");
        assert_eq!(until_ready(&mut next).0, "TDCZ", "{mode}");
    }
}

#[test]
fn a_session_that_listens_keeps_its_connection_and_leaves_it_deaf() {
    let own = open("pool: {size: 2}\n");
    let mut other = own.connect("rita");
    let free = || own.wait("all connections are back", || in_use(&own) == "0");
    let mut rita = own.connect("rita");
    for (begins, ends) in [
        ("LISTEN orders_changed", "UNLISTEN *"),
        ("LISTEN orders_changed", "UNLISTEN orders_changed"),
        ("LISTEN orders_changed", "DISCARD ALL"),
        ("BEGIN; LISTEN orders_changed; COMMIT", "BEGIN; UNLISTEN *; COMMIT"),
        ("BEGIN; LISTEN orders_changed", "ROLLBACK"),
        ("BEGIN; SAVEPOINT s; LISTEN orders_changed", "ROLLBACK TO s; COMMIT"),
    ] {
        well(&mut rita, begins);
        well(&mut other, "SELECT 1");
        assert_eq!(in_use(&own), "1", "{begins}");
        well(&mut rita, ends);
        free();
    }
    // What is taken back is heard on.
    well(&mut rita, "LISTEN orders_changed");
    well(&mut rita, "BEGIN; UNLISTEN *; ROLLBACK");
    well(&mut rita, "RESET ALL");
    directly(&own, TOUCH_ORDER);
    assert_eq!(heard(&mut rita), from_somebody("1"));
    let channels = "SELECT pg_listening_channels()";
    assert_eq!(value(&rita.simple(channels)[0]), "orders_changed");
    assert!(other.simple(channels)[0].rows.is_empty());
    // A LISTEN that fails with its transaction, and one whose client vanishes.
    let failed = other.simple("LISTEN orders_changed; SELECT 1/0");
    assert_eq!(code(&failed[1]), "22012");
    own.wait("only one is kept", || in_use(&own) == "1");
    drop(rita);
    free();
    let mut all = [own.connect("rita"), own.connect("alice")];
    for client in &mut all {
        well(client, "BEGIN");
        assert_eq!(value(&client.simple("SELECT count(*) FROM pg_listening_channels()")[0]), "0");
    }
}

/// Newer rules take a channel away: what is sent there is not passed on, though the server still says it.
#[test]
fn a_channel_that_is_taken_away_is_silent() {
    let own = open("");
    let mut rita = own.connect("rita");
    well(&mut rita, "LISTEN orders_changed");
    parse(&mut rita, "l", "LISTEN orders_changed");
    rita.send(b'S', b"");
    assert_eq!(until_ready(&mut rita).0, "1Z");
    let before = own.version();
    own.edit("40-roles.yaml", "    listen: [orders_changed]", "    listen: [others]");
    own.wait_for_other_rules(&before);
    directly(&own, TOUCH_ORDER);
    query(&mut rita, "SELECT 1");
    assert_eq!(until_ready(&mut rita).0, "TDCZ");
    bind(&mut rita, "", "l");
    execute(&mut rita, "", 0);
    rita.send(b'S', b"");
    assert_eq!(code(&rita.answers()[0]), "42501");
    well(&mut rita, "LISTEN others");
    directly(&own, "NOTIFY others, 'now'");
    assert_eq!(heard(&mut rita).2, "now");
}

#[test]
fn nothing_is_said_within_an_answer_and_nothing_is_lost() {
    const SENT: usize = 400;
    let own = open("");
    let mut rita = own.connect("rita");
    well(&mut rita, "LISTEN orders_changed");
    let mut sender = own.connect("rita");
    let sending = std::thread::spawn(move || {
        for number in 0..SENT {
            well(&mut sender, &format!("NOTIFY orders_changed, '{number}'"));
        }
    });
    let mut payloads = Vec::new();
    while payloads.len() < SENT {
        query(&mut rita, "SELECT repeat('x', 100) FROM generate_series(1, 300)");
        // What came while it was idle; the answer; what came meanwhile.
        let (kinds, notifications) = until_ready(&mut rita);
        let answer = format!("T{}C", "D".repeat(300));
        assert!(kinds.contains(&answer), "{kinds}");
        payloads.extend(notifications.into_iter().map(|(_, _, payload)| payload));
    }
    sending.join().expect("all sent");
    let expected: Vec<String> = (0..SENT).map(|number| number.to_string()).collect();
    assert_eq!(payloads, expected);
    rita.expect_silence(Duration::from_millis(100));
}

#[test]
fn psql_shows_its_own_notification() {
    let own = open("");
    let done = Command::new(own.desk.server().clients().join("psql"))
        .args(["-X", "-c", "LISTEN orders_changed", "-c", "NOTIFY orders_changed, 'hello'"])
        .args(["-c", "LISTEN customers_changed"])
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", own.address().port().to_string())
        .env("PGUSER", "rita")
        .env("PGDATABASE", "desk")
        .env("PGPASSWORD", sample_password("rita"))
        .output()
        .expect("psql");
    let (said, wrong) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("notification \"orders_changed\" with payload \"hello\""), "{said}");
    assert!(wrong.contains("LISTEN of channel `customers_changed`"), "{wrong}");
}
