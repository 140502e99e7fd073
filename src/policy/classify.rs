//! What a column holds, and which mask a role puts on that.

use std::collections::{BTreeMap, HashMap};

use crate::catalog::{Relation, RelationOid, Snapshot};
use crate::rules::{
    MaskRule, RelationName, RelationPattern, Role, RuleSet, TableRule, Tag, TagPattern,
};
use crate::text::Span;

/// The rules that count in one database, by relation.
#[derive(Debug)]
pub struct Classification {
    tables: HashMap<RelationName, Vec<usize>>,
}

/// A tag and where it was given.
pub type Given = Option<(Tag, Span)>;

impl Classification {
    /// Those of one database.
    pub fn new(rules: &RuleSet, database: &str) -> Classification {
        let mut tables: HashMap<RelationName, Vec<usize>> = HashMap::new();
        for (index, table) in rules.tables.iter().enumerate() {
            if counts(table.databases.as_deref(), database) {
                tables.entry(table.relation.clone()).or_default().push(index);
            }
        }
        Classification { tables }
    }

    /// Entries for exactly this relation.
    pub(super) fn entries<'r>(
        &'r self,
        rules: &'r RuleSet,
        relation: &Relation,
    ) -> impl Iterator<Item = &'r TableRule> {
        let indexes = self.tables.get(&name_of(relation)).map(Vec::as_slice).unwrap_or_default();
        indexes.iter().filter_map(|index| rules.tables.get(*index))
    }

    /// The tag of a column: the relation's own entry, else that of the nearest ancestor; two parents that
    /// disagree leave it unclassified.
    pub fn tag(
        &self,
        rules: &RuleSet,
        snapshot: &Snapshot,
        relation: &Relation,
        column: &str,
    ) -> Given {
        for generation in generations(snapshot, relation) {
            let mut found: Given = None;
            for member in generation {
                for entry in self.entries(rules, member) {
                    let Some(rule) = entry.columns.get(column) else { continue };
                    match &found {
                        Some((tag, _)) if *tag != rule.tag => return None,
                        Some(_) => {}
                        None => found = Some((rule.tag.clone(), rule.span)),
                    }
                }
            }
            if found.is_some() {
                return found;
            }
        }
        self.open(rules, snapshot, relation).map(|span| (Tag::Open, span))
    }

    /// The `open` line that covers a relation, or an ancestor of it.
    pub(super) fn open(
        &self,
        rules: &RuleSet,
        snapshot: &Snapshot,
        relation: &Relation,
    ) -> Option<Span> {
        generations(snapshot, relation).into_iter().flatten().find_map(|member| {
            let database = &snapshot.database;
            let rule = rules.open.iter().filter(|rule| counts(rule.databases.as_deref(), database));
            rule.into_iter()
                .find(|rule| match &rule.pattern {
                    RelationPattern::Relation(name) => *name == name_of(member),
                    RelationPattern::Schema(schema) => *schema == member.schema,
                })
                .map(|rule| rule.span)
        })
    }

    /// Conditions by name, the nearest relation's first.
    pub(super) fn conditions<'r>(
        &'r self,
        rules: &'r RuleSet,
        snapshot: &Snapshot,
        relation: &Relation,
    ) -> BTreeMap<&'r str, &'r str> {
        let mut conditions = BTreeMap::new();
        for member in generations(snapshot, relation).into_iter().flatten() {
            for entry in self.entries(rules, member) {
                for (name, sql) in &entry.conditions {
                    conditions.entry(name.as_str()).or_insert(sql.text.as_str());
                }
            }
        }
        conditions
    }
}

/// The role's line for a tag: the longest prefix that matches, else the rest.
pub fn mask_rule<'r>(role: &'r Role, tag: Option<&Tag>) -> Option<&'r MaskRule> {
    let length = |rule: &&MaskRule| match (&rule.pattern, tag) {
        (TagPattern::Rest, _) => Some(0),
        (TagPattern::Prefix(prefix), Some(Tag::Named(tag))) => {
            let rest = tag.strip_prefix(prefix.as_str())?;
            (rest.is_empty() || rest.starts_with('.')).then(|| prefix.len().saturating_add(1))
        }
        (TagPattern::Prefix(_), Some(Tag::Open) | None) => None,
    };
    role.masks.iter().filter(|rule| length(rule).is_some()).max_by_key(|rule| length(rule))
}

/// True when a line for this tag covers a column's tag. Columns without a tag are covered by none.
pub fn covers(pattern: &TagPattern, tag: &str) -> bool {
    match pattern {
        TagPattern::Rest => false,
        TagPattern::Prefix(prefix) => tag
            .strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
    }
}

/// The relation, its parents, their parents, …: each relation once, nearest generation first.
pub(super) fn generations<'s>(
    snapshot: &'s Snapshot,
    relation: &'s Relation,
) -> Vec<Vec<&'s Relation>> {
    let mut seen: Vec<RelationOid> = vec![relation.oid];
    let mut generations = vec![vec![relation]];
    while let Some(last) = generations.last() {
        let mut next = Vec::new();
        for parent in last.iter().flat_map(|member| &member.parents) {
            if !seen.contains(parent) {
                seen.push(*parent);
                next.extend(snapshot.relation(*parent));
            }
        }
        if next.is_empty() {
            break;
        }
        generations.push(next);
    }
    generations
}

/// The relation's name as the rules would write it.
pub(super) fn name_of(relation: &Relation) -> RelationName {
    RelationName { schema: relation.schema.clone(), name: relation.name.clone() }
}

fn counts(databases: Option<&[String]>, database: &str) -> bool {
    databases.is_none_or(|databases| databases.iter().any(|name| name == database))
}
