//! `scrim.yaml` → [`Config`]. Every value is checked on construction; what is wrong is said with its place.
//!
//! This is where files are read: the configuration, the rules folder, passwords and certificates. The rooms
//! behind get texts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{RootCertStore, ServerConfig};
use secrecy::SecretString;

use crate::audit::{AuditOptions, Durability};
use crate::rules::{self, RuleSet};
use crate::text::reader::{Environment, Reader};
use crate::text::yaml::{self, Node};
use crate::text::{Diagnostic, Sources, Span, render};
use crate::upstream::{Endpoint, TlsMode};
use crate::wire::tls;

/// `scrim.yaml`, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// The PostgreSQL behind.
    pub endpoint: Endpoint,
    /// The database that `check` and `explain` look at, unless they are told another.
    pub database: String,
    /// The rules folder.
    pub rules: PathBuf,
    /// What clients see.
    pub tls: ClientTls,
    /// The audit trail.
    pub audit: AuditOptions,
    /// What is worth a look, already drawn.
    pub warnings: String,
}

/// `tls:` towards clients.
#[derive(Debug, Clone)]
pub enum ClientTls {
    /// Never.
    Disable,
    /// If the client asks for it.
    Allow(Arc<ServerConfig>),
    /// Always.
    Require(Arc<ServerConfig>),
}

/// The process environment.
#[derive(Debug, Clone, Copy)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// A configuration or rules that cannot be used; the text is ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

const KEYS: [&str; 8] = ["listen", "database", "rules", "tls", "pool", "admin", "audit", "secrets"];

