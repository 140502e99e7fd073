//! The process: it comes up, follows its files and signals, tells how it is, and goes down in order.
//!
//! ```text
//! configuration, rules ──► audit, sockets ──► proxy ──► ready
//!        ▲                                     │
//!        └── SIGHUP, changed files ── reload ──┘
//! SIGTERM, SIGINT ──► draining ──(all idle, time is up, or once more)──► ended
//! ```

mod board;
mod granting;
mod logging;
mod reload;
mod shadowing;
mod sockets;
mod systemd;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::admin;
use crate::audit::Audit;
use crate::config::{Config, ConsoleOptions, LogFormat, ProcessEnvironment, load_rules};
use crate::console::{Console, ConsoleParts};
use crate::ledger;
use crate::metrics::Metrics;
use crate::session::{Proxy, ProxyOptions, Stage, serve};
use crate::shadow::Shadow;
use crate::telemetry::Telemetry;
use crate::text::render;
use board::Board;
use granting::Granting;
use logging::Logging;
use reload::{Cause, Reloader};
use shadowing::Shadowing;
use sockets::Sockets;
use watch::Files;

/// What the command line says.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// How the log looks, whatever the configuration says.
    pub log: Option<LogFormat>,
    /// Where what is worth a look at the start goes.
    pub complain: fn(&str),
    /// Where the address goes, once connections are accepted.
    pub announce: fn(&str),
}

/// Runs the proxy until it is told to stop.
///
/// # Errors
/// Why it could not start, ready to be shown.
pub async fn run(options: ServiceOptions) -> Result<(), String> {
    let config = Config::load(&options.config, &ProcessEnvironment).map_err(|found| found.0)?;
    let (rules, warnings) =
        load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
    for text in [&config.warnings, &render(&rules.sources, &warnings, false)] {
        if !text.is_empty() {
            (options.complain)(text);
        }
    }
    let broken = config.judge(&rules);
    if !broken.is_empty() {
        return Err(render(&rules.sources, &broken, false));
    }
    let logging = Logging::start(config.log, options.log)?;
    let audit = Audit::open(&config.audit).map_err(|error| {
        format!("error: cannot open the audit trail {}: {error}", config.audit.file.display())
    })?;
    let sockets = Sockets::open(&config.listen, config.admin).await?;
    let metrics = Arc::new(Metrics::new());
    let telemetry = config.telemetry.as_ref().map(Telemetry::start).transpose()?;
    let shadow = Arc::new(Shadow::new(Arc::clone(&metrics)));
    let granted = Arc::new(ledger::Board::default());
    let proxy = Proxy::new(ProxyOptions {
        board: Arc::clone(&granted),
        endpoint: config.endpoint.clone(),
        tls: config.tls.clone(),
        tokens: config.tokens.clone(),
        proxies: config.proxies.clone(),
        connection_limits: config.connection_limits,
        rules: Arc::new(rules),
        audit: audit.clone(),
        pseudonym_key: config.pseudonym_key.clone(),
        pool: config.pool.clone(),
        masks_on_the_wire: config.masks_on_the_wire,
        metrics: Arc::clone(&metrics),
        telemetry: telemetry.clone(),
        shadow: Arc::clone(&shadow),
    })
    .ok_or_else(|| "error: the system gives no random numbers".to_owned())?;
    let addresses = sockets.addresses.join(", ");
    let (counted, trail, served) = (Arc::clone(&metrics), audit.clone(), Arc::clone(&proxy));
    let mut unread = None;
    if let Some(options) = config.grants.clone() {
        let (proxy, metrics) = (Arc::clone(&proxy), Arc::clone(&metrics));
        let trail = (audit.clone(), config.audit.file.as_path());
        let mut granting = Granting::new(options, granted, proxy, trail, metrics);
        unread = Some(granting.unread());
        // Who comes first finds what is in force.
        granting.look().await;
        tokio::spawn(granting.follow());
    }
    let shadowing = Shadowing::new(shadow);
    let reloader =
        Reloader::new(options.config, config, served, logging, counted, trail, shadowing);
    let signals = Signals::listen()?;
    let (stage, stages) = tokio::sync::watch::channel(Stage::Open);
    if let Some(listener) = sockets.admin {
        let address = listener.local_addr().map_err(|error| format!("error: {error}"))?;
        let lease = proxy.look_after(&reloader.config().database);
        let board = Board {
            proxy: Arc::clone(&proxy),
            audit: audit.clone(),
            metrics,
            lease,
            reloaded: reloader.state(),
            unread,
            stage: stages.clone(),
        };
        tracing::info!("health and figures at http://{address}");
        let console = match reloader.config().console.clone() {
            None => None,
            Some(options) => {
                let stages = stages.clone();
                Some(console(options, address, &proxy, &reloader, &audit, stages)?)
            }
        };
        tokio::spawn(admin::serve(listener, Arc::new(board), console));
    }
    let workers = tokio::runtime::Handle::current().metrics().num_workers();
    tracing::info!(workers, "serving sessions");
    let serving = tokio::spawn(serve(proxy, sockets.clients, stages));
    (options.announce)(&format!("scrim listening on {addresses}"));
    systemd::ready();
    systemd::keep_watchdog();
    until_ended(serving, reloader, signals, &stage).await;
    drop(sockets.files);
    audit.close().await;
    if let Some(telemetry) = telemetry {
        telemetry.stop().await;
    }
    Ok(())
}

