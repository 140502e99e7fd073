//! What stands below a node, to be changed in place.
//!
//! For those that make a statement into another one before it is proven. Nothing rests on the list being whole: what
//! it does not know is left as it is, and the proof judges what has become of the whole.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{
    self, JsonBehavior, JsonValueExpr, ReturningClause, SelectStmt, WindowDef, WithClause,
};

type Place = Option<Box<protobuf::Node>>;

/// The nodes directly below.
pub fn children(node: &mut Node) -> Vec<&mut protobuf::Node> {
    let mut below = Below(Vec::new());
    match node {
        Node::SelectStmt(select) => below.select(select),
        Node::CommonTableExpr(cte) => {
            below.one(&mut cte.ctequery);
            if let Some(cycle) = cte.cycle_clause.as_deref_mut() {
                below.one(&mut cycle.cycle_mark_value);
                below.one(&mut cycle.cycle_mark_default);
            }
        }
        Node::InsertStmt(insert) => {
            below.with(&mut insert.with_clause);
            below.one(&mut insert.select_stmt);
            if let Some(conflict) = insert.on_conflict_clause.as_deref_mut() {
                if let Some(infer) = conflict.infer.as_deref_mut() {
                    below.all(&mut infer.index_elems);
                    below.one(&mut infer.where_clause);
                }
                below.all(&mut conflict.target_list);
                below.one(&mut conflict.where_clause);
            }
            below.returning(&mut insert.returning_clause);
        }
        Node::UpdateStmt(update) => {
            below.with(&mut update.with_clause);
            below.all(&mut update.target_list);
            below.all(&mut update.from_clause);
            below.one(&mut update.where_clause);
            below.returning(&mut update.returning_clause);
        }
        Node::DeleteStmt(delete) => {
            below.with(&mut delete.with_clause);
            below.all(&mut delete.using_clause);
            below.one(&mut delete.where_clause);
            below.returning(&mut delete.returning_clause);
        }
        Node::MergeStmt(merge) => {
            below.with(&mut merge.with_clause);
            below.one(&mut merge.source_relation);
            below.one(&mut merge.join_condition);
            below.all(&mut merge.merge_when_clauses);
            below.returning(&mut merge.returning_clause);
        }
        Node::MergeWhenClause(when) => {
            below.one(&mut when.condition);
            below.all(&mut when.target_list);
            below.all(&mut when.values);
        }
        Node::DeclareCursorStmt(declare) => below.one(&mut declare.query),
        Node::PrepareStmt(prepare) => below.one(&mut prepare.query),
        Node::ExplainStmt(explain) => below.one(&mut explain.query),
        Node::CreateTableAsStmt(create) => below.one(&mut create.query),
        Node::CopyStmt(copy) => {
            below.one(&mut copy.query);
            below.one(&mut copy.where_clause);
        }
        Node::ExecuteStmt(execute) => below.all(&mut execute.params),
        Node::CreateStmt(create) => below.all(&mut create.table_elts),
        Node::ColumnDef(column) => {
            below.one(&mut column.raw_default);
            below.all(&mut column.constraints);
        }
        Node::Constraint(constraint) => below.one(&mut constraint.raw_expr),
        Node::IndexStmt(index) => {
            below.all(&mut index.index_params);
            below.one(&mut index.where_clause);
        }
        Node::IndexElem(item) => below.one(&mut item.expr),
        Node::RangeSubselect(subselect) => below.one(&mut subselect.subquery),
        Node::JoinExpr(join) => {
            below.one(&mut join.larg);
            below.one(&mut join.rarg);
            below.one(&mut join.quals);
        }
        Node::RangeFunction(function) => below.all(&mut function.functions),
        Node::RangeTableSample(sample) => {
            below.all(&mut sample.args);
            below.one(&mut sample.repeatable);
        }
        Node::RangeTableFunc(table) => {
            below.one(&mut table.docexpr);
            below.one(&mut table.rowexpr);
            below.all(&mut table.namespaces);
            below.all(&mut table.columns);
        }
        Node::RangeTableFuncCol(column) => {
            below.one(&mut column.colexpr);
            below.one(&mut column.coldefexpr);
        }
        other => below.expression(other),
    }
    below.0
}

struct Below<'n>(Vec<&'n mut protobuf::Node>);

impl<'n> Below<'n> {
    fn one(&mut self, place: &'n mut Place) {
        self.0.extend(place.as_deref_mut());
    }

    fn all(&mut self, nodes: &'n mut [protobuf::Node]) {
        self.0.extend(nodes);
    }

    fn with(&mut self, with: &'n mut Option<WithClause>) {
        with.iter_mut().for_each(|with| self.0.extend(&mut with.ctes));
    }

    fn returning(&mut self, returning: &'n mut Option<ReturningClause>) {
        returning.iter_mut().for_each(|returning| self.0.extend(&mut returning.exprs));
    }

    fn select(&mut self, select: &'n mut SelectStmt) {
        self.with(&mut select.with_clause);
        for arm in [&mut select.larg, &mut select.rarg].into_iter().flatten() {
            self.select(arm);
        }
        for list in [
            &mut select.distinct_clause,
            &mut select.target_list,
            &mut select.from_clause,
            &mut select.group_clause,
            &mut select.window_clause,
            &mut select.values_lists,
            &mut select.sort_clause,
        ] {
            self.all(list);
        }
        for place in [
            &mut select.where_clause,
            &mut select.having_clause,
            &mut select.limit_offset,
            &mut select.limit_count,
        ] {
            self.one(place);
        }
    }

