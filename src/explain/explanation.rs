//! An explanation: what a security person reads to trust the thing.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::grammar;
use crate::policy::{Access, ColumnAccess, ColumnVerdict, RawColumn, RoleView, WireMasks};
use crate::sql::{LookedUp, Plan, PlannedStatement, Read, Refusal, Written};

/// What would happen to a text.
#[derive(Debug, Serialize)]
pub struct Explanation {
    role: String,
    statement: String,
    /// What.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Whether it would be sent.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It would be sent.
    Sent {
        /// `rewrite` or `forward`.
        verdict: &'static str,
        /// Each of the statements in the text.
        statements: Vec<Sent>,
    },
    /// It would not be.
    Refused {
        /// `refuse`
        verdict: &'static str,
        /// Why.
        refusal: Refused,
    },
}

/// A statement that would be sent.
#[derive(Debug, Serialize)]
pub struct Sent {
    /// `rewrite` or `forward`.
    pub verdict: &'static str,
    /// What it reads.
    pub relations: Vec<Relation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lookups: Vec<Lookup>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    writes: Vec<Write>,
    /// As it is sent.
    pub sql: String,
    /// Columns that come as they are, and are masked on their way to the client.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub masked_on_the_way: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Write {
    relation: String,
    kind: &'static str,
    columns: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Lookup {
    column: String,
    values: u64,
}

/// A text that would not be.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// SQLSTATE.
    pub sqlstate: &'static str,
    /// Message.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The line that decided.
    pub rule: Option<String>,
}

/// A relation that is read.
#[derive(Debug, Serialize)]
pub struct Relation {
    /// `schema.relation`
    pub relation: String,
    /// In words.
    pub seen: &'static str,
    /// Which rows, where not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Column {
    column: String,
    seen: &'static str,
    mask: Option<String>,
    tag: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    classified_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
}

impl Explanation {
    /// Of a text, for what a role sees, and of what planning it gave.
    pub fn new(text: &str, view: &RoleView, planned: &Result<Plan, Refusal>) -> Self {
        let outcome = match planned {
            Ok(plan) => {
                let statements: Vec<Sent> =
                    plan.statements.iter().map(|statement| sent(statement, view)).collect();
                let rewritten = statements.iter().any(|statement| statement.verdict == "rewrite");
                let verdict = if rewritten { "rewrite" } else { "forward" };
                Outcome::Sent { verdict, statements }
            }
            Err(refusal) => Outcome::Refused { verdict: "refuse", refusal: refused(refusal) },
        };
        Explanation { role: view.role().name.clone(), statement: text.trim().to_owned(), outcome }
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("error: {error}"))
    }
}

fn sent(statement: &PlannedStatement, view: &RoleView) -> Sent {
    let masked = statement.reads.iter().any(|read| !read.open);
    let verdict = match statement.kind {
        kind if kind.reads() && masked => "rewrite",
        _ if !statement.writes.is_empty() => "rewrite",
        _ => "forward",
    };
    Sent {
        verdict,
        relations: statement.reads.iter().map(|read| relation(read, view)).collect(),
        writes: statement.writes.iter().map(write).collect(),
        lookups: statement.lookups.iter().map(lookup).collect(),
        sql: statement.sql.as_str().to_owned(),
        masked_on_the_way: statement
            .masks
            .iter()
            .flat_map(|masks| on_the_way(masks, view))
            .collect(),
    }
}

fn on_the_way(masks: &WireMasks, view: &RoleView) -> BTreeSet<String> {
    let name = |raw: &RawColumn| {
        let relation = view.snapshot().relation(raw.table)?;
        let column = relation.columns.iter().find(|column| column.number == raw.number)?;
        Some(format!("{}.{}.{}", relation.schema, relation.name, column.name))
    };
    masks.columns.iter().filter_map(name).collect()
}

fn write(write: &Written) -> Write {
    Write {
        relation: format!("{}.{}", write.schema, write.relation),
        kind: write.kind,
        columns: write.columns.clone(),
    }
}

fn lookup(looked_up: &LookedUp) -> Lookup {
    let LookedUp { schema, relation, column, values } = looked_up;
    Lookup { column: format!("{schema}.{relation}.{column}"), values: *values }
}

fn refused(refusal: &Refusal) -> Refused {
    Refused {
        sqlstate: refusal.code,
        message: refusal.message.clone(),
        hint: refusal.hint.clone(),
        position: refusal.position,
        reason: refusal.reason.word(),
        rule: refusal.rule.as_ref().map(ToString::to_string),
    }
}

