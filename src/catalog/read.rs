//! From rows of text to a [`Snapshot`].

use super::snapshot::{
    Column, Relation, RelationKind, RelationOid, Snapshot, UserType, UserTypeKind, ViewDefinition,
};
use super::type_family::TypeFamily;

/// The queries to run, in order, on a connection of the service account. They need no rights beyond reading
/// `pg_catalog`, and the first pins the connection's search_path, so that every name in the others is
/// PostgreSQL's own and every type is printed with its schema.
pub const QUERIES: &[&str] = &[
    "SELECT pg_catalog.set_config('search_path', 'pg_catalog', false)",
    "SELECT current_database(), current_user, current_setting('server_version_num'), \
       current_setting('server_encoding')",
    "SELECT nspname FROM pg_namespace",
    "SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r','p','v','m','f','S') AND n.nspname !~ '^pg_(toast|temp)'",
    // Base types of domains are followed to the end.
    "WITH RECURSIVE base(oid, leaf, over) AS ( \
       SELECT oid, oid, NULL::text FROM pg_type WHERE typtype <> 'd' \
       UNION ALL \
       SELECT d.oid, b.leaf, coalesce(b.over, format_type(d.typbasetype, d.typtypmod)) \
       FROM pg_type d JOIN base b ON b.oid = d.typbasetype WHERE d.typtype = 'd') \
     SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, \
       a.atttypmod, coalesce(t.typname, ''), \
       CASE WHEN tn.nspname = 'pg_catalog' THEN 'pg_catalog' WHEN x.objid IS NOT NULL THEN 'extension' \
         ELSE '' END, coalesce(t.typcategory, 'X'), l.over, \
       EXISTS (SELECT 1 FROM pg_opclass o WHERE o.opcdefault AND o.opcmethod IN (403, 405) \
         AND o.opcintype = coalesce(l.leaf, a.atttypid)) \
       OR coalesce(t.typname, '') IN ('varchar') \
       OR (coalesce(t.typcategory, 'X') IN ('A', 'E', 'R') AND coalesce(t.typname, '') NOT IN ('_json','_xml','_point')), \
       co.name, a.attgenerated <> '' \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     JOIN pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN base l ON l.oid = a.atttypid \
     LEFT JOIN pg_type t ON t.oid = coalesce(l.leaf, a.atttypid) \
     LEFT JOIN pg_namespace tn ON tn.oid = t.typnamespace \
     LEFT JOIN (SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
       WHERE d.classid = 'pg_type'::regclass AND d.refclassid = 'pg_extension'::regclass \
         AND d.deptype = 'e' AND e.extname = 'citext') x ON x.objid = t.oid \
     LEFT JOIN (SELECT k.oid, quote_ident(kn.nspname) || '.' || quote_ident(k.collname) AS name \
       FROM pg_collation k JOIN pg_namespace kn ON kn.oid = k.collnamespace \
       WHERE NOT k.collisdeterministic) co ON co.oid = a.attcollation \
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r','p','v','m','f','S') \
       AND n.nspname !~ '^pg_(toast|temp)' ORDER BY a.attrelid, a.attnum",
    "SELECT i.indrelid, k.attnum FROM pg_index i, unnest(i.indkey::int2[]) AS k(attnum) \
     WHERE i.indisprimary AND i.indimmediate AND i.indisvalid ORDER BY 1, 2",
    "SELECT inhrelid, inhparent FROM pg_inherits ORDER BY inhrelid, inhseqno",
    "SELECT DISTINCT n.nspname, p.proname, n.nspname = 'pg_catalog', \
       p.pronargs - p.pronargdefaults <= 1 AND p.pronargs >= 1 AND EXISTS (SELECT 1 FROM pg_type t \
         LEFT JOIN pg_type e ON e.oid = t.typelem AND t.oid = p.proargtypes[0] AND p.provariadic <> 0 \
         WHERE t.oid = p.proargtypes[0] AND (t.typtype IN ('c', 'p', 'd') OR e.typtype IN ('c', 'd'))) \
     FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
     WHERE n.nspname <> 'information_schema'",
    // Operators of these extensions compute and read no table.
    "SELECT DISTINCT n.nspname, o.oprname FROM pg_operator o \
     JOIN pg_namespace n ON n.oid = o.oprnamespace \
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS ( \
       SELECT 1 FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
       WHERE d.classid = 'pg_operator'::regclass AND d.objid = o.oid \
         AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' \
         AND e.extname IN ('btree_gin', 'btree_gist', 'citext', 'cube', 'hstore', 'intarray', \
           'isn', 'ltree', 'pg_trgm', 'postgis', 'seg', 'vector'))",
    "SELECT n.nspname, t.typname, t.typtype, t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace \
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'",
    "SELECT count(*) FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc \
     JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname <> 'pg_catalog'",
    "SELECT c.oid, pg_get_viewdef(c.oid), EXISTS (SELECT FROM pg_options_to_table(c.reloptions) o \
       WHERE CASE o.option_name WHEN 'security_barrier' THEN o.option_value::bool ELSE false END) \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' \
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'",
    "SELECT DISTINCT r.ev_class, d.refobjid, d.refobjsubid FROM pg_depend d \
     JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class \
     WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
       AND c.relkind IN ('v', 'm') AND d.refobjid <> r.ev_class \
     UNION SELECT c.oid, d.refobjid, d.refobjsubid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid \
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
       AND c.relkind = 'S' AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 ORDER BY 1, 2, 3",
    // Types whose values name relations or types, and what is made of them, to the end. Multiranges are there since
    // PostgreSQL 14.
    "WITH RECURSIVE made(of, oid) AS MATERIALIZED ( \
       SELECT typbasetype, oid FROM pg_type WHERE typtype = 'd' \
       UNION ALL SELECT typelem, oid FROM pg_type WHERE typelem <> 0 \
       UNION ALL SELECT rngsubtype, rngtypid FROM pg_range \
       UNION ALL SELECT rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid FROM pg_range r \
       UNION ALL SELECT a.atttypid, c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.reltype <> 0 AND a.attnum > 0 AND NOT a.attisdropped), \
     naming(oid) AS ( \
       SELECT unnest(ARRAY['regclass', 'regtype', 'regprocedure', 'regoperator']::regtype[])::oid \
       UNION SELECT made.oid FROM naming JOIN made ON made.of = naming.oid) \
     SELECT t.oid, n.nspname, t.typname FROM naming JOIN pg_type t ON t.oid = naming.oid \
       JOIN pg_namespace n ON n.oid = t.typnamespace",
];

