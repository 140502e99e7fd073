//! The statement cases: Markdown pages below `tests/cases` and `tests/attacks`, each statement in every form.
//!
//! Whatever a page expects, each of its statements also proves the law (the answer is the masked copy's, or a
//! refusal), that no canary reached the client, and that the session survived.
//!
//! `SCRIM_CASES=text` runs only tests whose page or headings contain the text. `cargo xtask cases --update` writes
//! the tables that pages should show, but none that holds a canary or differs from the masked copy.

mod again;
pub mod compare;
mod kinds;
mod lifted;
mod page;
mod real;
mod run;
mod told_apart;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use page::{Case, Page};

use crate::harness::server_version;

/// Below these numbers the suite has been weakened.
const CASES_MIN: usize = 900;
/// Of attacks, those that are proven to be real.
const ATTACKS_MIN: usize = 350;
/// One test in so many may step out of the comparison with the masked copy.
const COMPARED_PER_UNCOMPARED_MIN: usize = 10;

#[test]
fn every_case_holds() {
    run_folder("cases");
}

#[test]
fn every_attack_fails() {
    run_folder("attacks");
}

#[test]
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn there_are_enough_cases() {
    let (cases, attacks) = (count("cases"), count("attacks"));
    println!("{cases} cases and {attacks} attacks");
    assert!(cases >= CASES_MIN, "{cases} cases");
    assert!(attacks >= ATTACKS_MIN, "{attacks} attacks");
}

#[test]
fn few_cases_step_out_of_the_comparison() {
    let pages: Vec<Page> = ["cases", "attacks"]
        .iter()
        .flat_map(|folder| pages(folder))
        .map(|(_, page)| page)
        .collect();
    let all: Vec<&Case> = pages.iter().flat_map(|page| &page.cases).collect();
    let uncompared = all.iter().filter(|case| !case.compared).count();
    assert!(uncompared * COMPARED_PER_UNCOMPARED_MIN <= all.len(), "{uncompared} of {}", all.len());
}

/// The same by the core alone, without a proxy: what fails here is not the shell's fault.
#[test]
fn the_core_alone_follows_the_law() {
    let pages: Vec<(PathBuf, Page)> = ["cases", "attacks"].iter().flat_map(|f| pages(f)).collect();
    let mut reports = Vec::new();
    let mut count = 0;
    for (_, page) in &pages {
        // Who has set what, and made which temporary table, is the session's to remember.
        let is_remembered = |sql: &str| sql.contains("search_path") || sql.contains("TEMP");
        let alone = |case: &&Case| case.role != "admin" && !is_remembered(&case.sql);
        for case in page.cases.iter().filter(alone) {
            if !is_chosen(page, case) {
                continue;
            }
            count += 1;
            let failures = run::run_core(case);
            if !failures.is_empty() {
                reports.push(report(page, case, &failures));
            }
        }
    }
    assert!(reports.is_empty(), "{} of {count} failed:\n\n{}", reports.len(), reports.join("\n"));
}

fn filter() -> String {
    std::env::var("SCRIM_CASES").unwrap_or_default()
}

/// Only some were asked for.
fn is_filtered() -> bool {
    !filter().is_empty()
}

fn is_chosen(page: &Page, case: &Case) -> bool {
    format!("{} {}", page.name, case.headings.join(" ")).contains(&filter())
}

fn count(folder: &str) -> usize {
    pages(folder).iter().map(|(_, page)| page.cases.len()).sum()
}

/// The pages of a folder below `tests`, in order of their names; panics with all that cannot be read.
fn pages(folder: &str) -> Vec<(PathBuf, Page)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = Vec::new();
    let mut folders = vec![tests.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                // How to write pages, and no page.
                false if path.ends_with("README.md") => {}
                false if path.extension().is_some_and(|extension| extension == "md") => {
                    files.push(path);
                }
                false => {}
            }
        }
    }
    files.sort();
    let mut errors = Vec::new();
    let mut pages = Vec::new();
    for file in files {
        let name = file.strip_prefix(&tests).expect("below tests").display().to_string();
        let text = std::fs::read_to_string(&file).expect("a page");
        match page::parse(&name, &text, server_version()) {
            Ok(page) => pages.push((file, page)),
            Err(error) => errors.push(error),
        }
    }
    assert!(errors.is_empty(), "pages that cannot be read:\n{}", errors.join("\n"));
    pages
}

/// Runs all tests of a folder, on as many threads as the machine has processors.
#[expect(clippy::print_stdout, reason = "libtest shows what a test prints")]
fn run_folder(folder: &str) {
    let update = std::env::var_os("SCRIM_CASES_UPDATE").is_some();
    let pages = pages(folder);
    let chosen: Vec<(&Path, &Page, &Case)> = pages
        .iter()
        .flat_map(|(file, page)| page.cases.iter().map(move |case| (file.as_path(), page, case)))
        .filter(|(_, page, case)| is_chosen(page, case))
        .collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::new());
    let updates: Mutex<BTreeMap<PathBuf, Vec<run::NewTable>>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((file, page, case)) = chosen.get(index) else { break };
                    let outcome = run::run_guarded(case, update);
                    if let Some(table) = outcome.new_table {
                        let mut updates = updates.lock().expect("no panic holds it");
                        updates.entry(file.to_path_buf()).or_default().push(table);
                    }
                    if !outcome.failures.is_empty() {
                        let report = report(page, case, &outcome.failures);
                        failures.lock().expect("no panic holds it").insert(index, report);
                    }
                }
            });
        }
    });
    for (file, tables) in updates.into_inner().expect("threads are done") {
        run::rewrite_tables(&file, tables);
    }
    let failures = failures.into_inner().expect("threads are done");
    println!("{folder}: {} statements in {} forms each", chosen.len(), 3);
    if !failures.is_empty() {
        let texts: Vec<String> = failures.values().cloned().collect();
        panic!("{} of {} failed in {folder}:\n\n{}", texts.len(), chosen.len(), texts.join("\n"));
    }
}

fn report(page: &Page, case: &Case, failures: &[String]) -> String {
    let place = format!("tests/{}:{}", page.name, case.line);
    let sql: Vec<String> = case.sql.lines().map(|line| format!("    {line}")).collect();
    let failures: Vec<String> = failures.iter().map(|failure| format!("  - {failure}")).collect();
    let (headings, role) = (case.headings.join(" › "), &case.role);
    format!("{place}  {headings}  (role `{role}`)\n{}\n{}\n", sql.join("\n"), failures.join("\n"))
}
