//! Views: their definition, planned as if the role had written it.

use std::sync::Arc;

use super::hole::Hole;
use super::refusal::{Reason, Refusal};
use super::resolve::resolve;
use super::{Speaker, plan_query, who};
use crate::catalog::{RelationKind, SearchPath, TempTables};
use crate::grammar;
use crate::policy::{Unreadable, VIEW_DEPTH_MAX, View, ViewBody};

/// A view that is made of more than this is closed: views that read others twice, on several levels, grow fast.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// Views that exist for the role and cannot be read: name, and why.
pub fn closed_views(speaker: Speaker<'_>) -> Vec<(String, String)> {
    let snapshot = speaker.view.snapshot();
    let views = snapshot.relations.values().filter(|r| r.kind == RelationKind::View);
    let mut closed: Vec<(String, String)> = views
        .filter(|view| !view.is_system())
        .filter_map(|view| match resolve(speaker, Some(&view.schema), &view.name) {
            Err(refusal) if refusal.reason == Reason::ClosedRelation => {
                Some((format!("{}.{}", view.schema, view.name), refusal.hint.unwrap_or_default()))
            }
            Ok(_) | Err(_) => None,
        })
        .collect();
    closed.sort();
    closed
}

/// The view's definition with a template for each relation, proven like a statement.
pub(super) fn body(speaker: Speaker<'_>, view: &View) -> Result<Arc<ViewBody>, Unreadable> {
    // The catalog promises as much; it is read in several queries, though, and may contradict itself.
    if speaker.views > VIEW_DEPTH_MAX {
        return Err(Unreadable::Closed("views read views, too many deep".into()));
    }
    view.body(|| planned(speaker, view).map_err(|refusal| unreadable(&refusal)))
}

fn planned(speaker: Speaker<'_>, view: &View) -> Result<ViewBody, Refusal> {
    // Under which it was printed.
    let search_path = SearchPath(vec!["pg_catalog".into()]);
    let views = speaker.views.saturating_add(1);
    let temp_tables = TempTables::NONE;
    let inside = Speaker { search_path: &search_path, temp_tables, views, ..speaker };
    let text = &view.definition;
    let mut statements = grammar::parse(text).map_err(|error| Refusal::syntax(&error))?;
    let [statement] = statements.as_mut_slice() else {
        return Err(Refusal::not_understood("a definition that is not one query"));
    };
    let says_who = who::may_mention(text) && who::say(statement, speaker);
    let (planned, holes) = plan_query(text, statement, inside)?;
    let by_user = says_who || holes.iter().any(Hole::is_by_user);
    let sql = planned.sql.as_str().to_owned();
    if sql.len() > BODY_BYTES_MAX {
        return Err(Refusal::not_understood("all that it reads makes too long a text"));
    }
    Ok(ViewBody { sql, reads: planned.reads, by_user })
}

fn unreadable(refusal: &Refusal) -> Unreadable {
    match refusal.reason {
        Reason::NoSuchRelation => Unreadable::Absent,
        _ => {
            let message = refusal.message.trim_start_matches("scrim: ");
            let why = match (&refusal.hint, refusal.reason) {
                (Some(hint), Reason::NotUnderstood | Reason::ClosedRelation) => {
                    format!("{message} ({hint})")
                }
                _ => message.to_owned(),
            };
            Unreadable::Closed(format!("it is read through its definition: {why}"))
        }
    }
}
