//! Temporary tables, for roles that may: what BI tools and dbt keep their intermediate results in.
//!
//! A session's temporary table holds what the role has put there, which is masked already, so it is clear for the
//! session. INVARIANT: every statement here names `pg_temp`, so that it can mean nothing but a table of this very
//! session, whatever is remembered of it; and nothing gets in but what was proven.
//! <https://www.postgresql.org/docs/current/sql-createtable.html>

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{
    self, ColumnDef, ConstrType, Constraint, CreateStmt, CreateTableAsStmt, DropStmt, IndexElem,
    IndexStmt, InsertStmt, IntoClause, ObjectType, OnCommitAction, OverridingKind, RangeVar,
    SelectStmt, TruncateStmt, VacuumRelation, VacuumStmt,
};

use super::Speaker;
use super::gate::{Effect, Gated, StatementKind, Wrapped};
use super::refusal::Refusal;
use super::resolve::resolve_named;
use super::verify::prove_expression;
use super::wrapped::{raw, types_query};
use crate::grammar::{deparse, quote_identifier};

/// The schema by which each session finds its own.
pub(super) const TEMP_SCHEMA: &str = "pg_temp";

/// CREATE TEMP TABLE … AS.
pub(super) fn create_as(
    statement: &CreateTableAsStmt,
    speaker: Speaker<'_>,
) -> Result<Gated, Refusal> {
    let refused = || Err(kind(speaker, "CREATE TABLE AS"));
    let CreateTableAsStmt { query, into, objtype, is_select_into: _, if_not_exists: _ } = statement;
    if *objtype != i32::from(ObjectType::ObjectTable) {
        return refused();
    }
    match (into, query.as_ref().and_then(|query| query.node.as_ref())) {
        (Some(into), Some(Node::SelectStmt(query))) if query.into_clause.is_none() => {
            let into = self::into(into, speaker, "CREATE TABLE AS")?;
            let effect = created(&into)?;
            let node = CreateTableAsStmt { into: Some(Box::new(into)), ..statement.clone() };
            Ok(wrapped(Node::CreateTableAsStmt(Box::new(node)), effect))
        }
        _ => refused(),
    }
}

/// SELECT … INTO TEMP, which is CREATE TEMP TABLE AS by another name.
pub(super) fn select_into(select: &SelectStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let Some(into) = &select.into_clause else {
        return Err(Refusal::not_understood("a SELECT INTO nothing"));
    };
    let into = self::into(into, speaker, "SELECT INTO")?;
    let effect = created(&into)?;
    let query = SelectStmt { into_clause: None, ..select.clone() };
    let query = protobuf::Node { node: Some(Node::SelectStmt(Box::new(query))) };
    let node = CreateTableAsStmt {
        query: Some(Box::new(query)),
        into: Some(Box::new(into)),
        objtype: ObjectType::ObjectTable.into(),
        is_select_into: false,
        if_not_exists: false,
    };
    Ok(wrapped(Node::CreateTableAsStmt(Box::new(node)), effect))
}

/// CREATE TEMP TABLE with columns.
pub(super) fn create(statement: &CreateStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let CreateStmt {
        relation,
        table_elts,
        inh_relations,
        partbound,
        partspec,
        of_typename,
        constraints,
        nnconstraints,
        options,
        oncommit,
        tablespacename,
        access_method,
        if_not_exists: _,
    } = statement;
    let Some(relation) = relation else { return Err(kind(speaker, "CREATE TABLE")) };
    let relation = new_name(relation, speaker, "CREATE TABLE")?;
    let is_plain = inh_relations.is_empty()
        && partbound.is_none()
        && partspec.is_none()
        && of_typename.is_none()
        && constraints.is_empty()
        && nnconstraints.is_empty()
        && options.is_empty()
        && tablespacename.is_empty()
        && access_method.is_empty();
    if !is_plain {
        return Err(Refusal::temporary("takes columns and their constraints, and nothing else"));
    }
    for element in table_elts {
        match &element.node {
            Some(Node::ColumnDef(column)) => judge_column(column, speaker)?,
            Some(Node::Constraint(constraint)) => judge_constraint(constraint, speaker)?,
            _ => {
                return Err(Refusal::temporary(
                    "takes columns and their constraints, and nothing else",
                ));
            }
        }
    }
    let effect = Effect::CreateTemp {
        name: relation.relname.clone(),
        until_commit: *oncommit == i32::from(OnCommitAction::OncommitDrop),
    };
    let node = CreateStmt { relation: Some(relation), ..statement.clone() };
    pass(Node::CreateStmt(node), effect)
}

