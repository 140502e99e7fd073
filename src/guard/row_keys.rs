//! Which rows a result shows: the primary keys of relations in it, where the audit is to have them.
//!
//! Told by the server's own description: a column belongs to a key if it comes straight from it, and nothing is put on it on
//! the way. What the role does not see is not found: a masked key is an expression, or has a mask here.
//!
//! INVARIANT: a key that is found stands in a row that goes out, as it stands there. It does not print.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::catalog::RelationOid;
use crate::policy::{RoleView, WireMasks};
use crate::wire::reader;

/// Keys of a relation that one statement names at most.
pub const KEYS_MAX: usize = 1000;
/// A longer value is no key that anybody asks for.
pub const KEY_BYTES_MAX: usize = 256;
/// Relations with keys in one result.
const RELATIONS_MAX: usize = 16;
/// Keys of a statement together, since they are held until its end, and then stand in one line of the trail.
const BYTES_MAX: usize = 256 * 1024;
/// A value in text format.
const TEXT: i16 = 0;
/// A value in binary format.
const BINARY: i16 = 1;

/// Types of keys that are read (`pg_type.oid`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    Int2,
    Int4,
    Int8,
    Uuid,
    Text,
}

impl KeyType {
    fn of(oid: u32) -> Option<KeyType> {
        match oid {
            21 => Some(KeyType::Int2),
            23 => Some(KeyType::Int4),
            20 => Some(KeyType::Int8),
            2950 => Some(KeyType::Uuid),
            25 | 1043 => Some(KeyType::Text),
            _ => None,
        }
    }

    /// A value as text, written in one way.
    fn read(self, value: &[u8], format: i16) -> Option<String> {
        match (self, format) {
            (KeyType::Text, TEXT | BINARY) if value.len() <= KEY_BYTES_MAX => {
                std::str::from_utf8(value).ok().map(str::to_owned)
            }
            (KeyType::Int2 | KeyType::Int4 | KeyType::Int8 | KeyType::Uuid, TEXT) => {
                self.written(std::str::from_utf8(value).ok()?)
            }
            (KeyType::Int2, BINARY) => Some(i16::from_be_bytes(value.try_into().ok()?).to_string()),
            (KeyType::Int4, BINARY) => Some(i32::from_be_bytes(value.try_into().ok()?).to_string()),
            (KeyType::Int8, BINARY) => Some(i64::from_be_bytes(value.try_into().ok()?).to_string()),
            (KeyType::Uuid, BINARY) => {
                let number = u128::from_be_bytes(value.try_into().ok()?);
                uuid(&format!("{number:032x}"))
            }
            _ => None,
        }
    }

    /// The same for what somebody has written.
    fn written(self, text: &str) -> Option<String> {
        match self {
            KeyType::Int2 => text.parse::<i16>().ok().map(|number| number.to_string()),
            KeyType::Int4 => text.parse::<i32>().ok().map(|number| number.to_string()),
            KeyType::Int8 => text.parse::<i64>().ok().map(|number| number.to_string()),
            KeyType::Uuid => uuid(&text.replace('-', "").to_ascii_lowercase()),
            KeyType::Text => (text.len() <= KEY_BYTES_MAX).then(|| text.to_owned()),
        }
    }
}

fn uuid(digits: &str) -> Option<String> {
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to);
    Some([part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-"))
}

/// A part of a key as the audit writes it; `None`: no value of this type (`pg_type.oid`), or a type whose keys are not read.
pub fn key_part(type_oid: u32, text: &str) -> Option<String> {
    KeyType::of(type_oid)?.written(text)
}

/// True for a type (`pg_type.oid`) whose keys are read.
pub fn is_key_type(type_oid: u32) -> bool {
    KeyType::of(type_oid).is_some()
}

/// Where keys stand in a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowKeys {
    relations: Vec<Keyed>,
}

/// A relation whose whole key stands in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Keyed {
    /// `schema.name`
    relation: String,
    /// The columns of the key, each with its places.
    key: Vec<(String, Vec<Place>)>,
    /// Columns that come straight from the relation.
    columns: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    position: usize,
    key_type: KeyType,
    format: i16,
}

