//! Against a server of the test's own, which says what it is told to. How an answer is read is `http`'s.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

async fn fetched(answer: &'static [u8]) -> (Result<Bytes, FetchFault>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if !matches!(socket.read_buf(&mut request).await, Ok(1..)) {
                break;
            }
        }
        let _ = socket.write_all(answer).await;
        String::from_utf8(request).unwrap()
    });
    let roots = Arc::new(RootCertStore::empty());
    let place = Address::new(&format!("http://{address}/keys?x=1"), &roots).unwrap();
    (fetch(&place).await, serving.await.unwrap())
}

#[tokio::test]
async fn keys_are_asked_for_as_json() {
    let (keys, request) = fetched(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    assert_eq!(keys.unwrap(), "{}");
    assert!(request.starts_with("GET /keys?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("accept: application/json\r\n"), "{request}");
}

#[tokio::test]
async fn what_comes_with_another_status_is_no_set_of_keys() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n";
    assert!(matches!(fetched(moved).await.0, Err(FetchFault::Status(StatusCode::FOUND))));
    let fault = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\n{}";
    assert!(matches!(fetched(fault).await.0, Err(FetchFault::Status(_))));
}

#[test]
fn over_a_network_only_by_tls() {
    for (text, expected) in [
        ("https://id.example.com/keys", None),
        ("http://localhost:80/keys", None),
        ("http://id.example.com/keys", Some(AddressFault::Open)),
        ("http://10.0.0.1/keys", Some(AddressFault::Open)),
        ("https://kim@id.example.com/", Some(AddressFault::Credentials)),
        ("ftp://id.example.com/", Some(AddressFault::NoAddress)),
    ] {
        let roots = Arc::new(RootCertStore::empty());
        assert_eq!(Address::new(text, &roots).err(), expected, "{text}");
    }
}
