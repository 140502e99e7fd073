//! From what is known of a column to what it holds.
//!
//! A name says something by itself, values say more, and both together most. Where values contradict a name the name loses
//! most of its weight. What is proposed has a confidence and the evidence for it, made of numbers and of words that stand
//! in Scrim's own lists: no value.

use super::counts::Counts;
use super::document::{self, Place};
use super::facts::{Column, Form, Sample, Table};
use super::harmless;
use super::kind::Kind;
use super::names::{Said, is_about_people, said_by_comment, said_by_name};
use super::tokens::words;
use super::values::year_of;

/// What is less sure is not proposed.
pub const CONFIDENCE_MIN: f32 = 0.5;

/// What a column is judged to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It should have a tag.
    Personal(Finding),
    /// It could be open, for this reason.
    Harmless(&'static str),
    /// Nothing speaks for either.
    Unknown,
}

/// A tag that is proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What the column holds.
    pub kind: Kind,
    /// From [`CONFIDENCE_MIN`] to 1: an order, no probability.
    pub confidence: f32,
    /// Why, for people.
    pub evidence: Vec<String>,
    /// In documents: where what was found.
    pub places: Vec<Place>,
}

/// Judges the columns of a table. `samples` are in the order of the columns; none: only names and types are known.
pub fn judge(table: &Table, samples: &[Option<Sample>]) -> Vec<Verdict> {
    let people = is_about_people(&table.name);
    let table_words = words(&table.name);
    let written = table_words.iter().any(|word| WRITTEN.contains(&word.as_str()));
    let surroundings = Surroundings { people, written };
    let columns = table.columns.iter().enumerate();
    let verdict = |(index, column): (usize, &Column)| {
        let sample = samples.get(index).and_then(Option::as_ref);
        match judge_column(column, sample, surroundings) {
            Some(finding) => Verdict::Personal(finding),
            None => harmless::reason(column, sample).map_or(Verdict::Unknown, Verdict::Harmless),
        }
    };
    columns.map(verdict).collect()
}

/// Gives columns that refer to a column of another table what that holds.
pub fn follow_keys(tables: &[Table], verdicts: &mut [Vec<Verdict>]) {
    // A key may refer to a key that refers.
    for _ in 0..3 {
        let before = verdicts.to_vec();
        for (table, own) in tables.iter().zip(verdicts.iter_mut()) {
            for (column, verdict) in table.columns.iter().zip(own.iter_mut()) {
                let Some((schema, relation, name)) = &column.references else { continue };
                let place = tables.iter().position(|t| t.schema == *schema && t.name == *relation);
                let target = place.and_then(|index| {
                    let at = tables.get(index)?.columns.iter().position(|c| c.name == *name)?;
                    before.get(index)?.get(at)
                });
                match (target, &verdict) {
                    (Some(Verdict::Personal(found)), Verdict::Unknown | Verdict::Harmless(_)) => {
                        *verdict = Verdict::Personal(Finding {
                            kind: found.kind,
                            confidence: found.confidence,
                            evidence: vec!["key: refers to a column that holds them".into()],
                            places: Vec::new(),
                        });
                    }
                    // What is referred to is not harmless, so neither is this.
                    (Some(Verdict::Unknown), Verdict::Harmless(_)) => *verdict = Verdict::Unknown,
                    _ => {}
                }
            }
        }
    }
}

/// Tables in which people write.
const WRITTEN: &[&str] = &[
    "ticket",
    "tickets",
    "case",
    "cases",
    "issue",
    "issues",
    "message",
    "messages",
    "mail",
    "mails",
    "inquiry",
    "claim",
    "claims",
    "complaint",
    "complaints",
    "support",
    "review",
    "reviews",
    "contact",
    "contacts",
    "chat",
    "comment",
    "comments",
    "sms",
    "email",
    "emails",
    "conversation",
    "conversations",
    "outbox",
    "note",
    "notes",
    "cvlcpt",
    "feedback",
];

#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    people: bool,
    written: bool,
}

