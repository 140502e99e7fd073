//! `scrim.yaml` → [`Config`]. Every value is checked on construction; what is wrong is said with its place.
//!
//! This is where files are read: the configuration, the rules folder, passwords and certificates. The rooms
//! behind get texts. No secret is held in anything that prints.

mod audit;
mod changes;
mod console;
mod draft;
mod grants;
mod limits;
mod listening;
mod log;
mod pool;
mod pseudonym_key;
mod rules_folder;
mod schema;
mod server;
mod shadow;
mod telemetry;
mod tokens;

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::audit::AuditOptions;
use crate::ledger::GrantsOptions;
use crate::pool::PoolOptions;
use crate::rules::{MaskRule, RuleSet};
use crate::telemetry::TelemetryOptions;
use crate::text::reader::{Environment, Reader};
use crate::text::yaml;
use crate::text::{Diagnostic, Sources, render};
use crate::tokens::TokenOptions;
use crate::upstream::Endpoint;
use crate::wire::tls::ServerTls;
pub use console::{ConsoleOptions, ConsoleRights};
use draft::Draft;
pub use limits::ConnectionLimits;
pub use listening::{ListenAddress, TrustedProxies};
pub use log::{LogFormat, LogLevel, LogOptions};
pub use pseudonym_key::PseudonymKey;
pub use rules_folder::{is_without_rules, load_rules};
pub use schema::schema;
pub use shadow::ShadowOptions;

/// What a person writes is smaller; what is larger is another file.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// `scrim.yaml`, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect; at least one.
    pub listen: Vec<ListenAddress>,
    /// Who says for whom it speaks.
    pub proxies: TrustedProxies,
    /// How many sessions there may be.
    pub connection_limits: ConnectionLimits,
    /// The PostgreSQL behind.
    pub endpoint: Endpoint,
    /// The database that `check` and `explain` look at, unless they are told another.
    pub database: String,
    /// The rules folder.
    pub rules: PathBuf,
    /// Rules that are judged beside those in force; `None`: none are.
    pub shadow: Option<ShadowOptions>,
    /// Masks are put on rows as they pass, where that is proven to be right; else the database computes them all.
    pub masks_on_the_wire: bool,
    /// What clients see.
    pub tls: ClientTls,
    /// Clients may show certificates, which an authority of the configuration has signed.
    pub takes_client_certificates: bool,
    /// Whose tokens are taken as passwords; `None`: nobody's.
    pub tokens: Option<TokenOptions>,
    /// Where health and figures are told; `None`: nowhere.
    pub admin: Option<SocketAddr>,
    /// The console on that address; `None`: there is none.
    pub console: Option<ConsoleOptions>,
    /// How long running transactions may take when Scrim is told to stop.
    pub drain: Duration,
    /// Rules come into force when their files change, not at SIGHUP alone.
    pub reload_on_change: bool,
    /// The log.
    pub log: LogOptions,
    /// Where spans go; `None`: nowhere.
    pub telemetry: Option<TelemetryOptions>,
    /// The audit trail.
    pub audit: AuditOptions,
    /// Where grants are kept; `None`: there are none.
    pub grants: Option<GrantsOptions>,
    /// The key of keyed masks; without one, rules that use them are broken.
    pub pseudonym_key: Option<PseudonymKey>,
    /// How server connections are shared.
    pub pool: PoolOptions,
    /// What is worth a look, already drawn; may be empty.
    pub warnings: String,
    /// How many they are.
    pub warnings_count: usize,
}

/// `tls:` towards clients.
#[derive(Debug, Clone)]
pub enum ClientTls {
    /// Never.
    Disable,
    /// If the client asks for it.
    Allow(Arc<ServerTls>),
    /// Always.
    Require(Arc<ServerTls>),
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

impl Config {
    /// What of the rules cannot work with this configuration: masks that need a key, where there is none, users who
    /// log in by a certificate or a token, where nobody's can be checked, roles of the console that are not there, and
    /// roles that could write the grants or the audit's table.
    pub fn judge(&self, rules: &RuleSet) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if self.pseudonym_key.is_none() {
            found.extend(rules.keyed_masks().into_iter().map(keyless));
        }
        found.extend(self.console.iter().flat_map(|console| console.judge(rules)));
        found.extend(self.grants.iter().flat_map(|options| grants::judge(options, rules)));
        found.extend(audit::judge(&self.audit, rules));
        if !self.takes_client_certificates {
            let users = rules.users.values().filter(|user| user.certificate.is_some());
            found.extend(users.map(|user| {
                let message = format!(
                    "user `{}` logs in by a certificate, and the configuration trusts nobody's",
                    user.name
                );
                let help = "write `client_ca: FILE` below `tls` in scrim.yaml: the PEM file of \
                            whoever signs the certificates of clients";
                Diagnostic::error(message, user.certificate_span).help(help)
            }));
        }
        match &self.tokens {
            None => found.extend(rules.token_logins().into_iter().map(|(name, span)| {
                let who = name.map_or("`token_users`".to_owned(), |name| format!("user `{name}`"));
                let message = format!("{who} logs in by a token, and the configuration takes none");
                let help = "write `jwt: {issuer: …, audience: …, keys: …}` into scrim.yaml";
                Diagnostic::error(message, span).help(help)
            })),
            Some(options) => found.extend(rules.token_users.iter().filter_map(|all| {
                let message = "nothing says which of these roles a token chooses";
                let help = "write `role_claim: NAME` below `jwt` in scrim.yaml";
                let diagnostic = Diagnostic::error(message, all.span).help(help);
                options.role_claim.is_none().then_some(diagnostic)
            })),
        }
        found
    }

    /// Reads and checks a configuration file, and the certificates and the password file that it names.
    ///
    /// # Errors
    /// All that is wrong with it, drawn.
    pub fn load(path: &Path, environment: &dyn Environment) -> Result<Config, Unusable> {
        let mut sources = Sources::default();
        let text = read_text(path).map_err(|reason| {
            let message = format!("cannot read the configuration `{}`: {reason}", path.display());
            let help = "`--config FILE` names another one";
            Unusable(render(&sources, &[Diagnostic::placeless(message).help(help)], false))
        })?;
        let id = sources.add(path.display().to_string(), text);
        let mut reader = Reader::new(environment);
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let config = match yaml::parse(&sources, id) {
            Ok(document) => Some(Draft::read(&mut reader, &document, &folder)),
            Err(found) => {
                found.into_iter().for_each(|found| reader.complain(found));
                None
            }
        };
        let has_errors = reader.has_errors();
        let (diagnostics, secrets) = reader.finish();
        sources.keep_secret(secrets);
        let drawn = render(&sources, &diagnostics, false);
        match config {
            Some(config) if !has_errors => {
                Ok(Config { warnings: drawn, warnings_count: diagnostics.len(), ..config })
            }
            Some(_) | None => Err(Unusable(drawn)),
        }
    }
}

fn keyless(rule: &MaskRule) -> Diagnostic {
    let message =
        format!("mask `{}` needs a key, and the configuration has none", rule.mask.label());
    let help = "write `secrets: {pseudonym_key_file: pseudonym.key}` into scrim.yaml; \
                `openssl rand -hex 32` makes a key for that file";
    Diagnostic::error(message, rule.span).help(help)
}

/// A whole file as text, without a byte order mark; the error is the reason alone.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    // Windows editors put a byte order mark in front.
    if bytes.starts_with("\u{feff}".as_bytes()) {
        bytes.drain(..'\u{feff}'.len_utf8());
    }
    String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())
}
