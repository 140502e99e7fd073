//! Tokens as passwords: who is let in over real TLS, as whom, and for how long.

pub mod signer;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use scrim::demo::sample_password;
use serde_json::{Value, json};

use crate::harness::own::Own;
use signer::{Signer, claims, head, message, now, set, with};

const RULES: &str = "users:\n  \
    kim: {roles: [analyst, support], token: kim@example.com}\n  \
    root: {role: admin, token: root@example.com}\n\
    token_users: {roles: [support, analyst]}\n";

/// As whoever has a wrong password hears it.
const REFUSED: &str = "password authentication failed for user";

/// A desk that takes the tokens of whoever stands at `keys`: a file beside it, or an address.
fn desk(keys: &str, text_of_keys: &str) -> Own {
    Own::open_changed(|desk, text| {
        let write = |name: &str, text: &str| {
            std::fs::write(desk.folder().join(name), text).expect("a file");
        };
        write("masking-rules/60-tokens.yaml", RULES);
        write("keys.json", text_of_keys);
        text + "jwt:\n  issuer: https://id.example.com\n  audience: scrim\n  user_claim: email\n  \
                role_claim: [scrim, roles]\n  leeway_seconds: 0\n  keys: "
            + keys
            + "\n"
    })
}

fn psql(own: &Own, user: &str, token: &str, more: &str, commands: &[&str]) -> Output {
    let connection = format!(
        "host=localhost hostaddr=127.0.0.1 port={} dbname=desk user={user} {more}",
        own.address().port()
    );
    let mut psql = Command::new(own.desk.server().clients().join("psql"));
    psql.args(["-X", "-w", "-A", "-t", "-v", "VERBOSITY=verbose"]).env("PGPASSWORD", token);
    for command in commands {
        psql.args(["-c", command]);
    }
    psql.arg(&connection).output().expect("psql")
}

