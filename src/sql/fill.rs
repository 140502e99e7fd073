//! Holes become templates, at the places that PostgreSQL's own parser gave.

use super::hole::{HOLE_SCHEMA, Hole};
use super::refusal::Refusal;
use super::wanted::Wishes;

/// SQL that may be sent to PostgreSQL for a masked role. Only this room makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedSql {
    text: String,
}

impl VerifiedSql {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A statement that the gate has printed from PostgreSQL's tree and that reads no relation.
    pub(super) fn of_gate(text: String) -> VerifiedSql {
        VerifiedSql { text }
    }
}

/// The text holds the client's literals: it does not print.
impl std::fmt::Debug for VerifiedSql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedSql(…)")
    }
}

/// What stands at a byte offset of a verified text, and what goes there.
pub(super) struct Piece {
    pub(super) offset: usize,
    pub(super) expected: String,
    pub(super) filling: String,
}

/// Fills a verified text that writes.
pub(super) fn fill_pieces(text: &str, mut pieces: Vec<Piece>) -> Result<VerifiedSql, Refusal> {
    let lost = || Refusal::not_understood("a hole is not where PostgreSQL's parser saw it");
    pieces.sort_by_key(|piece| piece.offset);
    let mut filled = String::with_capacity(text.len());
    let mut rest = 0;
    for Piece { offset, expected, filling } in pieces {
        let before = text.get(rest..offset).ok_or_else(lost)?;
        if !text.get(offset..).is_some_and(|tail| tail.starts_with(&expected)) {
            return Err(lost());
        }
        filled.push_str(before);
        filled.push_str(&filling);
        rest = offset.saturating_add(expected.len());
    }
    filled.push_str(text.get(rest..).ok_or_else(lost)?);
    Ok(VerifiedSql { text: filled })
}

/// Where a hole is in a text, as the verifier found it.
pub(super) struct HolePlace {
    /// Byte offset of its name.
    pub(super) offset: usize,
    /// Which of the holes.
    pub(super) index: usize,
    /// What the statement calls it.
    pub(super) alias: Option<String>,
}

/// Fills a verified text, with what the statement may want of each hole.
pub(super) fn fill(
    text: &str,
    holes: &[Hole],
    mut places: Vec<HolePlace>,
    wishes: &Wishes<'_>,
) -> Result<VerifiedSql, Refusal> {
    let lost = || Refusal::not_understood("a hole is not where PostgreSQL's parser saw it");
    places.sort_by_key(|place| place.offset);
    if places.len() != holes.len() {
        return Err(lost());
    }
    let mut filled =
        String::with_capacity(text.len().saturating_add(holes.len().saturating_mul(256)));
    let mut rest = 0;
    for HolePlace { offset, index, alias } in places {
        let name = format!("\"{HOLE_SCHEMA}\".\"{index}\"");
        let hole = holes.get(index).ok_or_else(lost)?;
        let before = text.get(rest..offset).ok_or_else(lost)?;
        let found = text.get(offset..).is_some_and(|tail| tail.starts_with(&name));
        if !found {
            return Err(lost());
        }
        filled.push_str(before);
        filled.push_str(&hole.sql(&wishes.of(index, hole, alias.as_deref())));
        rest = offset.saturating_add(name.len());
    }
    filled.push_str(text.get(rest..).ok_or_else(lost)?);
    Ok(VerifiedSql { text: filled })
}
