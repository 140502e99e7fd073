//! The masked copy: the database that a role believes to see, built by hand.
//!
//! For a role, every column is overwritten with its mask, every row the role may not see is deleted, and every hidden
//! column and table is dropped. The law says that Scrim's answer to a statement is the copy's. Each copy is a server
//! of its own, so that names and OIDs are those of the original; only the login has the user's name.
//!
//! Rows are written back in the order they were stored in. What is in the way goes: foreign keys, checks, triggers,
//! indexes, identity and generation, the order by which partitions take rows (they become children). What the answer
//! to a query depends on stays: types, column order, primary keys, views, functions.

mod arrays;
mod documents;
mod every_mask;
mod expressions;
mod handbook;
mod keyed;
mod masks;
mod ranges;
mod sample_rules;
mod scrubbed;
mod twins;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use scrim::demo::PrivatePostgres;
use serde::Deserialize;

use crate::harness::{self, client::Client};
use masks::{Text, Type};
pub use sample_rules::SampleRules;
use twins::Row;

/// The copy for one role.
pub struct MaskedCopy {
    pub server: PrivatePostgres,
    /// The login that Scrim uses for this role.
    pub login: String,
    /// What it is called here: as the user.
    user: &'static str,
    pub row_types: RowTypes,
}

/// OIDs of composite types and of arrays of them. What is a `customers` in the copy may be a `record` through Scrim.
#[derive(Debug, Default)]
pub struct RowTypes {
    pub rows: BTreeSet<u32>,
    pub arrays: BTreeSet<u32>,
}

impl MaskedCopy {
    /// A connection as Scrim's login, which is called here what the user is called.
    pub fn connect(&self) -> Client {
        let server = &self.server;
        Client::connect_unix(server.socket_folder(), server.port(), self.user, "desk")
    }
}

/// The sample rules, as the tests read them.
pub fn sample_rules() -> &'static SampleRules {
    static RULES: OnceLock<SampleRules> = OnceLock::new();
    RULES.get_or_init(|| {
        SampleRules::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("masking-rules"))
    })
}

/// The copy for a role; made when first asked for.
pub fn masked_copy(role: &str) -> Arc<MaskedCopy> {
    static COPIES: OnceLock<Mutex<BTreeMap<String, Arc<MaskedCopy>>>> = OnceLock::new();
    let mut copies = COPIES.get_or_init(Mutex::default).lock().expect("no test has panicked here");
    if let Some(copy) = copies.get(role) {
        return Arc::clone(copy);
    }
    let copy = Arc::new(build(role));
    copies.insert(role.into(), Arc::clone(&copy));
    copy
}

