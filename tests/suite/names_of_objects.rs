//! Columns of the customer's own whose values name relations: PostgreSQL looks up whatever becomes one, so a masked role
//! has them as text, and learns by none of them whether there is a table of staff.

use crate::harness::client::{Client, text};
use crate::harness::own::{Own, code, execute, value};

/// Each column another way to such a value.
const REGISTRY: &str = "
CREATE DOMAIN public.place AS regclass;
CREATE DOMAIN public.place_again AS public.place;
CREATE TYPE public.spot AS (at regtype, number integer);
CREATE TYPE public.places AS RANGE (subtype = oid);
CREATE TABLE public.registry (
  id integer PRIMARY KEY, about regclass, many regclass[], place public.place_again, spot public.spot, spots public.spot[],
  kind regprocedure, note text);
INSERT INTO public.registry VALUES
  (1, 'orders', '{orders,products}', 'products', '(orders,1)', '{}', 'lower(text)', 'first');
CREATE VIEW public.registry_entries AS SELECT id, about FROM public.registry;
CREATE VIEW public.registry_judged AS SELECT id, about FROM public.registry;
GRANT SELECT, INSERT, UPDATE ON public.registry TO scrim;
GRANT SELECT ON public.registry_entries, public.registry_judged TO scrim;
";

fn open() -> Own {
    Own::open_changed(|desk, text| {
        desk.server().run("desk", REGISTRY).expect("the registry");
        let file = desk.folder().join("masking-rules/10-open.yaml");
        let rules = std::fs::read_to_string(&file).expect("rules");
        let entries = "  - public.products\n  - public.registry\n  - public.registry_judged\n";
        std::fs::write(&file, rules.replacen("  - public.products\n", entries, 1)).expect("rules");
        text
    })
}

/// SQLSTATE and message.
fn fault(client: &mut Client, sql: &str) -> (String, String) {
    let answers = client.simple(sql);
    let answer = answers.last().unwrap_or_else(|| panic!("{sql}: no answer"));
    let message = answer.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
    (code(answer).to_owned(), message)
}

#[test]
fn nobody_looks_up_what_is_hidden() {
    let own = open();
    columns_that_name_relations_are_text(&own);
    what_is_hidden_is_looked_up_for_nobody(&own);
    they_are_not_written_and_the_rest_is(&own);
}

fn columns_that_name_relations_are_text(own: &Own) {
    let mut aria = own.connect("aria");
    let said = value(
        &aria.simple("SELECT concat_ws(' ', about, many, place, spot, spots, kind) FROM registry")
            [0],
    );
    assert_eq!(said, "orders {orders,products} products (orders,1) {} lower(text)");
    let types = "SELECT DISTINCT string_agg(t, ' ') FROM (SELECT pg_typeof(about)::text FROM registry \
                 UNION ALL SELECT pg_typeof(place)::text FROM registry \
                 UNION ALL SELECT pg_typeof(spots)::text FROM registry_entries, registry) AS x(t)";
    assert_eq!(value(&aria.simple(types)[0]), "text text text");
    assert_eq!(value(&aria.simple("SELECT about FROM registry_entries")[0]), "orders");
    // Who is masked in nothing has the columns as they are.
    let mut dba = own.connect("dba");
    assert_eq!(value(&dba.simple("SELECT pg_typeof(about) FROM registry")[0]), "regclass");
}

