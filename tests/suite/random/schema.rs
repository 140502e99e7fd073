//! What a role sees of the sample database, asked through Scrim: the words that random statements are made of.

use crate::harness::client::{Client, text};

/// What an expression is, as far as productions care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sort {
    Text,
    Int,
    Num,
    Float,
    Bool,
    Date,
    Stamp,
    StampTz,
    Span,
    Json,
    Array,
    /// Anything else: it is selected, compared with NULL and cast to text.
    Other,
}

#[derive(Debug, Clone)]
pub struct Column {
    /// As SQL writes it.
    pub name: String,
    pub sort: Sort,
    /// Must be cast before it is a text like any other (`char(3)` pads, an enum is no text).
    pub needs_cast: bool,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub schema: String,
    pub name: String,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    /// Has children or partitions, so that ONLY means something.
    pub has_children: bool,
}

const QUERY: &str = "
SELECT quote_ident(n.nspname), quote_ident(c.relname), quote_ident(a.attname), t.typname,
       coalesce(a.attnum = ANY (i.indkey), false), c.relhassubclass
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE n.nspname IN ('public', 'catalog', 'trap') AND c.relkind IN ('r', 'p', 'v', 'm')
  AND a.attnum > 0 AND NOT a.attisdropped
  -- Closed to every masked role: it would only be refused.
  AND c.relname <> 'revealed'
ORDER BY 1, 2, a.attnum";

/// The tables and views that exist for the role.
pub fn read(client: &mut Client) -> Vec<Table> {
    let answers = client.simple(QUERY);
    let mut tables: Vec<Table> = Vec::new();
    for row in answers.iter().flat_map(|answer| &answer.rows) {
        let field = |index: usize| row[index].as_deref().map(text).unwrap_or_default();
        let (schema, name, column) = (field(0), field(1), field(2));
        if !tables.last().is_some_and(|table| table.schema == schema && table.name == name) {
            tables.push(Table {
                schema,
                name,
                columns: Vec::new(),
                primary_key: Vec::new(),
                has_children: field(5) == "t",
            });
        }
        let (sort, needs_cast) = sort(&field(3));
        let Some(table) = tables.last_mut() else { continue };
        if field(4) == "t" {
            table.primary_key.push(column.clone());
        }
        table.columns.push(Column { name: column, sort, needs_cast });
    }
    assert!(tables.len() > 10, "the role sees {} tables: {answers:?}", tables.len());
    tables
}

fn sort(type_name: &str) -> (Sort, bool) {
    match type_name {
        "text" | "varchar" => (Sort::Text, false),
        "bpchar" | "name" | "short_text" => (Sort::Text, true),
        "int2" | "int4" | "int8" => (Sort::Int, false),
        "numeric" => (Sort::Num, false),
        "float4" | "float8" => (Sort::Float, false),
        "bool" => (Sort::Bool, false),
        "date" => (Sort::Date, false),
        "timestamp" => (Sort::Stamp, false),
        "timestamptz" => (Sort::StampTz, false),
        "interval" => (Sort::Span, false),
        "jsonb" => (Sort::Json, false),
        "_text" => (Sort::Array, false),
        _ => (Sort::Other, false),
    }
}
