//! Newer rules: read, judged, and put into force as a whole, or not at all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::logging::Logging;
use super::shadowing::Shadowing;
use super::systemd;
use super::watch::Watched;
use crate::audit::{Audit, Record};
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::metrics::Metrics;
use crate::rules::RuleSet;
use crate::session::Proxy;
use crate::text::render;

/// Files that have changed are read twice, with so long between: a file that is being written may be a good one at any
/// line's end, and mean something else.
const BETWEEN_READINGS: Duration = Duration::from_millis(200);

/// Why there is a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// SIGHUP.
    Signal,
    /// Files have changed.
    Change,
}

/// How the last reload went; `None`: well, or there was none.
pub(super) type Reloaded = Arc<Mutex<Option<String>>>;

/// Follows the files.
pub(super) struct Reloader {
    path: PathBuf,
    /// As it is in force.
    config: Config,
    proxy: Arc<Proxy>,
    logging: Logging,
    metrics: Arc<Metrics>,
    audit: Audit,
    shadowing: Shadowing,
    state: Reloaded,
}

/// What the files say.
struct Read {
    config: Config,
    rules: RuleSet,
    warnings: String,
}

impl Reloader {
    /// For what was read at the start.
    pub(super) fn new(
        path: PathBuf,
        config: Config,
        proxy: Arc<Proxy>,
        logging: Logging,
        metrics: Arc<Metrics>,
        audit: Audit,
        shadowing: Shadowing,
    ) -> Reloader {
        let state = Arc::default();
        Reloader { path, config, proxy, logging, metrics, audit, shadowing, state }
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// How it went last.
    pub(super) fn state(&self) -> Reloaded {
        Arc::clone(&self.state)
    }

    /// What is read.
    pub(super) fn files(&self) -> Watched {
        let keys = self.config.tokens.as_ref().and_then(|tokens| tokens.keys.file());
        Watched {
            config: self.path.clone(),
            rules: self.config.rules.clone(),
            shadow: self.config.shadow.as_ref().map(|shadow| shadow.rules.clone()),
            keys: keys.cloned(),
        }
    }

    /// Reads the rules that are not in force, and has them judged beside those that are.
    pub(super) async fn shadow(&mut self) {
        let live = self.proxy.rules().version.clone();
        self.shadowing.follow(&self.config, &live).await;
    }

    /// Reads everything again, and puts it into force if it is good; then the shadow rules, whatever has come of that.
    pub(super) async fn reload(&mut self, cause: Cause) {
        self.reload_live(cause).await;
        self.shadow().await;
    }

    async fn reload_live(&mut self, cause: Cause) {
        let read = match self.read(cause).await {
            Ok(Some(read)) => read,
            // The end of the writing will be another change.
            Ok(None) => return,
            Err(said) => return self.refuse(&said).await,
        };
        let is_same = read.rules.version == self.proxy.rules().version;
        if is_same && cause == Cause::Change && self.is_well() && !self.differs(&read.config) {
            return;
        }
        systemd::reloading();
        self.take(read, is_same).await;
        systemd::ready();
    }

    async fn read(&self, cause: Cause) -> Result<Option<Read>, String> {
        let first = self.read_once().await;
        if cause == Cause::Signal {
            return first.map(Some);
        }
        tokio::time::sleep(BETWEEN_READINGS).await;
        match (first, self.read_once().await) {
            (Ok(first), Ok(second))
                if first.rules.version == second.rules.version
                    && first.config.tokens == second.config.tokens =>
            {
                Ok(Some(second))
            }
            (Err(first), Err(second)) if first == second => Err(second),
            _ => Ok(None),
        }
    }

    async fn read_once(&self) -> Result<Read, String> {
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || read(&path)).await;
        let read = reading.unwrap_or_else(|_| {
            Err("the files could not be read, which is a fault of Scrim".to_owned())
        })?;
        // The key in force decides: another one needs a restart. What clients see of TLS is followed.
        let to_be =
            Config { pseudonym_key: self.config.pseudonym_key.clone(), ..read.config.clone() };
        let broken = to_be.judge(&read.rules);
        match broken.is_empty() {
            true => Ok(read),
            false => Err(render(&read.rules.sources, &broken, false)),
        }
    }

    async fn take(&mut self, read: Read, is_same: bool) {
        let Read { config, rules, warnings } = read;
        if !warnings.is_empty() {
            tracing::warn!("the configuration or the rules are worth a look:\n{warnings}");
        }
        let restart = self.config.needs_restart(&config);
        if !restart.is_empty() {
            let keys = restart.join(", ");
            tracing::warn!(%keys, "these keys of the configuration changed, and need a restart");
        }
        let before = self.proxy.rules().version.clone();
        let version = rules.version.clone();
        let (tls, tokens) = (config.tls.clone(), config.tokens.clone());
        self.proxy.put_in_force(Arc::new(rules), tls, tokens).await;
        self.logging.set_level(config.log.level);
        // What needs a restart stays as it is, and is warned of again.
        self.config = Config {
            rules: config.rules,
            shadow: config.shadow,
            tls: config.tls,
            tokens: config.tokens,
            takes_client_certificates: config.takes_client_certificates,
            drain: config.drain,
            reload_on_change: config.reload_on_change,
            log: crate::config::LogOptions { level: config.log.level, ..self.config.log },
            ..self.config.clone()
        };
        self.metrics.reloads_good.inc();
        self.set_state(None);
        match is_same {
            true => tracing::info!(%version, "reloaded; the rules are the same"),
            false => tracing::info!(%before, %version, "reloaded; other rules are in force"),
        }
        systemd::status(&format!("rules {version}"));
    }

    async fn refuse(&self, said: &str) {
        let version = self.proxy.rules().version.clone();
        self.metrics.reloads_bad.inc();
        tracing::error!(
            %version,
            "RELOAD REFUSED: what was read is broken, and the rules in force stay:\n{said}"
        );
        self.set_state(Some(first_line(said)));
        systemd::status(&format!("rules {version}; the last reload was refused"));
        if let Err(error) = self.audit.accept(Record::ReloadRefused { rules: version }).await {
            tracing::error!(%error, "a record is missing in the audit trail");
        }
    }

    fn set_state(&self, state: Option<String>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn is_well(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// True when the configuration says something else that can be followed, or has to be warned of.
    fn differs(&self, newer: &Config) -> bool {
        let old = &self.config;
        old.rules != newer.rules
            || old.shadow != newer.shadow
            || old.tokens != newer.tokens
            || old.drain != newer.drain
            || old.reload_on_change != newer.reload_on_change
            || old.log != newer.log
            || !old.needs_restart(newer).is_empty()
    }
}

/// What is wrong in the first place, without the drawing.
fn first_line(said: &str) -> String {
    said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

fn read(path: &Path) -> Result<Read, String> {
    let config = Config::load(path, &ProcessEnvironment).map_err(|found| found.0)?;
    let (rules, found) = load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
    let warnings = format!("{}{}", config.warnings, render(&rules.sources, &found, false));
    Ok(Read { config, rules, warnings })
}
