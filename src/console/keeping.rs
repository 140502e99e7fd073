//! What is made of rules and a catalog once, and kept until either is another: the matrix, and what is wrong with them.

use std::sync::{Arc, Mutex, PoisonError};

use super::Console;
use super::rules::Judged;
use super::sheet::Sheet;
use crate::catalog::Snapshot;
use crate::rules::RuleSet;

/// Of rules and of a catalog.
type Version = (String, u64);
type Kept<T> = Mutex<Option<Arc<T>>>;

impl Console {
    /// The matrix under these rules and the catalog as it is known.
    pub(super) async fn sheet(&self, rules: &Arc<RuleSet>) -> Option<Arc<Sheet>> {
        let snapshot = self.snapshot()?;
        match kept(&self.sheet, rules, &snapshot, |sheet| &sheet.version) {
            Some(sheet) => Some(sheet),
            None => keep(&self.sheet, rules, snapshot, Sheet::new).await,
        }
    }

    /// What is wrong with these rules, the catalog as it is known, and what else the database says.
    pub(super) async fn judged(&self, rules: &Arc<RuleSet>) -> Option<Arc<Judged>> {
        let snapshot = self.snapshot()?;
        let before = kept(&self.judged, rules, &snapshot, |judged| &judged.version);
        // What the database did not say then it may say now.
        if let Some(judged) = before.filter(|judged| judged.is_whole) {
            return Some(judged);
        }
        let made = self.made_of_columns().await;
        let judge = move |rules: &_, snapshot: &_| Judged::new(rules, snapshot, made);
        keep(&self.judged, rules, snapshot, judge).await
    }
}

/// What was made of these rules and this catalog before.
fn kept<T>(
    place: &Kept<T>,
    rules: &RuleSet,
    snapshot: &Snapshot,
    version_of: fn(&T) -> &Version,
) -> Option<Arc<T>> {
    let kept = place.lock().unwrap_or_else(PoisonError::into_inner).clone();
    kept.filter(|kept| {
        let (of_rules, of_catalog) = version_of(kept);
        *of_rules == rules.version && *of_catalog == snapshot.version
    })
}

/// Makes it of them now, and keeps it.
async fn keep<T: Send + Sync + 'static>(
    place: &Kept<T>,
    rules: &Arc<RuleSet>,
    snapshot: Arc<Snapshot>,
    make: impl FnOnce(&Arc<RuleSet>, &Arc<Snapshot>) -> T + Send + 'static,
) -> Option<Arc<T>> {
    let rules = Arc::clone(rules);
    let making = tokio::task::spawn_blocking(move || Arc::new(make(&rules, &snapshot)));
    let made = making.await.ok()?;
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
    Some(made)
}
