//! Every mask on every type of column, over values that masks trip over, in a real PostgreSQL: a mask never raises,
//! has the column's type and modifier, keeps NULL, and is what the second hand makes of the value.

use std::collections::BTreeSet;

use scrim::catalog::SearchPath;
use scrim::demo::SAMPLE_PSEUDONYM_KEY;
use scrim::mask::key_settings;
use scrim::policy::RoleView;
use scrim::sql::{Speaker, plan};
use serde_yaml::Value;

use super::masks::{self, Type};
use super::twins::Row;
use super::values::{self, Columns, MASKS, SCRUBBED};
use crate::harness::client::{self, Answer, Client};
use crate::harness::{core, server_version, start_desk};

/// Random texts beside the chosen ones.
const RANDOM_TEXTS: usize = 250;
const RANDOM_MASKS: usize = 30;
/// A condition of rows, for `when`.
const EVEN: &str = "mod(id, 2) < 1";
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
    let masks: Vec<String> =
        MASKS.iter().map(|mask| (*mask).to_owned()).chain(random_masks()).collect();
    let rules = core::rules_of(&[("odd.yaml", &rules(&columns, &masks))]);
    let snapshot = core::snapshot_over(&mut connection);
    connection.simple("RESET search_path");
    for (name, value) in key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes()) {
        connection.simple(&format!("SET {name} = '{value}'"));
    }

    let mut keyless = Client::connect_unix(server.socket_folder(), server.port(), "scrim", "desk");
    // No key, and what is none.
    keyless.simple("SET TimeZone = 'UTC'; SET scrim.k_inner = ''; SET scrim.k_outer = 'abc'");
    let rows = rows(&columns, &raw);
    let mut deviations = BTreeSet::new();
    for (index, mask) in masks.iter().enumerate() {
        let view =
            RoleView::new(&format!("m{index}"), rules.clone(), snapshot.clone()).expect("a role");
        let path = SearchPath::default();
        let speaker = Speaker::new(&view, &path, "tester", false);
        let planned = plan("SELECT * FROM public.odd ORDER BY id", speaker);
        let planned =
            planned.unwrap_or_else(|refusal| panic!("{mask}: {refusal}: {:?}", refusal.hint));
        let answer = one(connection.simple(planned.statements[0].sql.as_str()));
        deviations.extend(compare(mask, &columns, &raw, &rows, &answer));
        if ["{pseudonym", "{shift", "{noise"].iter().any(|keyed| mask.starts_with(keyed)) {
            let answer = one(keyless.simple(planned.statements[0].sql.as_str()));
            deviations.extend(shown_without_a_key(mask, &columns, &raw, &answer));
        }
    }
    assert!(
        deviations.is_empty(),
        "seed {SEED}, {} deviations:\n{}",
        deviations.len(),
        deviations.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// Without a key, keyed masks redact; what is no number and no moment has none to be moved.
fn shown_without_a_key(
    mask: &str,
    columns: &[Column],
    raw: &Answer,
    answer: &Answer,
) -> Vec<String> {
    let mut shown = Vec::new();
    assert!(answer.error.is_none(), "{mask} without a key: {:?}", answer.error);
    for (at, column) in columns.iter().enumerate() {
        let modifier = answer.columns.as_ref().expect("columns")[at + 1].type_modifier;
        let kind = Type {
            base: column.base.into(),
            modifier,
            constrained: column.sql.starts_with("public."),
        };
        let redacted = masks::redacted(&kind).map(|text| kind.padded(text));
        for (raw, masked) in raw.rows.iter().zip(&answer.rows) {
            let text = |value: &Option<Vec<u8>>| value.as_deref().map(client::text);
            let (value, got) = (text(&raw[at + 1]), text(&masked[at + 1]));
            let stays = value.as_deref().is_none_or(|value| {
                value.ends_with("infinity") || value.ends_with("Infinity") || value == "NaN"
            });
            if !stays && !same(column.base, redacted.as_deref(), got.as_deref()) {
                shown.push(format!("{mask} without a key on {} of {value:?}: {got:?}", column.sql));
            }
        }
    }
    shown
}

/// The raw rows by column names.
fn rows(columns: &[Column], raw: &Answer) -> Vec<Row> {
    let names: Vec<&str> =
        ["id"].into_iter().chain(columns.iter().map(|column| column.name)).collect();
    let row = |values: &Vec<Option<Vec<u8>>>| {
        let values = values.iter().map(|value| value.as_deref().map(client::text));
        names.iter().map(|name| (*name).to_owned()).zip(values).collect()
    };
    raw.rows.iter().map(row).collect()
}

fn compare(
    mask: &str,
    columns: &[Column],
    raw: &Answer,
    rows: &[Row],
    answer: &Answer,
) -> Vec<String> {
    if let Some(error) = &answer.error {
        return vec![format!("{mask} raised {} {}", error.code, error.message)];
    }
    let mut deviations = Vec::new();
    let (before, after) =
        (raw.columns.as_ref().expect("rows"), answer.columns.as_ref().expect("rows"));
    assert_eq!(before.len(), after.len(), "{mask}: columns");
    assert_eq!(raw.rows.len(), answer.rows.len(), "{mask}: rows");
    let spec: Value = serde_yaml::from_str(mask).expect("YAML");
    let conditions = Row::from([("even".into(), Some(EVEN.into()))]);
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
        for ((raw, row), masked) in raw.rows.iter().zip(rows).zip(&answer.rows) {
            let value = raw[at].as_deref().map(client::text);
            let got = masked[at].as_deref().map(client::text);
            if is_beyond_the_second_hand(mask, column.base, value.as_deref()) {
                continue;
            }
            let mut expected = match value {
                Some(_) if !fits(&spec, &column_type) => masks::redacted(&column_type),
                _ => masks::apply(&spec, &value, &column_type, row, &conditions),
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
fn fits(mask: &Value, column: &Type) -> bool {
    let is = |bases: &[&str]| !column.constrained && bases.contains(&column.base.as_str());
    let is_number = || !column.constrained && column.is_number();
    let is_moment = || !column.constrained && column.is_moment();
    if mask.is_null() || matches!(mask.as_str(), Some("null" | "redact")) {
        return true;
    }
    if let Some(word) = mask.as_str() {
        let is_address = word == "ip" && is(&["inet", "cidr"]);
        return word == "clear" || is_address || is(&["text", "varchar", "bpchar"]);
    }
    if let Some(inner) = mask.get("each") {
        let element = column.base.strip_prefix('_').filter(|base| *base != "interval");
        let element = element.map(|base| Type { base: base.into(), ..column.clone() });
        return element.is_some_and(|element| fits(inner, &element));
    }
    if mask.get("when").is_some() {
        return !column.constrained && fits(&mask["then"], column) && fits(&mask["else"], column);
    }
    if let Some(ends) = mask.get("cap").and_then(Value::as_sequence) {
        return ends.iter().filter(|end| !end.is_null()).all(|end| match end.as_str() {
            Some(time) if time.contains(' ') => is(&["timestamp", "timestamptz"]),
            Some(_) => is_moment(),
            None => is_number() && holds(column, end),
        });
    }
    if let Some(kind) = mask.get("pseudonym").and_then(Value::as_str) {
        let has = |characters: i32| column.modifier < 4 || column.modifier - 4 >= characters;
        let is_text = is(&["text", "varchar", "bpchar"]);
        return match kind {
            "token" => is_text && has(22),
            "email" => is_text && has(34),
            "digits" => is_text,
            "uuid" => (is_text && has(36)) || is(&["uuid"]),
            _ => is(&["int4", "int8"]),
        };
    }
    match mask {
        _ if mask.get("shift").is_some() => is_moment(),
        _ if mask.get("noise").is_some() => is_number(),
        _ if mask.get("json").is_some() => is(&["json", "jsonb"]),
        _ if mask.get("round").is_some() => is_number(),
        _ if mask.get("truncate").is_some() => is_moment(),
        _ => is(&["text", "varchar", "bpchar"]),
    }
}

/// True when the type holds a number as it is.
fn holds(column: &Type, number: &Value) -> bool {
    let text = serde_yaml::to_string(number).expect("a number");
    let (digits, scale) = masks::decimal(text.trim()).expect("a decimal");
    let is_whole = scale == 0 || !column.base.starts_with("int");
    is_whole && column.store(digits, scale as i32).is_some()
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
    let mut texts: Vec<String> =
        values::TEXT_VALUES.iter().map(|text| (*text).to_owned()).collect();
    texts.extend(SCRUBBED.iter().map(|(text, _)| (*text).to_owned()));
    texts.extend(values::ADDRESSES.iter().map(|text| (*text).to_owned()));
    texts.push("long ".repeat(700));
    texts.extend(random_texts());
    let mut groups: Vec<(Columns, Vec<String>)> = vec![(values::TEXTS, texts)];
    for group in [
        values::INTEGERS,
        values::NUMERICS,
        if server_version() < 14 { &[] } else { values::NUMERICS_14 },
        // Scales beyond the precision, and below zero.
        if server_version() < 15 { &[] } else { values::NUMERICS_15 },
        values::FLOATS,
        values::MOMENTS,
        values::OTHERS,
        values::DOCUMENTS,
        values::ARRAYS,
    ] {
        let own = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        groups.extend(group.iter().map(|(columns, values)| (*columns, own(values))));
    }
    groups
        .push((&[("dom", "public.odd_name", "text")], vec!["Kim Min-su".into(), "k@e.co".into()]));
    // Deeper than a parser goes, wide, and a number that is too long.
    let j3: Columns = &[("j3", "json", "json")];
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(3000), "]".repeat(3000));
    let wide = format!("{{\"a\": \"k@e.co\", \"x\": [{}1]}}", "{}, ".repeat(3000));
    let long = format!("{{\"n\": {}}}", "1".repeat(20_000));
    let mut values = vec![deep, wide, long];
    // They take their time: once is enough.
    values.resize(2 * RANDOM_TEXTS, "{}".into());
    groups.push((j3, values));
    let mut all = Vec::new();
    for (columns, values) in groups {
        for (name, sql, base) in columns {
            all.push(Column { name, sql, base, values: values.clone() });
        }
    }
    all
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % below
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

fn random_texts() -> Vec<String> {
    let alphabet: Vec<char> =
        "aZz09123@@.. -+()*_/#김🦊\t'\\\"%x:=1234567890-- .０pwis[DE".chars().collect();
    let mut dice = Dice(SEED);
    let mut texts = Vec::new();
    for _ in 0..RANDOM_TEXTS {
        let length = dice.roll(32);
        texts.push((0..length).map(|_| alphabet[dice.roll(alphabet.len())]).collect());
    }
    texts
}

/// Masks in masks.
fn random_masks() -> Vec<String> {
    let mut dice = Dice(SEED);
    (0..RANDOM_MASKS).map(|_| random_mask(&mut dice, 3, false)).collect()
}

/// `in_document`: only what fits some value of a document.
fn random_mask(dice: &mut Dice, depth: usize, in_document: bool) -> String {
    let simple = [
        "redact",
        "\"null\"",
        "clear",
        "email",
        "phone",
        "name",
        "ip",
        "{keep_first: 2}",
        "{scrub: [email, phone, ip]}",
        "{pseudonym: token}",
        "{pseudonym: digits, domain: d}",
        "{round: 100}",
        "{noise: 0.5}",
        "{cap: [0, 1000]}",
        "{truncate: month}",
        "{shift: 9, by: id}",
    ];
    let simple = if in_document { &simple[..simple.len() - 2] } else { &simple[..] };
    if depth == 0 {
        return dice.pick(simple).into();
    }
    let depth = depth - 1;
    match dice.roll(4) {
        0 => {
            let then = random_mask(dice, depth, in_document);
            let otherwise = random_mask(dice, depth, in_document);
            format!("{{when: even, then: {then}, else: {otherwise}}}")
        }
        1 => format!("{{each: {}}}", random_mask(dice, depth, in_document)),
        2 => {
            let keep = dice.pick(&["keep: [$.n], ", "keep: [$.d.e, $.A], ", "", ""]);
            let first = dice.pick(&["$.a", "\"$.a[*]\"", "$.a.b.c"]);
            let second = dice.pick(&["$.b.c", "\"$.b[*].c\"", "$.b"]);
            let mut mask = || random_mask(dice, depth, true);
            format!("{{json: {{{keep}paths: {{{first}: {}, {second}: {}}}}}}}", mask(), mask())
        }
        _ => dice.pick(simple).into(),
    }
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

fn rules(columns: &[Column], masks: &[String]) -> String {
    let mut yaml = String::from("tables:\n  public.odd:\n    columns:\n      id: open\n");
    for column in columns {
        yaml.push_str(&format!("      {}: thing.odd\n", column.name));
    }
    yaml.push_str(&format!("    conditions: {{even: \"{EVEN}\"}}\nroles:\n"));
    for (index, mask) in masks.iter().enumerate() {
        yaml.push_str(&format!("  m{index}: {{may: [read], masks: {{\"*\": {mask}}}}}\n"));
    }
    yaml
}

fn one(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "one answer");
    answers.remove(0)
}
