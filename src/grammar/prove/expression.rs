//! Expressions.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{AExprKind, SqlValueFunctionOp, SubLinkType, XmlExprOp};

use super::ask::strings;
use super::naming::{Use, are_naming_casts, names_objects};
use super::node_name::node_name;
use super::query::unexpected;
use super::{Extent, Proven, Standing, Violation, Walker};

/// A node that analysis puts below another, where raw trees have nothing.
type Xpr = Option<Box<protobuf::Node>>;

impl<'t> Walker<'t, '_> {
    pub(super) fn all(&mut self, nodes: &'t [protobuf::Node]) -> Proven {
        nodes.iter().try_for_each(|node| self.expression(node))
    }

    pub(super) fn optional(&mut self, node: &'t Option<Box<protobuf::Node>>) -> Proven {
        node.as_deref().map_or(Ok(()), |node| self.expression(node))
    }

    pub(super) fn needed(
        &mut self,
        node: &'t Option<Box<protobuf::Node>>,
        of: &'static str,
    ) -> Proven {
        node.as_deref().map_or(Err(Violation::Node(of)), |node| self.expression(node))
    }

    /// The allow-list of expression nodes.
    pub(super) fn expression(&mut self, node: &'t protobuf::Node) -> Proven {
        let used = std::mem::take(&mut self.used);
        let Some(node) = &node.node else {
            return Err(Violation::Node("Node"));
        };
        match node {
            Node::AConst(constant) => self.constant(constant),
            Node::ColumnRef(column) => self.column(column),
            Node::ParamRef(parameter) => self.parameter(parameter),
            Node::AExpr(expression) => self.operation(expression),
            Node::BoolExpr(expression) => {
                let protobuf::BoolExpr { xpr, boolop: _, args, location: _ } = &**expression;
                self.raw(xpr, "BoolExpr")?;
                self.all(args)
            }
            Node::FuncCall(call) => self.call(call, used),
            Node::TypeCast(cast) => {
                let protobuf::TypeCast { arg, type_name, location: _ } = &**cast;
                let Some(name) = type_name else { return Err(Violation::Node("TypeCast")) };
                self.ask_type(name)?;
                match names_objects(name) {
                    true => self.note_name(used),
                    false => self.used = Use::AtOnce,
                }
                self.needed(arg, "TypeCast")
            }
            Node::CollateClause(collation) => {
                let protobuf::CollateClause { arg, collname, location: _ } = &**collation;
                self.ask_collation(collname)?;
                self.needed(arg, "CollateClause")
            }
            Node::AIndirection(indirection) => self.indirection(indirection),
            Node::AArrayExpr(array) => {
                let protobuf::AArrayExpr { elements, list_start: _, list_end: _, location: _ } =
                    array;
                // As `oid = ANY (ARRAY['a'::regclass, 'b'::regclass])`.
                let used = match are_naming_casts(elements) {
                    true => used,
                    false => Use::GoesOn,
                };
                if !matches!(used, Use::AtOnce | Use::IntoText) {
                    self.unite(elements.iter());
                }
                elements.iter().try_for_each(|element| self.used(element, used))
            }
            Node::RowExpr(row) => self.row_of(row).and_then(|args| self.all(args)),
            Node::SubLink(link) => self.sublink(link, used),
            Node::CaseExpr(case) => self.case(case),
            Node::CoalesceExpr(coalesce) => {
                let protobuf::CoalesceExpr {
                    xpr,
                    coalescetype: _,
                    coalescecollid: _,
                    args,
                    location: _,
                } = &**coalesce;
                self.raw(xpr, "CoalesceExpr")?;
                if are_naming_casts(args) {
                    return args.iter().try_for_each(|argument| self.used(argument, used));
                }
                self.unite(args.iter());
                self.all(args)
            }
            Node::MinMaxExpr(minmax) => {
                let protobuf::MinMaxExpr {
                    xpr,
                    minmaxtype: _,
                    minmaxcollid: _,
                    inputcollid: _,
                    op: _,
                    args,
                    location: _,
                } = &**minmax;
                self.raw(xpr, "MinMaxExpr")?;
                self.unite(args.iter());
                self.all(args)
            }
            Node::NullTest(test) => {
                let protobuf::NullTest { xpr, arg, nulltesttype: _, argisrow: _, location: _ } =
                    &**test;
                self.raw(xpr, "NullTest")?;
                self.used = Use::AtOnce;
                self.needed(arg, "NullTest")
            }
            Node::BooleanTest(test) => {
                let protobuf::BooleanTest { xpr, arg, booltesttype: _, location: _ } = &**test;
                self.raw(xpr, "BooleanTest")?;
                self.needed(arg, "BooleanTest")
            }
            Node::SqlvalueFunction(function) => self.value_function(function),
            Node::GroupingFunc(grouping) => self.grouping(grouping),
            Node::MergeSupportFunc(action) => self.merge_action(action),
            Node::NamedArgExpr(named) => {
                let protobuf::NamedArgExpr { xpr, arg, name: _, argnumber: _, location: _ } =
                    &**named;
                self.raw(xpr, "NamedArgExpr")?;
                self.needed(arg, "NamedArgExpr")
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
                self.ask_type_if_any(type_name.as_ref())?;
                self.needed(expr, "XmlSerialize")
            }
            other => self.json_expression(other),
        }
    }

    /// ROW(…): its items, to be walked.
    pub(super) fn row_of(
        &mut self,
        row: &'t protobuf::RowExpr,
    ) -> Result<&'t [protobuf::Node], Violation> {
        let protobuf::RowExpr { xpr, args, row_typeid: _, row_format: _, colnames, location: _ } =
            row;
        self.raw(xpr, "RowExpr")?;
        strings(colnames, "RowExpr")?;
        args.iter().for_each(|item| self.stands(item, Standing::InRow));
        Ok(args)
    }

    /// A raw tree has no `xpr`.
    pub(super) fn raw(&self, xpr: &Xpr, of: &'static str) -> Proven {
        if xpr.is_some() { Err(Violation::Node(of)) } else { Ok(()) }
    }

    /// A number that is not plainly decimal (`0xFFFFFFFFFF`, `1_000_000_000_000`) is another text for servers
    /// before 16; small ones are printed as decimals anyway.
    fn constant(&mut self, constant: &protobuf::AConst) -> Proven {
        use protobuf::a_const::Val;
        let protobuf::AConst { isnull, location: _, val } = constant;
        match val {
            None if *isnull => Ok(()),
            Some(
                Val::Ival(protobuf::Integer { ival: _ })
                | Val::Boolval(protobuf::Boolean { boolval: _ })
                | Val::Sval(protobuf::String { sval: _ })
                | Val::Bsval(protobuf::BitString { bsval: _ }),
            ) => Ok(()),
            Some(Val::Fval(protobuf::Float { fval })) if is_decimal(fval) => Ok(()),
            Some(Val::Fval(_)) => Err(Violation::Node("Float")),
            None => Err(Violation::Node("A_Const")),
        }
    }

    fn parameter(&mut self, parameter: &protobuf::ParamRef) -> Proven {
        let protobuf::ParamRef { number, location: _ } = parameter;
        if *number < 1 || self.extent == Extent::Expression {
            return Err(Violation::Node("ParamRef"));
        }
        self.proof.parameters.insert(*number);
        Ok(())
    }

    /// Operators, and what the grammar writes like them. The right side of IN, and of BETWEEN, is a list.
    fn operation(&mut self, expression: &'t protobuf::AExpr) -> Proven {
        let protobuf::AExpr {
            kind,
            name,
            lexpr,
            rexpr,
            rexpr_list_start: _,
            rexpr_list_end: _,
            location: _,
        } = expression;
        let is_list = match AExprKind::try_from(*kind) {
            Ok(
                AExprKind::AexprOp
                | AExprKind::AexprOpAny
                | AExprKind::AexprOpAll
                | AExprKind::AexprDistinct
                | AExprKind::AexprNotDistinct
                | AExprKind::AexprNullif
                | AExprKind::AexprLike
                | AExprKind::AexprIlike
                | AExprKind::AexprSimilar,
            ) => {
                self.ask_named_operator(name)?;
                false
            }
            Ok(AExprKind::AexprIn) => {
                self.ask_named_operator(name)?;
                true
            }
            Ok(
                AExprKind::AexprBetween
                | AExprKind::AexprNotBetween
                | AExprKind::AexprBetweenSym
                | AExprKind::AexprNotBetweenSym,
            ) => {
                // The name is the word itself.
                strings(name, "A_Expr")?;
                self.ask_operators(&["<", "<=", ">", ">="])?;
                true
            }
            Ok(AExprKind::Undefined) | Err(_) => return Err(Violation::Node("A_Expr")),
        };
        let (left, right) = self.note_sides(expression);
        // `- x` has no left side.
        if let Some(lexpr) = lexpr.as_deref() {
            self.used(lexpr, left)?;
        }
        match rexpr.as_deref().and_then(|node| node.node.as_ref()) {
            Some(Node::List(protobuf::List { items })) if is_list => {
                items.iter().try_for_each(|item| self.used(item, right))
            }
            // What is left of `x IN (…)` when the list is a sub-select is a SubLink, no A_Expr.
            Some(_) if !is_list => {
                self.used = right;
                self.needed(rexpr, "A_Expr")
            }
            _ => Err(Violation::Node("A_Expr")),
        }
    }

    fn ask_named_operator(&mut self, name: &[protobuf::Node]) -> Proven {
        if name.is_empty() {
            return Err(Violation::Node("A_Expr"));
        }
        self.ask_operator(name)
    }

    /// A call: of a function, an aggregate or a window function.
    fn call(&mut self, call: &'t protobuf::FuncCall, used: Use) -> Proven {
        let protobuf::FuncCall {
            funcname: _, // below
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group,
            agg_star,
            agg_distinct,
            func_variadic: _,
            funcformat,
            location: _,
        } = call;
        self.special_syntax(call, *funcformat)?;
        let is_over_rows = *agg_within_group
            || *agg_star
            || *agg_distinct
            || !agg_order.is_empty()
            || agg_filter.is_some()
            || over.is_some();
        if is_over_rows && self.extent == Extent::Expression {
            return Err(Violation::Node("Aggref"));
        }
        self.ask_call(call)?;
        let below = self.note_call(call, used);
        args.iter().try_for_each(|argument| self.used(argument, below))?;
        self.sort(agg_order)?;
        self.optional(agg_filter)?;
        over.as_deref().map_or(Ok(()), |window| self.window(window))
    }

    /// `TRIM(FROM a, b, c)` reads as a call with as many arguments as one likes, which no function takes and
    /// libpg_query's printer does not expect: a build of it with assertions would end the process.
    fn special_syntax(&self, call: &protobuf::FuncCall, format: i32) -> Proven {
        let is_special = format != i32::from(protobuf::CoercionForm::CoerceExplicitCall);
        let parts = strings(&call.funcname, "FuncCall")?;
        match parts[..] {
            [_, "btrim" | "ltrim" | "rtrim"] if is_special && call.args.len() > 2 => {
                Err(Violation::Function(parts.join(".")))
            }
            _ => Ok(()),
        }
    }

    /// `(x).name`, `(x).*`, `x[1]`, `x[1:2]`, in any order.
    fn indirection(&mut self, indirection: &'t protobuf::AIndirection) -> Proven {
        let protobuf::AIndirection { arg, indirection } = indirection;
        if let Some(base) = arg.as_deref() {
            self.stands(base, Standing::Base);
        }
        self.needed(arg, "A_Indirection")?;
        // `(c).email` is `c.email`.
        let mut qualifier = match arg.as_deref().and_then(|node| node.node.as_ref()) {
            Some(Node::ColumnRef(column)) => last_name(column),
            _ => None,
        };
        for step in indirection {
            match &step.node {
                Some(Node::String(protobuf::String { sval: name })) => {
                    self.terms.may_select_field(name)?;
                    self.note_column(qualifier, name);
                    qualifier = Some(name);
                }
                Some(Node::AStar(protobuf::AStar {})) if self.extent != Extent::Expression => {
                    self.note_column(qualifier, "*");
                }
                Some(Node::AIndices(indices)) => {
                    let protobuf::AIndices { is_slice: _, lidx, uidx } = &**indices;
                    self.optional(lidx)?;
                    self.optional(uidx)?;
                    qualifier = None;
                }
                other => return Err(unexpected(other, "A_Indirection")),
            }
        }
        Ok(())
    }

    fn sublink(&mut self, link: &'t protobuf::SubLink, used: Use) -> Proven {
        let protobuf::SubLink {
            xpr,
            sub_link_type,
            sub_link_id: _,
            testexpr,
            oper_name,
            subselect,
            location: _,
        } = link;
        self.raw(xpr, "SubLink")?;
        if self.extent == Extent::Expression {
            return Err(Violation::Node("SubLink"));
        }
        match SubLinkType::try_from(*sub_link_type) {
            Ok(SubLinkType::AnySublink | SubLinkType::AllSublink) => {
                self.ask_operator(oper_name)?;
                self.used = Use::AtOnce;
                self.needed(testexpr, "SubLink")?;
                self.output = Use::AtOnce;
            }
            Ok(SubLinkType::ArraySublink) if testexpr.is_none() && oper_name.is_empty() => {
                self.unites();
            }
            Ok(SubLinkType::ExistsSublink) if testexpr.is_none() && oper_name.is_empty() => {
                self.output = Use::AtOnce;
            }
            Ok(SubLinkType::ExprSublink) if testexpr.is_none() && oper_name.is_empty() => {
                self.output = used;
            }
            _ => return Err(Violation::Node("SubLink")),
        }
        self.subselect(subselect)
    }

    /// `CASE x WHEN y` compares by `=`.
    fn case(&mut self, case: &'t protobuf::CaseExpr) -> Proven {
        let protobuf::CaseExpr {
            xpr,
            casetype: _,
            casecollid: _,
            arg,
            args,
            defresult,
            location: _,
        } = case;
        self.raw(xpr, "CaseExpr")?;
        if arg.is_some() {
            self.ask_operators(&["="])?;
        }
        if let Some(arg) = arg.as_deref() {
            self.used(arg, Use::AtOnce)?;
        }
        let mut results = Vec::new();
        for when in args {
            let Some(Node::CaseWhen(when)) = &when.node else {
                return Err(unexpected(&when.node, "CaseWhen"));
            };
            let protobuf::CaseWhen { xpr, expr, result, location: _ } = &**when;
            self.raw(xpr, "CaseWhen")?;
            self.used = Use::AtOnce;
            self.needed(expr, "CaseWhen")?;
            self.needed(result, "CaseWhen")?;
            results.extend(result.as_deref());
        }
        let results = results.into_iter().chain(defresult.as_deref());
        // One alone has its own type.
        if results.clone().nth(1).is_some() {
            self.unite(results);
        }
        self.optional(defresult)
    }

    /// CURRENT_DATE and its like: the clock, the database and the schema, all of which the session knows; and the
    /// login.
    fn value_function(&mut self, function: &protobuf::SqlValueFunction) -> Proven {
        let protobuf::SqlValueFunction { xpr, op, r#type: _, typmod: _, location: _ } = function;
        self.raw(xpr, "SQLValueFunction")?;
        use SqlValueFunctionOp as Op;
        match Op::try_from(*op) {
            Ok(
                Op::SvfopCurrentDate
                | Op::SvfopCurrentTime
                | Op::SvfopCurrentTimeN
                | Op::SvfopCurrentTimestamp
                | Op::SvfopCurrentTimestampN
                | Op::SvfopLocaltime
                | Op::SvfopLocaltimeN
                | Op::SvfopLocaltimestamp
                | Op::SvfopLocaltimestampN
                | Op::SvfopCurrentCatalog
                | Op::SvfopCurrentSchema,
            ) => Ok(()),
            Ok(Op::SvfopCurrentRole) => self.terms.may_name_login("current_role"),
            Ok(Op::SvfopCurrentUser) => self.terms.may_name_login("current_user"),
            Ok(Op::SvfopUser) => self.terms.may_name_login("user"),
            Ok(Op::SvfopSessionUser) => self.terms.may_name_login("session_user"),
            Ok(Op::SqlvalueFunctionOpUndefined) | Err(_) => {
                Err(Violation::Node("SQLValueFunction"))
            }
        }
    }

    /// `merge_action()`: the name of what MERGE has done. Where else it stands PostgreSQL refuses it.
    fn merge_action(&mut self, action: &'t protobuf::MergeSupportFunc) -> Proven {
        let protobuf::MergeSupportFunc { xpr, msftype: _, msfcollid, location: _ } = action;
        self.raw(xpr, "MergeSupportFunc")?;
        match (*msfcollid, self.row) {
            (0, Some(row)) if row.returning => Ok(()),
            _ => Err(Violation::Node("MergeSupportFunc")),
        }
    }

    fn grouping(&mut self, grouping: &'t protobuf::GroupingFunc) -> Proven {
        let protobuf::GroupingFunc { xpr, args, refs, agglevelsup: _, location: _ } = grouping;
        self.raw(xpr, "GroupingFunc")?;
        if !refs.is_empty() || self.extent == Extent::Expression {
            return Err(Violation::Node("GroupingFunc"));
        }
        self.all(args)
    }

    fn xml(&mut self, xml: &'t protobuf::XmlExpr) -> Proven {
        let protobuf::XmlExpr {
            xpr,
            op,
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
        self.raw(xpr, "XmlExpr")?;
        match XmlExprOp::try_from(*op) {
            Ok(
                XmlExprOp::IsXmlconcat
                | XmlExprOp::IsXmlelement
                | XmlExprOp::IsXmlforest
                | XmlExprOp::IsXmlparse
                | XmlExprOp::IsXmlpi
                | XmlExprOp::IsXmlroot
                | XmlExprOp::IsXmlserialize
                | XmlExprOp::IsDocument,
            ) => {}
            Ok(XmlExprOp::Undefined) | Err(_) => return Err(Violation::Node("XmlExpr")),
        }
        strings(arg_names, "XmlExpr")?;
        named_args.iter().try_for_each(|argument| self.target(argument))?;
        self.all(args)
    }
}

fn is_decimal(number: &str) -> bool {
    number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
}

fn last_name(column: &protobuf::ColumnRef) -> Option<&str> {
    match &column.fields.last()?.node {
        Some(Node::String(protobuf::String { sval })) => Some(sval),
        _ => None,
    }
}

/// For [`Walker::json_expression`]: what is no expression at all.
pub(super) fn refuse(node: &Node) -> Violation {
    Violation::Node(node_name(node))
}
