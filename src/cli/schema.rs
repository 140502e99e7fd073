//! `scrim schema`: JSON Schema for editors.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::{config, rules, trials};

/// The form of Scrim's files as JSON Schema, for an editor's YAML language server: keys are offered and explained, and what
/// is misspelt is marked. `scrim check` says what a form cannot know.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  scrim schema rules > rules.schema.json

and in the first lines of a rules file:
  # yaml-language-server: $schema=../rules.schema.json")]
pub struct SchemaArgs {
    /// Whose.
    #[arg(value_enum, default_value_t = Whose::Rules, value_name = "FILE")]
    whose: Whose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    /// Files of the rules folder.
    Rules,
    /// scrim.yaml
    Config,
    /// Rule tests, below `tests/` of the rules folder.
    Tests,
}

impl SchemaArgs {
    /// Exit code 0.
    pub fn run(self) -> ExitCode {
        let schema = match self.whose {
            Whose::Rules => rules::schema(),
            Whose::Config => config::schema(),
            Whose::Tests => trials::schema(),
        };
        super::print(&format!("{schema:#}"));
        ExitCode::SUCCESS
    }
}
