//! From words to a row of the catalog: which relation, which key, in which other relations the same row stands.

use std::collections::{BTreeMap, BTreeSet};

use super::shown::shown;
use super::subject::Subject;
use super::words::{Language, Sentence, Word};
use crate::catalog::{Column, Relation, RelationKind, RelationOid, Snapshot};
use crate::guard::{is_key_type, key_part};
use crate::rules::{RelationName, RuleSet, parse_relation};
use crate::text::nearest;

/// Why something names no row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.told(Language::English))]
pub enum NoRow {
    /// There is no relation in it, or no key.
    Named(String),
    /// What stands for the relation is none, and why.
    RelationName(String, String),
    /// Nothing of that name, in the database, and what is nearly called so.
    Relation(String, String, Option<String>),
    /// The relation has no primary key, in the database; it may be a view.
    Key(String, String, bool),
    /// The columns of the relation's key, and how many values are given.
    Parts(String, Vec<String>, usize),
    /// The text, the column and its type.
    Value(String, String, String),
}

impl NoRow {
    /// What is wrong.
    pub fn told(&self, language: Language) -> String {
        match self {
            NoRow::Named(text) => Word::NoRowNamed.with(language, &[&shown(text)]),
            NoRow::RelationName(text, why) => {
                Word::NoRelationName.with(language, &[&shown(text), &shown(why)])
            }
            NoRow::Relation(name, database, _) => {
                Word::NoRelation.with(language, &[&shown(name), &shown(database)])
            }
            NoRow::Key(name, database, _) => {
                Word::NoKey.with(language, &[&shown(name), &shown(database)])
            }
            NoRow::Parts(name, columns, given) => {
                let word = if *given == 1 { Word::KeyPart } else { Word::KeyParts };
                let (given, needed) = (given.to_string(), columns.len().to_string());
                let columns = columns.join(", ");
                word.with(language, &[&shown(name), &shown(&columns), &given, &needed])
            }
            NoRow::Value(text, column, type_sql) => {
                Word::NoValue.with(language, &[&shown(text), &shown(column), &shown(type_sql)])
            }
        }
    }

    /// What to do, where it is not how one writes a row.
    pub fn help(&self, language: Language) -> Option<String> {
        match self {
            NoRow::Relation(_, _, near) => {
                near.as_ref().map(|near| Word::DidYouMean.with(language, &[&shown(near)]))
            }
            NoRow::Key(_, _, is_view) => {
                let word = if *is_view { Word::AskForTable } else { Word::OnlyByKey };
                Some(word.of(language).to_owned())
            }
            NoRow::Named(_) | NoRow::RelationName(..) | NoRow::Parts(..) | NoRow::Value(..) => None,
        }
    }
}

