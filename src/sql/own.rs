//! Scrim's own settings: `SHOW scrim.role`, `scrim.user`, `scrim.purpose`, `scrim.masks`; and PostgreSQL's that tell
//! who asks.
//!
//! They are answered by PostgreSQL, as a SELECT of constants: transaction state, errors and the order of replies
//! are then the server's own.

use super::Speaker;
use super::refusal::{Reason, Refusal};
use super::who;
use crate::catalog::{Relation, RelationKind};
use crate::policy::{Access, ColumnVerdict, Opening};
use crate::rules::{Role, STATED_BYTES_MAX};

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
        "scrim.grants" => Ok(Some(grants(speaker))),
        // Placeholders that PostgreSQL keeps for the session.
        own if own.strip_prefix("scrim.").is_some_and(|name| is_stated(name, speaker)) => {
            Ok(Some(format!(
                "SELECT COALESCE(pg_catalog.current_setting('{name}', true), '') AS \"{name}\""
            )))
        }
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

/// One row a grant that is in force for the session.
fn grants(speaker: Speaker<'_>) -> String {
    let columns = "number, opens, \"table\", rows, keys, until, because";
    let row = |opening: &Opening| {
        let masks = opening.masks.iter().map(|(tag, mask)| format!("{tag}={}", mask.label()));
        let table = opening.table.as_ref().map(ToString::to_string).unwrap_or_default();
        let rows = opening.rows.as_ref().map(|rows| rows.condition.as_str()).unwrap_or_default();
        format!(
            "(CAST({} AS pg_catalog.int8), {}, {}, {}, {}, {}, {})",
            opening.grant,
            literal(&masks.collect::<Vec<_>>().join(", ")),
            literal(&table),
            literal(rows),
            literal(&opening.keys().unwrap_or_default().join(" ")),
            literal(&opening.until),
            literal(&opening.because)
        )
    };
    let rows: Vec<String> = speaker.view.openings().iter().map(|opening| row(opening)).collect();
    match rows.is_empty() {
        true => format!(
            "SELECT {columns} FROM (VALUES (CAST(0 AS pg_catalog.int8), '', '', '', '', '', '')) \
             AS grants({columns}) WHERE false"
        ),
        false => format!("SELECT {columns} FROM (VALUES {}) AS grants({columns})", rows.join(", ")),
    }
}

/// A sequence holds nothing of anybody.
fn is_listed(relation: &Relation) -> bool {
    !relation.is_system() && relation.kind != RelationKind::Sequence
}

/// What a session may state, by the whole name in lower case: gives the name without `scrim.`.
pub(super) fn judge_stated<'n>(
    setting: &'n str,
    value: Option<&str>,
    speaker: Speaker<'_>,
) -> Result<&'n str, Refusal> {
    let name = match setting.strip_prefix("scrim.") {
        Some(name) if is_stated(name, speaker) => name,
        _ => return Err(Refusal::no_such_setting(setting)),
    };
    if name == "end_user" && !speaker.acts_for_others {
        let why = "is for users of whom the rules say `acts_for_others`";
        return Err(Refusal::setting(setting, why));
    }
    let Some(value) = value else { return Ok(name) };
    match unfit(speaker.view.role(), name, value) {
        None => Ok(name),
        Some(Unfit { code, message, hint }) => Err(Refusal {
            code,
            message,
            hint,
            position: None,
            reason: if name == "purpose" { Reason::Purpose } else { Reason::Setting },
            rule: None,
            reading: None,
        }),
    }
}

/// True for what a session of the role may state at all.
pub(super) fn is_stated(name: &str, speaker: Speaker<'_>) -> bool {
    matches!(name, "purpose" | "end_user") || speaker.view.role().details.contains_key(name)
}

/// Why a session may not state a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// SQLSTATE.
    pub code: &'static str,
    /// For the client; it does not repeat the value.
    pub message: String,
    /// What may be stated.
    pub hint: Option<String>,
}

/// Judges what a session of a role states under a name (without `scrim.`); `None`: it may.
pub fn unfit(role: &Role, name: &str, value: &str) -> Option<Unfit> {
    let wrong = |code, message: String, hint| Some(Unfit { code, message, hint });
    if value.len() > STATED_BYTES_MAX {
        let message = format!("scrim: `scrim.{name}` is longer than {STATED_BYTES_MAX} bytes");
        return wrong("22023", message, None);
    }
    if name == "purpose" && !role.purposes.is_empty() && !role.purposes.iter().any(|p| p == value) {
        let hint = format!("purposes of role `{}`: {}", role.name, role.purposes.join(", "));
        return wrong("42501", "scrim: this purpose is not one of the role's".into(), Some(hint));
    }
    let kind = role.details.get(name)?;
    if kind.takes(value) {
        return None;
    }
    let hint = format!("role `{}` has it as: {}", role.name, kind.word());
    wrong("22023", format!("scrim: this is no value for `scrim.{name}`"), Some(hint))
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}
