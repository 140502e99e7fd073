//! The report for a terminal.

use std::fmt::Write as _;

use super::head::{figures, head};
use super::sections::{Section, sections};
use super::shown::shown;
use super::told::Report;

/// Rows of a table; JSON and HTML have the others.
const ROWS_MAX: usize = 20;
/// Characters of a cell.
const CELL_MAX: usize = 60;

impl Report {
    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (what, value) in head(self) {
            let _ = writeln!(text, "{what:<15} {}", shown(&value));
        }
        let figures = figures(self).into_iter().map(|(what, count)| format!("{what} {count}"));
        let _ = writeln!(text, "\n{}", figures.collect::<Vec<_>>().join(", "));
        for section in sections(self) {
            // What is a picture alone has no place here.
            if !section.columns.is_empty() {
                written(&section, &mut text);
            }
        }
        for note in &self.notes {
            let _ = writeln!(text, "\nnote: {}", shown(note));
        }
        text.trim_end().to_owned()
    }
}

fn written(section: &Section, text: &mut String) {
    let _ = writeln!(text, "\n{}", section.title);
    if let Some(words) = &section.words {
        let _ = writeln!(text, "  {}", shown(words));
    }
    if section.rows.is_empty() {
        let _ = writeln!(text, "  {}", section.nothing.unwrap_or("none"));
        return;
    }
    // The last days are the ones that are looked at; of all else the first.
    let skipped = match section.id {
        "days" | "seen" | "opened" => section.rows.len().saturating_sub(ROWS_MAX),
        _ => 0,
    };
    let rows = section.rows.iter().skip(skipped).take(ROWS_MAX);
    let rows: Vec<Vec<String>> =
        rows.map(|row| row.iter().map(|cell| cut(&shown(cell))).collect()).collect();
    let width = |index: usize| {
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
        let title = section.columns.get(index).map_or(0, |column| column.title.len());
        cells.chain([title]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..section.columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for ((cell, column), width) in cells.zip(&section.columns).zip(&widths) {
            let _ = match column.is_number {
                true => write!(out, "  {cell:>width$}"),
                false => write!(out, "  {cell:<width$}"),
            };
        }
        out.trim_end().to_owned()
    };
    let _ = writeln!(text, "{}", line(&mut section.columns.iter().map(|column| column.title)));
    for row in &rows {
        let _ = writeln!(text, "{}", line(&mut row.iter().map(String::as_str)));
    }
    let more = section.rows.len().saturating_sub(rows.len());
    if more > 0 {
        let _ = writeln!(text, "  … and {more} more (`--format json` and `html` have them)");
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
