use super::*;

/// Every literal of these holds `qzx`, and so does every comment.
#[test]
fn no_byte_of_a_literal_or_a_comment_survives() {
    let texts = [
        "SELECT 'qzx'",
        "SELECT 'a''qzx''b'",
        "SELECT E'\\'qzx\\''",
        "SELECT e'qzx\\x41'",
        "SELECT U&'qzx\\0041' UESCAPE '!'",
        "SELECT u&'qzx'",
        "SELECT N'qzx'",
        "SELECT B'0101qzx'",
        "SELECT X'1Fqzx'",
        "SELECT $$qzx$$",
        "SELECT $a$ qzx $$ qzx $a$",
        "SELECT 'x'\n'qzx'",
        "SELECT 'x' -- qzx\n 'qzx'",
        "/* qzx /* qzx */ qzx */ SELECT 1 -- qzx",
        "SELECT 1 --qzx",
        "SELECT/*qzx*/1",
        "SELECT DATE 'qzx', interval 'qzx' hour",
        "SELECT * FROM c WHERE email = 'qzx@example.com' AND note LIKE '%qzx%'",
        "ALTER ROLE x PASSWORD 'qzx'",
        "COPY t FROM 'qzx' WITH (DELIMITER 'qzx')",
        "SET application_name = 'qzx'",
        "SELECT 'x\\' UNION SELECT 'qzx' -- '",
        "SELECT '\u{fffd}qzx한글'",
        "SELECT jsonb '{\"qzx\": 1}' ? 'qzx'",
        "PREPARE p AS SELECT $1 || 'qzx'",
        "DO $do$ BEGIN PERFORM 'qzx'; END $do$",
        // Not to be scanned.
        "SELECT 'qzx",
        "SELECT \"qzx",
        "SELECT $q$qzx",
        "/* qzx",
        "SELECT E'\\u00zz qzx'",
        "SELECT 'qzx\0'",
    ];
    for text in texts {
        let shape = shape(text);
        assert!(!shape.contains("qzx"), "{text} → {shape}");
    }
}

#[test]
fn numbers_are_literals_too() {
    for text in [
        "SELECT 90417",
        "SELECT 90417.5",
        "SELECT .90417",
        "SELECT 1e90417",
        "SELECT 0x90417",
        "SELECT 90_417",
        "SELECT -90417",
        "SELECT 1 WHERE id IN (90417, 90417)",
        "SELECT a[90417]",
        "SELECT 0b1 + 90417::int8",
        "SELECT x.90417",
        "LIMIT 90417",
    ] {
        let shape = shape(text);
        assert!(!shape.contains("90417") && !shape.contains("90_417"), "{text} → {shape}");
    }
}

#[test]
fn shapes() {
    let cases = [
        ("", ""),
        ("  \n ", ""),
        ("-- only a comment", ""),
        ("SELECT  a ,b\n FROM\t c", "SELECT a ,b FROM c"),
        ("select count(*) from c where id=1", "select count(*) from c where id=?"),
        ("SELECT a/* x */FROM b", "SELECT a FROM b"),
        ("SELECT * FROM c WHERE id IN (1, 2,3)", "SELECT * FROM c WHERE id IN (?)"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (?), (?)"),
        ("SELECT \"E-Mail\", U&\"d\\0061\" FROM t", "SELECT \"E-Mail\", U&\"d\\0061\" FROM t"),
        (
            "SELECT 1 WHERE email = \"kim@example.com\" OR rrn = \"900101-1234567\"",
            "SELECT ? WHERE email = \"?\" OR rrn = \"?\"",
        ),
        ("SELECT \"Orders 2026-01-01\"", "SELECT \"Orders 2026-01-01\""),
        ("SELECT $1, $2::int", "SELECT $1, $2::int"),
        ("SELECT -1, +2.5", "SELECT -?, +?"),
        ("SELECT a ? 'b', c ?| d", "SELECT a ? ?, c ?| d"),
        ("SELECT 1; SELECT 2", "SELECT ?; SELECT ?"),
        ("SELECT a <-> b, c->>'d' FROM 한글", "SELECT a <-> b, c->>? FROM 한글"),
        ("SELECT E'a' 'b'", "SELECT ? ?"),
        ("SELECT 'unfinished", "<unreadable>"),
        ("SELECT 1\0", "<unreadable>"),
    ];
    for (text, expected) in cases {
        assert_eq!(shape(text), expected, "{text}");
    }
}

#[test]
fn a_shape_has_a_longest_length() {
    let many: String = (0..40_000).map(|n| format!("c{n}, ")).collect();
    let shape = shape(&format!("SELECT {many} 1"));
    assert!(shape.len() < LENGTH_BYTES_MAX + 10 && shape.ends_with(" …"));
    let long_name = format!("SELECT \"{}\"", "한".repeat(100_000));
    assert!(super::shape(&long_name).len() < LENGTH_BYTES_MAX + 10);
    assert_eq!(super::shape(&"x".repeat(2_000_000)), UNREADABLE);
}

#[test]
fn fingerprints_ignore_literals() {
    assert_eq!(fingerprint("SELECT 1"), fingerprint("select 2 -- x"));
    assert_ne!(fingerprint("SELECT a"), fingerprint("SELECT b"));
    assert_eq!(fingerprint("SELECT FROM FROM"), None);
}
