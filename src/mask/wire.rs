//! Masks of text in Rust: what their SQL forms give, byte for byte, for values that pass by.
//!
//! Only masks that look at nothing but the value have such a form, and only where it is worth it: a regular expression of
//! the rules would need PostgreSQL's own engine, and what does not look at the value is cheaper in SQL. Where a mask is one
//! of these stands in [`WireMask::of`]; that the two forms agree is tested against PostgreSQL (tests/suite/wire_masks.rs).

use bytes::{BufMut, BytesMut};

use super::text::{CARD_DIGITS_MIN, PHONE_DIGITS_MIN, PUNCTUATION};
use crate::catalog::{Column, TypeFamily};
use crate::rules::MaskSpec;

/// `text`, and `varchar` with a length or without: the same bytes in text and in binary format.
/// <https://www.postgresql.org/docs/current/datatype-character.html>
const TEXT: u32 = 25;
const VARCHAR: u32 = 1043;
/// What `atttypmod` of `varchar(n)` is beyond n (`VARHDRSZ`).
const MODIFIER_EXTRA: i32 = 4;
/// What stands for what is too short or malformed.
const REDACTED: &[u8] = b"***";

/// A mask that can be put on a value outside the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireMask {
    form: Form,
    /// The most characters that the column's type takes.
    characters_max: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Keep {
        first: usize,
        last: usize,
    },
    Email,
    /// With fewer digits: redacted.
    Digits(usize),
    Name,
}

impl WireMask {
    /// The Rust form of `spec` for `column`; `None` where there is none.
    pub fn of(spec: &MaskSpec, column: &Column) -> Option<WireMask> {
        let is_text = matches!(column.type_oid, TEXT | VARCHAR)
            && column.family == TypeFamily::Text
            && column.domain_over.is_none();
        if !is_text {
            return None;
        }
        let form = match spec {
            MaskSpec::Keep { first, last } => Form::Keep {
                first: usize::try_from(*first).ok()?,
                last: usize::try_from(*last).ok()?,
            },
            MaskSpec::Email => Form::Email,
            MaskSpec::Phone => Form::Digits(usize::try_from(PHONE_DIGITS_MIN).ok()?),
            MaskSpec::Card => Form::Digits(usize::try_from(CARD_DIGITS_MIN).ok()?),
            MaskSpec::Name => Form::Name,
            MaskSpec::Clear
            | MaskSpec::Hide
            | MaskSpec::Null
            | MaskSpec::Redact
            | MaskSpec::Constant(_)
            | MaskSpec::Round(_)
            | MaskSpec::Truncate(_)
            | MaskSpec::Cap { .. }
            | MaskSpec::Ip
            | MaskSpec::Replace { .. }
            | MaskSpec::Scrub(_)
            | MaskSpec::Pseudonym { .. }
            | MaskSpec::Shift { .. }
            | MaskSpec::Noise(_)
            | MaskSpec::Each(_)
            | MaskSpec::Json(_)
            | MaskSpec::When { .. }
            | MaskSpec::Sql(_) => return None,
        };
        let characters_max = match (column.type_oid, column.type_modifier) {
            (VARCHAR, modifier) if modifier >= MODIFIER_EXTRA => {
                Some(usize::try_from(modifier.saturating_sub(MODIFIER_EXTRA)).ok()?)
            }
            (_, -1) => None,
            _ => return None,
        };
        Some(WireMask { form, characters_max })
    }

    /// Appends the mask of a value that is not NULL. What is no UTF-8 is redacted: PostgreSQL sends none.
    pub fn mask(&self, value: &[u8], masked: &mut BytesMut) {
        let start = masked.len();
        match std::str::from_utf8(value) {
            Ok(text) => match self.form {
                Form::Keep { first, last } => keep(text, first, last, masked),
                Form::Email => email(text, masked),
                Form::Digits(least) => digits(text, least, masked),
                Form::Name => name(text, masked),
            },
            Err(_) => masked.extend_from_slice(REDACTED),
        }
        if let Some(most) = self.characters_max {
            let end = masked.get(start..).and_then(|mask| end_of(mask, most));
            masked.truncate(end.map_or(masked.len(), |end| start.saturating_add(end)));
        }
    }
}

/// Where the character after the first `most` begins; `None` where there are no more.
fn end_of(text: &[u8], most: usize) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    text.char_indices().nth(most).map(|(at, _)| at)
}

fn stars(count: usize, masked: &mut BytesMut) {
    masked.resize(masked.len().saturating_add(count), b'*');
}

fn keep(text: &str, first: usize, last: usize, masked: &mut BytesMut) {
    let length = text.chars().count();
    let kept = first.saturating_add(last);
    if length <= kept {
        return stars(length, masked);
    }
    let place = |number: usize| text.char_indices().nth(number).map_or(text.len(), |(at, _)| at);
    let (head, _) = text.split_at(place(first));
    let (_, tail) = text.split_at(place(length.saturating_sub(last)));
    masked.extend_from_slice(head.as_bytes());
    stars(length.saturating_sub(kept), masked);
    masked.extend_from_slice(tail.as_bytes());
}

fn email(text: &str, masked: &mut BytesMut) {
    let address = text.rsplit_once('@').filter(|(local, domain)| {
        !local.is_empty() && !local.contains(ends_an_address) && is_domain(domain.as_bytes())
    });
    match (address, text.chars().next()) {
        (Some((_, domain)), Some(first)) => {
            masked.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes());
            masked.extend_from_slice(b"***@");
            masked.extend_from_slice(domain.as_bytes());
        }
        _ => masked.extend_from_slice(REDACTED),
    }
}