impl Subject {
    /// The row of a relation (`public.customers`) with a key (`42`; `1,7` where it has several columns), by the catalog.
    ///
    /// # Errors
    /// It is no such row.
    pub fn of(
        name: &str,
        key: &str,
        snapshot: &Snapshot,
        rules: &RuleSet,
    ) -> Result<Subject, NoRow> {
        let database = &snapshot.database;
        if name.is_empty() || key.is_empty() {
            return Err(NoRow::Named(format!("{name}:{key}")));
        }
        let parsed =
            parse_relation(name).map_err(|why| NoRow::RelationName(name.to_owned(), why))?;
        let relation = snapshot.relation_named(&parsed.schema, &parsed.name).ok_or_else(|| {
            let names = snapshot.relations.values().filter(|relation| !relation.is_system());
            let names: Vec<String> = names.map(full_name).collect();
            let near = nearest(&parsed.to_string(), names.iter().map(String::as_str));
            NoRow::Relation(parsed.to_string(), database.clone(), near.map(str::to_owned))
        })?;
        let called = full_name(relation);
        let key_columns = key_of(relation);
        if key_columns.is_empty() {
            let is_view =
                matches!(relation.kind, RelationKind::View | RelationKind::MaterializedView);
            return Err(NoRow::Key(called, database.clone(), is_view));
        }
        let names: Vec<String> = key_columns.iter().map(|column| column.name.clone()).collect();
        let written = parts(key, key_columns.len())
            .map_err(|given| NoRow::Parts(called.clone(), names.clone(), given))?;
        let mut notes = Vec::new();
        let mut key = Vec::new();
        for (column, text) in key_columns.iter().zip(written) {
            if !is_key_type(column.type_oid) && column.domain_over.is_none() {
                let values = vec![column.type_sql.to_string(), called.clone()];
                notes.push(Sentence::new(Word::KeysNotRead, values));
                key.push(text);
                continue;
            }
            // A domain's value is read as its base type writes it.
            let part = match is_key_type(column.type_oid) {
                true => key_part(column.type_oid, &text),
                false => Some(text.clone()),
            };
            key.push(part.ok_or_else(|| {
                NoRow::Value(text, column.name.clone(), column.type_sql.to_string())
            })?);
        }
        let family = family(relation, &key_columns, &key, snapshot);
        let views = views(&family, snapshot);
        let of_names = family.keys().map(|oid| snapshot.relation(*oid)).zip(family.values());
        let family: BTreeMap<String, Option<Vec<String>>> = of_names
            .filter_map(|(relation, key)| Some((full_name(relation?), key.clone())))
            .collect();
        notes.extend(of_rules(rules));
        Ok(Subject {
            database: database.clone(),
            relation: called,
            key_columns: names,
            key,
            family,
            views,
            notes,
            is_unwatched: rules.roles.values().all(|role| !role.audit_rows),
        })
    }

    /// As one names it: `public.customers:42`.
    pub fn called(&self) -> String {
        format!("{}:{}", self.relation, self.key.join(","))
    }
}

/// Relations of which a row can be named, as [`Subject::of`] reads them; by name.
pub fn relations_with_keys(snapshot: &Snapshot) -> Vec<String> {
    let with_key = |relation: &&Relation| !relation.is_system() && !key_of(relation).is_empty();
    let names = snapshot.relations.values().filter(with_key).map(|relation| RelationName {
        schema: relation.schema.clone(),
        name: relation.name.clone(),
    });
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    names.sort_unstable();
    names
}

/// A row as one names it in a word: the relation, and the key behind the first colon that does not stand in quotation marks.
///
/// # Errors
/// There is none of the two.
pub fn relation_and_key(text: &str) -> Result<(&str, &str), NoRow> {
    split(text).ok_or_else(|| NoRow::Named(text.to_owned()))
}

/// What is known of rows by the rules as they are now.
fn of_rules(rules: &RuleSet) -> Vec<Sentence> {
    let named = |is: &dyn Fn(&crate::rules::Role) -> bool| -> Vec<String> {
        rules.roles.values().filter(|role| is(role)).map(|role| role.name.clone()).collect()
    };
    let mut notes = Vec::new();
    let untouched = named(&|role| role.is_untouched());
    if !untouched.is_empty() {
        notes.push(Sentence::new(Word::ReadingsUnknown, vec![untouched.join(", ")]));
    }
    let unwatched = named(&|role| !role.audit_rows && !role.is_untouched());
    if !unwatched.is_empty() {
        notes.push(Sentence::new(Word::StatementsOnly, vec![unwatched.join(", ")]));
    }
    notes.push(Sentence::new(Word::OtherWays, Vec::new()));
    notes
}

fn full_name(relation: &Relation) -> String {
    format!("{}.{}", relation.schema, relation.name)
}

fn key_of(relation: &Relation) -> Vec<&Column> {
    let column = |number: &i16| relation.columns.iter().find(|own| own.number == *number);
    relation.primary_key.iter().filter_map(column).collect()
}

fn split(text: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    let at = text.char_indices().find(|(_, character)| {
        is_quoted ^= *character == '"';
        *character == ':' && !is_quoted
    });
    let (name, key) = text.split_at_checked(at?.0)?;
    let key = key.strip_prefix(':')?;
    (!name.is_empty() && !key.is_empty()).then_some((name, key))
}

