//! What Scrim shall cost at most: ratios within one run, and the memory of an idle client.

use crate::figures::{Quantity, Runs};
use crate::pgbench::Protocol;
use crate::scenarios::{IDLE_CLIENTS, idle_case, select_case, ways};

/// What is aimed at.
pub struct Target {
    pub what: String,
    scenario: &'static str,
    case: String,
    way: &'static str,
    /// The way that it is divided by; without one, the figure itself is aimed at.
    base: Option<&'static str>,
    quantity: Quantity,
    bound: Bound,
}

/// Which side is good.
#[derive(Debug, Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// What came of a target.
pub struct Verdict {
    pub what: String,
    pub wanted: String,
    /// None where this was not measured.
    pub found: Option<f64>,
    pub is_met: bool,
}

impl Target {
    /// Holds it against what was measured.
    pub fn judge(&self, runs: &Runs) -> Verdict {
        let found = match self.base {
            Some(base) => runs.ratio(self.scenario, &self.case, (self.way, base), self.quantity),
            None => runs.median(self.scenario, &self.case, self.way, self.quantity),
        };
        let (wanted, is_met) = match self.bound {
            Bound::AtMost(limit) => {
                (format!("≤ {limit:.2}"), found.is_some_and(|found| found <= limit))
            }
            Bound::AtLeast(limit) => {
                (format!("≥ {limit:.2}"), found.is_some_and(|found| found >= limit))
            }
        };
        Verdict { what: self.what.clone(), wanted, found, is_met }
    }
}

/// All of them.
pub fn all() -> Vec<Target> {
    use Bound::{AtLeast, AtMost};
    use Protocol::{Extended, Prepared, Simple};
    let select = |what: &str, protocol, clients, (way, base), quantity, bound| Target {
        what: what.into(),
        scenario: "select",
        case: select_case(protocol, clients),
        way,
        base: Some(base),
        quantity,
        bound,
    };
    let session = (ways::SCRIM_SESSION, ways::PGBOUNCER_SESSION);
    let shared = (ways::SCRIM, ways::PGBOUNCER);
    let own = (ways::SCRIM, ways::SCRIM_SESSION);
    let mut all = vec![
        select(
            "processor time, prepared, 16 clients: Scrim ÷ PgBouncer, session mode both",
            Prepared,
            16,
            session,
            Quantity::ProxyMicroseconds,
            AtMost(1.0),
        ),
        select(
            "processor time, prepared, 16 clients: Scrim in transaction mode ÷ in session mode",
            Prepared,
            16,
            own,
            Quantity::ProxyMicroseconds,
            AtMost(1.1),
        ),
        select(
            "processor time, simple, 16 clients: Scrim ÷ PgBouncer, transaction mode both",
            Simple,
            16,
            shared,
            Quantity::ProxyMicroseconds,
            AtMost(1.2),
        ),
        select(
            "processor time, extended, 16 clients: Scrim ÷ PgBouncer, transaction mode both",
            Extended,
            16,
            shared,
            Quantity::ProxyMicroseconds,
            AtMost(1.2),
        ),
    ];
    for clients in [16, 200] {
        for (protocol, ways) in [(Prepared, session), (Extended, shared), (Simple, shared)] {
            let what = format!(
                "transactions a second, {}: Scrim ÷ PgBouncer",
                select_case(protocol, clients)
            );
            all.push(select(&what, protocol, clients, ways, Quantity::Rate, AtLeast(1.0)));
        }
    }
    for (protocol, ways) in [(Prepared, session), (Extended, shared), (Simple, shared)] {
        // One client waits for each answer: the rate is the reciprocal of the time.
        let what =
            format!("transactions a second, {}: Scrim ÷ PgBouncer", select_case(protocol, 1));
        all.push(select(&what, protocol, 1, ways, Quantity::Rate, AtLeast(1.0 / 1.2)));
    }
    let bulk = |what: &str, case: &str, base, bound| Target {
        what: format!("masked rows a second, {case}: Scrim ÷ {what}"),
        scenario: "bulk",
        case: case.into(),
        way: ways::SCRIM,
        base: Some(base),
        quantity: Quantity::Rate,
        bound,
    };
    for case in ["SELECT", "COPY"] {
        let same = "the same masked SQL without a proxy";
        all.push(bulk(same, case, ways::DIRECT_SCRIMS_SQL, AtLeast(0.97)));
        let raw = "the raw read without a proxy";
        all.push(bulk(raw, case, ways::DIRECT, AtLeast(1.0 / 1.15)));
    }
    for case in IDLE_CLIENTS.map(idle_case) {
        all.push(Target {
            what: format!("KiB in RAM for an idle one of {case}"),
            scenario: "idle",
            case,
            way: ways::SCRIM,
            base: None,
            quantity: Quantity::KibibytesEach,
            bound: AtMost(8.0),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Figures, Run};
    use crate::scenarios::{self, Effort};

    /// A target that names no way of any case would never be measured.
    #[test]
    fn every_target_is_measured() {
        let whole = Effort { rounds: 1, seconds: 1, is_quick: false, open_files: u64::MAX };
        let scenarios = scenarios::all(whole);
        for target in all() {
            let scenario = scenarios.iter().find(|it| it.name == target.scenario);
            let cases = &scenario.expect(target.scenario).cases;
            let case = cases.iter().find(|case| case.name == target.case).expect(&target.case);
            for way in std::iter::once(target.way).chain(target.base) {
                assert!(case.ways.iter().any(|it| it.name == way), "{}: no {way}", target.what);
            }
        }
    }

    #[test]
    fn bounds_have_a_good_side() {
        let target = all().into_iter().find(|target| target.base.is_none()).expect("idle");
        let judged = |kibibytes| {
            let run = Run {
                scenario: target.scenario.into(),
                case: target.case.clone(),
                way: target.way.into(),
                round: 1,
                figures: Figures::from([(Quantity::KibibytesEach, kibibytes)]),
            };
            target.judge(&Runs(vec![run])).is_met
        };
        assert!(judged(7.9) && !judged(8.1));
        assert!(!target.judge(&Runs::default()).is_met);
    }
}
