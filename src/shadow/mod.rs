//! Shadow mode: rules that are not in force, judged on the statements that come.
//!
//! ```text
//! session: a text has been planned ──(new here?)──► queue, bounded ──► judge: plans it by both ──► findings ──► report
//!                                  └─(met before)─► counted
//! ```
//!
//! Nothing here is on a statement's way: the session asks whether its shape has been met, and puts a copy into a queue
//! if not. A full queue drops it, and counts that. A round is for one set of shadow rules beside one set in force, and ends
//! with either.
//!
//! INVARIANT: a finding, a log line and the report hold shapes (literals lifted out), names and lines of the rules; the
//! text itself, and what the session states, are gone when it has been judged.

mod findings;
mod judge;
mod report;

use std::hash::{BuildHasher, Hash, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::mpsc;

use crate::catalog::{SearchPath, TempTables};
use crate::metrics::Metrics;
use crate::policy::{RoleView, Stated};
use crate::rules::RuleSet;
use findings::{Findings, Mark};
use judge::Judge;
pub use report::{Report, Unreadable};

/// Texts that wait to be judged.
const QUEUE_MAX: usize = 256;
/// Shapes of which it is remembered how they were judged; what has not been met for long is judged again.
const MET_MAX: usize = 8192;
/// A longer text is not judged: to hold many of them is too much.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// How often the report is written, where something is new.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// The shadow of a proxy; most of the time there is none.
pub struct Shadow {
    is_on: AtomicBool,
    round: RwLock<Option<Arc<Round>>>,
    metrics: Arc<Metrics>,
}

/// One set of shadow rules beside one set in force.
struct Round {
    /// The version of the rules in force.
    live: String,
    met: Cache<u64, Arc<Mark>>,
    hasher: RandomState,
    queue: mpsc::Sender<Job>,
}

/// A text that has been planned, or refused, by the rules in force.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What the session sees.
    pub view: &'a Arc<RoleView>,
    /// The Scrim user.
    pub user: &'a str,
    /// May state `scrim.end_user`.
    pub acts_for_others: bool,
    /// Where names are looked up.
    pub search_path: &'a SearchPath,
    /// What is found before that.
    pub temp_tables: &'a TempTables,
    /// As the client sent it.
    pub text: &'a str,
    /// Without its literals.
    pub shape: &'a str,
    /// `scrim.purpose`
    pub purpose: Option<&'a str>,
}

/// A text on its way to be judged.
struct Job {
    view: Arc<RoleView>,
    user: String,
    acts_for_others: bool,
    search_path: SearchPath,
    temp_tables: TempTables,
    text: String,
    shape: String,
    stated: Stated,
    mark: Arc<Mark>,
}

impl Shadow {
    /// None yet.
    pub fn new(metrics: Arc<Metrics>) -> Shadow {
        Shadow { is_on: AtomicBool::new(false), round: RwLock::new(None), metrics }
    }

    /// From now on these rules are judged beside those in force, of version `live`; what differs is written to `report`.
    /// A report of the same two is gone on with.
    pub fn begin(&self, rules: Arc<RuleSet>, live: &str, report: PathBuf) {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let round = Arc::new(Round {
            live: live.to_owned(),
            met: Cache::new(MET_MAX),
            hasher: RandomState::new(),
            queue,
        });
        let findings = Findings::begin(live, &rules.version, report);
        let judge = Judge::new(rules);
        tokio::spawn(keep(jobs, judge, findings, Arc::clone(&self.metrics)));
        self.metrics.shadow_rules.set(1);
        *self.round.write().unwrap_or_else(PoisonError::into_inner) = Some(round);
        self.is_on.store(true, Ordering::Release);
    }

    /// No rules are judged any more. What was found is in the report.
    pub fn end(&self) {
        self.is_on.store(false, Ordering::Release);
        self.metrics.shadow_rules.set(0);
        *self.round.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// True while there are rules to judge by.
    pub fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// A text has been planned, or refused. `stated` is asked for where it is new. `runs`: it is sent at once, and not
    /// only prepared.
    pub fn planned(&self, asked: Asked<'_>, runs: bool, stated: impl FnOnce() -> Stated) {
        let Some(round) = self.round_of(asked.view) else { return };
        let key = round.key(&asked);
        if let Some(mark) = round.met.get(&key) {
            if runs {
                mark.ran(&self.metrics);
            }
            return;
        }
        if asked.text.len() > TEXT_BYTES_MAX {
            self.metrics.shadow_dropped.inc();
            return;
        }
        let mark = Arc::new(Mark::default());
        if runs {
            mark.ran(&self.metrics);
        }
        let job = Job {
            view: Arc::clone(asked.view),
            user: asked.user.to_owned(),
            acts_for_others: asked.acts_for_others,
            search_path: asked.search_path.clone(),
            temp_tables: asked.temp_tables.clone(),
            text: asked.text.to_owned(),
            shape: asked.shape.to_owned(),
            stated: stated(),
            mark: Arc::clone(&mark),
        };
        match round.queue.try_send(job) {
            Ok(()) => round.met.insert(key, mark),
            // Not as if it had been met: it may have more luck next time.
            Err(_) => drop(self.metrics.shadow_dropped.inc()),
        }
    }

    /// A statement that was prepared is executed.
    pub fn ran(&self, asked: Asked<'_>) {
        let Some(round) = self.round_of(asked.view) else { return };
        if let Some(mark) = round.met.get(&round.key(&asked)) {
            mark.ran(&self.metrics);
        }
    }

    /// The round, if it is about the rules that the session goes by.
    fn round_of(&self, view: &RoleView) -> Option<Arc<Round>> {
        if !self.is_on() {
            return None;
        }
        let round = self.round.read().unwrap_or_else(PoisonError::into_inner).clone();
        round.filter(|round| round.live == view.rules().version)
    }
}

impl Round {
    /// What a verdict goes by, as far as a shape can tell.
    fn key(&self, asked: &Asked<'_>) -> u64 {
        let role = &asked.view.role().name;
        let Asked { user, purpose, shape, search_path, .. } = asked;
        let mut hasher = self.hasher.build_hasher();
        (role, user, purpose, shape, search_path).hash(&mut hasher);
        std::hash::Hasher::finish(&hasher)
    }
}

/// Judges what comes, as long as the round lasts, and writes down what is found.
async fn keep(
    mut jobs: mpsc::Receiver<Job>,
    judge: Judge,
    mut findings: Findings,
    metrics: Arc<Metrics>,
) {
    let judge = Arc::new(Mutex::new(judge));
    findings.tell(&metrics);
    findings.write().await;
    loop {
        let job = match tokio::time::timeout(WRITE_EVERY, jobs.recv()).await {
            Ok(Some(job)) => Some(job),
            Ok(None) => break,
            Err(_) => None,
        };
        if let Some(job) = job {
            let judging = Arc::clone(&judge);
            let judged = tokio::task::spawn_blocking(move || {
                // Planning holds nothing that a panic could leave broken: at worst a view is made again.
                let mut judge = judging.lock().unwrap_or_else(PoisonError::into_inner);
                let finding = judge.judge(&job);
                (finding, job.mark)
            });
            match judged.await {
                Ok((finding, mark)) => findings.add(finding, mark, &metrics),
                // A panic in there is a fault of Scrim's, and nobody's statement.
                Err(_) => tracing::error!("a statement could not be judged by the shadow rules"),
            }
        }
        findings.write_if_due(WRITE_EVERY).await;
    }
    findings.write().await;
}
