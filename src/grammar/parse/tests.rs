use super::*;

fn error(text: &str) -> SyntaxError {
    parse(text).map(|_| ()).unwrap_err()
}

#[test]
fn statements_in_order() {
    assert_eq!(parse("").unwrap().len(), 0);
    assert_eq!(parse(" ; ;\n-- nothing\n;").unwrap().len(), 0);
    assert_eq!(parse("SELECT 1; SELECT 2;").unwrap().len(), 2);
}

#[test]
fn errors_are_postgres_own_with_a_position_where_it_is_known() {
    let cases = [
        ("SELECT FROM FROM x", "syntax error at or near \"FROM\"", None),
        ("SELECT * FORM c", "syntax error at or near \"FORM\"", Some(10)),
        ("SELECT é FROM c WHERE )", "syntax error at or near \")\"", Some(23)),
        ("SELECT 1 +", "syntax error at end of input", Some(11)),
        ("SELECT 1 + \n ", "syntax error at end of input", Some(14)),
        ("SELECT 'abc", "unterminated quoted string at or near \"'abc\"", Some(8)),
        ("SELECT \"\"", "zero-length delimited identifier at or near \"\"\"\"", Some(8)),
        ("SELECT /* x", "unterminated /* comment at or near \"/* x\"", Some(8)),
        // A comma stands twice: no doubt would be needed, and there is some.
        ("SELECT a,, b", "syntax error at or near \",\"", None),
        ("SELECT a.b.c.d.e FROM \"x at or near \"\"a\"\"\".a.b.c", "improper", None),
    ];
    for (text, message, position) in cases {
        let error = error(text);
        assert!(error.message.starts_with(message), "{text}: {}", error.message);
        assert_eq!(error.position, position, "{text}: {}", error.message);
        assert_eq!(error.fault, SyntaxFault::Syntax, "{text}");
    }
}

#[test]
fn what_is_too_long_is_not_looked_at() {
    assert_eq!(error(&"x".repeat(LENGTH_BYTES_MAX + 1)).fault, SyntaxFault::TooLong);
    assert_eq!(error("SELECT '\0'").fault, SyntaxFault::Syntax);
    // The scanner is quadratic on these.
    for run in ["/*", "+", "+-", "<>", "@+", "*", "/*!"] {
        let text = format!("SELECT {}", run.repeat(500_000 / run.len()));
        assert_eq!(error(&text).fault, SyntaxFault::TooLong, "{run}");
    }
    let ruler = format!("-- {}\n", "=".repeat(100));
    let text = format!("{} SELECT 1", ruler.repeat(5_000));
    assert_eq!(parse(&text).map(|all| all.len()), Ok(1));
    let text = format!("SELECT '{}'", "=".repeat(8_000));
    assert_eq!(parse(&text).map(|all| all.len()), Ok(1));
}

#[test]
fn tokens_are_counted_where_the_scanner_finds_them() {
    for unit in ["*,", "1,", "a.", ";", "SELECT 1;", "[1]", "f(),"] {
        let text = format!("SELECT {}1", unit.repeat(100_001));
        assert_eq!(error(&text).fault, SyntaxFault::TooLong, "{unit}");
    }
    let many = "{\"a\": [1, 2]}, ".repeat(40_000);
    let texts = [
        format!("SELECT '{many}'"),
        format!("SELECT $${many}$$"),
        format!("/* {many} */ SELECT 1"),
        format!("SELECT 1 IN ({}0)", "1234567890, ".repeat(49_000)),
    ];
    for text in texts {
        assert_eq!(parse(&text).map(|all| all.len()), Ok(1));
    }
}

/// A quarter of what tokio's workers have: others have used the rest.
fn on_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 * 1024).spawn(work).unwrap().join().unwrap();
}

/// The deepest trees that are read, one operator or sub-select below the limit.
#[test]
fn the_deepest_trees_are_read_and_printed_on_little_stack() {
    on_small_stack(|| {
        for text in [
            format!("SELECT 1{}", "+1".repeat(46)),
            format!("SELECT a{}", "::text".repeat(45)),
            format!("SELECT {}1{}", "(SELECT ".repeat(15), ")".repeat(15)),
            format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(92)),
            format!("SELECT FROM a{}", " CROSS JOIN a".repeat(47)),
            format!("SELECT {}1{}", "lower(".repeat(46), ")".repeat(46)),
            format!("SELECT {}true", "NOT ".repeat(46)),
        ] {
            let statements = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(deparse(&statements[0]).is_ok(), "{text}");
        }
    });
}