fn judge_column(column: &ColumnDef, speaker: Speaker<'_>) -> Result<(), Refusal> {
    let is_plain = column.storage.is_empty()
        && column.storage_name.is_empty()
        && column.compression.is_empty()
        && column.identity.is_empty()
        && column.generated.is_empty()
        && column.raw_default.is_none()
        && column.cooked_default.is_none()
        && column.fdwoptions.is_empty();
    let Some(type_name) = column.type_name.as_ref().filter(|_| is_plain) else {
        return Err(Refusal::temporary("takes columns of a type, without storage options"));
    };
    super::naming::judge_types([type_name], speaker)?;
    prove_expression(speaker, &types_query([type_name]))?;
    for constraint in &column.constraints {
        match &constraint.node {
            Some(Node::Constraint(constraint)) => judge_constraint(constraint, speaker)?,
            _ => return Err(Refusal::temporary("takes columns and their constraints")),
        }
    }
    Ok(())
}

fn judge_constraint(constraint: &Constraint, speaker: Speaker<'_>) -> Result<(), Refusal> {
    let expression = match constraint.contype() {
        ConstrType::ConstrNull
        | ConstrType::ConstrNotnull
        | ConstrType::ConstrPrimary
        | ConstrType::ConstrUnique => None,
        ConstrType::ConstrDefault | ConstrType::ConstrCheck => constraint.raw_expr.as_deref(),
        _ => {
            return Err(Refusal::temporary(
                "takes NOT NULL, DEFAULT, CHECK, PRIMARY KEY and UNIQUE, and no other constraint",
            ));
        }
    };
    let is_plain = constraint.options.is_empty()
        && constraint.indexspace.is_empty()
        && constraint.indexname.is_empty()
        && constraint.access_method.is_empty()
        && constraint.including.is_empty()
        && constraint.where_clause.is_none()
        && !constraint.without_overlaps;
    if !is_plain {
        return Err(Refusal::temporary("takes plain constraints, without storage options"));
    }
    match expression {
        Some(expression) => {
            prove_expression(speaker, &super::wrapped::select_of(expression.clone()))
        }
        None => Ok(()),
    }
}

/// DROP TABLE of temporary tables.
pub(super) fn drop(statement: &DropStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let DropStmt { objects, remove_type, behavior: _, missing_ok, concurrent } = statement;
    if *remove_type != i32::from(ObjectType::ObjectTable) || *concurrent {
        return Err(kind(speaker, "DROP"));
    }
    let mut names = Vec::with_capacity(objects.len());
    for object in objects {
        let Some(Node::List(parts)) = &object.node else {
            return Err(kind(speaker, "DROP"));
        };
        let part = |node: &protobuf::Node| match &node.node {
            Some(Node::String(part)) => Some(part.sval.clone()),
            _ => None,
        };
        let parts: Option<Vec<String>> = parts.items.iter().map(part).collect();
        let relation = match parts.as_deref() {
            Some([name]) => RangeVar { relname: name.clone(), ..RangeVar::default() },
            Some([schema, name]) => RangeVar {
                schemaname: schema.clone(),
                relname: name.clone(),
                ..RangeVar::default()
            },
            _ => return Err(kind(speaker, "DROP")),
        };
        if !is_temporary(&relation, speaker) {
            let is_own_schema = matches!(relation.schemaname.as_str(), "" | TEMP_SCHEMA);
            // IF EXISTS, and it does not: said by PostgreSQL, of a table that could only be temporary.
            let is_nothing =
                resolve_named(speaker, &relation).is_err_and(|found| found.is_absence());
            if !is_nothing {
                return Err(kind(speaker, "DROP of what is no temporary table"));
            }
            if !*missing_ok || !is_own_schema {
                return Err(Refusal::no_such_table(&relation.relname));
            }
        }
        names.push(relation.relname);
    }
    let if_exists = if *missing_ok { "IF EXISTS " } else { "" };
    let list: Vec<String> = names.iter().map(|name| in_own_schema(name)).collect();
    let text = format!("DROP TABLE {if_exists}{}", list.join(", "));
    let effect = Effect::DropTemp(names);
    Ok(Gated::Pass { text, kind: StatementKind::Definition, effect })
}

