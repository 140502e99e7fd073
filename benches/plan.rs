//! Planning one statement: `plan` is what one that was never seen before takes (canonicalise, gate, rewrite, verify, fill),
//! `known` one whose plan is kept. No database: the catalog is made by hand, the rules are small, and templates are
//! compiled before the clock starts.
//!
//! `cargo bench --bench plan`; benches/README.md says how to read the numbers.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use criterion::{Criterion, criterion_group, criterion_main};
use scrim::catalog::{
    Column, Relation, RelationKind, RelationOid, SearchPath, Snapshot, TypeFamily,
};
use scrim::metrics::Metrics;
use scrim::policy::RoleView;
use scrim::rules::{self, NoEnvironment};
use scrim::session::{self, Message, Planned, Plans, Settings, Values, Who};
use scrim::sql::{Speaker, plan};
use scrim::text::{Sources, render};

/// A masked column or two in every relation, as in a real desk.
const RULES: &str = "
open: [public.nation, public.store, public.date_dim, public.store_returns, public.store_sales, public.web_sales]
tables:
  public.customer:
    columns:
      c_customer_sk: open
      c_customer_id: open
      c_first_name: person.name
      c_last_name: person.name
      c_preferred_cust_flag: open
      c_birth_country: open
      c_login: person.name
      c_email_address: contact.email
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
    (
        "tpc-ds 1",
        "WITH customer_total_return AS (
            SELECT sr_customer_sk AS ctr_customer_sk, sr_store_sk AS ctr_store_sk, sum(sr_return_amt) AS ctr_total_return
            FROM store_returns, date_dim
            WHERE sr_returned_date_sk = d_date_sk AND d_year = 2000
            GROUP BY sr_customer_sk, sr_store_sk
        )
        SELECT c_customer_id FROM customer_total_return ctr1, store, customer
        WHERE ctr1.ctr_total_return > (
                SELECT avg(ctr_total_return) * 1.2 FROM customer_total_return ctr2
                WHERE ctr1.ctr_store_sk = ctr2.ctr_store_sk
            ) AND s_store_sk = ctr1.ctr_store_sk AND s_state = 'TN' AND ctr1.ctr_customer_sk = c_customer_sk
        ORDER BY c_customer_id LIMIT 100",
    ),
    (
        "tpc-ds 11",
        "WITH year_total AS (
            SELECT c_customer_id customer_id, c_first_name customer_first_name, c_last_name customer_last_name,
                c_preferred_cust_flag customer_preferred_cust_flag, c_birth_country customer_birth_country,
                c_login customer_login, c_email_address customer_email_address, d_year dyear,
                sum(ss_ext_list_price - ss_ext_discount_amt) year_total, 's' sale_type
            FROM customer, store_sales, date_dim
            WHERE c_customer_sk = ss_customer_sk AND ss_sold_date_sk = d_date_sk
            GROUP BY c_customer_id, c_first_name, c_last_name, c_preferred_cust_flag, c_birth_country, c_login,
                c_email_address, d_year
            UNION ALL
            SELECT c_customer_id customer_id, c_first_name customer_first_name, c_last_name customer_last_name,
                c_preferred_cust_flag customer_preferred_cust_flag, c_birth_country customer_birth_country,
                c_login customer_login, c_email_address customer_email_address, d_year dyear,
                sum(ws_ext_list_price - ws_ext_discount_amt) year_total, 'w' sale_type
            FROM customer, web_sales, date_dim
            WHERE c_customer_sk = ws_bill_customer_sk AND ws_sold_date_sk = d_date_sk
            GROUP BY c_customer_id, c_first_name, c_last_name, c_preferred_cust_flag, c_birth_country, c_login,
                c_email_address, d_year
        )
        SELECT t_s_secyear.customer_id, t_s_secyear.customer_first_name, t_s_secyear.customer_last_name,
            t_s_secyear.customer_email_address
        FROM year_total t_s_firstyear, year_total t_s_secyear, year_total t_w_firstyear, year_total t_w_secyear
        WHERE t_s_secyear.customer_id = t_s_firstyear.customer_id
            AND t_s_firstyear.customer_id = t_w_secyear.customer_id
            AND t_s_firstyear.customer_id = t_w_firstyear.customer_id
            AND t_s_firstyear.sale_type = 's' AND t_w_firstyear.sale_type = 'w'
            AND t_s_secyear.sale_type = 's' AND t_w_secyear.sale_type = 'w'
            AND t_s_firstyear.dyear = 2001 AND t_s_secyear.dyear = 2001 + 1
            AND t_w_firstyear.dyear = 2001 AND t_w_secyear.dyear = 2001 + 1
            AND t_s_firstyear.year_total > 0 AND t_w_firstyear.year_total > 0
            AND CASE WHEN t_w_firstyear.year_total > 0 THEN t_w_secyear.year_total / t_w_firstyear.year_total ELSE 0.0 END
              > CASE WHEN t_s_firstyear.year_total > 0 THEN t_s_secyear.year_total / t_s_firstyear.year_total ELSE 0.0 END
        ORDER BY t_s_secyear.customer_id, t_s_secyear.customer_first_name, t_s_secyear.customer_last_name,
            t_s_secyear.customer_email_address
        LIMIT 100",
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
        relation(
            20_005,
            "customer",
            &[
                ("c_customer_sk", Integer),
                ("c_customer_id", Text),
                ("c_first_name", Text),
                ("c_last_name", Text),
                ("c_preferred_cust_flag", Text),
                ("c_birth_country", Text),
                ("c_login", Text),
                ("c_email_address", Text),
            ],
        ),
        relation(20_006, "store", &[("s_store_sk", Integer), ("s_state", Text)]),
        relation(20_007, "date_dim", &[("d_date_sk", Integer), ("d_year", Integer)]),
        relation(
            20_008,
            "store_returns",
            &[
                ("sr_customer_sk", Integer),
                ("sr_store_sk", Integer),
                ("sr_return_amt", Numeric),
                ("sr_returned_date_sk", Integer),
            ],
        ),
        relation(
            20_009,
            "store_sales",
            &[
                ("ss_customer_sk", Integer),
                ("ss_sold_date_sk", Integer),
                ("ss_ext_list_price", Numeric),
                ("ss_ext_discount_amt", Numeric),
            ],
        ),
        relation(
            20_010,
            "web_sales",
            &[
                ("ws_bill_customer_sk", Integer),
                ("ws_sold_date_sk", Integer),
                ("ws_ext_list_price", Numeric),
                ("ws_ext_discount_amt", Numeric),
            ],
        ),
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

