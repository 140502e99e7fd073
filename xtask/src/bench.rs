//! The bench suite: what it needs, and a crate of its own (`benches/suite`), so that chores stay quick to build.

use crate::Outcome;
use crate::needs;
use crate::run;

/// Arguments go to the suite, which builds Scrim for speed itself once it has understood them.
pub fn run(arguments: &[String]) -> Outcome {
    needs::compiler()?;
    if !arguments.iter().any(|argument| matches!(argument.as_str(), "--help" | "-h")) {
        needs::postgres()?;
        needs::benches()?;
    }
    let mut cargo = run::cargo(&["run", "--quiet", "--package", "scrim-bench", "--"]);
    run::succeed(cargo.args(arguments))
}
