//! `extends`: roles as written become roles.
//!
//! One rule: what is a mapping goes together line by line (`masks` by tag, `rows` by relation, `limits` by name),
//! and the nearer line wins; everything else (`may`, `lookup`, `functions`, `listen`, `notify`, `purposes`, `details`, `guard`, `audit_rows`, `database_user`) is taken whole from
//! the nearest role that says it. So a role can take away what it inherits: `functions: []`. `description` and
//! `grants` are not inherited.

use std::collections::BTreeMap;

use super::read_role::{Purposes, RoleDraft};
use super::role::{Limits, Permissions, Role};
use crate::text::reader::{Reader, with_near};
use crate::text::{Diagnostic, Span};

/// Gives every role what it inherits; complains about roles that do not exist and about circles.
pub(super) fn resolve_roles(
    reader: &mut Reader<'_>,
    drafts: &BTreeMap<String, RoleDraft>,
) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    for (name, draft) in drafts {
        let ancestry = ancestry(reader, name, draft, drafts);
        let role = resolve(name, draft, &ancestry);
        judge(reader, &role, &ancestry);
        roles.insert(name.clone(), role);
    }
    roles
}

/// A role and those above it, nearest first. A circle is cut.
fn ancestry<'d>(
    reader: &mut Reader<'_>,
    name: &'d str,
    draft: &'d RoleDraft,
    drafts: &'d BTreeMap<String, RoleDraft>,
) -> Vec<&'d RoleDraft> {
    let mut names = vec![name];
    let mut ancestry = vec![draft];
    let mut nearer = draft;
    while let Some((parent, span)) = &nearer.extends {
        let Some(next) = drafts.get(parent) else {
            // Said once, where it stands.
            if names.len() == 1 {
                let known: Vec<&str> = drafts.keys().map(String::as_str).collect();
                let message = format!("there is no role `{parent}` to extend");
                reader.complain(with_near(Diagnostic::error(message, *span), parent, &known));
            }
            break;
        };
        if names.contains(&parent.as_str()) {
            // Said once, for the first of the circle by name.
            if parent == name && names.iter().all(|other| *other >= name) {
                let circle: Vec<String> =
                    names.iter().chain([&name]).map(|name| format!("`{name}`")).collect();
                let message =
                    format!("roles extend each other in a circle: {}", circle.join(" → "));
                reader.complain(Diagnostic::error(message, *span));
            }
            break;
        }
        names.push(parent);
        ancestry.push(next);
        nearer = next;
    }
    ancestry
}

fn resolve(name: &str, draft: &RoleDraft, ancestry: &[&RoleDraft]) -> Role {
    let reading = Permissions { read: true, ..Permissions::default() };
    let may = ancestry.iter().find_map(|from| from.may);
    let functions = ancestry.iter().find_map(|from| from.functions.clone());
    let lookup = ancestry.iter().find_map(|from| from.lookup.clone());
    let purposes = ancestry.iter().find_map(|from| from.purposes.clone());
    let (purposes, _) = purposes.unwrap_or((Purposes::default(), draft.span));
    let details = ancestry.iter().find_map(|from| from.details.clone());
    let mut role = Role {
        name: name.to_owned(),
        extends: draft.extends.as_ref().map(|(parent, _)| parent.clone()),
        description: draft.description.clone(),
        may: may.map_or(reading, |(may, _)| may),
        masks: Vec::new(),
        rows: BTreeMap::new(),
        functions: functions.unwrap_or_default(),
        lookup: lookup.map(|(lookup, _)| lookup).unwrap_or_default(),
        listen: ancestry.iter().find_map(|from| from.listen.clone()).unwrap_or_default(),
        notify: ancestry.iter().find_map(|from| from.notify.clone()).unwrap_or_default(),
        purposes: purposes.names,
        by_purpose: purposes.lines,
        details: details.map(|(details, _)| details).unwrap_or_default(),
        limits: Limits::default(),
        guard: ancestry.iter().find_map(|from| from.guard.clone()).map(|(guard, _)| guard),
        audit_rows: ancestry
            .iter()
            .find_map(|from| from.audit_rows)
            .is_some_and(|(is_so, _)| is_so),
        // Nobody inherits exceptions.
        grants: draft.grants.clone(),
        database_user: ancestry.iter().find_map(|from| from.database_user.clone()),
        span: draft.span,
    };
    for from in ancestry {
        for mask in &from.masks {
            if role.masks.iter().all(|nearer| nearer.pattern != mask.pattern) {
                role.masks.push(mask.clone());
            }
        }
        for (relation, filter) in &from.rows {
            role.rows.entry(relation.clone()).or_insert_with(|| filter.clone());
        }
        if let Some((limits, _)) = from.limits {
            role.limits = role.limits.or(limits);
        }
    }
    role
}