#[derive(Debug, Deserialize)]
struct Table {
    oid: u32,
    name: String,
    /// Quoted as SQL wants it.
    sql: String,
    kind: String,
    columns: Vec<Column>,
    /// Direct parents' OIDs.
    parents: Vec<u32>,
    primary_key: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Column {
    name: String,
    sql: String,
    base: String,
    modifier: i32,
    constrained: bool,
    generated: bool,
    identity: bool,
}

/// Relations of the user's schemas; parents before children.
const RELATIONS: &str = r"
WITH RECURSIVE base (oid, base, modifier, constrained) AS (
    SELECT oid, oid, NULL::int, false FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.base, coalesce(b.modifier, nullif(d.typtypmod, -1)),
           b.constrained OR d.typnotnull OR EXISTS (SELECT FROM pg_constraint c WHERE c.contypid = d.oid)
    FROM pg_type d JOIN base b ON d.typbasetype = b.oid
)
SELECT coalesce(json_agg(t ORDER BY t.oid), '[]') FROM (
    SELECT c.oid::int8, n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS sql,
           c.relkind AS kind,
           (SELECT json_agg(json_build_object(
                'name', a.attname, 'sql', quote_ident(a.attname), 'base', bt.typname,
                'modifier', coalesce(nullif(a.atttypmod, -1), b.modifier, -1),
                'constrained', b.constrained, 'generated', a.attgenerated <> '', 'identity', a.attidentity <> '')
                ORDER BY a.attnum)
            FROM pg_attribute a JOIN base b ON b.oid = a.atttypid JOIN pg_type bt ON bt.oid = b.base
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
           (SELECT coalesce(json_agg(i.inhparent::int8 ORDER BY i.inhseqno), '[]') FROM pg_inherits i
            WHERE i.inhrelid = c.oid) AS parents,
           (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.oid AND i.indisprimary) AS primary_key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN (KINDS) AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
) t
";

fn build(role: &str) -> MaskedCopy {
    let server = harness::start_desk();
    let rules = sample_rules();
    let tables = relations(&server, "'r', 'p', 'm'");
    // Every raw row is read before anything changes.
    let plans: Vec<Plan> =
        tables.iter().map(|table| Plan::new(role, table, &tables, &server)).collect();
    let mut script = String::from("SET client_min_messages = warning;\nBEGIN;\n");
    script.push_str(DROP_WHAT_IS_IN_THE_WAY);
    for (table, plan) in tables.iter().zip(&plans) {
        plan.loosen(table, &tables, &mut script);
    }
    for (table, plan) in tables.iter().zip(&plans) {
        plan.write(table, &mut script);
    }
    for (table, plan) in tables.iter().zip(&plans) {
        plan.drop_hidden(table, &mut script);
    }
    let functions = rules.functions(role);
    let functions: Vec<String> = functions.iter().map(|name| format!("'{name}'")).collect();
    script.push_str(&DROP_FUNCTIONS.replace("ALLOWED", &functions.join(", ")));
    script.push_str("COMMIT;\n");
    let login = rules.login(role);
    for schema in ["public", "catalog"] {
        let rights = if login == "scrim" { "SELECT, INSERT, UPDATE, DELETE" } else { "SELECT" };
        script.push_str(&format!("GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {login};\n"));
    }
    script.push_str("ANALYZE;\n");
    server.run("desk", &script).unwrap_or_else(|error| panic!("masked copy for {role}: {error}"));
    mask_views(role, &server);
    let oids = |column: &str| {
        let sql = format!("SELECT {column} FROM pg_type WHERE typtype = 'c'");
        let answer = server.run("desk", &sql).expect("types");
        answer.lines().map(|line| line.parse().expect("an OID")).collect()
    };
    let row_types = RowTypes { rows: oids("oid"), arrays: oids("typarray") };
    let user = harness::user_of(role);
    let rename = format!("ALTER ROLE {login} RENAME TO {user}");
    server.run("desk", &rename).unwrap_or_else(|error| panic!("{error}"));
    MaskedCopy { server, login, user, row_types }
}

fn relations(server: &PrivatePostgres, kinds: &str) -> Vec<Table> {
    let answer = server.run("desk", &RELATIONS.replace("KINDS", kinds));
    serde_json::from_str(&answer.unwrap_or_else(|error| panic!("{error}"))).expect("relations")
}

/// Views see masked tables by now. Those that the rules name are masked once more: each becomes a table.
fn mask_views(role: &str, server: &PrivatePostgres) {
    let rules = sample_rules();
    for view in relations(server, "'v'").into_iter().filter(|view| rules.classifies(&view.name)) {
        let masks: Vec<serde_yaml::Value> = view
            .columns
            .iter()
            .map(|column| match rules.tag(&view.name, &column.name) {
                Some(_) => rules.mask(role, std::slice::from_ref(&view.name), &column.name),
                None => "clear".into(),
            })
            .collect();
        let none = Row::new();
        let rows = rows_of(server, &view, &format!("SELECT * FROM {}", view.sql));
        let rows = rows.iter().map(|row| masked_row(&view, &masks, row, &none)).collect();
        let plan = Plan { masks, rows, untouched: false };
        let mut script = String::from("BEGIN;\n");
        plan.taken(&view, "VIEW", &mut script);
        plan.write(&view, &mut script);
        plan.drop_hidden(&view, &mut script);
        script.push_str(&format!(
            "GRANT SELECT ON {} TO {}, scrim;\nCOMMIT;\n",
            view.sql,
            rules.login(role)
        ));
        server
            .run("desk", &script)
            .unwrap_or_else(|error| panic!("{} for {role}: {error}", view.name));
    }
}

/// Foreign keys first, for they hang on primary keys; then checks, triggers and rules of rows.
const DROP_WHAT_IS_IN_THE_WAY: &str = r"
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname)
        FROM pg_constraint WHERE contype IN ('f', 'c', 'u', 'x') AND conrelid <> 0 AND conparentid = 0
          AND connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
          AND coninhcount = 0
        ORDER BY contype <> 'f'
    LOOP EXECUTE statement; END LOOP;
    FOR statement IN
        SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass)
        FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
    LOOP EXECUTE statement; END LOOP;
    FOR statement IN
        SELECT format('DROP INDEX %s', indexrelid::regclass)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE NOT indisprimary AND NOT relispartition AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    LOOP EXECUTE statement; END LOOP;
