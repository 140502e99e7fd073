//! Two desks that look the same to a role, each with a Scrim of its own in front.
//!
//! Every value that a role does not see is another one in the look-alike, by `lookalikes/change.sql`; what masks show of it
//! is the same, objects have the same numbers, rows lie in the same places. So whatever answers otherwise on the two has
//! told something that the role should not know: past Scrim that proves an attack, through Scrim it proves a leak.
//!
//! Beside the tables lies loot of the server's own (`lookalikes/loot.sql`), and a neighbour is logged in.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use scrim::demo::{
    DATABASE, Desk, PostgresOptions, RunningScrim, SAMPLE_PSEUDONYM_KEY, sample_password,
};
use scrim::mask::key_settings;

use crate::harness::client::Client;
use crate::harness::{stated_by, user_of};

const CHANGE: &str = include_str!("lookalikes/change.sql");
const LOOT: &str = include_str!("lookalikes/loot.sql");

/// Roles that have a look-alike of their own: their row filters or keyed masks leave other things free.
/// All others share that of `support`.
const OWN: [&str; 3] = ["analyst", "agent", "researcher"];

/// Databases in which what a role does not see, whole rows among it, is not there.
const BARE: [(&str, &str); 3] = [
    ("bare", "DROP TABLE public.staff CASCADE"),
    (
        "bare_analyst",
        "DROP TABLE public.staff CASCADE; ALTER TABLE public.customers DROP COLUMN rrn CASCADE;
         SET session_replication_role = replica;
         DELETE FROM public.customers WHERE NOT marketing_consent;
         DELETE FROM public.payments WHERE paid_on >= '2026-06-01'",
    ),
    (
        "bare_agent",
        "DROP TABLE public.staff CASCADE; SET session_replication_role = replica;
         DELETE FROM public.customers WHERE region = 'overseas'",
    ),
];

/// The name of the database in which what is hidden from the role is not there.
pub fn bare(role: &str) -> &'static str {
    match role {
        "analyst" => "bare_analyst",
        "agent" => "bare_agent",
        // It does not have the column either.
        "clerk for question" => "bare_analyst",
        _ => "bare",
    }
}

/// A desk and its Scrim. The desk goes last: its server waits for who streams the write-ahead log.
pub struct World {
    /// Logged in as somebody else while the attack runs.
    neighbours: Mutex<Vec<Client>>,
    scrim: RunningScrim,
    /// In what the server itself keeps secret.
    word: &'static str,
    desk: Desk,
}

/// The sample as it is.
pub fn original() -> Arc<World> {
    world("original", "support")
}

/// What looks the same to the role.
pub fn lookalike(role: &str) -> Arc<World> {
    world("other", OWN.into_iter().find(|own| *own == role).unwrap_or("support"))
}

type Worlds = BTreeMap<(&'static str, &'static str), Arc<OnceLock<Arc<World>>>>;
static WORLDS: OnceLock<Mutex<Worlds>> = OnceLock::new();

