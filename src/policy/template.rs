//! The SQL by which a relation is replaced for a role.

use super::access::ColumnAccess;
use crate::catalog::RelationOid;

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
    /// Primary key columns by name, if the relation has a primary key and every one of them is clear and the
    /// key still identifies a row for the role; else empty.
    pub primary_key: Vec<String>,
    /// The row filter, as checked SQL over the relation's columns; `None`: all rows.
    pub filter: Option<String>,
    pub(super) select_list: String,
}

impl Template {
    /// The sub-select, in parentheses, without an alias. `only` reads no children; `sample` is a checked
    /// `TABLESAMPLE …` clause.
    pub fn sql(&self, _only: bool, _sample: Option<&str>) -> String {
        todo!()
    }

    /// The columns that exist for the role, in order.
    pub fn visible_columns(&self) -> impl Iterator<Item = &ColumnAccess> {
        self.columns.iter().filter(|column| column.verdict != super::access::ColumnVerdict::Hidden)
    }
}
