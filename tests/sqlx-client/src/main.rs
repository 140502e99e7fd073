//! A session through sqlx; run by tests/suite/clients/sqlx.rs, with `writes` for who may everything.
//!
//! Prints what came back, a line each, so that two servers can be compared. The address is in libpq's variables.

use std::fmt::Debug;

use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use sqlx::postgres::types::{Oid, PgInterval, PgRange};
use sqlx::postgres::{
    PgAdvisoryLock, PgConnectOptions, PgConnection, PgDatabaseError, PgListener, PgPoolOptions,
    PgRow,
};
use sqlx::types::chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::types::{Decimal, Json, JsonValue, Uuid};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Error, Executor as _,
    FromRow, PgPool, Row as _, SqlSafeStr as _, Statement as _, TypeInfo as _,
};

fn is_untouched() -> bool {
    std::env::args().nth(1).as_deref() == Some("writes")
}

/// A line of what is compared.
fn saw(what: &str, value: impl Debug) {
    println!("{what}: {value:?}");
}

/// What an error says, as far as sqlx tells it.
fn saw_error(what: &str, error: &Error) {
    match error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        Some(error) => {
            // Of a text that was sent in another form, a position may be left out.
            let position = is_untouched().then(|| error.position());
            // Temporary tables are in a schema with the session's number.
            let schema =
                error.schema().map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit()));
            let said =
                (error.severity(), error.code(), error.message(), error.detail(), error.hint());
            let about = (position, schema, error.table(), error.column(), error.constraint());
            saw(what, (said, about));
        }
        None => saw(what, error),
    }
}

fn saw_columns(what: &str, row: &PgRow) {
    let columns = row.columns().iter();
    let columns = columns.map(|it| (it.name().to_owned(), it.type_info().name().to_owned()));
    saw(what, columns.collect::<Vec<_>>());
}

#[derive(Debug, FromRow)]
#[expect(dead_code, reason = "printed")]
struct Customer {
    id: i64,
    name: String,
    email: Option<String>,
    balance: Decimal,
    birth_date: Option<NaiveDate>,
    marketing_consent: bool,
    profile: Json<JsonValue>,
    created_at: DateTime<Utc>,
}

#[derive(Debug, PartialEq, sqlx::Type)]
#[sqlx(type_name = "mood", rename_all = "lowercase")]
enum Mood {
    Calm,
    Cross,
    Furious,
}

#[derive(Debug, sqlx::Type)]
#[sqlx(type_name = "short_text")]
struct ShortText(String);

const CUSTOMER: &str = "SELECT id, name, email, balance, birth_date, marketing_consent, profile, created_at \
                        FROM customers WHERE id = $1";

async fn reads(connection: &mut PgConnection) -> Result<(), Error> {
    for id in [1_i64, 2, 3, 1] {
        let row = sqlx::query(CUSTOMER).bind(id).fetch_optional(&mut *connection).await?;
        if let Some(row) = row {
            saw_columns("columns", &row);
            saw("customer", Customer::from_row(&row)?);
        }
    }
    let found =
        sqlx::query_as::<_, Customer>(CUSTOMER).bind(90_417_i64).fetch_optional(&mut *connection);
    saw("nobody", found.await?);
    let sql = "SELECT count(*) FROM customers WHERE region = ANY($1) AND email <> $2";
    let regions = vec!["seoul".to_owned(), "busan".to_owned()];
    let count = sqlx::query_scalar::<_, i64>(sql).bind(&regions).bind("minqzxsu.kim@example.com");
    saw("count", count.fetch_one(&mut *connection).await?);
    let sql = "SELECT c.region, o.status, sum(o.total), max(c.email) FROM customers c \
               JOIN orders o ON o.customer_id = c.id GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $1";
    let groups = sqlx::query_as::<_, (String, String, Decimal, Option<String>)>(sql).bind(5_i64);
    saw("groups", groups.fetch_all(&mut *connection).await?);
    // An unnamed statement, which sqlx neither keeps nor closes.
    let sql = "SELECT phone, rrn FROM customers WHERE id < $1 ORDER BY id";
    let rows = sqlx::query(sql).bind(4_i64).persistent(false).fetch_all(&mut *connection).await;
    match rows {
        Ok(rows) => {
            for row in rows {
                saw("unnamed", (row.get::<Option<String>, _>(0), row.get::<Option<String>, _>(1)));
            }
        }
        Err(error) => saw_error("unnamed", &error),
    }
    Ok(())
}

