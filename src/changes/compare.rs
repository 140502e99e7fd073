//! Two pictures → what has changed, for the better and for the worse.

use std::collections::{BTreeMap, BTreeSet};

use super::granted;
use super::order::{self, Shown};
use super::picture::{ColumnPicture, Filter, Picture, RelationPicture, RolePicture, Seen};
use super::users::of_users;
use crate::rules::{Detection, Limits, Permissions, ScrubKind, Then};
use crate::text::Origin;

/// Something that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// Whether somebody sees more by it.
    pub effect: Effect,
    /// The roles whose it is, in order; a user's has none.
    pub roles: Vec<String>,
    /// Which: a column with its relation, a limit, a user, ….
    pub what: String,
    /// As it was.
    pub old: String,
    /// As it is.
    pub new: String,
    /// The lines behind: of the classification and of the role, before and after.
    pub rules: Lines,
    /// Why it has this effect, where that is not plain.
    pub why: Option<&'static str>,
}

/// Lines of the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Before.
    pub old: Vec<Origin>,
    /// After.
    pub new: Vec<Origin>,
}

/// What a change is about, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// How a column is seen.
    Column,
    /// Which rows are seen.
    Rows,
    /// Which columns rows can be found by.
    Lookup,
    /// What may be opened for a while.
    Grant,
    /// Statements.
    May,
    /// Limits.
    Limit,
    /// Functions of one's own.
    Function,
    /// Channels of LISTEN and NOTIFY.
    Channel,
    /// Purposes.
    Purpose,
    /// The login at the database.
    Login,
    /// A role as such.
    Role,
    /// A user.
    User,
}

/// Whether somebody sees more by a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Yes.
    More,
    /// It cannot be told: somebody has to look at it.
    Unclear,
    /// Less.
    Less,
    /// Neither.
    Other,
}

/// Everything that has changed.
pub fn compare(old: &Picture, new: &Picture) -> Vec<Change> {
    let mut found = Vec::new();
    for (name, picture) in &new.roles {
        match old.role(name) {
            Some(before) => of_role(name, before, picture, &mut found),
            None => {
                let is_used =
                    new.users.values().any(|user| user.roles.contains(&picture.role.name));
                let effect = if is_used { Effect::More } else { Effect::Other };
                let why = if is_used { None } else { Some("nobody has it") };
                let lines = Lines { new: vec![picture.origin.clone()], ..Lines::default() };
                found.push(change(Subject::Role, effect, None, name, "none", "there", lines, why));
            }
        }
    }
    for (name, picture) in old.roles.iter().filter(|(name, _)| !new.roles.contains_key(*name)) {
        if let Some(after) = new.role(name) {
            of_role(name, picture, after, &mut found);
            continue;
        }
        let lines = Lines { old: vec![picture.origin.clone()], ..Lines::default() };
        found.push(change(Subject::Role, Effect::Less, None, name, "there", "none", lines, None));
    }
    of_users(&old.users, &new.users, &mut found);
    together(found)
}

#[expect(clippy::too_many_arguments, reason = "the fields of a change, one by one")]
pub(super) fn change(
    subject: Subject,
    effect: Effect,
    role: Option<&str>,
    what: &str,
    old: &str,
    new: &str,
    rules: Lines,
    why: Option<&'static str>,
) -> Change {
    let roles = role.map(str::to_owned).into_iter().collect();
    let (what, old, new) = (what.to_owned(), old.to_owned(), new.to_owned());
    Change { subject, effect, roles, what, old, new, rules, why }
}

/// Changes that are the same for many roles, as one; in the order of subjects, and of what shows more.
fn together(found: Vec<Change>) -> Vec<Change> {
    let mut merged: Vec<Change> = Vec::new();
    for one in found {
        let same = merged.iter_mut().find(|other| {
            !one.roles.is_empty()
                && Change { roles: one.roles.clone(), rules: one.rules.clone(), ..(*other).clone() }
                    == one
        });
        match same {
            Some(other) => {
                other.roles.extend(one.roles);
                for (lines, more) in
                    [(&mut other.rules.old, one.rules.old), (&mut other.rules.new, one.rules.new)]
                {
                    for line in more {
                        if !lines.contains(&line) {
                            lines.push(line);
                        }
                    }
                }
            }
            None => merged.push(one),
        }
    }
    merged.sort_by_key(|change| (change.subject, change.effect));
    merged
}

