//! Masks that are put on a result outside the database.

use bytes::BytesMut;

use crate::catalog::{Column, RelationOid};
use crate::mask::WireMask;
use crate::rules::MaskSpec;

/// What a result looks like whose masked columns come as they are, and which masks they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireMasks {
    /// How many columns the result has.
    pub width: usize,
    /// Those that need a mask, in order.
    pub columns: Vec<RawColumn>,
}

/// A result column that is a masked column as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawColumn {
    /// Position in the result, from 0.
    pub position: usize,
    /// The relation that it must come from.
    pub table: RelationOid,
    /// Its `attnum`.
    pub number: i16,
    /// What is put on it.
    pub mask: WireMask,
}

impl WireMasks {
    /// The column at a position, if it needs a mask.
    pub fn at(&self, position: usize) -> Option<&RawColumn> {
        let at = self.columns.binary_search_by_key(&position, |column| column.position);
        self.columns.get(at.ok()?)
    }
}

impl RawColumn {
    /// A column of a relation at a position of the result; `None` where its mask cannot be put on outside the database.
    pub fn new(
        position: usize,
        table: RelationOid,
        column: &Column,
        mask: &MaskSpec,
    ) -> Option<RawColumn> {
        let (number, mask) = (column.number, WireMask::of(mask, column)?);
        Some(RawColumn { position, table, number, mask })
    }

    /// Appends the mask of a value that is not NULL.
    pub fn mask(&self, value: &[u8], masked: &mut BytesMut) {
        self.mask.mask(value, masked);
    }
}
