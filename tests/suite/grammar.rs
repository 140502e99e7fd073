//! The walker and the list of functions, judged by PostgreSQL itself.

use std::collections::BTreeSet;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use scrim::grammar::{Terms, Violation, functions, parse, prove};

use crate::harness::postgres;

/// Volatile functions of the list, each looked at: chance, the clock, the session's settings, the server's state,
/// definitions and sizes (timezone until PostgreSQL 13 only). None of them writes anything, waits, or reads a table's rows.
const VOLATILE: &str = "array_sample array_shuffle clock_timestamp gen_random_uuid pg_advisory_unlock_all pg_collation_actual_version \
    pg_database_collation_actual_version pg_database_size pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available \
    pg_partition_ancestors pg_partition_tree pg_relation_size pg_table_size pg_tablespace_size \
    pg_total_relation_size random random_normal set_config timeofday timezone uuidv4 uuidv7";

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

fn lines(sql: &str) -> Vec<String> {
    let output = postgres().run("desk", sql).unwrap_or_else(|error| panic!("{error}"));
    output.lines().map(str::to_owned).collect()
}

#[test]
fn volatile_functions_are_reviewed_ones() {
    let volatile = lines(
        "SELECT DISTINCT proname FROM pg_proc \
         WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v'",
    );
    let reviewed = words(VOLATILE);
    for name in volatile.iter().map(String::as_str).filter(|name| functions::is_allowed(name)) {
        assert!(reviewed.contains(name), "{name}");
    }
}

/// An expression of the rules is computed row by row and gives the same each time.
#[test]
fn the_rules_may_not_count_multiply_or_gamble() {
    let many = lines(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
         AND (proretset OR prokind IN ('a', 'w') OR proname ~ 'random')",
    );
    for name in many.iter().map(String::as_str) {
        assert!(!functions::is_allowed_in_rules(name), "{name}");
    }
}

struct All;

impl Terms for All {
    fn may_read(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }
    fn may_call(
        &self,
        _: Option<&str>,
        _: &str,
        _: &pg_query::protobuf::FuncCall,
    ) -> Result<(), Violation> {
        Ok(())
    }
    fn may_operate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }
    fn may_cast(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }
    fn may_select_field(&self, _: &str) -> Result<(), Violation> {
        Ok(())
    }
    fn may_select_column(&self, _: &str) -> Result<(), Violation> {
        Ok(())
    }
    fn may_collate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }
}

