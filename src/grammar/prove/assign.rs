//! What a write assigns, under which conditions, and what stands around either: the calls in the reserved schema.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{AExprKind, BoolExprType, OnConflictAction, SortByDir, SortByNulls};

use super::ask::strings;
use super::query::unexpected;
use super::write::{Assignment, Place, Row, Wrap, WriteKind};
use super::{Proven, Violation, Walker};
use crate::grammar::RESERVED_SCHEMA;

impl<'t> Walker<'t, '_> {
    /// Columns by name are the only conflict target; a constraint may be named, which names no column.
    pub(super) fn on_conflict(
        &mut self,
        write: usize,
        clause: &'t protobuf::OnConflictClause,
    ) -> Proven {
        let protobuf::OnConflictClause { action, infer, target_list, where_clause, location: _ } =
            clause;
        if let Some(infer) = infer {
            let protobuf::InferClause { index_elems, where_clause, conname: _, location: _ } =
                &**infer;
            let scope = self.enter(&[]);
            self.row = Some(Row { arbiter: true, ..Row::of(write, scope) });
            for element in index_elems {
                if let Some(name) = self.inferred(element)? {
                    self.note(write, |write| write.conflict.push(name));
                }
            }
            self.optional(where_clause)?;
            self.leave(scope);
        }
        match OnConflictAction::try_from(*action) {
            Ok(OnConflictAction::OnconflictNothing)
                if target_list.is_empty() && where_clause.is_none() =>
            {
                Ok(())
            }
            Ok(OnConflictAction::OnconflictUpdate) => {
                let scope = self.enter(&[]);
                self.row = Some(Row { excluded: true, ..Row::of(write, scope) });
                self.assignments(write, target_list)?;
                self.condition(write, where_clause)?;
                self.leave(scope);
                Ok(())
            }
            _ => Err(Violation::Node("OnConflictClause")),
        }
    }

    /// A column by its name, which is given, or an expression.
    fn inferred(&mut self, element: &'t protobuf::Node) -> Result<Option<String>, Violation> {
        let Some(Node::IndexElem(element)) = &element.node else {
            return Err(unexpected(&element.node, "IndexElem"));
        };
        let protobuf::IndexElem {
            name,
            expr,
            indexcolname,
            collation,
            opclass,
            opclassopts,
            ordering,
            nulls_ordering,
        } = &**element;
        let is_plain = expr.is_none() != name.is_empty()
            && indexcolname.is_empty()
            && opclass.is_empty()
            && opclassopts.is_empty()
            && matches!(SortByDir::try_from(*ordering), Ok(SortByDir::SortbyDefault))
            && matches!(
                SortByNulls::try_from(*nulls_ordering),
                Ok(SortByNulls::SortbyNullsDefault)
            );
        if !is_plain {
            return Err(Violation::Node("IndexElem"));
        }
        if !collation.is_empty() {
            self.ask_collation(collation)?;
        }
        self.optional(expr)?;
        Ok((!name.is_empty()).then(|| name.clone()))
    }

    pub(super) fn assignments(&mut self, write: usize, list: &'t [protobuf::Node]) -> Proven {
        for target in list {
            let Some(Node::ResTarget(target)) = &target.node else {
                return Err(unexpected(&target.node, "ResTarget"));
            };
            let protobuf::ResTarget { name, indirection, val, location: _ } = &**target;
            self.parts(indirection)?;
            let value = val.as_deref().ok_or(Violation::Node("ResTarget"))?;
            let mut assignment = Assignment { column: name.clone(), wrap: None, is_default: false };
            match &value.node {
                Some(Node::SetToDefault(_)) => {
                    self.value_or_default(value)?;
                    assignment.is_default = true;
                }
                Some(Node::MultiAssignRef(several)) => {
                    let protobuf::MultiAssignRef { source, colno: _, ncolumns: _ } = &**several;
                    match source.as_deref().and_then(|source| source.node.as_ref()) {
                        Some(Node::RowExpr(row)) => self
                            .row_of(row)?
                            .iter()
                            .try_for_each(|value| self.value_or_default(value))?,
                        _ => self.needed(source, "MultiAssignRef")?,
                    }
                }
                Some(Node::FuncCall(call)) if indirection.is_empty() && is_reserved(call) => {
                    assignment.wrap = Some(self.wrap(call)?);
                }
                _ => self.expression(value)?,
            }
            self.note(write, |write| write.assignments.push(assignment));
        }
        Ok(())
    }

    /// `a[1].b`, of what is assigned: fields are no calls there.
    pub(super) fn parts(&mut self, indirection: &'t [protobuf::Node]) -> Proven {
        for step in indirection {
            match &step.node {
                Some(Node::String(protobuf::String { sval: _ })) => {}
                Some(Node::AIndices(indices)) => {
                    let protobuf::AIndices { is_slice: _, lidx, uidx } = &**indices;
                    self.optional(lidx)?;
                    self.optional(uidx)?;
                }
                other => return Err(unexpected(other, "A_Indirection")),
            }
        }
        Ok(())
    }

    /// WHERE CURRENT OF, of UPDATE and DELETE: the row is where a cursor of the session stands.
    fn current_of(&mut self, write: usize, current: &protobuf::CurrentOfExpr) -> Proven {
        let protobuf::CurrentOfExpr { xpr, cvarno, cursor_name, cursor_param } = current;
        self.raw(xpr, "CurrentOfExpr")?;
        let kind = self.proof.writes.get(write).map(|write| write.kind);
        let is_in_place = matches!(kind, Some(WriteKind::Update | WriteKind::Delete));
        match (cvarno, cursor_param) {
            (0, 0) if is_in_place && !cursor_name.is_empty() => {
                self.note(write, |write| write.cursor = Some(cursor_name.clone()));
                Ok(())
            }
            _ => Err(Violation::Node("CurrentOfExpr")),
        }
    }

    /// A condition on rows that are there: a wrap, or a wrap and, beside it, comparisons of a column with a constant.
    pub(super) fn condition(&mut self, write: usize, condition: &'t Place) -> Proven {
        let node = condition.as_deref().and_then(|node| node.node.as_ref());
        let wrap = match node {
            None => None,
            Some(Node::CurrentOfExpr(current)) => {
                self.current_of(write, current)?;
                None
            }
            Some(Node::FuncCall(call)) if is_reserved(call) => Some(self.wrap(call)?),
            Some(Node::BoolExpr(all)) => match all.args.split_first() {
                Some((protobuf::Node { node: Some(Node::FuncCall(call)) }, rest))
                    if is_reserved(call)
                        && all.xpr.is_none()
                        && all.boolop == i32::from(BoolExprType::AndExpr)
                        && rest.iter().all(is_plain_comparison) =>
                {
                    let wrap = self.wrap(call)?;
                    self.all(rest)?;
                    Some(wrap)
                }
                _ => {
                    self.optional(condition)?;
                    None
                }
            },
            Some(_) => {
                self.optional(condition)?;
                None
            }
        };
        self.note(write, |write| write.conditions.push(wrap));
        Ok(())
    }

    /// `"scrim$".w1(x, "scrim$".z1)`
    fn wrap(&mut self, call: &'t protobuf::FuncCall) -> Result<usize, Violation> {
        let refused = || Violation::Function(RESERVED_SCHEMA.to_owned());
        let parts = strings(&call.funcname, "FuncCall")?;
        let index = match parts[..] {
            [_, name] => name.strip_prefix('w').and_then(|index| index.parse::<usize>().ok()),
            _ => None,
        };
        let (index, [value, end]) = (index.ok_or_else(refused)?, &call.args[..]) else {
            return Err(refused());
        };
        // Whatever else a call may have must be as it is in a call that has nothing else.
        let bare = protobuf::FuncCall {
            funcname: call.funcname.clone(),
            args: call.args.clone(),
            funcformat: protobuf::CoercionForm::CoerceExplicitCall.into(),
            location: call.location,
            ..Default::default()
        };
        let Some(Node::ColumnRef(end)) = &end.node else { return Err(refused()) };
        let names = strings(&end.fields, "ColumnRef")?;
        if *call != bare || names != [RESERVED_SCHEMA, &format!("z{index}")] {
            return Err(refused());
        }
        let offset = |location: i32| usize::try_from(location).map_err(|_| refused());
        let (start, end) = (offset(call.location)?, offset(end.location)?);
        self.proof.wraps.push(Wrap { index, start, end });
        self.expression(value)?;
        Ok(index)
    }
}

