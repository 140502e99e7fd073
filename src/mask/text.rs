//! Masks of text: `keep`, `email`, `phone`, `card`, `name`, `replace`. All take an expression of type text.

use super::fixed::literal;
use crate::catalog::Column;

/// A phone number has at least so many digits; with fewer, the last four would be too much of it.
pub(super) const PHONE_DIGITS_MIN: u32 = 8;
/// A card number has at least so many digits.
pub(super) const CARD_DIGITS_MIN: u32 = 12;

/// What may stand between the digits of a number.
pub(super) const PUNCTUATION: &str = " +-().,/#*:_";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// As an SQL literal. White space, quotes and separators: several addresses, a name beside one, free text.
const NEVER_IN_AN_ADDRESS: &str = r#"E' \t\n\r\f\013\u00a0\u3000"<>(),;:\\'"#;

/// The column as text: `char(n)` loses its padding. Where its collation would refuse to search in it, the
/// database's own stands in; [`collated`] gives the column's back to the result.
pub(super) fn as_text(column: &Column, reference: &str) -> String {
    let text = match column.type_oid {
        25 => reference.to_owned(),
        _ => format!("CAST({reference} AS pg_catalog.text)"),
    };
    match &column.nondeterministic_collation {
        None => text,
        Some(_) => format!("({text} COLLATE pg_catalog.\"default\")"),
    }
}

/// A finished mask with the collation that the column has.
pub(super) fn collated(column: &Column, mask: String) -> String {
    match &column.nondeterministic_collation {
        None => mask,
        Some(collation) => format!("({mask} COLLATE {collation})"),
    }
}

/// The first and last characters; a value no longer than what is kept is masked whole.
pub(super) fn keep(text: &str, first: u32, last: u32) -> String {
    let length = format!("pg_catalog.char_length({text})");
    let kept = u64::from(first).saturating_add(u64::from(last));
    let stars = format!("pg_catalog.repeat('*', {length} - {kept})");
    let mut parts = Vec::new();
    if first > 0 {
        parts.push(format!("pg_catalog.left({text}, {first})"));
    }
    parts.push(stars);
    if last > 0 {
        parts.push(format!("pg_catalog.right({text}, {last})"));
    }
    format!(
        "CASE WHEN {length} > {kept} THEN {} ELSE pg_catalog.repeat('*', {length}) END",
        parts.join(" || ")
    )
}

/// The first character and the domain, which is what follows the last `@`. Anything that is not one plain address
/// is redacted: what stands behind the `@` is only shown if it can be nothing but a domain. `call me @ 010-1234`
/// and `me@0101234` are none: a domain has a dot and ends with a letter.
pub(super) fn email(text: &str) -> String {
    let domain =
        format!("pg_catalog.right({text}, pg_catalog.strpos(pg_catalog.reverse({text}), '@') - 1)");
    let rest = format!("pg_catalog.translate({domain}, '{LETTERS}0123456789.-', '')");
    let end = format!("pg_catalog.translate(pg_catalog.right({text}, 1), '{LETTERS}', '')");
    let plain = format!("pg_catalog.translate({text}, {NEVER_IN_AN_ADDRESS}, '')");
    format!(
        "CASE WHEN {text} LIKE '_%@_%._%' AND {domain} LIKE '_%._%' AND {rest} = '' AND {end} = '' \
         AND {plain} = {text} THEN pg_catalog.left({text}, 1) || '***@' || {domain} ELSE '***' END"
    )
}

/// Punctuation and the last four digits. Letters or digits of other scripts make it no such number.
pub(super) fn digits(text: &str, least: u32) -> String {
    let others = format!("pg_catalog.translate({text}, '0123456789', '')");
    let foreign = format!("pg_catalog.translate({others}, '{PUNCTUATION}', '')");
    format!(
        "CASE WHEN {foreign} <> '' OR pg_catalog.char_length({text}) - \
         pg_catalog.char_length({others}) < {least} THEN '***' \
         WHEN pg_catalog.translate(pg_catalog.right({text}, 4), '0123456789', '') = '' \
         THEN pg_catalog.translate(pg_catalog.left({text}, -4), '0123456789', '**********') \
         || pg_catalog.right({text}, 4) \
         ELSE pg_catalog.regexp_replace({text}, '[0-9](?=([^0-9]*[0-9]){{4}})', '*', 'g') END"
    )
}

/// The first character of each word.
pub(super) fn name(text: &str) -> String {
    format!("pg_catalog.regexp_replace({text}, '(?<=\\S)\\S', '*', 'g')")
}

/// Each match of an expression that the rules have found sound.
pub(super) fn replace(text: &str, pattern: &str, with: &str) -> String {
    let (pattern, with) = (literal(pattern), literal(with));
    format!("pg_catalog.regexp_replace({text}, {pattern}, {with}, 'g')")
}
