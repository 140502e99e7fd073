//! `scrim explain`: what would happen to a statement, and why. Nothing is sent but questions to the catalog.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::catalog::{SearchPath, Snapshot};
use crate::config::Config;
use crate::explain::{self, OneUser, WhoSees, stated};
use crate::rules::RuleSet;

/// What would happen to a statement of a role: the verdict, what it reads and how the role sees it, the rule
/// behind each decision, and the SQL that would be sent. Or who sees a column, and how; or what a user sees.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scrim explain --role support \"SELECT name, email FROM customers WHERE id = 7\"
  scrim explain --role desk --purpose refund --stated ticket=42 \"SELECT * FROM tickets\"
  scrim explain --column public.customers.phone
  scrim explain --user alice --format json

Exit status: 0; of a statement 2 when it would be refused; 1 when it cannot be told.")]
pub struct ExplainArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The role.
    #[arg(long, value_name = "ROLE", required_unless_present_any = ["column", "user"])]
    role: Option<String>,
    /// A column, as SQL writes it, with schema and relation: who sees it, and how.
    #[arg(long, value_name = "COLUMN", conflicts_with_all = ["role", "user", "search_path", "statement"])]
    column: Option<String>,
    /// A user: which roles, and what each of them sees.
    #[arg(long, value_name = "USER", conflicts_with_all = ["role", "search_path", "statement"])]
    user: Option<String>,
    /// The database; otherwise the one `check` looks at.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The purpose that the session states, as in `SET scrim.purpose`.
    #[arg(long, value_name = "PURPOSE", conflicts_with_all = ["column", "user"])]
    purpose: Option<String>,
    /// What else the session states: `user=kim`, `end_user=lee@corp`, `ticket=42`. Where the rules go by it and it is not
    /// given, its name stands in the SQL.
    #[arg(long, value_name = "NAME=VALUE", conflicts_with_all = ["column", "user"])]
    stated: Vec<String>,
    /// The session's search_path, as in `SET search_path`.
    #[arg(long, value_name = "PATH", default_value = "\"$user\", public")]
    search_path: String,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The statement, as a client would send it.
    #[arg(value_name = "SQL", required_unless_present_any = ["column", "user"])]
    statement: Option<String>,
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
        let found =
            super::live::config_rules_and_snapshot(&self.config, self.database.as_deref()).await?;
        let (config, rules, snapshot) = found;
        let (rules, snapshot) = (Arc::new(rules), Arc::new(snapshot));
        match (&self.column, &self.user, &self.role, &self.statement) {
            (Some(column), ..) => {
                let found = WhoSees::new(column, &rules, &snapshot)?;
                Ok((self.format.of(|| found.to_text(), || found.to_json()), ExitCode::SUCCESS))
            }
            (None, Some(user), ..) => {
                let granted = super::grant::in_force_of(&config, user).await?;
                let (granted, now) = granted.map_or((None, 0), |(grants, now)| (Some(grants), now));
                let found = OneUser::new(user, &rules, &snapshot)?.with_grants(granted, now);
                Ok((self.format.of(|| found.to_text(), || found.to_json()), ExitCode::SUCCESS))
            }
            (None, None, Some(role), Some(statement)) => {
                self.of_statement(&config, role, statement, rules, snapshot)
            }
            (None, None, _, _) => Err("error: a role and a statement belong here".to_owned()),
        }
    }

    fn of_statement(
        &self,
        config: &Config,
        role: &str,
        statement: &str,
        rules: Arc<RuleSet>,
        snapshot: Arc<Snapshot>,
    ) -> Result<(String, ExitCode), String> {
        let roles: Vec<String> = rules.roles.keys().cloned().collect();
        let known = rules.roles.get(role).ok_or_else(|| {
            format!("error: there is no role `{role}`; the rules have: {}", roles.join(", "))
        })?;
        let stated = stated(known, self.purpose.as_deref(), &self.stated)?;
        let search_path = SearchPath::parse(&self.search_path)
            .ok_or_else(|| "error: this search_path is malformed".to_owned())?;
        let on_the_wire = config.masks_on_the_wire;
        let asked =
            explain::Asked { role, stated: &stated, search_path: &search_path, on_the_wire };
        let (explanation, refused) = explain::statement(&asked, statement, rules, snapshot)?;
        let text = self.format.of(|| explanation.to_string(), || explanation.to_json());
        Ok((text, if refused { ExitCode::from(2) } else { ExitCode::SUCCESS }))
    }
}

impl Format {
    fn of(self, text: impl Fn() -> String, json: impl Fn() -> String) -> String {
        match self {
            Format::Text => text(),
            Format::Json => json(),
        }
    }
}