fn of_role(name: &str, old: &RolePicture, new: &RolePicture, found: &mut Vec<Change>) {
    of_relations(name, old, new, found);
    granted::of_grants(name, old, new, found);
    let lines = || Lines { old: vec![old.origin.clone()], new: vec![new.origin.clone()] };
    let mut push = |subject, effect, what: &str, old: &str, new: &str, why| {
        found.push(change(subject, effect, Some(name), what, old, new, lines(), why));
    };
    for (what, was, is) in permissions(old.role.may, new.role.may) {
        let effect = if is { Effect::More } else { Effect::Less };
        if was != is {
            push(Subject::May, effect, what, yes_or_no(was), yes_or_no(is), None);
        }
    }
    for (what, was, is, shows) in limits(old.role.limits, new.role.limits) {
        let effect = match (was, is) {
            (was, is) if was == is => continue,
            _ if !shows => Effect::Other,
            (Some(was), Some(is)) if is < was => Effect::Less,
            (None, Some(_)) => Effect::Less,
            (Some(_) | None, _) => Effect::More,
        };
        let number = |number: Option<u64>| number.map_or("none".to_owned(), |n| n.to_string());
        push(Subject::Limit, effect, what, &number(was), &number(is), None);
    }
    if let Some(effect) = of_guard(old.role.guard.as_ref(), new.role.guard.as_ref()) {
        let told = |picture: &RolePicture| {
            picture.role.guard.as_ref().map_or("none".to_owned(), Detection::to_string)
        };
        push(Subject::Limit, effect, "guard", &told(old), &told(new), None);
    }
    let (was, is) = (old.role.audit_rows, new.role.audit_rows);
    if was != is {
        // What is seen stays as it is; what is known of it afterwards does not.
        push(Subject::Limit, Effect::Other, "audit_rows", yes_or_no(was), yes_or_no(is), None);
    }
    let functions = |picture: &RolePicture| -> BTreeSet<String> {
        let names = picture.role.functions.iter();
        names.map(|(name, _)| format!("{}.{}", name.schema, name.name)).collect()
    };
    let channels = |picture: &RolePicture| -> BTreeSet<String> {
        let listen = picture.role.listen.iter().map(|(name, _)| format!("LISTEN {name}"));
        listen.chain(picture.role.notify.iter().map(|(name, _)| format!("NOTIFY {name}"))).collect()
    };
    for (subject, was, is) in [
        (Subject::Function, functions(old), functions(new)),
        (Subject::Channel, channels(old), channels(new)),
    ] {
        for what in is.difference(&was) {
            push(subject, Effect::More, what, "no", "yes", None);
        }
        for what in was.difference(&is) {
            push(subject, Effect::Less, what, "yes", "no", None);
        }
    }
    let purposes = |picture: &RolePicture| -> BTreeSet<String> {
        picture.role.purposes.iter().cloned().collect()
    };
    let (was, is) = (purposes(old), purposes(new));
    if was != is {
        let effect = match (was.is_empty(), is.is_empty()) {
            (false, true) => Effect::More,
            (true, _) => Effect::Less,
            (false, false) if is.is_subset(&was) => Effect::Less,
            (false, false) => Effect::More,
        };
        let listed = |all: &BTreeSet<String>| match all.is_empty() {
            true => "none has to be stated".to_owned(),
            false => all.iter().cloned().collect::<Vec<_>>().join(", "),
        };
        push(Subject::Purpose, effect, "purposes", &listed(&was), &listed(&is), None);
    }
    let details = |picture: &RolePicture| -> BTreeSet<String> {
        let all = picture.role.details.iter();
        all.map(|(name, kind)| format!("{name} ({})", kind.word())).collect()
    };
    let (was, is) = (details(old), details(new));
    if was != is {
        let listed = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
        push(Subject::Purpose, Effect::Other, "details", &listed(&was), &listed(&is), None);
    }
    let login = |picture: &RolePicture| {
        picture.role.database_user.as_ref().map_or("Scrim's".to_owned(), |own| own.user.clone())
    };
    let (was, is) = (login(old), login(new));
    if was != is {
        let why = "the database may show another login other things";
        push(Subject::Login, Effect::Unclear, "database_user", &was, &is, Some(why));
    }
    // What is not looked at has no masks, no guard and no limits.
    match (old.role.is_untouched(), new.role.is_untouched()) {
        (false, true) => {
            push(Subject::Role, Effect::More, name, "masked", "passes untouched", None)
        }
        (true, false) => {
            push(Subject::Role, Effect::Less, name, "passes untouched", "masked", None)
        }
        (true, true) | (false, false) => {}
    }
}

