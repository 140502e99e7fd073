//! A second net over what leaves, by a role's `guard`: text that looks like what it names, wherever it comes from.
//!
//! Masks are the wall. This catches what nobody has classified, such as a card number in a note; whoever wants to get
//! around it can (`reverse(note)`). Values are searched as they go over the wire: a text is the same bytes in both
//! formats, and so are the texts in an array or a composite.
//!
//! INVARIANT: nothing that is found is kept, or stands in an error.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::plan::Unreadable;
use crate::forms;
use crate::rules::{Detection, ScrubKind, Then};
use crate::wire::{reader, writer};

/// `text`, `varchar`, `bpchar`, `name`, `unknown`: what any text may stand for. `pg_type.dat`
const TEXTS: [u32; 5] = [25, 1043, 1042, 19, 705];

/// What a COPY in binary format begins with; flags and the length of an extension follow.
/// <https://www.postgresql.org/docs/current/sql-copy.html>
const COPY_SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const COPY_FLAGS_BYTES: usize = 4;

/// Looks through results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detector {
    detection: Detection,
}

/// What is in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// Positions from 1, 0 in a COPY; each with a kind.
    pub found: Vec<(usize, ScrubKind)>,
    /// The message as it may go out: text with `[kind]` in the place of what was found, other values NULL. `None`: this
    /// form cannot be redacted.
    pub instead: Option<Bytes>,
}

impl Detector {
    /// For a role's `guard`.
    pub fn new(detection: &Detection) -> Detector {
        Detector { detection: detection.clone() }
    }

    /// What is done with what is found.
    pub fn then(&self) -> Then {
        self.detection.then
    }

    /// Searches the body of a DataRow; `texts` says which of its columns are of a type that takes any text.
    ///
    /// # Errors
    /// When it is no row.
    pub fn row(&self, body: &[u8], texts: Option<&[bool]>) -> Result<Option<Caught>, Unreadable> {
        let values = reader::data_row(body).map_err(|_| Unreadable)?;
        let mut found = Vec::new();
        let mut instead: Vec<Option<Vec<u8>>> = Vec::with_capacity(values.len());
        for (value, place) in values.iter().zip(0..) {
            let Some(value) = value else {
                instead.push(None);
                continue;
            };
            let Some((kinds, redacted)) = self.value(value) else {
                instead.push(Some(value.to_vec()));
                continue;
            };
            found.extend(kinds.into_iter().map(|kind| (place + 1, kind)));
            let is_text = texts.and_then(|texts| texts.get(place)).copied().unwrap_or(false);
            instead.push(redacted.filter(|_| is_text).map(String::into_bytes));
        }
        if found.is_empty() {
            return Ok(None);
        }
        let mut message = BytesMut::new();
        let values: Vec<Option<&[u8]>> = instead.iter().map(Option::as_deref).collect();
        writer::data_row(&mut message, &values).map_err(|_| Unreadable)?;
        Ok(Some(Caught { found, instead: Some(message.freeze()) }))
    }

    /// Searches the body of a CopyData.
    pub fn copy_data(&self, body: &[u8], is_binary: bool) -> Option<Caught> {
        let values = if is_binary { tuple(body) } else { None };
        let values = values.unwrap_or_else(|| vec![Some(body)]);
        let kinds = values.into_iter().flatten().filter_map(|value| self.value(value));
        let mut found: Vec<(usize, ScrubKind)> = Vec::new();
        for kind in kinds.flat_map(|(kinds, _)| kinds) {
            if !found.contains(&(0, kind)) {
                found.push((0, kind));
            }
        }
        (!found.is_empty()).then_some(Caught { found, instead: None })
    }

    /// Searches one text that is no row. Its kinds, and the text as it may go out; `None` for that: not at all.
    pub fn text(&self, text: &str) -> (Vec<ScrubKind>, Option<String>) {
        match (self.value(text.as_bytes()), self.detection.then) {
            (None, _) => (Vec::new(), Some(text.to_owned())),
            (Some((kinds, _)), Then::Alarm) => (kinds, Some(text.to_owned())),
            (Some((kinds, redacted)), Then::Redact) => (kinds, redacted),
            (Some((kinds, _)), Then::Refuse) => (kinds, None),
        }
    }

    /// The kinds that are in a value, and the value without them; `None` for the second: with nothing left of it.
    fn value(&self, value: &[u8]) -> Option<(Vec<ScrubKind>, Option<String>)> {
        let text = String::from_utf8_lossy(value);
        let mut kinds = Vec::new();
        let mut ranges = Vec::new();
        let mut is_lost = false;
        for kind in &self.detection.kinds {
            match forms::find(*kind, &text) {
                Ok(found) if found.is_empty() => continue,
                Ok(found) => ranges.extend(found.into_iter().map(|range| (range, *kind))),
                // What is not known to be clean is not.
                Err(forms::GaveUp) => is_lost = true,
            }
            kinds.push(*kind);
        }
        if kinds.is_empty() {
            return None;
        }
        // One may stand inside another: the first takes all that overlaps with it.
        ranges.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut redacted = String::with_capacity(text.len());
        let mut end = 0;
        for (range, kind) in ranges {
            if range.start >= end {
                redacted.push_str(text.get(end..range.start).unwrap_or_default());
                redacted.push('[');
                redacted.push_str(kind.name());
                redacted.push(']');
            }
            end = end.max(range.end);
        }
        redacted.push_str(text.get(end..).unwrap_or_default());
        Some((kinds, (!is_lost).then_some(redacted)))
    }
}

