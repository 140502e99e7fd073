//! Two tables: what is proven, with the relations that must be found in it, and what is refused, with the words.
//! [`House`] allows every relation whose name has no `secret` in it, PostgreSQL's functions by the allow-list,
//! and what has neither the schema `trap` nor `evil` in its name.

use super::*;
use crate::grammar::{functions, parse};

struct House;

fn is_trap(schema: Option<&str>, name: &str) -> bool {
    !matches!(schema, None | Some("pg_catalog" | "public")) || name.contains("evil")
}

impl Terms for House {
    fn may_read(&self, catalog: Option<&str>, schema: Option<&str>, name: &str) -> Proven {
        let whole =
            [catalog, schema, Some(name)].into_iter().flatten().collect::<Vec<_>>().join(".");
        let is_refused = whole.contains("secret") || catalog.is_some();
        if is_refused { Err(Violation::Relation(whole)) } else { Ok(()) }
    }
    fn may_call(&self, schema: Option<&str>, name: &str, _: &protobuf::FuncCall) -> Proven {
        let is_refused = is_trap(schema, name) || !functions::is_allowed(name);
        if is_refused { Err(Violation::Function(name.into())) } else { Ok(()) }
    }
    fn may_operate(&self, schema: Option<&str>, operator: &str) -> Proven {
        let is_refused = is_trap(schema, operator) || operator == "<~~>";
        if is_refused { Err(Violation::Operator(operator.into())) } else { Ok(()) }
    }
    fn may_cast(&self, schema: Option<&str>, name: &str) -> Proven {
        if is_trap(schema, name) { Err(Violation::Type(name.into())) } else { Ok(()) }
    }
    fn may_name_login(&self, _: &'static str) -> Proven {
        Ok(())
    }
    fn may_select_field(&self, name: &str) -> Proven {
        if is_trap(None, name) { Err(Violation::Field(name.into())) } else { Ok(()) }
    }
    fn may_select_column(&self, name: &str) -> Proven {
        self.may_select_field(name)
    }
    fn may_collate(&self, schema: Option<&str>, name: &str) -> Proven {
        if is_trap(schema, name) { Err(Violation::Collation(name.into())) } else { Ok(()) }
    }
}

