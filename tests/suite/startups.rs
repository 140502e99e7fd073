//! How sessions begin: versions of the protocol, parameters, TLS with its bindings, client certificates.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType,
};
use scrim::demo::sample_password;

use crate::clients;
use crate::harness;
use crate::harness::client::{Client, PROTOCOL_3_0, put_string};
use crate::harness::own::{Own, code, value};
use crate::harness::sample_verifier;
use crate::tokens::signer::{self, Signer};

/// psql over TCP to `localhost`, with these words of a connection string more.
fn psql(own: &Own, user: &str, more: &str, password: &str) -> Output {
    let connection = format!(
        "host=localhost hostaddr=127.0.0.1 port={} dbname=desk user={user} {more}",
        own.address().port()
    );
    Command::new(own.desk.server().clients().join("psql"))
        .args(["-X", "-w", "-A", "-t", "-c", "SHOW scrim.user", &connection])
        .env("PGPASSWORD", password)
        .output()
        .expect("psql")
}

fn shown(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).trim().to_owned()
}

#[test]
fn versions_and_protocol_options_are_negotiated() {
    let password = sample_password("alice");
    let connect = |version: i32, options: &[(&str, &str)]| {
        let address = harness::scrim().address;
        Client::connect_with_version(address, version, "alice", &password, "desk", options)
            .unwrap_or_else(|error| panic!("{error:?}"))
    };
    // Process id and key: 4 bytes each, but for a key of 32 bytes from 3.2 on.
    for (version, spoken, key_bytes) in [
        (PROTOCOL_3_0, None, 8),
        (PROTOCOL_3_0 + 1, Some(PROTOCOL_3_0), 8),
        (PROTOCOL_3_0 + 2, None, 36),
        (PROTOCOL_3_0 + 9999, Some(PROTOCOL_3_0 + 2), 36),
    ] {
        let mut client = connect(version, &[]);
        let expected = spoken.map(|spoken| [spoken, 0].map(i32::to_be_bytes).concat());
        assert_eq!(client.negotiated, expected, "{version}");
        assert_eq!(client.backend_key.len(), key_bytes, "{version}");
        let answers = client.simple("SELECT 1");
        assert_eq!(answers[0].tag.as_deref(), Some("SELECT 1"));
    }
    let client = connect(PROTOCOL_3_0 + 2, &[("_pq_.one", "x"), ("_pq_.two", "")]);
    let mut expected = [PROTOCOL_3_0 + 2, 2].map(i32::to_be_bytes).concat();
    put_string(&mut expected, "_pq_.one");
    put_string(&mut expected, "_pq_.two");
    assert_eq!(client.negotiated, Some(expected));
}

/// What an untouched session is told is what `pg_backend_pid()` and notifications say; a masked one gets a number.
#[test]
fn an_untouched_session_knows_its_process() {
    let mut client = harness::connect("admin", &[]);
    let told = i32::from_be_bytes(client.backend_key[..4].try_into().expect("four bytes"));
    client.simple("LISTEN own");
    let answer = &client.simple("SELECT pg_backend_pid()")[0];
    assert_eq!(answer.rows, vec![vec![Some(told.to_string().into_bytes())]]);
    client.send(b'Q', b"NOTIFY own, 'x'\0");
    let notified = std::iter::from_fn(|| Some(client.frame())).find(|frame| frame.kind == b'A');
    assert_eq!(notified.expect("a notification").body[..4], told.to_be_bytes());
}

/// A long key is a key whole: no shorter or longer one cancels, and none of another length is an error.
#[test]
fn a_part_of_a_cancel_key_is_no_key() {
    let address = harness::scrim().address;
    let password = sample_password("alice");
    let version = PROTOCOL_3_0 + 2;
    let mut client =
        Client::connect_with_version(address, version, "alice", &password, "desk", &[])
            .unwrap_or_else(|error| panic!("{error:?}"));
    let list = (0..10).map(|n| format!("orders o{n}")).collect::<Vec<_>>().join(", ");
    client.send(b'Q', format!("SELECT count(*) FROM {list}\0").as_bytes());
    let cancel = move |key: &[u8]| {
        let mut stream = TcpStream::connect(address).expect("connection");
        let mut packet = (key.len() as u32 + 8).to_be_bytes().to_vec();
        packet.extend(80_877_102_u32.to_be_bytes());
        packet.extend(key);
        stream.write_all(&packet).expect("a cancel request");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "a cancel request is never answered");
    };
    let key = client.backend_key.clone();
    for wrong in
        [&key[..8], &key[..35], &[&key[..], b"x"].concat(), &[&key[..4], &[0; 32]].concat()]
    {
        cancel(wrong);
    }
    client.expect_silence(Duration::from_millis(300));
    let asking = std::thread::spawn(move || {
        for _ in 0..50 {
            cancel(&key);
        }
    });
    let answers = client.answers();
    assert_eq!(answers[0].error.as_ref().map(|e| e.code.as_str()), Some("57014"));
    asking.join().expect("cancel requests");
}

