//! SQL that stands in the rules: one expression over one row, nothing else.
//!
//! The text is parsed by PostgreSQL's grammar; bare names become columns of the relation, qualified so that they
//! can bind to nothing else, or the conditions they name. What comes out is proven: no sub-select, only these
//! columns, only allowed functions.

use std::collections::BTreeMap;

use pg_query::NodeRef;
use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::stated::{Needs, STATED_PREFIX, Stated};
use crate::catalog::{Relation, Snapshot, UserTypeKind};
use crate::grammar::{self, Terms, Violation, functions, quote_identifier};
use crate::mask;
use crate::rules::Role;

/// The expression cannot stand in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, for a diagnostic.
    pub message: String,
}

/// What an expression may speak of.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The relation.
    pub relation: &'a Relation,
    /// The catalog.
    pub snapshot: &'a Snapshot,
    /// Whose functions may be called.
    pub role: &'a Role,
    /// Conditions by name.
    pub conditions: &'a BTreeMap<&'a str, &'a str>,
    /// What the session states.
    pub stated: &'a Stated,
    /// What of that it may go by.
    pub needs: &'a Needs,
}

/// Checks an expression and gives it with every column qualified, in parentheses.
pub fn checked_expression(text: &str, row: Row<'_>) -> Result<String, ExpressionError> {
    expand(text, row, true)
}

fn expand(text: &str, row: Row<'_>, with_conditions: bool) -> Result<String, ExpressionError> {
    let prefix = "SELECT ";
    let statement = format!("{prefix}{text}");
    let tree = parse_one(&statement)?;
    let mut pieces: Vec<(usize, usize, String)> = Vec::new();
    let all_tokens = grammar::tokens(&statement).ok_or_else(|| error("it cannot be scanned"))?;
    let result = protobuf::ParseResult { version: 0, stmts: vec![tree] };
    for (node, _, _, _) in result.nodes() {
        let NodeRef::ColumnRef(column) = node else { continue };
        let (tokens, piece) = match field_names(column)?.as_slice() {
            [name] => (1, replacement(name, row, with_conditions)?),
            // `scrim`, a dot, and the name.
            [STATED_PREFIX, name] => (3, row.stated.sql(name, row.role, row.needs)?),
            _ => return Err(error("columns are written without a qualifier here")),
        };
        let first = all_tokens.iter().position(|token| token.start == column.location);
        let span = first.and_then(|first| {
            let last = all_tokens.get(first.checked_add(tokens)?.checked_sub(1)?)?;
            let first = all_tokens.get(first)?;
            Some((usize::try_from(first.start).ok()?, usize::try_from(last.end).ok()?))
        });
        let Some((start, end)) = span else {
            return Err(error("a column cannot be placed"));
        };
        pieces.push((start, end, piece));
    }
    pieces.sort();
    let mut filled = String::from(prefix);
    let mut rest = prefix.len();
    for (start, end, piece) in pieces {
        filled
            .push_str(statement.get(rest..start).ok_or_else(|| error("a column is twice there"))?);
        filled.push_str(&piece);
        rest = end;
    }
    filled.push_str(statement.get(rest..).unwrap_or_default());
    let filled = pinned(filled, row.snapshot)?;
    let tree = parse_one(&filled)?;
    let proof = grammar::prove_expression(&tree, &RowTerms(row))
        .map_err(|found| error(&format!("{found} is not allowed here")))?;
    if !proof.parameters.is_empty() {
        return Err(error("a parameter has no value here"));
    }
    let is_own = proof.columns.iter().all(|column| {
        column.qualifier.as_deref() == Some(row.relation.name.as_str())
            && row.relation.column(&column.name).is_some()
    });
    if !is_own {
        return Err(error("it speaks of something that is no column of the table"));
    }
    let canonical = grammar::deparse(&tree).map_err(|found| error(&found.message))?;
    let expression =
        canonical.strip_prefix(prefix).ok_or_else(|| error("it is not one expression"))?;
    Ok(format!("({expression})"))
}

