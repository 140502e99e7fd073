//! Follows the store of grants: what is in force is put on the board for the sessions, what has happened goes into the audit.
//!
//! INVARIANT: where the store cannot be read, nothing is granted; that is said loudly, and `/readyz` tells it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::{Audit, GrantRecord, Record, machine};
use crate::grants::time;
use crate::ledger::{Board, Follower, GrantsOptions, Happened};
use crate::metrics::Metrics;
use crate::session::Proxy;

/// Why the grants cannot be read; `None`: they can.
pub(super) type Unread = Arc<Mutex<Option<String>>>;

/// Follows a store.
pub(super) struct Granting {
    follower: Follower,
    /// By which name this Scrim writes of shared grants; `None`: they are its own.
    name: Option<String>,
    board: Arc<Board>,
    proxy: Arc<Proxy>,
    audit: Audit,
    metrics: Arc<Metrics>,
    unread: Unread,
    /// What was said of why they cannot be read, since they could be last.
    said: Vec<String>,
    /// The rules by which the board was made.
    rules: String,
    /// Those of which it was said that they do not count.
    refused: Vec<(u64, String)>,
}

impl Granting {
    /// For the trail in `audit_file`, which is that of `audit`.
    pub(super) fn new(
        options: GrantsOptions,
        board: Arc<Board>,
        proxy: Arc<Proxy>,
        (audit, audit_file): (Audit, &Path),
        metrics: Arc<Metrics>,
    ) -> Granting {
        let follower = Follower::new(&options.place, audit_file);
        let name = follower
            .is_shared()
            .then(|| options.name.or_else(machine).unwrap_or_else(|| "scrim".to_owned()));
        let (unread, rules) = (Arc::default(), String::new());
        let (said, refused) = (Vec::new(), Vec::new());
        Granting { follower, name, board, proxy, audit, metrics, unread, said, rules, refused }
    }

    /// Why the grants cannot be read, as it is at any time.
    pub(super) fn unread(&self) -> Unread {
        Arc::clone(&self.unread)
    }

    /// Follows it for ever.
    pub(super) async fn follow(mut self) {
        loop {
            tokio::time::sleep(self.follower.pause()).await;
            self.look().await;
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self) {
        let rules = self.proxy.rules();
        let is_newer = self.rules != rules.version;
        self.rules = rules.version.clone();
        let looked = match self.follower.look(&self.board, &rules, is_newer).await {
            Ok(looked) => looked,
            Err(fault) => return self.fail(&fault.to_string()),
        };
        if self.unread.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            tracing::info!("the grants can be read again");
            self.said.clear();
        }
        self.metrics.grants_unread.set(0);
        if let Some((count, refused)) = looked.put {
            self.metrics.grants_in_force.set(i64::try_from(count).unwrap_or(i64::MAX));
            for (grant, why) in refused.iter().filter(|one| !self.refused.contains(one)) {
                tracing::warn!(grant, %why, "a grant does not count by the rules in force");
            }
            self.refused = refused;
        }
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
            step: self.name.as_ref().map(|_| number),
            scrim: self.name.clone(),
        };
        if let Err(error) = self.audit.accept(Record::Grant(Box::new(record))).await {
            tracing::error!(%error, "a record of a grant is missing in the audit trail; it is tried again");
            return false;
        }
        if let Err(fault) = self.follower.told(number).await {
            self.fail(&fault.to_string());
            return false;
        }
        true
    }

    /// Nothing is granted until it can be read again.
    fn fail(&mut self, fault: &str) {
        self.board.clear();
        // So that the board is made when it can be.
        self.rules.clear();
        self.metrics.grants_in_force.set(0);
        self.metrics.grants_unread.set(1);
        // In one line, whatever a server has said.
        let fault = fault.replace("\n  ", "; ").replace(char::is_control, " ");
        if !self.said.contains(&fault) {
            match self.said.is_empty() {
                true => tracing::error!("THE GRANTS CANNOT BE READ, so none counts: {fault}"),
                false => tracing::warn!("the grants can still not be read: {fault}"),
            }
            self.said.push(fault.clone());
        }
        *self.unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}
