//! A PostgreSQL that the configuration names: where it is, who logs in, TLS. `database` is one, and a `store` of grants.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use secrecy::SecretString;

use super::read_text;
use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};
use crate::upstream::{Endpoint, Host, Hosts, SessionAttributes, TlsMode};
use crate::wire::tls;

/// What there is to say of it.
pub(super) const KEYS: [&str; 9] = [
    "host",
    "port",
    "target_session_attrs",
    "user",
    "name",
    "password",
    "password_file",
    "tls",
    "ca",
];

/// Where it is if nobody says.
const HOST: &str = "127.0.0.1";
const PORT: u16 = 5432;

/// What has been read of it so far, with the defaults of what has not.
pub(super) struct Server {
    /// The key that names it.
    key: &'static str,
    hosts: Vec<String>,
    /// One for all hosts, or one for each.
    ports: (Vec<u16>, Option<Span>),
    wanted: SessionAttributes,
    user: Option<String>,
    name: Option<String>,
    password: Option<(Option<SecretString>, Span)>,
    tls: (TlsMode, Option<Span>),
    ca: Option<(PathBuf, Span)>,
}

impl Server {
    /// Nothing is said of it; `key` is under which it would be.
    pub(super) fn new(key: &'static str) -> Server {
        Server {
            key,
            hosts: Vec::new(),
            ports: (Vec::new(), None),
            wanted: SessionAttributes::Any,
            user: None,
            name: None,
            password: None,
            tls: (TlsMode::Prefer, None),
            ca: None,
        }
    }

