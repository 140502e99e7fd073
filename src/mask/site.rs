//! Where a mask stands: on which value, of which type.

use super::parts::Parts;
use super::{Conditions, Misfit, text};
use crate::catalog::{Column, TypeFamily};
use crate::rules::MaskSpec;

/// A value that is masked: a column, or what is in it.
pub(super) struct Site<'a> {
    /// Its name and type.
    pub(super) column: &'a Column,
    /// How it is named in the template.
    pub(super) reference: String,
    /// What the row can be asked.
    pub(super) conditions: &'a dyn Conditions,
    /// How many sub-selects the mask stands in. Names in each are its own, so that none hides another.
    pub(super) depth: usize,
    /// Where deep masks are cut.
    pub(super) parts: &'a Parts,
}

impl<'a> Site<'a> {
    pub(super) fn new(
        column: &'a Column,
        reference: &str,
        conditions: &'a dyn Conditions,
        parts: &'a Parts,
    ) -> Site<'a> {
        Site { column, reference: reference.to_owned(), conditions, depth: 0, parts }
    }

    /// What stands in it: one sub-select further in, named as it is there.
    pub(super) fn inner<'b>(&'b self, column: &'b Column, reference: &str) -> Site<'b> {
        Site {
            column,
            reference: reference.to_owned(),
            conditions: self.conditions,
            depth: self.depth.saturating_add(1),
            parts: self.parts,
        }
    }

    /// The SQL of a condition of the row.
    pub(super) fn condition(&self, text: &str) -> Option<String> {
        self.conditions.condition(text).filter(|sql| !Parts::are_named_in(sql))
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