/// Random queries in which common table expressions and tables have the same names. Whatever PostgreSQL takes as
/// a view, it also says which tables the view depends on; the walker must have found the same ones.
#[test]
fn relations_are_those_that_postgres_finds() {
    let seed = std::env::var("SCRIM_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or(20_260_101);
    let mut maker = Maker::new(seed);
    let queries: Vec<String> = (0..400).map(|_| maker.query(3)).collect();
    let mut script = String::from(
        "CREATE SCHEMA scopes; SET search_path TO scopes, pg_catalog; \
         CREATE TABLE x (n int); CREATE TABLE y (n int); CREATE TABLE z (n int); \
         CREATE TABLE found (query int, tables text); \
         CREATE FUNCTION look(query int, text text) RETURNS void LANGUAGE plpgsql AS $look$ BEGIN \
         EXECUTE 'CREATE VIEW v AS ' || text; INSERT INTO found SELECT query, \
         coalesce(string_agg(DISTINCT c.relname, ',' ORDER BY c.relname), '') FROM pg_depend d \
         JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = d.refobjid \
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
         AND r.ev_class = 'v'::regclass AND c.relname <> 'v'; DROP VIEW v; \
         EXCEPTION WHEN OTHERS THEN RETURN; END $look$;\n",
    );
    for (number, query) in queries.iter().enumerate() {
        script.push_str(&format!("SELECT look({number}, $query${query}$query$);\n"));
    }
    postgres().create_database("scopes", None).unwrap_or_else(|error| panic!("{error}"));
    let run = |sql: &str| postgres().run("scopes", sql).unwrap_or_else(|error| panic!("{error}"));
    run(&script);
    let found = run("SELECT query || ' ' || tables FROM scopes.found ORDER BY query");
    postgres().drop_database("scopes").unwrap_or_else(|error| panic!("{error}"));
    let mut judged = 0;
    for line in found.lines() {
        let Some((number, tables)) = line.split_once(' ') else { continue };
        let query = &queries[number.parse::<usize>().expect("a number")];
        let statements = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let proof = prove(&statements[0], &All).unwrap_or_else(|error| panic!("{query}: {error}"));
        let names: BTreeSet<&str> = proof.relations.iter().map(|used| used.name.as_str()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(",");
        assert_eq!(names, tables, "SCRIM_TEST_SEED={seed}: {query}");
        judged += 1;
    }
    assert!(judged > 100, "PostgreSQL took only {judged} of the queries");
}

/// Makes queries over the names `x`, `y` and `z`, every one with the single column `n`.
struct Maker {
    runner: TestRunner,
    aliases: u32,
}

impl Maker {
    fn new(seed: u64) -> Maker {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Maker { runner: TestRunner::new_with_rng(Config::default(), rng), aliases: 0 }
    }

    fn number(&mut self, below: usize) -> usize {
        use proptest::strategy::{Strategy, ValueTree};
        (0..below).new_tree(&mut self.runner).expect("a number").current()
    }

    fn name(&mut self) -> &'static str {
        ["x", "y", "z"][self.number(3)]
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    fn query(&mut self, depth: usize) -> String {
        let with = if depth > 0 && self.number(2) == 0 { self.with(depth) } else { String::new() };
        format!("{with}{}", self.body(depth.saturating_sub(1)))
    }

    fn with(&mut self, depth: usize) -> String {
        let recursive = if self.number(5) < 2 { "RECURSIVE " } else { "" };
        let mut names = vec!["x", "y", "z"];
        let mut ctes = Vec::new();
        for _ in 0..=self.number(3) {
            if names.is_empty() {
                break;
            }
            let name = names.remove(self.number(names.len()));
            let query = if !recursive.is_empty() && self.number(2) == 0 {
                format!("SELECT 1 UNION ALL SELECT n FROM {name} WHERE false")
            } else {
                self.query(depth - 1)
            };
            let how = ["", "MATERIALIZED ", "NOT MATERIALIZED "][self.number(3)];
            ctes.push(format!("{name}(n) AS {how}({query})"));
        }
        format!("WITH {recursive}{} ", ctes.join(", "))
    }

    fn body(&mut self, depth: usize) -> String {
        match self.number(if depth > 0 { 8 } else { 4 }) {
            0 => format!("TABLE {}", self.name()),
            1 => format!("VALUES ((SELECT max(n) FROM {}))", self.name()),
            4 | 5 => format!("({}) UNION ALL ({})", self.query(depth - 1), self.query(depth - 1)),
            _ => self.select(depth),
        }
    }

    fn select(&mut self, depth: usize) -> String {
        let column = match self.number(3) {
            0 => "1".to_owned(),
            1 => format!("(SELECT max(n) FROM {})", self.name()),
            _ => format!("(SELECT max(n) FROM {})", self.item(depth)),
        };
        let mut select = format!("SELECT {column} AS n FROM {}", self.item(depth));
        if self.number(3) == 0 {
            select += &format!(" WHERE EXISTS (TABLE {})", self.name());
        }
        if self.number(4) == 0 {
            select += &format!(" ORDER BY (SELECT max(n) FROM {})", self.name());
        }
        select
    }

    fn item(&mut self, depth: usize) -> String {
        let (name, alias) = (self.name(), self.alias());
        match self.number(if depth > 0 { 8 } else { 4 }) {
            0 => format!("ONLY {name} AS {alias}"),
            1 => format!("scopes.{name} AS {alias}"),
            2 | 3 => format!("{name} AS {alias}"),
            4 => format!("LATERAL ({}) AS {alias}", self.query(depth - 1)),
            5 => format!("{} JOIN {} ON true", self.item(depth - 1), self.item(depth - 1)),
            _ => format!("({}) AS {alias}", self.query(depth - 1)),
        }
    }
}
