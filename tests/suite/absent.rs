//! What is partitioned by a hidden column, on a server of its own: neither the key nor the bounds are told.

use scrim::catalog::SearchPath;
use scrim::policy::RoleView;
use scrim::sql::{Speaker, plan};

use crate::harness::client::{Client, text};
use crate::harness::{self, core};

const SQL: &str = "
CREATE TABLE public.registry (id bigint, number text, region text) PARTITION BY RANGE (left(number, 1));
CREATE TABLE public.registry_a PARTITION OF public.registry FOR VALUES FROM ('0') TO ('5') PARTITION BY LIST (region);
CREATE TABLE public.registry_a_home PARTITION OF public.registry_a FOR VALUES IN ('home');
CREATE TABLE public.plain (id bigint, region text) PARTITION BY LIST (region);
CREATE TABLE public.plain_home PARTITION OF public.plain FOR VALUES IN ('home');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO scrim;
";

const RULES: &str = "
open: [public.plain]
tables:
  public.registry:
    columns: {id: open, region: open, number: identity}
roles:
  clerk: {masks: {'*': redact, identity: hide}}
";

fn answer(connection: &mut Client, view: &RoleView, sql: &str) -> String {
    let path = SearchPath::parse("public").expect("a path");
    let planned = plan(sql, Speaker::new(view, &path, "kim", false));
    let planned = planned.unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    let answers = connection.simple(planned.statements[0].sql.as_str());
    assert!(answers[0].error.is_none(), "{sql}: {:?}", answers[0].error);
    let value = |value: &Option<Vec<u8>>| value.as_deref().map_or("␀".to_owned(), text);
    let row = |row: &Vec<Option<Vec<u8>>>| row.iter().map(value).collect::<Vec<_>>().join(" | ");
    answers[0].rows.iter().map(row).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_hidden_column_that_partitions_is_told_by_nothing() {
    let server = harness::start_desk();
    server.run("desk", SQL).expect("tables");
    let mut connection =
        Client::connect_unix(server.socket_folder(), server.port(), "scrim", "desk");
    let snapshot = core::snapshot_over(&mut connection);
    // Reading the catalog has set another one.
    connection.simple("SET search_path TO public");
    let view = RoleView::new("clerk", core::rules_of(&[("rules.yaml", RULES)]), snapshot);
    let view = view.expect("the role");
    let mut ask = |sql: &str| answer(&mut connection, &view, sql);
    assert_eq!(
        ask("SELECT pg_get_partkeydef('registry'::regclass), pg_get_partkeydef('plain'::regclass)"),
        "␀ | LIST (region)"
    );
    assert_eq!(
        ask(
            "SELECT relname, pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p' AND relname <> 'payments' ORDER BY 1"
        ),
        "plain | LIST (region); registry | ␀; registry_a | LIST (region)"
    );
    assert_eq!(
        ask(
            "SELECT relname, pg_get_expr(relpartbound, oid), pg_get_partition_constraintdef(oid) IS NULL \
             FROM pg_class WHERE relispartition AND relname !~ '^payments' ORDER BY 1"
        ),
        "plain_home | FOR VALUES IN ('home') | f; registry_a | ␀ | t; registry_a_home | ␀ | t"
    );
    assert_eq!(
        ask(
            "SELECT partrelid::regclass FROM pg_partitioned_table WHERE partrelid <> 'payments'::regclass ORDER BY partrelid::regclass::text"
        ),
        "plain; registry_a"
    );
}
