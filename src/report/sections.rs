//! The report in sections: what text and HTML have in common.

use std::collections::BTreeSet;

use super::kinds::OPEN;
use super::tally::Counts;
use super::told::{Line, Report};

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

pub(super) fn columns(titles: &[&'static str]) -> Vec<Column> {
    // A title that begins with `#` is of numbers.
    let column = |title: &&'static str| match title.strip_prefix('#') {
        Some(title) => Column { title, is_number: true },
        None => Column { title, is_number: false },
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

fn names(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn counted(counts: &Counts) -> [String; 4] {
    let Counts { statements, refused, rows, bytes, .. } = counts;
    [number(*statements), number(*refused), number(*rows), size(*bytes)]
}

/// All sections, in their order.
pub fn sections(report: &Report) -> Vec<Section> {
    if let Some(subject) = &report.subject {
        let mut all = super::about_subject::sections(subject);
        all.retain(|section| !section.rows.is_empty() || section.nothing.is_some());
        return all;
    }
    let mut all = vec![alarms(report), days(report), hours(report)];
    all.extend(of_people(report));
    all.extend([
        kinds(report),
        found(report),
        refusals(report),
        failed_logins(report),
        lookups(report),
        grants(report),
    ]);
    all.extend(unusual(report));
    all.extend(of_rules(report));
    all.retain(|section| {
        !section.rows.is_empty() || section.nothing.is_some() || section.chart.is_some()
    });
    all
}

fn alarms(report: &Report) -> Section {
    let rows = report.alarms.iter().map(|alarm| {
        let place = format!("session {}, statement {}", alarm.session, alarm.statement);
        vec![alarm.time.clone(), alarm.user.clone(), alarm.role.clone(), place]
    });
    Section {
        id: "alarms",
        title: "ALARMS of the guard",
        words: Some(
            "Each is a defect of Scrim: the result was stopped, and no value was sent.".into(),
        ),
        columns: columns(&["time", "user", "role", "where"]),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn days(report: &Report) -> Section {
    let bars = report.days.iter();
    let bars = bars.map(|day| (day.day.clone(), day.counts.statements, day.counts.refused));
    let rows = report.days.iter().map(|day| {
        let mut row = vec![day.day.clone()];
        row.extend(counted(&day.counts));
        row
    });
    Section {
        id: "days",
        title: "By day",
        columns: columns(&["day", "#statements", "#refused", "#rows", "#bytes"]),
        rows: rows.collect(),
        nothing: Some("no statement in this period"),
        chart: (!report.days.is_empty()).then(|| Chart::Days(bars.collect())),
        ..Section::default()
    }
}

fn hours(report: &Report) -> Section {
    let is_empty = report.week.iter().flatten().all(|count| *count == 0);
    Section {
        id: "hours",
        title: "By day of the week and hour",
        chart: (!is_empty).then(|| Chart::Week(Box::new(report.week))),
        ..Section::default()
    }
}

fn of_people(report: &Report) -> [Section; 4] {
    let row = |line: &Line, last: &BTreeSet<String>| {
        let name = if line.name.is_empty() { "(none stated)" } else { &line.name };
        let mut row = vec![name.to_owned()];
        row.extend(counted(&line.counts));
        row.extend([number(line.lookups), names(last)]);
        row
    };
    let bars = |lines: &[Line]| Chart::Bars {
        parts: ["rows given", ""],
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
            title: "By role",
            columns: columns(&[
                "role",
                "#statements",
                "#refused",
                "#rows",
                "#bytes",
                "#lookups",
                "users",
            ]),
            rows: report.roles.iter().map(|line| row(line, &line.users)).collect(),
            ..Section::default()
        },
        Section {
            id: "purposes",
            title: "By purpose",
            columns: columns(&[
                "purpose",
                "#statements",
                "#refused",
                "#rows",
                "#bytes",
                "#lookups",
                "users",
            ]),
            rows: report.purposes.iter().map(|line| row(line, &line.users)).collect(),
            ..Section::default()
        },
        Section {
            id: "users",
            title: "By user",
            columns: columns(&[
                "user",
                "#statements",
                "#refused",
                "#rows",
                "#bytes",
                "#lookups",
                "roles",
            ]),
            rows: report.users.iter().map(|line| row(line, &line.roles)).collect(),
            chart: (!report.users.is_empty()).then(|| bars(&report.users)),
            ..Section::default()
        },
        Section {
            id: "end-users",
            title: "By whom users act for",
            columns: columns(&[
                "for",
                "user",
                "#statements",
                "#refused",
                "#rows",
                "#bytes",
                "#lookups",
            ]),
            rows: end_users.collect(),
            ..Section::default()
        },
    ]
}

fn kinds(report: &Report) -> Section {
    let rows = report.kinds.iter().map(|kind| {
        vec![
            kind.kind.clone(),
            number(kind.statements_clear),
            number(kind.statements_masked),
            number(kind.rows_clear),
            number(kind.rows_masked),
            names(&kind.roles),
            names(&kind.users),
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
        title: "By kind of data",
        words: Some(
            "Statements that read a column of the kind, clear or through masks alone, in conditions too; rows are \
             those of their results."
                .into(),
        ),
        columns: columns(&[
            "kind", "#clear", "#masked", "#rows clear", "#rows masked", "roles", "users",
        ]),
        rows: rows.collect(),
        chart: report
            .kinds
            .iter()
            .any(|kind| kind.kind != OPEN)
            .then(|| Chart::Bars { parts: ["masked", "clear"], bars: bars.collect() }),
        ..Section::default()
    }
}

fn found(report: &Report) -> Section {
    let rows = report.found.iter().map(|found| {
        let (kind, then, role) = (found.kind.clone(), found.then.clone(), found.role.clone());
        vec![kind, then, role, number(found.count), names(&found.users)]
    });
    Section {
        id: "found",
        title: "Found in results by the guard of a role",
        words: Some("Columns of results in which something of the kind was, each once.".into()),
        columns: columns(&["looks like", "then", "role", "#columns", "users"]),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn refusals(report: &Report) -> Section {
    let rows = report.refusals.iter().map(|refusal| {
        vec![
            refusal.reason.clone(),
            number(refusal.count),
            names(&refusal.users),
            names(&refusal.roles),
            names(&refusal.rules),
        ]
    });
    let bars = report.refusals.iter().map(|refusal| (refusal.reason.clone(), refusal.count, 0));
    Section {
        id: "refusals",
        title: "Refusals by reason",
        columns: columns(&["reason", "#refused", "users", "roles", "rules"]),
        rows: rows.collect(),
        nothing: Some("nothing was refused"),
        chart: (!report.refusals.is_empty())
            .then(|| Chart::Bars { parts: ["refused", ""], bars: bars.collect() }),
        ..Section::default()
    }
}

fn failed_logins(report: &Report) -> Section {
    let rows = report.failed_logins.iter().map(|failed| {
        vec![
            failed.claimed_user.clone(),
            failed.sqlstate.clone(),
            number(failed.count),
            names(&failed.addresses),
            failed.last.clone(),
        ]
    });
    Section {
        id: "failed-logins",
        title: "Logins that failed",
        words: Some("The names are what clients claimed.".into()),
        columns: columns(&["claimed user", "SQLSTATE", "#logins", "from", "last"]),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn lookups(report: &Report) -> Section {
    let rows = report.lookups.iter().map(|lookup| {
        let (statements, values) = (number(lookup.statements), number(lookup.values));
        let (user, role) = (lookup.user.clone(), lookup.role.clone());
        vec![lookup.column.clone(), user, role, statements, values]
    });
    Section {
        id: "lookups",
        title: "Lookups by true values",
        columns: columns(&["column", "user", "role", "#statements", "#values"]),
        rows: rows.collect(),
        nothing: Some("nothing was looked up"),
        ..Section::default()
    }
}

fn grants(report: &Report) -> Section {
    let rows = report.grants.iter().map(|granted| {
        let glass = if granted.is_break_glass { " BREAK-GLASS" } else { "" };
        let keys = granted.keys.iter().map(|(column, keys)| format!("{column}: {}", names(keys)));
        vec![
            format!("{}{glass}", granted.grant),
            granted.user.clone(),
            granted.role.clone(),
            granted.opens.clone(),
            granted.because.clone(),
            granted.happened.join("; "),
            number(granted.statements),
            number(granted.cells),
            keys.collect::<Vec<_>>().join("; "),
        ]
    });
    Section {
        id: "grants",
        title: "Temporary access",
        words: Some(
            "Cells are those that statements could see by a grant, in every row that it opens, each time counted; \
             `*` is every row that the role sees."
                .into(),
        ),
        columns: columns(&[
            "grant",
            "user",
            "role",
            "opens",
            "because",
            "what happened",
            "#statements",
            "#cells",
            "keys",
        ]),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn unusual(report: &Report) -> [Section; 2] {
    let volume = report.unusual_volume.iter().map(|day| {
        vec![
            day.user.clone(),
            day.day.clone(),
            day.of.to_owned(),
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
            format!(" Fewer than {} active days: {}.", super::habits::DAYS_MIN, names(&users))
        }
    };
    [
        Section {
            id: "unusual-volume",
            title: "Unusual volume",
            words: Some(format!(
                "Days of a user more than 3.5 deviations (1.4826 MAD) over the median of the user's own active days.{few}"
            )),
            columns: columns(&["user", "day", "of", "#count", "#usual", "#deviations", "#days"]),
            rows: volume.collect(),
            nothing: Some("none"),
            ..Section::default()
        },
        Section {
            id: "unusual-hours",
            title: "Unusual hours",
            words: Some(
                "Hours in which, give or take one, the user does nothing on 19 of 20 other days."
                    .into(),
            ),
            columns: columns(&["user", "day", "hours", "#other days"]),
            rows: hours.collect(),
            nothing: Some("none"),
            ..Section::default()
        },
    ]
}

fn of_rules(report: &Report) -> Vec<Section> {
    let mut all = Vec::new();
    if let Some(unused) = &report.unused {
        let rows = unused.iter().map(|one| {
            let what = match one.what {
                "user" => "a user who did not log in",
                "role" => "a role that nobody used",
                "role_of_user" => "a role that the user did not use",
                "acts_for_others" => "acts_for_others",
                "data" => "data that the role did not read",
                "may" => "may",
                "lookup" => "lookup",
                "purpose" => "a purpose that nobody stated",
                other => other,
            };
            let columns: BTreeSet<String> = one.columns.iter().cloned().collect();
            vec![
                one.whose.clone(),
                what.to_owned(),
                one.which.clone(),
                names(&columns),
                one.rule.clone().unwrap_or_default(),
            ]
        });
        all.push(Section {
            id: "unused",
            title: "Permissions that nobody used",
            words: Some(
                "In this period; by the rules as they are now. Functions and channels are not in the audit.".into(),
            ),
            columns: columns(&["whose", "what", "which", "columns", "rule"]),
            rows: rows.collect(),
            nothing: Some("all of them were used"),
            ..Section::default()
        });
    }
    if let Some(unclassified) = &report.unclassified {
        let rows = unclassified.iter().map(|one| {
            vec![
                one.column.clone(),
                one.database.clone(),
                number(one.statements),
                names(&one.users),
            ]
        });
        let words = match report.rules.catalog_of {
            Some(_) => None,
            None => Some("Of those that were read; the database was not asked.".to_owned()),
        };
        all.push(Section {
            id: "unclassified",
            title: "Columns that nobody has classified",
            words,
            columns: columns(&["column", "database", "#statements", "users"]),
            rows: rows.collect(),
            nothing: Some("none"),
            ..Section::default()
        });
    }
    all
}
