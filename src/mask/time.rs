//! Masks of dates and timestamps: `truncate`.

use crate::catalog::{Column, TypeFamily};
use crate::rules::TruncateUnit;

/// Down to the start of a unit. What lies outside the years that PostgreSQL can calculate with is redacted.
pub(super) fn truncate(
    column: &Column,
    reference: &str,
    unit: TruncateUnit,
) -> Result<String, &'static str> {
    let name = unit.name();
    let between = |low: &str, high: &str, kind: &str, value: String| {
        format!(
            "CASE WHEN NOT pg_catalog.isfinite({reference}) THEN {reference} WHEN {reference} >= CAST('{low}' AS pg_catalog.{kind}) AND {reference} < \
             CAST('{high}' AS pg_catalog.{kind}) THEN {value} ELSE CAST('1970-01-01' AS \
             pg_catalog.{kind}) END"
        )
    };
    match column.family {
        TypeFamily::Date => match unit {
            // One line of a role may mean dates and timestamps: a date starts with itself.
            TruncateUnit::Day | TruncateUnit::Hour => Ok(reference.to_owned()),
            TruncateUnit::Year
            | TruncateUnit::Quarter
            | TruncateUnit::Month
            | TruncateUnit::Week => {
                let value = format!(
                    "CAST(pg_catalog.date_trunc('{name}', CAST({reference} AS \
                     pg_catalog.timestamp)) AS pg_catalog.date)"
                );
                Ok(between("4713-01-01 BC", "294277-01-01", "date", value))
            }
        },
        TypeFamily::Timestamp => {
            let has_zone = column.type_sql.contains("with time zone");
            // A session could shift its zone to learn the hour: with a zone, units are those of UTC.
            let (value, kind) = if has_zone {
                (format!("pg_catalog.date_trunc('{name}', {reference}, 'UTC')"), "timestamptz")
            } else {
                (format!("pg_catalog.date_trunc('{name}', {reference})"), "timestamp")
            };
            Ok(between("4713-01-01 BC", "infinity", kind, value))
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
        | TypeFamily::Other => Err("it masks dates and timestamps"),
    }
}
