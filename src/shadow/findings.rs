//! What the shadow rules would change, by statement, and how often each has run. Kept within bounds, and written to the
//! report's file as a whole: beside it first, then in its place.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::{Entry, Report};
use crate::metrics::Metrics;

/// Statements that differ, of which the report tells; more are counted.
const FINDINGS_MAX: usize = 2000;

/// A shape that has been met, and what came of it.
#[derive(Default)]
pub(super) struct Mark {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Executions.
    times: u64,
    /// A word, once it has been judged.
    outcome: Option<&'static str>,
}

impl Mark {
    /// It is executed.
    pub(super) fn ran(&self, metrics: &Metrics) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.times = state.times.saturating_add(1);
        if let Some(outcome) = state.outcome {
            metrics.shadow_ran(outcome, 1);
        }
    }

    fn judged(&self, outcome: &'static str, metrics: &Metrics) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.outcome = Some(outcome);
        metrics.shadow_ran(outcome, state.times);
    }

    fn times(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).times
    }
}

/// Allowed, or refused and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It would be sent.
    Allowed,
    /// It would not.
    Refused {
        /// A word, as in the audit.
        reason: String,
        /// SQLSTATE.
        code: String,
        /// The line that decided, where one did.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
}

impl Verdict {
    pub(super) fn refused(reason: &str, code: &str, rule: Option<String>) -> Verdict {
        Verdict::Refused { reason: reason.to_owned(), code: code.to_owned(), rule }
    }
}

/// A column or the rows of a relation, seen otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `column`, `rows`, `lookup`
    pub subject: String,
    /// Whether the shadow rules show `more`, `less`, `other` things, or it is `unclear`.
    pub effect: String,
    /// Which.
    pub what: String,
    /// By the rules in force.
    pub live: String,
    /// By the shadow rules.
    pub shadow: String,
    /// Lines of the rules in force.
    pub live_rules: Vec<String>,
    /// Lines of the shadow rules.
    pub shadow_rules: Vec<String>,
}

/// What came of a text.
pub(super) struct Finding {
    pub(super) role: String,
    pub(super) purpose: Option<String>,
    pub(super) statement: String,
    /// By the rules in force and by the others, where they differ.
    pub(super) verdict: Option<(Verdict, Verdict)>,
    pub(super) differences: Vec<Difference>,
}

impl Finding {
    fn outcome(&self) -> &'static str {
        match &self.verdict {
            Some((Verdict::Allowed, _)) => "refused",
            Some((Verdict::Refused { .. }, _)) => "allowed",
            None if self.differences.is_empty() => "same",
            None => "otherwise",
        }
    }
}

/// All that has been found.
pub(super) struct Findings {
    report: Report,
    /// Of each entry: how often it had run when the report was gone on with, and the marks that count since.
    counts: Vec<(u64, Vec<Arc<Mark>>)>,
    file: PathBuf,
    written: Option<Instant>,
    /// As it stands in the file.
    saved: Option<Report>,
    is_broken: bool,
}

impl Findings {
    /// What an earlier process has found of the same two sets of rules is gone on with.
    pub(super) fn begin(live: &str, shadow: &str, file: PathBuf) -> Findings {
        let fresh = || Report {
            live: live.to_owned(),
            shadow: shadow.to_owned(),
            since: now(),
            written: now(),
            judged: 0,
            same: 0,
            left_out: 0,
            statements: Vec::new(),
        };
        let report = Report::read(&file)
            .ok()
            .filter(|known| known.live == live && known.shadow == shadow)
            .unwrap_or_else(fresh);
        let counts = report.statements.iter().map(|entry| (entry.times, Vec::new())).collect();
        Findings { report, counts, file, written: None, saved: None, is_broken: false }
    }

    pub(super) fn add(&mut self, finding: Finding, mark: Arc<Mark>, metrics: &Metrics) {
        let outcome = finding.outcome();
        mark.judged(outcome, metrics);
        metrics.shadow_judged.inc();
        let report = &mut self.report;
        report.judged = report.judged.saturating_add(1);
        if outcome == "same" {
            report.same = report.same.saturating_add(1);
            return;
        }
        let Finding { role, purpose, statement, verdict, differences } = finding;
        let is_known = |entry: &Entry| {
            entry.role == role && entry.purpose == purpose && entry.statement == statement
        };
        if let Some(place) = report.statements.iter().position(is_known) {
            if let (Some(entry), Some((base, marks))) =
                (report.statements.get_mut(place), self.counts.get_mut(place))
            {
                let (live, shadow) = verdict.unzip();
                (entry.live, entry.shadow, entry.differences) = (live, shadow, differences);
                // What nobody else holds has been forgotten, and does not run any more.
                marks.retain(|mark| {
                    let is_held = Arc::strong_count(mark) > 1;
                    *base = base.saturating_add(if is_held { 0 } else { mark.times() });
                    is_held
                });
                marks.push(mark);
            }
            return;
        }
        if report.statements.len() >= FINDINGS_MAX {
            report.left_out = report.left_out.saturating_add(1);
            return;
        }
        tracing::info!(
            %role,
            purpose = purpose.as_deref().unwrap_or_default(),
            outcome,
            differences = differences.len(),
            "the shadow rules would change a statement: {statement}"
        );
        let (live, shadow) = verdict.unzip();
        let first = now();
        let times = 0;
        report.statements.push(Entry {
            role,
            purpose,
            statement,
            live,
            shadow,
            differences,
            first,
            times,
        });
        self.counts.push((0, vec![mark]));
        self.tell(metrics);
    }

    /// How many statements the report has.
    pub(super) fn tell(&self, metrics: &Metrics) {
        let count = i64::try_from(self.report.statements.len());
        metrics.shadow_differences.set(count.unwrap_or(i64::MAX));
    }

    /// Writes the report, if it is time.
    pub(super) async fn write_if_due(&mut self, every: Duration) {
        if self.written.is_none_or(|written| written.elapsed() >= every) {
            self.write().await;
        }
    }

    /// Writes the report, where it says something else than its file.
    pub(super) async fn write(&mut self) {
        for (entry, (base, marks)) in self.report.statements.iter_mut().zip(&self.counts) {
            entry.times = marks.iter().fold(*base, |sum, mark| sum.saturating_add(mark.times()));
        }
        self.written = Some(Instant::now());
        if self.saved.as_ref() == Some(&self.report) {
            return;
        }
        self.report.written = now();
        let (report, file) = (self.report.clone(), self.file.clone());
        let written = tokio::task::spawn_blocking(move || write(&report, &file)).await;
        match written {
            Ok(Ok(())) => {
                self.is_broken = false;
                self.saved = Some(self.report.clone());
            }
            Ok(Err(error)) => {
                // Once, not every second.
                if !self.is_broken {
                    tracing::error!(%error, file = %self.file.display(), "no shadow report");
                }
                self.is_broken = true;
            }
            Err(_) => self.is_broken = true,
        }
    }
}

/// Readable by Scrim's own user alone: statements without their literals still tell what people look for.
fn write(report: &Report, file: &std::path::Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    // 0600 is what a temporary file has.
    let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| ".".as_ref()))?;
    serde_json::to_writer_pretty(&mut new, report)?;
    new.write_all(b"\n")?;
    new.persist(file)?;
    Ok(())
}

fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
