//! How long transactions take while the machine is not busy.

use std::cell::Cell;
use std::rc::Rc;

use super::{Case, Effort, Scenario, Way, doors, doors_for_prepared, ways};
use crate::figures::Quantity;
use crate::pgbench::{self, Load, Protocol};
use crate::stand::{Door, Stand};
use crate::statements::SELECT;

const CLIENTS: u32 = 16;
/// Of what PostgreSQL alone manages with the same protocol, so that a proxy has room beside it.
const SHARE: f64 = 0.2;
/// Whoever asks too few times a second measures how long a sleeping core takes to wake up.
const RATE_MIN: u32 = 500;
/// For the look at what PostgreSQL manages.
const LOOK_SECONDS: u32 = 2;

pub fn scenario(effort: Effort) -> Scenario {
    let protocols = match effort.is_quick {
        true => vec![Protocol::Simple],
        false => vec![Protocol::Simple, Protocol::Prepared],
    };
    Scenario {
        name: "latency",
        title: "Time of a transaction at a fixed rate",
        about: "The same statement, 16 clients, at a fifth of the rate that PostgreSQL alone has managed with this protocol \
                in this run (pgbench --rate). The time counts from when a transaction should have begun, so that one that \
                waits behind another counts whole.",
        unit: "transaction",
        cases: protocols.into_iter().map(|protocol| case(protocol, effort.seconds)).collect(),
        is_once: false,
    }
}

fn case(protocol: Protocol, seconds: u32) -> Case {
    let (doors, bases) = match protocol {
        Protocol::Prepared => {
            (doors_for_prepared().to_vec(), vec![ways::DIRECT, ways::PGBOUNCER_SESSION])
        }
        Protocol::Simple | Protocol::Extended => {
            (doors().to_vec(), vec![ways::DIRECT, ways::PGBOUNCER])
        }
    };
    // Looked at once, before the first way, and the same for all of them.
    let rate = Rc::new(Cell::new(None));
    let ways = doors.into_iter().map(|(name, door)| {
        let rate = Rc::clone(&rate);
        Way::new(name, move |stand| {
            let fixed = match rate.get() {
                Some(rate) => rate,
                None => look(stand, protocol)?,
            };
            rate.set(Some(fixed));
            let load = Load::new(SELECT, protocol, CLIENTS, seconds);
            pgbench::measure(stand, door, &Load { rate: Some(fixed), ..load })
        })
    });
    Case { name: protocol.word().into(), ways: ways.collect(), bases }
}

/// The rate for all ways.
fn look(stand: &Stand, protocol: Protocol) -> Result<u32, String> {
    let load = Load::new(SELECT, protocol, CLIENTS, LOOK_SECONDS);
    let figures = pgbench::measure(stand, Door::Direct, &load)?;
    let rate = figures.get(&Quantity::Rate).copied().unwrap_or_default();
    // To the hundred; the cast cuts, and a rate is far below its limits.
    let hundreds = (rate * SHARE / 100.0) as u32;
    Ok(hundreds.saturating_mul(100).max(RATE_MIN))
}
