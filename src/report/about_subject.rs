//! The report about one row in sections: what is certain, what a grant opened, and what is possible, apart.

use super::sections::{Section, columns, number};
use super::subject::{By, Columns, SubjectTold};

/// A key as it is shown: `42`, `1,7`.
pub fn called(subject: &SubjectTold) -> String {
    format!("{}:{}", subject.relation, subject.key.join(","))
}

/// All of them, in their order.
pub fn sections(subject: &SubjectTold) -> Vec<Section> {
    vec![seen(subject), opened(subject), possible(subject)]
}

fn seen(subject: &SubjectTold) -> Section {
    let rows = subject.seen.iter().map(|one| {
        let [user, role, whom, purpose] = who(&one.by);
        let [clear, masked] = cells(&one.columns);
        let place = format!("{}.{}", one.session, one.statement);
        vec![one.time.clone(), user, role, whom, purpose, clear, masked, place, one.sql.clone()]
    });
    let words = "The key of the row went to the client. Columns are those of the row that the statement mentions, each shown or \
        gone by, with the mask that the role had then; the JSON says which stood in the result.";
    Section {
        id: "seen",
        title: "Seen",
        words: Some(format!("{words}{}", beyond(subject.seen_not_listed))),
        columns: columns(&[
            "time",
            "user",
            "role",
            "for",
            "purpose",
            "clear",
            "masked",
            "session",
            "statement",
        ]),
        rows: rows.collect(),
        nothing: Some(subject.nothing.unwrap_or("by no statement on record")),
        ..Section::default()
    }
}

fn opened(subject: &SubjectTold) -> Section {
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
    let words = "A grant opened columns of the row to the session, and the statement mentioned them: it could see them. `*` is \
        the row itself.";
    Section {
        id: "opened",
        title: "Opened by a grant",
        words: Some(format!("{words}{}", beyond(subject.opened_not_listed))),
        columns: columns(&[
            "time",
            "user",
            "role",
            "for",
            "purpose",
            "#grant",
            "columns",
            "statement",
        ]),
        rows: rows.collect(),
        ..Section::default()
    }
}

fn possible(subject: &SubjectTold) -> Section {
    let rows = subject.possible.iter().map(|one| {
        let [user, role, whom, purpose] = who(&one.by);
        let [clear, masked] = cells(&one.columns);
        vec![
            user,
            role,
            whom,
            purpose,
            one.why.to_owned(),
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
        title: "Possibly seen",
        words: Some(
            "These statements read the relation, and which of its rows they showed is not on record. This row may be among \
             them; nothing says that it is."
                .into(),
        ),
        columns: columns(&[
            "user", "role", "for", "purpose", "why", "#statements", "first", "last", "read", "clear",
            "masked",
        ]),
        rows: rows.collect(),
        nothing: Some("by no statement on record"),
        ..Section::default()
    }
}

fn who(by: &By) -> [String; 4] {
    let By { user, role, end_user, purpose } = by;
    let told = |one: &Option<String>| one.clone().unwrap_or_default();
    [user.clone(), role.clone(), told(end_user), told(purpose)]
}

fn cells(columns: &Columns) -> [String; 2] {
    let clear: Vec<&str> = columns.clear.iter().map(String::as_str).collect();
    let masked = columns.masked.iter().map(|(name, masks)| {
        let masks: Vec<&str> = masks.iter().map(String::as_str).collect();
        format!("{name}: {}", masks.join(" or "))
    });
    [clear.join(", "), masked.collect::<Vec<_>>().join("; ")]
}

fn beyond(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(" {} more are not listed.", number(count)),
    }
}
