//! What the FROM clause of one SELECT makes visible, as far as the rewriter needs to know.

use std::sync::Arc;

use crate::policy::Template;

/// One entry of a FROM clause.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name by which columns are qualified.
    pub(super) alias: String,
    /// Schema and name, where the relation was written without an alias: only then may `schema.table.column`
    /// be said of it.
    pub(super) unaliased: Option<(String, String)>,
    /// The template, where the entry became a hole.
    pub(super) template: Option<Arc<Template>>,
    /// The hole that it became.
    pub(super) hole: Option<usize>,
    /// Schema and name, where all its columns are there: an open relation, or a system relation.
    pub(super) open: Option<(String, String)>,
    /// An outer join may fill it with NULLs.
    pub(super) nullable: bool,
    /// New names for the first columns: `customers AS c(a, b)`.
    pub(super) renamed: bool,
}

/// A column name as it was mentioned: all its parts; a star is the part `*`.
pub(super) type Mention = Vec<String>;

impl Item {
    /// One whose columns the rewriter need not know.
    pub(super) fn opaque(alias: String) -> Item {
        Item {
            alias,
            unaliased: None,
            template: None,
            hole: None,
            open: None,
            nullable: false,
            renamed: true,
        }
    }

    /// True when a template's column of that name is visible under its own name.
    pub(super) fn has_column(&self, name: &str) -> bool {
        !self.renamed
            && self.template.as_ref().is_some_and(|template| {
                template.visible_columns().any(|column| column.name == name)
            })
    }
}
