//! `scrim.yaml` and the rules folder as files: defaults, places of mistakes, and what `scrim check` makes of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use scrim::audit::Durability;
use scrim::config::{
    ClientTls, Config, ConnectionLimits, ListenAddress, LogFormat, LogLevel, load_rules,
};
use scrim::demo::{DATABASE, SAMPLE_PSEUDONYM_KEY, SAMPLE_RULES, SERVICE_LOGIN, sample_password};
use scrim::pool::{PoolMode, PoolOptions};
use scrim::rules::Environment;
use scrim::upstream::{Host, Hosts, SessionAttributes, TlsMode};
use scrim::wire::certificates::make_certificates;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::harness;

struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "PASSWORD" => Some("hunter2-of-the-environment".into()),
            "PORT" => Some("5433".into()),
            "HOST" => Some("db.example.com".into()),
            _ => None,
        }
    }
}

/// A folder with these files; folders in between are made.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        write(&folder.path().join(name), text.as_bytes());
    }
    folder
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
}

fn config(text: &str) -> Config {
    let folder = folder(&[("scrim.yaml", text)]);
    Config::load(&folder.path().join("scrim.yaml"), &Variables).unwrap_or_else(|e| panic!("{e}"))
}

/// What is said about a configuration that cannot be used.
fn wrong(text: &str) -> String {
    let folder = folder(&[("scrim.yaml", text)]);
    let said = Config::load(&folder.path().join("scrim.yaml"), &Variables).map(|_| ());
    let said = said.expect_err(text).to_string();
    assert!(!said.contains("hunter2"), "a secret is told:\n{said}");
    said
}

fn told_addresses(config: &Config) -> String {
    let told: Vec<String> = config.listen.iter().map(ListenAddress::to_string).collect();
    told.join(" ")
}

#[test]
fn defaults() {
    let folder = folder(&[("scrim.yaml", "# nothing\n")]);
    let path = folder.path().join("scrim.yaml");
    let config = Config::load(&path, &Variables).expect("usable");
    assert_eq!(told_addresses(&config), "127.0.0.1:6432");
    assert!(!config.proxies.has([127, 0, 0, 1].into()));
    assert_eq!(config.endpoint.hosts, Hosts::one("127.0.0.1", 5432));
    assert_eq!((config.endpoint.user.as_str(), config.database.as_str()), ("scrim", "scrim"));
    assert_eq!(config.endpoint.tls, TlsMode::Prefer);
    assert!(config.endpoint.password.is_none() && config.endpoint.ca.is_none());
    assert_eq!(config.rules, folder.path().join("masking-rules"));
    assert_eq!(config.audit.file, folder.path().join("audit.jsonl"));
    assert_eq!((config.audit.durability, config.audit.key_file), (Durability::Queued, None));
    assert!(matches!(config.tls, ClientTls::Disable));
    assert_eq!((config.warnings.as_str(), config.warnings_count), ("", 0));
}