async fn streams(connection: &mut PgConnection) -> Result<(), Error> {
    let mut emails = Vec::new();
    {
        let mut rows =
            sqlx::query("SELECT id, email FROM customers ORDER BY id").fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            emails.push((row.get::<i64, _>(0), row.get::<Option<String>, _>(1)));
        }
    }
    saw("stream", emails);
    // Dropped in the middle: the next statement reads past what is left.
    {
        let mut rows = sqlx::query("SELECT a.email, b.email FROM customers a, customers b")
            .fetch(&mut *connection);
        saw("dropped after", rows.try_next().await?.is_some());
    }
    saw("after", sqlx::query_scalar::<_, i32>("SELECT 7").fetch_one(&mut *connection).await?);
    // Several statements in one text, results in the text format.
    let sql = "SELECT id, email FROM customers WHERE id = 1; SELECT 2; SELECT name FROM products WHERE id < 3 ORDER BY id";
    {
        let mut results = sqlx::raw_sql(sql).fetch_many(&mut *connection);
        while let Some(result) = results.try_next().await? {
            match result {
                sqlx::Either::Left(done) => saw("raw, done", done.rows_affected()),
                sqlx::Either::Right(row) => saw_columns("raw, row", &row),
            }
        }
    }
    let mut transaction = connection.begin().await?;
    let sql = "DECLARE walk CURSOR FOR SELECT id, name FROM customers ORDER BY id";
    sqlx::query(sql).execute(&mut *transaction).await?;
    for _ in 0..2 {
        let rows =
            sqlx::query_as::<_, (i64, String)>("FETCH 3 FROM walk").fetch_all(&mut *transaction);
        saw("cursor", rows.await?);
    }
    sqlx::query("CLOSE walk").execute(&mut *transaction).await?;
    transaction.commit().await
}

async fn types(connection: &mut PgConnection) -> Result<(), Error> {
    let sql = r#"SELECT "Id", "E-Mail", "select", j, tags, ip::text, u, f, r, s, b, flag, ts, d, mood FROM oddities
                 WHERE ts IS NULL OR ts BETWEEN '1900-01-01' AND '2100-01-01' ORDER BY "Id""#;
    for row in connection.fetch_all(sql).await? {
        saw(
            "oddity",
            (
                (
                    row.get::<i32, _>(0),
                    row.get::<Option<String>, _>(1),
                    row.get::<Option<String>, _>(2),
                ),
                (row.get::<Option<JsonValue>, _>(3), row.get::<Option<Vec<Option<String>>>, _>(4)),
                (row.get::<Option<String>, _>(5), row.get::<Option<Uuid>, _>(6)),
                (
                    row.get::<Option<f64>, _>(7),
                    row.get::<Option<f32>, _>(8),
                    row.get::<Option<i16>, _>(9),
                ),
                (row.get::<Option<Vec<u8>>, _>(10), row.get::<Option<bool>, _>(11)),
                (
                    row.get::<Option<NaiveDateTime>, _>(12),
                    row.try_get::<Option<NaiveDate>, _>(13).is_ok(),
                ),
            ),
        );
        saw("mood", row.get::<Option<Mood>, _>(14));
    }
    // Types of the database's own: sqlx asks for them in the catalogs, and once more for their elements.
    let given = sqlx::query_scalar::<_, Mood>("SELECT $1").bind(Mood::Cross);
    saw("enum", given.fetch_one(&mut *connection).await?);
    let many = sqlx::query_scalar::<_, Vec<Mood>>("SELECT ARRAY['calm', 'furious']::mood[]");
    saw("enums", many.fetch_one(&mut *connection).await?);
    let short = ShortText("short".to_owned());
    let short = sqlx::query_scalar::<_, String>("SELECT $1 AS short").bind(short);
    saw("domain", short.fetch_one(&mut *connection).await?);
    let record = sqlx::query_scalar::<_, (i32, String)>("SELECT ROW(1, 'x'::text)");
    saw("record", record.fetch_one(&mut *connection).await?);
    let range = sqlx::query_scalar::<_, PgRange<i32>>("SELECT int4range($1, $2)").bind(1).bind(5);
    saw("range", range.fetch_one(&mut *connection).await?);
    let interval = sqlx::query_scalar::<_, PgInterval>("SELECT '1 month 2 days'::interval");
    saw("interval", interval.fetch_one(&mut *connection).await?);
    let class =
        sqlx::query_scalar::<_, bool>("SELECT 'customers'::regclass::oid = $1::oid").bind(Oid(0));
    saw("oid", class.fetch_one(&mut *connection).await?);
    let whole =
        sqlx::query("SELECT * FROM products ORDER BY id").fetch_all(&mut *connection).await?;
    whole.first().into_iter().for_each(|row| saw_columns("products", row));
    Ok(())
}

