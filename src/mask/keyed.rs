//! Masks by a key: `pseudonym`, `shift`, `noise`.
//!
//! INVARIANT: without the key they redact. The same value gives the same mask in every table, type and session, so
//! nothing in here may depend on a setting that a session can change.

use super::fixed::{literal, redaction};
use super::key::{INNER_SETTING, OUTER_SETTING, PAD_DIGITS};
use super::number::precision;
use super::site::Site;
use super::{Misfit, text};
use crate::catalog::TypeFamily;
use crate::rules::{MaskSpec, PseudonymKind};

/// Hexadecimal digits of a token: with a million values two have the same once in a million databases.
const TOKEN_DIGITS: u32 = 20;
const EMAIL_DIGITS: u32 = 16;
/// Digits of a number that `digits` masks.
const DECIMALS_MAX: usize = 40;
/// Rounds of the permutation of integers.
const ROUNDS: usize = 8;
/// Steps of noise to each side.
const NOISE_STEPS: i64 = 1_000_000;

/// HMAC-SHA256 of a text as hexadecimal digits; NULL without a key. `for_what` keeps uses and domains apart.
fn digest(for_what: &str, text: &str) -> String {
    // Not correlated, so computed once a statement.
    let pad = |name: &str| {
        let setting = format!("pg_catalog.current_setting('{name}', true)");
        format!(
            "(SELECT pg_catalog.decode(CASE WHEN pg_catalog.octet_length({setting}) = {PAD_DIGITS} THEN {setting} END, \
             'hex'))"
        )
    };
    let prefix = literal(&format!("{for_what}\u{1f}"));
    format!(
        "pg_catalog.encode(pg_catalog.sha256({} || pg_catalog.sha256({} || \
         pg_catalog.convert_to({prefix} || {text}, 'UTF8'))), 'hex')",
        pad(OUTER_SETTING),
        pad(INNER_SETTING)
    )
}

/// Hexadecimal digits, at most 15 of them, as int8.
fn integer_of(hex: &str, from: usize, digits: usize) -> String {
    format!(
        "CAST(CAST('x' || pg_catalog.substr({hex}, {from}, {digits}) AS pg_catalog.bit({})) AS pg_catalog.int8)",
        digits * 4
    )
}

/// The same in every table of the domain.
pub(super) fn pseudonym(
    kind: PseudonymKind,
    domain: &str,
    site: &Site<'_>,
    spec: &MaskSpec,
) -> Result<String, Misfit> {
    let column = site.column;
    let for_what = format!("pseudonym\u{1f}{domain}");
    let hex = |text: &str| site.parts.name(digest(&for_what, text));
    let text = |characters: u32| {
        let text = site.text().ok_or_else(|| site.misfit(spec, "it masks text"))?;
        let length = column.type_modifier.saturating_sub(4);
        if length >= 0 && length.unsigned_abs() < characters {
            let expected = format!("it needs {characters} characters");
            return Err(site.misfit(spec, &expected));
        }
        Ok(text)
    };
    let value = match kind {
        PseudonymKind::Token => {
            format!("'p_' || pg_catalog.left({}, {TOKEN_DIGITS})", hex(&text(TOKEN_DIGITS + 2)?))
        }
        PseudonymKind::Email => format!(
            "'u_' || pg_catalog.left({}, {EMAIL_DIGITS}) || '@example.invalid'",
            hex(&text(EMAIL_DIGITS + 18)?)
        ),
        PseudonymKind::Digits => digits(&text(0)?, &for_what, site),
        PseudonymKind::Uuid => match column.family {
            TypeFamily::Uuid => uuid(&hex(&format!("CAST({} AS pg_catalog.text)", site.reference))),
            TypeFamily::Text => format!("CAST({} AS pg_catalog.text)", uuid(&hex(&text(36)?))),
            TypeFamily::Integer
            | TypeFamily::Numeric
            | TypeFamily::Float
            | TypeFamily::Boolean
            | TypeFamily::Date
            | TypeFamily::Timestamp
            | TypeFamily::Json
            | TypeFamily::Jsonb
            | TypeFamily::Bytea
            | TypeFamily::Inet
            | TypeFamily::Array
            | TypeFamily::Other => return Err(site.misfit(spec, "it masks uuid and text")),
        },
        PseudonymKind::Integer if matches!(column.type_oid, INT4 | INT8) => {
            integer(&for_what, site)
        }
        PseudonymKind::Integer => {
            return Err(site.misfit(spec, "it masks integer and bigint"));
        }
    };
    Ok(or_redacted(&value, column.family))
}

