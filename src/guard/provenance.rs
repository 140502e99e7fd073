//! Where result columns come from.
//!
//! The body of a RowDescription is read to its last byte: a field that is misread would be judged by another
//! column's rules.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-ROWDESCRIPTION>

use crate::catalog::RelationOid;
use crate::policy::{RoleView, WireMasks};
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

/// Judges the body (after type and length) of a RowDescription. A malformed body is a breach at position 0. Where columns
/// are to be masked on their way, they must be the very ones, at the very places, and the result as wide as it must be.
pub fn judge_row_description(
    body: &[u8],
    view: &RoleView,
    masks: Option<&WireMasks>,
) -> Result<(), Breach> {
    judge(body, masks, |table, column| view.may_flow_raw(table, column))
}

fn judge(
    body: &[u8],
    masks: Option<&WireMasks>,
    may_flow: impl Fn(RelationOid, i16) -> bool,
) -> Result<(), Breach> {
    let malformed = Breach { position: 0, table: 0, column: 0 };
    let columns = reader::row_description(body).map_err(|_| malformed.clone())?;
    if masks.is_some_and(|masks| masks.width != columns.len()) {
        return Err(malformed);
    }
    for (column, position) in columns.iter().zip(1_usize..) {
        if let Some(raw) = masks.and_then(|masks| masks.at(position.saturating_sub(1))) {
            if RelationOid(column.table) != raw.table || column.number != raw.number {
                return Err(Breach { position, table: column.table, column: column.number });
            }
            continue;
        }
        // An expression, which the plan answers for. A number without a table is nothing PostgreSQL sends.
        let is_computed = column.table == 0 && column.number == 0;
        if !is_computed && !may_flow(RelationOid(column.table), column.number) {
            return Err(Breach { position, table: column.table, column: column.number });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Column, TypeFamily};
    use crate::policy::RawColumn;
    use crate::rules::MaskSpec;

    fn field(name: &str, table: u32, column: i16) -> Vec<u8> {
        let mut field = name.as_bytes().to_vec();
        field.push(0);
        field.extend(table.to_be_bytes());
        field.extend(column.to_be_bytes());
        field.extend(25_u32.to_be_bytes());
        field.extend((-1_i16).to_be_bytes());
        field.extend((-1_i32).to_be_bytes());
        field.extend(0_i16.to_be_bytes());
        field
    }

    fn body(fields: &[(&str, u32, i16)]) -> Vec<u8> {
        let mut body = (fields.len() as i16).to_be_bytes().to_vec();
        for (name, table, column) in fields {
            body.extend(field(name, *table, *column));
        }
        body
    }

    /// Table 7 is open; of table 8 only column 1.
    fn judged(body: &[u8]) -> Result<(), Breach> {
        judge(body, None, |table, column| table.0 == 7 || (table.0 == 8 && column == 1))
    }

    #[test]
    fn columns_are_judged_by_where_they_come_from() {
        assert_eq!(judged(&body(&[])), Ok(()));
        assert_eq!(judged(&body(&[("a", 0, 0), ("", 7, 3), ("email", 8, 1)])), Ok(()));
        let breach = |position, table, column| Err(Breach { position, table, column });
        assert_eq!(judged(&body(&[("a", 0, 0), ("id", 8, 2)])), breach(2, 8, 2));
        assert_eq!(judged(&body(&[("ctid", 8, -1)])), breach(1, 8, -1));
        assert_eq!(judged(&body(&[("x", 9, 0)])), breach(1, 9, 0));
        assert_eq!(judged(&body(&[("x", 0, 5)])), breach(1, 0, 5));
        assert_eq!(judged(&body(&[("x", u32::MAX, i16::MIN)])), breach(1, u32::MAX, i16::MIN));
    }

    #[test]
    fn what_is_masked_on_its_way_is_where_it_must_be() {
        let column = Column {
            number: 2,
            name: "email".into(),
            type_sql: "text".into(),
            type_oid: 25,
            type_modifier: -1,
            family: TypeFamily::Text,
            domain_over: None,
            nondeterministic_collation: None,
            generated: false,
            groupable: true,
        };
        let raw = RawColumn::new(1, RelationOid(8), &column, &MaskSpec::Email).unwrap();
        let masks = WireMasks { width: 2, columns: vec![raw] };
        let judged = |fields: &[(&str, u32, i16)]| {
            judge(&body(fields), Some(&masks), |table, column| table.0 == 8 && column == 1)
        };
        assert_eq!(judged(&[("id", 8, 1), ("e", 8, 2)]), Ok(()));
        let breach = |position, table, column| Err(Breach { position, table, column });
        // At another place too, of another table, none at all, and in a result of another width.
        assert_eq!(judged(&[("id", 8, 2), ("e", 8, 2)]), breach(1, 8, 2));
        assert_eq!(judged(&[("id", 8, 1), ("e", 9, 2)]), breach(2, 9, 2));
        assert_eq!(judged(&[("id", 8, 1), ("e", 0, 0)]), breach(2, 0, 0));
        assert_eq!(judged(&[("id", 8, 1), ("e", 8, 1)]), breach(2, 8, 1));
        assert_eq!(judged(&[("e", 8, 2)]), breach(0, 0, 0));
        assert_eq!(judged(&[("id", 8, 1), ("e", 8, 2), ("x", 0, 0)]), breach(0, 0, 0));
    }

    #[test]
    fn a_malformed_body_is_a_breach() {
        let malformed = Err(Breach { position: 0, table: 0, column: 0 });
        let whole = body(&[("a", 7, 1), ("b", 7, 2)]);
        for end in 0..whole.len() {
            assert_eq!(judged(&whole[..end]), malformed, "{end}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(judged(&longer), malformed);
        // Says fewer, more, or a negative number of fields.
        for count in [1_i16, 3, -1, i16::MAX, i16::MIN] {
            let mut wrong = whole.clone();
            wrong[..2].copy_from_slice(&count.to_be_bytes());
            assert_eq!(judged(&wrong), malformed, "{count}");
        }
        assert_eq!(judged(b"\0\x01no end of the name"), malformed);
    }
}
