//! Regular expressions that the rules let in: PostgreSQL takes every one of them, and none fails while it runs.

use scrim::rules::{NoEnvironment, load};
use scrim::text::Sources;

use crate::harness::connect_direct;

const SEED: u64 = 20_261_125;
/// Texts that are tried, of which about one in four is an expression.
const TRIED: usize = 6000;
const ACCEPTED_MIN: usize = 600;

/// What random expressions are made of.
const PIECES: &[&str] = &[
    "a",
    "b",
    "0",
    "-",
    "^",
    "$",
    ".",
    "|",
    "(",
    ")",
    "(?:",
    "(?=",
    "(?!",
    "(?<=",
    "(?<!",
    "[",
    "]",
    "[^",
    "[a-z]",
    "[0-9]",
    "[]a]",
    "[[:alpha:]]",
    "*",
    "+",
    "?",
    "{2}",
    "{1,3}",
    "{0,}",
    "{",
    "}",
    "\\d",
    "\\w",
    "\\s",
    "\\D",
    "\\m",
    "\\M",
    "\\y",
    "\\A",
    "\\Z",
    "\\.",
    "\\\\",
    "\\-",
    "\\u00e9",
    "\\1",
    "\\x41",
    "(?i)",
    "김",
    "-z]",
    "a-",
    ":",
    "=",
];

fn is_let_in(pattern: &str) -> bool {
    let pattern = serde_json::to_string(pattern).expect("JSON");
    let mut sources = Sources::default();
    let rules = format!("roles: {{r: {{masks: {{a: {{replace: {pattern}, with: x}}}}}}}}");
    sources.add("rules.yaml", rules);
    load(sources, &NoEnvironment).is_ok()
}

#[test]
fn what_the_rules_let_in_runs() {
    let mut connection = connect_direct("scrim");
    let mut state = SEED;
    let mut next = |below: usize| {
        // SplitMix64, as beside.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % below
    };
    let mut accepted = 0;
    for _ in 0..TRIED {
        let pattern: String = (0..=next(7)).map(|_| PIECES[next(PIECES.len())]).collect();
        if !is_let_in(&pattern) {
            continue;
        }
        accepted += 1;
        let quoted = pattern.replace('\\', "\\\\").replace('\'', "''");
        let answers = connection.simple(&format!(
            "SELECT pg_catalog.regexp_replace(t, E'{quoted}', 'x', 'g') FROM (VALUES (''), ('ab 0-김'), \
             (repeat('ab', 500))) AS v(t)"
        ));
        let error = answers.iter().find_map(|answer| answer.error.as_ref());
        assert!(error.is_none(), "seed {SEED}: {pattern}: {error:?}");
    }
    assert!(accepted >= ACCEPTED_MIN, "only {accepted} were let in");
}
