//! A corpus of foreign SQL: which statements count, and the tables that they speak of.
//!
//! What the files themselves say of their tables (CREATE TABLE and the like) is believed; of a table that they do not
//! make, or make of a query, the columns are those that a statement names, and as many as it gives values. SELECT INTO
//! is CREATE TABLE AS by another name and does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pg_query::NodeRef;
use pg_query::protobuf::ParseResult;
use pg_query::protobuf::node::Node;

/// A relation's schema and name.
pub type Name = (String, String);

/// A statement that counts.
pub struct Statement {
    pub kind: &'static str,
    pub text: String,
    /// The relations it names, with their columns as far as they are known.
    pub relations: BTreeMap<Name, Vec<String>>,
}

/// All `*.sql` below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "sql") => {
                    files.push(path);
                }
                false => {}
            }
        }
    }
    files.sort();
    files
}

/// The statements of a file that PostgreSQL's grammar takes and that are a query, a cursor, a COPY of a query, or write.
pub fn statements(text: &str) -> Vec<Statement> {
    // Commands of psql stand on lines of their own, or end one.
    let lines = text.lines().map(|line| line.split_once('\\').map_or(line, |(sql, _)| sql));
    let text: String = lines.collect::<Vec<_>>().join("\n");
    let mut tables: BTreeMap<Name, Vec<String>> = BTreeMap::new();
    let mut found = Vec::new();
    for statement in pg_query::split_with_scanner(&text).unwrap_or_default() {
        let Ok(parsed) = pg_query::parse(statement, 0) else { continue };
        let tree = parsed.protobuf;
        let node = tree.stmts.first().and_then(|raw| raw.stmt.as_ref()?.node.as_ref());
        let Some(node) = node else { continue };
        learn(node, &mut tables);
        if let Some(kind) = kind(node, &tree) {
            let relations = relations(&tree, &tables);
            found.push(Statement { kind, text: statement.to_owned(), relations });
        }
    }
    found
}

/// What a statement counts as; `None`: it is none of those that a role may be allowed.
fn kind(node: &Node, tree: &ParseResult) -> Option<&'static str> {
    let nodes = tree.nodes();
    let makes = |node: &NodeRef<'_>| matches!(node, NodeRef::SelectStmt(select) if select.into_clause.is_some());
    if nodes.iter().any(|(node, ..)| makes(node)) {
        return None;
    }
    let writes = nodes.iter().any(|(node, ..)| {
        matches!(
            node,
            NodeRef::InsertStmt(_)
                | NodeRef::UpdateStmt(_)
                | NodeRef::DeleteStmt(_)
                | NodeRef::MergeStmt(_)
        )
    });
    match node {
        Node::SelectStmt(_) if writes => Some("write in WITH"),
        Node::SelectStmt(_) => Some("query"),
        Node::DeclareCursorStmt(_) if !writes => Some("cursor"),
        Node::CopyStmt(copy)
            if copy.query.is_some() && !copy.is_from && !copy.is_program && !writes =>
        {
            copy.filename.is_empty().then_some("COPY of a query")
        }
        Node::InsertStmt(_) => Some("INSERT"),
        Node::UpdateStmt(_) => Some("UPDATE"),
        Node::DeleteStmt(_) => Some("DELETE"),
        Node::MergeStmt(_) => Some("MERGE"),
        _ => None,
    }
}

fn name_of(relation: &pg_query::protobuf::RangeVar) -> Name {
    let schema = match relation.schemaname.as_str() {
        "" | "pg_temp" => "public",
        schema => schema,
    };
    (schema.to_owned(), relation.relname.clone())
}

