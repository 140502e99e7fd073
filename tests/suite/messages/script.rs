//! Messages in an order that dice have made, legal or not.

use crate::dice::Dice;
use crate::harness::client::put_string;

/// Texts, as simple queries and prepared. `{customers}` is the table as the role sees it.
const TEXTS: &[&str] = &[
    "SELECT id, email FROM {customers} WHERE id < 4 ORDER BY id",
    "SELECT phone, id FROM {customers} ORDER BY id",
    "SELECT count(*), max(region) FROM {customers}",
    "SELECT upper(email) AS loud FROM {customers} ORDER BY id LIMIT 2",
    "SELECT n FROM generate_series(1, 5) AS n",
    "SELECT 1 / (3 - n) FROM generate_series(1, 5) AS n",
    "SELECT 1 / 0",
    "SELECT nothing FROM {customers}",
    "SELECT 1 FROM no_such_table",
    "SELEC",
    "SELECT 'x' AS word, NULL::int AS none",
    "",
    "-- words alone",
    "BEGIN",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "START TRANSACTION READ ONLY",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "RELEASE a",
    "SET work_mem = '5MB'",
    "SET LOCAL work_mem = '6MB'",
    "SHOW work_mem",
    "DECLARE c CURSOR FOR SELECT id, email FROM {customers} ORDER BY id",
    "FETCH 2 FROM c",
    "CLOSE c",
    "COPY (SELECT id, email FROM {customers} ORDER BY id) TO STDOUT",
    "DEALLOCATE s",
    "DEALLOCATE s",
    "PREPARE s AS SELECT email FROM {customers} WHERE id = 3",
    "DEALLOCATE ALL",
    "DECLARE h CURSOR WITH HOLD FOR SELECT email FROM {customers} ORDER BY id",
    "FETCH 1 FROM h",
    "CLOSE h",
    "CLOSE ALL",
    "DISCARD ALL",
    "CLOSE p",
    "SET DateStyle TO 'SQL, DMY'",
    "SELECT '2026-03-01'::date",
    "RESET DateStyle",
    "SAVEPOINT a",
    "SELECT pg_catalog.set_config('work_mem', '9MB', true)",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SHOW transaction_read_only",
    "ROLLBACK AND CHAIN",
];

/// Of several statements.
const TEXTS_OF_MANY: &[&str] = &[
    "SELECT 1 AS one; SELECT email FROM {customers} WHERE id = 2",
    "SELECT 1; SELECT 1 / 0; SELECT 2",
    "BEGIN; SELECT 1",
    "SELECT 1; COMMIT",
    "SET LOCAL work_mem = '7MB'; SHOW work_mem",
    ";",
    "SELECT 1; SELEC",
];

/// Of parameters, with how many.
const TEXTS_WITH_PARAMETERS: &[(&str, usize)] = &[
    ("SELECT id, email FROM {customers} WHERE id = $1", 1),
    ("SELECT $1::int + 1 AS more", 1),
    ("SELECT $1::text || $2::text AS both", 2),
];

const VALUES: &[Option<&str>] = &[Some("1"), Some("2"), Some("abc"), Some(""), None];
const STATEMENTS: &[&str] = &["", "s", "t"];
const PORTALS: &[&str] = &["", "p", "q"];

