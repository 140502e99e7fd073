//! What a grant opens, laid over what the role sees.
//!
//! An opening is a part of what a session states ([`super::Stated`]): a session with one has another view, and so other
//! plans, and when the grant ends it has the view without it.
//!
//! INVARIANTS: an opening counts only where the rules of the role allow it (`grants`), whatever stands in it. What it opens
//! stays a masked column to everybody who asks, with a mask by row: nothing may flow raw, nothing may be written that
//! could not be written before. Its rows are rows by their keys, fixed when it was asked for, that fulfil its condition
//! still; the condition speaks of what the role sees clear. Where anything of it cannot be used, the role's own mask
//! stands.

use std::collections::{BTreeMap, BTreeSet};

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

use super::access::Access;
use super::classify::{covers, generations, name_of};
use super::expression::{Row, checked_expression};
use super::role_view::{RoleView, RowConditions};
use super::stated::literal;
use super::template::mentions;
use crate::catalog::{Column, Relation, RelationKind, TypeFamily};
use crate::grammar::{self, quote_identifier};
use crate::mask;
use crate::rules::{MaskSpec, RelationName, SqlText, Tag, TagPattern};

/// Rows that one grant opens at most: each stands in the statements of the session, and in their records.
pub const KEYS_MAX: usize = 100;

/// What is opened to a session, by all of its grants.
pub type Openings = std::sync::Arc<[std::sync::Arc<Opening>]>;

/// What a grant opens.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The number of the grant.
    pub grant: u64,
    /// Tags, each with the mask that is seen instead of the role's own.
    pub masks: Vec<(String, MaskSpec)>,
    /// The only relation that is meant, with its children; `None`: whatever has the tag.
    pub table: Option<RelationName>,
    /// The only rows that are meant; `None`: all that the role sees.
    pub rows: Option<OpenRows>,
    /// These rows are seen though the role's filter drops them.
    pub widens: bool,
    /// When it ends, for people.
    pub until: String,
    /// Why it was given, for people.
    pub because: String,
}

/// Rows of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRows {
    /// One expression over the row, as PostgreSQL's printer writes it.
    pub condition: String,
    /// The columns of the primary key.
    pub key: Vec<String>,
    /// The rows that fulfilled it when the grant was asked for, by their keys as text.
    pub keys: Vec<Vec<String>>,
}

impl PartialEq for Opening {
    fn eq(&self, other: &Opening) -> bool {
        let masks = |of: &Opening| {
            of.masks.iter().map(|(tag, mask)| (tag.clone(), mask.label())).collect::<Vec<_>>()
        };
        self.grant == other.grant
            && self.table == other.table
            && self.rows == other.rows
            && self.widens == other.widens
            && self.until == other.until
            && self.because == other.because
            && masks(self) == masks(other)
    }
}

impl Eq for Opening {}

impl Opening {
    /// The keys that it opens, each as one text; `None`: it does not go by keys.
    pub fn keys(&self) -> Option<Vec<String>> {
        let rows = self.rows.as_ref()?;
        Some(rows.keys.iter().map(|key| key.join(",")).collect())
    }

    /// The mask for a tag: of the longest tag that covers it.
    fn mask(&self, tag: &str) -> Option<&MaskSpec> {
        let own =
            self.masks.iter().filter(|(own, _)| covers(&TagPattern::Prefix(own.clone()), tag));
        own.max_by_key(|(own, _)| own.len()).map(|(_, mask)| mask)
    }

    fn is_about(&self, view: &RoleView, relation: &Relation) -> bool {
        let mut members = generations(&view.snapshot, relation).into_iter().flatten();
        self.table.as_ref().is_none_or(|table| members.any(|member| name_of(member) == *table))
    }

    /// Its rows as an expression of the rules would say it; `None`: they cannot be told here.
    fn condition(&self, relation: &Relation) -> Option<String> {
        let Some(rows) = &self.rows else { return Some("true".to_owned()) };
        if rows.keys.is_empty() || rows.key.is_empty() || rows.keys.len() > KEYS_MAX {
            return None;
        }
        let one = |key: &Vec<String>| {
            let parts = rows.key.iter().zip(key).map(|(name, value)| {
                let column = relation.column(name)?;
                let value = literal(value).ok()?;
                Some(format!("{} = CAST({value} AS {})", quote_identifier(name), column.type_sql))
            });
            let parts: Option<Vec<String>> = parts.collect();
            (key.len() == rows.key.len()).then_some(())?;
            Some(format!("({})", parts?.join(" AND ")))
        };
        let keys: Option<Vec<String>> = rows.keys.iter().map(one).collect();
        let text = format!("({}) AND ({})", keys?.join(" OR "), rows.condition);
        ends_with(&text, &rows.condition).then_some(text)
    }
}

