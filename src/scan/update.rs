//! A file that scan wrote before, written again: its own lines are replaced, people's are kept to the letter.

use std::collections::BTreeMap;

use crate::rules::RelationName;
use crate::text::Sources;
use crate::text::yaml::{self, Entry, Kind, Node};

use super::write::{
    HEADER, OWN_COMMENT, REVIEW, TableProposal, column_lines, is_new, rest_lines, sql_name,
    table_comments, table_lines,
};

/// A column's line that a person has approved, or written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approved {
    /// As SQL writes it.
    pub relation: String,
    /// The column.
    pub column: String,
    /// Its tag.
    pub tag: String,
}

/// True for a file that scan wrote.
pub fn is_ours(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').starts_with(HEADER)
}

/// The lines of a file that are a person's.
///
/// # Errors
/// Why the file cannot be read.
pub fn approved(text: &str) -> Result<Vec<Approved>, String> {
    let file = File::read(text)?;
    let mut found = Vec::new();
    for (relation, table) in &file.tables {
        for column in table.columns.iter().filter(|column| !column.tag.starts_with(REVIEW)) {
            found.push(Approved {
                relation: relation.clone(),
                column: column.name.clone(),
                tag: column.tag.clone(),
            });
        }
    }
    found.sort();
    Ok(found)
}

/// The file with new proposals in it.
///
/// # Errors
/// Why it cannot be done without touching what a person wrote; nothing is lost then.
pub fn update(text: &str, tables: &[TableProposal]) -> Result<String, String> {
    if !is_ours(text) {
        return Err("it was not written by `scrim scan`".into());
    }
    let file = File::read(text)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut edit = Edit { gone: vec![false; lines.len()], behind: BTreeMap::new() };
    for (index, line) in lines.iter().enumerate() {
        edit.drop_if(index, line.trim_start().starts_with(OWN_COMMENT));
    }
    for table in file.tables.values() {
        for column in table.columns.iter().filter(|column| column.tag.starts_with(REVIEW)) {
            if column.first != column.last || column.first == table.columns_line {
                return Err(format!(
                    "line {}: a proposal is not on a line of its own",
                    column.first + 1
                ));
            }
            edit.drop_if(column.first, true);
        }
    }
    let mut appended = Vec::new();
    for proposal in tables.iter().filter(|table| table.elsewhere.is_none()) {
        match file.tables.get(&proposal.relation) {
            Some(table) => edit.table(table, proposal)?,
            None if is_new(proposal) => appended.extend(table_lines(proposal)),
            None => {}
        }
    }
    for (_, table) in file.tables.iter().filter(|(name, table)| table.is_empty_with(name, tables)) {
        edit.drop_if(table.line, true);
        edit.drop_if(table.columns_line, true);
    }
    let mut rest = Vec::new();
    match (file.tables_end, appended.is_empty()) {
        (_, true) => {}
        (Some(end), false) => edit.behind.entry(end).or_default().extend(appended),
        (None, false) => {
            rest.push("\ntables:".to_owned());
            rest.extend(appended);
        }
    }
    let in_file = |table: &&TableProposal| !file.tables.contains_key(&table.relation);
    let others: Vec<TableProposal> = tables.iter().filter(in_file).cloned().collect();
    let own: Vec<TableProposal> = tables.iter().filter(|table| !in_file(table)).cloned().collect();
    rest.extend(rest_lines(&others));
    // Of those that stand here, doubts alone are left to tell.
    rest.extend(super::write::elsewhere_lines(&own));
    let new = edit.apply(&lines, rest);
    check(text, &new)?;
    Ok(new)
}

/// Nothing of a person's may be lost, whatever the code above does.
fn check(old: &str, new: &str) -> Result<(), String> {
    let lost =
        || "its lines could not be kept; write to another file and move what is new".to_owned();
    if approved(old)? != approved(new)? {
        return Err(lost());
    }
    let is_own = |line: &&str| line.trim_start().starts_with(OWN_COMMENT) || line.contains(REVIEW);
    let mut rest = new.lines();
    let file = File::read(old)?;
    let heads: Vec<usize> =
        file.tables.values().flat_map(|table| [table.line, table.columns_line]).collect();
    for (index, line) in old.lines().enumerate() {
        let may_go = is_own(&line) || line.trim().is_empty() || heads.contains(&index);
        if !may_go && !rest.any(|kept| kept == line) {
            return Err(lost());
        }
    }
    Ok(())
}