fn what_is_hidden_is_looked_up_for_nobody(own: &Own) {
    let mut aria = own.connect("aria");
    // What is hidden and what never was: the same, whatever it is.
    for sql in [
        "SELECT count(*) FROM registry WHERE about = 'public.NAME'",
        "SELECT count(*) FROM registry WHERE many = '{NAME}'",
        "SELECT count(*) FROM registry WHERE many @> '{NAME}'",
        "SELECT count(*) FROM registry WHERE spot = '(NAME,1)'",
        "SELECT count(*) FROM registry WHERE coalesce(about, 'NAME') = 'x'",
        "SELECT coalesce(place, 'NAME') FROM registry_entries, registry",
        "SELECT coalesce(about, 'NAME') FROM registry_judged",
        "SELECT array_append(many, 'NAME') FROM registry",
        "SELECT about FROM registry UNION SELECT 'NAME' ORDER BY 1 LIMIT 1",
        "INSERT INTO registry (id, about) VALUES (2, 'NAME')",
        "INSERT INTO registry VALUES (2, NULL, '{NAME}')",
        "UPDATE registry SET about = 'NAME'",
        "UPDATE registry SET note = 'x' WHERE many @> '{NAME}' RETURNING id",
        "UPDATE registry SET spot = '(NAME,1)'",
        "UPDATE registry SET kind = 'f(NAME)'",
        "SELECT 'NAME'::place",
        "SELECT CAST('NAME' AS place_again)",
        "SELECT '(NAME,1)'::spot",
        "SELECT '{NAME}'::place[]",
        "SELECT (json_populate_record(NULL::spot, '{\"at\": \"NAME\"}')).number",
        "SELECT (json_populate_record(NULL::registry, '{\"about\": \"NAME\"}')).id",
        "SELECT count(*) FROM json_to_record('{\"a\": \"NAME\"}') AS x(a place)",
        "PREPARE asked (place) AS SELECT $1 IS NULL; EXECUTE asked('NAME')",
        "CREATE TEMP TABLE mine (a place); INSERT INTO mine VALUES ('NAME')",
        "SELECT ('NAME'::text).place",
        "SELECT ('{NAME}'::text)._place",
        "SELECT t.place_again FROM lower('NAME') AS t",
        "SELECT 'f(registry, NAME)'::regprocedure",
        "SELECT to_regprocedure('f(NAME)')",
        "SELECT to_regprocedure('f(' || 'NAME' || ')')",
        "SELECT to_regoperator('=(NAME,NAME)')",
    ] {
        let hidden = fault(&mut aria, &sql.replace("NAME", "staff"));
        let nothing = fault(&mut aria, &sql.replace("NAME", "stuff"));
        aria.simple("DEALLOCATE ALL");
        assert_eq!(hidden, (nothing.0, nothing.1.replace("stuff", "staff")), "{sql}");
    }
    // A parameter by the number of its type, which a driver may state.
    let mut dba = own.connect("dba");
    let mut parameter = |type_name: &str, value: &str| {
        let sql = format!("SELECT to_regtype('{type_name}')::oid");
        let number = dba.simple(&sql)[0].rows[0][0].clone();
        let number = number.map_or(4_000_000, |number| text(&number).parse().expect("a number"));
        let mut body = b"\0SELECT $1 IS NULL\0\0\x01".to_vec();
        body.extend(u32::to_be_bytes(number));
        aria.send(b'P', &body);
        let mut body = b"\0\0\0\0\0\x01".to_vec();
        body.extend(i32::try_from(value.len()).expect("a short value").to_be_bytes());
        body.extend(value.as_bytes());
        body.extend([0, 0]);
        aria.send(b'B', &body);
        execute(&mut aria, "", 0);
        aria.send(b'S', b"");
        let answer = aria.answers().pop().expect("an answer");
        let message = answer.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        (code(&answer).to_owned(), message.replace(&number.to_string(), "N"))
    };
    for type_name in ["place", "spot", "_place", "regprocedure"] {
        assert_eq!(parameter(type_name, "1").0, "42501", "{type_name}");
    }
    // The row of a hidden table would tell how many columns it has.
    let nothing = parameter("stuff", "(1)");
    assert_eq!(nothing.0, "42704");
    for type_name in ["staff", "_staff"] {
        assert_eq!(parameter(type_name, "(1)"), nothing, "{type_name}");
    }
    for (type_name, value) in [
        ("mood", "calm"),
        ("_mood", "{calm}"),
        ("short_text", "x"),
        ("_text", "{x}"),
        ("int4", "1"),
    ] {
        assert_eq!(parameter(type_name, value), (String::new(), String::new()), "{type_name}");
    }
}

fn they_are_not_written_and_the_rest_is(own: &Own) {
    let mut aria = own.connect("aria");
    let (code, message) = fault(&mut aria, "UPDATE registry SET about = 'orders'");
    assert_eq!(code, "42501", "{message}");
    for sql in [
        "INSERT INTO registry (id, note) VALUES (2, 'second')",
        "UPDATE registry SET note = 'third' WHERE about = 'orders'",
    ] {
        assert_eq!(fault(&mut aria, sql), (String::new(), String::new()), "{sql}");
    }
    assert_eq!(value(&aria.simple("SELECT note FROM registry WHERE id = 1")[0]), "third");
    // Somebody has judged the view as it is, and so it is read as it is, which cannot be.
    let (code, message) = fault(&mut aria, "SELECT about FROM registry_judged");
    assert_eq!(code, "42501", "{message}");
    let why =
        aria.simple("SELECT about FROM registry_judged").pop().and_then(|answer| answer.error);
    let hint = why.and_then(|error| error.hint).unwrap_or_default();
    assert!(hint.contains("cast it to text or oid in the view"), "{hint}");
    // What was read is on record as what it is: the true value.
    let records = own.audit();
    let is_about = |record: &&serde_json::Value| record.to_string().contains("registry.about");
    assert!(
        !records.iter().any(|record| is_about(&record) && record.to_string().contains("as text")),
        "as masked"
    );
}