fn judge_column(column: &Column, sample: Option<&Sample>, around: Surroundings) -> Option<Finding> {
    let comment = column.comment.as_ref().and_then(|comment| said_by_comment(comment.look()));
    let said = choose(said_by_name(&column.name), comment, column.form);
    let rows = sample.map_or(0, |sample| sample.rows);
    let texts: Vec<&str> = sample
        .map(|sample| sample.values.iter().map(|value| value.look()).collect())
        .unwrap_or_default();
    if column.form == Form::Json || column.is_array || document::is_mostly_json(&texts) {
        let scalars = document::scalars_of_arrays(&texts);
        if let (true, Some(scalars)) = (column.form != Form::Json, scalars) {
            let scalars: Vec<&str> = scalars.iter().map(String::as_str).collect();
            return judge_values(&column.name, column.form, said, &scalars, rows > 0, around);
        }
        return document::judge(&texts, said, around);
    }
    judge_values(&column.name, column.form, said, &texts, rows > 0, around)
}

/// A name that says nothing, or that it is nobody's, gives way to a comment that says something.
fn choose(name: Option<Said>, comment: Option<Said>, form: Form) -> Option<Said> {
    let fits = |said: &Said| said.kind.is_none_or(|kind| kind.fits(form));
    let (name, comment) = (name.filter(fits), comment.filter(fits));
    match (name, comment) {
        (Some(name), Some(comment)) => {
            let comment_wins =
                comment.kind.is_some() && (name.kind.is_none() || comment.strength > name.strength);
            Some(if comment_wins { comment } else { name })
        }
        (name, comment) => name.or(comment),
    }
}

/// Judges plain values under a name; also those at one place of documents. `looked`: there was something to look at.
pub(super) fn judge_values(
    name: &str,
    form: Form,
    said: Option<Said>,
    values: &[&str],
    looked: bool,
    around: Surroundings,
) -> Option<Finding> {
    let values: Vec<&str> =
        values.iter().map(|value| value.trim()).filter(|v| !v.is_empty()).collect();
    let counts = Counts::of(&values);
    let by_name = said.and_then(|said| said.kind.map(|kind| (kind, said)));
    if let Some((kind, confidence)) = by_values(form, &counts, said) {
        let agreed = by_name.filter(|(named, _)| prefers_name(*named, kind, &counts));
        return Some(match agreed {
            Some((named, said)) => {
                let sure = 1.0 - (1.0 - said.strength) * 0.3;
                finding(named, sure, vec![name_evidence(said), counts.evidence(kind)])
            }
            None => {
                let named = by_name.filter(|(named, _)| *named == kind);
                let mut evidence: Vec<String> =
                    named.map(|(_, said)| name_evidence(said)).into_iter().collect();
                evidence.push(counts.evidence(kind));
                let sure = named.map_or(confidence, |(_, said)| {
                    1.0 - (1.0 - confidence) * (1.0 - said.strength)
                });
                finding(kind, sure, evidence)
            }
        });
    }
    let found = match by_name {
        Some((kind, said)) => named(kind, said, &counts, looked, around),
        None => None,
    };
    let fallback = || {
        let nobody = said.is_some_and(|said| said.kind.is_none());
        (!nobody).then(|| of_a_person(name, form, &counts, looked, around)).flatten()
    };
    found.or_else(|| text_with_something(form, said, &counts)).or_else(fallback)
}

fn finding(kind: Kind, confidence: f32, evidence: Vec<String>) -> Finding {
    Finding { kind, confidence: confidence.clamp(0.0, 0.99), evidence, places: Vec::new() }
}

fn name_evidence(said: Said) -> String {
    format!("name: {}", said.pattern.replace('@', ""))
}

/// Kinds that values show by themselves, the share that must, and how sure that is. In this order.
const BY_VALUES: &[(Kind, f32, f32)] = &[
    (Kind::Password, 0.6, 0.96),
    (Kind::Token, 0.6, 0.94),
    (Kind::Agent, 0.6, 0.92),
    (Kind::Email, 0.6, 0.97),
    (Kind::Iban, 0.6, 0.97),
    (Kind::Card, 0.6, 0.96),
    (Kind::NationalId, 0.7, 0.95),
    (Kind::Device, 0.7, 0.9),
    (Kind::Ip, 0.7, 0.95),
    (Kind::Url, 0.7, 0.7),
    (Kind::DriverLicense, 0.8, 0.85),
    (Kind::BusinessId, 0.6, 0.75),
    (Kind::Phone, 0.7, 0.9),
    (Kind::Vehicle, 0.8, 0.85),
    (Kind::Postcode, 0.8, 0.8),
    (Kind::Address, 0.5, 0.85),
];

