//! INSERT, UPDATE, DELETE and MERGE: the law for what writes.
//!
//! The relation that is written stays a relation, under an alias that no client can write, [`ROW`]. In its row a
//! clear column is itself, and each reference to a masked one becomes its mask over that row; so conditions, assigned
//! values and RETURNING see masks, and indexes on clear columns are used. A row filter stands around the condition.
//! A masked column may be assigned the mask of its present value only, and then keeps its value; so may a column that
//! decides what the role sees (`when`, `rows`).
//!
//! It goes in two steps, neither of which is trusted: [`shape`] changes PostgreSQL's tree at the level of the
//! statement (target, lists of columns, RETURNING, what stands around conditions and values), [`refer`] then puts
//! holes into its text, at the places that PostgreSQL's parser gives. [`prove`] proves the text with holes: in sight
//! of the row no bare name is left, and what is qualified by [`ROW`] is clear for the role.

mod copy_in;
mod prove;
mod refer;
mod shape;
mod target;

pub(super) use target::Target;

use pg_query::protobuf;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{RawStmt, Token};

use super::gate::{Effect, StatementKind};
use super::refusal::Refusal;
use super::resolve::resolve;
use super::verify::AsWritten;
use super::{PlannedStatement, Speaker, fill, reads, rewrite, system};
use crate::grammar::{self, Proof, WriteKind};
use crate::policy::Read;

/// By what the row that is written goes in the text that is sent.
const ROW: &str = "scrim$row";
/// System columns of it that a statement may name: tools find a row again by them.
const SYSTEM_COLUMNS: [&str; 3] = ["ctid", "xmin", "tableoid"];
/// How names begin that are Scrim's own; no statement that writes may hold such a text.
const RESERVED: &str = "scrim$";

/// A relation that a statement writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub relation: String,
    /// `insert`, `update`, `delete`, `merge`, `copy`.
    pub kind: &'static str,
    /// Columns that are assigned, in the order they are first named.
    pub columns: Vec<String>,
}

/// What stands around an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Around {
    /// The row filter, around a condition of a write.
    Filter(usize),
    /// The same where an INSERT meets a row: one that the role does not see is an error.
    Conflict(usize),
    /// Around a value that is assigned to a masked or decisive column.
    Keep(usize, String),
}

/// A text with holes, and what belongs into them.
struct Holes {
    text: String,
    /// Relations that are read.
    holes: Vec<super::hole::Hole>,
    /// Open relations that are read.
    open: Vec<(String, String)>,
    /// Masks of columns of the row that a write is about.
    masks: Vec<(usize, String)>,
}

/// True for a SELECT that writes in its WITH.
pub(super) fn is_in_with(select: &protobuf::SelectStmt) -> bool {
    select.with_clause.iter().flat_map(|with| &with.ctes).any(|cte| match &cte.node {
        Some(Node::CommonTableExpr(cte)) => matches!(
            cte.ctequery.as_deref().and_then(|query| query.node.as_ref()),
            Some(
                Node::InsertStmt(_)
                    | Node::UpdateStmt(_)
                    | Node::DeleteStmt(_)
                    | Node::MergeStmt(_)
            )
        ),
        _ => false,
    })
}

/// Plans a statement that writes.
pub(super) fn plan(
    text: &str,
    statement: &RawStmt,
    speaker: Speaker<'_>,
) -> Result<PlannedStatement, Refusal> {
    if let Some(Node::CopyStmt(copy)) = statement.stmt.as_ref().and_then(|node| node.node.as_ref())
    {
        return copy_in::plan_copy(copy, speaker);
    }
    let role = &speaker.view.role().name;
    let written = grammar::prove_statement(statement, &AsWritten(speaker))
        .map_err(|found| Refusal::violation(&found, role))?;
    let mut reads = Vec::new();
    for relation in &written.relations {
        let target = resolve(speaker, relation.schema.as_deref(), &relation.name)
            .map_err(|refusal| refusal.at(text, relation.location))?;
        reads::add(&mut reads, &target, relation, &written, speaker);
    }
    let canonical =
        super::canonical(statement, Some(text)).map_err(|error| Refusal::syntax(&error))?;
    if canonical.contains(RESERVED) {
        return Err(Refusal::not_understood("names that begin with `scrim$` are Scrim's own"));
    }
    let (shaped, targets, around) = shape::shape(statement, &written, speaker)?;
    let names_places = system::has_absent(speaker) && may_name_places(&canonical);
    if names_places {
        let plain = targets.iter().all(|target| !target.hides_children);
        let plain = plain.then(|| without_own_names(statement)).transpose()?;
        if plain.is_none_or(|plain| may_name_places(&plain)) {
            let what = "functions and types that know relations by their names, in a statement that writes";
            return Err(Refusal::not_understood(what));
        }
    }
    let (shaped, read) = grammar::printed(&shaped).map_err(|error| Refusal::syntax(&error))?;
    let (holes, seen) = refer::refer(&shaped, &read, &targets, speaker)?;
    if names_places {
        prove::only_own_places(&holes)?;
    }
    let pieces = prove::prove(&holes, &around, &written.parameters, speaker)?;
    let sql = fill::fill_pieces(&holes.text, pieces)?;
    let cursors: Vec<&String> =
        written.writes.iter().filter_map(|write| write.cursor.as_ref()).collect();
    // The session knows which cursors may be read further, and asks about one.
    let effect = match cursors[..] {
        [] => Effect::None,
        [cursor] => Effect::Fetch(cursor.clone()),
        _ => return Err(Refusal::not_understood("the rows of two cursors in one statement")),
    };
    for read in seen {
        reads::merge(&mut reads, read);
    }
    let returning = match statement.stmt.as_ref().and_then(|node| node.node.as_ref()) {
        Some(Node::InsertStmt(insert)) => insert.returning_clause.is_some(),
        Some(Node::UpdateStmt(update)) => update.returning_clause.is_some(),
        Some(Node::DeleteStmt(delete)) => delete.returning_clause.is_some(),
        Some(Node::MergeStmt(merge)) => merge.returning_clause.is_some(),
        _ => true,
    };
    Ok(PlannedStatement {
        canonical,
        sql,
        kind: StatementKind::Write { returning },
        effect,
        reads,
        writes: writes(&written, &targets),
        lookups: Vec::new(),
        probe: None,
        reading: None,
        masks: None,
    })
}

