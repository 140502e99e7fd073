//! Expressions on PostgreSQL's tree.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, AExprKind};

use super::{string, strings, unknown};
use crate::sql::rewrite::{Done, Rewriter};

impl Rewriter<'_> {
    pub(super) fn tree_all(&mut self, nodes: &mut [protobuf::Node]) -> Done {
        nodes.iter_mut().try_for_each(|node| self.tree_expression(node))
    }

    pub(super) fn tree_optional(&mut self, node: &mut Option<Box<protobuf::Node>>) -> Done {
        node.as_deref_mut().map_or(Ok(()), |node| self.tree_expression(node))
    }

    /// An expression, or what stands among expressions: an item of a list, of ORDER BY, of a window.
    pub(super) fn tree_expression(&mut self, node: &mut protobuf::Node) -> Done {
        match &mut node.node {
            Some(
                Node::AConst(_)
                | Node::ParamRef(_)
                | Node::SqlvalueFunction(_)
                | Node::SetToDefault(_),
            ) => Ok(()),
            Some(Node::ColumnRef(column)) => self.tree_column(column),
            Some(Node::FuncCall(call)) => self.tree_call(call),
            Some(Node::AExpr(operation)) => {
                self.tree_operator(operation);
                self.tree_optional(&mut operation.lexpr)?;
                self.tree_optional(&mut operation.rexpr)
            }
            Some(Node::SubLink(link)) => {
                self.tree_optional(&mut link.testexpr)?;
                self.tree_query(&mut link.subselect)
            }
            Some(Node::BoolExpr(expression)) => self.tree_all(&mut expression.args),
            Some(Node::TypeCast(cast)) => self.tree_optional(&mut cast.arg),
            Some(Node::CollateClause(collation)) => self.tree_optional(&mut collation.arg),
            Some(Node::AIndirection(indirection)) => {
                self.tree_optional(&mut indirection.arg)?;
                for step in &mut indirection.indirection {
                    if let Some(Node::AIndices(indices)) = &mut step.node {
                        self.tree_optional(&mut indices.lidx)?;
                        self.tree_optional(&mut indices.uidx)?;
                    }
                }
                Ok(())
            }
            Some(Node::AArrayExpr(array)) => self.tree_all(&mut array.elements),
            Some(Node::RowExpr(row)) => self.tree_all(&mut row.args),
            Some(Node::List(list)) => self.tree_all(&mut list.items),
            Some(Node::CaseExpr(case)) => {
                self.tree_optional(&mut case.arg)?;
                self.tree_all(&mut case.args)?;
                self.tree_optional(&mut case.defresult)
            }
            Some(Node::CaseWhen(when)) => {
                self.tree_optional(&mut when.expr)?;
                self.tree_optional(&mut when.result)
            }
            Some(Node::CoalesceExpr(coalesce)) => self.tree_all(&mut coalesce.args),
            Some(Node::MinMaxExpr(minmax)) => self.tree_all(&mut minmax.args),
            Some(Node::NullTest(test)) => self.tree_optional(&mut test.arg),
            Some(Node::BooleanTest(test)) => self.tree_optional(&mut test.arg),
            Some(Node::GroupingFunc(grouping)) => self.tree_all(&mut grouping.args),
            Some(Node::GroupingSet(set)) => self.tree_all(&mut set.content),
            Some(Node::NamedArgExpr(named)) => self.tree_optional(&mut named.arg),
            Some(Node::XmlExpr(xml)) => {
                self.tree_all(&mut xml.named_args)?;
                self.tree_all(&mut xml.args)
            }
            Some(Node::XmlSerialize(xml)) => self.tree_optional(&mut xml.expr),
            Some(Node::ResTarget(target)) => self.tree_optional(&mut target.val),
            Some(Node::SortBy(item)) => self.tree_optional(&mut item.node),
            Some(Node::WindowDef(window)) => self.tree_window(window),
            _ => Err(unknown("an expression")),
        }
    }

    /// `public.customers.email`, where `customers` became a hole, is `customers.email`.
    fn tree_column(&mut self, column: &mut protobuf::ColumnRef) -> Done {
        let fields = &mut column.fields;
        let is_star = matches!(fields.last().map(|node| &node.node), Some(Some(Node::AStar(_))));
        let named = fields.len().saturating_sub(usize::from(is_star));
        let mut names =
            fields.get(..named).and_then(strings).ok_or_else(|| unknown("ColumnRef"))?;
        if is_star {
            names.push("*".into());
        }
        if let Some(kept) = self.without_schema(&names) {
            let cut = names.len().saturating_sub(kept);
            fields.drain(..cut);
            names.drain(..cut);
        }
        self.note_system_column(&names);
        self.mentions.push(names);
        Ok(())
    }

    fn tree_call(&mut self, call: &mut protobuf::FuncCall) -> Done {
        if let Some([name]) = strings(&call.funcname).as_deref()
            && let Some(schema) = self.function_schema(name)
        {
            call.funcname.insert(0, string(&schema));
        }
        self.tree_all(&mut call.args)?;
        self.tree_all(&mut call.agg_order)?;
        self.tree_optional(&mut call.agg_filter)?;
        call.over.as_deref_mut().map_or(Ok(()), |window| self.tree_window(window))
    }

    fn tree_window(&mut self, window: &mut protobuf::WindowDef) -> Done {
        self.tree_all(&mut window.partition_clause)?;
        self.tree_all(&mut window.order_clause)?;
        self.tree_optional(&mut window.start_offset)?;
        self.tree_optional(&mut window.end_offset)
    }

    /// An operator that somebody overloads is PostgreSQL's own.
    fn tree_operator(&self, operation: &mut protobuf::AExpr) {
        let can_be_pinned = matches!(
            AExprKind::try_from(operation.kind),
            Ok(AExprKind::AexprOp | AExprKind::AexprOpAny | AExprKind::AexprOpAll)
        );
        if let (true, Some([name])) = (can_be_pinned, strings(&operation.name).as_deref())
            && self.operator_is_overloaded(name)
        {
            operation.name.insert(0, string("pg_catalog"));
        }
    }
}
