//! The audit trail in a table of a PostgreSQL: the rows are the lines of the file, whatever has happened in between, and who
//! cannot write it stops statements and says why.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use scrim::demo::{PostgresOptions, PrivatePostgres, RunningScrim};
use scrim::wire::certificates::make_certificates;
use serde_json::json;

use crate::harness::cable::{Cable, Flow, Way};
use crate::harness::client::Client;
use crate::harness::own::{Own, code};

const ACCOUNT: &str = "scrim_audit";
const PASSWORD: &str = "audit-demo";
const COUNT: &str = "SELECT count(*) FROM scrim_audit.trail";
const LINES: &str = "SELECT line FROM scrim_audit.trail WHERE scrim = 'one' ORDER BY sequence";

fn server() -> PrivatePostgres {
    server_with(&PostgresOptions::default())
}

fn server_with(options: &PostgresOptions) -> PrivatePostgres {
    let server = PrivatePostgres::start(options).unwrap_or_else(|error| panic!("{error}"));
    run_in(&server, "postgres", &format!("CREATE ROLE {ACCOUNT} LOGIN PASSWORD '{PASSWORD}'"));
    server
}

/// One for the tests that do not stop it.
fn standing() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(server)
}

fn run_in(server: &PrivatePostgres, database: &str, sql: &str) -> String {
    server.run(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn setting(port: u16, database: &str) -> String {
    format!(
        "audit:\n  file: audit.jsonl\n  sinks:\n  - postgres: {{host: 127.0.0.1, port: {port}, user: {ACCOUNT}, name: {database}, \
         password: {PASSWORD}, tls: disable}}\n    name: one\n"
    )
}

/// A command with a configuration: whether it was done, and what was said, in which the password never stands.
fn scrim(configuration: &Path, args: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_scrim"))
        .args(args)
        .arg("--config")
        .arg(configuration)
        .output()
        .expect("scrim");
    let said = String::from_utf8([done.stdout, done.stderr].concat()).expect("UTF-8");
    assert!(!said.contains(PASSWORD) && !said.contains("hunter2"), "{said}");
    (done.status.success(), said)
}

fn not_checked(configuration: &Path) -> String {
    let (is_done, told) = scrim(configuration, &["check"]);
    assert!(!is_done, "{told}");
    told
}

fn not_started(configuration: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_scrim"));
    let told = RunningScrim::start_with(program, configuration).expect_err("a start").to_string();
    assert!(!told.contains(PASSWORD) && !told.contains("hunter2"), "{told}");
    told
}

/// What `scrim audit init --sql` prints.
fn by_hand(setting: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scrim.yaml");
    std::fs::write(&file, setting).expect("a file");
    let (is_done, said) = scrim(&file, &["audit", "init", "--sql"]);
    assert!(is_done, "{said}");
    said
}

fn with_table(server: &PrivatePostgres, database: &str) {
    server.create_database(database, None).expect("a database");
    run_in(server, database, &by_hand(&setting(server.port(), database)));
}

fn own(setting: &str) -> Own {
    Own::open_changed(|_, text| {
        let (before, rest) = text.split_once("audit:\n  file: audit.jsonl\n").expect("an audit");
        format!("{before}{setting}{rest}")
    })
}

fn written(own: &Own) -> String {
    std::fs::read_to_string(own.desk.audit_file()).expect("a trail")
}

/// Waits until the rows are the lines of the file, each once and to the letter.
fn wait_for_rows(own: &Own, server: &PrivatePostgres, database: &str) {
    own.wait("the rows", || run_in(server, database, LINES) == written(own));
    let count: usize = run_in(server, database, COUNT).trim().parse().expect("a number");
    assert!(count <= written(own).lines().count());
}

/// SQLSTATE of a statement; empty: it was done.
fn said_to(client: &mut Client) -> String {
    code(&client.simple("SELECT email FROM customers LIMIT 1")[0]).to_owned()
}

/// Until one is refused for the audit.
fn wait_for_refusal(own: &Own, client: &mut Client) {
    own.wait("a refusal", || said_to(client) == "53400");
    let (status, ready) = own.readiness();
    assert!(status == 503 && ready["checks"]["audit"]["ok"] == json!(false), "{ready}");
}

fn wait_for_answer(own: &Own, client: &mut Client) {
    own.wait("an answer", || said_to(client).is_empty());
}

#[test]
fn the_rows_are_the_lines_over_outages_and_starts() {
    let server = server();
    with_table(&server, "audit");
    let cable = Cable::to(([127, 0, 0, 1], server.port()).into());
    let mut own = own(&setting(cable.address().port(), "audit"));
    let mut alice = own.connect_as("alice", &[("application_name", "a\"b\\c','{}")]);
    for statement in
        ["SELECT email FROM customers", "SELECT pg_read_file('x')", "SELECT 'e\u{301} \\ \"'"]
    {
        alice.simple(statement);
    }
    assert!(Client::connect(own.address(), "<b>nobody</b>", "x", "desk", &[]).is_err());
    wait_for_rows(&own, &server, "audit");
    let asked = |sql: &str| run_in(&server, "audit", sql).trim().to_owned();
    assert_eq!(
        asked(
            "SELECT user_name, role, application, database, split_part(client, ':', 1), statement, verdict, reason FROM scrim_audit.trail \
             WHERE verdict = 'refuse'"
        ),
        "alice|support|a\"b\\c','{}|desk|127.0.0.1|2|refuse|function"
    );
    assert_eq!(
        asked("SELECT event, user_name, refused FROM scrim_audit.trail WHERE refused IS NOT NULL"),
        "login|<b>nobody</b>|28P01"
    );
    assert_eq!(
        asked(
            "SELECT bool_and(t.line::jsonb ->> 'sequence' = t.sequence::text AND (t.line::jsonb ->> 'time')::timestamptz = \
             t.time AND t.line::jsonb ->> 'event' = t.event AND t.line::jsonb ->> 'rules' IS NOT DISTINCT FROM t.rules \
             AND (t.line::jsonb ->> 'rows')::bigint IS NOT DISTINCT FROM t.rows AND t.received >= t.time) \
             FROM scrim_audit.trail t"
        ),
        "t"
    );
    // The chain can be checked from the table alone.
    let copy = own.desk.folder().join("copy.jsonl");
    std::fs::write(&copy, run_in(&server, "audit", LINES)).expect("a file");
    let copy = copy.to_str().expect("a name");
    let verify = ["report", "--verify", copy];
    let (is_done, told) = scrim(&own.desk.configuration(), &verify);
    assert!(is_done && told.contains("the chain is whole"), "{told}");

    // An answer that does not come, and one that is cut off: whether the rows are there is not known, and each is there once.
    for flow in [Flow::CutAfter(2), Flow::Stalled] {
        cable.set(Way::Down, flow);
        wait_for_refusal(&own, &mut alice);
        cable.set(Way::Down, Flow::Free);
        wait_for_answer(&own, &mut alice);
        wait_for_rows(&own, &server, "audit");
    }
    // A connection that has ended meanwhile is replaced, and nobody notices.
    let well = own.said();
    asked("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'scrim_audit'");
    assert_eq!(said_to(&mut alice), "");
    wait_for_rows(&own, &server, "audit");
    assert_eq!(own.said(), well);

    // The server is down: refused, and Scrim can still be stopped; who starts meanwhile does not.
    server.halt().expect("halted");
    wait_for_refusal(&own, &mut alice);
    assert!(own.said().contains("the audit's table at 127.0.0.1"), "{}", own.said());
    drop(alice);
    own.scrim = None;
    for told in [not_checked(&own.desk.configuration()), not_started(&own.desk.configuration())] {
        assert!(told.contains("the audit's table at") && told.contains("scrim.yaml"), "{told}");
    }
    let lines = written(&own).lines().count();
    server.resume().expect("up");
    let count: usize = asked(COUNT).parse().expect("a number");
    assert!(count < lines, "{count} of {lines}: something was missed");
    own.start();
    wait_for_rows(&own, &server, "audit");
    assert!(own.said().contains("has got what it had missed"), "{}", own.said());

    // An older file in its place: what it has not got any more stays in the table, beside what follows now.
    own.scrim = None;
    let text = written(&own);
    let kept: String = text.split_inclusive('\n').take(3).collect();
    std::fs::write(own.desk.audit_file(), kept).expect("a file");
    own.start();
    let mut alice = own.connect("alice");
    assert_eq!(said_to(&mut alice), "");
    let expected = text.lines().count() - 3;
    own.wait("the rows", || {
        let count: usize = asked(COUNT).parse().expect("a number");
        count == written(&own).lines().count() + expected
    });
    assert!(own.said().contains("a last line that the file has not"), "{}", own.said());
}

#[test]
fn what_is_wrong_with_it_is_said_at_the_start() {
    let server = standing();
    server.create_database("wrong", None).expect("a database");
    let text = setting(server.port(), "wrong");
    // A Scrim that is stopped at once: its desk stays.
    let mut own = own("audit:\n  file: audit.jsonl\n");
    own.scrim = None;
    let file = own.desk.configuration();
    let original = std::fs::read_to_string(&file).expect("configuration");
    let with = |setting: &str| {
        let changed = original.replace("audit:\n  file: audit.jsonl\n", setting);
        std::fs::write(&file, changed).expect("a file");
    };
    let run = |sql: &str| run_in(server, "wrong", sql);
    let is_said = |parts: &[&str]| {
        for told in [not_checked(&file), not_started(&file)] {
            assert!(parts.iter().all(|part| told.contains(part)), "{parts:?}: {told}");
        }
    };
    with(&text);
    is_said(&["127.0.0.1", "database `wrong`", "no table `scrim_audit.trail`", "scrim audit init"]);
    let (is_done, told) = scrim(&file, &["audit", "init"]);
    assert!(!is_done && told.contains("may not make") && told.contains("init --sql"), "{told}");
    run(&format!("GRANT CREATE ON DATABASE wrong TO {ACCOUNT}"));
    let (is_done, told) = scrim(&file, &["audit", "init"]);
    assert!(is_done && told.contains("made table `scrim_audit.trail`"), "{told}");
    let (is_done, told) = scrim(&file, &["audit", "init"]);
    assert!(!is_done && told.contains("there is a table"), "{told}");
    assert!(scrim(&file, &["check"]).0);

    run("DROP SCHEMA scrim_audit CASCADE");
    run(&by_hand(&text));
    assert!(scrim(&file, &["check"]).0);
    // What is missing is said as SQL that mends it.
    for missing in [
        "USAGE ON SCHEMA scrim_audit",
        "INSERT (line) ON scrim_audit.trail",
        "SELECT (hash) ON scrim_audit.trail",
    ] {
        run(&format!("REVOKE {missing} FROM {ACCOUNT}"));
        let (is_done, told) = scrim(&file, &["check"]);
        assert!(!is_done && told.contains("may not do with it"), "{missing}: {told}");
        let (_, sql) = told.split_once("its owner runs: ").expect("SQL");
        run(sql);
        assert!(scrim(&file, &["check"]).0, "{missing}");
    }
    // The account adds, and does nothing else.
    for forbidden in [
        "SELECT line FROM scrim_audit.trail",
        "UPDATE scrim_audit.trail SET line = ''",
        "DELETE FROM scrim_audit.trail",
        "TRUNCATE scrim_audit.trail",
        "INSERT INTO scrim_audit.trail (received) VALUES (now())",
        "DROP TABLE scrim_audit.trail",
    ] {
        let sql = format!("SET SESSION AUTHORIZATION {ACCOUNT};\n{forbidden}");
        let told = server.run("wrong", &sql).expect_err(forbidden).to_string();
        assert!(told.contains("permission denied") || told.contains("must be owner"), "{told}");
    }
    // A line that does not belong to its hash is not taken, whoever brings it.
    let forged = "INSERT INTO scrim_audit.trail (scrim, sequence, hash, time, event, line) VALUES ('one', 1, 'x', now(), 'e', '{}')";
    assert!(
        server.run("wrong", forged).expect_err("forged").to_string().contains("check constraint")
    );
    for (broken, mended) in [
        ("RENAME COLUMN verdict TO v", "RENAME COLUMN v TO verdict"),
        ("DROP CONSTRAINT trail_pkey", "ADD PRIMARY KEY (scrim, sequence, hash, time)"),
    ] {
        run(&format!("ALTER TABLE scrim_audit.trail {broken}"));
        is_said(&["is not as Scrim makes it", "init --sql"]);
        run(&format!("ALTER TABLE scrim_audit.trail {mended}"));
    }
    run("ALTER DATABASE wrong SET search_path = nowhere");
    assert!(scrim(&file, &["check"]).0);
    // An owner may part it by time.
    let parted = by_hand(&text).replace(")\n);", ")\n) PARTITION BY RANGE (time);");
    run("DROP SCHEMA scrim_audit CASCADE");
    run(&parted);
    assert!(scrim(&file, &["check"]).0);

    let password = format!("password: {PASSWORD}");
    for (from, to, said) in [
        (password.as_str(), "password: hunter2", "28P01"),
        ("name: wrong", "name: nowhere", "3D000"),
        ("tls: disable", "tls: require", "does not support it"),
    ] {
        assert!(text.contains(from), "{from}");
        with(&text.replace(from, to));
        is_said(&["the audit's table at 127.0.0.1", said, "in scrim.yaml says where it is"]);
    }
    run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    with(&text.replace("name: wrong", "name: latin"));
    is_said(&["LATIN1", "ENCODING 'UTF8'"]);
    // Another table, and another name.
    let other = text.clone() + "    table: trails.all_of_us\n";
    with(&other);
    is_said(&["no table `trails.all_of_us`"]);
    run(&by_hand(&other));
    assert!(scrim(&file, &["check"]).0);
}

/// Over TLS, whose certificate is checked.
#[test]
fn the_table_is_known_by_its_certificate() {
    let certificates = tempfile::tempdir().expect("a folder");
    make_certificates(certificates.path()).expect("certificates");
    let text = |name| std::fs::read_to_string(certificates.path().join(name)).expect("a file");
    let tls = Some((text("server.crt"), text("server.key")));
    let server = server_with(&PostgresOptions { tls, ..PostgresOptions::default() });
    with_table(&server, "sealed");
    let checked = |ca: &Path| {
        let known = format!("tls: verify-full, ca: {}", ca.display());
        setting(server.port(), "sealed").replace("tls: disable", &known)
    };
    let own = own(&checked(&certificates.path().join("ca.crt")));
    assert_eq!(said_to(&mut own.connect("alice")), "");
    wait_for_rows(&own, &server, "sealed");
    let used = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'scrim_audit'";
    assert_eq!(run_in(&server, "sealed", used).trim(), "t");
    // The authority of the desk's own certificates has not signed this one.
    let file = own.desk.folder().join("other.yaml");
    let configuration = std::fs::read_to_string(own.desk.configuration()).expect("configuration");
    let right = certificates.path().join("ca.crt").display().to_string();
    let wrong = own.desk.authority().display().to_string();
    std::fs::write(&file, configuration.replace(&right, &wrong)).expect("a file");
    let told = not_checked(&file);
    assert!(told.contains("the audit's table at 127.0.0.1") && told.contains("TLS"), "{told}");
}

#[test]
fn what_of_the_setting_cannot_be() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("masking-rules")).expect("a folder");
    let role =
        "roles: {r: {may: [read], database_user: {user: desk_login}, masks: {\"*\": redact}}}";
    std::fs::write(folder.path().join("masking-rules/r.yaml"), role).expect("rules");
    let file = folder.path().join("scrim.yaml");
    let told = |sink: &str| {
        std::fs::write(&file, format!("audit: {{sinks: [{sink}]}}")).expect("a file");
        scrim(&file, &["check", "--offline"])
    };
    for (sink, said) in [
        ("{postgres: {host: h}}", "needs `host` and `user`"),
        ("{postgres: {user: u}}", "needs `host` and `user`"),
        ("{postgres: {host: h, user: scrim}}", "the same account as that of `database`"),
        ("{postgres: {host: h, user: desk_login}}", "role `r` logs in to the database as"),
        ("{postgres: {host: h, user: u, tls: verify-full}}", "needs a `ca`"),
        ("{postgres: {host: h, user: u, pasword: hunter2}}", "unknown key `pasword`"),
        (
            "{postgres: {host: h, user: u, password: a, password_file: f}}",
            "`postgres` has `password`",
        ),
        ("{postgres: \"postgres://u:hunter2@h/d\"}", "a mapping"),
        ("{postgress: {host: h, password: hunter2}}", "did you mean `postgres`?"),
        ("{postgres: {host: h, user: u}, syslog: /dev/log}", "unknown key `syslog`"),
        ("{postgres: {host: h, user: u}, table: trail}", "`trail` is no name of a table"),
        ("{postgres: {host: h, user: u}, table: \"a.b; DROP\"}", "is no name of a table"),
        ("{postgres: {host: h, user: u}, table: a.B}", "is no name of a table"),
        ("{postgres: {host: h, user: u}, tabel: a.b}", "did you mean `table`?"),
        ("{table: a.b}", "a sink is `stdout`, `{syslog: ADDRESS}` or `{postgres:"),
    ] {
        let (is_done, told) = told(sink);
        assert!(!is_done && told.contains(said), "{sink}: {told}");
    }
    // Who is in between is seen only where the certificate is checked.
    for (host, is_warned) in [("db.example.com", true), ("127.0.0.1", false)] {
        let (is_done, told) = told(&format!("{{postgres: {{host: {host}, user: u}}}}"));
        assert!(is_done, "{told}");
        assert_eq!(told.contains("reads the trail"), is_warned, "{host}: {told}");
    }
    std::fs::write(&file, "audit: {sinks: [stdout]}").expect("a file");
    let (is_done, told) = scrim(&file, &["audit", "init", "--sql"]);
    assert!(!is_done && told.contains("copies the audit trail to no table"), "{told}");
}
