//! What in the rules does not fit the database: for `check`.

use std::collections::BTreeSet;

use super::access::Access;
use super::classify::{covers, mask_rule};
use super::role_view::RoleView;
use crate::catalog::{Relation, RelationKind};
use crate::rules::{RelationName, RelationPattern, Tag, TagPattern};
use crate::text::{Diagnostic, Label, Severity, Span, nearest};

/// Something in the rules that does not fit the database.
#[derive(Debug, Clone)]
pub struct Problem {
    /// For `check`.
    pub diagnostic: Diagnostic,
}

impl RoleView {
    /// Everything in the rules that does not fit the database, as far as this role is concerned. Problems that
    /// do not depend on the role come up for every role in the same words.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        self.unknown_names(&mut found);
        self.unmatched_masks(&mut found);
        self.unmatched_tags(&mut found);
        self.unclassified(&mut found);
        self.copies(&mut found);
        self.unnamed_rows(&mut found);
        let mut relations: Vec<&Relation> = self.user_relations().collect();
        relations.sort_by_key(|relation| (&relation.schema, &relation.name));
        for relation in relations {
            let mut unfit = Vec::new();
            self.compile(relation, &mut unfit);
            for problem in unfit {
                found.push(error(problem.message, problem.span, None));
            }
        }
        found
    }

    /// Rows on record of a role that is shown no key.
    fn unnamed_rows(&self, found: &mut Vec<Problem>) {
        if !self.role().audit_rows {
            return;
        }
        let shows_key = |relation: &&Relation| match self.access(relation.oid) {
            Access::Open => !relation.primary_key.is_empty(),
            Access::Masked(template) => !template.primary_key.is_empty(),
            Access::View(_) | Access::Hidden | Access::Closed { .. } => false,
        };
        if !self.user_relations().any(|relation| shows_key(&relation)) {
            let message = format!(
                "role `{}` has `audit_rows` and is shown no primary key, so no row is named on record",
                self.role().name
            );
            let help = "a key is named where all its columns are clear for the role";
            found.push(warning(message, Some(self.role().span), Some(help.to_owned())));
        }
    }

    fn user_relations(&self) -> impl Iterator<Item = &Relation> {
        self.snapshot().relations.values().filter(|relation| !relation.is_system())
    }

    fn unknown_names(&self, found: &mut Vec<Problem>) {
        let snapshot = self.snapshot();
        let names: Vec<String> =
            self.user_relations().map(|r| format!("{}.{}", r.schema, r.name)).collect();
        let counts = |databases: &Option<Vec<String>>| {
            databases.as_ref().is_none_or(|all| all.contains(&snapshot.database))
        };
        let unknown = |name: &RelationName, span: Span| {
            let name = format!("{}.{}", name.schema, name.name);
            let help = nearest(&name, names.iter().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?"));
            error(format!("there is no relation `{name}` in this database"), Some(span), help)
        };
        for rule in self.rules().open.iter().filter(|rule| counts(&rule.databases)) {
            match &rule.pattern {
                RelationPattern::Relation(name) => {
                    if snapshot.relation_named(&name.schema, &name.name).is_none() {
                        found.push(unknown(name, rule.span));
                    }
                }
                RelationPattern::Schema(schema) => {
                    if !snapshot.schemas.contains(schema) {
                        let message = format!("there is no schema `{schema}` in this database");
                        found.push(error(message, Some(rule.span), None));
                    }
                }
            }
        }
        for table in self.rules().tables.iter().filter(|table| counts(&table.databases)) {
            let Some(relation) =
                snapshot.relation_named(&table.relation.schema, &table.relation.name)
            else {
                found.push(unknown(&table.relation, table.span));
                continue;
            };
            for (column, rule) in &table.columns {
                if relation.column(column).is_none() {
                    let columns = relation.columns.iter().map(|column| column.name.as_str());
                    let help =
                        nearest(column, columns).map(|near| format!("did you mean `{near}`?"));
                    let message = format!(
                        "there is no column `{column}` in `{}.{}`",
                        relation.schema, relation.name
                    );
                    found.push(error(message, Some(rule.span), help));
                }
            }
        }
        for (name, rule) in &self.role().rows {
            if snapshot.relation_named(&name.schema, &name.name).is_none() {
                found.push(unknown(name, rule.span));
            }
        }
    }

    /// Lines of the role that no column's tag comes to.
    fn unmatched_masks(&self, found: &mut Vec<Problem>) {
        let tags: BTreeSet<&Tag> = self
            .rules()
            .tables
            .iter()
            .flat_map(|table| table.columns.values().map(|rule| &rule.tag))
            .collect();
        let used: BTreeSet<Span> = tags
            .iter()
            .filter_map(|tag| mask_rule(self.role(), Some(tag)).map(|rule| rule.span))
            .collect();
        for rule in &self.role().masks {
            if let TagPattern::Prefix(prefix) = &rule.pattern
                && !used.contains(&rule.span)
            {
                let names = tags.iter().filter_map(|tag| match tag {
                    Tag::Named(name) => Some(name.as_str()),
                    Tag::Open => None,
                });
                let help = nearest(prefix, names).map(|near| format!("did you mean `{near}`?"));
                let message =
                    format!("no column has the tag `{prefix}`, so this mask never applies");
                found.push(warning(message, Some(rule.span), help));
            }
        }
    }

    /// Tags of `lookup` and `grants` that no column has.
    fn unmatched_tags(&self, found: &mut Vec<Problem>) {
        let tables = &self.rules().tables;
        let tags: BTreeSet<&str> = tables
            .iter()
            .flat_map(|table| table.columns.values())
            .filter_map(|rule| match &rule.tag {
                Tag::Named(name) => Some(name.as_str()),
                Tag::Open => None,
            })
            .collect();
        let looked_up = self.role().lookup.iter().map(|tag| (tag, "nothing is looked up by it"));
        let grants = self.role().grants.iter();
        let granted = grants.flat_map(|grants| grants.may.iter().chain(&grants.hidden));
        let granted = granted.map(|tag| (tag, "nothing is opened by it"));
        for ((pattern, span), what) in looked_up.chain(granted) {
            let TagPattern::Prefix(prefix) = pattern else { continue };
            if !tags.iter().any(|tag| covers(pattern, tag)) {
                let help = nearest(prefix, tags.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"));
                let message = format!("no column has the tag `{prefix}`, so {what}");
                found.push(warning(message, Some(*span), help));
            }
        }
    }

    /// How many columns of the database somebody classified, and how many nobody did; the same for every role.
    pub fn column_counts(&self) -> (usize, usize) {
        let relations = self.user_relations().filter(|relation| is_classified_by_column(relation));
        relations.fold((0, 0), |(classified, not), relation| {
            let missing = self.unclassified_columns(relation).len();
            let named = relation.columns.len().saturating_sub(missing);
            (classified.saturating_add(named), not.saturating_add(missing))
        })
    }

    fn unclassified_columns<'r>(&self, relation: &'r Relation) -> Vec<&'r str> {
        let tag =
            |column: &str| self.classification.tag(self.rules(), self.snapshot(), relation, column);
        let names = relation.columns.iter().map(|column| column.name.as_str());
        names.filter(|name| tag(name).is_none()).collect()
    }

    /// Without what is said of a parent already: a table of a hundred partitions would be told a hundred times.
    fn unclassified_here<'r>(&self, relation: &'r Relation) -> Vec<&'r str> {
        let parents = relation.parents.iter().filter_map(|oid| self.snapshot().relation(*oid));
        let told: BTreeSet<&str> =
            parents.flat_map(|parent| self.unclassified_columns(parent)).collect();
        let missing = self.unclassified_columns(relation).into_iter();
        missing.filter(|column| !told.contains(column)).collect()
    }

    fn unclassified(&self, found: &mut Vec<Problem>) {
        let mut unnamed = Vec::new();
        let mut relations: Vec<&Relation> = self.user_relations().collect();
        relations.sort_by_key(|relation| (&relation.schema, &relation.name));
        for relation in relations.into_iter().filter(|relation| is_classified_by_column(relation)) {
            let missing = self.unclassified_here(relation);
            let name = format!("{}.{}", relation.schema, relation.name);
            if missing.len() == relation.columns.len() && !missing.is_empty() {
                unnamed.push(name);
            } else if !missing.is_empty() {
                let span = self.classification.entries(self.rules(), relation).next();
                let message =
                    format!("columns of `{name}` that nobody classified: {}", missing.join(", "));
                let help = "they are masked as the rest (`\"*\"`) until somebody judges them";
                found.push(warning(message, span.map(|entry| entry.span), Some(help.into())));
            }
        }
        if !unnamed.is_empty() {
            let message = format!("relations that no rule names: {}", unnamed.join(", "));
            let help =
                "all their columns are masked as the rest (`\"*\"`) until somebody judges them";
            found.push(warning(message, None, Some(help.into())));
        }
    }
}

