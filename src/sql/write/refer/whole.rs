//! A row that is written, as one value: a record of what the role sees of it.

use super::super::super::place::quoted;
use super::super::super::refusal::Refusal;
use super::super::ROW;
use super::super::target::Seen;
use super::{Done, Referrer, lost};
use crate::grammar::{Reference, Row, Standing};

/// By what the record goes.
const WHOLE: &str = "scrim$whole";

impl Referrer<'_> {
    /// The whole row, or `excluded`: a record of the columns that the role sees, or these one by one where a star means
    /// that.
    pub(super) fn whole(&mut self, reference: &Reference, row: Row, excluded: bool) -> Done {
        let target = self.targets.get(row.write).ok_or_else(lost)?;
        let called = if excluded { "excluded" } else { target.called.as_str() };
        let is_star = reference.fields.last().is_some_and(|last| last == "*");
        let apart = match reference.standing {
            Standing::Alone => false,
            Standing::InRow => is_star,
            Standing::InList if !is_star => false,
            Standing::InList | Standing::Base => return Err(whole_row(called)),
        };
        let columns: Vec<String> = target.visible().map(str::to_owned).collect();
        if columns.is_empty() || row.arbiter {
            return Err(whole_row(called));
        }
        let mut values = Vec::with_capacity(columns.len());
        for name in &columns {
            let value = match target.seen(name) {
                _ if excluded => {
                    self.of_excluded(row, name)?;
                    format!("excluded.{}", quoted(name))
                }
                Seen::Masked => self.mask(row, name),
                Seen::Clear | Seen::Decisive | Seen::Absent => {
                    format!("{}.{}", quoted(ROW), quoted(name))
                }
            };
            values.push(value);
        }
        let text = match apart {
            true => values.join(", "),
            false => {
                let named = values.iter().zip(&columns);
                let named = named.map(|(value, name)| format!("{value} AS {}", quoted(name)));
                let list = named.collect::<Vec<_>>().join(", ");
                let (whole, called) = (quoted(WHOLE), quoted(called));
                format!(
                    "(SELECT CAST({whole}.* AS pg_catalog.record) AS {called} FROM (SELECT {list}) AS {whole})"
                )
            }
        };
        if let Some(used) = self.used.get_mut(row.write) {
            used.extend(columns);
        }
        self.edit(reference.location, text)
    }
}

pub(super) fn whole_row(name: &str) -> Refusal {
    let what = format!("`{name}` as a whole row in a statement that writes: name its columns");
    Refusal::not_understood(&what)
}
