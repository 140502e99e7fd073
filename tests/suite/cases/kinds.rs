//! The kinds of attacks: the table of `tests/attacks/README.md`, what pages say they cover, and where the rest is tested.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::pages;

/// A line of the table.
#[derive(Debug)]
pub struct Kind {
    pub name: String,
    /// Tried by statements of a client, so that pages cover it; otherwise `docs/threats.md` names its tests.
    pub is_clients: bool,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All kinds, in the order of the table.
pub fn all() -> Vec<Kind> {
    rows("tests/attacks/README.md", "| kind | who tries |")
        .into_iter()
        .map(|row| Kind { name: row[0].clone(), is_clients: row[1] == "client" })
        .collect()
}

/// The cells of a table's rows, by how its head begins.
fn rows(file: &str, head: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    let lines = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let cells = |line: &str| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    let rows: Vec<_> = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "{file} has no table that begins with `{head}`");
    rows
}

/// Statements by kind, those among them that `counts` holds for.
pub fn covered(counts: impl Fn(&str, usize) -> bool) -> BTreeMap<String, usize> {
    let mut covered: BTreeMap<String, usize> = BTreeMap::new();
    for (_, page) in pages("attacks") {
        for case in page.cases.iter().filter(|case| counts(&page.name, case.line)) {
            for name in &case.covers {
                *covered.entry(name.clone()).or_default() += 1;
            }
        }
    }
    covered
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn every_attack_says_what_it_covers() {
    let kinds = all();
    let names: BTreeSet<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert_eq!(names.len(), kinds.len(), "a kind stands twice in the table");
    let mut wrong = Vec::new();
    for (_, page) in pages("attacks") {
        for case in &page.cases {
            let place = format!("tests/{}:{}", page.name, case.line);
            if case.covers.is_empty() {
                wrong.push(format!("{place}: no `covers:` above it"));
            }
            let unknown = case.covers.iter().filter(|name| !names.contains(name.as_str()));
            wrong.extend(unknown.map(|name| format!("{place}: no kind is called `{name}`")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let covered = covered(|_, _| true);
    for kind in kinds.iter().filter(|kind| kind.is_clients) {
        println!("{:4} {}", covered.get(&kind.name).copied().unwrap_or_default(), kind.name);
    }
}

/// What no statement tries has tests too, and they are there.
#[test]
fn the_other_kinds_name_their_tests() {
    let mut named = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in rows("docs/threats.md", "| kind | tests |") {
        named.insert(row[0].clone());
        for test in row[1].split(", ") {
            let test = test.trim_matches('`');
            let (file, name) = test.split_once(": ").unwrap_or((test, ""));
            let text = std::fs::read_to_string(root().join(Path::new(file))).unwrap_or_default();
            let is_there =
                !text.is_empty() && (name.is_empty() || text.contains(&format!("fn {name}(")));
            if !is_there {
                wrong.push(format!("docs/threats.md, {}: there is no `{test}`", row[0]));
            }
        }
    }
    let unknown: Vec<&String> =
        named.iter().filter(|name| all().iter().all(|kind| kind.name != **name)).collect();
    assert!(unknown.is_empty(), "docs/threats.md names kinds that are none: {unknown:?}");
    for kind in all().iter().filter(|kind| !kind.is_clients && !named.contains(&kind.name)) {
        wrong.push(format!("docs/threats.md names no tests of `{}`", kind.name));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
