//! Kinds of things that stand inside a text.

use super::people;
use crate::forms;
use crate::rules::ScrubKind;
use crate::scan::kind::Kind;

/// What is looked for, and as what it counts.
const KINDS: [(ScrubKind, Kind); 8] = [
    (ScrubKind::Email, Kind::Email),
    (ScrubKind::Rrn, Kind::NationalId),
    (ScrubKind::Ssn, Kind::NationalId),
    (ScrubKind::Iban, Kind::Iban),
    (ScrubKind::Card, Kind::Card),
    (ScrubKind::Phone, Kind::Phone),
    (ScrubKind::Ip, Kind::Ip),
    (ScrubKind::Password, Kind::Password),
];

/// Kinds that stand in a text, each once.
pub(in crate::scan) fn found(text: &str) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (scrub, kind) in KINDS {
        // A search that gives up has found nothing.
        if !kinds.contains(&kind) && forms::find(scrub, text).is_ok_and(|found| !found.is_empty()) {
            kinds.push(kind);
        }
    }
    if names_somebody(text) {
        kinds.push(Kind::PersonName);
    }
    kinds
}

/// `김철수 님`, `김철수 고객`, and `my name is`.
fn names_somebody(text: &str) -> bool {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || ",.()".contains(c)).collect();
    words.windows(2).any(|pair| match pair {
        [name, title] => {
            let titles = ["님", "씨", "고객님", "고객", "환자", "회원님", "회원"];
            titles.contains(title) && people::is_hangul_name(name) && name.chars().count() >= 3
        }
        _ => false,
    }) || text.contains("y name is ")
}

#[cfg(test)]
mod tests {
    use super::found;
    use crate::scan::kind::Kind;

    #[test]
    fn what_stands_in_texts() {
        assert_eq!(found("mail kim@example.com, please."), [Kind::Email]);
        assert_eq!(found("call 010-1234-5678 (after lunch)"), [Kind::Phone]);
        assert_eq!(found("주민번호 850312-1904175 확인"), [Kind::NationalId]);
        assert_eq!(found("card 4111 1111 1111 1111 was lost"), [Kind::Card]);
        assert_eq!(found("from 10.1.2.3 today"), [Kind::Ip]);
        assert_eq!(found("김철수 님 방문"), [Kind::PersonName]);
        assert_eq!(found("password: hunter22"), [Kind::Password]);
        for nothing in ["order 2026-11-28 12:30:11", "a soft cotton shirt", "version 1.2.3", ""] {
            assert_eq!(found(nothing), [], "{nothing}");
        }
    }
}
