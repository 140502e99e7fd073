//! On what it was measured.

use std::path::Path;
use std::process::Command;

use scrim::demo::{DATABASE, PrivatePostgres};
use serde::Serialize;

use crate::{pgbouncer, run};

/// The machine, the versions, and how busy it was.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub began: String,
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub postgres: String,
    pub pgbench: String,
    pub pgbouncer: String,
    pub scrim: String,
    pub rustc: String,
    /// Commit, and whether files were changed since.
    pub commit: String,
    /// Load averages over 1, 5 and 15 minutes before the first run; what others do at the same time shows in them.
    pub load_before: String,
    /// The same after the last run, our own included.
    pub load_after: String,
}

impl Machine {
    /// Asks around. What cannot be found is `?`.
    pub fn look(server: &PrivatePostgres, binary: &Path, load_before: String) -> Machine {
        let known = |found: Option<String>| found.unwrap_or_else(|| "?".into());
        let version = |program: &Path| {
            let text = run::quietly(Command::new(program).arg("--version")).ok()?;
            Some(text.lines().next()?.trim().to_owned())
        };
        let changed = run::output("git", &["status", "--porcelain", "--untracked-files=no"]);
        let dirty =
            if changed.is_some_and(|text| !text.is_empty()) { ", changed since" } else { "" };
        let commit = known(run::output("git", &["rev-parse", "--short=12", "HEAD"]));
        Machine {
            began: now(),
            processor: known(field("/proc/cpuinfo", "model name")),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok())
                .map_or(0, |kib| kib.div_ceil(1024 * 1024)),
            kernel: known(run::output("uname", &["-sr"])),
            postgres: known(server.run(DATABASE, "SHOW server_version").ok()).trim().to_owned(),
            pgbench: known(version(&server.clients().join("pgbench"))),
            pgbouncer: known(pgbouncer::version()),
            scrim: known(version(binary)),
            rustc: known(run::output("rustc", &["--version"])),
            commit: format!("{commit}{dirty}"),
            load_before,
            load_after: String::new(),
        }
    }

    /// Name and value, for a table.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            ("began", self.began.clone()),
            ("processor", format!("{}, {} cores", self.processor, self.cores)),
            ("memory", format!("{} GiB", self.memory_gib)),
            ("kernel", self.kernel.clone()),
            ("PostgreSQL", self.postgres.clone()),
            ("pgbench", self.pgbench.clone()),
            ("PgBouncer", self.pgbouncer.clone()),
            ("Scrim", format!("{}, commit {}", self.scrim, self.commit)),
            ("rustc", self.rustc.clone()),
            ("load before (1, 5, 15 min)", self.load_before.clone()),
            ("load after, with ours", self.load_after.clone()),
        ]
    }
}

/// The load averages.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let three: Vec<&str> = text.split(' ').take(3).collect();
    three.join(", ")
}

/// Today, as the results are called.
pub fn today() -> String {
    jiff::Timestamp::now().to_string().chars().take("2026-01-01".len()).collect()
}

fn now() -> String {
    let text = jiff::Timestamp::now().to_string();
    let minutes: String = text.chars().take("2026-01-01T00:00".len()).collect();
    format!("{} UTC", minutes.replace('T', " "))
}

/// The first `name: value` of a file.
fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}
