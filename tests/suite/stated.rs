//! What a role sees by what its session states (`scrim.purpose`, `scrim.user`, `scrim.end_user`, a detail), end to end: no
//! plan, prepared statement, portal or server connection of one statement serves another.

use scrim::demo::sample_password;

use crate::harness::client::{Answer, Client, ServerError};
use crate::harness::own::{Own, bind, code, execute, parse, run_prepared, value};
use crate::harness::sample_verifier;

/// Those of customers whom the session sees.
const SEEN: &str = "SELECT coalesce(string_agg(id::text, ',' ORDER BY id), 'none') FROM customers";

/// The sample has an operator `=` of its own; in the rules it is PostgreSQL's.
fn rules() -> String {
    let verifier = sample_verifier();
    format!(
        r#"
roles:
  keeper:
    extends: support
    may: [read, write, temp_tables]
    details: {{customer: integer, word: text, device: uuid}}
    rows:
      public.customers: id = scrim.customer
      public.tickets: customer_id = scrim.customer
  desk:
    extends: support
    may: [read]
    masks:
      contact.phone: {{when: "scrim.purpose = 'refund'", then: {{keep_last: 2}}, else: redact}}
    purposes:
      answer:
      refund:
        masks:
          identity: hide
          payment.card: redact
        rows:
          public.orders: status = 'returned'
  named:
    extends: support
    may: [read]
    rows:
      public.customers: region = coalesce(scrim.end_user, scrim.user)
  worded:
    extends: support
    may: [read]
    details: {{word: text}}
    rows:
      public.customers: tier = scrim.word
users:
  clara: {{role: keeper, password: "{verifier}"}}
  desmond: {{role: desk, password: "{verifier}"}}
  seoul: {{role: named, password: "{verifier}"}}
  tool: {{role: named, password: "{verifier}", acts_for_others: true}}
  wanda: {{role: worded, password: "{verifier}"}}
"#
    )
}

/// With few server connections, so that sessions take turns on them.
fn open() -> Own {
    Own::open_changed(|desk, text| {
        let file = desk.folder().join("masking-rules/60-stated.yaml");
        std::fs::write(file, rules()).expect("rules");
        text + "pool: {size: 2}\n"
    })
}

fn try_connect(
    own: &Own,
    user: &str,
    options: &[(&str, &str)],
) -> Result<Client, Box<ServerError>> {
    // A verifier does not depend on the name.
    Client::connect(own.address(), user, &sample_password("alice"), "desk", options)
}

fn connect(own: &Own, user: &str, options: &[(&str, &str)]) -> Client {
    try_connect(own, user, options).unwrap_or_else(|error| panic!("{error:?}: {}", own.said()))
}

fn one(mut answers: Vec<Answer>) -> Answer {
    assert_eq!(answers.len(), 1, "{answers:?}");
    answers.remove(0)
}

fn seen(client: &mut Client) -> String {
    let (simple, extended) =
        (value(&one(client.simple(SEEN))), value(&client.extended(SEEN, false)));
    assert_eq!(simple, extended);
    simple
}

fn set(client: &mut Client, what: &str) {
    let answer = one(client.simple(what));
    assert_eq!(code(&answer), "", "{what}: {answer:?}");
}

