//! Statements that nobody has sent before.

use super::{Case, Effort, Scenario, Way, doors, ways};
use crate::pgbench::{self, Load, Protocol};
use crate::statements::TEXTS;

const CLIENTS: u32 = 16;

pub fn scenario(effort: Effort) -> Scenario {
    let ways = doors().map(|(name, door)| {
        let load = Load::new(TEXTS, Protocol::Simple, CLIENTS, effort.seconds);
        Way::new(name, move |stand| pgbench::measure(stand, door, &load))
    });
    let case = Case {
        name: format!("simple, {CLIENTS} clients"),
        ways: ways.into_iter().collect(),
        bases: vec![ways::DIRECT, ways::PGBOUNCER],
    };
    Scenario {
        name: "texts",
        title: "New statements",
        about: "Each text is new, by its names and not by its values only, so that Scrim has to plan each of them.",
        unit: "statement",
        cases: vec![case],
        is_once: false,
    }
}
