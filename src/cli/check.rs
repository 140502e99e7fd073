//! `scrim check`: is everything well with the configuration and the rules?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::catalog::{KNOWN_VERSIONS, SearchPath};
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::policy::{RoleView, Stated};
use crate::rules::{Role, RuleSet};
use crate::sql::{self, Speaker};
use crate::text::{Diagnostic, Severity, render};

/// Checks the configuration and the rules: syntax and names, and against the live catalog whether relations and
/// columns exist, masks fit their types, filters can be read, and what nobody has classified yet.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scrim check
  scrim check --config /etc/scrim/scrim.yaml --database shop
  scrim check --offline --rules masking-rules      (needs no configuration)

Exit status: 0 when nothing is wrong (warnings aside), 1 when something is.")]
pub struct CheckArgs {
    /// The configuration file [default: scrim.yaml].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Do not ask the database.
    #[arg(long)]
    offline: bool,
    /// The rules folder; otherwise `rules` of the configuration.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The database to look at; otherwise `database.name` of the configuration, or the login's name.
    #[arg(long, value_name = "NAME", conflicts_with = "offline")]
    database: Option<String>,
}

impl CheckArgs {
    /// Exit code 0 clean, 1 errors.
    pub async fn run(self) -> ExitCode {
        match self.check().await {
            Ok(summary) => {
                super::print(&summary);
                ExitCode::SUCCESS
            }
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }

    async fn check(self) -> Result<String, String> {
        let (config, rules, mut found) = self.read()?;
        found.extend(config.iter().flat_map(|config| config.judge(&rules)));
        found.extend(rules.roles_of_nobody().into_iter().map(role_of_nobody));
        let rules = Arc::new(rules);
        let columns = match config.as_ref().filter(|_| !self.offline) {
            Some(config) => {
                let columns = live(config, self.database.as_deref(), &rules, &mut found).await;
                // What is known already is worth saying all the same.
                columns.map(Some).map_err(|why| joined(&rules, &found, &why))?
            }
            None => None,
        };
        let errors = found.iter().filter(|found| found.severity == Severity::Error).count();
        if errors > 0 {
            let count = format!("error: {} in the rules", counted(errors, "error"));
            return Err(joined(&rules, &found, &count));
        }
        if !found.is_empty() {
            super::complain(&render(&rules.sources, &found, false));
        }
        let warnings = config.map_or(0, |config| config.warnings_count);
        Ok(summary(&rules, columns, found.len().saturating_add(warnings)))
    }

    /// Configuration (where one is needed) and rules; what is wrong with both is said at once.
    fn read(&self) -> Result<(Option<Config>, RuleSet, Vec<Diagnostic>), String> {
        let folder = self.rules.as_deref();
        if let (None, true, Some(folder)) = (&self.config, self.offline, folder) {
            let (rules, found) = load_rules(folder, &ProcessEnvironment).map_err(|e| e.0)?;
            return Ok((None, rules, found));
        }
        let path = self.config.clone().unwrap_or_else(|| PathBuf::from("scrim.yaml"));
        match Config::load(&path, &ProcessEnvironment) {
            Ok(config) => {
                if !config.warnings.is_empty() {
                    super::complain(&config.warnings);
                }
                let folder = folder.unwrap_or(&config.rules);
                let (rules, found) = load_rules(folder, &ProcessEnvironment).map_err(|e| e.0)?;
                Ok((Some(config), rules, found))
            }
            Err(wrong) => {
                let rules = folder.map(|folder| load_rules(folder, &ProcessEnvironment));
                match rules {
                    Some(Err(rules)) => Err(format!("{wrong}\n\n{rules}")),
                    Some(Ok(_)) | None => Err(wrong.0),
                }
            }
        }
    }
}

/// Columns of the database that somebody classified, and that nobody did.
struct Columns {
    classified: usize,
    unclassified: usize,
}

/// Asks the database; what does not fit it goes into `found`, each once.
async fn live(
    config: &Config,
    database: Option<&str>,
    rules: &Arc<RuleSet>,
    found: &mut Vec<Diagnostic>,
) -> Result<Columns, String> {
    let (snapshot, made_of) = super::live::snapshot_and_made(config, database).await?;
    let snapshot = Arc::new(snapshot);
    found.extend(unknown_version(snapshot.major_version()));
    let mut columns = Columns { classified: 0, unclassified: 0 };
    let mut closed: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    let search_path = SearchPath::default();
    for (role, purpose) in rules.standpoints() {
        let stated = Stated::named(purpose);
        let view = RoleView::of(&role.name, rules.clone(), snapshot.clone(), &stated);
        let Some(view) = view else { continue };
        let role = &role.name;
        for problem in view.problems().into_iter().chain(view.doubts(&made_of)) {
            if !found.contains(&problem.diagnostic) {
                found.push(problem.diagnostic);
            }
        }
        (columns.classified, columns.unclassified) = view.column_counts();
        if !view.role().is_untouched() {
            for found in sql::closed_views(Speaker::new(&view, &search_path, "check", false)) {
                let roles = closed.entry(found).or_default();
                if !roles.contains(&role.as_str()) {
                    roles.push(role);
                }
            }
        }
    }
    found.extend(closed.into_iter().map(|((view, why), roles)| closed_view(&view, &why, &roles)));
    Ok(columns)
}

fn role_of_nobody(role: &Role) -> Diagnostic {
    Diagnostic::warning(format!("nobody has the role `{}`", role.name), role.span)
        .help("no user, no `token_users` and no other role by `extends` names it")
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

fn joined(rules: &RuleSet, found: &[Diagnostic], last: &str) -> String {
    match found {
        [] => last.to_owned(),
        _ => format!("{}\n\n{last}", render(&rules.sources, found, false)),
    }
}

fn summary(rules: &RuleSet, columns: Option<Columns>, warnings: usize) -> String {
    let columns = match columns {
        Some(Columns { classified, unclassified }) => {
            format!("{} classified, {unclassified} not", counted(classified, "column"))
        }
        None => {
            let columns: usize = rules.tables.iter().map(|table| table.columns.len()).sum();
            format!(
                "{} classified in {} (the database was not asked)",
                counted(columns, "column"),
                counted(rules.tables.len(), "table")
            )
        }
    };
    format!(
        "ok: {}, {}, {}; {columns}; {}",
        counted(rules.sources.iter().count(), "file"),
        counted(rules.roles.len(), "role"),
        counted(rules.users.len(), "user"),
        counted(warnings, "warning"),
    )
}

fn counted(count: usize, one: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
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