impl RoleView {
    /// What is opened to the session.
    pub fn openings(&self) -> &Openings {
        &self.stated.openings
    }

    /// A mask with what is opened laid over it.
    pub(super) fn with_openings(
        &self,
        relation: &Relation,
        column: &Column,
        tag: Option<&Tag>,
        spec: MaskSpec,
    ) -> MaskSpec {
        let Some(Tag::Named(tag)) = tag else { return spec };
        self.stated
            .openings
            .iter()
            .fold(spec, |spec, opening| self.laid_over(relation, column, tag, spec, opening))
    }

    fn laid_over(
        &self,
        relation: &Relation,
        column: &Column,
        tag: &str,
        spec: MaskSpec,
        opening: &Opening,
    ) -> MaskSpec {
        let Some(rules) = &self.role.grants else { return spec };
        let is_allowed = match spec {
            // Nothing to open.
            MaskSpec::Clear => false,
            // Its CHECK might refuse what stands in other rows.
            _ if column.domain_over.is_some() => false,
            MaskSpec::Hide => rules.may_open_hidden(tag),
            _ => rules.may_open(tag),
        };
        let is_about =
            opening.is_about(self, relation) && (opening.rows.is_some() || rules.whole_columns);
        let Some(mask) = opening.mask(tag).filter(|_| is_allowed && is_about) else { return spec };
        let Some(condition) = self.usable(relation, opening) else { return spec };
        let span = rules.span;
        let otherwise = match &spec {
            // Of a column that does not exist otherwise, other rows show nothing, not even whether there is a value.
            MaskSpec::Hide => MaskSpec::Null,
            own => own.clone(),
        };
        let opened = MaskSpec::When {
            condition: SqlText { text: condition, span },
            then: Box::new(mask.clone()),
            otherwise: Box::new(otherwise),
            span,
        };
        let conditions = BTreeMap::new();
        let row = self.row(relation, &conditions);
        let reference =
            format!("{}.{}", quote_identifier(&relation.name), quote_identifier(&column.name));
        // One that does not fit would hide more than the role's own.
        match mask::sql_form(mask, column, &reference, &RowConditions(row)) {
            Ok(_) => opened,
            Err(_) => spec,
        }
    }

    /// The condition of an opening, where it speaks of what the role sees.
    fn usable(&self, relation: &Relation, opening: &Opening) -> Option<String> {
        let condition = opening.condition(relation)?;
        self.judged(relation, &condition).ok()?;
        Some(condition)
    }

    /// Checks a condition of a grant: one expression over the row, of columns that the role sees clear by the rules alone.
    /// Gives it as it stands in a template.
    fn judged(&self, relation: &Relation, condition: &str) -> Result<String, String> {
        // What the rules call a condition may go by what is masked.
        let none = BTreeMap::new();
        let row: Row<'_> = self.row(relation, &none);
        let checked = checked_expression(condition, row).map_err(|error| error.message)?;
        for column in &relation.columns {
            if mentions(&checked, &relation.name, &column.name)
                && !matches!(self.decide_by_rules(relation, column), (MaskSpec::Clear, ..))
            {
                return Err(format!(
                    "column `{}` is not clear for role `{}`, so the rows of a grant cannot go by it",
                    column.name, self.role.name
                ));
            }
        }
        Ok(checked)
    }

    /// The row filter with what is opened laid over it.
    pub(super) fn widened(&self, relation: &Relation, filter: Option<String>) -> Option<String> {
        let mut filter = filter?;
        for opening in self.widening(relation) {
            let Some(condition) = self.usable(relation, opening) else { continue };
            let Ok(condition) = self.judged(relation, &condition) else { continue };
            filter = format!("(({filter}) OR {condition})");
        }
        Some(filter)
    }