impl RowKeys {
    /// By the body of a RowDescription that has been judged; `None` where no relation's key is in it.
    pub fn of(body: &[u8], view: &RoleView, masks: Option<&WireMasks>) -> Option<RowKeys> {
        let described = reader::row_description(body).ok()?;
        let mut by_table: BTreeMap<u32, Vec<(usize, &reader::Column<'_>)>> = BTreeMap::new();
        for (position, column) in described.iter().enumerate().filter(|(_, one)| one.table != 0) {
            by_table.entry(column.table).or_default().push((position, column));
        }
        let mut relations = Vec::new();
        for (table, columns) in by_table {
            let Some(relation) = view.snapshot().relation(RelationOid(table)) else { continue };
            if relation.is_system() || relation.primary_key.is_empty() {
                continue;
            }
            let place = |(position, column): &(usize, &reader::Column<'_>)| {
                let is_masked = masks.is_some_and(|masks| masks.at(*position).is_some());
                let key_type = KeyType::of(column.type_oid).filter(|_| !is_masked)?;
                Some(Place { position: *position, key_type, format: column.format })
            };
            let part = |number: &i16| {
                let own = relation.columns.iter().find(|own| own.number == *number)?;
                let places: Vec<Place> = columns
                    .iter()
                    .filter(|(_, it)| it.number == *number)
                    .filter_map(place)
                    .collect();
                (!places.is_empty()).then(|| (own.name.clone(), places))
            };
            let key: Option<Vec<_>> = relation.primary_key.iter().map(part).collect();
            let Some(key) = key else { continue };
            let is_shown = |number: i16| columns.iter().any(|(_, column)| column.number == number);
            let shown = relation.columns.iter().filter(|own| is_shown(own.number));
            relations.push(Keyed {
                relation: format!("{}.{}", relation.schema, relation.name),
                key,
                columns: shown.map(|own| own.name.clone()).collect(),
            });
        }
        relations.truncate(RELATIONS_MAX);
        (!relations.is_empty()).then_some(RowKeys { relations })
    }
}

/// In which formats values come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formats {
    /// As the description says.
    Described,
    /// As a Bind has asked for: none (all text), one for all, or one each.
    Bound(Arc<[i16]>),
    /// Nobody knows.
    Unknown,
}

impl Formats {
    fn of(&self, place: Place) -> Option<i16> {
        match self {
            Formats::Described => Some(place.format),
            Formats::Bound(all) => match **all {
                [] => Some(TEXT),
                [one] => Some(one),
                _ => all.get(place.position).copied(),
            },
            Formats::Unknown => None,
        }
    }
}

/// Keys that a result has shown so far.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownKeys {
    formats: Formats,
    bytes: usize,
    relations: Vec<Shown>,
}

/// Of one relation.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown {
    /// `schema.name`
    pub relation: String,
    /// Columns of which it is certain that they are of the rows with these keys.
    pub columns: BTreeSet<String>,
    /// The keys, part by part.
    pub keys: BTreeSet<Vec<String>>,
    /// Rows whose keys are not named.
    pub more: u64,
    places: Vec<Vec<Place>>,
}

impl fmt::Debug for ShownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShownKeys({} relations)", self.relations.len())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({}, {} keys)", self.relation, self.keys.len())
    }
}

impl ShownKeys {
    /// Of a result whose rows come now. `is_once`: the relation is read once in the statement, so that what comes from it in
    /// a row is of one row of it.
    pub fn new(at: &RowKeys, formats: Formats, is_once: impl Fn(&str) -> bool) -> ShownKeys {
        let shown = |keyed: &Keyed| {
            let once = is_once(&keyed.relation);
            let places = match keyed.key.as_slice() {
                // Each stands for a row.
                [(_, places)] if !once => places.iter().map(|place| vec![*place]).collect(),
                // Parts of one key may be of two rows.
                _ if !once => return None,
                parts => vec![parts.iter().filter_map(|(_, at)| at.first()).copied().collect()],
            };
            let columns = match once {
                true => keyed.columns.clone(),
                false => keyed.key.iter().map(|(name, _)| name.clone()).collect(),
            };
            let relation = keyed.relation.clone();
            Some(Shown { relation, columns, keys: BTreeSet::new(), more: 0, places })
        };
        ShownKeys { formats, bytes: 0, relations: at.relations.iter().filter_map(shown).collect() }
    }

    /// What has been found.
    pub fn relations(&self) -> &[Shown] {
        &self.relations
    }