fn shown(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn login(own: &Own, user: &str, token: &str) -> String {
    shown(&psql(own, user, token, "sslmode=require", &["SHOW scrim.user", "SHOW scrim.role"]))
}

/// Each refused login is followed by a good one, so that none has to wait.
#[test]
fn who_may_log_in_by_a_token() {
    let (ours, rsa, other) = (Signer::ecdsa(), Signer::rsa(), Signer::ecdsa());
    let keys = [ours.jwk("one"), rsa.jwk("rsa"), other.jwk("two")];
    let own = desk("keys.json", &set(&keys));
    let es256 = head("ES256", "one");
    let kim = claims("kim@example.com", "support");
    let changed = |changes: Value| ours.token(&es256, &with(kim.clone(), &changes));
    let roles = |roles: Value| changed(json!({"scrim": {"roles": roles}}));
    let good = ours.token(&es256, &kim);
    let long = changed(json!({"padding": "x".repeat(6000)}));
    assert!(long.len() > 8192 && long.len() < 9900, "{}", long.len());
    for (user, token, expected) in [
        ("kim", good.clone(), "kim\nsupport"),
        ("kim", rsa.token(&head("RS256", "rsa"), &kim), "kim\nsupport"),
        ("kim", rsa.token(&head("PS512", "rsa"), &kim), "kim\nsupport"),
        ("kim", long, "kim\nsupport"),
        // The first of the rules is the default, in whatever order the claim names them.
        ("kim", roles(json!(["support", "analyst"])), "kim\nanalyst"),
        // Whom the rules do not name.
        (
            "lee@example.com",
            ours.token(&es256, &claims("lee@example.com", "analyst")),
            "lee@example.com\nanalyst",
        ),
        ("root", ours.token(&es256, &claims("root@example.com", "admin")), "root\nadmin"),
    ] {
        assert_eq!(login(&own, user, &token), expected, "{user}");
    }
    // Another role, where the token has it.
    let role = "sslmode=require options='-c scrim.role=support'";
    let both = roles(json!(["support", "analyst"]));
    assert_eq!(shown(&psql(&own, "kim", &both, role, &["SHOW scrim.role"])), "support");
    let analyst = roles(json!(["analyst"]));
    let said = shown(&psql(&own, "kim", &analyst, role, &["SHOW scrim.role"]));
    assert!(said.contains("role `support` is not one of user `kim`'s"), "{said}");
    let unsigned = message(&head("none", "one"), &kim);
    let symmetric = |secret: &[u8]| {
        let message = message(&head("HS256", "one"), &kim);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let jku = json!({"jku": "http://127.0.0.1:1/", "jwk": other.jwk("one")});
    for (user, token, why) in [
        ("kim", changed(json!({"exp": now() - 2})), "it has expired"),
        ("kim", changed(json!({"exp": null})), "it does not say until when"),
        ("kim", changed(json!({"nbf": now() + 30})), "it is not valid yet"),
        ("kim", changed(json!({"iss": "https://evil.example.com"})), "it is of another issuer"),
        ("kim", changed(json!({"aud": "wiki"})), "it is for somebody else"),
        ("kim", other.token(&es256, &kim), "its signature is wrong"),
        ("kim", other.token(&with(es256.clone(), &jku), &kim), "its signature is wrong"),
        ("kim", ours.token(&head("ES256", "three"), &kim), "no key of the issuer has its `kid`"),
        ("kim", ours.token(&head("ES256", "rsa"), &kim), "the issuer's key is not for its"),
        ("kim", format!("{unsigned}."), "its algorithm (`alg`) is not allowed"),
        ("kim", symmetric(ours.jwk("one")["x"].as_str().expect("x").as_bytes()), "its algorithm"),
        ("kim", symmetric(set(&keys).as_bytes()), "its algorithm (`alg`) is not allowed"),
        ("kim", "not a token".to_owned(), "it is no JSON Web Token"),
        ("kim", sample_password("alice"), "it is no JSON Web Token"),
        ("kim", roles(json!([])), "it has no role claim"),
        ("kim", changed(json!({"scrim": null})), "it has no role claim"),
        ("kim", roles(json!(["admin"])), "its role claim names a role"),
        ("kim", roles(json!(["support", "nothing"])), "its role claim names a role"),
        ("lee@example.com", good.clone(), "it is of another user"),
        ("root", good.clone(), "it is of another user"),
        (
            "lee@example.com",
            ours.token(&es256, &claims("lee@example.com", "admin")),
            "its role claim names a role",
        ),
        ("kim", changed(json!({"email": null})), "it has no user claim"),
        // Who has a password is not let in by a token, whatever it says.
        ("alice", ours.token(&es256, &claims("alice", "support")), ""),
    ] {
        let before = own.said().len();
        let said = login(&own, user, &token);
        let refused = format!("password authentication failed for user \"{user}\"");
        assert!(said.contains(&refused), "{why}: {said}");
        if !why.is_empty() {
            let hint = "what was wrong with a token stands in the log of Scrim";
            assert!(said.contains(hint), "{said}");
            own.wait(why, || own.said()[before..].contains(why));
        }
        let signature = token.rsplit('.').next().expect("a part");
        assert!(signature.len() < 20 || !own.said().contains(signature), "a token in the log");
        if user == "kim" {
            assert_eq!(login(&own, user, &good), "kim\nsupport");
        }
    }
    let said = login(&own, "kim", &changed(json!({"padding": "x".repeat(9000)})));
    assert!(!said.contains("support"), "{said}");
    let audit = own.audit();
    let refused = |code: &str| {
        audit.iter().any(|record| record["user"] == "kim" && record["refused"] == code)
    };
    assert!(refused("28P01"));
    assert!(!Value::from(audit).to_string().contains("eyJ"), "a token in the audit");
}

/// Nothing is asked for in the clear, and the error says what to do.
#[test]
fn tokens_are_taken_over_tls_only() {
    let ours = Signer::ecdsa();
    let own = desk("keys.json", &set(&[ours.jwk("one")]));
    let token = ours.token(&head("ES256", "one"), &claims("kim@example.com", "support"));
    for user in ["kim", "lee@example.com"] {
        let said = shown(&psql(&own, user, &token, "sslmode=disable", &["SELECT 1"]));
        assert!(said.contains("tokens are taken over TLS only"), "{said}");
        assert!(said.contains("sslmode=verify-full"), "{said}");
        let mut stream = TcpStream::connect(own.address()).expect("connection");
        let mut startup = 196_608_i32.to_be_bytes().to_vec();
        startup.extend(format!("user\0{user}\0database\0desk\0\0").bytes());
        let length = u32::try_from(startup.len() + 4).expect("short").to_be_bytes();
        stream.write_all(&[&length[..], &startup].concat()).expect("a startup message");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer.first(), Some(&b'E'), "the first word is an error, not a question");
        assert!(String::from_utf8_lossy(&answer).contains("C28000\0"), "{answer:?}");
    }
    // Passwords are never asked for in the clear, TLS or not.
    let alice = sample_password("alice");
    let said = shown(&psql(&own, "alice", &alice, "sslmode=disable", &["SHOW scrim.user"]));
    assert_eq!(said, "alice");
}

#[test]
fn a_token_that_expires_ends_its_session() {
    let ours = Signer::ecdsa();
    let own = desk("keys.json", &set(&[ours.jwk("one")]));
    let list = (0..10).map(|n| format!("orders o{n}")).collect::<Vec<_>>().join(", ");
    let endless = format!("SELECT count(*) FROM {list}");
    let token = |user: &str, role: &str| {
        let changes = json!({"exp": now() + 4});
        ours.token(&head("ES256", "one"), &with(claims(user, role), &changes))
    };
    let idle = ["SHOW scrim.user", "\\! sleep 6", "SELECT 1"];
    let in_transaction = ["SHOW scrim.user", "BEGIN", "\\! sleep 6", "SELECT 1"];
    let busy = ["SHOW scrim.user", endless.as_str()];
    let asleep = ["SHOW scrim.user", "SELECT pg_sleep(600)"];
    // So that no login has to wait for the catalog.
    for (user, email, role) in [("kim", "kim@example.com", "support"), ("lee", "lee", "analyst")] {
        let token = ours.token(&head("ES256", "one"), &claims(email, role));
        assert_eq!(login(&own, user, &token), format!("{user}\n{role}"));
    }
    std::thread::scope(|scope| {
        for (user, email, role, commands) in [
            ("kim", "kim@example.com", "support", &idle[..]),
            ("kim", "kim@example.com", "support", &in_transaction[..]),
            ("kim", "kim@example.com", "support", &busy[..]),
            ("lee", "lee", "analyst", &busy[..]),
            ("root", "root@example.com", "admin", &asleep[..]),
            ("root", "root@example.com", "admin", &idle[..]),
        ] {
            let (own, token) = (&own, token(email, role));
            scope.spawn(move || {
                let said = shown(&psql(own, user, &token, "sslmode=require", commands));
                assert!(said.starts_with(user), "{commands:?}: {said}");
                let expected = "FATAL:  28S01: scrim: the token of this session has expired";
                assert!(said.contains(expected), "{commands:?}: {said}");
                assert!(said.contains("connect again with a new token"), "{said}");
            });
        }
    });
    let answer = own.audit().iter().any(|record| record["error"] == "28S01");
    assert!(answer, "the statement that was cut off is in the audit");
}

#[test]
fn keys_change_in_the_file() {
    let (old, new) = (Signer::ecdsa(), Signer::rsa());
    let own = desk("keys.json", &set(&[old.jwk("old")]));
    let kim = claims("kim@example.com", "support");
    let (by_old, by_new) =
        (old.token(&head("ES256", "old"), &kim), new.token(&head("RS256", "new"), &kim));
    assert_eq!(login(&own, "kim", &by_old), "kim\nsupport");
    assert!(login(&own, "kim", &by_new).contains(REFUSED));
    let write = |text: &str| {
        let file = own.desk.folder().join("keys.new");
        std::fs::write(&file, text).expect("keys");
        std::fs::rename(&file, own.desk.folder().join("keys.json")).expect("keys");
    };
    write(&set(&[old.jwk("old"), new.jwk("new")]));
    own.wait("both keys count", || login(&own, "kim", &by_new) == "kim\nsupport");
    assert_eq!(login(&own, "kim", &by_old), "kim\nsupport");
    // What is broken changes nothing.
    write("{\"keys\": [");
    own.wait("the refusal", || own.said().contains("RELOAD REFUSED"));
    assert!(own.said().contains("it is no JSON Web Key Set"), "{}", own.said());
    assert_eq!(login(&own, "kim", &by_old), "kim\nsupport");
    write(&set(&[new.jwk("new")]));
    own.wait("the old key does not count", || login(&own, "kim", &by_old).contains(REFUSED));
    assert_eq!(login(&own, "kim", &by_new), "kim\nsupport");
}

/// An issuer's address: what it says, and what it was asked.
struct Issuer {
    address: SocketAddr,
    says: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Issuer {
    fn open(keys: String) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (says, asked) = (Arc::new(Mutex::new(keys)), Arc::new(Mutex::new(Vec::new())));
        let (answer, requests) = (Arc::clone(&says), Arc::clone(&asked));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut request, mut part) = (Vec::new(), [0; 1024]);
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut part) {
                        Ok(count @ 1..) => request.extend(&part[..count]),
                        _ => break,
                    }
                }
                let line = String::from_utf8_lossy(&request).lines().next().map(str::to_owned);
                requests.lock().expect("requests").extend(line);
                let body = answer.lock().expect("keys").clone();
                let status = if body.is_empty() { "503 Busy" } else { "200 OK" };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Issuer { address, says, asked }
    }

    fn says(&self, keys: String) {
        *self.says.lock().expect("keys") = keys;
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("requests").clone()
    }
}

