//! The keys of `scrim.yaml`, one by one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::audit::{AuditDraft, audit};
use super::console::{ConsoleOptions, console};
use super::grants::{GrantsDraft, grants};
use super::limits::limits;
use super::listening::{address, listen, proxy_protocol};
use super::pool::pool;
use super::server::Server;
use super::shadow::{ShadowOptions, shadow};
use super::telemetry::telemetry;
use super::tokens::tokens;
use super::{
    ClientTls, Config, ConnectionLimits, ListenAddress, LogOptions, PseudonymKey, TrustedProxies,
};
use crate::pool::PoolOptions;
use crate::telemetry::TelemetryOptions;
use crate::text::reader::Reader;
use crate::text::yaml::{Kind, Node};
use crate::text::{Diagnostic, Span};
use crate::tokens::TokenOptions;
use crate::wire::tls::{self, ServerTls, TlsError};

pub(super) const KEYS: [&str; 19] = [
    "listen",
    "limits",
    "proxy_protocol",
    "database",
    "rules",
    "shadow",
    "masks",
    "tls",
    "jwt",
    "pool",
    "admin",
    "console",
    "audit",
    "grants",
    "secrets",
    "log",
    "telemetry",
    "reload",
    "drain_seconds",
];

/// Keys of `tls`.
pub(super) const TLS: [&str; 4] = ["mode", "certificate", "key", "client_ca"];
/// Keys of `secrets`.
pub(super) const SECRETS: [&str; 1] = ["pseudonym_key_file"];

/// Where clients connect, if nothing is said.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 6432);
/// Longer than a day nobody waits for a process to end.
pub(super) const DRAIN_SECONDS_MAX: u64 = 24 * 3600;
/// A report has the time to end, and systemd's own patience (90 seconds) is not over.
const DRAIN_SECONDS: u64 = 30;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Disable,
    Allow,
    Require,
}

/// What has been read so far, with the defaults of what has not.
pub(super) struct Draft<'a> {
    folder: &'a Path,
    listen: Vec<(ListenAddress, Span)>,
    proxies: TrustedProxies,
    connection_limits: ConnectionLimits,
    database: Server,
    rules: PathBuf,
    shadow: Option<(ShadowOptions, Span)>,
    masks_on_the_wire: bool,
    wanted: Option<(Wanted, Span)>,
    certificate: Option<(PathBuf, Span)>,
    key: Option<(PathBuf, Span)>,
    client_ca: Option<(PathBuf, Span)>,
    tokens: Option<(Option<TokenOptions>, Span)>,
    audit: AuditDraft,
    grants: Option<GrantsDraft>,
    admin: Option<(SocketAddr, Span)>,
    console: Option<(ConsoleOptions, Span)>,
    drain_seconds: u64,
    reload_on_change: bool,
    log: LogOptions,
    telemetry: Option<TelemetryOptions>,
    pseudonym_key: Option<PseudonymKey>,
    pool: PoolOptions,
}

