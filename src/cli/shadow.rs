//! `scrim shadow`: what the rules that are not in force yet would change, by the statements that have come.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::config::{Config, ProcessEnvironment};
use crate::shadow::Report;

/// Somebody would see more, or it cannot be told that nobody would.
const SHOWS_MORE: u8 = 3;
/// There is no report.
const NOT_TOLD: u8 = 2;

/// What the shadow rules would change: statements that would be refused or allowed, and columns and rows that would be
/// seen otherwise, each with how often it has run.
///
/// `shadow: {rules: DIR}` in scrim.yaml names rules that are not in force. A running Scrim plans each statement by them too,
/// beside its way, and writes what differs to a file; this reads the file. No value is in it: statements stand without
/// their literals.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scrim shadow
  scrim shadow --format json
  scrim shadow --report /var/lib/scrim/shadow-report.json

Exit status: 0 when nobody would see more, 3 when somebody would or has to look, 2 when there is no report.")]
pub struct ShadowArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The report; otherwise the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl ShadowArgs {
    /// Exit code 0, 3 or 2.
    pub async fn run(self) -> ExitCode {
        match tokio::task::spawn_blocking(move || self.read()).await {
            Ok(Ok((text, code))) => {
                super::print(&text);
                code
            }
            Ok(Err(said)) => {
                super::complain(&said);
                ExitCode::from(NOT_TOLD)
            }
            Err(_) => ExitCode::from(NOT_TOLD),
        }
    }

    fn read(self) -> Result<(String, ExitCode), String> {
        let file = match self.report {
            Some(file) => file,
            None => {
                let config =
                    Config::load(&self.config, &ProcessEnvironment).map_err(|found| found.0)?;
                let options = config.shadow.ok_or_else(|| {
                    format!(
                        "error: {} has no `shadow`\n  `shadow: {{rules: DIR}}` names the rules that are to be \
                         judged; `--report FILE` reads a report",
                        self.config.display()
                    )
                })?;
                options.report
            }
        };
        let report = Report::read(&file).map_err(|error| {
            format!(
                "error: {error}\n  a running Scrim with `shadow` in its configuration writes it"
            )
        })?;
        let text = match self.format {
            Format::Text => report.to_text(),
            Format::Json => {
                serde_json::to_string_pretty(&report).map_err(|error| format!("error: {error}"))?
            }
        };
        let code = if report.shows_more() { ExitCode::from(SHOWS_MORE) } else { ExitCode::SUCCESS };
        Ok((text, code))
    }
}
