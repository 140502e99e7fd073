//! One text by both sets of rules: verdict, columns, rows. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Job;
use super::findings::{Difference, Finding, Verdict};
use crate::catalog::{RelationKind, Snapshot};
use crate::changes::{self, Change, Picture, RelationPicture, RolePicture, Subject};
use crate::policy::{RoleView, VIEW_DEPTH_MAX};
use crate::rules::RuleSet;
use crate::sql::{self, Reason, Speaker};

/// Views that are kept: roles times catalogs.
const VIEWS_MAX: usize = 64;

/// Columns by relation.
type Mentioned = BTreeMap<(String, String), BTreeSet<String>>;

/// Judges texts by rules that are not in force.
pub(super) struct Judge {
    rules: Arc<RuleSet>,
    /// By role and catalog.
    views: HashMap<(String, usize), Arc<RoleView>>,
}

/// What comes of a text.
enum Outcome {
    Allowed(Mentioned),
    Refused(Verdict),
}

impl Judge {
    pub(super) fn new(rules: Arc<RuleSet>) -> Judge {
        Judge { rules, views: HashMap::new() }
    }

    /// What differs.
    pub(super) fn judge(&mut self, job: &Job) -> Finding {
        let live = outcome(job, &job.view);
        let mine = self.view(job);
        let shadow = match &mine {
            Ok(view) => outcome(job, view),
            Err(reason) => Outcome::Refused(Verdict::refused(reason, "28000", None)),
        };
        let (verdict, differences) = match (live, shadow) {
            (Outcome::Allowed(live), Outcome::Allowed(shadow)) => {
                let mentioned = together(live, shadow);
                (None, mine.map(|mine| differences(job, &mine, &mentioned)).unwrap_or_default())
            }
            (Outcome::Allowed(_), Outcome::Refused(shadow)) => {
                (Some((Verdict::Allowed, shadow)), Vec::new())
            }
            (Outcome::Refused(live), Outcome::Allowed(_)) => {
                (Some((live, Verdict::Allowed)), Vec::new())
            }
            (Outcome::Refused(_), Outcome::Refused(_)) => (None, Vec::new()),
        };
        Finding {
            role: job.view.role().name.clone(),
            purpose: job.stated.purpose.clone().filter(|_| !job.view.role().purposes.is_empty()),
            statement: job.shape.clone(),
            verdict,
            differences,
        }
    }

    /// What the session would see; else why it could not have begun.
    fn view(&mut self, job: &Job) -> Result<Arc<RoleView>, &'static str> {
        let role = &job.view.role().name;
        let user = self.rules.user(&job.user).ok_or("user")?;
        if !user.roles.contains(role) {
            return Err("role");
        }
        let snapshot = job.view.snapshot();
        let key = (role.clone(), Arc::as_ptr(snapshot) as usize);
        let base = match self.views.get(&key) {
            Some(base) if Arc::ptr_eq(base.snapshot(), snapshot) => Arc::clone(base),
            _ => {
                let view = RoleView::new(role, Arc::clone(&self.rules), Arc::clone(snapshot));
                let view = Arc::new(view.ok_or("role")?);
                if self.views.len() >= VIEWS_MAX {
                    self.views.clear();
                }
                self.views.insert(key, Arc::clone(&view));
                view
            }
        };
        base.for_session(&job.stated).ok_or("role")
    }
}

fn outcome(job: &Job, view: &RoleView) -> Outcome {
    let speaker = Speaker::new(view, &job.search_path, &job.user, job.acts_for_others)
        .with_temp_tables(&job.temp_tables);
    let plan = match sql::plan(&job.text, speaker) {
        Ok(plan) => plan,
        Err(refusal) => {
            let rule = refusal.rule.as_ref().map(ToString::to_string);
            return Outcome::Refused(Verdict::refused(refusal.reason.word(), refusal.code, rule));
        }
    };
    let purposes = &view.role().purposes;
    let is_stated = job.stated.purpose.as_ref().is_some_and(|purpose| purposes.contains(purpose));
    let reads = plan.statements.iter().any(|statement| statement.kind.reads());
    if reads && !purposes.is_empty() && !is_stated {
        let rule = view.rules().origin(view.role().span).to_string();
        return Outcome::Refused(Verdict::refused(Reason::Purpose.word(), "42501", Some(rule)));
    }
    let mut mentioned = Mentioned::new();
    for read in plan.statements.into_iter().flat_map(|statement| statement.reads) {
        let columns = mentioned.entry((read.schema, read.relation)).or_default();
        columns.extend(read.clear);
        columns.extend(read.masked.into_iter().map(|(column, _)| column));
    }
    Outcome::Allowed(mentioned)
}