impl<'a> Draft<'a> {
    /// Reads the document. What it gives counts only where nothing was complained about.
    pub(super) fn read(reader: &mut Reader<'_>, document: &Node, folder: &'a Path) -> Config {
        let mut draft = Draft::new(folder);
        for entry in reader.mapping(document) {
            let value = &entry.value;
            match entry.key.as_str() {
                "listen" => draft.listen = listen(reader, value, folder),
                "limits" => draft.connection_limits = limits(reader, value),
                "proxy_protocol" => draft.proxies = proxy_protocol(reader, value),
                "database" => draft.database.read(reader, value, folder),
                "rules" => {
                    if let Some((path, _)) = draft.path(reader, value) {
                        draft.rules = path;
                    }
                }
                "shadow" => {
                    let options = shadow(reader, value, folder);
                    draft.shadow = options.map(|options| (options, value.span));
                }
                "masks" => {
                    let words = [("on_the_wire", true), ("in_sql", false)];
                    draft.masks_on_the_wire = reader.word(value, &words).unwrap_or_default();
                }
                "tls" => draft.tls(reader, value),
                "jwt" => {
                    let options = tokens(reader, value, entry.key_span, folder);
                    draft.tokens = Some((options, entry.key_span));
                }
                "pool" => draft.pool = pool(reader, value),
                "admin" => {
                    draft.admin = address(reader, value).map(|address| (address, value.span));
                }
                "console" => {
                    let options = console(reader, value, entry.key_span);
                    draft.console = Some((options, entry.key_span));
                }
                "log" => draft.log = LogOptions::read(reader, value),
                "telemetry" => {
                    draft.telemetry = telemetry(reader, value, entry.key_span, folder);
                }
                "reload" => {
                    let words = [("on_change", true), ("on_signal", false)];
                    draft.reload_on_change = reader.word(value, &words).unwrap_or_default();
                }
                "drain_seconds" => {
                    draft.drain_seconds =
                        reader.number(value, 0, DRAIN_SECONDS_MAX).unwrap_or_default();
                }
                "audit" => draft.audit = audit(reader, value, folder),
                "grants" => draft.grants = grants(reader, value, folder),
                "secrets" => draft.secrets(reader, value),
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
        draft.finish(reader)
    }

    fn new(folder: &'a Path) -> Self {
        Draft {
            folder,
            listen: Vec::new(),
            proxies: TrustedProxies::default(),
            connection_limits: ConnectionLimits::default(),
            database: Server::new("database"),
            rules: folder.join("masking-rules"),
            shadow: None,
            masks_on_the_wire: true,
            wanted: None,
            certificate: None,
            key: None,
            client_ca: None,
            tokens: None,
            audit: AuditDraft::new(folder),
            grants: None,
            admin: None,
            console: None,
            drain_seconds: DRAIN_SECONDS,
            reload_on_change: true,
            log: LogOptions::default(),
            telemetry: None,
            pseudonym_key: None,
            pool: PoolOptions::default(),
        }
    }

    fn finish(self, reader: &mut Reader<'_>) -> Config {
        let tls = self.client_tls(reader);
        let user = self.database.user().to_owned();
        let (endpoint, database) = self.database.finish(reader);
        let tcp = || {
            self.listen.iter().filter_map(|(listen, span)| match listen {
                ListenAddress::Tcp(address) => Some((*address, *span)),
                ListenAddress::Unix(_) => None,
            })
        };
        if let Some((_, span)) = tcp().find(|(address, _)| !address.ip().is_loopback())
            && matches!(tls, ClientTls::Disable)
            && !reader.has_errors()
        {
            let message = "clients of other machines can connect, and only without TLS";
            let help = "`tls: {mode: require, certificate: …, key: …}` keeps what they read from \
                        who listens";
            reader.complain(Diagnostic::warning(message, span).help(help));
        }
        if let Some((_, span)) = self.tokens
            && matches!(tls, ClientTls::Disable)
        {
            let message = "`jwt` counts with TLS only: tokens are never taken in the clear";
            let help = "`tls: {mode: require, certificate: …, key: …}`";
            reader.complain(Diagnostic::error(message, span).help(help));
        }
        if let Some((admin, span)) = self.admin
            && admin.port() != 0
            && tcp().any(|(address, _)| address == admin)
        {
            let message = "`admin` and `listen` are the same address";
            let help = "6433 is the usual port of `admin`";
            reader.complain(Diagnostic::error(message, span).help(help));
        }
        if let Some((_, span)) = &self.console {
            ConsoleOptions::judge_address(reader, self.admin, *span);
        }
        if let Some((shadow, span)) = &self.shadow {
            shadow.judge(reader, &self.rules, *span);
        }
        let mut listen: Vec<_> = self.listen.into_iter().map(|(address, _)| address).collect();
        if listen.is_empty() {
            listen.push(ListenAddress::Tcp(SocketAddr::from(LISTEN)));
        }
        let grants = self.grants.map(|store| store.finish(reader, &user));
        let audit = self.audit.finish(reader, &user);
        Config {
            listen,
            proxies: self.proxies,
            connection_limits: self.connection_limits,
            endpoint,
            database,
            rules: self.rules,
            shadow: self.shadow.map(|(options, _)| options),
            masks_on_the_wire: self.masks_on_the_wire,
            takes_client_certificates: self.client_ca.is_some(),
            tls,
            tokens: self.tokens.and_then(|(options, _)| options),
            admin: self.admin.map(|(address, _)| address),
            console: self.console.map(|(options, _)| options),
            drain: Duration::from_secs(self.drain_seconds),
            reload_on_change: self.reload_on_change,
            log: self.log,
            telemetry: self.telemetry,
            audit,
            grants,
            pseudonym_key: self.pseudonym_key,
            pool: self.pool,
            warnings: String::new(),
            warnings_count: 0,
        }
    }

    /// A path, relative to the folder of the configuration.
    fn path(&self, reader: &mut Reader<'_>, node: &Node) -> Option<(PathBuf, Span)> {
        let text = reader.filled_text(node)?;
        Some((self.folder.join(text), node.span))
    }

    fn tls(&mut self, reader: &mut Reader<'_>, node: &Node) {
        let mut has_mode = false;
        for entry in reader.mapping(node) {
            let value = &entry.value;
            match entry.key.as_str() {
                "mode" => {
                    let words = [
                        ("disable", Wanted::Disable),
                        ("allow", Wanted::Allow),
                        ("require", Wanted::Require),
                    ];
                    has_mode = true;
                    self.wanted = reader.word(value, &words).map(|mode| (mode, value.span));
                }
                "certificate" => self.certificate = self.path(reader, value),
                "key" => self.key = self.path(reader, value),
                "client_ca" => self.client_ca = self.path(reader, value),
                _ => reader.unknown_key(entry, &TLS),
            }
        }
        if let Some((_, span)) = self.certificate.as_ref().or(self.key.as_ref())
            && !has_mode
        {
            // Left out, it would mean no TLS, which nobody wants who names a certificate.
            let diagnostic = Diagnostic::error("`tls` needs a `mode`", *span);
            reader.complain(diagnostic.help("`mode: require`, or `allow`, or `disable`"));
        }
    }

    fn secrets(&mut self, reader: &mut Reader<'_>, node: &Node) {
        if !matches!(node.kind, Kind::Mapping(_)) {
            reader.conceal(node);
        }
        for entry in reader.mapping(node) {
            match entry.key.as_str() {
                "pseudonym_key_file" => self.key_file(reader, &entry.value),
                _ => {
                    // Somebody may have put the key itself here.
                    reader.conceal(&entry.value);
                    reader.unknown_key(entry, &SECRETS);
                }
            }
        }
    }

    fn key_file(&mut self, reader: &mut Reader<'_>, node: &Node) {
        let Some((path, span)) = self.path(reader, node) else { return };
        match PseudonymKey::read(&path) {
            Ok((key, is_open)) => {
                self.pseudonym_key = Some(key);
                if is_open {
                    let message = format!("others may read the key in `{}`", path.display());
                    let help = "`chmod 600` keeps it to its owner";
                    reader.complain(Diagnostic::warning(message, span).help(help));
                }
            }
            Err(reason) => {
                let message = format!("cannot read a key from `{}`: {reason}", path.display());
                let help = "`openssl rand -hex 32` makes one";
                reader.complain(Diagnostic::error(message, span).help(help));
            }
        }
    }

    /// Loads what clients are shown.
    fn client_tls(&self, reader: &mut Reader<'_>) -> ClientTls {
        let (wrap, span): (fn(Arc<ServerTls>) -> ClientTls, Span) = match self.wanted {
            None | Some((Wanted::Disable, _)) => {
                if let Some((_, span)) = self.client_ca {
                    let message = "`client_ca` counts with TLS only";
                    let help = "`mode: require`, or `allow`";
                    reader.complain(Diagnostic::error(message, span).help(help));
                }
                return ClientTls::Disable;
            }
            Some((Wanted::Allow, span)) => (ClientTls::Allow, span),
            Some((Wanted::Require, span)) => (ClientTls::Require, span),
        };
        let (Some((certificate, place)), Some((key, _))) = (&self.certificate, &self.key) else {
            reader.complain(Diagnostic::error("TLS needs `certificate` and `key`", span));
            return ClientTls::Disable;
        };
        let client_ca = self.client_ca.as_ref();
        match tls::server_config(certificate, key, client_ca.map(|(path, _)| path.as_path())) {
            Ok(config) => wrap(config),
            Err(error) => {
                let place = match (&error, client_ca) {
                    (TlsError::Authorities(_), Some((_, span))) => span,
                    (TlsError::File { path, .. }, Some((ca, span))) if path == ca => span,
                    _ => place,
                };
                reader.complain(Diagnostic::error(error.to_string(), *place));
                ClientTls::Disable
            }
        }
    }
}
