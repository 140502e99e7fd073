//! What stands inside a text: the patterns of the mask `scrub`, and then the checks of whole values, which are stricter.
//!
//! So what is found here is what `scrub` would take out, less what it takes for caution's sake.

use std::ops::Range;
use std::sync::OnceLock;

use fancy_regex::Regex;

use super::{Sure, numbers, web};
use crate::mask::scrub_pattern;
use crate::rules::ScrubKind;

/// A search that went too far back and forth: what is in the text is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the search of a text was given up")]
pub struct GaveUp;

/// Where things of a kind stand in a text, in order, apart from each other.
///
/// # Errors
/// When the search is given up.
pub fn find(kind: ScrubKind, text: &str) -> Result<Vec<Range<usize>>, GaveUp> {
    let mut found = Vec::new();
    if !may_hold(kind, text) {
        return Ok(found);
    }
    for matched in pattern(kind).ok_or(GaveUp)?.find_iter(text) {
        let matched = matched.map_err(|_| GaveUp)?;
        let range = matched.range();
        match kind {
            ScrubKind::Card => {
                let cards = cards(matched.as_str()).into_iter();
                found.extend(cards.map(|card| range.start + card.start..range.start + card.end));
            }
            _ if is_one(kind, matched.as_str()) => found.push(range),
            _ => {}
        }
    }
    Ok(found)
}

fn pattern(kind: ScrubKind) -> Option<&'static Regex> {
    static PATTERNS: OnceLock<Vec<(ScrubKind, Regex)>> = OnceLock::new();
    let patterns = PATTERNS.get_or_init(|| {
        // One that does not compile finds nothing and says so; a test says that each does.
        let compiled = |kind| Some((kind, Regex::new(&scrub_pattern(kind)).ok()?));
        ScrubKind::ALL.into_iter().filter_map(compiled).collect()
    });
    patterns.iter().find_map(|(known, regex)| (*known == kind).then_some(regex))
}

/// False for most texts in which there is none: a search is dear.
fn may_hold(kind: ScrubKind, text: &str) -> bool {
    let digits = |least: usize| text.chars().filter(|c| c.is_numeric()).nth(least - 1).is_some();
    let holds = |word: &str| {
        let folded = |part: &[u8]| part.eq_ignore_ascii_case(word.as_bytes());
        text.as_bytes().windows(word.len()).any(folded)
    };
    match kind {
        ScrubKind::Email => text.contains(['@', '\u{ff20}']),
        ScrubKind::Url => text.contains("://") || holds("www."),
        ScrubKind::Ip => text.contains('.') && digits(4),
        ScrubKind::Password => !text.is_ascii() || holds("pass") || holds("pw") || holds("pin"),
        ScrubKind::Iban => digits(2),
        ScrubKind::Rrn => digits(7),
        ScrubKind::Phone => digits(8),
        ScrubKind::Ssn => digits(9),
        ScrubKind::Card => digits(13),
    }
}

/// The check of the whole value.
fn is_one(kind: ScrubKind, matched: &str) -> bool {
    let value = matched.trim_matches(|c: char| " .,;()".contains(c) && c != '(');
    match kind {
        ScrubKind::Password => true,
        ScrubKind::Ip => value.contains('.') && web::is_ip(value),
        ScrubKind::Email => web::is_email(value),
        ScrubKind::Url => web::is_url(value),
        ScrubKind::Iban => numbers::is_iban(value),
        ScrubKind::Rrn | ScrubKind::Ssn => numbers::national_id(value) == Some(Sure::Yes),
        ScrubKind::Phone => numbers::phone(value) == Some(Sure::Yes),
        ScrubKind::Card => numbers::card(value) == Some(Sure::Yes),
    }
}

/// The cards in a run of digits and what may stand between them, which may go on with another number behind a card's:
/// `4111 1111 1111 1111 12/27`. One begins and ends where a group of digits does.
fn cards(run: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (at, c) in run.char_indices().filter(|(_, c)| c.is_numeric()) {
        match groups.last_mut() {
            Some(last) if last.end == at => last.end = at + c.len_utf8(),
            _ => groups.push(at..at + c.len_utf8()),
        }
    }
    let mut cards = Vec::new();
    let mut first = 0;
    while let Some(start) = groups.get(first).map(|group| group.start) {
        let rest = groups.get(first..).unwrap_or_default();
        // The longest: what is left of a card is none of our business.
        let length = rest.iter().rposition(|last| {
            run.get(start..last.end).is_some_and(|part| is_one(ScrubKind::Card, part))
        });
        match length.and_then(|length| Some((length, rest.get(length)?.end))) {
            Some((length, end)) => {
                cards.push(start..end);
                first += length + 1;
            }
            None => first += 1,
        }
    }
    cards
}

#[cfg(test)]
mod tests {
    use super::{ScrubKind, find, pattern};

    #[test]
    fn every_pattern_of_scrub_compiles_here_too() {
        for kind in ScrubKind::ALL {
            assert!(pattern(kind).is_some(), "{}", kind.name());
        }
    }

    #[test]
    fn where_things_stand() {
        let found = |kind, text: &'static str| -> Vec<&str> {
            find(kind, text).unwrap().into_iter().map(|range| &text[range]).collect()
        };
        assert_eq!(
            found(ScrubKind::Email, "a@b.example, 김@c.example."),
            ["a@b.example", "김@c.example"]
        );
        assert_eq!(
            found(ScrubKind::Card, "4111 1111 1111 1111 12/27, 5500-0000-0000-0004"),
            ["4111 1111 1111 1111", "5500-0000-0000-0004"]
        );
        assert_eq!(found(ScrubKind::Card, "order 1234567890123"), [""; 0]);
        assert_eq!(found(ScrubKind::Rrn, "850312-1904175"), ["850312-1904175"]);
        assert_eq!(found(ScrubKind::Ssn, "SSN 536-22-1234"), ["536-22-1234"]);
        assert_eq!(
            found(ScrubKind::Iban, "DE89 3704 0044 0532 0130 00"),
            ["DE89 3704 0044 0532 0130 00"]
        );
        assert_eq!(found(ScrubKind::Iban, "DE88 3704 0044 0532 0130 00"), [""; 0]);
        assert_eq!(found(ScrubKind::Ip, "1.2.3 and 10.1.2.3"), ["10.1.2.3"]);
        assert_eq!(found(ScrubKind::Url, "see https://a.example/x now"), ["https://a.example/x"]);
        assert_eq!(found(ScrubKind::Phone, "call 010-1234-5678!"), ["010-1234-5678"]);
        assert_eq!(found(ScrubKind::Password, "pw: hunter22"), ["pw: hunter22"]);
        for kind in ScrubKind::ALL {
            assert_eq!(found(kind, "2026-11-28 12:30:11"), [""; 0], "{}", kind.name());
            assert_eq!(found(kind, ""), [""; 0], "{}", kind.name());
        }
    }
}
