//! What of a database is made of its columns: generated columns and indexes. No statement is planned by it; `check` and the
//! console ask for it.

use super::snapshot::RelationOid;

/// The queries to run, in order, on a connection whose search_path the first of [`super::QUERIES`] has pinned. They need no
/// rights beyond reading `pg_catalog`.
///
/// - Generated columns with the columns of the same relation that they are made of. Until PostgreSQL 14 the column itself
///   depends on those, later its expression does.
/// - Indexes by the relation that they are of, with every column that they are made of: keys, expressions, conditions.
pub const MADE_QUERIES: [&str; 2] = [
    "SELECT a.attrelid, a.attnum, d.refobjsubid FROM pg_attribute a \
     JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum \
     JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid \
       AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum \
       AND ((d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid) \
         OR (d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum)) \
     WHERE a.attgenerated <> '' ORDER BY 1, 2, 3",
    "SELECT i.indrelid, c.relname, (SELECT string_agg(DISTINCT n::text, ' ') FROM ( \
       SELECT unnest(i.indkey::int2[])::int4 AS n UNION SELECT d.refobjsubid FROM pg_depend d \
       WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid \
         AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid) AS of) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relpersistence <> 't' ORDER BY 1, 2",
];

/// A generated column, and a column of the same relation that it is made of: relation, `attnum`, `attnum`.
pub type MadeOf = (RelationOid, i16, i16);

/// An index, by what a name in the catalogs could tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexOf {
    /// Of which relation.
    pub relation: RelationOid,
    /// Its name.
    pub name: String,
    /// `attnum` of every column that it is made of, in expressions and conditions too.
    pub of: Vec<i16>,
}

/// What of a database is made of columns.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// Generated columns.
    pub columns: Vec<MadeOf>,
    /// Indexes.
    pub indexes: Vec<IndexOf>,
}

/// Rows of text, as a query gives them.
type Rows = Vec<Vec<Option<String>>>;

/// From the answers to [`MADE_QUERIES`].
pub fn read_made([columns, indexes]: &[Rows; 2]) -> Made {
    let columns = columns.iter().filter_map(|row| match row.as_slice() {
        [Some(oid), Some(number), Some(of)] => {
            Some((RelationOid(oid.parse().ok()?), number.parse().ok()?, of.parse().ok()?))
        }
        _ => None,
    });
    let indexes = indexes.iter().filter_map(|row| match row.as_slice() {
        [Some(oid), Some(name), Some(of)] => {
            let of = of.split(' ').filter_map(|number| number.parse().ok()).collect();
            Some(IndexOf { relation: RelationOid(oid.parse().ok()?), name: name.clone(), of })
        }
        _ => None,
    });
    Made { columns: columns.collect(), indexes: indexes.collect() }
}
