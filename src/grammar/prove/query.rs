//! SELECT, VALUES, set operations, WITH.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::{Done, SubSelects, Violation, Walker, kind, strings};

impl Walker<'_> {
    pub(super) fn select(&mut self, select: &protobuf::SelectStmt) -> Done {
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
            op: _,
            all: _,
            larg,
            rarg,
        } = select;
        if into_clause.is_some() {
            return Err(Violation::Node("IntoClause"));
        }
        let outer = self.ctes.len();
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        for part in [larg, rarg].into_iter().flatten() {
            self.select(part)?;
        }
        for node in distinct_clause {
            // DISTINCT without ON is a list with one empty node.
            if node.node.is_some() {
                self.expression(node)?;
            }
        }
        for target in target_list {
            self.target(target)?;
        }
        for item in from_clause {
            self.from_item(item)?;
        }
        self.maybe(where_clause.as_deref())?;
        self.group(group_clause)?;
        self.maybe(having_clause.as_deref())?;
        for window in window_clause {
            match &window.node {
                Some(Node::WindowDef(window)) => self.window(window)?,
                _ => return Err(Violation::Node("another node in WINDOW")),
            }
        }
        self.expressions(values_lists)?;
        self.sort(sort_clause)?;
        self.maybe(limit_offset.as_deref())?;
        self.maybe(limit_count.as_deref())?;
        for lock in locking_clause {
            match &lock.node {
                // The relations are aliases of this FROM clause.
                Some(Node::LockingClause(lock)) => {
                    let protobuf::LockingClause { locked_rels, strength: _, wait_policy: _ } = lock;
                    for locked in locked_rels {
                        match &locked.node {
                            Some(Node::RangeVar(alias))
                                if alias.schemaname.is_empty() && alias.catalogname.is_empty() => {}
                            _ => return Err(Violation::Node("a qualified name in FOR UPDATE OF")),
                        }
                    }
                }
                _ => return Err(Violation::Node("another node in FOR UPDATE")),
            }
        }
        self.ctes.truncate(outer);
        Ok(())
    }

    fn with(&mut self, with: &protobuf::WithClause) -> Done {
        let protobuf::WithClause { ctes, recursive, location: _ } = with;
        if *recursive {
            for cte in ctes {
                self.ctes.push(cte_of(cte)?.ctename.clone());
            }
        }
        for cte in ctes {
            let protobuf::CommonTableExpr {
                ctename,
                aliascolnames,
                ctematerialized: _,
                ctequery,
                search_clause,
                cycle_clause,
                location: _,
                cterecursive: _,
                cterefcount: _,
                ctecolnames,
                ctecoltypes,
                ctecoltypmods,
                ctecolcollations,
            } = cte_of(cte)?;
            strings(aliascolnames)?;
            for filled_later in [ctecolnames, ctecoltypes, ctecoltypmods, ctecolcollations] {
                if !filled_later.is_empty() {
                    return Err(Violation::Node("an analysed CTE"));
                }
            }
            match ctequery.as_deref().and_then(|node| node.node.as_ref()) {
                Some(Node::SelectStmt(select)) => self.select(select)?,
                Some(other) => return Err(Violation::Node(kind(other))),
                None => return Err(Violation::Node("a CTE without a query")),
            }
            if let Some(search) = search_clause {
                let protobuf::CteSearchClause {
                    search_col_list,
                    search_breadth_first: _,
                    search_seq_column: _,
                    location: _,
                } = search;
                strings(search_col_list)?;
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
                strings(cycle_col_list)?;
                self.maybe(cycle_mark_value.as_deref())?;
                self.maybe(cycle_mark_default.as_deref())?;
            }
            if !*recursive {
                self.ctes.push(ctename.clone());
            }
        }
        Ok(())
    }

    fn target(&mut self, target: &protobuf::Node) -> Done {
        match &target.node {
            Some(Node::ResTarget(target)) => {
                let protobuf::ResTarget { name: _, indirection, val, location: _ } = &**target;
                if !indirection.is_empty() {
                    return Err(Violation::Node("an indirection in a select list"));
                }
                self.maybe(val.as_deref())
            }
            _ => Err(Violation::Node("another node in a select list")),
        }
    }

    fn group(&mut self, group: &[protobuf::Node]) -> Done {
        for node in group {
            match &node.node {
                Some(Node::GroupingSet(set)) => {
                    let protobuf::GroupingSet { kind: _, content, location: _ } = set;
                    self.group(content)?;
                }
                _ => self.expression(node)?,
            }
        }
        Ok(())
    }

    pub(super) fn window(&mut self, window: &protobuf::WindowDef) -> Done {
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
        self.expressions(partition_clause)?;
        self.sort(order_clause)?;
        self.maybe(start_offset.as_deref())?;
        self.maybe(end_offset.as_deref())
    }

    pub(super) fn sort(&mut self, sort: &[protobuf::Node]) -> Done {
        for node in sort {
            match &node.node {
                Some(Node::SortBy(sort)) => {
                    let protobuf::SortBy {
                        node,
                        sortby_dir: _,
                        sortby_nulls: _,
                        use_op,
                        location: _,
                    } = &**sort;
                    self.maybe(node.as_deref())?;
                    if !use_op.is_empty() {
                        self.operator(use_op)?;
                    }
                }
                _ => return Err(Violation::Node("another node in ORDER BY")),
            }
        }
        Ok(())
    }

    /// A query inside an expression or FROM.
    pub(super) fn sub_select(&mut self, node: Option<&protobuf::Node>) -> Done {
        if self.sub_selects == SubSelects::Refused {
            return Err(Violation::Node("SubLink"));
        }
        match node.and_then(|node| node.node.as_ref()) {
            Some(Node::SelectStmt(select)) => self.select(select),
            Some(other) => Err(Violation::Node(kind(other))),
            None => Err(Violation::Node("a sub-select without a query")),
        }
    }
}

fn cte_of(node: &protobuf::Node) -> Result<&protobuf::CommonTableExpr, Violation> {
    match &node.node {
        Some(Node::CommonTableExpr(cte)) => Ok(cte),
        _ => Err(Violation::Node("another node in WITH")),
    }
}
