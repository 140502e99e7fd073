//! What stands on top of the report: where it comes from, what it is about, and the figures of all.

use super::about_subject::called;
use super::sections::number;
use super::tally::Counts;
use super::told::Report;

/// What the report is about, line by line.
pub fn head(report: &Report) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(subject) = &report.subject {
        lines.push(("subject", called(subject)));
    }
    let trail = &report.trail;
    let files = match trail.files.as_slice() {
        [file] => file.clone(),
        [first, .., last] => format!("{} files, {first} to {last}", trail.files.len()),
        [] => "no file".to_owned(),
    };
    lines.push(("audit trail", files));
    let records = match trail.records {
        0 => "none".to_owned(),
        count => format!(
            "{}, number {} to {}, {} to {}",
            number(count),
            number(trail.first),
            number(trail.last),
            report.period.first_record.as_deref().unwrap_or_default(),
            report.period.last_record.as_deref().unwrap_or_default(),
        ),
    };
    lines.push(("records", records));
    lines.push((
        "chain",
        match (&trail.broken, trail.is_partial) {
            (Some(fault), _) => format!("NOT VERIFIED: {fault}"),
            (None, true) => {
                "whole from its first record here; what was before is not looked at".into()
            }
            (None, false) => "whole".into(),
        },
    ));
    let period = &report.period;
    if period.since.is_some() || period.until.is_some() {
        let (since, until) = (period.since.as_deref(), period.until.as_deref());
        let text = format!("{} to {}", since.unwrap_or("…"), until.unwrap_or("…"));
        lines.push(("period", text));
    }
    for (what, who) in [("user", &period.user), ("role", &period.role)] {
        lines.extend(who.iter().map(|who| (what, who.clone())));
    }
    lines.push(("days and hours", period.timezone.clone()));
    if let Some(now) = &report.rules.now {
        let by = match &report.rules.catalog_of {
            Some(database) => format!("{now}, with the catalog of {database}"),
            None => format!("{now}, the database was not asked"),
        };
        lines.push(("rules now", by));
    }
    if !report.rules.in_force.is_empty() {
        lines.push(("in force were", report.rules.in_force.join(", ")));
    }
    lines
}

/// The figures on top.
pub fn figures(report: &Report) -> Vec<(&'static str, String)> {
    if let Some(subject) = &report.subject {
        let listed = |count: usize, more: u64| {
            number(u64::try_from(count).unwrap_or(u64::MAX).saturating_add(more))
        };
        let possible = subject.possible.iter().map(|one| one.statements);
        return vec![
            ("seen by statements", listed(subject.seen.len(), subject.seen_not_listed)),
            ("opened to statements", listed(subject.opened.len(), subject.opened_not_listed)),
            ("possibly seen by statements", number(possible.fold(0, u64::saturating_add))),
        ];
    }
    let totals = &report.totals;
    let Counts { statements, refused, rows, .. } = totals.counts;
    vec![
        ("statements", number(statements)),
        ("refused", number(refused)),
        ("rows given", number(rows)),
        ("users", number(u64::try_from(totals.users).unwrap_or(u64::MAX))),
        ("logins", number(totals.logins)),
        ("logins that failed", number(totals.failed_logins)),
        ("values looked up", number(totals.lookups)),
    ]
}
