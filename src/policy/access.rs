//! What a role sees of one relation.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::template::Template;
use super::view::View;
use crate::rules::MaskSpec;
use crate::text::Origin;

/// A relation as a role sees it.
#[derive(Debug, Clone)]
pub enum Access {
    /// Clear in every column and row: stays a plain relation, named with its schema.
    Open,
    /// Replaced by its template.
    Masked(Arc<Template>),
    /// A view: replaced by its definition, in which each relation is seen as the role sees it, under the view's
    /// own template.
    View(Arc<View>),
    /// Does not exist for the role.
    Hidden,
    /// Exists, but nothing of it may be read; the text says why and what to do instead.
    Closed {
        /// `scrim: ` is put in front at the edge.
        reason: String,
    },
}

/// One column of a relation as a role sees it, for templates, `explain`, `SHOW scrim.masks` and the audit.
#[derive(Debug, Clone)]
pub struct ColumnAccess {
    /// `attnum`.
    pub number: i16,
    /// The column.
    pub name: String,
    /// What happens to it.
    pub verdict: ColumnVerdict,
    /// The mask that counts: where that of the rules does not fit, it is `redact`.
    pub mask: MaskSpec,
    /// Different values stay different, so what is unique stays unique.
    pub unique: bool,
    /// Rows may be found by its true value.
    pub lookup: Option<LookupKind>,
    /// Why.
    pub decision: Decision,
}

/// The label of a column that is clear, and shown as text: PostgreSQL looks up what becomes a value of its type.
pub(super) const AS_TEXT: &str = "as text";

impl ColumnAccess {
    /// True where the true value is seen, in another type than it has.
    pub fn is_as_text(&self) -> bool {
        matches!((&self.verdict, &self.mask), (ColumnVerdict::Masked(_), MaskSpec::Clear))
    }
}

/// By what a masked column may be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupKind {
    /// `column = value`
    Plain,
    /// That, and `lower(column) = value`.
    Text,
}

/// What happens to a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnVerdict {
    /// The true value.
    Clear,
    /// Not there.
    Hidden,
    /// A mask, by its label.
    Masked(String),
}

/// Why a column is seen the way it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The column's tag: `contact.email`, `open`, or `unclassified`.
    pub tag: String,
    /// The line that gave the tag; `None` when nobody classified the column.
    pub classified: Option<Origin>,
    /// The role's line that chose the mask; `None` for `open`, and when no line matched (then: redact).
    pub rule: Option<Origin>,
}

/// A relation that a statement reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub relation: String,
    /// True when it is open to the role and goes through as it is.
    pub open: bool,
    /// Columns that the statement mentions (or may mean), seen clear.
    pub clear: BTreeSet<String>,
    /// Columns that the statement mentions (or may mean), with the label of their mask.
    pub masked: BTreeSet<(String, String)>,
    /// The row filter was applied.
    pub filtered: bool,
}