impl RoleView {
    /// Materialised views that keep copies of classified columns and that nobody has judged.
    fn copies(&self, found: &mut Vec<Problem>) {
        let mut relations: Vec<&Relation> = self.user_relations().collect();
        relations.sort_by_key(|relation| (&relation.schema, &relation.name));
        for view in relations {
            let is_judged = self.unclassified_columns(view).is_empty();
            if view.kind != RelationKind::MaterializedView || is_judged {
                continue;
            }
            let mut copied = BTreeSet::new();
            for (oid, number) in self.reads_below(view).unwrap_or_default() {
                let Some(relation) = self.snapshot().relation(oid) else { continue };
                let column = relation.columns.iter().find(|column| column.number == number);
                let Some(column) = column else { continue };
                let rules = self.rules();
                let tag = self.classification.tag(rules, self.snapshot(), relation, &column.name);
                if let Some((Tag::Named(tag), _)) = tag {
                    let Relation { schema, name, .. } = relation;
                    copied.insert(format!("{schema}.{name}.{} ({tag})", column.name));
                }
            }
            if !copied.is_empty() {
                let copied: Vec<String> = copied.into_iter().collect();
                let message = format!(
                    "materialised view `{}.{}` holds what it took from {}",
                    view.schema,
                    view.name,
                    copied.join(", ")
                );
                let help = "give its columns a line under `tables`; until then they are masked as \
                            the rest (`\"*\"`)";
                found.push(warning(message, None, Some(help.into())));
            }
        }
    }
}

fn is_classified_by_column(relation: &Relation) -> bool {
    match relation.kind {
        RelationKind::View | RelationKind::Sequence => false,
        RelationKind::Table
        | RelationKind::PartitionedTable
        | RelationKind::MaterializedView
        | RelationKind::ForeignTable => true,
    }
}

fn error(message: String, span: Option<Span>, help: Option<String>) -> Problem {
    problem(Severity::Error, message, span, help)
}

pub(super) fn warning(message: String, span: Option<Span>, help: Option<String>) -> Problem {
    problem(Severity::Warning, message, span, help)
}

fn problem(
    severity: Severity,
    message: String,
    span: Option<Span>,
    help: Option<String>,
) -> Problem {
    let primary = span.map(|span| Label { span, text: String::new() });
    Problem { diagnostic: Diagnostic { severity, message, primary, secondary: Vec::new(), help } }
}