#[test]
fn keys_of_an_address_are_fetched_when_they_are_needed() {
    let (old, new) = (Signer::ecdsa(), Signer::ecdsa());
    let began = Instant::now();
    let issuer = Issuer::open(set(&[old.jwk("old")]));
    let own = desk(&format!("http://{}/keys", issuer.address), "");
    let kim = claims("kim@example.com", "support");
    let by_old = old.token(&head("ES256", "old"), &kim);
    assert_eq!(login(&own, "kim", &by_old), "kim\nsupport");
    // Where a token says that its keys are is never asked, and many unknown ones ask no more than one.
    let evil = json!({"jku": format!("http://{}/evil", issuer.address), "kid": "evil"});
    let by_evil = new.token(&with(head("ES256", ""), &evil), &kim);
    for _ in 0..3 {
        assert!(login(&own, "kim", &by_evil).contains(REFUSED));
        assert_eq!(login(&own, "kim", &by_old), "kim\nsupport");
    }
    let asked = issuer.asked();
    assert!(asked.iter().all(|line| line == "GET /keys HTTP/1.1"), "{asked:?}");
    let most = 2 + usize::try_from(began.elapsed().as_secs() / 10).expect("seconds");
    assert!(asked.len() <= most, "{asked:?}");
    // A new key comes with the first token that names it.
    issuer.says(set(&[new.jwk("new")]));
    let fresh = || new.token(&head("ES256", "new"), &claims("kim@example.com", "support"));
    own.wait("the new key", || login(&own, "kim", &fresh()) == "kim\nsupport");
    assert!(
        login(
            &own,
            "kim",
            &old.token(&head("ES256", "old"), &claims("kim@example.com", "support"))
        )
        .contains(REFUSED)
    );
    // Where nothing can be fetched, the keys from before count, and the log says so.
    issuer.says(String::new());
    own.wait("a fetch that fails", || {
        let _ = login(&own, "kim", &by_evil);
        assert_eq!(login(&own, "kim", &fresh()), "kim\nsupport");
        own.said().contains("503 Service Unavailable")
    });
    assert!(own.said().contains("those from before count"), "{}", own.said());
    assert_eq!(login(&own, "kim", &fresh()), "kim\nsupport");
}

