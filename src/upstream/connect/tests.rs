use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Endpoint, Hosts, ServerConnection, TlsMode, UpstreamError, cancel};
use crate::upstream::QueryError;
use crate::wire::certificates::make_certificates;
use crate::wire::{reader, tls, writer};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A server that reads whatever comes and says the next of `answers` each time, then closes.
async fn server(answers: Vec<BytesMut>) -> (Endpoint, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint {
        hosts: Hosts::one("127.0.0.1", listener.local_addr().unwrap().port()),
        user: "scrim".to_owned(),
        password: Some("correct horse".to_owned().into()),
        tls: TlsMode::Disable,
        ca: None,
    };
    let heard = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        for answer in answers {
            if socket.read_buf(&mut heard).await.unwrap() == 0 {
                return heard;
            }
            socket.write_all(&answer).await.unwrap();
        }
        socket.shutdown().await.unwrap();
        let _ = socket.read_to_end(&mut heard).await;
        heard
    });
    (endpoint, heard)
}

fn said(say: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    say(&mut out);
    out
}

fn greeting() -> BytesMut {
    said(|out| {
        writer::authentication_ok(out);
        writer::parameter_status(out, "server_version", "15.1");
        writer::backend_key_data(out, 7, &[1, 2, 3, 4]).unwrap();
        writer::ready_for_query(out, b'I');
    })
}

async fn open(endpoint: &Endpoint) -> Result<ServerConnection, UpstreamError> {
    ServerConnection::open(endpoint, "desk", &[], TIMEOUT).await
}

/// Why it did not open, and what the server heard.
async fn failure(answers: Vec<BytesMut>, tls: TlsMode) -> (String, Vec<u8>) {
    let (mut endpoint, heard) = server(answers).await;
    endpoint.tls = tls;
    let message = open(&endpoint).await.err().unwrap().to_string();
    (message, heard.await.unwrap())
}

#[tokio::test]
async fn a_trusting_server_greets_and_answers() {
    let answer = said(|out| {
        out.extend_from_slice(b"D\0\0\0\x10\0\x02\0\0\0\x02ab\xff\xff\xff\xff");
        writer::parameter_status(out, "server_version", "15.2");
        writer::command_complete(out, "SELECT 1");
        writer::ready_for_query(out, b'I');
    });
    let refusal = said(|out| {
        let message = writer::ErrorMessage::new("ERROR", "22012", "division by zero");
        writer::error_response(out, &message);
        writer::ready_for_query(out, b'I');
    });
    let (endpoint, _) = server(vec![greeting(), answer, refusal]).await;
    let mut connection = open(&endpoint).await.unwrap();
    assert_eq!(connection.backend_key, (7, vec![1, 2, 3, 4]));
    let rows = connection.query("SELECT 'ab', NULL").await.unwrap();
    assert_eq!(rows, [[Some("ab".to_owned()), None]]);
    let version = ("server_version".to_owned(), "15.2".to_owned());
    assert_eq!(connection.parameters, [version]);
    let refused = connection.query("SELECT 1/0").await;
    assert!(matches!(refused, Err(QueryError::Server { code, .. }) if code == "22012"));
    let gone = connection.query("SELECT 1").await;
    assert!(matches!(gone, Err(QueryError::Broken(_))));
}

#[tokio::test]
async fn the_password_is_never_given_in_the_clear_or_as_md5() {
    let clear = said(writer::authentication_cleartext_password);
    let md5 = BytesMut::from(b"R\0\0\0\x0c\0\0\0\x05salt".as_slice());
    for (asked, message) in [(clear, "in the clear"), (md5, "an MD5")] {
        let (why, heard) = failure(vec![asked], TlsMode::Disable).await;
        assert!(why.contains(message), "{why}");
        // The StartupMessage and nothing else.
        let length = usize::from(heard[3]);
        assert_eq!((&heard[..3], heard.len()), ([0, 0, 0].as_slice(), length));
    }
}

/// A server with TLS that offers these mechanisms: the first password message that it hears.
async fn first_over_tls(mechanisms: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path()).unwrap();
    let file = |name| folder.path().join(name);
    let config = tls::server_config(&file("server.crt"), &file("server.key"), None).unwrap();
    let config = std::sync::Arc::clone(&config.config);
    let (mut endpoint, _) = server(Vec::new()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    endpoint.hosts = Hosts::one("127.0.0.1", listener.local_addr().unwrap().port());
    endpoint.tls = TlsMode::Require;
    let offer = said(|out| writer::authentication_sasl(out, mechanisms));
    let hearing = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_exact(&mut [0; 8]).await.unwrap();
        socket.write_all(b"S").await.unwrap();
        let mut socket = TlsAcceptor::from(config).accept(socket).await.unwrap();
        let mut heard = Vec::with_capacity(1024);
        assert!(socket.read_buf(&mut heard).await.unwrap() > 0);
        socket.write_all(&offer).await.unwrap();
        heard.clear();
        let _ = socket.read_buf(&mut heard).await;
        heard
    };
    let (heard, opened) = tokio::join!(hearing, open(&endpoint));
    assert!(opened.is_err());
    heard
}