const INT4: u32 = 23;
const INT8: u32 = 20;

fn or_redacted(value: &str, family: TypeFamily) -> String {
    format!("COALESCE({value}, {})", redaction(family).unwrap_or("NULL"))
}

/// A uuid of version 8 (RFC 9562, section 5.8).
fn uuid(hex: &str) -> String {
    format!(
        "CAST(pg_catalog.overlay(pg_catalog.overlay(pg_catalog.left({hex}, 32), '8', 13, 1), '8', 17, 1) \
         AS pg_catalog.uuid)"
    )
}

/// Every digit becomes another, all else stays; what is no number with punctuation, or has too many digits, is
/// redacted. The digits alone are what counts, so `010-1` and `0101` are the same number.
///
/// Of a digest in hexadecimal the letters are left out: what remains are evenly distributed decimals. With another one,
/// of 512 bits, there are 120 of them, give or take 7.
fn digits(text: &str, for_what: &str, site: &Site<'_>) -> String {
    let depth = site.depth.saturating_add(1);
    let (hex, stream) = (format!("scrim$h{depth}"), format!("scrim$n{depth}"));
    let bare = format!("pg_catalog.translate({text}, '{}', '')", text::PUNCTUATION);
    let decimals = format!(
        "pg_catalog.translate({hex} || pg_catalog.encode(pg_catalog.sha512(pg_catalog.convert_to({hex}, 'UTF8')), 'hex'), \
         'abcdef', '')"
    );
    let places = format!(
        "pg_catalog.replace(pg_catalog.translate({text}, '123456789', '000000000'), '0', '%s')"
    );
    format!(
        "CASE WHEN pg_catalog.translate({bare}, '0123456789', '') = '' AND pg_catalog.char_length({bare}) > 0 AND \
         pg_catalog.char_length({bare}) <= {DECIMALS_MAX} THEN \
         (SELECT CASE WHEN pg_catalog.char_length({stream}) < {DECIMALS_MAX} THEN NULL \
         WHEN {bare} = {text} THEN pg_catalog.left({stream}, pg_catalog.char_length({text})) \
         WHEN {stream} IS NOT NULL THEN pg_catalog.format({places}, VARIADIC pg_catalog.string_to_array(pg_catalog.left({stream}, pg_catalog.char_length({bare})), NULL)) \
         END FROM (SELECT {} OFFSET 0) AS scrim$d{depth}({stream})) END",
        site.parts.name(format!(
            "(SELECT {decimals} FROM (SELECT {} OFFSET 0) AS scrim$e{depth}({hex}))",
            digest(for_what, &bare)
        ))
    )
}

/// A permutation: a Feistel network over the numbers up to 2³¹, and over all others. So two numbers never become one,
/// and a number is the same in `integer` and `bigint`. Negative numbers stay negative, by a permutation of their own.
fn integer(for_what: &str, site: &Site<'_>) -> String {
    let depth = site.depth.saturating_add(1);
    let x = format!("CAST({} AS pg_catalog.int8)", site.reference);
    let one = "CAST(1 AS pg_catalog.int8)";
    let is_small = format!("{x} >= -2147483648 AND {x} <= 2147483647");
    // Of an odd number of bits, the low half has one more.
    let low_bits = format!("CASE WHEN {is_small} THEN 16 ELSE 32 END");
    // The permutation's own key: not correlated, so computed once a statement.
    let key = |which: &str| format!("(SELECT {})", digest(for_what, &format!("'{which}'")));
    let key = format!(
        "CASE WHEN {x} >= 0 THEN CASE WHEN {is_small} THEN {} ELSE {} END \
         ELSE CASE WHEN {is_small} THEN {} ELSE {} END END",
        key("+16"),
        key("+32"),
        key("-16"),
        key("-32")
    );
    let key = site.parts.name(key);
    let mut value = format!("CASE WHEN {x} >= 0 THEN {x} ELSE -({x} + {one}) END");
    for round in 0..ROUNDS {
        let before = format!("scrim$r{depth}");
        let (high, low) = (
            format!("({before} >> {low_bits})"),
            format!("({before} & (({one} << {low_bits}) - {one}))"),
        );
        let (half, bits) = match round % 2 {
            0 => (low, format!("{low_bits} - 1")),
            _ => (high, low_bits.clone()),
        };
        let hex = site.parts.name(format!(
            "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({key} || '/{round}/' || \
             CAST({half} AS pg_catalog.text), 'UTF8')), 'hex')"
        ));
        let bits = format!("({} & (({one} << ({bits})) - {one}))", integer_of(&hex, 1, 8));
        let change = if round % 2 == 0 { format!("({bits} << {low_bits})") } else { bits };
        value = format!(
            "(SELECT {before} # {change} FROM (SELECT {} OFFSET 0) AS scrim$f{depth}({before}))",
            site.parts.name(value)
        );
    }
    let after = format!("scrim$r{depth}");
    format!(
        "(SELECT CASE WHEN {x} >= 0 THEN {after} ELSE -{after} - {one} END FROM (SELECT {} OFFSET 0) \
         AS scrim$f{depth}({after}))",
        site.parts.name(value)
    )
}

