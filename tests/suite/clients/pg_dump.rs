//! PostgreSQL's own pg_dump as a masked role: what it writes is the masked copy, and can be restored.

use std::path::Path;
use std::process::Command;

use crate::canary;
use crate::harness::client::{Client, text};
use crate::harness::{self, connect, connect_direct};

/// Newer ones put a random key around a dump.
const RANDOM_KEYS: [&str; 2] = ["\\restrict ", "\\unrestrict "];

/// The predicate of an index, which is a definition and shown as it was written: docs/threats.md.
const DEFINITION_WITH_A_MARK: &str = "CREATE INDEX unlisted_rest ";

/// Tables whose masked rows are the same in the dump and through Scrim.
const TABLES: &[&str] = &[
    "public.customers",
    "public.orders",
    "public.order_items",
    "public.messages",
    "public.payments",
    "public.employees",
    "public.oddities",
    "public.unlisted",
    "public.customer_contacts",
    "catalog.plans",
];

fn dump(user: &str, to: &Path, arguments: &[&str]) -> String {
    run(user, to, arguments).unwrap_or_else(|said| panic!("{user}: {said}"));
    std::fs::read_to_string(to).expect("a dump")
}

/// `Err` with what it says, if it says anything.
fn run(user: &str, to: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(harness::postgres().clients().join("pg_dump"))
        .args(["-h", "127.0.0.1", "-U", user, "-d", "desk", "-p"])
        .arg(harness::scrim().address.port().to_string())
        .arg("-f")
        .arg(to)
        .args(arguments)
        .env("PGPASSWORD", scrim::demo::sample_password(user))
        .output()
        .expect("pg_dump");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && said.is_empty() { Ok(()) } else { Err(said) }
}

/// pg_dump dumps no server that is newer than itself. True, when it has said so; SCRIM_POSTGRES_CLIENT_BIN names another.
fn is_too_old() -> bool {
    let output = Command::new(harness::postgres().clients().join("pg_dump"))
        .arg("--version")
        .output()
        .expect("pg_dump");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok());
    if version.unwrap_or(u32::MAX) >= harness::server_version() {
        return false;
    }
    let said = run("alice", Path::new("/dev/null"), &[]).expect_err("no dump of a newer server");
    assert!(said.contains("aborting because of server version mismatch"), "{said}");
    let (client, server) = (version.unwrap_or_default(), harness::server_version());
    harness::say(&format!(
        "skipped: pg_dump {client} dumps no PostgreSQL {server}, and has said so"
    ));
    true
}

fn assert_no_canary(user: &str, dump: &str) {
    let is_known = |line: &&str| {
        let mut known = RANDOM_KEYS.into_iter().chain([DEFINITION_WITH_A_MARK]);
        known.any(|start| line.starts_with(start))
    };
    let lines: Vec<&str> = dump.lines().filter(|line| !is_known(line)).collect();
    let found = canary::find(lines.join("\n").as_bytes());
    assert!(found.is_empty(), "{user}: {found:?}");
}

fn rows_of(client: &mut Client, table: &str) -> String {
    let sql = format!("SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM {table} AS t");
    let answers = client.simple(&sql);
    let [answer] = answers.as_slice() else { panic!("one answer") };
    assert!(answer.error.is_none(), "{table}: {:?}", answer.error);
    answer.rows[0][0].as_deref().map(text).unwrap_or_default()
}

