//! `scrim run`: the proxy.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::audit::Audit;
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::session::{Proxy, ProxyOptions, serve};
use crate::text::render;

/// The proxy. Prints one line with its address once it accepts connections, and runs until it is told to stop
/// (SIGINT or SIGTERM).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  scrim run --config /etc/scrim/scrim.yaml\n\n\
                        SCRIM_LOG sets what is logged on standard error: info (default), debug, \
                        scrim::session=debug, …")]
pub struct RunArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// How the log looks.
    #[arg(long, value_enum, default_value_t = Log::Text)]
    log: Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    Text,
    Json,
}

impl RunArgs {
    /// Exit code 0 after a clean stop, 1 when it could not start.
    pub async fn run(self) -> ExitCode {
        start_logging(self.log);
        match self.serve().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }

    async fn serve(self) -> Result<(), String> {
        let config = Config::load(&self.config, &ProcessEnvironment).map_err(|found| found.0)?;
        let (rules, warnings) =
            load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
        for text in [&config.warnings, &render(&rules.sources, &warnings, false)] {
            if !text.is_empty() {
                super::complain(text);
            }
        }
        let broken = config.judge(&rules);
        if !broken.is_empty() {
            return Err(render(&rules.sources, &broken, false));
        }
        let audit = Audit::open(&config.audit).map_err(|error| {
            format!("error: cannot open the audit trail {}: {error}", config.audit.file.display())
        })?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| format!("error: cannot listen on {}: {error}", config.listen))?;
        let address = listener.local_addr().map_err(|error| format!("error: {error}"))?;
        let options = ProxyOptions {
            endpoint: config.endpoint,
            tls: config.tls,
            rules: Arc::new(rules),
            audit: audit.clone(),
            pseudonym_key: config.pseudonym_key,
            pool: config.pool,
        };
        let proxy = Proxy::new(options)
            .ok_or_else(|| "error: the system gives no random numbers".to_owned())?;
        let mut terminated = signal(SignalKind::terminate())
            .map_err(|error| format!("error: cannot wait for SIGTERM: {error}"))?;
        super::print(&format!("scrim listening on {address}"));
        let shutdown = async move {
            tokio::select! {
                _ = terminated.recv() => {}
                // Without the signal there is still SIGTERM.
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        serve(proxy, listener, shutdown).await;
        audit.close().await;
        Ok(())
    }
}

fn start_logging(log: Log) {
    let filter = EnvFilter::try_from_env("SCRIM_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log {
        Log::Text => builder.try_init(),
        Log::Json => builder.json().try_init(),
    };
    // Somebody else's subscriber, in a process that calls us twice, is as good.
    drop(started);
}
