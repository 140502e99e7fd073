use super::Who;
use crate::grammar::{deparse, parse};

fn said(user: &str, login: &str, text: &str) -> String {
    let mut statements = parse(text).unwrap();
    let who = Who { user, login, has_system_user: true };
    who.node(statements[0].stmt.as_deref_mut().unwrap());
    deparse(&statements[0]).unwrap()
}

/// A name is a constant whatever letters it has, and a pattern that matches nothing else.
#[test]
fn names_that_somebody_thought_of() {
    for user in ["o'brien", "back\\slash", "a\"b", "$1", "\\1\\&", "-- x", "한글", "A b;"] {
        let shown = said(user, "login", "SELECT current_user, pg_get_userbyid(1)");
        let again = parse(&shown).unwrap();
        assert_eq!(again.len(), 1, "{shown}");
        let constants = pg_query::scan(&shown).unwrap().tokens;
        let is_text = |token: &&pg_query::protobuf::ScanToken| {
            token.token() == pg_query::protobuf::Token::Sconst
        };
        assert_eq!(constants.iter().filter(is_text).count(), 3, "{shown}");
    }
    assert_eq!(
        said("x", "lo.gin", "SELECT pg_get_userbyid(a)"),
        "SELECT pg_catalog.name(pg_catalog.regexp_replace(pg_catalog.pg_get_userbyid(a)::pg_catalog.text, \
         E'^lo\\\\.gin$', 'x')) AS pg_get_userbyid"
    );
}

#[test]
fn what_is_not_about_roles_stays() {
    for text in [
        "SELECT has_table_privilege('customers', 'SELECT')",
        "SELECT has_table_privilege(16384, 'customers', 'SELECT')",
        "SELECT pg_has_role(16384, 10::oid, 'USAGE')",
        "SELECT current_setting('search_path'), u.user FROM users u",
        "SELECT 'other'::regrole, to_regrole('other'), public.pg_get_userbyid(1)",
        "SELECT current_schema, current_catalog, current_date",
    ] {
        let plain = deparse(&parse(text).unwrap()[0]).unwrap();
        assert_eq!(said("alice", "scrim", text), plain, "{text}");
    }
}

#[test]
fn a_user_who_is_called_like_the_login() {
    assert_eq!(
        said("scrim", "scrim", "SELECT has_table_privilege(current_user, 'a', 'SELECT')"),
        "SELECT has_table_privilege('scrim'::pg_catalog.name, 'a', 'SELECT')"
    );
}

/// Whatever is bound: each name that is read stands in the text.
#[test]
fn a_setting_that_a_parameter_names() {
    for (text, name) in [
        ("SELECT current_setting($1)", "$1"),
        ("SELECT pg_catalog.current_setting($2::varchar)", "$2::varchar"),
    ] {
        let shown = said("o'brien", "login", text);
        let start = format!("SELECT CASE pg_catalog.lower({name}::pg_catalog.text) WHEN");
        assert!(shown.starts_with(&start), "{shown}");
        assert!(shown.contains("WHEN 'role' THEN 'o''brien'::pg_catalog.text"), "{shown}");
        assert!(shown.contains("WHEN 'timezone' THEN pg_catalog.current_setting('timezone')"));
        let end = "'named by a parameter: write it as a plain literal'";
        assert!(
            shown.contains(&format!(
                "ELSE pg_catalog.current_setting({end}, {name}::pg_catalog.text IS NULL) END"
            )),
            "{shown}"
        );
        assert!(!shown.contains("current_setting($") && !shown.contains("scrim."), "{shown}");
    }
    for text in [
        "SELECT * FROM current_setting($1)",
        "SELECT current_setting($1, true)",
        "SELECT current_setting($1 || 'x')",
        "SELECT current_setting($1::varchar(13))",
        "SELECT current_setting($1::name)",
        "SELECT public.current_setting($1)",
    ] {
        let plain = deparse(&parse(text).unwrap()[0]).unwrap();
        assert_eq!(said("alice", "scrim", text), plain, "{text}");
    }
}

/// Whatever it is asked about, and wherever it stands: the function itself is never sent.
#[test]
fn who_keeps_others_waiting_is_not_said() {
    for (text, pid) in [
        ("SELECT pg_blocking_pids(12)", "12"),
        ("SELECT pg_catalog.pg_blocking_pids(a.pid) FROM a", "a.pid"),
        ("SELECT unnest(\"pg_blocking_pids\"(VARIADIC $1))", "$1"),
    ] {
        let shown = said("alice", "login", text);
        let nobody =
            format!("CASE WHEN {pid}::int IS NULL THEN NULL::int[] ELSE '{{}}'::int[] END");
        assert!(shown.contains(&nobody) && !shown.contains("blocking_pids("), "{shown}");
    }
    for text in ["SELECT * FROM pg_blocking_pids(1)", "SELECT public.pg_blocking_pids(1)"] {
        assert_eq!(said("alice", "login", text), deparse(&parse(text).unwrap()[0]).unwrap());
    }
}
