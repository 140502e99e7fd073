//! The judges can say no.

use std::sync::OnceLock;

use scrim_fuzz::desk::{self, Desk};
use scrim_fuzz::live::{Answer, Live};
use scrim_fuzz::oracle::{Verdict, judge};
use scrim_fuzz::stand_in::{Into, replace};

fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| Desk::of(&desk::start(&[])))
}

fn role(name: &str) -> usize {
    desk::ROLES.iter().position(|role| *role == name).expect("a role")
}

fn sent(name: &str, text: &str) -> String {
    let (seen, path) = desk().choose(role(name), 0);
    let plan = desk::planned(seen, path, text).unwrap_or_else(|refusal| panic!("{refusal}"));
    plan.statements[0].sql.as_str().to_owned()
}

fn is_found(name: &str, text: &str) -> bool {
    let (seen, _) = desk().choose(role(name), 0);
    matches!(judge(text, seen), Verdict::Found(_))
}

#[test]
fn what_is_planned_is_good_and_what_is_changed_in_it_is_found() {
    let templates = [
        ("support", "SELECT email FROM customers"),
        ("analyst", "SELECT email FROM customers WHERE id = 1"),
        ("reception", "SELECT id FROM customers WHERE phone = '1' OR lower(email) IN ('x', 'y')"),
        ("reception", "SELECT id FROM customers WHERE email IN ('x', 'y')"),
        ("agent", "UPDATE customers SET tier = 'pro' WHERE email LIKE 'm%' RETURNING id, email"),
        ("support", "SELECT ctid, id FROM ONLY customers TABLESAMPLE SYSTEM (100)"),
        ("support", "SELECT * FROM customer_contacts"),
        ("analyst", "CREATE TEMP TABLE t AS SELECT email FROM customers"),
    ];
    for (name, text) in templates {
        let text = sent(name, text);
        assert!(!is_found(name, &text), "{text}");
        let (seen, _) = desk().choose(role(name), 0);
        let known = replace(&text, &seen.stand_ins, Into::Names);
        assert!(known.contains("fuzz$template") || text.starts_with("UPDATE"), "{known}");
        let mut changes = vec![
            text.replace(".id, ", ".id, customers.email AS leak, "),
            text.replacen("FROM public.customers", "FROM public.customers, public.staff", 1),
            text.replacen("FROM public.customers", "FROM public.customers AS other", 1),
        ];
        if seen
            .stand_ins
            .iter()
            .any(|known| known.key() == "public.customers" && known.template.filter.is_some())
        {
            changes.push(text.replacen(" OFFSET 0", "", 1));
            changes.push(text.replacen(" WHERE (", " WHERE true OR (", 1));
        }
        for changed in changes.into_iter().filter(|changed| *changed != text) {
            assert!(is_found(name, &changed), "{changed}");
        }
    }
}

#[test]
fn beside_the_filter_of_a_write_stand_comparisons_with_constants_only() {
    let text = sent("agent", "UPDATE customers SET tier = 'pro' WHERE id = 1 AND email LIKE 'm%'");
    assert!(!is_found("agent", &text), "{text}");
    let beside = " ELSE false END) AND \"scrim$row\".\"id\" = 1";
    assert!(text.ends_with(beside), "{text}");
    for other in [
        " ELSE false END) OR \"scrim$row\".id = 1",
        " ELSE false END) AND \"scrim$row\".email = 'x'",
        " ELSE false END) AND 1 / \"scrim$row\".id = 1",
        " ELSE false END) AND \"scrim$row\".id = 1 / \"scrim$row\".id",
        " ELSE false END) AND \"scrim$row\".id = (SELECT 1)",
        " ELSE true END) AND \"scrim$row\".id = 1",
    ] {
        let changed = text.replace(beside, other);
        assert!(changed != text && is_found("agent", &changed), "{changed}");
    }
}

