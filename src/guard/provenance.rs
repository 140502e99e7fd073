//! Where result columns come from.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>, RowDescription.

use crate::catalog::RelationOid;
use crate::policy::RoleView;
use crate::wire::reader;

/// A result column that must not flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("result column {position} comes straight from column {column} of table {table}")]
pub struct Breach {
    /// Position in the result, from 1; 0 when the row description itself is malformed.
    pub position: usize,
    /// `pg_class.oid`
    pub table: u32,
    /// `attnum`
    pub column: i16,
}

/// Judges the body (after type and length) of a RowDescription. A malformed body is a breach at position 0.
pub fn judge_row_description(body: &[u8], view: &RoleView) -> Result<(), Breach> {
    let columns =
        reader::row_description(body).map_err(|_| Breach { position: 0, table: 0, column: 0 })?;
    for (column, position) in columns.iter().zip(1..) {
        // 0: an expression, which the plan answers for.
        if column.table != 0 && !view.may_flow_raw(RelationOid(column.table), column.number) {
            return Err(Breach { position, table: column.table, column: column.number });
        }
    }
    Ok(())
}
