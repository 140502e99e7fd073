//! Everything that a server has in `pg_catalog` and `information_schema` has been judged: it is on an allow-list, or the lists
//! in `tests/catalogs` say why it is closed. Each test asks the server that it runs on; over all of `cargo xtask test
//! --servers all` that is every version.
//!
//! What is new in a later PostgreSQL fails here until somebody has judged it; it is refused until then.

use std::collections::BTreeSet;

use scrim::catalog::KNOWN_VERSIONS;
use scrim::grammar::{KEEPING_FUNCTIONS, NAMING_FUNCTIONS, UNITING_FUNCTIONS, functions};
use scrim::sql::{
    SettingVerdict, builtin_types, judge_setting, looks_up_names, readable_relations,
};

use super::lists::{self, Entry, differences, doubles};
use crate::harness::{postgres, server_version};

const FUNCTIONS: &str = include_str!("../../catalogs/functions.txt");
const OVERLOADS: &str = include_str!("../../catalogs/overloads.txt");
const RELATIONS: &str = include_str!("../../catalogs/relations.txt");
const SETTINGS: &str = include_str!("../../catalogs/settings.txt");
const TYPES: &str = include_str!("../../catalogs/types.txt");

/// On the list of functions, and syntax: the walker asks for them by these names.
const SYNTAX: [&str; 9] = [
    "json_array",
    "json_arrayagg",
    "json_exists",
    "json_objectagg",
    "json_query",
    "json_scalar",
    "json_serialize",
    "json_table",
    "json_value",
];

fn lines(sql: &str) -> Vec<String> {
    let output = postgres().run("postgres", sql).unwrap_or_else(|error| panic!("{error}"));
    output.lines().map(str::to_owned).collect()
}

fn set(lines: &[String]) -> BTreeSet<&str> {
    lines.iter().map(String::as_str).collect()
}

/// The names that a list says this server has.
fn here(entries: &[Entry]) -> BTreeSet<&str> {
    let here = entries.iter().filter(|entry| entry.is_in(server_version()));
    here.map(|entry| entry.name.as_str()).collect()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "PostgreSQL {}:\n{}", server_version(), wrong.join("\n"));
}

fn name_of(overload: &str) -> &str {
    overload.split('(').next().unwrap_or_default()
}

