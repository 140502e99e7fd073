//! COPY … FROM STDIN: rows of the client's own, into columns that the role sees clear.
//! <https://www.postgresql.org/docs/current/sql-copy.html>
//!
//! It holds no expression, so it needs no rewriting: the table gets its full name and its list of columns, and goes
//! out as PostgreSQL's printer prints it, with options by allow-list.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, CopyStmt, DefElem};

use super::super::fill::VerifiedSql;
use super::super::gate::{Effect, StatementKind};
use super::super::refusal::Refusal;
use super::super::wrapped::raw;
use super::super::{PlannedStatement, Speaker};
use super::target::{Seen, Target};
use super::{RESERVED, Written};
use crate::grammar;

/// Plans a COPY from the client.
pub(in super::super) fn plan_copy(
    copy: &CopyStmt,
    speaker: Speaker<'_>,
) -> Result<PlannedStatement, Refusal> {
    let CopyStmt { relation, query, attlist, is_from, is_program, filename, options, where_clause } =
        copy;
    let refused = |what: &str| Err(Refusal::statement_kind(what, &speaker.view.role().name));
    if !is_from || query.is_some() {
        return refused("COPY FROM of what is no table");
    }
    if *is_program {
        return refused("COPY FROM PROGRAM");
    }
    if !filename.is_empty() {
        return refused("COPY FROM a file");
    }
    if where_clause.is_some() {
        return refused("COPY FROM with WHERE");
    }
    let target = Target::of(relation.as_ref(), speaker)?;
    let columns = columns(&target, attlist)?;
    for option in options {
        judge_option(option, &columns, &target)?;
    }
    let canonical = grammar::deparse(&raw(Node::CopyStmt(Box::new(one_way(copy.clone())))))
        .map_err(|error| Refusal::syntax(&error))?;
    if canonical.contains(RESERVED) {
        return Err(Refusal::not_understood("names that begin with `scrim$` are Scrim's own"));
    }
    let mut sent = one_way(copy.clone());
    if let Some(relation) = &mut sent.relation {
        relation.catalogname = String::new();
        relation.schemaname = target.schema.clone();
        relation.relname = target.name.clone();
    }
    sent.attlist = columns.iter().map(|name| string(name)).collect();
    let text = grammar::deparse(&raw(Node::CopyStmt(Box::new(sent))))
        .map_err(|error| Refusal::syntax(&error))?;
    Ok(PlannedStatement {
        canonical,
        sql: VerifiedSql::of_gate(text),
        kind: StatementKind::CopyIn,
        effect: Effect::None,
        reads: Vec::new(),
        writes: vec![Written {
            schema: target.schema.clone(),
            relation: target.name.clone(),
            kind: "copy",
            columns,
        }],
        lookups: Vec::new(),
        probe: None,
        reading: None,
        masks: None,
    })
}

/// The columns that get values: those that are named, or all that the role sees and that are not generated.
fn columns(target: &Target, list: &[protobuf::Node]) -> Result<Vec<String>, Refusal> {
    let is_generated = |name: &str| target.column(name).is_some_and(|column| column.generated);
    let mut columns: Vec<String> = Vec::new();
    for item in list {
        let Some(Node::String(name)) = &item.node else {
            return Err(Refusal::not_understood("a COPY list that holds no names"));
        };
        let name = &name.sval;
        if target.seen(name) == Seen::Absent {
            return Err(Refusal::no_such_column_of(name, &target.name));
        }
        if columns.contains(name) {
            return Err(Refusal::column_twice(name));
        }
        if is_generated(name) {
            return Err(Refusal::generated_column(name));
        }
        columns.push(name.clone());
    }
    if list.is_empty() {
        let names = target.visible().filter(|name| !is_generated(name));
        columns = names.map(str::to_owned).collect();
    }
    columns.iter().try_for_each(|column| target.judge_new(column))?;
    Ok(columns)
}

fn judge_option(
    option: &protobuf::Node,
    columns: &[String],
    target: &Target,
) -> Result<(), Refusal> {
    let unknown = |name: &str| Err(Refusal::copy_in_option(name));
    let Some(Node::DefElem(option)) = &option.node else { return unknown("of this form") };
    let DefElem { defnamespace, defname, arg, defaction: _, location: _, arg_location: _ } =
        &**option;
    if !defnamespace.is_empty() {
        return unknown(defname);
    }
    let arg = arg.as_ref().and_then(|arg| arg.node.as_ref());
    match (defname.as_str(), arg) {
        ("format", Some(Node::String(text)))
            if matches!(text.sval.as_str(), "text" | "csv" | "binary") =>
        {
            Ok(())
        }
        ("header", None | Some(Node::String(_) | Node::Boolean(_) | Node::Integer(_)))
        | ("delimiter" | "null" | "quote" | "escape" | "default", Some(Node::String(_)))
        | ("force_null" | "force_not_null", Some(Node::AStar(_))) => Ok(()),
        ("force_null" | "force_not_null", Some(Node::List(list))) => {
            for name in &list.items {
                match &name.node {
                    Some(Node::String(name)) if columns.contains(&name.sval) => {}
                    Some(Node::String(name)) if target.seen(&name.sval) == Seen::Absent => {
                        return Err(Refusal::no_such_column_of(&name.sval, &target.name));
                    }
                    _ => return unknown(defname),
                }
            }
            Ok(())
        }
        ("encoding", Some(Node::String(name)))
            if name.sval.eq_ignore_ascii_case("utf8")
                || name.sval.eq_ignore_ascii_case("utf-8") =>
        {
            Ok(())
        }
        _ => unknown(defname),
    }
}

/// `CSV HEADER` of old says what `(HEADER)` says; the printer knows the second.
fn one_way(mut copy: CopyStmt) -> CopyStmt {
    copy.options.iter_mut().for_each(super::super::copy::say_header_one_way);
    copy
}

fn string(text: &str) -> protobuf::Node {
    protobuf::Node { node: Some(Node::String(protobuf::String { sval: text.to_owned() })) }
}
