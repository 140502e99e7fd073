//! Clients that are connected and do nothing.

use std::time::Duration;

use super::{Case, Effort, Scenario, Way, ways};
use crate::client::Client;
use crate::figures::{Figures, Quantity};
use crate::processor;
use crate::stand::{Door, Mode, Stand, Target};

/// How many.
pub const CLIENTS: [u32; 2] = [1_000, 10_000];
/// Connected before memory is looked at for the first time, so that pools, plans and catalogs are there by then.
const FIRST: u32 = 20;
/// Connections are made by so many at a time.
const THREADS: u32 = 4;
/// What a process may have open beside its clients.
const OTHER_FILES: u32 = 300;
/// Until what was needed for the last statements has been given back.
const REST: Duration = Duration::from_secs(3);

const STATEMENT: &str = "SELECT id, name, email FROM public.customers WHERE id = 1001";

pub fn scenario(effort: Effort) -> Scenario {
    let wanted = if effort.is_quick { &CLIENTS[..1] } else { &CLIENTS[..] };
    let fits = |clients: &&u32| effort.open_files >= u64::from(**clients + OTHER_FILES);
    let cases = wanted.iter().filter(fits).map(|clients| {
        let way = |name, door| Way::new(name, move |stand| measure(stand, door, *clients));
        Case {
            name: case_name(*clients),
            ways: vec![
                way(ways::PGBOUNCER, Door::PgBouncer(Mode::Transaction)),
                way(ways::SCRIM, Door::Masked(Mode::Transaction)),
            ],
            bases: vec![ways::PGBOUNCER],
        }
    });
    Scenario {
        name: "idle",
        title: "Idle clients",
        about: "Clients without TLS that have sent one statement each and are idle, on a proxy that was started for them: \
                memory in RAM (VmRSS) beyond what it had with 20 of them, by their number. Afterwards one of the first is \
                asked again. As many as the limit of open files lets in.",
        unit: "connection",
        cases: cases.collect(),
        is_once: true,
    }
}

/// Case names are looked up by the targets.
pub fn case_name(clients: u32) -> String {
    format!("{clients} clients")
}

fn measure(stand: &Stand, door: Door, clients: u32) -> Result<Figures, String> {
    let (_fresh, target) = stand.fresh(door)?;
    let proxy = target.proxy.ok_or("no proxy whose memory could be measured")?;
    let mut first = connect(&target, FIRST)?;
    std::thread::sleep(REST);
    let before = processor::resident_kib(proxy)?;
    let others = connect(&target, clients - FIRST)?;
    std::thread::sleep(REST);
    let after = processor::resident_kib(proxy)?;
    let client = first.first_mut().ok_or("no client")?;
    client.count_rows(STATEMENT).map_err(|error| format!("after all had come: {error}"))?;
    let each = after.saturating_sub(before) as f64 / f64::from(clients - FIRST);
    let connected = first.len() + others.len();
    Ok(Figures::from([(Quantity::KibibytesEach, each), (Quantity::Connections, connected as f64)]))
}

/// Connects some, each of which sends a statement.
fn connect(target: &Target, clients: u32) -> Result<Vec<Client>, String> {
    let some = |clients: u32| -> Result<Vec<Client>, String> {
        let one = |number| {
            let mut client = Client::connect(target)?;
            client.count_rows(STATEMENT)?;
            Ok(client).map_err(|error: String| format!("client {number}: {error}"))
        };
        (0..clients).map(one).collect()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let share = clients / THREADS + u32::from(thread < clients % THREADS);
                scope.spawn(move || some(share))
            })
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread has panicked".to_owned())??);
        }
        Ok(all)
    })
}
