//! The report in sections: what text and HTML have in common.

use std::collections::BTreeSet;

use super::kinds::OPEN;
use super::tally::Counts;
use super::told::{Line, Report};
use super::words::{Language, Word};

/// Names in one cell; more are a number.
const NAMES_MAX: usize = 6;

/// A title, words and a table.
#[derive(Debug, Default)]
pub struct Section {
    /// Of its place in a page.
    pub id: &'static str,
    pub title: &'static str,
    /// Why, or how it is to be read.
    pub words: Option<String>,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
    /// What is said where there are no rows; `None`: the section is left out then.
    pub nothing: Option<&'static str>,
    pub chart: Option<Chart>,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub is_number: bool,
}

/// A picture of a section.
#[derive(Debug)]
pub enum Chart {
    /// Statements that were sent and refused, by day.
    Days(Vec<(String, u64, u64)>),
    /// Statements by day of the week and hour.
    Week(Box<[[u64; 24]; 7]>),
    /// Bars of one or two parts.
    Bars {
        /// What the parts are.
        parts: [&'static str; 2],
        bars: Vec<(String, u64, u64)>,
    },
}

pub(super) fn columns(language: Language, titles: &[Word]) -> Vec<Column> {
    // A title that begins with `#` is of numbers.
    let column = |title: &Word| match title.of(language).strip_prefix('#') {
        Some(title) => Column { title, is_number: true },
        None => Column { title: title.of(language), is_number: false },
    };
    titles.iter().map(column).collect()
}

/// `12,345`
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `3.4 MB`
fn size(bytes: u64) -> String {
    let mut rest = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if rest < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{rest:.1} {unit}") };
        }
        rest /= 1000.0;
    }
    format!("{rest:.1} TB")
}

pub(super) fn names(names: &BTreeSet<String>, language: Language) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => Word::AndMore.with(language, &[&shown.join(", "), &more.to_string()]),
    }
}

/// Around those of [`counted`] and of lookups.
fn of_counts(language: Language, before: &[Word], after: &[Word]) -> Vec<Column> {
    let counts = [
        Word::NumberStatements,
        Word::NumberRefused,
        Word::NumberRows,
        Word::NumberBytes,
        Word::NumberLookups,
    ];
    columns(language, &[before, &counts, after].concat())
}

fn counted(counts: &Counts) -> [String; 4] {
    let Counts { statements, refused, rows, bytes, .. } = counts;
    [number(*statements), number(*refused), number(*rows), size(*bytes)]
}

/// All sections, in their order.
pub fn sections(report: &Report, language: Language) -> Vec<Section> {
    if let Some(subject) = &report.subject {
        let mut all = super::about_subject::sections(subject, language);
        all.retain(|section| !section.rows.is_empty() || section.nothing.is_some());
        return all;
    }
    let mut all = vec![alarms(report, language), days(report, language), hours(report, language)];
    all.extend(of_people(report, language));
    all.extend([
        kinds(report, language),
        found(report, language),
        refusals(report, language),
        failed_logins(report, language),
        lookups(report, language),
        grants(report, language),
    ]);
    all.extend(unusual(report, language));
    all.extend(super::about_rules::sections(report, language));
    all.retain(|section| {
        !section.rows.is_empty() || section.nothing.is_some() || section.chart.is_some()
    });
    all
}