/// True when a text may hold what knows relations by their names or numbers, outside of its strings.
fn may_name_places(text: &str) -> bool {
    if !rewrite::may_mention(text) {
        return false;
    }
    let Some(tokens) = grammar::tokens(text) else { return true };
    let mut rest = 0;
    let mut plain = String::with_capacity(text.len());
    for token in tokens.iter().filter(|token| token.token() == Token::Sconst) {
        let place = usize::try_from(token.start).ok().zip(usize::try_from(token.end).ok());
        let Some((before, end)) =
            place.and_then(|(start, end)| Some((text.get(rest..start)?, end)))
        else {
            return true;
        };
        plain.push_str(before);
        rest = end;
    }
    text.get(rest..).is_none_or(|tail| rewrite::may_mention(&(plain + tail)))
}

/// The text without `tableoid::regclass`, which of the row that is written is a table that the role may write.
/// [`prove::only_own_places`] proves that it is of that row.
fn without_own_names(statement: &RawStmt) -> Result<String, Refusal> {
    let mut statement = statement.clone();
    if let Some(node) = statement.stmt.as_mut().and_then(|node| node.node.as_mut()) {
        forget_own_names(node);
    }
    grammar::deparse(&statement).map_err(|error| Refusal::syntax(&error))
}

fn forget_own_names(node: &mut Node) {
    for below in grammar::children(node) {
        let Some(inner) = &mut below.node else { continue };
        match inner {
            Node::TypeCast(cast) if is_own_name(cast) => {
                if let Some(tableoid) = cast.arg.take() {
                    *below = *tableoid;
                }
            }
            inner => forget_own_names(inner),
        }
    }
}

fn is_own_name(cast: &protobuf::TypeCast) -> bool {
    let name = |node: Option<&protobuf::Node>| match node.and_then(|node| node.node.as_ref()) {
        Some(Node::String(name)) => name.sval.clone(),
        _ => String::new(),
    };
    let is_regclass = cast.type_name.as_ref().is_some_and(|type_name| {
        type_name.array_bounds.is_empty() && name(type_name.names.last()) == "regclass"
    });
    let value = cast.arg.as_deref().and_then(|value| value.node.as_ref());
    is_regclass
        && matches!(value, Some(Node::ColumnRef(column)) if name(column.fields.last()) == "tableoid")
}

/// What is written, for the audit and for `explain`.
fn writes(proof: &Proof, targets: &[Target]) -> Vec<Written> {
    let all = proof.writes.iter().zip(targets);
    all.map(|(write, target)| {
        let mut columns: Vec<String> = Vec::new();
        let mut assigned: Vec<String> =
            write.assignments.iter().map(|assignment| assignment.column.clone()).collect();
        for list in &write.inserts {
            match list.is_empty() {
                true => assigned.extend(target.visible().map(str::to_owned)),
                false => assigned.extend(list.iter().cloned()),
            }
        }
        for column in assigned {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let kind = match write.kind {
            WriteKind::Insert => "insert",
            WriteKind::Update => "update",
            WriteKind::Delete => "delete",
            WriteKind::Merge => "merge",
        };
        let (schema, relation) = (target.schema.clone(), target.name.clone());
        Written { schema, relation, kind, columns }
    })
    .collect()
}

/// A mention of the row's own columns, as something that is read.
fn read_of(target: &Target, columns: &[String]) -> Read {
    let masked = |column: &String| Some((column.clone(), target.label(column)?));
    Read {
        schema: target.schema.clone(),
        relation: target.name.clone(),
        open: target.template.is_none(),
        clear: columns.iter().filter(|column| masked(column).is_none()).cloned().collect(),
        masked: columns.iter().filter_map(masked).collect(),
        filtered: target.template.as_ref().is_some_and(|template| template.filter.is_some()),
    }
}

#[cfg(test)]
mod tests;