    /// A row goes out: the body of a DataRow, or the beginning of one. `before` is the same before something in it was taken
    /// out; a key that was not left as it was is not known.
    pub fn row(&mut self, body: &[u8], before: &[u8]) {
        let is_changed = body != before;
        for shown in &mut self.relations {
            for places in &shown.places {
                let key = key(body, places, &self.formats);
                let is_as_it_was = !is_changed || self::key(before, places, &self.formats) == key;
                match key {
                    Key::None => {}
                    Key::Is(key) if is_as_it_was && shown.keys.contains(&key) => {}
                    Key::Is(key) if is_as_it_was && shown.keys.len() < KEYS_MAX => {
                        let length = key.iter().map(String::len).fold(0, usize::saturating_add);
                        let bytes = self.bytes.saturating_add(length);
                        if bytes <= BYTES_MAX {
                            self.bytes = bytes;
                            shown.keys.insert(key);
                        } else {
                            shown.more = shown.more.saturating_add(1);
                        }
                    }
                    Key::Is(_) | Key::Unknown => shown.more = shown.more.saturating_add(1),
                }
            }
        }
    }
}

/// The key of a row.
#[derive(PartialEq, Eq)]
enum Key {
    Is(Vec<String>),
    /// A row that an outer join has filled up: there is none behind it.
    None,
    Unknown,
}

fn key(body: &[u8], places: &[Place], formats: &Formats) -> Key {
    let mut parts = Vec::with_capacity(places.len());
    for place in places {
        match value(body, place.position) {
            None => return Key::Unknown,
            Some(None) => return Key::None,
            Some(Some(value)) => {
                let format = formats.of(*place);
                match format.and_then(|format| place.key_type.read(value, format)) {
                    Some(part) => parts.push(part),
                    None => return Key::Unknown,
                }
            }
        }
    }
    Key::Is(parts)
}

