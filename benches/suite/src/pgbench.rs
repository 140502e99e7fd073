//! pgbench, the client for whatever is many small transactions.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use scrim::demo::DATABASE;

use crate::figures::{Figures, Quantity};
use crate::processor;
use crate::run;
use crate::stand::{Door, SCALE, Stand};

/// More threads than this would only take processor time away from what is measured.
const THREADS_MAX: u32 = 2;

/// pgbench's clock starts before its clients have logged in, each of whom hashes a password first. A run is longer by what
/// an idle machine needs for that, and is done again, longer, where that was too little. The rate counts from the last
/// login on.
const LOGINS_PER_SECOND: u32 = 100;
const ATTEMPTS_MAX: u32 = 4;

/// How statements are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// One Query message, the values in the text.
    Simple,
    /// Parse, Bind, Execute each time.
    Extended,
    /// Parse once for a connection, then Bind and Execute.
    Prepared,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 3] = [Protocol::Simple, Protocol::Extended, Protocol::Prepared];

    /// As pgbench calls it.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Simple => "simple",
            Protocol::Extended => "extended",
            Protocol::Prepared => "prepared",
        }
    }
}

/// What pgbench does.
#[derive(Debug, Clone)]
pub struct Load {
    /// A script in pgbench's language.
    pub script: &'static str,
    pub protocol: Protocol,
    pub clients: u32,
    pub seconds: u32,
    /// Transactions a second, however fast they are answered; otherwise as many as go.
    pub rate: Option<u32>,
    /// A connection for each transaction.
    pub connect_each_time: bool,
    pub tls: bool,
}

impl Load {
    /// As many transactions as go, over connections that stay.
    pub fn new(script: &'static str, protocol: Protocol, clients: u32, seconds: u32) -> Load {
        let (rate, connect_each_time, tls) = (None, false, false);
        Load { script, protocol, clients, seconds, rate, connect_each_time, tls }
    }
}

/// Runs it through a door: transactions a second, processor time of the proxy and of PostgreSQL a transaction; with a
/// fixed rate also how long transactions took.
pub fn measure(stand: &Stand, door: Door, load: &Load) -> Result<Figures, String> {
    let mut logins_seconds = load.clients / LOGINS_PER_SECOND;
    for _ in 0..ATTEMPTS_MAX {
        match attempt(stand, door, load, logins_seconds)? {
            Some(figures) => return Ok(figures),
            None => logins_seconds = logins_seconds.saturating_add(2).saturating_mul(2),
        }
    }
    Err(format!("{} clients do not log in within {logins_seconds} seconds", load.clients))
}

/// None where logins have taken longer than was added for them.
fn attempt(
    stand: &Stand,
    door: Door,
    load: &Load,
    logins_seconds: u32,
) -> Result<Option<Figures>, String> {
    let target = stand.target(door)?;
    let postmaster = stand.postmaster()?;
    let folder = stand.folder();
    let script = folder.join("script.sql");
    write(&script, load.script)?;
    let seconds = load.seconds.saturating_add(logins_seconds);
    let mut pgbench = Command::new(stand.server().clients().join("pgbench"));
    pgbench
        .args(["--no-vacuum", "-M", load.protocol.word(), "-T", &seconds.to_string()])
        .args(["-c", &load.clients.to_string(), "-j", &load.clients.min(THREADS_MAX).to_string()])
        .args(["-D", &format!("scale={SCALE}"), "-D", &format!("customers={}", stand.customers())])
        .args(["-h", &target.address.ip().to_string(), "-p", &target.address.port().to_string()])
        .args(["-U", target.user, "-f"])
        .arg(&script)
        .current_dir(folder)
        .env("PGPASSWORD", &target.password)
        .env("PGSSLMODE", if load.tls { "require" } else { "disable" });
    if load.connect_each_time {
        pgbench.arg("--connect");
    }
    if let Some(rate) = load.rate {
        pgbench.args(["--rate", &rate.to_string(), "--log", "--log-prefix=latencies"]);
    }
    pgbench.arg(DATABASE);
    remove_logs(folder)?;
    let proxy_time = || target.proxy.map(processor::of_process).transpose();
    let (proxy, server) = (proxy_time()?, processor::of_family(postmaster)?);
    let text = run::quietly(&mut pgbench)?;
    let (proxy_after, server_after) = (proxy_time()?, processor::of_family(postmaster)?);
    if !load.connect_each_time && logins(&text).is_none_or(|it| it > f64::from(logins_seconds + 1))
    {
        return Ok(None);
    }
    let report = Report::parse(&text).ok_or_else(|| format!("pgbench has said:\n{text}"))?;
    let each = |before: Duration, after: Duration| {
        after.saturating_sub(before).as_secs_f64() * 1e6 / report.transactions
    };
    let mut figures = Figures::from([
        (Quantity::Rate, report.rate),
        (Quantity::ServerMicroseconds, each(server, server_after)),
    ]);
    if let (Some(before), Some(after)) = (proxy, proxy_after) {
        figures.insert(Quantity::ProxyMicroseconds, each(before, after));
    }
    if load.rate.is_some() {
        figures.extend(latencies(folder)?);
        remove_logs(folder)?;
    }
    Ok(Some(figures))
}

