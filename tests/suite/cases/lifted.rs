//! Literals that are lifted out of a text mean nothing to its plan: with any others in their place the plan is the same,
//! and has those where the first had its own.

use scrim::sql::lifting::{Kind, free, lift};

use super::pages;
use crate::harness::core::sent;

/// What nobody's rules look like, and what could be a name, a position or a mask.
const TEXTS: &[&str] =
    &["'staff'", "'public.customers'", "'k*** @ % _ \"x\"'", "''", "'current_user'"];
const INTEGERS: &[&str] = &["0", "1", "2", "999999999", "16384"];

/// Lifted statements of the pages at least; fewer, and this shows nothing.
const LIFTED_MIN: usize = 150;
/// Of them that write.
const WRITES_MIN: usize = 40;

#[test]
fn a_lifted_literal_means_nothing_to_the_plan() {
    let (mut lifted_statements, mut writes) = (0, 0);
    let mut failures = Vec::new();
    let cases = ["cases", "attacks"].iter().flat_map(|folder| pages(folder));
    for case in cases.flat_map(|(_, page)| page.cases) {
        let (Some(lifted), Some(path)) = (lift(&case.sql), Some(case.search_path.as_deref()))
        else {
            continue;
        };
        let Some(free) = free(&lifted) else { continue };
        let plan = |text: &str| sent(&case.role, path, text);
        if plan(&case.sql).starts_with("refused") {
            continue;
        }
        lifted_statements += 1;
        let verb = case.sql.trim_start().get(..6).unwrap_or_default().to_ascii_uppercase();
        writes += usize::from(["INSERT", "UPDATE", "DELETE"].contains(&verb.as_str()));
        // With something in its place that nothing else is.
        let mark = |number: usize, kind| match kind {
            Kind::Text => format!("'not to be met {number:02}'"),
            Kind::Integer => format!("8675{number:02}309"),
        };
        let marks: Vec<String> = lifted
            .literals()
            .iter()
            .enumerate()
            .map(|(number, one)| mark(number, one.kind))
            .collect();
        let template = plan(&lifted.with(|number, _| free[number].then(|| marks[number].as_str())));
        for round in 0..TEXTS.len() {
            let others: Vec<&str> = lifted
                .literals()
                .iter()
                .enumerate()
                .map(|(number, literal)| match literal.kind {
                    Kind::Text => TEXTS[(number + round) % TEXTS.len()],
                    Kind::Integer => INTEGERS[(number + round) % INTEGERS.len()],
                })
                .collect();
            let text = lifted.with(|number, _| free[number].then(|| others[number]));
            // `-0` is another text, not the same with another number.
            let is_out = |number: usize| free[number];
            if lift(&text).map(|other| other.key(is_out)) != Some(lifted.key(is_out)) {
                continue;
            }
            let mut expected = template.clone();
            for (number, mark) in marks.iter().enumerate().filter(|(number, _)| free[*number]) {
                expected = expected.replace(mark.as_str(), others[number]);
            }
            let afresh = plan(&text);
            if afresh != expected {
                failures.push(format!(
                    "{} as {}: {text}\n  afresh: {afresh}\n  filled: {expected}",
                    case.headings.join(", "),
                    case.role
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} plans depend on a literal:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(lifted_statements >= LIFTED_MIN, "only {lifted_statements} statements are lifted");
    assert!(writes >= WRITES_MIN, "only {writes} of them write");
}
