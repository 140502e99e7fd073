//! The sample rules, read a second time: which mask a role puts on which column. Knows nothing of `scrim::rules`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use super::twins::Row;
use crate::harness::CLERKS_CUSTOMER;

/// The rules, merged.
#[derive(Debug, Default)]
pub struct SampleRules {
    open: Vec<String>,
    /// By `schema.table`: tags of columns, conditions.
    tables: BTreeMap<String, (BTreeMap<String, String>, Row)>,
    roles: BTreeMap<String, Value>,
}

impl SampleRules {
    /// Reads every `*.yaml` below the folder, apart from `tests/`.
    pub fn read(folder: &Path) -> SampleRules {
        let mut rules = SampleRules::default();
        for file in files(folder) {
            let text = std::fs::read_to_string(&file).expect("rules file");
            let value: Value = serde_yaml::from_str(&text).expect("YAML");
            for name in value.get("open").and_then(Value::as_sequence).into_iter().flatten() {
                rules.open.push(plain(name.as_str().expect("relation")));
            }
            for (name, table) in entries(value.get("tables")) {
                let columns = entries(table.get("columns"));
                let tags = columns.map(|(name, tag)| (name, tag.as_str().expect("tag").to_owned()));
                let conditions = entries(table.get("conditions"));
                let conditions =
                    conditions.map(|(name, sql)| (name, Some(sql.as_str().expect("SQL").into())));
                rules.tables.insert(plain(&name), (tags.collect(), conditions.collect()));
            }
            for (name, role) in entries(value.get("roles")) {
                // For a purpose, it is as a role that extends it.
                for (purpose, lines) in entries(role.get("purposes")) {
                    let mut lines = lines.clone();
                    lines["extends"] = name.as_str().into();
                    rules.roles.insert(format!("{name} for {purpose}"), lines);
                }
                rules.roles.insert(name, role.clone());
            }
        }
        rules
    }

    /// The names of the roles.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// True when `open` names the relation or its schema.
    pub fn is_open(&self, relation: &str) -> bool {
        let schema = relation.split('.').next().unwrap_or_default();
        self.open.iter().any(|open| *open == relation || *open == format!("{schema}.*"))
    }

    /// True when `tables` names the relation.
    pub fn classifies(&self, relation: &str) -> bool {
        self.tables.contains_key(relation)
    }

    /// The tag of a relation's own column.
    pub fn tag(&self, relation: &str, column: &str) -> Option<&str> {
        self.tables.get(relation)?.0.get(column).map(String::as_str)
    }

    /// The user functions that the role may call.
    pub fn functions(&self, role: &str) -> Vec<String> {
        let lists = self
            .ancestry(role)
            .into_iter()
            .filter_map(|role| Some(self.roles[&role].get("functions")?.as_sequence()?.clone()));
        lists.flatten().map(|name| plain(name.as_str().expect("a name"))).collect()
    }

    /// The mask of a column. `lineage` is the relation and then its parents, nearest first.
    pub fn mask(&self, role: &str, lineage: &[String], column: &str) -> Value {
        let tag = lineage.iter().find_map(|name| self.tables.get(name)?.0.get(column));
        match tag.map(String::as_str) {
            Some("open") => "clear".into(),
            Some(tag) => self.mask_of_tag(role, tag),
            None if lineage.iter().any(|name| self.is_open(name)) => "clear".into(),
            None => self.mask_of_tag(role, "*"),
        }
    }

    /// The longest line that covers the tag, in the role or, where it has no line as long, in what it extends.
    fn mask_of_tag(&self, role: &str, tag: &str) -> Value {
        let mut best: (usize, Value) = (0, "redact".into());
        let mut lines: BTreeMap<String, Value> = BTreeMap::new();
        for role in self.ancestry(role).iter().rev() {
            for (pattern, mask) in entries(self.roles[role].get("masks")) {
                lines.insert(pattern, mask.clone());
            }
        }
        for (pattern, mask) in lines {
            let length = match pattern.as_str() {
                "*" => 1,
                _ if tag == pattern || tag.starts_with(&format!("{pattern}.")) => pattern.len() + 1,
                _ => continue,
            };
            if length > best.0 {
                best = (length, mask);
            }
        }
        best.1
    }

    /// The row filter of a relation, if any; children have their parents'.
    pub fn filter(&self, role: &str, lineage: &[String]) -> Option<String> {
        lineage.iter().find_map(|relation| {
            self.ancestry(role).iter().find_map(|role| {
                let mut rows = entries(self.roles[role].get("rows"));
                let (_, sql) = rows.find(|(name, _)| plain(name) == *relation)?;
                let sql = sql.as_str().expect("SQL");
                Some(sql.replace("scrim.customer", CLERKS_CUSTOMER))
            })
        })
    }

    /// The conditions that hold for a relation.
    pub fn conditions(&self, lineage: &[String]) -> Row {
        let named = lineage.iter().rev().filter_map(|name| self.tables.get(name));
        named.flat_map(|(_, conditions)| conditions.clone()).collect()
    }

    /// The login by which Scrim speaks to the database for this role.
    pub fn login(&self, role: &str) -> String {
        let own = self.ancestry(role).iter().find_map(|role| {
            self.roles[role].get("database_user")?.get("user")?.as_str().map(str::to_owned)
        });
        own.unwrap_or_else(|| "scrim".into())
    }

    /// The role and what it extends, nearest first.
    fn ancestry(&self, role: &str) -> Vec<String> {
        let mut names = vec![role.to_owned()];
        while let Some(parent) = self.roles[&names[names.len() - 1]].get("extends") {
            names.push(parent.as_str().expect("role").to_owned());
        }
        names
    }
}

/// The rule files in order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    for entry in entries {
        let path = entry.expect("entry").path();
        if path.is_dir() && !path.ends_with("tests") {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (String, &Value)> {
    let entries = value.and_then(Value::as_mapping).into_iter().flatten();
    entries.map(|(name, value)| (name.as_str().expect("a name").to_owned(), value))
}

/// `public."Customers"` → `public.Customers`: exact names, which is enough for the sample.
fn plain(name: &str) -> String {
    name.replace('"', "")
}
