//! What the columns of the trail hold: by the catalog where there is one, else by the lines of the rules.

use std::collections::HashMap;

use crate::changes::Picture;
use crate::rules::{RelationPattern, RuleSet, Tag};

/// What a column holds that no line names.
pub const UNCLASSIFIED: &str = "unclassified";
/// What holds nothing personal.
pub const OPEN: &str = "open";

/// Tags by column.
type Tags = HashMap<String, String>;
/// A relation as the rules name it: the databases in which that counts, and its tags.
type Named = (Option<Vec<String>>, Tags);

/// Tags by relation and column, as the rules have them now.
#[derive(Debug, Default)]
pub struct Kinds {
    /// The database of the catalog, and what is in it.
    live: Option<(String, HashMap<String, Tags>)>,
    named: HashMap<String, Vec<Named>>,
    open: Vec<(Option<Vec<String>>, RelationPattern)>,
}

impl Kinds {
    /// By the lines of the rules.
    pub fn new(rules: &RuleSet) -> Kinds {
        let mut named: HashMap<String, Vec<Named>> = HashMap::new();
        for table in &rules.tables {
            let tags = table.columns.iter().map(|(name, rule)| {
                let tag = match &rule.tag {
                    Tag::Open => OPEN.to_owned(),
                    Tag::Named(tag) => tag.clone(),
                };
                (name.clone(), tag)
            });
            let relation = format!("{}.{}", table.relation.schema, table.relation.name);
            let entry = (table.databases.clone(), tags.collect());
            named.entry(relation).or_default().push(entry);
        }
        let open = rules.open.iter().map(|open| (open.databases.clone(), open.pattern.clone()));
        Kinds { live: None, named, open: open.collect() }
    }

    /// In this database by its catalog: partitions hold what their parents hold.
    pub fn with_catalog(self, database: &str, picture: &Picture) -> Kinds {
        let mut live: HashMap<String, Tags> = HashMap::new();
        // A column holds the same whoever asks; which columns there are may differ.
        for (name, relation) in picture.roles.values().flat_map(|role| &role.relations) {
            let tags = live.entry(name.clone()).or_default();
            for (column, seen) in &relation.columns {
                tags.entry(column.clone()).or_insert_with(|| seen.decision.tag.clone());
            }
        }
        Kinds { live: Some((database.to_owned(), live)), ..self }
    }

    /// What a column holds.
    pub fn of(&self, database: &str, relation: &str, column: &str) -> &str {
        let live = self.live.as_ref().filter(|(known, _)| known == database);
        if let Some(tag) = live.and_then(|(_, live)| live.get(relation)?.get(column)) {
            return tag;
        }
        let counts = |databases: &Option<Vec<String>>| {
            databases.as_ref().is_none_or(|all| all.iter().any(|one| one == database))
        };
        let entries = self.named.get(relation).map(Vec::as_slice).unwrap_or_default();
        let entries = entries.iter().filter(|(databases, _)| counts(databases));
        if let Some(tag) = entries.filter_map(|(_, tags)| tags.get(column)).next() {
            return tag;
        }
        let is_open = |pattern: &RelationPattern| match pattern {
            RelationPattern::Relation(name) => {
                relation.strip_prefix(name.schema.as_str()).and_then(|rest| rest.strip_prefix('.'))
                    == Some(name.name.as_str())
            }
            RelationPattern::Schema(schema) => {
                relation.strip_prefix(schema.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        };
        match self.open.iter().any(|(databases, pattern)| counts(databases) && is_open(pattern)) {
            true => OPEN,
            false => UNCLASSIFIED,
        }
    }
}