/// A row did not have the shape that its query promises.
#[derive(Debug, thiserror::Error)]
#[error("catalog query {query} returned something unexpected: {what}")]
pub struct CatalogError {
    /// Index into [`QUERIES`].
    pub query: usize,
    /// What was wrong; holds no data.
    pub what: String,
}

/// Values of one row, in text form.
type Row = Vec<Option<String>>;

/// Builds a snapshot of the answers to [`QUERIES`]: one list of rows a query, values in text form.
pub fn read_snapshot(answers: &[Vec<Row>]) -> Result<Snapshot, CatalogError> {
    let mut snapshot = Snapshot::default();
    let rows = |query: usize| {
        answers
            .get(query)
            .map(Vec::as_slice)
            .ok_or_else(|| CatalogError { query, what: "no answer".into() })
    };
    for row in rows(1)? {
        let row = Fields { query: 1, row };
        snapshot.database = row.text(0)?;
        snapshot.login = row.text(1)?;
        snapshot.server_version = row.number(2)?;
        snapshot.encoding = row.text(3)?;
    }
    for row in rows(2)? {
        snapshot.schemas.insert(Fields { query: 2, row }.text(0)?);
    }
    for row in rows(3)? {
        let row = Fields { query: 3, row };
        let oid = RelationOid(row.number(0)?);
        let (schema, name) = (row.text(1)?, row.text(2)?);
        let kind = match row.text(3)?.as_str() {
            "r" => RelationKind::Table,
            "p" => RelationKind::PartitionedTable,
            "v" => RelationKind::View,
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::ForeignTable,
            "S" => RelationKind::Sequence,
            _ => return Err(row.unexpected("a relkind")),
        };
        snapshot.by_name.insert((schema.clone(), name.clone()), oid);
        snapshot.relations.insert(
            oid,
            Relation {
                oid,
                schema,
                name,
                kind,
                columns: Vec::new(),
                primary_key: Vec::new(),
                parents: Vec::new(),
                definition: None,
                reads: Vec::new(),
            },
        );
    }
    for row in rows(4)? {
        let row = Fields { query: 4, row };
        let column = Column {
            number: row.number(1)?,
            name: row.text(2)?,
            type_sql: row.text(3)?,
            type_oid: row.number(4)?,
            type_modifier: row.number(5)?,
            family: family(&row.text(6)?, &row.text(7)?, &row.text(8)?),
            domain_over: row.optional(9)?,
            groupable: row.truth(10)?,
            nondeterministic_collation: row.optional(11)?,
            generated: row.truth(12)?,
        };
        // A relation that came or went between two queries is left out.
        if let Some(relation) = snapshot.relations.get_mut(&RelationOid(row.number(0)?)) {
            relation.columns.push(column);
        }
    }
    for row in rows(5)? {
        let row = Fields { query: 5, row };
        if let Some(relation) = snapshot.relations.get_mut(&RelationOid(row.number(0)?)) {
            relation.primary_key.push(row.number(1)?);
        }
    }
    for row in rows(6)? {
        let row = Fields { query: 6, row };
        if let Some(relation) = snapshot.relations.get_mut(&RelationOid(row.number(0)?)) {
            relation.parents.push(RelationOid(row.number(1)?));
        }
    }
    read_names(&mut snapshot, rows(7)?, rows(8)?, rows(9)?)?;
    for row in rows(10)? {
        snapshot.user_casts = Fields { query: 10, row }.number::<u64>(0)? > 0;
    }
    read_views(&mut snapshot, rows(11)?, rows(12)?)?;
    for row in rows(13)? {
        let row = Fields { query: 13, row };
        snapshot.naming_types.insert(row.number(0)?);
        if let Some(known) = snapshot.user_types.get_mut(&(row.text(1)?, row.text(2)?)) {
            known.names_objects = true;
        }
    }
    Ok(snapshot)
}