/// What a `guard` takes out is less seen; one that only raises an alarm takes out nothing.
fn of_guard(old: Option<&Detection>, new: Option<&Detection>) -> Option<Effect> {
    if old == new {
        return None;
    }
    let kept = |guard: Option<&Detection>| -> BTreeSet<ScrubKind> {
        let guard = guard.filter(|guard| guard.then != Then::Alarm);
        guard.map(|guard| guard.kinds.iter().copied().collect()).unwrap_or_default()
    };
    let (was, is) = (kept(old), kept(new));
    Some(match (is.is_subset(&was), was.is_subset(&is)) {
        (true, true) => Effect::Other,
        (false, true) => Effect::Less,
        // Something passes that did not.
        (true, false) | (false, false) => Effect::More,
    })
}

fn of_relations(role: &str, old: &RolePicture, new: &RolePicture, found: &mut Vec<Change>) {
    let none = RelationPicture { is_hidden: true, ..RelationPicture::default() };
    let names: BTreeSet<&String> = old.relations.keys().chain(new.relations.keys()).collect();
    let (mut columns, mut lookups, mut rows) = (ByPlace::new(), ByPlace::new(), ByPlace::new());
    let (mut granted, grants) = (ByPlace::new(), old.role.grants.as_ref());
    for name in &names {
        let was = old.relations.get(*name).unwrap_or(&none);
        let is = new.relations.get(*name).unwrap_or(&none);
        let all: BTreeSet<&String> = was.columns.keys().chain(is.columns.keys()).collect();
        for column in all {
            let place = (name.as_str(), column.as_str());
            let what = format!("{name}.{column}");
            let (before, after) = (was.columns.get(column), is.columns.get(column));
            columns.extend(of_column(role, &what, before, after).map(|change| (place, change)));
            lookups.extend(of_lookup(role, &what, before, after).map(|change| (place, change)));
            let after = (new.role.grants.as_ref(), after);
            let opened = granted::of_column(role, &what, (grants, before), after);
            granted.extend(opened.map(|change| (place, change)));
        }
        let is_there = |picture: &RelationPicture| !picture.is_hidden && picture.closed.is_none();
        if is_there(was) && is_there(is) {
            let change = of_rows(role, name, was.filter.as_ref(), is.filter.as_ref());
            rows.extend(change.map(|change| ((name.as_str(), ""), change)));
        }
    }
    for changes in [columns, lookups, granted, rows] {
        let told = |((relation, column), change): &(&(&str, &str), &Change)| {
            !is_of_parent(relation, column, change, &changes, &new.relations)
        };
        found.extend(changes.iter().filter(told).map(|(_, change)| change.clone()));
    }
}

/// Changes by relation and column.
type ByPlace<'a> = BTreeMap<(&'a str, &'a str), Change>;

/// True for a partition that changes as its parent does, which is enough to tell.
fn is_of_parent(
    relation: &str,
    column: &str,
    change: &Change,
    all: &ByPlace<'_>,
    relations: &BTreeMap<String, RelationPicture>,
) -> bool {
    let parents = relations.get(relation).map(|picture| picture.parents.as_slice());
    parents.unwrap_or_default().iter().any(|parent| {
        all.get(&(parent.as_str(), column)).is_some_and(|above| {
            (&above.old, &above.new, above.effect) == (&change.old, &change.new, change.effect)
        })
    })
}

/// Where the column is masked before and after, or is newly there: what is clear is found by its value anyway.
fn of_lookup(
    role: &str,
    what: &str,
    old: Option<&ColumnPicture>,
    new: Option<&ColumnPicture>,
) -> Option<Change> {
    let is_masked = |column: Option<&ColumnPicture>| {
        column.is_some_and(|column| matches!(column.seen, Seen::Masked { .. }))
    };
    let was_clear = old.is_some_and(|column| rank(&column.seen) > 2);
    let can = |column: Option<&ColumnPicture>| column.is_some_and(|column| column.lookup);
    let (effect, could, can) = match (can(old), can(new)) {
        (false, true) if !was_clear => (Effect::More, "cannot", "can be looked up"),
        (true, false) if is_masked(new) => (Effect::Less, "can be looked up", "cannot"),
        (_, _) => return None,
    };
    Some(change(Subject::Lookup, effect, Some(role), what, could, can, lines(old, new), None))
}

