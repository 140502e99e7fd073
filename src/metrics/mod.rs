//! Figures for Prometheus: what has happened since the start, and what there is now.
//!
//! Everything on the way of a statement is an atomic that its counter was resolved to beforehand: no lock, no
//! lookup. INVARIANT: a label holds a word of this program or the name of a role, never what a client chose.
//!
//! A new figure is a field, a line in [`Metrics::new`], and a line in `docs/operating.md`.

mod times;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use times::Times;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A figure with a fraction, such as seconds.
type Fraction = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVerdict {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVersion {
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSession {
    role: String,
    state: &'static str,
}

/// All figures of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Statements sent as they came.
    pub forwarded: Counter,
    /// Statements sent in another form.
    pub rewritten: Counter,
    /// Statements refused.
    pub refused: Counter,
    refusals: Family<OfReason, Counter>,
    /// Statements that ended with an error, of the server or of ours.
    pub failed: Counter,
    /// Columns that statements read masked.
    pub masked_columns: Counter,
    /// Rows given to clients.
    pub rows: Counter,
    /// Bytes of them.
    pub row_bytes: Counter,
    /// Results that the guard stopped.
    pub alarms: Counter,
    /// Kinds of things found in columns of results by a role's `guard`.
    pub found: Counter,
    /// Cells that statements could see by grants, of which the keys are known.
    pub cells_opened: Counter,
    /// Grants that are in force.
    pub grants_in_force: Gauge,
    /// Grants that somebody has taken without asking anybody.
    pub break_glass: Counter,
    /// 1: the grants cannot be read, so none counts.
    pub grants_unread: Gauge,
    /// From a text to what is sent.
    pub planning: Times,
    /// Texts whose plan was kept from before.
    pub plans_kept: Counter,
    /// Texts that got the plan of another one, with their own literals.
    pub plans_filled: Counter,
    /// Texts whose statement the server connection kept prepared, so that it was bound instead of read.
    pub texts_bound: Counter,
    /// Texts that were planned.
    pub plans_made: Counter,
    /// From a statement's record to the end of its answer.
    pub upstream: Times,
    sessions: Family<OfSession, Gauge>,
    /// Logins that were good.
    pub logins: Counter,
    logins_refused: Family<OfReason, Counter>,
    /// Cheap looks at a catalog.
    pub catalog_looks: Counter,
    /// Looks that found something else, so that all was read.
    pub catalog_refreshes: Counter,
    /// Looks that failed.
    pub catalog_failures: Counter,
    /// Rules that came into force.
    pub reloads_good: Counter,
    /// Rules that did not.
    pub reloads_bad: Counter,
    reload_failed: Gauge,
    rules: Family<OfVersion, Gauge>,
    /// Statements that were judged by the shadow rules.
    pub shadow_judged: Counter,
    /// Statements that were not, for want of room in the queue.
    pub shadow_dropped: Counter,
    shadow_statements: Family<OfOutcome, Counter>,
    /// Statements of which the shadow rules would change something.
    pub shadow_differences: Gauge,
    /// 1: there are shadow rules, and they are judged.
    pub shadow_rules: Gauge,
    audit_waiting: Gauge,
    audit_well: Gauge,
    audit_lag: Fraction,
    ready: Gauge,
    /// One reader at a time: a reading sets gauges.
    reading: Mutex<()>,
}

/// What is looked up for a reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// The version of the rules in force.
    pub rules: String,
    /// The last attempt to load rules failed.
    pub reload_failed: bool,
    /// Records that wait for the audit's writer.
    pub audit_waiting: u64,
    /// The audit can be written.
    pub audit_is_well: bool,
    /// How long the oldest record of the last batch had waited, seconds.
    pub audit_lag_s: f64,
    /// `/readyz` says yes.
    pub is_ready: bool,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All at nothing.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("scrim");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "Which Scrim this is", Info::new(version));
        let all = &mut registry;
        let statements = Family::<OfVerdict, Counter>::default();
        all.register("statements", "Statements by verdict", statements.clone());
        let of = |verdict| statements.get_or_create(&OfVerdict { verdict }).clone();
        let (forwarded, rewritten, refused) = (of("forward"), of("rewrite"), of("refuse"));
        let reloads = Family::<OfOutcome, Counter>::default();
        all.register("reloads", "Reloads by outcome", reloads.clone());
        let of = |outcome| reloads.get_or_create(&OfOutcome { outcome }).clone();
        let (reloads_good, reloads_bad) = (of("good"), of("bad"));
        Metrics {
            forwarded,
            rewritten,
            refused,
            refusals: family(all, "refusals", "Refused statements by reason"),
            failed: counter(all, "statements_failed", "Statements that ended with an error"),
            masked_columns: counter(all, "masked_columns", "Columns that statements read masked"),
            rows: counter(all, "rows", "Rows given to clients"),
            row_bytes: counter(all, "row_bytes", "Bytes of rows given to clients"),
            alarms: counter(all, "guard_alarms", "Results that the guard stopped"),
            found: counter(all, "guard_found", "What the guard of a role has found in results"),
            cells_opened: counter(all, "grant_cells", "Cells that statements could see by grants"),
            grants_in_force: gauge(all, "grants_in_force", "Grants that are in force"),
            break_glass: counter(all, "break_glass", "Grants taken without asking anybody"),
            grants_unread: gauge(all, "grants_unread", "1: the grants cannot be read; none counts"),
            planning: times(all, "planning_seconds", "From a text to what is sent"),
            plans_kept: counter(all, "plans_kept", "Texts whose plan was kept from before"),
            plans_filled: counter(
                all,
                "plans_filled",
                "Texts that got the plan of one that differs in literals",
            ),
            texts_bound: counter(
                all,
                "texts_bound",
                "Texts whose statement the server connection kept prepared",
            ),
            plans_made: counter(all, "plans_made", "Texts that were planned"),
            upstream: times(all, "statement_seconds", "From a record to the end of the answer"),
            sessions: family(all, "sessions", "Sessions by role and state"),
            logins: counter(all, "logins", "Good logins"),
            logins_refused: family(all, "logins_refused", "Refused logins by reason"),
            catalog_looks: counter(all, "catalog_looks", "Looks whether a catalog has changed"),
            catalog_refreshes: counter(all, "catalog_refreshes", "Catalogs read"),
            catalog_failures: counter(all, "catalog_failures", "Looks that failed"),
            reloads_good,
            reloads_bad,
            reload_failed: gauge(all, "reload_failed", "1: the last reload was refused"),
            rules: family(all, "rules", "The rules in force"),
            shadow_judged: counter(all, "shadow_judged", "Statements judged by the shadow rules"),
            shadow_dropped: counter(
                all,
                "shadow_dropped",
                "Statements that were not judged by them, for want of room",
            ),
            shadow_statements: family(
                all,
                "shadow_statements",
                "Executions by what the shadow rules would change of them",
            ),
            shadow_differences: gauge(all, "shadow_differences", "Statements that would change"),
            shadow_rules: gauge(all, "shadow_rules", "1: shadow rules are judged"),
            audit_waiting: gauge(all, "audit_waiting_records", "Records not yet written"),
            audit_well: gauge(all, "audit_well", "1: the audit can be written"),
            audit_lag: gauge(all, "audit_lag_seconds", "How long records wait to be written"),
            ready: gauge(all, "ready", "1: /readyz says yes"),
            registry,
            reading: Mutex::default(),
        }
    }

    /// A refusal, by the word for its reason.
    pub fn refusal(&self, reason: &'static str) {
        self.refused.inc();
        self.refusals.get_or_create(&OfReason { reason }).inc();
    }

    /// So many executions of a statement, by what the shadow rules would change of it.
    pub fn shadow_ran(&self, outcome: &'static str, times: u64) {
        self.shadow_statements.get_or_create(&OfOutcome { outcome }).inc_by(times);
    }

    /// A login that was refused, by SQLSTATE.
    pub fn login_refused(&self, code: &str) {
        let reason = match code {
            "28P01" => "password",
            "28000" => "not_allowed",
            "42501" => "purpose",
            "3D000" => "no_database",
            "53300" | "53400" => "too_many",
            "57P01" | "57P03" => "not_available",
            code if code.starts_with("08") => "connection",
            _ => "other",
        };
        self.logins_refused.get_or_create(&OfReason { reason }).inc();
    }

    /// A session of a role begins.
    pub fn seat(&self, role: &str) -> Seat {
        let of = |state| {
            let labels = OfSession { role: role.to_owned(), state };
            self.sessions.get_or_create(&labels).clone()
        };
        let of_state = State::ALL.map(|state| of(state.word()));
        let seat = Seat { of_state, now: State::Idle, watched: Watched::default() };
        seat.gauge().inc();
        seat
    }

    /// Everything as text, in the format that Prometheus reads.
    pub fn render(&self, now: &Now) -> String {
        let _alone = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        self.reload_failed.set(i64::from(now.reload_failed));
        self.rules.clear();
        self.rules.get_or_create(&OfVersion { version: now.rules.clone() }).set(1);
        self.audit_waiting.set(i64::try_from(now.audit_waiting).unwrap_or(i64::MAX));
        self.audit_well.set(i64::from(now.audit_is_well));
        self.audit_lag.set(now.audit_lag_s);
        self.ready.set(i64::from(now.is_ready));
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing, outside a transaction.
    Idle,
    /// A statement runs.
    Active,
    /// Nothing, inside a transaction.
    InTransaction,
}

