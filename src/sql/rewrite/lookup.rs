//! Looking somebody up by a true value: `column = constant` in WHERE moves into the hole, where the column is not
//! masked yet.
//!
//! Only a conjunct of WHERE itself counts, of a column that certainly is the lookup column of one hole, which no outer
//! join may fill with NULLs, and only against constants and parameters: what is asked for can be counted. Every other
//! use of the column sees the mask.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget,
    JoinConstraint, JoinOperator, TableFactor, TableWithJoins, UnaryOperator, Value,
};

use super::Rewriter;
use super::names::{meaning, parts};
use super::scope::Item;
use crate::policy::LookupKind;
use crate::sql::hole::{Lookup, Operand};

/// Values in one IN list; more of them are no question about somebody.
const VALUES_MAX: usize = 100;

impl Rewriter<'_> {
    /// Moves the lookups of a WHERE clause into their holes; `true` stays in their place. `merges`: a join of this
    /// level has USING or NATURAL, so that an unqualified name may mean two columns.
    pub(super) fn move_lookups(&mut self, condition: &mut Expr, merges: bool) {
        // What a view's definition compares is none of the client's questions.
        if self.speaker.views > 0 {
            return;
        }
        match condition {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.move_lookups(left, merges);
                self.move_lookups(right, merges);
            }
            Expr::Nested(inner) => self.move_lookups(inner, merges),
            other => {
                if let Some((hole, lookup)) = self.lookup(other, merges)
                    && let Some(hole) = self.holes.get_mut(hole)
                {
                    hole.lookups.push(lookup);
                    *other = Expr::Value(Value::Boolean(true).with_empty_span());
                }
            }
        }
    }

    fn lookup(&self, condition: &Expr, merges: bool) -> Option<(usize, Lookup)> {
        match condition {
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let sides = [(left, right), (right, left)];
                sides.into_iter().find_map(|(column, value)| {
                    let (hole, column, lower) = self.subject(column, merges)?;
                    let operands = vec![operand(value, lower)?];
                    Some((hole, Lookup { column, lower, operands }))
                })
            }
            Expr::In { expr, target: InTarget::List(list), negated: false, global: false }
                if !list.is_empty() && list.len() <= VALUES_MAX =>
            {
                let (hole, column, lower) = self.subject(expr, merges)?;
                let operands = list.iter().map(|value| operand(value, lower));
                let operands = operands.collect::<Option<Vec<_>>>()?;
                Some((hole, Lookup { column, lower, operands }))
            }
            _ => None,
        }
    }

    /// A lookup column, or `lower(…)` of one: its hole, its name, and whether `lower` is around it.
    fn subject(&self, expr: &Expr, merges: bool) -> Option<(usize, String, bool)> {
        let (expr, lower) = match lowered(expr) {
            Some(inner) if !self.is_own_lower() => (inner, true),
            Some(_) => return None,
            None => (expr, false),
        };
        let names: Vec<String> = match expr {
            Expr::Identifier(ident) => vec![meaning(ident)],
            Expr::CompoundIdentifier(idents) => {
                let mut names: Vec<String> = idents.iter().map(meaning).collect();
                if let Some(kept) = self.without_schema(&names) {
                    names.drain(..names.len().saturating_sub(kept));
                }
                names
            }
            _ => return None,
        };
        let items = self.scopes.last()?;
        let (item, column) = match names.as_slice() {
            [column] if !merges => (self.only_item_with(items, column)?, column),
            [alias, column] => {
                let mut named = items.iter().filter(|item| item.alias == *alias);
                (named.next().filter(|_| named.next().is_none())?, column)
            }
            _ => return None,
        };
        let hole = item.hole.filter(|_| !item.nullable && !item.renamed)?;
        let template = item.template.as_ref()?;
        let access = template.visible_columns().find(|access| access.name == *column)?;
        match (access.lookup, lower) {
            (Some(LookupKind::Text), _) | (Some(LookupKind::Plain), false) => {
                Some((hole, column.clone(), lower))
            }
            (Some(LookupKind::Plain), true) | (None, _) => None,
        }
    }

    /// The one item that has a column of that name, if the columns of all are known.
    fn only_item_with<'i>(&self, items: &'i [Item], column: &str) -> Option<&'i Item> {
        let mut found = None;
        for item in items {
            let has = match (&item.template, &item.open) {
                _ if item.renamed => return None,
                (Some(_), _) => item.has_column(column),
                (None, Some((schema, name))) => {
                    let relation = self.speaker.view.snapshot().relation_named(schema, name)?;
                    relation.column(column).is_some()
                }
                (None, None) => return None,
            };
            if has && found.replace(item).is_some() {
                return None;
            }
        }
        found
    }

    /// `lower` may mean a function of the user's.
    fn is_own_lower(&self) -> bool {
        // Where somebody has overloaded it, it is pinned to pg_catalog.
        !self.speaker.view.snapshot().builtin_functions.contains("lower")
    }
}

/// True when a join in here has USING or NATURAL.
pub(super) fn merges(from: &[TableWithJoins]) -> bool {
    fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
        match operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => Some(constraint),
            _ => None,
        }
    }
    fn nested(factor: &TableFactor) -> bool {
        match factor {
            TableFactor::NestedJoin { table_with_joins, alias: _ } => {
                merges(std::slice::from_ref(table_with_joins))
            }
            _ => false,
        }
    }
    from.iter().any(|table| {
        nested(&table.relation)
            || table.joins.iter().any(|join| {
                let is_plain = matches!(
                    constraint(&join.join_operator),
                    Some(JoinConstraint::On(_) | JoinConstraint::None)
                );
                !is_plain || nested(&join.relation)
            })
    })
}

/// The argument of `lower(x)`.
fn lowered(expr: &Expr) -> Option<&Expr> {
    let Expr::Function(Function {
        name,
        args: FunctionArguments::List(list),
        filter: None,
        over: None,
        null_treatment: None,
        ..
    }) = expr
    else {
        return None;
    };
    let names = parts(name)?;
    let is_lower = match names.as_slice() {
        [name] => name == "lower",
        [schema, name] => schema == "pg_catalog" && name == "lower",
        _ => false,
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(inner))]
            if is_lower && list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
        {
            Some(inner)
        }
        _ => None,
    }
}

/// A constant or a parameter, under `lower` where the column is.
fn operand(expr: &Expr, lower: bool) -> Option<Operand> {
    match lowered(expr).filter(|_| lower) {
        Some(inner) => Some(Operand { text: constant(inner)?, lower: true }),
        None => Some(Operand { text: constant(expr)?, lower: false }),
    }
}

fn constant(expr: &Expr) -> Option<String> {
    fn is_constant(expr: &Expr) -> bool {
        match expr {
            Expr::Value(_) => true,
            Expr::TypedString(_) => true,
            Expr::Nested(inner) => is_constant(inner),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                matches!(&**expr, Expr::Value(value) if matches!(value.value, Value::Number(..)))
            }
            Expr::Cast { expr, .. } => is_constant(expr),
            _ => false,
        }
    }
    is_constant(expr).then(|| expr.to_string())
}
