//! The roll: who has a session, for the console, and the way to tell one to end.
//!
//! Nothing here is on a statement's way. A session is told to end by a mark, and by waking all of them as newer rules do;
//! each looks at its own mark then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use dashmap::DashMap;

use crate::audit::SessionFacts;
pub use crate::metrics::State as Doing;
use crate::metrics::Watched;

/// All sessions by number.
#[derive(Default)]
pub struct Roll {
    sessions: DashMap<u64, Line>,
}

struct Line {
    facts: Arc<SessionFacts>,
    since: SystemTime,
    doing: Watched,
    must_end: Arc<AtomicBool>,
}

/// A session, as the console tells it.
#[derive(Debug, Clone)]
pub struct Present {
    /// Who, where from, and under which rules it began.
    pub facts: Arc<SessionFacts>,
    /// When it began.
    pub since: SystemTime,
    /// What it does now.
    pub doing: Doing,
}

/// A session's line, taken out when dropped.
pub struct Entered {
    number: u64,
    must_end: Arc<AtomicBool>,
    roll: Arc<Roll>,
}

impl Roll {
    /// A session begins.
    pub fn enter(self: &Arc<Self>, facts: &Arc<SessionFacts>, doing: Watched) -> Entered {
        let must_end = Arc::<AtomicBool>::default();
        let line = Line {
            facts: Arc::clone(facts),
            since: SystemTime::now(),
            doing,
            must_end: Arc::clone(&must_end),
        };
        self.sessions.insert(facts.session, line);
        Entered { number: facts.session, must_end, roll: Arc::clone(self) }
    }

    /// All that are here, by number.
    pub fn all(&self) -> Vec<Present> {
        let told = self.sessions.iter().map(|line| Present {
            facts: Arc::clone(&line.facts),
            since: line.since,
            doing: line.doing.state(),
        });
        let mut all: Vec<Present> = told.collect();
        all.sort_by_key(|present| present.facts.session);
        all
    }

    /// Marks a session: it ends when it is woken. `None`: it is not here.
    pub fn mark(&self, number: u64) -> Option<Arc<SessionFacts>> {
        let line = self.sessions.get(&number)?;
        line.must_end.store(true, Ordering::Release);
        Some(Arc::clone(&line.facts))
    }
}

impl Entered {
    /// True when somebody has marked it.
    pub fn must_end(&self) -> bool {
        self.must_end.load(Ordering::Acquire)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.roll.sessions.remove(&self.number);
    }
}
