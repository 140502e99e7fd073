//! What stands on top of the report: where it comes from, what it is about, and the figures of all.

use super::about_subject::called;
use super::sections::number;
use super::tally::Counts;
use super::told::Report;
use super::words::{Language, Word};

/// What the report is about, line by line.
pub fn head(report: &Report, language: Language) -> Vec<(&'static str, String)> {
    let say = |word: Word| word.of(language);
    let mut lines = Vec::new();
    if let Some(subject) = &report.subject {
        lines.push((say(Word::Subject), called(subject)));
    }
    let trail = &report.trail;
    let files = match trail.files.as_slice() {
        [file] => file.clone(),
        [first, .., last] => {
            let count = trail.files.len().to_string();
            Word::FilesFromTo.with(language, &[&count, first, last])
        }
        [] => say(Word::NoFile).to_owned(),
    };
    lines.push((say(Word::AuditTrail), files));
    let records = match trail.records {
        0 => say(Word::None).to_owned(),
        count => Word::RecordsFromTo.with(
            language,
            &[
                &number(count),
                &number(trail.first),
                &number(trail.last),
                report.period.first_record.as_deref().unwrap_or_default(),
                report.period.last_record.as_deref().unwrap_or_default(),
            ],
        ),
    };
    lines.push((say(Word::Records), records));
    lines.push((
        say(Word::Chain),
        match (&trail.broken, trail.is_partial) {
            (Some(fault), _) => Word::NotVerified.with(language, &[fault]),
            (None, true) => say(Word::WholeFromHere).to_owned(),
            (None, false) => say(Word::Whole).to_owned(),
        },
    ));
    let period = &report.period;
    if period.since.is_some() || period.until.is_some() {
        let (since, until) = (period.since.as_deref(), period.until.as_deref());
        let ends = [since.unwrap_or("…"), until.unwrap_or("…")];
        lines.push((say(Word::Period), Word::FromTo.with(language, &ends)));
    }
    for (what, who) in [(say(Word::User), &period.user), (say(Word::Role), &period.role)] {
        lines.extend(who.iter().map(|who| (what, who.clone())));
    }
    lines.push((say(Word::DaysAndHours), period.timezone.clone()));
    if let Some(now) = &report.rules.now {
        let by = match &report.rules.catalog_of {
            Some(database) => Word::WithCatalog.with(language, &[now, database]),
            None => Word::NotAsked.with(language, &[now]),
        };
        lines.push((say(Word::RulesNow), by));
    }
    if !report.rules.in_force.is_empty() {
        lines.push((say(Word::InForceWere), report.rules.in_force.join(", ")));
    }
    lines
}

/// The figures on top.
pub fn figures(report: &Report, language: Language) -> Vec<(&'static str, String)> {
    let say = |word: Word| word.of(language);
    if let Some(subject) = &report.subject {
        let listed = |count: usize, more: u64| {
            number(u64::try_from(count).unwrap_or(u64::MAX).saturating_add(more))
        };
        let possible = subject.possible.iter().map(|one| one.statements);
        return vec![
            (say(Word::SeenByStatements), listed(subject.seen.len(), subject.seen_not_listed)),
            (
                say(Word::OpenedToStatements),
                listed(subject.opened.len(), subject.opened_not_listed),
            ),
            (say(Word::PossiblyByStatements), number(possible.fold(0, u64::saturating_add))),
        ];
    }
    let totals = &report.totals;
    let Counts { statements, refused, rows, .. } = totals.counts;
    vec![
        (say(Word::Statements), number(statements)),
        (say(Word::Refused), number(refused)),
        (say(Word::RowsGiven), number(rows)),
        (say(Word::Users), number(u64::try_from(totals.users).unwrap_or(u64::MAX))),
        (say(Word::Logins), number(totals.logins)),
        (say(Word::LoginsFailed), number(totals.failed_logins)),
        (say(Word::ValuesLookedUp), number(totals.lookups)),
    ]
}
