//! The fuzz targets of `fuzz/`, run by libFuzzer with seeds out of the pages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::needs;
use crate::run;

/// Targets, and whether they are fed texts of SQL.
const TARGETS: &[(&str, bool)] = &[
    ("rewrite", true),
    ("rewrite_live", true),
    ("travelling", true),
    ("grammar_agree", true),
    ("frontend_frames", false),
    ("backend_frames", false),
];

/// What is fed at most, in bytes. A text of more takes milliseconds to plan.
const LENGTH_MAX: &str = "-max_len=4096";
/// One input may take so long, in seconds; a plan takes milliseconds.
const TIMEOUT: &str = "-timeout=30";
const MEMORY_MIB: &str = "-rss_limit_mb=3072";

/// `TARGET [--seconds N]`; what follows `--` goes to libFuzzer. Without a target it lists them.
pub fn run(arguments: &[String]) -> Outcome {
    let Some((target, rest)) = arguments.split_first() else { return Err(usage("which target?")) };
    let Some((target, is_text)) = TARGETS.iter().find(|(name, _)| name == target) else {
        return Err(usage(&format!("unknown target `{target}`")));
    };
    let mut seconds = None;
    let mut rest = rest.iter();
    let mut own = Vec::new();
    while let Some(option) = rest.next() {
        match option.as_str() {
            "--seconds" => {
                let value = rest.next().ok_or("`--seconds` needs a number")?;
                value
                    .parse::<u32>()
                    .map_err(|_| format!("`--seconds` needs a number, got `{value}`"))?;
                seconds = Some(value.clone());
            }
            "--" => own.extend(rest.by_ref().cloned()),
            other => return Err(usage(&format!("unknown option `{other}`"))),
        }
    }
    needs::compiler()?;
    needs::cxx()?;
    if *is_text {
        needs::postgres()?;
    }
    let fuzzer = cargo_fuzz()?;
    let seeds = run::target().join("fuzz-seeds").join(target);
    if *is_text {
        write_seeds(&seeds)?;
    }
    let corpus = run::root().join("fuzz/corpus").join(target);
    make(&corpus)?;
    let mut command = Command::new(fuzzer);
    // Stable Rust has no sanitizers; there is no unsafe Rust here to be watched by one.
    command.args(["run", "--sanitizer", "none", "--codegen-units", "16", target]);
    command.arg(&corpus);
    if *is_text {
        command.arg(&seeds);
    }
    command.args(["--", LENGTH_MAX, TIMEOUT, MEMORY_MIB, "-print_final_stats=1"]);
    if *is_text {
        let dictionary = run::root().join("fuzz/sql.dict");
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.args(seconds.map(|seconds| format!("-max_total_time={seconds}"))).args(own);
    // What is gained by more is lost again by the time it takes to build.
    for (setting, value) in [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    run::succeed(command.current_dir(run::root()))
}

fn usage(what: &str) -> String {
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    format!(
        "{what}; `cargo xtask fuzz TARGET [--seconds N] [-- OPTIONS OF LIBFUZZER]`, TARGET one of {}",
        names.join(", ")
    )
}

/// cargo-fuzz: the machine's, or one of our own below `target`, built once and unoptimised, for it has little to do.
fn cargo_fuzz() -> Result<PathBuf, String> {
    let tools = run::target().join("tools");
    let own = tools.join("bin/cargo-fuzz");
    if run::works("cargo-fuzz", &["--version"]) {
        return Ok("cargo-fuzz".into());
    }
    if !run::works(&own, &["--version"]) {
        let mut install = run::cargo(&["install", "--quiet", "--locked", "--profile", "dev"]);
        run::succeed(install.args(["cargo-fuzz", "--root"]).arg(&tools))?;
    }
    Ok(own)
}

fn make(folder: &Path) -> Outcome {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// The statements of all pages, each in a file, for one role after the other.
fn write_seeds(folder: &Path) -> Outcome {
    const ROLES: &[u8] = b"abcdef";
    make(folder)?;
    let tests = run::root().join("tests");
    let mut texts = Vec::new();
    for pages in ["cases", "attacks"] {
        let entries = std::fs::read_dir(tests.join(pages))
            .map_err(|error| format!("tests/{pages}: {error}"))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "md")) {
            let page = std::fs::read_to_string(file)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            texts.extend(statements(&page));
        }
    }
    for (at, text) in texts.iter().enumerate() {
        let file = folder.join(format!("page-{at:04}"));
        let role = char::from(ROLES[at % ROLES.len()]);
        std::fs::write(&file, format!("{role}0{text}"))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// What stands in the `sql` blocks of a page.
fn statements(page: &str) -> Vec<String> {
    let blocks = page.split("```sql\n").skip(1);
    blocks.filter_map(|rest| rest.split_once("\n```").map(|(text, _)| text.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn seeds_are_what_stands_in_sql_blocks() {
        let page =
            "# A\n```sql\nSELECT 1\n```\n```table\na\n```\n```sql\nSELECT 2;\nSELECT 3\n```\n";
        assert_eq!(statements(page), ["SELECT 1", "SELECT 2;\nSELECT 3"]);
    }
}
