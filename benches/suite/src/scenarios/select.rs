//! One row by its key, as fast as it goes.

use super::{Case, Effort, Scenario, Way, doors, doors_for_prepared, ways};
use crate::pgbench::{self, Load, Protocol};
use crate::stand::{Door, Mode};
use crate::statements::{SELECT, SELECT_BY_HAND};

const CLIENTS: [u32; 3] = [1, 16, 200];

pub fn scenario(effort: Effort) -> Scenario {
    let clients = if effort.is_quick { vec![16] } else { CLIENTS.to_vec() };
    let cases = clients
        .into_iter()
        .flat_map(|clients| Protocol::ALL.map(|protocol| case(protocol, clients, effort.seconds)));
    Scenario {
        name: "select",
        title: "One row by its key",
        about: "pgbench, read only: five columns of one of the customers by the primary key, four of them masked for the \
                role `support`. `masks by hand` asks PostgreSQL for the same masks in SQL; every other way sends the \
                plain statement, to which Scrim adds the masks. Both poolers have 20 server connections in transaction \
                mode, and one for each client in session mode.",
        unit: "transaction",
        cases: cases.collect(),
        is_once: false,
    }
}

/// Case names are looked up by the targets.
pub fn case_name(protocol: Protocol, clients: u32) -> String {
    match clients {
        1 => format!("{}, 1 client", protocol.word()),
        _ => format!("{}, {clients} clients", protocol.word()),
    }
}

fn case(protocol: Protocol, clients: u32, seconds: u32) -> Case {
    let way = |name, door, script| {
        let load = Load::new(script, protocol, clients, seconds);
        Way::new(name, move |stand| pgbench::measure(stand, door, &load))
    };
    let by_hand = |name, door| way(name, door, SELECT_BY_HAND);
    let plain = |(name, door)| way(name, door, SELECT);
    let (mut ways, bases) = match protocol {
        Protocol::Prepared => (
            doors_for_prepared().map(plain).into_iter().collect::<Vec<_>>(),
            vec![ways::DIRECT, ways::PGBOUNCER_SESSION],
        ),
        Protocol::Simple | Protocol::Extended => {
            let mut ways: Vec<Way> = doors().map(plain).into_iter().collect();
            ways.push(by_hand(ways::PGBOUNCER_BY_HAND, Door::PgBouncer(Mode::Transaction)));
            (ways, vec![ways::DIRECT, ways::PGBOUNCER])
        }
    };
    ways.push(by_hand(ways::DIRECT_BY_HAND, Door::Direct));
    Case { name: case_name(protocol, clients), ways, bases }
}
