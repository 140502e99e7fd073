//! Texts planned for a role, and what would be sent judged by the oracle. No server runs but to read the catalog once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::desk::{self, Desk, planned};
use crate::oracle::{Verdict, judge};
use crate::splice;

static PLANNED: AtomicU64 = AtomicU64::new(0);
static TOO_DEEP: AtomicU64 = AtomicU64::new(0);
static ALL: AtomicU64 = AtomicU64::new(0);

/// So many inputs between two lines about how many are of any use.
const REPORTED_EVERY: u64 = 1 << 12;

fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    // The server ends when its catalog has been read.
    DESK.get_or_init(|| Desk::of(&desk::start(&[])))
}

/// One input; panics with what was found.
pub fn run(data: &[u8]) {
    let Some((role, path, text)) = splice::chosen(data) else { return };
    let (seen, path) = desk().choose(role, path);
    report();
    let Ok(plan) = planned(seen, path, &text) else { return };
    PLANNED.fetch_add(1, Ordering::Relaxed);
    let probes = plan.statements.iter().filter_map(|statement| statement.probe.as_ref());
    let sent = plan.statements.iter().map(|statement| &statement.sql).chain(probes);
    for sql in sent {
        match judge(sql.as_str(), seen) {
            Verdict::Good => {}
            Verdict::TooDeep => {
                TOO_DEEP.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::Found(found) => {
                panic!("role {}: {found}\n-- written\n{text}\n-- sent\n{}", seen.name, sql.as_str())
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "libFuzzer speaks there too")]
fn report() {
    let all = ALL.fetch_add(1, Ordering::Relaxed);
    if all > 0 && all.is_multiple_of(REPORTED_EVERY) {
        let planned = PLANNED.load(Ordering::Relaxed);
        let too_deep = TOO_DEEP.load(Ordering::Relaxed);
        eprintln!("{all} texts, {planned} planned, {too_deep} too deep to be looked at");
    }
}
