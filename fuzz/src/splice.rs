//! Texts mutated by tokens: parts of the pages' statements in the places of others.
//!
//! An input is a role's letter, a search_path's digit, and the text.

use std::sync::OnceLock;

use crate::dice::Dice;
use crate::pages;

/// Bytes in front of the text.
pub const HEAD_BYTES: usize = 2;

/// Letters that choose a role and digits that choose a search_path, in the range that [`chosen`] reads.
const ROLES: &[u8] = b"abcdef";
const PATHS: &[u8] = b"0123";

/// Role, search_path and text of an input: numbers to be taken modulo what there is.
pub fn chosen(data: &[u8]) -> Option<(usize, usize, String)> {
    let (head, text) = data.split_at_checked(HEAD_BYTES)?;
    let text = String::from_utf8_lossy(text).into_owned();
    Some((usize::from(head[0].wrapping_sub(b'a')), usize::from(head[1].wrapping_sub(b'0')), text))
}

/// An input for a text.
pub fn input(role: usize, path: usize, text: &str) -> Vec<u8> {
    let mut data = vec![ROLES[role % ROLES.len()], PATHS[path % PATHS.len()]];
    data.extend_from_slice(text.as_bytes());
    data
}

/// libFuzzer's custom mutator: three of four times by tokens, else its own.
#[cfg(fuzzing)]
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut dice = Dice::new(u64::from(seed));
    if size <= HEAD_BYTES || dice.one_in(4) {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let mutated = mutated(&mut dice, &data[..size]);
    let end = mutated.len().min(max_size).min(data.len());
    data[..end].copy_from_slice(&mutated[..end]);
    end
}

/// One step away from an input, by tokens.
pub fn mutated(dice: &mut Dice, data: &[u8]) -> Vec<u8> {
    let Some((_, _, text)) = chosen(data) else { return data.to_vec() };
    let mut head = [data[0], data[1]];
    if dice.one_in(8) {
        head = [*dice.pick(ROLES), *dice.pick(PATHS)];
    }
    let mut tokens = pieces(&text);
    for _ in 0..=dice.roll(3) {
        step(dice, &mut tokens);
    }
    let mut mutated = head.to_vec();
    mutated.extend_from_slice(tokens.join(" ").as_bytes());
    mutated
}

fn donors() -> &'static [Vec<String>] {
    static DONORS: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    DONORS.get_or_init(|| pages::texts().iter().map(|text| pieces(text)).collect())
}

fn step(dice: &mut Dice, tokens: &mut Vec<String>) {
    let donor = dice.pick(donors());
    if tokens.is_empty() || donor.is_empty() {
        tokens.extend_from_slice(donor);
        return;
    }
    let at = dice.roll(tokens.len());
    match dice.roll(9) {
        // What stands in parentheses for what stands in parentheses, or for a single token.
        0 | 1 => {
            let to = group(dice, tokens).unwrap_or(at..at + 1);
            let from = group(dice, donor).unwrap_or(0..donor.len());
            tokens.splice(to, donor[from].iter().cloned());
        }
        2 => {
            let from = dice.roll(donor.len());
            let to = (from + 1 + dice.roll(8)).min(donor.len());
            tokens.splice(at..at, donor[from..to].iter().cloned());
        }
        3 => tokens[at] = dice.pick(donor).clone(),
        4 => {
            let end = (at + 1 + dice.roll(4)).min(tokens.len());
            tokens.drain(at..end);
        }
        5 => {
            let other = dice.roll(tokens.len());
            tokens.swap(at, other);
        }
        // A statement where an expression or a relation stood.
        6 => {
            let mut whole = vec!["(".to_owned()];
            whole.extend(donor.iter().filter(|token| *token != ";").cloned());
            whole.push(")".to_owned());
            tokens.splice(at..at + 1, whole);
        }
        // One name for another, so that the shape stays.
        7 => {
            let names: Vec<usize> = (0..tokens.len()).filter(|i| is_name(&tokens[*i])).collect();
            let given: Vec<&String> = donor.iter().filter(|token| is_name(token)).collect();
            if !names.is_empty() && !given.is_empty() {
                let to = *dice.pick(&names);
                tokens[to] = (*dice.pick(&given)).clone();
            }
        }
        _ => {
            tokens.truncate(at);
            tokens.extend_from_slice(&donor[dice.roll(donor.len())..]);
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with('"') || token.chars().next().is_some_and(|c| c.is_ascii_lowercase())
}

/// The places of a group in parentheses, those among them.
fn group(dice: &mut Dice, tokens: &[String]) -> Option<std::ops::Range<usize>> {
    let starts: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at] == "(").collect();
    if starts.is_empty() {
        return None;
    }
    let start = *dice.pick(&starts);
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token.as_str() {
            "(" => depth += 1,
            ")" if depth == 1 => return Some(start..at + 1),
            ")" => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A text's tokens, as PostgreSQL's scanner sees them; words, where it sees none.
fn pieces(text: &str) -> Vec<String> {
    let words = || text.split_whitespace().map(str::to_owned).collect();
    if text.contains('\0') {
        return words();
    }
    let Ok(scanned) = pg_query::scan(text) else { return words() };
    let piece = |start: i32, end: i32| text.get(start as usize..end as usize).map(str::to_owned);
    scanned.tokens.iter().filter_map(|token| piece(token.start, token.end)).collect()
}
