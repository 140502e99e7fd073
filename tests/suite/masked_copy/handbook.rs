//! The examples of docs/masks.md are what the second hand makes of them, which is what PostgreSQL makes of them.

use serde_yaml::Value;

use super::masks::{self, Type};
use super::scrubbed::scrubbed;
use super::twins::Row;

const PAGE: &str = include_str!("../../../docs/masks.md");

/// Rows below `| rule | value | mask |` with all three between backticks; the word in front of a value is its type.
#[test]
fn the_tables_are_true() {
    let mut examples = 0;
    let mut wrong = Vec::new();
    let mut is_example = false;
    for line in PAGE.lines() {
        is_example = line == "| rule | value | mask |" || (is_example && line.starts_with('|'));
        if !is_example {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [rule, value, mask] = cells[..] else { continue };
        let quoted = |cell: &str| Some(cell.split('`').nth(1)?.to_owned());
        let (Some(rule), Some(text), Some(expected)) = (quoted(rule), quoted(value), quoted(mask))
        else {
            continue;
        };
        let kind = kind(value, &text, &rule);
        let rule: Value = serde_yaml::from_str(&rule).unwrap_or_else(|e| panic!("{rule}: {e}"));
        let row = Row::from([("customer_id".into(), Some("1".into()))]);
        let masked = masks::apply(&rule, &Some(text.clone()), &kind, &row, &Row::new());
        examples += 1;
        if masked.as_deref() != Some(&expected) {
            wrong.push(format!("{line}\n  it is {masked:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples >= 20, "only {examples} examples were found");
}

fn kind(cell: &str, text: &str, rule: &str) -> Type {
    let is_date = text.len() == 10 && text.as_bytes()[4] == b'-';
    let is_number = text.parse::<f64>().is_ok() && !rule.contains("keep");
    let (base, modifier) = match cell.split(' ').next() {
        Some("inet") => ("inet", -1),
        _ if is_date => ("date", -1),
        _ if is_number && text.contains('.') => ("numeric", ((14 << 16) | 2) + 4),
        _ if is_number => ("int8", -1),
        _ => ("text", -1),
    };
    Type { base: base.into(), modifier, constrained: false }
}

/// What is left of a text stands behind it, with at least two blanks in between.
#[test]
fn the_texts_are_true() {
    let kinds = ["email", "phone", "card", "rrn", "ssn", "iban", "ip", "password", "url"];
    let block = PAGE.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines: Vec<&str> = block.expect("a block of texts").lines().collect();
    assert!(lines.len() >= 4);
    for line in lines {
        let (text, left) = line.split_once("  ").expect("two columns");
        assert_eq!(scrubbed(text, &kinds), left.trim(), "{text}");
    }
}
