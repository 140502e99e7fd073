//! `scrim run` on a desk, in a process of its own: the demo and the tests use what a user uses, and nothing else.
//!
//! INVARIANT: as with the private PostgreSQL, the process does not outlive ours; a small shell between the two ends
//! it when the kernel closes the shell's standard input.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::desk::Desk;

/// Reading the catalog of a small database takes a fraction of it.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_millis(20);

/// `$1` is the folder for what the program prints, the rest is the program. `ended` appears when it has ended.
const KEEPER: &str = r#"
folder=$1; shift
( "$@" </dev/null >"$folder/scrim.out" 2>"$folder/scrim.err" & echo $! >"$folder/scrim.pid"; wait $!
  echo $? >"$folder/ended" ) &
job=$!
while [ ! -s "$folder/scrim.pid" ]; do sleep 0.01; done
read -r line
pid=$(cat "$folder/scrim.pid")
kill -TERM "$pid" 2>/dev/null
( sleep 5; kill -KILL "$pid" 2>/dev/null ) & killer=$!
wait "$job"
kill "$killer" 2>/dev/null
"#;

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

/// A Scrim that runs on a [`Desk`]. Dropping it ends the process, politely.
#[derive(Debug)]
pub struct RunningScrim {
    address: SocketAddr,
    keeper: Child,
    folder: PathBuf,
}

impl RunningScrim {
    /// Starts `binary run` with the desk's configuration and waits until it says where it listens.
    pub fn start(binary: &Path, desk: &Desk) -> Result<RunningScrim, RunningError> {
        let folder = desk.folder().to_owned();
        for stale in ["scrim.pid", "scrim.out", "scrim.err", "ended"] {
            // Of an earlier run on this desk; mostly there is none.
            let _ = std::fs::remove_file(folder.join(stale));
        }
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&folder)
            .arg(binary)
            .args(["run", "--config"])
            .arg(desk.configuration())
            // Ctrl-C in a terminal goes to the whole group; who started us decides when Scrim ends.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| RunningError::Start {
                program: binary.display().to_string(),
                source,
            })?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut running = RunningScrim { address: nowhere, keeper, folder };
        let began = Instant::now();
        while began.elapsed() < START_TIMEOUT && !running.has_ended() {
            if let Some(address) = running.printed_address() {
                running.address = address;
                return Ok(running);
            }
            std::thread::sleep(START_POLL);
        }
        Err(RunningError::NotUp { said: running.said() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// True when the process has ended, by itself or by an accident.
    pub fn has_ended(&self) -> bool {
        self.folder.join("ended").exists()
    }

    /// What it has written to standard error so far.
    pub fn said(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        format!("{}{}", read("scrim.err"), read("scrim.out")).trim().to_owned()
    }

    /// The first thing on standard output that is an address.
    fn printed_address(&self) -> Option<SocketAddr> {
        let text = std::fs::read_to_string(self.folder.join("scrim.out")).ok()?;
        // A line that is not finished yet may hold half a port.
        let (line, _) = text.split_once('\n')?;
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c)));
        words.into_iter().find_map(|word| word.trim_end_matches('.').parse().ok())
    }
}

impl Drop for RunningScrim {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

#[cfg(test)]
mod tests;
