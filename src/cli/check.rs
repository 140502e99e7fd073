//! `scrim check`: is everything well with the configuration and the rules?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::explain::{Problems, idle_rules};
use crate::rules::RuleSet;
use crate::text::{Diagnostic, Severity, render};

/// Checks the configuration and the rules: syntax and names, and against the live catalog whether relations and
/// columns exist, masks fit their types, filters can be read, and what nobody has classified yet; what of the rules, `grants`
/// among them, never comes to anything; and whether a database in which grants are kept, and a table to which the audit
/// trail is copied, can be used.
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
        found.extend(idle_rules(&rules));
        let rules = Arc::new(rules);
        let columns = match config.as_ref().filter(|_| !self.offline) {
            Some(config) => {
                let columns = live(config, self.database.as_deref(), &rules, &mut found).await;
                // What is known already is worth saying all the same.
                let columns = columns.map_err(|why| joined(&rules, &found, &why))?;
                let grants = super::grant::check(config).await;
                grants.map_err(|why| joined(&rules, &found, &why))?;
                let audit = super::audit::check(config).await;
                audit.map_err(|why| joined(&rules, &found, &why))?;
                Some(columns)
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
    let Problems { found: problems, classified, unclassified } =
        Problems::new(rules, &Arc::new(snapshot), &made_of);
    for problem in problems {
        if !found.contains(&problem) {
            found.push(problem);
        }
    }
    Ok(Columns { classified, unclassified })
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