fn one(text: &str) -> protobuf::RawStmt {
    let mut statements = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

fn proof(text: &str) -> Result<Proof, Violation> {
    prove(&one(text), &House)
}

fn relations(proof: &Proof) -> String {
    let name = |relation: &RelationUse| match &relation.schema {
        Some(schema) => format!("{schema}.{}", relation.name),
        None => relation.name.clone(),
    };
    proof.relations.iter().map(name).collect::<Vec<_>>().join(" ")
}

mod allowed;
mod refused;

#[test]
fn what_is_proven_lists_every_relation() {
    for (text, expected) in allowed::CASES {
        match proof(text) {
            Ok(proof) => {
                assert_eq!(relations(&proof), *expected, "{text}");
                for relation in &proof.relations {
                    let at = text.get(relation.location..).unwrap();
                    let first = relation.schema.as_ref().unwrap_or(&relation.name);
                    let at = at.trim_start_matches('"').to_ascii_lowercase();
                    assert!(at.starts_with(&first.to_ascii_lowercase()), "{text}: {at}");
                }
            }
            Err(violation) => panic!("{text}: {violation}"),
        }
    }
    assert!(allowed::CASES.len() > 150, "{}", allowed::CASES.len());
}

#[test]
fn what_is_not_allowed_is_named() {
    for (text, expected) in refused::CASES {
        match proof(text) {
            Ok(proof) => panic!("{text}: {proof:?}"),
            Err(violation) => {
                assert!(violation.to_string().starts_with(expected), "{text}: {violation}")
            }
        }
    }
    assert!(refused::CASES.len() > 150, "{}", refused::CASES.len());
}

/// What is proven survives printing, and the canonical text has the same proof.
#[test]
fn canonical_text_has_the_same_proof() {
    for (text, _) in allowed::CASES {
        let mut before = proof(text).unwrap();
        let canonical =
            crate::grammar::deparse(&one(text)).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut after = proof(&canonical).unwrap_or_else(|error| panic!("{canonical}: {error}"));
        for (relation, other) in after.relations.iter_mut().zip(&before.relations) {
            relation.location = other.location;
        }
        // Places are others.
        for proof in [&mut before, &mut after] {
            let items = proof.scopes.iter_mut().flat_map(|scope| &mut scope.items);
            items.for_each(|item| item.location = None);
        }
        // `overlay(a, b, 1)` is printed with the words of the standard, and qualified.
        let bare = |proof: &Proof| -> BTreeSet<String> {
            proof
                .functions
                .iter()
                .map(|name| name.trim_start_matches("pg_catalog.").into())
                .collect()
        };
        assert_eq!(bare(&before), bare(&after), "{text} → {canonical}");
        after.functions = before.functions.clone();
        assert_eq!(before, after, "{text} → {canonical}");
    }
}

#[test]
fn parameters_functions_and_columns_are_listed() {
    let proof = proof(
        "WITH a AS (SELECT $1::int) SELECT lower(c.name), pg_catalog.upper(email), c.*, (c).phone, \
         (f).x.y FROM customers c, LATERAL (SELECT $3) f JOIN orders o USING (id) NATURAL JOIN a \
         WHERE $7 IN (SELECT count(*) FROM public.tickets AS t(p, q) LIMIT $2) ORDER BY rank() OVER (PARTITION BY region)",
    )
    .unwrap();
    assert_eq!(proof.parameters.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 7]);
    assert_eq!(
        proof.functions.iter().map(String::as_str).collect::<Vec<_>>(),
        ["count", "lower", "pg_catalog.upper", "rank"]
    );
    let columns: Vec<_> = proof
        .columns
        .iter()
        .map(|column| match &column.qualifier {
            Some(qualifier) => format!("{qualifier}.{}", column.name),
            None => column.name.clone(),
        })
        .collect();
    assert_eq!(
        columns,
        ["*", "c", "email", "f", "id", "region", "c.*", "c.name", "c.phone", "f.x", "t.*", "x.y"]
    );
    assert_eq!(relations(&proof), "customers orders public.tickets");
    assert_eq!(proof.relations[0].alias.as_deref(), Some("c"));
    assert_eq!(proof.relations[2].alias.as_deref(), Some("t"));
}

#[test]
fn only_a_query_is_proven() {
    for text in [
        "INSERT INTO a VALUES (1)",
        "UPDATE a SET b = 1",
        "DELETE FROM a",
        "COPY a TO STDOUT",
        "EXPLAIN SELECT 1",
        "PREPARE a AS SELECT 1",
        "DECLARE a CURSOR FOR SELECT 1",
        "BEGIN",
        "CREATE TABLE a AS SELECT 1",
        "DO $$ $$",
        "SET a = 1",
        "MERGE INTO a USING b ON true WHEN MATCHED THEN DO NOTHING",
        "CREATE VIEW a AS SELECT 1",
        "CREATE MATERIALIZED VIEW a AS SELECT 1",
        "CALL a()",
        "EXECUTE a",
    ] {
        assert!(matches!(proof(text), Err(Violation::Node(_))), "{text}");
    }
    assert!(prove(&protobuf::RawStmt::default(), &House).is_err());
}

