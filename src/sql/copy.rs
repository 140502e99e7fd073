//! COPY … TO STDOUT: of a query, or of a table, which is the query `SELECT its columns FROM ONLY it`.
//! <https://www.postgresql.org/docs/current/sql-copy.html>

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, CopyStmt, DefElem};

use super::Speaker;
use super::hole::Content;
use super::refusal::Refusal;
use super::resolve::{Target, resolve_named};
use crate::catalog::{Relation, RelationKind};
use crate::grammar::{self, quote_identifier};
use crate::policy::ColumnVerdict;

/// What a COPY to the client is.
#[derive(Debug)]
pub(super) struct CopyOut {
    /// The statement, of a query in any case.
    pub(super) node: Node,
    /// As the client wrote it, its options in one of the ways there are.
    pub(super) written: Node,
    /// The query was made here: places in it are none of the client's text.
    pub(super) made: bool,
    /// Messages of data that are no row: a header line, or the end of the binary format.
    pub(super) extra_messages: u8,
}

/// Judges a COPY: to the client, with options that say how values are written and nothing else.
pub(super) fn judge(copy: &CopyStmt, speaker: Speaker<'_>) -> Result<CopyOut, Refusal> {
    let refused = |what: &str| Err(Refusal::statement_kind(what, &speaker.view.role().name));
    if copy.is_from {
        return refused("COPY FROM");
    }
    if copy.is_program {
        return refused("COPY TO PROGRAM");
    }
    if !copy.filename.is_empty() {
        return refused("COPY TO a file");
    }
    let mut extra_messages = 0;
    for option in &copy.options {
        extra_messages |= judge_option(option)?;
    }
    let mut copy = copy.clone();
    copy.options.iter_mut().for_each(say_header_one_way);
    let written = Node::CopyStmt(Box::new(copy.clone()));
    let made = copy.relation.is_some();
    if let Some(table) = copy.relation.take() {
        let query = of_table(&table, &std::mem::take(&mut copy.attlist), speaker)?;
        let mut statements = grammar::parse(&query).map_err(|error| Refusal::syntax(&error))?;
        copy.query = statements.pop().and_then(|statement| statement.stmt);
    }
    match copy.query.as_ref().and_then(|query| query.node.as_ref()) {
        Some(Node::SelectStmt(query)) if query.into_clause.is_none() => {}
        _ => return refused("COPY of what is no SELECT"),
    }
    Ok(CopyOut { node: Node::CopyStmt(Box::new(copy)), written, made, extra_messages })
}

/// 1 where the option makes one message of data that is no row.
fn judge_option(option: &protobuf::Node) -> Result<u8, Refusal> {
    let unknown = |name: &str| Err(Refusal::copy_option(name));
    let Some(Node::DefElem(option)) = &option.node else { return unknown("of this form") };
    let DefElem { defnamespace, defname, arg, defaction: _, location: _, arg_location: _ } =
        &**option;
    if !defnamespace.is_empty() {
        return unknown(defname);
    }
    let arg = arg.as_ref().and_then(|arg| arg.node.as_ref());
    let text = match arg {
        None => None,
        Some(Node::String(text)) => Some(text.sval.as_str()),
        Some(Node::Boolean(truth)) => Some(if truth.boolval { "true" } else { "false" }),
        Some(Node::Integer(number)) => Some(if number.ival == 0 { "false" } else { "true" }),
        Some(Node::AStar(_) | Node::List(_)) if defname == "force_quote" => None,
        Some(_) => return unknown(defname),
    };
    match (defname.as_str(), text) {
        ("format", Some("text" | "csv")) => Ok(0),
        ("format", Some("binary")) => Ok(1),
        ("header", Some(text))
            if text.eq_ignore_ascii_case("false") || text.eq_ignore_ascii_case("off") =>
        {
            Ok(0)
        }
        ("header", _) => Ok(1),
        ("delimiter" | "null" | "quote" | "escape", Some(_)) | ("force_quote", None) => Ok(0),
        ("encoding", Some(name)) if is_utf8(name) => Ok(0),
        _ => unknown(defname),
    }
}