fn read_views(
    snapshot: &mut Snapshot,
    definitions: &[Row],
    reads: &[Row],
) -> Result<(), CatalogError> {
    for row in definitions {
        let row = Fields { query: 11, row };
        // A view that is dropped meanwhile has no definition.
        let (sql, security_barrier) = (row.optional(1)?, row.truth(2)?);
        if let Some(relation) = snapshot.relations.get_mut(&RelationOid(row.number(0)?)) {
            relation.definition = sql.map(|sql| ViewDefinition { sql, security_barrier });
        }
    }
    for row in reads {
        let row = Fields { query: 12, row };
        let read = (RelationOid(row.number(1)?), row.number(2)?);
        if let Some(relation) = snapshot.relations.get_mut(&RelationOid(row.number(0)?)) {
            relation.reads.push(read);
        }
    }
    Ok(())
}

fn read_names(
    snapshot: &mut Snapshot,
    functions: &[Row],
    operators: &[Row],
    types: &[Row],
) -> Result<(), CatalogError> {
    for row in functions {
        let row = Fields { query: 7, row };
        let (schema, name) = (row.text(0)?, row.text(1)?);
        if row.truth(2)? {
            snapshot.builtin_functions.insert(name);
            continue;
        }
        if row.truth(3)? {
            snapshot.row_functions.insert(name.clone());
        }
        snapshot.user_functions.entry(name).or_default().insert(schema);
    }
    for row in operators {
        let row = Fields { query: 8, row };
        snapshot.user_operators.entry(row.text(1)?).or_default().insert(row.text(0)?);
    }
    for row in types {
        let row = Fields { query: 9, row };
        let (schema, name) = (row.text(0)?, row.text(1)?);
        let kind = match row.text(2)?.as_str() {
            "e" => UserTypeKind::Enum,
            "d" => UserTypeKind::Domain,
            "c" => UserTypeKind::Composite,
            "r" | "m" => UserTypeKind::Range,
            // Arrays are base types too; what they hold is judged by the name without its underscore.
            _ => UserTypeKind::Base,
        };
        let user_type = UserType {
            schema: schema.clone(),
            name: name.clone(),
            oid: row.number(3)?,
            kind,
            names_objects: false,
        };
        snapshot.user_types.insert((schema, name), user_type);
    }
    Ok(())
}

/// The family of a type by its name; a domain's is its base type's. `owner` is `pg_catalog`, `extension` for
/// what the extension citext made, or nothing: anybody can name a type `citext`.
fn family(name: &str, owner: &str, category: &str) -> TypeFamily {
    if category == "A" && !matches!(name, "int2vector" | "oidvector") {
        return TypeFamily::Array;
    }
    match owner {
        "pg_catalog" => {}
        "extension" if name == "citext" => return TypeFamily::Text,
        _ => return TypeFamily::Other,
    }
    match name {
        "text" | "varchar" | "bpchar" | "name" => TypeFamily::Text,
        "int2" | "int4" | "int8" => TypeFamily::Integer,
        "numeric" => TypeFamily::Numeric,
        "float4" | "float8" => TypeFamily::Float,
        "bool" => TypeFamily::Boolean,
        "date" => TypeFamily::Date,
        "timestamp" | "timestamptz" => TypeFamily::Timestamp,
        "uuid" => TypeFamily::Uuid,
        "json" => TypeFamily::Json,
        "jsonb" => TypeFamily::Jsonb,
        "bytea" => TypeFamily::Bytea,
        "inet" => TypeFamily::Inet,
        _ => TypeFamily::Other,
    }
}

/// A row with checked access.
struct Fields<'a> {
    query: usize,
    row: &'a [Option<String>],
}

impl Fields<'_> {
    fn unexpected(&self, what: &str) -> CatalogError {
        CatalogError { query: self.query, what: what.into() }
    }

    fn optional(&self, index: usize) -> Result<Option<String>, CatalogError> {
        self.row.get(index).cloned().ok_or_else(|| self.unexpected("too few columns"))
    }

    fn text(&self, index: usize) -> Result<String, CatalogError> {
        self.optional(index)?.ok_or_else(|| self.unexpected("NULL"))
    }

    fn number<T: std::str::FromStr>(&self, index: usize) -> Result<T, CatalogError> {
        self.text(index)?.parse().map_err(|_| self.unexpected("not a number"))
    }

    fn truth(&self, index: usize) -> Result<bool, CatalogError> {
        match self.text(index)?.as_str() {
            "t" => Ok(true),
            "f" => Ok(false),
            _ => Err(self.unexpected("not a boolean")),
        }
    }
}