#[tokio::test]
async fn over_tls_the_proof_is_bound_to_the_certificate() {
    let heard = first_over_tls(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]).await;
    let initial = reader::sasl_initial(&heard[5..]).unwrap();
    assert_eq!(initial.mechanism, "SCRAM-SHA-256-PLUS");
    assert!(initial.data.unwrap().starts_with(b"p=tls-server-end-point,,"));

    // A server that does not offer it hears that we could have.
    let heard = first_over_tls(&["SCRAM-SHA-256"]).await;
    let initial = reader::sasl_initial(&heard[5..]).unwrap();
    assert_eq!(initial.mechanism, "SCRAM-SHA-256");
    assert!(initial.data.unwrap().starts_with(b"y,,"));

    assert!(first_over_tls(&["OAUTHBEARER"]).await.is_empty());
}

#[tokio::test]
async fn without_tls_the_flag_says_that_nothing_can_be_bound() {
    let sasl = said(|out| {
        writer::authentication_sasl(out, &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]);
    });
    let (_, heard) = failure(vec![sasl], TlsMode::Disable).await;
    let at = usize::from(heard[3]);
    let initial = reader::sasl_initial(&heard[at + 5..]).unwrap();
    assert_eq!(initial.mechanism, "SCRAM-SHA-256");
    assert!(initial.data.unwrap().starts_with(b"n,,"));
}

#[tokio::test]
async fn a_server_that_gives_up_says_why() {
    let fatal = said(|out| {
        let why = "terminating connection due to administrator command";
        writer::error_response(out, &writer::ErrorMessage::new("FATAL", "57P01", why));
    });
    let (endpoint, _) = server(vec![greeting(), fatal]).await;
    let ended = open(&endpoint).await.unwrap().query("SELECT 1").await;
    assert!(matches!(ended, Err(QueryError::Broken(why)) if why.starts_with("57P01 terminating")));
}

#[tokio::test]
async fn a_server_that_skips_its_own_proof_is_refused() {
    let sasl = said(|out| writer::authentication_sasl(out, &["SCRAM-SHA-256"]));
    let (why, _) = failure(vec![sasl, greeting()], TlsMode::Disable).await;
    assert!(why.contains("out of turn"), "{why}");
    let plus = said(|out| writer::authentication_sasl(out, &["SCRAM-SHA-256-PLUS"]));
    let (why, _) = failure(vec![plus], TlsMode::Disable).await;
    assert!(why.contains("expected `SCRAM-SHA-256`"), "{why}");
}

#[tokio::test]
async fn required_tls_never_falls_back_and_prefer_only_on_no() {
    let byte = |byte: &[u8]| BytesMut::from(byte);
    for mode in [TlsMode::Require, TlsMode::VerifyFull] {
        let (why, heard) = failure(vec![byte(b"N")], mode).await;
        assert!(why.contains("does not support it"), "{why}");
        assert_eq!(heard.len(), 8);
    }
    let (why, heard) = failure(vec![byte(b"E")], TlsMode::Prefer).await;
    assert!(why.starts_with("TLS with the database failed"), "{why}");
    assert_eq!(heard.len(), 8);
    // What stands behind the `S` in the clear goes to the handshake, which it breaks.
    let mut stuffed = byte(b"S");
    stuffed.extend_from_slice(&greeting());
    let (why, _) = failure(vec![stuffed], TlsMode::Require).await;
    assert!(why.starts_with("TLS with the database failed"), "{why}");
    let (mut endpoint, _) = server(vec![byte(b"N"), greeting()]).await;
    endpoint.tls = TlsMode::Prefer;
    assert!(open(&endpoint).await.is_ok());
}

#[tokio::test]
async fn the_servers_refusal_keeps_its_code() {
    let refusal = said(|out| {
        let message = writer::ErrorMessage::new("FATAL", "3D000", "no such database");
        writer::error_response(out, &message);
    });
    let (endpoint, _) = server(vec![refusal]).await;
    let refused = open(&endpoint).await.err().unwrap();
    assert!(matches!(refused, UpstreamError::Refused { code, .. } if code == "3D000"));
}

#[tokio::test]
async fn startup_parameters_cannot_change_who_logs_in() {
    for name in ["user", "database", "replication"] {
        let (endpoint, _) = server(vec![greeting()]).await;
        let parameters = [(name.to_owned(), "other".to_owned())];
        let opened = ServerConnection::open(&endpoint, "desk", &parameters, TIMEOUT).await;
        assert!(matches!(opened, Err(UpstreamError::Broken(_))), "{name}");
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut endpoint, _) = server(Vec::new()).await;
    endpoint.hosts = Hosts::one("127.0.0.1", listener.local_addr().unwrap().port());
    let brief = Duration::from_millis(1);
    let opened = ServerConnection::open(&endpoint, "desk", &[], brief).await;
    let opened = opened.err().unwrap();
    assert!(matches!(
        opened,
        UpstreamError::Connect { source, .. } if source.kind() == std::io::ErrorKind::TimedOut
    ));
}

#[tokio::test]
async fn a_cancel_shows_the_key_and_waits_for_the_end() {
    let (endpoint, heard) = server(vec![BytesMut::new()]).await;
    cancel(&endpoint, 0, &(7, vec![1, 2, 3, 4])).await.unwrap();
    let expected = [0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 7, 1, 2, 3, 4];
    assert_eq!(heard.await.unwrap(), expected);
    assert!(cancel(&endpoint, 0, &(7, Vec::new())).await.is_err());
}
