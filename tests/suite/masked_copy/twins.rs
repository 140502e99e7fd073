//! SQL that stands in the sample rules, a second time in Rust: conditions, row filters, own masks.
//!
//! A rule that is new here has no twin and the tests say so: write one below, from what the rule means.

use std::collections::BTreeMap;

use super::masks::Text;

/// A row by column names, in text form; or conditions by their names.
pub type Row = BTreeMap<String, Text>;

/// A twin of a condition: true, false or unknown.
type Condition = fn(&Row) -> Option<bool>;

/// Conditions that are more than the name of a boolean column, by their text.
const CONDITIONS: &[(&str, Condition)] = &[
    ("paid_on < date '2026-06-01'", |row| {
        // ISO dates of the same length sort like their text.
        row["paid_on"].as_deref().map(|date| date < "2026-06-01")
    }),
    ("region <> 'overseas'", |row| row["region"].as_deref().map(|region| region != "overseas")),
    ("id = 8", |row| Some(row["id"].as_deref()? == "8")),
    ("customer_id = 8", |row| Some(row["customer_id"].as_deref()? == "8")),
    ("status = 'returned'", |row| Some(row["status"].as_deref()? == "returned")),
    ("mod(id, 2) < 1", |row| {
        let id = row["id"].as_deref()?;
        Some(id.parse::<i64>().expect("a number") % 2 == 0)
    }),
];

/// A twin of an own mask: from the value and its row.
type Expression = fn(&Text, &Row) -> Text;

/// Own masks, by their text.
const EXPRESSIONS: &[(&str, Expression)] = &[("substring({} from '^([^,]+),')", |value, _row| {
    let (city, _) = value.as_ref()?.split_once(',')?;
    (!city.is_empty()).then(|| city.to_owned())
})];

/// True when the SQL condition is true of the row; unknown is not true.
pub fn holds(sql: &str, row: &Row, conditions: &Row) -> bool {
    judge(sql, row, conditions) == Some(true)
}

/// Three-valued: `not`, `and`, names of conditions, names of boolean columns, and the twins.
fn judge(sql: &str, row: &Row, conditions: &Row) -> Option<bool> {
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((_, twin)) = CONDITIONS.iter().find(|(text, _)| *text == sql) {
        return twin(row);
    }
    if let Some((left, right)) = sql.split_once(" and ") {
        let both = [judge(left, row, conditions), judge(right, row, conditions)];
        return match both {
            [Some(false), _] | [_, Some(false)] => Some(false),
            [Some(true), Some(true)] => Some(true),
            _ => None,
        };
    }
    if let Some(rest) = sql.strip_prefix("not ") {
        return judge(rest, row, conditions).map(|truth| !truth);
    }
    if let Some(Some(text)) = conditions.get(&sql) {
        return judge(text, row, conditions);
    }
    match row.get(&sql) {
        Some(value) => value.as_deref().map(|text| text == "t"),
        None => panic!("no twin for the condition `{sql}`: add it to masked_copy/twins.rs"),
    }
}

/// What an own mask makes of a value.
pub fn expression(sql: &str, value: &Text, row: &Row) -> Text {
    match EXPRESSIONS.iter().find(|(text, _)| *text == sql) {
        Some((_, twin)) => twin(value, row),
        None => panic!("no twin for the mask `{sql}`: add it to masked_copy/twins.rs"),
    }
}

/// A twin of a regular expression: from what stands in its place and the text.
type Replacement = fn(&str, &str) -> String;

/// Regular expressions of `replace`, by their text.
const REPLACEMENTS: &[(&str, Replacement)] = &[
    ("[0-9](?=(?:[^0-9]*[0-9]){4})", |with, text| {
        let mut left = text.chars().filter(char::is_ascii_digit).count();
        let mut out = String::new();
        for next in text.chars() {
            left -= usize::from(next.is_ascii_digit());
            match next.is_ascii_digit() && left >= 4 {
                true => out.push_str(with),
                false => out.push(next),
            }
        }
        out
    }),
    ("[0-9]", |with, text| {
        text.chars().map(|c| if c.is_ascii_digit() { with.into() } else { c.to_string() }).collect()
    }),
    ("(?i)(k)im", |_with, text| {
        // `\\1..`: the first letter as it was written.
        let mut out = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            match rest.get(..3).filter(|word| word.eq_ignore_ascii_case("kim")) {
                Some(_) => {
                    out.push(next);
                    out.push_str("..");
                    rest = &rest[3..];
                }
                None => {
                    out.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        out
    }),
];

/// What `replace` makes of a text.
pub fn replaced(pattern: &str, with: &str, text: &str) -> String {
    match REPLACEMENTS.iter().find(|(known, _)| *known == pattern) {
        Some((_, twin)) => twin(with, text),
        None => panic!("no twin for the expression `{pattern}`: add it to masked_copy/twins.rs"),
    }
}