impl State {
    const ALL: [State; 3] = [State::Idle, State::Active, State::InTransaction];

    /// As it is told.
    pub fn word(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Active => "active",
            State::InTransaction => "in_transaction",
        }
    }
}

/// A session among those that are counted; given up when dropped.
#[derive(Debug)]
pub struct Seat {
    of_state: [Gauge; 3],
    now: State,
    watched: Watched,
}

/// What a session is doing, seen from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<AtomicU8>);

impl Watched {
    /// At this moment.
    pub fn state(&self) -> State {
        match self.0.load(Ordering::Relaxed) {
            1 => State::Active,
            2 => State::InTransaction,
            _ => State::Idle,
        }
    }

    fn set(&self, state: State) {
        let number = match state {
            State::Idle => 0,
            State::Active => 1,
            State::InTransaction => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }
}

impl Seat {
    /// What the session is doing now.
    pub fn set(&mut self, state: State) {
        if state != self.now {
            self.gauge().dec();
            self.now = state;
            self.watched.set(state);
            self.gauge().inc();
        }
    }

    /// For who looks on.
    pub fn watched(&self) -> Watched {
        self.watched.clone()
    }

    fn gauge(&self) -> &Gauge {
        let [idle, active, in_transaction] = &self.of_state;
        match self.now {
            State::Idle => idle,
            State::Active => active,
            State::InTransaction => in_transaction,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.gauge().dec();
    }
}

fn counter(registry: &mut Registry, name: &str, help: &str) -> Counter {
    let counter = Counter::default();
    registry.register(name, help, counter.clone());
    counter
}

fn gauge<N, A>(registry: &mut Registry, name: &str, help: &str) -> Gauge<N, A>
where
    Gauge<N, A>: Default + Clone + prometheus_client::registry::Metric,
{
    let gauge = Gauge::<N, A>::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn times(registry: &mut Registry, name: &str, help: &str) -> Times {
    let times = Times::default();
    registry.register(name, help, times.clone());
    times
}

fn family<S, M>(registry: &mut Registry, name: &str, help: &str) -> Family<S, M>
where
    S: Clone + std::hash::Hash + Eq,
    M: Default,
    Family<S, M>: Clone + prometheus_client::registry::Metric,
{
    let family = Family::<S, M>::default();
    registry.register(name, help, family.clone());
    family
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Now {
        Now {
            rules: "0123".to_owned(),
            reload_failed: false,
            audit_waiting: 7,
            audit_is_well: true,
            audit_lag_s: 0.25,
            is_ready: true,
        }
    }

    #[test]
    fn what_was_counted_is_rendered() {
        let metrics = Metrics::new();
        metrics.rewritten.inc_by(3);
        metrics.refusal("function");
        metrics.login_refused("28P01");
        metrics.plans_kept.inc_by(2);
        metrics.plans_made.inc();
        metrics.planning.observe(Duration::from_micros(300));
        metrics.planning.observe(Duration::from_secs(100));
        let mut seat = metrics.seat("support");
        seat.set(State::Active);
        let text = metrics.render(&now());
        for line in [
            "scrim_statements_total{verdict=\"rewrite\"} 3",
            "scrim_statements_total{verdict=\"forward\"} 0",
            "scrim_statements_total{verdict=\"refuse\"} 1",
            "scrim_refusals_total{reason=\"function\"} 1",
            "scrim_logins_refused_total{reason=\"password\"} 1",
            "scrim_sessions{role=\"support\",state=\"active\"} 1",
            "scrim_sessions{role=\"support\",state=\"idle\"} 0",
            "scrim_plans_kept_total 2",
            "scrim_plans_made_total 1",
            "scrim_planning_seconds_count 2",
            "scrim_planning_seconds_bucket{le=\"0.0005\"} 1",
            "scrim_planning_seconds_bucket{le=\"+Inf\"} 2",
            "scrim_rules{version=\"0123\"} 1",
            "scrim_audit_waiting_records 7",
            "scrim_audit_lag_seconds 0.25",
            "scrim_ready 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
        drop(seat);
        let text = metrics.render(&Now { rules: "4567".to_owned(), ..now() });
        assert!(text.contains("scrim_sessions{role=\"support\",state=\"active\"} 0\n"), "{text}");
        assert!(!text.contains("0123"), "older rules are not in force\n{text}");
    }
}