/// Fewer values show nothing by themselves.
const VALUES_MIN: usize = 3;

fn by_values(form: Form, counts: &Counts<'_>, said: Option<Said>) -> Option<(Kind, f32)> {
    if counts.total < VALUES_MIN || !matches!(form, Form::Text | Form::Number | Form::Network) {
        return None;
    }
    BY_VALUES.iter().find_map(|(kind, share, confidence)| {
        let enough = counts.share(*kind) >= *share;
        let possible = match (form, kind) {
            // Numbers lose their punctuation: what is left must have a checksum.
            (Form::Number, Kind::Card) => true,
            (Form::Number, Kind::NationalId) => counts.checked() >= 0.5,
            (Form::Number, _) => false,
            (_, Kind::NationalId) => counts.checked() >= 0.5 || counts.hyphenated() >= 0.5,
            // A column that says it is somebody's business may still be full of streets.
            _ => true,
        };
        let nobody = said.is_some_and(|said| said.kind.is_none())
            && matches!(kind, Kind::Url | Kind::Vehicle | Kind::Postcode | Kind::BusinessId);
        (enough && possible && !nobody).then_some((*kind, *confidence))
    })
}

/// A name knows better what values of a form are for: the picture behind an address, the login that is a mail address.
fn prefers_name(named: Kind, shown: Kind, counts: &Counts<'_>) -> bool {
    match shown {
        Kind::Url => matches!(named, Kind::Photo | Kind::Messenger),
        Kind::Email => false,
        Kind::Password | Kind::Token => {
            matches!(named, Kind::Password | Kind::Token | Kind::Card) && named != shown
        }
        Kind::Card | Kind::Iban | Kind::Ip | Kind::Agent | Kind::NationalId => false,
        Kind::Phone | Kind::BusinessId | Kind::DriverLicense | Kind::Device => {
            named != shown && named != Kind::PersonName && counts.likely(named) >= 0.7
        }
        _ => named != shown && counts.likely(named) >= 0.7,
    }
}

/// Kinds whose values have a form that nearly all of them keep: where they do not, the name speaks of something else.
fn has_firm_form(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Email
            | Kind::Phone
            | Kind::Ip
            | Kind::NationalId
            | Kind::Card
            | Kind::Iban
            | Kind::BirthDate
            | Kind::DeathDate
            | Kind::Age
            | Kind::Postcode
            | Kind::CardExpiry
            | Kind::CardCode
            | Kind::Passport
            | Kind::Gender
            | Kind::Coordinates
    )
}

/// What a name says, held against the values.
fn named(
    kind: Kind,
    said: Said,
    counts: &Counts<'_>,
    looked: bool,
    around: Surroundings,
) -> Option<Finding> {
    let mut evidence = vec![name_evidence(said)];
    let mut sure = said.strength;
    if kind == Kind::Text {
        sure = text_by_name(sure, counts, around);
        if counts.inside_share() > 0.0 {
            evidence.push(counts.inside_evidence());
        }
    } else if counts.total == 0 {
        sure *= if looked { 0.85 } else { 0.9 };
        evidence.push(if looked { "values: none".into() } else { "values: not looked at".into() });
    } else if counts.likely(kind) >= 0.6 {
        sure = 1.0 - (1.0 - sure) * 0.3;
        evidence.push(counts.evidence(kind));
    } else if counts.random() >= 0.6
        && matches!(kind, Kind::NationalId | Kind::Card | Kind::Account | Kind::Phone | Kind::Email)
    {
        evidence.push("values: look encrypted or hashed".into());
    } else if has_firm_form(kind) && counts.likely(kind) < 0.2 {
        sure *= 0.45;
        evidence.push(counts.evidence(kind));
    } else {
        sure *= 0.9;
    }
    // Two or three values over and over: a flag or a list, whatever its name says.
    let few = counts.total >= 12 && counts.distinct <= 3;
    let lists = matches!(
        kind,
        Kind::Gender
            | Kind::Special
            | Kind::Health
            | Kind::Area
            | Kind::Nationality
            | Kind::Messenger
            | Kind::Phone
            | Kind::Profile
    );
    // Unless they look like what the name says: a table of trials has one person in it over and over.
    let alike = counts.share(kind) >= 0.6 || (has_firm_form(kind) && counts.likely(kind) >= 0.6);
    if few && !lists && !alike {
        sure *= 0.4;
        evidence.push("values: few different ones".into());
    }
    (sure >= CONFIDENCE_MIN).then(|| finding(kind, sure, evidence))
}