/// What drivers send, and what PostgreSQL says of what nobody knows.
#[test]
fn parameters_of_drivers_and_unknown_ones() {
    let connect = |user: &str, options: &[(&str, &str)]| {
        let password = sample_password(user);
        Client::connect(harness::scrim().address, user, &password, "desk", options)
    };
    for user in ["alice", "dba"] {
        let drivers: [&[(&str, &str)]; 6] = [
            // libpq, psycopg
            &[("application_name", "psql"), ("client_encoding", "UTF8")],
            // pgjdbc
            &[
                ("client_encoding", "UTF8"),
                ("DateStyle", "ISO"),
                ("TimeZone", "Asia/Seoul"),
                ("extra_float_digits", "2"),
                ("search_path", "public"),
            ],
            // node-postgres, postgres.js
            &[
                ("client_encoding", "UTF8"),
                ("statement_timeout", "60000"),
                ("lock_timeout", "1000"),
                ("idle_in_transaction_session_timeout", "60000"),
            ],
            // asyncpg, with settings of its own
            &[("client_encoding", "'utf-8'"), ("jit", "off"), ("application_name", "a")],
            // lib/pq
            &[("datestyle", "ISO, MDY"), ("extra_float_digits", "2"), ("client_encoding", "UTF8")],
            // libpq with PGOPTIONS, PGTZ, PGGEQO
            &[
                ("options", r"-c search_path=public,\ shop --work-mem=8MB -cgeqo=off"),
                ("TimeZone", "UTC"),
                ("geqo", "on"),
                ("replication", "false"),
            ],
        ];
        for options in drivers {
            let login = connect(user, options);
            let fault = login.err().map(|error| format!("{} {}", error.code, error.message));
            assert_eq!(fault, None, "{user}: {options:?}");
        }
        let mut client = connect(user, &[("options", r"-c application_name=a\ b\\c")]).expect("in");
        let answer = client.simple("SHOW application_name").remove(0);
        assert_eq!(answer.rows, [[Some(br"a b\c".to_vec())]], "{user}");
    }
    // The unmasked role's answer is PostgreSQL's own.
    let unknown = [
        ("no_such_setting", "1"),
        ("No_Such_Setting", "1"),
        ("options", "-c no_such_setting=1"),
        ("options", "--no-such-setting=1"),
        ("no such; setting'", "1"),
        ("scrim.nothing", "1"),
    ];
    for (name, value) in unknown {
        let told = |user: &str| {
            let error = connect(user, &[(name, value)]).err().expect(name);
            (error.severity.clone(), error.code.clone(), error.message.to_ascii_lowercase())
        };
        let (masked, unmasked) = (told("alice"), told("dba"));
        assert_eq!(masked, unmasked, "{name}");
        assert_eq!((masked.0.as_str(), masked.1.as_str()), ("FATAL", "42704"), "{name}");
    }
    for options in ["-c", "-c geqo", "-d 5", "-c =x", "nonsense"] {
        let error = connect("alice", &[("options", options)]).err().expect(options);
        assert_eq!((error.severity.as_str(), error.code.as_str()), ("FATAL", "42601"), "{options}");
    }
    // There is such a setting, and it is not for this role.
    for (name, value) in [("log_statement", "none"), ("role", "dba"), ("my.setting", "1")] {
        let error = connect("alice", &[(name, value)]).err().expect("refused");
        assert_eq!(error.code, "42501", "{name}");
    }
}

/// libpq binds its login to the certificate by itself, and can insist.
#[test]
fn a_login_over_tls_is_bound_to_it() {
    let own = Own::open("");
    let password = sample_password("alice");
    let authority = own.desk.authority();
    let trusted = format!("sslmode=verify-full sslrootcert={}", authority.display());
    for (more, expected) in [
        (format!("{trusted} channel_binding=require"), "alice"),
        (format!("{trusted} channel_binding=disable"), "alice"),
        ("sslmode=require channel_binding=require".to_owned(), "alice"),
        ("sslmode=disable channel_binding=prefer".to_owned(), "alice"),
        ("sslmode=disable channel_binding=require".to_owned(), "channel binding"),
    ] {
        let said = shown(&psql(&own, "alice", &more, &password));
        assert!(said.contains(expected), "{more}: {said}");
    }
    let said = shown(&psql(&own, "alice", "sslmode=require channel_binding=require", "wrong"));
    assert!(said.contains("password authentication failed for user \"alice\""), "{said}");
}