    fn widening<'v>(&'v self, relation: &'v Relation) -> impl Iterator<Item = &'v Opening> {
        let is_allowed = self.role.grants.as_ref().is_some_and(|rules| rules.widen_rows);
        self.stated.openings.iter().map(|opening| &**opening).filter(move |opening| {
            is_allowed
                && opening.widens
                && opening.rows.is_some()
                && opening.is_about(self, relation)
        })
    }

    /// By which openings a statement sees more of a column than the role does.
    pub fn openings_of(&self, schema: &str, relation: &str, column: &str) -> Vec<&Opening> {
        let found = self.snapshot.relation_named(schema, relation);
        let Some((relation, column)) =
            found.and_then(|relation| Some((relation, relation.column(column)?)))
        else {
            return Vec::new();
        };
        let given = self.classification.tag(&self.rules, &self.snapshot, relation, &column.name);
        let Some((Tag::Named(tag), _)) = given else { return Vec::new() };
        let (spec, ..) = self.decide_by_rules(relation, column);
        let opens = |opening: &&Opening| {
            let laid = self.laid_over(relation, column, &tag, spec.clone(), opening);
            laid.label() != spec.label()
        };
        self.stated.openings.iter().map(|opening| &**opening).filter(opens).collect()
    }

    /// By which openings a statement may see more rows of a relation than the role does.
    pub fn openings_of_rows(&self, schema: &str, relation: &str) -> Vec<&Opening> {
        let found = self.snapshot.relation_named(schema, relation);
        found.map(|relation| self.widening(relation).collect()).unwrap_or_default()
    }

    /// The columns that an opening would open, were it there, by relation.
    pub fn would_open(&self, opening: &Opening) -> Vec<(RelationName, String)> {
        let mut found = Vec::new();
        let relations = self.snapshot.relations.values().filter(|relation| {
            !relation.is_system()
                && relation.kind != RelationKind::Sequence
                && !matches!(self.access(relation.oid), Access::Closed { .. })
        });
        for relation in relations {
            for column in &relation.columns {
                let given =
                    self.classification.tag(&self.rules, &self.snapshot, relation, &column.name);
                let Some((Tag::Named(tag), _)) = given else { continue };
                let (spec, ..) = self.decide_by_rules(relation, column);
                let before = spec.label();
                let laid = self.laid_over(relation, column, &tag, spec, opening);
                if laid.label() != before {
                    found.push((name_of(relation), column.name.clone()));
                }
            }
        }
        found.sort_by(|one, other| {
            (one.0.to_string(), &one.1).cmp(&(other.0.to_string(), &other.1))
        });
        found
    }

    /// Tables with a column of a tag that an opening is about, which may be opened.
    pub fn tables_with(&self, opening: &Opening) -> BTreeSet<RelationName> {
        let mut found = BTreeSet::new();
        let Some(rules) = &self.role.grants else { return found };
        let tables = self.snapshot.relations.values().filter(|relation| {
            !relation.is_system() && !relation.primary_key.is_empty() && relation.parents.is_empty()
        });
        for relation in tables {
            for column in &relation.columns {
                let given =
                    self.classification.tag(&self.rules, &self.snapshot, relation, &column.name);
                let Some((Tag::Named(tag), _)) = given else { continue };
                if rules.may_open(&tag) && opening.mask(&tag).is_some() {
                    found.insert(name_of(relation));
                }
            }
        }
        found
    }