/// People write sentences; codes are short and come back.
fn text_by_name(strength: f32, counts: &Counts<'_>, around: Surroundings) -> f32 {
    if counts.total == 0 {
        return strength * 0.85;
    }
    let with = counts.inside_share();
    let sentences = counts.length_mean() >= 15.0 && counts.spaced() >= 0.5;
    match (sentences, with > 0.0) {
        (_, true) => 1.0 - (1.0 - strength.max(0.6)) * (1.0 - with).max(0.2),
        (true, false) => {
            let written = if around.written { 0.2 } else { 0.0 };
            (strength + written).min(0.9)
        }
        (false, false) => strength * 0.4,
    }
}

/// A text that nothing is said of, and in which something is found.
fn text_with_something(form: Form, said: Option<Said>, counts: &Counts<'_>) -> Option<Finding> {
    let with = counts.inside_share();
    if form != Form::Text || counts.total < VALUES_MIN || with < 0.02 || counts.length_mean() < 12.0
    {
        return None;
    }
    let sure = 0.55 + with.min(0.4);
    let mut evidence: Vec<String> =
        said.filter(|said| said.kind == Some(Kind::Text)).map(name_evidence).into_iter().collect();
    evidence.push(counts.inside_evidence());
    Some(finding(Kind::Text, sure, evidence))
}

/// Names of people under no name for them, `name` in tables of people, and dates that are of births by their years.
fn of_a_person(
    name: &str,
    form: Form,
    counts: &Counts<'_>,
    looked: bool,
    around: Surroundings,
) -> Option<Finding> {
    let parts = words(name);
    let last = parts.iter().rev().find(|word| !word.bytes().all(|b| b.is_ascii_digit()));
    let called_name =
        last.is_some_and(|last| matches!(last.as_str(), "name" | "nm" | "names" | "이름"));
    let bare = called_name && parts.len() == 1;
    if form == Form::Text {
        let (yes, likely) = (counts.share(Kind::PersonName), counts.likely(Kind::PersonName));
        let several = counts.spaced() >= 0.4 || counts.hangul() >= 0.8;
        let enough = counts.total >= 5
            && counts.distinct >= 4
            && likely >= 0.85
            && yes >= if several || called_name { 0.4 } else { 0.6 };
        let base = match (enough, called_name, around.people) {
            (true, true, _) => 0.9,
            (true, false, true) => 0.75,
            // Few other words look like Hangul names as a whole column does.
            (true, false, false) => {
                if yes >= 0.8 && several {
                    0.7
                } else {
                    0.5
                }
            }
            (false, true, true) if counts.total == 0 && bare => {
                if looked {
                    0.55
                } else {
                    0.65
                }
            }
            (false, true, true) if bare && likely >= 0.5 => 0.6,
            _ => 0.0,
        };
        if base >= CONFIDENCE_MIN {
            let mut evidence = Vec::new();
            if called_name {
                evidence.push("name: name".to_owned());
            }
            if around.people {
                evidence.push("table: of people".to_owned());
            }
            if counts.total > 0 {
                evidence.push(counts.evidence(Kind::PersonName));
            }
            return Some(finding(Kind::PersonName, base, evidence));
        }
    }
    births(form, counts, around)
}

/// Decades apart, none of them lately, in a table of people.
fn births(form: Form, counts: &Counts<'_>, around: Surroundings) -> Option<Finding> {
    if form != Form::Day || !around.people || counts.total < 20 {
        return None;
    }
    let years: Vec<u32> = counts.values.iter().filter_map(|value| year_of(value)).collect();
    let (first, last) = (years.iter().min()?, years.iter().max()?);
    let are = years.len() == counts.total
        && *first >= 1900
        && *last <= 2015
        && last.saturating_sub(*first) >= 30;
    are.then(|| {
        let evidence =
            vec!["table: of people".into(), "values: days decades apart and none of late".into()];
        finding(Kind::BirthDate, 0.6, evidence)
    })
}