END $$;
";

/// User functions that the role may not call do not exist for it, so that a built-in one of the same name is meant;
/// operators made of them go too.
const DROP_FUNCTIONS: &str = r"
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure)
        FROM pg_proc WHERE pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
          AND pronamespace::regnamespace || '.' || proname <> ALL (ARRAY[ALLOWED]::text[])
          AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    LOOP EXECUTE statement; END LOOP;
END $$;
";

/// What happens to one table.
struct Plan {
    masks: Vec<serde_yaml::Value>,
    /// Masked rows in the order of storage.
    rows: Vec<Vec<Text>>,
    /// Nothing changes: open to the role.
    untouched: bool,
}

impl Plan {
    fn new(role: &str, table: &Table, tables: &[Table], server: &PrivatePostgres) -> Plan {
        let rules = sample_rules();
        let lineage = lineage(table, tables);
        let masks: Vec<serde_yaml::Value> =
            table.columns.iter().map(|column| rules.mask(role, &lineage, &column.name)).collect();
        let filter = rules.filter(role, &lineage);
        let clear = masks.iter().all(|mask| mask.as_str() == Some("clear"));
        let untouched = clear && filter.is_none();
        if untouched || table.kind == "p" {
            return Plan { masks, rows: Vec::new(), untouched };
        }
        let conditions = rules.conditions(&lineage);
        let rows = raw_rows(server, table)
            .into_iter()
            .filter(|row| filter.as_ref().is_none_or(|sql| twins::holds(sql, row, &conditions)))
            .map(|row| masked_row(table, &masks, &row, &conditions))
            .collect();
        Plan { masks, rows, untouched }
    }

    fn hidden(&self, index: usize) -> bool {
        self.masks[index].as_str() == Some("hide")
    }

