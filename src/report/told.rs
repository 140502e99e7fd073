//! The report itself: what was counted, in the order in which it is told. Its fields are the JSON.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::Serialize;

use super::by_row::{ByRow, by_row};
use super::granted::Granted;
use super::habits::{self, UnusualHours, UnusualVolume};
use super::kinds::UNCLASSIFIED;
use super::subject::{Sightings, SubjectTold};
use super::tally::{Alarm, Counts, Group, Tally};
use super::unused::{Unused, unused};
use super::words::{Sentence, Word};
use crate::changes::Picture;
use crate::rules::RuleSet;

/// Two years and more; with as many, days without a statement are left out.
const DAYS_MAX: usize = 1000;

/// Where the records come from, and whether they are all there.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TrailTold {
    /// Files, in the order of their records.
    pub files: Vec<String>,
    /// How many records.
    pub records: u64,
    /// The number of the first one.
    pub first: u64,
    /// The number of the last one.
    pub last: u64,
    /// Where the chain is broken; `None`: it is whole.
    pub broken: Option<String>,
    /// It may begin in the middle: what was before is elsewhere.
    pub is_partial: bool,
}

/// What the rules say, against which the trail is held.
#[derive(Debug)]
pub struct Rules<'a> {
    /// As they are now.
    pub set: &'a RuleSet,
    /// What comes of them.
    pub picture: &'a Picture,
    /// Its database; `None`: by the rules alone.
    pub database: Option<&'a str>,
}

/// What there is to tell.
#[derive(Debug, Serialize)]
pub struct Report {
    pub(super) made: String,
    pub(super) trail: TrailTold,
    pub(super) period: Period,
    pub(super) rules: Versions,
    pub(super) totals: Totals,
    pub(super) alarms: Vec<Alarm>,
    pub(super) found: Vec<Found>,
    pub(super) roles: Vec<Line>,
    pub(super) purposes: Vec<Line>,
    pub(super) kinds: Vec<Kind>,
    pub(super) users: Vec<Line>,
    pub(super) end_users: Vec<EndUser>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) failed_logins: Vec<FailedLogin>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) grants: Vec<Granted>,
    pub(super) unusual_volume: Vec<UnusualVolume>,
    pub(super) unusual_hours: Vec<UnusualHours>,
    /// Users with too few active days to have habits.
    pub(super) without_habits: Vec<String>,
    /// `None`: rules were not looked at, or one user alone was.
    pub(super) unused: Option<Vec<Unused>>,
    pub(super) unclassified: Option<Vec<Unclassified>>,
    /// `None`: as `unused`.
    pub(super) by_row: Option<Vec<ByRow>>,
    pub(super) days: Vec<DayTold>,
    /// Statements by day of the week, from Monday, and hour.
    pub(super) week: [[u64; 24]; 7],
    /// What a reader has to know.
    pub(super) notes: Vec<Sentence>,
    /// The one row that was asked for; all else is not shown then.
    #[serde(skip)]
    pub(super) subject: Option<SubjectTold>,
}

#[derive(Debug, Serialize)]
pub struct Period {
    /// Of the records that were counted; `None`: there is none.
    pub(super) first_record: Option<String>,
    pub(super) last_record: Option<String>,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) timezone: String,
    pub(super) user: Option<String>,
    pub(super) role: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Versions {
    /// By which kinds of data and permissions are told.
    pub(super) now: Option<String>,
    /// Which were in force.
    pub(super) in_force: Vec<String>,
    /// The database whose catalog was asked.
    pub(super) catalog_of: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Totals {
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) users: usize,
    pub(super) logins: u64,
    pub(super) failed_logins: u64,
    pub(super) lookups: u64,
}

/// Of a role, a purpose or a user.
#[derive(Debug, Serialize)]
pub struct Line {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) logins: u64,
    pub(super) lookups: u64,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) last: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct EndUser {
    pub(super) user: String,
    pub(super) end_user: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) lookups: u64,
}

