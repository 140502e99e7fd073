//! Scrim's own settings: `SHOW scrim.role`, `scrim.user`, `scrim.purpose`, `scrim.masks`; and PostgreSQL's that tell
//! who asks.
//!
//! They are answered by PostgreSQL, as a SELECT of constants: transaction state, errors and the order of replies
//! are then the server's own.

use super::Speaker;
use super::refusal::{Reason, Refusal};
use super::who;
use crate::catalog::{Relation, RelationKind};
use crate::policy::{Access, ColumnVerdict};

/// The text that answers a SHOW; `None`: it is PostgreSQL's setting.
pub(super) fn show(name: &str, speaker: Speaker<'_>) -> Result<Option<String>, Refusal> {
    let name = name.to_ascii_lowercase();
    let constant = |value: &str| {
        Some(format!("SELECT CAST({} AS pg_catalog.text) AS \"{name}\"", literal(value)))
    };
    if let Some(user) = who::setting(&name, speaker) {
        return Ok(constant(&user));
    }
    if !name.starts_with("scrim.") {
        return Ok(None);
    }
    match name.as_str() {
        "scrim.role" => Ok(constant(&speaker.view.role().name)),
        "scrim.user" => Ok(constant(speaker.user)),
        "scrim.masks" => Ok(Some(masks(speaker))),
        // Placeholders that PostgreSQL keeps for the session.
        "scrim.purpose" | "scrim.end_user" => Ok(Some(format!(
            "SELECT COALESCE(pg_catalog.current_setting('{name}', true), '') AS \"{name}\""
        ))),
        _ => Err(Refusal::no_such_setting(&name)),
    }
}

/// `SHOW scrim.user`, in any case and with any space.
pub(super) fn is_show_user(text: &str) -> bool {
    let text = text.trim().trim_end_matches(';');
    let words: Vec<&str> = text.split_whitespace().collect();
    matches!(words.as_slice(), [show, name]
        if show.eq_ignore_ascii_case("show") && name.eq_ignore_ascii_case("scrim.user"))
}

/// One row a column that the role does not see clear.
fn masks(speaker: Speaker<'_>) -> String {
    let snapshot = speaker.view.snapshot();
    let mut relations: Vec<_> =
        snapshot.relations.values().filter(|relation| is_listed(relation)).collect();
    relations.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    let mut rows = Vec::new();
    for relation in relations {
        let template = match speaker.view.access(relation.oid) {
            Access::Masked(template) => template,
            Access::View(view) => view.template.clone(),
            Access::Open | Access::Hidden | Access::Closed { .. } => continue,
        };
        for column in &template.columns {
            // What is hidden does not exist for the role, here neither.
            let ColumnVerdict::Masked(mask) = &column.verdict else { continue };
            let rule = column.decision.rule.as_ref().map(ToString::to_string).unwrap_or_default();
            rows.push(format!(
                "({}, {}, {}, {})",
                literal(&format!("{}.{}", relation.schema, relation.name)),
                literal(&column.name),
                literal(mask),
                literal(&rule)
            ));
        }
    }
    let columns = "relation, \"column\", mask, rule";
    if rows.is_empty() {
        return format!(
            "SELECT {columns} FROM (VALUES ('', '', '', '')) AS masks({columns}) WHERE false"
        );
    }
    format!("SELECT {columns} FROM (VALUES {}) AS masks({columns})", rows.join(", "))
}

/// A sequence holds nothing of anybody.
fn is_listed(relation: &Relation) -> bool {
    !relation.is_system() && relation.kind != RelationKind::Sequence
}

/// A purpose must be one of the role's.
pub(super) fn judge_purpose(purpose: Option<&str>, speaker: Speaker<'_>) -> Result<(), Refusal> {
    let purposes = &speaker.view.role().purposes;
    match purpose {
        Some(purpose) if !purposes.is_empty() && !purposes.iter().any(|known| known == purpose) => {
            Err(Refusal {
                code: "42501",
                message: "scrim: this purpose is not one of the role's".into(),
                hint: Some(format!(
                    "purposes of role `{}`: {}",
                    speaker.view.role().name,
                    purposes.join(", ")
                )),
                position: None,
                reason: Reason::Purpose,
                rule: None,
                reading: None,
            })
        }
        _ => Ok(()),
    }
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}
