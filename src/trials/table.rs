//! The compact table: a line of names, lines of values, `|` between them.
//!
//! As psql prints one, so that its output can be pasted: a line of dashes below the names and `(2 rows)` at the end are
//! left out. `␀` is NULL. Values are taken without blanks at their ends; who needs those, or a `|` or a line break in a
//! value, writes lists.

use super::case::Cell;

/// How NULL is written.
pub(super) const NULL: &str = "␀";

/// Reads one: names and rows.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn parse(text: &str) -> Result<(Vec<String>, Vec<Vec<Cell>>), String> {
    let mut lines = text.trim_end().lines();
    let names = lines.next().filter(|line| !line.trim().is_empty());
    let names: Vec<String> = cells(names.ok_or("a table begins with the names of its columns")?)
        .map(String::from)
        .collect();
    if names.iter().any(String::is_empty) {
        return Err("a column of this table has no name".to_owned());
    }
    let mut rows = Vec::new();
    let lines: Vec<&str> = lines.collect();
    for (number, line) in lines.iter().enumerate() {
        let is_last = number.saturating_add(1) == lines.len();
        if (number == 0 && is_rule(line)) || (is_last && is_footer(line)) {
            continue;
        }
        let row: Vec<Cell> = cells(line).map(cell).collect();
        if row.len() != names.len() {
            return Err(format!(
                "row {} of this table has {} values, and there are {} columns",
                rows.len().saturating_add(1),
                row.len(),
                names.len()
            ));
        }
        rows.push(row);
    }
    Ok((names, rows))
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split('|').map(str::trim)
}

fn cell(text: &str) -> Cell {
    match text {
        NULL => Cell::Null,
        text => Cell::Text(text.to_owned()),
    }
}

/// `----+----`
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() > 1 && line.chars().all(|c| matches!(c, '-' | '+' | '|' | ' '))
}

/// `(2 rows)`
fn is_footer(line: &str) -> bool {
    let inner = line.trim().strip_prefix('(').and_then(|line| line.strip_suffix(')'));
    let count = inner.and_then(|inner| inner.strip_suffix(" rows").or(inner.strip_suffix(" row")));
    count.is_some_and(|count| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Cell, parse};

    #[test]
    fn what_psql_prints_can_be_pasted() {
        let text = " id |  name  \n----+--------\n  1 | K** M* \n  2 | ␀\n(2 rows)\n";
        let (names, rows) = parse(text).unwrap();
        assert_eq!(names, ["id", "name"]);
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(rows, [[text("1"), text("K** M*")], [text("2"), Cell::Null]]);
        assert_eq!(parse("a\n").unwrap(), (vec!["a".to_owned()], Vec::new()));
        assert_eq!(parse("a\n-\n").unwrap().1, [[text("-")]]);
    }

    #[test]
    fn what_is_no_table_is_told() {
        for bad in ["", " \n1", "a | \n1 | 2", "a | b\n1", "a\n1 | 2", "a|b\n\n1|2"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
