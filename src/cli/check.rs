//! `scrim check`: is everything well with the configuration and the rules?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::policy::RoleView;
use crate::rules::RuleSet;
use crate::text::{Diagnostic, Severity, render};

/// Checks the configuration and the rules: syntax and names, and against the live catalog whether relations and
/// columns exist, masks fit their types, filters can be read, and what nobody has classified yet.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scrim check\n  scrim check --config /etc/scrim/scrim.yaml --offline\n\n\
                        Exit status: 0 when nothing is wrong (warnings aside), 1 when something is."
)]
pub struct CheckArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// Do not ask the database.
    #[arg(long)]
    offline: bool,
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
        let config = Config::load(&self.config, &ProcessEnvironment).map_err(|found| found.0)?;
        if !config.warnings.is_empty() {
            super::complain(&config.warnings);
        }
        let (rules, mut found) =
            load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
        let rules = Arc::new(rules);
        if !self.offline {
            let snapshot = super::live::snapshot(&config, self.database.as_deref()).await;
            let snapshot = Arc::new(snapshot.inspect_err(|_| {
                // What is known already is worth saying all the same.
                if !found.is_empty() {
                    super::complain(&render(&rules.sources, &found, false));
                }
            })?);
            for role in rules.roles.keys() {
                let view = RoleView::new(role, rules.clone(), snapshot.clone());
                for problem in view.iter().flat_map(RoleView::problems) {
                    if !found.contains(&problem.diagnostic) {
                        found.push(problem.diagnostic);
                    }
                }
            }
        }
        let drawn = render(&rules.sources, &found, false);
        if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
            return Err(drawn);
        }
        if !drawn.is_empty() {
            super::complain(&drawn);
        }
        Ok(summary(&rules, &found, self.offline))
    }
}

fn summary(rules: &RuleSet, found: &[Diagnostic], offline: bool) -> String {
    let files = rules.sources.iter().count();
    let columns: usize = rules.tables.iter().map(|table| table.columns.len()).sum();
    let words = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    format!(
        "ok: {}, {}, {}, {} in {}, {}{}",
        words(files, "file"),
        words(rules.roles.len(), "role"),
        words(rules.users.len(), "user"),
        words(columns, "classified column"),
        words(rules.tables.len(), "table"),
        words(found.len(), "warning"),
        if offline { " (the database was not asked)" } else { "" }
    )
}
