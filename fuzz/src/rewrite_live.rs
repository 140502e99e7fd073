//! Texts planned for a role, and what would be sent run by a login that may read nothing that is protected.
//!
//! What writes is not run: its target is a relation and not a template. [`crate::rewrite`] looks at that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use crate::canary;
use crate::desk::planned;
use crate::live::{Answer, Live};
use crate::splice;

static ALL: AtomicU64 = AtomicU64::new(0);
static RUN: AtomicU64 = AtomicU64::new(0);
static WITH_ROWS: AtomicU64 = AtomicU64::new(0);

/// So many inputs between two lines about how many are of any use.
const REPORTED_EVERY: u64 = 1 << 12;

fn live() -> &'static Mutex<Live> {
    static LIVE: OnceLock<Mutex<Live>> = OnceLock::new();
    LIVE.get_or_init(|| Mutex::new(Live::start()))
}

/// One input; panics with what was found.
pub fn run(data: &[u8]) {
    let Some((role, path, text)) = splice::chosen(data) else { return };
    let mut live = live().lock().expect("nothing panics while it holds it");
    report();
    let (seen, path) = live.desk.choose(role, path);
    let Ok(plan) = planned(seen, path, &text) else { return };
    let name = seen.name;
    let all = &plan.statements;
    if all.is_empty() || all.iter().any(|statement| !statement.writes.is_empty()) {
        return;
    }
    let statements: Vec<&str> = all.iter().map(|statement| statement.sql.as_str()).collect();
    // LOCK names the relation itself, reads nothing, and needs rights all the same.
    let is_left_out = |sql: &&&str| {
        sql.starts_with("LOCK ") || sql.to_ascii_lowercase().contains("statement_timeout")
    };
    if statements.iter().any(|sql| is_left_out(&sql)) {
        return;
    }
    RUN.fetch_add(1, Ordering::Relaxed);
    match live.run(role, &statements) {
        Answer::Harmless { rows } => {
            WITH_ROWS.fetch_add(u64::from(rows), Ordering::Relaxed);
        }
        // What the text says itself comes back to it, in errors and as constants.
        Answer::Found(found) if found.starts_with('[') && says_a_mark(&text, &statements) => {
            let _ = found;
        }
        Answer::Found(found) => {
            drop(live);
            panic!("role {name}: {found}\n-- written\n{text}\n-- sent\n{}", statements.join(";\n"));
        }
    }
}

fn says_a_mark(text: &str, statements: &[&str]) -> bool {
    // Numbers that are written together come out as one.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    !canary::find(text.as_bytes()).is_empty()
        || !canary::find(digits.as_bytes()).is_empty()
        || statements.iter().any(|sql| !canary::find(sql.as_bytes()).is_empty())
}

#[expect(clippy::print_stderr, reason = "libFuzzer speaks there too")]
fn report() {
    let all = ALL.fetch_add(1, Ordering::Relaxed);
    if all > 0 && all.is_multiple_of(REPORTED_EVERY) {
        let (run, rows) = (RUN.load(Ordering::Relaxed), WITH_ROWS.load(Ordering::Relaxed));
        eprintln!("{all} texts, {run} run, {rows} with rows");
    }
}
