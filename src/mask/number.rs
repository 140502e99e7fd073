//! Masks of numbers: `round`.

use crate::catalog::{Column, TypeFamily};

/// Beyond so many digits a multiple could overflow even `numeric` without a modifier.
const DIGITS_MAX: u32 = 1000;

/// What `numeric(p, s)` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Precision {
    /// Digits before the point; negative where the scale is larger than the precision.
    pub(super) whole_digits: i64,
    /// Digits behind the point; negative where it rounds to tens, hundreds, ….
    pub(super) scale: i64,
}

/// Reads the modifier, `((p << 16) | (s & 0x7ff)) + 4` (PostgreSQL's numeric.c, `make_numeric_typmod`); `None`
/// without one.
pub(super) fn precision(type_modifier: i32) -> Option<Precision> {
    let modifier = i64::from(type_modifier).checked_sub(4).filter(|modifier| *modifier >= 0)?;
    // The scale has 11 bits and a sign.
    let scale = ((modifier & 0x7ff) ^ 1024) - 1024;
    Some(Precision { whole_digits: (modifier >> 16).saturating_sub(scale), scale })
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
                _ => "-9223372036854775808",
            };
            let x = format!("CAST({reference} AS pg_catalog.numeric)");
            let rounded = floor(&x, step);
            Ok(format!("CASE WHEN {x} >= 0 OR {rounded} >= {least} THEN {rounded} ELSE 0 END"))
        }
        TypeFamily::Numeric => Ok(round_numeric(column, reference, step)),
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

/// NaN, and the infinite values where there are some, stay: they are no number to round.
fn round_numeric(column: &Column, reference: &str, step: &str) -> String {
    let x = format!("CAST({reference} AS pg_catalog.numeric)");
    match precision(column.type_modifier) {
        // What is left of a fraction shows how many digits the value had: cut to those of the step.
        None => {
            let decimals = step.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            format!(
                "CASE WHEN pg_catalog.abs({x}) < CAST('1e{DIGITS_MAX}' AS pg_catalog.numeric) \
                 THEN pg_catalog.round({}, {decimals}) WHEN {x} - {x} = 0 THEN 0 ELSE {x} END",
                floor(&x, step)
            )
        }
        // Rounded to the column's scale before it is compared: the cast does that too, and may carry.
        Some(Precision { whole_digits, scale }) => {
            let rounded = format!("pg_catalog.round({}, {scale})", floor(&x, step));
            format!(
                "CASE WHEN {x} >= 0 OR pg_catalog.abs({rounded}) < CAST('1e{whole_digits}' AS \
                 pg_catalog.numeric) THEN {rounded} ELSE 0 END"
            )
        }
    }
}

/// Exactly: a quotient would be rounded to some digits, and the next multiple above could come out.
fn floor(x: &str, step: &str) -> String {
    let step = format!("CAST('{step}' AS pg_catalog.numeric)");
    format!("({x} - pg_catalog.mod(pg_catalog.mod({x}, {step}) + {step}, {step}))")
}

#[cfg(test)]
mod tests {
    use super::{Precision, precision};

    #[test]
    fn modifiers_of_numeric() {
        let of = |p: i32, s: i32| ((p << 16) | (s & 0x7ff)) + 4;
        assert_eq!(precision(-1), None);
        for (p, s, whole_digits) in
            [(14, 2, 12), (1000, 0, 1000), (2, 2, 0), (3, 5, -2), (3, -3, 6)]
        {
            let expected = Precision { whole_digits, scale: i64::from(s) };
            assert_eq!(precision(of(p, s)), Some(expected), "numeric({p}, {s})");
        }
    }
}
