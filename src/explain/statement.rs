//! A statement of a role: planned, and explained.

use std::sync::Arc;

use super::Explanation;
use crate::catalog::{SearchPath, Snapshot};
use crate::policy::{RoleView, Stated};
use crate::rules::{Role, RuleSet};
use crate::sql::{Speaker, plan, unfit_to_state};

/// What a session states, as far as it is said: a purpose, and `name=value` for the rest.
///
/// # Errors
/// A session could not state it; ready to be shown.
pub fn stated(role: &Role, purpose: Option<&str>, given: &[String]) -> Result<Stated, String> {
    let unfit = |name: &str, value: &str| match unfit_to_state(role, name, value) {
        None => Ok(()),
        Some(unfit) => {
            let hint = unfit.hint.map(|hint| format!("\n  {hint}")).unwrap_or_default();
            Err(format!("error: {}{hint}", unfit.message.trim_start_matches("scrim: ")))
        }
    };
    if let Some(purpose) = purpose {
        unfit("purpose", purpose)?;
    }
    let mut stated = Stated::named(purpose);
    for given in given {
        let (name, value) =
            given.split_once('=').ok_or_else(|| format!("error: `{given}` is no NAME=VALUE"))?;
        if !matches!(name, "user" | "end_user") && !role.details.contains_key(name) {
            let details: Vec<&str> = role.details.keys().map(String::as_str).collect();
            let known = [&["user", "end_user"], details.as_slice()].concat().join(", ");
            return Err(format!("error: role `{}` has no `{name}`, but: {known}", role.name));
        }
        unfit(name, value)?;
        stated = stated.with(name, value);
    }
    Ok(stated)
}

/// Of whom it is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The role.
    pub role: &'a str,
    /// What its session states.
    pub stated: &'a Stated,
    /// And its search_path.
    pub search_path: &'a SearchPath,
    /// Masks may be made as the rows pass.
    pub on_the_wire: bool,
}

/// What would happen to a text of a role, and whether it would be refused.
///
/// # Errors
/// It cannot be told; ready to be shown.
pub fn statement(
    asked: &Asked<'_>,
    text: &str,
    rules: Arc<RuleSet>,
    snapshot: Arc<Snapshot>,
) -> Result<(Explanation, bool), String> {
    let view = RoleView::of(asked.role, rules, snapshot, asked.stated)
        .ok_or_else(|| "error: the role cannot be looked at".to_owned())?;
    let speaker = Speaker::new(&view, asked.search_path, "explain", false)
        .masking_on_the_wire(asked.on_the_wire);
    let planned = plan(text, speaker);
    Ok((Explanation::new(text, &view, &planned), planned.is_err()))
}
