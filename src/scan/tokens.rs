//! A column's name in words: `custEMail2` is cust, e, mail, 2.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::words::{FILLERS, NEUTRAL, PATTERNS, PEOPLE};

/// What stands together in many names without anything between it.
fn vocabulary() -> &'static HashSet<&'static str> {
    static WORDS: OnceLock<HashSet<&'static str>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let patterns = PATTERNS.iter().flat_map(|(_, _, patterns)| patterns.split(','));
        let words = patterns.flat_map(str::split_ascii_whitespace);
        let words = words.filter(|word| !word.starts_with('@'));
        let lists = [FILLERS, NEUTRAL, PEOPLE];
        words.chain(lists.iter().flat_map(|list| list.split_ascii_whitespace())).collect()
    })
}

/// True for a word that stands in Scrim's own lists: it may be printed, wherever it was found.
pub(super) fn is_known(word: &str) -> bool {
    vocabulary().contains(word)
}

/// Small letters; Hangul and other letters in words of their own; words that are written together are parted.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = Class::Other;
    let letters: Vec<char> = name.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let class = Class::of(*letter);
        let next_is_small =
            letters.get(index.saturating_add(1)).is_some_and(|c| Class::of(*c) == Class::Small);
        let begins = match (before, class) {
            (_, Class::Other) => true,
            (Class::Small | Class::Digit, Class::Capital) => true,
            // `HTTPHeader`: the last capital belongs to what follows.
            (Class::Capital, Class::Capital) => next_is_small,
            (Class::Capital, Class::Small) => false,
            (before, class) => before != class,
        };
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if class != Class::Other {
            word.push(letter.to_ascii_lowercase());
        }
        before = class;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.iter().flat_map(|word| parted(word)).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Small,
    Capital,
    Digit,
    Hangul,
    Letter,
    Other,
}

impl Class {
    fn of(letter: char) -> Class {
        match letter {
            'a'..='z' => Class::Small,
            'A'..='Z' => Class::Capital,
            '0'..='9' => Class::Digit,
            '가'..='힣' => Class::Hangul,
            letter if letter.is_alphabetic() => Class::Letter,
            _ => Class::Other,
        }
    }
}

/// `firstname` → first, name: where a word is unknown and all of it is known words, the fewest of them.
fn parted(word: &str) -> Vec<String> {
    let known = vocabulary();
    let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase());
    if known.contains(word) || !is_plain || word.len() > 40 {
        return vec![word.to_owned()];
    }
    // The fewest words up to each place, and where the last of them begins.
    let mut best: Vec<Option<(usize, usize)>> = vec![None; word.len().saturating_add(1)];
    if let Some(first) = best.first_mut() {
        *first = Some((0, 0));
    }
    for end in 1..=word.len() {
        for start in 0..end {
            let Some((count, _)) = best.get(start).copied().flatten() else { continue };
            let Some(part) = word.get(start..end) else { continue };
            let short = matches!(part, "no" | "nm" | "ip" | "id" | "cd" | "yn" | "pw" | "hp");
            if (part.len() < 3 && !short) || !known.contains(part) {
                continue;
            }
            let better = best
                .get(end)
                .copied()
                .flatten()
                .is_none_or(|(other, _)| count.saturating_add(1) < other);
            if better && let Some(place) = best.get_mut(end) {
                *place = Some((count.saturating_add(1), start));
            }
        }
    }
    let mut parts = Vec::new();
    let mut end = word.len();
    while end > 0 {
        let Some((_, start)) = best.get(end).copied().flatten() else {
            return vec![word.to_owned()];
        };
        parts.extend(word.get(start..end).map(str::to_owned));
        end = start;
    }
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn names_in_words() {
        let parted = |name: &str| words(name).join(" ");
        assert_eq!(parted("cust_nm"), "cust nm");
        assert_eq!(parted("firstName"), "first name");
        assert_eq!(parted("HTTPHeader2"), "http header 2");
        assert_eq!(parted("customeremail2"), "customer email 2");
        assert_eq!(parted("고객email"), "고객 email");
        assert_eq!(parted("E-Mail"), "e mail");
        assert_eq!(parted("quixotic"), "quixotic");
        assert_eq!(parted(""), "");
    }
}