    /// The columns of the key by which a grant names rows of a table.
    ///
    /// # Errors
    /// Why its rows cannot be told.
    pub(super) fn key_of_rows<'r>(
        &self,
        relation: &'r Relation,
    ) -> Result<Vec<&'r Column>, String> {
        let table = name_of(relation);
        let key: Vec<&Column> = relation
            .primary_key
            .iter()
            .filter_map(|number| relation.columns.iter().find(|column| column.number == *number))
            .collect();
        if key.is_empty() || key.len() != relation.primary_key.len() {
            return Err(format!("`{table}` has no primary key, by which rows could be told"));
        }
        for column in &key {
            let is_told =
                matches!(column.family, TypeFamily::Integer | TypeFamily::Uuid | TypeFamily::Text);
            if !is_told || !matches!(self.decide_by_rules(relation, column), (MaskSpec::Clear, ..))
            {
                return Err(format!(
                    "the key `{}` of `{table}` is not a plain one that role `{}` sees clear",
                    column.name, self.role.name
                ));
            }
        }
        Ok(key)
    }

    /// A question for the keys of the rows that fulfil a condition, of those that the role sees (all, where they are to be
    /// more), one more than may be opened; with the columns of the key and the condition as it is to be kept.
    ///
    /// # Errors
    /// Why the rows cannot be told.
    pub fn ask_for_keys(
        &self,
        table: &RelationName,
        condition: &str,
        widens: bool,
    ) -> Result<(String, Vec<String>, String), String> {
        let relation = self
            .snapshot
            .relation_named(&table.schema, &table.name)
            .filter(|relation| !relation.is_system())
            .ok_or_else(|| format!("there is no table `{table}`"))?;
        let filter = match self.access(relation.oid) {
            Access::Masked(template) => template.filter.clone(),
            Access::Hidden if self.role.grants.is_some() => None,
            Access::Open => return Err(format!("`{table}` is open; there is nothing to grant")),
            Access::View(_) => {
                return Err(format!("`{table}` is a view; rows are granted of its tables"));
            }
            Access::Hidden | Access::Closed { .. } => {
                return Err(format!("`{table}` cannot be read by role `{}`", self.role.name));
            }
        };
        let key = self.key_of_rows(relation)?;
        let checked = self.judged(relation, condition)?;
        let canonical = canonical(condition).ok_or("the condition is not one expression")?;
        let name = quote_identifier(&relation.name);
        let columns: Vec<String> =
            key.iter().map(|column| format!("{name}.{}", quote_identifier(&column.name))).collect();
        let told = columns.iter().map(|column| format!("CAST({column} AS pg_catalog.text)"));
        let filter = filter.filter(|_| !widens).map(|filter| format!(" AND ({filter})"));
        let sql = format!(
            "SELECT {} FROM {}.{name} WHERE {checked}{} ORDER BY {} LIMIT {}",
            told.collect::<Vec<_>>().join(", "),
            quote_identifier(&relation.schema),
            filter.unwrap_or_default(),
            columns.join(", "),
            KEYS_MAX.saturating_add(1)
        );
        Ok((sql, key.iter().map(|column| column.name.clone()).collect(), canonical))
    }
}

/// One expression as PostgreSQL's printer writes it.
fn canonical(text: &str) -> Option<String> {
    let mut statements = grammar::parse(&format!("SELECT {text}")).ok()?;
    let (statement, true) = (statements.pop()?, statements.is_empty()) else { return None };
    let printed = grammar::deparse(&statement).ok()?;
    Some(printed.strip_prefix("SELECT ")?.to_owned())
}

/// True where a text is a chain of AND of which this is the last part, whole.
fn ends_with(text: &str, last: &str) -> bool {
    let is_so = || {
        let mut statements = grammar::parse(&format!("SELECT {text}")).ok()?;
        let (mut statement, true) = (statements.pop()?, statements.is_empty()) else { return None };
        let Some(Node::SelectStmt(select)) = &mut statement.stmt.as_mut()?.node else {
            return None;
        };
        let [protobuf::Node { node: Some(Node::ResTarget(target)) }] =
            select.target_list.as_mut_slice()
        else {
            return None;
        };
        let Some(Node::BoolExpr(chain)) = target.val.as_ref()?.node.clone() else { return None };
        if chain.boolop() != protobuf::BoolExprType::AndExpr {
            return None;
        }
        target.val = Some(Box::new(chain.args.last()?.clone()));
        Some(grammar::deparse(&statement).ok()? == format!("SELECT {last}"))
    };
    is_so().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::{canonical, ends_with};

    #[test]
    fn a_condition_stays_in_its_parentheses() {
        for condition in ["id = 42", "a = 1 OR b = 2", "a = 1 AND b = 2", "NOT a", "true"] {
            let condition = canonical(condition).unwrap_or_else(|| panic!("{condition}"));
            for keys in ["(id = 1)", "(id = 1) OR (id = 2)", "(a = 1 AND b = 2)"] {
                let text = format!("({keys}) AND ({condition})");
                assert!(ends_with(&text, &condition), "{text}");
            }
        }
        for condition in
            ["true) OR (true", "true) OR true OR (false", "1) UNION SELECT (2", "true -- "]
        {
            assert!(!ends_with(&format!("((id = 1)) AND ({condition})"), condition), "{condition}");
        }
    }
}