fn alarms(report: &Report, language: Language) -> Section {
    let rows = report.alarms.iter().map(|alarm| {
        let (session, statement) = (alarm.session.to_string(), alarm.statement.to_string());
        let place = Word::Place.with(language, &[&session, &statement]);
        vec![alarm.time.clone(), alarm.user.clone(), alarm.role.clone(), place]
    });
    Section {
        id: "alarms",
        title: Word::Alarms.of(language),
        words: Some(Word::AlarmsWords.of(language).to_owned()),
        columns: columns(language, &[Word::Time, Word::User, Word::Role, Word::Where]),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn days(report: &Report, language: Language) -> Section {
    let bars = report.days.iter();
    let bars = bars.map(|day| (day.day.clone(), day.counts.statements, day.counts.refused));
    let rows = report.days.iter().map(|day| {
        let mut row = vec![day.day.clone()];
        row.extend(counted(&day.counts));
        row
    });
    Section {
        id: "days",
        title: Word::ByDay.of(language),
        columns: columns(
            language,
            &[
                Word::Day,
                Word::NumberStatements,
                Word::NumberRefused,
                Word::NumberRows,
                Word::NumberBytes,
            ],
        ),
        rows: rows.collect(),
        nothing: Some(Word::NoStatements.of(language)),
        chart: (!report.days.is_empty()).then(|| Chart::Days(bars.collect())),
        ..Section::default()
    }
}

fn hours(report: &Report, language: Language) -> Section {
    let is_empty = report.week.iter().flatten().all(|count| *count == 0);
    Section {
        id: "hours",
        title: Word::ByHour.of(language),
        chart: (!is_empty).then(|| Chart::Week(Box::new(report.week))),
        ..Section::default()
    }
}

fn of_people(report: &Report, language: Language) -> [Section; 4] {
    let row = |line: &Line, last: &BTreeSet<String>| {
        let name = if line.name.is_empty() { Word::NoneStated.of(language) } else { &line.name };
        let mut row = vec![name.to_owned()];
        row.extend(counted(&line.counts));
        row.extend([number(line.lookups), names(last, language)]);
        row
    };
    let bars = |lines: &[Line]| Chart::Bars {
        parts: [Word::RowsGiven.of(language), ""],
        bars: lines.iter().map(|line| (line.name.clone(), line.counts.rows, 0)).collect(),
    };
    let end_users = report.end_users.iter().map(|line| {
        let mut row = vec![line.end_user.clone(), line.user.clone()];
        row.extend(counted(&line.counts));
        row.push(number(line.lookups));
        row
    });
    [
        Section {
            id: "roles",
            title: Word::ByRole.of(language),
            columns: of_counts(language, &[Word::Role], &[Word::Users]),
            rows: report.roles.iter().map(|line| row(line, &line.users)).collect(),
            ..Section::default()
        },
        Section {
            id: "purposes",
            title: Word::ByPurpose.of(language),
            columns: of_counts(language, &[Word::Purpose], &[Word::Users]),
            rows: report.purposes.iter().map(|line| row(line, &line.users)).collect(),
            ..Section::default()
        },
        Section {
            id: "users",
            title: Word::ByUser.of(language),
            columns: of_counts(language, &[Word::User], &[Word::Roles]),
            rows: report.users.iter().map(|line| row(line, &line.roles)).collect(),
            chart: (!report.users.is_empty()).then(|| bars(&report.users)),
            ..Section::default()
        },
        Section {
            id: "end-users",
            title: Word::ByEndUser.of(language),
            columns: of_counts(language, &[Word::Whom, Word::User], &[]),
            rows: end_users.collect(),
            ..Section::default()
        },
    ]
}

fn kinds(report: &Report, language: Language) -> Section {
    let rows = report.kinds.iter().map(|kind| {
        vec![
            kind.kind.clone(),
            number(kind.statements_clear),
            number(kind.statements_masked),
            number(kind.rows_clear),
            number(kind.rows_masked),
            names(&kind.roles, language),
            names(&kind.users, language),
        ]
    });
    // What is open holds nothing personal, and would make everything else small.
    let bars = report
        .kinds
        .iter()
        .filter(|kind| kind.kind != OPEN)
        .map(|kind| (kind.kind.clone(), kind.statements_masked, kind.statements_clear));
    Section {
        id: "kinds",
        title: Word::ByKind.of(language),
        words: Some(Word::ByKindWords.of(language).to_owned()),
        columns: columns(
            language,
            &[
                Word::Kind,
                Word::NumberClear,
                Word::NumberMasked,
                Word::NumberRowsClear,
                Word::NumberRowsMasked,
                Word::Roles,
                Word::Users,
            ],
        ),
        rows: rows.collect(),
        chart: report.kinds.iter().any(|kind| kind.kind != OPEN).then(|| Chart::Bars {
            parts: [Word::Masked.of(language), Word::Clear.of(language)],
            bars: bars.collect(),
        }),
        ..Section::default()
    }
}

fn found(report: &Report, language: Language) -> Section {
    let rows = report.found.iter().map(|found| {
        let (kind, then, role) = (found.kind.clone(), found.then.clone(), found.role.clone());
        vec![kind, then, role, number(found.count), names(&found.users, language)]
    });
    Section {
        id: "found",
        title: Word::Found.of(language),
        words: Some(Word::FoundWords.of(language).to_owned()),
        columns: columns(
            language,
            &[Word::LooksLike, Word::Then, Word::Role, Word::NumberColumns, Word::Users],
        ),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn refusals(report: &Report, language: Language) -> Section {
    let rows = report.refusals.iter().map(|refusal| {
        vec![
            refusal.reason.clone(),
            number(refusal.count),
            names(&refusal.users, language),
            names(&refusal.roles, language),
            names(&refusal.rules, language),
        ]
    });
    let bars = report.refusals.iter().map(|refusal| (refusal.reason.clone(), refusal.count, 0));
    Section {
        id: "refusals",
        title: Word::Refusals.of(language),
        columns: columns(
            language,
            &[Word::Reason, Word::NumberRefused, Word::Users, Word::Roles, Word::Rules],
        ),
        rows: rows.collect(),
        nothing: Some(Word::NothingRefused.of(language)),
        chart: (!report.refusals.is_empty())
            .then(|| Chart::Bars { parts: [Word::Refused.of(language), ""], bars: bars.collect() }),
        ..Section::default()
    }
}

fn failed_logins(report: &Report, language: Language) -> Section {
    let rows = report.failed_logins.iter().map(|failed| {
        vec![
            failed.claimed_user.clone(),
            failed.sqlstate.clone(),
            number(failed.count),
            names(&failed.addresses, language),
            failed.last.clone(),
        ]
    });
    Section {
        id: "failed-logins",
        title: Word::FailedLogins.of(language),
        words: Some(Word::FailedLoginsWords.of(language).to_owned()),
        columns: columns(
            language,
            &[Word::ClaimedUser, Word::Sqlstate, Word::NumberLogins, Word::From, Word::Last],
        ),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn lookups(report: &Report, language: Language) -> Section {
    let rows = report.lookups.iter().map(|lookup| {
        let (statements, values) = (number(lookup.statements), number(lookup.values));
        let (user, role) = (lookup.user.clone(), lookup.role.clone());
        vec![lookup.column.clone(), user, role, statements, values]
    });
    Section {
        id: "lookups",
        title: Word::LookupsTitle.of(language),
        columns: columns(
            language,
            &[Word::Column, Word::User, Word::Role, Word::NumberStatements, Word::NumberValues],
        ),
        rows: rows.collect(),
        nothing: Some(Word::NothingLookedUp.of(language)),
        ..Section::default()
    }
}

fn grants(report: &Report, language: Language) -> Section {
    let rows = report.grants.iter().map(|granted| {
        let glass = match granted.is_break_glass {
            true => format!(" {}", Word::BreakGlass.of(language)),
            false => String::new(),
        };
        let keys = granted
            .keys
            .iter()
            .map(|(column, keys)| format!("{column}: {}", names(keys, language)));
        let steps = granted.happened.iter().map(|step| step.told(language));
        vec![
            format!("{}{glass}", granted.grant),
            granted.user.clone(),
            granted.role.clone(),
            granted.opens.clone(),
            granted.because.clone(),
            steps.collect::<Vec<_>>().join("; "),
            number(granted.statements),
            number(granted.cells),
            keys.collect::<Vec<_>>().join("; "),
        ]
    });
    Section {
        id: "grants",
        title: Word::Grants.of(language),
        words: Some(Word::GrantsWords.of(language).to_owned()),
        columns: columns(
            language,
            &[
                Word::Grant,
                Word::User,
                Word::Role,
                Word::Opens,
                Word::Because,
                Word::WhatHappened,
                Word::NumberStatements,
                Word::NumberCells,
                Word::Keys,
            ],
        ),
        rows: rows.collect(),
        ..Section::default()
    }
}

/// What there was too much of; a word of the JSON.
fn measured(of: &str, language: Language) -> String {
    let word = match of {
        "rows" => Word::Rows,
        "statements" => Word::Statements,
        "refused" => Word::Refused,
        "lookups" => Word::Lookups,
        other => return other.to_owned(),
    };
    word.of(language).to_owned()
}

fn unusual(report: &Report, language: Language) -> [Section; 2] {
    let volume = report.unusual_volume.iter().map(|day| {
        vec![
            day.user.clone(),
            day.day.clone(),
            measured(day.of, language),
            number(day.count),
            format!("{:.0}", day.usual),
            format!("{:.1}", day.score),
            number(u64::try_from(day.days).unwrap_or(u64::MAX)),
        ]
    });
    let hours = report.unusual_hours.iter().map(|day| {
        let hours: Vec<String> = day.hours.iter().map(|hour| format!("{hour:02}:00")).collect();
        let others = u64::try_from(day.other_days).unwrap_or(u64::MAX);
        vec![day.user.clone(), day.day.clone(), hours.join(", "), number(others)]
    });
    let few = match report.without_habits.as_slice() {
        [] => String::new(),
        users => {
            let users: BTreeSet<String> = users.iter().cloned().collect();
            let least = super::habits::DAYS_MIN.to_string();
            format!(" {}", Word::FewDays.with(language, &[&least, &names(&users, language)]))
        }
    };
    [
        Section {
            id: "unusual-volume",
            title: Word::UnusualVolume.of(language),
            words: Some(format!("{}{few}", Word::UnusualVolumeWords.of(language))),
            columns: columns(
                language,
                &[
                    Word::User,
                    Word::Day,
                    Word::Of,
                    Word::NumberCount,
                    Word::NumberUsual,
                    Word::NumberDeviations,
                    Word::NumberDays,
                ],
            ),
            rows: volume.collect(),
            nothing: Some(Word::None.of(language)),
            ..Section::default()
        },
        Section {
            id: "unusual-hours",
            title: Word::UnusualHours.of(language),
            words: Some(Word::UnusualHoursWords.of(language).to_owned()),
            columns: columns(
                language,
                &[Word::User, Word::Day, Word::Hours, Word::NumberOtherDays],
            ),
            rows: hours.collect(),
            nothing: Some(Word::None.of(language)),
            ..Section::default()
        },
    ]
}
