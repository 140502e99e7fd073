//! Expressions.

use pg_query::protobuf;
use pg_query::protobuf::AExprKind;
use pg_query::protobuf::node::Node;

use super::{ColumnUse, Done, Violation, Walker, kind, split, strings};

impl Walker<'_> {
    pub(super) fn expressions(&mut self, nodes: &[protobuf::Node]) -> Done {
        nodes.iter().try_for_each(|node| self.expression(node))
    }

    pub(super) fn maybe(&mut self, node: Option<&protobuf::Node>) -> Done {
        node.map_or(Ok(()), |node| self.expression(node))
    }

    fn boxed(&mut self, node: &Option<Box<protobuf::Node>>) -> Done {
        self.maybe(node.as_deref())
    }

    pub(super) fn expression(&mut self, node: &protobuf::Node) -> Done {
        let Some(node) = &node.node else {
            return Err(Violation::Node("an empty expression"));
        };
        match node {
            Node::ColumnRef(column) => self.column(column),
            Node::AConst(_) => Ok(()),
            Node::ParamRef(protobuf::ParamRef { number, location: _ }) => {
                self.proof.parameters.insert(*number);
                Ok(())
            }
            Node::AExpr(expr) => self.a_expr(expr),
            Node::BoolExpr(expr) => {
                let protobuf::BoolExpr { xpr, boolop: _, args, location: _ } = &**expr;
                self.boxed(xpr)?;
                self.expressions(args)
            }
            Node::FuncCall(call) => self.call(call),
            Node::NamedArgExpr(named) => {
                let protobuf::NamedArgExpr { xpr, arg, name: _, argnumber: _, location: _ } =
                    &**named;
                self.boxed(xpr)?;
                self.boxed(arg)
            }
            Node::TypeCast(cast) => {
                let protobuf::TypeCast { arg, type_name, location: _ } = &**cast;
                self.boxed(arg)?;
                self.type_name(type_name.as_ref())
            }
            Node::CollateClause(collate) => self.collate(collate),
            Node::SubLink(link) => {
                let protobuf::SubLink {
                    xpr,
                    sub_link_type,
                    sub_link_id: _,
                    testexpr,
                    oper_name,
                    subselect,
                    location: _,
                } = &**link;
                self.boxed(xpr)?;
                self.boxed(testexpr)?;
                if !oper_name.is_empty() {
                    self.operator(oper_name)?;
                } else if *sub_link_type == i32::from(protobuf::SubLinkType::AnySublink) {
                    self.terms.may_operate(None, "=")?;
                }
                self.sub_select(subselect.as_deref())
            }
            Node::CaseExpr(case) => {
                let protobuf::CaseExpr {
                    xpr,
                    casetype: _,
                    casecollid: _,
                    arg,
                    args,
                    defresult,
                    location: _,
                } = &**case;
                self.boxed(xpr)?;
                self.boxed(arg)?;
                if arg.is_some() {
                    self.terms.may_operate(None, "=")?;
                }
                for when in args {
                    let Some(Node::CaseWhen(when)) = &when.node else {
                        return Err(Violation::Node("another node in CASE"));
                    };
                    let protobuf::CaseWhen { xpr, expr, result, location: _ } = &**when;
                    self.boxed(xpr)?;
                    self.boxed(expr)?;
                    self.boxed(result)?;
                }
                self.boxed(defresult)
            }
            Node::CoalesceExpr(coalesce) => {
                let protobuf::CoalesceExpr {
                    xpr,
                    coalescetype: _,
                    coalescecollid: _,
                    args,
                    location: _,
                } = &**coalesce;
                self.boxed(xpr)?;
                self.expressions(args)
            }
            Node::MinMaxExpr(expr) => {
                let protobuf::MinMaxExpr {
                    xpr,
                    minmaxtype: _,
                    minmaxcollid: _,
                    inputcollid: _,
                    op: _,
                    args,
                    location: _,
                } = &**expr;
                self.boxed(xpr)?;
                self.expressions(args)
            }
            Node::NullTest(test) => {
                let protobuf::NullTest { xpr, arg, nulltesttype: _, argisrow: _, location: _ } =
                    &**test;
                self.boxed(xpr)?;
                self.boxed(arg)
            }
            Node::BooleanTest(test) => {
                let protobuf::BooleanTest { xpr, arg, booltesttype: _, location: _ } = &**test;
                self.boxed(xpr)?;
                self.boxed(arg)
            }
            Node::AArrayExpr(protobuf::AArrayExpr {
                elements,
                list_start: _,
                list_end: _,
                location: _,
            }) => self.expressions(elements),
            Node::RowExpr(row) => {
                let protobuf::RowExpr {
                    xpr,
                    args,
                    row_typeid: _,
                    row_format: _,
                    colnames,
                    location: _,
                } = &**row;
                self.boxed(xpr)?;
                strings(colnames)?;
                self.expressions(args)
            }
            Node::List(list) => self.expressions(&list.items),
            Node::AIndirection(indirection) => {
                let protobuf::AIndirection { arg, indirection } = &**indirection;
                self.boxed(arg)?;
                self.indirection(indirection)
            }
            Node::SqlvalueFunction(function) => {
                let protobuf::SqlValueFunction { xpr, op: _, r#type: _, typmod: _, location: _ } =
                    &**function;
                self.boxed(xpr)
            }
            Node::GroupingFunc(grouping) => {
                let protobuf::GroupingFunc { xpr, args, refs, agglevelsup: _, location: _ } =
                    &**grouping;
                self.boxed(xpr)?;
                self.expressions(refs)?;
                self.expressions(args)
            }
            Node::XmlExpr(xml) => self.xml(xml),
            Node::XmlSerialize(xml) => {
                let protobuf::XmlSerialize {
                    xmloption: _,
                    expr,
                    type_name,
                    indent: _,
                    location: _,
                } = &**xml;
                self.boxed(expr)?;
                self.type_name(type_name.as_ref())
            }
            other => Err(Violation::Node(kind(other))),
        }
    }

    fn column(&mut self, column: &protobuf::ColumnRef) -> Done {
        let protobuf::ColumnRef { fields, location: _ } = column;
        let mut names = Vec::with_capacity(fields.len());
        for field in fields {
            match &field.node {
                Some(Node::String(text)) => names.push(text.sval.clone()),
                Some(Node::AStar(protobuf::AStar {})) => names.push("*".to_owned()),
                _ => return Err(Violation::Node("another node in a column name")),
            }
        }
        let qualifier = names.len().checked_sub(2).and_then(|index| names.get(index)).cloned();
        let Some(name) = names.pop() else {
            return Err(Violation::Node("a column without a name"));
        };
        if qualifier.is_some() && name != "*" {
            self.terms.may_select_column(&name)?;
        }
        self.proof.columns.insert(ColumnUse { qualifier, name });
        Ok(())
    }

    fn indirection(&mut self, indirection: &[protobuf::Node]) -> Done {
        for step in indirection {
            match &step.node {
                Some(Node::String(field)) => self.terms.may_select_field(&field.sval)?,
                Some(Node::AStar(protobuf::AStar {})) => {}
                Some(Node::AIndices(indices)) => {
                    let protobuf::AIndices { is_slice: _, lidx, uidx } = &**indices;
                    self.boxed(lidx)?;
                    self.boxed(uidx)?;
                }
                _ => return Err(Violation::Node("another node in an indirection")),
            }
        }
        Ok(())
    }

    pub(super) fn operator(&mut self, name: &[protobuf::Node]) -> Done {
        let names = strings(name)?;
        let (schema, operator) = split(&names)?;
        self.terms.may_operate(schema, operator)
    }

    fn a_expr(&mut self, expr: &protobuf::AExpr) -> Done {
        let protobuf::AExpr {
            kind: _,
            name,
            lexpr,
            rexpr,
            rexpr_list_start: _,
            rexpr_list_end: _,
            location: _,
        } = expr;
        match expr.kind() {
            AExprKind::AexprOp
            | AExprKind::AexprOpAny
            | AExprKind::AexprOpAll
            | AExprKind::AexprDistinct
            | AExprKind::AexprNotDistinct
            | AExprKind::AexprNullif
            | AExprKind::AexprIn
            | AExprKind::AexprLike
            | AExprKind::AexprIlike
            | AExprKind::AexprSimilar => self.operator(name)?,
            // The name is the word BETWEEN.
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                for operator in ["<", "<=", ">", ">="] {
                    self.terms.may_operate(None, operator)?;
                }
            }
            AExprKind::Undefined => return Err(Violation::Node("an undefined operator")),
        }
        self.boxed(lexpr)?;
        self.boxed(rexpr)
    }

    fn call(&mut self, call: &protobuf::FuncCall) -> Done {
        let protobuf::FuncCall {
            funcname,
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group: _,
            agg_star: _,
            agg_distinct: _,
            func_variadic: _,
            funcformat: _,
            location: _,
        } = call;
        let names = strings(funcname)?;
        let (schema, name) = split(&names)?;
        self.terms.may_call(schema, name, call)?;
        self.proof.functions.insert(names.join("."));
        self.expressions(args)?;
        self.sort(agg_order)?;
        self.boxed(agg_filter)?;
        over.as_deref().map_or(Ok(()), |over| self.window(over))
    }

    pub(super) fn collate(&mut self, collate: &protobuf::CollateClause) -> Done {
        let protobuf::CollateClause { arg, collname, location: _ } = collate;
        let names = strings(collname)?;
        let (schema, name) = split(&names)?;
        self.terms.may_collate(schema, name)?;
        self.boxed(arg)
    }

    pub(super) fn type_name(&mut self, type_name: Option<&protobuf::TypeName>) -> Done {
        let Some(type_name) = type_name else {
            return Err(Violation::Node("a missing type"));
        };
        let protobuf::TypeName {
            names,
            type_oid: _,
            setof,
            pct_type,
            typmods,
            typemod: _,
            array_bounds,
            location: _,
        } = type_name;
        if *setof || *pct_type {
            return Err(Violation::Node("SETOF or %TYPE"));
        }
        let names = strings(names)?;
        let (schema, name) = split(&names)?;
        self.terms.may_cast(schema, name)?;
        self.expressions(typmods)?;
        for bound in array_bounds {
            match &bound.node {
                Some(Node::Integer(_)) => {}
                _ => return Err(Violation::Node("another node in array bounds")),
            }
        }
        Ok(())
    }

    fn xml(&mut self, xml: &protobuf::XmlExpr) -> Done {
        let protobuf::XmlExpr {
            xpr,
            op: _,
            name: _,
            named_args,
            arg_names,
            args,
            xmloption: _,
            indent: _,
            r#type: _,
            typmod: _,
            location: _,
        } = xml;
        self.boxed(xpr)?;
        strings(arg_names)?;
        for named in named_args {
            match &named.node {
                Some(Node::ResTarget(target)) => self.maybe(target.val.as_deref())?,
                _ => return Err(Violation::Node("another node in XML arguments")),
            }
        }
        self.expressions(args)
    }
}
