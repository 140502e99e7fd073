//! One column: who sees it, and how.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::{Relation, RelationKind, Snapshot};
use crate::changes::{RelationPicture, Seen, standpoint};
use crate::policy::{RoleView, Stated};
use crate::rules::{RelationName, RuleSet, parse_column};
use crate::text::nearest;

/// A column's story.
#[derive(Debug, Serialize)]
pub struct WhoSees {
    /// `schema.relation.column`
    pub column: String,
    /// Its type, as SQL writes it.
    #[serde(rename = "type")]
    pub type_sql: String,
    /// What it holds.
    pub tag: String,
    /// The line that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classified_at: Option<String>,
    /// What each role sees of it.
    pub roles: Vec<Sight>,
    /// Views that read it, and copies.
    pub read_by: Vec<Reader>,
}

/// What a role sees of it.
#[derive(Debug, Serialize)]
pub struct Sight {
    /// Its name, and the purpose where it is seen otherwise for one.
    pub role: String,
    /// The mask, or another word.
    pub seen: String,
    /// The line of the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// Which rows, where not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// Rows can be found by its true value.
    pub lookup: bool,
    /// Why nothing of the relation may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// Who has the role.
    pub users: Vec<String>,
}

/// Which rows a role sees.
#[derive(Debug, Serialize)]
pub struct Rows {
    /// As it is written.
    pub filter: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
}

/// What reads the column, or holds a copy.
#[derive(Debug, Serialize)]
pub struct Reader {
    /// `schema.relation`
    pub relation: String,
    /// What it is.
    pub kind: &'static str,
}

impl WhoSees {
    /// Of a column as SQL writes it, with its schema.
    ///
    /// # Errors
    /// There is no such column; ready to be shown.
    pub fn new(
        text: &str,
        rules: &Arc<RuleSet>,
        snapshot: &Arc<Snapshot>,
    ) -> Result<WhoSees, String> {
        let (name, column) = parse_column(text).map_err(|why| format!("error: {why}"))?;
        WhoSees::of(&name, &column, rules, snapshot)
    }

    /// Of a column by its exact names.
    ///
    /// # Errors
    /// There is no such column; ready to be shown.
    pub fn of(
        name: &RelationName,
        column: &str,
        rules: &Arc<RuleSet>,
        snapshot: &Arc<Snapshot>,
    ) -> Result<WhoSees, String> {
        let Some(relation) = snapshot.relation_named(&name.schema, &name.name) else {
            let known = snapshot.relations.values().filter(|relation| !relation.is_system());
            let known: Vec<String> = known.map(full).collect();
            let full = format!("{}.{}", name.schema, name.name);
            let near = near(&full, known.iter().map(String::as_str));
            return Err(format!("error: there is no relation `{full}` in this database{near}"));
        };
        let full = full(relation);
        let Some(found) = relation.column(column) else {
            let near = near(column, relation.columns.iter().map(|column| column.name.as_str()));
            return Err(format!("error: there is no column `{column}` in `{full}`{near}"));
        };
        let views = rules.standpoints().into_iter().filter_map(|(role, purpose)| {
            let stated = Stated::named(purpose);
            let view = RoleView::of(&role.name, rules.clone(), snapshot.clone(), &stated)?;
            Some((standpoint(&role.name, purpose), view))
        });
        let views: Vec<(String, RoleView)> = views.collect();
        let decision = views.first().and_then(|(_, view)| view.decision(relation.oid, column));
        let (tag, classified) =
            decision.map(|found| (found.tag, found.classified)).unwrap_or_default();
        let readers = snapshot.relations.values().filter(|other| {
            other.kind != RelationKind::Sequence
                && other.oid != relation.oid
                && !other.is_system()
                && other.reads.contains(&(relation.oid, found.number))
        });
        let mut read_by: Vec<Reader> = readers
            .map(|reader| Reader { relation: self::full(reader), kind: kind(reader) })
            .collect();
        read_by.sort_by(|one, other| one.relation.cmp(&other.relation));
        Ok(WhoSees {
            column: format!("{full}.{column}"),
            type_sql: found.type_sql.clone(),
            tag,
            classified_at: classified.map(|origin| origin.to_string()),
            roles: views
                .iter()
                .filter_map(|(name, view)| sight(name, view, relation, column))
                .collect(),
            read_by,
        })
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("error: {error}"))
    }

    /// For a terminal.
    pub fn to_text(&self) -> String {
        let mut text = format!("column     {}  ({})\n", self.column, self.type_sql);
        let place = self.classified_at.as_ref().map(|place| format!(" ({place})"));
        let _ = writeln!(text, "holds      {}{}\n", self.tag, place.unwrap_or_default());
        let widest = |part: fn(&Sight) -> &str| {
            self.roles.iter().map(|sight| part(sight).chars().count()).max().unwrap_or_default()
        };
        let (role_width, seen_width) = (widest(|sight| &sight.role), widest(|sight| &sight.seen));
        for sight in &self.roles {
            let Sight { role, seen, .. } = sight;
            let by = sight.why(&self.tag);
            let line = format!("  {role:role_width$}  {seen:seen_width$}  {by}");
            let _ = writeln!(text, "{}", line.trim_end());
            let indent = " ".repeat(role_width.saturating_add(4));
            if let Some(Rows { filter, decided_at }) = &sight.rows {
                let place = decided_at.as_ref().map(|place| format!(", by {place}"));
                let _ =
                    writeln!(text, "{indent}only rows where {filter}{}", place.unwrap_or_default());
            }
            if sight.lookup {
                let _ = writeln!(text, "{indent}rows can be found by its true value (lookup)");
            }
            if let Some(reason) = &sight.closed {
                let _ = writeln!(text, "{indent}{reason}");
            }
            let users = match sight.users.as_slice() {
                [] => "nobody has this role".to_owned(),
                users => format!("users: {}", users.join(", ")),
            };
            let _ = writeln!(text, "{indent}{users}");
        }
        if !self.read_by.is_empty() {
            text.push_str("\nread by\n");
            for Reader { relation, kind } in &self.read_by {
                let _ = writeln!(text, "  {relation}  ({kind})");
            }
        }
        text.trim_end().to_owned()
    }
}

