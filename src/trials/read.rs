//! YAML → cases.
//!
//! A `${NAME}` is no variable here: what a test asks stands in its file, and what fails is printed.

use super::case::{Case, Cell, Expected, Pattern, Place, Who};
use super::table;
use crate::rules::RuleSet;
use crate::text::reader::{Reader, with_near};
use crate::text::yaml::{Entry, Kind, Node};
use crate::text::{Diagnostic, Sources, Span};

pub(super) const KEYS: [&str; 16] = [
    "name",
    "role",
    "user",
    "database",
    "purpose",
    "end_user",
    "settings",
    "query",
    "statement",
    "params",
    "expect",
    "columns",
    "ordered",
    "rows",
    "refused",
    "never_shows",
];

/// What is a name for a person, and not a page.
pub(super) const NAME_CHARACTERS_MAX: usize = 200;

/// Reads the cases of one document into `cases`.
pub(super) fn read_cases(
    reader: &mut Reader<'_>,
    sources: &Sources,
    document: &Node,
    rules: Option<&RuleSet>,
    cases: &mut Vec<Case>,
) {
    let mut names: Vec<(String, Span)> = Vec::new();
    let mut is_empty = true;
    for entry in reader.mapping(document) {
        if entry.key != "tests" {
            reader.unknown_key(entry, &["tests"]);
            continue;
        }
        for node in reader.list(&entry.value) {
            is_empty = false;
            let Some(case) = read_case(reader, sources, node, rules) else { continue };
            match names.iter().find(|(name, _)| *name == case.name) {
                Some((_, first)) => {
                    let message = format!("there are two tests `{}` in this file", case.name);
                    let diagnostic = Diagnostic::error(message, node.span);
                    reader.complain(diagnostic.also(*first, "the first stands here"));
                }
                None => names.push((case.name.clone(), node.span)),
            }
            cases.push(case);
        }
    }
    if is_empty && !reader.has_errors() {
        let diagnostic = Diagnostic::error("there is no test in this file", document.span);
        reader.complain(diagnostic.help("`tests:` is a list of them"));
    }
}

/// What has been read of one.
#[derive(Default)]
struct Draft {
    name: Option<String>,
    role: Option<(String, Span)>,
    user: Option<(String, Span)>,
    database: Option<String>,
    purpose: Option<String>,
    end_user: Option<String>,
    settings: Vec<(String, String)>,
    statement: Option<(String, Span)>,
    params: Vec<Option<String>>,
    expected: Expected,
    has_columns: Option<Span>,
    has_rows: Option<Span>,
    ordered: Option<Span>,
    refused: Option<Span>,
    never: Vec<Pattern>,
}

fn read_case(
    reader: &mut Reader<'_>,
    sources: &Sources,
    node: &Node,
    rules: Option<&RuleSet>,
) -> Option<Case> {
    let Kind::Mapping(entries) = &node.kind else {
        reader.expected(node, "a test (`name: …`, `role: …`, `query: …`)");
        return None;
    };
    let mut draft = Draft::default();
    for entry in entries {
        draft.read(reader, entry);
    }
    draft.judge(reader, node, entries);
    let who = draft.who(reader, node, rules);
    let place = place(sources, node.span);
    let (statement, _) = draft.statement?;
    Some(Case {
        name: draft.name?,
        place,
        who: who?,
        database: draft.database,
        purpose: draft.purpose,
        end_user: draft.end_user,
        settings: draft.settings,
        statement,
        params: draft.params,
        expected: draft.expected,
        never: draft.never,
    })
}