/// The console, where it may be served.
fn console(
    options: ConsoleOptions,
    address: SocketAddr,
    proxy: &Arc<Proxy>,
    reloader: &Reloader,
    audit: &Audit,
    stage: tokio::sync::watch::Receiver<Stage>,
) -> Result<admin::Beside, String> {
    // What the service manager has opened may be another address than that of the configuration.
    if !address.ip().to_canonical().is_loopback() {
        return Err(format!(
            "error: `console` takes passwords, and other machines can reach {address} without TLS"
        ));
    }
    let config = reloader.config();
    audit.keep_recent();
    let parts = ConsoleParts {
        options,
        proxy: Arc::clone(proxy),
        lease: proxy.look_after(&config.database),
        database: config.database.clone(),
        audit: audit.clone(),
        audit_file: config.audit.file.clone(),
        refused: reloader.state(),
        stage,
        masks_on_the_wire: config.masks_on_the_wire,
        grants: config.grants.as_ref().map(|options| options.place.clone()),
        endpoint: config.endpoint.clone(),
    };
    let console = Console::new(parts)
        .ok_or_else(|| "error: the system gives no random numbers".to_owned())?;
    tracing::info!("console at http://{address}/console");
    Ok(Arc::new(move |client| Arc::clone(&console).router(client)))
}

/// What a signal says.
enum Told {
    Reload,
    Stop,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, String> {
        let of = |kind| signal(kind).map_err(|error| format!("error: no signals: {error}"));
        Ok(Signals {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    /// Returns at the next one.
    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }
}

async fn until_ended(
    mut serving: JoinHandle<()>,
    mut reloader: Reloader,
    mut signals: Signals,
    stage: &tokio::sync::watch::Sender<Stage>,
) {
    let mut files = Files::watch(reloader.files());
    // Once they are watched: a change that comes meanwhile is seen.
    reloader.shadow().await;
    // Set when draining begins.
    let mut patience = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        let now = *stage.borrow();
        tokio::select! {
            ended = &mut serving => {
                if ended.is_err() {
                    tracing::error!("the listener ended by a panic, which is a fault of Scrim");
                }
                return;
            }
            told = signals.next() => match told {
                Told::Reload => {
                    files.watch_again(reloader.files());
                    reloader.reload(Cause::Signal).await;
                    files.follow(reloader.files());
                }
                Told::Stop => {
                    patience.as_mut().reset(Instant::now() + reloader.config().drain);
                    stage.send_replace(stop(now, reloader.config().drain));
                }
            },
            () = files.changed() => {
                // First, so that no change goes unseen between the reading and the watching.
                files.watch_again(reloader.files());
                if reloader.config().reload_on_change {
                    reloader.reload(Cause::Change).await;
                    files.follow(reloader.files());
                }
            }
            () = &mut patience, if now == Stage::Draining => {
                tracing::warn!("the time for draining is over; what still runs is ended");
                stage.send_replace(Stage::Ending);
            }
        }
    }
}

/// The stage after a signal to stop.
fn stop(now: Stage, drain: Duration) -> Stage {
    systemd::stopping();
    match now {
        Stage::Open => {
            tracing::info!(seconds = drain.as_secs(), "stopping when what runs is done");
            Stage::Draining
        }
        Stage::Draining | Stage::Ending => {
            tracing::warn!("told to stop once more: at once");
            Stage::Ending
        }
    }
}