/// Prepared before it is used, and more statements than sqlx keeps.
async fn prepared(options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = options.clone().statement_cache_capacity(5).connect().await?;
    let sql = "SELECT email FROM customers WHERE id = $1 AND created_at > $2".into_sql_str();
    let statement = (&mut connection).prepare(sql).await?;
    let names = statement
        .columns()
        .iter()
        .map(|it| (it.name().to_owned(), it.type_info().name().to_owned()));
    saw("statement", names.collect::<Vec<_>>());
    saw("parameters", format!("{:?}", statement.parameters().map(|of| of.map_left(<[_]>::len))));
    for id in 1..=3_i64 {
        let query =
            statement.query_scalar::<Option<String>>().bind(id).bind(DateTime::<Utc>::UNIX_EPOCH);
        saw("executed", query.fetch_optional(&mut connection).await?);
    }
    for round in 0..2 {
        for limit in 1..=12 {
            let sql = format!("SELECT max(length(email)) + $1 FROM customers WHERE id <= {limit}");
            let longest = sqlx::query_scalar::<_, Option<i32>>(AssertSqlSafe(sql)).bind(round);
            saw("kept", longest.fetch_one(&mut connection).await?);
        }
    }
    connection.clear_cached_statements().await?;
    connection.ping().await?;
    connection.close().await
}

async fn transactions(connection: &mut PgConnection) -> Result<(), Error> {
    let mut outer = connection.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").execute(&mut *outer).await?;
    saw(
        "isolation",
        sqlx::query_scalar::<_, String>("SHOW transaction_isolation")
            .fetch_one(&mut *outer)
            .await?,
    );
    let mut inner = outer.begin().await?;
    for wrong in ["SELECT 1/0", "SELECT 1"] {
        if let Err(error) = inner.execute(wrong).await {
            saw_error("in a savepoint", &error);
        }
    }
    inner.rollback().await?;
    saw(
        "goes on",
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM orders").fetch_one(&mut *outer).await?,
    );
    outer.rollback().await?;
    // Left without a word: sqlx rolls it back before the next statement.
    drop(connection.begin().await?);
    let now = "SELECT now() = statement_timestamp()";
    saw("alone", sqlx::query_scalar::<_, bool>(now).fetch_one(&mut *connection).await?);
    let id = connection.transaction(|transaction| {
        Box::pin(async move {
            sqlx::query_scalar::<_, i64>("SELECT max(id) FROM customers")
                .fetch_one(&mut **transaction)
                .await
        })
    });
    saw("closure", id.await?);
    Ok(())
}

async fn errors(connection: &mut PgConnection) -> Result<(), Error> {
    let wrong = [
        "SELECT 1/0",
        "SELECT nothing FROM customers",
        "SELECT * FROM nowhere",
        "SELEC 1",
        "SELECT 'x'::int",
        "SELECT email::int FROM customers WHERE id = 1",
        "",
    ];
    for sql in wrong {
        match sqlx::query(sql).fetch_all(&mut *connection).await {
            Ok(rows) => saw("no error", rows.len()),
            Err(error) => saw_error("error", &error),
        }
    }
    let number = sqlx::query("SELECT id FROM customers WHERE id = $1::bigint").bind("no number");
    if let Err(error) = number.fetch_all(&mut *connection).await {
        saw_error("parameter", &error);
    }
    Ok(())
}

async fn copies(options: &PgConnectOptions, connection: &mut PgConnection) -> Result<(), Error> {
    for sql in [
        "COPY (SELECT id, email FROM customers WHERE id < 4 ORDER BY id) TO STDOUT",
        "COPY customers TO STDOUT WITH (FORMAT csv, HEADER)",
        "COPY products (id, name) TO STDOUT (FORMAT binary)",
    ] {
        let parts: Vec<_> = connection.copy_out_raw(sql).await?.try_collect().await?;
        // A table's order is the server's own choice.
        let mut lines: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
        lines.sort();
        saw("copied", lines);
    }
    // sqlx 0.9 is lost after a COPY that fails at once, here as at PostgreSQL, so this one has a connection of its own.
    let mut other = options.connect().await?;
    if let Err(error) = other.copy_out_raw("COPY nowhere TO STDOUT").await.map(|_| ()) {
        saw_error("no copy", &error);
    }
    drop(other);
    saw("after", sqlx::query_scalar::<_, i32>("SELECT 8").fetch_one(&mut *connection).await?);
    Ok(())
}