/// What the role says and this version would not keep.
fn judge(reader: &mut Reader<'_>, role: &Role, ancestry: &[&RoleDraft]) {
    let name = &role.name;
    if !role.is_untouched() {
        judge_lookup(reader, role, ancestry);
        if role.may.everything
            && let Some((_, span)) = ancestry.iter().find_map(|from| from.may)
        {
            let message = format!(
                "role `{name}` may only read: `everything` counts for a role to which `*` and \
                 every other mask is `clear`, without `rows`"
            );
            reader.complain(Diagnostic::warning(message, span));
        }
        return;
    }
    let mut refuse = |what: &str, span: Option<Span>| {
        let message = format!(
            "role `{name}` passes untouched, so its `{what}` would not be kept in this version"
        );
        let help = format!("leave `{what}` out, or `everything` out of `may`");
        reader.complain(Diagnostic::error(message, span.unwrap_or(role.span)).help(help));
    };
    if role.limits.look_at_sessions() {
        refuse("limits", ancestry.iter().find_map(|from| from.limits).map(|(_, span)| span));
    }
    for (what, channels) in [("listen", &role.listen), ("notify", &role.notify)] {
        if let Some((_, span)) = channels.first() {
            refuse(what, Some(*span));
        }
    }
    if role.guard.is_some() {
        let given = ancestry.iter().find_map(|from| from.guard.as_ref());
        refuse("guard", given.map(|(_, span)| *span));
    }
    if role.audit_rows {
        let given = ancestry.iter().find_map(|from| from.audit_rows);
        refuse("audit_rows", given.map(|(_, span)| span));
    }
    if !role.purposes.is_empty() {
        let given = ancestry.iter().find_map(|from| from.purposes.as_ref());
        refuse("purposes", given.map(|(_, span)| *span));
    }
    if let Some(grants) = &role.grants {
        refuse("grants", Some(grants.span));
    }
    if !role.details.is_empty() {
        let given = ancestry.iter().find_map(|from| from.details.as_ref());
        refuse("details", given.map(|(_, span)| *span));
    }
}

/// Lookups without a budget, and a budget without lookups.
fn judge_lookup(reader: &mut Reader<'_>, role: &Role, ancestry: &[&RoleDraft]) {
    let name = &role.name;
    match (role.lookup.is_empty(), role.limits.lookups_per_minute) {
        (false, None) => {
            let message = format!("role `{name}` may look up as many values as it likes");
            let span = ancestry.iter().find_map(|from| from.lookup.as_ref()).map(|(_, span)| *span);
            let diagnostic = Diagnostic::warning(message, span.unwrap_or(role.span));
            reader.complain(diagnostic.help(
                "`limits: {lookups_per_minute: 20}` keeps somebody from trying a whole list of names",
            ));
        }
        (true, Some(_)) => {
            let given = |from: &&RoleDraft| {
                from.limits.filter(|(limits, _)| limits.lookups_per_minute.is_some())
            };
            let span = ancestry.iter().find_map(given).map(|(_, span)| span);
            let message =
                format!("role `{name}` has no `lookup` for `lookups_per_minute` to limit");
            reader.complain(Diagnostic::warning(message, span.unwrap_or(role.span)));
        }
        (true, None) | (false, Some(_)) => {}
    }
}

#[cfg(test)]
mod tests;
