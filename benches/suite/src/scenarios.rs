//! What is measured: a file for each kind of work, and what it consists of.
//!
//! A scenario has cases (three protocols, some numbers of clients, …), and a case has ways to do the same work. The ways
//! of a case take turns in each round, so that whatever else the machine does hits all of them.

mod bulk;
mod connects;
mod idle;
mod latency;
pub mod masks;
mod select;
mod texts;
pub mod tpch;
mod writes;

pub use idle::{CLIENTS as IDLE_CLIENTS, case_name as idle_case};
pub use select::case_name as select_case;

use crate::figures::Figures;
use crate::stand::{Door, Stand};

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds; the medians of them are compared.
    pub rounds: u32,
    /// Seconds of a run that goes by time.
    pub seconds: u32,
    /// Fewer cases, less data: to see that it works.
    pub is_quick: bool,
    /// How many files a process may have open.
    pub open_files: u64,
}

/// A kind of work.
pub struct Scenario {
    /// The word on the command line.
    pub name: &'static str,
    pub title: &'static str,
    /// What is done, for who reads the results.
    pub about: &'static str,
    /// What is counted.
    pub unit: &'static str,
    pub cases: Vec<Case>,
    /// Taken once and not in each round, because it is of memory, which does not vary, or of what is slow.
    pub is_once: bool,
}

/// One piece of work, done in several ways.
pub struct Case {
    pub name: String,
    pub ways: Vec<Way>,
    /// The ways that the others are divided by.
    pub bases: Vec<&'static str>,
}

/// Does the work once.
type Measure = dyn Fn(&Stand) -> Result<Figures, String>;

/// One way to do it.
pub struct Way {
    pub name: &'static str,
    pub measure: Box<Measure>,
}

impl Way {
    fn new(
        name: &'static str,
        measure: impl Fn(&Stand) -> Result<Figures, String> + 'static,
    ) -> Way {
        Way { name, measure: Box::new(measure) }
    }
}

/// Names of ways, which stand in the results.
pub mod ways {
    pub const DIRECT: &str = "direct";
    pub const DIRECT_BY_HAND: &str = "direct, masks by hand";
    pub const DIRECT_SCRIMS_SQL: &str = "direct, Scrim's SQL";
    pub const DIRECT_COPY: &str = "direct, masked copy";
    pub const PGBOUNCER: &str = "PgBouncer";
    pub const PGBOUNCER_BY_HAND: &str = "PgBouncer, masks by hand";
    pub const PGBOUNCER_SESSION: &str = "PgBouncer, session";
    pub const SCRIM: &str = "Scrim, masked";
    pub const SCRIM_SESSION: &str = "Scrim, masked, session";
    pub const SCRIM_UNTOUCHED: &str = "Scrim, untouched";
    pub const SCRIM_UNTOUCHED_SESSION: &str = "Scrim, untouched, session";
    pub const SCRIM_WRITER: &str = "Scrim, writer";
    pub const SCRIM_WRITER_SESSION: &str = "Scrim, writer, session";
}

/// All scenarios, in the order in which they are run.
pub fn all(effort: Effort) -> Vec<Scenario> {
    vec![
        select::scenario(effort),
        writes::scenario(effort),
        latency::scenario(effort),
        texts::scenario(effort),
        connects::scenario(effort),
        bulk::scenario(effort),
        masks::scenario(effort),
        tpch::scenario(effort),
        idle::scenario(effort),
    ]
}

/// The doors of a proxy that prepared statements can go through, and their names. PgBouncer before 1.21 has none in
/// transaction mode, so for these both stand in session mode too.
fn doors_for_prepared() -> [(&'static str, Door); 5] {
    use crate::stand::Mode::{Session, Transaction};
    [
        (ways::DIRECT, Door::Direct),
        (ways::PGBOUNCER_SESSION, Door::PgBouncer(Session)),
        (ways::SCRIM_SESSION, Door::Masked(Session)),
        (ways::SCRIM, Door::Masked(Transaction)),
        (ways::SCRIM_UNTOUCHED_SESSION, Door::Untouched(Session)),
    ]
}

/// The doors for everything else.
fn doors() -> [(&'static str, Door); 4] {
    use crate::stand::Mode::Transaction;
    [
        (ways::DIRECT, Door::Direct),
        (ways::PGBOUNCER, Door::PgBouncer(Transaction)),
        (ways::SCRIM, Door::Masked(Transaction)),
        (ways::SCRIM_UNTOUCHED, Door::Untouched(Transaction)),
    ]
}
