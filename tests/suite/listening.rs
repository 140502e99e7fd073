//! Where clients come from: Unix sockets, IPv6, and proxies that say for whom they speak.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::Duration;

use scrim::demo::sample_password;
use serde_json::Value;

use crate::harness::client::Client;
use crate::harness::own::{Own, value};

fn psql(own: &Own, words: &str, sql: &str) -> Output {
    Command::new(own.desk.server().clients().join("psql"))
        .args(["-X", "-w", "-A", "-t", "-c", sql, words])
        .env("PGPASSWORD", sample_password("alice"))
        .output()
        .expect("psql")
}

fn shown(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// Copies both ways between a socket of its own and `to`, with these bytes in front.
fn forward(from: &str, to: SocketAddr, first: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(from).expect("a port");
    let address = listener.local_addr().expect("an address");
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    std::thread::spawn(move || {
        for here in listener.incoming() {
            let (Ok(here), Ok(mut there)) = (here, TcpStream::connect(to)) else { continue };
            let _ = there.write_all(first);
            let both = (here.try_clone(), there.try_clone());
            let (Ok(here_too), Ok(there_too)) = both else { continue };
            copy(here, there);
            copy(there_too, here_too);
        }
    });
    address
}

/// The records of logins, as soon as there are so many.
fn logins(own: &Own, count: usize) -> Vec<Value> {
    let all = || -> Vec<Value> {
        own.audit().into_iter().filter(|record| record["event"] == "login").collect()
    };
    own.wait("the logins in the audit", || all().len() >= count);
    all()
}

#[test]
fn unix_sockets_on_both_sides() {
    let mut own = Own::open_changed(|desk, text| {
        let folder = desk.server().socket_folder().display().to_string();
        let text = text.replacen("host: 127.0.0.1", &format!("host: {folder}"), 1);
        let text = text.replacen("mode: allow", "mode: require", 1);
        // Relative to the file, as all paths.
        text.replacen("listen: 127.0.0.1:0", "listen: [127.0.0.1:0, ./.s.PGSQL.6432]", 1)
    });
    let folder = own.desk.folder().display().to_string();
    let path = own.desk.folder().join(".s.PGSQL.6432");
    let mode = std::fs::metadata(&path).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    // `require` is for what others could listen to.
    let words = format!("host={folder} port=6432 dbname=desk user=alice");
    assert_eq!(shown(&psql(&own, &words, "SHOW scrim.user")), "alice");
    let refused = own.try_connect("alice").map(drop).expect_err("no TLS");
    assert!(refused.starts_with("FATAL 28000 scrim: "), "{refused}");
    let masked = shown(&psql(&own, &words, "SELECT email FROM customers WHERE id = 1"));
    assert_eq!(masked, "m***@example.com");
    // A password is asked for as everywhere.
    let wrong = Command::new(own.desk.server().clients().join("psql"))
        .args(["-X", "-w", "-c", "SELECT 1", &words])
        .env("PGPASSWORD", "wrong")
        .output()
        .expect("psql");
    assert!(shown(&wrong).contains("password authentication failed"), "{}", shown(&wrong));
    let upstream = "SELECT bool_and(client_addr IS NULL) FROM pg_stat_activity \
                    WHERE usename = 'scrim'";
    assert_eq!(own.desk.server().run("desk", upstream).expect("activity").trim(), "t");
    let logins = logins(&own, 2);
    assert!(logins.iter().any(|record| record["client"] == "[local]"), "{logins:?}");
    own.scrim = None;
    assert!(!path.exists(), "the socket is still there");
    // What a process leaves that was killed does not keep the next from listening.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    own.start();
    assert_eq!(shown(&psql(&own, &words, "SHOW scrim.user")), "alice");
}

#[test]
fn ipv6_on_both_sides() {
    let own = Own::open_changed(|desk, text| {
        let database = SocketAddr::from(([127, 0, 0, 1], desk.server().port()));
        let port = forward("[::1]:0", database, b"").port();
        let host = format!("host: 127.0.0.1\n  port: {}", desk.server().port());
        let text = text.replacen(&host, &format!("host: \"::1\"\n  port: {port}"), 1);
        text.replacen("listen: 127.0.0.1:0", "listen: [127.0.0.1:0, \"[::1]:0\"]", 1)
    });
    let said = own.said();
    let (_, rest) = said.split_once("[::1]:").unwrap_or_else(|| panic!("no address: {said}"));
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let authority = own.desk.authority();
    let words = format!(
        "host=::1 port={port} dbname=desk user=alice sslmode=verify-full sslrootcert={}",
        authority.display()
    );
    assert_eq!(shown(&psql(&own, &words, "SHOW scrim.user")), "alice");
    assert_eq!(value(&own.connect("alice").simple("SHOW scrim.user").remove(0)), "alice");
    let logins = logins(&own, 2);
    for begin in ["[::1]:", "127.0.0.1:"] {
        let is_there = |record: &Value| record["client"].as_str().unwrap().starts_with(begin);
        assert!(logins.iter().any(is_there), "{begin}: {logins:?}");
    }
}

/// 203.0.113.7, port 12345, to 10.0.0.1, port 6432.
const HEADER: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x30\x39\x19\x20";
/// A health check's.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// What comes back for these bytes, to the end.
fn told(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("time-out");
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    // A reset is as good an end as any.
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn connect_after(address: SocketAddr, first: &[u8]) -> Client {
    let password = sample_password("alice");
    Client::connect_after(address, first, "alice", &password, "desk")
        .unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn a_trusted_proxy_says_for_whom_it_speaks() {
    let own = Own::open("proxy_protocol: {from: [127.0.0.1, 10.0.0.0/8]}\n");
    // One that never ends its header has the time of a login, and is gone then.
    let mut stalled = TcpStream::connect(own.address()).expect("connection");
    stalled.set_read_timeout(Some(Duration::from_secs(60))).expect("time-out");
    stalled.write_all(&HEADER[..20]).expect("bytes");
    let mut client = connect_after(own.address(), HEADER);
    assert_eq!(value(&client.simple("SHOW scrim.user").remove(0)), "alice");
    drop(client);
    let mut client = connect_after(own.address(), LOCAL);
    assert_eq!(value(&client.simple("SHOW scrim.user").remove(0)), "alice");
    drop(client);
    // TLS comes behind the header.
    let balancer = forward("127.0.0.1:0", own.address(), HEADER);
    for more in ["", "channel_binding=require"] {
        let words = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=desk user=alice sslmode=verify-full \
             sslrootcert={} {more}",
            balancer.port(),
            own.desk.authority().display()
        );
        assert_eq!(shown(&psql(&own, &words, "SHOW scrim.user")), "alice");
    }
    let logins = logins(&own, 4);
    let of = |client: &str| -> Vec<&Value> {
        logins.iter().filter(|record| record["client"] == client).collect()
    };
    let behind = of("203.0.113.7:12345");
    assert_eq!(behind.len(), 3, "{logins:?}");
    for record in behind {
        assert!(record["via"].as_str().expect("a proxy").starts_with("127.0.0.1:"), "{record}");
    }
    let own_words = logins.iter().filter(|record| record.get("via").is_none());
    assert_eq!(own_words.count(), 1, "{logins:?}");
    // From a proxy nothing comes without a header, nor with another kind of one, nor with two.
    let startup = b"\0\0\0\x14\0\x03\0\0user\0alice\0\0";
    for bytes in [
        startup.to_vec(),
        b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec(),
        [b"PROXY TCP4 203.0.113.7 10.0.0.1 12345 6432\r\n", &startup[..]].concat(),
        [HEADER, HEADER, startup].concat(),
        [LOCAL, HEADER, startup].concat(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        assert_eq!(told(own.address(), &bytes), b"", "{bytes:?}");
    }
    let mut answer = Vec::new();
    let _ = stalled.read_to_end(&mut answer);
    assert_eq!(answer, b"");
}

#[test]
fn nobody_else_says_where_they_come_from() {
    for more in ["", "proxy_protocol: {from: [192.0.2.1, \"::1\"]}\n"] {
        let own = Own::open(more);
        let startup = b"\0\0\0\x14\0\x03\0\0user\0alice\0\0";
        assert_eq!(told(own.address(), &[HEADER, startup].concat()), b"");
        assert_eq!(told(own.address(), HEADER), b"");
        assert_eq!(value(&own.connect("alice").simple("SHOW scrim.user").remove(0)), "alice");
        for record in logins(&own, 1) {
            assert!(record["client"].as_str().expect("a client").starts_with("127.0.0.1:"));
        }
    }
}

#[test]
fn a_socket_that_somebody_has_is_not_taken() {
    let own = Own::open_changed(|_, text| {
        text.replacen("listen: 127.0.0.1:0", "listen: [127.0.0.1:0, ./.s.PGSQL.6432]", 1)
    });
    let text = std::fs::read_to_string(own.desk.configuration()).expect("configuration");
    let other = own.desk.folder().join("other.yaml");
    std::fs::write(&other, text.replacen("audit.jsonl", "other.jsonl", 1)).expect("configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_scrim"))
        .args(["run", "--config"])
        .arg(other)
        .output()
        .expect("scrim");
    let said = shown(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(".s.PGSQL.6432: another process listens there"), "{said}");
    let words = format!("host={} port=6432 dbname=desk user=alice", own.desk.folder().display());
    assert_eq!(shown(&psql(&own, &words, "SHOW scrim.user")), "alice");
}
