//! Sequences, which can be selected from: how far one has counted tells how many rows there are, and the last number.

use super::access::{Access, ColumnAccess, ColumnVerdict, Decision};
use super::role_view::{RoleView, Unfit};
use super::template::SelectList;
use crate::catalog::Relation;
use crate::rules::MaskSpec;

/// What a sequence shows that has never been used: its columns are the same in all servers.
const FRESH: [(&str, &str); 3] = [
    ("last_value", "CAST(1 AS pg_catalog.int8)"),
    ("log_cnt", "CAST(0 AS pg_catalog.int8)"),
    ("is_called", "false"),
];

impl RoleView {
    /// A sequence is what the column is that owns it: clear (then pg_dump can set it), hidden, or else as if it had never
    /// been used. One that no column owns is nobody's, and so is one of a table of which some rows are gone.
    pub(super) fn compile_sequence(&self, relation: &Relation, unfit: &mut Vec<Unfit>) -> Access {
        let owner = relation.reads.first().map(|(owner, number)| (self.access(*owner), *number));
        match owner {
            Some((Access::Open, _)) => return Access::Open,
            Some((Access::Hidden, _)) => return Access::Hidden,
            Some((Access::Masked(template), number)) => {
                let mut columns = template.columns.iter();
                match columns.find(|column| column.number == number).map(|column| &column.verdict) {
                    Some(ColumnVerdict::Clear) if template.filter.is_none() => return Access::Open,
                    Some(ColumnVerdict::Hidden) => return Access::Hidden,
                    Some(ColumnVerdict::Clear | ColumnVerdict::Masked(_)) | None => {}
                }
            }
            Some((Access::View(_) | Access::Closed { .. }, _)) | None => {}
        }
        let mut list = SelectList::default();
        let mut columns = Vec::with_capacity(FRESH.len());
        for ((name, value), number) in FRESH.into_iter().zip(1..) {
            let item = format!("{value} AS {name}");
            list.push(name, item.clone(), item);
            let decision = Decision { tag: "a sequence".to_owned(), classified: None, rule: None };
            let verdict = ColumnVerdict::Masked("as if never used".to_owned());
            let name = name.to_owned();
            columns.push(ColumnAccess {
                number,
                name,
                verdict,
                mask: MaskSpec::Redact,
                unique: false,
                lookup: None,
                decision,
            });
        }
        match self.template(relation, columns, list, None, Vec::new()) {
            Ok(template) => Access::Masked(template.into()),
            Err(found) => self.unproven(relation, &found, unfit),
        }
    }
}