fn relation(read: &Read, view: &RoleView) -> Relation {
    let full = format!("{}.{}", read.schema, read.relation);
    let access = view
        .snapshot()
        .relation_named(&read.schema, &read.relation)
        .map(|relation| view.access(relation.oid));
    let access = access.as_ref();
    let mut columns = Vec::new();
    let mut rows = None;
    let template = match access {
        Some(Access::Masked(template)) => Some(template.clone()),
        Some(Access::View(view)) => Some(view.template.clone()),
        Some(Access::Open | Access::Hidden | Access::Closed { .. }) | None => None,
    };
    let is_view = matches!(access, Some(Access::View(_)));
    if let Some(template) = template {
        rows = template.filter.clone();
        let is_read = |access: &&ColumnAccess| {
            read.clear.contains(&access.name)
                || read.masked.iter().any(|(name, _)| *name == access.name)
        };
        columns = template.columns.iter().filter(is_read).map(column).collect();
    }
    let seen = match (read.open, rows.is_some(), columns.iter().any(|c| c.mask.is_some())) {
        (true, _, _) => "open to this role",
        (false, false, false) if is_view => "a view, read through its definition",
        (false, _, true) => "masked",
        (false, true, false) => "clear columns, some rows",
        (false, false, false) => "clear columns only",
    };
    Relation { relation: full, seen, rows, columns }
}

fn column(access: &ColumnAccess) -> Column {
    let (seen, mask) = match &access.verdict {
        ColumnVerdict::Clear => ("clear", None),
        ColumnVerdict::Hidden => ("hidden", None),
        ColumnVerdict::Masked(_) if access.is_as_text() => ("clear", None),
        ColumnVerdict::Masked(mask) => ("masked", Some(mask.clone())),
    };
    Column {
        column: access.name.clone(),
        seen,
        mask,
        tag: access.decision.tag.clone(),
        classified_at: access.decision.classified.as_ref().map(ToString::to_string),
        decided_at: access.decision.rule.as_ref().map(ToString::to_string),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "role       {}", self.role)?;
        writeln!(f, "statement  {}", indented(&self.statement, 11))?;
        match &self.outcome {
            Outcome::Refused { refusal, .. } => refusal.fmt(f),
            Outcome::Sent { statements, .. } => {
                if statements.is_empty() {
                    writeln!(f, "verdict    forward: there is nothing in it")?;
                }
                statements.iter().try_for_each(|statement| statement.fmt(f))
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verdict    REFUSE: nothing is sent, the session goes on")?;
        writeln!(f)?;
        writeln!(f, "  ERROR {}: {}", self.sqlstate, self.message)?;
        if let Some(hint) = &self.hint {
            writeln!(f, "  HINT: {hint}")?;
        }
        if let Some(position) = self.position {
            writeln!(f, "  at character {position}")?;
        }
        if let Some(rule) = &self.rule {
            writeln!(f, "  decided by {rule}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.verdict {
            "rewrite" => "REWRITE: each relation is replaced by what the role sees of it",
            _ => "FORWARD: there is nothing in it to mask",
        };
        writeln!(f, "verdict    {why}")?;
        for relation in &self.relations {
            writeln!(f)?;
            writeln!(f, "  {}  ({})", relation.relation, relation.seen)?;
            if let Some(rows) = &relation.rows {
                writeln!(f, "    only rows where {rows}")?;
            }
            let widest = |part: fn(&Column) -> usize| {
                relation.columns.iter().map(part).max().unwrap_or_default()
            };
            let name_width = widest(|column| column.column.chars().count());
            let mask_width = widest(|column| column.shown().chars().count());
            for column in &relation.columns {
                writeln!(
                    f,
                    "    {:name_width$}  {:mask_width$}  {}",
                    column.column,
                    column.shown(),
                    column.why()
                )?;
            }
        }
        for write in &self.writes {
            writeln!(f)?;
            write!(f, "  {}  (written: {}", write.relation, write.kind)?;
            match write.columns.is_empty() {
                true => writeln!(f, ")")?,
                false => writeln!(f, " of {})", write.columns.join(", "))?,
            }
        }
        for Lookup { column, values } in &self.lookups {
            let values = if *values == 1 { "value".to_owned() } else { format!("{values} values") };
            writeln!(f)?;
            writeln!(f, "  found by the true {values} of {column}")?;
        }
        writeln!(f)?;
        writeln!(f, "sent to PostgreSQL")?;
        let sql = grammar::pretty(&self.sql).unwrap_or_else(|| self.sql.clone());
        writeln!(f, "  {}", indented(&sql, 2))?;
        if !self.masked_on_the_way.is_empty() {
            writeln!(f)?;
            writeln!(f, "masked by Scrim as the rows pass")?;
        }
        self.masked_on_the_way.iter().try_for_each(|column| writeln!(f, "  {column}"))
    }
}

impl Column {
    fn shown(&self) -> &str {
        self.mask.as_deref().unwrap_or(self.seen)
    }

    fn why(&self) -> String {
        let tag = match &self.classified_at {
            Some(place) => format!("{} ({place})", self.tag),
            None => self.tag.clone(),
        };
        match (&self.decided_at, self.tag.as_str()) {
            (Some(rule), _) => format!("{tag}, by {rule}"),
            (None, "open") => tag,
            (None, _) => format!("{tag}, no line of the role matches"),
        }
    }
}

/// The lines after the first start under the first.
fn indented(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{}", " ".repeat(by)))
}
