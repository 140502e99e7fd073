//! Masks that are put on rows as they pass: the same as in SQL, byte for byte, in every way in which rows come.

use scrim::catalog::{Column, TypeFamily};
use scrim::demo::{SERVICE_LOGIN, sample_password};
use scrim::mask::{Conditions, Masked, WireMask, sql_form};
use scrim::rules::MaskSpec;

use crate::dice::Dice;
use crate::harness::client::{Answer, Client, put_string};
use crate::harness::connect_direct;
use crate::harness::own::{Own, bind, code, execute, parse, run_prepared};

/// What masks of text look at: digits and what stands between them, what an address has, blanks of several kinds,
/// characters of one to four bytes, and some that only look like others.
const ALPHABET: [&str; 42] = [
    "0", "1", "4", "7", "9", "0", "5", "3", "-", " ", "+", "(", ")", ".", ",", "/", "#", "*", ":",
    "_", "@", "a", "Z", "k", "com", "@b.kr", "\t", "\n", "\r", "\u{b}", "\u{85}", "\u{a0}",
    "\u{1680}", "\u{2003}", "\u{2028}", "\u{202f}", "\u{3000}", "\u{200b}", "é", "한", "\u{ff11}",
    "😀",
];

struct NoConditions;

impl Conditions for NoConditions {
    fn condition(&self, _: &str) -> Option<String> {
        None
    }

    fn column(&self, _: &str) -> Option<(Column, String)> {
        None
    }

