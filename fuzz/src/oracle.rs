//! The judge of what would be sent: PostgreSQL's own tree of it, walked without knowing kinds of nodes.
//!
//! It shares nothing with the rewriter and the prover. Every object in the tree that has the members of a relation's
//! name is one, wherever it stands; it may be a template that was known again by its text and stands where templates
//! stand, a relation that the rules show as it is, a common table expression in scope, or a catalog that holds no data.
//! Anything else is a finding, and so is a function that reads by a string, wherever its name stands.

use pg_query::protobuf::{CmdType, MergeMatchKind};
use scrim::policy::Access;
use serde_json::Value;

use crate::assigned;
use crate::desk::Seen;
use crate::nothing;
use crate::stand_in::{self, FILTER, Into, ROW, SCHEMA, StandIn, is_clear};
use crate::statistics;

/// Relations of PostgreSQL that hold data, secrets or other people's statements.
const CLOSED: &[&str] = &[
    "pg_authid",
    "pg_auth_members_raw",
    "pg_backend_memory_contexts",
    "pg_config",
    "pg_cursors",
    "pg_file_settings",
    "pg_hba_file_rules",
    "pg_ident_file_mappings",
    "pg_largeobject",
    "pg_prepared_statements",
    "pg_prepared_xacts",
    "pg_replication_origin_status",
    "pg_replication_slots",
    "pg_shadow",
    "pg_shmem_allocations",
    "pg_stat_replication",
    "pg_stat_ssl",
    "pg_stat_wal_receiver",
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_user_mapping",
];

/// Those of which Scrim shows a part, in a sub-select of its own.
const PARTLY: &[&str] = &[
    "pg_foreign_server",
    "pg_largeobject_metadata",
    "pg_stat_activity",
    "pg_stat_gssapi",
    "pg_subscription",
    "pg_user_mappings",
];

/// Functions that read, or run, what a string says, or reach files and other sessions: no masked role may call them.
const READS_BY_STRING: &[&str] = &[
    "cursor_to_xml",
    "cursor_to_xmlschema",
    "database_to_xml",
    "database_to_xml_and_xmlschema",
    "database_to_xmlschema",
    "dblink",
    "dblink_exec",
    "lo_export",
    "lo_get",
    "lo_import",
    "lo_open",
    "loread",
    "pg_cancel_backend",
    "pg_current_logfile",
    "pg_get_backend_memory_contexts",
    "pg_hba_file_rules",
    "pg_logical_emit_message",
    "pg_ls_dir",
    "pg_ls_logdir",
    "pg_ls_waldir",
    "pg_prepared_statement",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_show_all_file_settings",
    "pg_stat_file",
    "pg_stat_get_activity",
    "pg_stat_get_backend_activity",
    "pg_terminate_backend",
    "query_to_xml",
    "query_to_xml_and_xmlschema",
    "query_to_xmlschema",
    "schema_to_xml",
    "schema_to_xml_and_xmlschema",
    "schema_to_xmlschema",
    "table_to_xml",
    "table_to_xml_and_xmlschema",
    "table_to_xmlschema",
    "ts_stat",
];

/// Kinds that are passed as the gate prints them and read nothing.
const READ_NOTHING: &[&str] = &["LockStmt", "DropStmt"];

/// What came of looking at a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing protected is read but by a template.
    Good,
    /// The tree is too deep to be looked at.
    TooDeep,
    /// What was found.
    Found(String),
}

/// Looks at a text that would be sent for a role.
pub fn judge(sent: &str, seen: &Seen) -> Verdict {
    let known = stand_in::replace(sent, &seen.stand_ins, Into::Names);
    let tree = match pg_query::parse(&known, 0) {
        Ok(parsed) => parsed.protobuf,
        Err(error) if is_depth(&error) => return Verdict::TooDeep,
        Err(error) => return Verdict::Found(format!("what is sent does not parse: {error}")),
    };
    let Ok(tree) = serde_json::to_value(&tree) else { return Verdict::TooDeep };
    let mut walk =
        Walk { seen, scope: Vec::new(), target: None, depth_of_query: 0, sees_row: true };
    match walk.value(&tree) {
        Ok(()) => Verdict::Good,
        Err(found) => Verdict::Found(found),
    }
}