/// How many seconds logins have taken; pgbench does not say it where that left nothing of the run.
fn logins(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("initial connection time = "))?;
    Some(line.strip_suffix(" ms")?.parse::<f64>().ok()? / 1000.0)
}

/// What pgbench prints at its end.
struct Report {
    transactions: f64,
    rate: f64,
}

impl Report {
    fn parse(text: &str) -> Option<Report> {
        let after = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
        let number = |text: &str| {
            let digits = text.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
            digits.parse::<f64>().ok().filter(|number| *number > 0.0)
        };
        let failed = after("number of failed transactions: ").and_then(number);
        failed.is_none().then_some(Report {
            transactions: number(after("number of transactions actually processed: ")?)?,
            rate: number(after("tps = ")?)?,
        })
    }
}

/// Percentiles of pgbench's logs. The third word of a line is how long the transaction took in µs; with a fixed rate
/// that counts from when it should have begun.
fn latencies(folder: &Path) -> Result<Figures, String> {
    let mut all = Vec::new();
    for log in logs(folder)? {
        let text =
            std::fs::read_to_string(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        for line in text.lines() {
            let third = line.split(' ').nth(2).and_then(|word| word.parse::<f64>().ok());
            all.push(third.ok_or_else(|| format!("pgbench has logged `{line}`"))?);
        }
    }
    all.sort_by(f64::total_cmp);
    let at = |of_thousand: usize, quantity| {
        let index = all.len().saturating_mul(of_thousand).div_ceil(1000).saturating_sub(1);
        all.get(index).map(|microseconds| (quantity, microseconds / 1000.0))
    };
    let three = [
        at(500, Quantity::P50Milliseconds),
        at(990, Quantity::P99Milliseconds),
        at(999, Quantity::P999Milliseconds),
    ];
    match three.into_iter().collect::<Option<Figures>>() {
        Some(figures) => Ok(figures),
        None => Err("pgbench has logged no transaction".into()),
    }
}

fn logs(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("latencies."))
    };
    Ok(entries.flatten().map(|entry| entry.path()).filter(ours).collect())
}

fn remove_logs(folder: &Path) -> Result<(), String> {
    for log in logs(folder)? {
        std::fs::remove_file(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_prints() {
        let text = "scaling factor: 1\nnumber of transactions actually processed: 8000\n\
                    number of failed transactions: 0 (0.000%)\n\
                    tps = 1600.25 (without initial connection time)\n";
        let report = Report::parse(text).expect("a report");
        assert_eq!((report.transactions, report.rate), (8000.0, 1600.25));
        assert!(Report::parse(&text.replace("8000", "0")).is_none());
        assert!(Report::parse(&text.replace("transactions: 0", "transactions: 3")).is_none());
        // With `-T` and a planned number it says 5/10.
        assert!(Report::parse("tps = 3").is_none());
    }

    #[test]
    fn logins_that_left_nothing_are_not_told() {
        assert_eq!(logins("a\ninitial connection time = 1234.5 ms\ntps = 3"), Some(1.2345));
        assert_eq!(logins("number of transactions actually processed: 0"), None);
    }

    #[test]
    fn percentiles_of_a_log() {
        let folder = std::env::temp_dir().join(format!("scrim-bench-log-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder");
        let line = |n: u32| format!("0 {n} {} 0 1 2 3\n", n * 1000);
        let text: String = (1..=1000).rev().map(line).collect();
        let (first, second) = text.split_at(text.find("0 500 ").expect("the middle"));
        std::fs::write(folder.join("latencies.7"), first).expect("a log");
        std::fs::write(folder.join("latencies.7.1"), second).expect("a log");
        let figures = latencies(&folder).expect("figures");
        let values: Vec<f64> = figures.into_values().collect();
        assert_eq!(values, [500.0, 990.0, 999.0]);
        remove_logs(&folder).expect("removed");
        assert!(latencies(&folder).is_err());
        std::fs::remove_dir(&folder).expect("an empty folder");
    }
}