#[test]
fn depth_is_refused_and_never_overflows_the_stack() {
    on_small_stack(|| {
        // As much as the limit on tokens lets through.
        let fill = |unit: &str| unit.repeat((TOKENS_MAX - 20) / tokens_at_most(unit));
        let wide = |front: &str, unit: &str| format!("{front}{}", fill(unit));
        let closed = |open: &str, middle: &str, close: &str, count: usize| {
            format!("SELECT {}{middle}{}", open.repeat(count), close.repeat(count))
        };
        let texts = [
            wide("SELECT ", "("),
            wide("SELECT ", "- "),
            wide("SELECT ", "NOT "),
            wide("SELECT 1", "+1"),
            wide("SELECT 1", " - 1"),
            wide("SELECT a", "||a"),
            wide("SELECT a", "::text"),
            wide("SELECT a", "[1]"),
            wide("SELECT (a)", ".b"),
            wide("SELECT 1 ", "UNION SELECT 1 "),
            wide("SELECT FROM a", " CROSS JOIN a"),
            wide("SELECT a", " IS NULL"),
            wide("SELECT a", " COLLATE c"),
            wide("SELECT a", " AT TIME ZONE b"),
            wide("SELECT ", "ARRAY["),
            wide("SELECT ", "(SELECT "),
            wide("SELECT ", "f("),
            wide("SELECT ", "CASE WHEN "),
            wide("", "("),
            wide("", "WITH a AS ("),
            wide("", "EXPLAIN "),
            wide("SELECT 1 WHERE a", " = ANY (b) = a"),
            closed("(", "1", ")", 4_000),
            closed("-", "1", "", 1),
            closed("- ", "1", "", 9_000),
            closed("NOT ", "true", "", 9_000),
            closed("(SELECT ", "1", ")", 2_000),
            closed("f(", "1", ")", 3_000),
            closed("ARRAY[", "1", "]", 3_000),
            closed("CASE WHEN true THEN ", "1", " END", 1_500),
            closed("1 + (", "1", ")", 3_000),
            closed("a AND (b OR ", "c", ")", 3_000),
            closed("EXISTS(SELECT FROM ", "a", ")", 2_000),
        ];
        for text in texts {
            let head: String = text.chars().take(40).collect();
            match parse(&text) {
                // Redundant parentheses leave nothing in the tree; everything else is cut off.
                Ok(statements) => assert!(statements.len() == 1, "{head}"),
                Err(error) => assert!(
                    matches!(error.fault, SyntaxFault::TooDeep | SyntaxFault::Syntax),
                    "{head}: {error:?}"
                ),
            }
            let _ = crate::grammar::fingerprint(&text);
            let _ = crate::grammar::shape(&text);
        }
    });
}

#[test]
fn canonical_text() {
    let cases = [
        ("select  1 -- x", "SELECT 1"),
        ("SELECT $$it's$$, E'a\\'b', U&'\\0041', 'a' \n 'b'", "SELECT 'it''s', 'a''b', 'A', 'ab'"),
        (
            "select \"a\", \"A\", U&\"d\\0061\" from \"select\"",
            "SELECT a, \"A\", da FROM \"select\"",
        ),
        ("table c", "SELECT * FROM c"),
        ("begin isolation level serializable", "BEGIN ISOLATION LEVEL SERIALIZABLE"),
        ("set search_path to a, \"B\"", "SET search_path TO a, \"B\""),
        ("discard all", "DISCARD ALL"),
        ("deallocate all", "DEALLOCATE ALL"),
        ("close all", "CLOSE ALL"),
        ("unlisten *", "UNLISTEN *"),
        ("listen U&\"\\0061\"", "LISTEN a"),
        ("listen \"a\"\"B\"", "LISTEN \"a\"\"B\""),
        ("notify A, 'it''s'", "NOTIFY a, 'it''s'"),
        ("show search_path", "SHOW search_path"),
    ];
    for (text, expected) in cases {
        let statements = parse(text).unwrap();
        assert_eq!(deparse(&statements[0]).as_deref(), Ok(expected), "{text}");
    }
    // A backslash is printed so that both settings of standard_conforming_strings read the same.
    let statements = parse(r"SELECT 'x\'").unwrap();
    assert_eq!(deparse(&statements[0]).as_deref(), Ok(r"SELECT E'x\\'"));
}

/// libpg_query's printer has faults; what it does not print faithfully is refused.
#[test]
fn what_is_printed_wrongly_is_refused() {
    for text in [
        // The constant of a type is printed as a cast, which has no place here.
        "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n FROM a) CYCLE n SET c TO t '1' DEFAULT 0 USING p TABLE a",
        // PRESERVE is lost.
        "SELECT xmlparse(content a preserve whitespace)",
        // The name of a window is printed without quotes.
        "SELECT count(*) OVER \"W\" FROM a WINDOW \"W\" AS ()",
        "SELECT count(*) OVER \"w FROM a UNION SELECT s FROM secret --\" FROM a",
        "SELECT count(*) OVER \"w, (SELECT s FROM secret)\" FROM a",
    ] {
        let statements = parse(text).unwrap();
        let error = deparse(&statements[0]).unwrap_err();
        assert!(error.message.starts_with("statement cannot be printed"), "{text}: {error}");
    }
}

#[test]
fn only_known_kinds_are_printed() {
    for text in [
        "DROP TABLE a",
        "DO $$ $$",
        "CALL a()",
        "VACUUM",
        "LOAD 'a'",
        "CREATE FUNCTION a() RETURNS int RETURN 1",
    ] {
        let statements = parse(text).unwrap();
        assert!(deparse(&statements[0]).is_err(), "{text}");
    }
    assert!(deparse(&protobuf::RawStmt::default()).is_err());
}

#[test]
fn pretty_text_reads_as_the_same() {
    let text = "SELECT a, b FROM c JOIN d ON c.x = d.x WHERE a IN (SELECT 1) ORDER BY 1";
    let pretty = pretty(text).unwrap();
    assert!(pretty.contains('\n'), "{pretty}");
    assert!(is_same_tree(&parse(text).unwrap(), &parse(&pretty).unwrap()));
    assert_eq!(super::pretty("SELECT FROM FROM"), None);
}