    fn expression(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

fn column(name: &str, type_sql: &str, type_oid: u32, type_modifier: i32) -> Column {
    Column {
        number: 1,
        name: name.into(),
        type_sql: type_sql.into(),
        type_oid,
        type_modifier,
        family: TypeFamily::Text,
        domain_over: None,
        nondeterministic_collation: None,
        generated: false,
        groupable: true,
    }
}

fn values(seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let mut values: Vec<String> =
        (0..1500).map(|_| (0..dice.roll(18)).map(|_| *dice.pick(&ALPHABET)).collect()).collect();
    // Numbers and addresses that nearly are ones, which chance alone seldom makes.
    for _ in 0..1500 {
        let length = 6 + dice.roll(14);
        values.push((0..length).map(|_| *dice.pick(&ALPHABET[..20])).collect());
        let part = |dice: &mut Dice, most: usize| -> String {
            (0..dice.roll(most))
                .map(|_| *dice.pick(&["a", "B", "7", ".", "-", "é", "한"]))
                .collect()
        };
        let (local, domain) = (part(&mut dice, 6), part(&mut dice, 8));
        values.push(format!("{local}@{domain}"));
    }
    values
}

/// What PostgreSQL makes of them, and what is made of them as they pass.
#[test]
fn both_forms_of_a_mask_are_the_same() {
    let mut connection = connect_direct("postgres");
    let seed = std::env::var("SCRIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let values = values(seed);
    let listed: Vec<String> =
        values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    let specs = [
        MaskSpec::Keep { first: 0, last: 4 },
        MaskSpec::Keep { first: 2, last: 0 },
        MaskSpec::Keep { first: 3, last: 5 },
        MaskSpec::Email,
        MaskSpec::Phone,
        MaskSpec::Card,
        MaskSpec::Name,
    ];
    let columns = [
        column("c", "text", 25, -1),
        column("c", "character varying", 1043, -1),
        column("c", "character varying(7)", 1043, 4 + 7),
    ];
    for column in &columns {
        for spec in &specs {
            let Ok(Masked::Expression(form)) = sql_form(spec, column, "t.c", &NoConditions) else {
                panic!("{spec:?}");
            };
            let wire = WireMask::of(spec, column).expect("a form in Rust");
            let type_sql = &column.type_sql;
            let asked = format!(
                "SELECT t.c, {} FROM (SELECT u::{type_sql} AS c, n FROM unnest(ARRAY[{}]::text[]) \
                 WITH ORDINALITY AS v(u, n)) AS t ORDER BY n",
                form.sql,
                listed.join(",")
            );
            let answer = &connection.simple(&asked)[0];
            assert_eq!(answer.rows.len(), values.len(), "{answer:?}");
            for row in &answer.rows {
                let [Some(value), Some(expected)] = &row[..] else { panic!("{row:?}") };
                let mut masked = bytes::BytesMut::new();
                wire.mask(value, &mut masked);
                assert_eq!(
                    String::from_utf8_lossy(&masked),
                    String::from_utf8_lossy(expected),
                    "{spec:?} of {type_sql}, {:?}, seed {seed}",
                    String::from_utf8_lossy(value)
                );
            }
        }
    }
}

/// Two Scrims, the masks of one of them all in SQL.
fn both() -> [Own; 2] {
    let more = |desk: &scrim::demo::Desk| {
        let letters = format!(
            "CREATE TABLE public.letters (id int PRIMARY KEY, body text, sender varchar(12), picture bytea);
             INSERT INTO public.letters SELECT n, repeat('minqzxsu ', n * n * 400), 'k' || n || 'qzx@a.kr', \
               decode(repeat('00ff', n * 9000), 'hex') FROM generate_series(1, 12) n;
             INSERT INTO public.letters VALUES (0, NULL, NULL, NULL);
             GRANT SELECT ON public.letters TO {SERVICE_LOGIN}"
        );
        desk.server().run("desk", &letters).unwrap_or_else(|error| panic!("{error}"));
        let rules = "tables:\n  public.letters:\n    columns: {id: open, body: person.name, sender: contact.email, picture: open}\n";
        std::fs::write(desk.folder().join("masking-rules/60-letters.yaml"), rules).expect("rules");
    };
    ["on_the_wire", "in_sql"].map(|masks| {
        Own::open_changed(|desk, text| {
            more(desk);
            format!("{text}masks: {masks}\n")
        })
    })
}

fn alice(own: &Own) -> Client {
    Client::connect(own.address(), "alice", &sample_password("alice"), "desk", &[])
        .unwrap_or_else(|error| panic!("{error:?}: {}", own.said()))
}

/// Rows that come in pieces, since they are longer than what is read at once, and those that do not.
#[test]
fn rows_are_the_same_wherever_masks_are_put_on() {
    let both = both();
    let mut clients = both.each_ref().map(alice);
    for sql in [
        "SELECT id, body, sender, picture FROM letters ORDER BY id",
        "SELECT sender, picture, body FROM letters WHERE id IN (0, 3, 12) ORDER BY id",
        "SELECT * FROM customers ORDER BY id",
        "SELECT email, name, phone, card_number FROM customers ORDER BY id",
    ] {
        let rows = |answers: Vec<Answer>| -> Vec<Vec<Option<Vec<u8>>>> {
            answers
                .into_iter()
                .flat_map(|answer| {
                    assert!(answer.error.is_none(), "{answer:?}");
                    answer.rows
                })
                .collect()
        };
        let [wire, in_sql] = clients.each_mut().map(|client| rows(client.simple(sql)));
        assert!(!wire.is_empty() && wire == in_sql, "{sql}");
        for is_binary in [false, true] {
            let [wire, in_sql] =
                clients.each_mut().map(|client| rows(vec![client.extended(sql, is_binary)]));
            assert!(wire == in_sql, "{sql}, binary: {is_binary}");
        }
    }
    let received = clients[0].take_received();
    assert!(!received.windows(3).any(|bytes| bytes == b"qzx"), "a true value came through");
}

/// A portal that is read row by row, a statement that is bound again, and what SQL may not do with them.
#[test]
fn portals_and_prepared_statements_are_masked_and_are_not_to_be_fetched() {
    for mode in ["transaction", "session"] {
        let own = Own::open_changed(|_, text| format!("{text}pool: {{mode: {mode}}}\n"));
        let mut client = alice(&own);
        client.simple("BEGIN");
        parse(&mut client, "loot", "SELECT id, email FROM customers ORDER BY id");
        for portal in ["", "held"] {
            bind(&mut client, portal, "loot");
            execute(&mut client, portal, 1);
            execute(&mut client, portal, 2);
        }
        client.send(b'S', b"");
        let answers = client.answers();
        let masked =
            answers.iter().flat_map(|answer| &answer.rows).filter_map(|row| row[1].as_ref());
        let masked: Vec<_> = masked.map(|value| String::from_utf8_lossy(value)).collect();
        assert_eq!(masked.len(), 6, "{answers:?}");
        assert!(masked.iter().all(|value| value.contains("***")), "{masked:?}");
        for sql in ["FETCH ALL FROM held", "FETCH 1 FROM \"\"", "MOVE 1 FROM held"] {
            let answer = &client.simple(sql)[0];
            assert!(answer.error.is_some() && answer.rows.is_empty(), "{sql}: {answer:?}");
            client.simple("ROLLBACK; BEGIN");
            bind(&mut client, "held", "loot");
            execute(&mut client, "held", 1);
            client.send(b'S', b"");
            client.answers();
        }
        client.simple("ROLLBACK");
        // By SQL's EXECUTE: in session mode the server has it under that name.
        let answer = &client.simple("EXECUTE loot")[0];
        match mode {
            "session" => assert!(answer.rows.len() > 6, "{answer:?}"),
            _ => assert_eq!(code(answer), "0A000"),
        }
        let mut body = Vec::new();
        put_string(&mut body, "twice");
        put_string(&mut body, "EXECUTE loot");
        body.extend(0_i16.to_be_bytes());
        client.send(b'P', &body);
        client.send(b'S', b"");
        let answer = &client.answers()[0];
        assert!(answer.error.is_some(), "{answer:?}");
        let received = client.take_received();
        assert!(
            !received.windows(3).any(|bytes| bytes == b"qzx"),
            "{mode}: a true value came through"
        );
    }
}

/// By the limits of a role counts what its users get.
#[test]
fn a_limit_of_bytes_counts_masked_rows() {
    let both = both();
    for own in &both {
        let version = own.version();
        own.edit(
            "40-roles.yaml",
            "    functions: [public.distance_km]\n",
            "    functions: [public.distance_km]\n    limits: {bytes: 500}\n",
        );
        own.wait_for_other_rules(&version);
    }
    let mut clients = both.each_ref().map(alice);
    let mut ended = 0;
    for count in 1..12 {
        let sql = format!(
            "SELECT email, name, phone, card_number FROM customers ORDER BY id LIMIT {count}"
        );
        let [wire, in_sql] = clients.each_mut().map(|client| {
            let answer = &client.simple(&sql)[0];
            (answer.rows.clone(), answer.error.is_some())
        });
        assert_eq!(wire, in_sql, "{count}");
        ended += usize::from(wire.1);
    }
    assert!(ended > 0 && ended < 11, "{ended}");
}

/// There the masks are in SQL.
#[test]
fn a_database_of_another_encoding_counts_its_own_characters() {
    let own = Own::open_changed(|desk, text| {
        let made = desk.server().run(
            "postgres",
            "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
        );
        made.unwrap_or_else(|error| panic!("{error}"));
        let table = format!(
            "CREATE TABLE public.people (id int PRIMARY KEY, name text); \
             INSERT INTO public.people VALUES (1, 'Zo' || chr(235) || ' M' || chr(252) || 'ller'); \
             GRANT SELECT ON public.people TO {SERVICE_LOGIN}"
        );
        desk.server().run("latin", &table).unwrap_or_else(|error| panic!("{error}"));
        let rules = "tables:\n  public.people:\n    columns: {id: open, name: person.name}\n";
        std::fs::write(desk.folder().join("masking-rules/60-people.yaml"), rules).expect("rules");
        text
    });
    let mut client =
        Client::connect(own.address(), "alice", &sample_password("alice"), "latin", &[])
            .unwrap_or_else(|error| panic!("{error:?}: {}", own.said()));
    let answer = &client.simple("SELECT id, name FROM people")[0];
    assert_eq!(answer.rows[0][1].as_deref(), Some(&b"Z** M*****"[..]), "{answer:?}");
}

/// As builders of reports do it: the new table is made beside the old one, and takes its place. A statement that was prepared
/// before gives the new rows, masked, as soon as the catalog is known.
#[test]
fn a_table_in_the_place_of_another_is_masked_for_statements_that_are_held() {
    let [own, _] = both();
    let mut client = alice(&own);
    parse(&mut client, "held", "SELECT id, sender FROM letters WHERE id < 3 ORDER BY id");
    client.send(b'S', b"");
    client.answers();
    let senders = |answer: &Answer| -> Vec<String> {
        let senders = answer.rows.iter().filter_map(|row| row[1].as_deref());
        senders.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    };
    let before = run_prepared(&mut client, "held");
    assert_eq!(senders(&before), ["k***@a.kr", "k***@a.kr"], "{before:?}");
    let swap = format!(
        "BEGIN; CREATE TABLE letters_new (sender varchar(12), extra int, id int PRIMARY KEY, body text, picture bytea); \
         ALTER TABLE letters_new DROP COLUMN extra; \
         INSERT INTO letters_new (id, sender) VALUES (1, 'mqzx@b.kr'), (2, 'nqzx@b.kr'); \
         GRANT SELECT ON letters_new TO {SERVICE_LOGIN}; \
         DROP TABLE letters; ALTER TABLE letters_new RENAME TO letters; COMMIT"
    );
    own.desk.server().run("desk", &swap).unwrap_or_else(|error| panic!("{error}"));
    own.wait("the new table is known", || {
        let answer = &alice(&own).simple("SELECT id, sender FROM letters ORDER BY id")[0];
        senders(answer) == ["m***@b.kr", "n***@b.kr"]
    });
    let after = run_prepared(&mut client, "held");
    assert_eq!(senders(&after), ["m***@b.kr", "n***@b.kr"], "{after:?}");
    let received = client.take_received();
    assert!(!received.windows(3).any(|bytes| bytes == b"qzx"), "a true value came through");
}