/// TRUNCATE of temporary tables.
pub(super) fn truncate(statement: &TruncateStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let TruncateStmt { relations, restart_seqs: _, behavior: _ } = statement;
    let mut names = Vec::with_capacity(relations.len());
    for relation in relations {
        match &relation.node {
            Some(Node::RangeVar(relation)) if is_temporary(relation, speaker) => {
                names.push(in_own_schema(&relation.relname));
            }
            _ => return Err(kind(speaker, "TRUNCATE of what is no temporary table")),
        }
    }
    let text = format!("TRUNCATE TABLE {}", names.join(", "));
    Ok(Gated::Pass { text, kind: StatementKind::Definition, effect: Effect::None })
}

/// CREATE INDEX on columns of a temporary table.
pub(super) fn index(statement: &IndexStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let relation = statement.relation.as_ref().filter(|relation| is_temporary(relation, speaker));
    let Some(relation) = relation else {
        return Err(kind(speaker, "CREATE INDEX on what is no temporary table"));
    };
    let mut columns = Vec::with_capacity(statement.index_params.len());
    for element in &statement.index_params {
        match element.node.as_ref() {
            Some(Node::IndexElem(element)) if is_plain(element) => {
                columns.push(quote_identifier(&element.name));
            }
            _ => return Err(Refusal::temporary("takes indexes of plain columns only")),
        }
    }
    let is_simple = statement.where_clause.is_none()
        && statement.options.is_empty()
        && statement.index_including_params.is_empty()
        && statement.table_space.is_empty()
        && matches!(statement.access_method.as_str(), "" | "btree");
    if !is_simple || columns.is_empty() {
        return Err(Refusal::temporary("takes indexes of plain columns only"));
    }
    let unique = if statement.unique { "UNIQUE " } else { "" };
    let name = match (statement.idxname.as_str(), statement.if_not_exists) {
        ("", _) => String::new(),
        (name, false) => format!("{} ", quote_identifier(name)),
        (name, true) => format!("IF NOT EXISTS {} ", quote_identifier(name)),
    };
    let text = format!(
        "CREATE {unique}INDEX {name}ON {} ({})",
        in_own_schema(&relation.relname),
        columns.join(", ")
    );
    Ok(Gated::Pass { text, kind: StatementKind::Definition, effect: Effect::None })
}

fn is_plain(element: &IndexElem) -> bool {
    let IndexElem {
        name,
        expr,
        indexcolname: _,
        collation,
        opclass,
        opclassopts,
        ordering: _,
        nulls_ordering: _,
    } = element;
    !name.is_empty()
        && expr.is_none()
        && collation.is_empty()
        && opclass.is_empty()
        && opclassopts.is_empty()
}

/// ANALYZE of temporary tables.
pub(super) fn analyze(statement: &VacuumStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let VacuumStmt { options, rels, is_vacuumcmd } = statement;
    let what = if *is_vacuumcmd { "VACUUM" } else { "ANALYZE of what is no temporary table" };
    if *is_vacuumcmd || !options.is_empty() || rels.is_empty() {
        return Err(kind(speaker, what));
    }
    let mut names = Vec::with_capacity(rels.len());
    for relation in rels {
        let Some(Node::VacuumRelation(named)) = &relation.node else {
            return Err(kind(speaker, what));
        };
        let VacuumRelation { relation, oid: _, va_cols } = named;
        match relation {
            Some(relation) if va_cols.is_empty() && is_temporary(relation, speaker) => {
                names.push(in_own_schema(&relation.relname));
            }
            _ => return Err(kind(speaker, what)),
        }
    }
    let text = format!("ANALYZE {}", names.join(", "));
    Ok(Gated::Pass { text, kind: StatementKind::Definition, effect: Effect::None })
}

