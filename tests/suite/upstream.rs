//! Connections to a real PostgreSQL: login, TLS, queries of our own, cancel, the catalog, a server that dies.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scrim::demo::{PostgresOptions, PrivatePostgres, SUPERUSER, sample_password};
use scrim::upstream::{
    Endpoint, Hosts, QueryError, ServerConnection, ServerStream, TlsMode, UpstreamError, cancel,
    load_snapshot,
};
use scrim::wire::{certificates, tls};

use crate::harness;

/// A login that takes longer is a hang.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server of our own that speaks TLS, and the folder of its certificates.
struct TlsServer {
    server: PrivatePostgres,
    certificates: tempfile::TempDir,
}

fn tls_server() -> &'static TlsServer {
    static SERVER: OnceLock<TlsServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("folder");
        certificates::make_certificates(folder.path()).expect("certificates");
        let text = |name| std::fs::read_to_string(folder.path().join(name)).expect("file");
        let options = PostgresOptions {
            tls: Some((text("server.crt"), text("server.key"))),
            ..PostgresOptions::default()
        };
        let server = PrivatePostgres::start(&options).unwrap_or_else(|error| panic!("{error}"));
        let sql = "CREATE ROLE scrim LOGIN PASSWORD 'scrim-demo'";
        server.run("postgres", sql).expect("login");
        TlsServer { server, certificates: folder }
    })
}

/// By TCP as the service account, with its right password.
fn endpoint(server: &PrivatePostgres, tls: TlsMode) -> Endpoint {
    Endpoint {
        hosts: Hosts::one("127.0.0.1", server.port()),
        user: "scrim".to_owned(),
        password: Some(sample_password("scrim").into()),
        tls,
        ca: None,
    }
}

fn verify_full(server: &PrivatePostgres, authority: &Path) -> Endpoint {
    let roots = tls::root_certificates(authority).expect("authority");
    Endpoint { ca: Some(roots), ..endpoint(server, TlsMode::VerifyFull) }
}

async fn open(endpoint: &Endpoint, database: &str) -> Result<ServerConnection, UpstreamError> {
    ServerConnection::open(endpoint, database, &[], TIMEOUT).await
}

async fn one(connection: &mut ServerConnection, sql: &str) -> String {
    let rows = connection.query(sql).await.expect("answer");
    rows[0][0].clone().expect("a value")
}

fn code<T>(result: Result<T, UpstreamError>) -> String {
    match result.err().expect("no connection") {
        UpstreamError::Refused { code, .. } => code,
        other => other.to_string(),
    }
}

#[tokio::test]
async fn a_login_by_scram_gives_parameters_and_a_key() {
    let endpoint = endpoint(harness::postgres(), TlsMode::Disable);
    let parameters = [("application_name".to_owned(), "a \\ name".to_owned())];
    let opened = ServerConnection::open(&endpoint, "desk", &parameters, TIMEOUT).await;
    let mut connection = opened.expect("connection");
    assert!(matches!(connection.stream, ServerStream::Tcp(_)));
    let said = |name: &str| {
        let parameters = connection.parameters.iter();
        parameters.filter(|(each, _)| each == name).map(|(_, value)| value.clone()).collect()
    };
    let encodings: Vec<String> = said("client_encoding");
    assert_eq!(encodings.len(), 1);
    assert_eq!(said("application_name"), ["a \\ name"]);
    let process_id = connection.backend_key.0.to_string();
    assert_eq!(one(&mut connection, "SELECT pg_backend_pid()").await, process_id);
    assert_eq!(
        one(&mut connection, "SELECT current_user || '@' || current_database()").await,
        "scrim@desk"
    );
}

#[tokio::test]
async fn a_unix_socket_needs_no_password_and_no_tls() {
    let server = harness::postgres();
    let endpoint = Endpoint {
        hosts: Hosts::one(server.socket_folder().display().to_string(), server.port()),
        user: SUPERUSER.to_owned(),
        password: None,
        ..endpoint(server, TlsMode::Require)
    };
    let mut connection = open(&endpoint, "desk").await.expect("connection");
    assert!(matches!(connection.stream, ServerStream::Unix(_)));
    assert_eq!(one(&mut connection, "SELECT 6 * 7").await, "42");
}

#[tokio::test]
async fn refusals_keep_the_servers_code() {
    let right = endpoint(harness::postgres(), TlsMode::Disable);
    assert_eq!(code(open(&right, "no_such_database").await), "3D000");
    let wrong = Endpoint { password: Some("wrong".to_owned().into()), ..right.clone() };
    assert_eq!(code(open(&wrong, "desk").await), "28P01");
    let unknown = Endpoint { user: "nobody".to_owned(), ..right.clone() };
    assert_eq!(code(open(&unknown, "desk").await), "28P01");
    let none = Endpoint { password: None, ..right.clone() };
    assert!(code(open(&none, "desk").await).contains("none is configured"));
    let setting = [("no_such_setting".to_owned(), "1".to_owned())];
    let opened = ServerConnection::open(&right, "desk", &setting, TIMEOUT).await;
    assert_eq!(code(opened), "42704");
}