/// Moved by whole days, the same number for the same key in every table; never by none.
pub(super) fn shift(
    days: u32,
    by: &str,
    site: &Site<'_>,
    spec: &MaskSpec,
) -> Result<String, Misfit> {
    let Some((key, key_reference)) = site.conditions.column(by) else {
        return Err(site.misfit(spec, &format!("there is no column `{by}` to shift by")));
    };
    match key.family {
        TypeFamily::Text | TypeFamily::Integer | TypeFamily::Uuid => {}
        TypeFamily::Numeric
        | TypeFamily::Float
        | TypeFamily::Boolean
        | TypeFamily::Date
        | TypeFamily::Timestamp
        | TypeFamily::Json
        | TypeFamily::Jsonb
        | TypeFamily::Bytea
        | TypeFamily::Inet
        | TypeFamily::Array
        | TypeFamily::Other => {
            let expected =
                format!("column `{by}` is no key to shift by: text, an integer or a uuid");
            return Err(site.misfit(spec, &expected));
        }
    }
    let reference = &site.reference;
    let depth = site.depth.saturating_add(1);
    let moved = format!("scrim$n{depth}");
    // The ends leave room for a hundred years on both sides.
    let (result, kind, low, high) = match site.column.family {
        TypeFamily::Date => {
            (format!("{reference} + {moved}"), "date", "4600-01-01 BC", "5874000-01-01")
        }
        TypeFamily::Timestamp => {
            let kind = if site.column.type_oid == 1184 { "timestamptz" } else { "timestamp" };
            // Days of 24 hours: a session's zone has others.
            let hours = format!("pg_catalog.make_interval(hours => 24 * {moved})");
            (format!("{reference} + {hours}"), kind, "4600-01-01 BC", "294100-01-01")
        }
        TypeFamily::Text
        | TypeFamily::Integer
        | TypeFamily::Numeric
        | TypeFamily::Float
        | TypeFamily::Boolean
        | TypeFamily::Uuid
        | TypeFamily::Json
        | TypeFamily::Jsonb
        | TypeFamily::Bytea
        | TypeFamily::Inet
        | TypeFamily::Array
        | TypeFamily::Other => return Err(site.misfit(spec, "it masks dates and timestamps")),
    };
    let key_text = format!("CAST({key_reference} AS pg_catalog.text)");
    let number =
        integer_of(&site.parts.name(digest(&format!("shift\u{1f}{days}"), &key_text)), 1, 12);
    let step = site.parts.name(format!(
        "CAST(pg_catalog.mod({number}, CAST({} AS pg_catalog.int8)) AS pg_catalog.int4)",
        days.saturating_mul(2)
    ));
    let step_name = format!("scrim$k{depth}");
    let value = format!(
        "CASE WHEN NOT pg_catalog.isfinite({reference}) THEN {reference} \
         WHEN {reference} >= CAST('{low}' AS pg_catalog.{kind}) AND {reference} < CAST('{high}' AS pg_catalog.{kind}) \
         THEN (SELECT {result} FROM (SELECT CASE WHEN {step_name} < {days} THEN {step_name} - {days} \
         ELSE {step_name} - {} END FROM (SELECT {step} OFFSET 0) AS scrim$s{depth}({step_name}) OFFSET 0) \
         AS scrim$d{depth}({moved})) END",
        i64::from(days) - 1
    );
    Ok(or_redacted(&value, site.column.family))
}