/// `CSV HEADER` of old says what `(HEADER)` says; the printer knows the second.
pub(super) fn say_header_one_way(option: &mut protobuf::Node) {
    if let Some(Node::DefElem(option)) = &mut option.node
        && option.defname == "header"
        && let Some(Node::Boolean(protobuf::Boolean { boolval: true })) =
            option.arg.as_ref().and_then(|arg| arg.node.as_ref())
    {
        option.arg = None;
    }
}

fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf8") || name.eq_ignore_ascii_case("utf-8")
}

/// The query that COPY of a table means. Not of generated columns, unless they are named, which is an error.
fn of_table(
    table: &protobuf::RangeVar,
    list: &[protobuf::Node],
    speaker: Speaker<'_>,
) -> Result<String, Refusal> {
    let target = resolve_named(speaker, table)?;
    if let Target::Hole(Content::Temporary { .. }) = target {
        return of_temporary(table, list);
    }
    let (schema, name) = target.name();
    let relation = speaker.view.snapshot().relation_named(schema, name);
    let relation = relation.ok_or_else(|| Refusal::no_such_relation(&table.relname))?;
    let kind = match relation.kind {
        RelationKind::Table => None,
        RelationKind::PartitionedTable => Some("partitioned table"),
        RelationKind::View => Some("view"),
        RelationKind::MaterializedView => Some("materialized view"),
        RelationKind::ForeignTable => Some("foreign table"),
        RelationKind::Sequence => Some("sequence"),
    };
    if let Some(kind) = kind {
        return Err(Refusal::not_copied(kind, &relation.name));
    }
    let visible = visible_columns(&target, relation);
    let mut chosen: Vec<&str> = Vec::new();
    for item in list {
        let Some(Node::String(name)) = &item.node else {
            return Err(Refusal::not_understood("a COPY list that holds no names"));
        };
        let name = name.sval.as_str();
        if !visible.contains(&name) {
            return Err(Refusal::no_such_column_of(name, &relation.name));
        }
        if chosen.contains(&name) {
            return Err(Refusal::column_twice(name));
        }
        if is_generated(relation, name) {
            return Err(Refusal::generated_column(name));
        }
        chosen.push(name);
    }
    if list.is_empty() {
        chosen = visible.into_iter().filter(|name| !is_generated(relation, name)).collect();
    }
    let columns: Vec<_> = chosen.into_iter().map(quote_identifier).collect();
    let schema = match table.schemaname.as_str() {
        "" => String::new(),
        schema => format!("{}.", quote_identifier(schema)),
    };
    Ok(format!(
        "SELECT {} FROM ONLY {schema}{}",
        columns.join(", "),
        quote_identifier(&table.relname)
    ))
}

/// Of a temporary table nothing is known but its name.
fn of_temporary(table: &protobuf::RangeVar, list: &[protobuf::Node]) -> Result<String, Refusal> {
    let mut columns = Vec::new();
    for item in list {
        let Some(Node::String(name)) = &item.node else {
            return Err(Refusal::not_understood("a COPY list that holds no names"));
        };
        columns.push(quote_identifier(&name.sval));
    }
    let columns = if columns.is_empty() { "*".to_owned() } else { columns.join(", ") };
    Ok(format!("SELECT {columns} FROM {}", quote_identifier(&table.relname)))
}

fn visible_columns<'a>(target: &'a Target, relation: &'a Relation) -> Vec<&'a str> {
    let template = match target {
        Target::Open { .. } => None,
        Target::Hole(content) => content.columns(),
    };
    match template {
        Some(columns) => columns
            .iter()
            .filter(|column| column.verdict != ColumnVerdict::Hidden)
            .map(|column| column.name.as_str())
            .collect(),
        None => relation.columns.iter().map(|column| column.name.as_str()).collect(),
    }
}

fn is_generated(relation: &Relation, name: &str) -> bool {
    relation.column(name).is_some_and(|column| column.generated)
}
