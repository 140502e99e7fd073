//! Hundreds of clients of mixed roles and habits for a long time: nobody gets what is not theirs, nothing piles up.
//!
//! `cargo xtask soak` runs it for half an hour and says what it measured. Among the other tests it is a short one.

mod member;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness;
use crate::harness::client::Client;
use crate::harness::own::Own;
use member::{Expected, Member, QUERIES};

/// Of the environment: how long, and how many.
const SECONDS: (&str, u64) = ("SCRIM_SOAK_SECONDS", 4);
const CLIENTS: (&str, u64) = ("SCRIM_SOAK_CLIENTS", 20);
/// One masked in four ways, one who sees everything.
const USERS: [&str; 5] = ["alice", "ana", "aria", "otto", "dba"];
/// Of all clients together, where the machine can: each waits long enough between two of its own.
const ACTIONS_PER_SECOND: u64 = 60;
/// They come one after the other.
const ENTRANCE: Duration = Duration::from_millis(30);
const STACK_BYTES: usize = 256 * 1024;
/// What Scrim may hold more at the end than when everybody had been there for a while, in MB, for what chance brings.
const GROWTH_MB: u64 = 32;

/// What all members know.
pub struct Soak {
    pub own: Own,
    /// The answers to [`QUERIES`] of each user.
    pub expected: BTreeMap<&'static str, Expected>,
    pub until: Instant,
    /// Between two actions, on average.
    pub pause: Duration,
    /// Somebody has found something.
    pub is_over: AtomicBool,
    /// How often each thing was done.
    pub done: Mutex<BTreeMap<&'static str, u64>>,
}

impl Soak {
    pub fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed) && Instant::now() < self.until
    }
}

#[derive(Debug, Clone, Copy)]
struct Figures {
    memory_mb: u64,
    descriptors: usize,
    /// Server connections of Scrim.
    connections: u64,
}

fn number((name, otherwise): (&str, u64)) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

fn figures(own: &Own) -> Figures {
    let pid = own.scrim.as_ref().and_then(|scrim| scrim.pid()).expect("a process");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    let kb: u64 = line.trim().trim_end_matches(" kB").parse().expect("kB");
    let count = "SELECT count(*) FROM pg_stat_activity \
                 WHERE backend_type = 'client backend' AND usename <> current_user";
    let connections = own.desk.server().run("desk", count).expect("activity");
    Figures {
        memory_mb: kb / 1024,
        descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its files").count(),
        connections: connections.trim().parse().expect("a count"),
    }
}

#[test]
fn nobody_gets_what_is_not_theirs_and_nothing_piles_up() {
    let (seconds, clients) = (number(SECONDS), number(CLIENTS));
    let own = Own::open("pool: {size: 20, min_size: 0, idle_seconds: 3, wait_seconds: 60}\n");
    let expected = USERS.map(|user| (user, Expected::of(&own, user))).into();
    own.wait("its own connections", || figures(&own).connections <= 1);
    let before = figures(&own);
    let entrance = ENTRANCE * u32::try_from(clients).expect("a number of clients");
    let began = Instant::now();
    let soak = Soak {
        own,
        expected,
        until: began + entrance + Duration::from_secs(seconds),
        pause: Duration::from_millis(clients * 1000 / ACTIONS_PER_SECOND),
        is_over: AtomicBool::new(false),
        done: Mutex::default(),
    };
    let found = Mutex::new(Vec::new());
    let settled = std::thread::scope(|scope| {
        for number in 0..clients {
            let (soak, found) = (&soak, &found);
            let user = USERS[number as usize % USERS.len()];
            let member = move || {
                std::thread::sleep(ENTRANCE * number as u32);
                let live = AssertUnwindSafe(|| Member::new(soak, number, user).live());
                if let Err(panic) = catch_unwind(live) {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
                    let text = format!("client {number}, {user}: {}", text.unwrap_or("?"));
                    soak.is_over.store(true, Ordering::Relaxed);
                    found.lock().expect("findings").push(text);
                }
            };
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, member).expect("a thread");
        }
        watch(&soak, began, entrance, Duration::from_secs(seconds))
    });
    let found = found.into_inner().expect("findings");
    assert!(found.is_empty(), "{found:#?}\n{}", soak.own.said());
    let (settled, last) = settled.expect("figures");
    soak.own.wait("its own connections", || figures(&soak.own).connections <= 1);
    let sessions = |own: &Own| {
        let (_, text) = own.get("/metrics");
        let lines = text.lines().filter(|line| line.starts_with("scrim_sessions{"));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
    };
    soak.own.wait("no session", || sessions(&soak.own) == 0.0);
    soak.own.wait("its own files", || figures(&soak.own).descriptors <= before.descriptors);
    let after = figures(&soak.own);
    let done = soak.done.into_inner().expect("counts");
    harness::say(&format!(
        "soak: {clients} clients, {seconds} s; {} actions: {done:?}; statements {}, refused {}",
        done.values().sum::<u64>(),
        soak.own.figure("scrim_statements_total{verdict=\"forward\"}")
            + soak.own.figure("scrim_statements_total{verdict=\"rewrite\"}"),
        soak.own.figure("scrim_statements_total{verdict=\"refuse\"}"),
    ));
    for (when, figures) in
        [("before", before), ("settled", settled), ("at the end", last), ("after", after)]
    {
        harness::say(&format!("soak: {when}: {figures:?}"));
    }
    assert_eq!(soak.own.figure("scrim_guard_alarms_total"), 0.0);
    assert!(!soak.own.said().contains("panicked"), "{}", soak.own.said());
    let most = settled.memory_mb + settled.memory_mb / 4 + GROWTH_MB;
    assert!(last.memory_mb <= most, "from {settled:?} to {last:?}");
}

/// Figures when everybody has been there for a tenth of the time, and at the end; `None`: it ended early.
fn watch(
    soak: &Soak,
    began: Instant,
    entrance: Duration,
    time: Duration,
) -> Option<(Figures, Figures)> {
    let until = |when: Duration| {
        let mut said = Instant::now();
        while began.elapsed() < when && soak.goes_on() {
            std::thread::sleep(Duration::from_millis(50));
            if said.elapsed() > Duration::from_secs(60) {
                said = Instant::now();
                let now = began.elapsed().as_secs();
                harness::say(&format!("soak: {now} s: {:?}", figures(&soak.own)));
            }
        }
    };
    until(entrance + time / 10);
    let settled = figures(&soak.own);
    until((entrance + time).saturating_sub(Duration::from_millis(500)));
    let last = figures(&soak.own);
    (!soak.is_over.load(Ordering::Relaxed)).then_some((settled, last))
}

impl Expected {
    /// As the user alone gets them; what the untouched one gets, PostgreSQL gives.
    fn of(own: &Own, user: &'static str) -> Expected {
        let server = own.desk.server();
        let mut client = match user {
            "dba" => {
                Client::connect_unix(server.socket_folder(), server.port(), "postgres", "desk")
            }
            _ => own.connect(user),
        };
        Expected::ask(&mut client, &QUERIES)
    }
}
