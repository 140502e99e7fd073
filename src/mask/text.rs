//! Masks of text: `keep`, `email`, `phone`, `card`, `name`, `replace`. All take an expression of type text.

use super::fixed::literal;
use crate::catalog::Column;

/// A phone number has at least so many digits; with fewer, the last four would be too much of it.
pub(super) const PHONE_DIGITS_MIN: u32 = 8;
/// A card number has at least so many digits.
pub(super) const CARD_DIGITS_MIN: u32 = 12;

/// What may stand between the digits of a number.
pub(super) const PUNCTUATION: &str = " +-().,/#*:_";
/// What is one plain address: no white space, quotes or separators, behind which a name, several addresses or free text
/// could stand, and behind the last `@` what can be nothing but a domain, with a dot in it and a letter at its end. As a
/// regular expression, since `translate` takes five times as long for so many characters (benches/README.md).
const ADDRESS: &str =
    r#"^[^ \t\n\r\f\v\u00a0\u3000"<>(),;:\\]+@[a-zA-Z0-9.-]+[.][a-zA-Z0-9.-]*[a-zA-Z]$"#;

/// All characters with the property White_Space, as in a bracket of a regular expression.
/// <https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt>
const WHITE_SPACE: &str = r" \t-\r\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

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
/// and `me@0101234` are none.
pub(super) fn email(text: &str) -> String {
    let domain =
        format!("pg_catalog.right({text}, pg_catalog.strpos(pg_catalog.reverse({text}), '@') - 1)");
    format!(
        "CASE WHEN {text} ~ {} THEN pg_catalog.left({text}, 1) || '***@' || {domain} ELSE '***' END",
        literal(ADDRESS)
    )
}

/// Punctuation and the last four digits. Letters or digits of other scripts make it no such number.
pub(super) fn digits(text: &str, least: u32) -> String {
    // A dash at the end of a bracket is one, and none of the others means anything there.
    let between = format!("[{}-]*", PUNCTUATION.replace('-', ""));
    let before_last = least.saturating_sub(4);
    let ends_with_four =
        literal(&format!("^(?:{between}[0-9]){{{before_last},}}{between}[0-9]{{4}}$"));
    let any = literal(&format!("^(?:{between}[0-9]){{{least},}}{between}$"));
    format!(
        "CASE WHEN {text} ~ {ends_with_four} \
         THEN pg_catalog.translate(pg_catalog.left({text}, -4), '0123456789', '**********') \
         || pg_catalog.right({text}, 4) \
         WHEN {text} ~ {any} \
         THEN pg_catalog.regexp_replace({text}, '[0-9](?=([^0-9]*[0-9]){{4}})', '*', 'g') \
         ELSE '***' END"
    )
}

/// The first character of each word. Words have Unicode's white space between them (`char::is_whitespace`), whatever the
/// database's locale takes for such.
pub(super) fn name(text: &str) -> String {
    let inside = format!("(?<=[^{WHITE_SPACE}])[^{WHITE_SPACE}]");
    format!("pg_catalog.regexp_replace({text}, {}, '*', 'g')", literal(&inside))
}

/// Each match of an expression that the rules have found sound.
pub(super) fn replace(text: &str, pattern: &str, with: &str) -> String {
    let (pattern, with) = (literal(pattern), literal(with));
    format!("pg_catalog.regexp_replace({text}, {pattern}, {with}, 'g')")
}