/// The values of a key. Of one column it is the text as it stands; of several they are between commas, and one that has a
/// comma itself stands in double quotes.
fn parts(text: &str, count: usize) -> Result<Vec<String>, usize> {
    if count == 1 {
        return Ok(vec![text.to_owned()]);
    }
    let mut parts = vec![String::new()];
    let (mut is_quoted, mut before) = (false, None);
    for character in text.chars() {
        match character {
            '"' => {
                is_quoted = !is_quoted;
                // Two in a row are one.
                if is_quoted && before == Some('"') {
                    parts.last_mut().into_iter().for_each(|part| part.push('"'));
                }
            }
            ',' if !is_quoted => parts.push(String::new()),
            other => parts.last_mut().into_iter().for_each(|part| part.push(other)),
        }
        before = Some(character);
    }
    if parts.len() == count && !is_quoted { Ok(parts) } else { Err(parts.len()) }
}

/// The relation, its parents and children, with the key of the row in each; `None`: the key is another one there.
fn family(
    relation: &Relation,
    key_columns: &[&Column],
    key: &[String],
    snapshot: &Snapshot,
) -> BTreeMap<RelationOid, Option<Vec<String>>> {
    let mut found = BTreeSet::from([relation.oid]);
    loop {
        let known = found.len();
        for other in snapshot.relations.values() {
            if other.parents.iter().any(|parent| found.contains(parent)) {
                found.insert(other.oid);
            }
        }
        let parents: Vec<RelationOid> = found
            .iter()
            .filter_map(|oid| snapshot.relation(*oid))
            .flat_map(|relation| relation.parents.iter().copied())
            .collect();
        found.extend(parents);
        if found.len() == known {
            break;
        }
    }
    let key_there = |other: &Relation| -> Option<Vec<String>> {
        let own = key_of(other);
        let value = |column: &&Column| {
            let at = key_columns.iter().position(|asked| asked.name == column.name)?;
            key.get(at).cloned()
        };
        (own.len() == key_columns.len()).then_some(())?;
        own.iter().map(value).collect()
    };
    let of = |oid: RelationOid| (oid, snapshot.relation(oid).and_then(key_there));
    found.into_iter().map(of).collect()
}

/// Views that read one of those, through other views too.
fn views(
    family: &BTreeMap<RelationOid, Option<Vec<String>>>,
    snapshot: &Snapshot,
) -> BTreeSet<String> {
    let mut found: BTreeSet<RelationOid> = BTreeSet::new();
    loop {
        let known = found.len();
        for view in snapshot
            .relations
            .values()
            .filter(|view| matches!(view.kind, RelationKind::View | RelationKind::MaterializedView))
        {
            let is_read = |oid: &RelationOid| family.contains_key(oid) || found.contains(oid);
            if view.reads.iter().any(|(oid, _)| is_read(oid)) {
                found.insert(view.oid);
            }
        }
        if found.len() == known {
            break;
        }
    }
    found.iter().filter_map(|oid| snapshot.relation(*oid)).map(full_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_named_by_relation_and_key() {
        assert_eq!(split("public.customers:42"), Some(("public.customers", "42")));
        assert_eq!(split("public.\"a:b\":x:y"), Some(("public.\"a:b\"", "x:y")));
        for text in ["public.customers", "public.customers:", ":42", "", "\"a:42"] {
            assert_eq!(split(text), None, "{text}");
        }
        let given = |text: &str, count| parts(text, count);
        assert_eq!(given("a,b", 1), Ok(vec!["a,b".to_owned()]));
        assert_eq!(given("1,7", 2), Ok(vec!["1".to_owned(), "7".to_owned()]));
        assert_eq!(given("\"a,\"\"b\",", 2), Ok(vec!["a,\"b".to_owned(), String::new()]));
        assert_eq!(given("1", 2), Err(1));
        assert_eq!(given("1,2,3", 2), Err(3));
        assert_eq!(given("1,\"2", 2), Err(2));
    }
}