    /// Takes away what would refuse masked rows, and makes tables out of what is none.
    fn loosen(&self, table: &Table, tables: &[Table], script: &mut String) {
        let Table { sql, .. } = table;
        match table.kind.as_str() {
            // Views over a materialised view are none of the sample's business.
            "m" => self.taken(table, "MATERIALIZED VIEW", script),
            "p" => {
                let children: Vec<&Table> =
                    tables.iter().filter(|child| child.parents.contains(&table.oid)).collect();
                for child in &children {
                    script
                        .push_str(&format!("ALTER TABLE {sql} DETACH PARTITION {};\n", child.sql));
                }
                // The views that read it are made again from their text.
                script.push_str(&format!(
                    "CREATE TEMP TABLE scrim_views AS SELECT DISTINCT ev_class::regclass::text AS name,\n\
                     pg_get_viewdef(ev_class) AS text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid\n\
                     WHERE d.refobjid = '{sql}'::regclass AND d.classid = 'pg_rewrite'::regclass;\n\
                     CREATE TABLE scrim_parent (LIKE {sql});\nDROP TABLE {sql} CASCADE;\n{}\
                     ALTER TABLE scrim_parent RENAME TO {};\n\
                     DO $$ DECLARE view record; BEGIN FOR view IN SELECT * FROM scrim_views LOOP\n\
                     EXECUTE format('CREATE VIEW %s AS %s', view.name, view.text); END LOOP; END $$;\n\
                     DROP TABLE scrim_views;\n",
                    self.nullable("scrim_parent", table),
                    sql.split_once('.').expect("schema").1
                ));
                for child in &children {
                    script.push_str(&format!("ALTER TABLE {} INHERIT {sql};\n", child.sql));
                }
                self.key(table, script);
            }
            _ => {}
        }
        if self.untouched || table.kind == "p" {
            return;
        }
        if table.kind == "r" && !self.key_is_clear(table) && !table.primary_key.is_empty() {
            script.push_str(&format!(
                "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE {sql} DROP CONSTRAINT %I', conname)\n\
                 FROM pg_constraint WHERE conrelid = '{sql}'::regclass AND contype = 'p'); END $$;\n"
            ));
        }
        for column in &table.columns {
            let Column { sql: name, .. } = column;
            if column.generated {
                script.push_str(&format!("ALTER TABLE {sql} ALTER {name} DROP EXPRESSION;\n"));
            }
            if column.identity {
                script.push_str(&format!("ALTER TABLE {sql} ALTER {name} DROP IDENTITY;\n"));
            }
            let in_key = self.key_is_clear(table) && table.primary_key.contains(&column.name);
            if table.kind == "r" && !in_key {
                script.push_str(&format!("ALTER TABLE {sql} ALTER {name} DROP NOT NULL;\n"));
            }
        }
    }

    /// Makes a table of what is none, with its rows.
    fn taken(&self, table: &Table, kind: &str, script: &mut String) {
        let Table { sql, .. } = table;
        let (schema, name) = sql.split_once('.').expect("a schema");
        script.push_str(&format!(
            "CREATE TABLE scrim_taken AS SELECT * FROM {sql};\nDROP {kind} {sql};\n\
             ALTER TABLE scrim_taken SET SCHEMA {schema};\nALTER TABLE {schema}.scrim_taken RENAME TO {name};\n"
        ));
    }

    fn key_is_clear(&self, table: &Table) -> bool {
        table.columns.iter().zip(&self.masks).all(|(column, mask)| {
            !table.primary_key.contains(&column.name) || mask.as_str() == Some("clear")
        })
    }

    fn key(&self, table: &Table, script: &mut String) {
        if self.key_is_clear(table) && !table.primary_key.is_empty() {
            let columns = table.columns.iter().filter(|c| table.primary_key.contains(&c.name));
            let columns: Vec<&str> = columns.map(|column| column.sql.as_str()).collect();
            let Table { sql, .. } = table;
            script.push_str(&format!(
                "ALTER TABLE {sql} ADD PRIMARY KEY ({});\n",
                columns.join(", ")
            ));
        }
    }

    /// SQL that lets what is no key be NULL, for `name`, which has the table's columns. From PostgreSQL 18 on what a
    /// parent does not allow its children cannot either.
    fn nullable(&self, name: &str, table: &Table) -> String {
        let key = if self.key_is_clear(table) { table.primary_key.as_slice() } else { &[] };
        let columns = table.columns.iter().filter(|column| !key.contains(&column.name));
        columns
            .map(|column| format!("ALTER TABLE {name} ALTER {} DROP NOT NULL;\n", column.sql))
            .collect()
    }

    fn write(&self, table: &Table, script: &mut String) {
        if self.untouched || table.kind == "p" {
            return;
        }
        let Table { sql, .. } = table;
        script.push_str(&format!("DELETE FROM ONLY {sql};\nCOPY {sql} FROM STDIN;\n"));
        for row in &self.rows {
            let fields: Vec<String> = row.iter().map(copy_field).collect();
            script.push_str(&fields.join("\t"));
            script.push('\n');
        }
        script.push_str("\\.\n");
    }

