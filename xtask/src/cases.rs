//! The statement cases alone, for those who write them.

use crate::Outcome;
use crate::needs;
use crate::run;

/// `--update` writes tables; another argument chooses pages and headings that contain it.
pub fn run(arguments: &[String]) -> Outcome {
    needs::compiler()?;
    needs::postgres()?;
    let mut cargo = run::cargo(&["test", "--quiet", "--test", "suite", "cases::every_"]);
    cargo.args(["--", "--nocapture"]);
    for argument in arguments {
        match argument.as_str() {
            "--update" => cargo.env("SCRIM_CASES_UPDATE", "1"),
            option if option.starts_with('-') => {
                return Err(format!("unknown option `{option}`; known: --update"));
            }
            filter => cargo.env("SCRIM_CASES", filter),
        };
    }
    run::succeed(&mut cargo)
}