#[tokio::test]
async fn a_server_that_is_down_is_said_by_name() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        listener.local_addr().expect("address").port()
    };
    let endpoint = Endpoint {
        hosts: Hosts::one("127.0.0.1", port),
        ..endpoint(harness::postgres(), TlsMode::Prefer)
    };
    let error = open(&endpoint, "desk").await.err().expect("no connection");
    assert!(error.to_string().starts_with(&format!("cannot connect to 127.0.0.1:{port}: ")));
    assert!(matches!(
        error,
        UpstreamError::Connect { source, .. } if source.kind() == ErrorKind::ConnectionRefused
    ));
    let folder = tempfile::tempdir().expect("folder");
    let endpoint =
        Endpoint { hosts: Hosts::one(folder.path().display().to_string(), port), ..endpoint };
    assert!(matches!(open(&endpoint, "desk").await, Err(UpstreamError::Connect { .. })));
}

#[tokio::test]
async fn prefer_takes_tls_where_it_is_and_goes_without_where_not() {
    let with = tls_server();
    for mode in [TlsMode::Prefer, TlsMode::Require] {
        let mut connection =
            open(&endpoint(&with.server, mode), "postgres").await.expect("connection");
        assert!(matches!(connection.stream, ServerStream::Tls(_)), "{mode:?}");
        let sql = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert_eq!(one(&mut connection, sql).await, "TLSv1.3");
    }
    let plain = open(&endpoint(&with.server, TlsMode::Disable), "postgres").await;
    assert!(matches!(plain.expect("connection").stream, ServerStream::Tcp(_)));
    let without = harness::postgres();
    let plain = open(&endpoint(without, TlsMode::Prefer), "desk").await.expect("connection");
    assert!(matches!(plain.stream, ServerStream::Tcp(_)));
    let error = open(&endpoint(without, TlsMode::Require), "desk").await.err();
    assert!(matches!(error, Some(UpstreamError::Tls(_))), "{error:?}");
}

