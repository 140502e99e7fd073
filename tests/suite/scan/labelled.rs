//! The labelled columns of tests/scan. A line is a column: name, type, generator of values, the tags that are right with
//! `or` between them, `pk` or `fk`, and `--` with what COMMENT ON COLUMN says. `-` means that it holds nothing personal.

use std::path::Path;

use scrim::scan::{Column, Form, Sample, Table, Unseen};

use super::generators::values;

pub struct Labelled {
    /// File, table and column.
    pub place: String,
    /// `-` among them: it need not have a tag.
    pub tags: Vec<String>,
}

pub struct LabelledTable {
    pub table: Table,
    pub samples: Vec<Option<Sample>>,
    pub labels: Vec<Labelled>,
}

/// Values of each column that are looked at.
const VALUES: usize = 100;

/// All tables of one half: `seen` or `sealed`.
pub fn tables(half: &str) -> Vec<LabelledTable> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scan").join(half);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("labelled columns")
        .map(|e| e.expect("a file").path())
        .collect();
    files.sort();
    let mut tables: Vec<LabelledTable> = Vec::new();
    for file in files {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        for line in std::fs::read_to_string(&file).expect("a text").lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.strip_prefix("table ") {
                Some(name) => tables.push(table(name.trim_matches('"'))),
                None => add(tables.last_mut().expect("a table"), &stem, line),
            }
        }
    }
    tables
}

fn table(name: &str) -> LabelledTable {
    let table = Table {
        schema: "public".into(),
        name: name.into(),
        kind: 'r',
        oid: 0,
        rows_estimate: None,
        bytes: 0,
        columns: Vec::new(),
    };
    LabelledTable { table, samples: Vec::new(), labels: Vec::new() }
}

fn add(table: &mut LabelledTable, file: &str, line: &str) {
    let (facts, comment) = match line.split_once(" -- ") {
        Some((facts, comment)) => (facts, Some(Unseen::new(comment.trim().to_owned()))),
        None => (line, None),
    };
    let words: Vec<&str> = facts.split_ascii_whitespace().collect();
    let [name, type_sql, generator, rest @ ..] = words.as_slice() else { panic!("{line}") };
    let name = name.trim_matches('"');
    let is_array = type_sql.ends_with("[]");
    let column = Column {
        name: name.into(),
        type_sql: (*type_sql).into(),
        form: form(type_sql.trim_end_matches("[]")),
        is_array,
        comment,
        is_readable: true,
        is_key: rest.contains(&"pk"),
        references: None,
    };
    let tags = rest.iter().filter(|word| !matches!(**word, "or" | "pk" | "fk"));
    let place = format!("{file}.{}.{name}", table.table.name);
    let seed = place.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let read = !matches!(
        column.form,
        Form::Boolean | Form::Uuid | Form::Enum | Form::Binary | Form::Other
    );
    let made = values(generator, VALUES, seed);
    let values = made.into_iter().flatten().map(Unseen::new).collect();
    table.samples.push(read.then_some(Sample { rows: VALUES, values }));
    table.labels.push(Labelled { place, tags: tags.map(|tag| (*tag).to_owned()).collect() });
    table.table.columns.push(column);
}

fn form(type_sql: &str) -> Form {
    match type_sql.split('(').next().expect("a type") {
        "text" | "varchar" | "char" | "citext" => Form::Text,
        "int" | "smallint" | "bigint" | "numeric" | "double" => Form::Number,
        "date" | "timestamp" | "timestamptz" => Form::Day,
        "boolean" => Form::Boolean,
        "uuid" => Form::Uuid,
        "inet" | "macaddr" => Form::Network,
        "json" | "jsonb" => Form::Json,
        "bytea" => Form::Binary,
        "tsvector" => Form::Other,
        other => panic!("no form for type {other}"),
    }
}
