use super::{free, lift};

/// The text with the free literals marked; `-`: it is planned each time.
fn marked(text: &str) -> String {
    let Some(lifted) = lift(text) else { return "-".to_owned() };
    let Some(free) = free(&lifted) else { return "-".to_owned() };
    lifted.key(|number| free[number]).replace('\u{1}', "?")
}

#[test]
fn literals_that_are_compared_are_free_and_others_are_not() {
    for (text, expected) in [
        ("SELECT a FROM t WHERE id = 17", "SELECT a FROM t WHERE id = ?i"),
        ("select 1 from t where 17=id", "select 1 from t where ?i=id"),
        (
            "SELECT a FROM t WHERE n = 'kim' AND m <> 'x' LIMIT 5 OFFSET 10",
            "SELECT a FROM t WHERE n = ?s AND m <> ?s LIMIT ?i OFFSET ?i",
        ),
        (
            "SELECT a FROM t WHERE n IN ('a', 'b') AND c BETWEEN 1 AND 2",
            "SELECT a FROM t WHERE n IN (?s, ?s) AND c BETWEEN ?i AND ?i",
        ),
        ("SELECT a FROM t WHERE d >= date '2026-01-01'", "SELECT a FROM t WHERE d >= date ?s"),
        (
            "SELECT a FROM t WHERE d >= '2026-01-01'::timestamp",
            "SELECT a FROM t WHERE d >= ?s::timestamp",
        ),
        (
            "SELECT 1, 'x', f('y', 2) FROM t WHERE n LIKE 'k%' GROUP BY 1 ORDER BY 2",
            "SELECT 1, 'x', f('y', 2) FROM t WHERE n LIKE ?s GROUP BY 1 ORDER BY 2",
        ),
        (
            "SELECT a FROM (SELECT a FROM t WHERE b = 1) s WHERE EXISTS (SELECT FROM u WHERE c = 2)",
            "SELECT a FROM (SELECT a FROM t WHERE b = ?i) s WHERE EXISTS (SELECT FROM u WHERE c = ?i)",
        ),
        (
            "SELECT a FROM t1 WHERE \"b'1\" = 7 -- it's 8\n AND c = 9 /* '/*x*/' */",
            "SELECT a FROM t1 WHERE \"b'1\" = ?i -- it's 8\n AND c = ?i /* '/*x*/' */",
        ),
        (
            "SELECT a FROM t WHERE b = 'it''s' AND c = 3",
            "SELECT a FROM t WHERE b = 'it''s' AND c = ?i",
        ),
        (
            "SELECT a FROM t WHERE b = 1.5 AND c = -3 AND d = 2147483648 AND e = 007 AND f = 4",
            "SELECT a FROM t WHERE b = 1.5 AND c = -?i AND d = 2147483648 AND e = 007 AND f = ?i",
        ),
        (
            "SELECT a FROM t WHERE b = -0 AND c = - 5 AND d - 7 = e AND f = 8",
            "SELECT a FROM t WHERE b = -0 AND c = - 5 AND d - 7 = e AND f = ?i",
        ),
        ("SELECT a FROM t WHERE b = $1 AND c = 3", "SELECT a FROM t WHERE b = $1 AND c = ?i"),
        (
            "SELECT a FROM t WHERE b = f('x' || 'y') AND c = 'z'",
            "SELECT a FROM t WHERE b = f('x' || 'y') AND c = ?s",
        ),
        (
            "UPDATE t SET a = 1, b = 'x', c = c + -2, d = (d || 'y') || 'z' WHERE e = 3",
            "UPDATE t SET a = ?i, b = ?s, c = c + -?i, d = (d || ?s) || ?s WHERE e = ?i",
        ),
        (
            "UPDATE t SET a = f(1), b = 2::numeric(9, 2), c[1] = 3, (d, e) = (4, 5), g = 6",
            "UPDATE t SET a = f(1), b = 2::numeric(9, 2), c[1] = 3, (d, e) = (4, 5), g = ?i",
        ),
        (
            "UPDATE t SET a = CASE WHEN b = 1 THEN 2 ELSE 3 END, c = c OPERATOR(s.+) 4 WHERE d = 5",
            "UPDATE t SET a = CASE WHEN b = ?i THEN 2 ELSE 3 END, c = c OPERATOR(s.+) 4 WHERE d = ?i",
        ),
        (
            "INSERT INTO t (a, b, c, d) VALUES (1, 'x', date '2026-01-01', now()), (2, f('y'), NULL, -3)",
            "INSERT INTO t (a, b, c, d) VALUES (?i, ?s, date ?s, now()), (?i, f('y'), NULL, -?i)",
        ),
        (
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 'x', c = excluded.c + 1 \
             WHERE t.d < 2 RETURNING a, 3",
            "INSERT INTO t (a) VALUES (?i) ON CONFLICT (a) DO UPDATE SET b = ?s, c = excluded.c + ?i \
             WHERE t.d < ?i RETURNING a, 3",
        ),
        (
            "INSERT INTO t (a, b) SELECT 1, b FROM u WHERE c = 2 GROUP BY 1, 2",
            "INSERT INTO t (a, b) SELECT 1, b FROM u WHERE c = ?i GROUP BY 1, 2",
        ),
        (
            "DELETE FROM t USING (VALUES (1)) v (a) WHERE t.a = v.a AND t.b IN (2, 3) RETURNING 4",
            "DELETE FROM t USING (VALUES (1)) v (a) WHERE t.a = v.a AND t.b IN (?i, ?i) RETURNING 4",
        ),
        (
            "WITH w AS (UPDATE t SET a = 1 WHERE b = 2 RETURNING a) SELECT a + 3 FROM w WHERE a = 4",
            "WITH w AS (UPDATE t SET a = ?i WHERE b = ?i RETURNING a) SELECT a + 3 FROM w WHERE a = ?i",
        ),
    ] {
        assert_eq!(marked(text), expected);
    }
}

#[test]
fn what_is_not_plain_is_planned_each_time() {
    for text in [
        "SELECT a FROM t WHERE b = E'x'",
        "SELECT a FROM t WHERE b = U&'x'",
        "SELECT a FROM t WHERE b = $$x$$ AND c = 1",
        "SELECT a FROM t WHERE b = $x$'$x$ AND c = 1",
        "SELECT a FROM t WHERE b = 'a'\n'b'",
        "SELECT a FROM t WHERE b = 'a' -- x\n 'b'",
        "SELECT a FROM t WHERE b = .5 AND c = 1",
        "SELECT a FROM t WHERE b = 1e5",
        "SELECT a FROM t WHERE b = 1_000",
        "SELECT a FROM t WHERE b = 0x1F",
        "SELECT a FROM t WHERE b = 'open",
        "SELECT a FROM t WHERE \"b = 1",
        "SELECT a FROM t WHERE b = 1 /* open",
        "SELECT a FROM t WHERE b = 1; SELECT 2",
        "SELECT a FROM t WHERE b = \u{1}s",
        "SELECT relname FROM pg_class WHERE relname = 'staff'",
        "SELECT a FROM t WHERE c::regclass = 'staff'",
        "UPDATE t SET a = 'scrim$row' WHERE b = 2",
        "UPDATE t SET a = 'x'::regclass WHERE b = 2",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED AND t.b = 1 THEN UPDATE SET c = 2",
        "EXPLAIN UPDATE t SET a = 1 WHERE b = 2",
        "CREATE TEMP TABLE t AS SELECT a FROM u WHERE b = 1",
        "SELECT 1, 'x'",
        "SELECT a FROM t",
    ] {
        assert_eq!(marked(text), "-", "{text}");
    }
}
