//! What is sent, and what is refused, over a small catalog made by hand. The cases against a real PostgreSQL
//! stand in `tests/`; these pin the room's own decisions.

use std::sync::Arc;

use crate::catalog::{
    Column, Relation, RelationKind, RelationOid, SearchPath, Snapshot, TypeFamily, ViewDefinition,
};
use crate::policy::RoleView;
use crate::rules;
use crate::sql::{Plan, Refusal, Speaker, VerifiedSql, plan};
use crate::text::Sources;

struct NoEnvironment;

impl rules::Environment for NoEnvironment {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

pub(crate) const RULES: &str = "
open: [public.products, public.judged]
tables:
  public.customers:
    columns: {id: open, email: contact.email, name: person.name, ssn: identity.ssn}
roles:
  support:
    masks: {'*': redact, contact.email: 'null', identity: hide}
";

fn relation(oid: u32, schema: &str, name: &str, columns: &[&str]) -> Relation {
    let columns = columns
        .iter()
        .zip(1..)
        .map(|(name, number)| Column {
            number,
            name: (*name).into(),
            type_sql: if *name == "id" { "integer".into() } else { "text".into() },
            type_oid: if *name == "id" { 23 } else { 25 },
            type_modifier: -1,
            family: if *name == "id" { TypeFamily::Integer } else { TypeFamily::Text },
            domain_over: None,
            nondeterministic_collation: None,
            generated: false,
            groupable: true,
        })
        .collect();
    Relation {
        oid: RelationOid(oid),
        schema: schema.into(),
        name: name.into(),
        kind: RelationKind::Table,
        columns,
        primary_key: vec![1],
        parents: Vec::new(),
        definition: None,
        reads: Vec::new(),
    }
}

fn view() -> RoleView {
    view_with(RULES)
}

/// What the role `support` sees by these rules.
pub(crate) fn view_with(text: &str) -> RoleView {
    let mut snapshot =
        Snapshot { database: "desk".into(), encoding: "UTF8".into(), ..Snapshot::default() };
    let view = |oid, name, reads, sql: &str| Relation {
        kind: RelationKind::View,
        primary_key: Vec::new(),
        definition: Some(ViewDefinition { sql: sql.into(), security_barrier: false }),
        reads: vec![(RelationOid(reads), 1)],
        ..relation(oid, "public", name, &["id"])
    };
    let mut sums = relation(20003, "public", "sums", &["id", "twice"]);
    sums.columns.iter_mut().filter(|column| column.name == "twice").for_each(|column| {
        column.generated = true;
    });
    for relation in [
        sums,
        // Of a hidden column: judged all the same, and a view that reads the judged one; and one that nobody judged.
        Relation {
            reads: vec![(RelationOid(20001), 4)],
            ..view(20015, "judged", 20001, "SELECT customers.id FROM public.customers")
        },
        view(20016, "above", 20015, "SELECT judged.id FROM public.judged"),
        Relation {
            reads: vec![(RelationOid(20001), 4)],
            ..view(20017, "unjudged", 20001, "SELECT customers.id FROM public.customers")
        },
        view(20018, "above_it", 20017, "SELECT unjudged.id FROM public.unjudged"),
        view(20011, "one", 20001, "SELECT customers.id FROM public.customers;"),
        view(20012, "two", 20011, "SELECT one.id FROM public.one"),
        view(20019, "asking", 20001, "SELECT 1 AS id, CURRENT_USER AS who FROM public.products"),
        view(20020, "asking_again", 20019, "SELECT asking.id FROM public.asking"),
        // CREATE OR REPLACE VIEW can tie such a knot.
        view(20013, "knot", 20014, "SELECT tie.id FROM public.tie"),
        view(20014, "tie", 20013, "SELECT knot.id FROM public.knot"),
        relation(20001, "public", "customers", &["id", "email", "name", "ssn"]),
        relation(20002, "public", "products", &["id", "title"]),
        relation(1259, "pg_catalog", "pg_class", &["oid", "relname"]),
        relation(2619, "pg_catalog", "pg_statistic", &["starelid", "stavalues1"]),
    ] {
        snapshot.schemas.insert(relation.schema.clone());
        snapshot.by_name.insert((relation.schema.clone(), relation.name.clone()), relation.oid);
        snapshot.relations.insert(relation.oid, relation);
    }
    snapshot.user_functions.insert("lower".into(), ["trap".to_owned()].into());
    snapshot.user_functions.insert("reveal".into(), ["public".to_owned()].into());
    snapshot.user_operators.insert("=".into(), ["trap".to_owned()].into());
    for name in ["lower", "upper", "count", "pg_read_file", "concat", "max"] {
        snapshot.builtin_functions.insert(name.into());
    }
    let mut sources = Sources::default();
    sources.add("rules.yaml", text);
    let (rules, _) = rules::load(sources, &NoEnvironment).unwrap_or_else(|(sources, found)| {
        panic!("{}", crate::text::render(&sources, &found, false))
    });
    RoleView::new("support", Arc::new(rules), Arc::new(snapshot)).expect("the role exists")
}

fn planned(sql: &str) -> Result<Plan, Refusal> {
    let view = view();
    let search_path = SearchPath::default();
    plan(sql, Speaker::new(&view, &search_path, "alice", false))
}

fn sent(sql: &str) -> String {
    let plan = planned(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal} {refusal:?}"));
    let texts: Vec<String> =
        plan.statements.iter().map(|statement| statement.sql.as_str().to_owned()).collect();
    texts.join("; ")
}

/// The templates of customers, shortened, so that the tables below can be read.
fn short(sql: &str) -> String {
    const END: &str = " FROM public.customers)";
    let mut text = sent(sql);
    while let Some(at) = text.find(END) {
        let mut depth = 1;
        let opens = text[..at].char_indices().rev().find(|(_, sign)| {
            depth += i32::from(*sign == ')') - i32::from(*sign == '(');
            depth == 0
        });
        let start = opens.expect("the template is in parentheses").0;
        text.replace_range(start..at + END.len(), "(…)");
    }
    text
}

/// The columns of the template of customers, or of several.
fn columns(sql: &str) -> Vec<Vec<String>> {
    let text = sent(sql);
    let mut found = Vec::new();
    for part in text.rsplit(" FROM public.customers)").skip(1) {
        let (_, list) = part.rsplit_once("(SELECT").expect("the template is a sub-select");
        let name = |item: &str| item.rsplit([' ', '.']).next().unwrap_or_default().to_owned();
        found.push(list.split(", ").map(name).filter(|name| !name.is_empty()).collect());
    }
    found.reverse();
    found
}

#[test]
fn a_template_has_the_columns_that_a_statement_can_mean() {
    let cases: [(&str, &[&[&str]]); 24] = [
        ("SELECT id FROM customers", &[&["id"]]),
        ("SELECT email AS e FROM customers ORDER BY e", &[&["email"]]),
        ("SELECT count(*) FROM customers", &[&[]]),
        ("SELECT count(*) AS n FROM customers GROUP BY id ORDER BY n, count", &[&["id"]]),
        ("SELECT c.id FROM customers c WHERE lower(c.name) = 'a'", &[&["id", "name"]]),
        ("SELECT id FROM (SELECT c.id, c.name FROM customers c) s", &[&["id", "name"]]),
        ("SELECT s.* FROM (SELECT c.id FROM customers c) s", &[&["id"]]),
        ("SELECT s FROM (SELECT c.id FROM customers c) s", &[&["id"]]),
        ("SELECT 1 FROM customers a JOIN customers b USING (id)", &[&["id"], &["id"]]),
        ("SELECT a.id FROM customers a, customers b WHERE b.name = a.email", &[ALL, ALL]),
        ("SELECT * FROM customers", &[ALL]),
        ("SELECT a.* FROM customers a, customers b", &[ALL, &[]]),
        ("SELECT 1 FROM customers a NATURAL JOIN customers b", &[ALL, ALL]),
        ("SELECT 1 FROM (customers a JOIN customers b ON true) AS j", &[ALL, ALL]),
        ("SELECT c FROM customers c", &[ALL]),
        ("SELECT count(c) FROM customers c", &[ALL]),
        ("SELECT (c).id FROM customers c", &[ALL]),
        ("SELECT 1 FROM customers c WHERE c IS NOT NULL", &[ALL]),
        ("SELECT c.row_to_json FROM customers c", &[ALL]),
        ("SELECT x FROM customers AS c(x)", &[ALL]),
        // The hint names a column that is called nearly so.
        ("SELECT nmae FROM customers", &[ALL]),
        ("SELECT c.emial FROM customers c", &[ALL]),
        ("SELECT 1 FROM products p WHERE EXISTS (SELECT p.id FROM customers)", &[&["id"]]),
        ("DECLARE c CURSOR FOR SELECT id FROM customers", &[&["id"]]),
    ];
    const ALL: &[&str] = &["id", "email", "name"];
    for (sql, expected) in cases {
        assert_eq!(columns(sql), expected, "{sql}");
    }
}

#[test]
fn what_stands_around_a_query_is_put_around_it_again() {
    let cases = [
        (
            "DECLARE c CURSOR FOR SELECT id FROM customers",
            "DECLARE c CURSOR FOR SELECT id FROM (…) customers",
        ),
        (
            "declare \"C c\" binary insensitive scroll cursor with hold for table customers",
            "DECLARE \"C c\" BINARY SCROLL INSENSITIVE CURSOR WITH HOLD FOR SELECT * FROM (…) customers",
        ),
        (
            "PREPARE p (int, text) AS SELECT $2 FROM customers WHERE id = $1",
            "PREPARE p(int, text) AS SELECT $2 FROM (…) customers WHERE id OPERATOR(pg_catalog.=) $1",
        ),
        ("EXECUTE p", "EXECUTE p"),
        ("EXECUTE p(1, lower('A'))", "EXECUTE p(1, pg_catalog.lower('A'))"),
        (
            "COPY customers (id) TO STDOUT",
            "COPY (SELECT id FROM (SELECT customers.id FROM ONLY public.customers) customers) TO STDOUT",
        ),
        (
            "COPY sums TO STDOUT",
            "COPY (SELECT id FROM (SELECT CAST(CASE WHEN sums.id IS NOT NULL THEN CAST(0 AS integer) \
             END AS integer) AS id FROM ONLY public.sums) sums) TO STDOUT",
        ),
        (
            "LOCK desk.public.customers, products IN ACCESS SHARE MODE",
            "LOCK TABLE public.customers, public.products IN ACCESS SHARE MODE",
        ),
        (
            "COPY products TO STDOUT CSV HEADER",
            "COPY (SELECT id, title FROM ONLY public.products) TO STDOUT WITH (FORMAT CSV, HEADER)",
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(short(sql), expected, "{sql}");
    }
    let plan =
        planned("COPY (SELECT id AS a, id AS a FROM products ORDER BY 1) TO STDOUT").unwrap();
    let probe = plan.statements[0].probe.as_ref().map(VerifiedSql::as_str);
    let expected = "SELECT * FROM (SELECT id AS a, id AS a FROM \"public\".\"products\" ORDER BY 1) AS probe LIMIT 0";
    assert_eq!(probe, Some(expected));
}

#[test]
fn views_become_their_definitions() {
    let text = short("SELECT id FROM two");
    let expected = "SELECT id FROM (SELECT two.id FROM (SELECT one.id FROM (SELECT one.id FROM \
                    (SELECT customers.id FROM (…) AS \"customers\") AS one(id)) AS \"one\") AS two(id)) AS \"two\"";
    assert_eq!(text, expected);
    let plan = planned("SELECT id FROM two").unwrap();
    let read: Vec<_> = plan.statements[0].reads.iter().map(|read| read.relation.as_str()).collect();
    assert_eq!(read, ["two", "one", "customers"]);
    let above = sent("SELECT id FROM above");
    assert!(above.contains(r#"FROM "public"."judged""#), "{above}");
    for absent in ["unjudged", "above_it"] {
        let refusal = planned(&format!("SELECT id FROM {absent}")).unwrap_err();
        assert_eq!(refusal.message, format!("relation \"{absent}\" does not exist"));
    }
    for knot in ["knot", "tie"] {
        let refusal = planned(&format!("SELECT id FROM {knot}")).unwrap_err();
        assert!(refusal.hint.unwrap().contains("reads itself"), "{knot}");
    }
}

#[test]
fn relations_become_templates() {
    let cases = [
        ("SELECT * FROM customers", r#"SELECT * FROM (…) AS "customers""#),
        ("TABLE customers", r#"SELECT * FROM (…) AS "customers""#),
        ("SELECT c.email FROM public.customers c", "SELECT c.email FROM (…) c"),
        (
            "SELECT public.customers.email FROM public.customers",
            r#"SELECT customers.email FROM (…) AS "customers""#,
        ),
        (
            "SELECT desk.public.customers.* FROM desk.public.customers",
            r#"SELECT customers.* FROM (…) AS "customers""#,
        ),
        ("SELECT * FROM products", r#"SELECT * FROM "public"."products""#),
        (
            "WITH customers AS (SELECT 1 AS id) SELECT * FROM customers",
            "WITH customers AS (SELECT 1 AS id) SELECT * FROM customers",
        ),
        (
            "WITH customers AS (SELECT * FROM customers) SELECT * FROM customers",
            r#"WITH customers AS (SELECT * FROM (…) AS "customers") SELECT * FROM customers"#,
        ),
        (
            "SELECT 1 FROM products WHERE EXISTS (SELECT 1 FROM customers)",
            r#"SELECT 1 FROM "public"."products" WHERE EXISTS (SELECT 1 FROM (…) AS "customers")"#,
        ),
        (
            "SELECT lower('A'), 1 = 1",
            "SELECT \"pg_catalog\".\"lower\"('A'), ((1) OPERATOR(pg_catalog.=) (1))",
        ),
        (
            "SELECT id, name, count(*) FROM customers GROUP BY id",
            r#"SELECT id, name, count(*) FROM (…) AS "customers" GROUP BY id, "customers"."name""#,
        ),
        ("SELECT (c).* FROM customers c", r#"SELECT (c).* FROM (…) c"#),
    ];
    for (sql, expected) in cases {
        let got = short(sql).replace("FROM (…) AS c", "FROM (…) c");
        assert_eq!(got, expected, "{sql}");
    }
}

#[test]
fn literals_are_never_filled() {
    let sql = r#"SELECT '"scrim$"."0"' AS a, customers.id FROM customers"#;
    assert_eq!(short(sql), r#"SELECT '"scrim$"."0"' AS a, customers.id FROM (…) AS "customers""#);
}

#[test]
fn what_is_refused() {
    let cases = [
        ("SELEC 1", "42601", "syntax error"),
        ("SELECT * FROM nowhere", "42P01", "relation \"nowhere\" does not exist"),
        ("SELECT * FROM \"scrim$\".\"0\"", "42P01", "does not exist"),
        ("SELECT * FROM customers, \"scrim$\".\"0\"", "42P01", "does not exist"),
        ("SELECT * FROM pg_statistic", "42501", "pg_statistic"),
        ("SELECT pg_read_file('/etc/passwd')", "42501", "pg_read_file"),
        ("SELECT pg_catalog.pg_read_file('/etc/passwd')", "42501", "pg_read_file"),
        ("SELECT ('/etc/passwd'::text).pg_read_file", "42501", "pg_read_file"),
        ("SELECT x.pg_read_file FROM concat('/etc/passwd') AS x", "42501", "pg_read_file"),
        ("SELECT reveal(1)", "42501", "reveal"),
        ("SELECT public.reveal(1)", "42501", "reveal"),
        ("SELECT c.reveal FROM customers c", "42501", "reveal"),
        ("SELECT trap.lower('x')", "42501", "lower"),
        ("SELECT 1 OPERATOR(trap.=) 1", "42501", "trap.="),
        ("COPY other.public.products TO STDOUT", "0A000", "cross-database"),
        ("LOCK other.public.products IN ACCESS SHARE MODE", "0A000", "cross-database"),
        ("COPY sums (id, twice) TO STDOUT", "42P10", "\"twice\" is a generated column"),
        ("COPY customers FROM STDIN", "42501", "COPY FROM"),
        ("COPY customers TO '/tmp/loot'", "42501", "COPY TO a file"),
        ("COPY (SELECT 1) TO PROGRAM 'id'", "42501", "COPY TO PROGRAM"),
        ("COPY customers (id, ssn) TO STDOUT", "42703", "column \"ssn\" of relation \"customers\""),
        ("COPY (SELECT * FROM \"scrim$\".\"0\") TO STDOUT", "42P01", "does not exist"),
        ("COPY (SELECT reveal(1)) TO STDOUT", "42501", "reveal"),
        ("DECLARE c CURSOR FOR SELECT pg_read_file('x')", "42501", "pg_read_file"),
        ("PREPARE p AS SELECT * FROM pg_statistic", "42501", "pg_statistic"),
        ("PREPARE p AS DELETE FROM customers", "42501", "PREPARE of what is no SELECT"),
        ("LOCK customers, nowhere IN ACCESS SHARE MODE", "42P01", "nowhere"),
        ("LOCK customers IN ROW SHARE MODE", "42501", "LOCK"),
        ("EXECUTE p(reveal(1))", "42501", "reveal"),
        ("EXPLAIN SELECT 1", "42501", "EXPLAIN"),
        ("DO 'BEGIN END'", "42501", "DO"),
        ("SELECT 1 INTO t", "42501", "SELECT INTO"),
        ("WITH x AS (DELETE FROM customers RETURNING *) SELECT * FROM x", "42501", "DeleteStmt"),
        ("SET ROLE dba", "42501", "role"),
        ("SET SESSION AUTHORIZATION dba", "42501", "session_authorization"),
        ("SET client_encoding = 'SJIS'", "42501", "client_encoding"),
        ("SET standard_conforming_strings = off", "42501", "standard_conforming_strings"),
        ("SET search_path = trap, pg_catalog", "42501", "search_path"),
        ("SELECT set_config('search_path', 'trap, pg_catalog', false)", "42501", "search_path"),
        ("SELECT set_config('search_path', 'trap', false), 1", "42501", "set_config"),
        ("SELECT set_config('search_path', name, false) FROM customers", "42501", "set_config"),
        ("SELECT set_config('search_path', 'trap', false) LIMIT 1", "42501", "set_config"),
        ("PREPARE p AS SELECT set_config('search_path', 'trap', false)", "42501", "set_config"),
        ("SELECT set_config('ro' || 'le', 'dba', false)", "42501", "set_config"),
        ("SELECT * FROM other.public.customers", "0A000", "cross-database"),
        ("SHOW scrim.nothing", "42704", "scrim.nothing"),
    ];
    for (sql, code, fragment) in cases {
        let refusal = match planned(sql) {
            Err(refusal) => refusal,
            Ok(plan) => panic!("{sql} was planned: {:?}", plan.statements[0].sql.as_str()),
        };
        assert_eq!(refusal.code, code, "{sql}: {refusal}");
        assert!(refusal.message.contains(fragment), "{sql}: {}", refusal.message);
        assert!(
            code != "42501" || refusal.message.starts_with("scrim: "),
            "{sql}: {}",
            refusal.message
        );
    }
}

#[test]
fn what_passes_the_gate() {
    for sql in [
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "ROLLBACK TO SAVEPOINT a",
        "RELEASE a",
        "SET application_name = 'x'",
        "SET TIME ZONE 'UTC'",
        "SET search_path = public",
        "SET client_encoding = 'utf-8'",
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SHOW server_version",
        "SHOW scrim.role",
        "SHOW scrim.masks",
        "RESET ALL",
        "DISCARD ALL",
        "DEALLOCATE ALL",
        "CLOSE ALL",
        "UNLISTEN *",
        "SELECT set_config('bytea_output', 'hex', false)",
        "",
        "-- nothing",
    ] {
        planned(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    }
}

#[test]
fn a_missing_relation_is_pointed_at_in_the_clients_text() {
    let refusal = planned("SELECT 'é', * FROM nowhere").expect_err("there is none");
    assert_eq!(refusal.position, Some(20));
}

/// Users of one role share what is compiled for it, and not what says who they are.
#[test]
fn a_view_that_says_who_asks_is_another_for_each_user() {
    let view = view();
    let path = SearchPath::parse("public").unwrap();
    for text in ["SELECT * FROM asking", "SELECT * FROM asking_again"] {
        for user in ["kim", "lee", "kim"] {
            let planned = plan(text, Speaker::new(&view, &path, user, false)).unwrap();
            let sent = planned.statements[0].sql.as_str();
            let others = if user == "kim" { "lee" } else { "kim" };
            assert!(sent.contains(&format!("'{user}'")) && !sent.contains(others), "{sent}");
        }
    }
}

/// The login is nobody in particular, so rules cannot go by it.
#[test]
fn rules_may_not_ask_who_asks() {
    let filter = |filter: &str| {
        let rules = format!("{RULES}    rows: {{public.customers: \"{filter}\"}}\n");
        view_with(&rules)
            .problems()
            .iter()
            .map(|p| p.diagnostic.message.clone())
            .collect::<String>()
    };
    for asking in [
        "current_user IS NULL",
        "session_user IS NULL",
        "pg_catalog.current_user() IS NULL",
        "current_setting('role') IS NULL",
        "current_setting('Session_Authorization') IS NULL",
    ] {
        assert!(filter(asking).contains("is not allowed here"), "{asking}: {}", filter(asking));
    }
    assert!(!filter("current_setting('x.y') IS NULL").contains("is not allowed here"));
}
