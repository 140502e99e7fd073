//! The SQL by which a relation is replaced for a role.

use super::access::{ColumnAccess, ColumnVerdict};
use crate::catalog::RelationOid;
use crate::grammar::quote_identifier;

/// A compiled template. Its SQL has been verified: it reads this one relation and calls only what it may.
#[derive(Debug, Clone)]
pub struct Template {
    /// The relation behind.
    pub oid: RelationOid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// All columns of the relation, hidden ones too, in order.
    pub columns: Vec<ColumnAccess>,
    /// Primary key columns by name, if the relation has a primary key and every one of them is clear, so that
    /// the key still identifies a row for the role; else empty.
    pub primary_key: Vec<String>,
    /// The row filter, as checked SQL over the relation's columns; `None`: all rows.
    pub filter: Option<String>,
    pub(super) select_list: String,
}

impl Template {
    /// The sub-select, in parentheses, without an alias. `only` reads no children; `sample` is a checked
    /// `TABLESAMPLE …` clause.
    ///
    /// `OFFSET 0` behind a filter keeps the planner from running the statement's own functions over rows that
    /// the filter drops.
    pub fn sql(&self, only: bool, sample: Option<&str>) -> String {
        let mut source = String::from(if only { "ONLY " } else { "" });
        source.push_str(&quote_identifier(&self.schema));
        source.push('.');
        source.push_str(&quote_identifier(&self.name));
        if let Some(sample) = sample {
            source.push(' ');
            source.push_str(sample);
        }
        self.over(&source, false)
    }

    /// The sub-select over another source than the relation itself. `source` is called what the relation is
    /// called and has its columns; `fenced` keeps the statement's own functions out even where no row is dropped.
    pub(super) fn over(&self, source: &str, fenced: bool) -> String {
        let mut sql = format!("(SELECT {} FROM {source}", self.select_list);
        if let Some(filter) = &self.filter {
            sql.push_str(" WHERE ");
            sql.push_str(filter);
        }
        if fenced || self.filter.is_some() {
            sql.push_str(" OFFSET 0");
        }
        sql.push(')');
        sql
    }

    /// The columns that exist for the role, in order.
    pub fn visible_columns(&self) -> impl Iterator<Item = &ColumnAccess> {
        self.columns.iter().filter(|column| column.verdict != ColumnVerdict::Hidden)
    }
}