/// Which columns of the body of a RowDescription are of a type that takes any text; `None` when it is malformed.
pub fn text_columns(description: &[u8]) -> Option<Arc<[bool]>> {
    let columns = reader::row_description(description).ok()?;
    Some(columns.iter().map(|column| TEXTS.contains(&column.type_oid)).collect())
}

/// The values of a tuple in binary COPY, which is laid out as a DataRow is; `None`: it is something else.
fn tuple(body: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let body = match body.strip_prefix(COPY_SIGNATURE) {
        Some(header) => {
            let (length, rest) = header.get(COPY_FLAGS_BYTES..)?.split_first_chunk()?;
            rest.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)?
        }
        None => body,
    };
    reader::data_row(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = "4111 1111 1111 1111";
    const RRN: &str = "850312-1904175";

    fn detector(kinds: &[ScrubKind]) -> Detector {
        Detector::new(&Detection { kinds: kinds.to_vec(), then: Then::Redact })
    }

    fn body(values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = BytesMut::new();
        writer::data_row(&mut row, values).unwrap();
        row[5..].to_vec()
    }

    #[test]
    fn a_row_loses_what_is_found_and_nothing_else() {
        let detector = detector(&[ScrubKind::Rrn, ScrubKind::Card]);
        let note = format!("paid with {CARD}, id {RRN}.");
        let row = body(&[Some(b"7"), None, Some(note.as_bytes()), Some(CARD.as_bytes())]);
        let texts = [false, true, true, false];
        let caught = detector.row(&row, Some(&texts)).unwrap().unwrap();
        let expected = [(3, ScrubKind::Rrn), (3, ScrubKind::Card), (4, ScrubKind::Card)];
        assert_eq!(caught.found, expected);
        let instead = caught.instead.unwrap();
        let values = reader::data_row(&instead[5..]).unwrap();
        let redacted: &[u8] = b"paid with [card], id [rrn].";
        assert_eq!(values, [Some(&b"7"[..]), None, Some(redacted), None]);
        // Of which nothing is known goes as a whole.
        let caught = detector.row(&row, None).unwrap().unwrap().instead.unwrap();
        assert_eq!(reader::data_row(&caught[5..]).unwrap()[2], None);
    }

    #[test]
    fn what_is_clean_is_left_alone() {
        let detector = detector(&ScrubKind::ALL);
        let row = body(&[Some(b"a soft cotton shirt"), Some(b"2026-11-28"), Some(&[0, 1, 255])]);
        assert_eq!(detector.row(&row, None), Ok(None));
        assert_eq!(detector.row(&row[1..], None), Err(Unreadable));
        assert_eq!(detector.copy_data(b"1\tshirt\n", false), None);
    }

    #[test]
    fn texts_inside_of_binary_values_are_found() {
        let detector = detector(&[ScrubKind::Card]);
        // jsonb begins with its version, an array with its dimensions and lengths.
        for lead in [&[1_u8][..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 19]] {
            let value = [lead, CARD.as_bytes()].concat();
            let row = body(&[Some(&value)]);
            let caught = detector.row(&row, Some(&[false])).unwrap().unwrap();
            assert_eq!(caught.found, [(1, ScrubKind::Card)]);
            let instead = caught.instead.unwrap();
            assert_eq!(reader::data_row(&instead[5..]).unwrap(), [None]);
        }
    }

    #[test]
    fn copies_are_searched_in_each_format() {
        let detector = detector(&[ScrubKind::Card]);
        let caught = Some(Caught { found: vec![(0, ScrubKind::Card)], instead: None });
        assert_eq!(detector.copy_data(format!("1\t{CARD}\n").as_bytes(), false), caught);
        assert_eq!(detector.copy_data(format!("1,\"{CARD}\"\n").as_bytes(), false), caught);
        // The length of the value is a digit's byte.
        let value = format!("{CARD}{}", " ".repeat(29));
        let tuple = body(&[Some(value.as_bytes())]);
        assert_eq!(detector.copy_data(&tuple, true), caught);
        let header = [COPY_SIGNATURE, &[0; 4], &[0, 0, 0, 2], &[9, 9], &tuple].concat();
        assert_eq!(detector.copy_data(&header, true), caught);
        assert_eq!(detector.copy_data(&[255, 255], true), None);
    }

    #[test]
    fn what_stands_in_another_goes_with_it() {
        let detector = detector(&[ScrubKind::Card, ScrubKind::Phone]);
        let (_, redacted) = detector.value(format!("+{CARD}").as_bytes()).unwrap_or_default();
        assert!(redacted.is_none_or(|text| !text.contains("1111")));
    }
}
