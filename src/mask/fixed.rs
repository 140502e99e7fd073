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
    let fits = match column.family {
        TypeFamily::Text => true,
        TypeFamily::Integer => match column.type_sql.as_str() {
            "smallint" => text.parse::<i16>().is_ok(),
            "integer" => text.parse::<i32>().is_ok(),
            _ => column.domain_over.is_none() && text.parse::<i64>().is_ok(),
        },
        TypeFamily::Numeric => fits_numeric(&text, column.type_modifier),
        TypeFamily::Float => text.parse::<f32>().is_ok_and(f32::is_finite),
        TypeFamily::Boolean => matches!(text.as_str(), "true" | "false"),
        TypeFamily::Date => text.parse::<Date>().is_ok(),
        TypeFamily::Timestamp => text.parse::<DateTime>().is_ok() || text.parse::<Date>().is_ok(),
        TypeFamily::Uuid => is_uuid(&text),
        TypeFamily::Json | TypeFamily::Jsonb => {
            serde_json::from_str::<serde_json::Value>(&text).is_ok()
        }
        TypeFamily::Array => text == "{}",
        TypeFamily::Inet => text.parse::<std::net::IpAddr>().is_ok(),
        TypeFamily::Bytea | TypeFamily::Other => false,
    };
    if fits { Ok(literal(&text)) } else { Err("the constant is no value of this type") }
}

/// A string literal that means the same under any setting.
fn literal(text: &str) -> String {
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
    if !all_digits(whole) || !all_digits(fraction) {
        return false;
    }
    match super::number::whole_digits_max(type_modifier) {
        // One digit of room, for rounding up.
        Some(most) => i64::try_from(whole.trim_start_matches('0').len()).is_ok_and(|n| n < most),
        None => whole.len() < 1000,
    }
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
