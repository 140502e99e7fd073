//! Every page through every target of texts, and texts spliced of them, as far as the dice go.
//!
//! libFuzzer goes further, since it sees which text reached something new; this runs everywhere, in every CI.
//! `SCRIM_FUZZ_SECONDS` and `SCRIM_SEED` let it go on elsewhere.

use std::ops::Range;
use std::time::{Duration, Instant};

use scrim_fuzz::dice::Dice;
use scrim_fuzz::{grammar_agree, pages, rewrite, rewrite_live, splice, travelling};

const TEXTS: u64 = 400;
const SEED: u64 = 7;
/// Of the targets.
const ROLES: usize = 6;

/// One role for each statement, where asking all of them would take too long.
fn one_role(at: usize) -> Range<usize> {
    at..at.saturating_add(1)
}

/// Two for each in turn; all of them where there is time.
fn some_roles(at: usize) -> Range<usize> {
    match number("SCRIM_FUZZ_SECONDS") {
        Some(_) => 0..ROLES,
        None => at..at.saturating_add(2),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Pages, then texts that are some steps away from one.
fn all_texts(run: fn(&[u8]), roles: fn(usize) -> Range<usize>) {
    let texts = pages::texts();
    assert!(texts.len() > 1_000, "{} statements on all pages", texts.len());
    for (at, text) in texts.iter().enumerate() {
        for role in roles(at) {
            run(&splice::input(role, 0, text));
        }
    }
    let seed = number("SCRIM_SEED").unwrap_or(SEED);
    let seconds = number("SCRIM_FUZZ_SECONDS");
    let began = Instant::now();
    for seed in seed.. {
        let done = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => seed >= SEED + TEXTS,
        };
        if done {
            break;
        }
        let mut dice = Dice::new(seed);
        let (role, path) = (dice.roll(6), if dice.one_in(4) { dice.roll(4) } else { 0 });
        let text: &String = dice.pick(texts);
        let mut input = splice::input(role, path, text);
        for _ in 0..=dice.roll(4) {
            input = splice::mutated(&mut dice, &input);
        }
        run(&input);
    }
}

#[test]
fn nothing_protected_is_read_outside_a_template() {
    all_texts(rewrite::run, some_roles);
}

#[test]
fn postgres_denies_nothing_that_is_sent() {
    all_texts(rewrite_live::run, one_role);
}

#[test]
fn masks_on_the_way_are_those_in_sql() {
    all_texts(travelling::run, one_role);
    assert!(
        travelling::proven() > 20,
        "{} statements had something to prove",
        travelling::proven()
    );
}

#[test]
fn canonical_text_is_canonical() {
    all_texts(grammar_agree::run, one_role);
}
