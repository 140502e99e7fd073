//! The drivers' own test suites as an untouched user: what passes against PostgreSQL passes through Scrim.
//!
//! `cargo xtask driver-suites` fetches them and runs this; it takes minutes, and the network.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use scrim::demo::sample_password;

use crate::harness;
use crate::harness::client::Client;
use crate::harness::own::Own;

/// The folder with the packages and a Python that has the drivers.
const FOLDER: &str = "SCRIM_DRIVER_SUITES";

struct Suite {
    /// In the index, and as it is installed.
    package: (&'static str, &'static str),
    /// Where the package has its tests. They run from a copy where the package's own sources stand beside them, which
    /// are not built.
    tests: &'static str,
    arguments: &'static [&'static str],
    database: &'static str,
    /// How long those that always wait keep a connection, in seconds; less, where there are thousands of tests.
    kept: &'static str,
}

const SUITES: [Suite; 4] = [
    Suite {
        package: ("psycopg2", "psycopg2-binary"),
        tests: "tests",
        arguments: &["tests"],
        database: "psycopg2_test",
        kept: "0.02",
    },
    Suite {
        package: ("asyncpg", "asyncpg"),
        tests: "tests",
        arguments: &["tests", "--ignore=tests/test__sourcecode.py"],
        database: "postgres",
        kept: "0.02",
    },
    Suite {
        package: ("pg8000", "pg8000"),
        tests: "test",
        // The readme's tests connect to a server of their own choice.
        arguments: &["test", "--ignore=test/test_readme.py"],
        database: "postgres",
        kept: "0.02",
    },
    Suite {
        package: ("sqlalchemy", "SQLAlchemy"),
        tests: ".",
        arguments: &["-p", "no:warnings", "test/dialect/postgresql"],
        database: "test",
        kept: "0.001",
    },
];

/// What passes against PostgreSQL and cannot through Scrim: in which mode (empty: in both), a part of the test's name, and
/// why. docs/clients.md has the same for people.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "",
        "test_password_bytes",
        "logs in as a user that it makes in PostgreSQL; Scrim's users are those of the rules",
    ),
    ("", "testBytesPassword", "the same"),
    ("", "test_bytes_password", "the same"),
    (
        "",
        "test_introspection_sticks_for_ps",
        "drops a database that it has just left; the pool still has a connection there",
    ),
    ("", "test_type_cache_invalidation_in_pool", "the same"),
    ("transaction", "ConnectionInfo::test_backend_pid", LOGIN_PID),
    ("transaction", "AsyncTests::test_notify", LOGIN_PID),
    ("transaction", "NotifiesTests::test_many_notifies", LOGIN_PID),
    ("transaction", "NotifiesTests::test_notifies_received_on", LOGIN_PID),
    ("transaction", "NotifiesTests::test_notify_", LOGIN_PID),
    ("transaction", "TestListeners::test_listen_", LOGIN_PID),
    ("transaction", "test_connection.py::test_notify", LOGIN_PID),
    ("transaction", "test_broken_pipe_read", ASKED_PID),
    ("transaction", "test_broken_pipe_unpack", ASKED_PID),
    ("transaction", "test_external_close", ASKED_PID),
    ("transaction", "test_execute_script_interrupted_by_server", ASKED_PID),
    ("transaction", "test_pool_min_size_restored_after_idle_connection_loss", ASKED_PID),
    ("transaction", "test_commit_concurrency", WAITING),
    ("transaction", "test_pool_connection_methods", WAITING),
    ("transaction", "test_pool_config_persistence", WAITING),
    ("transaction", "test_pool_exception_in_setup_and_init", WAITING),
    ("transaction", "test_pool_release_after_background_cancel_timeout", WAITING),
    ("transaction", "test_command_timeout_01", WAITING),
    ("transaction", "test_close_has_one_timeout_budget", WAITING),
];

