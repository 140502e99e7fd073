//! Rules that fit the database and still cannot be meant: what never counts, what counts for every row, and what is hidden
//! here and shown there. For `check`.

mod grants;

use std::collections::BTreeSet;

use super::access::{Access, ColumnVerdict};
use super::expression::checked_expression;
use super::problems::{Problem, warning};
use super::role_view::RoleView;
use super::template::mentions;
use crate::catalog::{Column, IndexOf, Made, MadeOf, Relation, RelationKind, RelationOid};
use crate::rules::{MaskSpec, MaskSql, RelationName, TableRule};
use crate::text::nearest;

/// A shorter name of a column is a word like others.
const TELLING_CHARACTERS_MIN: usize = 3;

impl RoleView {
    /// What is doubtful, as far as this role is concerned. What does not depend on the role comes up for every role in
    /// the same words. `made` is what is made of columns in the database.
    pub fn doubts(&self, made: &Made) -> Vec<Problem> {
        let mut found = Vec::new();
        self.idle_conditions(&mut found);
        self.idle_filters(&mut found);
        self.unknown_functions(&mut found);
        self.undone_by_views(&mut found);
        self.undone_by_copies(&mut found);
        self.undone_by_generated(&made.columns, &mut found);
        self.undone_by_index_names(&made.indexes, &mut found);
        self.idle_details(&mut found);
        found
    }

