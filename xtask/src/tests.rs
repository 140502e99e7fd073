//! All tests, with cargo's own results once more at the end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use crate::Outcome;
use crate::needs;
use crate::run;

/// Installs what the tests need and runs them. Arguments go to `cargo test`.
pub fn run_all(arguments: &[String]) -> Outcome {
    needs::compiler()?;
    needs::postgres()?;
    needs::clients()?;
    let mut cargo = run::cargo(&["test", "--workspace"]);
    // One test binary that fails shall not hide the next one's failures.
    cargo.arg("--no-fail-fast").args(arguments).stdout(Stdio::piped());
    let mut child = cargo.spawn().map_err(|error| format!("cannot run cargo test: {error}"))?;
    let mut results = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let _ = std::io::stdout().write_all(&line);
            if line.starts_with(b"test result:") {
                results.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| format!("cargo test is lost: {error}"))?;
    run::print("");
    for result in &results {
        run::print(result);
    }
    match status.success() {
        true => Ok(()),
        false => Err(format!("cargo test ended with {status}")),
    }
}