#[test]
fn rows_go_by_what_is_stated_whatever_was_planned_before() {
    let own = open();
    let mut client = connect(&own, "clara", &[]);
    assert_eq!(seen(&mut client), "none");
    // As often as it takes for plans to be kept, filled, bound.
    for round in 0..4 {
        for customer in [1, 2, 3] {
            set(&mut client, &format!("SET scrim.customer = {customer}"));
            assert_eq!(seen(&mut client), customer.to_string(), "round {round}");
            for id in [1, 2, 3, 4] {
                let text = format!("SELECT count(*) FROM customers WHERE id = {id}");
                let expected = if id == customer { "1" } else { "0" };
                assert_eq!(value(&one(client.simple(&text))), expected, "{id} as {customer}");
            }
        }
    }
    assert!(own.figure("scrim_texts_bound_total") > 0.0, "nothing was kept prepared");
    for (text, then) in [
        ("RESET scrim.customer", "none"),
        ("SET scrim.customer TO '5'", "5"),
        ("SET scrim.customer TO DEFAULT", "none"),
        ("SET SESSION scrim.customer = 6", "6"),
        ("RESET ALL", "none"),
        ("SET scrim.customer = 7", "7"),
        ("DISCARD ALL", "none"),
        ("SET LOCAL scrim.customer = 8", "none"),
        ("SELECT 1; SET scrim.customer = 9", "9"),
        ("BEGIN; SET scrim.customer = 10; ROLLBACK", "9"),
        ("BEGIN; SET LOCAL scrim.customer = 10; COMMIT", "9"),
    ] {
        let answers = client.simple(text);
        assert!(answers.iter().all(|answer| code(answer).is_empty()), "{text}: {answers:?}");
        assert_eq!(seen(&mut client), then, "{text}");
    }
}

#[test]
fn transactions_give_back_what_was_stated() {
    let own = open();
    let mut client = connect(&own, "clara", &[("scrim.customer", "4")]);
    assert_eq!(seen(&mut client), "4");
    for (text, then) in [
        ("BEGIN", "4"),
        ("SET LOCAL scrim.customer = 5", "5"),
        ("SAVEPOINT a", "5"),
        ("SET scrim.customer = 6", "6"),
        ("ROLLBACK TO a", "5"),
        ("SET scrim.customer = 7", "7"),
        ("RELEASE a", "7"),
        ("ROLLBACK", "4"),
        ("BEGIN", "4"),
        ("SET LOCAL scrim.customer = 5", "5"),
        ("COMMIT", "4"),
        ("SET scrim.customer = 6", "6"),
        ("RESET scrim.customer", "4"),
    ] {
        set(&mut client, text);
        assert_eq!(seen(&mut client), then, "{text}");
    }
    for text in ["RESET scrim.customer", "RESET ALL", "DISCARD ALL"] {
        set(&mut client, "SET scrim.customer = 6");
        set(&mut client, text);
        assert_eq!(seen(&mut client), "4", "{text}");
        assert_eq!(value(&one(client.simple("SHOW scrim.customer"))), "4", "{text}");
    }
    // A COMMIT of what has failed is none.
    set(&mut client, "BEGIN");
    set(&mut client, "SET scrim.customer = 5");
    assert_eq!(code(&one(client.simple("SELECT 1/0"))), "22012");
    let answers = client.simple(&format!("COMMIT; {SEEN}"));
    assert!(answers.iter().any(|answer| code(answer) == "42501"), "{answers:?}");
    client.simple("ROLLBACK");
    assert_eq!(seen(&mut client), "4");
    // An extended unit that fails at its end takes back what it has set.
    parse(&mut client, "", "SET scrim.customer = 5");
    bind(&mut client, "", "");
    execute(&mut client, "", 0);
    parse(&mut client, "", "SELECT 1/0");
    bind(&mut client, "", "");
    execute(&mut client, "", 0);
    client.send(b'S', b"");
    // Sent at once, before anybody knows.
    parse(&mut client, "", SEEN);
    bind(&mut client, "", "");
    execute(&mut client, "", 0);
    client.send(b'S', b"");
    let failed = client.answers();
    assert_eq!(code(failed.last().expect("an answer")), "22012");
    assert_eq!(value(&one(client.answers())), "4");
}

