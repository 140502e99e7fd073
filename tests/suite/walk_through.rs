//! The walk through README.md: its blocks are run in a shell beside the demo, and give what stands below them.

use std::net::TcpListener;
use std::process::{Command, Stdio};

const README: &str = include_str!("../../README.md");
const HEADING: &str = "## From an unknown database to rules you trust\n";
/// What is left out: lines, or the rest of one.
const LEFT_OUT: &str = "…";
/// Printed when a block is done.
const MARK: &str = "-- walked --";

/// A block of commands, and what README.md says that comes out of it.
struct Step {
    commands: String,
    expected: Option<String>,
}

/// The blocks of the section, without the one that opens the shell in which the others are run.
fn steps() -> Vec<Step> {
    let (_, section) = README.split_once(HEADING).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut steps: Vec<Step> = Vec::new();
    for (number, block) in section.split("```").enumerate() {
        match block.split_once('\n') {
            Some(("sh", commands)) if number % 2 == 1 => {
                steps.push(Step { commands: commands.to_owned(), expected: None });
            }
            Some(("text", expected)) if number % 2 == 1 => {
                let step = steps.last_mut().expect("commands before what comes out");
                assert!(step.expected.replace(expected.to_owned()).is_none(), "{expected}");
            }
            _ => assert!(number % 2 == 0, "a block that is none of commands: {block}"),
        }
    }
    assert_eq!(steps.remove(0).commands, "scrim demo -- bash\n");
    steps
}

/// What a person waits for by the clock, the test sees.
const WAITS: [(&str, &str); 2] = [
    ("& sleep 1\n", "& until grep -q 'scrim listening' run.log; do sleep 0.1; done\n"),
    ("&& sleep 2\n", "&& until grep -q 'other rules are in force' run.log; do sleep 0.1; done\n"),
];
/// The port on which README.md has Scrim listen.
const PORT: &str = "6433";

#[test]
fn the_walk_in_the_readme_is_as_it_stands_there() {
    let steps = steps();
    let mut script = String::new();
    for step in &steps {
        script += &step.commands;
        script += &format!("echo '{MARK}'\n");
    }
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    for (said, done) in WAITS {
        assert!(script.contains(said), "{said}");
        script = script.replace(said, done);
    }
    let script = script.replace(PORT, &free.port().to_string());
    let folder = tempfile::tempdir().expect("a folder");
    let scrim = std::path::Path::new(env!("CARGO_BIN_EXE_scrim"));
    let programs = scrim.parent().expect("a folder").display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(scrim)
        .args(["demo", "--port", "0", "--", "bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .expect("the demo starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let parts: Vec<&str> = said.split(&format!("{MARK}\n")).collect();
    assert_eq!(parts.len(), steps.len() + 1, "{said}{errors}");
    for (step, part) in steps.iter().zip(parts) {
        let Some(expected) = &step.expected else { continue };
        let lines = |text: &str| -> Vec<String> {
            let lines = text.lines().map(|line| line.trim_end().to_owned());
            lines.filter(|line| !line.is_empty()).collect()
        };
        assert!(
            is_as(&lines(part), &lines(expected)),
            "{}\ngives\n{part}\nand README.md says\n{expected}\n{errors}",
            step.commands
        );
    }
}

/// Line by line, but for what is left out.
fn is_as(found: &[String], expected: &[String]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return found.is_empty() };
    if first == LEFT_OUT {
        return (0..=found.len()).any(|skipped| is_as(&found[skipped..], rest));
    }
    let Some((line, others)) = found.split_first() else { return false };
    let is_same = match first.strip_suffix(LEFT_OUT) {
        Some(beginning) => line.starts_with(beginning),
        None => line == first,
    };
    is_same && is_as(others, rest)
}

#[test]
fn only_what_is_left_out_may_differ() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let is_as = |found: &str, expected: &str| is_as(&lines(found), &lines(expected));
    assert!(is_as("a\nb\nc", "a\nb\nc"));
    assert!(is_as("a\nb\nc", "a\n…"));
    assert!(is_as("a\nb\nc", "…\nc"));
    assert!(is_as("alpha\nb", "al…\nb"));
    assert!(!is_as("a\nb\nc", "a\nb"));
    assert!(!is_as("a\nb", "a\nb\nc"));
    assert!(!is_as("a\nb\nc", "…\nb"));
    assert!(!is_as("", "a"));
}
