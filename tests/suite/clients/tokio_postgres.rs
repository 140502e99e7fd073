//! tokio-postgres: the extended protocol as a Rust service speaks it, binary formats throughout.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

use crate::harness;

async fn connect(user: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(harness::scrim().address.port()).dbname("desk").user(user);
    config.password(scrim::demo::sample_password(user));
    let (client, connection) = config.connect(NoTls).await.expect("login");
    tokio::spawn(connection);
    client
}

/// Each test has a runtime of its own; Scrim runs in another.
fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(test);
}

#[test]
fn queries_with_parameters_see_masks() {
    run(async {
        let alice = connect("alice").await;
        let sql = "SELECT email, tier FROM customers WHERE id = $1 AND region = $2";
        let row = alice.query_one(sql, &[&1_i64, &"seoul"]).await.expect("row");
        assert_eq!(row.get::<_, String>("email"), "m***@example.com");
        assert_eq!(row.get::<_, String>("tier"), "pro");

        // A guess at the true value finds nothing.
        let sql = "SELECT count(*) FROM customers WHERE email = $1";
        let row = alice.query_one(sql, &[&"minqzxsu.kim@example.com"]).await.expect("row");
        assert_eq!(row.get::<_, i64>(0), 0);
    });
}

#[test]
fn prepared_statements_are_executed_many_times() {
    run(async {
        let alice = connect("alice").await;
        let statement =
            alice.prepare("SELECT id, birth_date::text FROM customers WHERE id = $1").await;
        let statement = statement.expect("prepared");
        for id in 1_i64..=10 {
            let row = alice.query_one(&statement, &[&id]).await.expect("row");
            assert_eq!(row.get::<_, i64>(0), id);
        }
        // Several at once, on one connection: a pipeline.
        let ids = [11_i64, 12, 13];
        let parameters: [[&(dyn ToSql + Sync); 1]; 3] = [[&ids[0]], [&ids[1]], [&ids[2]]];
        let (one, two, three) = tokio::join!(
            alice.query_one(&statement, &parameters[0]),
            alice.query_one(&statement, &parameters[1]),
            alice.query_one(&statement, &parameters[2]),
        );
        let got = [one, two, three].map(|row| row.expect("row").get::<_, i64>(0));
        assert_eq!(got, ids);
    });
}

#[test]
fn a_transaction_fails_and_goes_on() {
    run(async {
        let mut alice = connect("alice").await;
        let mut transaction = alice.transaction().await.expect("BEGIN");
        transaction.query("SELECT id FROM customers", &[]).await.expect("rows");
        let savepoint = transaction.savepoint("before").await.expect("SAVEPOINT");
        // Refused by Scrim inside a transaction: the transaction is broken as PostgreSQL would have it.
        let error = savepoint.query("SELECT reveal_email(1)", &[]).await.expect_err("refused");
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
        let error = savepoint.query("SELECT 1", &[]).await.expect_err("aborted");
        assert_eq!(error.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
        savepoint.rollback().await.expect("ROLLBACK TO");
        transaction.query("SELECT 1", &[]).await.expect("goes on");
        transaction.commit().await.expect("COMMIT");
    });
}

#[test]
fn binary_types_keep_their_types() {
    run(async {
        let alice = connect("alice").await;
        let sql = r#"SELECT "Id", f, s, flag, u::text, mood::text, b FROM oddities WHERE "Id" = 1"#;
        let row = alice.query_one(sql, &[]).await.expect("row");
        assert_eq!(row.get::<_, i32>(0), 1);
        assert_eq!(row.get::<_, f64>(1), 90410.0);
        assert_eq!(row.get::<_, i16>(2), 0);
        assert!(!row.get::<_, bool>(3));
        assert_eq!(row.get::<_, String>(4), "00000000-0000-0000-0000-000000000000");
        assert_eq!(row.get::<_, String>(5), "calm");
        assert_eq!(row.get::<_, Vec<u8>>(6), Vec::<u8>::new());
    });
}

#[test]
fn errors_are_the_server_s() {
    run(async {
        let alice = connect("alice").await;
        let error = alice.query("SELECT 1/0", &[]).await.expect_err("division");
        assert_eq!(error.code(), Some(&SqlState::DIVISION_BY_ZERO));
        let error = alice.query("SELECT * FROM nowhere", &[]).await.expect_err("no table");
        assert_eq!(error.code(), Some(&SqlState::UNDEFINED_TABLE));
        let error = alice.query("SELEC 1", &[]).await.expect_err("syntax");
        assert_eq!(error.code(), Some(&SqlState::SYNTAX_ERROR));
        alice.query("SELECT 1", &[]).await.expect("the session survives");
    });
}

#[test]
fn a_statement_is_cancelled() {
    run(async {
        let alice = connect("alice").await;
        let token = alice.cancel_token();
        let endless =
            "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b";
        let query = alice.query(endless, &[]);
        tokio::pin!(query);
        // A cancel that comes before the statement has no effect, so it is sent until it has one.
        let error = loop {
            tokio::select! {
                result = &mut query => break result.expect_err("cancelled"),
                cancelled = token.cancel_query(NoTls) => cancelled.expect("cancel"),
            }
        };
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        alice.query("SELECT 1", &[]).await.expect("the session survives");
    });
}

#[test]
fn rows_stream_through_a_portal() {
    run(async {
        let mut alice = connect("alice").await;
        let transaction = alice.transaction().await.expect("BEGIN");
        let portal = transaction.bind("SELECT id FROM customers ORDER BY id", &[]).await;
        let portal = portal.expect("portal");
        let first = transaction.query_portal(&portal, 3).await.expect("rows");
        let rest = transaction.query_portal(&portal, 0).await.expect("rows");
        assert_eq!((first.len(), rest.len()), (3, 37));
    });
}