#[test]
fn what_is_prepared_is_prepared_again() {
    let own = open();
    let mut client = connect(&own, "clara", &[("scrim.customer", "1")]);
    parse(&mut client, "s", SEEN);
    client.send(b'S', b"");
    client.answers();
    assert_eq!(value(&run_prepared(&mut client, "s")), "1");
    for customer in ["2", "1", "3"] {
        set(&mut client, &format!("SET scrim.customer = {customer}"));
        assert_eq!(value(&run_prepared(&mut client, "s")), customer);
    }
    // In one unit, in one write: what is bound behind the SET is planned behind it.
    parse(&mut client, "change", "SET scrim.customer = 4");
    bind(&mut client, "", "s");
    execute(&mut client, "", 0);
    bind(&mut client, "", "change");
    execute(&mut client, "", 0);
    bind(&mut client, "", "s");
    execute(&mut client, "", 0);
    client.send(b'S', b"");
    let answers = client.answers();
    let values: Vec<String> =
        answers.iter().filter(|answer| !answer.rows.is_empty()).map(value).collect();
    assert_eq!(values, ["3", "4"], "{answers:?}");
    // Without waiting for anything, in both protocols.
    let query = |client: &mut Client, text: &str| {
        client.send(b'Q', &[text.as_bytes(), b"\0"].concat());
    };
    query(&mut client, "SET scrim.customer = 5");
    query(&mut client, SEEN);
    query(&mut client, "BEGIN; SET LOCAL scrim.customer = 6");
    bind(&mut client, "", "s");
    execute(&mut client, "", 0);
    client.send(b'S', b"");
    query(&mut client, "ROLLBACK");
    bind(&mut client, "", "s");
    execute(&mut client, "", 0);
    client.send(b'S', b"");
    query(&mut client, "SET scrim.customer = 7; SELECT 1/0");
    query(&mut client, SEEN);
    let answers: Vec<Answer> = (0..8).flat_map(|_| client.answers()).collect();
    let values: Vec<String> =
        answers.iter().filter(|answer| !answer.rows.is_empty()).map(value).collect();
    assert_eq!(values, ["5", "6", "5", "5"], "{answers:?}");
    // A portal that was read in part, neither.
    set(&mut client, "BEGIN");
    parse(&mut client, "many", "SELECT generate_series(1, 3), id FROM customers");
    bind(&mut client, "p", "many");
    execute(&mut client, "p", 1);
    client.send(b'S', b"");
    assert_eq!(client.answers().len(), 1);
    set(&mut client, "SET LOCAL scrim.customer = 6");
    execute(&mut client, "p", 1);
    client.send(b'S', b"");
    assert_eq!(code(&one(client.answers())), "24000");
    set(&mut client, "ROLLBACK");
    // A portal that was bound before is not read behind it.
    set(&mut client, "SET scrim.customer = 1");
    parse(&mut client, "back", "SET scrim.customer = 2");
    bind(&mut client, "p", "s");
    bind(&mut client, "", "back");
    execute(&mut client, "", 0);
    execute(&mut client, "p", 0);
    client.send(b'S', b"");
    let answers = client.answers();
    assert_eq!(code(answers.last().expect("an answer")), "24000", "{answers:?}");
    assert!(answers.iter().all(|answer| answer.rows.is_empty()), "{answers:?}");
}

