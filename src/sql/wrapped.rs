//! Statements that stand around a query: DECLARE, COPY … TO STDOUT, EXPLAIN, PREPARE, EXECUTE, and what
//! fills temporary tables.
//!
//! The query is taken out of PostgreSQL's tree and goes the way of every query; what stood around it is put round
//! the rewritten text again by PostgreSQL's own printer. The proof is of the whole text: parsed once more, what
//! stands around must be what the client wrote, and the query in it must be proven.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, RawStmt, SelectStmt, SetOperation};

use super::refusal::Refusal;
use crate::grammar;

/// A statement without its query.
#[derive(Debug, Clone)]
pub(super) struct Shell {
    /// Its query is `SELECT`.
    node: Node,
}

/// Takes a statement apart; `None` where it holds no query of its own.
///
/// The arguments of EXECUTE are a query's select list. So are the types of PREPARE, in front of its own query: as
/// `SELECT NULL::type`, which is thrown away when they have been judged.
pub(super) fn take_apart(node: &Node) -> Option<(Shell, SelectStmt)> {
    let mut node = node.clone();
    let query = match &mut node {
        Node::DeclareCursorStmt(declare) => declare.query.as_deref_mut().and_then(taken),
        Node::PrepareStmt(prepare) => prepare.query.as_deref_mut().and_then(taken),
        Node::ExplainStmt(explain) => explain.query.as_deref_mut().and_then(taken),
        Node::CreateTableAsStmt(create) => create.query.as_deref_mut().and_then(taken),
        Node::InsertStmt(insert) => insert.select_stmt.as_deref_mut().and_then(taken),
        Node::CopyStmt(copy) if copy.relation.is_none() => {
            copy.query.as_deref_mut().and_then(taken)
        }
        Node::ExecuteStmt(execute) => {
            let arguments = std::mem::take(&mut execute.params);
            Some(SelectStmt { target_list: arguments.into_iter().map(target).collect(), ..bare() })
        }
        _ => None,
    }?;
    Some((Shell { node }, query))
}

/// The types that PREPARE names, as casts in a select list, to be judged as such.
pub(super) fn types_of(node: &Node) -> Option<RawStmt> {
    let Node::PrepareStmt(prepare) = node else { return None };
    if prepare.argtypes.is_empty() {
        return None;
    }
    let names = prepare.argtypes.iter().map(|name| match &name.node {
        Some(Node::TypeName(name)) => Some(name.clone()),
        _ => None,
    });
    Some(casts(names))
}

/// The types that PREPARE names.
pub(super) fn type_names(node: &Node) -> impl Iterator<Item = &protobuf::TypeName> {
    let types: &[protobuf::Node] = match node {
        Node::PrepareStmt(prepare) => &prepare.argtypes,
        _ => &[],
    };
    types.iter().filter_map(|name| match &name.node {
        Some(Node::TypeName(name)) => Some(name),
        _ => None,
    })
}

/// Types, as casts in a select list, to be judged as such.
pub(super) fn types_query<'t>(types: impl IntoIterator<Item = &'t protobuf::TypeName>) -> RawStmt {
    casts(types.into_iter().map(|name| Some(name.clone())))
}

fn casts(names: impl Iterator<Item = Option<protobuf::TypeName>>) -> RawStmt {
    let casts = names.map(|type_name| {
        let null = protobuf::AConst { isnull: true, location: -1, val: None };
        let arg = protobuf::Node { node: Some(Node::AConst(null)) };
        let cast = protobuf::TypeCast { arg: Some(Box::new(arg)), type_name, location: -1 };
        target(protobuf::Node { node: Some(Node::TypeCast(Box::new(cast))) })
    });
    raw(Node::SelectStmt(Box::new(SelectStmt { target_list: casts.collect(), ..bare() })))
}

/// An expression as a select list of its own.
pub(super) fn select_of(expression: protobuf::Node) -> RawStmt {
    let target_list = vec![target(expression)];
    raw(Node::SelectStmt(Box::new(SelectStmt { target_list, ..bare() })))
}

impl Shell {
    /// The text of the statement around another query.
    pub(super) fn around(&self, query: &str) -> Result<String, Refusal> {
        let lost = || Refusal::not_understood("a query that is not one");
        let statements = grammar::parse(query).map_err(|error| Refusal::syntax(&error))?;
        let [statement] = statements.as_slice() else { return Err(lost()) };
        match statement.stmt.as_ref().and_then(|node| node.node.as_ref()) {
            Some(Node::SelectStmt(query)) => self.print(query).ok_or_else(lost),
            _ => Err(lost()),
        }
    }

    /// True when both are the same, whatever query stands in them.
    pub(super) fn is_same(&self, other: &Shell) -> bool {
        let (own, others) = (self.print(&bare()), other.print(&bare()));
        own.is_some() && own == others
    }

    fn print(&self, query: &SelectStmt) -> Option<String> {
        let mut node = self.node.clone();
        let boxed = || {
            let node = Node::SelectStmt(Box::new(query.clone()));
            Some(Box::new(protobuf::Node { node: Some(node) }))
        };
        match &mut node {
            Node::DeclareCursorStmt(declare) => declare.query = boxed(),
            Node::PrepareStmt(prepare) => prepare.query = boxed(),
            Node::ExplainStmt(explain) => explain.query = boxed(),
            Node::CreateTableAsStmt(create) => create.query = boxed(),
            Node::InsertStmt(insert) => insert.select_stmt = boxed(),
            Node::CopyStmt(copy) => copy.query = boxed(),
            Node::ExecuteStmt(execute) => {
                let plain = SelectStmt { target_list: Vec::new(), ..query.clone() };
                if plain != bare() {
                    return None;
                }
                execute.params = query.target_list.iter().map(value).collect::<Option<_>>()?;
            }
            _ => return None,
        }
        grammar::deparse(&raw(node)).ok()
    }
}

/// A statement of one node.
pub(super) fn raw(node: Node) -> RawStmt {
    let stmt = Some(Box::new(protobuf::Node { node: Some(node) }));
    RawStmt { stmt, stmt_location: 0, stmt_len: 0 }
}

/// `SELECT`, and nothing else: as the grammar makes it.
pub(super) fn bare() -> SelectStmt {
    SelectStmt {
        limit_option: protobuf::LimitOption::Default.into(),
        op: SetOperation::SetopNone.into(),
        ..Default::default()
    }
}

/// Takes the query out of its place; one that is no SELECT stays.
fn taken(place: &mut protobuf::Node) -> Option<SelectStmt> {
    match &mut place.node {
        Some(Node::SelectStmt(query)) if query.into_clause.is_none() => {
            Some(std::mem::replace(&mut **query, bare()))
        }
        _ => None,
    }
}

fn target(value: protobuf::Node) -> protobuf::Node {
    let target = protobuf::ResTarget {
        name: String::new(),
        indirection: Vec::new(),
        val: Some(Box::new(value)),
        location: -1,
    };
    protobuf::Node { node: Some(Node::ResTarget(Box::new(target))) }
}

fn value(target: &protobuf::Node) -> Option<protobuf::Node> {
    match &target.node {
        Some(Node::ResTarget(target))
            if target.name.is_empty() && target.indirection.is_empty() =>
        {
            target.val.as_deref().cloned()
        }
        _ => None,
    }
}
