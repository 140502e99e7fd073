//! The 22 queries of TPC-H: on the raw tables, on a copy in which every value is its mask, and through Scrim.
//! <https://www.tpc.org/tpch/>

use std::time::Instant;

use super::{Case, Effort, Scenario, Way, ways};
use crate::client::Client;
use crate::figures::{Figures, Quantity};
use crate::stand::{Door, Stand, Target};

/// The role that sees them masked, from the rules of the test that compares the answers.
pub const ROLE: &str = "reader";
/// Its rules.
pub const RULES: &str = include_str!("../../../../tests/suite/tpch/rules.yaml");
const SCHEMA: &str = include_str!("../../../../tests/suite/tpch/schema.sql");
const INDEXES: &str = include_str!("../../load/tpch.sql");
const QUERIES: &str = include_str!("../../../../tests/suite/tpch/queries.sql");

/// What makes the tables, with so many orders and four lines of each.
pub fn tables(orders: u32) -> String {
    format!("\\set orders {orders}\n{SCHEMA}\n{INDEXES}")
}

pub fn scenario(_: Effort) -> Scenario {
    Scenario {
        name: "tpch",
        title: "TPC-H",
        about: "Each of the 22 queries over 20,000 orders with 80,000 lines. *direct* reads the raw tables, *masked copy* \
                tables that hold the masks, which is another answer with other rows to sort and to group; Scrim masks \
                names, telephone numbers, amounts and dates of order, and leaves out a tenth of the orders.",
        unit: "answer",
        cases: queries().enumerate().map(|(index, query)| case(index + 1, query)).collect(),
        is_once: false,
    }
}

/// One after the other. No query has a semicolon but at its end.
fn queries() -> impl Iterator<Item = &'static str> {
    QUERIES.split(';').map(str::trim).filter(|query| !query.is_empty())
}

fn case(number: usize, query: &'static str) -> Case {
    let direct = |schema: &'static str| {
        move |stand: &Stand| {
            let mut target = stand.target(Door::Direct)?;
            target.options = format!("-c search_path={schema}");
            ask(&target, query)
        }
    };
    let scrim = move |stand: &Stand| ask(&stand.in_role(ROLE, Some("tpch"))?, query);
    Case {
        name: format!("query {number}"),
        ways: vec![
            Way::new(ways::DIRECT, direct("tpch")),
            Way::new(ways::DIRECT_COPY, direct("copy")),
            Way::new(ways::SCRIM, scrim),
        ],
        bases: vec![ways::DIRECT, ways::DIRECT_COPY],
    }
}

/// Answers a second, of one: the kernel's hundredths of a second are too coarse for processor time.
fn ask(target: &Target, query: &str) -> Result<Figures, String> {
    let mut client = Client::connect(target)?;
    let began = Instant::now();
    client.count_rows(query)?;
    Ok(Figures::from([(Quantity::Rate, 1.0 / began.elapsed().as_secs_f64())]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_as_many_as_tpc_h_has() {
        assert_eq!(super::queries().count(), 22);
    }
}