/// With `pg_catalog` in front of operators that a schema of the user's has too, where that changes nothing else: what
/// stands in the rules means PostgreSQL's.
fn pinned(text: String, snapshot: &Snapshot) -> Result<String, ExpressionError> {
    let overloaded: Vec<String> = snapshot.user_operators.keys().cloned().collect();
    if overloaded.is_empty() {
        return Ok(text);
    }
    let result = protobuf::ParseResult { version: 0, stmts: vec![parse_one(&text)?] };
    let mut places: Vec<(usize, &String)> = Vec::new();
    for (node, _, _, _) in result.nodes() {
        let NodeRef::AExpr(call) = node else { continue };
        let [protobuf::Node { node: Some(Node::String(name)) }] = call.name.as_slice() else {
            continue;
        };
        let known = overloaded.iter().find(|known| **known == name.sval);
        let place = usize::try_from(call.location).ok();
        // `IN`, `BETWEEN` and their like do not write it.
        if let (Some(known), Some(place)) = (known, place)
            && text.get(place..).is_some_and(|rest| rest.starts_with(known.as_str()))
        {
            places.push((place, known));
        }
    }
    places.sort();
    let mut out = String::with_capacity(text.len().saturating_add(32));
    let mut rest = 0;
    for (place, operator) in places {
        out.push_str(text.get(rest..place).unwrap_or_default());
        out.push_str(&format!(" OPERATOR(pg_catalog.{operator}) "));
        rest = place.saturating_add(operator.len());
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    // Else it stays as it is, and is refused for the operator.
    Ok(if grammar::is_same_but_pinned(&text, &out, &overloaded) { out } else { text })
}

fn field_names(column: &protobuf::ColumnRef) -> Result<Vec<&str>, ExpressionError> {
    let names = column.fields.iter().map(|field| match &field.node {
        Some(Node::String(name)) => Ok(name.sval.as_str()),
        _ => Err(error("a star is no value")),
    });
    names.collect()
}

fn replacement(name: &str, row: Row<'_>, with_conditions: bool) -> Result<String, ExpressionError> {
    if row.relation.column(name).is_some() {
        let table = quote_identifier(&row.relation.name);
        return Ok(format!("{table}.{}", quote_identifier(name)));
    }
    match row.conditions.get(name) {
        Some(condition) if with_conditions => expand(condition, row, false),
        Some(_) => Err(error(&format!("condition `{name}` cannot be used by another condition"))),
        None => Err(error(&format!("there is no column or condition `{name}`"))),
    }
}

fn parse_one(text: &str) -> Result<protobuf::RawStmt, ExpressionError> {
    let mut statements = grammar::parse(text).map_err(|found| error(&found.message))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(error("it is not one expression")),
    }
}

fn error(message: &str) -> ExpressionError {
    ExpressionError { message: message.to_owned() }
}

struct RowTerms<'a>(Row<'a>);

impl Terms for RowTerms<'_> {
    fn may_read(&self, _: Option<&str>, _: Option<&str>, name: &str) -> Result<(), Violation> {
        Err(Violation::Relation(name.into()))
    }

    fn may_call(
        &self,
        schema: Option<&str>,
        name: &str,
        call: &protobuf::FuncCall,
    ) -> Result<(), Violation> {
        let Row { snapshot, role, .. } = self.0;
        let allowed = match schema {
            // The key of keyed masks is nobody's to read.
            Some("pg_catalog") | None if name == "current_setting" => {
                let is_pinned = schema.is_some() || !snapshot.user_functions.contains_key(name);
                is_pinned
                    && grammar::constant_text(call.args.first()).is_some_and(|setting| {
                        // Of its own, `scrim.purpose` and its like are written so, and are no settings.
                        let is_own = setting.to_ascii_lowercase().starts_with("scrim.");
                        !is_own && !functions::names_login(&setting)
                    })
            }
            Some("pg_catalog") => functions::is_allowed(name),
            None => functions::is_allowed(name) && !snapshot.user_functions.contains_key(name),
            Some(schema) => {
                role.functions.iter().any(|(own, _)| own.schema == schema && own.name == name)
            }
        };
        if allowed { Ok(()) } else { Err(Violation::Function(name.into())) }
    }

    fn may_operate(&self, schema: Option<&str>, operator: &str) -> Result<(), Violation> {
        match schema {
            Some("pg_catalog") => Ok(()),
            None if !self.0.snapshot.user_operators.contains_key(operator) => Ok(()),
            _ => Err(Violation::Operator(operator.into())),
        }
    }

    fn may_cast(&self, schema: Option<&str>, name: &str) -> Result<(), Violation> {
        let key = |schema: &str| (schema.to_owned(), name.to_owned());
        match schema {
            None | Some("pg_catalog") => Ok(()),
            Some(schema) => match self.0.snapshot.user_types.get(&key(schema)).map(|t| t.kind) {
                Some(UserTypeKind::Enum | UserTypeKind::Domain | UserTypeKind::Range) => Ok(()),
                Some(UserTypeKind::Base | UserTypeKind::Composite) | None => {
                    Err(Violation::Type(name.into()))
                }
            },
        }
    }

    fn may_select_field(&self, name: &str) -> Result<(), Violation> {
        Err(Violation::Field(name.into()))
    }

    fn may_select_column(&self, _: &str) -> Result<(), Violation> {
        // Judged on the proof: it must be a column of the relation.
        Ok(())
    }

    fn may_collate(&self, _: Option<&str>, _: &str) -> Result<(), Violation> {
        Ok(())
    }
}

