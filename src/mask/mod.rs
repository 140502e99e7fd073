//! Masks: specification × column → an SQL expression of the column's own type.
//!
//! Every expression returns exactly the column's type and modifier, never raises an error whatever the data,
//! and keeps NULL as NULL (`constant` and `null` aside). What is too short or malformed is redacted. Functions
//! and operators in it are pinned to `pg_catalog`, so no search_path and no overload can change what it means.
//! This room knows no roles, no rules files and no statements.

use crate::catalog::Column;
use crate::rules::{MaskSpec, Scalar};

/// What a mask becomes for one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masked {
    /// The column itself.
    Clear,
    /// The column does not exist for the role.
    Hidden,
    /// An expression of the column's type over the row.
    Expression(String),
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
    /// The SQL of an own expression with `{}` replaced by the column; proven likewise.
    fn expression(&self, text: &str, column: &str) -> Option<String>;
}

/// The SQL form of `spec` for `column`; `reference` is how the column is named in the template, quoted and
/// qualified: `"customers"."email"`.
pub fn sql_form(
    _spec: &MaskSpec,
    _column: &Column,
    _reference: &str,
    _conditions: &dyn Conditions,
) -> Result<Masked, Misfit> {
    let _ = Scalar::Null;
    todo!()
}
