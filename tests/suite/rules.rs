//! Broken rules files, each with what a person is told. `SCRIM_UPDATE=1` writes the expected texts anew.

use std::path::Path;

use scrim::rules::{Environment, load};
use scrim::text::{Sources, render};

struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

fn told(name: &str, text: &str) -> String {
    let mut sources = Sources::default();
    sources.add(name, text);
    match load(sources, &Nothing) {
        Ok((rules, warnings)) => {
            panic!("{name} is fine: {}", render(&rules.sources, &warnings, false))
        }
        Err((sources, diagnostics)) => render(&sources, &diagnostics, false) + "\n",
    }
}

#[test]
fn broken_files_are_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/bad");
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|end| end != "yaml") {
            continue;
        }
        count += 1;
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let got = told(&name, &std::fs::read_to_string(&path).expect("the file"));
        let expected = path.with_extension("expected");
        if std::env::var_os("SCRIM_UPDATE").is_some() {
            std::fs::write(&expected, &got).expect("written");
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(got, expected, "{name}");
        assert!(!got.contains("hunter2"), "a password is repeated: {got}");
    }
    assert!(count >= 12, "only {count} files");
}

#[test]
fn the_sample_rules_are_fine() {
    let mut sources = Sources::default();
    for (name, text) in scrim::demo::SAMPLE_RULES {
        sources.add(*name, *text);
    }
    let (rules, _) = load(sources, &Nothing)
        .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)));
    assert!(rules.roles["admin"].is_untouched());
    assert!(!rules.roles["support"].is_untouched());
    // What the nearer role says wins, the rest is inherited.
    assert_eq!(rules.roles["auditor"].functions.len(), 1);
}