/// Scrim starts without its issuer, and tokens let nobody in until there is one.
#[test]
fn an_issuer_that_is_away_lets_nobody_in() {
    let ours = Signer::ecdsa();
    let own = desk("http://127.0.0.1:1/keys", "");
    let token = ours.token(&head("ES256", "one"), &claims("kim@example.com", "support"));
    assert!(login(&own, "kim", &token).contains(REFUSED));
    own.wait("the reason", || own.said().contains("the issuer's keys are not known"));
    assert!(own.said().contains("tokens let nobody in"), "{}", own.said());
    own.connect("alice");
}

#[test]
fn other_rules_end_sessions_of_tokens() {
    let ours = Signer::ecdsa();
    let own = desk("keys.json", &set(&[ours.jwk("one")]));
    let token = |user: &str| ours.token(&head("ES256", "one"), &claims(user, "support"));
    let file = own.desk.folder().join("masking-rules/60-tokens.yaml");
    let other = format!("{}/masking-rules/.new", own.desk.folder().display());
    let rules = RULES
        .replace("kim@example.com", "kim2@example.com")
        .replace("[support, analyst]", "[analyst]");
    std::fs::write(&other, rules).expect("rules");
    let change = format!("\\! mv {other} {}; sleep 4", file.display());
    for (user, email, why) in [
        ("kim", "kim@example.com", "the token of user `kim` has changed"),
        ("lee", "lee", "role `support` is not one of user `lee`'s any more"),
    ] {
        let commands = ["SHOW scrim.user", change.as_str(), "SELECT 1"];
        let said = shown(&psql(&own, user, &token(email), "sslmode=require", &commands));
        assert!(said.contains(why) && said.contains("57P01"), "{said}");
        std::fs::write(&other, RULES).expect("rules");
        let version = own.version();
        std::fs::rename(&other, &file).expect("rules");
        own.wait_for_other_rules(&version);
        let rules = RULES
            .replace("kim@example.com", "kim2@example.com")
            .replace("[support, analyst]", "[analyst]");
        std::fs::write(&other, rules).expect("rules");
    }
}
