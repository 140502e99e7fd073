//! The protocol, message by message, against PostgreSQL's own behaviour: pipelines, portals, refusals in every
//! place. Each page of messages is played to PostgreSQL, to an untouched role and to a masked role; the kinds of
//! answers must be the same.

use crate::harness;
use crate::harness::client::{Client, put_string};

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

fn execute(client: &mut Client, portal: &str, rows: i32) {
    let mut body = Vec::new();
    put_string(&mut body, portal);
    body.extend(rows.to_be_bytes());
    client.send(b'E', &body);
}

fn simple(client: &mut Client, text: &str) {
    let mut body = Vec::new();
    put_string(&mut body, text);
    client.send(b'Q', &body);
}

fn sync(client: &mut Client) {
    client.send(b'S', b"");
}

/// The kinds of messages up to as many ReadyForQuery, with its state; the SQLSTATE of errors.
fn kinds(client: &mut Client, ready: usize) -> String {
    let mut kinds = String::new();
    let mut seen = 0;
    while seen < ready {
        let frame = client.frame();
        match frame.kind {
            b'Z' => {
                seen += 1;
                kinds.push('Z');
                kinds.push(char::from(frame.body[0]));
            }
            b'E' => {
                let fields: Vec<&[u8]> = frame.body.split(|byte| *byte == 0).collect();
                let code = fields.iter().find(|field| field.first() == Some(&b'C'));
                kinds.push('E');
                kinds.push_str(&String::from_utf8_lossy(&code.expect("a code")[1..]));
            }
            b'S' | b'N' => {}
            kind => kinds.push(char::from(kind)),
        }
    }
    kinds
}

/// Plays the same to PostgreSQL, an untouched role and a masked role.
fn everywhere(play: impl Fn(&mut Client) -> String) {
    let direct = play(&mut harness::connect_direct("scrim"));
    assert_eq!(play(&mut harness::connect("admin", &[])), direct, "untouched role");
    assert_eq!(play(&mut harness::connect("support", &[])), direct, "masked role");
}

#[test]
fn a_unit_and_two_in_flight() {
    everywhere(|client| {
        for _ in 0..2 {
            parse(client, "", "SELECT id FROM customers ORDER BY id LIMIT 2");
            bind(client, "", "");
            execute(client, "", 0);
            sync(client);
        }
        kinds(client, 2)
    });
}

#[test]
fn errors_in_every_place_of_a_pipeline() {
    for place in 0..4 {
        everywhere(|client| {
            let bad = |here: usize| if here == place { "SELECT 1/0" } else { "SELECT 1" };
            for here in 0..4 {
                parse(client, "", bad(here));
                bind(client, "", "");
                execute(client, "", 0);
            }
            sync(client);
            parse(client, "", "SELECT 2");
            bind(client, "", "");
            execute(client, "", 0);
            sync(client);
            kinds(client, 2)
        });
    }
}

#[test]
fn portals_are_suspended_and_go_on() {
    everywhere(|client| {
        simple(client, "BEGIN");
        let begun = kinds(client, 1);
        parse(client, "s", "SELECT id FROM customers ORDER BY id LIMIT 5");
        bind(client, "p", "s");
        execute(client, "p", 2);
        client.send(b'H', b"");
        execute(client, "p", 2);
        sync(client);
        execute(client, "p", 0);
        sync(client);
        client.send(b'C', b"Pp\0");
        client.send(b'C', b"Ss\0");
        sync(client);
        simple(client, "COMMIT");
        begun + &kinds(client, 4)
    });
}

#[test]
fn names_that_do_not_exist_and_names_that_do() {
    everywhere(|client| {
        bind(client, "", "nothing");
        sync(client);
        execute(client, "nothing", 0);
        sync(client);
        client.send(b'D', b"Snothing\0");
        sync(client);
        parse(client, "twice", "SELECT 1");
        parse(client, "twice", "SELECT 2");
        sync(client);
        bind(client, "", "twice");
        execute(client, "", 0);
        sync(client);
        client.send(b'C', b"Snothing\0");
        sync(client);
        kinds(client, 6)
    });
}

#[test]
fn empty_and_several_statements() {
    everywhere(|client| {
        simple(client, "");
        simple(client, ";");
        simple(client, "SELECT 1; SELECT 2");
        simple(client, "BEGIN; SELECT 1; SELECT 1/0; SELECT 2");
        simple(client, "SELECT 3");
        simple(client, "ROLLBACK");
        parse(client, "", "");
        bind(client, "", "");
        execute(client, "", 0);
        sync(client);
        parse(client, "", "SELECT 1; SELECT 2");
        sync(client);
        kinds(client, 8)
    });
}