impl Draft {
    fn read(&mut self, reader: &mut Reader<'_>, entry: &Entry) {
        let value = &entry.value;
        match entry.key.as_str() {
            "name" => self.name = name(reader, value),
            "role" => self.role = filled(reader, value).map(|role| (role, value.span)),
            "user" => self.user = filled(reader, value).map(|user| (user, value.span)),
            "database" => self.database = filled(reader, value),
            "purpose" => self.purpose = filled(reader, value),
            "end_user" => self.end_user = filled(reader, value),
            "settings" => {
                for setting in reader.mapping(value) {
                    let Some(text) = scalar(reader, &setting.value) else { continue };
                    self.settings.push((setting.key.clone(), text.unwrap_or_default()));
                }
            }
            "query" | "statement" => {
                if let Some((_, first)) = &self.statement {
                    let message = "a test has `query` or `statement`, not both";
                    let diagnostic = Diagnostic::error(message, entry.key_span);
                    reader.complain(diagnostic.also(*first, "the other one stands here"));
                }
                if let Some(text) = filled(reader, value) {
                    self.statement = Some((text, entry.key_span));
                }
            }
            "params" => {
                let nodes = reader.list(value);
                self.params = nodes.iter().filter_map(|node| scalar(reader, node)).collect();
            }
            "expect" => self.expect(reader, value),
            "columns" => {
                self.has_columns = Some(entry.key_span);
                let names = reader.given_texts(value);
                self.expected.columns =
                    names.map(|names| names.into_iter().map(|(name, _)| name).collect());
            }
            "ordered" => {
                self.ordered = Some(entry.key_span);
                self.expected.is_ordered = reader.truth(value).unwrap_or_default();
            }
            "rows" => self.expected.count = reader.number(value, 0, u64::from(u32::MAX)),
            "refused" => {
                self.refused = Some(entry.key_span);
                self.expected.refused =
                    Some(parts(reader, value, "a part of the message or a SQLSTATE"));
            }
            "never_shows" => {
                for (written, span) in
                    spanned_parts(reader, value, "a pattern such as `/[0-9]{13}/`")
                {
                    match Pattern::parse(&written) {
                        Ok(pattern) => self.never.push(pattern),
                        Err(why) => reader.complain(Diagnostic::error(why, span)),
                    }
                }
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }

    fn expect(&mut self, reader: &mut Reader<'_>, node: &Node) {
        self.has_rows = Some(node.span);
        match &node.kind {
            Kind::String(text) => match table::parse(text) {
                Ok((names, rows)) => {
                    // Names beside a table are a second opinion; `judge` complains.
                    if self.has_columns.is_none() {
                        self.expected.columns = Some(names);
                    }
                    self.expected.rows = Some(rows);
                }
                Err(why) => {
                    let help = "such as\n  expect: |\n    id | email\n    1  | m***@example.com";
                    reader.complain(Diagnostic::error(why, node.span).help(help));
                }
            },
            Kind::Sequence(nodes) => {
                self.expected.rows =
                    Some(nodes.iter().filter_map(|node| row(reader, node)).collect());
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Mapping(_) => {
                reader.expected(node, "a table, or a list of rows");
            }
        }
    }

    /// What is missing, and what does not go together.
    fn judge(&mut self, reader: &mut Reader<'_>, node: &Node, entries: &[Entry]) {
        let has = |key: &str| entries.iter().any(|entry| entry.key == key);
        let head = Span { end: node.span.start.saturating_add(1), ..node.span };
        let mut missing = |message: &str, help: &str| {
            reader.complain(Diagnostic::error(message, head).help(help));
        };
        if !has("name") {
            missing("this test has no `name`", "say in a few words what has to hold");
        }
        if !has("query") && !has("statement") {
            missing("this test asks nothing", "`query: SELECT …`");
        }
        let asks = ["expect", "columns", "rows", "refused", "never_shows"];
        if !asks.iter().any(|key| has(key)) {
            let help =
                "`expect`, `columns`, `rows`, `refused` or `never_shows` says what has to hold";
            missing("this test cannot fail", help);
        }
        let mut clash = |span: Option<Span>, other: Option<Span>, message: &str| {
            if let (Some(span), Some(other)) = (span, other) {
                let diagnostic = Diagnostic::error(message, span);
                reader.complain(diagnostic.also(other, "which stands here"));
            }
        };
        clash(self.refused, self.has_rows, "what is refused has no rows to `expect`");
        clash(self.refused, self.has_columns, "what is refused has no `columns`");
        if let (Some(columns), Some(rows)) = (&self.expected.columns, &self.expected.rows) {
            let wrong = rows.iter().position(|row| row.len() != columns.len());
            if let (Some(wrong), Some(span)) = (wrong, self.has_rows) {
                let message = format!(
                    "row {} has not as many values as there are columns ({})",
                    wrong.saturating_add(1),
                    columns.len()
                );
                reader.complain(Diagnostic::error(message, span));
            }
        }
        let expect = entries.iter().find(|entry| entry.key == "expect");
        let is_table = expect.is_some_and(|entry| matches!(entry.value.kind, Kind::String(_)));
        if is_table && let Some(span) = self.has_columns {
            let message = "the first line of the table names the columns already";
            reader.complain(Diagnostic::error(message, span).help("leave `columns` out"));
        }
        if let (Some(span), None) = (self.ordered, &self.expected.rows) {
            let message = "`ordered` is about the rows of `expect`, and there are none";
            reader.complain(Diagnostic::error(message, span));
        }
        if let (Some(span), Some(_)) = (self.refused, self.expected.count) {
            reader.complain(Diagnostic::error("what is refused has no `rows`", span));
        }
    }

    fn who(&self, reader: &mut Reader<'_>, node: &Node, rules: Option<&RuleSet>) -> Option<Who> {
        let role = self.role.as_ref();
        let Some((name, span)) = &self.user else {
            let Some((role, span)) = role else {
                let head = Span { end: node.span.start.saturating_add(1), ..node.span };
                let diagnostic =
                    Diagnostic::error("this test says neither `role` nor `user`", head);
                reader.complain(diagnostic);
                return None;
            };
            if let Some(rules) = rules.filter(|rules| !rules.roles.contains_key(role)) {
                let known: Vec<&str> = rules.roles.keys().map(String::as_str).collect();
                let diagnostic = Diagnostic::error(format!("there is no role `{role}`"), *span);
                reader.complain(with_near(diagnostic, role, &known));
            }
            return Some(Who::Role(role.clone()));
        };
        if let Some(rules) = rules {
            match rules.user(name) {
                None => {
                    let known: Vec<&str> = rules.users.keys().map(String::as_str).collect();
                    let diagnostic = Diagnostic::error(format!("there is no user `{name}`"), *span);
                    reader.complain(with_near(diagnostic, name, &known));
                }
                Some(user) => {
                    if let Some((role, span)) = role.filter(|(role, _)| !user.roles.contains(role))
                    {
                        let message = format!("user `{name}` does not have role `{role}`");
                        let help = format!("the roles of this user: {}", user.roles.join(", "));
                        reader.complain(Diagnostic::error(message, *span).help(help));
                    }
                }
            }
        }
        Some(Who::User { name: name.clone(), role: role.map(|(role, _)| role.clone()) })
    }
}

fn name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = filled(reader, node)?.trim().to_owned();
    if name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        let message = format!("a name is one line of at most {NAME_CHARACTERS_MAX} characters");
        reader.complain(Diagnostic::error(message, node.span));
    }
    Some(name)
}

/// A row: a list of values, or a value alone.
fn row(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Cell>> {
    match &node.kind {
        Kind::Sequence(nodes) => Some(nodes.iter().filter_map(|node| cell(reader, node)).collect()),
        Kind::Mapping(_) => {
            reader.expected(node, "a row as a list of values");
            None
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
            cell(reader, node).map(|cell| vec![cell])
        }
    }
}

fn cell(reader: &mut Reader<'_>, node: &Node) -> Option<Cell> {
    match &node.kind {
        Kind::Bool(truth) => Some(Cell::Truth(*truth)),
        _ => scalar(reader, node).map(|text| text.map_or(Cell::Null, Cell::Text)),
    }
}

/// `None`: it is none, and has been complained about. `Some(None)`: it is `null`.
fn scalar(reader: &mut Reader<'_>, node: &Node) -> Option<Option<String>> {
    match &node.kind {
        Kind::Null => Some(None),
        Kind::Bool(truth) => Some(Some(truth.to_string())),
        Kind::Number(text) | Kind::String(text) => Some(Some(text.clone())),
        Kind::Sequence(_) | Kind::Mapping(_) => {
            reader.expected(node, "a value");
            None
        }
    }
}

fn filled(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    match scalar(reader, node)? {
        Some(text) if !text.trim().is_empty() => Some(text),
        Some(_) => {
            reader.complain(Diagnostic::error("this text is empty", node.span));
            None
        }
        None => {
            reader.expected(node, "a text");
            None
        }
    }
}

/// A text, or a list of at least one.
fn spanned_parts(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<(String, Span)> {
    let nodes = match &node.kind {
        Kind::Sequence(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() {
        reader.expected(node, what);
    }
    nodes.iter().filter_map(|node| filled(reader, node).map(|text| (text, node.span))).collect()
}

fn parts(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    spanned_parts(reader, node, what).into_iter().map(|(text, _)| text).collect()
}

fn place(sources: &Sources, span: Span) -> Place {
    let origin = sources.origin(span);
    let text = sources.source(span.source).map(|source| source.text.clone()).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    Place {
        file: origin.file,
        line: usize::try_from(origin.line).unwrap_or_default(),
        column: line.chars().count().saturating_add(1),
    }
}