/// A masked column keeps its value, or nothing happens.
#[test]
fn masked_columns_are_assigned_their_own_values_only() {
    for statement in [
        "UPDATE customers SET email = 'k***@example.com', tier = 'x' WHERE id = 1",
        "INSERT INTO orders (id, customer_id, status, total, placed_at) VALUES (1, 1, 'x', 1, now()) ON CONFLICT (id) \
         DO UPDATE SET shipping_address = '***'",
        "MERGE INTO orders USING products AS p ON p.id = orders.id WHEN MATCHED THEN UPDATE SET shipping_address = p.name",
    ] {
        let text = sent("agent", statement);
        assert!(!is_found("agent", &text), "{text}");
        assert!(text.contains("scrim$kept:"), "{text}");
        let column = if text.contains("kept:email") { "email" } else { "shipping_address" };
        let own = format!("THEN \"scrim$row\".{column} WHEN");
        let changes = [
            text.replace(" IS NOT DISTINCT FROM ", " IS DISTINCT FROM "),
            text.replace(&own, "THEN 'x' WHEN"),
            text.replace(&own, "THEN \"scrim$row\".id::text WHEN"),
            text.replace("'scrim$kept:", "'"),
            text.replace(", 1, 0)", ", 1, 9)"),
            text.replace(" END) AS pg_catalog.bool", " END) AS pg_catalog.text"),
            text.replace(" AS pg_catalog.bool)", " AS pg_catalog.text) IS NULL"),
            text.replace(&format!("{column} = (CASE"), &format!("{column}[1] = (CASE")),
            text.replace(&format!(" {column} = (CASE"), " name = (CASE"),
            text.replace(&format!("THEN \"scrim$row\".{column} END)"), "ELSE 'x' END)"),
        ];
        let changes: Vec<String> = changes.into_iter().filter(|other| *other != text).collect();
        assert!(changes.len() >= 9, "{} changes of {text}", changes.len());
        for changed in changes {
            assert!(is_found("agent", &changed), "{changed}");
        }
    }
    let row = "public.customers AS \"scrim$row\"";
    for text in [
        format!("INSERT INTO {row} (id, email) VALUES (1, 'x')"),
        format!("INSERT INTO {row} (id, email[1]) VALUES (1, 'x')"),
        format!("INSERT INTO {row} (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET email = DEFAULT"),
        format!(
            "INSERT INTO {row} (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET (email, tier) = (SELECT 'x', 'y')"
        ),
        format!(
            "MERGE INTO {row} USING public.products ON false WHEN NOT MATCHED THEN INSERT (email) VALUES ('x')"
        ),
        "COPY public.customers (id, email) FROM STDIN".to_owned(),
        "UPDATE public.orders AS \"scrim$row\" SET shipping_address = 'x'".to_owned(),
        "UPDATE public.orders AS \"scrim$row\" SET shipping_address = NULL WHERE CURRENT OF c"
            .to_owned(),
    ] {
        assert!(is_found("agent", &text), "{text}");
    }
    assert!(!is_found(
        "agent",
        "UPDATE public.orders AS \"scrim$row\" SET status = 'x' WHERE CURRENT OF c"
    ));
    assert!(!is_found("agent", "COPY public.orders (id, status) FROM STDIN"));
}

#[test]
fn statistics_are_read_without_values_only() {
    let views = ["pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"];
    for view in views {
        let text = sent("support", &format!("SELECT * FROM {view}"));
        assert!(!is_found("support", &text), "{text}");
        let changes = [
            text.replace("CASE WHEN false THEN", "CASE WHEN true THEN"),
            text.replace("CASE WHEN EXISTS (", "CASE WHEN NOT EXISTS ("),
            text.replace(" OFFSET 0) AS", ") AS"),
            text.replace(" AS l WHERE ", " AS l WHERE l.most_common_freqs IS NULL AND "),
        ];
        for changed in changes {
            assert!(changed != text && is_found("support", &changed), "{changed}");
        }
    }
    for text in [
        "SELECT l.most_common_vals FROM pg_catalog.pg_stats AS l OFFSET 0",
        "SELECT CASE WHEN false THEN 1 ELSE l.most_common_vals END FROM pg_catalog.pg_stats AS l OFFSET 0",
        "SELECT l.n_distinct FROM pg_catalog.pg_stats AS l OFFSET 0",
        "SELECT l.* FROM pg_catalog.pg_stats AS l OFFSET 0",
        "SELECT l FROM pg_catalog.pg_stats AS l OFFSET 0",
        "SELECT l.tablename FROM pg_catalog.pg_stats AS l, pg_catalog.pg_class AS c OFFSET 0",
        "SELECT l.tablename FROM pg_catalog.pg_stats AS l ORDER BY histogram_bounds OFFSET 0",
    ] {
        assert!(is_found("support", text), "{text}");
    }
}