    fn drop_hidden(&self, table: &Table, script: &mut String) {
        let Table { sql, .. } = table;
        let hidden: Vec<&Column> = (0..table.columns.len())
            .filter(|index| self.hidden(*index))
            .map(|index| &table.columns[index])
            .collect();
        if hidden.len() == table.columns.len() {
            script.push_str(&format!("DROP TABLE IF EXISTS {sql} CASCADE;\n"));
            return;
        }
        for column in hidden {
            let name = &column.sql;
            script.push_str(&format!("ALTER TABLE {sql} DROP COLUMN IF EXISTS {name} CASCADE;\n"));
        }
    }
}

/// The table's name and its ancestors', nearest first.
fn lineage(table: &Table, tables: &[Table]) -> Vec<String> {
    let mut names = vec![table.name.clone()];
    for parent in &table.parents {
        if let Some(parent) = tables.iter().find(|table| table.oid == *parent) {
            names.extend(lineage(parent, tables));
        }
    }
    names
}

fn masked_row(
    table: &Table,
    masks: &[serde_yaml::Value],
    row: &Row,
    conditions: &Row,
) -> Vec<Text> {
    let columns = table.columns.iter().zip(masks);
    let masked = columns.map(|(column, mask)| {
        let kind = Type {
            base: column.base.clone(),
            modifier: column.modifier,
            constrained: column.constrained,
        };
        match mask.as_str() {
            Some("hide") => None,
            _ => masks::apply(mask, &row[&column.name], &kind, row, conditions),
        }
    });
    masked.collect()
}

/// The rows of the table itself, in the order of storage.
fn raw_rows(server: &PrivatePostgres, table: &Table) -> Vec<Row> {
    rows_of(server, table, &format!("SELECT * FROM ONLY {} ORDER BY ctid", table.sql))
}

fn rows_of(server: &PrivatePostgres, table: &Table, query: &str) -> Vec<Row> {
    let text = server
        .run("desk", &format!("COPY ({query}) TO STDOUT;"))
        .unwrap_or_else(|error| panic!("{error}"));
    let row = |line: &str| {
        let values = line.split('\t').map(copied_field);
        table.columns.iter().map(|column| column.name.clone()).zip(values).collect()
    };
    text.lines().map(row).collect()
}

/// A field of COPY's text format.
fn copied_field(field: &str) -> Text {
    if field == "\\N" {
        return None;
    }
    let mut text = String::new();
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next().expect("COPY ends no field with a backslash") {
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                other => other,
            },
            other => other,
        });
    }
    Some(text)
}

fn copy_field(value: &Text) -> String {
    let Some(text) = value else { return "\\N".into() };
    let mut field = String::new();
    for character in text.chars() {
        match character {
            '\\' => field.push_str("\\\\"),
            '\n' => field.push_str("\\n"),
            '\r' => field.push_str("\\r"),
            '\t' => field.push_str("\\t"),
            other => field.push(other),
        }
    }
    field
}

/// No canary is in a copy; and the rows are not simply gone.
#[test]
fn the_copies_hold_rows_and_no_canary() {
    for role in sample_rules().roles().filter(|role| *role != "admin") {
        let copy = masked_copy(role);
        let tables = copy.server.run(
            "desk",
            "SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'v')
             AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)' ORDER BY 1",
        );
        for table in tables.expect("tables").lines() {
            let dump = copy.server.run("desk", &format!("SELECT * FROM {table}")).expect(table);
            let least = if role.starts_with("clerk") { 1 } else { 10 };
            let sees = table != "customers" || dump.lines().count() >= least;
            assert!(sees, "{role} sees no customers");
            let found = crate::canary::find(dump.as_bytes());
            assert_eq!(found, Vec::<String>::new(), "{role} {table}");
        }
    }
}
