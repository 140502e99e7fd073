//! How much of a folder of foreign SQL is refused for parsing, by reason.

use crate::Outcome;
use crate::needs;
use crate::run;

/// One argument: the folder, whose `*.sql` are read, below it too.
pub fn run(arguments: &[String]) -> Outcome {
    let [folder] = arguments else { return Err("parse-rate wants one folder".into()) };
    let folder = std::fs::canonicalize(folder).map_err(|error| format!("{folder}: {error}"))?;
    needs::compiler()?;
    needs::postgres()?;
    let mut cargo = run::cargo(&["test", "--quiet", "--test", "suite", "parse_rate::"]);
    cargo.args(["--", "--nocapture"]).env("SCRIM_CORPUS", folder);
    run::succeed(&mut cargo)
}
