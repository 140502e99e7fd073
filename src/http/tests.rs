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

const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), body_bytes: 1024 };

async fn asked(answer: Vec<u8>) -> Result<Response<Bytes>, Fault> {
    let (address, _serving) = server(answer, None).await;
    let address = Address::new(&format!("http://{address}/keys?x=1"), None).unwrap();
    address.ask(Request::new(Bytes::new()), BOUNDS).await
}

#[tokio::test]
async fn answers_in_the_forms_of_http() {
    let (address, mut serving) = server(b"HTTP/1.1 200 OK\r\n\r\n{}".to_vec(), None).await;
    let place = Address::new(&format!("http://{address}/keys?x=1"), None).unwrap();
    let answer = place.ask(Request::new(Bytes::new()), BOUNDS).await.unwrap();
    assert_eq!(answer.body(), &Bytes::from_static(b"{}"));
    let request = String::from_utf8(serving.join_next().await.unwrap().unwrap()).unwrap();
    assert!(request.starts_with("GET /keys?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {address}\r\n")), "{request}");
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    ] {
        assert_eq!(asked(answer.to_vec()).await.unwrap().body(), &Bytes::from_static(b"{}"));
    }
}

#[tokio::test]
async fn redirects_are_answers() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(asked(moved.to_vec()).await.unwrap().status(), 302);
}

#[tokio::test]
async fn what_is_no_answer_is_not_taken() {
    let mut long = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    long.resize(long.len() + BOUNDS.body_bytes, b' ');
    assert_eq!(asked(long.clone()).await.unwrap().body().len(), BOUNDS.body_bytes);
    long.push(b' ');
    assert!(matches!(asked(long).await, Err(Fault::Body(_))));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}";
    assert!(matches!(asked(cut.to_vec()).await, Err(Fault::Body(_))));
    for other in [&b"SSH-2.0-OpenSSH_9\r\n"[..], b"", &[0; 64]] {
        assert!(matches!(asked(other.to_vec()).await, Err(Fault::Http(_))));
    }
    let mut head = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    head.resize(head.len() + 2 * HEAD_BYTES_MAX, b'x');
    assert!(asked(head).await.is_err());
    let nobody = Address::new("http://127.0.0.1:1/", None).unwrap();
    let outcome = nobody.ask(Request::new(Bytes::new()), BOUNDS).await;
    assert!(matches!(outcome, Err(Fault::Connect(_))));
}

#[tokio::test]
async fn who_says_nothing_is_waited_for_so_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let bounds = Bounds { time: Duration::from_millis(50), body_bytes: 1 };
    let outcome =
        Address::new(&address, None).unwrap().ask(Request::new(Bytes::new()), bounds).await;
    assert!(matches!(outcome, Err(Fault::Timeout(_))));
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
        let place =
            Address::new(&format!("https://{host}:{}/", address.port()), Some(roots)).unwrap();
        let outcome = place.ask(Request::new(Bytes::new()), BOUNDS).await;
        assert_eq!(outcome.is_ok(), is_good, "{host}");
    }
}

#[test]
fn addresses() {
    let roots = Arc::new(RootCertStore::empty());
    // Whether it is one; and whether nobody stands in between.
    for (text, expected) in [
        ("https://id.example.com/keys", Ok(true)),
        ("https://id.example.com:8443", Ok(true)),
        ("https://[2001:db8::1]/keys", Ok(true)),
        ("http://localhost:80/keys", Ok(true)),
        ("http://127.3.2.1/keys", Ok(true)),
        ("http://[::1]:8080/keys", Ok(true)),
        ("http://id.example.com/keys", Ok(false)),
        ("http://localhost.example.com/", Ok(false)),
        ("http://10.0.0.1/keys", Ok(false)),
        ("http://[::ffff:10.0.0.1]/keys", Ok(false)),
        ("https://kim@id.example.com/", Err(NoAddress::Credentials)),
        ("http://localhost@evil.example.com/", Err(NoAddress::Credentials)),
        ("ftp://id.example.com/", Err(NoAddress::Malformed)),
        ("file:///etc/keys.json", Err(NoAddress::Malformed)),
        ("id.example.com", Err(NoAddress::Malformed)),
        ("https:///keys", Err(NoAddress::Malformed)),
        ("https://id example/", Err(NoAddress::Malformed)),
    ] {
        let address = Address::new(text, Some(&roots));
        assert_eq!(address.map(|it| it.is_safe_on_the_way()), expected, "{text}");
    }
    assert_eq!(Address::new("https://a.example.com", None), Err(NoAddress::Malformed));
    let path = |text| Address::new(text, None).unwrap().or_path("/v1/traces").to_string();
    assert_eq!(path("http://a.example.com:4318"), "http://a.example.com:4318/v1/traces");
    assert_eq!(path("http://a.example.com/own"), "http://a.example.com/own");
}
