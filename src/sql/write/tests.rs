//! The proof against texts that no rewriter of ours makes, and what is sent for those that clients write.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::prove::prove;
use super::{Around, Holes};
use crate::catalog::{
    Column, Relation, RelationKind, RelationOid, SearchPath, Snapshot, TypeFamily,
};
use crate::policy::RoleView;
use crate::rules;
use crate::sql::{Refusal, Speaker, plan};
use crate::text::Sources;

struct NoEnvironment;

impl rules::Environment for NoEnvironment {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

const RULES: &str = "
open: [public.products, public.shown]
tables:
  public.customers:
    columns: {id: open, tier: open, email: contact.email, ssn: identity.ssn, agreed: open}
  public.secrets:
    columns: {id: identity.secret}
  public.notes:
    columns: {id: open, flag: open, rest: open}
  public.parents:
    columns: {id: open, grade: open}
  public.children:
    columns: {pay: finance.pay}
    conditions: {low: id > 5}
roles:
  agent:
    may: [read, write]
    masks:
      '*': redact
      contact.email: {when: agreed > 1, then: clear, else: 'null'}
      identity: hide
      finance.pay: {when: low, then: clear, else: redact}
  clerk:
    may: [read, write]
    masks: {'*': redact, contact.email: 'null', identity: hide}
    rows: {public.customers: agreed > 1}
  reader:
    masks: {'*': redact}
";

fn relation(oid: u32, name: &str, columns: &[&str]) -> Relation {
    let column = |(name, number): (&&str, i16)| {
        let (type_sql, type_oid, family) = match *name {
            "id" | "agreed" => ("integer", 23, TypeFamily::Integer),
            _ => ("text", 25, TypeFamily::Text),
        };
        Column {
            number,
            name: (*name).into(),
            type_sql: type_sql.into(),
            type_oid,
            type_modifier: -1,
            family,
            domain_over: None,
            nondeterministic_collation: None,
            generated: false,
            groupable: true,
        }
    };
    Relation {
        oid: RelationOid(oid),
        schema: "public".into(),
        name: name.into(),
        kind: RelationKind::Table,
        columns: columns.iter().zip(1..).map(column).collect(),
        primary_key: vec![1],
        parents: Vec::new(),
        definition: None,
        reads: Vec::new(),
    }
}

fn view(role: &str) -> RoleView {
    let mut snapshot = Snapshot { database: "desk".into(), ..Snapshot::default() };
    for relation in [
        relation(20001, "customers", &["id", "tier", "email", "ssn", "agreed"]),
        relation(20002, "products", &["id", "title"]),
        relation(20003, "secrets", &["id"]),
        Relation {
            kind: RelationKind::View,
            reads: vec![(RelationOid(20006), 2)],
            ..relation(20007, "shown", &["flag"])
        },
        relation(20006, "notes", &["id", "flag", "rest"]),
        relation(20004, "parents", &["id", "grade"]),
        Relation {
            parents: vec![RelationOid(20004)],
            ..relation(20005, "children", &["id", "grade", "pay"])
        },
    ] {
        snapshot.schemas.insert(relation.schema.clone());
        snapshot.by_name.insert((relation.schema.clone(), relation.name.clone()), relation.oid);
        snapshot.relations.insert(relation.oid, relation);
    }
    for name in ["lower", "substr", "row_to_json"] {
        snapshot.builtin_functions.insert(name.into());
    }
    let mut sources = Sources::default();
    sources.add("rules.yaml", RULES);
    let (rules, _) = rules::load(sources, &NoEnvironment).unwrap_or_else(|_| panic!("rules"));
    RoleView::new(role, Arc::new(rules), Arc::new(snapshot)).unwrap()
}

fn sent(role: &str, text: &str) -> Result<String, Refusal> {
    let view = view(role);
    let path = SearchPath::default();
    let plan = plan(text, Speaker::new(&view, &path, "tester", false))?;
    Ok(plan.statements.iter().map(|statement| statement.sql.as_str()).collect())
}

fn proven(role: &str, text: &str, around: &[Around]) -> bool {
    let view = view(role);
    let path = SearchPath::default();
    let holes = Holes {
        text: text.into(),
        holes: Vec::new(),
        open: vec![("public".into(), "products".into())],
        masks: vec![(0, "email".into()), (0, "ssn".into()), (1, "email".into())],
    };
    let speaker = Speaker::new(&view, &path, "tester", false);
    prove(&holes, around, &BTreeSet::new(), speaker).is_ok()
}

const UPDATE: &str = "UPDATE public.customers AS \"scrim$row\" SET tier = ";

#[test]
fn good_texts_are_proven() {
    for value in [
        "'x'",
        "DEFAULT",
        "\"scrim$row\".tier",
        "\"scrim$\".m0",
        "\"scrim$row\".xmin::text",
        "(SELECT \"scrim$\".m0 || products.title FROM public.products WHERE products.id = \"scrim$row\".id)",
        "(SELECT products.title AS t FROM public.products ORDER BY t LIMIT 1)",
        "'x' RETURNING \"scrim$row\".id, \"scrim$\".m0",
        "'x' WHERE CURRENT OF c",
        "(SELECT CAST(w.* AS record) FROM (SELECT \"scrim$row\".id AS id, \"scrim$\".m0 AS email) AS w)::text",
    ] {
        assert!(proven("agent", &format!("{UPDATE}{value}"), &[]), "{value}");
    }
    let keep = [Around::Keep(0, "email".into())];
    let text =
        "UPDATE public.customers AS \"scrim$row\" SET email = \"scrim$\".w0('x', \"scrim$\".z0)";
    assert!(proven("agent", text, &keep));
    let text = format!("{UPDATE}'x' WHERE \"scrim$\".w0(true, \"scrim$\".z0)");
    assert!(proven("clerk", &text, &[Around::Filter(0)]));
    let text =
        format!("{UPDATE}'x' WHERE \"scrim$\".w0(true, \"scrim$\".z0) AND \"scrim$row\".id = 1");
    assert!(proven("clerk", &text, &[Around::Filter(0)]));
}

/// Each would show or change what it must not.
#[test]
fn wrong_texts_are_not_proven() {
    for value in [
        "email",
        "tier",
        "\"scrim$row\".email",
        "\"scrim$row\".ssn",
        "\"scrim$row\".cmin::text",
        "\"scrim$row\".nothing",
        "\"scrim$\".m1",
        "\"scrim$\".m2",
        "\"scrim$\".m3",
        "\"scrim$\".z0",
        "\"scrim$row\"",
        "\"scrim$row\"::text",
        "(\"scrim$row\").email",
        "row_to_json(\"scrim$row\".*)::text",
        "public.\"scrim$row\".email",
        "(SELECT email)",
        "(SELECT email FROM public.products)",
        "(SELECT title FROM public.products)",
        "(SELECT products.title FROM public.products ORDER BY email)",
        "(SELECT products.title AS email FROM public.products ORDER BY lower(email))",
        "(SELECT products.title AS email FROM public.products ORDER BY \"scrim$row\".email)",
        "(SELECT max(products.title) AS email FROM public.products GROUP BY tier)",
        "(SELECT x FROM (SELECT \"scrim$row\".email AS x) AS y)",
        "(SELECT y.x FROM (SELECT \"scrim$row\".email AS x) AS y)",
        "(SELECT y.x FROM LATERAL (SELECT \"scrim$row\".* ) AS y(x))",
        "(WITH a AS (SELECT \"scrim$row\".email AS x) SELECT a.x FROM a)",
        "\"scrim$\".w0('x', \"scrim$\".z0)",
        "lower(\"scrim$\".w0('x', \"scrim$\".z0))",
        "'x', email = 'y'",
        "'x', ssn = 'y'",
        "'x', agreed = 3",
        "'x', email[1] = 'y'",
        "'x', (email, id) = (SELECT 'x', 1)",
        "'x' RETURNING *",
        "'x' RETURNING \"scrim$row\".*",
        "'x' RETURNING email",
        "'x' RETURNING old.email",
        "'x' RETURNING new.email",
        "'x' RETURNING old",
        "(SELECT CAST(w.* AS record) FROM (SELECT \"scrim$row\".ssn AS ssn) AS w)::text",
        "(SELECT CAST(w.* AS record) FROM (SELECT \"scrim$row\".*) AS w)::text",
        "(SELECT CAST(w AS record) FROM (SELECT \"scrim$row\".id AS id) AS w)::text",
        "'x', tier[\"scrim$row\".email::int] = 'x'",
        "'x' FROM public.customers",
        "'x' FROM (SELECT 1) AS \"scrim$row\" RETURNING \"scrim$row\".email",
    ] {
        let around = [Around::Keep(0, "email".into()), Around::Filter(0)];
        assert!(!proven("agent", &format!("{UPDATE}{value}"), &around), "{value}");
    }
    for text in [
        // Other targets, other names for them.
        "UPDATE public.customers SET tier = 'x'",
        "UPDATE public.customers AS c SET tier = c.email",
        "UPDATE customers AS \"scrim$row\" SET tier = 'x'",
        "UPDATE public.secrets AS \"scrim$row\" SET id = 1",
        "DELETE FROM pg_catalog.pg_class AS \"scrim$row\"",
        "DELETE FROM \"scrim$\".\"0\" AS \"scrim$row\"",
        // Columns of new rows.
        "INSERT INTO public.customers AS \"scrim$row\" VALUES (1)",
        "INSERT INTO public.customers AS \"scrim$row\" (email) VALUES ('x')",
        "INSERT INTO public.customers AS \"scrim$row\" (ssn) VALUES ('x')",
        "INSERT INTO public.customers AS \"scrim$row\" (id) SELECT id FROM public.customers",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (email) DO NOTHING",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (lower(email)) DO NOTHING",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) WHERE email = '' DO NOTHING",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET tier = excluded.email",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET tier = excluded::text",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET tier = (excluded.*)::text",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET email = 'x'",
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON true WHEN NOT MATCHED THEN INSERT VALUES (1)",
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON true WHEN NOT MATCHED THEN INSERT (id) VALUES (\"scrim$row\".id)",
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON true WHEN NOT MATCHED THEN INSERT (tier) VALUES (\"scrim$\".m0)",
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON true WHEN NOT MATCHED THEN DO NOTHING WHEN MATCHED THEN UPDATE SET tier = email",
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON true WHEN MATCHED THEN UPDATE SET email = 'x'",
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON email = '' WHEN MATCHED THEN DELETE",
        "INSERT INTO public.customers AS \"scrim$row\" (email[1]) VALUES ('x')",
        "INSERT INTO public.customers AS \"scrim$row\" (email.part) VALUES ('x')",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (lower(\"scrim$row\".email)) DO NOTHING",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (lower(\"scrim$\".m0)) DO NOTHING",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) WHERE \"scrim$\".m0 = '' DO NOTHING",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) WHERE excluded.id = 1 DO UPDATE SET tier = \"scrim$row\".email",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET tier = (SELECT CAST(w.* AS record) FROM (SELECT excluded.email AS email) AS w)::text",
        "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET (tier, id) = ROW(excluded.*)",
        // Where no row is written.
        "SELECT \"scrim$\".m0",
        "SELECT \"scrim$row\".email FROM public.products AS \"scrim$row\"",
    ] {
        assert!(!proven("agent", text, &[Around::Keep(0, "tier".into())]), "{text}");
    }
}

#[test]
fn a_filter_stands_around_the_whole_condition() {
    let hole = "\"scrim$\".w0(true, \"scrim$\".z0)";
    let good = [Around::Filter(0)];
    for condition in [
        String::new(),
        "WHERE CURRENT OF c".into(),
        "WHERE true".into(),
        format!("WHERE {hole} OR true"),
        format!("WHERE NOT {hole}"),
        format!("WHERE {hole} IS NULL"),
        format!("WHERE true AND {hole}"),
        format!("WHERE {hole} AND lower(\"scrim$row\".tier) = ''"),
        format!("WHERE {hole} AND \"scrim$\".m0 = ''"),
        format!("WHERE {hole} AND \"scrim$row\".id = 1 / 0"),
        format!("WHERE {hole} AND {hole}"),
        "WHERE \"scrim$\".w0(DISTINCT true, \"scrim$\".z0)".into(),
        "WHERE \"scrim$\".w0(true, \"scrim$\".z1)".into(),
        "WHERE \"scrim$\".w1(true, \"scrim$\".z1)".into(),
        "WHERE \"scrim$\".w0(true)".into(),
    ] {
        assert!(!proven("clerk", &format!("{UPDATE}'x' {condition}"), &good), "{condition}");
        let delete = format!("DELETE FROM public.customers AS \"scrim$row\" {condition}");
        assert!(!proven("clerk", &delete, &good), "{condition}");
    }
    for other in [Around::Filter(1), Around::Conflict(0), Around::Keep(0, "tier".into())] {
        assert!(!proven("clerk", &format!("{UPDATE}'x' WHERE {hole}"), &[other]));
    }
    let insert = "INSERT INTO public.customers AS \"scrim$row\" (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET tier = 'x'";
    assert!(!proven("clerk", insert, &[Around::Conflict(0)]));
    let insert = format!("{insert} WHERE {hole}");
    assert!(proven("clerk", &insert, &[Around::Conflict(0)]));
    assert!(!proven("clerk", &insert, &good));
    let merge = format!(
        "MERGE INTO public.customers AS \"scrim$row\" USING public.products ON {hole} WHEN NOT MATCHED BY SOURCE THEN DELETE"
    );
    assert!(!proven("clerk", &merge, &good));
}

#[test]
fn what_is_sent() {
    assert_eq!(
        sent("agent", "update customers set tier = 'x' where id = $1 returning tier").unwrap(),
        "UPDATE public.customers \"scrim$row\" SET tier = 'x' WHERE \"scrim$row\".\"id\" = $1 RETURNING \
         \"scrim$row\".\"tier\""
    );
    let text = sent("clerk", "delete from customers where id = 3 and lower(email) = 'a'").unwrap();
    assert!(text.contains("THEN (\"scrim$row\".\"id\" = 3 AND lower("), "{text}");
    assert!(text.ends_with("ELSE false END) AND \"scrim$row\".\"id\" = 3"), "{text}");
    let text = sent("agent", "update customers set email = $1").unwrap();
    assert!(text.contains("IS NOT DISTINCT FROM CAST(($1) AS text)"), "{text}");
    // Its child is seen through it.
    let refused = sent("agent", "update parents set id = default").unwrap_err();
    assert!(
        refused.message.contains("column `id` of `public.parents` cannot be written"),
        "{refused}"
    );
    assert!(sent("agent", "update parents set grade = 'x'").is_ok());
    // A view in `open` selects by it.
    assert!(sent("agent", "update notes set flag = default").is_err());
    assert!(sent("agent", "update notes set rest = 'x', id = 1").is_ok());
    assert!(sent("reader", "update customers set tier = 'x'").is_err());
}

/// A system column of what is read is not one of the row that is written.
#[test]
fn a_ctid_belongs_to_the_relation_that_is_nearest() {
    for (text, expected) in [
        (
            "delete from customers where ctid in (select ctid from customers limit 1)",
            "WHERE \"scrim$row\".ctid IN (SELECT \"customers\".\"ctid\" FROM (SELECT customers.id, ",
        ),
        (
            "delete from customers where ctid in (select c.ctid from only customers c limit 1)",
            "(SELECT c.ctid FROM (SELECT ",
        ),
        (
            "delete from customers where ctid = any (array(select ctid from products))",
            "= ANY(ARRAY(SELECT \"products\".\"ctid\" FROM \"public\".\"products\"))",
        ),
        (
            "delete from customers where exists (select 1 from (select id from products) p where ctid = '(0,1)')",
            "WHERE \"scrim$row\".ctid = '(0,1)'",
        ),
        (
            "update customers set tier = 'x' from (select ctid as place from customers limit 1) s where customers.ctid = s.place",
            "(SELECT ctid AS place FROM (SELECT ",
        ),
    ] {
        let sent = sent("agent", text).unwrap();
        assert!(sent.contains(expected), "{sent}");
        let carried = sent.matches(", customers.ctid FROM ").count();
        assert_eq!(carried, usize::from(!text.contains("products")), "{sent}");
    }
    for text in [
        "delete from customers where ctid in (select ctid from customers, products)",
        "delete from customers where ctid in (select c.ctid from (select * from customers) c natural join customers d)",
        "delete from products where (ctid, 1) in (select ctid, count(c) from customers c group by 1)",
        "delete from products where exists (select c.*, c.ctid from customers c)",
        "delete from products where exists (select * from customers c where c.ctid = '(0,1)')",
        "delete from products where ctid in (select c.ctid from customers c(a, b))",
    ] {
        assert!(sent("agent", text).is_err(), "{text}");
    }
}

#[test]
fn a_list_of_columns_is_written_out_as_far_as_there_are_values() {
    for (text, expected) in [
        ("insert into products values (1)", "(id) VALUES"),
        ("insert into products table products", "(id, title) SELECT"),
        ("insert into products select * from parents", "(id, title) SELECT"),
        ("insert into products select id from parents", "(id) SELECT"),
        ("insert into products select * from shown", "(id) SELECT"),
        ("insert into products select p.* from (values (1)) p, parents", "(id) SELECT"),
        ("insert into products with a as (select 1) select * from a", "(id) WITH"),
        ("with a(b) as (select 1) insert into products select * from a", "(id) SELECT"),
        (
            "with a as (delete from parents returning id) insert into products select * from a",
            "(id) SELECT",
        ),
        ("insert into products select * from generate_series(1, 2)", "(id) SELECT"),
        ("insert into customers select 1, 'x' union all values (2, 'y')", "(id, tier) SELECT"),
        ("insert into customers values (1, 'x')", "(id, tier) VALUES"),
        (
            "merge into products using parents p on products.id = p.id when not matched then insert values (id, grade) \
             when matched and title = grade then delete",
            "INSERT (id, title) VALUES (id, grade)",
        ),
        ("insert into products default values", "\"scrim$row\" DEFAULT VALUES"),
        (
            "merge into products using parents p on products.id = p.id when not matched then insert values (p.id)",
            "INSERT (id) VALUES",
        ),
    ] {
        let sent = sent("agent", text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
        assert!(sent.contains(expected), "{sent}");
    }
    // The third of those that the role sees is masked; `ssn` is hidden.
    let refused = sent("agent", "insert into customers values (1, 'x', 'y')").unwrap_err();
    assert!(refused.message.contains("`email`"), "{refusal}", refusal = refused);
    let refused = sent("agent", "insert into customers select * from customers").unwrap_err();
    assert!(refused.message.contains("`email`"), "{refusal}", refusal = refused);
}

#[test]
fn a_row_is_one_value_of_what_is_seen() {
    let whole = "(SELECT CAST(\"scrim$whole\".* AS pg_catalog.record) AS \"c\" FROM (SELECT \"scrim$row\".\"id\" AS \"id\", \
                 \"scrim$row\".\"tier\" AS \"tier\", (SELECT ";
    for text in [
        "update customers c set tier = 'x' returning c",
        "update customers c set tier = 'x' returning row_to_json(c.*)",
        "update customers c set tier = c::text",
        "delete from customers c where c is null",
    ] {
        let sent = sent("agent", text).unwrap();
        assert!(sent.contains(whole) && !sent.contains("ssn"), "{sent}");
    }
    let text = "update customers c set tier = row(c.*)::text";
    let text = sent("agent", text).unwrap();
    assert!(
        text.contains("SET tier = ROW(\"scrim$row\".\"id\", \"scrim$row\".\"tier\", (SELECT "),
        "{text}"
    );
    let text = "insert into products values (1) on conflict (id) do update set title = 'x' where products.* <> excluded.*";
    let text = sent("agent", text).unwrap();
    assert!(
        text.contains("(SELECT excluded.\"id\" AS \"id\", excluded.\"title\" AS \"title\")"),
        "{text}"
    );
    for text in [
        "update customers c set tier = (c).tier",
        "update customers c set tier = (select c.*)",
        "update customers c set tier = 'x' from products p returning p",
        "insert into customers (id) values (1) on conflict (id) do update set tier = excluded::text",
        "insert into customers c (id) values (1) on conflict ((c is null)) do nothing",
    ] {
        assert!(sent("agent", text).is_err(), "{text}");
    }
}

#[test]
fn other_forms() {
    for (role, text, expected) in [
        ("agent", "insert into notes (rest[1], flag.a) values ('x', 'y')", "(rest[1], flag.a)"),
        ("agent", "update customers set tier[1] = 'x' where current of c", "WHERE CURRENT OF c"),
        ("agent", "update customers set (id, tier) = (1, default)", "SET id = 1, tier = DEFAULT"),
        (
            "agent",
            "insert into customers (id) values (1) on conflict (lower(tier)) where id > 1 do nothing",
            "(lower(\"tier\")) WHERE \"id\" > 1 DO NOTHING",
        ),
        (
            "agent",
            "update customers set (id, tier) = (select id, title from products)",
            "SET (id, tier) = (SELECT \"products\".\"id\", ",
        ),
    ] {
        let sent = sent(role, text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
        assert!(sent.contains(expected), "{sent}");
    }
    let refused = sent("clerk", "delete from customers where current of c").unwrap_err();
    assert!(refused.reading.is_none() && refused.message.contains("CURRENT OF"), "{refused}");
    for text in [
        "insert into customers (email[1]) values ('x')",
        "insert into customers (ssn.a) values ('x')",
        "insert into customers (id) values (1) on conflict (lower(email)) do nothing",
        "insert into customers (id) values (1) on conflict (id) where ssn = '' do nothing",
        "update customers set email[1] = 'x'",
        "update customers set email.a = 'x'",
        "update customers set (email, tier) = (default, default)",
        "with a as (delete from products where current of c) delete from notes where current of d",
    ] {
        assert!(sent("agent", text).is_err(), "{text}");
    }
}
