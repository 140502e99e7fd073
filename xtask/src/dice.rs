//! What the suite does with a few throws of the dice, for as long as one likes.

use crate::Outcome;
use crate::needs;
use crate::run;

/// Random statements against the masked copy.
pub const STATEMENTS: &str = "random::random_";
/// Random messages against PostgreSQL's own answers.
pub const MESSAGES: &str = "messages::sessions_made_by_dice";

/// A day: without end, as far as people are concerned.
const SECONDS: &str = "86400";

/// Runs the test of that name. `--seconds N` ends it, `--seed S` starts elsewhere.
pub fn run(test: &str, arguments: &[String]) -> Outcome {
    let mut seconds = SECONDS;
    let mut seed = "1";
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let place = match option.as_str() {
            "--seconds" => &mut seconds,
            "--seed" => &mut seed,
            other => return Err(format!("unknown option `{other}`; known: --seconds, --seed")),
        };
        let value = rest.next().ok_or_else(|| format!("`{option}` needs a number"))?;
        value.parse::<u64>().map_err(|_| format!("`{option}` needs a number, got `{value}`"))?;
        *place = value;
    }
    needs::compiler()?;
    needs::postgres()?;
    let mut cargo = run::cargo(&["test", "--quiet", "--test", "suite", test]);
    cargo.args(["--", "--nocapture"]);
    cargo.env("SCRIM_FUZZ_SECONDS", seconds).env("SCRIM_SEED", seed);
    run::succeed(&mut cargo)
}
