//! What FROM clauses make visible, as far as a tree tells. Nothing is proven by it: whoever rewrites a write goes by
//! it, and the proof is that no bare name is left where a row that is written could be meant.

use std::collections::HashMap;

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

/// A FROM clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The FROM clause around it.
    pub parent: Option<usize>,
    /// What is in it, in order.
    pub items: Vec<ScopeItem>,
}

/// An item of a FROM clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeItem {
    /// By what columns are qualified; `None`: by nothing.
    pub alias: Option<String>,
    /// It has no alias of its own.
    pub unaliased: bool,
    /// What it is.
    pub source: Source,
}

/// Where columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A relation, by schema and name.
    Relation(Option<String>, String),
    /// Columns of these names.
    Names(Vec<String>),
    /// Columns that the tree does not tell.
    Unknown,
}

/// Names of the columns of common table expressions, where they are known.
pub(super) type CteColumns<'t> = HashMap<&'t str, Option<Vec<String>>>;

impl Scope {
    pub(super) fn new(
        parent: Option<usize>,
        from: &[protobuf::Node],
        ctes: &CteColumns<'_>,
    ) -> Scope {
        let mut items = Vec::new();
        from.iter().for_each(|item| add(item, ctes, &mut items));
        Scope { parent, items }
    }
}

fn add(item: &protobuf::Node, ctes: &CteColumns<'_>, items: &mut Vec<ScopeItem>) {
    match &item.node {
        Some(Node::RangeVar(relation)) => {
            let schema = (!relation.schemaname.is_empty()).then(|| relation.schemaname.clone());
            let name = relation.relname.clone();
            let renamed = relation.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty());
            let source = match (&schema, ctes.get(name.as_str())) {
                _ if renamed => Source::Unknown,
                (None, Some(Some(names))) => Source::Names(names.clone()),
                (None, Some(None)) => Source::Unknown,
                _ => Source::Relation(schema, name.clone()),
            };
            let alias = relation.alias.as_ref().map(|alias| alias.aliasname.clone());
            let unaliased = alias.is_none();
            items.push(ScopeItem { alias: Some(alias.unwrap_or(name)), unaliased, source });
        }
        Some(Node::RangeSubselect(subselect)) => {
            let alias = subselect.alias.as_ref();
            let names = match alias {
                Some(alias) if !alias.colnames.is_empty() => all_names(&alias.colnames),
                _ => names_of(subselect.subquery.as_deref()),
            };
            push(items, alias, names);
        }
        Some(Node::RangeFunction(function)) => {
            let alias = function.alias.as_ref();
            let names = match alias {
                Some(alias) if !alias.colnames.is_empty() => all_names(&alias.colnames),
                _ => None,
            };
            push(items, alias, names);
        }
        Some(Node::JoinExpr(join)) if join.alias.is_none() => {
            let before = items.len();
            for side in [&join.larg, &join.rarg].into_iter().flatten() {
                add(side, ctes, items);
            }
            if join.is_natural || !join.using_clause.is_empty() {
                // A bare name may mean a merged column.
                items.iter_mut().skip(before).for_each(|item| item.source = Source::Unknown);
            }
        }
        Some(Node::RangeTableSample(sample)) => {
            if let Some(relation) = &sample.relation {
                add(relation, ctes, items);
            }
        }
        Some(Node::JoinExpr(join)) => push(items, join.alias.as_ref(), None),
        Some(Node::RangeTableFunc(table)) => push(items, table.alias.as_ref(), None),
        Some(Node::JsonTable(table)) => push(items, table.alias.as_ref(), None),
        _ => push(items, None, None),
    }
}

fn push(items: &mut Vec<ScopeItem>, alias: Option<&protobuf::Alias>, names: Option<Vec<String>>) {
    let source = names.map_or(Source::Unknown, Source::Names);
    let alias = alias.map(|alias| alias.aliasname.clone());
    items.push(ScopeItem { alias, unaliased: false, source });
}

fn all_names(nodes: &[protobuf::Node]) -> Option<Vec<String>> {
    let name = |node: &protobuf::Node| match &node.node {
        Some(Node::String(name)) => Some(name.sval.clone()),
        _ => None,
    };
    nodes.iter().map(name).collect()
}

/// The names of a query's columns.
pub(super) fn names_of(query: Option<&protobuf::Node>) -> Option<Vec<String>> {
    let targets = match query?.node.as_ref()? {
        Node::SelectStmt(select) if select.larg.is_some() => {
            let left = Node::SelectStmt(select.larg.clone()?);
            return names_of(Some(&protobuf::Node { node: Some(left) }));
        }
        Node::SelectStmt(select) => &select.target_list,
        Node::InsertStmt(insert) => &insert.returning_clause.as_ref()?.exprs,
        Node::UpdateStmt(update) => &update.returning_clause.as_ref()?.exprs,
        Node::DeleteStmt(delete) => &delete.returning_clause.as_ref()?.exprs,
        Node::MergeStmt(merge) => &merge.returning_clause.as_ref()?.exprs,
        _ => return None,
    };
    if targets.is_empty() {
        return None;
    }
    let name = |target: &protobuf::Node| match &target.node {
        Some(Node::ResTarget(target)) if !target.name.is_empty() => Some(target.name.clone()),
        Some(Node::ResTarget(target)) => match &target.val.as_deref()?.node {
            Some(Node::ColumnRef(column)) => match &column.fields.last()?.node {
                Some(Node::String(name)) => Some(name.sval.clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    };
    targets.iter().map(name).collect()
}