/// Lines that go, and lines that come behind others.
struct Edit {
    gone: Vec<bool>,
    behind: BTreeMap<usize, Vec<String>>,
}

impl Edit {
    fn drop_if(&mut self, line: usize, is_so: bool) {
        if let Some(gone) = self.gone.get_mut(line) {
            *gone = *gone || is_so;
        }
    }

    fn table(&mut self, table: &FileTable, proposal: &TableProposal) -> Result<(), String> {
        let mut new: Vec<String> = proposal
            .columns
            .iter()
            .flat_map(|column| column_lines(column, &table.indent))
            .collect();
        new.extend(table_comments(proposal, &table.indent));
        if new.is_empty() {
            return Ok(());
        }
        if !table.has_columns {
            return Err(format!(
                "line {}: there is no `columns:` to put lines below",
                table.line + 1
            ));
        }
        if table.columns.iter().any(|column| column.first == table.columns_line) {
            return Err(format!(
                "line {}: columns are not on lines of their own",
                table.columns_line + 1
            ));
        }
        let last =
            table.columns.iter().map(|column| column.last).max().unwrap_or(table.columns_line);
        self.behind.entry(last).or_default().extend(new);
        Ok(())
    }

    fn apply(self, lines: &[&str], rest: Vec<String>) -> String {
        let mut text = String::new();
        let mut put = |line: &str| {
            text.push_str(line);
            text.push('\n');
        };
        for (index, line) in lines.iter().enumerate() {
            if !self.gone.get(index).copied().unwrap_or_default() {
                put(line);
            }
            self.behind.get(&index).into_iter().flatten().for_each(|line| put(line));
        }
        rest.iter().for_each(|line| put(line));
        text
    }
}

struct File {
    tables: BTreeMap<String, FileTable>,
    /// The last line of `tables:`; `None`: there is none.
    tables_end: Option<usize>,
}

struct FileTable {
    line: usize,
    columns_line: usize,
    has_columns: bool,
    /// Other keys than `columns`.
    has_more: bool,
    indent: String,
    columns: Vec<FileColumn>,
}

struct FileColumn {
    name: String,
    tag: String,
    first: usize,
    last: usize,
}

impl FileTable {
    /// All of it was proposed, and nothing is any more.
    fn is_empty_with(&self, name: &str, tables: &[TableProposal]) -> bool {
        let kept = self.columns.iter().any(|column| !column.tag.starts_with(REVIEW));
        let comes = tables.iter().any(|table| table.relation == name && !table.columns.is_empty());
        !kept && !comes && !self.has_more && self.has_columns && self.columns_line != self.line
    }
}

impl File {
    fn read(text: &str) -> Result<File, String> {
        let mut sources = Sources::default();
        let id = sources.add("scan", text);
        let document = yaml::parse(&sources, id).map_err(|found| {
            let why = found.first().map(|found| found.message.clone()).unwrap_or_default();
            format!("it is no YAML that Scrim reads: {why}")
        })?;
        let line_of = |byte: usize| text.bytes().take(byte).filter(|byte| *byte == b'\n').count();
        let mut file = File { tables: BTreeMap::new(), tables_end: None };
        for entry in entries(&document) {
            if entry.key != "tables" {
                continue;
            }
            file.tables_end = Some(last_line(entry, &line_of));
            for table in entries(&entry.value) {
                let name = crate::rules::parse_relation(&table.key)?;
                let RelationName { schema, name } = name;
                let columns = entries(&table.value).iter().find(|part| part.key == "columns");
                let mut read = FileTable {
                    line: line_of(table.key_span.start),
                    columns_line: columns.map_or(usize::MAX, |part| line_of(part.key_span.start)),
                    has_columns: columns.is_some(),
                    has_more: entries(&table.value).iter().any(|part| part.key != "columns"),
                    indent: "      ".to_owned(),
                    columns: Vec::new(),
                };
                for column in columns.into_iter().flat_map(|part| entries(&part.value)) {
                    let first = line_of(column.key_span.start);
                    let start = text.lines().nth(first).unwrap_or_default();
                    let indent: String = start.chars().take_while(|c| *c == ' ').collect();
                    if read.columns.is_empty() {
                        read.indent = indent;
                    }
                    let Kind::String(tag) = &column.value.kind else { continue };
                    read.columns.push(FileColumn {
                        name: column.key.clone(),
                        tag: tag.clone(),
                        first,
                        last: last_line(column, &line_of),
                    });
                }
                file.tables.insert(sql_name(&schema, &name), read);
            }
        }
        Ok(file)
    }
}

fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        Kind::Mapping(entries) => entries,
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) | Kind::Sequence(_) => &[],
    }
}

/// The last line on which something of an entry stands.
fn last_line(entry: &Entry, line_of: &impl Fn(usize) -> usize) -> usize {
    let own = line_of(entry.key_span.end.saturating_sub(1).max(entry.key_span.start));
    let value = match &entry.value.kind {
        Kind::Mapping(entries) if !entries.is_empty() => {
            entries.iter().map(|entry| last_line(entry, line_of)).max().unwrap_or(own)
        }
        _ => line_of(entry.value.span.end.saturating_sub(1).max(entry.value.span.start)),
    };
    own.max(value)
}

#[cfg(test)]
mod tests {
    use super::{approved, update};
    use crate::scan::write::{Proposal, TableProposal, new_file};

    fn proposal(column: &str) -> Proposal {
        Proposal {
            column: column.into(),
            type_sql: "text".into(),
            tag: "contact.email",
            confidence: Some(0.9),
            evidence: vec!["name: email".into()],
            places: Vec::new(),
        }
    }

    fn table(relation: &str, columns: &[&str]) -> TableProposal {
        TableProposal {
            relation: relation.into(),
            elsewhere: None,
            columns: columns.iter().map(|column| proposal(column)).collect(),
            doubts: Vec::new(),
            unknown: Vec::new(),
            classified: 0,
            rows: None,
            failed: None,
        }
    }

    #[test]
    fn what_a_person_wrote_stays_where_it_is() {
        let old = new_file(&[table("a.b", &["xx", "yy"]), table("a.c", &["z"])]);
        let old = old.replace("xx: review.contact.email", "xx: contact.email")
            + "# the end\nopen: [a.d]\n";
        let new = update(&old, &[table("a.b", &["yy", "new"]), table("a.e", &["q"])]).unwrap();
        assert!(new.contains("      xx: contact.email "), "{new}");
        for line in [
            "yy: review.contact.email",
            "new: review.contact.email",
            "  a.e:\n    columns:\n      q: review.",
        ] {
            assert_eq!(new.matches(line).count(), 1, "{line}:\n{new}");
        }
        assert!(!new.contains("a.c"), "nothing is proposed for it any more:\n{new}");
        assert!(new.ends_with("# the end\nopen: [a.d]\n"), "{new}");
        assert_eq!(approved(&new), approved(&old));
        assert_eq!(
            update(&new, &[table("a.b", &["yy", "new"]), table("a.e", &["q"])]).as_deref(),
            Ok(new.as_str())
        );
    }

    #[test]
    fn what_cannot_be_changed_line_by_line_is_refused() {
        let head = "# Written by `scrim scan`: x\n";
        for (text, why) in [
            ("tables: {a.b: {columns: {x: review.contact.email}}}\n", "on a line of its own"),
            ("tables:\n  a.b:\n    columns: {x: contact.email}\n", "not on lines of their own"),
            ("tables:\n  a.b:\n    conditions: {c: true}\n", "no `columns:`"),
            ("tables: [\n", "no YAML"),
        ] {
            let said = update(&format!("{head}{text}"), &[table("a.b", &["y"])]);
            assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{text}: {said:?}");
        }
        assert!(update("tables: {}\n", &[]).is_err_and(|said| said.contains("not written by")));
    }

    #[test]
    fn names_of_any_kind_end_no_line() {
        for name in [
            "a: b",
            "new\nline",
            "# x",
            "true",
            "\u{2028}",
            "\"",
            "\\",
            "null",
            "1",
            "메일",
            "'",
            "- x",
            "é",
            "\t",
        ] {
            let text = new_file(&[table("a.b", &[name])]);
            let found = approved(&text.replace("review.", "")).unwrap();
            assert_eq!(found.len(), 1, "{name:?}:\n{text}");
            assert_eq!(found[0].column, name, "{text}");
        }
    }
}
