//! Connections that are made, used once and closed.

use super::{Case, Effort, Scenario, Way, doors, ways};
use crate::pgbench::{self, Load, Protocol};
use crate::statements::CONNECT;

const CLIENTS: u32 = 8;

pub fn scenario(effort: Effort) -> Scenario {
    let case = |tls: bool| {
        let ways = doors().map(|(name, door)| {
            let load = Load::new(CONNECT, Protocol::Simple, CLIENTS, effort.seconds);
            let load = Load { tls, connect_each_time: true, ..load };
            Way::new(name, move |stand| pgbench::measure(stand, door, &load))
        });
        Case {
            name: if tls { "TLS" } else { "without TLS" }.into(),
            ways: ways.into_iter().collect(),
            bases: vec![ways::DIRECT, ways::PGBOUNCER],
        }
    };
    Scenario {
        name: "connects",
        title: "Connections",
        about: "8 clients, each of which logs in by SCRAM-SHA-256, sends `SELECT 1` and leaves, again and again. Most of \
                the time is the client's, for whom a password is thousands of rounds of hashing: look at the processor \
                time of the proxy.",
        unit: "connection",
        cases: vec![case(false), case(true)],
        is_once: false,
    }
}
