//! What a scan found, for programs and in a few lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::write::{Proposal, TableProposal};

/// Everything, as one JSON object. Names of relations are as SQL writes them.
pub fn to_json(database: &str, tables: &[TableProposal]) -> Value {
    let tables: Vec<Value> = tables.iter().map(table_json).collect();
    json!({ "database": database, "tables": tables })
}

fn table_json(table: &TableProposal) -> Value {
    let columns: Vec<Value> = table.columns.iter().map(column_json).collect();
    let doubts: Vec<Value> = table
        .doubts
        .iter()
        .map(|(proposal, place)| {
            let mut doubt = column_json(proposal);
            if let Some(fields) = doubt.as_object_mut() {
                fields.insert("open_by".into(), json!(place));
            }
            doubt
        })
        .collect();
    json!({
        "relation": table.relation,
        "rows_sampled": table.rows,
        "not_sampled": table.failed,
        "named_in": table.elsewhere,
        "classified": table.classified,
        "proposed": columns,
        "open_but_does_not_look_so": doubts,
        "unclassified": table.unknown,
    })
}

fn column_json(proposal: &Proposal) -> Value {
    // Two digits are all that it is worth.
    let confidence = proposal.confidence.map(|sure| (f64::from(sure) * 100.0).round() / 100.0);
    let places: Vec<Value> =
        proposal.places.iter().map(|(path, tag)| json!({ "path": path, "tag": tag })).collect();
    json!({
        "column": proposal.column,
        "type": proposal.type_sql,
        "tag": proposal.tag,
        "confidence": confidence,
        "evidence": proposal.evidence,
        "places": places,
    })
}

/// How much of what was found, for people.
pub fn summary(tables: &[TableProposal]) -> String {
    let count = |of: fn(&TableProposal) -> usize| -> usize { tables.iter().map(of).sum() };
    let classified = count(|table| table.classified);
    let unknown = count(|table| table.unknown.len());
    let mut tags: BTreeMap<&str, usize> = BTreeMap::new();
    for proposal in tables.iter().flat_map(|table| &table.columns) {
        *tags.entry(proposal.tag).or_default() += 1;
    }
    let open = tags.remove("open").unwrap_or_default();
    let personal: usize = tags.values().sum();
    let all = classified.saturating_add(unknown).saturating_add(open).saturating_add(personal);
    let mut text = format!(
        "{} tables, {all} columns: {classified} classified by the rules, {personal} proposed, {open} that could be open, \
         {unknown} left unclassified",
        tables.len()
    );
    for (tag, columns) in tags {
        // A text is always there to be written to.
        let _ = write!(text, "\n  {tag:<26} {columns}");
    }
    for table in tables {
        for (proposal, place) in &table.doubts {
            let _ = write!(
                text,
                "\nwarning: {} is open by {place}, but its column `{}` looks like {}",
                shown(&table.relation),
                shown(&proposal.column),
                proposal.tag
            );
        }
        if let Some(why) = &table.failed {
            let _ = write!(text, "\nwarning: {} was not sampled: {why}", shown(&table.relation));
        }
    }
    text
}

/// A name cannot move the cursor of a terminal.
fn shown(name: &str) -> String {
    let escaped =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(escaped).collect()
}