    /// Who logs in.
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("scrim")
    }

    /// True when it was said where it is, and who logs in.
    pub(super) fn has_host_and_user(&self) -> bool {
        !self.hosts.is_empty() && self.user.is_some()
    }

    /// True where somebody in between could be the server: it is on another machine, or may be, and nobody checks its
    /// certificate.
    pub(super) fn is_anybodys(&self) -> bool {
        let is_here =
            |host: &str| host.starts_with('/') || matches!(host, "localhost" | "127.0.0.1" | "::1");
        let are_here = !self.hosts.is_empty() && self.hosts.iter().all(|host| is_here(host));
        !are_here && self.tls.0 != TlsMode::VerifyFull
    }

    /// Reads it; paths are relative to `folder`.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, node: &Node, folder: &Path) {
        if !matches!(node.kind, Kind::Mapping(_)) {
            // It may be a connection string with a password in it.
            reader.conceal(node);
        }
        for entry in reader.mapping(node) {
            let value = &entry.value;
            match entry.key.as_str() {
                "host" => {
                    let one = |host: &Node| reader.filled_text(host).unwrap_or_default();
                    self.hosts = one_or_more(value).map(one).collect();
                    if self.hosts.is_empty() {
                        reader.expected(value, "a host, or a list of hosts");
                    }
                }
                "port" => {
                    let one = |port: &Node| {
                        let port = reader.number(port, 1, u64::from(u16::MAX));
                        port.and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT)
                    };
                    self.ports = (one_or_more(value).map(one).collect(), Some(value.span));
                    if self.ports.0.is_empty() {
                        reader.expected(value, "a port, or a list of ports");
                    }
                }
                "target_session_attrs" => {
                    if let Some(wanted) = reader.word(value, &SessionAttributes::WORDS) {
                        self.wanted = wanted;
                    }
                }
                "user" => self.user = Some(reader.filled_text(value).unwrap_or_default()),
                "name" => self.name = reader.filled_text(value),
                "password" => {
                    let password = reader.secret(value);
                    self.password(reader, password, entry.key_span);
                }
                "password_file" => {
                    let password = password_file(reader, value, folder);
                    self.password(reader, password, entry.key_span);
                }
                "tls" => {
                    let words = [
                        ("disable", TlsMode::Disable),
                        ("prefer", TlsMode::Prefer),
                        ("require", TlsMode::Require),
                        ("verify-full", TlsMode::VerifyFull),
                    ];
                    if let Some(mode) = reader.word(value, &words) {
                        self.tls = (mode, Some(value.span));
                    }
                }
                "ca" => {
                    self.ca = reader.filled_text(value).map(|text| (folder.join(text), value.span));
                }
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
    }

    /// `None` is a password that could not be read, about which there is a complaint already.
    fn password(&mut self, reader: &mut Reader<'_>, password: Option<SecretString>, span: Span) {
        if let Some((_, first)) = &self.password {
            let message = format!("`{}` has `password` or `password_file`, not both", self.key);
            reader.complain(Diagnostic::error(message, span).also(*first, "first named here"));
        }
        self.password = Some((password, span));
    }

    /// Where it is, and its database.
    pub(super) fn finish(self, reader: &mut Reader<'_>) -> (Endpoint, String) {
        let ca = self.authorities(reader);
        let user = self.user().to_owned();
        let hosts = self.addresses(reader);
        let database = self.name.unwrap_or_else(|| user.clone());
        let endpoint = Endpoint {
            hosts,
            user,
            password: self.password.and_then(|(password, _)| password),
            tls: self.tls.0,
            ca,
        };
        (endpoint, database)
    }

    /// Each host with its port.
    fn addresses(&self, reader: &mut Reader<'_>) -> Hosts {
        let names = match self.hosts.as_slice() {
            [] => vec![HOST.to_owned()],
            hosts => hosts.to_vec(),
        };
        let port = |number: usize| match self.ports.0.as_slice() {
            [] => PORT,
            [port] => *port,
            ports => ports.get(number).copied().unwrap_or(PORT),
        };
        if let ([_, _, ..], Some(span)) = (self.ports.0.as_slice(), self.ports.1)
            && self.ports.0.len() != names.len()
        {
            let (ports, hosts) = (self.ports.0.len(), names.len());
            let said = format!("`port` lists {ports} ports, and there are {hosts} hosts");
            let help = "name one port for all hosts, or one for each in their order";
            reader.complain(Diagnostic::error(said, span).help(help));
        }
        let hosts = names.into_iter().enumerate();
        let hosts = hosts.map(|(number, name)| Host { name, port: port(number) }).collect();
        Hosts::of(hosts, self.wanted)
    }

    /// Loads whom its certificate must be signed by.
    fn authorities(&self, reader: &mut Reader<'_>) -> Option<Arc<RootCertStore>> {
        match (&self.ca, self.tls) {
            (Some((path, span)), (mode, _)) => {
                if mode != TlsMode::VerifyFull {
                    let message = "`ca` counts with `tls: verify-full` only; without it the \
                                   database's certificate is not checked";
                    reader.complain(Diagnostic::warning(message, *span));
                }
                let found = tls::root_certificates(path);
                found
                    .map_err(|error| reader.complain(Diagnostic::error(error.to_string(), *span)))
                    .ok()
            }
            (None, (TlsMode::VerifyFull, Some(span))) => {
                let diagnostic = Diagnostic::error("`verify-full` needs a `ca`", span);
                reader.complain(
                    diagnostic.help("the PEM file of whoever signed the database's certificate"),
                );
                None
            }
            (None, _) => None,
        }
    }
}

/// The items of a list, or the one thing that stands there.
fn one_or_more(node: &Node) -> impl Iterator<Item = &Node> {
    let nodes = match &node.kind {
        Kind::Sequence(nodes) => nodes.as_slice(),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Mapping(_) => {
            std::slice::from_ref(node)
        }
    };
    nodes.iter()
}

/// The file's text without the newline that editors put at the end.
fn password_file(reader: &mut Reader<'_>, node: &Node, folder: &Path) -> Option<SecretString> {
    let path = folder.join(reader.filled_text(node)?);
    let reason = match read_text(&path) {
        Ok(mut text) => {
            let length = text.trim_end_matches(['\n', '\r']).len();
            text.truncate(length);
            if !text.is_empty() {
                return Some(SecretString::from(text));
            }
            "it is empty".to_owned()
        }
        Err(reason) => reason,
    };
    let message = format!("cannot read a password from `{}`: {reason}", path.display());
    reader.complain(Diagnostic::error(message, node.span));
    None
}