fn together(mut one: Mentioned, other: Mentioned) -> Mentioned {
    for (relation, columns) in other {
        one.entry(relation).or_default().extend(columns);
    }
    one
}

/// How what is read is seen otherwise.
fn differences(job: &Job, shadow: &RoleView, mentioned: &Mentioned) -> Vec<Difference> {
    let mentioned = with_what_is_below(mentioned, job.view.snapshot());
    let (old, new) = (picture(&job.view, &mentioned), picture(shadow, &mentioned));
    let changes = changes::compare(&old, &new);
    changes.into_iter().filter_map(difference).collect()
}

/// Views show what the role sees of what they read.
fn with_what_is_below(mentioned: &Mentioned, snapshot: &Snapshot) -> Mentioned {
    let mut all = mentioned.clone();
    let mut level: Vec<(String, String)> = mentioned.keys().cloned().collect();
    for _ in 0..VIEW_DEPTH_MAX {
        let mut below = Vec::new();
        for (schema, name) in &level {
            let view = snapshot.relation_named(schema, name);
            let Some(view) = view.filter(|view| view.kind == RelationKind::View) else { continue };
            for (oid, number) in &view.reads {
                let Some(read) = snapshot.relation(*oid) else { continue };
                let Some(column) = read.columns.iter().find(|own| own.number == *number) else {
                    continue;
                };
                let relation = (read.schema.clone(), read.name.clone());
                if all.entry(relation.clone()).or_default().insert(column.name.clone()) {
                    below.push(relation);
                }
            }
        }
        if below.is_empty() {
            break;
        }
        level = below;
    }
    all
}

/// The role, and what it sees of these.
fn picture(view: &RoleView, mentioned: &Mentioned) -> Picture {
    let mut relations = BTreeMap::new();
    for ((schema, name), columns) in mentioned {
        let Some(relation) = view.snapshot().relation_named(schema, name) else { continue };
        if relation.is_system() {
            continue;
        }
        let mut picture = RelationPicture::live(view, relation);
        picture.columns.retain(|column, _| columns.contains(column));
        relations.insert(format!("{schema}.{name}"), picture);
    }
    let role = view.role().clone();
    let origin = view.rules().origin(role.span);
    let name = role.name.clone();
    let roles = [(name, RolePicture { role, origin, relations })].into();
    Picture { roles, users: BTreeMap::new() }
}

/// Of columns and rows; what else has changed of a role is what `scrim diff` tells.
fn difference(change: Change) -> Option<Difference> {
    let Change { subject, effect, what, old, new, rules, .. } = change;
    let (subject, live, shadow) = match subject {
        Subject::Column => ("column", old, new),
        Subject::Lookup => ("lookup", old, new),
        // A filter's SQL is the rules', and may have values in it all the same: its lines say where to look.
        Subject::Rows => ("rows", filtered(&old), filtered(&new)),
        Subject::Grant
        | Subject::May
        | Subject::Limit
        | Subject::Function
        | Subject::Channel
        | Subject::Purpose
        | Subject::Login
        | Subject::Role
        | Subject::User => return None,
    };
    let effect = match effect {
        changes::Effect::More => "more",
        changes::Effect::Unclear => "unclear",
        changes::Effect::Less => "less",
        changes::Effect::Other => "other",
    };
    let lines = |lines: &[crate::text::Origin]| lines.iter().map(ToString::to_string).collect();
    Some(Difference {
        subject: subject.to_owned(),
        effect: effect.to_owned(),
        what,
        live,
        shadow,
        live_rules: lines(&rules.old),
        shadow_rules: lines(&rules.new),
    })
}

fn filtered(rows: &str) -> String {
    if rows == changes::ALL_ROWS { "all".to_owned() } else { "filtered".to_owned() }
}
