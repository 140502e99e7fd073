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
    /// Threads that serve sessions; otherwise one for each processor. Fewer, where PostgreSQL or the clients share the
    /// machine: threads that have little to do cost more by waking each other than they bring.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=WORKERS_MAX))]
    workers: Option<u16>,
}

/// More would be a slip of the pen; tokio's own bound is in the ten thousands.
const WORKERS_MAX: i64 = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    Text,
    Json,
}

impl RunArgs {
    /// How many threads are wanted; `None`: as many as there are processors.
    pub fn workers(&self) -> Option<usize> {
        self.workers.map(usize::from)
    }

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