#[test]
fn a_dump_is_the_masked_copy_and_can_be_restored() {
    if is_too_old() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = harness::postgres();
    for (role, user) in [("support", "alice"), ("auditor", "otto"), ("analyst", "ana")] {
        let file = folder.path().join(format!("{user}.sql"));
        let dumped = dump(user, &file, &[]);
        assert_no_canary(user, &dumped);
        assert_eq!(dumped.contains("CREATE TABLE public.staff"), role == "auditor");
        let database = format!("restored_{user}");
        connect_direct("postgres").simple(&format!("CREATE DATABASE {database}"));
        let restored = Command::new(server.clients().join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", &database, "-h"])
            .arg(server.socket_folder())
            .args(["-p", &server.port().to_string(), "-f"])
            .arg(&file)
            .output()
            .expect("psql");
        let said = String::from_utf8_lossy(&restored.stderr);
        assert!(restored.status.success() && said.is_empty(), "{user}: {said}");
        let mut copy =
            Client::connect_unix(server.socket_folder(), server.port(), "postgres", &database);
        copy.simple("SET TimeZone = 'UTC'");
        let mut client = connect(role, &[]);
        client.simple("SET TimeZone = 'UTC'");
        for table in TABLES {
            let shown = rows_of(&mut client, table);
            assert_eq!(rows_of(&mut copy, table), shown, "{user}: {table}");
            assert!(!shown.is_empty(), "{table}");
        }
        // Who goes on in the copy does not begin at 1 again.
        let next = copy.simple("SELECT nextval('public.orders_id_seq') > max(id) FROM orders");
        assert_eq!(next[0].rows[0][0].as_deref().map(text).as_deref(), Some("t"), "{user}");
        drop(copy);
        connect_direct("postgres").simple(&format!("DROP DATABASE {database}"));
    }
}

#[test]
fn every_sample_role_may_dump() {
    if is_too_old() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for user in ["ana", "rosa", "rita"] {
        let file = folder.path().join(format!("{user}.sql"));
        let dumped = dump(user, &file, &["--no-owner"]);
        assert_no_canary(user, &dumped);
        assert!(!dumped.contains("password_hash"), "{user} sees the hidden table");
    }
    // Parts of it, and the data alone as INSERTs.
    let file = folder.path().join("part.sql");
    let dumped =
        dump("alice", &file, &["--data-only", "--inserts", "-t", "customers", "-t", "orders"]);
    assert_no_canary("alice", &dumped);
    assert!(dumped.contains("INSERT INTO public.customers VALUES (1, 'K** M*******'"), "{dumped}");
}

/// Each job has a connection of its own, and reads what the first one sees.
#[test]
fn several_jobs_dump_one_state() {
    if is_too_old() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("jobs");
    let output = Command::new(harness::postgres().clients().join("pg_dump"))
        .args(["-h", "127.0.0.1", "-U", "alice", "-d", "desk", "-Fd", "-Z0", "-j3", "-p"])
        .arg(harness::scrim().address.port().to_string())
        .arg("-f")
        .arg(&to)
        .env("PGPASSWORD", scrim::demo::sample_password("alice"))
        .output()
        .expect("pg_dump");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    let files = std::fs::read_dir(&to).expect("a folder of files").flatten();
    // Not the list of what is in it, which has the definitions.
    let data: Vec<_> = files.filter(|file| file.file_name() != "toc.dat").collect();
    assert!(data.len() >= TABLES.len(), "{data:?}");
    for file in data {
        let bytes = std::fs::read(file.path()).expect("a file of data");
        assert_eq!(canary::find(&bytes), Vec::<String>::new(), "{file:?}");
    }
}

/// Also where the other is a superuser: what is shared is a moment, not a right.
#[test]
fn a_snapshot_of_another_session_shows_masks() {
    let mut direct = connect_direct("postgres");
    direct.simple("BEGIN ISOLATION LEVEL REPEATABLE READ");
    let exported = direct.simple("SELECT pg_export_snapshot()");
    let name = exported[0].rows[0][0].as_deref().map(text).expect("a name");
    let mut client = connect("support", &[]);
    client.simple("BEGIN ISOLATION LEVEL REPEATABLE READ");
    let answers = client.simple(&format!("SET TRANSACTION SNAPSHOT '{name}'"));
    assert_eq!(answers[0].tag.as_deref(), Some("SET"), "{:?}", answers[0].error);
    let answers = client.simple("SELECT email FROM customers WHERE id = 1");
    assert_eq!(answers[0].rows[0][0].as_deref(), Some(&b"m***@example.com"[..]));
}
