//! Every mask on every type of column, over values that masks trip over, in a real PostgreSQL: a mask never raises,
//! has the column's type and modifier, keeps NULL, and is what the second hand makes of the value.

use std::collections::BTreeSet;

use scrim::catalog::SearchPath;
use scrim::policy::RoleView;
use scrim::sql::{Speaker, plan};
use serde_yaml::Value;

use super::masks::{self, Type};
use super::twins::Row;
use crate::harness::client::{self, Answer, Client};
use crate::harness::{core, start_desk};

/// Columns that take the same values: name, SQL type, `pg_type.typname`.
type Columns = &'static [(&'static str, &'static str, &'static str)];

const TEXTS: Columns = &[
    ("t", "text", "text"),
    ("v", "varchar", "varchar"),
    ("v12", "varchar(12)", "varchar"),
    ("c8", "char(8)", "bpchar"),
    // PostgreSQL refuses LIKE and regular expressions over these three.
    ("t_ci", "text COLLATE public.ci", "text"),
    ("v_ci", "varchar(12) COLLATE public.ci", "varchar"),
    ("c_ci", "char(8) COLLATE public.ci", "bpchar"),
];
const TEXT_VALUES: &[&str] = &[
    "",
    " ",
    "a",
    "O",
    "***",
    "abcd",
    "ABCDE",
    "Kim Min-su",
    "  Kim\tMin\nsu ",
    "김민수",
    "e\u{301}clair",
    "🦊🦊 🦊",
    "%_\\'\"$$",
    "kim@example.com",
    "k@e.co",
    "a@b",
    "@x.com",
    "x@.com",
    "a@b.",
    "a.b@c",
    "a@b@c.org",
    "a@-.x",
    "x y@z.com",
    "me@0109041",
    "call me @ 010-9041",
    "\"a@b\"@c.de",
    "김@example.kr",
    "kim@예시.kr",
    "k@ex_ample.com",
    "kim@example.com, lee@example.com",
    "010-9041-7123",
    "+82 10 9041 7123",
    "+82 10 9041 7123 ext 5",
    "12345678",
    "1234567",
    "1 2 3 4 5 6 7 8 9",
    "(02) 904-1712.3",
    "4539 0417 1234 5678",
    "453904171234",
    "45390417123",
    "4539-0417-1234-567-",
    "４５３９０４１７１２３４５６７８",
    "٠١٢٣٤٥٦٧٨٩",
];
const INTEGERS: &[(Columns, &[&str])] = &[
    (&[("i2", "smallint", "int2")], &["0", "7", "-1", "999", "-999", "32767", "-32768"]),
    (&[("i4", "integer", "int4")], &["0", "-1", "123456", "2147483647", "-2147483648"]),
    (
        &[("i8", "bigint", "int8")],
        &["0", "-1", "999999999999", "9223372036854775807", "-9223372036854775808"],
    ),
];
const NUMERICS: &[(Columns, &[&str])] = &[
    (
        &[("n", "numeric", "numeric")],
        &[
            "0",
            "-0.5",
            "1290417.35",
            "-1290417.35",
            "0.30",
            "123456789012345678901.5",
            "NaN",
            "Infinity",
            "-Infinity",
            "999.9999999999999999",
            "-0.0000000000000001",
        ],
    ),
    (
        &[("n14", "numeric(14,2)", "numeric")],
        &["0", "-0.01", "1290417.35", "999999999999.99", "-999999999999.99", "NaN"],
    ),
    (&[("n2", "numeric(2,2)", "numeric")], &["0", "0.99", "-0.99", "-0.01"]),
    (&[("n5", "numeric(5,1)", "numeric")], &["0.1", "-0.1", "9999.9", "-9999.9", "-9999.8"]),
];
/// Scales like these came with PostgreSQL 15.
const NUMERICS_15: &[(Columns, &[&str])] = &[
    (&[("n35", "numeric(3,5)", "numeric")], &["0.00999", "-0.00999", "0.00001"]),
    (&[("n3_3", "numeric(3,-3)", "numeric")], &["123000", "-999000", "999000"]),
];
const FLOATS: &[(Columns, &[&str])] = &[
    (
        &[("f4", "real", "float4")],
        &["0", "0.1", "-0.1", "1e38", "-3.4e38", "1e-40", "NaN", "Infinity", "-Infinity"],
    ),
    (
        &[("f8", "double precision", "float8")],
        &["0", "0.1", "-0.1", "1290417.35", "1.7e308", "-1.7e308", "5e-324", "NaN", "-Infinity"],
    ),
];
const MOMENTS: &[(Columns, &[&str])] = &[
    (
        &[("d", "date", "date")],
        &[
            "2026-05-31",
            "2024-02-29",
            "1969-12-31",
            "0001-01-01",
            "0044-03-15 BC",
            "4713-11-24 BC",
            "5874897-12-31",
            "infinity",
            "-infinity",
        ],
    ),
    (
        &[("ts", "timestamp", "timestamp"), ("ts3", "timestamp(3)", "timestamp")],
        &[
            "2026-05-31 10:11:12.5",
            "1969-12-31 23:59:59.999",
            "0044-03-15 01:02:03 BC",
            "4713-11-24 00:00:00 BC",
            "294276-12-31 23:59:59",
            "infinity",
            "-infinity",
        ],
    ),
    (
        &[("tz", "timestamptz", "timestamptz")],
        &[
            "2026-05-31 10:11:12+00",
            "4713-11-24 00:00:00+00 BC",
            "294276-12-31 23:59:59+00",
            "infinity",
        ],
    ),
];
const OTHERS: &[(Columns, &[&str])] = &[
    (&[("b", "boolean", "bool")], &["t", "f"]),
    (&[("u", "uuid", "uuid")], &["a0ee90bc-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    (&[("j", "json", "json"), ("jb", "jsonb", "jsonb")], &["{\"a\": 1}", "[1]", "null", "\"x\""]),
    (&[("by", "bytea", "bytea")], &["\\x00ff", ""]),
    (&[("ip", "inet", "inet")], &["10.1.2.3", "2001:db8::1/64"]),
    (&[("a", "text[]", "_text")], &["{a,NULL}", "{}"]),
    (&[("m", "money", "money")], &["12.34"]),
    (&[("iv", "interval", "interval")], &["1 year"]),
    (&[("bt", "bit(4)", "bit")], &["1010"]),
];
const MASKS: &[&str] = &[
    "null",
    "redact",
    "email",
    "phone",
    "card",
    "name",
    "{keep_first: 1}",
    "{keep_last: 4}",
    "{keep_first: 2, keep_last: 3}",
    "{keep_last: 65535}",
    "{keep_first: 65535, keep_last: 65535}",
    "{round: 1000}",
    "{round: 7000}",
    "{round: 3}",
    "{round: 0.25}",
    "{round: 10000000000000000000}",
    "{truncate: year}",
    "{truncate: quarter}",
    "{truncate: month}",
    "{truncate: week}",
    "{truncate: day}",
    "{truncate: hour}",
];
/// Random texts beside the chosen ones.
const RANDOM_TEXTS: usize = 300;
const SEED: u64 = 20_261_124;

struct Column {
    name: &'static str,
    sql: &'static str,
    base: &'static str,
    values: Vec<String>,
}

#[test]
fn every_mask_on_every_type() {
    let columns = columns();
    let server = start_desk();
    server.run("desk", &table(&columns)).unwrap_or_else(|error| panic!("{error}"));
    let mut connection =
        Client::connect_unix(server.socket_folder(), server.port(), "scrim", "desk");
    connection.simple("SET TimeZone = 'UTC'");
    let raw = one(connection.simple("SELECT * FROM public.odd ORDER BY id"));
    let rules = core::rules_of(&[("odd.yaml", &rules(&columns))]);
    let snapshot = core::snapshot_over(&mut connection);
    connection.simple("RESET search_path");

    let mut deviations = BTreeSet::new();
    for (index, mask) in MASKS.iter().enumerate() {
        let view =
            RoleView::new(&format!("m{index}"), rules.clone(), snapshot.clone()).expect("a role");
        let path = SearchPath::default();
        let speaker = Speaker::new(&view, &path, "tester", false);
        let planned = plan("SELECT * FROM public.odd ORDER BY id", speaker);
        let planned = planned.unwrap_or_else(|refusal| panic!("{mask}: {refusal}"));
        let answer = one(connection.simple(planned.statements[0].sql.as_str()));
        deviations.extend(compare(mask, &columns, &raw, &answer));
    }
    assert!(
        deviations.is_empty(),
        "seed {SEED}, {} deviations:\n{}",
        deviations.len(),
        deviations.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

fn compare(mask: &str, columns: &[Column], raw: &Answer, answer: &Answer) -> Vec<String> {
    if let Some(error) = &answer.error {
        return vec![format!("{mask} raised {} {}", error.code, error.message)];
    }
    let mut deviations = Vec::new();
    let (before, after) =
        (raw.columns.as_ref().expect("rows"), answer.columns.as_ref().expect("rows"));
    assert_eq!(before.len(), after.len(), "{mask}: columns");
    assert_eq!(raw.rows.len(), answer.rows.len(), "{mask}: rows");
    let spec: Value = serde_yaml::from_str(mask).expect("YAML");
    for (at, column) in columns.iter().enumerate() {
        // The first is `id`.
        let at = at + 1;
        let (before, after) = (&before[at], &after[at]);
        if (before.type_oid, before.type_modifier) != (after.type_oid, after.type_modifier) {
            deviations.push(format!("{mask} on {}: type {after:?}, not {before:?}", column.sql));
        }
        let column_type = Type {
            base: column.base.into(),
            modifier: before.type_modifier,
            constrained: column.sql.starts_with("public."),
        };
        for (raw, masked) in raw.rows.iter().zip(&answer.rows) {
            let value = raw[at].as_deref().map(client::text);
            let got = masked[at].as_deref().map(client::text);
            if is_beyond_the_second_hand(mask, column.base, value.as_deref()) {
                continue;
            }
            let mut expected = match value {
                Some(_) if !fits(mask, &column_type) => masks::redacted(&column_type),
                _ => masks::apply(&spec, &value, &column_type, &Row::new(), &Row::new()),
            };
            if column.base == "bpchar" {
                let width = (before.type_modifier - 4) as usize;
                expected = expected.map(|text| format!("{text:width$}"));
            }
            if !same(column.base, expected.as_deref(), got.as_deref()) {
                deviations.push(format!(
                    "{mask} on {} of {value:?}: {got:?}, expected {expected:?}",
                    column.sql
                ));
            }
        }
    }
    deviations
}

/// What a mask is for; a column it does not fit is redacted.
fn fits(mask: &str, column: &Type) -> bool {
    let is = |bases: &[&str]| !column.constrained && bases.contains(&column.base.as_str());
    match mask {
        "null" | "redact" => true,
        _ if mask.contains("round") => is(&["int2", "int4", "int8", "numeric", "float4", "float8"]),
        _ if mask.contains("truncate") => is(&["date", "timestamp", "timestamptz"]),
        _ => is(&["text", "varchar", "bpchar"]),
    }
}

/// Beyond what the second hand computes, that nothing is raised is still seen. It knows no weeks before Christ,
/// nothing before the first day that PostgreSQL has, 38 digits, and does not redact where a multiple comes near
/// the end of what a type can hold: reals from 1e37, doubles from 1e200, dates behind the last timestamp.
fn is_beyond_the_second_hand(mask: &str, base: &str, value: Option<&str>) -> bool {
    let value = value.unwrap_or_default();
    let is_huge = value.contains("e+") || value.contains("e-");
    let is_far = value.starts_with("5874897");
    let is_ancient = value.contains("BC") && (mask.contains("week") || value.starts_with("4713"));
    match mask {
        "{round: 10000000000000000000}" => base != "float8" || is_huge,
        _ if mask.contains("round") => base.starts_with("float") && is_huge,
        _ => mask.contains("truncate") && (is_far || is_ancient),
    }
}

fn same(base: &str, expected: Option<&str>, got: Option<&str>) -> bool {
    let (Some(expected), Some(got)) = (expected, got) else { return expected == got };
    match base {
        "float4" => expected.parse::<f32>().ok() == got.parse().ok() || expected == got,
        "float8" => expected.parse::<f64>().ok() == got.parse().ok() || expected == got,
        "numeric" => {
            let short = |text: &str| match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text.to_owned(),
            };
            short(expected) == short(got)
        }
        _ => expected == got,
    }
}

fn columns() -> Vec<Column> {
    let mut texts: Vec<String> = TEXT_VALUES.iter().map(|text| (*text).to_owned()).collect();
    texts.push("long ".repeat(700));
    texts.extend(random_texts());
    let mut groups: Vec<(Columns, Vec<String>)> = vec![(TEXTS, texts)];
    for group in [INTEGERS, NUMERICS, NUMERICS_15, FLOATS, MOMENTS, OTHERS] {
        let own = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        groups.extend(group.iter().map(|(columns, values)| (*columns, own(values))));
    }
    groups
        .push((&[("dom", "public.odd_name", "text")], vec!["Kim Min-su".into(), "k@e.co".into()]));
    let mut all = Vec::new();
    for (columns, values) in groups {
        for (name, sql, base) in columns {
            all.push(Column { name, sql, base, values: values.clone() });
        }
    }
    all
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn random_texts() -> Vec<String> {
    let alphabet: Vec<char> = "aZz09123@@.. -+()*_/#김🦊\t'\\\"%x".chars().collect();
    let mut state = SEED;
    let mut next = |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % below
    };
    let mut texts = Vec::new();
    for _ in 0..RANDOM_TEXTS {
        let length = next(24);
        texts.push((0..length).map(|_| alphabet[next(alphabet.len())]).collect());
    }
    texts
}

fn table(columns: &[Column]) -> String {
    let mut sql = String::from(
        "CREATE COLLATION public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE DOMAIN public.odd_name AS text CHECK (pg_catalog.length(value) > 2);
         CREATE TABLE public.odd (id integer PRIMARY KEY",
    );
    for column in columns {
        sql.push_str(&format!(", {} {}", column.name, column.sql));
    }
    sql.push_str(");\nSET TimeZone = 'UTC';\nINSERT INTO public.odd (id) VALUES (0);\n");
    let rows = columns.iter().map(|column| column.values.len()).max().unwrap_or(0);
    for row in 0..rows {
        let values = columns.iter().map(|column| {
            let value = &column.values[row % column.values.len()];
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            let type_sql = column.sql.split(" COLLATE").next().unwrap_or_default();
            format!(", CAST(E'{value}' AS {type_sql})")
        });
        let values: String = values.collect();
        sql.push_str(&format!("INSERT INTO public.odd VALUES ({}{values});\n", row + 1));
    }
    sql.push_str("GRANT SELECT ON public.odd TO scrim;\n");
    sql
}

fn rules(columns: &[Column]) -> String {
    let mut yaml = String::from("tables:\n  public.odd:\n    columns:\n      id: open\n");
    for column in columns {
        yaml.push_str(&format!("      {}: thing.odd\n", column.name));
    }
    yaml.push_str("roles:\n");
    for (index, mask) in MASKS.iter().enumerate() {
        yaml.push_str(&format!("  m{index}: {{may: [read], masks: {{\"*\": {mask}}}}}\n"));
    }
    yaml
}

fn one(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "one answer");
    answers.remove(0)
}