/// Something that a client does.
#[derive(Debug, Clone)]
pub enum Act {
    Query(String),
    Parse {
        name: &'static str,
        text: String,
        types: Vec<u32>,
    },
    Bind {
        portal: &'static str,
        statement: &'static str,
        formats: Vec<i16>,
        values: Vec<Option<&'static str>>,
    },
    Describe(u8, &'static str),
    Execute(&'static str, i32),
    Close(u8, &'static str),
    Sync,
    Flush,
    /// A message of that tag with these bytes, which is none that belongs here.
    Odd(u8, Vec<u8>),
    /// All answers so far are awaited.
    Meet,
}

impl Act {
    /// No client may send it, wherever it stands.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Act::Odd(b'z' | b'p' | b'D' | b'C', _))
    }

    /// As bytes, with the table as it is called there.
    pub fn message(&self, customers: &str) -> Vec<u8> {
        let mut body = Vec::new();
        let tag = match self {
            Act::Query(text) => {
                put_string(&mut body, &text.replace("{customers}", customers));
                b'Q'
            }
            Act::Parse { name, text, types } => {
                put_string(&mut body, name);
                put_string(&mut body, &text.replace("{customers}", customers));
                body.extend((types.len() as i16).to_be_bytes());
                types.iter().for_each(|oid| body.extend(oid.to_be_bytes()));
                b'P'
            }
            Act::Bind { portal, statement, formats, values } => {
                put_string(&mut body, portal);
                put_string(&mut body, statement);
                body.extend(0_i16.to_be_bytes());
                body.extend((values.len() as i16).to_be_bytes());
                for value in values {
                    let length = value.map_or(-1, |value| value.len() as i32);
                    body.extend(length.to_be_bytes());
                    body.extend(value.unwrap_or_default().as_bytes());
                }
                body.extend((formats.len() as i16).to_be_bytes());
                formats.iter().for_each(|format| body.extend(format.to_be_bytes()));
                b'B'
            }
            Act::Describe(kind, name) => {
                body.push(*kind);
                put_string(&mut body, name);
                b'D'
            }
            Act::Execute(portal, most) => {
                put_string(&mut body, portal);
                body.extend(most.to_be_bytes());
                b'E'
            }
            Act::Close(kind, name) => {
                body.push(*kind);
                put_string(&mut body, name);
                b'C'
            }
            Act::Sync => b'S',
            Act::Flush => b'H',
            Act::Odd(tag, bytes) => {
                body.extend(bytes);
                *tag
            }
            Act::Meet => return Vec::new(),
        };
        let mut message = vec![tag];
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        message
    }
}

/// What a client does, one after the other.
pub fn write(dice: &mut Dice) -> Vec<Act> {
    let mut acts = Vec::new();
    for _ in 0..=dice.roll(12) {
        unit(dice, &mut acts);
    }
    if dice.one_in(12) {
        acts.push(last_odd(dice));
    }
    acts
}

fn unit(dice: &mut Dice, acts: &mut Vec<Act>) {
    // Most of what follows a failure in a transaction says so and nothing else.
    if dice.one_in(3) {
        acts.push(Act::Query("ROLLBACK".to_owned()));
    }
    if dice.one_in(3) {
        let text = if dice.one_in(4) { dice.pick(TEXTS_OF_MANY) } else { dice.pick(TEXTS) };
        acts.push(Act::Query((*text).to_owned()));
    } else if dice.one_in(2) {
        round_trip(dice, acts);
    } else {
        for _ in 0..=dice.roll(6) {
            acts.push(any(dice));
        }
        acts.push(Act::Sync);
    }
    if dice.one_in(2) {
        acts.push(Act::Meet);
    }
}

/// What drivers do.
fn round_trip(dice: &mut Dice, acts: &mut Vec<Act>) {
    let (statement, portal) = (*dice.pick(STATEMENTS), *dice.pick(PORTALS));
    if !statement.is_empty() && dice.one_in(2) {
        acts.push(Act::Close(b'S', statement));
    }
    let (parse, parameters) = parse(dice, statement);
    acts.push(parse);
    if dice.one_in(2) {
        acts.push(Act::Describe(b'S', statement));
    }
    for _ in 0..=dice.roll(2) {
        acts.push(bind(dice, portal, statement, parameters));
        if dice.one_in(2) {
            acts.push(Act::Describe(b'P', portal));
        }
        for _ in 0..=dice.roll(2) {
            acts.push(Act::Execute(portal, *dice.pick(&[0, 0, 1, 2])));
        }
        if dice.one_in(3) {
            acts.push(Act::Close(b'P', portal));
        }
        if dice.one_in(4) {
            acts.push(Act::Sync);
        }
    }
    acts.push(Act::Sync);
}

fn parse(dice: &mut Dice, name: &'static str) -> (Act, usize) {
    let (text, parameters) = match dice.one_in(3) {
        true => *dice.pick(TEXTS_WITH_PARAMETERS),
        false => (*dice.pick(TEXTS), 0),
    };
    let types = if parameters > 0 && dice.one_in(6) { vec![0; parameters] } else { Vec::new() };
    (Act::Parse { name, text: text.to_owned(), types }, parameters)
}

fn bind(dice: &mut Dice, portal: &'static str, statement: &'static str, parameters: usize) -> Act {
    let formats = dice.pick(&[&[][..], &[0], &[1], &[1], &[0, 1], &[7]]).to_vec();
    let count = if dice.one_in(12) { dice.roll(3) } else { parameters };
    let values = (0..count).map(|_| *dice.pick(VALUES)).collect();
    Act::Bind { portal, statement, formats, values }
}

fn any(dice: &mut Dice) -> Act {
    let (statement, portal) = (*dice.pick(STATEMENTS), *dice.pick(PORTALS));
    match dice.roll(14) {
        0..=2 => parse(dice, statement).0,
        3..=5 => {
            let parameters = dice.roll(4) / 2;
            bind(dice, portal, statement, parameters)
        }
        6 => Act::Describe(b'S', statement),
        7 => Act::Describe(b'P', portal),
        8..=10 => Act::Execute(portal, *dice.pick(&[0, 1, 2, -1])),
        11 => match dice.one_in(2) {
            true => Act::Close(b'S', statement),
            false => Act::Close(b'P', portal),
        },
        12 => match dice.one_in(2) {
            true => Act::Flush,
            // In the middle of a pipeline, whose Sync may still be due.
            false => Act::Query((*dice.pick(TEXTS)).to_owned()),
        },
        // Data that nobody has asked for is ignored ("Message Flow", COPY operations).
        _ => match dice.roll(3) {
            0 => Act::Odd(b'd', b"1\tx\n".to_vec()),
            1 => Act::Odd(b'c', Vec::new()),
            _ => Act::Odd(b'f', b"no\0".to_vec()),
        },
    }
}

/// What ends a session, or an honest client does not send.
fn last_odd(dice: &mut Dice) -> Act {
    match dice.roll(5) {
        0 => Act::Odd(b'z', b"nothing".to_vec()),
        1 => Act::Odd(b'p', b"secret\0".to_vec()),
        2 => Act::Odd(b'D', b"Xs\0".to_vec()),
        3 => Act::Odd(b'C', b"Xs\0".to_vec()),
        _ => Act::Odd(b'X', Vec::new()),
    }
}