/// The libpq in psycopg's package is newer: direct TLS, protocol 3.2, its long cancel keys over TLS.
#[test]
fn a_newer_libpq_begins_as_it_likes() {
    let own = Own::open("");
    let output = Command::new(clients::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/clients/psycopg_startup.py"))
        .env("PGHOST", "localhost")
        .env("PGHOSTADDR", "127.0.0.1")
        .env("PGPORT", own.address().port().to_string())
        .env("PGDATABASE", "desk")
        .env("PGUSER", "alice")
        .env("PGPASSWORD", sample_password("alice"))
        .env("PGSSLROOTCERT", own.desk.authority())
        .output()
        .expect("Python");
    assert!(output.status.success(), "{}", shown(&output));
    assert!(shown(&output).ends_with(" checks"), "{}", shown(&output));
}

/// Direct TLS is for clients that say they speak PostgreSQL's protocol.
#[test]
fn direct_tls_needs_its_name() {
    let own = Own::open("");
    let openssl = |more: &[&str]| {
        let done = Command::new("openssl")
            .args(["s_client", "-connect", &own.address().to_string(), "-brief"])
            .args(more)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    // The handshake itself is done before Scrim looks.
    let named = openssl(&["-alpn", "postgresql"]);
    assert!(named.contains("CONNECTION ESTABLISHED"), "{named}");
    let other = openssl(&["-alpn", "http/1.1"]);
    assert!(!other.contains("CONNECTION ESTABLISHED"), "{other}");
}

/// An authority of clients, and certificates by it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.distinguished_name.push(DnType::CommonName, "clients");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(parameters, key), pem }
    }

    /// Words of a connection string, for a certificate of these names.
    fn certify(
        &self,
        folder: &Path,
        common: &str,
        alternative: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, common);
        let names = alternative.iter().map(|name| (*name).try_into().expect("a name"));
        parameters.subject_alt_names = names.map(SanType::DnsName).collect();
        change(&mut parameters);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let number = std::fs::read_dir(folder).expect("a folder").count();
        let file = |end: &str| -> PathBuf { folder.join(format!("client{number}.{end}")) };
        std::fs::write(file("crt"), certificate.pem()).expect("a certificate");
        std::fs::write(file("key"), key.serialize_pem()).expect("a key");
        std::fs::set_permissions(file("key"), Permissions::from_mode(0o600)).expect("a key");
        format!("sslcert={} sslkey={}", file("crt").display(), file("key").display())
    }
}

