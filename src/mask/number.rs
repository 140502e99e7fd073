//! Masks of numbers: `round`.

use crate::catalog::{Column, TypeFamily};

/// Digits before the point of `numeric(p, s)`; `None` without a modifier.
/// The modifier is `((p << 16) | (s & 0x7ff)) + 4` (PostgreSQL's numeric.c, `make_numeric_typmod`).
pub(super) fn whole_digits_max(type_modifier: i32) -> Option<i64> {
    let modifier = i64::from(type_modifier).checked_sub(4).filter(|modifier| *modifier >= 0)?;
    let precision = modifier >> 16;
    // The scale has 11 bits and a sign.
    let scale = ((modifier & 0x7ff) ^ 1024) - 1024;
    Some(precision.saturating_sub(scale))
}

/// Down to a multiple of `step`. What the type cannot hold after that is 0.
pub(super) fn round(column: &Column, reference: &str, step: &str) -> Result<String, &'static str> {
    let value: f64 = step.parse().map_err(|_| "the step is no number")?;
    if !(value.is_finite() && (1e-30..=1e30).contains(&value)) {
        return Err("the step is out of range");
    }
    match column.family {
        TypeFamily::Integer => {
            let least = match column.type_oid {
                21 => "-32768",
                23 => "-2147483648",
                // int8, and a domain over any: cast to what it is over.
                _ => "-9223372036854775808",
            };
            if column.domain_over.is_some() {
                return Err("a domain over integers cannot be rounded without a risk of overflow");
            }
            let rounded = floor_numeric(reference, step);
            Ok(format!(
                "CASE WHEN {rounded} >= CAST('{least}' AS pg_catalog.numeric) THEN {rounded} ELSE 0 END"
            ))
        }
        TypeFamily::Numeric => {
            let rounded = floor_numeric(reference, step);
            if column.domain_over.is_some() {
                return Err("a domain over numeric cannot be rounded without a risk of overflow");
            }
            match whole_digits_max(column.type_modifier) {
                None => Ok(rounded),
                Some(digits) => {
                    let limit = match usize::try_from(digits) {
                        Ok(digits) => format!("1{}", "0".repeat(digits)),
                        Err(_) => return Err("the type has no digits before the point"),
                    };
                    Ok(format!(
                        "CASE WHEN pg_catalog.abs({rounded}) < CAST('{limit}' AS pg_catalog.numeric) \
                         THEN {rounded} ELSE 0 END"
                    ))
                }
            }
        }
        TypeFamily::Float => {
            let x = format!("CAST({reference} AS pg_catalog.float8)");
            let step = format!("CAST('{step}' AS pg_catalog.float8)");
            let (least, most) =
                if column.type_sql == "real" { ("1e-30", "1e37") } else { ("1e-200", "1e200") };
            Ok(format!(
                "CASE WHEN {x} = CAST('NaN' AS pg_catalog.float8) OR pg_catalog.abs({x}) = \
                 CAST('Infinity' AS pg_catalog.float8) THEN {x} WHEN pg_catalog.abs({x}) >= CAST('{least}' AS pg_catalog.float8) AND \
                 pg_catalog.abs({x}) < CAST('{most}' AS pg_catalog.float8) \
                 THEN pg_catalog.floor({x} / {step}) * {step} ELSE 0 END"
            ))
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
        | TypeFamily::Other => Err("it masks numbers"),
    }
}

fn floor_numeric(reference: &str, step: &str) -> String {
    format!(
        "pg_catalog.floor(CAST({reference} AS pg_catalog.numeric) / CAST('{step}' AS \
         pg_catalog.numeric)) * CAST('{step}' AS pg_catalog.numeric)"
    )
}
