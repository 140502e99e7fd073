//! `scrim test`: the rule tests of the security team.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::rules::RuleSet;
use crate::text::render;
use crate::trials::{Case, Found, OwnScrim, Report, Tried, find_cases};

/// Some tests do not hold.
const FAILED: u8 = 1;
/// It cannot be told whether they hold.
const NOT_TOLD: u8 = 2;

/// The rule tests: as this role, this query gives these rows or this refusal, and never shows that. Each asks the
/// database through a Scrim of its own, by the same rules, plans and guard as `scrim run`; what a test writes is undone.
#[derive(Debug, Args)]
#[command(after_help = "\
A test, in a YAML file below `tests/` of the rules folder:

  tests:
    - name: support recognises a customer and sees no more
      role: support                   # or user: alice; also purpose, end_user, database, settings: {…}
      query: SELECT name, email FROM customers WHERE id = $1
      params: [1]
      expect: |                       # or lists: [[K** M*******, m***@example.com]]; ordered: true
        name         | email
        K** M******* | m***@example.com
      never_shows: /[0-9]{6}-[0-9]{7}/
    - name: nobody of support reads the staff's accounts
      role: support
      query: SELECT * FROM staff
      refused: 42P01                  # or a part of the message; also columns: […], rows: N

docs/rule-tests.md has all keys.

Examples:
  scrim test
  scrim test --name phone --name email
  scrim test masking-rules/tests/customers.yaml
  scrim test --junit results.xml                        (for CI, beside the text)
  scrim test --format json --output results.json

Exit status: 0 when all tests hold, 1 when some do not, 2 when it cannot be told: wrong use, broken rules or tests, no
database.")]
pub struct TestArgs {
    /// A folder of tests, or one file; otherwise `tests` below the rules folder.
    #[arg(value_name = "DIR")]
    path: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The rules folder; otherwise `rules` of the configuration.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The database; otherwise the one that `check` looks at.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Only tests that have this in their name; may be given more than once.
    #[arg(long, value_name = "PART")]
    name: Vec<String>,
    /// List the tests, and run none.
    #[arg(long, conflicts_with_all = ["format", "output", "junit", "database"])]
    list: bool,
    /// How the results look.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write the results there; standard output has the text meanwhile.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the results there too, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Junit,
}

impl TestArgs {
    /// Exit code 0 when all hold, 1 when some do not, 2 when that cannot be told.
    pub async fn run(self) -> ExitCode {
        tokio::select! {
            done = self.test() => match done {
                Ok(code) => code,
                Err(text) => {
                    super::complain(&text);
                    ExitCode::from(NOT_TOLD)
                }
            },
            // The folder of the run goes with what is dropped here.
            _ = tokio::signal::ctrl_c() => ExitCode::from(NOT_TOLD),
        }
    }

    async fn test(&self) -> Result<ExitCode, String> {
        let config = Config::load(&self.config, &ProcessEnvironment).map_err(|found| found.0)?;
        let folder = self.rules.as_deref().unwrap_or(&config.rules);
        let (rules, _) = load_rules(folder, &ProcessEnvironment).map_err(|found| found.0)?;
        let broken = config.judge(&rules);
        if !broken.is_empty() {
            return Err(render(&rules.sources, &broken, false));
        }
        let path = self.path.clone().unwrap_or_else(|| folder.join("tests"));
        let Found { cases } = find_cases(&path, Some(&rules))?;
        let cases = self.chosen(cases, &path)?;
        if self.list {
            super::print(&listed(&cases));
            return Ok(ExitCode::SUCCESS);
        }
        let report = self.try_all(&config, rules, cases).await?;
        self.tell(&report)?;
        Ok(match (report.not_run(), report.failed()) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(FAILED),
            (_, _) => ExitCode::from(NOT_TOLD),
        })
    }

    fn chosen(&self, mut cases: Vec<Case>, path: &Path) -> Result<Vec<Case>, String> {
        let known = cases.len();
        if !self.name.is_empty() {
            cases.retain(|case| self.name.iter().any(|part| case.name.contains(part.as_str())));
        }
        if cases.is_empty() {
            return Err(format!(
                "error: none of the {known} tests in `{}` has `{}` in its name\n  `scrim test --list` lists them",
                path.display(),
                self.name.join("` or `")
            ));
        }
        Ok(cases)
    }

    async fn try_all(
        &self,
        config: &Config,
        rules: RuleSet,
        cases: Vec<Case>,
    ) -> Result<Report, String> {
        let rules = OwnScrim::with_token_users(rules, &cases);
        let own = OwnScrim::open(config, &rules, self.database.as_deref()).await?;
        let mut report = Report::default();
        for case in cases {
            let (answer, took) = own.ask(&case).await;
            report.tried.push(Tried::new(case, answer, took));
        }
        own.close().await;
        Ok(report)
    }

    fn tell(&self, report: &Report) -> Result<(), String> {
        let formatted = match self.format {
            Format::Text => report.to_text(),
            Format::Json => report.to_json(),
            Format::Junit => report.to_junit()?,
        };
        match &self.output {
            Some(file) => {
                write(file, &formatted)?;
                super::print(&report.to_text());
            }
            None => super::print(&formatted),
        }
        if let Some(file) = &self.junit {
            write(file, &report.to_junit()?)?;
        }
        Ok(())
    }
}

fn listed(cases: &[Case]) -> String {
    let mut text = String::new();
    for case in cases {
        let _ = writeln!(text, "{}: {} ({})", case.place, case.name, case.who);
    }
    text.trim_end().to_owned()
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, format!("{}\n", text.trim_end()))
        .map_err(|error| format!("error: cannot write `{}`: {error}", file.display()))
}
