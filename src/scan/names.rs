//! What a column's name says.

use super::kind::Kind;
use super::tokens::words;
use super::words::{HANGUL, NEUTRAL, PATTERNS, PEOPLE};

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Said {
    /// `None`: that it is of nobody.
    pub(super) kind: Option<Kind>,
    /// From 0 to 1.
    pub(super) strength: f32,
    /// The pattern, which is Scrim's own.
    pub(super) pattern: &'static str,
}

/// A whole word of a list.
fn has(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|each| each == word)
}

/// What the name of a column says; `None`: nothing.
pub(super) fn said_by_name(name: &str) -> Option<Said> {
    let words = words(name);
    said_by_words(&words).or_else(|| {
        let hangul: String = name.chars().filter(|c| ('가'..='힣').contains(c)).collect();
        said_by_hangul(&hangul)
    })
}

/// What a comment says, which people write for people: `고객 휴대폰번호 (암호화)`, `e-mail of the customer`.
pub(super) fn said_by_comment(comment: &str) -> Option<Said> {
    let before: &str = comment.split(['(', ',', ':', '/', '-', '[']).next().unwrap_or_default();
    let hangul: String = before.chars().filter(|c| ('가'..='힣').contains(c)).collect();
    if !hangul.is_empty() {
        return said_by_hangul(&hangul);
    }
    // A sentence speaks of other things too.
    let words = words(before);
    if words.len() > 4 { None } else { said_by_words(&words) }
}

/// True where a table is about people by its name.
pub(super) fn is_about_people(table: &str) -> bool {
    const HANGUL_PEOPLE: [&str; 10] =
        ["고객", "회원", "환자", "사원", "직원", "사용자", "학생", "인사", "신청인", "보호자"];
    let found = words(table);
    found.iter().any(|word| {
        has(PEOPLE, word)
            || HANGUL_PEOPLE.iter().any(|person| word.contains(person))
            || matches!(word.as_str(), "vendor" | "hr")
    })
}

fn said_by_words(words: &[String]) -> Option<Said> {
    let mut best: Option<(usize, Said)> = None;
    for (kind, strength, patterns) in PATTERNS {
        for pattern in patterns.split(',').map(str::trim) {
            let Some(length) = found(words, pattern) else { continue };
            let said = Said { kind: *kind, strength: *strength, pattern };
            let longer = best
                .as_ref()
                .is_none_or(|(other, than)| (length, said.strength) > (*other, than.strength));
            if longer {
                best = Some((length, said));
            }
        }
    }
    best.map(|(_, said)| said)
}

/// So many words of it stand in a row, with nothing behind them that makes it something else.
fn found(words: &[String], pattern: &str) -> Option<usize> {
    let pattern: Vec<&str> = pattern.split_ascii_whitespace().collect();
    let length = pattern.len();
    let ends = (length..=words.len()).rev().find(|end| {
        let start = end.saturating_sub(length);
        let part = words.get(start..*end).unwrap_or_default();
        let same = part.len() == length
            && part.iter().zip(&pattern).all(|(word, wanted)| match *wanted {
                "@person" => has(PEOPLE, word),
                wanted => word == wanted,
            });
        let rest = words.get(*end..).unwrap_or_default();
        same && rest.iter().all(|word| has(NEUTRAL, word))
    });
    ends.map(|_| length)
}

fn said_by_hangul(name: &str) -> Option<Said> {
    let mut best: Option<Said> = None;
    for (kind, strength, patterns) in HANGUL {
        for pattern in patterns.split(',').map(str::trim) {
            let longer = best.is_none_or(|than| pattern.len() > than.pattern.len());
            if longer && name.ends_with(pattern) {
                best = Some(Said { kind: *kind, strength: *strength, pattern });
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::{said_by_comment, said_by_name};
    use crate::scan::Kind;

    #[test]
    fn the_longest_pattern_decides() {
        let kind = |name: &str| said_by_name(name).and_then(|said| said.kind);
        assert_eq!(kind("ip_address"), Some(Kind::Ip));
        assert_eq!(kind("email_addr"), Some(Kind::Email));
        assert_eq!(kind("home_addr2"), Some(Kind::Address));
        assert_eq!(kind("cust_nm"), Some(Kind::PersonName));
        assert_eq!(kind("고객휴대폰번호"), Some(Kind::Phone));
        assert_eq!(kind("휴대폰번호여부"), None);
        for nobody in
            ["email_verified", "phone_type", "product_name", "상품명", "address_id", "quux"]
        {
            assert_eq!(kind(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn comments_speak_too() {
        let kind = |comment: &str| said_by_comment(comment).and_then(|said| said.kind);
        assert_eq!(kind("주민등록번호 (암호화)"), Some(Kind::NationalId));
        assert_eq!(kind("e-mail"), None);
        assert_eq!(kind("email address"), Some(Kind::Email));
    }
}
