//! Grants that several Scrims share: what is done by one counts at all, what cannot be read counts at none, and whoever
//! writes into the store by hand is judged like everybody else.

mod wrong;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use scrim::demo::{PostgresOptions, PrivatePostgres, sample_password};
use scrim::wire::certificates::make_certificates;
use serde_json::{Value, json};

use crate::console::http::Visitor;
use crate::grants::{
    FIRST, PHONE, connect, grant, granted, must, one, rules, seen, texts, truth, wait_for,
};
use crate::harness::cable::{Cable, Flow, Way};
use crate::harness::client::Client;
use crate::harness::own::{Own, code, parse, run_prepared, value};

const ACCOUNT: &str = "scrim_grants";
const PASSWORD: &str = "grants-demo";

fn server() -> PrivatePostgres {
    let server = PrivatePostgres::start(&PostgresOptions::default());
    let server = server.unwrap_or_else(|error| panic!("{error}"));
    with_account(&server);
    server
}

fn with_account(server: &PrivatePostgres) {
    let sql = format!("CREATE ROLE {ACCOUNT} LOGIN PASSWORD '{PASSWORD}'");
    server.run("postgres", &sql).expect("an account");
}

/// One for all tests that do not stop it.
fn standing() -> &'static PrivatePostgres {
    static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
    SERVER.get_or_init(server)
}

/// A database of its own on a server.
struct Store<'s> {
    server: &'s PrivatePostgres,
    name: String,
}

impl<'s> Store<'s> {
    /// With nothing in it.
    fn empty(server: &'s PrivatePostgres) -> Store<'s> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.create_database(&name, None).expect("a database");
        Store { server, name }
    }

    /// With the tables, which belong to the superuser.
    fn new(server: &'s PrivatePostgres) -> Store<'s> {
        let store = Store::empty(server);
        store.run(&store.sql());
        store
    }

    /// What `scrim grant init --sql` prints.
    fn sql(&self) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("scrim.yaml");
        std::fs::write(&file, self.setting()).expect("a file");
        let (is_done, said) = run(&file, &["grant", "init", "--sql"]);
        assert!(is_done, "{said}");
        said
    }

    fn run(&self, sql: &str) -> String {
        self.server.run(&self.name, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// As the account itself, without Scrim.
    fn run_as_account(&self, sql: &str) -> Result<String, String> {
        let sql = format!("SET SESSION AUTHORIZATION {ACCOUNT};\n{sql}");
        self.server.run(&self.name, &sql).map_err(|error| error.to_string())
    }

    fn setting(&self) -> String {
        self.setting_at(self.server.port())
    }

    fn setting_at(&self, port: u16) -> String {
        format!(
            "grants:\n  store: {{host: 127.0.0.1, port: {port}, user: {ACCOUNT}, name: {}, password: {PASSWORD}, \
             tls: disable}}\n",
            self.name
        )
    }

    /// A Scrim with a database of its own that keeps its grants here.
    fn scrim(&self, name: &str) -> Own {
        let console = "console: {roles: {helper: [grant], lead: [grant]}}\n";
        own(&format!("{}  name: {name}\n{console}", self.setting()))
    }
}

fn own(setting: &str) -> Own {
    Own::open_changed(|desk, text| {
        let file = desk.folder().join("masking-rules/60-grants.yaml");
        std::fs::write(file, rules()).expect("rules");
        text + "pool: {size: 2}\n" + setting
    })
}

/// A command with a configuration: whether it was done, and what was said.
fn run(configuration: &Path, args: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_scrim"))
        .args(args)
        .arg("--config")
        .arg(configuration)
        .env("SCRIM_USER_PASSWORD", sample_password("alice"))
        .output()
        .expect("scrim");
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).expect("UTF-8"))
}

/// By one protocol: what counts may change between two statements.
fn is_masked(client: &mut Client) -> bool {
    texts(&one(client.simple(PHONE)))[0][0].starts_with("**")
}

/// Numbers and actions of the steps in a trail.
fn steps(own: &Own) -> Vec<(i64, String, String)> {
    let records = own.audit().into_iter().filter(|record| record["event"] == "grant");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records
        .map(|record| {
            (
                record["step"].as_i64().expect("a step"),
                text(&record["action"]),
                text(&record["scrim"]),
            )
        })
        .collect()
}

fn ask(own: &Own) -> String {
    let asked = [&["hana"], FIRST, &["--because", "T-123", "--as", "hana"]].concat();
    must(own, &asked).split_whitespace().nth(1).expect("a number").to_owned()
}

