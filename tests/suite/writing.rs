//! Writes, message by message: the data of a COPY from the client in orders that well-mannered clients do not send,
//! types of parameters, rows that change meanwhile.

use std::path::Path;

use scrim::demo::{Desk, RunningScrim, sample_password};

use crate::harness;
use crate::harness::client::{Client, put_string};
use crate::harness::own::{Own, code};

/// A session of the role that writes, in a transaction that nobody commits.
fn session() -> Client {
    let mut client = harness::connect("agent", &[]);
    client.simple("BEGIN");
    client
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend((body.len() as u32 + 4).to_be_bytes());
    message.extend(body);
    message
}

fn query(text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put_string(&mut body, text);
    message(b'Q', &body)
}

/// Parse, Bind, Execute of the unnamed statement, and Sync.
fn extended(text: &str) -> Vec<u8> {
    let mut parse = vec![0];
    put_string(&mut parse, text);
    parse.extend([0, 0]);
    let bind = message(b'B', &[0; 8]);
    [message(b'P', &parse), bind, message(b'E', &[0; 5]), message(b'S', b"")].concat()
}

fn data(lines: &str) -> Vec<u8> {
    message(b'd', lines.as_bytes())
}

const COPY: &str = "COPY catalog.regions FROM STDIN";
/// CopyDone, and a Sync as libpq sends it.
fn done() -> Vec<u8> {
    [message(b'c', b""), message(b'S', b"")].concat()
}

/// The kinds of messages up to ReadyForQuery, or to the end of the connection.
fn kinds(client: &mut Client) -> String {
    let mut kinds = String::new();
    while let Some(frame) = client.next_frame() {
        if matches!(frame.kind, b'S' | b'N') {
            continue;
        }
        kinds.push(char::from(frame.kind));
        if frame.kind == b'Z' {
            break;
        }
    }
    kinds
}

fn regions(client: &mut Client) -> String {
    let answer = client.simple("SELECT count(*) FROM catalog.regions");
    let value = answer[0].rows.first().and_then(|row| row[0].clone());
    value.map(|value| String::from_utf8(value).unwrap()).unwrap_or_default()
}

#[test]
fn all_of_it_at_once() {
    let mut client = session();
    client.send_raw(&[extended(COPY), data("a\tA\nb\t"), data("B\n"), done()].concat());
    assert_eq!(kinds(&mut client), "12GCZ");
    assert_eq!(regions(&mut client), "6");
    let end = message(b'c', b"");
    client.send_raw(&[query(COPY), data("c\tC\n"), end, query("SELECT 1")].concat());
    assert_eq!(kinds(&mut client), "GCZ");
    assert_eq!(kinds(&mut client), "TDCZ");
    assert_eq!(regions(&mut client), "7");
}

#[test]
fn a_line_that_fails_and_what_comes_behind_it() {
    let mut client = session();
    client.simple("SAVEPOINT s");
    client.send_raw(&[extended(COPY), data("a\n"), data("b\tB\n")].concat());
    client.send_raw(&[data("c\tC\n"), done()].concat());
    assert_eq!(kinds(&mut client), "12GEZ");
    assert_eq!(client.simple("ROLLBACK TO s")[0].error, None);
    client.send_raw(&[query(COPY), data("a\n")].concat());
    assert_eq!(kinds(&mut client), "GEZ");
    client.send_raw(&[data("b\tB\n"), message(b'c', b"")].concat());
    assert_eq!(client.simple("ROLLBACK TO s")[0].error, None);
    assert_eq!(regions(&mut client), "4");
}