async fn pools(options: &PgConnectOptions) -> Result<(), Error> {
    let pool = PgPoolOptions::new()
        .min_connections(2)
        .max_connections(6)
        .connect_with(options.clone())
        .await?;
    let asked = (0..80_i64).map(|number| {
        let pool: PgPool = pool.clone();
        async move {
            let sql = "SELECT email FROM customers WHERE id = $1";
            sqlx::query_scalar::<_, Option<String>>(sql)
                .bind(number % 40 + 1)
                .fetch_optional(&pool)
                .await
        }
    });
    let answers: Result<Vec<_>, Error> = join_all(asked).await.into_iter().collect();
    saw("pool", answers?);
    pool.close().await;
    Ok(())
}

/// For who may everything; nothing of it stays.
async fn writes(options: &PgConnectOptions, connection: &mut PgConnection) -> Result<(), Error> {
    // As `query!` does when a program is compiled: the types, and by an EXPLAIN what may be NULL.
    let sql = "SELECT c.id, c.email, o.total FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.id = $1";
    let described = (&mut *connection).describe(sql.into_sql_str()).await?;
    let columns = described.columns().iter().enumerate();
    let columns =
        columns.map(|(place, it)| (it.relation_attribute_no(), described.nullable(place)));
    saw("described", columns.collect::<Vec<_>>());

    let mut transaction = connection.begin().await?;
    transaction
        .execute("CREATE TEMP TABLE noted (id int PRIMARY KEY, at timestamptz, what jsonb)")
        .await?;
    let mut copy = transaction.copy_in_raw("COPY noted (id, what) FROM STDIN").await?;
    copy.send(b"1\t{\"a\": 1}\n2\t{}\n".as_slice()).await?;
    saw("copied in", copy.finish().await?);
    let sql =
        "INSERT INTO noted (id, at, what) VALUES ($1, $2, $3), ($4, $2, $3) ON CONFLICT DO NOTHING";
    let what = Json(vec!["x"]);
    let done = sqlx::query(sql).bind(2).bind(DateTime::<Utc>::UNIX_EPOCH).bind(what).bind(3);
    saw("inserted", done.execute(&mut *transaction).await?.rows_affected());
    let sql = "UPDATE noted SET what = '{}' WHERE id > $1 RETURNING id, at";
    let rows = sqlx::query_as::<_, (i32, Option<DateTime<Utc>>)>(sql).bind(1);
    saw("updated", rows.fetch_all(&mut *transaction).await?);
    let mut copy = transaction.begin().await?;
    let mut broken = copy.copy_in_raw("COPY noted (id) FROM STDIN").await?;
    broken.send(b"4\nnot a number\n".as_slice()).await?;
    if let Err(error) = broken.finish().await {
        saw_error("copy that breaks", &error);
    }
    copy.rollback().await?;
    let again = sqlx::query("INSERT INTO noted (id) VALUES (1)").execute(&mut *transaction).await;
    if let Err(error) = again {
        saw_error("unique", &error);
    }
    transaction.rollback().await?;

    let mut other = options.connect().await?;
    let lock = PgAdvisoryLock::new("scrim's sqlx");
    let held = lock.acquire(&mut *connection).await?;
    saw("taken", matches!(lock.try_acquire(&mut other).await?, sqlx::Either::Right(_)));
    held.release_now().await?;
    saw("free", matches!(lock.try_acquire(&mut other).await?, sqlx::Either::Left(_)));
    other.close().await?;

    let pool = PgPoolOptions::new().max_connections(2).connect_with(options.clone()).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen_all(["sqlx one", "sqlx two"]).await?;
    sqlx::query("SELECT pg_notify($1, 'kim')").bind("sqlx two").execute(&pool).await?;
    let heard = listener.recv().await?;
    saw("heard", (heard.channel(), heard.payload()));
    listener.unlisten_all().await?;
    drop(listener);
    pool.close().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // Before anything else, and by nobody else: libpq's password file is none of our business.
    let mut options = PgConnectOptions::new_without_pgpass().application_name("sqlx");
    if let Some(folder) = std::env::var("PGHOST").ok().filter(|host| host.starts_with('/')) {
        options = options.socket(folder);
    }
    let mut connection = options.connect().await?;
    reads(&mut connection).await?;
    streams(&mut connection).await?;
    types(&mut connection).await?;
    prepared(&options).await?;
    transactions(&mut connection).await?;
    errors(&mut connection).await?;
    copies(&options, &mut connection).await?;
    pools(&options).await?;
    if is_untouched() {
        writes(&options, &mut connection).await?;
    }
    connection.close().await
}
