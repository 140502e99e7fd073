//! What the rules allow and nobody has used: the rules as they are now against the period.
//!
//! Not told, since the audit does not say: functions, channels, and what roles read that pass untouched.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::kinds::{OPEN, UNCLASSIFIED};
use super::tally::{Tally, Used};
use crate::changes::{Picture, RolePicture, Seen};
use crate::policy::covers;
use crate::rules::{RuleSet, TagPattern};

/// Something that is allowed and was not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// `user`, `role`, `role_of_user`, `data`, `may`, `lookup`, `purpose`, `acts_for_others`
    pub what: &'static str,
    /// The role's name, or the user's.
    pub whose: String,
    /// Which.
    pub which: String,
    /// Columns that could have been read, where it is data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// All of it. With a role that is asked for, of that alone.
pub fn unused(rules: &RuleSet, picture: &Picture, tally: &Tally) -> Vec<Unused> {
    let asked = tally.question.role.as_deref();
    let is_asked = |role: &str| asked.is_none_or(|asked| asked == role);
    let mut found = Vec::new();
    let is_seen =
        |user: &str, role: &str| tally.used.get(role).is_some_and(|used| used.users.contains(user));
    for user in rules.users.values() {
        let roles: Vec<&String> = user.roles.iter().filter(|role| is_asked(role)).collect();
        let rule = Some(rules.origin(user.span).to_string());
        let one = |what, which: &str| Unused {
            what,
            whose: user.name.clone(),
            which: which.to_owned(),
            columns: Vec::new(),
            rule: rule.clone(),
        };
        if roles.is_empty() {
            continue;
        }
        if roles.iter().all(|role| !is_seen(&user.name, role)) {
            let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
            found.push(one("user", &names.join(", ")));
            continue;
        }
        let others = roles.iter().filter(|role| !is_seen(&user.name, role));
        found.extend(others.map(|role| one("role_of_user", role)));
        if user.acts_for_others && !tally.acted_for_others.contains(&user.name) {
            found.push(one("acts_for_others", ""));
        }
    }
    for (name, role) in picture.roles.iter().filter(|(name, _)| is_asked(name)) {
        match tally.used.get(name).filter(|used| !used.users.is_empty()) {
            None => found.push(Unused {
                what: "role",
                whose: name.clone(),
                which: String::new(),
                columns: Vec::new(),
                rule: Some(role.origin.to_string()),
            }),
            Some(used) if !role.role.is_untouched() => of_role(rules, role, used, &mut found),
            Some(_) => {}
        }
    }
    found
}

fn of_role(rules: &RuleSet, picture: &RolePicture, used: &Used, found: &mut Vec<Unused>) {
    let role = &picture.role;
    let one = |what, which: &str, columns: Vec<String>, rule: Option<String>| Unused {
        what,
        whose: role.name.clone(),
        which: which.to_owned(),
        columns,
        rule,
    };
    // By kind: the columns, and the role's lines.
    let mut kinds: BTreeMap<&str, (Vec<String>, BTreeSet<String>)> = BTreeMap::new();
    for (relation, seen) in &picture.relations {
        // Partitions are seen as their parents.
        if !seen.parents.is_empty() || seen.closed.is_some() {
            continue;
        }
        for (column, seen) in &seen.columns {
            let is_shown = match seen.seen {
                Seen::Clear | Seen::Masked { .. } => true,
                Seen::Hidden | Seen::Closed | Seen::ByDefinition => false,
            };
            let kind = seen.decision.tag.as_str();
            if is_shown && kind != OPEN && !used.kinds.contains(kind) {
                let (columns, lines) = kinds.entry(kind).or_default();
                columns.push(format!("{relation}.{column}"));
                lines.extend(seen.decision.rule.as_ref().map(ToString::to_string));
            }
        }
    }
    // What nobody has classified is told for itself.
    kinds.remove(UNCLASSIFIED);
    for (kind, (columns, lines)) in kinds {
        let lines: Vec<String> = lines.into_iter().collect();
        let lines = (!lines.is_empty()).then(|| lines.join(", "));
        found.push(one("data", kind, columns, lines));
    }
    let at = || Some(picture.origin.to_string());
    for (word, may, was_used) in [
        ("write", role.may.write, used.writes),
        ("explain", role.may.explain, used.explains),
        ("temp_tables", role.may.temp_tables, used.temporary),
    ] {
        if may && !was_used {
            found.push(one("may", word, Vec::new(), at()));
        }
    }
    for (pattern, span) in &role.lookup {
        if !used.looked_up.iter().any(|kind| covers(pattern, kind)) {
            let name = match pattern {
                TagPattern::Rest => "*",
                TagPattern::Prefix(prefix) => prefix,
            };
            found.push(one("lookup", name, Vec::new(), Some(rules.origin(*span).to_string())));
        }
    }
    for purpose in role.purposes.iter().filter(|purpose| !used.purposes.contains(*purpose)) {
        found.push(one("purpose", purpose, Vec::new(), at()));
    }
}