/// As in the regular expression of the SQL form.
fn ends_an_address(character: char) -> bool {
    matches!(
        character,
        ' ' | '\t'
            | '\n'
            | '\r'
            | '\u{c}'
            | '\u{b}'
            | '\u{a0}'
            | '\u{3000}'
            | '"'
            | '<'
            | '>'
            | '('
            | ')'
            | ','
            | ';'
            | ':'
            | '\\'
    )
}

/// Letters, digits, dots and dashes; a letter at the end, and a dot between two of them.
fn is_domain(domain: &[u8]) -> bool {
    let [_, inner @ .., last] = domain else { return false };
    last.is_ascii_alphabetic()
        && inner.contains(&b'.')
        && domain.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn digits(text: &str, least: usize, masked: &mut BytesMut) {
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit() || PUNCTUATION.as_bytes().contains(&byte));
    let count = text.bytes().filter(u8::is_ascii_digit).count();
    if !is_number || count < least {
        return masked.extend_from_slice(REDACTED);
    }
    let mut left = count.saturating_sub(4);
    for byte in text.bytes() {
        if byte.is_ascii_digit() && left > 0 {
            left = left.saturating_sub(1);
            masked.put_u8(b'*');
        } else {
            masked.put_u8(byte);
        }
    }
}

fn name(text: &str, masked: &mut BytesMut) {
    let mut is_inside = false;
    for character in text.chars() {
        let is_space = character.is_whitespace();
        match is_inside && !is_space {
            true => masked.put_u8(b'*'),
            false => masked.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        is_inside = !is_space;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(type_oid: u32, type_modifier: i32) -> Column {
        Column {
            number: 1,
            name: "c".into(),
            type_sql: "text".into(),
            type_oid,
            type_modifier,
            family: TypeFamily::Text,
            domain_over: None,
            nondeterministic_collation: None,
            generated: false,
            groupable: true,
        }
    }

    fn masked(spec: &MaskSpec, column: &Column, value: &[u8]) -> String {
        let mut masked = BytesMut::from(&b"before "[..]);
        WireMask::of(spec, column).unwrap().mask(value, &mut masked);
        String::from_utf8(masked.to_vec()).unwrap().strip_prefix("before ").unwrap().to_owned()
    }

    #[test]
    fn values_are_masked() {
        let keep = |first, last| MaskSpec::Keep { first, last };
        for (spec, value, expected) in [
            (keep(0, 4), "0123456789", "******6789"),
            (keep(2, 1), "한국어말씀", "한국**씀"),
            (keep(2, 2), "abcd", "****"),
            (keep(u32::MAX, u32::MAX), "abc", "***"),
            (keep(0, 1), "", ""),
            (MaskSpec::Email, "kim@example.com", "k***@example.com"),
            (MaskSpec::Email, "김@b@example.com", "김***@example.com"),
            (MaskSpec::Email, "kim@example", "***"),
            (MaskSpec::Email, "kim@.com", "***"),
            (MaskSpec::Email, "kim@a.c", "k***@a.c"),
            (MaskSpec::Email, "kim@a.", "***"),
            (MaskSpec::Email, "@a.com", "***"),
            (MaskSpec::Email, "a b@a.com", "***"),
            (MaskSpec::Email, "me@0101234", "***"),
            (MaskSpec::Email, "", "***"),
            (MaskSpec::Phone, "+82 10-1234-5678", "+** **-****-5678"),
            (MaskSpec::Phone, "010-1234-56 78.", "***-****-56 78."),
            (MaskSpec::Phone, "1234567", "***"),
            (MaskSpec::Phone, "010-1234-5678 x", "***"),
            (MaskSpec::Card, "4111 1111 1111 1111", "**** **** **** 1111"),
            (MaskSpec::Card, "12345678", "***"),
            (MaskSpec::Name, "Kim  Min\u{a0}Su", "K**  M**\u{a0}S*"),
        ] {
            assert_eq!(masked(&spec, &column(TEXT, -1), value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn a_mask_is_no_longer_than_its_column() {
        assert_eq!(masked(&MaskSpec::Email, &column(VARCHAR, 4 + 7), b"k@a.com"), "k***@a.");
        assert_eq!(masked(&MaskSpec::Email, &column(VARCHAR, 4 + 8), b"k@a.com"), "k***@a.c");
        assert_eq!(masked(&MaskSpec::Email, &column(VARCHAR, -1), b"k@a.com"), "k***@a.com");
    }

    #[test]
    fn what_is_no_text_is_redacted() {
        assert_eq!(masked(&MaskSpec::Name, &column(TEXT, -1), b"Kim\xff"), "***");
    }

    #[test]
    fn other_types_and_masks_have_none() {
        let name = column(19, -1);
        assert_eq!(WireMask::of(&MaskSpec::Name, &name), None);
        assert_eq!(WireMask::of(&MaskSpec::Name, &column(1042, 8)), None);
        let domain = Column { domain_over: Some("text".into()), ..column(TEXT, -1) };
        assert_eq!(WireMask::of(&MaskSpec::Name, &domain), None);
        assert_eq!(WireMask::of(&MaskSpec::Redact, &column(TEXT, -1)), None);
        assert_eq!(WireMask::of(&MaskSpec::Ip, &column(TEXT, -1)), None);
    }
}
