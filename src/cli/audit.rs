//! `scrim audit`: the table to which the audit trail is copied.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::audit::{SinkOptions, TablePlace, check_table, make_table, table_by_hand};
use crate::config::{Config, ProcessEnvironment};

/// The audit trail in a PostgreSQL: makes the table that `audit: {sinks: [{postgres: …}]}` names.
///
/// What is in the trail is told by `scrim report`, which reads the files.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  scrim audit init --sql | psql -d audit      (as an owner of the database; Scrim's account then owns nothing)
  scrim audit init                            (by the account of scrim.yaml)

docs/operating.md has the table's columns, and what an auditor asks it.

Exit status: 0 when it is done, 1 when it may not be done or cannot be.")]
pub struct AuditArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes the table, or prints how.
    Init(InitArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// Print the SQL for an owner of the database, after which the account of scrim.yaml owns nothing; nobody is asked.
    #[arg(long)]
    sql: bool,
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
}

impl AuditArgs {
    /// Exit code 0 or 1.
    pub async fn run(self) -> ExitCode {
        let What::Init(args) = self.what;
        match init(&args).await {
            Ok(text) => {
                super::print(&text);
                ExitCode::SUCCESS
            }
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }
}

async fn init(args: &InitArgs) -> Result<String, String> {
    let config = Config::load(&args.config, &ProcessEnvironment).map_err(|found| found.0)?;
    let places: Vec<&TablePlace> = places(&config).collect();
    if places.is_empty() {
        return Err(format!(
            "error: {} copies the audit trail to no table\n  `audit: {{sinks: [{{postgres: {{host: …, user: …}}}}]}}` names \
             one; docs/operating.md",
            args.config.display()
        ));
    }
    let mut said = Vec::new();
    for place in places {
        if args.sql {
            said.push(table_by_hand(place));
            continue;
        }
        make_table(place).await.map_err(|fault| format!("error: {fault}"))?;
        said.push(format!(
            "made table `{}.{}` in database `{}`, which belongs to account `{}`: it can change and delete what is there\n\
             `--sql` would have printed how another account owns it",
            place.schema, place.table, place.database, place.endpoint.user
        ));
    }
    Ok(said.join("\n\n"))
}

/// Whether the tables can be written.
pub(super) async fn check(config: &Config) -> Result<(), String> {
    for place in places(config) {
        check_table(place).await.map_err(|fault| format!("error: {fault}"))?;
    }
    Ok(())
}

fn places(config: &Config) -> impl Iterator<Item = &TablePlace> {
    config.audit.sinks.iter().filter_map(|sink| match sink {
        SinkOptions::Table(place) => Some(&**place),
        SinkOptions::Stdout | SinkOptions::Syslog { .. } => None,
    })
}