#[test]
fn cursors_and_prepared_names_of_sql_end_with_what_was_stated() {
    let own = open();
    let mut client = connect(&own, "clara", &[("scrim.customer", "1")]);
    set(&mut client, "BEGIN");
    set(&mut client, "DECLARE c CURSOR FOR SELECT id FROM customers");
    set(&mut client, "SET LOCAL scrim.customer = 2");
    let answer = one(client.simple("FETCH ALL FROM c"));
    assert_eq!(code(&answer), "24000", "{answer:?}");
    client.simple("ROLLBACK");
    set(&mut client, &format!("PREPARE p AS {SEEN}"));
    assert_eq!(value(&one(client.simple("EXECUTE p"))), "1");
    set(&mut client, "SET scrim.customer = 2");
    let answer = one(client.simple("EXECUTE p"));
    assert_eq!(code(&answer), "26000", "{answer:?}");
    set(&mut client, "DEALLOCATE p");
    // All in one text.
    for text in [
        format!("SET scrim.customer = 3; {SEEN}"),
        format!("PREPARE q AS {SEEN}; SET scrim.customer = 3; EXECUTE q"),
        format!("BEGIN; SET LOCAL scrim.customer = 3; {SEEN}; COMMIT"),
        format!("DISCARD ALL; {SEEN}"),
        format!("RESET ALL; {SEEN}"),
        "SET scrim.customer = 3; COPY customers TO STDOUT".to_owned(),
        "SET scrim.customer = 3; CREATE TEMP TABLE kept AS SELECT * FROM customers".to_owned(),
        "SET scrim.customer = 3; UPDATE customers SET tier = tier".to_owned(),
    ] {
        let answers = client.simple(&text);
        let refused = answers.iter().find(|answer| code(answer) == "42501");
        let hint = refused.and_then(|answer| answer.error.as_ref()?.hint.clone());
        assert!(hint.is_some_and(|hint| hint.contains("by itself")), "{text}: {answers:?}");
        assert!(answers.iter().all(|answer| answer.rows.is_empty()), "{text}: {answers:?}");
        assert_eq!(seen(&mut client), "2", "{text}");
    }
}

#[test]
fn sessions_that_share_connections_share_nothing_of_it() {
    let own = open();
    let mut sessions: Vec<(String, Client)> = (1..=6)
        .map(|customer: i32| {
            let customer = customer.to_string();
            let client = connect(&own, "clara", &[("scrim.customer", &customer)]);
            (customer, client)
        })
        .collect();
    for _ in 0..5 {
        for (customer, client) in &mut sessions {
            assert_eq!(seen(client), *customer);
            let text = "SELECT count(*) FROM tickets WHERE customer_id <> 7";
            let count = value(&one(client.simple(text)));
            let own_ones = format!("SELECT count(*) FROM tickets WHERE customer_id = {customer}");
            assert_eq!(value(&one(client.simple(&own_ones))), count, "{customer}");
        }
    }
    let (_, client) = &mut sessions[0];
    set(client, "SET scrim.customer = 2");
    assert_eq!(seen(client), "2");
    assert_eq!(seen(&mut sessions[1].1), "2");
    assert_eq!(seen(&mut sessions[2].1), "3");
}

#[test]
fn writes_reach_the_stated_rows_only() {
    let own = open();
    let mut client = connect(&own, "clara", &[("scrim.customer", "1")]);
    let answer = one(client.simple("UPDATE customers SET tier = 'stated'"));
    assert_eq!(answer.tag.as_deref(), Some("UPDATE 1"), "{answer:?}");
    set(&mut client, "SET scrim.customer = 2");
    let answer = one(client.simple("SELECT count(*) FROM customers WHERE tier = 'stated'"));
    assert_eq!(value(&answer), "0");
    let all = own.desk.server().run("desk", "SELECT id FROM customers WHERE tier = 'stated'");
    assert_eq!(all.expect("an answer").trim(), "1");
}