#[test]
fn a_simple_query_between_the_messages_of_a_unit() {
    everywhere(|client| {
        parse(client, "s", "SELECT 1");
        simple(client, "SELECT 2");
        bind(client, "", "s");
        execute(client, "", 0);
        sync(client);
        kinds(client, 2)
    });
}

#[test]
fn a_refusal_looks_like_an_error_of_the_server() {
    let mut client = harness::connect("support", &[]);
    // Alone, in a transaction, in a failed one, and in a unit.
    simple(&mut client, "LOCK customers IN EXCLUSIVE MODE");
    assert_eq!(kinds(&mut client, 1), "E42501ZI");
    simple(&mut client, "BEGIN");
    simple(&mut client, "SELECT pg_read_file('/etc/passwd')");
    simple(&mut client, "SELECT 1");
    simple(&mut client, "ROLLBACK");
    assert_eq!(kinds(&mut client, 4), "CZTE42501ZEE25P02ZECZI");
    parse(&mut client, "", "SELECT 1");
    bind(&mut client, "", "");
    execute(&mut client, "", 0);
    parse(&mut client, "bad", "SELECT pg_read_file('/etc/passwd')");
    bind(&mut client, "", "bad");
    execute(&mut client, "", 0);
    sync(&mut client);
    bind(&mut client, "", "bad");
    sync(&mut client);
    assert_eq!(kinds(&mut client, 2), "12DCE42501ZIE26000ZI");
    assert_eq!(client.simple("SELECT 1").len(), 1);
}

/// SQL and the protocol share the names of prepared statements and cursors.
#[test]
fn names_that_sql_made_in_messages_of_the_protocol() {
    everywhere(|client| {
        simple(
            client,
            "PREPARE s (bigint) AS SELECT name FROM customers WHERE id = $1 OR $1 IS NULL LIMIT 2",
        );
        // Bound without a parameter, and then with one.
        bind(client, "", "s");
        sync(client);
        parse(client, "by_name", "EXECUTE s(1)");
        bind(client, "", "by_name");
        execute(client, "", 0);
        sync(client);
        parse(client, "drop", "DEALLOCATE s");
        bind(client, "", "drop");
        execute(client, "", 0);
        bind(client, "", "s");
        sync(client);
        simple(client, "EXECUTE s(1)");
        // Made and executed in one unit.
        parse(client, "make", "PREPARE s AS SELECT 1");
        bind(client, "", "make");
        execute(client, "", 0);
        bind(client, "", "s");
        execute(client, "", 0);
        sync(client);
        kinds(client, 6)
    });
}

#[test]
fn a_cursor_that_moves_between_messages() {
    everywhere(|client| {
        simple(client, "BEGIN; DECLARE c CURSOR FOR SELECT id, name FROM customers ORDER BY id");
        parse(client, "next", "FETCH 2 FROM c");
        for _ in 0..2 {
            bind(client, "", "next");
            execute(client, "", 0);
        }
        sync(client);
        // Another cursor of that name, with other columns, before the same FETCH.
        simple(client, "CLOSE c; DECLARE c CURSOR FOR SELECT 1, 2, 3");
        bind(client, "", "next");
        execute(client, "", 0);
        sync(client);
        simple(client, "ROLLBACK");
        kinds(client, 5)
    });
}

#[test]
fn a_copy_between_other_messages() {
    everywhere(|client| {
        simple(
            client,
            "SELECT 1; COPY (SELECT id, name FROM customers ORDER BY id LIMIT 3) TO STDOUT; SELECT 2",
        );
        parse(
            client,
            "out",
            "COPY (SELECT id, name FROM customers ORDER BY id LIMIT 2) TO STDOUT (FORMAT binary)",
        );
        for _ in 0..2 {
            bind(client, "", "out");
            execute(client, "", 0);
        }
        sync(client);
        // It fails before the first row, and in the middle.
        simple(client, "COPY (SELECT nothing FROM customers) TO STDOUT");
        parse(
            client,
            "",
            "COPY (SELECT 1 / (id - 3) FROM (VALUES (1), (2), (3)) AS v (id)) TO STDOUT",
        );
        bind(client, "", "");
        execute(client, "", 0);
        sync(client);
        simple(
            client,
            "SELECT 1; COPY (SELECT 1 / (id - 3) FROM (VALUES (1), (2), (3)) AS v (id)) TO STDOUT; SELECT 2",
        );
        kinds(client, 5)
    });
}