/// What is asked again: the text to the letter, and with another literal.
fn known(criterion: &mut Criterion) {
    let desk = Desk {
        view: Arc::new(view()),
        settings: Settings::new(Values {
            search_path: SearchPath::parse("public").expect("a path"),
            ..Values::default()
        }),
        who: Who { user: "alice".into(), acts_for_others: false },
        plans: Plans::default(),
        metrics: Metrics::default(),
    };
    let by_key = |id: u32| format!("SELECT name, email FROM customers WHERE id = {id}");
    for id in 1..=4 {
        desk.plan(&by_key(id));
    }
    let others: Vec<String> = (100..356).map(by_key).collect();
    let made = desk.metrics.plans_made.get();
    let mut group = criterion.benchmark_group("known");
    for (name, statement) in STATEMENTS {
        if matches!(*name, "short" | "report") {
            desk.plan(statement);
            group.bench_function(format!("{name}, to the letter"), |bencher| {
                bencher.iter(|| desk.plan(black_box(statement)));
            });
        }
    }
    let mut next = others.iter().cycle();
    group.bench_function("short, another literal", |bencher| {
        bencher.iter(|| next.next().map(|text| desk.plan(black_box(text))));
    });
    group.finish();
    // What would be planned anew would be another figure.
    assert_eq!(desk.metrics.plans_made.get(), made + 2, "a plan was not kept");
}

/// What a session plans with.
struct Desk {
    view: Arc<RoleView>,
    settings: Settings,
    who: Who,
    plans: Plans,
    metrics: Metrics,
}

impl Desk {
    fn plan(&self, text: &str) -> Planned {
        let Desk { view, settings, who, plans, metrics } = self;
        let planning = session::plan(text, view, settings, who, plans, metrics, Message::Parse);
        match pin!(planning).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(planned)) => planned,
            Poll::Ready(Err(refusal)) => panic!("{text}: {refusal}"),
            Poll::Pending => panic!("{text}: short texts are planned at once"),
        }
    }
}

criterion_group!(benches, planning, known);
criterion_main!(benches);
