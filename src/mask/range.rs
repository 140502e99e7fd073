//! Masks of what has an order: `cap`.

use super::fixed;
use crate::catalog::{Column, TypeFamily};
use crate::rules::Scalar;

/// `timestamptz`
const WITH_TIME_ZONE: u32 = 1184;

/// Cut to a range. Infinite values come to the end that they lie beyond, and NaN, which PostgreSQL sorts above all
/// numbers, to the upper one.
pub(super) fn cap(
    column: &Column,
    reference: &str,
    low: Option<&Scalar>,
    high: Option<&Scalar>,
) -> Result<String, &'static str> {
    match column.family {
        TypeFamily::Integer
        | TypeFamily::Numeric
        | TypeFamily::Float
        | TypeFamily::Date
        | TypeFamily::Timestamp => {}
        TypeFamily::Text
        | TypeFamily::Boolean
        | TypeFamily::Uuid
        | TypeFamily::Json
        | TypeFamily::Jsonb
        | TypeFamily::Bytea
        | TypeFamily::Inet
        | TypeFamily::Array
        | TypeFamily::Other => return Err("it masks numbers, dates and timestamps"),
    }
    let end = |scalar: &Scalar| -> Result<String, &'static str> {
        let literal = fixed::constant(scalar, column)
            .map_err(|_| "one end of the range is no value of this type")?;
        // A session could shift its zone, and the range with it: with a zone, the ends are in UTC.
        let literal = match (column.type_oid, literal.strip_suffix('\'')) {
            (WITH_TIME_ZONE, Some(moment)) if moment.contains([' ', 'T']) => {
                format!("{moment}+00'")
            }
            (WITH_TIME_ZONE, Some(day)) => format!("{day} 00:00:00+00'"),
            _ => literal,
        };
        Ok(format!("CAST({literal} AS {})", column.type_sql))
    };
    let mut value = reference.to_owned();
    if let Some(high) = high {
        value = format!("LEAST({value}, {})", end(high)?);
    }
    if let Some(low) = low {
        value = format!("GREATEST({value}, {})", end(low)?);
    }
    Ok(value)
}
