//! Statements of which columns are left raw, to be masked as the rows pass: run so, and with all masks in SQL.
//!
//! The two must give the same rows once the masks are on, or fail alike; and the server must describe the raw columns as
//! the proof says that it will, or the guard would stop what is right.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use bytes::BytesMut;
use postgres::{Client, SimpleQueryMessage};
use scrim::demo::{PrivatePostgres, SAMPLE_PSEUDONYM_KEY, SUPERUSER};
use scrim::mask::key_settings;
use scrim::policy::WireMasks;

use crate::desk::{self, Desk, planned, planned_for_the_wire};
use crate::splice;

/// `query_canceled`: it ran for too long.
const TIMEOUT: &str = "57014";

static PROVEN: AtomicU64 = AtomicU64::new(0);

struct Table {
    desk: Desk,
    client: Client,
    _server: PrivatePostgres,
}

/// What a statement gives: its rows in any order, or the code of its error.
type Answer = Result<Vec<Vec<Option<Vec<u8>>>>, String>;

fn table() -> &'static Mutex<Table> {
    static TABLE: OnceLock<Mutex<Table>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let server =
            desk::start(&[("max_parallel_workers", "0"), ("jit", "off"), ("fsync", "off")]);
        let desk = Desk::of(&server);
        let mut client = desk::connect(server.socket_folder(), server.port(), SUPERUSER);
        for (name, value) in key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes()) {
            let set = format!("SELECT set_config('{name}', '{value}', false)");
            client.batch_execute(&set).unwrap_or_else(|error| panic!("{error}"));
        }
        client
            .batch_execute("SET statement_timeout = 300; SET search_path = public")
            .unwrap_or_else(|error| panic!("{error}"));
        Mutex::new(Table { desk, client, _server: server })
    })
}

/// How many texts had something to prove.
pub fn proven() -> u64 {
    PROVEN.load(Ordering::Relaxed)
}

/// One input; panics with what was found.
pub fn run(data: &[u8]) {
    let Some((role, path, text)) = splice::chosen(data) else { return };
    let mut table = table().lock().expect("nothing panics while it holds it");
    let Table { desk, client, .. } = &mut *table;
    let (seen, path) = desk.choose(role, path);
    let Ok(on_the_wire) = planned_for_the_wire(seen, path, &text) else { return };
    let [statement] = &on_the_wire.statements[..] else { return };
    let Some(masks) = &statement.masks else { return };
    let Ok(in_sql) = planned(seen, path, &text) else { return };
    let [other] = &in_sql.statements[..] else { return };
    PROVEN.fetch_add(1, Ordering::Relaxed);
    let (sent, other) = (statement.sql.as_str(), other.sql.as_str());
    let described = described_otherwise(client, sent, masks);
    let passed = answer(client, sent, Some(masks));
    let expected = answer(client, other, None);
    let again = answer(client, other, None);
    drop(table);
    if [&passed, &expected].into_iter().any(|answer| matches!(answer, Err(code) if code == TIMEOUT))
    {
        return;
    }
    let what = match (described, passed == expected, expected == again) {
        (Some(described), ..) => described,
        (None, false, true) => format!("{passed:?}\n-- and in SQL\n{expected:?}"),
        // The same, or another thing each time.
        (None, true, _) | (None, false, false) => return,
    };
    panic!("role {}: {what}\n-- written\n{text}\n-- sent\n{sent}", seen_name(role));
}

fn seen_name(role: usize) -> &'static str {
    desk::ROLES[role % desk::ROLES.len()]
}

/// Where the server says that the columns come from.
fn described_otherwise(client: &mut Client, sent: &str, masks: &WireMasks) -> Option<String> {
    let statement = client.prepare(sent).ok()?;
    let columns = statement.columns();
    if columns.len() != masks.width {
        return Some(format!("{} columns instead of {}", columns.len(), masks.width));
    }
    let otherwise = masks.columns.iter().find(|raw| {
        let column = columns.get(raw.position);
        column.is_none_or(|column| {
            column.table_oid() != Some(raw.table.0) || column.column_id() != Some(raw.number)
        })
    });
    otherwise.map(|raw| format!("column {} is another one", raw.position))
}

fn answer(client: &mut Client, sent: &str, masks: Option<&WireMasks>) -> Answer {
    let messages = client.simple_query(sent).map_err(|error| {
        error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())
    })?;
    let mut rows: Vec<Vec<Option<Vec<u8>>>> = Vec::new();
    for message in messages {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let value = |at: usize| {
            let value = row.get(at)?.as_bytes();
            Some(match masks.and_then(|masks| masks.at(at)) {
                None => value.to_vec(),
                Some(raw) => {
                    let mut masked = BytesMut::new();
                    raw.mask(value, &mut masked);
                    masked.to_vec()
                }
            })
        };
        rows.push((0..row.len()).map(value).collect());
    }
    rows.sort();
    Ok(rows)
}
