//! The rules in the report, in sections: what they allow and nobody has used, and what they do not classify; and
//! which of them go by the row.

use std::collections::BTreeSet;

use super::by_row::ByRow;
use super::sections::{Section, columns, names, number};
use super::told::Report;
use super::words::{Language, Word};

/// Those that there is something to say for.
pub fn sections(report: &Report, language: Language) -> Vec<Section> {
    let mut all = Vec::new();
    if let Some(unused) = &report.unused {
        let rows = unused.iter().map(|one| {
            let what = match one.what {
                "user" => Word::UnusedUser.of(language),
                "role" => Word::UnusedRole.of(language),
                "role_of_user" => Word::UnusedRoleOfUser.of(language),
                "acts_for_others" => "acts_for_others",
                "data" => Word::UnusedData.of(language),
                "may" => "may",
                "lookup" => "lookup",
                "purpose" => Word::UnusedPurpose.of(language),
                other => other,
            };
            let columns: BTreeSet<String> = one.columns.iter().cloned().collect();
            vec![
                one.whose.clone(),
                what.to_owned(),
                one.which.clone(),
                names(&columns, language),
                one.rule.clone().unwrap_or_default(),
            ]
        });
        all.push(Section {
            id: "unused",
            title: Word::Unused.of(language),
            words: Some(Word::UnusedWords.of(language).to_owned()),
            columns: columns(
                language,
                &[Word::Whose, Word::What, Word::Which, Word::Columns, Word::Rule],
            ),
            rows: rows.collect(),
            nothing: Some(Word::AllUsed.of(language)),
            ..Section::default()
        });
    }
    if let Some(unclassified) = &report.unclassified {
        let rows = unclassified.iter().map(|one| {
            vec![
                one.column.clone(),
                one.database.clone(),
                number(one.statements),
                names(&one.users, language),
            ]
        });
        let words = match report.rules.catalog_of {
            Some(_) => None,
            None => Some(Word::UnclassifiedWords.of(language).to_owned()),
        };
        all.push(Section {
            id: "unclassified",
            title: Word::Unclassified.of(language),
            words,
            columns: columns(
                language,
                &[Word::Column, Word::Database, Word::NumberStatements, Word::Users],
            ),
            rows: rows.collect(),
            nothing: Some(Word::None.of(language)),
            ..Section::default()
        });
    }
    all.extend(report.by_row.as_ref().map(|lines| by_row(lines, language)));
    all
}

fn by_row(lines: &[ByRow], language: Language) -> Section {
    let rows = lines.iter().map(|line| {
        let condition = match line.names.is_empty() {
            true => line.condition.clone(),
            false => format!("{} ({})", line.condition, names(&line.names, language)),
        };
        let what = match line.what {
            "rows" => Word::ByRowRows.of(language),
            _ => Word::ByRowMask.of(language),
        };
        let clock = if line.by_time { Word::Yes.of(language) } else { "" };
        vec![
            line.role.clone(),
            line.purpose.clone().unwrap_or_default(),
            line.which.clone(),
            what.to_owned(),
            condition,
            clock.to_owned(),
            line.rule.clone(),
        ]
    });
    Section {
        id: "by-row",
        title: Word::ByRow.of(language),
        words: Some(Word::ByRowWords.of(language).to_owned()),
        columns: columns(
            language,
            &[
                Word::Role,
                Word::Purpose,
                Word::Which,
                Word::What,
                Word::Condition,
                Word::ByClock,
                Word::Rule,
            ],
        ),
        rows: rows.collect(),
        nothing: Some(Word::None.of(language)),
        ..Section::default()
    }
}
