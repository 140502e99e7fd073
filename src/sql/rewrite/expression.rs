//! Expressions: sub-selects are queries, columns lose a schema that a sub-select has not, names that somebody
//! overloaded are pinned.

use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, InTarget, Interval, MemberOf,
    Subscript, TypedString, WindowFrame, WindowFrameBound, WindowSpec, WindowType,
};

use super::names::meaning;
use super::{Done, Rewriter, absent, foreign};

impl Rewriter<'_> {
    pub(super) fn exprs(&mut self, exprs: &mut [Expr]) -> Done {
        exprs.iter_mut().try_for_each(|expr| self.expr(expr))
    }

    pub(super) fn maybe(&mut self, expr: Option<&mut Expr>) -> Done {
        expr.map_or(Ok(()), |expr| self.expr(expr))
    }

    fn boxed(&mut self, expr: &mut Option<Box<Expr>>) -> Done {
        self.maybe(expr.as_deref_mut())
    }

    pub(super) fn expr(&mut self, expr: &mut Expr) -> Done {
        self.inside(expr)?;
        self.judge_object_cast(expr)
    }

    fn inside(&mut self, expr: &mut Expr) -> Done {
        match expr {
            Expr::Identifier(ident) => {
                let name = vec![meaning(ident)];
                self.note_system_column(&name);
                self.mentions.push(name);
                Ok(())
            }
            Expr::CompoundIdentifier(idents) => {
                let mut names: Vec<String> = idents.iter().map(meaning).collect();
                if let Some(kept) = self.without_schema(&names) {
                    let cut = names.len().saturating_sub(kept);
                    idents.drain(..cut);
                    names.drain(..cut);
                }
                self.note_system_column(&names);
                self.mentions.push(names);
                Ok(())
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.column_of_chain(root, access_chain)?;
                access_chain.iter_mut().try_for_each(|access| self.access(access))
            }
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner)
            | Expr::UnaryOp { op: _, expr: inner }
            | Expr::IsJson { expr: inner, kind: _, unique_keys: _, negated: _ }
            | Expr::IsNormalized { expr: inner, form: _, negated: _ }
            | Expr::Extract { field: _, syntax: _, expr: inner }
            | Expr::Ceil { expr: inner, field: _ }
            | Expr::Floor { expr: inner, field: _ }
            | Expr::Collate { expr: inner, collation: _ } => self.expr(inner),
            Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::AtTimeZone { timestamp: left, time_zone: right }
            | Expr::Position { expr: left, r#in: right }
            | Expr::AllOp { left, compare_op: _, right }
            | Expr::AnyOp { left, compare_op: _, right, is_some: _ } => {
                self.expr(left)?;
                self.expr(right)
            }
            Expr::In { expr, target, negated: _, global } => {
                absent(!*global, "GLOBAL IN")?;
                self.expr(expr)?;
                match target {
                    InTarget::List(list) => self.exprs(list),
                    InTarget::Subquery(query) => self.query(query),
                    InTarget::Unnest(_) | InTarget::Table { .. } => Err(foreign("IN name")),
                }
            }
            Expr::Between { expr, negated: _, low, high } => {
                self.expr(expr)?;
                self.expr(low)?;
                self.expr(high)
            }
            Expr::BinaryOp { left, op: _, right } => {
                self.expr(left)?;
                self.expr(right)?;
                self.pin_operator(expr);
                Ok(())
            }
            Expr::Like { negated: _, any, expr, pattern, escape_char }
            | Expr::ILike { negated: _, any, expr, pattern, escape_char } => {
                absent(!*any, "LIKE ANY without an array")?;
                self.expr(expr)?;
                self.expr(pattern)?;
                self.boxed(escape_char)
            }
            Expr::SimilarTo { negated: _, expr, pattern, escape_char } => {
                self.expr(expr)?;
                self.expr(pattern)?;
                self.boxed(escape_char)
            }
            Expr::Cast { kind: _, expr, data_type: _, format } => {
                absent(format.is_none(), "CAST FORMAT")?;
                self.expr(expr)
            }
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                self.expr(expr)?;
                self.boxed(substring_from)?;
                self.boxed(substring_for)
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                self.expr(expr)?;
                self.boxed(trim_what)?;
                trim_characters.as_mut().map_or(Ok(()), |exprs| self.exprs(exprs))
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                self.expr(expr)?;
                self.expr(overlay_what)?;
                self.expr(overlay_from)?;
                self.boxed(overlay_for)
            }
            // Literals hold no names; the round trip has shown that PostgreSQL reads them the same way.
            Expr::Value(_) => Ok(()),
            Expr::TypedString(TypedString { data_type: _, value: _, uses_odbc_syntax }) => {
                absent(!*uses_odbc_syntax, "ODBC syntax")
            }
            Expr::Interval(interval) => {
                let Interval {
                    value,
                    leading_field: _,
                    leading_precision: _,
                    last_field: _,
                    fractional_seconds_precision: _,
                } = interval;
                self.expr(value)
            }
            Expr::Function(function) => self.function(function),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.boxed(operand)?;
                for CaseWhen { condition, result } in conditions {
                    self.expr(condition)?;
                    self.expr(result)?;
                }
                self.boxed(else_result)
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => {
                self.query(subquery)
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                sets.iter_mut().try_for_each(|set| self.exprs(set))
            }
            Expr::Tuple(exprs) => self.exprs(exprs),
            Expr::Array(Array { elem, named: _ }) => self.exprs(elem),
            Expr::QualifiedWildcard(name, _) => self.qualified_star(name),
            Expr::Wildcard(_) => {
                self.mentions.push(vec!["*".into()]);
                Ok(())
            }
            Expr::JsonAccess { .. } => Err(foreign("a : path")),
            Expr::RLike { .. } => Err(foreign("RLIKE")),
            Expr::Convert { .. } => Err(foreign("CONVERT")),
            Expr::Prefixed { .. } => Err(foreign("a prefixed literal")),
            Expr::Struct { .. } | Expr::Named { .. } => Err(foreign("STRUCT")),
            Expr::Dictionary(_) | Expr::Map(_) => Err(foreign("a map")),
            Expr::MatchAgainst { .. } => Err(foreign("MATCH AGAINST")),
            Expr::OuterJoin(_) => Err(foreign("(+)")),
            Expr::Prior(_) => Err(foreign("PRIOR")),
            Expr::Lambda(_) => Err(foreign("a lambda")),
            Expr::MemberOf(MemberOf { value: _, array: _ }) => Err(foreign("MEMBER OF")),
        }
    }

    /// `schema.table.column[1]`: names before the first subscript are one column's.
    fn column_of_chain(&mut self, root: &mut Expr, chain: &mut Vec<AccessExpr>) -> Done {
        let Expr::Identifier(first) = root else { return self.expr(root) };
        let mut idents = vec![first.clone()];
        idents.extend(chain.iter().map_while(|access| match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident.clone()),
            AccessExpr::Dot(_) | AccessExpr::Subscript(_) => None,
        }));
        let mut names: Vec<String> = idents.iter().map(meaning).collect();
        if let Some(kept) = self.without_schema(&names) {
            let cut = names.len().saturating_sub(kept);
            if let Some(table) = idents.get(cut) {
                *first = table.clone();
            }
            chain.drain(..cut);
            names.drain(..cut);
        }
        self.note_system_column(&names);
        self.mentions.push(names);
        Ok(())
    }

    fn access(&mut self, access: &mut AccessExpr) -> Done {
        match access {
            // A field name, or a star; whether it may be called is the verifier's business.
            AccessExpr::Dot(Expr::Identifier(_) | Expr::Wildcard(_)) => Ok(()),
            AccessExpr::Dot(_) => Err(foreign("an expression after a dot")),
            AccessExpr::Subscript(Subscript::Index { index }) => self.expr(index),
            AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                absent(stride.is_none(), "a slice with a stride")?;
                self.maybe(lower_bound.as_mut())?;
                self.maybe(upper_bound.as_mut())
            }
        }
    }

    fn function(&mut self, function: &mut Function) -> Done {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = function;
        absent(!*uses_odbc_syntax, "ODBC syntax")?;
        absent(matches!(parameters, FunctionArguments::None), "function parameters")?;
        self.function_name(name)?;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: _,
                args,
                clauses,
            }) => {
                self.function_args(args)?;
                for clause in clauses {
                    self.function_clause(clause)?;
                }
            }
        }
        self.order_by_exprs(within_group)?;
        self.boxed(filter)?;
        let window = match over {
            None | Some(WindowType::NamedWindow(_)) => Ok(()),
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
        };
        window?;
        self.judge_object_names(function)
    }

    pub(super) fn function_args(&mut self, args: &mut [FunctionArg]) -> Done {
        for arg in args {
            let arg = match arg {
                // `days => 1`
                FunctionArg::Named { name: _, arg, operator: _ }
                | FunctionArg::ExprNamed { name: Expr::Identifier(_), arg, operator: _ }
                | FunctionArg::Unnamed(arg) => arg,
                FunctionArg::ExprNamed { .. } => {
                    return Err(foreign("an expression as an argument's name"));
                }
            };
            match arg {
                FunctionArgExpr::Expr(expr) => self.expr(expr)?,
                FunctionArgExpr::QualifiedWildcard(name) => self.qualified_star(name)?,
                FunctionArgExpr::Wildcard => {}
                FunctionArgExpr::WildcardWithOptions(_) => {
                    return Err(foreign("a star with options"));
                }
            }
        }
        Ok(())
    }

    fn function_clause(&mut self, clause: &mut FunctionArgumentClause) -> Done {
        match clause {
            FunctionArgumentClause::OrderBy(exprs) => self.order_by_exprs(exprs),
            FunctionArgumentClause::JsonNullClause(_)
            | FunctionArgumentClause::JsonReturningClause(_) => Ok(()),
            FunctionArgumentClause::IgnoreOrRespectNulls(_)
            | FunctionArgumentClause::Where(_)
            | FunctionArgumentClause::Limit(_)
            | FunctionArgumentClause::OnOverflow(_)
            | FunctionArgumentClause::Having(_)
            | FunctionArgumentClause::Separator(_) => Err(foreign("a clause among arguments")),
        }
    }

    pub(super) fn window(&mut self, spec: &mut WindowSpec) -> Done {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        self.exprs(partition_by)?;
        self.order_by_exprs(order_by)?;
        let Some(WindowFrame { units: _, start_bound, end_bound }) = window_frame else {
            return Ok(());
        };
        self.bound(start_bound)?;
        end_bound.as_mut().map_or(Ok(()), |bound| self.bound(bound))
    }

    fn bound(&mut self, bound: &mut WindowFrameBound) -> Done {
        match bound {
            WindowFrameBound::CurrentRow => Ok(()),
            WindowFrameBound::Preceding(expr) | WindowFrameBound::Following(expr) => {
                self.boxed(expr)
            }
        }
    }

    /// How many trailing parts of a column name to keep, where the rest is the schema of a relation that became
    /// a hole: `public.customers.email` is `customers.email` of a sub-select.
    pub(super) fn without_schema(&self, names: &[String]) -> Option<usize> {
        let [outer @ .., schema, table, _column] = names else { return None };
        if let [database] = outer
            && *database != self.speaker.view.snapshot().database
        {
            return None;
        }
        let mut items = self.scopes.iter().rev().flatten();
        items
            .any(|item| {
                item.unaliased.as_ref().is_some_and(|(s, _)| s == schema) && item.alias == *table
            })
            .then_some(2)
    }

    /// `a + b` with an overloaded `+` becomes `((a) OPERATOR(pg_catalog.+) (b))`.
    fn pin_operator(&self, expr: &mut Expr) {
        let Expr::BinaryOp { left, op, right } = expr else { return };
        let name = op.to_string();
        let is_custom = matches!(op, BinaryOperator::PGCustomBinaryOperator(_));
        if is_custom || !self.operator_is_overloaded(&name) {
            return;
        }
        *expr = Expr::Nested(Box::new(Expr::BinaryOp {
            left: Box::new(Expr::Nested(left.clone())),
            op: BinaryOperator::PGCustomBinaryOperator(vec!["pg_catalog".into(), name]),
            right: Box::new(Expr::Nested(right.clone())),
        }));
    }
}