/// Held by a test that uses the worlds: what attacks have changed in them is gone with it.
pub struct Alone(#[expect(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

/// Waits until no other test uses the worlds.
pub fn alone() -> Alone {
    static HELD: Mutex<()> = Mutex::new(());
    // A test that failed has left nothing behind either.
    Alone(HELD.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(worlds) = WORLDS.get() {
            worlds.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

fn world(side: &'static str, role: &'static str) -> Arc<World> {
    let mut worlds = WORLDS.get_or_init(Mutex::default).lock().expect("no panic holds it");
    let cell = Arc::clone(worlds.entry((side, role)).or_default());
    drop(worlds);
    Arc::clone(cell.get_or_init(|| Arc::new(World::build(side, role))))
}

impl World {
    fn build(side: &'static str, role: &'static str) -> World {
        let settings = [("wal_level", "logical"), ("max_wal_senders", "4"), ("autovacuum", "off")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = PostgresOptions { settings: settings.into(), ..PostgresOptions::default() };
        let desk =
            Desk::open_with("127.0.0.1:0", &options).unwrap_or_else(|error| panic!("{error}"));
        let run = |database: &str, sql: &str| {
            desk.server()
                .run(database, sql)
                .unwrap_or_else(|error| panic!("{side} {role}: {error}"))
        };
        run(DATABASE, &format!("SET look.side = '{side}'; SET look.role = '{role}';\n{CHANGE}"));
        for (name, hidden) in BARE {
            run("postgres", &format!("CREATE DATABASE {name} TEMPLATE {DATABASE}"));
            run(name, hidden);
        }
        let (word, salt) = match side {
            "original" => ("qzx", "qzxqzxqzxqzxqzxqzxqzxg=="),
            _ => ("jac", "2GLudgff1e6CjOkywaCOcw=="),
        };
        run(DATABASE, &LOOT.replace("%WORD%", word).replace("%SALT%", salt));
        write_files(desk.server().socket_folder(), word);
        let scrim = RunningScrim::start(Path::new(env!("CARGO_BIN_EXE_scrim")), &desk);
        let scrim = scrim.unwrap_or_else(|error| panic!("{error}"));
        let world = World { desk, scrim, word, neighbours: Mutex::default() };
        *world.neighbours.lock().expect("nobody has it") = world.neighbours();
        world
    }

    /// One with a statement of its own, one that streams the write-ahead log.
    fn neighbours(&self) -> Vec<Client> {
        let mut speaker = self.log_in("scrim", DATABASE, &[("application_name", "neighbour")]);
        // By the lock one sees that they are still there.
        speaker.simple("SELECT pg_advisory_lock(42)");
        speaker.simple(&self.question());
        let standby = format!("standby {}", self.word);
        let options = [("application_name", standby.as_str()), ("replication", "database")];
        vec![speaker, self.log_in("postgres", DATABASE, &options)]
    }

    /// Past Scrim, with the key that Scrim would bring.
    pub fn direct(&self, login: &str, database: &str) -> Client {
        let key = key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes());
        let key = key.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.log_in(login, database, &key)
    }

    fn log_in(&self, login: &str, database: &str, options: &[(&str, &str)]) -> Client {
        let server = self.desk.server();
        Client::connect_unix_with(server.socket_folder(), server.port(), login, database, options)
    }

    /// Through Scrim, as the user who starts with the role.
    pub fn connect(&self, role: &str, options: &[(&str, &str)]) -> Client {
        assert!(!self.scrim.has_ended(), "Scrim has ended: {}", self.scrim.said());
        let user = user_of(role);
        let options = &[stated_by(role).as_slice(), options].concat();
        Client::connect(self.scrim.address(), user, &sample_password(user), DATABASE, options)
            .unwrap_or_else(|error| panic!("login of {user}: {} {}", error.code, error.message))
    }

    /// A folder that the server may write to, and an attacker who has its rights.
    pub fn folder(&self) -> PathBuf {
        self.desk.server().socket_folder().to_owned()
    }

    /// Neighbours that were thrown out come back.
    pub fn revive_neighbours(&self) {
        let mut neighbours = self.neighbours.lock().expect("no panic holds it");
        let speaker = &mut neighbours[0];
        let ask = || speaker.simple(&self.question());
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).is_err() {
            *neighbours = self.neighbours();
        }
    }

    fn question(&self) -> String {
        format!("SELECT 'a neighbour asks, {}' WHERE false", self.word)
    }
}

/// What lies in the server's folders, and a line in files that the server shows by functions and views.
fn write_files(folder: &Path, word: &str) {
    let append = |name: &str, text: String| {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        file.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    append("data/postgresql.conf", format!("another.word = '{word}'\n"));
    append("data/pg_hba.conf", format!("host all visitor_{word} 10.0.0.1/32 reject\n"));
    append(&format!("data/notes-{word}"), format!("of the server, {word}\n"));
    append("secret.csv", format!("77\tof the server, {word}\n"));
}
