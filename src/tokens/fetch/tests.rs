//! Against servers of the test's own, which say what they are told to.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::wire::certificates::make_certificates;
use crate::wire::tls::{root_certificates, server_config};

/// One that answers each request with these bytes, and tells the last request.
async fn server(answer: Vec<u8>, tls: Option<TlsAcceptor>) -> (SocketAddr, JoinSet<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        match tls {
            None => answer_to(socket, &answer).await,
            Some(tls) => match tls.accept(socket).await {
                Ok(stream) => answer_to(stream, &answer).await,
                Err(_) => Vec::new(),
            },
        }
    });
    (address, serving)
}

async fn answer_to(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return request;
        }
    }
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
    request
}

fn no_roots() -> Arc<RootCertStore> {
    Arc::new(RootCertStore::empty())
}

async fn fetched(answer: Vec<u8>) -> Result<Vec<u8>, FetchFault> {
    let (address, _serving) = server(answer, None).await;
    fetch(&Address::new(&format!("http://{address}/keys?x=1"), &no_roots()).unwrap()).await
}

#[tokio::test]
async fn answers_in_the_forms_of_http() {
    let (address, mut serving) = server(b"HTTP/1.1 200 OK\r\n\r\n{}".to_vec(), None).await;
    let place = Address::new(&format!("http://{address}/keys?x=1"), &no_roots()).unwrap();
    assert_eq!(fetch(&place).await.unwrap(), b"{}");
    let request = String::from_utf8(serving.join_next().await.unwrap().unwrap()).unwrap();
    assert!(request.starts_with("GET /keys?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    ] {
        assert_eq!(fetched(answer.to_vec()).await.unwrap(), b"{}");
    }
}

#[tokio::test]
async fn what_is_no_set_of_keys_is_not_taken() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    assert!(matches!(fetched(moved.to_vec()).await, Err(FetchFault::Status(StatusCode::FOUND))));
    let fault = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}";
    assert!(matches!(fetched(fault.to_vec()).await, Err(FetchFault::Status(_))));
    let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    long.resize(long.len() + KEYS_BYTES_MAX, b' ');
    assert_eq!(fetched(long.clone()).await.unwrap().len(), KEYS_BYTES_MAX);
    long.push(b' ');
    assert!(matches!(fetched(long).await, Err(FetchFault::Body)));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}";
    assert!(matches!(fetched(cut.to_vec()).await, Err(FetchFault::Body)));
    for other in [&b"SSH-2.0-OpenSSH_9\r\n"[..], b"", &[0; 64]] {
        assert!(matches!(fetched(other.to_vec()).await, Err(FetchFault::Http(_))));
    }
    let mut head = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    head.resize(head.len() + 2 * HEAD_BYTES_MAX, b'x');
    assert!(fetched(head).await.is_err());
    let nobody = Address::new("http://127.0.0.1:1/", &no_roots()).unwrap();
    assert!(matches!(fetch(&nobody).await, Err(FetchFault::Connect(_))));
}

#[tokio::test]
async fn over_tls_the_authority_and_the_name_must_fit() {
    let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make_certificates(ours.path()).unwrap();
    make_certificates(other.path()).unwrap();
    let file = |name| ours.path().join(name);
    let config = server_config(&file("server.crt"), &file("server.key"), None).unwrap();
    // The same certificate, without the protocol that PostgreSQL's clients speak.
    let mut config = rustls::ServerConfig::clone(&config.config);
    config.alpn_protocols = vec![ALPN.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let roots = root_certificates(&file("ca.crt")).unwrap();
    let others = root_certificates(&other.path().join("ca.crt")).unwrap();
    for (roots, host, is_good) in [
        (&roots, "127.0.0.1", true),
        (&roots, "localhost", true),
        (&others, "127.0.0.1", false),
        (&roots, "127.0.0.2", false),
    ] {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
        let (address, _serving) = server(answer, Some(acceptor.clone())).await;
        let place = Address::new(&format!("https://{host}:{}/", address.port()), roots).unwrap();
        assert_eq!(fetch(&place).await.is_ok(), is_good, "{host}");
    }
}

#[test]
fn addresses() {
    for (text, expected) in [
        ("https://id.example.com/keys", None),
        ("https://id.example.com:8443", None),
        ("https://[2001:db8::1]/keys", None),
        ("http://localhost:80/keys", None),
        ("http://127.3.2.1/keys", None),
        ("http://[::1]:8080/keys", None),
        ("http://id.example.com/keys", Some(AddressFault::Open)),
        ("http://localhost.example.com/", Some(AddressFault::Open)),
        ("http://10.0.0.1/keys", Some(AddressFault::Open)),
        ("http://[::ffff:10.0.0.1]/keys", Some(AddressFault::Open)),
        ("https://kim@id.example.com/", Some(AddressFault::Credentials)),
        ("http://localhost@evil.example.com/", Some(AddressFault::Credentials)),
        ("ftp://id.example.com/", Some(AddressFault::NoAddress)),
        ("file:///etc/keys.json", Some(AddressFault::NoAddress)),
        ("id.example.com", Some(AddressFault::NoAddress)),
        ("https:///keys", Some(AddressFault::NoAddress)),
        ("https://id example/", Some(AddressFault::NoAddress)),
    ] {
        assert_eq!(Address::new(text, &no_roots()).err(), expected, "{text}");
    }
}