    fn window(&mut self, window: &'n mut WindowDef) {
        self.all(&mut window.partition_clause);
        self.all(&mut window.order_clause);
        self.one(&mut window.start_offset);
        self.one(&mut window.end_offset);
    }

    fn expression(&mut self, node: &'n mut Node) {
        match node {
            Node::ResTarget(target) => self.one(&mut target.val),
            Node::SortBy(item) => self.one(&mut item.node),
            Node::WindowDef(window) => self.window(window),
            Node::List(list) => self.all(&mut list.items),
            Node::AExpr(operation) => {
                self.one(&mut operation.lexpr);
                self.one(&mut operation.rexpr);
            }
            Node::BoolExpr(expression) => self.all(&mut expression.args),
            Node::FuncCall(call) => {
                self.all(&mut call.args);
                self.all(&mut call.agg_order);
                self.one(&mut call.agg_filter);
                if let Some(window) = call.over.as_deref_mut() {
                    self.window(window);
                }
            }
            Node::TypeCast(cast) => self.one(&mut cast.arg),
            Node::CollateClause(collation) => self.one(&mut collation.arg),
            Node::AIndirection(indirection) => {
                self.one(&mut indirection.arg);
                self.all(&mut indirection.indirection);
            }
            Node::AIndices(indices) => {
                self.one(&mut indices.lidx);
                self.one(&mut indices.uidx);
            }
            Node::AArrayExpr(array) => self.all(&mut array.elements),
            Node::RowExpr(row) => self.all(&mut row.args),
            Node::SubLink(link) => {
                self.one(&mut link.testexpr);
                self.one(&mut link.subselect);
            }
            Node::CaseExpr(case) => {
                self.one(&mut case.arg);
                self.all(&mut case.args);
                self.one(&mut case.defresult);
            }
            Node::CaseWhen(when) => {
                self.one(&mut when.expr);
                self.one(&mut when.result);
            }
            Node::CoalesceExpr(coalesce) => self.all(&mut coalesce.args),
            Node::MinMaxExpr(minmax) => self.all(&mut minmax.args),
            Node::NullTest(test) => self.one(&mut test.arg),
            Node::BooleanTest(test) => self.one(&mut test.arg),
            Node::GroupingFunc(grouping) => self.all(&mut grouping.args),
            Node::GroupingSet(set) => self.all(&mut set.content),
            Node::NamedArgExpr(named) => self.one(&mut named.arg),
            Node::MultiAssignRef(assigned) => self.one(&mut assigned.source),
            Node::XmlExpr(xml) => {
                self.all(&mut xml.named_args);
                self.all(&mut xml.args);
            }
            Node::XmlSerialize(xml) => self.one(&mut xml.expr),
            other => self.json(other),
        }
    }

    fn value(&mut self, value: &'n mut Option<Box<JsonValueExpr>>) {
        if let Some(value) = value.as_deref_mut() {
            self.one(&mut value.raw_expr);
        }
    }

    fn behavior(&mut self, behavior: &'n mut Option<Box<JsonBehavior>>) {
        if let Some(behavior) = behavior.as_deref_mut() {
            self.one(&mut behavior.expr);
        }
    }

    fn json(&mut self, node: &'n mut Node) {
        match node {
            Node::JsonValueExpr(value) => self.one(&mut value.raw_expr),
            Node::JsonObjectConstructor(object) => self.all(&mut object.exprs),
            Node::JsonArrayConstructor(array) => self.all(&mut array.exprs),
            Node::JsonArrayQueryConstructor(array) => self.one(&mut array.query),
            Node::JsonKeyValue(pair) => {
                self.one(&mut pair.key);
                self.value(&mut pair.value);
            }
            Node::JsonIsPredicate(test) => self.one(&mut test.expr),
            Node::JsonScalarExpr(scalar) => self.one(&mut scalar.expr),
            Node::JsonParseExpr(parse) => self.value(&mut parse.expr),
            Node::JsonSerializeExpr(serialize) => self.value(&mut serialize.expr),
            Node::JsonArgument(argument) => self.value(&mut argument.val),
            Node::JsonFuncExpr(call) => {
                self.value(&mut call.context_item);
                self.one(&mut call.pathspec);
                self.all(&mut call.passing);
                self.behavior(&mut call.on_empty);
                self.behavior(&mut call.on_error);
            }
            Node::JsonTable(table) => {
                self.value(&mut table.context_item);
                self.all(&mut table.passing);
            }
            Node::JsonObjectAgg(aggregate) => {
                if let Some(pair) = aggregate.arg.as_deref_mut() {
                    self.one(&mut pair.key);
                    self.value(&mut pair.value);
                }
                if let Some(constructor) = aggregate.constructor.as_deref_mut() {
                    self.aggregate(constructor);
                }
            }
            Node::JsonArrayAgg(aggregate) => {
                self.value(&mut aggregate.arg);
                if let Some(constructor) = aggregate.constructor.as_deref_mut() {
                    self.aggregate(constructor);
                }
            }
            _ => {}
        }
    }

    fn aggregate(&mut self, constructor: &'n mut protobuf::JsonAggConstructor) {
        self.all(&mut constructor.agg_order);
        self.one(&mut constructor.agg_filter);
        if let Some(window) = constructor.over.as_deref_mut() {
            self.window(window);
        }
    }
}
