//! The report for a terminal.

use std::fmt::Write as _;

use super::head::{figures, head};
use super::sections::{Section, sections};
use super::shown::shown;
use super::told::Report;
use super::words::{Language, Word};

/// Rows of a table; JSON and HTML have the others.
const ROWS_MAX: usize = 20;
/// Characters of a cell.
const CELL_MAX: usize = 60;
/// What stands before the values on top.
const HEAD_WIDTH: usize = 15;

impl Report {
    /// For people.
    pub fn to_text(&self, language: Language) -> String {
        let mut text = String::new();
        for (what, value) in head(self, language) {
            let _ = writeln!(text, "{what}{} {}", filler(what, HEAD_WIDTH), shown(&value));
        }
        let figures =
            figures(self, language).into_iter().map(|(what, count)| format!("{what} {count}"));
        let _ = writeln!(text, "\n{}", figures.collect::<Vec<_>>().join(", "));
        for section in sections(self, language) {
            // What is a picture alone has no place here.
            if !section.columns.is_empty() {
                written(&section, language, &mut text);
            }
        }
        for note in &self.notes {
            let told = note.told(language);
            let _ = writeln!(text, "\n{}", Word::Note.with(language, &[&shown(&told)]));
        }
        text.trim_end().to_owned()
    }
}

fn written(section: &Section, language: Language, text: &mut String) {
    let _ = writeln!(text, "\n{}", section.title);
    if let Some(words) = &section.words {
        let _ = writeln!(text, "  {}", shown(words));
    }
    if section.rows.is_empty() {
        let _ = writeln!(text, "  {}", section.nothing.unwrap_or(Word::None.of(language)));
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
        let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| places(cell));
        let title = section.columns.get(index).map_or(0, |column| places(column.title));
        cells.chain([title]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..section.columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for ((cell, column), width) in cells.zip(&section.columns).zip(&widths) {
            let _ = match column.is_number {
                true => write!(out, "  {}{cell}", filler(cell, *width)),
                false => write!(out, "  {cell}{}", filler(cell, *width)),
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
        let _ = writeln!(text, "  {}", Word::MoreElsewhere.with(language, &[&more.to_string()]));
    }
}

/// What is missing to a width.
fn filler(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(places(text)))
}

/// How many places of a terminal a text takes: Korean, Chinese and Japanese letters take two.
fn places(text: &str) -> usize {
    let wide = |character: char| {
        matches!(character,
            '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}' | '\u{a960}'..='\u{a97f}'
            | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
            | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|character| if wide(character) { 2 } else { 1 }).sum()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_letters_take_two_places() {
        for (text, count) in
            [("", 0), ("role", 4), ("역할", 4), ("김 kim", 6), ("…ü", 2), ("한글名", 6)]
        {
            assert_eq!(places(text), count, "{text}");
            assert_eq!(filler(text, 10).len(), 10 - count, "{text}");
        }
        assert_eq!(filler("역할", 3), "");
    }
}