#[test]
fn the_lists_are_whole() {
    let closed = lists::names(FUNCTIONS);
    let overloads = lists::names(OVERLOADS);
    let relations = lists::relations(RELATIONS);
    let (settings, types) = (lists::names(SETTINGS), lists::names(TYPES));
    let mut wrong = Vec::new();
    for (list, entries) in [
        ("functions", &closed),
        ("overloads", &overloads),
        ("relations", &relations),
        ("settings", &settings),
        ("types", &types),
    ] {
        let twice = doubles(entries.iter().map(|entry| entry.name.as_str()));
        wrong.extend(twice.iter().map(|name| format!("{list}: {name} stands twice")));
        for entry in entries
            .iter()
            .filter(|entry| !KNOWN_VERSIONS.into_iter().any(|server| entry.is_in(server)))
        {
            wrong.push(format!("{list}: {} is in no version", entry.name));
        }
    }
    for entry in &closed {
        if functions::is_allowed(&entry.name) {
            wrong.push(format!("functions: {} is allowed and closed", entry.name));
        }
        if !(entry.is("closed: ") || entry.is("computes: ")) {
            wrong.push(format!("functions: {} stands in no group", entry.name));
        }
    }
    // What is allowed is there in some version.
    let overloaded: BTreeSet<&str> = overloads.iter().map(|entry| name_of(&entry.name)).collect();
    let types_known: BTreeSet<&str> = builtin_types().collect();
    for name in functions::names() {
        if !(overloaded.contains(name) || SYNTAX.contains(&name) || types_known.contains(name)) {
            wrong.push(format!("no version has the function {name}"));
        }
    }
    let open: BTreeSet<&str> = relations
        .iter()
        .filter(|entry| entry.is("open"))
        .map(|entry| entry.name.as_str())
        .collect();
    let readable: Vec<String> =
        readable_relations().map(|(schema, name)| format!("{schema}.{name}")).collect();
    wrong.extend(differences("src/sql/system", &open, &set(&readable)));
    for entry in &relations {
        if entry.is("open") == entry.columns.is_empty() {
            wrong.push(format!("relations: {} should have columns where it is open", entry.name));
        }
    }
    for entry in &settings {
        if judge_setting(&entry.name) != SettingVerdict::Refused {
            wrong.push(format!("settings: {} may be set and is closed", entry.name));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_function_is_judged() {
    let there = lines(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace",
    );
    let closed = lists::names(FUNCTIONS);
    let there: BTreeSet<&str> =
        set(&there).into_iter().filter(|name| !functions::is_allowed(name)).collect();
    assert_none(&differences("tests/catalogs/functions.txt", &here(&closed), &there));
}

/// A name covers all its overloads, so each must be harmless, those of tomorrow too.
#[test]
fn every_overload_of_an_allowed_function_is_judged() {
    let there = lines(
        "SELECT proname || '(' || oidvectortypes(proargtypes) || ')' FROM pg_proc \
         WHERE pronamespace = 'pg_catalog'::regnamespace",
    );
    let overloads = lists::names(OVERLOADS);
    let there: BTreeSet<&str> =
        set(&there).into_iter().filter(|it| functions::is_allowed(name_of(it))).collect();
    assert_none(&differences("tests/catalogs/overloads.txt", &here(&overloads), &there));
}

/// Operators, casts, aggregates, types and what the planner runs call functions too, and nobody asks for those by name.
#[test]
fn nothing_closed_is_behind_an_operator_a_cast_an_aggregate_or_a_type() {
    let there = lines(
        "SELECT DISTINCT proname FROM pg_proc p JOIN ( \
           SELECT oprcode FROM pg_operator UNION SELECT castfunc FROM pg_cast \
           UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggmtransfn, aggminvtransfn, aggmfinalfn]) \
             FROM pg_aggregate a JOIN pg_proc f ON f.oid = a.aggfnoid \
           UNION SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend]) FROM pg_type \
             WHERE typtype <> 'p' AND typname <> ALL (ARRAY[CLOSED]) \
         ) AS used(oid) ON used.oid = p.oid WHERE p.pronamespace = 'pg_catalog'::regnamespace"
            .replace("CLOSED", &closed_types())
            .as_str(),
    );
    let closed = lists::names(FUNCTIONS);
    let closed: BTreeSet<&str> =
        closed.iter().filter(|entry| entry.is("closed")).map(|entry| entry.name.as_str()).collect();
    // Their arguments are internal: the server gives them.
    let internal = lines(
        "SELECT proname FROM pg_proc WHERE 'internal'::regtype = ANY (proargtypes::oid[]) \
         OR prorettype = 'internal'::regtype",
    );
    let internal = set(&internal);
    let reached: Vec<String> = set(&there)
        .into_iter()
        .filter(|name| closed.contains(name) && !internal.contains(name))
        .map(|name| format!("{name} is closed, and can be reached"))
        .collect();
    assert!(there.len() > 1000, "{} functions", there.len());
    assert_none(&reached);
}

/// Types spread over arguments and results: the walker has lists of the functions by which they do.
#[test]
fn functions_that_spread_types_are_known() {
    let are_known = |sql: &str, lists: &[&[&str]]| {
        let there = lines(sql);
        let there = set(&there).into_iter().filter(|name| functions::is_allowed(name));
        let unknown = there.filter(|name| !lists.iter().any(|list| list.contains(name)));
        assert_none(
            &unknown.map(|name| format!("{name} is on no list of naming.rs")).collect::<Vec<_>>(),
        );
    };
    const ANY: &str = "('anyelement', 'anyarray', 'anynonarray', 'anycompatible', 'anycompatiblearray', 'anycompatiblenonarray')";
    let arguments = format!(
        "SELECT count(*) FROM unnest(p.proargtypes) AS u(t) JOIN pg_type y ON y.oid = u.t WHERE y.typname IN {ANY}"
    );
    let several = format!(
        "SELECT DISTINCT proname FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND ({arguments}) > 1"
    );
    are_known(&several, &[&UNITING_FUNCTIONS]);
    // Arrays of names cannot be had but by those; the last three are of ranges and enumerations.
    let kept = format!(
        "SELECT DISTINCT proname FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype \
         WHERE pronamespace = 'pg_catalog'::regnamespace AND r.typname IN {ANY} AND proname NOT IN ('max', 'min', 'lower', 'upper', 'enum_range')"
    );
    are_known(&kept, &[&UNITING_FUNCTIONS, &KEEPING_FUNCTIONS]);
    let named = "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND \
                 ('{regclass,regtype,regclass[],regtype[]}'::regtype[]::oid[] && (coalesce(proallargtypes, '{}') || prorettype)) \
                 AND proname NOT IN ('regclass', 'regtype')";
    are_known(named, &[&NAMING_FUNCTIONS]);
    // An argument of such a type is made of any number and any text.
    let taken = lines(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
         AND proargtypes::oid[] && '{regclass,regtype,regclass[],regtype[]}'::regtype[]::oid[]",
    );
    // They are refused where they could tell of something hidden.
    let refused = ["pg_partition_ancestors", "pg_partition_tree"];
    let unknown = set(&taken).into_iter().filter(|name| functions::is_allowed(name));
    let unknown = unknown.filter(|name| !looks_up_names(name) && !refused.contains(name));
    assert_none(
        &unknown.map(|name| format!("{name} takes names and looks none up")).collect::<Vec<_>>(),
    );
    // No relation that may be read has such a column.
    let columns = lines(
        "SELECT DISTINCT n.nspname || '.' || c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.atttypid = ANY ('{regclass,regtype,regclass[],regtype[]}'::regtype[]::oid[]) \
         AND c.relkind IN ('r', 'v') AND n.nspname IN ('pg_catalog', 'information_schema')",
    );
    let readable: Vec<String> =
        readable_relations().map(|(schema, name)| format!("{schema}.{name}")).collect();
    let open: Vec<String> = columns.into_iter().filter(|name| readable.contains(name)).collect();
    assert_none(&open);
}

fn closed_types() -> String {
    let quoted: Vec<String> =
        lists::names(TYPES).iter().map(|entry| format!("'{}'", entry.name)).collect();
    quoted.join(", ")
}

#[test]
fn every_relation_and_every_column_of_an_open_one_is_judged() {
    let there = lines(
        "SELECT n.nspname || '.' || c.relname || ' ' || a.attname FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
         WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
         AND a.attnum > 0 AND NOT a.attisdropped",
    );
    let entries = lists::relations(RELATIONS);
    let relations: BTreeSet<&str> =
        there.iter().filter_map(|line| line.split_once(' ')).map(|(name, _)| name).collect();
    let mut wrong = differences("tests/catalogs/relations.txt", &here(&entries), &relations);
    for entry in entries.iter().filter(|entry| entry.is("open") && entry.is_in(server_version())) {
        let columns = there.iter().filter_map(|line| line.split_once(' '));
        let columns: BTreeSet<&str> =
            columns.filter(|(name, _)| *name == entry.name).map(|(_, column)| column).collect();
        wrong.extend(differences(&entry.name, &entry.columns_in(server_version()), &columns));
    }
    assert_none(&wrong);
}

#[test]
fn every_type_is_judged() {
    let there = lines(
        "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0 \
         AND (typelem = 0 OR typcategory <> 'A' OR typname IN ('int2vector', 'oidvector')) AND typname !~ '^_'",
    );
    let closed = lists::names(TYPES);
    let open: BTreeSet<&str> = builtin_types().collect();
    let both: BTreeSet<&str> = open.intersection(&here(&closed)).copied().collect();
    assert!(both.is_empty(), "open and closed: {both:?}");
    if server_version() == *KNOWN_VERSIONS.end() {
        let gone: Vec<&&str> = open.iter().filter(|name| !set(&there).contains(**name)).collect();
        assert!(gone.is_empty(), "no version has {gone:?}");
    }
    let there: BTreeSet<&str> = set(&there).difference(&open).copied().collect();
    assert_none(&differences("tests/catalogs/types.txt", &here(&closed), &there));
}

/// Settings that a distribution has added to its PostgreSQL; no list has them, so they are refused.
const DISTRIBUTIONS: [&str; 1] = ["extension_destdir"];

/// Others a session cannot change at all.
#[test]
fn every_setting_of_a_session_is_judged() {
    let there = lines(
        "SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') AND name !~ '[.]'",
    );
    let closed = lists::names(SETTINGS);
    let is_refused = |name: &&str| judge_setting(name) == SettingVerdict::Refused;
    let is_postgresql_s = |name: &&str| !DISTRIBUTIONS.contains(name);
    let there = set(&there).into_iter().filter(is_refused).filter(is_postgresql_s);
    let there: BTreeSet<&str> = there.collect();
    assert_none(&differences("tests/catalogs/settings.txt", &here(&closed), &there));
}
