//! From a relation's name in a statement to what stands there for the role.

use pg_query::protobuf::RangeVar;

use super::Speaker;
use super::hole::Content;
use super::refusal::Refusal;
use super::system;
use super::temporary::TEMP_SCHEMA;
use super::view;
use crate::policy::{Access, Unreadable};

/// What a name means for a role.
#[derive(Debug)]
pub(super) enum Target {
    /// Stays a relation, named in full.
    Open {
        /// Its schema.
        schema: String,
        /// Its name.
        name: String,
    },
    /// Becomes a hole.
    Hole(Content),
}

impl Target {
    /// The relation's own schema and name.
    pub(super) fn name(&self) -> (&str, &str) {
        match self {
            Target::Open { schema, name } => (schema, name),
            Target::Hole(content) => (content.schema(), content.name()),
        }
    }
}

/// As [`resolve`], of a name that stands outside a query: in COPY, in LOCK.
pub(super) fn resolve_named(speaker: Speaker<'_>, named: &RangeVar) -> Result<Target, Refusal> {
    let RangeVar { catalogname, schemaname, relname, .. } = named;
    if !catalogname.is_empty() && *catalogname != speaker.view.snapshot().database {
        let name = format!("{catalogname}.{schemaname}.{relname}");
        return Err(Refusal::cross_database(&name));
    }
    resolve(speaker, (!schemaname.is_empty()).then_some(schemaname.as_str()), relname)
}

/// Finds a relation as PostgreSQL would, and what the role may see of it.
pub(super) fn resolve(
    speaker: Speaker<'_>,
    schema: Option<&str>,
    name: &str,
) -> Result<Target, Refusal> {
    if matches!(schema, None | Some(TEMP_SCHEMA)) && speaker.temp_tables.contains(name) {
        return Ok(Target::Hole(Content::Temporary { name: name.to_owned() }));
    }
    let snapshot = speaker.view.snapshot();
    let missing = || match schema {
        Some(schema) => Refusal::no_such_relation(&format!("{schema}.{name}")),
        None => Refusal::no_such_relation(name),
    };
    let relation = match schema {
        Some(schema) => snapshot.relation_named(schema, name),
        None => snapshot.resolve(speaker.search_path, name),
    }
    .ok_or_else(missing)?;
    if relation.is_system() {
        return system::judge(speaker, relation);
    }
    match speaker.view.access(relation.oid) {
        Access::Open => {
            Ok(Target::Open { schema: relation.schema.clone(), name: relation.name.clone() })
        }
        Access::Masked(template) => Ok(Target::Hole(Content::Masked(template))),
        Access::View(seen) => match view::body(speaker, &seen) {
            Ok(body) => Ok(Target::Hole(Content::View(seen, body))),
            Err(Unreadable::Absent) => Err(missing()),
            Err(Unreadable::Closed(reason)) => {
                Err(closed(&relation.schema, &relation.name, &reason))
            }
        },
        Access::Hidden => Err(missing()),
        Access::Closed { reason } => Err(closed(&relation.schema, &relation.name, &reason)),
    }
}

fn closed(schema: &str, name: &str, reason: &str) -> Refusal {
    Refusal::closed_relation(&format!("{schema}.{name}"), reason)
}
