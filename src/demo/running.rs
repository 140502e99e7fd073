//! `scrim run` on a desk, in a process of its own: the demo and the tests use what a user uses, and nothing else.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::kept::KeptProgram;

/// Reading the catalog of a small database takes a fraction of it.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(20);

/// Why Scrim does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunningError {
    /// The shell could not be started.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// Scrim's binary.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended, or did not say in time where it listens.
    #[error("`scrim run` did not come up: {said}")]
    NotUp {
        /// What it printed.
        said: String,
    },
}

/// A Scrim that runs. Dropping it ends the process, politely.
#[derive(Debug)]
pub struct RunningScrim {
    address: SocketAddr,
    program: KeptProgram,
}

impl RunningScrim {
    /// Starts `binary run` with the desk's configuration and waits until it says where it listens.
    pub fn start(binary: &Path, desk: &Desk) -> Result<RunningScrim, RunningError> {
        RunningScrim::start_with(binary, &desk.configuration())
    }

    /// The same with another configuration, in whose folder no other Scrim runs.
    pub fn start_with(binary: &Path, configuration: &Path) -> Result<RunningScrim, RunningError> {
        let failed = |source| RunningError::Start { program: binary.display().to_string(), source };
        let folder = configuration.parent().unwrap_or(Path::new("."));
        let arguments = ["run".as_ref(), "--config".as_ref(), configuration.as_os_str()];
        let program = KeptProgram::start(folder, "scrim", binary, &arguments).map_err(failed)?;
        let began = Instant::now();
        while began.elapsed() < START_TIMEOUT && !program.has_ended() {
            if let Some(address) = printed_address(&program.output()) {
                return Ok(RunningScrim { address, program });
            }
            std::thread::sleep(START_POLL);
        }
        Err(RunningError::NotUp { said: program.said() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.program.pid()
    }

    /// True when the process has ended, by itself or by an accident.
    pub fn has_ended(&self) -> bool {
        self.program.has_ended()
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        self.program.said()
    }
}

/// The first thing on standard output that is an address.
fn printed_address(text: &str) -> Option<SocketAddr> {
    // A line that is not finished yet may hold half a port.
    let (line, _) = text.split_once('\n')?;
    let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c)));
    words.into_iter().find_map(|word| word.trim_end_matches('.').parse().ok())
}

#[cfg(test)]
mod tests;
