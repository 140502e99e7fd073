//! A plan with places for literals. Pure.
//!
//! Made of two plans of one text: as it came, and with marks in the place of the literals that are free
//! ([`crate::sql::lifting`]). Where the marks have come out is where literals go.
//!
//! INVARIANT: the two plans are the same but for the literals, and the first, made from the template, is the first to the
//! letter; else there is no template.

use std::sync::Arc;

use super::recurring::{Again, Recurring, is_plain, only_reads};
use crate::catalog::SearchPath;
use crate::policy::RoleView;
use crate::session::planning::{Planned, PlannedPart};
use crate::sql::StatementKind;
use crate::sql::lifting::{Kind, Lifted, Literal};

/// `int4`, which an integer of so few digits is.
const INT4: u32 = 23;
/// A literal in quotes, like a parameter of no type, takes the type of what it stands beside.
const UNKNOWN: u32 = 0;

/// A plan with places for literals.
pub struct Template {
    /// Its text is empty.
    part: PlannedPart,
    /// What stands in front of each place, and the number of the literal that goes there.
    pieces: Box<[(Box<str>, usize)]>,
    /// What stands behind the last.
    rest: Box<str>,
    /// What may be kept prepared of it, with a parameter in each place.
    recurring: Option<Arc<Recurring>>,
}

/// What stands for a literal while its places are looked for.
pub fn marks(lifted: &Lifted<'_>) -> Vec<String> {
    let mark = |(number, kind)| match kind {
        Kind::Text => format!("'scrim lifts {number:02}'"),
        Kind::Integer => format!("9781{number:02}641"),
    };
    lifted.literals().iter().map(|literal| literal.kind).enumerate().map(mark).collect()
}

impl Template {
    /// `None`: the two are not the same, or not what can be one.
    pub fn between(
        lifted: &Lifted<'_>,
        free: &[bool],
        planned: &Planned,
        marked: &Planned,
    ) -> Option<Template> {
        let ([part], [with_marks]) = (planned.statements.as_slice(), marked.statements.as_slice())
        else {
            return None;
        };
        if !may_be_one(part)
            || !may_be_one(with_marks)
            || part.facts != with_marks.facts
            || part.masks != with_marks.masks
        {
            return None;
        }
        let marks = marks(lifted);
        let is_free = |number: usize| free.get(number).copied().unwrap_or_default();
        let sought: Vec<(usize, &str)> = marks
            .iter()
            .enumerate()
            .filter(|(number, _)| is_free(*number))
            .map(|(number, mark)| (number, mark.as_str()))
            .collect();
        if sought.iter().any(|(_, mark)| part.text.contains(mark)) {
            return None;
        }
        let mut places: Vec<(usize, usize, usize)> = Vec::new();
        for (number, mark) in sought {
            let before = places.len();
            let found = with_marks.text.match_indices(mark);
            places.extend(
                found.map(|(start, mark)| (start, start.saturating_add(mark.len()), number)),
            );
            if places.len() == before {
                return None;
            }
        }
        places.sort_unstable();
        let mut pieces = Vec::with_capacity(places.len());
        let mut end = 0;
        for (start, next, number) in places {
            pieces.push((with_marks.text.get(end..start)?.into(), number));
            end = next;
        }
        let rest = with_marks.text.get(end..)?.into();
        let made = PlannedPart { text: Arc::default(), ..part.clone() };
        let template = Template { part: made, pieces: pieces.into(), rest, recurring: None };
        (template.text(lifted) == *part.text).then_some(template)
    }

    /// The plan for these literals.
    pub fn fill(&self, lifted: &Lifted<'_>) -> Planned {
        let part = PlannedPart { text: self.text(lifted).into(), ..self.part.clone() };
        let again = self.recurring.as_ref().map(|recurring| {
            let value = |(_, number): &(_, usize)| {
                let literal = lifted.literals().get(*number);
                literal.map_or_else(String::new, |literal| value(lifted, literal))
            };
            Again {
                recurring: Arc::clone(recurring),
                values: self.pieces.iter().map(value).collect(),
            }
        });
        Planned { statements: vec![part], again }
    }

    /// With what may be kept prepared of it.
    pub fn recurring_as(self, recurring: Option<Arc<Recurring>>) -> Template {
        Template { recurring, ..self }
    }

    /// The text with a parameter in each place, and their types: what PostgreSQL would take the literals for. `None`: a sign
    /// stands in front of one, of which a parameter makes a call of an operator.
    pub fn with_parameters(&self, lifted: &Lifted<'_>) -> Option<(String, Vec<u32>)> {
        if self.pieces.iter().any(|(before, _)| before.ends_with('-')) {
            return None;
        }
        let mut text = String::with_capacity(self.bytes().saturating_add(64));
        let mut types = Vec::with_capacity(self.pieces.len());
        for (place, (before, number)) in self.pieces.iter().enumerate() {
            text.push_str(before);
            text.push_str(&format!("${}", place.saturating_add(1)));
            types.push(match lifted.literals().get(*number).map(|literal| literal.kind) {
                Some(Kind::Integer) => INT4,
                Some(Kind::Text) | None => UNKNOWN,
            });
        }
        text.push_str(&self.rest);
        Some((text, types))
    }

    fn text(&self, lifted: &Lifted<'_>) -> String {
        let mut text = String::with_capacity(self.bytes().saturating_add(64));
        for (before, number) in &self.pieces {
            text.push_str(before);
            if let Some(literal) = lifted.literals().get(*number) {
                text.push_str(lifted.source(literal));
            }
        }
        text.push_str(&self.rest);
        text
    }

    /// Of its text, without the literals.
    pub fn bytes(&self) -> usize {
        let pieces = self.pieces.iter().map(|(before, _)| before.len());
        pieces.fold(self.rest.len(), usize::saturating_add)
    }
}

/// A plain statement that reads, or one that writes.
fn may_be_one(part: &PlannedPart) -> bool {
    let writes = matches!(part.kind, StatementKind::Write { .. }) && !part.facts.writes.is_empty();
    is_plain(part) && (writes || only_reads(part))
}

/// What a literal means, as a parameter in text format.
fn value(lifted: &Lifted<'_>, literal: &Literal) -> String {
    let source = lifted.source(literal);
    match literal.kind {
        // No quote and no backslash stands in it.
        Kind::Text => source.trim_matches('\'').to_owned(),
        Kind::Integer => source.to_owned(),
    }
}

/// True where no name without a schema, and no column of what is read or written, makes a literal the name of something.
pub fn may_lift(view: &Arc<RoleView>, search_path: &SearchPath, planned: &Planned) -> bool {
    let SearchPath(schemas) = search_path;
    if schemas.iter().any(|schema| schema == "information_schema" || schema.starts_with("pg_")) {
        return false;
    }
    let is_used = |schema: &str, name: &str| {
        planned.statements.iter().any(|part| {
            let read = part.facts.relations.iter().map(|read| &read.relation);
            let mut used = read.chain(part.facts.writes.iter().map(|write| &write.relation));
            used.any(|used| {
                used.strip_prefix(schema).and_then(|rest| rest.strip_prefix('.')) == Some(name)
            })
        })
    };
    let names_objects =
        |type_sql: &str| type_sql.rsplit('.').next().is_some_and(|name| name.starts_with("reg"));
    view.snapshot().relations.values().all(|relation| {
        let has_names = relation.columns.iter().any(|column| {
            names_objects(&column.type_sql)
                || column.domain_over.as_deref().is_some_and(names_objects)
        });
        !has_names || !is_used(&relation.schema, &relation.name)
    })
}
