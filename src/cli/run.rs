//! `scrim run`: the proxy.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::config::LogFormat;
use crate::service::{self, ServiceOptions};

/// The proxy. Prints one line with its address once it accepts connections, and runs until it is told to stop.
///
/// SIGTERM and SIGINT: new clients are told to go elsewhere, idle sessions are ended, running transactions finish within
/// `drain_seconds`; a second signal ends all at once. SIGHUP, and a change of the files: the rules are read again, and
/// come into force as a whole, or not at all.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  scrim run --config /etc/scrim/scrim.yaml\n\n\
                        SCRIM_LOG sets what is logged on standard error, whatever `log.level` says: info, debug, \
                        warn,scrim::session=debug, …\n\
                        With `admin: 127.0.0.1:6433` in the configuration, http://127.0.0.1:6433 has /healthz, \
                        /readyz and /metrics.\n\
                        Unix sockets, IPv6, load balancers (PROXY protocol), client certificates and limits of \
                        connections: `listen`, `proxy_protocol`, `tls` and `limits` in the configuration.\n\
                        Under systemd (Type=notify-reload, WatchdogSec=, socket activation): docs/scrim.service.")]
pub struct RunArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// How the log looks, whatever `log.format` says.
    #[arg(long, value_enum)]
    log: Option<Log>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    Text,
    Json,
}

impl RunArgs {
    /// Exit code 0 after a clean stop, 1 when it could not start.
    pub async fn run(self) -> ExitCode {
        let options = ServiceOptions {
            config: self.config,
            log: self.log.map(|log| match log {
                Log::Text => LogFormat::Text,
                Log::Json => LogFormat::Json,
            }),
            complain: super::complain,
            announce: super::print,
        };
        match service::run(options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }
}