/// A session that has moved is another process than it was told at login, and so it stands in notifications of others.
const LOGIN_PID: &str = "compares the process id of the login with the server's";
/// By then it is somebody else's.
const ASKED_PID: &str = "asks for its process id, and ends the session there a little later";
/// Seconds, or a tenth of one, in which it must have come to its turn; or what one leaves behind that had not.
const WAITING: &str = "has a time limit that waiting for a connection uses up";

/// Connections in transaction mode: enough for what the suites keep, and too few for those that are there.
const SIZE: usize = 8;

/// Before the suites: their databases, and what they expect in them.
const PREPARATION: [(&str, &str); 4] = [
    ("postgres", "ALTER ROLE postgres PASSWORD '@'"),
    ("postgres", "CREATE DATABASE psycopg2_test"),
    ("postgres", "CREATE DATABASE test"),
    (
        "test",
        "CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2; CREATE EXTENSION hstore; CREATE EXTENSION citext",
    ),
];

#[test]
fn what_passes_past_scrim_passes_through_it() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return harness::say("skipped: `cargo xtask driver-suites` runs the suites of drivers");
    };
    let wanted = std::env::var("SCRIM_DRIVER_SUITE").ok();
    let wanted_mode = std::env::var("SCRIM_DRIVER_MODE").ok();
    let is_wanted = |wanted: &Option<String>, name| wanted.as_deref().is_none_or(|own| own == name);
    let mut lost = Vec::new();
    let mut past = BTreeMap::new();
    for mode in ["transaction", "session"] {
        if !is_wanted(&wanted_mode, mode) {
            continue;
        }
        let own = Own::open_changed(|desk, text| {
            let password = sample_password("dba");
            for (database, sql) in PREPARATION {
                let done = desk.server().run(database, &sql.replace('@', &password));
                done.unwrap_or_else(|error| panic!("{error}"));
            }
            // The suites want to be this user, who may everything.
            let users = desk.folder().join("masking-rules/50-users.yaml");
            let rules = std::fs::read_to_string(&users).expect("rules");
            std::fs::write(&users, rules.replace("\n  dba:", "\n  postgres:")).expect("rules");
            let login = format!("  user: postgres\n  password: {password}\n");
            let kept = |line: &&str| {
                !["  user:", "  password:", "  name:", "  certificate:", "  key:"]
                    .iter()
                    .any(|key| line.starts_with(key))
            };
            let text: String = text.lines().filter(kept).map(|line| format!("{line}\n")).collect();
            let text = text.replacen("database:\n", &format!("database:\n{login}"), 1);
            // The private PostgreSQL speaks no TLS, and the two shall be alike.
            let text = text.replacen("  mode: allow", "  mode: disable", 1);
            format!(
                "{text}pool: {{mode: {mode}, size: {}}}\n",
                if mode == "session" { 60 } else { SIZE }
            )
        });
        for suite in &SUITES {
            if is_wanted(&wanted, suite.package.0) {
                lost.extend(compare(&folder, suite, mode, &own, &mut past));
            }
        }
    }
    assert!(lost.is_empty(), "do not pass through Scrim: {lost:#?}");
}

/// Sessions beside the suite in transaction mode: there are always some that wait, so each time the suite's sessions are
/// idle they have to give their connections up.
struct Crowd {
    is_over: Arc<AtomicBool>,
    members: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn enter(own: &Own, suite: &Suite) -> Crowd {
        let (database, kept) = (suite.database, suite.kept);
        let is_over = Arc::new(AtomicBool::new(false));
        let member = |_| {
            let (address, is_over) = (own.address(), Arc::clone(&is_over));
            std::thread::spawn(move || {
                let password = sample_password("dba");
                // The suites end sessions by process ids, and may hit one of these: then another one comes.
                while !is_over.load(Ordering::Relaxed) {
                    let _ = catch_unwind(|| {
                        let mut client =
                            Client::connect(address, "postgres", &password, database, &[])
                                .unwrap_or_else(|error| panic!("{error:?}"));
                        while !is_over.load(Ordering::Relaxed) {
                            client.simple(&format!("SELECT pg_sleep({kept})"));
                        }
                    });
                }
            })
        };
        Crowd { members: (0..=SIZE).map(member).collect(), is_over }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for member in self.members.drain(..) {
            let _ = member.join();
        }
    }
}

