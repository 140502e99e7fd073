//! What the admin address tells, gathered when it is asked.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::granting::Unread;
use super::reload::Reloaded;
use crate::admin::{self, Check, Health};
use crate::audit::Audit;
use crate::metrics::{Metrics, Now};
use crate::session::{Lease, Proxy, Stage};

/// The catalog is looked at every five seconds; one that could not be for so long may be another by now.
const CATALOG_AGE_MAX: Duration = Duration::from_secs(30);

/// Everything there is to tell.
pub(super) struct Board {
    pub(super) proxy: Arc<Proxy>,
    pub(super) audit: Audit,
    pub(super) metrics: Arc<Metrics>,
    /// On the database of the configuration.
    pub(super) lease: Lease,
    pub(super) reloaded: Reloaded,
    /// `None`: there are no grants.
    pub(super) unread: Option<Unread>,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Board {
    fn last_fault(&self) -> Option<String> {
        self.reloaded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl admin::Board for Board {
    fn health(&self) -> Health {
        let mut rules =
            Check::new("rules", None).note("version", self.proxy.rules().version.clone());
        if let Some(fault) = self.last_fault() {
            // The rules in force are good ones, so clients may come.
            rules = rules.note("last_reload_refused", fault);
        }
        let seen = self.lease.seen();
        let database = match (&seen.fault, seen.well) {
            (Some(fault), _) => Some(fault.clone()),
            (None, None) => Some("not looked at yet".to_owned()),
            (None, Some(_)) => None,
        };
        let catalog = match seen.well.map(|well| well.elapsed()) {
            None => Some("not read yet".to_owned()),
            Some(age) if age > CATALOG_AGE_MAX => Some(format!("{} seconds old", age.as_secs())),
            Some(_) => None,
        };
        let audit =
            (!self.audit.is_well()).then(|| "the file, or a sink, cannot be written".to_owned());
        let stage = *self.stage.borrow();
        let stopping = (stage != Stage::Open).then(|| "Scrim is stopping".to_owned());
        let mut checks = vec![
            rules,
            Check::new("database", database),
            Check::new("catalog", catalog),
            Check::new("audit", audit),
            Check::new("stage", stopping),
        ];
        if let Some(unread) = &self.unread {
            let unread = unread.lock().unwrap_or_else(PoisonError::into_inner).clone();
            // Nobody sees more than the role for it, so clients may come.
            let check = Check::new("grants", None);
            checks.push(match unread {
                Some(fault) => check.note("degraded", format!("no grant counts: {fault}")),
                None => check,
            });
        }
        Health { checks }
    }

    fn figures(&self) -> String {
        self.metrics.render(&Now {
            rules: self.proxy.rules().version.clone(),
            reload_failed: self.last_fault().is_some(),
            audit_waiting: u64::try_from(self.audit.waiting()).unwrap_or(u64::MAX),
            audit_is_well: self.audit.is_well(),
            audit_lag_s: self.audit.lag().as_secs_f64(),
            is_ready: self.health().is_ready(),
        })
    }
}