#[test]
fn one_expression_over_one_row() {
    let allowed = [
        "upper(left(email, 1))",
        "CASE WHEN marketing_consent THEN email ELSE '***' END",
        "created_at < now() - interval '3 years'",
        "region IN ('eu', 'kr') AND NOT marketing_consent",
        "coalesce(nullif(phone, ''), '-')",
        "customers.email",
        "(profile -> 'a' ->> 'b')::text",
        "jsonb_set(profile, '{a}', '1')",
        "email || ', ' || name COLLATE \"C\"",
        "tags[1]",
        "pg_catalog.lower(email)",
        "1",
        "current_date",
        "row(a, b) = row(c, d)",
        "array[a, b]",
        "x IS JSON",
    ];
    for text in allowed {
        let statement = one(&format!("SELECT {text}"));
        let proof = prove_expression(&statement, &House);
        assert!(proof.is_ok(), "{text}: {proof:?}");
        assert_eq!(proof.unwrap().relations, []);
    }
    let refused = [
        "a, b",
        "a AS b",
        "a b",
        "a FROM b",
        "(SELECT a)",
        "a IN (SELECT b)",
        "EXISTS (SELECT 1)",
        "ARRAY(SELECT 1)",
        "a WHERE b",
        "a GROUP BY a",
        "a HAVING true",
        "a ORDER BY a",
        "a LIMIT 1",
        "a OFFSET 1",
        "a FOR UPDATE",
        "a UNION SELECT b",
        "DISTINCT a",
        "DISTINCT ON (a) a",
        "ALL a UNION ALL SELECT 1",
        "*",
        "c.*",
        "(c).*",
        "$1",
        "count(a)",
        "count(*)",
        "max(a)",
        "sum(a) OVER ()",
        "lower(a) OVER ()",
        "lower(DISTINCT a)",
        "lower(a ORDER BY a)",
        "lower(a) FILTER (WHERE true)",
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY a)",
        "unnest(tags)",
        "generate_series(1, 2)",
        "pg_catalog.generate_series(1, 2)",
        "row_number() OVER w WINDOW w AS ()",
        "grouping(a)",
        "json_arrayagg(a)",
        "json_objectagg(a: b)",
        "JSON_ARRAY(SELECT 1)",
        "random()",
        "gen_random_uuid()",
        "set_config('a', 'b', false)",
        "query_to_xml('a', true, true, '')",
        "pg_read_file('a')",
        "1 INTO b",
        "row(c.*)",
        "f(VARIADIC a)",
        "evil(a)",
        "a::evil",
        "c.evil",
        "pg_sleep(1)",
        "jsonb_path_query(a, '$')",
        "regexp_matches(a, b)",
    ];
    for text in refused {
        let statement = one(&format!("SELECT {text}"));
        let proof = prove_expression(&statement, &House);
        assert!(proof.is_err(), "{text}: {proof:?}");
    }
    for text in [
        "VALUES (1)",
        "WITH a AS (SELECT 1) SELECT 1",
        "TABLE a",
        "SELECT",
        "DELETE FROM a",
        "VALUES (a)",
    ] {
        assert!(prove_expression(&one(text), &House).is_err(), "{text}");
    }
}

/// Forbidden names, put wherever a name can stand in what is allowed: the proof must fail, or the name must not
/// be a relation there and the list of relations stay as it was, or the name must be found in the list.
#[test]
fn a_forbidden_name_is_refused_or_no_relation() {
    let mut checked = 0;
    for (text, _) in allowed::CASES {
        let tokens = pg_query::scan(text).unwrap().tokens;
        for token in tokens {
            let (start, end) = (token.start as usize, token.end as usize);
            for name in [
                "secret_9",
                "public.secret_9",
                "(SELECT s FROM secret_9 s)",
                "(TABLE secret_9)",
                "secret_9 NATURAL JOIN x",
                "x, secret_9",
            ] {
                let mutant = format!("{} {name} {}", &text[..start], &text[end..]);
                let Ok(statements) = parse(&mutant) else { continue };
                for statement in &statements {
                    let Ok(proof) = prove(statement, &House) else { continue };
                    checked += 1;
                    // Proven, so it may be nothing but a word: a column, an alias, a CTE, a literal's neighbour.
                    assert!(!relations(&proof).contains("secret"), "{mutant}");
                    assert_no_relation(&mutant, "secret_9");
                }
            }
        }
    }
    assert!(checked > 1_000, "{checked}");
}

/// By another walker than ours: libpg_query's own list of tables, CTE names apart.
fn assert_no_relation(text: &str, name: &str) {
    let parsed = pg_query::parse(text, 0).unwrap();
    let is_cte = parsed.cte_names.iter().any(|cte| cte == name);
    let tables = parsed.tables();
    assert!(is_cte || !tables.iter().any(|table| table == name), "{text}: {tables:?}");
    assert!(!tables.iter().any(|table| table == &format!("public.{name}")), "{text}: {tables:?}");
}

