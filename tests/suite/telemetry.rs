//! Spans for a collector: what is in them, by an allow-list of names, and that nothing of data ever is; and that nobody
//! waits for a collector.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use scrim::demo::sample_password;
use scrim::wire::certificates::make_certificates;
use scrim::wire::tls::server_config;

use crate::canary;
use crate::harness::client::{Client, put_string};
use crate::harness::own::{Own, code, run_prepared};

/// All that a span may say.
const NAMES: [&str; 16] = [
    "db.namespace",
    "db.response.returned_rows",
    "db.system.name",
    "error.type",
    "scrim.bytes",
    "scrim.kind",
    "scrim.masked_columns",
    "scrim.planning_us",
    "scrim.reason",
    "scrim.relations",
    "scrim.role",
    "scrim.session",
    "scrim.statement",
    "scrim.statements",
    "scrim.upstream_us",
    "scrim.verdict",
];

/// A collector over HTTP, which takes whatever comes.
struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// A request.
struct Taken {
    head: String,
    body: Vec<u8>,
}

impl Collector {
    /// It answers with this status.
    fn open(status: &'static str) -> Collector {
        Collector::over(None, status)
    }

    /// One behind TLS, with the certificate of a folder.
    fn open_with_tls(certificates: &Path) -> Collector {
        let file = |name| certificates.join(name);
        let config = server_config(&file("server.crt"), &file("server.key"), None);
        // The same certificate, without the protocol that PostgreSQL's clients speak.
        let mut config = rustls::ServerConfig::clone(&config.expect("certificates").config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Collector::over(Some(Arc::new(config)), "200 OK")
    }

    fn over(tls: Option<Arc<rustls::ServerConfig>>, status: &'static str) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, tls) = (Arc::clone(&all), tls.clone());
                std::thread::spawn(move || match tls {
                    None => take(stream, status, &all),
                    Some(config) => {
                        let session = rustls::ServerConnection::new(config).expect("TLS");
                        take(rustls::StreamOwned::new(session, stream), status, &all)
                    }
                });
            }
        });
        Collector { address, taken }
    }

    fn spans(&self) -> Vec<Span> {
        let taken = self.taken.lock().expect("requests");
        let all = taken.iter().map(|taken| {
            let request = ExportTraceServiceRequest::decode(taken.body.as_slice());
            request.expect("an export of traces").resource_spans
        });
        let scopes = all.flatten().flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn take(stream: impl Read + Write, status: &str, all: &Mutex<Vec<Taken>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    all.lock().ok()?.push(Taken { head, body });
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    reader.get_mut().flush().ok()
}

fn telling(address: SocketAddr, sample: &str) -> Own {
    Own::open(&format!(
        "telemetry: {{otlp: 'http://{address}', service_name: desk-proxy, sample: {sample}}}\n"
    ))
}

/// Ends Scrim, which sends what it has.
fn end(own: &Own) {
    own.signal("TERM");
    let scrim = own.scrim.as_ref().expect("running");
    let began = Instant::now();
    while !scrim.has_ended() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn said(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::ArrayValue(all)) => {
            let all: Vec<String> = all.values.into_iter().map(|it| said(Some(it))).collect();
            all.join(",")
        }
        other => panic!("{other:?}"),
    }
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    all.into_iter().map(|it| (it.key, said(it.value))).collect()
}

/// The spans of this name, as what they say.
fn told(spans: &[Span], name: &str) -> Vec<BTreeMap<String, String>> {
    let named = spans.iter().filter(|span| span.name == name);
    named.map(|span| attributes(span.attributes.clone())).collect()
}