#[test]
fn every_key() {
    let folder = folder(&[
        (
            "scrim.yaml",
            "listen: [0.0.0.0:7000, \"[::1]:7000\", run/.s.PGSQL.7000]\n\
             proxy_protocol: {from: [10.0.0.5, 10.1.0.0/16]}\n\
             limits: {connections: 9, connections_per_address: 3}\n\
             database:\n  host: ${HOST}\n  port: ${PORT}\n  user: svc\n  name: shop\n  \
             password_file: secret/password\n  tls: verify-full\n  ca: certs/ca.crt\n\
             rules: team/rules\n\
             tls: {mode: require, certificate: certs/server.crt, key: certs/server.key}\n\
             pool: {mode: session, size: 7, min_size: 2, wait_seconds: 3, idle_seconds: 4,\n  \
             lifetime_seconds: 5, check_seconds: 6}\n\
             admin: 127.0.0.1:6433\n\
             audit: {file: /var/log/audit.jsonl, durability: synced, key_file: audit.key}\n\
             log: {format: json, level: debug}\n\
             telemetry: {otlp: \"https://otlp.example.com/v1/traces\", ca: certs/ca.crt, service_name: desk, sample: 0.5}\n\
             reload: on_signal\n\
             drain_seconds: 5\n\
             secrets: {pseudonym_key_file: pseudonyms.key}\n",
        ),
        ("secret/password", "  hunter2 with blanks \r\n"),
        ("pseudonyms.key", "hunter2 hunter2 hunter2 hunter2 hunter2\n"),
    ]);
    make_certificates(&folder.path().join("certs")).expect("certificates");
    let config = Config::load(&folder.path().join("scrim.yaml"), &Variables)
        .unwrap_or_else(|error| panic!("{error}"));
    let socket = folder.path().join("run/.s.PGSQL.7000");
    let expected = format!("0.0.0.0:7000 [::1]:7000 {}", socket.display());
    assert_eq!(told_addresses(&config), expected);
    let limits = ConnectionLimits { all: Some(9), of_address: Some(3) };
    assert_eq!(config.connection_limits, limits);
    assert!(config.proxies.has([10, 1, 2, 3].into()) && !config.proxies.has([10, 0, 0, 6].into()));
    assert_eq!(config.endpoint.hosts, Hosts::one("db.example.com", 5433));
    assert_eq!((config.endpoint.user.as_str(), config.database.as_str()), ("svc", "shop"));
    let password = config.endpoint.password.as_ref().expect("a password");
    assert_eq!(password.expose_secret(), "  hunter2 with blanks ");
    assert_eq!(config.endpoint.tls, TlsMode::VerifyFull);
    assert_eq!(config.endpoint.ca.as_ref().map(|roots| roots.len()), Some(1));
    assert_eq!(config.rules, folder.path().join("team/rules"));
    assert!(matches!(config.tls, ClientTls::Require(_)));
    assert_eq!(config.audit.file, PathBuf::from("/var/log/audit.jsonl"));
    assert_eq!(config.audit.durability, Durability::Synced);
    assert_eq!(config.audit.key_file, Some(folder.path().join("audit.key")));
    assert_eq!(config.admin.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:6433"));
    assert_eq!(config.drain.as_secs(), 5);
    assert!(!config.reload_on_change);
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
    let telemetry = config.telemetry.as_ref().expect("telemetry");
    assert_eq!(telemetry.address.to_string(), "https://otlp.example.com/v1/traces");
    assert_eq!((telemetry.service_name.as_str(), telemetry.sample), ("desk", 0.5));
    let seconds = std::time::Duration::from_secs;
    let pool = PoolOptions {
        mode: PoolMode::Session,
        size: 7,
        min_size: 2,
        wait: seconds(3),
        idle: seconds(4),
        lifetime: seconds(5),
        check_after: seconds(6),
    };
    assert_eq!(config.pool, pool);
    // The key is for everybody to read.
    assert_eq!(config.warnings_count, 1, "{}", config.warnings);
    assert!(config.warnings.contains("others may read the key"), "{}", config.warnings);
    assert_eq!(config.pseudonym_key.as_ref().map(|key| key.parameters().count()), Some(2));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_collector_needs_an_address_and_little_else() {
    let of = |text: &str| config(text).telemetry.expect("telemetry");
    let least = of("telemetry: {otlp: \"http://127.0.0.1:4318\"}\n");
    assert_eq!(least.address.to_string(), "http://127.0.0.1:4318/v1/traces");
    assert_eq!((least.service_name.as_str(), least.sample), ("scrim", 0.01));
    let other = of("telemetry: {otlp: \"http://[::1]:4318/otlp?a=b\", sample: 1}\n");
    assert_eq!(
        (other.address.to_string().as_str(), other.sample),
        ("http://[::1]:4318/otlp?a=b", 1.0)
    );
    for (text, place, reason) in [
        ("telemetry: {}", "1:1", "`telemetry` needs `otlp`"),
        (
            "telemetry: http://kim:hunter2@otlp:4318",
            "1:12",
            "a mapping (`key: value`) belongs here",
        ),
        ("telemetry: {otlp: otlp.example.com}", "1:19", "this is no address of a collector"),
        ("telemetry: {otlp: \"grpc://otlp:4317\"}", "1:19", "this is no address of a collector"),
        ("telemetry: {otlp: \"http://kim:hunter2@otlp:4318\"}", "1:19", "no user and no password"),
        (
            "telemetry: {otlp: \"http://otlp:4318\", ca: ca.pem}",
            "1:43",
            "`ca` counts for `https:` only",
        ),
        ("telemetry: {otlp: \"https://otlp\", ca: nobody.pem}", "1:39", "nobody.pem"),
        ("telemetry: {otlp: \"http://otlp\", sample: 2}", "1:42", "a number from 0 to 1"),
        ("telemetry: {otlp: \"http://otlp\", sample: NaN}", "1:42", "a number from 0 to 1"),
        ("telemetry: {otlp: \"http://otlp\", sampel: 1}", "1:34", "did you mean `sample`?"),
        ("telemetry: {otlp: \"http://otlp\", service_name: \"\"}", "1:48", "this text is empty"),
    ] {
        let said = wrong(&format!("{text}\n"));
        assert!(said.contains(&format!(":{place}")) && said.contains(reason), "{text}\n{said}");
    }
}

#[test]
fn hosts_of_one_cluster_have_one_port_or_each_their_own() {
    let of = |text: &str| config(&format!("database: {{{text}}}\n")).endpoint.hosts;
    let hosts = |ports: [u16; 2], wanted| {
        let host = |(name, port): (&str, u16)| Host { name: name.into(), port };
        Hosts::of(["a", "b"].into_iter().zip(ports).map(host).collect(), wanted)
    };
    assert_eq!(of("host: [a]"), Hosts::one("a", 5432));
    assert_eq!(of("host: [a, b]"), hosts([5432, 5432], SessionAttributes::Any));
    assert_eq!(of("host: [a, b], port: 6000"), hosts([6000, 6000], SessionAttributes::Any));
    assert_eq!(
        of("host: [a, b], port: [6000, 6001], target_session_attrs: prefer-standby"),
        hosts([6000, 6001], SessionAttributes::PreferStandby)
    );
}

#[test]
fn all_mistakes_are_told_with_their_places() {
    let said = wrong(
        "lisen: 127.0.0.1:1\n\
         listen: localhost:6432\n\
         database:\n  host: \"\"\n  port: 70000\n  pasword: hunter2\n  tls: on\n\
         tls: {mode: allways, client_ca: ca.pem}\n\
         pool: {mode: statement, size: 0}\n\
         audit: {durability: maybe, rotate: {bytes: 9, kep: 1}, sinks: [stdot, {syslog: log}, {facility: mail}]}\n\
         secrets: {pseudonym_key: hunter2}\n\
         log: {format: xml, level: loud, file: x}\n\
         reload: always\n\
         drain_seconds: 90000\n\
         admin: 6433\n",
    );
    for (place, text) in [
        ("1:1", "did you mean `listen`?"),
        ("2:9", "this is no address with a port"),
        ("4:9", "this text is empty"),
        ("5:9", "this is no whole number from 1 to 65535"),
        ("6:3", "did you mean `password`?"),
        ("7:8", "`on` is none of: disable, prefer, require, verify-full"),
        ("8:13", "`allways` is none of: disable, allow, require"),
        ("9:14", "`statement` is none of: transaction, session"),
        ("9:31", "this is no whole number from 1"),
        ("10:21", "`maybe` is none of: queued, synced"),
        ("10:44", "this is no whole number from 10000"),
        ("10:47", "did you mean `keep`?"),
        ("10:64", "did you mean `stdout`?"),
        ("10:80", "`log` is no address of a syslog"),
        ("10:97", "`mail` is none of: user, daemon"),
        ("11:11", "known keys: pseudonym_key_file"),
        ("12:15", "`xml` is none of: text, json"),
        ("12:27", "`loud` is none of: error, warn, info, debug, trace"),
        ("12:33", "known keys: format, level"),
        ("13:9", "`always` is none of: on_change, on_signal"),
        ("14:16", "this is no whole number from 0 to 86400"),
        ("15:8", "this is no address with a port"),
    ] {
        assert!(said.contains(&format!("scrim.yaml:{place}\n")), "{place} in\n{said}");
        assert!(said.contains(text), "{text} in\n{said}");
    }
}

#[test]
fn what_weakens_is_never_silent() {
    for (text, expected) in [
        ("tls: {certificate: a.crt, key: a.key}", "`tls` needs a `mode`"),
        ("tls: {mode: require}", "TLS needs `certificate` and `key`"),
        ("tls: {mode: disable, client_ca: ca.pem}", "`client_ca` counts with TLS only"),
        ("tls: {client_ca: ca.pem}", "`client_ca` counts with TLS only"),
        ("tls: {mode: allow, certificate: no.crt, key: no.key}", "no.crt"),
        ("database: {tls: verify-full}", "`verify-full` needs a `ca`"),
        ("database: {tls: verify-full, ca: no.pem}", "no.pem"),
        ("database: {password: hunter2, password_file: x}", "not both"),
        ("secrets: {pseudonym_key_file: no-such.key}", "no-such.key"),
        ("secrets: {pseudonym_key_file: /dev/null}", "a key has at least 32"),
        ("secrets: {pseudonym_key_file: ''}", "this text is empty"),
        ("secrets: hunter2", "a mapping"),
        ("database: {password_file: no-such-file}", "no-such-file"),
        ("database: {password: \"${NOT_SET}\"}", "`NOT_SET` is not set"),
        ("database: {password: ${PASSWORD}}", "in quotation marks"),
        ("database: {password: ''}", "this text is empty"),
        ("database: postgres://scrim:hunter2@db/x", "a mapping"),
        ("database:\n  password: hunter2\n  host: [x\n", "this is no YAML"),
        ("database: {host: x, host: y}", "`host` stands here twice"),
        ("database: {host: []}", "a host, or a list of hosts belongs here"),
        ("database: {host: [x, '']}", "this text is empty"),
        ("database: {port: []}", "a port, or a list of ports belongs here"),
        (
            "database: {host: [x, y, z], port: [1, 2]}",
            "`port` lists 2 ports, and there are 3 hosts",
        ),
        ("database: {host: x, port: [1, 2]}", "one port for all hosts, or one for each"),
        ("database: {host: [x, y], port: [1, 70000]}", "no whole number from 1 to 65535"),
        (
            "database: {target_session_attrs: master}",
            "is none of: any, read-write, read-only, primary",
        ),
        ("database: {target_session_attr: any}", "did you mean `target_session_attrs`?"),
        ("listen: 127.0.0.1:7\nadmin: 127.0.0.1:7", "are the same address"),
        ("listen: [127.0.0.1:8, 127.0.0.1:7]\nadmin: 127.0.0.1:7", "are the same address"),
        ("listen: []", "`listen` names no address"),
        ("listen: [127.0.0.1:7, 127.0.0.1:7]", "stands here twice"),
        ("listen: /run/scrim.sock", "is called `.s.PGSQL.` and a port"),
        ("listen: /run/.s.PGSQL.", "is called `.s.PGSQL.` and a port"),
        ("listen: /run/scrim/../.s.PGSQL.6432x", "is called `.s.PGSQL.` and a port"),
        ("listen: {tcp: 127.0.0.1:7}", "a text belongs here"),
        ("limits: {connections: 0}", "no whole number from 1"),
        ("limits: {connection: 1}", "did you mean `connections`?"),
        ("proxy_protocol: {}", "needs the addresses of the proxies"),
        ("proxy_protocol: {from: []}", "needs the addresses of the proxies"),
        ("proxy_protocol: {from: [0.0.0.0/0]}", "this trusts everybody"),
        ("proxy_protocol: {from: [\"::/0\"]}", "this trusts everybody"),
        ("proxy_protocol: {from: [10.1.2.3/8]}", "this network begins at 10.0.0.0/8"),
        ("proxy_protocol: {from: [balancer]}", "no address and no network"),
        ("proxy_protocol: {trust: [10.0.0.1]}", "known keys: from"),
        ("pool: {size: 2, min_size: 3}", "`min_size` is more than `size`, which is 2"),
        ("pool: {wait_seconds: 0}", "no whole number from 1 to"),
        ("jwt: {}", "`jwt` needs `issuer`"),
        ("jwt: {issuer: x}", "`jwt` needs `audience`"),
        ("jwt: {issuer: x, audience: x}", "`jwt` needs `keys`"),
        ("jwt: {issuer: x, audience: x, keys: no.json}", "cannot read keys from `"),
        ("jwt: {keys: scrim.yaml}", "it is no JSON Web Key Set"),
        ("jwt: {keys: https://kim:hunter2@id.example.com/keys}", "no user and no password"),
        ("jwt: {keys: http://id.example.com/keys}", "without TLS whoever stands in between"),
        ("jwt: {keys: http://127.0.0.1.example.com/keys}", "without TLS whoever"),
        ("jwt: {keys: ftp://id.example.com/keys}", "no address of a key set"),
        ("jwt: {keys: 'https://'}", "no address of a key set"),
        ("jwt: {keys: http://localhost/keys, ca: no.pem}", "`ca` counts for `https:` only"),
        ("jwt: {keys: https://id.example.com/keys, ca: no.pem}", "no.pem"),
        ("jwt: {keys: no.json, ca: no.pem}", "`ca` counts for the address of keys only"),
        ("jwt: {algorithms: [RS256, HS256]}", "`HS256` is never taken"),
        ("jwt: {algorithms: [none]}", "`none` is never taken"),
        ("jwt: {algorithms: [RS265]}", "did you mean `RS256`?"),
        ("jwt: {algorithms: []}", "this list is empty"),
        ("jwt: {algorithms: RS256}", "a list"),
        ("jwt: {audience: []}", "this list is empty"),
        ("jwt: {issuer: ''}", "this text is empty"),
        ("jwt: {leeway_seconds: 301}", "no whole number from 0 to 300"),
        ("jwt: {isuer: x}", "did you mean `issuer`?"),
        ("jwt: https://id.example.com", "a mapping"),
        (
            "jwt: {issuer: x, audience: x, keys: http://localhost/keys}",
            "`jwt` counts with TLS only",
        ),
        ("[1]", "a mapping"),
    ] {
        let said = wrong(text);
        assert!(said.contains(expected), "{text}:\n{said}");
    }
    let long = format!("listen: /run/{}/.s.PGSQL.6432", "x".repeat(90));
    assert!(wrong(&long).contains("107 bytes at most"), "{}", wrong(&long));
    let config = config("listen: 0.0.0.0:6432");
    assert_eq!(config.warnings_count, 1);
    assert!(config.warnings.contains("only without TLS"), "{}", config.warnings);
}

#[test]
fn values_of_the_environment_are_not_told() {
    for text in [
        "listen: ${PASSWORD}",
        "database: {tls: \"${PASSWORD}\"}",
        "database: {port: \"${PASSWORD}\"}",
        "database: {password_file: \"${PASSWORD}\"}",
        "database: {tls: verify-full, ca: \"${PASSWORD}\"}",
        "tls: {mode: allow, certificate: \"${PASSWORD}\", key: x}",
        "audit: {durability: \"${PASSWORD}\"}",
    ] {
        wrong(text);
    }
    let config = config("database: {password: \"${PASSWORD}\"}");
    assert!(!format!("{config:?}").contains("hunter2"));
}

fn told(folder: &Path) -> String {
    load_rules(folder, &Variables).map(|_| ()).expect_err("unusable").to_string()
}

#[test]
fn the_rules_folder_is_read_as_it_says() {
    let folder = folder(&[
        ("b.yaml", "open: [x.b]"),
        ("a.yml", "\u{feff}open: [x.a]"),
        ("deep/er/c.yaml", "open: [x.c]"),
        ("tests/t.yaml", "nonsense: 1"),
        ("deep/tests/t.yaml", "nonsense: 1"),
        (".hidden.yaml", "nonsense: 1"),
        (".git/x.yaml", "nonsense: 1"),
        ("README.md", "nonsense: 1"),
    ]);
    // A mount's way, and a circle.
    std::os::unix::fs::symlink(folder.path(), folder.path().join("deep/again")).expect("a link");
    let (rules, warnings) = load_rules(folder.path(), &Variables).expect("rules");
    let names: Vec<String> = rules.sources.iter().map(|(_, s)| s.name.to_string()).collect();
    assert_eq!(names, ["a.yml", "b.yaml", "deep/er/c.yaml"]);
    assert!(warnings.is_empty());
}

#[test]
fn folders_and_files_that_cannot_be_read() {
    let empty = folder(&[("tests/a.yaml", "open: [x.a]")]);
    assert!(told(empty.path()).contains("there is no *.yaml file in the rules folder"));
    let missing = empty.path().join("missing");
    assert!(told(&missing).contains(&format!("`{}`", missing.display())));
    assert!(told(&empty.path().join("tests/a.yaml")).contains("is no folder"));
    let broken = folder(&[("a.yaml", "opne: [x.a]")]);
    write(&broken.path().join("b.yaml"), b"open: [\xff]");
    std::os::unix::fs::symlink("nowhere", broken.path().join("c.yaml")).expect("a link");
    let said = told(broken.path());
    // All files first: what is missing would be missed in the others.
    assert!(
        said.contains("b.yaml`: it is no text in UTF-8") && said.contains("c.yaml`: "),
        "{said}"
    );
    assert!(!said.contains("opne"), "{said}");
}

fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
    command.arg("check").args(arguments).stdin(Stdio::null()).output().expect("scrim starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_needs_no_configuration_for_rules_alone() {
    let good = folder(&[("a.yaml", "tables: {x.a: {columns: {b: c.d, e: open}}}")]);
    let path = good.path().display().to_string();
    let output = check(&["--offline", "--rules", &path]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let expected = "ok: 1 file, 0 roles, 0 users; 2 columns classified in 1 table (the database was \
                    not asked); 0 warnings\n";
    assert_eq!(text(&output.stdout), expected);
    let bad = folder(&[("a.yaml", "tabels: {}"), ("b.yaml", "users: {alice: hunter2}")]);
    let output = check(&["--offline", "--rules", &bad.path().display().to_string()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let said = text(&output.stderr);
    assert!(said.contains("a.yaml:1:1") && said.contains("b.yaml:1:9"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn check_tells_of_configuration_and_rules_at_once() {
    let folder = folder(&[("scrim.yaml", "lisen: 1"), ("rules/a.yaml", "opne: []")]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let output = check(&["--offline", "--config", &path("scrim.yaml"), "--rules", &path("rules")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("`lisen`") && said.contains("`opne`"), "{said}");
}

/// A folder with the sample rules and a configuration for the tests' own server.
fn desk_folder(more: &[(&str, &str)]) -> TempDir {
    let port = harness::postgres().port();
    let password = sample_password(SERVICE_LOGIN);
    let database =
        format!("{{port: {port}, user: {SERVICE_LOGIN}, password: {password}, tls: disable}}");
    let secrets = "{pseudonym_key_file: pseudonym.key}";
    let folder = folder(&[
        ("scrim.yaml", &format!("database: {database}\nrules: rules\nsecrets: {secrets}\n")),
        ("pseudonym.key", SAMPLE_PSEUDONYM_KEY),
    ]);
    for (name, text) in SAMPLE_RULES.iter().chain(more) {
        write(&folder.path().join("rules").join(name), text.as_bytes());
    }
    folder
}

fn check_desk(folder: &TempDir, more: &[&str]) -> Output {
    let config = folder.path().join("scrim.yaml").display().to_string();
    check(&[&["--config", config.as_str()], more].concat())
}

#[test]
fn check_asks_the_database() {
    let good = desk_folder(&[]);
    let output = check_desk(&good, &["--database", DATABASE]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("ok: 5 files, 8 roles, 9 users; "), "{said}");
    assert!(!said.contains(" classified, 0 not"), "some columns are left out on purpose: {said}");
    assert!(text(&output.stderr).contains("public.unlisted"), "{}", text(&output.stderr));

    let bad =
        desk_folder(&[("99.yaml", "tables:\n  public.custommers:\n    columns: {emial: a.b}\n")]);
    let output = check_desk(&bad, &["--database", DATABASE]);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("99.yaml:2:3") && said.contains("`public.customers`?"), "{said}");
    assert!(said.trim_end().ends_with("error: 1 error in the rules"), "{said}");
    // Each thing once, although six roles see it.
    assert_eq!(said.matches("99.yaml:2:3").count(), 1, "{said}");
}

#[test]
fn masks_that_do_not_fit_are_told() {
    let rules = r#"roles:
  odd:
    masks:
      person.name: {noise: 0.1}
      person.birth_date: {shift: 5, by: nowhere}
      person.profile: {json: {paths: {$.a: {truncate: year}}}}
      contact.email: {cap: [1, 2]}
      contact.phone: {each: phone}
      identity.national_id: {pseudonym: token}
      finance.balance: {cap: [0.5, 9999999999999]}
      payment.card: {json: {keep: [$.a]}}
      event.time: {shift: 5, by: f}
      measure.small: {pseudonym: integer}
      web.visitor: ip
      web.device: {pseudonym: email}
      web.address: {replace: a, with: b}
      web.text: {pseudonym: integer}
      web.contacts: {each: {round: 5}}
      web.answers: {json: {paths: {$.a: {sql: "upper({})"}, $.b: {when: nothing, then: redact, else: hide}}}}
      web.raw: {each: {sql: "upper({})"}}
      web.time: {when: consented, then: {noise: 0.5}, else: redact}
"#;
    let folder = desk_folder(&[("99.yaml", rules)]);
    let output = check_desk(&folder, &["--database", DATABASE]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (line, why) in [
        (4, "mask `{noise: 0.1}` does not fit column `name` of type text: it masks numbers"),
        (5, "there is no column `nowhere` to shift by"),
        (6, "column `profile` of type a JSON value: it masks dates and timestamps"),
        (7, "it masks numbers, dates and timestamps"),
        (8, "it masks arrays"),
        (9, "of type character(14): it needs 22 characters"),
        (10, "one end of the range is no value of this type"),
        (11, "it masks json and jsonb"),
        (12, "column `f` is no key to shift by: text, an integer or a uuid"),
        (13, "of type smallint: it masks integer and bigint"),
        (14, "of type bigint: it masks inet, cidr and text"),
        (15, "of type uuid: it masks text"),
        (16, "of type inet: it masks text"),
        (17, "of type text: it masks integer and bigint"),
        (18, "mask `{round: 5}` does not fit column `contacts` of type text: it masks numbers"),
        (19, "an own expression is over a whole column"),
        (20, "of type json: it masks arrays"),
        (21, "there is no column or condition `consented`"),
    ] {
        assert!(said.contains(&format!("99.yaml:{line}:7\n")), "{line} in\n{said}");
        assert!(said.contains(why), "{why} in\n{said}");
    }
}

#[test]
fn masks_that_need_a_key_need_one() {
    let folder = desk_folder(&[]);
    let file = folder.path().join("scrim.yaml");
    let with_key = std::fs::read_to_string(&file).expect("a configuration");
    let (without, _) = with_key.split_once("secrets").expect("the key");
    write(&file, without.as_bytes());
    let config = file.display().to_string();
    let mut run = Command::new(env!("CARGO_BIN_EXE_scrim"));
    let ran =
        run.args(["run", "--config", &config]).stdin(Stdio::null()).output().expect("scrim starts");
    for output in [check_desk(&folder, &["--offline"]), ran] {
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        assert!(said.contains("mask `{pseudonym: token, domain: people}` needs a key"), "{said}");
        assert!(said.contains("40-roles.yaml") && said.contains("openssl rand -hex 32"), "{said}");
    }
    // Rules alone, without a configuration, may be right.
    let rules = folder.path().join("rules").display().to_string();
    assert!(check(&["--offline", "--rules", &rules]).status.success());
}

#[test]
fn certificates_of_users_need_an_authority() {
    let rules = "users:\n  kim: {role: support, certificate: kim.example.com}\n  \
                 lee: {role: support, certificate: '*.example.com'}\n";
    let said = |rules: &str| {
        let folder = desk_folder(&[("rules/60.yaml", rules)]);
        let output = check_desk(&folder, &["--offline"]);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let wildcard = said(rules);
    assert!(
        wildcard.contains("60.yaml:3:37") && wildcard.contains("a `*` stands for itself"),
        "{wildcard}"
    );
    let (kim, _) = rules.split_once("  lee").expect("two users");
    let missing = said(kim);
    assert!(missing.contains("user `kim` logs in by a certificate"), "{missing}");
    assert!(missing.contains("60.yaml:2:37") && missing.contains("`client_ca: FILE`"), "{missing}");
}

#[test]
fn tokens_of_users_need_an_issuer_and_a_role_claim() {
    let rules = "users:\n  kim: {role: support, token: kim@example.com}\n\
                 token_users: {roles: [support]}\n";
    let said = |jwt: &str| {
        let folder = desk_folder(&[("rules/60.yaml", rules)]);
        let file = folder.path().join("scrim.yaml");
        let base = std::fs::read_to_string(&file).expect("configuration");
        make_certificates(&folder.path().join("certs")).expect("certificates");
        let tls = "tls: {mode: allow, certificate: certs/server.crt, key: certs/server.key}\n";
        write(&file, format!("{base}{tls}{jwt}").as_bytes());
        let output = check_desk(&folder, &["--offline"]);
        (output.status.success(), text(&[output.stdout.as_slice(), &output.stderr].concat()))
    };
    let (_, missing) = said("");
    for (place, expected) in [
        ("60.yaml:2:24", "user `kim` logs in by a token, and the configuration takes none"),
        ("60.yaml:3:1", "`token_users` logs in by a token"),
        ("", "write `jwt: {issuer: …"),
    ] {
        assert!(missing.contains(place) && missing.contains(expected), "{missing}");
    }
    let jwt = "jwt:\n  issuer: https://id.example.com\n  audience: scrim\n  \
               keys: http://localhost:1/keys\n";
    let (_, unclear) = said(jwt);
    assert!(unclear.contains("60.yaml:3:1") && unclear.contains("`role_claim: NAME`"), "{unclear}");
    let (is_good, said) = said(&format!("{jwt}  role_claim: roles\n"));
    assert!(is_good, "{said}");
}

#[test]
fn check_without_its_database_says_so() {
    let folder = desk_folder(&[]);
    let output = check_desk(&folder, &["--database", "no_such_database"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no_such_database") && said.contains("--offline"), "{said}");
    assert!(!said.contains(&sample_password(SERVICE_LOGIN)), "{said}");
    assert!(check_desk(&folder, &["--offline"]).status.success());
}

#[test]
fn password_reads_a_line_and_prints_one() {
    use std::io::Write as _;
    let run = |input: &str, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scrim"));
        command.arg("password").args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("scrim starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        child.wait_with_output().expect("scrim ends")
    };
    let output = run("hunter2\nmore\n", &["alice", "--role", "support"]);
    let line = text(&output.stdout);
    assert!(output.status.success() && line.lines().count() == 1, "{line}");
    let rules = format!("roles: {{support: {{}}}}\nusers:\n  {line}");
    let folder = folder(&[("a.yaml", &rules)]);
    let (rules, _) = load_rules(folder.path(), &Variables).unwrap_or_else(|e| panic!("{e}"));
    assert!(rules.users["alice"].verifier.is_some());
    for input in ["", "\n", "\r\n"] {
        let output = run(input, &["alice"]);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
        assert!(text(&output.stderr).contains("the password is empty"));
    }
}
