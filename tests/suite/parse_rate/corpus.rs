//! A corpus of foreign SQL: which statements count, and the tables that they speak of.
//!
//! What the files themselves say of their tables (CREATE TABLE and the like) is believed; of a table that they do not
//! make, or make of a query, the columns are those that a statement names, and as many as it gives values. SELECT INTO
//! is CREATE TABLE AS by another name and does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pg_query::protobuf::ParseResult;
use pg_query::protobuf::node::Node;
use serde_json::Value;

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
        let of_it = Found::of(&tree);
        if let Some(kind) = kind(node, &of_it) {
            let relations = of_it.relations(&tables);
            found.push(Statement { kind, text: statement.to_owned(), relations });
        }
    }
    found
}

/// What a statement counts as; `None`: it is none of those that a role may be allowed.
fn kind(node: &Node, found: &Found) -> Option<&'static str> {
    if found.makes {
        return None;
    }
    match node {
        Node::SelectStmt(_) if found.writes => Some("write in WITH"),
        Node::SelectStmt(_) => Some("query"),
        Node::DeclareCursorStmt(_) if !found.writes => Some("cursor"),
        Node::CopyStmt(copy)
            if copy.query.is_some() && !copy.is_from && !copy.is_program && !found.writes =>
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

fn name(schema: &str, name: &str) -> Name {
    let schema = if matches!(schema, "" | "pg_temp") { "public" } else { schema };
    (schema.to_owned(), name.to_owned())
}

fn name_of(relation: &pg_query::protobuf::RangeVar) -> Name {
    name(&relation.schemaname, &relation.relname)
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

/// What stands anywhere in a statement.
#[derive(Default)]
struct Found {
    /// SELECT INTO.
    makes: bool,
    writes: bool,
    relations: BTreeSet<Name>,
    ctes: BTreeSet<String>,
    columns: BTreeSet<String>,
    /// How many values it gives for a row, at most.
    values: usize,
}

impl Found {
    /// pg_query's own list of nodes leaves out what stands in DECLARE, in RETURNING and in other places.
    fn of(tree: &ParseResult) -> Found {
        let mut found = Found::default();
        found.walk(&serde_json::to_value(tree).unwrap_or_default());
        found
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|item| self.walk(item)),
            Value::Object(object) => {
                self.look(value);
                for (key, inner) in object {
                    self.writes |= matches!(
                        key.as_str(),
                        "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt"
                    );
                    self.makes |= key == "into_clause" && !inner.is_null();
                    self.walk(inner);
                }
            }
            _ => {}
        }
    }

    fn look(&mut self, object: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| value.as_array().map_or(0, Vec::len);
        if object.get("relpersistence").is_some() {
            self.relations.insert(name(&text(&object["schemaname"]), &text(&object["relname"])));
        }
        if let Some(cte) = object.get("ctename") {
            self.ctes.insert(text(cte));
        }
        if let Some(Value::Array(fields)) = object.get("fields") {
            let last = fields.last().map(|last| text(&last["node"]["String"]["sval"]));
            self.columns.extend(last);
        }
        // What is assigned, and what a conflict goes by.
        if object.get("indirection").is_some() || object.get("opclass").is_some() {
            self.columns.insert(text(&object["name"]));
        }
        self.columns.remove("");
        for list in [&object["target_list"], &object["values"]] {
            self.values = self.values.max(count(list));
        }
        for row in object["values_lists"].as_array().into_iter().flatten() {
            self.values = self.values.max(count(&row["node"]["List"]["items"]));
        }
    }

    /// The relations that are no common table expressions.
    fn relations(&self, tables: &BTreeMap<Name, Vec<String>>) -> BTreeMap<Name, Vec<String>> {
        let is_own = |(schema, name): &&Name| {
            let is_cte = schema == "public" && self.ctes.contains(name);
            let is_system = matches!(schema.as_str(), "pg_catalog" | "information_schema");
            !is_cte && !is_system && !name.starts_with("pg_")
        };
        let own = self.relations.iter().filter(is_own);
        own.map(|name| {
            let mut columns = tables.get(name).cloned().unwrap_or_default();
            if columns.is_empty() {
                columns = self.columns.iter().cloned().collect();
                let more = columns.len().saturating_add(1)..=self.values;
                columns.extend(more.map(|at| format!("column{at}")));
            }
            (name.clone(), columns)
        })
        .collect()
    }
}
