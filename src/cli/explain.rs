//! `scrim explain`: what would happen to a statement, and why. Nothing is sent but questions to the catalog.

mod explanation;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::catalog::SearchPath;
use crate::policy::RoleView;
use crate::sql::{Speaker, plan};
use explanation::Explanation;

/// What would happen to a statement of a role: the verdict, what it reads and how the role sees it, the rule
/// behind each decision, and the SQL that would be sent.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  scrim explain --role support \
                        \"SELECT name, email FROM customers WHERE id = 7\"")]
pub struct ExplainArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The role.
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// The database; otherwise the one `check` looks at.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The session's search_path, as in `SET search_path`.
    #[arg(long, value_name = "PATH", default_value = "\"$user\", public")]
    search_path: String,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The statement, as a client would send it.
    #[arg(value_name = "SQL")]
    statement: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl ExplainArgs {
    /// Exit code 0 when the statement would be sent, 2 when it would be refused, 1 when that cannot be told.
    pub async fn run(self) -> ExitCode {
        match self.explain().await {
            Ok((text, code)) => {
                super::print(&text);
                code
            }
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }

    async fn explain(self) -> Result<(String, ExitCode), String> {
        let (rules, snapshot) =
            super::live::rules_and_snapshot(&self.config, self.database.as_deref()).await?;
        let rules = Arc::new(rules);
        let roles: Vec<String> = rules.roles.keys().cloned().collect();
        let view = RoleView::new(&self.role, rules, Arc::new(snapshot)).ok_or_else(|| {
            format!("error: there is no role `{}`; the rules have: {}", self.role, roles.join(", "))
        })?;
        let search_path = SearchPath::parse(&self.search_path)
            .ok_or_else(|| "error: this search_path is malformed".to_owned())?;
        let speaker = Speaker::new(&view, &search_path, "explain", false);
        let planned = plan(&self.statement, speaker);
        let refused = planned.is_err();
        let explanation = Explanation::new(&self.statement, &view, &planned);
        let text = match self.format {
            Format::Text => explanation.to_string(),
            Format::Json => explanation.to_json(),
        };
        Ok((text, if refused { ExitCode::from(2) } else { ExitCode::SUCCESS }))
    }
}