/// The lines behind a column, before and after.
pub(super) fn lines(old: Option<&ColumnPicture>, new: Option<&ColumnPicture>) -> Lines {
    let of = |column: Option<&ColumnPicture>| {
        let decision = column.map(|column| &column.decision);
        let lines = decision.into_iter().flat_map(|found| [&found.classified, &found.rule]);
        lines.flatten().cloned().collect()
    };
    Lines { old: of(old), new: of(new) }
}

fn of_column(
    role: &str,
    what: &str,
    old: Option<&ColumnPicture>,
    new: Option<&ColumnPicture>,
) -> Option<Change> {
    let hidden = Seen::Hidden;
    let (was, is) = (old.map_or(&hidden, |c| &c.seen), new.map_or(&hidden, |c| &c.seen));
    let (effect, why) = match (was, is) {
        (Seen::Masked { mask, meaning }, Seen::Masked { mask: new, meaning: new_meaning }) => {
            match order::compare(mask, new) {
                _ if meaning == new_meaning => return None,
                Shown::Same if mask.label() == new.label() => {
                    (Effect::Unclear, Some("what the mask goes by says something else now"))
                }
                Shown::Same => (Effect::Other, None),
                Shown::More => (Effect::More, None),
                // What the masks go by may have changed beside them.
                Shown::Less if new.goes_by_row() => {
                    (Effect::Unclear, Some("what the masks go by may say something else now"))
                }
                Shown::Less => (Effect::Less, None),
                Shown::Unclear => {
                    (Effect::Unclear, Some("neither mask shows all that the other one does"))
                }
            }
        }
        // As from a mask that shows everything, and to one.
        (Seen::Clear | Seen::ByDefinition, Seen::Masked { mask, .. }) if mask.goes_by_row() => {
            (Effect::Unclear, Some("the mask goes by other columns, of which it may tell"))
        }
        (was, is) => match rank(is).cmp(&rank(was)) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => (Effect::More, None),
            std::cmp::Ordering::Less => (Effect::Less, None),
        },
    };
    let (was, is) = (was.label(), is.label());
    Some(change(Subject::Column, effect, Some(role), what, &was, &is, lines(old, new), why))
}

fn rank(seen: &Seen) -> u8 {
    match seen {
        Seen::Hidden => 0,
        Seen::Closed => 1,
        Seen::Masked { .. } => 2,
        Seen::ByDefinition => 3,
        Seen::Clear => 4,
    }
}

/// How it is called that there is no filter.
pub const ALL_ROWS: &str = "all rows";

fn of_rows(role: &str, name: &str, old: Option<&Filter>, new: Option<&Filter>) -> Option<Change> {
    let (effect, why) = match (old, new) {
        (None, None) => return None,
        (Some(was), Some(is)) if was.meaning == is.meaning => return None,
        (None, Some(_)) => (Effect::Less, None),
        (Some(_), None) => (Effect::More, None),
        (Some(_), Some(_)) => {
            (Effect::Unclear, Some("which rows each of them shows cannot be told"))
        }
    };
    let written =
        |filter: Option<&Filter>| filter.map_or(ALL_ROWS, |filter| &filter.written).to_owned();
    let origin =
        |filter: Option<&Filter>| filter.and_then(|f| f.origin.clone()).into_iter().collect();
    let lines = Lines { old: origin(old), new: origin(new) };
    Some(change(Subject::Rows, effect, Some(role), name, &written(old), &written(new), lines, why))
}

fn permissions(old: Permissions, new: Permissions) -> [(&'static str, bool, bool); 5] {
    [
        ("read", old.read, new.read),
        ("write", old.write, new.write),
        ("explain", old.explain, new.explain),
        ("temp_tables", old.temp_tables, new.temp_tables),
        ("everything", old.everything, new.everything),
    ]
}

/// Limits, and whether who has a higher one sees more by it.
fn limits(old: Limits, new: Limits) -> [(&'static str, Option<u64>, Option<u64>, bool); 8] {
    [
        ("rows", old.rows, new.rows, true),
        ("bytes", old.bytes, new.bytes, true),
        ("lookups_per_minute", old.lookups_per_minute, new.lookups_per_minute, true),
        ("statements_per_second", old.statements_per_second, new.statements_per_second, true),
        ("statement_seconds", old.statement_seconds, new.statement_seconds, false),
        (
            "idle_transaction_seconds",
            old.idle_transaction_seconds,
            new.idle_transaction_seconds,
            false,
        ),
        ("message_bytes", old.message_bytes, new.message_bytes, false),
        ("connections", old.connections, new.connections, false),
    ]
}

/// A truth in words.
pub(super) fn yes_or_no(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}