/// A call in the reserved schema.
fn is_reserved(call: &protobuf::FuncCall) -> bool {
    matches!(&call.funcname[..], [protobuf::Node { node: Some(Node::String(schema)) }, _]
        if schema.sval == RESERVED_SCHEMA)
}

/// `alias.column = constant`, and the like.
fn is_plain_comparison(node: &protobuf::Node) -> bool {
    let Some(Node::AExpr(expression)) = &node.node else { return false };
    let is_operator = expression.kind == i32::from(AExprKind::AexprOp)
        && strings(&expression.name, "A_Expr")
            .is_ok_and(|name| matches!(name[..], ["=" | "<" | ">" | "<=" | ">="]));
    let is_column = matches!(
        expression.lexpr.as_deref().and_then(|left| left.node.as_ref()),
        Some(Node::ColumnRef(column)) if strings(&column.fields, "ColumnRef")
            .is_ok_and(|names| matches!(names[..], [qualifier, _] if qualifier != RESERVED_SCHEMA))
    );
    is_operator && is_column && is_constant(expression.rexpr.as_deref())
}

fn is_constant(node: Option<&protobuf::Node>) -> bool {
    match node.and_then(|node| node.node.as_ref()) {
        Some(Node::AConst(_) | Node::ParamRef(_)) => true,
        Some(Node::TypeCast(cast)) => is_constant(cast.arg.as_deref()),
        _ => false,
    }
}