/// Does what would put marks of values, literals and names of a client's own into a careless span.
fn live(own: &Own) {
    // Marks in every word that a client may choose, and in what it is told.
    let password = sample_password("alice");
    let options = [("application_name", "appqzx"), ("options", "-c work_mem=9MB")];
    let alice = Client::connect(own.address(), "alice", &password, "desk", &options);
    let mut alice = alice.unwrap_or_else(|error| panic!("{error:?}"));
    let texts = [
        "SELECT id, email AS \"qzxalias\" FROM customers WHERE name <> 'qzxliteral 90417' /* qzxcomment */",
        "SELECT c.email, o.total FROM customers AS qzx JOIN orders AS o ON o.customer_id = qzx.id, customers c LIMIT 3",
        "SELECT count(*) FROM customers WHERE email = 'minqzxsu.kim@example.com'",
        "SELECT 'qzx90417'::int",
        "SELECT qzxcolumn FROM customers",
        "SELECT * FROM qzxrelation",
        "SELECT qzxfunction(90417)",
        "SELECT pg_read_file('qzx')",
        "BEGIN",
        "SAVEPOINT qzxsavepoint",
        "DECLARE qzxcursor CURSOR FOR SELECT email FROM customers",
        "FETCH 3 FROM qzxcursor",
        "ROLLBACK",
        "PREPARE qzxstatement AS SELECT $1::text || 'qzx'",
        "EXECUTE qzxstatement('qzxparameter')",
        "SET application_name TO 'qzxapplication'",
        "COPY (SELECT name, 'qzxcopied' FROM customers) TO STDOUT",
        "SELEC qzx90417",
    ];
    for text in texts {
        alice.simple(text);
    }
    let mut body = Vec::new();
    put_string(&mut body, "qzxprepared");
    put_string(&mut body, "SELECT email FROM customers WHERE name <> 'qzx90417'");
    body.extend(0_i16.to_be_bytes());
    alice.send(b'P', &body);
    assert_eq!(code(&run_prepared(&mut alice, "qzxprepared")), "");
    let mut ana = own.connect("ana");
    for text in [
        "CREATE TEMP TABLE qzxtable AS SELECT 'qzxvalue'::text AS qzxcolumn",
        "INSERT INTO qzxtable VALUES ('qzxinserted')",
        "SELECT t.qzxcolumn, c.id FROM qzxtable t, customers c",
    ] {
        assert_eq!(code(&ana.simple(text)[0]), "", "{text}");
    }
    let mut dba = own.connect("dba");
    dba.simple("SELECT email, 'qzxliteral' FROM customers WHERE name LIKE '%qzx%'");
    dba.simple("SELECT 'qzx'::int");
    dba.simple(
        "DO $$ BEGIN RAISE EXCEPTION 'qzx' USING ERRCODE = 'QZX99', DETAIL = 'qzx90417'; END $$",
    );
    for (user, password) in [("userqzx", "passwordqzx"), ("alice", "qzx90417")] {
        let refused = Client::connect(own.address(), user, password, "desk", &options);
        assert!(refused.is_err(), "{user}");
    }
    let refused = Client::connect(own.address(), "alice", &password, "databaseqzx", &options);
    assert!(refused.is_err());
}

#[test]
fn spans_say_what_was_done_and_nothing_of_data() {
    let collector = Collector::open("200 OK");
    let own = telling(collector.address, "1");
    live(&own);
    end(&own);

    let taken = collector.taken.lock().expect("requests");
    assert!(!taken.is_empty(), "nothing came: {}", own.said());
    for Taken { head, body } in taken.iter() {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("content-type: application/x-protobuf"),
            "{head}"
        );
        assert_eq!(canary::find(body), Vec::<String>::new());
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        for word in ["qzx", "90417", "select ", "alice", "example.com", "127.0.0.1", "9mb"] {
            assert!(!text.contains(word), "`{word}` in {text}");
        }
        let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("traces");
        for resource in request.resource_spans {
            let about = resource.resource.expect("a resource").attributes;
            let about: Vec<String> = attributes(about).into_keys().collect();
            assert_eq!(about, ["service.name", "service.version"]);
        }
    }
    drop(taken);

    let spans = collector.spans();
    let names: BTreeSet<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["login", "session", "statement"]));
    for span in &spans {
        assert!(span.events.is_empty() && span.trace_state.is_empty(), "{span:?}");
        let message = span.status.as_ref().map_or("", |status| status.message.as_str());
        assert_eq!(message, "", "{span:?}");
        for name in attributes(span.attributes.clone()).keys() {
            assert!(NAMES.contains(&name.as_str()), "{name}");
        }
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
    }

    let sessions = told(&spans, "session");
    let roles: BTreeSet<&str> = sessions.iter().map(|it| it["scrim.role"].as_str()).collect();
    assert_eq!(roles, BTreeSet::from(["admin", "analyst", "support"]));
    assert!(
        sessions
            .iter()
            .all(|it| it["db.namespace"] == "desk" && it["db.system.name"] == "postgresql")
    );
    let logins = told(&spans, "login");
    let wrong: Vec<&str> =
        logins.iter().filter_map(|it| it.get("error.type")).map(String::as_str).collect();
    assert_eq!(wrong, ["28P01", "28P01", "3D000"]);
    assert_eq!(logins.len(), sessions.len() + wrong.len());

    let statements = told(&spans, "statement");
    let find = |is_it: &dyn Fn(&BTreeMap<String, String>) -> bool| {
        statements.iter().find(|it| is_it(it)).unwrap_or_else(|| panic!("none of {statements:#?}"))
    };
    let join = find(&|it| {
        it.get("scrim.relations").is_some_and(|all| all == "public.customers,public.orders")
    });
    assert_eq!(
        (join["scrim.verdict"].as_str(), join["scrim.kind"].as_str()),
        ("rewrite", "select")
    );
    assert_eq!(
        (join["scrim.role"].as_str(), join["db.response.returned_rows"].as_str()),
        ("support", "3")
    );
    assert!(join["scrim.planning_us"] != "0" && join.contains_key("scrim.upstream_us"), "{join:?}");
    assert_ne!(join["scrim.masked_columns"], "0");
    let refused = find(&|it| it.get("scrim.reason").is_some_and(|word| word == "function"));
    assert_eq!(
        (refused["scrim.verdict"].as_str(), refused["error.type"].as_str()),
        ("refuse", "42501")
    );
    find(&|it| {
        it.get("error.type").is_some_and(|code| code == "22P02") && it["scrim.role"] == "support"
    });
    find(&|it| it.get("error.type").is_some_and(|code| code == "other"));
    for kind in [
        "copy",
        "cursor",
        "execute",
        "fetch",
        "prepare",
        "select",
        "set",
        "temp_table",
        "transaction",
    ] {
        find(&|it| it.get("scrim.kind").is_some_and(|word| word == kind));
    }
    // Temporary tables are not named, and what else a statement reads is.
    let mixed = find(&|it| it["scrim.role"] == "analyst" && it.contains_key("scrim.relations"));
    assert_eq!(mixed["scrim.relations"], "public.customers");
    // Nobody has read what passes untouched.
    let passed = find(&|it| it["scrim.role"] == "admin");
    assert!(!passed.contains_key("scrim.kind") && !passed.contains_key("scrim.relations"));
    // A statement is a trace of its own, which knows its session's.
    let statement = spans.iter().find(|span| span.name == "statement").expect("a statement");
    let session = spans.iter().find(|span| {
        span.name == "session" && statement.links.iter().any(|link| link.span_id == span.span_id)
    });
    assert_ne!(session.expect("its session").trace_id, statement.trace_id);
}