/// Where a number could become a name without a cast, and where it cannot.
#[test]
fn values_that_name_something_are_followed() {
    let loose = |text: &str| proof(text).unwrap_or_else(|found| panic!("{text}: {found}")).naming;
    for text in [
        "SELECT coalesce(NULL::regclass, 1)",
        "SELECT coalesce($1::regclass, $2)",
        "SELECT CASE WHEN true THEN 1 ELSE 'a'::regclass END",
        "SELECT greatest(to_regclass('a'), 1)",
        "SELECT 'a'::regclass UNION SELECT 1",
        "SELECT r FROM (VALUES ('a'::regclass), (1)) AS v(r)",
        "SELECT coalesce(r, 1) FROM (SELECT 'a'::regclass AS r) AS x",
        "WITH x AS (SELECT 'a'::regclass AS r) SELECT r || ARRAY[1] FROM x",
        "SELECT r FROM (SELECT 'a'::regclass AS r) AS x JOIN (SELECT 1 AS r) AS y USING (r)",
        "SELECT array_to_string(ARRAY['a'::regclass, 1], ',')",
        "SELECT array_agg('a'::regclass) = '{b}'",
        "SELECT array_to_string(array_cat(array_agg('a'::regclass), '{b}'), ',')",
        "SELECT array_to_string(coalesce(array_agg('a'::regclass), '{b}'), ',')",
        "SELECT array_to_string((SELECT array_agg('a'::regclass) UNION SELECT '{b}'), ',')",
        "SELECT array_to_string(array_agg(CASE WHEN a THEN 'a'::regclass ELSE 1 END), ',') FROM t",
        "SELECT public.array_to_string(array_agg('a'::regclass), 1)",
        "SELECT array_to_string(public.array_agg('a'::regclass), '')",
        "SELECT coalesce('a'::regclass, 1)",
        "SELECT coalesce('a'::regclass, 'b'::regclass) || ARRAY[1]",
        "SELECT ARRAY(SELECT 'a'::regclass) = '{b}'",
        "SELECT lag(pg_typeof(1), 1, 2) OVER ()",
        "SELECT 'a'::regclass IN ('b', 'c')",
        "SELECT 'b' IN ('a'::regclass, 'c'::regclass)",
        "SELECT regclass(1)",
        "SELECT a FROM json_to_record('{}') AS x(a regclass)",
        "SELECT a FROM json_to_record('{}') AS x(a pg_catalog.regtype)",
        "SELECT a FROM XMLTABLE('/r' PASSING ('<r/>'::xml) COLUMNS a regclass PATH '.') AS x",
        "SELECT a FROM JSON_TABLE('[]', '$' COLUMNS (a regclass PATH '$')) AS x",
        "SELECT JSON_VALUE('1', '$' RETURNING regclass)",
    ] {
        assert!(loose(text).is_loose(), "{text}: {:?}", loose(text));
    }
    for text in [
        "SELECT 'a'::regclass, coalesce(b, 1) FROM t",
        "SELECT oid FROM t WHERE oid = 'a'::regclass OR coalesce(b, 1) = 1",
        "SELECT oid FROM t WHERE oid IN ('a'::regclass, 'b'::regclass)",
        "SELECT oid FROM t WHERE oid = ANY (ARRAY['a'::regclass, 'b'::regclass]) AND kind IN ('r', 'v')",
        "SELECT oid FROM t WHERE oid IN (SELECT 'a'::regclass) AND kind IN ('r', 'v')",
        "SELECT coalesce(oid::regclass::text, '') || oid::regclass::text FROM t",
        "SELECT oid::regclass || '.x' FROM t",
        "SELECT array_to_string(pg_catalog.array_agg(r), ', ') FROM (SELECT oid::regclass AS r FROM t) AS x",
        "SELECT coalesce(a::regtype[], b::regtype[])::text[] FROM t WHERE c IN ('a', 'b')",
        "SELECT CASE WHEN oid = 'a'::regclass THEN 'a' ELSE 'b' END, pg_typeof(oid) FROM t",
        "SELECT r::text FROM (SELECT oid::regclass AS r FROM t) AS x ORDER BY r",
        "SELECT format('%s', oid::regclass), to_regclass('a') IS NULL, coalesce(a, b) FROM t GROUP BY oid::regclass",
    ] {
        assert!(!loose(text).is_loose(), "{text}: {:?}", loose(text));
    }
    assert!(loose("SELECT 'a'::regclass").is_shown);
    assert!(!loose("SELECT 'a'::regclass::text").is_shown);
}