/// INSERT of a query's rows into a temporary table.
pub(super) fn insert(statement: &InsertStmt, speaker: Speaker<'_>) -> Result<Gated, Refusal> {
    let InsertStmt {
        relation,
        cols,
        select_stmt,
        on_conflict_clause,
        returning_clause,
        with_clause,
        r#override,
    } = statement;
    let Some(relation) = relation else { return Err(kind(speaker, "INSERT")) };
    let is_query = matches!(
        select_stmt.as_ref().and_then(|query| query.node.as_ref()),
        Some(Node::SelectStmt(query)) if query.into_clause.is_none()
    );
    let is_simple = is_query
        && on_conflict_clause.is_none()
        && returning_clause.is_none()
        && with_clause.is_none()
        && relation.alias.is_none()
        && *r#override == i32::from(OverridingKind::OverridingNotSet)
        && cols.iter().all(|column| match &column.node {
            Some(Node::ResTarget(column)) => column.indirection.is_empty() && column.val.is_none(),
            _ => false,
        });
    if !is_simple {
        return Err(Refusal::temporary("takes INSERT of VALUES or a query, and nothing else"));
    }
    let relation = RangeVar { schemaname: TEMP_SCHEMA.to_owned(), ..relation.clone() };
    let node = InsertStmt { relation: Some(relation), ..statement.clone() };
    Ok(wrapped(Node::InsertStmt(Box::new(node)), Effect::None))
}

/// True when a name means a temporary table of the session.
pub(super) fn is_temporary(relation: &RangeVar, speaker: Speaker<'_>) -> bool {
    let RangeVar { catalogname, schemaname, relname, .. } = relation;
    catalogname.is_empty()
        && matches!(schemaname.as_str(), "" | TEMP_SCHEMA)
        && speaker.temp_tables.contains(relname)
}

fn into(into: &IntoClause, speaker: Speaker<'_>, what: &str) -> Result<IntoClause, Refusal> {
    let IntoClause {
        rel,
        col_names: _,
        access_method,
        options,
        on_commit: _,
        table_space_name,
        view_query,
        skip_data: _,
    } = into;
    let Some(rel) = rel else { return Err(kind(speaker, what)) };
    let rel = new_name(rel, speaker, what)?;
    if !access_method.is_empty()
        || !options.is_empty()
        || !table_space_name.is_empty()
        || view_query.is_some()
    {
        return Err(Refusal::temporary("takes no storage options"));
    }
    Ok(IntoClause { rel: Some(rel), ..into.clone() })
}

fn created(into: &IntoClause) -> Result<Effect, Refusal> {
    let lost = || Refusal::not_understood("a table without a name");
    Ok(Effect::CreateTemp {
        name: into.rel.as_ref().ok_or_else(lost)?.relname.clone(),
        until_commit: into.on_commit == i32::from(OnCommitAction::OncommitDrop),
    })
}

/// The name of a table that is made: temporary, whichever of the ways it is said in.
fn new_name(relation: &RangeVar, speaker: Speaker<'_>, what: &str) -> Result<RangeVar, Refusal> {
    let RangeVar { catalogname, schemaname, relname, relpersistence, .. } = relation;
    let is_temporary = match schemaname.as_str() {
        "" => relpersistence == "t",
        TEMP_SCHEMA => relpersistence != "u",
        _ => false,
    };
    if !is_temporary || !catalogname.is_empty() {
        return Err(kind(speaker, what));
    }
    if !speaker.view.role().may.temp_tables {
        return Err(kind(speaker, "CREATE TEMP TABLE"));
    }
    if super::types::is_taken(speaker, relname) {
        // Temporary schemas come first when a type is looked for.
        return Err(Refusal::temporary("may not have the name of a type"));
    }
    Ok(RangeVar { schemaname: String::new(), relpersistence: "t".to_owned(), ..relation.clone() })
}

fn in_own_schema(name: &str) -> String {
    format!("{TEMP_SCHEMA}.{}", quote_identifier(name))
}

fn kind(speaker: Speaker<'_>, what: &str) -> Refusal {
    Refusal::statement_kind(what, &speaker.view.role().name)
}

fn wrapped(node: Node, effect: Effect) -> Gated {
    let written = node.clone();
    let kind = StatementKind::TempTable;
    Gated::Wrapped(Box::new(Wrapped { node, written, made: false, kind, effect }))
}

fn pass(node: Node, effect: Effect) -> Result<Gated, Refusal> {
    let text = deparse(&raw(node)).map_err(|error| Refusal::syntax(&error))?;
    Ok(Gated::Pass { text, kind: StatementKind::Definition, effect })
}
