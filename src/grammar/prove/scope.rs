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
    /// USING or NATURAL merges columns in it.
    pub merges: bool,
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
    /// Byte offset of a relation's name.
    pub location: Option<usize>,
}

/// Where columns come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A relation, by schema and name.
    Relation(Option<String>, String),
    /// Columns of these names; `None`: a column whose name the tree does not tell.
    Names(Vec<Option<String>>),
    /// The columns of all of these, in order.
    All(Vec<Source>),
    /// Columns of which the first have other names.
    Renamed(Box<Source>, Vec<Option<String>>),
    /// Columns that the tree does not tell.
    Unknown,
}

/// Columns of common table expressions.
pub(super) type CteColumns<'t> = HashMap<&'t str, Source>;

/// Those that can be named at a place.
#[derive(Clone)]
pub(super) struct Ctes<'a, 't> {
    pub(super) columns: &'a CteColumns<'t>,
    /// Names in scope.
    pub(super) names: &'a [&'t str],
    /// Those of a query that is only looked at, inner ones last.
    own: Vec<(&'a str, Source)>,
}

impl<'a, 't> Ctes<'a, 't> {
    pub(super) fn new(columns: &'a CteColumns<'t>, names: &'a [&'t str]) -> Ctes<'a, 't> {
        Ctes { columns, names, own: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<Source> {
        if let Some((_, source)) = self.own.iter().rev().find(|(own, _)| *own == name) {
            return Some(source.clone());
        }
        let is_known = self.names.contains(&name);
        is_known.then(|| self.columns.get(name).cloned().unwrap_or(Source::Unknown))
    }
}

impl Scope {
    pub(super) fn new(
        parent: Option<usize>,
        from: &[protobuf::Node],
        ctes: &Ctes<'_, '_>,
    ) -> Scope {
        let mut scope = Scope { parent, items: Vec::new(), merges: false };
        from.iter().for_each(|item| scope.add(item, ctes));
        scope
    }

    fn add(&mut self, item: &protobuf::Node, ctes: &Ctes<'_, '_>) {
        match &item.node {
            Some(Node::RangeVar(relation)) => self.relation(relation, ctes),
            Some(Node::RangeSubselect(subselect)) => {
                let source = output(subselect.subquery.as_deref(), ctes);
                self.push(subselect.alias.as_ref(), source);
            }
            Some(Node::RangeFunction(function)) => {
                let columns = series(function).unwrap_or(Source::Unknown);
                self.push(function.alias.as_ref(), columns);
            }
            Some(Node::JoinExpr(join)) if join.alias.is_none() => {
                let before = self.items.len();
                for side in [&join.larg, &join.rarg].into_iter().flatten() {
                    self.add(side, ctes);
                }
                if join.is_natural || !join.using_clause.is_empty() {
                    // A bare name may mean a merged column.
                    self.merges = true;
                    let merged = self.items.iter_mut().skip(before);
                    merged.for_each(|item| item.source = Source::Unknown);
                }
            }
            Some(Node::RangeTableSample(sample)) => {
                if let Some(relation) = &sample.relation {
                    self.add(relation, ctes);
                }
            }
            Some(Node::JoinExpr(join)) => {
                let alias = join.alias.as_ref().map(|alias| alias.aliasname.clone());
                let source = Source::Unknown;
                self.items.push(ScopeItem { alias, unaliased: false, source, location: None });
            }
            Some(Node::RangeTableFunc(table)) => self.push(table.alias.as_ref(), Source::Unknown),
            Some(Node::JsonTable(table)) => self.push(table.alias.as_ref(), Source::Unknown),
            _ => self.push(None, Source::Unknown),
        }
    }

    fn relation(&mut self, relation: &protobuf::RangeVar, ctes: &Ctes<'_, '_>) {
        let schema = (!relation.schemaname.is_empty()).then(|| relation.schemaname.clone());
        let name = relation.relname.clone();
        let cte = schema.is_none().then(|| ctes.get(&name)).flatten();
        let location = usize::try_from(relation.location).ok().filter(|_| cte.is_none());
        let source = cte.unwrap_or_else(|| Source::Relation(schema, name.clone()));
        let source = renamed(source, relation.alias.as_ref());
        let alias = relation.alias.as_ref().map(|alias| alias.aliasname.clone());
        let unaliased = alias.is_none();
        let alias = Some(alias.unwrap_or(name));
        self.items.push(ScopeItem { alias, unaliased, source, location });
    }

    fn push(&mut self, alias: Option<&protobuf::Alias>, source: Source) {
        let source = renamed(source, alias);
        let alias = alias.map(|alias| alias.aliasname.clone());
        self.items.push(ScopeItem { alias, unaliased: false, source, location: None });
    }
}

fn renamed(source: Source, alias: Option<&protobuf::Alias>) -> Source {
    match alias.map(|alias| all_names(&alias.colnames)).filter(|names| !names.is_empty()) {
        Some(names) => Source::Renamed(Box::new(source), names),
        None => source,
    }
}

fn all_names(nodes: &[protobuf::Node]) -> Vec<Option<String>> {
    let name = |node: &protobuf::Node| match &node.node {
        Some(Node::String(name)) => Some(name.sval.clone()),
        _ => None,
    };
    nodes.iter().map(name).collect()
}

/// `generate_series(…)` has one column, which goes by its alias; of other functions the tree does not tell.
fn series(function: &protobuf::RangeFunction) -> Option<Source> {
    let [only] = &function.functions[..] else { return None };
    let Some(Node::List(only)) = &only.node else { return None };
    let Some(Node::FuncCall(call)) = &only.items.first()?.node else { return None };
    let name = match &call.funcname.last()?.node {
        Some(Node::String(name)) if name.sval == "generate_series" => &name.sval,
        _ => return None,
    };
    let alias = function.alias.as_ref().map_or(name, |alias| &alias.aliasname);
    let mut columns = vec![Some(alias.clone())];
    columns.extend(function.ordinality.then(|| Some("ordinality".to_owned())));
    let is_plain = !function.is_rowsfrom && function.coldeflist.is_empty();
    is_plain.then_some(Source::Names(columns))
}

/// The columns that a query gives, or a write by RETURNING.
pub(super) fn output(query: Option<&protobuf::Node>, ctes: &Ctes<'_, '_>) -> Source {
    let (clause, source, target, from) = match query.and_then(|query| query.node.as_ref()) {
        Some(Node::SelectStmt(select)) => return output_of(select, ctes),
        Some(Node::InsertStmt(insert)) => {
            (&insert.returning_clause, None, &insert.relation, &[][..])
        }
        Some(Node::UpdateStmt(update)) => {
            (&update.returning_clause, None, &update.relation, &update.from_clause[..])
        }
        Some(Node::DeleteStmt(delete)) => {
            (&delete.returning_clause, None, &delete.relation, &delete.using_clause[..])
        }
        // Its star is the source's columns, then the target's.
        Some(Node::MergeStmt(merge)) => {
            (&merge.returning_clause, merge.source_relation.as_deref(), &merge.relation, &[][..])
        }
        _ => return Source::Unknown,
    };
    let none = Ctes { own: Vec::new(), names: &[], ..*ctes };
    let mut scope = Scope { parent: None, items: Vec::new(), merges: false };
    source.into_iter().for_each(|item| scope.add(item, ctes));
    if let Some(target) = target {
        // It is never a common table expression.
        scope.relation(target, &none);
    }
    from.iter().for_each(|item| scope.add(item, ctes));
    columns_of(clause.as_ref().map(|clause| clause.exprs.as_slice()).unwrap_or_default(), &scope)
}

fn output_of<'a>(select: &'a protobuf::SelectStmt, ctes: &Ctes<'a, '_>) -> Source {
    let mut ctes = ctes.clone();
    for cte in select.with_clause.iter().flat_map(|with| &with.ctes) {
        if let Some(Node::CommonTableExpr(cte)) = &cte.node {
            let is_recursive = select.with_clause.as_ref().is_some_and(|with| with.recursive);
            if is_recursive {
                ctes.own.push((&cte.ctename, Source::Unknown));
            }
            let columns = match all_names(&cte.aliascolnames) {
                names if names.is_empty() => output(cte.ctequery.as_deref(), &ctes),
                names => Source::Names(names),
            };
            ctes.own.push((&cte.ctename, columns));
        }
    }
    if let Some(left) = select.larg.as_deref() {
        return output_of(left, &ctes);
    }
    if let Some(row) = select.values_lists.first() {
        return match &row.node {
            Some(Node::List(row)) if !row.items.iter().any(is_star) => {
                let number = (1..=row.items.len()).map(|at| Some(format!("column{at}")));
                Source::Names(number.collect())
            }
            _ => Source::Unknown,
        };
    }
    columns_of(&select.target_list, &Scope::new(None, &select.from_clause, &ctes))
}