    /// Conditions that nobody uses, and those that say the same of every row.
    fn idle_conditions(&self, found: &mut Vec<Problem>) {
        let snapshot = self.snapshot();
        for table in self.tables_here() {
            let name = &table.relation;
            let Some(relation) = snapshot.relation_named(&name.schema, &name.name) else {
                continue;
            };
            let conditions = self.classification.conditions(self.rules(), snapshot, relation);
            let row = self.row(relation, &conditions);
            for (condition, sql) in &table.conditions {
                let is_used = self.is_used(condition);
                if !is_used {
                    let message = format!("no mask and no `rows` use the condition `{condition}`");
                    found.push(warning(message, Some(sql.span), None));
                }
                match checked_expression(&sql.text, row) {
                    Ok(checked)
                        if !names_a_column(&checked, relation) && !is_of_session(&sql.text) =>
                    {
                        let message = format!(
                            "condition `{condition}` names no column, so it says the same of every row"
                        );
                        found.push(warning(message, Some(sql.span), None));
                    }
                    // Where it is used, whoever uses it says so.
                    Err(error) if !is_used => {
                        let message =
                            format!("condition `{condition}` cannot be used: {}", error.message);
                        found.push(warning(message, Some(sql.span), None));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }

    /// Row filters of what the role does not see anyway, and those that say the same of every row.
    fn idle_filters(&self, found: &mut Vec<Problem>) {
        let (role, snapshot) = (self.role(), self.snapshot());
        for (name, rule) in &role.rows {
            let Some(relation) = snapshot.relation_named(&name.schema, &name.name) else {
                continue;
            };
            let full = full(relation);
            if matches!(self.access(relation.oid), Access::Hidden) {
                let message = format!(
                    "role `{}` does not see `{full}`, so these rows never count",
                    role.name
                );
                found.push(warning(message, Some(rule.span), None));
            }
            let conditions = self.classification.conditions(self.rules(), snapshot, relation);
            let row = self.row(relation, &conditions);
            let checked = checked_expression(&rule.filter.text, row);
            let names_none = |checked: String| !names_a_column(&checked, relation);
            if checked.is_ok_and(names_none) && !is_of_session(&rule.filter.text) {
                let message =
                    format!("this filter names no column of `{full}`: it keeps all rows, or none");
                found.push(warning(message, Some(rule.filter.span), None));
            }
        }
    }

    fn unknown_functions(&self, found: &mut Vec<Problem>) {
        let known = &self.snapshot().user_functions;
        for (RelationName { schema, name }, span) in &self.role().functions {
            if known.get(name).is_some_and(|schemas| schemas.contains(schema)) {
                continue;
            }
            let names: Vec<String> = known
                .iter()
                .flat_map(|(name, schemas)| {
                    schemas.iter().map(move |schema| format!("{schema}.{name}"))
                })
                .collect();
            let full = format!("{schema}.{name}");
            let help = nearest(&full, names.iter().map(String::as_str))
                .map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no function `{full}` in this database");
            found.push(warning(message, Some(*span), help));
        }
    }

    /// Views that are clear for everybody, over what is hidden from the role.
    fn undone_by_views(&self, found: &mut Vec<Problem>) {
        for view in self.by_name(RelationKind::View) {
            if !self.is_named_open(view) {
                continue;
            }
            let reads = self.reads_below(view).unwrap_or_default();
            let hidden = self.hidden_among(reads.iter().copied());
            if !hidden.is_empty() {
                let message = format!(
                    "role `{}` does not see {}, and `{}`, which is open, shows what it reads there",
                    self.role().name,
                    hidden.join(", "),
                    full(view)
                );
                let help = "without `open` a view shows what the role sees of the tables below it";
                let span = self.classification.open(self.rules(), self.snapshot(), view);
                found.push(warning(message, span, Some(help.into())));
            }
        }
    }

    /// Materialised views with clear columns, over what is hidden from the role.
    fn undone_by_copies(&self, found: &mut Vec<Problem>) {
        for copy in self.by_name(RelationKind::MaterializedView) {
            let clear = self.clear_columns(copy);
            let reads = self.reads_below(copy).unwrap_or_default();
            let hidden = self.hidden_among(reads.iter().copied());
            if !hidden.is_empty() && !clear.is_empty() {
                let message = format!(
                    "role `{}` does not see {}, and sees {} of `{}`, which holds what it took there",
                    self.role().name,
                    hidden.join(", "),
                    clear.join(", "),
                    full(copy)
                );
                let help = "PostgreSQL does not tell which column was taken from which: see that none of the \
                            hidden ones is among the clear ones";
                let span = self.classification.entries(self.rules(), copy).next();
                found.push(warning(message, span.map(|entry| entry.span), Some(help.into())));
            }
        }
    }

    /// Generated columns that are clear, made of one that is hidden from the role.
    fn undone_by_generated(&self, made_of: &[MadeOf], found: &mut Vec<Problem>) {
        for (oid, number, of) in made_of {
            let Some(relation) = self.snapshot().relation(*oid) else { continue };
            let column = |number: i16| relation.columns.iter().find(|own| own.number == number);
            let (Some(made), Some(source)) = (column(*number), column(*of)) else { continue };
            let is_hidden = matches!(self.decide(relation, source), (MaskSpec::Hide, ..));
            if is_hidden && self.clear_columns(relation).contains(&made.name) {
                let message = format!(
                    "role `{}` does not see `{}` of `{}`, and sees `{}`, which is generated from it",
                    self.role().name,
                    source.name,
                    full(relation),
                    made.name
                );
                let rules = self.rules();
                let tag = self.classification.tag(rules, self.snapshot(), relation, &made.name);
                found.push(warning(message, tag.map(|(_, span)| span), None));
            }
        }
    }

    /// Indexes that the role's catalogs show, since they are made of nothing hidden, and whose names tell of something that
    /// is.
    fn undone_by_index_names(&self, indexes: &[IndexOf], found: &mut Vec<Problem>) {
        for IndexOf { relation, name, of } in indexes {
            let Some(relation) = self.snapshot().relation(*relation) else { continue };
            let is_seen = !relation.is_system()
                && matches!(self.access(relation.oid), Access::Open | Access::Masked(_));
            let is_hidden =
                |column: &&Column| matches!(self.decide(relation, column), (MaskSpec::Hide, ..));
            let hidden: Vec<&Column> = relation.columns.iter().filter(is_hidden).collect();
            let is_absent = hidden.iter().any(|column| of.contains(&column.number));
            let tells = |column: &&&Column| {
                column.name.chars().count() >= TELLING_CHARACTERS_MIN && names(name, &column.name)
            };
            if !is_seen || is_absent {
                continue;
            }
            for column in hidden.iter().filter(tells) {
                let message = format!(
                    "role `{}` does not see `{}` of `{}`, and sees an index whose name tells of it: `{name}`",
                    self.role().name,
                    column.name,
                    full(relation)
                );
                let help = "it is made of columns that the role sees, so it is in the role's catalogs: \
                            ALTER INDEX … RENAME TO …";
                let rules = self.rules();
                let tag = self.classification.tag(rules, self.snapshot(), relation, &column.name);
                found.push(warning(message, tag.map(|(_, span)| span), Some(help.into())));
            }
        }
    }

    /// Details that sessions state for nothing but the audit.
    fn idle_details(&self, found: &mut Vec<Problem>) {
        let role = self.role();
        for detail in role.details.keys().filter(|detail| !self.needs().has(detail)) {
            let message = format!(
                "nothing that role `{}` sees goes by its detail `{detail}`: it is in the audit, and nowhere else",
                role.name
            );
            let help = format!("`scrim.{detail}` is its value in `rows`, conditions and `when`");
            found.push(warning(message, Some(role.span), Some(help)));
        }
    }

    fn tables_here(&self) -> impl Iterator<Item = &TableRule> {
        let database = &self.snapshot().database;
        self.rules()
            .tables
            .iter()
            .filter(move |table| table.databases.as_ref().is_none_or(|all| all.contains(database)))
    }

    fn by_name(&self, kind: RelationKind) -> Vec<&Relation> {
        let all = self.snapshot().relations.values();
        let mut relations: Vec<&Relation> =
            all.filter(|relation| relation.kind == kind && !relation.is_system()).collect();
        relations.sort_by_key(|relation| (&relation.schema, &relation.name));
        relations
    }

    /// True where a mask or a filter of some role has the word.
    fn is_used(&self, condition: &str) -> bool {
        self.rules().roles.values().any(|role| {
            role.all_rows().any(|rule| has_word(&rule.filter.text, condition))
                || role.all_masks().any(|rule| goes_by(&rule.mask, condition))
        })
    }

    fn clear_columns(&self, relation: &Relation) -> Vec<String> {
        match self.access(relation.oid) {
            Access::Open => relation.columns.iter().map(|column| column.name.clone()).collect(),
            Access::Masked(template) => template
                .columns
                .iter()
                .filter(|column| column.verdict == ColumnVerdict::Clear)
                .map(|column| column.name.clone())
                .collect(),
            Access::View(_) | Access::Hidden | Access::Closed { .. } => Vec::new(),
        }
    }

    /// Those that are hidden from the role, by name.
    fn hidden_among(&self, columns: impl Iterator<Item = (RelationOid, i16)>) -> Vec<String> {
        let mut hidden = BTreeSet::new();
        for (oid, number) in columns {
            let Some(relation) = self.snapshot().relation(oid) else { continue };
            let column = relation.columns.iter().find(|column| column.number == number);
            let is_read = relation.kind != RelationKind::View && !relation.is_system();
            if let Some(column) = column.filter(|_| is_read)
                && matches!(self.decide(relation, column), (MaskSpec::Hide, ..))
            {
                hidden.insert(format!("`{}.{}`", full(relation), column.name));
            }
        }
        hidden.into_iter().collect()
    }
}

fn full(relation: &Relation) -> String {
    format!("{}.{}", relation.schema, relation.name)
}

/// By what a session states, something says another thing each time without a column.
fn is_of_session(sql: &str) -> bool {
    has_word(sql, "scrim")
}

fn names_a_column(checked: &str, relation: &Relation) -> bool {
    relation.columns.iter().any(|column| mentions(checked, &relation.name, &column.name))
}

/// True where a word of an index's name, or some in a row, is the column's.
fn names(index: &str, column: &str) -> bool {
    let (index, column) = (index.to_ascii_lowercase(), column.to_ascii_lowercase());
    index.match_indices(&column).any(|(at, found)| {
        let is_end = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        let before = index.get(..at).and_then(|before| before.chars().next_back());
        let after =
            index.get(at.saturating_add(found.len())..).and_then(|rest| rest.chars().next());
        is_end(before) && is_end(after)
    })
}

/// True where a `when` of the mask has the word.
fn goes_by(mask: &MaskSpec, condition: &str) -> bool {
    mask.sql()
        .iter()
        .any(|sql| matches!(sql, MaskSql::Condition(text) if has_word(text, condition)))
}

/// Rather too often than too rarely: a word in a constant counts too.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|part| part.eq_ignore_ascii_case(word))
}
