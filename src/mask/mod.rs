//! Masks: specification × column → an SQL expression of the column's own type.
//!
//! Every expression returns exactly the column's type and modifier, never raises an error whatever the data,
//! and keeps NULL as NULL (`constant` and `null` aside). What is too short or malformed is redacted. Functions
//! and operators in it are pinned to `pg_catalog`, so no search_path and no overload can change what it means.
//! This room knows no roles, no rules files and no statements.
//!
//! Functions are pinned. Operators stand bare, with operands of exactly the types that PostgreSQL's own operators
//! take: the session's search_path always has `pg_catalog` in front, where an exact match wins.

mod address;
mod each;
mod fixed;
mod json;
mod key;
mod keyed;
mod number;
mod parts;
mod range;
mod scrub;
mod site;
mod text;
mod time;
mod wire;

use crate::catalog::Column;
use crate::rules::{MaskSpec, Scalar};
pub use key::{INNER_SETTING, OUTER_SETTING, is_key_setting, key_settings};
use parts::Parts;
pub use scrub::pattern as scrub_pattern;
use site::Site;
pub use wire::WireMask;

/// What a mask becomes for one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masked {
    /// The column itself.
    Clear,
    /// The column does not exist for the role.
    Hidden,
    /// An expression of the column's type over the row.
    Expression(Expression),
}

/// SQL that stands for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    /// The whole of it.
    pub sql: String,
    /// The same with names in the places of its deeper parts: PostgreSQL's parser reads deeper than the one that
    /// proves a template.
    pub outline: String,
    /// The deeper parts, each with names in the places of others: each is one expression, and stands in the whole in
    /// parentheses.
    pub parts: Vec<String>,
}

impl Expression {
    fn simple(sql: String) -> Expression {
        Expression { outline: sql.clone(), sql, parts: Vec::new() }
    }
}

/// The mask cannot be put on a column of this type; `check` shows it, and the column is redacted meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mask `{mask}` does not fit column `{column}` of type {type_sql}: {expected}")]
pub struct Misfit {
    /// The mask's label.
    pub mask: String,
    /// The column's name.
    pub column: String,
    /// Its type.
    pub type_sql: String,
    /// What the mask is for: "it masks text".
    pub expected: String,
}

/// What a `when` needs: conditions of the relation by name, already qualified SQL expressions.
pub trait Conditions {
    /// The SQL of a condition (a name or an expression), proven to be one harmless expression over the row.
    fn condition(&self, text: &str) -> Option<String>;
    /// Another column of the row, and how it is named in the template.
    fn column(&self, name: &str) -> Option<(Column, String)>;
    /// The SQL of an own expression with `{}` replaced by the column; proven likewise.
    fn expression(&self, text: &str, column: &str) -> Option<String>;
}

/// The SQL form of `spec` for `column`; `reference` is how the column is named in the template, quoted and
/// qualified: `customers.email`.
pub fn sql_form(
    spec: &MaskSpec,
    column: &Column,
    reference: &str,
    conditions: &dyn Conditions,
) -> Result<Masked, Misfit> {
    match spec {
        MaskSpec::Clear => Ok(Masked::Clear),
        MaskSpec::Hide => Ok(Masked::Hidden),
        MaskSpec::Null
        | MaskSpec::Redact
        | MaskSpec::Constant(_)
        | MaskSpec::Keep { .. }
        | MaskSpec::Email
        | MaskSpec::Phone
        | MaskSpec::Card
        | MaskSpec::Name
        | MaskSpec::Round(_)
        | MaskSpec::Truncate(_)
        | MaskSpec::Cap { .. }
        | MaskSpec::Ip
        | MaskSpec::Replace { .. }
        | MaskSpec::Scrub(_)
        | MaskSpec::Pseudonym { .. }
        | MaskSpec::Shift { .. }
        | MaskSpec::Noise(_)
        | MaskSpec::Each(_)
        | MaskSpec::Json(_)
        | MaskSpec::When { .. }
        | MaskSpec::Sql(_) => {
            let parts = Parts::default();
            let site = Site::new(column, reference, conditions, &parts);
            let is_taken =
                [reference, &column.type_sql, &spec.label()].into_iter().any(Parts::are_named_in);
            if is_taken {
                return Err(site.misfit(spec, "its text holds a name that Scrim uses"));
            }
            expression(spec, &site).map(|outline| Masked::Expression(parts.whole(outline)))
        }
    }
}

/// What a column is seen as, as a text: of types whose values PostgreSQL looks up, beside which whatever stands could become
/// one.
pub fn as_text(masked: Masked, reference: &str) -> Masked {
    let text = |sql: &str| format!("CAST({sql} AS pg_catalog.text)");
    match masked {
        Masked::Clear => Masked::Expression(Expression::simple(text(reference))),
        Masked::Hidden => Masked::Hidden,
        Masked::Expression(Expression { sql, outline, parts }) => {
            Masked::Expression(Expression { sql: text(&sql), outline: text(&outline), parts })
        }
    }
}

/// The strongest mask, which fits every type: `***`, 0, false, 1970-01-01, …, or NULL.
pub fn redaction(column: &Column, reference: &str) -> Expression {
    Expression::simple(redacted(column, reference))
}