fn is_star(node: &protobuf::Node) -> bool {
    match &node.node {
        Some(Node::ColumnRef(column)) => {
            column.fields.last().is_some_and(|last| matches!(last.node, Some(Node::AStar(_))))
        }
        // `(x).*`
        Some(Node::AIndirection(base)) => {
            base.indirection.last().is_some_and(|last| matches!(last.node, Some(Node::AStar(_))))
        }
        _ => false,
    }
}

fn columns_of(targets: &[protobuf::Node], scope: &Scope) -> Source {
    let mut all = Vec::new();
    for target in targets {
        let Some(Node::ResTarget(target)) = &target.node else { return Source::Unknown };
        let Some(value) = target.val.as_deref() else { return Source::Unknown };
        match (&value.node, is_star(value)) {
            (Some(Node::ColumnRef(column)), true) => {
                let names = all_names(&column.fields);
                match &names[..] {
                    [_] if !scope.merges => {
                        all.extend(scope.items.iter().map(|item| item.source.clone()));
                    }
                    [.., Some(alias), _] => {
                        let named = |item: &&ScopeItem| item.alias.as_ref() == Some(alias);
                        let named = scope.items.iter().find(named);
                        all.push(named.map_or(Source::Unknown, |item| item.source.clone()));
                    }
                    _ => return Source::Unknown,
                }
            }
            (_, true) => return Source::Unknown,
            (_, false) => {
                let given = Some(target.name.clone()).filter(|name| !name.is_empty());
                all.push(Source::Names(vec![given.or_else(|| name_of(value))]));
            }
        }
    }
    match &all[..] {
        [] => Source::Names(Vec::new()),
        [_] => all.swap_remove(0),
        _ => Source::All(all),
    }
}

/// What PostgreSQL calls a column of the select list that has no name, where that is plain to see (`FigureColname`
/// in parser/parse_target.c).
fn name_of(value: &protobuf::Node) -> Option<String> {
    let last = |names: &[protobuf::Node]| match &names.last()?.node {
        Some(Node::String(name)) => Some(name.sval.clone()),
        _ => None,
    };
    match &value.node {
        Some(Node::ColumnRef(column)) => last(&column.fields),
        Some(Node::FuncCall(call)) => last(&call.funcname),
        Some(Node::AConst(_)) => Some("?column?".to_owned()),
        Some(Node::MergeSupportFunc(_)) => Some("merge_action".to_owned()),
        Some(Node::TypeCast(cast)) => match cast.arg.as_deref()?.node {
            Some(Node::ColumnRef(_) | Node::FuncCall(_)) => name_of(cast.arg.as_deref()?),
            Some(Node::AConst(_)) => last(&cast.type_name.as_ref()?.names),
            _ => None,
        },
        _ => None,
    }
}
