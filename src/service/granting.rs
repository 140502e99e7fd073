//! Follows the file of grants: what is in force is put on the board for the sessions, what has happened goes into the audit.
//!
//! INVARIANT: where the file cannot be read, nothing is granted; that is said loudly, and `/readyz` tells it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::audit::{Audit, GrantRecord, Record};
use crate::grants::time;
use crate::ledger::{Board, Fault, Happened, Store, now};
use crate::metrics::Metrics;
use crate::rules::RuleSet;
use crate::session::Proxy;

/// How often the file is asked whether anything has changed. A look is a few system calls.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Why the grants cannot be read; `None`: they can.
pub(super) type Unread = Arc<Mutex<Option<String>>>;

/// Follows a file.
pub(super) struct Granting {
    path: PathBuf,
    board: Arc<Board>,
    proxy: Arc<Proxy>,
    audit: Audit,
    metrics: Arc<Metrics>,
    unread: Unread,
    store: Option<Store>,
    /// The rules by which the board was made.
    rules: String,
    /// Those of which it was said that they do not count.
    refused: Vec<(u64, String)>,
}

/// What a look has brought.
struct Looked {
    store: Store,
    untold: Vec<Happened>,
    /// The board is made anew: how many are in force, and which do not count.
    put: Option<(usize, Vec<(u64, String)>)>,
}

impl Granting {
    pub(super) fn new(
        path: PathBuf,
        board: Arc<Board>,
        proxy: Arc<Proxy>,
        audit: Audit,
        metrics: Arc<Metrics>,
    ) -> Granting {
        let (unread, rules) = (Arc::default(), String::new());
        let (store, refused) = (None, Vec::new());
        Granting { path, board, proxy, audit, metrics, unread, store, rules, refused }
    }

    /// Why the grants cannot be read, as it is at any time.
    pub(super) fn unread(&self) -> Unread {
        Arc::clone(&self.unread)
    }

    /// Follows it for ever.
    pub(super) async fn follow(mut self) {
        loop {
            self.look().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self) {
        let rules = self.proxy.rules();
        let (path, board) = (self.path.clone(), Arc::clone(&self.board));
        let (store, is_newer) = (self.store.take(), self.rules != rules.version);
        self.rules = rules.version.clone();
        let looking =
            tokio::task::spawn_blocking(move || looked(store, &path, &board, &rules, is_newer));
        let looked = match looking.await {
            Ok(Ok(looked)) => looked,
            Ok(Err(fault)) => return self.fail(fault.to_string()),
            Err(_) => {
                return self.fail("a look at it has failed, which is a fault of Scrim".into());
            }
        };
        if self.unread.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the grants can be read again");
        }
        self.metrics.grants_unread.set(0);
        if let Some((count, refused)) = looked.put {
            self.metrics.grants_in_force.set(i64::try_from(count).unwrap_or(i64::MAX));
            for (grant, why) in refused.iter().filter(|one| !self.refused.contains(one)) {
                tracing::warn!(grant, %why, "a grant does not count by the rules in force");
            }
            self.refused = refused;
        }
        self.store = Some(looked.store);
        for happened in looked.untold {
            if !self.tell(happened).await {
                break;
            }
        }
    }

    /// Writes into the audit what has happened, and remembers that. False: later.
    async fn tell(&mut self, happened: Happened) -> bool {
        let Happened { number, action, who, at, grant } = happened;
        match action.as_str() {
            "break_glass" => {
                self.metrics.break_glass.inc();
                tracing::error!(
                    grant = grant.number,
                    user = %grant.wish.user,
                    role = %grant.wish.role,
                    "ALARM: a user has broken the glass"
                );
            }
            action => tracing::info!(grant = grant.number, action, "a grant"),
        }
        let wish = &grant.wish;
        let keys =
            wish.rows.as_ref().map(|rows| rows.keys.iter().map(|key| key.join(",")).collect());
        let record = GrantRecord {
            grant: grant.number,
            action,
            by: who,
            at: time(at),
            user: wish.user.clone(),
            role: wish.role.clone(),
            database: wish.database.clone(),
            asked_by: grant.asked_by.clone(),
            opens: wish.to_string(),
            columns: wish.columns.clone(),
            keys,
            because: wish.because.clone(),
            until: grant.until.map(time),
        };
        if let Err(error) = self.audit.accept(Record::Grant(Box::new(record))).await {
            tracing::error!(%error, "a record of a grant is missing in the audit trail; it is tried again");
            return false;
        }
        let Some(mut store) = self.store.take() else { return false };
        let telling = tokio::task::spawn_blocking(move || (store.told(number), store)).await;
        match telling {
            Ok((Ok(()), store)) => {
                self.store = Some(store);
                true
            }
            Ok((Err(fault), _)) => {
                self.fail(fault.to_string());
                false
            }
            Err(_) => false,
        }
    }

    /// Nothing is granted until it can be read again.
    fn fail(&mut self, said: String) {
        self.board.clear();
        self.store = None;
        // So that the board is made when it can be.
        self.rules.clear();
        self.metrics.grants_in_force.set(0);
        self.metrics.grants_unread.set(1);
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        if unread.as_deref() != Some(said.as_str()) {
            tracing::error!("THE GRANTS CANNOT BE READ, so none counts: {said}");
            *unread = Some(said);
        }
    }
}

fn looked(
    store: Option<Store>,
    path: &std::path::Path,
    board: &Board,
    rules: &RuleSet,
    is_newer: bool,
) -> Result<Looked, Fault> {
    let mut store = match store {
        Some(store) => store,
        None => Store::open(path)?,
    };
    let has_expired = store.expire(now())?;
    let has_changed = store.has_changed()?;
    let put = match has_changed || has_expired || is_newer {
        true => Some(board.put(&store.grants(false)?, rules)),
        false => None,
    };
    let untold = store.untold()?;
    Ok(Looked { store, untold, put })
}