/// Proves a template and the deep parts of its masks: it reads its relation and nothing else, and calls only what its
/// SQL may call. A part stands in parentheses where the template has its name, so that each can be proven by itself.
pub(super) fn prove_template(
    sql: &str,
    parts: &[String],
    row: Row<'_>,
) -> Result<(), ExpressionError> {
    let proven = |text: &str, relations: usize| {
        let tree = parse_one(text)?;
        let proof = grammar::prove(&tree, &TemplateTerms(RowTerms(row)))
            .map_err(|found| error(&format!("{found} is not allowed in a template")))?;
        if proof.relations.len() == relations && proof.parameters.is_empty() {
            return Ok(());
        }
        Err(error("a template reads one relation"))
    };
    proven(&format!("SELECT * FROM {sql} AS template"), 1)?;
    for part in parts {
        // Nothing in it may reach beyond the parentheses around it.
        proven(&format!("SELECT {part}"), 0)?;
        proven(&format!("SELECT ({part})"), 0)?;
    }
    Ok(())
}

/// As for an expression, and the one relation. Bare operators are the masks' own, on operands of exactly the
/// types that PostgreSQL's operators take; those of the rules were judged before.
struct TemplateTerms<'a>(RowTerms<'a>);

impl Terms for TemplateTerms<'_> {
    fn may_read(
        &self,
        catalog: Option<&str>,
        schema: Option<&str>,
        name: &str,
    ) -> Result<(), Violation> {
        let relation = self.0.0.relation;
        let is_own =
            catalog.is_none() && schema == Some(relation.schema.as_str()) && name == relation.name;
        if is_own { Ok(()) } else { Err(Violation::Relation(name.into())) }
    }

    fn may_call(
        &self,
        schema: Option<&str>,
        name: &str,
        call: &protobuf::FuncCall,
    ) -> Result<(), Violation> {
        let setting = || grammar::constant_text(call.args.first());
        let is_key = || setting().is_some_and(|setting| mask::is_key_setting(&setting));
        // Keyed masks read it; SQL of the rules was judged by itself before.
        if (schema, name) == (Some("pg_catalog"), "current_setting") && is_key() {
            return Ok(());
        }
        self.0.may_call(schema, name, call)
    }

    fn may_operate(&self, schema: Option<&str>, operator: &str) -> Result<(), Violation> {
        match schema {
            None | Some("pg_catalog") => Ok(()),
            Some(_) => Err(Violation::Operator(operator.into())),
        }
    }

    fn may_cast(&self, schema: Option<&str>, name: &str) -> Result<(), Violation> {
        // The column's own type, whatever it is, is what the column has already.
        let is_own = self.0.0.relation.columns.iter().any(|column| {
            column.type_sql.contains(name) && schema.is_none_or(|s| column.type_sql.contains(s))
        });
        if is_own { Ok(()) } else { self.0.may_cast(schema, name) }
    }

    fn may_select_field(&self, name: &str) -> Result<(), Violation> {
        self.0.may_select_field(name)
    }

    fn may_select_column(&self, name: &str) -> Result<(), Violation> {
        match self.0.0.relation.column(name) {
            Some(_) => Ok(()),
            None => Err(Violation::Field(name.into())),
        }
    }

    fn may_collate(&self, schema: Option<&str>, name: &str) -> Result<(), Violation> {
        self.0.may_collate(schema, name)
    }
}

/// `{}` in an own expression, outside quotes, becomes the column.
pub(super) fn with_column(text: &str, column: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_quotes = false;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if !in_quotes && let Some(tail) = rest.strip_prefix("{}") {
            out.push_str(&quote_identifier(column));
            rest = tail;
            continue;
        }
        if next == '\'' {
            in_quotes = !in_quotes;
        }
        out.push(next);
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    out
}
