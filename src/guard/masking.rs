//! Rows whose masked columns come as they are, and go out masked.
//!
//! INVARIANT: what is appended is a whole row in which every column that needs a mask has it, or nothing.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-DATAROW>

use bytes::{BufMut, BytesMut};

use super::Unreadable;
use crate::policy::WireMasks;

/// The type of a DataRow.
const DATA_ROW: u8 = b'D';
/// The length that stands for NULL.
const NULL: i32 = -1;

/// Appends the row of this body (after type and length) to `out` as a DataRow, with its masks on.
pub fn mask_row(masks: &WireMasks, body: &[u8], out: &mut BytesMut) -> Result<(), Unreadable> {
    let start = out.len();
    let done = append(masks, body, out);
    if done.is_none() {
        out.truncate(start);
    }
    done.ok_or(Unreadable)
}

fn append(masks: &WireMasks, body: &[u8], out: &mut BytesMut) -> Option<()> {
    out.put_u8(DATA_ROW);
    let length_at = out.len();
    out.put_i32(0);
    let (count, mut rest) = body.split_first_chunk()?;
    if usize::from(u16::from_be_bytes(*count)) != masks.width {
        return None;
    }
    out.extend_from_slice(count);
    let mut raw = masks.columns.iter().peekable();
    for position in 0..masks.width {
        let column = raw.next_if(|column| column.position == position);
        let (length, behind) = rest.split_first_chunk()?;
        let Ok(bytes) = usize::try_from(i32::from_be_bytes(*length)) else {
            if i32::from_be_bytes(*length) != NULL {
                return None;
            }
            out.extend_from_slice(length);
            rest = behind;
            continue;
        };
        let (value, behind) = behind.split_at_checked(bytes)?;
        match column {
            None => {
                out.extend_from_slice(length);
                out.extend_from_slice(value);
            }
            Some(column) => {
                let value_at = out.len();
                out.put_i32(0);
                column.mask(value, out);
                measure(out, value_at, 0)?;
            }
        }
        rest = behind;
    }
    // A mask at a place that the result does not have would be one that is nowhere.
    if !rest.is_empty() || raw.next().is_some() {
        return None;
    }
    measure(out, length_at, 4)
}

/// Writes at a place how much stands behind it, the four bytes of the length itself counted as `own`.
fn measure(out: &mut BytesMut, place: usize, own: usize) -> Option<()> {
    let behind = out.len().checked_sub(place)?.checked_sub(4)?.checked_add(own)?;
    let length = i32::try_from(behind).ok()?.to_be_bytes();
    out.get_mut(place..)?.first_chunk_mut::<4>()?.copy_from_slice(&length);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Column, RelationOid, TypeFamily};
    use crate::policy::RawColumn;
    use crate::rules::MaskSpec;
    use crate::wire::writer::data_row;

    fn masks(width: usize, places: &[usize]) -> WireMasks {
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
        let raw = |position: &usize| {
            RawColumn::new(*position, RelationOid(7), &column, &MaskSpec::Email).unwrap()
        };
        WireMasks { width, columns: places.iter().map(raw).collect() }
    }

    fn row(values: &[Option<&str>]) -> BytesMut {
        let mut row = BytesMut::new();
        let values: Vec<_> = values.iter().map(|value| value.map(str::as_bytes)).collect();
        data_row(&mut row, &values).unwrap();
        row
    }

    #[test]
    fn only_what_needs_a_mask_gets_it() {
        let given =
            row(&[Some("kim@a.com"), None, Some("kim@a.com"), Some("x"), Some("lee@b.org")]);
        let mut out = BytesMut::from(&b"before"[..]);
        mask_row(&masks(5, &[1, 2, 3, 4]), &given[5..], &mut out).unwrap();
        let expected =
            row(&[Some("kim@a.com"), None, Some("k***@a.com"), Some("***"), Some("l***@b.org")]);
        assert_eq!(out, [b"before", &expected[..]].concat());
    }

    #[test]
    fn what_is_no_such_row_leaves_nothing_behind() {
        let given = row(&[Some("kim@a.com"), Some("1")]);
        let refused = |masks: &WireMasks, body: &[u8]| {
            let mut out = BytesMut::new();
            mask_row(masks, body, &mut out).unwrap_err();
            assert!(out.is_empty());
        };
        let good = masks(2, &[0]);
        for end in 5..given.len() {
            refused(&good, &given[5..end]);
        }
        refused(&good, &[&given[5..], b"\0"].concat());
        refused(&masks(3, &[0]), &given[5..]);
        refused(&masks(1, &[0]), &given[5..]);
        refused(&masks(2, &[2]), &given[5..]);
        refused(&masks(2, &[1, 0]), &given[5..]);
        refused(&good, &[0, 2, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0]);
    }
}
