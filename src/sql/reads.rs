//! What a query reads, for the audit and for `explain`: by name, and rather too much than too little.

use std::collections::BTreeSet;

use super::hole::Content;
use super::resolve::Target;
use super::temporary::TEMP_SCHEMA;
use super::{Read, Speaker};
use crate::grammar::{Proof, RelationUse};
use crate::policy::ColumnVerdict;

/// Adds one mention of a relation; mentions of the same relation are one.
pub(super) fn add(
    reads: &mut Vec<Read>,
    target: &Target,
    relation: &RelationUse,
    proof: &Proof,
    speaker: Speaker<'_>,
) {
    let alias = relation.alias.as_deref().unwrap_or(&relation.name);
    let mentioned = |name: &str| {
        proof.columns.iter().any(|column| {
            (column.name == name || column.name == "*")
                && column.qualifier.as_deref().is_none_or(|qualifier| qualifier == alias)
        })
        // A whole row: `SELECT c FROM customers c`.
        || proof.columns.iter().any(|column| column.qualifier.is_none() && column.name == alias)
    };
    let read = match target {
        Target::Open { schema, name } => {
            let columns = speaker.view.snapshot().relation_named(schema, name);
            Read {
                schema: schema.clone(),
                relation: name.clone(),
                open: true,
                clear: columns
                    .into_iter()
                    .flat_map(|relation| &relation.columns)
                    .filter(|column| mentioned(&column.name))
                    .map(|column| column.name.clone())
                    .collect(),
                masked: BTreeSet::new(),
                filtered: false,
            }
        }
        Target::Hole(Content::System { schema, name, .. }) => Read {
            schema: (*schema).to_owned(),
            relation: (*name).to_owned(),
            open: false,
            clear: BTreeSet::new(),
            masked: BTreeSet::new(),
            filtered: true,
        },
        Target::Hole(Content::Temporary { name }) => Read {
            schema: TEMP_SCHEMA.to_owned(),
            relation: name.clone(),
            open: true,
            clear: BTreeSet::new(),
            masked: BTreeSet::new(),
            filtered: false,
        },
        Target::Hole(content @ (Content::Masked(_) | Content::View(..))) => {
            let Some(template) = content.template() else { return };
            let is_view = matches!(content, Content::View(..));
            let mut read = Read {
                schema: template.schema.clone(),
                relation: template.name.clone(),
                open: false,
                clear: BTreeSet::new(),
                masked: BTreeSet::new(),
                filtered: template.filter.is_some(),
            };
            for column in template.columns.iter().filter(|column| mentioned(&column.name)) {
                match &column.verdict {
                    ColumnVerdict::Hidden => {}
                    ColumnVerdict::Masked(mask) if !column.is_as_text() => {
                        read.masked.insert((column.name.clone(), mask.clone()));
                    }
                    // Whether a view's column is clear is said by what its definition reads.
                    ColumnVerdict::Clear | ColumnVerdict::Masked(_) if is_view => {}
                    ColumnVerdict::Clear | ColumnVerdict::Masked(_) => {
                        read.clear.insert(column.name.clone());
                    }
                }
            }
            read
        }
    };
    merge(reads, read);
    if let Target::Hole(Content::View(_, body)) = target {
        for below in &body.reads {
            merge(reads, below.clone());
        }
    }
}

/// Mentions of the same relation are one.
pub(super) fn merge(reads: &mut Vec<Read>, mut read: Read) {
    let same = reads
        .iter_mut()
        .find(|other| other.schema == read.schema && other.relation == read.relation);
    match same {
        Some(other) => {
            other.clear.append(&mut read.clear);
            other.masked.append(&mut read.masked);
        }
        None => reads.push(read),
    }
}