impl Sight {
    /// By what it is so, of a column that holds this.
    pub fn why(&self, tag: &str) -> String {
        match (&self.decided_at, tag) {
            (Some(rule), _) => format!("by {rule}"),
            (None, "open") => "open to everybody".to_owned(),
            (None, "by its definition") => String::new(),
            (None, _) => "no line of the role matches".to_owned(),
        }
    }
}

fn sight(name: &str, view: &RoleView, relation: &Relation, column: &str) -> Option<Sight> {
    let picture = RelationPicture::live(view, relation);
    let of_column = picture.columns.get(column)?;
    let is_untouched = view.role().is_untouched();
    let rows = picture.filter.as_ref().map(|filter| Rows {
        filter: filter.written.clone(),
        decided_at: filter.origin.as_ref().map(ToString::to_string),
    });
    Some(Sight {
        role: name.to_owned(),
        seen: match (&of_column.seen, is_untouched) {
            (Seen::Clear, true) => "clear (passes untouched)".to_owned(),
            (seen, _) => seen.label(),
        },
        decided_at: of_column.decision.rule.as_ref().map(ToString::to_string),
        rows,
        lookup: of_column.lookup,
        closed: picture.closed.clone(),
        users: users_of(view.rules(), &view.role().name),
    })
}

/// Users who may be of a role, by name.
fn users_of(rules: &RuleSet, role: &str) -> Vec<String> {
    let has = |roles: &[String]| roles.iter().any(|own| own == role);
    let named = rules.users.values().filter(|user| has(&user.roles)).map(|user| user.name.clone());
    let others = rules.token_users.iter().filter(|all| has(&all.roles));
    named.chain(others.map(|_| "whoever has a token for it".to_owned())).collect()
}

fn full(relation: &Relation) -> String {
    format!("{}.{}", relation.schema, relation.name)
}

fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|near| format!("\n  did you mean `{near}`?")).unwrap_or_default()
}

fn kind(relation: &Relation) -> &'static str {
    match relation.kind {
        RelationKind::View => "a view, which shows what the role sees of it",
        RelationKind::MaterializedView => {
            "a materialised view: it holds a copy, and has its own rules"
        }
        RelationKind::Table | RelationKind::PartitionedTable => "a table",
        RelationKind::ForeignTable => "a foreign table",
        RelationKind::Sequence => "a sequence",
    }
}
