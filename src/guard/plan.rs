//! What a role may see of a query plan: its shape, the names that exist for the role, and expressions that hold no
//! masked column.
//!
//! The server plans the statement with the masks in it, so its plan holds their SQL, and estimates made of true values.
//! INVARIANT: by allow-list. A line, a member or a name that is not known here does not go out.
//! <https://www.postgresql.org/docs/current/using-explain.html>

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use crate::policy::{Access, ColumnVerdict, Read, RoleView};
use crate::wire::{reader, writer};

/// What stands in place of a name or an expression that is not shown.
const CONCEALED: &str = "***";

/// Members of a plan's node that say how something is done. Their values are words of PostgreSQL's own, or numbers
/// that no estimate went into.
const WORDS: &[&str] = &[
    "Async Capable",
    "Cache Mode",
    "Command",
    "Disabled",
    "Inner Unique",
    "Join Type",
    "Node Type",
    "Operation",
    "Parallel Aware",
    "Parent Relationship",
    "Partial Mode",
    "Scan Direction",
    "Single Copy",
    "Strategy",
    "Subplans Removed",
    "Workers Planned",
];

/// Members that are names.
const NAMES: &[&str] = &[
    "Alias",
    "CTE Name",
    "Function Name",
    "Index Name",
    "Relation Name",
    "Schema",
    "Subplan Name",
    "Table Function Name",
    "Tuplestore Name",
];

/// Members that are expressions.
const EXPRESSIONS: &[&str] = &[
    "Cache Key",
    "Filter",
    "Function Call",
    "Group Key",
    "Hash Cond",
    "Hash Key",
    "Index Cond",
    "Join Filter",
    "Merge Cond",
    "One-Time Filter",
    "Order By",
    "Presorted Key",
    "Recheck Cond",
    "Run Condition",
    "Sort Key",
    "TID Cond",
    "Table Function Call",
    "Window",
];

/// What one role may see of one plan.
#[derive(Debug, Clone)]
pub struct Discretion {
    /// It comes as JSON, in one row; else as text, a row a line.
    json: bool,
    /// Names of columns that are not clear in a relation that the statement reads.
    masked: BTreeSet<String>,
    /// Names of what does not exist for the role: columns of those relations, and relations.
    absent_columns: BTreeSet<String>,
    absent_relations: BTreeSet<String>,
    /// Rows are filtered by rules, whose conditions may turn up in any expression.
    is_filtered: bool,
}

/// The plan cannot be read, so nothing of it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the plan could not be read")]
pub struct Unreadable;

impl Discretion {
    /// For the plan of a statement that reads these relations.
    pub fn new(view: &RoleView, reads: &[Read], json: bool) -> Discretion {
        let mut discretion = Discretion {
            json,
            masked: BTreeSet::new(),
            absent_columns: BTreeSet::new(),
            absent_relations: BTreeSet::new(),
            is_filtered: reads.iter().any(|read| read.filtered),
        };
        let snapshot = view.snapshot();
        for relation in snapshot.relations.values().filter(|relation| !relation.is_system()) {
            let is_read = || {
                let same =
                    |read: &&Read| read.schema == relation.schema && read.relation == relation.name;
                reads.iter().any(|read| same(&read))
            };
            match view.access(relation.oid) {
                Access::Hidden => {
                    discretion.absent_relations.insert(relation.name.clone());
                }
                Access::Masked(template) if is_read() => discretion.add(&template.columns),
                Access::View(view) if is_read() => discretion.add(&view.template.columns),
                Access::Masked(_) | Access::View(_) | Access::Open | Access::Closed { .. } => {}
            }
        }
        discretion
    }

    /// For a plan in which everything is the role's.
    #[cfg(test)]
    pub(crate) fn of_nothing(json: bool) -> Discretion {
        Discretion {
            json,
            masked: BTreeSet::new(),
            absent_columns: BTreeSet::new(),
            absent_relations: BTreeSet::new(),
            is_filtered: false,
        }
    }

    fn add(&mut self, columns: &[crate::policy::ColumnAccess]) {
        for column in columns {
            match column.verdict {
                ColumnVerdict::Clear => {}
                ColumnVerdict::Masked(_) => {
                    self.masked.insert(column.name.clone());
                }
                ColumnVerdict::Hidden => {
                    self.masked.insert(column.name.clone());
                    self.absent_columns.insert(column.name.clone());
                }
            }
        }
    }

    /// The body of a DataRow as the message that the client may have; `None`: nothing of it.
    ///
    /// # Errors
    /// When it is no row of a plan.
    pub fn row(&self, body: &[u8]) -> Result<Option<Bytes>, Unreadable> {
        let values = reader::data_row(body).map_err(|_| Unreadable)?;
        let [Some(value)] = values.as_slice() else { return Err(Unreadable) };
        let text = std::str::from_utf8(value).map_err(|_| Unreadable)?;
        let shown = if self.json { Some(self.document(text)?) } else { self.line(text) };
        let Some(shown) = shown else { return Ok(None) };
        let mut message = BytesMut::new();
        writer::data_row(&mut message, &[Some(shown.as_bytes())]).map_err(|_| Unreadable)?;
        Ok(Some(message.freeze()))
    }

