//! The rewriter on PostgreSQL's own tree, for statements that sqlparser does not read as PostgreSQL does.
//!
//! It does what the rewriter does, by the same rules, and prints by PostgreSQL's own printer. The node kinds it
//! knows are listed; another one is refused. What it does not do: lookups (the mask is seen, which is stricter) and
//! system columns (refused). It is not trusted either: the verifier stands behind it.

mod expression;
mod from;

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, RawStmt, SelectStmt};

use super::{Done, Mention, Refusal, Rewriter, Rewritten, may_mention};
use crate::grammar;
use crate::sql::hole::Hole;
use crate::sql::{Reader, Speaker, system};

/// Puts holes into the tree of a canonical text.
pub(in crate::sql) fn rewrite_tree(
    canonical: &str,
    speaker: Speaker<'_>,
) -> Result<Rewritten, Refusal> {
    let mut statements = grammar::parse(canonical).map_err(|error| Refusal::syntax(&error))?;
    let [statement] = statements.as_mut_slice() else { return Err(unknown("RawStmt")) };
    // With its reader, here and below, so that nothing else is tried.
    let closed =
        |what: &str, statement: &RawStmt| Refusal::not_understood(what).by(Reader::Tree, statement);
    // Where they find what is absent for the role is judged on sqlparser's tree alone.
    if system::has_absent(speaker) && may_mention(canonical) {
        let what = "a function or type that knows every relation, in such a statement";
        return Err(closed(what, statement));
    }
    let mut rewriter = Rewriter::new(speaker);
    match statement.stmt.as_mut().and_then(|node| node.node.as_mut()) {
        Some(Node::SelectStmt(select)) => rewriter.tree_select(select)?,
        _ => return Err(unknown("RawStmt")),
    }
    // Where a star stands beside them, a system relation has one column more than it should.
    let is_lost = |hole: &Hole| !hole.system_columns.is_empty() && !hole.content.carries();
    if rewriter.holes.iter().any(is_lost) {
        return Err(closed("ctid, xmin or tableoid in such a statement", statement));
    }
    let text =
        grammar::deparse(statement).map_err(|_| unknown("what PostgreSQL's printer gives"))?;
    Ok(Rewritten { text, holes: rewriter.holes, open: rewriter.open })
}

fn unknown(kind: &str) -> Refusal {
    Refusal::not_understood(&format!("`{kind}` in a statement that sqlparser cannot read"))
}

/// The texts of a list of names; `None` where something else stands among them.
fn strings(nodes: &[protobuf::Node]) -> Option<Vec<String>> {
    let string = |node: &protobuf::Node| match &node.node {
        Some(Node::String(protobuf::String { sval })) => Some(sval.clone()),
        _ => None,
    };
    nodes.iter().map(string).collect()
}

fn string(text: &str) -> protobuf::Node {
    protobuf::Node { node: Some(Node::String(protobuf::String { sval: text.to_owned() })) }
}

impl Rewriter<'_> {
    fn tree_select(&mut self, select: &mut SelectStmt) -> Done {
        let outer_ctes = self.ctes.len();
        if let Some(with) = &mut select.with_clause {
            self.tree_with(with)?;
        }
        for arm in [&mut select.larg, &mut select.rarg].into_iter().flatten() {
            self.tree_select(arm)?;
        }
        let mut items = Vec::new();
        for item in &mut select.from_clause {
            self.tree_replace(item, &mut items)?;
        }
        self.scopes.push(items);
        for item in &mut select.from_clause {
            self.tree_inside(item)?;
        }
        self.tree_optional(&mut select.where_clause)?;
        self.tree_all(&mut select.group_clause)?;
        let before = self.mentions.len();
        // Plain DISTINCT is a list of one empty node.
        for item in select.distinct_clause.iter_mut().filter(|item| item.node.is_some()) {
            self.tree_expression(item)?;
        }
        self.tree_all(&mut select.target_list)?;
        self.tree_optional(&mut select.having_clause)?;
        self.tree_all(&mut select.window_clause)?;
        self.tree_all(&mut select.values_lists)?;
        self.tree_all(&mut select.sort_clause)?;
        self.tree_dependency(select, before);
        self.scopes.pop();
        self.tree_optional(&mut select.limit_offset)?;
        self.tree_optional(&mut select.limit_count)?;
        self.ctes.truncate(outer_ctes);
        Ok(())
    }

    fn tree_query(&mut self, query: &mut Option<Box<protobuf::Node>>) -> Done {
        match query.as_deref_mut().and_then(|node| node.node.as_mut()) {
            Some(Node::SelectStmt(select)) => self.tree_select(select),
            _ => Err(unknown("SelectStmt")),
        }
    }

    fn tree_with(&mut self, with: &mut protobuf::WithClause) -> Done {
        let name = |cte: &protobuf::Node| match &cte.node {
            Some(Node::CommonTableExpr(cte)) => Some(cte.ctename.clone()),
            _ => None,
        };
        if with.recursive {
            self.ctes.extend(with.ctes.iter().filter_map(name));
        }
        for node in &mut with.ctes {
            let own = name(node);
            let Some(Node::CommonTableExpr(cte)) = &mut node.node else {
                return Err(unknown("WithClause"));
            };
            self.tree_query(&mut cte.ctequery)?;
            if let Some(cycle) = &mut cte.cycle_clause {
                self.tree_optional(&mut cycle.cycle_mark_value)?;
                self.tree_optional(&mut cycle.cycle_mark_default)?;
            }
            if !with.recursive {
                self.ctes.extend(own);
            }
        }
        Ok(())
    }

    /// See `group_by`.
    fn tree_dependency(&self, select: &mut SelectStmt, before: usize) {
        // GROUP BY DISTINCT is of grouping sets, by which nothing depends on a key.
        if select.group_distinct {
            return;
        }
        let grouped: Vec<Mention> = select
            .group_clause
            .iter()
            .filter_map(|node| grouped_column(node, &select.target_list))
            .collect();
        for (alias, column) in self.dependent_columns(&grouped, before) {
            let fields = vec![string(&alias), string(&column)];
            let column = protobuf::ColumnRef { fields, location: -1 };
            select.group_clause.push(protobuf::Node { node: Some(Node::ColumnRef(column)) });
        }
    }
}

/// The column that an item of GROUP BY is, also by its ordinal.
fn grouped_column(node: &protobuf::Node, targets: &[protobuf::Node]) -> Option<Mention> {
    match &node.node {
        Some(Node::ColumnRef(column)) => strings(&column.fields),
        Some(Node::AConst(protobuf::AConst {
            val: Some(protobuf::a_const::Val::Ival(ordinal)),
            ..
        })) => {
            let index = usize::try_from(ordinal.ival).ok()?.checked_sub(1)?;
            let Some(Node::ResTarget(target)) = &targets.get(index)?.node else { return None };
            match target.val.as_deref().and_then(|value| value.node.as_ref()) {
                Some(Node::ColumnRef(column)) => strings(&column.fields),
                _ => None,
            }
        }
        _ => None,
    }
}