/// Moved by a share of the value, keyed by the value. What the type cannot hold after that is 0.
pub(super) fn noise(share: &str, site: &Site<'_>, spec: &MaskSpec) -> Result<String, Misfit> {
    let reference = &site.reference;
    let depth = site.depth.saturating_add(1);
    let steps = format!("scrim$n{depth}");
    let numeric = format!("CAST({reference} AS pg_catalog.numeric)");
    // A user of two roles with shares of their own could solve for the value if both had the same steps.
    let for_what = format!("noise\u{1f}{}", without_zeros(share));
    // Without zeros at the end, and never a text that `extra_float_digits` changes: equal numbers are equal.
    let plain = format!("CAST(pg_catalog.trim_scale({numeric}) AS pg_catalog.text)");
    let number = integer_of(&site.parts.name(digest(&for_what, &plain)), 1, 12);
    let step = site.parts.name(format!(
        "pg_catalog.mod({number}, CAST({} AS pg_catalog.int8)) - CAST({NOISE_STEPS} AS pg_catalog.int8)",
        2 * NOISE_STEPS + 1
    ));
    let with_noise = |value: &str| {
        format!("(SELECT {value} FROM (SELECT {step} OFFSET 0) AS scrim$s{depth}({steps}))")
    };
    let exact = format!(
        "{numeric} + {numeric} * CAST('{share}' AS pg_catalog.numeric) * CAST({steps} AS pg_catalog.numeric) * \
         CAST('0.000001' AS pg_catalog.numeric)"
    );
    let value = match site.column.family {
        TypeFamily::Integer => {
            let most = match site.column.type_oid {
                21 => "32767",
                INT4 => "2147483647",
                _ => "9223372036854775807",
            };
            let rounded = with_noise(&format!("pg_catalog.round({exact}, 0)"));
            within(&rounded, &format!("<= CAST({most} AS pg_catalog.numeric)"), depth)
        }
        TypeFamily::Numeric => numeric_noise(site, &numeric, &exact, &with_noise),
        TypeFamily::Float => {
            let x = format!("CAST({reference} AS pg_catalog.float8)");
            let (least, most) = if site.column.type_sql == "real" {
                ("1e-30", "1e37")
            } else {
                ("1e-290", "1e300")
            };
            let float = |number: &str| format!("CAST('{number}' AS pg_catalog.float8)");
            let noisy = with_noise(&format!(
                "{x} + {x} * ({} * CAST({steps} AS pg_catalog.float8) * {})",
                float(share),
                float("0.000001")
            ));
            format!(
                "CASE WHEN {x} = {} OR pg_catalog.abs({x}) = {} THEN {x} WHEN pg_catalog.abs({x}) >= {} AND \
                 pg_catalog.abs({x}) < {} THEN {noisy} ELSE 0 END",
                float("NaN"),
                float("Infinity"),
                float(least),
                float(most)
            )
        }
        TypeFamily::Text
        | TypeFamily::Boolean
        | TypeFamily::Date
        | TypeFamily::Timestamp
        | TypeFamily::Uuid
        | TypeFamily::Json
        | TypeFamily::Jsonb
        | TypeFamily::Bytea
        | TypeFamily::Inet
        | TypeFamily::Array
        | TypeFamily::Other => return Err(site.misfit(spec, "it masks numbers")),
    };
    Ok(or_redacted(&value, site.column.family))
}

/// `0.10` is `0.1`.
fn without_zeros(share: &str) -> &str {
    match share.contains('.') {
        true => share.trim_end_matches('0').trim_end_matches('.'),
        false => share,
    }
}

/// To the column's scale, or, where it has none, to the value's own. NaN and infinite values stay.
fn numeric_noise(
    site: &Site<'_>,
    numeric: &str,
    exact: &str,
    with_noise: &dyn Fn(&str) -> String,
) -> String {
    let (rounded, limit) = match precision(site.column.type_modifier) {
        Some(precision) => {
            (format!("pg_catalog.round({exact}, {})", precision.scale), precision.whole_digits)
        }
        None => (format!("pg_catalog.round({exact}, pg_catalog.scale({numeric}))"), 1000),
    };
    let noisy = within(
        &with_noise(&rounded),
        &format!("< CAST('1e{limit}' AS pg_catalog.numeric)"),
        site.depth.saturating_add(1),
    );
    format!(
        "CASE WHEN {numeric} = CAST('NaN' AS pg_catalog.numeric) THEN {numeric} \
         WHEN pg_catalog.abs({numeric}) < CAST('1e1000' AS pg_catalog.numeric) THEN {noisy} \
         WHEN {numeric} - {numeric} = 0 THEN 0 ELSE {numeric} END"
    )
}

/// 0 where the absolute value is not within the limit.
fn within(value: &str, limit: &str, depth: usize) -> String {
    let name = format!("scrim$w{depth}");
    format!(
        "(SELECT CASE WHEN pg_catalog.abs({name}) {limit} THEN {name} WHEN {name} IS NOT NULL THEN 0 END \
         FROM (SELECT {value} OFFSET 0) AS scrim$x{depth}({name}))"
    )
}