#[test]
fn what_is_no_value_of_its_kind_is_not_stated() {
    let own = open();
    let mut client = connect(&own, "clara", &[("scrim.customer", "1")]);
    for (text, expected) in [
        ("SET scrim.customer = 'x'", "22023"),
        ("SET scrim.customer = ''", "22023"),
        ("SET scrim.customer = '1 OR true'", "22023"),
        ("SET scrim.customer = 1.5", "22023"),
        ("SET scrim.customer = '0x1'", "22023"),
        ("SET scrim.customer = ' 1'", "22023"),
        ("SET scrim.customer = '+1'", "22023"),
        ("SET scrim.customer = 1, 2", "22023"),
        ("SET scrim.customer = 9223372036854775808", "22023"),
        ("SET scrim.device = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1'", "22023"),
        ("SET scrim.ticket = 1", "42704"),
        ("SET scrim.k_inner = 'x'", "42704"),
        ("SET scrim.role = 'admin'", "42704"),
        ("SET scrim.user = 'dba'", "42601"),
        ("SET scrim.\"user\" = 'dba'", "42704"),
        ("SET scrim.end_user = 'kim'", "42501"),
        ("SELECT set_config('scrim.customer', '2', false)", "42501"),
        ("SELECT set_config('scrim.' || 'customer', '2', false)", "42501"),
        ("SHOW scrim.ticket", "42704"),
        ("SELECT current_setting('scrim.ticket')", "42501"),
    ] {
        let answer = one(client.simple(text));
        assert_eq!(code(&answer), expected, "{text}: {answer:?}");
        assert_eq!(seen(&mut client), "1", "{text}");
    }
    let long = format!("SET scrim.word = '{}'", "x".repeat(257));
    assert_eq!(code(&one(client.simple(&long))), "22023");
    assert_eq!(value(&one(client.simple("SHOW scrim.customer"))), "1");
    assert_eq!(value(&one(client.simple("SELECT current_setting('scrim.customer')"))), "1");
    for (name, given, expected) in [
        ("scrim.customer", "x", "22023"),
        ("scrim.ticket", "1", "42704"),
        ("scrim.user", "dba", "42704"),
        ("scrim.end_user", "kim", "28000"),
    ] {
        let refused = try_connect(&own, "clara", &[(name, given)]).err().expect(name);
        assert_eq!(refused.code, expected, "{name}: {refused:?}");
    }
    let options = [("options", "-c scrim.customer=3")];
    assert_eq!(seen(&mut connect(&own, "clara", &options)), "3");
}

#[test]
fn whatever_is_stated_is_a_value_and_nothing_else() {
    let own = open();
    let mut client = connect(&own, "wanda", &[]);
    let plain = value(&one(client.simple("SELECT count(*) FROM customers")));
    assert_eq!(plain, "0");
    for (stated, rows) in [
        ("basic", true),
        ("basic' OR true OR '' = '", false),
        ("') OR (true", false),
        ("\\' OR true --", false),
        ("basic\\", false),
        ("$1", false),
        ("basic'::text); SELECT 1; --", false),
        ("scrim lifts 00", false),
        ("9781", false),
        ("/* basic */", false),
        ("바보 🙂 '' \"\"", false),
        ("pro", true),
    ] {
        let quoted = stated.replace('\'', "''");
        set(&mut client, &format!("SET scrim.word = '{quoted}'"));
        for text in [
            "SELECT count(*) FROM customers".to_owned(),
            "SELECT count(*) FROM customers WHERE region <> 'nowhere'".to_owned(),
            "SELECT count(*) FROM customers WHERE region <> 'nothing'".to_owned(),
            "SELECT count(*) FROM customers WHERE region <> 'never'".to_owned(),
        ] {
            let simple = value(&one(client.simple(&text)));
            assert_eq!(simple, value(&client.extended(&text, false)), "{stated}: {text}");
            assert_eq!(simple != "0", rows, "{stated}: {text}: {simple}");
        }
    }
}

#[test]
fn the_person_is_who_logged_in_or_on_whose_behalf() {
    let own = open();
    let regions = "SELECT coalesce(string_agg(DISTINCT region, ','), 'none') FROM customers";
    let mut person = connect(&own, "seoul", &[]);
    assert_eq!(value(&one(person.simple(regions))), "seoul");
    assert_eq!(code(&one(person.simple("SET scrim.end_user = 'busan'"))), "42501");
    assert_eq!(value(&one(person.simple(regions))), "seoul");
    let mut tool = connect(&own, "tool", &[]);
    assert_eq!(value(&one(tool.simple(regions))), "none");
    for region in ["busan", "jeju", "busan"] {
        set(&mut tool, &format!("SET scrim.end_user = '{region}'"));
        assert_eq!(value(&one(tool.simple(regions))), region);
        assert_eq!(value(&one(person.simple(regions))), "seoul");
    }
    let options = [("scrim.end_user", "overseas")];
    assert_eq!(value(&one(connect(&own, "tool", &options).simple(regions))), "overseas");
}