fn redacted(column: &Column, reference: &str) -> String {
    match fixed::redaction(column.family) {
        _ if column.domain_over.is_some() => null_of_domain(reference),
        // The cast stands outside: inside a CASE its length would be lost.
        Some(value) => {
            let type_sql = &column.type_sql;
            format!(
                "CAST({} AS {type_sql})",
                unless_null(reference, &format!("CAST({value} AS {type_sql})"))
            )
        }
        None => null(column),
    }
}

/// An expression of the column's type, NULL where the column is NULL.
fn expression(spec: &MaskSpec, site: &Site<'_>) -> Result<String, Misfit> {
    let Site { column, reference, .. } = site;
    let misfit = |expected: &str| site.misfit(spec, expected);
    if column.domain_over.is_some() && !matches!(spec, MaskSpec::Clear | MaskSpec::Hide) {
        // Its CHECK might refuse a mask, and the refusal would tell about the value.
        return match spec {
            MaskSpec::Null | MaskSpec::Redact => Ok(null_of_domain(reference)),
            _ => Err(misfit("a domain can be clear, hidden, null or redacted")),
        };
    }
    // What is NULL stays NULL, and the column's type comes back.
    let whole = |value: Result<String, &'static str>| {
        value.map(|value| site.cast(&unless_null(reference, &value))).map_err(misfit)
    };
    let text = |make: &dyn Fn(&str) -> String| {
        let text = site.text().ok_or_else(|| misfit("it masks text"))?;
        whole(Ok(make(&text))).map(|mask| text::collated(column, mask))
    };
    match spec {
        MaskSpec::Clear => Ok(reference.clone()),
        MaskSpec::Hide => Err(misfit("a column can only be hidden as a whole, not by row")),
        MaskSpec::Null => Ok(null(column)),
        MaskSpec::Redact => Ok(redacted(column, reference)),
        MaskSpec::Constant(Scalar::Null) => Ok(null(column)),
        MaskSpec::Constant(scalar) => {
            fixed::constant(scalar, column).map(|value| site.cast(&value)).map_err(misfit)
        }
        MaskSpec::Keep { first, last } => text(&|value| text::keep(value, *first, *last)),
        MaskSpec::Email => text(&text::email),
        MaskSpec::Phone => text(&|value| text::digits(value, text::PHONE_DIGITS_MIN)),
        MaskSpec::Card => text(&|value| text::digits(value, text::CARD_DIGITS_MIN)),
        MaskSpec::Name => text(&text::name),
        MaskSpec::Replace { pattern, with } => text(&|value| text::replace(value, pattern, with)),
        MaskSpec::Scrub(kinds) => text(&|value| scrub::scrub(value, kinds)),
        MaskSpec::Ip if site.text().is_some() => text(&|value| address::of_text(value, column)),
        MaskSpec::Ip => whole(address::network(column, reference)),
        MaskSpec::Round(step) => whole(number::round(column, reference, step)),
        MaskSpec::Truncate(unit) => whole(time::truncate(column, reference, *unit)),
        MaskSpec::Cap { low, high } => {
            whole(range::cap(column, reference, low.as_ref(), high.as_ref()))
        }
        MaskSpec::Pseudonym { kind, domain } => {
            let value = keyed::pseudonym(*kind, domain, site, spec)?;
            whole(Ok(value)).map(|mask| text::collated(column, mask))
        }
        MaskSpec::Shift { days, by } => whole(Ok(keyed::shift(*days, by, site, spec)?)),
        MaskSpec::Noise(share) => whole(Ok(keyed::noise(share, site, spec)?)),
        MaskSpec::Each(inner) => {
            let value = each::each(inner, site)?;
            whole(Ok(value)).map(|mask| text::collated(column, mask))
        }
        MaskSpec::Json(mask) => json::json(mask, site).and_then(|value| whole(Ok(value))),
        MaskSpec::When { condition, then, otherwise, span: _ } => {
            let condition = site
                .condition(&condition.text)
                .ok_or_else(|| misfit("its condition cannot be used"))?;
            let then = site.parts.cut(expression(then, site)?);
            let otherwise = site.parts.cut(expression(otherwise, site)?);
            Ok(site.cast(&format!("CASE WHEN {condition} THEN {then} ELSE {otherwise} END")))
        }
        MaskSpec::Sql(_) if site.depth > 0 => {
            Err(misfit("an own expression is over a whole column"))
        }
        MaskSpec::Sql(sql) => {
            let value = site
                .conditions
                .expression(&sql.text, &column.name)
                .ok_or_else(|| misfit("its expression cannot be used"))?;
            whole(Ok(value))
        }
    }
}

/// NULL of a domain's type, past its NOT NULL and CHECK, which a cast would run: an element that is not there.
/// (`CASE WHEN false THEN x END` is of the base type: <https://www.postgresql.org/docs/current/typeconv-union-case.html>.)
fn null_of_domain(reference: &str) -> String {
    format!("(ARRAY[{reference}])[2]")
}

fn null(column: &Column) -> String {
    format!("CAST(NULL AS {})", column.type_sql)
}

fn unless_null(reference: &str, value: &str) -> String {
    format!("CASE WHEN {reference} IS NOT NULL THEN {value} END")
}