/// What is lost, and is not known to be. `past`: what passes past Scrim, by the suite's name.
fn compare(
    folder: &Path,
    suite: &Suite,
    mode: &str,
    own: &Own,
    past: &mut BTreeMap<&'static str, BTreeSet<String>>,
) -> Vec<String> {
    let name = suite.package.0;
    let kept = |way: &str| folder.join(format!("{name}-{mode}-{way}.txt"));
    let direct = past.entry(name).or_insert_with(|| {
        let said = run(folder, suite, own.desk.server().port(), suite.arguments);
        passes(&said, &folder.join(format!("{name}-past-scrim.txt")))
    });
    let _crowd = (mode == "transaction").then(|| Crowd::enter(own, suite));
    let said = run(folder, suite, own.address().port(), suite.arguments);
    let through = passes(&said, &kept("through-scrim"));
    harness::say(&format!(
        "{name}, {mode} mode: {} tests pass against PostgreSQL, {} through Scrim",
        direct.len(),
        through.len()
    ));
    assert!(direct.len() > 100, "{name}: the suite does not run");
    let is_known = |test: &&String| {
        let mut known = DIFFERENT.iter().filter(|(when, _, _)| when.is_empty() || *when == mode);
        known.any(|(_, part, _)| test.contains(part))
    };
    let lost: BTreeSet<&String> = direct.difference(&through).collect();
    for test in lost.iter().filter(|test| is_known(test)) {
        harness::say(&format!("  known: {test}"));
    }
    let lost: Vec<_> = lost.into_iter().filter(|test| !is_known(test)).collect();
    // Some tests of the suites fail by chance: what passes when it is asked again was no difference.
    lost.into_iter()
        .filter(|test| {
            let said = run(folder, suite, own.address().port(), &[test]);
            !passes(&said, &kept("again")).contains(*test)
        })
        .map(|test| format!("{name}, {mode} mode: {test}"))
        .collect()
}

/// The tests that pass. What pytest said is kept beside the suites, for who looks why one does not.
fn passes(said: &str, kept: &Path) -> BTreeSet<String> {
    let _ = std::fs::write(kept, said);
    let passed = said.lines().filter_map(|line| line.strip_prefix("PASSED "));
    passed.map(|test| test.trim().to_owned()).collect()
}

/// What pytest says.
fn run(folder: &Path, suite: &Suite, port: u16, arguments: &[&str]) -> String {
    let password = sample_password("dba");
    let python = folder.join("venv/bin/python");
    let version =
        format!("import importlib.metadata as m; print(m.version('{}'))", suite.package.1);
    let version = Command::new(&python).args(["-c", &version]).output().expect("Python").stdout;
    let version = String::from_utf8_lossy(&version).trim().to_owned();
    let package = folder.join(format!("{}-{version}", suite.package.0));
    let place = match suite.tests {
        "." => package,
        tests => {
            let place = tempfile::tempdir_in(folder).expect("a folder").keep();
            let copied = Command::new("cp").arg("-r").arg(package.join(tests)).arg(&place).status();
            assert!(copied.is_ok_and(|status| status.success()), "{}", package.display());
            place
        }
    };
    let address =
        format!("postgresql+psycopg2://postgres:{password}@127.0.0.1:{port}/{}", suite.database);
    let mut command = Command::new(&python);
    command.args(["-m", "pytest", "-q", "-rA", "--timeout=60", "-p", "no:cacheprovider"]);
    if suite.package.0 == "sqlalchemy" {
        command.args(["--dburi", &address]);
    }
    let output = command
        .args(arguments)
        .current_dir(&place)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", password)
        .env("PGDATABASE", suite.database)
        .env("PSYCOPG2_TESTDB", suite.database)
        .output()
        .expect("pytest");
    if suite.tests != "." {
        let _ = std::fs::remove_dir_all(&place);
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}