/// A value of a DataRow of which the end may not have come; `None`: it is not there. `Some(None)` is NULL.
fn value(body: &[u8], position: usize) -> Option<Option<&[u8]>> {
    let (count, mut rest) = body.split_first_chunk()?;
    if position >= usize::from(u16::from_be_bytes(*count)) {
        return None;
    }
    for at in 0..=position {
        let (length, behind) = rest.split_first_chunk()?;
        let length = i32::from_be_bytes(*length);
        let bytes = if length == -1 { 0 } else { usize::try_from(length).ok()? };
        let (value, behind) = behind.split_at_checked(bytes)?;
        if at == position {
            return Some((length != -1).then_some(value));
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::writer::data_row;

    fn keyed(relation: &str, key: &[(&str, &[(usize, KeyType)])], columns: &[&str]) -> Keyed {
        let place = |(position, key_type): &(usize, KeyType)| Place {
            position: *position,
            key_type: *key_type,
            format: TEXT,
        };
        let part = |(name, at): &(&str, &[(usize, KeyType)])| {
            ((*name).to_owned(), at.iter().map(place).collect())
        };
        Keyed {
            relation: relation.into(),
            key: key.iter().map(part).collect(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn body(values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut row = BytesMut::new();
        data_row(&mut row, values).unwrap();
        row[5..].to_vec()
    }

    fn keys(shown: &ShownKeys) -> Vec<(Vec<String>, u64)> {
        let joined = |one: &Shown| (one.keys.iter().map(|key| key.join("/")).collect(), one.more);
        shown.relations().iter().map(joined).collect()
    }

    #[test]
    fn values_are_read_in_both_formats() {
        let id: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        let uuid = "00112233-4455-6677-8899-aabbccddeeff";
        for (key_type, text, binary) in [
            (KeyType::Int2, "-7", (-7_i16).to_be_bytes().to_vec()),
            (KeyType::Int4, "42", 42_i32.to_be_bytes().to_vec()),
            (KeyType::Int8, "9007199254740993", 9_007_199_254_740_993_i64.to_be_bytes().to_vec()),
            (KeyType::Uuid, uuid, id.to_be_bytes().to_vec()),
            (KeyType::Text, "k-é", "k-é".as_bytes().to_vec()),
        ] {
            assert_eq!(key_type.read(text.as_bytes(), TEXT).as_deref(), Some(text));
            assert_eq!(key_type.read(&binary, BINARY).as_deref(), Some(text));
            assert_eq!(key_type.read(text.as_bytes(), 2), None);
        }
        assert_eq!(key_part(23, "007").as_deref(), Some("7"));
        assert_eq!(key_part(2950, &uuid.to_ascii_uppercase()).as_deref(), Some(uuid));
        for (oid, text) in [(21, "40000"), (23, "x"), (2950, "1-2"), (1700, "1"), (20, "")] {
            assert_eq!(key_part(oid, text), None, "{oid} {text}");
        }
        // Of another length than the type's.
        assert_eq!(KeyType::Int4.read(&[0, 1], BINARY), None);
        assert_eq!(KeyType::Text.read(&[0xff], TEXT), None);
        assert_eq!(KeyType::Text.read(&[b'x'; KEY_BYTES_MAX + 1], TEXT), None);
    }

    #[test]
    fn parts_of_a_key_are_of_one_row() {
        let pair = keyed(
            "public.p",
            &[("a", &[(0, KeyType::Int4)]), ("b", &[(2, KeyType::Text), (3, KeyType::Text)])],
            &["a", "b", "c"],
        );
        let single =
            keyed("public.s", &[("id", &[(1, KeyType::Int4), (3, KeyType::Int4)])], &["id", "x"]);
        let at = RowKeys { relations: vec![pair, single] };
        let row = body(&[Some(b"1"), Some(b"7"), Some(b"x"), Some(b"8")]);
        let mut once = ShownKeys::new(&at, Formats::Described, |_| true);
        once.row(&row, &row);
        assert_eq!(keys(&once), [(vec!["1/x".to_owned()], 0), (vec!["7".to_owned()], 0)]);
        assert_eq!(once.relations()[1].columns.len(), 2);
        let mut often = ShownKeys::new(&at, Formats::Described, |_| false);
        often.row(&row, &row);
        assert_eq!(keys(&often), [(vec!["7".to_owned(), "8".to_owned()], 0)]);
        assert_eq!(often.relations()[0].columns.iter().collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn what_was_not_shown_is_not_named() {
        let at = RowKeys {
            relations: vec![keyed("public.s", &[("id", &[(1, KeyType::Text)])], &["id"])],
        };
        let mut shown = ShownKeys::new(&at, Formats::Described, |_| true);
        let (null, cut) = (body(&[Some(b"a"), None]), body(&[Some(b"a"), Some(b"b")]));
        shown.row(&null, &null);
        assert_eq!(keys(&shown), [(vec![], 0)]);
        // The end has not come; another row; no row at all; something has been taken out.
        shown.row(&cut[..cut.len() - 1], &cut[..cut.len() - 1]);
        shown.row(&body(&[Some(b"a")]), &body(&[Some(b"a")]));
        shown.row(&[], &[]);
        shown.row(&body(&[Some(b"a"), Some(b"***")]), &cut);
        assert_eq!(keys(&shown), [(vec![], 4)]);
        shown.row(&body(&[Some(b"***"), Some(b"b")]), &cut);
        assert_eq!(keys(&shown), [(vec!["b".to_owned()], 4)]);
        assert!(!format!("{shown:?}{:?}", shown.relations()).contains("\"b\""));
        let mut blind = ShownKeys::new(&at, Formats::Unknown, |_| true);
        blind.row(&cut, &cut);
        assert_eq!(keys(&blind), [(vec![], 1)]);
        let mut bound = ShownKeys::new(&at, Formats::Bound(Arc::from([0, 1])), |_| true);
        bound.row(&cut, &cut);
        assert_eq!(keys(&bound), [(vec!["b".to_owned()], 0)]);
    }

    #[test]
    fn more_than_a_thousand_are_counted() {
        let at = RowKeys {
            relations: vec![keyed("public.s", &[("id", &[(0, KeyType::Int4)])], &["id"])],
        };
        let mut shown = ShownKeys::new(&at, Formats::Bound(Arc::from([1])), |_| true);
        for number in (0..1005_i32).chain(0..10) {
            let row = body(&[Some(&number.to_be_bytes())]);
            shown.row(&row, &row);
        }
        let [one] = shown.relations() else { panic!() };
        assert_eq!((one.keys.len(), one.more), (KEYS_MAX, 5));
    }

    #[test]
    fn long_keys_of_many_relations_are_bounded_together() {
        let relation = |name: &str| keyed(name, &[("id", &[(0, KeyType::Text)])], &["id"]);
        let names = ["public.a", "public.b"];
        let at = RowKeys { relations: names.map(relation).to_vec() };
        let mut shown = ShownKeys::new(&at, Formats::Described, |_| true);
        for number in 0..900 {
            let value = format!("{number:0>200}");
            let row = body(&[Some(value.as_bytes())]);
            shown.row(&row, &row);
        }
        let named: usize = shown.relations().iter().map(|one| one.keys.len()).sum();
        let more: u64 = shown.relations().iter().map(|one| one.more).sum();
        assert_eq!((named, more), (BYTES_MAX / 200, 1800 - BYTES_MAX as u64 / 200));
    }
}
