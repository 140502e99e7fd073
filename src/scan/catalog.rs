//! What is asked of the catalog, and what comes of the answer.

use super::facts::{Column, Form, Table, Unseen};

/// One row for each column of every relation that has rows of its own: tables, materialised views and foreign tables.
/// Partitions and inherited columns are their parents', and views show what is below them. Every name is of pg_catalog,
/// whatever the search path. Run it on a connection whose search_path is `pg_catalog` alone.
pub const CATALOG_QUERY: &str = "\
WITH RECURSIVE base(oid, leaf) AS ( \
  SELECT oid, oid FROM pg_type WHERE typtype <> 'd' \
  UNION ALL SELECT d.oid, b.leaf FROM pg_type d JOIN base b ON b.oid = d.typbasetype WHERE d.typtype = 'd'), \
family(root, member) AS ( \
  SELECT c.oid, c.oid FROM pg_class c WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition \
  UNION SELECT f.root, i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.member), \
size(root, rows) AS ( \
  SELECT f.root, CASE WHEN bool_or(m.reltuples < 0) OR sum(m.reltuples) = 0 THEN NULL ELSE sum(m.reltuples) END \
  FROM family f JOIN pg_class m ON m.oid = f.member WHERE m.relkind IN ('r', 'm', 'f') GROUP BY f.root) \
SELECT n.nspname, c.relname, c.relkind, s.rows, c.oid, \
  a.attname, format_type(a.atttypid, a.atttypmod), t.typname, t.typtype, et.typname, et.typtype, \
  col_description(c.oid, a.attnum), coalesce(has_column_privilege(c.oid, a.attnum, 'SELECT'), false), \
  EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnatts = 1 AND i.indkey[0] = a.attnum), \
  fk.nspname, fk.relname, fk.attname \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
JOIN pg_attribute a ON a.attrelid = c.oid \
JOIN base b ON b.oid = a.atttypid JOIN pg_type t ON t.oid = b.leaf \
LEFT JOIN base eb ON eb.oid = t.typelem AND t.typcategory = 'A' LEFT JOIN pg_type et ON et.oid = eb.leaf \
LEFT JOIN size s ON s.root = c.oid \
LEFT JOIN LATERAL (SELECT fn.nspname, fc.relname, fa.attname FROM pg_constraint k \
  JOIN pg_class fc ON fc.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = fc.relnamespace \
  JOIN pg_attribute fa ON fa.attrelid = fc.oid AND fa.attnum = k.confkey[1] \
  WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum] ORDER BY k.conname LIMIT 1) fk ON true \
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped \
  AND (a.attinhcount = 0 OR a.attislocal) \
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
ORDER BY n.nspname, c.relname, a.attnum";

/// The bytes of a table with its partitions and children. It waits where somebody has locked one of them.
pub fn size_query(table: &Table) -> String {
    format!(
        "WITH RECURSIVE family(oid) AS (SELECT {}::oid UNION SELECT i.inhrelid FROM family f \
         JOIN pg_inherits i ON i.inhparent = f.oid) SELECT coalesce(sum(pg_relation_size(oid)), 0) FROM family",
        table.oid
    )
}

/// Reads the answer to [`CATALOG_QUERY`].
///
/// # Errors
/// What is wrong with its form.
pub fn read_catalog(rows: &[Vec<Option<String>>]) -> Result<Vec<Table>, String> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let text = |index: usize| row.get(index).cloned().flatten();
        let needed = |index: usize| {
            text(index)
                .ok_or_else(|| "the catalog gave no answer that Scrim understands".to_owned())
        };
        let (schema, name) = (needed(0)?, needed(1)?);
        if tables.last().is_none_or(|last| last.schema != schema || last.name != name) {
            tables.push(Table {
                schema,
                name,
                kind: needed(2)?.chars().next().unwrap_or('r'),
                rows_estimate: text(3).and_then(|rows| rows.parse().ok()),
                oid: needed(4)?.parse().unwrap_or_default(),
                bytes: 0,
                columns: Vec::new(),
            });
        }
        let element = text(9);
        let (form, is_array) = match &element {
            Some(name) => (form_of(name, &text(10).unwrap_or_default()), true),
            None => (form_of(&needed(7)?, &needed(8)?), false),
        };
        let references = match (text(14), text(15), text(16)) {
            (Some(schema), Some(relation), Some(column)) => Some((schema, relation, column)),
            _ => None,
        };
        let column = Column {
            name: needed(5)?,
            type_sql: needed(6)?,
            form,
            is_array,
            comment: text(11).map(Unseen::new),
            is_readable: needed(12)? == "t",
            is_key: needed(13)? == "t",
            references,
        };
        if let Some(table) = tables.last_mut() {
            table.columns.push(column);
        }
    }
    Ok(tables)
}

/// `typname` and `typtype` of a type that is no domain and no array.
fn form_of(name: &str, class: &str) -> Form {
    match (class, name) {
        ("e", _) => Form::Enum,
        ("c", _) => Form::Json,
        ("b", "text" | "varchar" | "bpchar" | "name" | "citext" | "xml") => Form::Text,
        ("b", "int2" | "int4" | "int8" | "numeric" | "float4" | "float8") => Form::Number,
        ("b", "date" | "timestamp" | "timestamptz") => Form::Day,
        ("b", "bool") => Form::Boolean,
        ("b", "uuid") => Form::Uuid,
        ("b", "inet" | "cidr" | "macaddr" | "macaddr8") => Form::Network,
        ("b", "json" | "jsonb") => Form::Json,
        ("b", "bytea") => Form::Binary,
        _ => Form::Other,
    }
}