fn is_depth(error: &pg_query::Error) -> bool {
    let text = error.to_string();
    ["recursion limit", "nested too deeply", "stack depth", "memory exhausted"]
        .iter()
        .any(|part| text.contains(part))
}

type Found = Result<(), String>;

struct Walk<'a> {
    seen: &'a Seen,
    /// Common table expressions in scope.
    scope: Vec<String>,
    /// The relation whose row is written.
    target: Option<&'a StandIn>,
    /// How many queries stand around, within the statement that writes.
    depth_of_query: usize,
    /// The row that is written is in sight there.
    sees_row: bool,
}

pub(crate) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

fn has(value: &Value, members: &[&str]) -> bool {
    value.as_object().is_some_and(|object| members.iter().all(|name| object.contains_key(*name)))
}

/// The struct in a node of that kind.
pub(crate) fn node<'v>(value: &'v Value, kind: &str) -> Option<&'v Value> {
    value.get("node")?.get(kind)
}

/// The texts of a list of nodes; `*` for a star, nothing for what is neither.
pub(crate) fn names(list: Option<&Value>) -> Vec<&str> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|item| match node(item, "AStar") {
            Some(_) => "*",
            None => node(item, "String").map_or("", |string| text(string, "sval")),
        })
        .collect()
}

impl<'a> Walk<'a> {
    fn value(&mut self, value: &Value) -> Found {
        match value {
            Value::Object(object) => {
                if has(value, &["relname", "relpersistence"]) {
                    return self.relation(value);
                }
                if has(value, &["funcname", "args"]) {
                    self.function(names(value.get("funcname")).last().copied().unwrap_or(""))?;
                }
                for (kind, inner) in object {
                    if READ_NOTHING.contains(&kind.as_str()) {
                        continue;
                    }
                    match kind.as_str() {
                        "ColumnRef" => self.column(inner)?,
                        "AIndirection" => {
                            for name in names(inner.get("indirection")) {
                                self.function(name)?;
                            }
                            self.value(inner)?;
                        }
                        "CopyStmt" if inner["is_from"] == true => self.write(inner)?,
                        // Of FOR UPDATE: aliases.
                        "LockingClause" => {}
                        "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
                            self.write(inner)?;
                        }
                        _ if has(inner, &["from_clause", "target_list", "larg"]) => {
                            self.query(inner)?;
                        }
                        _ => self.value(inner)?,
                    }
                }
                Ok(())
            }
            Value::Array(list) => list.iter().try_for_each(|item| match item {
                item if has(item, &["from_clause", "target_list", "larg"]) => self.query(item),
                item => self.value(item),
            }),
            _ => Ok(()),
        }
    }

    /// A SELECT: its WITH is in scope in all of it.
    fn query(&mut self, query: &Value) -> Found {
        if let Some(relation) = template_source(query) {
            return self.template(query, relation);
        }
        let is_judged = statistics::judge(query).transpose()?.is_some() || nothing::is_read(query);
        let outer = self.scope.len();
        self.depth_of_query += 1;
        self.with(query)?;
        for (member, value) in query.as_object().into_iter().flatten() {
            match member.as_str() {
                "with_clause" => {}
                "from_clause" if is_judged => {}
                "larg" | "rarg" if !value.is_null() => self.query(value)?,
                _ => self.value(value)?,
            }
        }
        self.depth_of_query -= 1;
        self.scope.truncate(outer);
        Ok(())
    }

    fn with(&mut self, statement: &Value) -> Found {
        let Some(with) = statement.get("with_clause").filter(|with| !with.is_null()) else {
            return Ok(());
        };
        let ctes = with.get("ctes").and_then(Value::as_array).map(Vec::as_slice);
        let ctes = ctes.unwrap_or_default();
        let name =
            |cte: &Value| node(cte, "CommonTableExpr").map(|cte| text(cte, "ctename").to_owned());
        let recursive = with.get("recursive").and_then(Value::as_bool) == Some(true);
        if recursive {
            self.scope.extend(ctes.iter().filter_map(name));
        }
        for cte in ctes {
            self.value(cte)?;
            if !recursive {
                self.scope.extend(name(cte));
            }
        }
        Ok(())
    }

    fn write(&mut self, statement: &Value) -> Found {
        let relation = statement.get("relation").unwrap_or(&Value::Null);
        let (schema, name) = (text(relation, "schemaname"), text(relation, "relname"));
        let outer = (self.scope.len(), self.target.take(), self.depth_of_query);
        if schema != "pg_temp" {
            if !self.seen.view.role().may.write {
                return Err(format!("{schema}.{name} is written"));
            }
            let key = format!("{schema}.{name}");
            self.target = self.seen.stand_ins.iter().find(|known| known.key() == key);
            if self.target.is_none() && !self.is_open(schema, name) {
                return Err(format!("{key} is written and neither open nor masked"));
            }
            let is_copy = has(statement, &["is_from"]);
            let alias = text(&relation["alias"], "aliasname");
            if self.target.is_some() && !is_copy && alias != ROW {
                return Err(format!("{key} is written under another name than {ROW}"));
            }
        }
        self.depth_of_query = 0;
        let filtered = self.target.is_some_and(|target| target.template.filter.is_some());
        for condition in ["where_clause", "join_condition"] {
            // An INSERT meets rows in ON CONFLICT only.
            if let Some(condition) = statement.get(condition)
                && filtered
                && !is_filtered(condition)
            {
                return Err(format!("{schema}.{name} is written without its filter"));
            }
        }
        self.with(statement)?;
        for (member, value) in statement.as_object().into_iter().flatten() {
            match member.as_str() {
                "relation" | "with_clause" => {}
                // Of an INSERT, of an UPDATE.
                "cols" => self.assigned(value, true)?,
                "target_list" => self.assigned(value, false)?,
                "on_conflict_clause" if !value.is_null() => {
                    self.assigned(&value["target_list"], false)?;
                    self.value(&value["infer"])?;
                    self.value(&value["where_clause"])?;
                }
                "merge_when_clauses" => self.when(value)?,
                // Of a COPY: names.
                "attlist" => {
                    names(Some(value)).into_iter().try_for_each(|name| self.given(name))?
                }
                _ => self.value(value)?,
            }
        }
        self.scope.truncate(outer.0);
        (self.target, self.depth_of_query) = (outer.1, outer.2);
        Ok(())
    }

    fn when(&mut self, clauses: &Value) -> Found {
        for clause in clauses.as_array().map(Vec::as_slice).unwrap_or_default() {
            let Some(clause) = node(clause, "MergeWhenClause") else {
                return Err("a MERGE that does something else".into());
            };
            let is_new = clause["command_type"] == i32::from(CmdType::CmdInsert);
            // Then PostgreSQL sees no row of the target (`setNamespaceForMergeWhen` in parse_merge.c).
            let unmatched = i32::from(MergeMatchKind::MergeWhenNotMatchedByTarget);
            self.sees_row = clause["match_kind"] != unmatched;
            self.value(&clause["condition"])?;
            self.assigned(&clause["target_list"], is_new)?;
            self.value(&clause["values"])?;
            self.sees_row = true;
        }
        Ok(())
    }

    /// Columns of a new row, or of one that is there, with their values.
    fn assigned(&mut self, list: &Value, is_new: bool) -> Found {
        for item in list.as_array().map(Vec::as_slice).unwrap_or_default() {
            let Some(target) = node(item, "ResTarget") else {
                return Err("something else is assigned than a column".into());
            };
            let name = text(target, "name");
            let given = self.given(name);
            let known = self.target.filter(|_| given.is_err() && !is_new);
            let value = known
                .filter(|_| is_empty(target.get("indirection")))
                .and_then(|known| assigned::kept(&target["val"], &known.template.name, name));
            match value {
                Some(value) => self.value(value)?,
                None => {
                    given?;
                    self.value(item)?;
                }
            }
        }
        Ok(())
    }

    /// A column that is assigned whatever the client likes.
    fn given(&self, name: &str) -> Found {
        match self.target.map(|target| target.column(name)) {
            Some(Some(column)) if is_clear(column) => Ok(()),
            Some(_) => Err(format!("{name} is assigned")),
            None => Ok(()),
        }
    }

    fn relation(&mut self, relation: &Value) -> Found {
        let (schema, name) = (text(relation, "schemaname"), text(relation, "relname"));
        if !text(relation, "catalogname").is_empty() {
            return Err(format!("a relation of another database: {schema}.{name}"));
        }
        match schema {
            "" if self.scope.iter().any(|cte| cte == name) => Ok(()),
            // What CREATE TEMP TABLE AS makes.
            "" if text(relation, "relpersistence") == "t" => Ok(()),
            "" => Err(format!("a name without a schema: {name}")),
            "pg_temp" => Ok(()),
            "pg_catalog" if CLOSED.contains(&name) => Err(format!("pg_catalog.{name}")),
            "pg_catalog" if statistics::VIEWS.contains(&name) => {
                Err(format!("pg_catalog.{name} outside of its sub-select"))
            }
            "pg_catalog" if PARTLY.contains(&name) => match text(&relation["alias"], "aliasname") {
                "a" | "l" => Ok(()),
                _ => Err(format!("pg_catalog.{name} outside of its sub-select")),
            },
            "information_schema" if name.ends_with("_options") || name.starts_with("_pg_") => {
                Err(format!("information_schema.{name}"))
            }
            "pg_catalog" | "information_schema" => Ok(()),
            _ if self.is_open(schema, name) => Ok(()),
            _ => Err(format!("{schema}.{name} outside of a template")),
        }
    }

    fn is_open(&self, schema: &str, name: &str) -> bool {
        let relation = self.seen.view.snapshot().relation_named(schema, name);
        relation.is_some_and(|known| matches!(self.seen.view.access(known.oid), Access::Open))
    }

    fn function(&self, name: &str) -> Found {
        match READS_BY_STRING.contains(&name) {
            true => Err(format!("the function {name}")),
            false => Ok(()),
        }
    }

    fn column(&self, column: &Value) -> Found {
        let fields = names(column.get("fields"));
        if let [_, .., last] = fields.as_slice() {
            self.function(last)?;
        }
        let Some(target) = self.target else { return Ok(()) };
        match fields.as_slice() {
            [ROW, "ctid" | "xmin" | "tableoid"] => Ok(()),
            [ROW, name] => match target.column(name) {
                Some(known) if is_clear(known) => Ok(()),
                _ => Err(format!("{name} of the row that is written")),
            },
            [ROW, ..] => Err("the whole row that is written".into()),
            // In sight of the row, what has no qualifier may be the row's.
            [name] if self.depth_of_query == 0 && self.sees_row => match target.column(name) {
                Some(known) if !is_clear(known) => Err(format!("{name}, unqualified, in a write")),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The sub-select of a template: it is that and nothing else.
    fn template(&mut self, query: &Value, relation: &Value) -> Found {
        let key = text(relation, "relname");
        let wrong = |what: &str| Err(format!("the template of {key} {what}"));
        let Some(known) = self.seen.stand_ins.iter().find(|known| known.key() == key) else {
            return wrong("is not the role's");
        };
        let mut absent = [
            "distinct_clause",
            "into_clause",
            "group_clause",
            "having_clause",
            "window_clause",
            "values_lists",
            "sort_clause",
            "limit_count",
            "locking_clause",
            "with_clause",
            "larg",
            "rarg",
        ]
        .into_iter();
        if let Some(member) = absent.find(|member| !is_empty(query.get(*member))) {
            return wrong(&format!("has a {member}"));
        }
        let filtered = known.template.filter.is_some();
        if filtered && is_empty(query.get("limit_offset")) {
            return wrong("has a filter and no fence");
        }
        let list = query["target_list"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_listed = |at: usize, item: &Value| {
            let column =
                node(item, "ResTarget").and_then(|target| node(&target["val"], "ColumnRef"));
            match names(column.and_then(|column| column.get("fields"))).as_slice() {
                ["*"] => at == 0,
                [name, "ctid" | "xmin" | "tableoid"] => *name == known.template.name && at > 0,
                _ => false,
            }
        };
        if !list.iter().enumerate().all(|(at, item)| is_listed(at, item)) {
            return wrong("has other columns");
        }
        let condition = &query["where_clause"];
        let conjuncts = match node(condition, "BoolExpr") {
            Some(all) if all["boolop"] == 1 => all["args"].as_array().cloned().unwrap_or_default(),
            _ if condition.is_null() => Vec::new(),
            _ => vec![condition.clone()],
        };
        let is_filter = |value: &Value| {
            node(value, "ColumnRef").is_some_and(|column| names(column.get("fields")) == [FILTER])
        };
        if filtered != conjuncts.first().is_some_and(is_filter) {
            return wrong("has lost its filter");
        }
        conjuncts.iter().skip(usize::from(filtered)).try_for_each(|lookup| {
            match is_lookup(lookup, known) {
                true => Ok(()),
                false => wrong("has a condition that is no lookup"),
            }
        })
    }
}

/// `CASE WHEN filter THEN … END`, and beside it nothing but comparisons of the row with constants, for indexes.
fn is_filtered(condition: &Value) -> bool {
    if let Some(all) = node(condition, "BoolExpr") {
        let args = all["args"].as_array().map(Vec::as_slice).unwrap_or_default();
        return match args.split_first() {
            Some((first, rest)) => {
                all["boolop"] == 1 && is_filtered(first) && rest.iter().all(is_plain)
            }
            None => false,
        };
    }
    let is_filter = |value: &Value| {
        node(value, "ColumnRef").is_some_and(|column| names(column.get("fields")) == [FILTER])
    };
    let Some(case) = node(condition, "CaseExpr") else { return is_filter(condition) };
    let [when] = case["args"].as_array().map(Vec::as_slice).unwrap_or_default() else {
        return false;
    };
    let otherwise = &case["defresult"];
    let is_no = otherwise.is_null()
        || node(otherwise, "AConst")
            .is_some_and(|no| no["isnull"] == true || no["val"]["Boolval"]["boolval"] == false);
    is_no && node(when, "CaseWhen").is_some_and(|when| is_filter(&when["expr"]))
}

/// A comparison that cannot fail, of a column of the row that is written; which column is looked at elsewhere.
fn is_plain(condition: &Value) -> bool {
    let Some(comparison) = node(condition, "AExpr") else { return false };
    let operator = names(comparison.get("name"));
    let column = node(&comparison["lexpr"], "ColumnRef");
    comparison["kind"] == 1
        && matches!(operator.as_slice(), ["=" | "<" | ">" | "<=" | ">="])
        && matches!(names(column.and_then(|column| column.get("fields"))).as_slice(), [ROW, _])
        && is_constant(&comparison["rexpr"])
}

fn is_constant(value: &Value) -> bool {
    match node(value, "TypeCast") {
        Some(cast) => is_constant(&cast["arg"]),
        None => node(value, "AConst").or_else(|| node(value, "ParamRef")).is_some(),
    }
}

/// The relation of [`SCHEMA`] that a sub-select is about, if it is a template.
fn template_source(query: &Value) -> Option<&Value> {
    let [item] = query["from_clause"].as_array()?.as_slice() else { return None };
    let sampled = node(item, "RangeTableSample").map(|sample| &sample["relation"]);
    let relation = node(sampled.unwrap_or(item), "RangeVar")?;
    (text(relation, "schemaname") == SCHEMA && relation["alias"].is_null()).then_some(relation)
}

/// `column = value OR …`, of a column that may be looked up, and of nothing else of the row.
fn is_lookup(condition: &Value, known: &StandIn) -> bool {
    if let Some(any) = node(condition, "BoolExpr") {
        let arms = any["args"].as_array().map(Vec::as_slice).unwrap_or_default();
        return any["boolop"] == 2 && arms.iter().all(|arm| is_lookup(arm, known));
    }
    let Some(comparison) = node(condition, "AExpr") else { return false };
    if names(comparison.get("name")) != ["pg_catalog", "="] {
        return false;
    }
    let column = &comparison["lexpr"];
    let column = match node(column, "FuncCall") {
        Some(call) if names(call.get("funcname")) == ["pg_catalog", "lower"] => &call["args"][0],
        Some(_) => return false,
        None => column,
    };
    let Some(column) = node(column, "ColumnRef") else { return false };
    let may = match names(column.get("fields")).as_slice() {
        [relation, name] if *relation == known.template.name => {
            known.column(name).is_some_and(|column| column.lookup.is_some())
        }
        _ => false,
    };
    may && holds_no_column(&comparison["rexpr"])
}

fn holds_no_column(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().all(|(kind, inner)| {
            kind != "ColumnRef" && kind != "SubLink" && holds_no_column(inner)
        }),
        Value::Array(list) => list.iter().all(holds_no_column),
        _ => true,
    }
}
