//! Masks that do not look at the value: `redact` and `constant`.

use jiff::civil::{Date, DateTime};

use crate::catalog::{Column, TypeFamily};
use crate::rules::Scalar;

/// The literal by which a family is redacted; `None`: NULL.
pub(super) fn redaction(family: TypeFamily) -> Option<&'static str> {
    match family {
        TypeFamily::Text => Some("'***'"),
        TypeFamily::Integer | TypeFamily::Numeric | TypeFamily::Float => Some("0"),
        TypeFamily::Boolean => Some("false"),
        TypeFamily::Date => Some("'1970-01-01'"),
        // Without a zone, as the session's own midnight for timestamptz.
        TypeFamily::Timestamp => Some("'1970-01-01 00:00:00'"),
        TypeFamily::Uuid => Some("'00000000-0000-0000-0000-000000000000'"),
        TypeFamily::Json | TypeFamily::Jsonb | TypeFamily::Array => Some("'{}'"),
        TypeFamily::Bytea => Some("''"),
        TypeFamily::Inet => Some("'0.0.0.0'"),
        TypeFamily::Other => None,
    }
}

/// A constant as a literal that surely casts to the column's type.
pub(super) fn constant(scalar: &Scalar, column: &Column) -> Result<String, &'static str> {
    let text = match scalar {
        Scalar::Null => return Ok("NULL".into()),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(text) | Scalar::String(text) => text.clone(),
    };
    let fits = !text.contains('\0')
        && match column.family {
            TypeFamily::Text => true,
            TypeFamily::Integer => match column.type_oid {
                21 => text.parse::<i16>().is_ok(),
                23 => text.parse::<i32>().is_ok(),
                _ => text.parse::<i64>().is_ok(),
            },
            TypeFamily::Numeric => fits_numeric(&text, column.type_modifier),
            TypeFamily::Float => fits_float(&text),
            TypeFamily::Boolean => matches!(text.as_str(), "true" | "false"),
            TypeFamily::Date => is_date(&text),
            TypeFamily::Timestamp => is_timestamp(&text),
            TypeFamily::Uuid => is_uuid(&text),
            // jsonb has no zero character, however it is written.
            TypeFamily::Json | TypeFamily::Jsonb => {
                !text.contains("\\u0000")
                    && serde_json::from_str::<serde_json::Value>(&text).is_ok()
            }
            TypeFamily::Array => text == "{}",
            TypeFamily::Inet => text.parse::<std::net::IpAddr>().is_ok(),
            TypeFamily::Bytea | TypeFamily::Other => false,
        };
    if fits { Ok(literal(&text)) } else { Err("the constant is no value of this type") }
}

/// A string literal that means the same under any setting.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A plain decimal with no more digits before the point than `numeric(precision, scale)` has.
fn fits_numeric(text: &str, type_modifier: i32) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len().max(fraction.len()) > 1000 {
        return false;
    }
    match super::number::precision(type_modifier) {
        Some(precision) => {
            let length = |digits: &str| i64::try_from(digits.len()).unwrap_or(i64::MAX);
            let whole = length(whole.trim_start_matches('0'));
            if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
                return true;
            }
            // One digit of room for rounding up, where something is rounded.
            let is_exact = length(fraction.trim_end_matches('0')) <= precision.scale;
            whole < precision.whole_digits || (is_exact && whole <= precision.whole_digits)
        }
        None => true,
    }
}

/// A plain decimal that `real` holds too; what rounds to zero, PostgreSQL refuses.
fn fits_float(text: &str) -> bool {
    let is_plain =
        text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let is_zero = |value: f32| value == 0.0;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    is_plain
        && text.parse::<f32>().is_ok_and(|value| {
            value.is_finite() && (!is_zero(value) || mantissa.parse::<f64>() == Ok(0.0))
        })
}

/// `2026-01-31`, in the years that everybody writes so.
fn is_date(text: &str) -> bool {
    let shape = [4, 2, 2];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == shape.len()
        && parts.iter().zip(shape).all(|(part, length)| is_digits(part, length))
        && !text.starts_with("0000")
        && text.parse::<Date>().is_ok()
}

/// A date, or `2026-01-31 12:34:56` with up to six digits of a second; no zone.
fn is_timestamp(text: &str) -> bool {
    let Some((date, time)) = text.split_once([' ', 'T']) else { return is_date(text) };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let parts: Vec<&str> = whole.split(':').collect();
    is_date(date)
        && parts.len() == 3
        && parts.iter().all(|part| is_digits(part, 2))
        && matches!(fraction.len(), 1..=6)
        && is_digits(fraction, fraction.len())
        && text.parse::<DateTime>().is_ok()
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
