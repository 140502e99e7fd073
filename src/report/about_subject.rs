//! The report about one row in sections: what is certain, what a grant opened, and what is possible, apart.

use super::sections::{Section, columns, number};
use super::subject::{By, Columns, SubjectTold};
use super::words::{Language, Word};

/// A key as it is shown: `42`, `1,7`.
pub fn called(subject: &SubjectTold) -> String {
    format!("{}:{}", subject.relation, subject.key.join(","))
}

/// All of them, in their order.
pub fn sections(subject: &SubjectTold, language: Language) -> Vec<Section> {
    vec![seen(subject, language), opened(subject, language), possible(subject, language)]
}

fn seen(subject: &SubjectTold, language: Language) -> Section {
    let rows = subject.seen.iter().map(|one| {
        let [user, role, whom, purpose] = who(&one.by);
        let [clear, masked] = cells(&one.columns, language);
        let place = format!("{}.{}", one.session, one.statement);
        vec![one.time.clone(), user, role, whom, purpose, clear, masked, place, one.sql.clone()]
    });
    Section {
        id: "seen",
        title: Word::Seen.of(language),
        words: Some(words(Word::SeenWords, subject.seen_not_listed, language)),
        columns: columns(
            language,
            &[
                Word::Time,
                Word::User,
                Word::Role,
                Word::Whom,
                Word::Purpose,
                Word::Clear,
                Word::Masked,
                Word::Session,
                Word::Statement,
            ],
        ),
        rows: rows.collect(),
        nothing: Some(subject.nothing.unwrap_or(Word::ByNoStatement).of(language)),
        ..Section::default()
    }
}

fn opened(subject: &SubjectTold, language: Language) -> Section {
    let rows = subject.opened.iter().map(|one| {
        let [user, role, whom, purpose] = who(&one.by);
        let columns: Vec<String> = one.columns.iter().cloned().collect();
        let grant = number(one.grant);
        vec![
            one.time.clone(),
            user,
            role,
            whom,
            purpose,
            grant,
            columns.join(", "),
            one.sql.clone(),
        ]
    });
    Section {
        id: "opened",
        title: Word::Opened.of(language),
        words: Some(words(Word::OpenedWords, subject.opened_not_listed, language)),
        columns: columns(
            language,
            &[
                Word::Time,
                Word::User,
                Word::Role,
                Word::Whom,
                Word::Purpose,
                Word::NumberGrant,
                Word::Columns,
                Word::Statement,
            ],
        ),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn possible(subject: &SubjectTold, language: Language) -> Section {
    let rows = subject.possible.iter().map(|one| {
        let [user, role, whom, purpose] = who(&one.by);
        let [clear, masked] = cells(&one.columns, language);
        vec![
            user,
            role,
            whom,
            purpose,
            one.why.of(language).to_owned(),
            number(one.statements),
            one.first.clone(),
            one.last.clone(),
            one.relation.clone(),
            clear,
            masked,
        ]
    });
    Section {
        id: "possible",
        title: Word::Possibly.of(language),
        words: Some(words(Word::PossiblyWords, 0, language)),
        columns: columns(
            language,
            &[
                Word::User,
                Word::Role,
                Word::Whom,
                Word::Purpose,
                Word::Why,
                Word::NumberStatements,
                Word::First,
                Word::Last,
                Word::Read,
                Word::Clear,
                Word::Masked,
            ],
        ),
        rows: rows.collect(),
        nothing: Some(Word::ByNoStatement.of(language)),
        ..Section::default()
    }
}

fn who(by: &By) -> [String; 4] {
    let By { user, role, end_user, purpose } = by;
    let told = |one: &Option<String>| one.clone().unwrap_or_default();
    [user.clone(), role.clone(), told(end_user), told(purpose)]
}

fn cells(columns: &Columns, language: Language) -> [String; 2] {
    let clear: Vec<&str> = columns.clear.iter().map(String::as_str).collect();
    let newer = Word::NewerMask.of(Language::English);
    let mask = |mask: &String| {
        if mask == newer { Word::NewerMask.of(language).to_owned() } else { mask.clone() }
    };
    let or = format!(" {} ", Word::Or.of(language));
    let masked = columns.masked.iter().map(|(name, masks)| {
        let masks: Vec<String> = masks.iter().map(mask).collect();
        format!("{name}: {}", masks.join(&or))
    });
    [clear.join(", "), masked.collect::<Vec<_>>().join("; ")]
}

/// How a section is to be read, and how many are not in it.
fn words(word: Word, not_listed: u64, language: Language) -> String {
    match not_listed {
        0 => word.of(language).to_owned(),
        count => {
            format!("{} {}", word.of(language), Word::NotListed.with(language, &[&number(count)]))
        }
    }
}
