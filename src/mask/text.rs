//! Masks of text: `keep`, `email`, `phone`, `card`, `name`. All take an expression of type text.

use crate::catalog::Column;

/// A phone number has at least so many digits; with fewer, the last four would be too much of it.
pub(super) const PHONE_DIGITS_MIN: u32 = 8;
/// A card number has at least so many digits.
pub(super) const CARD_DIGITS_MIN: u32 = 12;

/// The column as text: `char(n)` loses its padding.
pub(super) fn as_text(column: &Column, reference: &str) -> String {
    match column.type_oid {
        25 => reference.to_owned(),
        _ => format!("CAST({reference} AS pg_catalog.text)"),
    }
}

/// The first and last characters; a value no longer than what is kept is masked whole.
pub(super) fn keep(text: &str, first: u32, last: u32) -> String {
    let kept = u64::from(first).saturating_add(u64::from(last));
    let length = format!("pg_catalog.char_length({text})");
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

/// The first character and the domain. Anything that is not one plain address is redacted: what stands behind
/// the `@` is only shown if it can be nothing but a domain.
pub(super) fn email(text: &str) -> String {
    // What follows the last `@`.
    let domain =
        format!("pg_catalog.right({text}, pg_catalog.strpos(pg_catalog.reverse({text}), '@') - 1)");
    let rest = format!(
        "pg_catalog.translate({domain}, \
         'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-', '')"
    );
    format!(
        "CASE WHEN {text} LIKE '_%@_%' AND {domain} <> '' AND {rest} = '' \
         THEN pg_catalog.left({text}, 1) || '***@' || {domain} ELSE '***' END"
    )
}

/// Punctuation and the last four digits. Letters or digits of other scripts make it no such number.
pub(super) fn digits(text: &str, least: u32) -> String {
    let others = format!("pg_catalog.translate({text}, '0123456789', '')");
    let foreign = format!("pg_catalog.translate({others}, ' +-().,/#*:_', '')");
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
