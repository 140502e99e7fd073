//! The SQL by which a relation is replaced for a role.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{ColumnAccess, ColumnVerdict};
use crate::catalog::RelationOid;
use crate::grammar::quote_identifier;
use crate::mask::WireMask;

/// What SQL of Scrim's own fails with where a masked column is assigned something else than it shows; the column's
/// name follows. The guard knows it again.
pub const KEPT_MARK: &str = "scrim$kept:";
/// The same where an INSERT meets a row that the role does not see.
pub const UNSEEN_MARK: &str = "scrim$unseen:";

/// Before the name in an error about what does not exist, where it was looked up in Scrim's own SQL.
pub const MISSING_MARK: &str = "scrim$missing_";

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
    pub(super) list: SelectList,
}

/// What is wanted of a relation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// These of the columns that the role sees; `None`: all.
    pub columns: Option<BTreeSet<String>>,
    /// These of them as they are, to be masked on their way to the client: only where it is proven that they do nothing but
    /// travel there.
    pub raw: BTreeSet<String>,
}

impl Wanted {
    /// All columns, masked.
    pub fn all() -> Wanted {
        Wanted::default()
    }

    fn has(&self, column: &str) -> bool {
        self.columns.as_ref().is_none_or(|names| names.contains(column))
    }
}

/// The columns of a template, with their masks.
#[derive(Debug, Clone, Default)]
pub(super) struct SelectList {
    items: Vec<Item>,
    /// What the outlines have names for.
    pub(super) parts: Vec<String>,
    /// The masks by column, as they are sent.
    pub(super) masks: BTreeMap<String, String>,
    /// Columns that other columns' masks go by.
    pub(super) decisive: BTreeSet<String>,
    /// The masks by column that can be put on outside the database.
    pub(super) wire: BTreeMap<String, WireMask>,
}

/// A column of the list.
#[derive(Debug, Clone)]
struct Item {
    column: String,
    /// As it is sent.
    sql: String,
    /// With names in the places of deep parts of its mask, as it is proven.
    outline: String,
}

impl SelectList {
    /// One more column: its SQL, as it is sent and in outline.
    pub(super) fn push(&mut self, column: &str, sql: String, outline: String) {
        self.items.push(Item { column: column.to_owned(), sql, outline });
    }
}

impl Template {
    /// The sub-select, in parentheses, without an alias. `only` reads no children; `sample` is a checked
    /// `TABLESAMPLE …` clause; `conditions` are proven ones over the relation's own row, of true values.
    ///
    /// `OFFSET 0` behind a filter keeps the planner from running the statement's own functions over rows that
    /// the filter drops.
    /// `system_columns` (`ctid`, `xmin`, `tableoid`) come behind the relation's own. Of those only the `wanted` ones
    /// are computed: PostgreSQL looks at every expression of a sub-select while it plans, also where nobody asks
    /// for it.
    pub fn sql(
        &self,
        only: bool,
        sample: Option<&str>,
        conditions: &[String],
        system_columns: &[&str],
        wanted: &Wanted,
    ) -> String {
        let mut source = String::from(if only { "ONLY " } else { "" });
        source.push_str(&quote_identifier(&self.schema));
        source.push('.');
        source.push_str(&quote_identifier(&self.name));
        if let Some(sample) = sample {
            source.push(' ');
            source.push_str(sample);
        }
        self.over(&source, false, conditions, system_columns, wanted)
    }

    /// The sub-select of all columns with the outline of their masks, to be proven with their parts.
    pub(super) fn outline(&self) -> String {
        let outlined = |item: &Item| Item { sql: item.outline.clone(), ..item.clone() };
        let items = self.list.items.iter().map(outlined).collect();
        let list = SelectList { items, ..SelectList::default() };
        Template { list, ..self.clone() }.sql(false, None, &[], &[], &Wanted::all())
    }

    /// The sub-select over another source than the relation itself. `source` is called what the relation is
    /// called and has its columns; `fenced` keeps the statement's own functions out even where no row is dropped.
    pub(super) fn over(
        &self,
        source: &str,
        fenced: bool,
        conditions: &[String],
        system_columns: &[&str],
        wanted: &Wanted,
    ) -> String {
        let name = quote_identifier(&self.name);
        let own = self.list.items.iter().filter(|item| wanted.has(&item.column));
        let system = system_columns.iter().map(|column| format!("{name}.{column}"));
        let is_raw =
            |column: &String| wanted.raw.contains(column) && self.wire_mask(column).is_some();
        let sent = |item: &Item| match is_raw(&item.column) {
            true => format!("{name}.{}", quote_identifier(&item.column)),
            false => item.sql.clone(),
        };
        let list: Vec<String> = own.map(sent).chain(system).collect();
        let mut sql = format!("(SELECT {} FROM {source}", list.join(", "));
        let filter = self.filter.iter().map(|filter| format!("({filter})"));
        let conditions: Vec<String> = filter.chain(conditions.iter().cloned()).collect();
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        if fenced || self.filter.is_some() {
            sql.push_str(" OFFSET 0");
        }
        sql.push(')');
        sql
    }

    /// The mask of a column that can be put on outside the database; `None` where there is none.
    pub fn wire_mask(&self, column: &str) -> Option<&WireMask> {
        self.list.wire.get(column)
    }

    /// The mask of a column over the relation's own row; `None` for a column that has none.
    pub fn mask(&self, column: &str) -> Option<&str> {
        self.list.masks.get(column).map(String::as_str)
    }

    /// The mask of a column over the row of a relation that is called `row` in a statement, under the column's own
    /// name; `None` for a column that has none.
    pub fn mask_over(&self, row: &str, column: &str) -> Option<String> {
        let mask = self.list.masks.get(column)?;
        Some(self.over_row(row, &format!("{mask} AS {}", quote_identifier(column))))
    }

    /// The row filter over such a row.
    pub fn filter_over(&self, row: &str) -> Option<String> {
        self.filter.as_ref().map(|filter| self.over_row(row, filter))
    }

    /// An expression of the rules names columns by the relation, so the row is called that inside.
    fn over_row(&self, row: &str, expression: &str) -> String {
        let (row, name) = (quote_identifier(row), quote_identifier(&self.name));
        format!("(SELECT {expression} FROM (SELECT {row}.*) AS {name})")
    }

    /// True for a column by which the row filter or another column's mask goes: who writes it changes what they see.
    pub fn is_decisive(&self, column: &str) -> bool {
        let in_filter =
            self.filter.as_ref().is_some_and(|filter| mentions(filter, &self.name, column));
        in_filter || self.list.decisive.contains(column)
    }

    /// The columns that exist for the role, in order.
    pub fn visible_columns(&self) -> impl Iterator<Item = &ColumnAccess> {
        self.columns.iter().filter(|column| column.verdict != ColumnVerdict::Hidden)
    }
}

/// True when a checked expression may name the column: rather too often than too rarely.
pub(super) fn mentions(sql: &str, relation: &str, column: &str) -> bool {
    let reference = format!("{}.{}", quote_identifier(relation), quote_identifier(column));
    sql.match_indices(&reference).any(|(at, _)| {
        let rest = sql.get(at.saturating_add(reference.len())..).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$')
    })
}
