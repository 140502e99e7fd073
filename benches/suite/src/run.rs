//! Running programs and speaking to people.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A line on standard output; a closed pipe (`| head`) is no reason to fail.
pub fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on standard error.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Runs a program and gives what it prints; what it says otherwise is in the error.
pub fn quietly(command: &mut Command) -> Result<String, String> {
    let text = describe(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{text}`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let end = lines.get(lines.len().saturating_sub(6)..).unwrap_or_default().join("\n");
    Err(format!("`{text}` ended with {}:\n{end}", output.status))
}

/// What a program prints, trimmed; `None` if it fails or is not there.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let text = quietly(Command::new(program).args(arguments).current_dir(root())).ok()?;
    Some(text.trim().to_owned())
}

fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