#[tokio::test]
async fn verify_full_wants_the_right_authority_and_the_right_name() {
    let TlsServer { server, certificates } = tls_server();
    let right = verify_full(server, &certificates.path().join("ca.crt"));
    let mut connection = open(&right, "postgres").await.expect("connection");
    assert_eq!(one(&mut connection, "SELECT 1").await, "1");

    let other = tempfile::tempdir().expect("folder");
    certificates::make_certificates(other.path()).expect("certificates");
    let wrong = verify_full(server, &other.path().join("ca.crt"));
    let missing = Endpoint { ca: None, ..right.clone() };
    // The same address by a name that the certificate does not have.
    let elsewhere = Endpoint { hosts: Hosts::one("127.1", server.port()), ..right };
    for endpoint in [wrong, missing, elsewhere] {
        let error = open(&endpoint, "postgres").await.err();
        assert!(matches!(error, Some(UpstreamError::Tls(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_over_tls_is_the_servers_refusal() {
    let right = endpoint(&tls_server().server, TlsMode::Require);
    let wrong = Endpoint { password: Some("wrong".to_owned().into()), ..right };
    assert_eq!(code(open(&wrong, "postgres").await), "28P01");
}

#[tokio::test]
async fn queries_of_our_own_give_text_and_leave_the_connection_in_step() {
    let endpoint = endpoint(harness::postgres(), TlsMode::Disable);
    let mut connection = open(&endpoint, "desk").await.expect("connection");
    let rows = connection.query("SELECT 1, NULL, '', 'ü' UNION ALL SELECT 2, 'a', 'b', 'c'").await;
    let text = |value: &str| Some(value.to_owned());
    assert_eq!(
        rows.expect("rows"),
        [[text("1"), None, text(""), text("ü")], [text("2"), text("a"), text("b"), text("c")]]
    );
    assert_eq!(connection.query("").await.expect("nothing"), Vec::<Vec<_>>::new());

    let failed = connection.query("SELECT 1; SELECT 1/0; SELECT 2").await;
    assert!(matches!(failed, Err(QueryError::Server { code, .. }) if code == "22012"));
    assert_eq!(one(&mut connection, "SELECT 3").await, "3");

    // Notices and parameters come between.
    let sql = "DO $$ BEGIN RAISE NOTICE 'hm'; END $$; SET application_name = 'later'; SELECT 4";
    assert_eq!(one(&mut connection, sql).await, "4");
    let later = ("application_name".to_owned(), "later".to_owned());
    assert!(connection.parameters.contains(&later));

    // A row far beyond one read.
    let long = one(&mut connection, "SELECT repeat('x', 3000000)").await;
    assert_eq!(long.len(), 3_000_000);

    let copy = connection.query("COPY (SELECT 1) TO STDOUT").await;
    assert!(matches!(copy, Err(QueryError::Broken(_))));
}

#[tokio::test]
async fn a_connection_that_the_server_ends_says_why() {
    let endpoint = endpoint(harness::postgres(), TlsMode::Disable);
    let mut connection = open(&endpoint, "desk").await.expect("connection");
    let ended = connection.query("SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert!(
        matches!(&ended, Err(QueryError::Broken(why)) if why.starts_with("57P01 ")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_cancel_reaches_the_statement_with_and_without_tls() {
    for mode in [TlsMode::Disable, TlsMode::Require] {
        let endpoint = endpoint(&tls_server().server, mode);
        let mut connection = open(&endpoint, "postgres").await.expect("connection");
        let key = connection.backend_key.clone();
        let ended = AtomicBool::new(false);
        // A cancel that comes before the statement hits nothing, so there is one after the other until it has ended.
        let cancelling = async {
            while !ended.load(Ordering::Relaxed) {
                cancel(&endpoint, 0, &key).await.expect("cancelled");
            }
        };
        let sleeping = async {
            let slept = connection.query("SELECT pg_sleep(600)").await;
            ended.store(true, Ordering::Relaxed);
            slept
        };
        let (slept, ()) = tokio::join!(sleeping, cancelling);
        assert!(matches!(slept, Err(QueryError::Server { code, .. }) if code == "57014"));
        // The last cancel may hit what comes next, but no more than that: its connection has been closed.
        let _ = connection.query("SELECT 1").await;
        assert_eq!(one(&mut connection, "SELECT 5").await, "5");
    }
}

#[tokio::test]
async fn a_cancel_with_another_key_cancels_nothing() {
    let endpoint = endpoint(harness::postgres(), TlsMode::Disable);
    let mut connection = open(&endpoint, "desk").await.expect("connection");
    let (process_id, key) = connection.backend_key.clone();
    let wrong = (process_id, key.iter().map(|byte| !byte).collect::<Vec<u8>>());
    // The statement waits for a lock that we let go only after the cancel has been judged.
    let mut holder = open(&endpoint, "desk").await.expect("connection");
    holder.query("SELECT pg_advisory_lock(90417)").await.expect("lock");
    let waiting = connection.query("SELECT pg_advisory_lock(90417)");
    let (waited, ()) = tokio::join!(waiting, async {
        cancel(&endpoint, 0, &wrong).await.expect("closed without an answer");
        holder.query("SELECT pg_advisory_unlock(90417)").await.expect("unlock");
    });
    assert!(waited.is_ok(), "{waited:?}");
}

#[tokio::test]
async fn the_catalog_of_the_sample_is_read() {
    let endpoint = endpoint(harness::postgres(), TlsMode::Disable);
    let mut connection = open(&endpoint, "desk").await.expect("connection");
    let snapshot = load_snapshot(&mut connection).await.expect("snapshot");
    assert_eq!((snapshot.database.as_str(), snapshot.login.as_str()), ("desk", "scrim"));
    let customers = snapshot.relation_named("public", "customers").expect("customers");
    assert_eq!(customers.column("email").expect("email").type_sql, "character varying(120)");
    assert_eq!(customers.primary_key, [1]);
}

#[test]
fn a_server_that_dies_is_a_broken_connection_and_the_next_one_is_well() {
    let server = PrivatePostgres::start(&PostgresOptions::default()).expect("server");
    // Commits are asynchronous there: without a checkpoint the login would not outlive the server.
    let sql = "CREATE ROLE scrim LOGIN PASSWORD 'scrim-demo'; CHECKPOINT";
    server.run("postgres", sql).expect("login");
    let endpoint = endpoint(&server, TlsMode::Disable);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("runtime");
    let mut connection = runtime.block_on(open(&endpoint, "postgres")).expect("connection");
    server.halt().expect("halt");
    let gone = runtime.block_on(connection.query("SELECT 1"));
    assert!(matches!(gone, Err(QueryError::Broken(_))), "{gone:?}");
    let down = runtime.block_on(open(&endpoint, "postgres")).err();
    assert!(matches!(down, Some(UpstreamError::Connect { .. })), "{down:?}");
    server.resume().expect("resume");
    let mut connection = runtime.block_on(open(&endpoint, "postgres")).expect("connection");
    assert_eq!(runtime.block_on(one(&mut connection, "SELECT 7")), "7");
}
