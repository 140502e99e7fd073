//! Statements made by dice, held against the masked copy: corners that nobody thought of.
//!
//! The law is that Scrim's answer is the masked copy's. A fixed number of statements from fixed seeds runs in CI;
//! `cargo xtask fuzz-sql` goes on until it is stopped (`SCRIM_FUZZ_SECONDS`, `SCRIM_SEED`). What deviates is made
//! smaller while it still deviates, and printed as a case for tests/cases.
//!
//! So that the same question has one answer, nothing is asked whose answer is chance: no sums of floating point
//! numbers, no lists without an order, no LIMIT without one that tells all unlike rows apart, no clock.

mod from;
mod judge;
mod productions;
mod query;
mod schema;
mod statement;
mod tree;
mod writer;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::harness;
use crate::harness::client::Client;
use crate::masked_copy::{MaskedCopy, masked_copy};
use judge::{Verdict, judge};
use statement::Statement;

const ROLES: &[&str] = &["support", "analyst", "researcher", "auditor"];
const SEEDS: &[u64] = &[1, 2_026, 90_417, 0x5c71_3000];
/// For each role and seed.
const STATEMENTS: u64 = 40;
/// Of a hundred statements, so many must give rows, or the generator proves nothing.
const ROWS_PERCENT_MIN: usize = 50;
/// Of a hundred statements, so many may be refused.
const REFUSED_PERCENT_MAX: usize = 2;
/// Of a hundred statements, so many may fail on one side only, by the order of work.
const ONE_SIDED_PERCENT_MAX: usize = 3;
const SHRINK_ATTEMPTS: usize = 400;

#[derive(Default)]
struct Tally {
    all: usize,
    with_rows: usize,
    empty: usize,
    errors: usize,
    kinds: BTreeMap<String, usize>,
    order_of_work: usize,
    one_sided: usize,
    too_long: usize,
    refused: usize,
    reasons: BTreeMap<String, (usize, String)>,
    wrong: Vec<String>,
}

/// Both sides of one role.
struct Sides {
    role: &'static str,
    copy: std::sync::Arc<MaskedCopy>,
    direct: Client,
    scrim: Client,
    tables: Vec<schema::Table>,
}

impl Sides {
    fn open(role: &'static str) -> Sides {
        let copy = masked_copy(role);
        let (mut direct, mut scrim) = (copy.connect(), harness::connect(role, &[]));
        for client in [&mut direct, &mut scrim] {
            let answers = client.simple("SET statement_timeout = 4000");
            assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
        }
        let tables = schema::read(&mut scrim);
        Sides { role, copy, direct, scrim, tables }
    }

    fn judge(&mut self, statement: &Statement, query: &str) -> Verdict {
        let row_types = &self.copy.row_types;
        judge(statement, query, &mut self.direct, &mut self.scrim, row_types)
    }

    fn run(&mut self, seed: u64, tally: &mut Tally) {
        let statement = statement::write(Dice::new(seed), &self.tables);
        let query = statement.tree.to_string();
        tally.all += 1;
        match self.judge(&statement, &query) {
            Verdict::Same { rows: 0 } => tally.empty += 1,
            Verdict::Same { .. } => tally.with_rows += 1,
            Verdict::SameError(error) => {
                tally.errors += 1;
                *tally.kinds.entry(error).or_default() += 1;
            }
            Verdict::OrderOfWork { one_sided } => {
                tally.order_of_work += 1;
                tally.one_sided += usize::from(one_sided);
            }
            Verdict::TooLong => tally.too_long += 1,
            Verdict::Refused(why) => {
                tally.refused += 1;
                let entry = tally.reasons.entry(why).or_insert((0, String::new()));
                entry.0 += 1;
                if entry.1.is_empty() || query.len() < entry.1.len() {
                    entry.1 = query;
                }
            }
            Verdict::Wrong(_) => tally.wrong.push(self.shrunk(seed, &statement)),
        }
    }

    /// The smallest statement that still deviates, as a case.
    fn shrunk(&mut self, seed: u64, statement: &Statement) -> String {
        // Leaving things out makes errors of grammar, about which two sides may say different things: what the copy
        // says must stay of its kind.
        let whole = statement.tree.to_string();
        let before = judge::kind(statement, &whole, &mut self.direct);
        let small = tree::shrink(statement.tree.clone(), SHRINK_ATTEMPTS, |query| {
            judge::kind(statement, query, &mut self.direct) == before
                && matches!(self.judge(statement, query), Verdict::Wrong(_))
        });
        let query = small.to_string();
        let why = match self.judge(statement, &query) {
            Verdict::Wrong(why) => why,
            other => format!("only now and then; at last {other:?}"),
        };
        let sql = statement.texts(&query).join(";\n");
        let (shape, form, role) = (statement.shape, statement.form, self.role);
        let risky = if statement.risky { ", risky" } else { "" };
        format!(
            "seed {seed}, role `{role}`, {shape:?}, {form:?}{risky}: {why}\n\n## Seed {seed}\n\nrole `{role}`\n\n```sql\n{sql}\n```\n"
        )
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn random_statements_follow_the_law() {
    let mut tally = Tally::default();
    let mut sides: Vec<Sides> = ROLES.iter().map(|role| Sides::open(role)).collect();
    match number("SCRIM_FUZZ_SECONDS") {
        None => {
            for seed in SEEDS {
                for index in 0..STATEMENTS {
                    for side in &mut sides {
                        side.run(seed.wrapping_mul(1 << 20).wrapping_add(index), &mut tally);
                    }
                }
            }
        }
        Some(seconds) => {
            let mut seed = number("SCRIM_SEED").unwrap_or(1);
            println!("from seed {seed} for {seconds} seconds");
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(seconds) && tally.wrong.len() < 20 {
                for side in &mut sides {
                    side.run(seed, &mut tally);
                }
                seed += 1;
            }
            println!("up to seed {seed}");
        }
    }
    println!("{}", tally.report());
    assert!(tally.wrong.is_empty(), "{} deviate:\n{}", tally.wrong.len(), tally.wrong.join("\n"));
    let percent = |part: usize| part * 100 / tally.all.max(1);
    assert!(percent(tally.with_rows) >= ROWS_PERCENT_MIN, "{}", tally.report());
    assert!(percent(tally.refused) <= REFUSED_PERCENT_MAX, "{}", tally.report());
    assert!(percent(tally.one_sided) <= ONE_SIDED_PERCENT_MAX, "{}", tally.report());
}

impl Tally {
    fn report(&self) -> String {
        let mut lines = vec![format!(
            "{} statements: {} with rows, {} without, {} errors on both sides, {} errors by the order of work ({} on \
             one side), {} too long, {} refused, {} wrong",
            self.all,
            self.with_rows,
            self.empty,
            self.errors,
            self.order_of_work,
            self.one_sided,
            self.too_long,
            self.refused,
            self.wrong.len()
        )];
        for (why, (count, sample)) in &self.reasons {
            lines.push(format!("  {count} refused: {why}\n      {sample}"));
        }
        lines.extend(self.kinds.iter().map(|(error, count)| format!("  {count} times {error}")));
        lines.join("\n")
    }
}
