//! What is wrong with rules that can be read, held against the catalog of a database: said by `scrim check` and shown by
//! the console.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalog::{KNOWN_VERSIONS, Made, SearchPath, Snapshot};
use crate::policy::{RoleView, Stated};
use crate::rules::RuleSet;
use crate::sql::{self, Speaker};
use crate::text::{Diagnostic, Severity};

/// What was found.
#[derive(Debug, Default)]
pub struct Problems {
    /// Each once.
    pub found: Vec<Diagnostic>,
    /// Columns of the database that somebody classified.
    pub classified: usize,
    /// And that nobody did.
    pub unclassified: usize,
}

impl Problems {
    /// Of rules against a catalog. `made_of` says of what generated columns and indexes are made.
    pub fn new(rules: &Arc<RuleSet>, snapshot: &Arc<Snapshot>, made_of: &Made) -> Problems {
        let mut problems = Problems::default();
        problems.found.extend(unknown_version(snapshot.major_version()));
        let mut closed: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
        let mut idle: BTreeMap<&str, Vec<Diagnostic>> = BTreeMap::new();
        let search_path = SearchPath::default();
        for (role, purpose) in rules.standpoints() {
            let stated = Stated::named(purpose);
            let view = RoleView::of(&role.name, rules.clone(), snapshot.clone(), &stated);
            let Some(view) = view else { continue };
            let role = &role.name;
            for problem in view.problems().into_iter().chain(view.doubts(made_of)) {
                if !problems.found.contains(&problem.diagnostic) {
                    problems.found.push(problem.diagnostic);
                }
            }
            let granted = view.idle_grants().into_iter().map(|problem| problem.diagnostic);
            let granted: Vec<Diagnostic> = granted.collect();
            match idle.get_mut(role.as_str()) {
                // What another purpose opens is not idle.
                Some(idle) => idle.retain(|found| granted.contains(found)),
                None => {
                    idle.insert(role, granted);
                }
            }
            (problems.classified, problems.unclassified) = view.column_counts();
            if !view.role().is_untouched() {
                for found in sql::closed_views(Speaker::new(&view, &search_path, "check", false)) {
                    let roles = closed.entry(found).or_default();
                    if !roles.contains(&role.as_str()) {
                        roles.push(role);
                    }
                }
            }
        }
        problems.found.extend(idle.into_values().flatten());
        let closed =
            closed.into_iter().map(|((view, why), roles)| closed_view(&view, &why, &roles));
        problems.found.extend(closed);
        problems
    }
}

/// Columns that a newer PostgreSQL gives its catalogs have been judged by nobody.
fn unknown_version(major: u32) -> Option<Diagnostic> {
    let (oldest, newest) = (KNOWN_VERSIONS.start(), KNOWN_VERSIONS.end());
    (!KNOWN_VERSIONS.contains(&major)).then(|| Diagnostic {
        severity: Severity::Warning,
        message: format!(
            "the server is PostgreSQL {major}, of which this version of Scrim knows nothing"
        ),
        primary: None,
        secondary: Vec::new(),
        help: Some(format!("it is tested with PostgreSQL {oldest} to {newest}")),
    })
}

fn closed_view(view: &str, why: &str, roles: &[&str]) -> Diagnostic {
    let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
    Diagnostic {
        severity: Severity::Warning,
        message: format!("view `{view}` is closed to {}: {why}", roles.join(", ")),
        primary: None,
        secondary: Vec::new(),
        help: Some("name it under `open` if it holds nothing personal".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::unknown_version;

    #[test]
    fn a_server_that_nobody_has_judged_is_told() {
        assert!([13, 15, 18].into_iter().all(|known| unknown_version(known).is_none()));
        for unknown in [12, 19] {
            let told = unknown_version(unknown).map(|found| found.message).unwrap_or_default();
            assert!(told.contains(&format!("PostgreSQL {unknown}")), "{told}");
        }
    }
}
