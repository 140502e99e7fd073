//! Texts put together from pieces of all cases and attacks: planned, and what is planned is run past Scrim.
//!
//! The oracle is the database itself: whatever text the planner lets through, its answer holds no mark. The pieces
//! are tokens, so that strings, quotes, comments and parentheses meet where nobody would write them.
//! `SCRIM_FUZZ_SECONDS` and `SCRIM_SEED` as in `random`.

use std::time::{Duration, Instant};

use crate::canary;
use crate::cases;
use crate::dice::Dice;
use crate::harness;
use crate::harness::client::Client;
use crate::harness::core::sent_if_allowed;

const ROLES: &[&str] = &["support", "analyst"];
const TEXTS: u64 = 2_000;
const SEED: u64 = 7;

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn no_spliced_text_brings_out_a_mark() {
    let texts: Vec<String> = cases::texts().into_iter().map(|(_, sql)| sql).collect();
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse().ok());
    let (seed, seconds): (u64, Option<u64>) =
        (number("SCRIM_SEED").unwrap_or(SEED), number("SCRIM_FUZZ_SECONDS"));
    let began = Instant::now();
    let mut direct = harness::connect_direct("scrim");
    direct.simple("SET statement_timeout = 1000");
    direct.take_received();
    let (mut allowed, mut answered, mut all) = (0, 0, 0);
    let mut wrong = Vec::new();
    for seed in seed.. {
        let done = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => all >= TEXTS,
        };
        if done {
            break;
        }
        all += 1;
        let mut dice = Dice::new(seed);
        let text = splice(&mut dice, &texts);
        let role = *dice.pick(ROLES);
        let Some(statements) = sent_if_allowed(role, &text) else { continue };
        allowed += 1;
        let (got, bytes) = run(&mut direct, &statements);
        answered += usize::from(got);
        let found = canary::find(&bytes);
        // What the text says itself comes back to it, in errors and as constants.
        if !found.is_empty() && canary::find(text.as_bytes()).is_empty() {
            wrong.push(format!("seed {seed}, role `{role}`: {found:?}\n```sql\n{text}\n```"));
        }
    }
    println!("{all} texts, {allowed} allowed, {answered} with an answer");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(allowed * 50 > all, "{allowed} of {all} texts are allowed: the pieces fit too rarely");
}

/// Beginning of one text, end of another, and a token or two lost, doubled or moved.
fn splice(dice: &mut Dice, texts: &[String]) -> String {
    let (one, other): (&String, &String) = (dice.pick(texts), dice.pick(texts));
    let (one, other) = (pieces(one), pieces(other));
    let mut all = one.clone();
    if dice.one_in(2) && !other.is_empty() {
        all.truncate(dice.roll(one.len() + 1));
        all.extend_from_slice(&other[dice.roll(other.len())..]);
    }
    for _ in 0..dice.roll(4) {
        if all.is_empty() {
            break;
        }
        let (at, to) = (dice.roll(all.len()), dice.roll(all.len()));
        match dice.roll(4) {
            0 => drop(all.remove(at)),
            1 => all.insert(to, all[at].clone()),
            2 => all.swap(at, to),
            _ if !other.is_empty() => all[at] = other[dice.roll(other.len())].clone(),
            _ => {}
        }
    }
    all.join(" ")
}

fn pieces(text: &str) -> Vec<String> {
    let Ok(scanned) = pg_query::scan(text) else { return vec![text.to_owned()] };
    let piece = |start: i32, end: i32| text.get(start as usize..end as usize).map(str::to_owned);
    scanned.tokens.iter().filter_map(|token| piece(token.start, token.end)).collect()
}

/// Runs what was planned, in a transaction that is taken back. What a session may set is set back by that too.
fn run(direct: &mut Client, statements: &[String]) -> (bool, Vec<u8>) {
    direct.simple("BEGIN");
    direct.take_received();
    let mut got = false;
    for statement in statements {
        let answer = direct.extended(statement, false);
        got |= !answer.rows.is_empty();
        if answer.error.is_some() {
            break;
        }
    }
    let bytes = direct.take_received();
    direct.simple("ROLLBACK");
    direct.simple("DISCARD ALL");
    direct.simple("SET statement_timeout = 1000");
    direct.take_received();
    (got, bytes)
}
