//! The log: lines or JSON on standard error. Its level can change while Scrim runs.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogLevel, LogOptions};

/// Sets what is logged, part by part; stronger than the configuration.
const VARIABLE: &str = "SCRIM_LOG";

/// The log, started.
pub(super) struct Logging {
    /// `None`: the environment decides, or somebody else had started a log before.
    set: Option<Box<dyn Fn(EnvFilter) -> bool + Send + Sync>>,
}

impl Logging {
    /// Starts it. `format` is the command line's, and stronger than the configuration's.
    ///
    /// # Errors
    /// The environment has something that is no filter.
    pub(super) fn start(options: LogOptions, format: Option<LogFormat>) -> Result<Logging, String> {
        let given = std::env::var(VARIABLE).ok().filter(|given| !given.trim().is_empty());
        let filter = match &given {
            Some(given) => EnvFilter::try_new(given).map_err(|error| {
                format!(
                    "error: {VARIABLE} is no filter for a log: {error}\n  such as info, debug, or \
                     warn,scrim::session=debug"
                )
            })?,
            None => filter_of(options.level),
        };
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            // Colours are for people at a terminal, not for files and collectors.
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        let (set, started): (Box<dyn Fn(EnvFilter) -> bool + Send + Sync>, _) =
            match format.unwrap_or(options.format) {
                LogFormat::Text => {
                    let builder = builder.with_filter_reloading();
                    let handle = builder.reload_handle();
                    (Box::new(move |filter| handle.reload(filter).is_ok()), builder.try_init())
                }
                LogFormat::Json => {
                    let builder = builder.json().with_filter_reloading();
                    let handle = builder.reload_handle();
                    (Box::new(move |filter| handle.reload(filter).is_ok()), builder.try_init())
                }
            };
        // Somebody else's subscriber, in a process that calls us twice, is as good.
        let is_ours = started.is_ok() && given.is_none();
        Ok(Logging { set: is_ours.then_some(set) })
    }

    /// Another level, as the configuration says now.
    pub(super) fn set_level(&self, level: LogLevel) {
        if let Some(set) = &self.set
            && !set(filter_of(level))
        {
            tracing::warn!("the level of the log could not be changed");
        }
    }
}

fn filter_of(level: LogLevel) -> EnvFilter {
    EnvFilter::new(level.word())
}