#[test]
fn data_of_what_is_refused() {
    let mut client = session();
    client.simple("SAVEPOINT s");
    let refused = "COPY customers (email) FROM STDIN";
    client.send_raw(&[extended(refused), data("a\n"), done()].concat());
    assert_eq!(kinds(&mut client), "EZ");
    // The Sync behind data that nobody wanted has its own answer.
    assert_eq!(kinds(&mut client), "Z");
    assert_eq!(client.simple("ROLLBACK TO s")[0].error, None);
    client.send_raw(&[query(refused), data("a\n"), message(b'c', b"")].concat());
    assert_eq!(kinds(&mut client), "EZ");
    assert_eq!(client.simple("ROLLBACK TO s")[0].error, None);
    assert_eq!(regions(&mut client), "4");
}

#[test]
fn a_client_that_gives_up() {
    let mut client = session();
    client.send_raw(&[extended(COPY), data("a\tA\n"), message(b'f', b"no\0")].concat());
    client.send_raw(&message(b'S', b""));
    assert_eq!(kinds(&mut client), "12GEZ");
    client.simple("ROLLBACK");
    assert_eq!(regions(&mut client), "4");
}

#[test]
fn another_message_where_data_is_due() {
    let mut client = session();
    client.send_raw(&[query(COPY), data("a\tA\n"), query("SELECT 1")].concat());
    assert_eq!(kinds(&mut client), "GE");
    assert_eq!(regions(&mut session()), "4");
}

#[test]
fn long_data_streams_through() {
    let mut client = session();
    let title = "x".repeat(3 << 20);
    let end = message(b'c', b"");
    client.send_raw(&[query(COPY), data(&format!("long\t{title}\n")), end].concat());
    assert_eq!(kinds(&mut client), "GCZ");
    let answer = client.simple("SELECT length(title) FROM catalog.regions WHERE code = 'long'");
    assert_eq!(answer[0].rows, vec![vec![Some(b"3145728".to_vec())]]);
}

#[test]
fn a_client_that_goes_away() {
    let mut client = session();
    client.send_raw(&[query(COPY), data("a\tA\n")].concat());
    assert_eq!(char::from(client.frame().kind), 'G');
    client.send_raw(&message(b'X', b""));
    drop(client);
    assert_eq!(regions(&mut session()), "4");
}

/// Parameters have the types that PostgreSQL finds for the column, in masked columns too.
#[test]
fn parameters_of_writes() {
    let mut client = session();
    let text = "UPDATE customers SET tier = $1, email = $2, balance = $3, birth_date = $4, profile = $5 WHERE id = $6";
    let mut parse = Vec::new();
    put_string(&mut parse, "p");
    put_string(&mut parse, text);
    parse.extend([0, 0]);
    client.send_raw(&message(b'P', &parse));
    client.send_raw(&[message(b'D', b"Sp\0"), message(b'S', b"")].concat());
    assert_eq!(char::from(client.frame().kind), '1');
    let types: Vec<u32> = client.frame().body[2..]
        .chunks(4)
        .map(|four| u32::from_be_bytes(four.try_into().unwrap()))
        .collect();
    // text, varchar, numeric, date, jsonb, bigint
    assert_eq!(types, [25, 1043, 1700, 1082, 3802, 20]);
    assert_eq!(kinds(&mut client), "nZ");
    let mut bind = b"\0p\0\0\0\0\x06".to_vec();
    for value in ["gold", "m***@example.com", "1290000", "1985-01-01", "{}", "1"] {
        bind.extend((value.len() as u32).to_be_bytes());
        bind.extend(value.as_bytes());
    }
    bind.extend([0, 0]);
    client.send_raw(&[message(b'B', &bind), message(b'E', &[0; 5]), message(b'S', b"")].concat());
    assert_eq!(char::from(client.frame().kind), '2');
    let complete = client.frame();
    assert_eq!((char::from(complete.kind), &complete.body[..]), ('C', &b"UPDATE 1\0"[..]));
}