/// pg_dump and others say SET this way. Executed for its first row only, it would never be complete.
#[test]
fn a_search_path_that_a_function_sets() {
    let mut client = harness::connect("support", &[]);
    simple(&mut client, "SELECT pg_catalog.set_config('search_path', '', false)");
    simple(&mut client, "SELECT count(*) FROM customers");
    simple(&mut client, "SELECT count(*) FROM public.customers");
    assert_eq!(kinds(&mut client, 3), "TDCZIE42P01ZITDCZI");
    parse(&mut client, "", "SELECT pg_catalog.set_config('search_path', 'public', false)");
    bind(&mut client, "", "");
    execute(&mut client, "", 1);
    sync(&mut client);
    assert_eq!(kinds(&mut client, 1), "E42501ZI");
}

/// SQL's EXECUTE and FETCH could run what a Parse has prepared, and its effect would go unseen.
#[test]
fn sql_runs_no_statement_of_the_protocol_that_is_no_query() {
    // In session mode: in transaction mode SQL cannot name what a Parse has prepared at all.
    let pooled = crate::pooling::Pooled::open("mode: session");
    let mut client = pooled.connect("alice");
    parse(&mut client, "path", "SET search_path TO trap");
    parse(&mut client, "query", "SELECT 1");
    sync(&mut client);
    // Pipelined: the Query waits until it is known what `path` is.
    simple(&mut client, "EXECUTE path");
    simple(&mut client, "EXECUTE query");
    assert_eq!(kinds(&mut client, 3), "11ZIE42501ZITDCZI");
    parse(&mut client, "indirect", "EXECUTE path");
    bind(&mut client, "", "indirect");
    execute(&mut client, "", 0);
    sync(&mut client);
    assert_eq!(kinds(&mut client, 1), "12E42501ZI");
    // In one unit: the meaning of a name changes between Bind and Execute.
    simple(&mut client, "BEGIN");
    parse(&mut client, "later", "EXECUTE query");
    bind(&mut client, "p", "later");
    sync(&mut client);
    simple(&mut client, "DEALLOCATE query");
    parse(&mut client, "query", "SET search_path TO trap");
    execute(&mut client, "p", 0);
    sync(&mut client);
    assert_eq!(kinds(&mut client, 4), "CZT12ZTCZT1E42501ZE");
    simple(&mut client, "ROLLBACK");
    simple(&mut client, "BEGIN");
    bind(&mut client, "p", "later");
    sync(&mut client);
    simple(&mut client, "FETCH ALL FROM p");
    simple(&mut client, "ROLLBACK");
    assert_eq!(kinds(&mut client, 5), "CZICZT2ZTE42501ZECZI");
    let answer = client.simple("SHOW search_path").remove(0);
    assert_eq!(answer.rows[0][0].as_deref(), Some(&b"\"$user\", public"[..]));
}

/// Of a cursor that SQL has declared Scrim knows no rows: it is read by FETCH.
#[test]
fn a_cursor_is_not_executed_by_the_protocol() {
    let mut client = harness::connect("support", &[]);
    simple(&mut client, "BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers");
    execute(&mut client, "c", 0);
    sync(&mut client);
    assert_eq!(kinds(&mut client, 2), "CCZTE34000ZE");
}

#[test]
fn the_function_call_message_is_refused() {
    let mut client = harness::connect("support", &[]);
    client.send(b'F', &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(kinds(&mut client, 1), "E42501ZI");
    assert_eq!(client.simple("SELECT 1").len(), 1);
}

#[test]
fn a_statement_survives_a_refused_one_of_the_same_name() {
    let mut client = harness::connect("support", &[]);
    parse(&mut client, "s", "SELECT email FROM customers WHERE id = 1");
    sync(&mut client);
    parse(&mut client, "s", "SELECT pg_read_file('/etc/passwd')");
    sync(&mut client);
    bind(&mut client, "", "s");
    execute(&mut client, "", 0);
    sync(&mut client);
    assert_eq!(kinds(&mut client, 3), "1ZIE42501ZI2DCZI");
}