#[test]
fn masks_and_rows_go_by_the_purpose() {
    let own = open();
    let mut client = connect(&own, "desmond", &[("scrim.purpose", "answer")]);
    let card = "SELECT card_number FROM customers WHERE id = 1";
    let phone = "SELECT phone FROM customers WHERE id = 1";
    let statuses = "SELECT count(DISTINCT status) FROM orders";
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' \
                   AND table_name = 'customers' AND column_name = 'rrn'";
    parse(&mut client, "star", "SELECT * FROM customers WHERE id = 1");
    parse(&mut client, "card", card);
    client.send(b'S', b"");
    client.answers();
    let width = |answer: &Answer| answer.columns.as_ref().map(Vec::len);
    for _ in 0..3 {
        set(&mut client, "SET scrim.purpose = 'answer'");
        assert!(value(&one(client.simple(card))).ends_with("5671"));
        assert!(value(&run_prepared(&mut client, "card")).ends_with("5671"));
        assert_eq!(value(&one(client.simple(phone))), "***");
        assert_ne!(value(&one(client.simple(statuses))), "1");
        assert_eq!(value(&one(client.simple(columns))), "1");
        assert_eq!(width(&one(client.simple("SELECT * FROM customers LIMIT 1"))), Some(15));
        set(&mut client, "SET scrim.purpose = 'refund'");
        assert_eq!(value(&one(client.simple(card))), "***");
        assert_eq!(value(&run_prepared(&mut client, "card")), "***");
        assert!(value(&one(client.simple(phone))).ends_with("01"));
        assert_eq!(value(&one(client.simple(statuses))), "1");
        assert_eq!(value(&one(client.simple(columns))), "0");
        assert_eq!(code(&one(client.simple("SELECT rrn FROM customers"))), "42703");
        assert_eq!(width(&one(client.simple("SELECT * FROM customers LIMIT 1"))), Some(14));
        // It would have other columns.
        assert_eq!(code(&run_prepared(&mut client, "star")), "0A000");
    }
    let masks = one(client.simple("SHOW scrim.masks"));
    let rows: Vec<Vec<String>> = masks
        .rows
        .iter()
        .map(|row| {
            let texts = row.iter().map(|value| value.clone().unwrap_or_default());
            texts.map(|value| String::from_utf8(value).expect("UTF-8")).collect()
        })
        .collect();
    let of =
        |column: &str| rows.iter().find(|row| row[0] == "public.customers" && row[1] == column);
    assert_eq!(of("card_number").map(|row| row[2].as_str()), Some("redact"), "{rows:?}");
    assert!(of("card_number").is_some_and(|row| row[3].contains("60-stated.yaml")), "{rows:?}");
    assert!(of("rrn").is_none(), "{rows:?}");
    // None is stated: nothing is read.
    let mut nobody = connect(&own, "desmond", &[]);
    assert_eq!(code(&one(nobody.simple(card))), "42501");
    assert_eq!(code(&nobody.extended(card, false)), "42501");
}

#[test]
fn the_audit_says_what_was_stated() {
    let own = open();
    let mut client = connect(&own, "clara", &[("scrim.customer", "1")]);
    set(&mut client, "SET scrim.word = 'because'");
    assert_eq!(seen(&mut client), "1");
    own.wait("the record", || {
        own.audit().iter().any(|record| {
            record["user"] == "clara"
                && record["sql"].as_str().is_some_and(|sql| sql.contains("string_agg"))
                && record["details"] == serde_json::json!({"customer": "1", "word": "because"})
        })
    });
    // What is stated is no literal of a statement.
    assert!(own.audit().iter().all(|record| record["sql"] != "SET scrim.word TO 'because'"));
}
