//! TPC-B: transactions of several statements that write.

use super::{Case, Effort, Scenario, Way, ways};
use crate::pgbench::{self, Load, Protocol};
use crate::stand::{Door, Mode, Stand};
use crate::statements::TPC_B;

const CLIENTS: u32 = 16;

pub fn scenario(effort: Effort) -> Scenario {
    let protocols = match effort.is_quick {
        true => vec![Protocol::Simple],
        false => vec![Protocol::Simple, Protocol::Prepared],
    };
    Scenario {
        name: "writes",
        title: "TPC-B",
        about: "pgbench's TPC-B, seven statements a transaction, as a role that may write and whose masks concern other \
                columns. The server does not wait for its disk.",
        unit: "transaction",
        cases: protocols.into_iter().map(|protocol| case(protocol, effort.seconds)).collect(),
        is_once: false,
    }
}

fn case(protocol: Protocol, seconds: u32) -> Case {
    use Mode::{Session, Transaction};
    let doors = match protocol {
        Protocol::Prepared => vec![
            (ways::DIRECT, Door::Direct),
            (ways::PGBOUNCER_SESSION, Door::PgBouncer(Session)),
            (ways::SCRIM_WRITER_SESSION, Door::Writer(Session)),
            (ways::SCRIM_WRITER, Door::Writer(Transaction)),
        ],
        Protocol::Simple | Protocol::Extended => vec![
            (ways::DIRECT, Door::Direct),
            (ways::PGBOUNCER, Door::PgBouncer(Transaction)),
            (ways::SCRIM_WRITER, Door::Writer(Transaction)),
        ],
    };
    let bases = doors.iter().map(|(name, _)| *name).take(2).collect();
    let ways = doors.into_iter().map(|(name, door)| {
        let load = Load::new(TPC_B, protocol, CLIENTS, seconds);
        Way::new(name, move |stand| {
            tidy(stand)?;
            pgbench::measure(stand, door, &load)
        })
    });
    Case { name: format!("{}, {CLIENTS} clients", protocol.word()), ways: ways.collect(), bases }
}

/// What the run before has left would make the next one slower.
fn tidy(stand: &Stand) -> Result<(), String> {
    let sql =
        "TRUNCATE pgbench_history; VACUUM pgbench_branches, pgbench_tellers, pgbench_accounts;";
    stand.server().run(scrim::demo::DATABASE, sql).map(drop).map_err(|error| error.to_string())
}
