//! What is measured: figures of one run, and all runs of a suite.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Units of the scenario a second.
    Rate,
    /// Processor time of the proxy's process for one unit, in µs.
    ProxyMicroseconds,
    /// Processor time of PostgreSQL for one unit, in µs.
    ServerMicroseconds,
    /// Half of the transactions took at most this, in ms.
    P50Milliseconds,
    /// 99 of 100 did.
    P99Milliseconds,
    /// 999 of 1,000 did.
    P999Milliseconds,
    /// Memory in RAM for one connection, in KiB.
    KibibytesEach,
    /// Connections that stood and answered.
    Connections,
}

impl Quantity {
    /// A heading of a column; `unit` is the scenario's.
    pub fn heading(self, unit: &str) -> String {
        match self {
            Quantity::Rate => format!("{unit}s/s"),
            Quantity::ProxyMicroseconds => format!("proxy µs/{unit}"),
            Quantity::ServerMicroseconds => format!("PostgreSQL µs/{unit}"),
            Quantity::P50Milliseconds => "p50 ms".into(),
            Quantity::P99Milliseconds => "p99 ms".into(),
            Quantity::P999Milliseconds => "p99.9 ms".into(),
            Quantity::KibibytesEach => "KiB/connection".into(),
            Quantity::Connections => "connections".into(),
        }
    }
}

/// The figures of one run.
pub type Figures = BTreeMap<Quantity, f64>;

/// One run: which, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub scenario: String,
    pub case: String,
    pub way: String,
    pub round: u32,
    pub figures: Figures,
}

/// All runs.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Runs(pub Vec<Run>);

impl Runs {
    /// One quantity of a way, round by round.
    pub fn of(&self, scenario: &str, case: &str, way: &str, quantity: Quantity) -> Vec<(u32, f64)> {
        let runs = self
            .0
            .iter()
            .filter(|run| run.scenario == scenario && run.case == case && run.way == way);
        runs.filter_map(|run| Some((run.round, *run.figures.get(&quantity)?))).collect()
    }

    /// The median of the rounds.
    pub fn median(&self, scenario: &str, case: &str, way: &str, quantity: Quantity) -> Option<f64> {
        let values = self.of(scenario, case, way, quantity);
        median(values.into_iter().map(|(_, value)| value).collect())
    }

    /// The median of one way's figure by another's in the same round: what the machine does besides, and changes from
    /// round to round, then counts least.
    pub fn ratio(
        &self,
        scenario: &str,
        case: &str,
        (way, base): (&str, &str),
        quantity: Quantity,
    ) -> Option<f64> {
        let bases: BTreeMap<u32, f64> =
            self.of(scenario, case, base, quantity).into_iter().collect();
        let ratios =
            self.of(scenario, case, way, quantity).into_iter().filter_map(|(round, it)| {
                let base = bases.get(&round).filter(|base| **base > 0.0)?;
                Some(it / base)
            });
        median(ratios.collect())
    }

    /// The least and the greatest of the rounds.
    pub fn range(
        &self,
        scenario: &str,
        case: &str,
        way: &str,
        quantity: Quantity,
    ) -> Option<(f64, f64)> {
        let values = self.of(scenario, case, way, quantity).into_iter().map(|(_, value)| value);
        values.fold(None, |range: Option<(f64, f64)>, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    match values.len() % 2 {
        0 => Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, upper)),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(way: &str, round: u32, rate: f64) -> Run {
        let figures = Figures::from([(Quantity::Rate, rate)]);
        Run { scenario: "s".into(), case: "c".into(), way: way.into(), round, figures }
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_ratio_is_of_runs_of_one_round() {
        // The machine was ten times slower in the second round; both ways were equally fast.
        let runs = Runs(vec![
            run("a", 1, 100.0),
            run("b", 1, 200.0),
            run("a", 2, 10.0),
            run("b", 2, 20.0),
            // A round that one of them did not finish counts for neither.
            run("a", 3, 1000.0),
        ]);
        assert_eq!(runs.ratio("s", "c", ("a", "b"), Quantity::Rate), Some(0.5));
        assert_eq!(runs.ratio("s", "c", ("a", "x"), Quantity::Rate), None);
        assert_eq!(runs.range("s", "c", "a", Quantity::Rate), Some((10.0, 1000.0)));
    }
}
