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
            "SELECT a FROM t WHERE b = 1.5 AND c = -3 AND d = 2147483648 AND e = 007 AND f = ?i",
        ),
        ("SELECT a FROM t WHERE b = $1 AND c = 3", "SELECT a FROM t WHERE b = $1 AND c = ?i"),
        (
            "SELECT a FROM t WHERE b = f('x' || 'y') AND c = 'z'",
            "SELECT a FROM t WHERE b = f('x' || 'y') AND c = ?s",
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
        "UPDATE t SET a = 1 WHERE b = 2",
        "SELECT 1, 'x'",
        "SELECT a FROM t",
    ] {
        assert_eq!(marked(text), "-", "{text}");
    }
}
