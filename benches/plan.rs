//! Planning one statement that was never seen before: canonicalise, gate, rewrite, verify, fill. No database and no
//! cache: the catalog is made by hand, the rules are small, and templates are compiled before the clock starts.
//!
//! `cargo bench --bench plan`; benches/README.md says how to read the numbers.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use scrim::catalog::{
    Column, Relation, RelationKind, RelationOid, SearchPath, Snapshot, TypeFamily,
};
use scrim::policy::RoleView;
use scrim::rules::{self, NoEnvironment};
use scrim::sql::{Speaker, plan};
use scrim::text::{Sources, render};

/// A masked column or two in every relation, as in a real desk.
const RULES: &str = "
open: [public.nation]
tables:
  public.customers:
    columns: {id: open, name: person.name, email: contact.email, phone: contact.phone, region: open}
  public.orders:
    columns: {id: open, customer_id: open, total: open, address: location, placed_at: open}
  public.lineitem:
    columns: {order_id: open, part: open, quantity: open, price: open, discount: open, remark: text.free}
roles:
  support:
    may: [read]
    masks: {'*': redact, person.name: name, contact.email: email, contact.phone: phone}
";

/// Statements by the name they have in the report.
const STATEMENTS: &[(&str, &str)] = &[
    ("short", "SELECT name, email FROM customers WHERE id = $1"),
    (
        "join",
        "SELECT c.id, c.email, count(*), sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id \
         WHERE c.region = 'seoul' AND o.placed_at > '2026-01-01' GROUP BY c.id, c.email ORDER BY 4 DESC LIMIT 20",
    ),
    (
        "report",
        "WITH spending AS (
            SELECT c.region, c.id AS customer, sum(l.price * (1 - l.discount)) AS revenue
            FROM customers c JOIN orders o ON o.customer_id = c.id JOIN lineitem l ON l.order_id = o.id
            WHERE o.placed_at >= date '2025-01-01' AND o.placed_at < date '2026-01-01' AND l.quantity < 24
            GROUP BY c.region, c.id
        )
        SELECT n.name, s.region, count(DISTINCT s.customer), sum(s.revenue) AS revenue,
            avg(s.revenue) FILTER (WHERE s.revenue > 1000) AS big,
            rank() OVER (PARTITION BY n.name ORDER BY sum(s.revenue) DESC) AS place,
            CASE WHEN sum(s.revenue) > 1000000 THEN 'A' WHEN sum(s.revenue) > 10000 THEN 'B' ELSE 'C' END AS class
        FROM spending s JOIN nation n ON n.region = s.region
        WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = s.customer AND o.total > 100)
            AND s.customer NOT IN (SELECT id FROM customers WHERE phone IS NULL)
        GROUP BY n.name, s.region HAVING sum(s.revenue) > 0
        ORDER BY revenue DESC, n.name LIMIT 100",
    ),
    ("star", "SELECT * FROM customers c JOIN orders USING (id) WHERE lower(c.name) LIKE 'k%'"),
];

fn relation(oid: u32, name: &str, columns: &[(&str, TypeFamily)]) -> Relation {
    let columns = columns.iter().zip(1..).map(|((name, family), number)| {
        let (type_sql, type_oid) = match family {
            TypeFamily::Integer => ("bigint", 20),
            TypeFamily::Numeric => ("numeric", 1700),
            TypeFamily::Timestamp => ("timestamp with time zone", 1184),
            _ => ("text", 25),
        };
        Column {
            number,
            name: (*name).into(),
            type_sql: type_sql.into(),
            type_oid,
            type_modifier: -1,
            family: *family,
            domain_over: None,
            nondeterministic_collation: None,
            generated: false,
            groupable: true,
        }
    });
    Relation {
        oid: RelationOid(oid),
        schema: "public".into(),
        name: name.into(),
        kind: RelationKind::Table,
        columns: columns.collect(),
        primary_key: vec![1],
        parents: Vec::new(),
        definition: None,
        reads: Vec::new(),
    }
}

fn snapshot() -> Snapshot {
    use TypeFamily::{Integer, Numeric, Text, Timestamp};
    let mut snapshot = Snapshot {
        version: 1,
        database: "desk".into(),
        login: "scrim".into(),
        server_version: 150_000,
        schemas: ["public", "pg_catalog"].map(String::from).into(),
        ..Snapshot::default()
    };
    let builtin = ["count", "sum", "avg", "rank", "lower", "min", "max"];
    snapshot.builtin_functions = builtin.map(String::from).into();
    for relation in [
        relation(
            20_001,
            "customers",
            &[("id", Integer), ("name", Text), ("email", Text), ("phone", Text), ("region", Text)],
        ),
        relation(
            20_002,
            "orders",
            &[
                ("id", Integer),
                ("customer_id", Integer),
                ("total", Numeric),
                ("address", Text),
                ("placed_at", Timestamp),
            ],
        ),
        relation(
            20_003,
            "lineitem",
            &[
                ("order_id", Integer),
                ("part", Integer),
                ("quantity", Numeric),
                ("price", Numeric),
                ("discount", Numeric),
                ("remark", Text),
            ],
        ),
        relation(20_004, "nation", &[("id", Integer), ("name", Text), ("region", Text)]),
    ] {
        snapshot.by_name.insert((relation.schema.clone(), relation.name.clone()), relation.oid);
        snapshot.relations.insert(relation.oid, relation);
    }
    snapshot
}

fn view() -> RoleView {
    let mut sources = Sources::default();
    sources.add("rules.yaml", RULES);
    let (rules, _) = rules::load(sources, &NoEnvironment)
        .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)));
    RoleView::new("support", Arc::new(rules), Arc::new(snapshot())).expect("the role exists")
}

fn planning(criterion: &mut Criterion) {
    let view = view();
    let search_path = SearchPath::parse("public").expect("a path");
    let speaker = Speaker::new(&view, &search_path, "alice", false);
    let mut group = criterion.benchmark_group("plan");
    for (name, statement) in STATEMENTS {
        // A statement that is refused would be quick to plan and say nothing.
        if let Err(refusal) = plan(statement, speaker) {
            panic!("{name}: {refusal}");
        }
        group.bench_function(*name, |bencher| {
            bencher.iter(|| plan(black_box(statement), speaker));
        });
    }
    group.finish();
}

criterion_group!(benches, planning);
criterion_main!(benches);
