//! Where result columns come from.

use crate::policy::RoleView;

/// A result column that must not flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("result column {position} comes straight from column {column} of table {table}")]
pub struct Breach {
    /// Position in the result, from 1.
    pub position: usize,
    /// `pg_class.oid`
    pub table: u32,
    /// `attnum`
    pub column: i16,
}

/// Judges the body (after type and length) of a RowDescription. A malformed body is a breach at position 0.
pub fn judge_row_description(_body: &[u8], _view: &RoleView) -> Result<(), Breach> {
    todo!()
}