#[test]
fn what_is_done_at_one_counts_at_all() {
    let store = Store::new(standing());
    let (one_scrim, other) = (store.scrim("one"), store.scrim("other"));
    let all = [&one_scrim, &other];
    let phone = truth(&one_scrim, PHONE);
    let mut clients = all.map(|own| connect(own, "hana", &[]));
    for client in &mut clients {
        parse(client, "s", PHONE);
        client.send(b'S', b"");
        client.answers();
        assert!(value(&run_prepared(client, "s")).starts_with("**"));
    }
    let number = ask(&one_scrim);
    let listed = must(&other, &["list"]);
    assert!(listed.contains("T-123") && listed.contains("asked"), "{listed}");
    assert!(clients.iter_mut().all(is_masked));
    must(&other, &["approve", &number, "--as", "lea"]);
    for (own, client) in all.iter().zip(&mut clients) {
        wait_for(own, 1.0);
        assert_eq!(seen(client, PHONE), [[phone.as_str()]]);
        assert_eq!(value(&run_prepared(client, "s")), phone);
        let shown = texts(&one(client.simple("SHOW scrim.grants")));
        assert_eq!(shown[0][0], number);
        assert_eq!(own.figure("scrim_grants_unread"), 0.0);
        assert_eq!(own.readiness().1["checks"]["grants"], json!({"ok": true}));
    }
    let (is_done, told) = run(&other.desk.configuration(), &["explain", "--user", "hana"]);
    assert!(is_done && told.contains("T-123"), "{told}");
    // Decided once, wherever.
    for own in all {
        let (is_done, told) = grant(own, &["reject", &number, "--as", "lea"]);
        assert!(!is_done && told.contains("nothing to decide"), "{told}");
    }
    // Open in the one, taken back at the other.
    for client in &mut clients {
        client.simple("BEGIN");
        client.simple(&format!("DECLARE c CURSOR FOR {PHONE}"));
    }
    must(&one_scrim, &["revoke", &number, "--as", "hana"]);
    for (own, client) in all.iter().zip(&mut clients) {
        wait_for(own, 0.0);
        assert_eq!(code(&one(client.simple("FETCH c"))), "24000");
        client.simple("ROLLBACK");
        assert!(is_masked(client));
        assert!(value(&run_prepared(client, "s")).starts_with("**"));
    }
    // Each trail has each step once, by its number, and says who has written it.
    for (own, name) in all.iter().zip(["one", "other"]) {
        own.wait("the record of the end", || steps(own).len() == 3);
        let expected = [(1, "asked"), (2, "approved"), (3, "revoked")];
        let expected = expected.map(|(step, action)| (step, action.to_owned(), name.to_owned()));
        assert_eq!(steps(own), expected);
        let (is_done, told) = run(&own.desk.configuration(), &["report", "--verify"]);
        assert!(is_done, "{told}");
        let (is_done, told) = run(&own.desk.configuration(), &["report", "--format", "json"]);
        assert!(is_done && told.contains("revoked by hana"), "{told}");
    }
    by_the_consoles(all, &phone);
}

/// Asked for in the console of one Scrim, agreed to in that of the other, and taken back at the first.
fn by_the_consoles(all: [&Own; 2], phone: &str) {
    let [mut hana, mut lea] = [(all[0], "hana"), (all[1], "lea")].map(|(own, user)| {
        own.wait("the catalog", || own.readiness().0 == 200);
        let mut visitor = Visitor::new(own.admin());
        let page = visitor.sign_in_as(user, &sample_password("alice"));
        assert_eq!(page.status, 303, "{}", page.body);
        visitor
    });
    let asked = hana.post(
        "/console/grants/ask",
        &[
            ("user", "hana"),
            ("masks", "contact.phone=clear"),
            ("table", "public.customers"),
            ("rows", "id = 1"),
            ("for", "30m"),
            ("because", "by the console"),
        ],
    );
    let number = asked.location().strip_prefix("/console/grants?done=");
    let number = number.unwrap_or_else(|| panic!("{}", asked.body));
    let page = lea.get("/console/grants");
    assert!(
        page.body.contains("by the console") && page.body.contains("value=\"approve\""),
        "{}",
        page.body
    );
    for (visitor, act, in_force) in [(&mut lea, "approve", 1.0), (&mut hana, "revoke", 0.0)] {
        let done = visitor.post("/console/grants/decide", &[("number", number), ("act", act)]);
        assert_eq!(done.status, 303, "{act}: {}", done.body);
        for own in all {
            wait_for(own, in_force);
            let mut client = connect(own, "hana", &[]);
            assert_eq!(seen(&mut client, PHONE) == [[phone]], in_force == 1.0, "{act}");
        }
    }
    // The steps stand in both trails, who did something where in that one's own.
    for (own, expected) in all.iter().zip([&["ask_grant", "revoke_grant"][..], &["approve_grant"]])
    {
        own.wait("the steps", || steps(own).len() == 6);
        let acts = own.audit().into_iter().filter(|one| one["event"] == "console");
        let acts: Vec<Value> = acts.map(|one| one["act"].clone()).collect();
        assert_eq!(acts[1..], *expected, "behind the login");
    }
}