#[test]
fn relations_are_found_wherever_they_stand() {
    for text in [
        "SELECT email FROM public.customers",
        "SELECT 1 WHERE EXISTS (SELECT FROM public.customers)",
        "SELECT 1 FROM (VALUES ((SELECT max(email) FROM public.customers))) AS v",
        "WITH customers AS (SELECT 1) SELECT * FROM public.customers",
        "WITH a AS (SELECT 1), b AS (SELECT * FROM c), c AS (SELECT 2) SELECT * FROM b",
        "SELECT * FROM customers",
        "SELECT 1 ORDER BY (SELECT max(email) FROM public.customers)",
        "SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM public.customers)) OVER (PARTITION BY 1) FROM public.products",
        "SELECT * FROM generate_series(1, (SELECT max(id) FROM public.customers)) AS g",
        "SELECT * FROM pg_catalog.pg_authid",
        "SELECT * FROM pg_catalog.pg_stat_activity",
        "SELECT l.pid FROM pg_catalog.pg_stat_replication AS l",
        "SELECT l.pid FROM pg_catalog.pg_stat_replication AS l WHERE true",
        "SELECT l.pid FROM pg_catalog.pg_stat_replication AS l WHERE false UNION ALL SELECT l.pid FROM pg_catalog.pg_stat_replication AS l",
        "SELECT l.rolname FROM pg_catalog.pg_authid AS l WHERE false",
        "SELECT * FROM information_schema.user_mapping_options",
        "SELECT query_to_xml('SELECT 1', true, true, '')",
        "SELECT ('SELECT 1'::text).ts_stat",
        "SELECT t.table_to_xml FROM public.products AS t",
        "SELECT * FROM public.customer_contacts",
        "COPY public.customers TO STDOUT",
        "DECLARE c CURSOR FOR SELECT email FROM public.customers",
        "CREATE TEMP TABLE t AS SELECT email FROM public.customers",
        "UPDATE public.orders SET status = 'x'",
        "DELETE FROM public.products USING public.customers WHERE true",
    ] {
        assert!(is_found("support", text), "{text}");
    }
    for text in [
        "SELECT * FROM public.products",
        "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT * FROM a) SELECT * FROM a",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT pid FROM (SELECT l.pid FROM pg_catalog.pg_stat_replication AS l WHERE false) AS s",
    ] {
        assert!(!is_found("support", text), "{text}");
    }
    for text in [
        "UPDATE public.customers AS \"scrim$row\" SET tier = 'x' WHERE \"scrim$row\".email LIKE 'm%'",
        "UPDATE public.customers AS \"scrim$row\" SET tier = 'x' WHERE email LIKE 'm%'",
        "UPDATE public.customers AS \"scrim$row\" SET tier = 'x' RETURNING \"scrim$row\".*",
        "UPDATE public.customers AS \"scrim$row\" SET tier = 'x' RETURNING \"scrim$row\"",
        "UPDATE public.customers SET tier = 'x'",
    ] {
        assert!(is_found("agent", text), "{text}");
    }
}

#[test]
fn postgres_says_no() {
    let mut live = Live::start();
    let is_found = |answer| matches!(answer, Answer::Found(_));
    for text in [
        "SELECT email FROM public.customers",
        "SELECT 1 WHERE EXISTS (SELECT FROM public.staff)",
        "SELECT * FROM pg_catalog.pg_authid",
        "SELECT pg_catalog.pg_read_file('postgresql.conf')",
        "COPY public.customers TO STDOUT",
        // Twins hold true values.
        "SELECT email FROM twin_public.customers",
        "SELECT (name || email)::int FROM twin_public.customers",
    ] {
        assert!(is_found(live.run(role("support"), &[text])), "{text}");
    }
    for text in ["SELECT email FROM customers", "SELECT * FROM customer_contacts, products"] {
        let answer = live.run(role("support"), &[&sent("support", text)]);
        assert_eq!(answer, Answer::Harmless { rows: true }, "{text}");
    }
    let text = sent("researcher", "SELECT name, email FROM customers FOR UPDATE");
    assert_eq!(live.run(role("researcher"), &[&text]), Answer::Harmless { rows: true });
}
