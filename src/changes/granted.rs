//! `grants` of a role before and after: what may be opened to its users for a while.
//!
//! Nothing is seen by it until somebody asks. It counts as if it were all the same: what may newly be opened, for longer, with
//! nobody's consent or by consent of more people shows more.
//!
//! What a column comes to by another tag or another mask is told by the column, and what `grants` itself says by its own
//! words.

use std::collections::BTreeSet;

use super::compare::{Change, Effect, Lines, Subject, change, lines, yes_or_no};
use super::picture::{ColumnPicture, RolePicture, Seen};
use crate::policy::covers;
use crate::rules::{GrantRules, TagPattern, lasting};
use crate::text::Span;

/// How it is called that nothing can be opened.
const CANNOT: &str = "cannot";

/// What has changed of `grants`.
pub(super) fn of_grants(name: &str, old: &RolePicture, new: &RolePicture, found: &mut Vec<Change>) {
    let (was, is) = (old.role.grants.as_ref(), new.role.grants.as_ref());
    let mut push = |effect, what: &str, before: &str, after: &str| {
        let lines = Lines { old: vec![old.origin.clone()], new: vec![new.origin.clone()] };
        found.push(change(Subject::Grant, effect, Some(name), what, before, after, lines, None));
    };
    for (key, can, tags) in [
        (
            "may",
            "can be opened for a while",
            (|grants| &grants.may) as fn(&GrantRules) -> &Patterns,
        ),
        ("hidden", "can be opened though it is hidden", |grants| &grants.hidden),
    ] {
        let (had, has) = (widest(was.map(tags)), widest(is.map(tags)));
        for tag in had.union(&has) {
            let what = format!("{key} {tag}");
            match (is_among(&had, tag), is_among(&has, tag)) {
                (false, true) => push(Effect::More, &what, &parts(&had, tag), can),
                (true, false) => push(Effect::Less, &what, can, &parts(&has, tag)),
                (true, true) | (false, false) => {}
            }
        }
    }
    match (was, is) {
        (None, None) => {}
        (None, Some(is)) => push(Effect::More, "grants", "none", &terms(is)),
        (Some(was), None) => push(Effect::Less, "grants", &terms(was), "none"),
        (Some(was), Some(is)) => {
            for (what, before, after, effect) in of_terms(was, is) {
                push(effect, what, &before, &after);
            }
        }
    }
}

/// Tags with their places.
type Patterns = Vec<(TagPattern, Span)>;

/// Tags, but for those that another one covers.
fn widest(patterns: Option<&Patterns>) -> BTreeSet<&str> {
    let tags = patterns.into_iter().flatten().filter_map(|(pattern, _)| match pattern {
        TagPattern::Prefix(tag) => Some(tag.as_str()),
        TagPattern::Rest => None,
    });
    let tags: BTreeSet<&str> = tags.collect();
    let is_widest = |tag: &&str| !tags.iter().any(|wide| wide != tag && is_within(tag, wide));
    tags.iter().copied().filter(is_widest).collect()
}

fn is_within(tag: &str, wide: &str) -> bool {
    covers(&TagPattern::Prefix(wide.to_owned()), tag)
}

fn is_among(tags: &BTreeSet<&str>, tag: &str) -> bool {
    tags.iter().any(|wide| is_within(tag, wide))
}

/// What of a tag that is not among some is among them all the same: `contact.phone alone` of `contact`.
fn parts(tags: &BTreeSet<&str>, wide: &str) -> String {
    let parts: Vec<&str> = tags.iter().copied().filter(|tag| is_within(tag, wide)).collect();
    if parts.is_empty() { CANNOT.to_owned() } else { format!("{} alone", parts.join(", ")) }
}

/// Everything but the tags, where there was nothing, or is nothing now.
fn terms(grants: &GrantRules) -> String {
    let mut terms = vec![
        format!("longest {}", lasting(grants.longest_seconds)),
        format!("approval {}", approval(grants)),
        format!("approvers {}", listed(&approvers(grants))),
    ];
    let truths = [
        ("break_glass", grants.break_glass),
        ("whole_columns", grants.whole_columns),
        ("widen_rows", grants.widen_rows),
    ];
    terms.extend(truths.into_iter().filter(|(_, truth)| *truth).map(|(what, _)| what.to_owned()));
    terms.join(", ")
}

fn of_terms(was: &GrantRules, is: &GrantRules) -> Vec<(&'static str, String, String, Effect)> {
    let effect = |is_more| if is_more { Effect::More } else { Effect::Less };
    let mut found = Vec::new();
    if was.longest_seconds != is.longest_seconds {
        let (before, after) = (lasting(was.longest_seconds), lasting(is.longest_seconds));
        found.push(("longest", before, after, effect(was.longest_seconds < is.longest_seconds)));
    }
    if was.needs_approval != is.needs_approval {
        let (before, after) = (approval(was).to_owned(), approval(is).to_owned());
        found.push(("approval", before, after, effect(was.needs_approval)));
    }
    let (had, has) = (approvers(was), approvers(is));
    if had != has {
        // Others than before are more, too.
        found.push(("approvers", listed(&had), listed(&has), effect(!has.is_subset(&had))));
    }
    for (what, had, has) in [
        ("break_glass", was.break_glass, is.break_glass),
        ("whole_columns", was.whole_columns, is.whole_columns),
        ("widen_rows", was.widen_rows, is.widen_rows),
    ] {
        if had != has {
            found.push((what, yes_or_no(had).to_owned(), yes_or_no(has).to_owned(), effect(has)));
        }
    }
    found
}

fn approval(grants: &GrantRules) -> &'static str {
    if grants.needs_approval { "required" } else { "none" }
}

fn approvers(grants: &GrantRules) -> BTreeSet<&str> {
    grants.approvers.iter().map(|(role, _)| role.as_str()).collect()
}

fn listed(roles: &BTreeSet<&str>) -> String {
    if roles.is_empty() {
        return "nobody".to_owned();
    }
    roles.iter().copied().collect::<Vec<_>>().join(", ")
}

/// A column that other lines than `grants` make one that can be opened, or one that cannot. Who sees it clear, before or
/// after, needs nothing opened.
pub(super) fn of_column(
    role: &str,
    what: &str,
    (grants, old): (Option<&GrantRules>, Option<&ColumnPicture>),
    (new_grants, new): (Option<&GrantRules>, Option<&ColumnPicture>),
) -> Option<Change> {
    let is_clear = |column: Option<&ColumnPicture>| {
        column.is_some_and(|column| matches!(column.seen, Seen::Clear | Seen::ByDefinition))
    };
    if is_clear(old) || is_clear(new) {
        return None;
    }
    let can = "can be opened for a while";
    let (effect, before, after) =
        match (is_openable(grants, old), is_openable(grants, new), is_openable(new_grants, new)) {
            (false, true, true) => (Effect::More, CANNOT, can),
            (true, false, false) => (Effect::Less, can, CANNOT),
            (_, _, _) => return None,
        };
    let lines = lines(old, new);
    Some(change(Subject::Grant, effect, Some(role), what, before, after, lines, None))
}

/// By the rules: a grant's rows, and what the database makes of the column, are left out.
fn is_openable(grants: Option<&GrantRules>, column: Option<&ColumnPicture>) -> bool {
    let (Some(grants), Some(column)) = (grants, column) else { return false };
    match column.seen {
        Seen::Hidden => grants.may_open_hidden(&column.decision.tag),
        Seen::Masked { .. } => grants.may_open(&column.decision.tag),
        Seen::Closed | Seen::ByDefinition | Seen::Clear => false,
    }
}

#[cfg(test)]
mod tests;
