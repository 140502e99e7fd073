//! Where a mask stands: on which value, of which type.

use super::{Conditions, Misfit, text};
use crate::catalog::{Column, TypeFamily};
use crate::rules::MaskSpec;

/// A value that is masked: a column.
pub(super) struct Site<'a> {
    /// Its name and type.
    pub(super) column: &'a Column,
    /// How it is named in the template.
    pub(super) reference: String,
    /// What the row can be asked.
    pub(super) conditions: &'a dyn Conditions,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        column: &'a Column,
        reference: &str,
        conditions: &'a dyn Conditions,
    ) -> Site<'a> {
        Site { column, reference: reference.to_owned(), conditions }
    }

    /// The value as text, if it is text.
    pub(super) fn text(&self) -> Option<String> {
        let is_text = self.column.family == TypeFamily::Text;
        is_text.then(|| text::as_text(self.column, &self.reference))
    }

    /// To the value's own type.
    pub(super) fn cast(&self, value: &str) -> String {
        format!("CAST({value} AS {})", self.column.type_sql)
    }

    /// The mask does not fit here.
    pub(super) fn misfit(&self, spec: &MaskSpec, expected: &str) -> Misfit {
        Misfit {
            mask: spec.label(),
            column: self.column.name.clone(),
            type_sql: self.column.type_sql.clone(),
            expected: expected.to_owned(),
        }
    }
}