impl Config {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path, environment: &dyn Environment) -> Result<Config, Unusable> {
        let text = read(path, "the configuration")?;
        let mut sources = Sources::default();
        let id = sources.add(path.display().to_string(), text);
        let mut reader = Reader::new(environment);
        let document = match yaml::parse(&sources, id) {
            Ok(document) => document,
            Err(found) => return Err(Unusable(render(&sources, &[found], false))),
        };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut draft = Draft::new(&folder);
        for entry in reader.mapping(&document) {
            let value = &entry.value;
            match entry.key.as_str() {
                "listen" => draft.listen(&mut reader, value),
                "database" => draft.database(&mut reader, value),
                "rules" => draft.path(&mut reader, value, |draft, path| draft.rules = path),
                "tls" => draft.tls(&mut reader, value),
                "pool" => pool(&mut reader, value),
                "admin" => {
                    reader.text(value);
                    let message = "the admin address is not served in this version";
                    reader.complain(Diagnostic::warning(message, entry.key_span));
                }
                "audit" => draft.audit(&mut reader, value),
                "secrets" => {
                    for secret in reader.mapping(value) {
                        match secret.key.as_str() {
                            "pseudonym_key_file" => drop(reader.text(&secret.value)),
                            _ => reader.unknown_key(secret, &["pseudonym_key_file"]),
                        }
                    }
                }
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
        let tls = draft.client_tls(&mut reader);
        let ca = draft.authorities(&mut reader);
        if reader.has_errors() {
            return Err(Unusable(render(&sources, &reader.diagnostics, false)));
        }
        let database = draft.name.unwrap_or_else(|| draft.user.clone());
        Ok(Config {
            listen: draft.listen,
            endpoint: Endpoint {
                host: draft.host,
                port: draft.port,
                user: draft.user,
                password: draft.password,
                tls: draft.database_tls,
                ca,
            },
            database,
            rules: draft.rules,
            tls,
            audit: draft.audit,
            warnings: render(&sources, &reader.diagnostics, false),
        })
    }
}

/// Reads every `*.yaml` and `*.yml` of a folder and below, except folders named `tests`, and loads the rules.
/// Gives them with their warnings.
pub fn load_rules(
    folder: &Path,
    environment: &dyn Environment,
) -> Result<(RuleSet, Vec<Diagnostic>), Unusable> {
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    files.sort();
    if files.is_empty() {
        let message =
            format!("error: there is no *.yaml file in the rules folder {}", folder.display());
        return Err(Unusable(message));
    }
    let mut sources = Sources::default();
    for file in files {
        let name = file.strip_prefix(folder).unwrap_or(&file).display().to_string();
        sources.add(name, read(&file, "a rules file")?);
    }
    rules::load(sources, environment)
        .map_err(|(sources, found)| Unusable(render(&sources, &found, false)))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Unusable> {
    let unreadable = |error: std::io::Error| {
        Unusable(format!("error: cannot read the rules folder {}: {error}", folder.display()))
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let name = entry.file_name();
        let is_rules = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if path.is_dir() {
            if name != "tests" {
                walk(&path, files)?;
            }
        } else if is_rules && !name.to_string_lossy().starts_with('.') {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path, what: &str) -> Result<String, Unusable> {
    std::fs::read_to_string(path)
        .map_err(|error| Unusable(format!("error: cannot read {what} {}: {error}", path.display())))
}

fn pool(reader: &mut Reader<'_>, node: &Node) {
    for entry in reader.mapping(node) {
        match entry.key.as_str() {
            "mode" => {
                let mode = reader.word(&entry.value, &[("transaction", false), ("session", true)]);
                if mode == Some(false) {
                    let message = "this version gives every session a server connection of its own";
                    reader.complain(Diagnostic::warning(message, entry.key_span));
                }
            }
            "size" => drop(reader.number(&entry.value, 1)),
            _ => reader.unknown_key(entry, &["mode", "size"]),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Disable,
    Allow,
    Require,
}

/// What has been read so far, with the defaults of what has not.
struct Draft<'a> {
    folder: &'a Path,
    listen: SocketAddr,
    host: String,
    port: u16,
    user: String,
    name: Option<String>,
    password: Option<SecretString>,
    database_tls: TlsMode,
    ca: Option<(PathBuf, Span)>,
    rules: PathBuf,
    wanted: Option<(Wanted, Span)>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    audit: AuditOptions,
    verify_without_ca: Option<Span>,
}

impl<'a> Draft<'a> {
    fn new(folder: &'a Path) -> Self {
        Draft {
            folder,
            listen: SocketAddr::from(([127, 0, 0, 1], 6432)),
            host: "127.0.0.1".into(),
            port: 5432,
            user: "scrim".into(),
            name: None,
            password: None,
            database_tls: TlsMode::Prefer,
            ca: None,
            rules: folder.join("masking-rules"),
            wanted: None,
            certificate: None,
            key: None,
            audit: AuditOptions {
                file: folder.join("audit.jsonl"),
                durability: Durability::Queued,
                key_file: None,
            },
            verify_without_ca: None,
        }
    }

    fn path(&mut self, reader: &mut Reader<'_>, node: &Node, set: impl FnOnce(&mut Self, PathBuf)) {
        if let Some(text) = reader.text(node) {
            let path = self.folder.join(text);
            set(self, path);
        }
    }

    fn listen(&mut self, reader: &mut Reader<'_>, node: &Node) {
        let Some(text) = reader.text(node) else { return };
        match text.parse() {
            Ok(address) => self.listen = address,
            Err(_) => reader.complain(
                Diagnostic::error("this is no address with a port", node.span)
                    .help("such as 127.0.0.1:6432, 0.0.0.0:6432 or [::1]:6432"),
            ),
        }
    }

    fn database(&mut self, reader: &mut Reader<'_>, node: &Node) {
        const KEYS: [&str; 8] =
            ["host", "port", "user", "name", "password", "password_file", "tls", "ca"];
        for entry in reader.mapping(node) {
            let value = &entry.value;
            match entry.key.as_str() {
                "host" => self.host = reader.text(value).unwrap_or_default(),
                "port" => {
                    if let Some(port) = reader.number(value, 1) {
                        match u16::try_from(port) {
                            Ok(port) => self.port = port,
                            Err(_) => reader.expected(value, "a port up to 65535"),
                        }
                    }
                }
                "user" => self.user = reader.text(value).unwrap_or_default(),
                "name" => self.name = reader.text(value),
                "password" => self.password = reader.text(value).map(SecretString::from),
                "password_file" => {
                    let Some(text) = reader.text(value) else { continue };
                    let path = self.folder.join(text);
                    match std::fs::read_to_string(&path) {
                        Ok(text) => {
                            self.password = Some(SecretString::from(text.trim_end().to_owned()));
                        }
                        Err(error) => {
                            let message = format!("cannot read {}: {error}", path.display());
                            reader.complain(Diagnostic::error(message, value.span));
                        }
                    }
                }
                "tls" => {
                    let words = [
                        ("disable", TlsMode::Disable),
                        ("prefer", TlsMode::Prefer),
                        ("require", TlsMode::Require),
                        ("verify-full", TlsMode::VerifyFull),
                    ];
                    if let Some(mode) = reader.word(value, &words) {
                        self.database_tls = mode;
                        self.verify_without_ca =
                            (mode == TlsMode::VerifyFull).then_some(value.span);
                    }
                }
                "ca" => {
                    if let Some(text) = reader.text(value) {
                        self.ca = Some((self.folder.join(text), value.span));
                    }
                }
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
    }

    fn tls(&mut self, reader: &mut Reader<'_>, node: &Node) {
        const KEYS: [&str; 4] = ["mode", "certificate", "key", "client_ca"];
        for entry in reader.mapping(node) {
            let value = &entry.value;
            match entry.key.as_str() {
                "mode" => {
                    let words = [
                        ("disable", Wanted::Disable),
                        ("allow", Wanted::Allow),
                        ("require", Wanted::Require),
                    ];
                    let mode = reader.word(value, &words);
                    self.wanted = mode.map(|mode| (mode, value.span));
                }
                "certificate" => {
                    self.path(reader, value, |draft, path| draft.certificate = Some(path));
                }
                "key" => self.path(reader, value, |draft, path| draft.key = Some(path)),
                "client_ca" => {
                    let message = "client certificates are not available in this version";
                    reader.complain(Diagnostic::error(message, entry.key_span));
                }
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
    }

    fn audit(&mut self, reader: &mut Reader<'_>, node: &Node) {
        const KEYS: [&str; 3] = ["file", "durability", "key_file"];
        for entry in reader.mapping(node) {
            let value = &entry.value;
            match entry.key.as_str() {
                "file" => self.path(reader, value, |draft, path| draft.audit.file = path),
                "key_file" => {
                    self.path(reader, value, |draft, path| draft.audit.key_file = Some(path));
                }
                "durability" => {
                    let words = [("queued", Durability::Queued), ("synced", Durability::Synced)];
                    if let Some(durability) = reader.word(value, &words) {
                        self.audit.durability = durability;
                    }
                }
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
    }

    /// Loads what clients are shown.
    fn client_tls(&self, reader: &mut Reader<'_>) -> ClientTls {
        let Some((wanted, span)) = self.wanted else { return ClientTls::Disable };
        if wanted == Wanted::Disable {
            return ClientTls::Disable;
        }
        let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
            reader.complain(Diagnostic::error("TLS needs `certificate` and `key`", span));
            return ClientTls::Disable;
        };
        match tls::server_config(certificate, key) {
            Ok(config) if wanted == Wanted::Require => ClientTls::Require(config),
            Ok(config) => ClientTls::Allow(config),
            Err(error) => {
                reader.complain(Diagnostic::error(error.to_string(), span));
                ClientTls::Disable
            }
        }
    }

    /// Loads whom the database's certificate must be signed by.
    fn authorities(&self, reader: &mut Reader<'_>) -> Option<Arc<RootCertStore>> {
        match (&self.ca, self.verify_without_ca) {
            (Some((path, span)), _) => match tls::root_certificates(path) {
                Ok(roots) => Some(roots),
                Err(error) => {
                    reader.complain(Diagnostic::error(error.to_string(), *span));
                    None
                }
            },
            (None, Some(span)) => {
                let diagnostic = Diagnostic::error("`verify-full` needs a `ca`", span);
                reader.complain(
                    diagnostic.help("the PEM file of whoever signed the database's certificate"),
                );
                None
            }
            (None, None) => None,
        }
    }
}
