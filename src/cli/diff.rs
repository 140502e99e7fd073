//! `scrim diff`: which role newly sees what by other rules, and which sees less.

mod revision;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::changes::{Picture, Report, compare};
use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::rules::RuleSet;

/// Somebody sees more, or it cannot be told that nobody does.
const SHOWS_MORE: u8 = 3;
/// There is nothing to compare.
const NOT_TOLD: u8 = 2;

/// Two sets of rules against the live catalog: what each role newly sees, what has to be looked at because it cannot be
/// compared, and what is no longer seen; then rows, lookups, what may be granted for a while, permissions, limits, functions,
/// roles and users.
///
/// A set is a folder, or a folder in a git revision (`main:masking-rules`). What is compared is what a role sees of
/// each column, whatever the lines are by which it does.
#[derive(Debug, Args)]
#[command(after_help = "\
Which mask shows more: hide, then null and constant, then redact, then masks that show a part, then clear. Of two that
show a part, round, truncate and cap can be compared with their like; everything else has to be looked at (`?`). Of what may be
granted, more tags, a longer time, less approval, other approvers and each of break_glass, whole_columns and widen_rows count as more.

Examples:
  scrim diff old-rules masking-rules
  scrim diff --git main                     (the rules folder there, and as it is now)
  scrim diff --git v1.2..HEAD --format json
  scrim diff main:masking-rules masking-rules --offline

Exit status: 0 when nobody sees more, 3 when somebody does or has to look, 2 when that cannot be told: wrong use, broken
rules, no database.")]
pub struct DiffArgs {
    /// The rules as they were: a folder, or REVISION:FOLDER.
    #[arg(value_name = "OLD", required_unless_present = "git", conflicts_with = "git")]
    old: Option<String>,
    /// The rules as they are: a folder, or REVISION:FOLDER.
    #[arg(value_name = "NEW", required_unless_present = "git", conflicts_with = "git")]
    new: Option<String>,
    /// The rules folder in a git revision, against that in another one or as it is now.
    #[arg(long, value_name = "REVISION[..REVISION]")]
    git: Option<String>,
    /// The configuration file [default: scrim.yaml].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The rules folder that --git means; otherwise `rules` of the configuration.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The database; otherwise the one that `check` looks at.
    #[arg(long, value_name = "NAME", conflicts_with = "offline")]
    database: Option<String>,
    /// Do not ask the database: compare what the rules say of the columns that they name.
    #[arg(long)]
    offline: bool,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl DiffArgs {
    /// Exit code 0 when nobody sees more, 3 when somebody may, 2 when that cannot be told.
    pub async fn run(self) -> ExitCode {
        match self.diff().await {
            Ok(report) => {
                super::print(&match self.format {
                    Format::Text => report.to_text(),
                    Format::Json => report.to_json(),
                });
                if report.shows_more() { ExitCode::from(SHOWS_MORE) } else { ExitCode::SUCCESS }
            }
            Err(text) => {
                super::complain(&text);
                ExitCode::from(NOT_TOLD)
            }
        }
    }

    async fn diff(&self) -> Result<Report, String> {
        if self.git.is_none() && self.rules.is_some() {
            return Err(
                "error: `--rules` is the folder that --git means, and there is no --git".to_owned()
            );
        }
        // Needed for the database, and for the folder that --git means.
        let needs_folder = self.git.is_some() && self.rules.is_none();
        let config = match self.offline && !needs_folder {
            true => None,
            false => {
                let path = self.config.clone().unwrap_or_else(|| PathBuf::from("scrim.yaml"));
                let config = Config::load(&path, &ProcessEnvironment).map_err(|found| {
                    format!(
                        "{found}\n  `scrim diff --offline` compares two folders without a database"
                    )
                })?;
                Some(config)
            }
        };
        let (old, new) = self.rules(config.as_ref())?;
        let changes = match config.as_ref().filter(|_| !self.offline) {
            None => compare(&Picture::offline(&old, &new), &Picture::offline(&new, &old)),
            Some(config) => {
                let snapshot = super::live::snapshot(config, self.database.as_deref()).await?;
                let (old, new, snapshot) = (Arc::new(old), Arc::new(new), Arc::new(snapshot));
                compare(&Picture::live(&old, &snapshot), &Picture::live(&new, &snapshot))
            }
        };
        Ok(Report::new(changes, !self.offline))
    }

    fn rules(&self, config: Option<&Config>) -> Result<(RuleSet, RuleSet), String> {
        if let Some(range) = &self.git {
            let folder = self.rules.as_deref().or(config.map(|config| config.rules.as_path()));
            let folder = folder.ok_or("error: `--rules DIR` says which folder --git means")?;
            let in_git = |revision: &str| revision::load(folder, revision, "./");
            return match range.split_once("..") {
                Some((_, rest)) if rest.starts_with('.') => {
                    let help = "`A..B` compares two revisions, `git merge-base A B` names the one before both";
                    Err(format!("error: `{range}` names three revisions\n  {help}"))
                }
                Some((old, new)) => {
                    Ok((in_git(old)?, in_git(if new.is_empty() { "HEAD" } else { new })?))
                }
                None => Ok((in_git(range)?, from_folder(folder)?)),
            };
        }
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => Ok((given(old)?, given(new)?)),
            (_, _) => Err("error: two sets of rules belong here, OLD and NEW".to_owned()),
        }
    }
}

/// A folder, or a folder in a revision.
fn given(text: &str) -> Result<RuleSet, String> {
    let path = Path::new(text);
    match text.split_once(':').filter(|_| !path.exists()) {
        Some((revision, path)) => revision::load(Path::new("."), revision, path),
        None => from_folder(path),
    }
}

fn from_folder(folder: &Path) -> Result<RuleSet, String> {
    load_rules(folder, &ProcessEnvironment).map(|(rules, _)| rules).map_err(|found| {
        format!("{found}\n\nerror: the rules of `{}` cannot be compared", folder.display())
    })
}
