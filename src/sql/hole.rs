//! Holes: places in a query where a template goes.

use std::sync::Arc;

use super::temporary::TEMP_SCHEMA;
use crate::grammar::{RESERVED_SCHEMA, quote_identifier};
use crate::policy::{ColumnAccess, Template, View, ViewBody, Wanted};

/// The reserved schema in which holes have their names, while a statement is being planned. No catalog has it:
/// a client that writes it is told that no such relation exists.
pub(super) const HOLE_SCHEMA: &str = RESERVED_SCHEMA;

/// One hole.
#[derive(Debug, Clone)]
pub(super) struct Hole {
    /// What goes in.
    pub(super) content: Content,
    /// ONLY stood before the name.
    pub(super) only: bool,
    /// `TABLESAMPLE …`, made by the rewriter of constants.
    pub(super) sample: Option<String>,
    /// Conditions on true values.
    pub(super) lookups: Vec<Lookup>,
    /// System columns that the statement names; their names are PostgreSQL's own.
    pub(super) system_columns: Vec<&'static str>,
}

/// `column = value`, or one of several values.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    /// The column's name.
    pub(super) column: String,
    /// `lower(column)` is compared.
    pub(super) lower: bool,
    /// Constants and parameters.
    pub(super) operands: Vec<Operand>,
}

/// A constant or a parameter. Its text is the rewriter's, and proven with the statement.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) text: String,
    /// `lower(…)` is around it.
    pub(super) lower: bool,
}

/// What goes into a hole.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A relation under the role's rules.
    Masked(Arc<Template>),
    /// A view under the role's rules, and its definition under them.
    View(Arc<View>, Arc<ViewBody>),
    /// A system relation of which some rows or columns are closed.
    System {
        /// Its name; the schema is `pg_catalog` or `information_schema`.
        schema: &'static str,
        /// Its name.
        name: &'static str,
        /// The sub-select, in parentheses, up to where system columns may be added to its list.
        list: String,
        /// The rest of it.
        rest: String,
        /// It is a table `l` of that name, with system columns that the login may read.
        carries: bool,
        /// It says who asks, and is another for each user.
        by_user: bool,
    },
    /// A temporary table of the session.
    Temporary {
        /// Its name; the schema is `pg_temp`.
        name: String,
    },
}

impl Content {
    pub(super) fn schema(&self) -> &str {
        match self {
            Content::Masked(template) => &template.schema,
            Content::View(view, _) => &view.template.schema,
            Content::System { schema, .. } => schema,
            Content::Temporary { .. } => TEMP_SCHEMA,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Content::Masked(template) => &template.name,
            Content::View(view, _) => &view.template.name,
            Content::System { name, .. } => name,
            Content::Temporary { name } => name,
        }
    }

    /// The columns of a relation under the role's rules; `None` for a system relation.
    pub(super) fn columns(&self) -> Option<&[ColumnAccess]> {
        match self {
            Content::Masked(template) => Some(&template.columns),
            Content::View(view, _) => Some(&view.template.columns),
            Content::System { .. } | Content::Temporary { .. } => None,
        }
    }

    /// True for a system relation whose system columns the statement may name.
    pub(super) fn carries(&self) -> bool {
        matches!(self, Content::System { carries: true, .. })
    }

    pub(super) fn template(&self) -> Option<Arc<Template>> {
        match self {
            Content::Masked(template) => Some(template.clone()),
            Content::View(view, _) => Some(view.template.clone()),
            Content::System { .. } | Content::Temporary { .. } => None,
        }
    }
}

impl Hole {
    /// True when what goes in is another for each user.
    pub(super) fn is_by_user(&self) -> bool {
        match &self.content {
            Content::View(_, body) => body.by_user,
            Content::System { by_user, .. } => *by_user,
            Content::Masked(_) | Content::Temporary { .. } => false,
        }
    }

    /// The sub-select, in parentheses, with the `wanted` ones of the columns that the rules judge. Views and system
    /// relations have no children and are not sampled.
    pub(super) fn sql(&self, wanted: &Wanted) -> String {
        match &self.content {
            Content::Masked(template) => {
                let conditions: Vec<String> =
                    self.lookups.iter().map(|lookup| lookup.condition(&template.name)).collect();
                let sample = self.sample.as_deref();
                template.sql(self.only, sample, &conditions, &self.system_columns, wanted)
            }
            Content::View(view, body) => view.sql(body, wanted),
            Content::System { list, rest, carries, .. } => {
                let columns = self.system_columns.iter().filter(|_| *carries);
                let columns: String = columns.map(|column| format!(", l.{column}")).collect();
                format!("{list}{columns}{rest}")
            }
            Content::Temporary { name } => {
                temporary(name, self.only, self.sample.as_deref().unwrap_or_default())
            }
        }
    }
}

/// A temporary table, in a form whose columns come from no table that the guard would have to know: of a UNION the
/// server says that they come from nowhere. The second half is empty, and the planner drops it.
fn temporary(name: &str, only: bool, sample: &str) -> String {
    let only = if only { "ONLY " } else { "" };
    let name = format!("{TEMP_SCHEMA}.{}", quote_identifier(name));
    format!("(SELECT * FROM {only}{name} {sample} UNION ALL SELECT * FROM {name} WHERE false)")
}

impl Lookup {
    /// The condition over the relation's own row.
    fn condition(&self, relation: &str) -> String {
        let lowered = |text: String, lower: bool| match lower {
            true => format!("pg_catalog.lower({text})"),
            false => text,
        };
        let column = format!("{}.{}", quote_identifier(relation), quote_identifier(&self.column));
        let column = lowered(column, self.lower);
        let equal = |operand: &Operand| {
            format!(
                "{column} OPERATOR(pg_catalog.=) {}",
                lowered(operand.text.clone(), operand.lower)
            )
        };
        let any: Vec<String> = self.operands.iter().map(equal).collect();
        format!("({})", any.join(" OR "))
    }
}
