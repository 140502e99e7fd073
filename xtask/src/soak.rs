//! Hundreds of clients at a Scrim of the tests, for as long as one likes.

use crate::Outcome;
use crate::needs;
use crate::run;

/// `--minutes N` and `--clients N`.
pub fn run(arguments: &[String]) -> Outcome {
    let (mut minutes, mut clients) = (30, 500);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let place = match option.as_str() {
            "--minutes" => &mut minutes,
            "--clients" => &mut clients,
            other => return Err(format!("unknown option `{other}`; known: --minutes, --clients")),
        };
        let value = rest.next().ok_or_else(|| format!("`{option}` needs a number"))?;
        let number = value.parse::<u64>().ok().filter(|number| (1..=10_000).contains(number));
        *place = number
            .ok_or_else(|| format!("`{option}` needs a number from 1 to 10000, got `{value}`"))?;
    }
    needs::compiler()?;
    needs::postgres()?;
    let mut cargo = run::cargo(&["test", "--quiet", "--test", "suite", "soak::"]);
    cargo.args(["--", "--nocapture"]);
    cargo.env("SCRIM_SOAK_SECONDS", (minutes * 60).to_string());
    cargo.env("SCRIM_SOAK_CLIENTS", clients.to_string());
    run::succeed(&mut cargo)
}