#[test]
fn a_collector_behind_tls_is_sent_to_if_its_certificate_fits() {
    let (trusted, other) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("one"));
    for folder in [&trusted, &other] {
        make_certificates(folder.path()).expect("certificates");
    }
    let open = |collector: &Collector, trusts: &Path| {
        let (address, ca) = (collector.address, trusts.join("ca.crt"));
        let own = Own::open(&format!(
            "telemetry: {{otlp: 'https://{address}', ca: '{}', sample: 1}}\n",
            ca.display()
        ));
        assert_eq!(
            own.connect("alice").simple("SELECT id FROM customers LIMIT 1")[0].rows.len(),
            1
        );
        own
    };
    let collector = Collector::open_with_tls(trusted.path());
    let own = open(&collector, trusted.path());
    end(&own);
    let names: BTreeSet<String> = collector.spans().into_iter().map(|span| span.name).collect();
    let expected = ["login", "session", "statement"].map(str::to_owned);
    assert_eq!(names, BTreeSet::from(expected), "{}", own.said());

    let own = open(&collector, other.path());
    own.wait("a word", || own.said().contains("spans do not reach the collector"));
    let before = collector.taken.lock().expect("requests").len();
    end(&own);
    assert_eq!(collector.taken.lock().expect("requests").len(), before, "none by a stranger's");
}

#[test]
fn nothing_of_a_share_of_nothing_is_sent() {
    let collector = Collector::open("200 OK");
    let own = telling(collector.address, "0");
    live(&own);
    end(&own);
    assert_eq!(collector.spans().len(), 0);
}

#[test]
fn nobody_waits_for_a_collector() {
    // One that is not there, one that never answers, one that takes nothing.
    let nobody =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let refusing = Collector::open("503 Service Unavailable");
    let silent_address = silent.local_addr().expect("an address");
    for address in [nobody, silent_address, refusing.address] {
        let own = telling(address, "1");
        let mut alice = own.connect("alice");
        for _ in 0..400 {
            assert_eq!(alice.simple("SELECT id FROM customers WHERE id = 1")[0].rows.len(), 1);
        }
        if address != silent_address {
            own.wait("a word", || own.said().contains("spans do not reach the collector"));
            assert_eq!(own.said().matches("spans do not reach").count(), 1, "{}", own.said());
        }
        drop(alice);
        end(&own);
    }
    assert!(!refusing.taken.lock().expect("requests").is_empty());
}
