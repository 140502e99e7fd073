//! The commands in README.md exist.

use std::process::Command;

use crate::run;
use crate::{CHORES, Outcome};

/// Looks at every line of every shell block: chores must be known, and each command of Scrim must have help.
pub fn check() -> Outcome {
    let text = std::fs::read_to_string(run::root().join("README.md"))
        .map_err(|error| format!("README.md: {error}"))?;
    let mut wrong = Vec::new();
    let commands = commands(&text);
    if commands.is_empty() {
        return Err("README.md shows no command in a `sh` block".into());
    }
    for command in &commands {
        let words: Vec<&str> = command.split_whitespace().collect();
        let known = match words.as_slice() {
            ["cargo", "xtask", chore, ..] => CHORES.iter().any(|(name, _)| name == chore),
            ["scrim", "--help" | "--version", ..] => true,
            ["scrim", name, ..] => has_help(name),
            _ => true,
        };
        if !known {
            wrong.push(format!("`{command}`"));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("README.md shows commands that do not exist: {}", wrong.join(", "))),
    }
}

/// The lines of `sh`, `console` and `bash` blocks, without prompts and settings of the environment in front.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim();
        if let Some(info) = line.strip_prefix("```") {
            inside = !inside && matches!(info, "sh" | "console" | "bash" | "shell");
            continue;
        }
        let words = line.trim_start_matches("$ ").split_whitespace();
        let words: Vec<&str> =
            words.skip_while(|word| word.contains('=') && !word.starts_with('-')).collect();
        if inside && !words.is_empty() && !line.starts_with('#') {
            commands.push(words.join(" "));
        }
    }
    commands
}

fn has_help(name: &str) -> bool {
    let scrim = run::target().join("debug/scrim");
    Command::new(scrim).args([name, "--help"]).output().is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn only_shell_blocks_hold_commands() {
        let text = "```sh\n$ scrim demo\n# a remark\nA=b cargo xtask ci\n```\n```yaml\nscrim: no\n```\nscrim no\n";
        assert_eq!(commands(text), ["scrim demo", "cargo xtask ci"]);
    }
}
