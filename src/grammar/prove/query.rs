//! Queries: SELECT, VALUES, set operations, WITH.

use pg_query::protobuf;
use pg_query::protobuf::SetOperation;
use pg_query::protobuf::node::Node;

use super::ask::strings;
use super::naming::{Use, is_untyped};
use super::node_name::node_name;
use super::scope::{Source, output};
use super::{Proven, Standing, Violation, Walker};

impl<'t> Walker<'t, '_> {
    /// A query with its own scope of common table expressions.
    ///
    /// WITH stands before everything else of its SelectStmt, the arms of a set operation and ORDER BY included,
    /// and is seen by sub-selects at any depth (`scanNameSpaceForCTE` climbs all levels).
    pub(super) fn select(&mut self, select: &'t protobuf::SelectStmt) -> Proven {
        let protobuf::SelectStmt {
            distinct_clause,
            into_clause,
            target_list,
            from_clause,
            where_clause,
            group_clause,
            group_distinct: _,
            having_clause,
            window_clause,
            values_lists,
            sort_clause,
            limit_offset,
            limit_count,
            limit_option: _,
            locking_clause,
            with_clause,
            op,
            all: _,
            larg,
            rarg,
        } = select;
        if into_clause.is_some() {
            return Err(Violation::Node("IntoClause"));
        }
        let mut output = std::mem::take(&mut self.output);
        let outside = self.ctes.len();
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        match SetOperation::try_from(*op) {
            Ok(SetOperation::SetopNone) if larg.is_none() && rarg.is_none() => {}
            Ok(
                SetOperation::SetopUnion | SetOperation::SetopIntersect | SetOperation::SetopExcept,
            ) => {
                // What is compared only is shown to nobody, whatever type it has; a constant would be read as a name.
                if output != Use::AtOnce || gives_constants(select) {
                    self.unites();
                    output = Use::GoesOn;
                }
            }
            Ok(SetOperation::SetopNone | SetOperation::Undefined) | Err(_) => {
                return Err(Violation::Node("SelectStmt"));
            }
        }
        for arm in [larg, rarg].into_iter().flatten() {
            self.output = output;
            self.select(arm)?;
        }
        let scope = self.enter(from_clause);
        self.note_keys(select);
        self.distinct(distinct_clause)?;
        from_clause.iter().try_for_each(|item| self.item(item))?;
        for target in target_list {
            self.used = output;
            self.target(target)?;
        }
        if values_lists.len() > 1 && (output != Use::AtOnce || gives_constants(select)) {
            self.unites();
        }
        self.optional(where_clause)?;
        group_clause.iter().try_for_each(|item| self.group_item(item))?;
        self.optional(having_clause)?;
        for window in window_clause {
            match &window.node {
                Some(Node::WindowDef(window)) => self.window(window)?,
                other => return Err(unexpected(other, "WindowDef")),
            }
        }
        for row in values_lists {
            match &row.node {
                Some(Node::List(protobuf::List { items })) => {
                    items.iter().try_for_each(|item| {
                        self.stands(item, Standing::InRow);
                        if output == Use::AtOnce {
                            self.used = output;
                        }
                        self.value_or_default(item)
                    })?;
                }
                other => return Err(unexpected(other, "List")),
            }
        }
        self.sort(sort_clause)?;
        self.optional(limit_offset)?;
        self.optional(limit_count)?;
        locking_clause.iter().try_for_each(|locking| self.locking(locking))?;
        self.leave(scope);
        self.ctes.truncate(outside);
        Ok(())
    }

    /// A node that must be a query.
    pub(super) fn subselect(&mut self, query: &'t Option<Box<protobuf::Node>>) -> Proven {
        match query.as_deref().and_then(|node| node.node.as_ref()) {
            Some(Node::SelectStmt(select)) => self.select(select),
            other => Err(unexpected_ref(other, "SelectStmt")),
        }
    }

    /// Without RECURSIVE an expression sees those before it; with it, all of the list, itself included.
    pub(super) fn with(&mut self, with: &'t protobuf::WithClause) -> Proven {
        let protobuf::WithClause { ctes, recursive, location: _ } = with;
        let ctes: Vec<&'t protobuf::CommonTableExpr> = ctes
            .iter()
            .map(|cte| match &cte.node {
                Some(Node::CommonTableExpr(cte)) => Ok(&**cte),
                other => Err(unexpected(other, "CommonTableExpr")),
            })
            .collect::<Result<_, _>>()?;
        if *recursive {
            self.ctes.extend(ctes.iter().map(|cte| cte.ctename.as_str()));
        }
        for cte in ctes {
            self.cte(cte)?;
            if !*recursive {
                self.ctes.push(&cte.ctename);
            }
        }
        Ok(())
    }

    fn cte(&mut self, cte: &'t protobuf::CommonTableExpr) -> Proven {
        let protobuf::CommonTableExpr {
            ctename,
            aliascolnames,
            ctematerialized: _,
            ctequery,
            search_clause,
            cycle_clause,
            location: _,
            // Set by analysis, which has not been here.
            cterecursive: _,
            cterefcount: _,
            ctecolnames,
            ctecoltypes,
            ctecoltypmods,
            ctecolcollations,
        } = cte;
        self.label(ctename);
        strings(aliascolnames, "CommonTableExpr")?.into_iter().for_each(|name| self.label(name));
        let analysed = [ctecolnames, ctecoltypes, ctecoltypmods, ctecolcollations];
        if analysed.into_iter().any(|list| !list.is_empty()) {
            return Err(Violation::Node("CommonTableExpr"));
        }
        // Data-modifying WITH ends here, where only a query is proven.
        self.statement(ctequery.as_deref().and_then(|query| query.node.as_ref()))?;
        let columns = match strings(aliascolnames, "CommonTableExpr")? {
            names if names.is_empty() => output(ctequery.as_deref(), &self.ctes_here()),
            names => Source::Names(names.into_iter().map(|name| Some(name.to_owned())).collect()),
        };
        self.cte_columns.insert(ctename, columns);
        if let Some(search) = search_clause {
            let protobuf::CteSearchClause {
                search_col_list,
                search_breadth_first: _,
                search_seq_column: _,
                location: _,
            } = search;
            self.note_names(search_col_list, "CTESearchClause")?;
        }
        if let Some(cycle) = cycle_clause {
            let protobuf::CteCycleClause {
                cycle_col_list,
                cycle_mark_column: _,
                cycle_mark_value,
                cycle_mark_default,
                cycle_path_column: _,
                location: _,
                cycle_mark_type: _,
                cycle_mark_typmod: _,
                cycle_mark_collation: _,
                cycle_mark_neop: _,
            } = &**cycle;
            self.note_names(cycle_col_list, "CTECycleClause")?;
            self.optional(cycle_mark_value)?;
            self.optional(cycle_mark_default)?;
        }
        Ok(())
    }

    /// Plain DISTINCT is a list of one empty node.
    fn distinct(&mut self, distinct: &'t [protobuf::Node]) -> Proven {
        match distinct {
            [protobuf::Node { node: None }] => Ok(()),
            expressions => expressions.iter().try_for_each(|item| self.used(item, Use::AtOnce)),
        }
    }

    /// An item of the select list.
    pub(super) fn target(&mut self, target: &'t protobuf::Node) -> Proven {
        match &target.node {
            Some(Node::ResTarget(target)) => {
                let protobuf::ResTarget { name, indirection, val, location: _ } = &**target;
                self.label(name);
                if !indirection.is_empty() || val.is_none() {
                    return Err(Violation::Node("ResTarget"));
                }
                if let Some(value) = val.as_deref() {
                    self.stands(value, Standing::InList);
                }
                self.optional(val)
            }
            other => Err(unexpected(other, "ResTarget")),
        }
    }

    fn group_item(&mut self, item: &'t protobuf::Node) -> Proven {
        match &item.node {
            Some(Node::GroupingSet(set)) => {
                let protobuf::GroupingSet { kind: _, content, location: _ } = set;
                content.iter().try_for_each(|item| self.group_item(item))
            }
            _ => self.used(item, Use::AtOnce),
        }
    }

    /// ORDER BY, of a query, an aggregate or a window.
    pub(super) fn sort(&mut self, sort: &'t [protobuf::Node]) -> Proven {
        for item in sort {
            match &item.node {
                Some(Node::SortBy(item)) => {
                    let protobuf::SortBy {
                        node,
                        sortby_dir: _,
                        sortby_nulls: _,
                        use_op,
                        location: _,
                    } = &**item;
                    if !use_op.is_empty() {
                        self.ask_operator(use_op)?;
                    }
                    self.used = Use::AtOnce;
                    self.needed(node, "SortBy")?;
                }
                other => return Err(unexpected(other, "SortBy")),
            }
        }
        Ok(())
    }

    /// A window, of the WINDOW clause or behind OVER. `refname` names another window.
    pub(super) fn window(&mut self, window: &'t protobuf::WindowDef) -> Proven {
        let protobuf::WindowDef {
            name: _,
            refname: _,
            partition_clause,
            order_clause,
            frame_options: _,
            start_offset,
            end_offset,
            location: _,
        } = window;
        self.all(partition_clause)?;
        self.sort(order_clause)?;
        self.optional(start_offset)?;
        self.optional(end_offset)
    }

    /// FOR UPDATE, FOR SHARE: `OF` names what FROM calls something, never a relation of its own.
    fn locking(&mut self, locking: &protobuf::Node) -> Proven {
        let Some(Node::LockingClause(locking)) = &locking.node else {
            return Err(unexpected(&locking.node, "LockingClause"));
        };
        let protobuf::LockingClause { locked_rels, strength: _, wait_policy: _ } = locking;
        for relation in locked_rels {
            let Some(Node::RangeVar(relation)) = &relation.node else {
                return Err(unexpected(&relation.node, "RangeVar"));
            };
            let protobuf::RangeVar {
                catalogname,
                schemaname,
                relname,
                inh: _,
                relpersistence: _,
                alias,
                location: _,
            } = relation;
            if !catalogname.is_empty() || !schemaname.is_empty() || alias.is_some() {
                return Err(Violation::Relation(relname.clone()));
            }
        }
        Ok(())
    }

    /// `SELECT <expression>`, and not one word more.
    pub(super) fn only_expression(&mut self, select: &'t protobuf::SelectStmt) -> Proven {
        let [protobuf::Node { node: Some(Node::ResTarget(target)) }] = &select.target_list[..]
        else {
            return Err(Violation::Node("SelectStmt"));
        };
        // Whatever else a SELECT may have must be as it is in a SELECT that has nothing else.
        let bare = protobuf::SelectStmt {
            target_list: select.target_list.clone(),
            limit_option: protobuf::LimitOption::Default.into(),
            op: SetOperation::SetopNone.into(),
            ..Default::default()
        };
        let protobuf::ResTarget { name, indirection, val, location: _ } = &**target;
        if *select != bare || !name.is_empty() || !indirection.is_empty() {
            return Err(Violation::Node("SelectStmt"));
        }
        self.needed(val, "ResTarget")
    }
}

/// The violation of a node that stands where only `expected` may.
pub(super) fn unexpected(found: &Option<Node>, expected: &'static str) -> Violation {
    unexpected_ref(found.as_ref(), expected)
}

pub(super) fn unexpected_ref(found: Option<&Node>, expected: &'static str) -> Violation {
    Violation::Node(found.map_or(expected, node_name))
}

/// True where a constant or a parameter is a column of what a query gives, in any of its arms.
fn gives_constants(select: &protobuf::SelectStmt) -> bool {
    let targets = select.target_list.iter().map(|target| match &target.node {
        Some(Node::ResTarget(target)) => target.val.as_deref().is_none_or(is_untyped),
        _ => true,
    });
    let values = select.values_lists.iter().map(|row| match &row.node {
        Some(Node::List(row)) => row.items.iter().any(is_untyped),
        _ => true,
    });
    let arms = [&select.larg, &select.rarg].into_iter().flatten();
    targets.chain(values).chain(arms.map(|arm| gives_constants(arm))).any(|is| is)
}