#[test]
fn an_end_by_the_clock_is_written_down_once() {
    let store = Store::new(standing());
    let (one_scrim, other) = (store.scrim("one"), store.scrim("other"));
    let for_a_while = [&FIRST[..6], &["--for", "5s"]].concat();
    let glass =
        [&["break-glass"], &for_a_while[..], &["--because", "fire", "--as", "hugo"]].concat();
    must(&one_scrim, &glass);
    for own in [&one_scrim, &other] {
        own.wait("the end", || steps(own).iter().any(|(_, action, _)| action == "expired"));
        assert_eq!(own.figure("scrim_grants_in_force"), 0.0);
        assert_eq!(own.figure("scrim_break_glass_total"), 1.0);
        assert!(own.said().contains("ALARM: a user has broken the glass"));
        assert_eq!(steps(own).len(), 2, "{:?}", steps(own));
        assert!(is_masked(&mut connect(own, "hugo", &[])));
    }
    assert_eq!(store.run("SELECT count(*) FROM scrim_grants.happened").trim(), "2");
    let ended = "SELECT state, ended_at = until, ended_by IS NULL FROM scrim_grants.grants";
    assert_eq!(store.run(ended).trim(), "expired|t|t");
}

#[test]
fn a_store_that_is_away_grants_nothing() {
    let server = server();
    let store = Store::new(&server);
    let (mut one_scrim, other) = (store.scrim("one"), store.scrim("other"));
    granted(&one_scrim, "hana", FIRST);
    let mut clients = [&one_scrim, &other].map(|own| {
        wait_for(own, 1.0);
        connect(own, "hana", &[])
    });
    assert!(!clients.iter_mut().any(is_masked));
    server.halt().expect("halted");
    for (own, client) in [&one_scrim, &other].iter().zip(&mut clients) {
        own.wait("the fault", || own.figure("scrim_grants_unread") == 1.0);
        assert!(is_masked(client));
        let (status, ready) = own.readiness();
        assert_eq!(status, 200, "{ready}");
        let degraded = ready["checks"]["grants"]["degraded"].as_str().expect("degraded");
        assert!(degraded.starts_with("no grant counts:"), "{degraded}");
        let (is_done, told) = grant(own, &["list"]);
        assert!(
            !is_done && told.contains("cannot be reached") && told.contains("scrim.yaml"),
            "{told}"
        );
        let (is_done, told) = run(&own.desk.configuration(), &["check"]);
        assert!(!is_done && told.contains("cannot be reached"), "{told}");
    }
    // Who starts meanwhile starts, and grants nothing either.
    one_scrim.scrim = None;
    one_scrim.start();
    assert_eq!(one_scrim.figure("scrim_grants_unread"), 1.0);
    clients[0] = connect(&one_scrim, "hana", &[]);
    assert!(is_masked(&mut clients[0]));
    server.resume().expect("up");
    for (own, client) in [&one_scrim, &other].iter().zip(&mut clients) {
        own.wait("the grant", || !is_masked(client));
        assert_eq!(own.figure("scrim_grants_unread"), 0.0);
        let said = own.said();
        assert_eq!(said.matches("THE GRANTS CANNOT BE READ").count(), 1, "{said}");
        assert_eq!(said.matches("the grants can be read again").count(), 1, "{said}");
        assert_eq!(steps(own).len(), 2, "each step once, over a start too: {:?}", steps(own));
    }
}

#[test]
fn a_store_that_does_not_answer_grants_nothing() {
    let store = Store::new(standing());
    let target = ([127, 0, 0, 1], store.server.port()).into();
    let cable = Cable::to(target);
    let own = own(&store.setting_at(cable.address().port()));
    granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    let mut hana = connect(&own, "hana", &[]);
    for (way, flow) in
        [(Way::Down, Flow::Stalled), (Way::Up, Flow::Stalled), (Way::Down, Flow::CutAfter(20))]
    {
        own.wait("it is in force", || !is_masked(&mut hana));
        cable.set(way, flow);
        own.wait("the end of it", || is_masked(&mut hana));
        own.wait("the fault", || own.figure("scrim_grants_unread") == 1.0);
        cable.set(way, Flow::Free);
        own.wait("the grant", || own.figure("scrim_grants_unread") == 0.0 && !is_masked(&mut hana));
    }
    // What was taken back meanwhile is not in force when it is there again.
    cable.set(Way::Down, Flow::Stalled);
    own.wait("the end of it", || is_masked(&mut hana));
    store.run("UPDATE scrim_grants.grants SET state = 'revoked'");
    cable.set(Way::Down, Flow::Free);
    own.wait("the store", || own.figure("scrim_grants_unread") == 0.0);
    assert!(is_masked(&mut hana));
    assert_eq!(own.figure("scrim_grants_in_force"), 0.0);
}

