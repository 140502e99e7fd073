//! What a process has used so far, as the kernel tells it in `/proc`.
//!
//! proc_pid_stat(5), proc_pid_status(5).

use std::time::Duration;

/// Processor time of one process with all its threads: user and system.
pub fn of_process(pid: u32) -> Result<Duration, String> {
    let stat = Stat::read(pid)?;
    Ok(stat.own)
}

/// How long processes that are ending are given, and how often it is looked whether they have.
const ENDING: Duration = Duration::from_millis(150);
const LOOKS_MAX: u32 = 20;

/// Processor time of a process, its children that live, and those that have ended.
///
/// PostgreSQL is a process a connection, and the time of one that has ended goes over to the postmaster. One that goes
/// over between two looks would be missed or counted twice, so what is given is from when none did.
pub fn of_family(pid: u32) -> Result<Duration, String> {
    std::thread::sleep(ENDING);
    for _ in 0..LOOKS_MAX {
        let before = Stat::read(pid)?;
        let children = of_children(pid)?;
        let after = Stat::read(pid)?;
        if before.of_the_ended == after.of_the_ended {
            return Ok(after.own + after.of_the_ended + children);
        }
        std::thread::sleep(ENDING);
    }
    Err(format!("processes of {pid} end all the time"))
}

fn of_children(pid: u32) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let entries = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that has ended since the folder was read is no error.
        if let Ok(stat) = Stat::read(child)
            && stat.parent == pid
        {
            total += stat.own;
        }
    }
    Ok(total)
}

/// Memory of a process that is in RAM, in KiB.
pub fn resident_kib(pid: u32) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    text.lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok()
        })
        .ok_or_else(|| format!("{path} has no VmRSS"))
}

struct Stat {
    parent: u32,
    own: Duration,
    /// Children that have ended and were waited for.
    of_the_ended: Duration,
}

impl Stat {
    fn read(pid: u32) -> Result<Stat, String> {
        let path = format!("/proc/{pid}/stat");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        Stat::parse(&text, rustix::param::clock_ticks_per_second())
            .ok_or_else(|| format!("{path} does not read as proc_pid_stat(5) says"))
    }

    fn parse(text: &str, ticks_per_second: u64) -> Option<Stat> {
        // The name in parentheses may hold blanks and parentheses itself.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first field after the name is the third of the manual page.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let time = |user: usize, system: usize| {
            let ticks = number(user)?.checked_add(number(system)?)?;
            Some(Duration::from_micros(ticks.checked_mul(1_000_000)? / ticks_per_second.max(1)))
        };
        Some(Stat {
            parent: u32::try_from(number(4)?).ok()?,
            own: time(14, 15)?,
            of_the_ended: time(16, 17)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_manual_page() {
        let text = "7 (a) b (c) S 3 7 7 0 -1 4194560 9 8 7 6 150 50 30 20 20 0 4 0 1 2 3";
        let stat = Stat::parse(text, 100).expect("a line");
        assert_eq!(stat.parent, 3);
        assert_eq!(stat.own, Duration::from_secs(2));
        assert_eq!(stat.of_the_ended, Duration::from_millis(500));
        assert!(Stat::parse("7 (a) S 3", 100).is_none());
    }

    #[test]
    fn our_own_process_is_there() {
        let pid = std::process::id();
        assert!(resident_kib(pid).expect("memory") > 100);
        assert!(of_family(pid).expect("a family") >= of_process(pid).expect("a process"));
    }
}
