//! Asks the database for what a request needs to know of it.

use std::sync::Arc;

use crate::cli::live;
use crate::config::Config;
use crate::grants::{Grant, How, Wanted, draft};
use crate::ledger::Ledger;
use crate::policy::RoleView;
use crate::rules::{RuleSet, User};

/// The request, judged by the rules and the database.
pub(super) async fn ask(
    wanted: Wanted,
    by: &User,
    how: How,
    (config, ledger): (&Config, &mut Ledger),
    rules: RuleSet,
) -> Result<Grant, String> {
    let error = |why: String| format!("error: {why}");
    let now = ledger.now().await.map_err(super::told)?;
    let mut draft = draft(wanted, by, how, &rules, now).map_err(error)?;
    let mut connection = live::connect(config, Some(draft.database())).await?;
    let snapshot = Arc::new(live::read(&mut connection).await?);
    let rules = Arc::new(rules);
    let view = RoleView::new(draft.role(), Arc::clone(&rules), snapshot)
        .ok_or_else(|| format!("error: there is no role `{}`", draft.role()))?;
    let found = match draft.question(&view, now).map_err(error)? {
        Some(query) => Some(live::rows_of(&mut connection, &query).await?),
        None => None,
    };
    // The database may have thought for a while.
    let now = ledger.now().await.map_err(super::told)?;
    draft.request(found, &view, by, &rules, now).map_err(error)
}
