//! Columns that PostgreSQL computes from others, stored and (since 18) virtual, and keys over periods (since 18), on a
//! server of its own: what is computed of a masked column is nobody's until the rules name it.

use scrim::catalog::SearchPath;
use scrim::policy::RoleView;
use scrim::sql::{Speaker, plan};

use crate::canary;
use crate::harness::client::{Client, text};
use crate::harness::{self, core, server_version};

const STORED: &str = "
CREATE TABLE public.cards (
    id bigint PRIMARY KEY, email text, number text, region text,
    loud text GENERATED ALWAYS AS (upper(email)) STORED,
    last text GENERATED ALWAYS AS (right(number, 4)) STORED,
    place text GENERATED ALWAYS AS (upper(region)) STORED
);
INSERT INTO public.cards (id, email, number, region) VALUES (1, 'kimqzx@example.com', '4539-qzxq', 'seoul'),
    (2, 'leeqzx@example.com', '4539-qzxr', 'busan');
GRANT SELECT, UPDATE ON public.cards TO scrim;
";

const STAYS: &str = "
CREATE TABLE public.stays (
    room int4range, during daterange, guest text, note text, PRIMARY KEY (room, during WITHOUT OVERLAPS)
);
INSERT INTO public.stays VALUES ('[1,2)', '[2026-01-01,2026-01-05)', 'kimqzx', 'late'),
    ('[1,2)', '[2026-01-05,2026-01-07)', 'leeqzx', 'early');
GRANT SELECT ON public.stays TO scrim;
";

const RULES: &str = "
tables:
  public.cards:
    columns: {id: open, email: contact, number: identity, region: open, place: open}
  public.stays:
    columns: {room: open, during: open, guest: contact, note: open}
roles:
  clerk: {may: [read, write], masks: {'*': redact, identity: hide, contact: {keep_first: 1}}}
";

/// A server of one's own, with a role before it.
struct Clerk {
    connection: Client,
    view: RoleView,
    _server: scrim::demo::PrivatePostgres,
}

fn clerk(sql: &str) -> Clerk {
    let server = harness::start_desk();
    server.run("desk", sql).expect("tables");
    let mut connection =
        Client::connect_unix(server.socket_folder(), server.port(), "scrim", "desk");
    let snapshot = core::snapshot_over(&mut connection);
    connection.simple("SET search_path TO public");
    let view = RoleView::new("clerk", core::rules_of(&[("rules.yaml", RULES)]), snapshot);
    Clerk { connection, view: view.expect("the role"), _server: server }
}

impl Clerk {
    /// The rows, or the error, or the refusal.
    fn ask(&mut self, sql: &str) -> String {
        let path = SearchPath::parse("public").expect("a path");
        let planned = match plan(sql, Speaker::new(&self.view, &path, "kim", false)) {
            Ok(planned) => planned,
            Err(refusal) => return format!("refused {} {}", refusal.code, refusal.message),
        };
        let answers = self.connection.simple(planned.statements[0].sql.as_str());
        let found = canary::find(&self.connection.take_received());
        assert!(found.is_empty(), "{sql}: {found:?}");
        if let Some(error) = &answers[0].error {
            return format!("error {} {}", error.code, error.message);
        }
        let value = |value: &Option<Vec<u8>>| value.as_deref().map_or("␀".to_owned(), text);
        let row =
            |row: &Vec<Option<Vec<u8>>>| row.iter().map(value).collect::<Vec<_>>().join(" | ");
        answers[0].rows.iter().map(row).collect::<Vec<_>>().join("; ")
    }
}

fn what_is_computed_of_masked_columns_is_masked(sql: &str) {
    let mut clerk = clerk(sql);
    let mut holds = |sql: &str, expected: &str| assert_eq!(clerk.ask(sql), expected, "{sql}");
    holds(
        "SELECT * FROM cards ORDER BY id",
        "1 | k***************** | seoul | *** | *** | SEOUL; 2 | l***************** | busan | *** | *** | BUSAN",
    );
    holds("SELECT count(*) FROM cards WHERE loud LIKE 'KIMQZX%' OR last = 'qzxq'", "0");
    holds(
        "SELECT to_jsonb(c) ->> 'loud', c::text ~ 'QZX|qzx' FROM cards c WHERE id = 1",
        "*** | f",
    );
    holds(
        "SELECT max(loud), min(last) FROM cards GROUP BY place ORDER BY 1",
        "*** | ***; *** | ***",
    );
    // What they are computed of tells that the hidden column is there.
    holds(
        "SELECT count(*) FROM information_schema.columns WHERE column_name = 'number' OR generation_expression ~ 'number'",
        "0",
    );
    holds(
        "SELECT count(*) FROM pg_attrdef d WHERE pg_get_expr(d.adbin, d.adrelid) ~ 'number'",
        "0",
    );
    holds(
        "SELECT column_name, dependent_column FROM information_schema.column_column_usage \
         WHERE table_name = 'cards' ORDER BY 1",
        "",
    );
    // Written they are by the server alone, from what is true.
    for sql in [
        "UPDATE cards SET region = 'jeju' WHERE loud LIKE 'KIMQZX%' RETURNING id",
        "UPDATE cards SET region = 'jeju' WHERE id = 1 AND last = 'qzxq' RETURNING loud",
    ] {
        holds(sql, "");
    }
    holds(
        "UPDATE cards SET region = region WHERE id = 1 RETURNING loud, last, place",
        "*** | *** | SEOUL",
    );
    let refused = clerk.ask("UPDATE cards SET region = loud WHERE id = 1 RETURNING region");
    assert_eq!(refused, "***");
    let refused = clerk.ask("UPDATE cards SET region = region WHERE id = 1 RETURNING old.loud");
    assert!(refused.starts_with("refused 42501"), "{refused}");
}

#[test]
fn stored_columns_computed_of_masked_ones_are_masked() {
    what_is_computed_of_masked_columns_is_masked(STORED);
}

#[test]
fn virtual_columns_computed_of_masked_ones_are_masked() {
    if server_version() < 18 {
        return harness::say("skipped: virtual columns are there since PostgreSQL 18");
    }
    what_is_computed_of_masked_columns_is_masked(&STORED.replace(" STORED", " VIRTUAL"));
}

#[test]
fn a_key_over_periods_is_a_key() {
    if server_version() < 18 {
        return harness::say("skipped: WITHOUT OVERLAPS is there since PostgreSQL 18");
    }
    let mut clerk = clerk(STAYS);
    let mut holds = |sql: &str, expected: &str| assert_eq!(clerk.ask(sql), expected, "{sql}");
    holds(
        "SELECT note, guest FROM stays GROUP BY room, during ORDER BY during",
        "late | k*****; early | l*****",
    );
    holds("SELECT count(*) FROM stays WHERE guest LIKE 'kim%'", "0");
    holds(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'stays'::regclass AND contype = 'p'",
        "PRIMARY KEY (room, during WITHOUT OVERLAPS)",
    );
}