#[test]
fn who_may_log_in_by_a_certificate() {
    let (ours, other, signer) = (Authority::new(), Authority::new(), Signer::ecdsa());
    let own = Own::open_changed(|desk, text| {
        let rules = format!(
            "users:\n  kim: {{role: support, certificate: kim.example.com}}\n  \
             lee: {{role: support, certificate: lee.example.com}}\n  \
             both: {{role: support, certificate: both.example.com, password: \"{}\"}}\n  \
             seal: {{role: support, certificate: both.example.com, token: seal@example.com}}\n",
            sample_verifier()
        );
        std::fs::write(desk.folder().join("masking-rules/60-more.yaml"), rules).expect("rules");
        std::fs::write(desk.folder().join("certs/clients.pem"), &ours.pem).expect("authority");
        let keys = signer::set(&[signer.jwk("one")]);
        std::fs::write(desk.folder().join("keys.json"), keys).expect("keys");
        let jwt = "jwt: {issuer: https://id.example.com, audience: scrim, user_claim: email, \
                   keys: keys.json}\n";
        text.replacen("  mode: allow\n", "  mode: allow\n  client_ca: certs/clients.pem\n", 1) + jwt
    });
    let folder = own.desk.folder().join("clients");
    std::fs::create_dir(&folder).expect("a folder");
    let certify =
        |common: &str, alternative: &[&str]| ours.certify(&folder, common, alternative, |_| {});
    let by_common = certify("kim.example.com", &[]);
    let by_alternative = certify("somebody", &["other.example.com", "kim.example.com"]);
    let of_both = certify("both.example.com", &[]);
    let stranger = certify("eve.example.com", &["xkim.example.com", "*.example.com"]);
    let zero = certify("kim.example.com\0.eve.example.com", &[]);
    let for_servers = ours.certify(&folder, "kim.example.com", &[], |parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let expired = ours.certify(&folder, "kim.example.com", &[], |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let foreign = other.certify(&folder, "kim.example.com", &["kim.example.com"], |_| {});
    let (alice, wrong) = (sample_password("alice"), "wrong".to_owned());
    let claims = signer::claims("seal@example.com", "support");
    let seal = signer.token(&signer::head("ES256", "one"), &claims);
    let tls = "sslmode=require";
    let refused = |user: &str| format!("password authentication failed for user \"{user}\"");
    for (user, more, password, expected) in [
        ("kim", format!("{tls} {by_common}"), &wrong, "kim".to_owned()),
        ("kim", format!("{tls} {by_alternative}"), &wrong, "kim".to_owned()),
        // Without a certificate, with another's, and what only looks like the name.
        ("kim", tls.to_owned(), &alice, refused("kim")),
        ("kim", "sslmode=disable".to_owned(), &alice, refused("kim")),
        ("lee", format!("{tls} {by_common}"), &alice, refused("lee")),
        ("kim", format!("{tls} {stranger}"), &alice, refused("kim")),
        ("kim", format!("{tls} {zero}"), &alice, refused("kim")),
        // One who has no entry at all looks the same.
        ("eve", format!("{tls} {stranger}"), &alice, refused("eve")),
        // A certificate and a password: both, or nothing.
        ("both", format!("{tls} {of_both}"), &alice, "both".to_owned()),
        ("both", format!("{tls} {of_both}"), &wrong, refused("both")),
        ("both", tls.to_owned(), &alice, refused("both")),
        ("both", format!("{tls} {by_common}"), &alice, refused("both")),
        // The same with a token.
        ("seal", format!("{tls} {of_both}"), &seal, "seal".to_owned()),
        ("seal", format!("{tls} {of_both}"), &wrong, refused("seal")),
        ("seal", tls.to_owned(), &seal, refused("seal")),
        // Users without one may show any, or none.
        ("alice", format!("{tls} {by_common}"), &alice, "alice".to_owned()),
        ("alice", tls.to_owned(), &alice, "alice".to_owned()),
        // Whom nobody we trust has signed, or not for this, or not for today.
        ("kim", format!("{tls} {foreign}"), &alice, "tls".to_owned()),
        ("kim", format!("{tls} {for_servers}"), &alice, "tls".to_owned()),
        ("kim", format!("{tls} {expired}"), &alice, "tls".to_owned()),
        ("alice", format!("{tls} {foreign}"), &alice, "tls".to_owned()),
    ] {
        let output = psql(&own, user, &more, password);
        let said = shown(&output);
        let is_as_expected = match expected.as_str() {
            "tls" => !output.status.success() && said.contains("alert"),
            expected if expected == user => output.status.success() && said == user,
            expected => !output.status.success() && said.contains(expected),
        };
        assert!(is_as_expected, "{user} {more}: {expected} expected: {said}");
        if expected == refused(user) {
            assert!(said.contains("users who log in by a certificate"), "{said}");
        }
    }
    // Taken out of the rules, a certificate ends the session that began with it.
    let version = own.version();
    own.edit("60-more.yaml", "kim.example.com", "kim2.example.com");
    own.wait_for_other_rules(&version);
    let said = shown(&psql(&own, "kim", &format!("{tls} {by_common}"), ""));
    assert!(said.contains(&refused("kim")) || said.contains("password"), "{said}");
}

/// One Scrim, several databases: each with its own catalog, and with the rules that are for it.
#[test]
fn several_databases_behind_one_scrim() {
    let own = Own::open_changed(|desk, text| {
        desk.server().create_database("branch", None).expect("a database");
        for database in ["desk", "branch"] {
            let script = format!(
                "CREATE TABLE pages (id int PRIMARY KEY, body text); \
                 INSERT INTO pages VALUES (1, 'of {database}'); GRANT SELECT ON pages TO scrim;"
            );
            desk.server().run(database, &script).expect("a table");
        }
        let more = "CREATE TABLE branches (id int); GRANT SELECT ON branches TO scrim;";
        desk.server().run("branch", more).expect("a table");
        let rules = "databases: [desk]\nopen: [public.pages]\n";
        std::fs::write(desk.folder().join("masking-rules/60-desk.yaml"), rules).expect("rules");
        text
    });
    let password = sample_password("alice");
    let connect =
        |database: &str| Client::connect(own.address(), "alice", &password, database, &[]);
    let mut desk = connect("desk").expect("in");
    let mut branch = connect("branch").expect("in");
    for _ in 0..3 {
        for (client, body, count) in [(&mut desk, "of desk", 0), (&mut branch, "***", 1)] {
            assert_eq!(value(&client.simple("SELECT body FROM pages").remove(0)), body);
            let answer = client.simple("SELECT count(*) FROM pg_class WHERE relname = 'branches'");
            assert_eq!(value(&answer[0]), count.to_string());
        }
    }
    assert_eq!(value(&branch.simple("SELECT current_database()")[0]), "branch");
    assert_eq!(code(&branch.simple("SELECT * FROM customers")[0]), "42P01");
    assert_eq!(connect("nowhere").err().expect("refused").code, "3D000");
}