    /// A line of a plan in text form; `None`: it is not shown.
    ///
    /// A line that continues an expression is none that is known, unless it looks like one; it then still says nothing
    /// but words and names.
    fn line(&self, line: &str) -> Option<String> {
        let bare = line.trim_start_matches(' ');
        let bare = bare.strip_prefix("->  ").unwrap_or(bare);
        let lead = line.strip_suffix(bare)?;
        let known = |list: &[&str], key: &str| list.contains(&key);
        let shown = match bare.split_once(": ") {
            Some((key, value)) if known(EXPRESSIONS, key) => {
                format!("{key}: {}", self.expression(value))
            }
            Some((key, value)) if known(WORDS, key) && is_word(value) => bare.to_owned(),
            _ => self.node(bare)?,
        };
        Some(format!("{lead}{shown}"))
    }

    /// `Index Scan using orders_pkey on orders o`: words, and names behind `using` and `on`.
    fn node(&self, text: &str) -> Option<String> {
        let mut shown: Vec<String> = Vec::new();
        let mut names_left = 0_u8;
        let mut has_names = false;
        let mut rest = text;
        while !rest.is_empty() {
            let token = token(rest)?;
            rest = rest.get(token.len()..)?;
            if !rest.is_empty() {
                rest = rest.strip_prefix(' ')?;
            }
            let is_first = shown.is_empty();
            match token {
                "using" | "on" if !is_first && names_left < 2 => {
                    // A relation may have an alias.
                    names_left = if token == "on" { 2 } else { 1 };
                    shown.push(token.to_owned());
                }
                _ if names_left > 0 => {
                    names_left = names_left.saturating_sub(1);
                    has_names = true;
                    shown.push(self.name(token));
                }
                "(returns" => {
                    // (returns $0,$1)
                    let parameters = rest.strip_suffix(')')?;
                    let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '$' | ',');
                    if !parameters.chars().all(is_plain) {
                        return None;
                    }
                    shown.push(format!("(returns {rest}"));
                    rest = "";
                }
                "CTE" if is_first && rest != "Scan" && !rest.starts_with("Scan ") => {
                    names_left = 1;
                    shown.push(token.to_owned());
                }
                // Behind names nothing comes but the relation behind an index.
                word if is_word(word) && !has_names => {
                    let is_capital = word.starts_with(|c: char| c.is_ascii_uppercase());
                    if is_first && !is_capital {
                        return None;
                    }
                    shown.push(word.to_owned());
                }
                _ => return None,
            }
        }
        (!shown.is_empty()).then(|| shown.join(" "))
    }

    fn name(&self, name: &str) -> String {
        let plain = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => name.to_owned(),
        };
        // An index is called after its columns.
        let is_absent = self.absent_relations.contains(&plain)
            || self.absent_columns.iter().any(|column| plain.contains(column.as_str()));
        if is_absent { CONCEALED.to_owned() } else { name.to_owned() }
    }

    fn expression(&self, text: &str) -> String {
        let mentions = |name: &String| mentions(text, name);
        let is_shown = !self.is_filtered
            && !self.masked.iter().any(mentions)
            && !self.absent_relations.iter().any(mentions);
        if is_shown { text.to_owned() } else { CONCEALED.to_owned() }
    }

    fn document(&self, text: &str) -> Result<String, Unreadable> {
        let Ok(Value::Array(plans)) = serde_json::from_str::<Value>(text) else {
            return Err(Unreadable);
        };
        let mut shown = Vec::with_capacity(plans.len());
        for plan in plans {
            let Value::Object(mut plan) = plan else { return Err(Unreadable) };
            let Some(Value::Object(node)) = plan.remove("Plan") else { return Err(Unreadable) };
            let mut only = Map::new();
            only.insert("Plan".to_owned(), self.member(node)?);
            shown.push(Value::Object(only));
        }
        serde_json::to_string_pretty(&shown).map_err(|_| Unreadable)
    }

    /// A node; how deep they nest is limited by the reader of JSON.
    fn member(&self, node: Map<String, Value>) -> Result<Value, Unreadable> {
        let mut shown = Map::new();
        for (key, value) in node {
            let is = |list: &[&str]| list.contains(&key.as_str());
            let value = match value {
                Value::Array(plans) if key == "Plans" => {
                    let node = |plan| match plan {
                        Value::Object(node) => self.member(node),
                        _ => Err(Unreadable),
                    };
                    Value::Array(plans.into_iter().map(node).collect::<Result<_, _>>()?)
                }
                Value::String(text) if is(EXPRESSIONS) => Value::String(self.expression(&text)),
                Value::Array(all) if is(EXPRESSIONS) => Value::Array(
                    all.iter()
                        .filter_map(Value::as_str)
                        .map(|text| Value::String(self.expression(text)))
                        .collect(),
                ),
                Value::String(name) if is(NAMES) => Value::String(self.name(&name)),
                Value::String(word) if is(WORDS) && word.split(' ').all(is_word) => {
                    Value::String(word)
                }
                value @ (Value::Bool(_) | Value::Number(_)) if is(WORDS) => value,
                _ => continue,
            };
            shown.insert(key, value);
        }
        Ok(Value::Object(shown))
    }
}

/// The first token of a node: up to a space that is in no quotes.
fn token(text: &str) -> Option<&str> {
    let mut in_quotes = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_quotes = !in_quotes,
            ' ' if !in_quotes => return text.get(..at).filter(|token| !token.is_empty()),
            _ => {}
        }
    }
    (!in_quotes).then_some(text)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// True when a name stands anywhere in an expression, in literals too: rather too often than not once.
fn mentions(text: &str, name: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
    let is_plain = name.chars().all(continues);
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after =
            text.get(at.saturating_add(name.len())..).and_then(|after| after.chars().next());
        !is_plain || !(before.is_some_and(continues) || after.is_some_and(continues))
    })
}

#[cfg(test)]
mod tests;