/// A row that somebody else has changed meanwhile is looked at again, and written; its true values stay.
#[test]
fn a_row_that_changes_meanwhile() {
    let desk = Desk::open("127.0.0.1:0").unwrap_or_else(|error| panic!("{error}"));
    let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &desk)
        .unwrap_or_else(|error| panic!("{error}"));
    let direct = || {
        Client::connect_unix(desk.server().socket_folder(), desk.server().port(), "scrim", "desk")
    };
    let mut other = direct();
    other.simple("BEGIN; UPDATE customers SET tier = 'silver' WHERE id = 3");
    let password = sample_password("aria");
    let mut client = Client::connect(scrim.address(), "aria", &password, "desk", &[])
        .unwrap_or_else(|error| panic!("{}", error.message));
    let text = "UPDATE customers SET tier = tier || name, name = 'P*** J********' WHERE id = 3 AND name LIKE 'P%'";
    client.send_raw(&query(text));
    let mut watch = direct();
    let waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'";
    // Until it waits for the other.
    while watch.simple(waits)[0].rows.is_empty() {}
    other.simple("COMMIT");
    assert_eq!(kinds(&mut client), "CZ");
    let row = watch.simple("SELECT tier || '/' || name FROM customers WHERE id = 3")[0].rows[0][0]
        .clone();
    assert_eq!(row.unwrap(), b"silverP*** J********/Park Jiqzxhoon");
}

/// What differs in values only has one plan, and each value meets the rows, masks and errors that it meets alone.
#[test]
fn a_write_with_other_values_is_not_planned_anew() {
    let own = Own::open("");
    let mut aria = own.connect("aria");
    let mut told = |text: &dyn Fn(usize) -> String| -> Vec<String> {
        let mut all = Vec::new();
        for number in 4..=9 {
            let answer = aria.simple(&text(number)).remove(0);
            let values = answer.rows.iter().flatten().flatten();
            let values = values.map(|value| String::from_utf8_lossy(value).into_owned());
            let tag = answer.tag.clone().unwrap_or_default();
            let told = [tag, code(&answer).to_owned()].into_iter().chain(values);
            all.push(told.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "));
        }
        all
    };
    let filled = || own.figure("scrim_plans_filled_total");
    // From 8 on they are from overseas, where the role sees nobody.
    let update = |number: usize| {
        format!(
            "UPDATE customers SET tier = 't{number}' WHERE id = {number} RETURNING id, tier, email"
        )
    };
    let updated = [
        "UPDATE 1 4 t4 e***@example.kr",
        "UPDATE 1 5 t5 h***@example.org",
        "UPDATE 1 6 t6 k***@example.kr",
        "UPDATE 1 7 t7 l***@example.kr",
        "UPDATE 0",
        "UPDATE 0",
    ];
    assert_eq!(told(&update), updated);
    assert_eq!(filled(), 4.0);
    // A masked column keeps its value, and only takes what it shows.
    let masked = |number: usize| match number {
        8 => "UPDATE customers SET email = 'm***@example.com' WHERE id = 1".to_owned(),
        _ => format!("UPDATE customers SET email = 'm{number}' WHERE id = 1"),
    };
    assert_eq!(told(&masked), ["42501", "42501", "42501", "42501", "UPDATE 1", "42501"]);
    assert_eq!(filled(), 8.0);
    let insert = |number: usize| {
        format!("INSERT INTO catalog.regions VALUES ('c{}', 't{number}')", number % 5)
    };
    let one = "INSERT 0 1";
    assert_eq!(told(&insert), [one, one, one, one, one, "23505"]);
    assert_eq!(filled(), 12.0);
    let delete = |number: usize| {
        format!("DELETE FROM catalog.regions WHERE code = 'c{}' AND title <> 't4'", number - 4)
    };
    let one = "DELETE 1";
    assert_eq!(told(&delete), [one, one, one, one, "DELETE 0", "DELETE 0"]);
    assert_eq!(filled(), 16.0);
    // Nothing stays prepared of it.
    assert_eq!(own.figure("scrim_texts_bound_total"), 0.0);
}