#[derive(Debug, Serialize)]
pub struct Kind {
    pub(super) kind: String,
    pub(super) statements_clear: u64,
    pub(super) statements_masked: u64,
    pub(super) rows_clear: u64,
    pub(super) rows_masked: u64,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub struct Refusal {
    pub(super) reason: String,
    pub(super) count: u64,
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
    pub(super) rules: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub struct FailedLogin {
    pub(super) claimed_user: String,
    pub(super) sqlstate: String,
    pub(super) count: u64,
    pub(super) addresses: BTreeSet<String>,
    pub(super) last: String,
}

#[derive(Debug, Serialize)]
pub struct Lookup {
    pub(super) column: String,
    pub(super) user: String,
    pub(super) role: String,
    pub(super) statements: u64,
    pub(super) values: u64,
}

#[derive(Debug, Serialize)]
pub struct Found {
    pub(super) kind: String,
    pub(super) then: String,
    pub(super) role: String,
    pub(super) count: u64,
    pub(super) users: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub struct Unclassified {
    pub(super) database: String,
    pub(super) column: String,
    pub(super) statements: u64,
    pub(super) users: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
pub struct DayTold {
    pub(super) day: String,
    #[serde(flatten)]
    pub(super) counts: Counts,
}

impl Report {
    /// Of a trail that was counted, held against the rules where there are any. `made` is the time of now.
    pub fn new(
        made: Timestamp,
        trail: TrailTold,
        tally: &Tally,
        rules: Option<&Rules<'_>>,
    ) -> Report {
        let question = &tally.question;
        let told = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let line = |(name, group): (&String, &Group)| Line {
            name: name.clone(),
            counts: group.counts,
            logins: group.logins,
            lookups: group.lookups,
            users: group.users.clone(),
            roles: group.roles.clone(),
            last: group.last.map(told),
        };
        let by_rows = |mut lines: Vec<Line>| {
            lines.sort_by_key(|line| {
                let Counts { rows, statements, refused, .. } = line.counts;
                std::cmp::Reverse((rows, statements.saturating_add(refused)))
            });
            lines
        };
        let is_asked = |day: &Date| question.is_day_in_period(*day);
        let habits = || tally.habits.iter();
        let mut unusual_volume: Vec<_> =
            habits().flat_map(|(user, days)| habits::volume(user, days, is_asked)).collect();
        unusual_volume.sort_by(|one, other| other.score.total_cmp(&one.score));
        let few = habits().filter(|(_, days)| days.len() < habits::DAYS_MIN);
        let mut refusals: Vec<Refusal> = tally.refusals.iter().map(refusal).collect();
        refusals.sort_by_key(|refusal| std::cmp::Reverse(refusal.count));
        let failed = tally.failed_logins.values().map(|failed| failed.count);
        let in_force = tally.rules.iter().filter(|version| !version.is_empty()).cloned();
        Report {
            made: told(made),
            trail,
            period: Period {
                first_record: tally.span.map(|(first, _)| told(first)),
                last_record: tally.span.map(|(_, last)| told(last)),
                since: question.since.map(told),
                until: question.until.map(told),
                timezone: question.zone.iana_name().unwrap_or("UTC").to_owned(),
                user: question.user.clone(),
                role: question.role.clone(),
            },
            rules: Versions {
                now: rules.map(|rules| rules.set.version.clone()),
                in_force: in_force.collect(),
                catalog_of: rules.and_then(|rules| rules.database).map(str::to_owned),
            },
            totals: Totals {
                counts: tally.all.counts,
                users: tally.users.len(),
                logins: tally.all.logins,
                failed_logins: failed.fold(0, u64::saturating_add),
                lookups: tally.all.lookups,
            },
            alarms: tally.alarms.clone(),
            found: found(tally),
            roles: by_rows(tally.roles.iter().map(line).collect()),
            purposes: by_rows(tally.purposes.iter().map(line).collect()),
            kinds: kinds(tally, rules.is_some()),
            users: by_rows(tally.users.iter().map(line).collect()),
            end_users: end_users(tally),
            refusals,
            failed_logins: failed_logins(tally, told),
            lookups: lookups(tally),
            grants: tally.grants.told(),
            unusual_volume,
            unusual_hours: habits()
                .flat_map(|(user, days)| habits::hours(user, days, is_asked))
                .collect(),
            without_habits: few.map(|(user, _)| user.clone()).collect(),
            unused: rules
                .filter(|_| question.user.is_none())
                .map(|rules| unused(rules.set, rules.picture, tally)),
            unclassified: rules.map(|rules| unclassified(rules, tally)),
            by_row: rules
                .filter(|_| question.user.is_none())
                .map(|rules| by_row(rules.set, question.role.as_deref())),
            days: days(tally),
            week: tally.week,
            notes: match &tally.subject {
                Some(_) => Vec::new(),
                None => notes(tally, rules),
            },
            subject: tally.subject.as_ref().map(Sightings::told),
        }
        .with_notes_of_subject()
    }

    fn with_notes_of_subject(mut self) -> Report {
        if let Some(subject) = &mut self.subject {
            self.notes = std::mem::take(&mut subject.notes);
        }
        self
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        let Report { made, trail, period, rules, subject, notes, .. } = self;
        let told = match subject {
            Some(subject) => serde_json::to_string_pretty(&OfSubject {
                made,
                trail,
                period,
                rules,
                subject,
                notes,
            }),
            None => serde_json::to_string_pretty(self),
        };
        told.unwrap_or_else(|error| format!("error: {error}"))
    }
}

/// A report about one row.
#[derive(Serialize)]
struct OfSubject<'a> {
    made: &'a str,
    trail: &'a TrailTold,
    period: &'a Period,
    rules: &'a Versions,
    subject: &'a SubjectTold,
    notes: &'a [Sentence],
}

/// Days from the first to the last one; those on which nothing happened too, unless there are too many to be shown.
fn days(tally: &Tally) -> Vec<DayTold> {
    let told = |day: Date, counts: Counts| DayTold { day: day.to_string(), counts };
    let (Some((first, _)), Some((last, _))) =
        (tally.days.first_key_value(), tally.days.last_key_value())
    else {
        return Vec::new();
    };
    let all: Vec<Date> = first.series(Span::new().days(1)).take(DAYS_MAX).collect();
    let all: Vec<Date> = all.into_iter().take_while(|day| day <= last).collect();
    if all.len() == DAYS_MAX {
        return tally.days.iter().map(|(day, counts)| told(*day, *counts)).collect();
    }
    all.into_iter()
        .map(|day| told(day, tally.days.get(&day).copied().unwrap_or_default()))
        .collect()
}

fn refusal((reason, refused): (&String, &super::tally::Refused)) -> Refusal {
    Refusal {
        reason: reason.clone(),
        count: refused.count,
        users: refused.users.clone(),
        roles: refused.roles.clone(),
        rules: refused.rules.clone(),
    }
}

fn kinds(tally: &Tally, has_rules: bool) -> Vec<Kind> {
    if !has_rules {
        return Vec::new();
    }
    let kinds = tally.kinds.iter().map(|(kind, counts)| Kind {
        kind: kind.clone(),
        statements_clear: counts.clear,
        statements_masked: counts.masked,
        rows_clear: counts.rows_clear,
        rows_masked: counts.rows_masked,
        users: counts.users.clone(),
        roles: counts.roles.clone(),
    });
    kinds.collect()
}

fn found(tally: &Tally) -> Vec<Found> {
    let all = tally.found.iter().map(|((kind, then, role), counts)| Found {
        kind: kind.clone(),
        then: then.clone(),
        role: role.clone(),
        count: counts.statements,
        users: counts.users.clone(),
    });
    all.collect()
}

fn end_users(tally: &Tally) -> Vec<EndUser> {
    let all = tally.end_users.iter().map(|((user, end_user), group)| EndUser {
        user: user.clone(),
        end_user: end_user.clone(),
        counts: group.counts,
        lookups: group.lookups,
    });
    let mut all: Vec<EndUser> = all.collect();
    all.sort_by_key(|line| std::cmp::Reverse((line.counts.rows, line.counts.statements)));
    all
}

fn failed_logins(tally: &Tally, told: impl Fn(Timestamp) -> String) -> Vec<FailedLogin> {
    let all = tally.failed_logins.iter().map(|((user, code), failed)| FailedLogin {
        claimed_user: user.clone(),
        sqlstate: code.clone(),
        count: failed.count,
        addresses: failed.addresses.clone(),
        last: told(failed.last),
    });
    let mut all: Vec<FailedLogin> = all.collect();
    all.sort_by_key(|line| std::cmp::Reverse(line.count));
    all
}

fn lookups(tally: &Tally) -> Vec<Lookup> {
    let all = tally.lookups.iter().map(|((column, user, role), (statements, values))| Lookup {
        column: column.clone(),
        user: user.clone(),
        role: role.clone(),
        statements: *statements,
        values: *values,
    });
    let mut all: Vec<Lookup> = all.collect();
    all.sort_by_key(|line| std::cmp::Reverse(line.values));
    all
}

/// Those of the catalog, and those of the trail; the ones that are read most first.
fn unclassified(rules: &Rules<'_>, tally: &Tally) -> Vec<Unclassified> {
    let mut all = tally.unclassified.clone();
    if let Some(database) = rules.database {
        for (name, relation) in rules.picture.roles.values().flat_map(|role| &role.relations) {
            let columns = relation.columns.iter().filter(|_| relation.parents.is_empty());
            for (column, _) in columns.filter(|(_, seen)| seen.decision.tag == UNCLASSIFIED) {
                all.entry((database.to_owned(), format!("{name}.{column}"))).or_default();
            }
        }
    }
    let all = all.into_iter().map(|((database, column), counts)| Unclassified {
        database,
        column,
        statements: counts.statements,
        users: counts.users,
    });
    let mut all: Vec<Unclassified> = all.collect();
    all.sort_by_key(|line| std::cmp::Reverse(line.statements));
    all
}

fn notes(tally: &Tally, rules: Option<&Rules<'_>>) -> Vec<Sentence> {
    let mut notes = Vec::new();
    if let Some(rules) = rules {
        let untouched = tally
            .roles
            .keys()
            .filter(|name| rules.set.roles.get(*name).is_some_and(|role| role.is_untouched()));
        let untouched: Vec<&str> = untouched.map(String::as_str).collect();
        if !untouched.is_empty() {
            notes.push(Sentence::new(Word::ReadingsUnknown, vec![untouched.join(", ")]));
        }
        let others = tally.rules.iter().any(|v| !v.is_empty() && *v != rules.set.version);
        if others {
            notes.push(Sentence::new(Word::OtherRules, Vec::new()));
        }
    }
    if tally.unknown > 0 {
        notes.push(Sentence::new(Word::NotUnderstood, vec![tally.unknown.to_string()]));
    }
    notes
}