#[test]
fn of_two_who_decide_at_once_one_does() {
    let store = Store::new(standing());
    let (one_scrim, other) = (store.scrim("one"), store.scrim("other"));
    for _ in 0..4 {
        let number = ask(&one_scrim);
        let decide = |own: &Own, action: &str, by: &str| grant(own, &[action, &number, "--as", by]);
        let done: Vec<(bool, String)> = std::thread::scope(|scope| {
            let deciding = [
                (&one_scrim, "approve", "lea"),
                (&other, "approve", "lars"),
                (&one_scrim, "reject", "lars"),
                (&other, "reject", "lea"),
            ];
            let threads =
                deciding.map(|(own, action, by)| scope.spawn(move || decide(own, action, by)));
            threads.map(|thread| thread.join().expect("no panic")).into_iter().collect()
        });
        assert_eq!(done.iter().filter(|(is_done, _)| *is_done).count(), 1, "{done:?}");
        for (_, told) in done.iter().filter(|(is_done, _)| !is_done) {
            assert!(told.contains("nothing to decide"), "{told}");
        }
    }
    // Requests at once lose no step either, and every trail has them in one order.
    std::thread::scope(|scope| {
        for own in [&one_scrim, &other, &one_scrim, &other] {
            scope.spawn(move || ask(own));
        }
    });
    let all = store.run("SELECT count(*), min(step), max(step) FROM scrim_grants.happened");
    assert_eq!(all.trim(), "12|1|12");
    for own in [&one_scrim, &other] {
        own.wait("the steps", || steps(own).len() == 12);
        let numbers: Vec<i64> = steps(own).into_iter().map(|(step, ..)| step).collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<i64>>());
    }
    // Who holds the store without end keeps others from deciding, and they are told; what is in force stays so.
    granted(&one_scrim, "hana", FIRST);
    wait_for(&other, one_scrim.figure("scrim_grants_in_force"));
    let number = ask(&one_scrim);
    let holding = "BEGIN; SELECT steps FROM scrim_grants.store FOR UPDATE;\n\\! touch held\nSELECT pg_sleep(6); ROLLBACK";
    let folder = one_scrim.desk.folder().join("held");
    let holding = holding.replace("held", &folder.display().to_string());
    std::thread::scope(|scope| {
        let held = scope.spawn(|| store.run(&holding));
        other.wait("the holder", || folder.exists());
        let (is_done, told) = grant(&other, &["approve", &number, "--as", "lea"]);
        assert!(!is_done && told.contains("55P03"), "{told}");
        assert!(!is_masked(&mut connect(&other, "hana", &[])));
        held.join().expect("no panic");
    });
    must(&other, &["approve", &number, "--as", "lea"]);
}

/// Over TLS, whose certificate is checked.
#[test]
fn the_store_is_known_by_its_certificate() {
    let certificates = tempfile::tempdir().expect("a folder");
    make_certificates(certificates.path()).expect("certificates");
    let text = |name| std::fs::read_to_string(certificates.path().join(name)).expect("a file");
    let options = PostgresOptions {
        tls: Some((text("server.crt"), text("server.key"))),
        ..PostgresOptions::default()
    };
    let server = PrivatePostgres::start(&options).unwrap_or_else(|error| panic!("{error}"));
    with_account(&server);
    let store = Store::new(&server);
    let checked = |ca: &Path| {
        store.setting().replace("tls: disable", &format!("tls: verify-full, ca: {}", ca.display()))
    };
    let own = own(&checked(&certificates.path().join("ca.crt")));
    granted(&own, "hana", FIRST);
    wait_for(&own, 1.0);
    let used = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'scrim_grants'";
    assert_eq!(store.run(used).trim(), "t");
    // The authority of the desk's own certificates has not signed this one.
    let file = own.desk.folder().join("other.yaml");
    let configuration = std::fs::read_to_string(own.desk.configuration()).expect("configuration");
    let (before, _) = configuration.split_once("grants:").expect("grants");
    std::fs::write(&file, format!("{before}{}", checked(&own.desk.authority()))).expect("a file");
    let (is_done, told) = run(&file, &["grant", "list"]);
    assert!(!is_done && told.contains("TLS with the database failed"), "{told}");
}