/// Remembers what a statement makes.
fn learn(node: &Node, tables: &mut BTreeMap<Name, Vec<String>>) {
    match node {
        Node::CreateStmt(create) => {
            let Some(relation) = &create.relation else { return };
            let mut columns = Vec::new();
            for parent in &create.inh_relations {
                if let Some(Node::RangeVar(parent)) = &parent.node {
                    columns.extend(tables.get(&name_of(parent)).cloned().unwrap_or_default());
                }
            }
            for element in &create.table_elts {
                match &element.node {
                    Some(Node::ColumnDef(column)) => columns.push(column.colname.clone()),
                    Some(Node::TableLikeClause(like)) => {
                        let like =
                            like.relation.as_ref().and_then(|other| tables.get(&name_of(other)));
                        columns.extend(like.cloned().unwrap_or_default());
                    }
                    _ => {}
                }
            }
            tables.insert(name_of(relation), columns);
        }
        Node::AlterTableStmt(alter) => {
            let Some(relation) = &alter.relation else { return };
            let Some(columns) = tables.get_mut(&name_of(relation)) else { return };
            for command in &alter.cmds {
                let Some(Node::AlterTableCmd(command)) = &command.node else { continue };
                let new = command.def.as_ref().and_then(|node| node.node.as_ref());
                if let Some(Node::ColumnDef(column)) = new
                    && !column.colname.is_empty()
                {
                    columns.push(column.colname.clone());
                }
            }
        }
        Node::DropStmt(drop) => {
            // What is made anew of what is not told may have other columns.
            let tree = pg_query::protobuf::Node { node: Some(Node::DropStmt(drop.clone())) };
            let names = format!("{tree:?}");
            tables.retain(|(_, name), _| !names.contains(&format!("\"{name}\"")));
        }
        _ => {}
    }
}

/// The relations of a statement that are no common table expressions.
fn relations(
    tree: &ParseResult,
    tables: &BTreeMap<Name, Vec<String>>,
) -> BTreeMap<Name, Vec<String>> {
    let nodes = tree.nodes();
    let ctes: BTreeSet<&str> = nodes
        .iter()
        .filter_map(|(node, ..)| match node {
            NodeRef::CommonTableExpr(cte) => Some(cte.ctename.as_str()),
            _ => None,
        })
        .collect();
    let mut mentioned: BTreeSet<String> = BTreeSet::new();
    for (node, ..) in &nodes {
        match node {
            NodeRef::ColumnRef(column) => {
                if let Some(Node::String(name)) =
                    column.fields.last().and_then(|field| field.node.as_ref())
                {
                    mentioned.insert(name.sval.clone());
                }
            }
            NodeRef::ResTarget(target) if !target.name.is_empty() => {
                mentioned.insert(target.name.clone());
            }
            _ => {}
        }
    }
    let values = values(&nodes);
    let mut found = BTreeMap::new();
    for (node, ..) in &nodes {
        let NodeRef::RangeVar(relation) = node else { continue };
        let is_cte = relation.schemaname.is_empty() && ctes.contains(relation.relname.as_str());
        let is_system = matches!(relation.schemaname.as_str(), "pg_catalog" | "information_schema")
            || relation.relname.starts_with("pg_");
        if is_cte || is_system {
            continue;
        }
        let name = name_of(relation);
        let mut columns = tables.get(&name).cloned().unwrap_or_default();
        if columns.is_empty() {
            columns = mentioned.iter().cloned().collect();
            let more = columns.len().saturating_add(1)..=values;
            columns.extend(more.map(|at| format!("column{at}")));
        }
        found.insert(name, columns);
    }
    found
}

/// How many values a statement gives for a row, at most.
fn values(nodes: &[(NodeRef<'_>, i32, pg_query::Context, bool)]) -> usize {
    let count = |node: &NodeRef<'_>| match node {
        NodeRef::SelectStmt(select) => {
            let rows = select.values_lists.iter().map(|row| match &row.node {
                Some(Node::List(row)) => row.items.len(),
                _ => 0,
            });
            rows.max().unwrap_or(0).max(select.target_list.len())
        }
        NodeRef::MergeWhenClause(when) => when.values.len(),
        _ => 0,
    };
    nodes.iter().map(|(node, ..)| count(node)).max().unwrap_or(0)
}
