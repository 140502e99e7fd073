//! What is sent again is kept prepared on server connections, with its free literals as parameters. It answers as the text
//! does: same columns, rows, errors.
//!
//! The control is the same text with a comment that no other has, so that it is planned and read anew.

use std::sync::atomic::{AtomicU64, Ordering};

use super::page::Case;
use super::{pages, run};
use crate::harness::client::{Answer, Client, Form};
use crate::harness::say;
use scrim::sql::lifting::{Kind, free, lift};

/// Names, patterns, days, and what no other type takes.
const TEXTS: &[&str] = &["'seoul'", "'k%'", "''", "'2024-01-01'", "'x'", "'NaN'"];
const INTEGERS: &[&str] = &["1", "0", "2", "20", "7"];
/// Times that a text is sent with each set of values: as it is, then kept.
const TIMES: usize = 2;

/// Sets of values for each.
const ROUNDS: usize = 2;

/// Statements of the pages that are sent at least; fewer, and this shows nothing.
const SENT_MIN: usize = 300;

#[test]
fn what_is_sent_again_is_answered_as_its_text() {
    let mut sent = 0;
    let mut doubtful = Vec::new();
    let pages: Vec<_> = ["cases", "attacks"].iter().flat_map(|folder| pages(folder)).collect();
    for (_, page) in &pages {
        for case in page.cases.iter().filter(|case| is_read(case)) {
            let variants = variants(&case.sql);
            if variants.is_empty() {
                continue;
            }
            let mut sessions = Sessions::open(case);
            for text in variants {
                let Some(differences) = sessions.ask(&text) else { continue };
                sent += 1;
                if !differences.is_empty() {
                    doubtful.push((case, text, differences));
                }
            }
        }
    }
    // What other tests did meanwhile (a database made, a limit of time on a busy machine) is not there a second time.
    let failures: Vec<String> = doubtful
        .into_iter()
        .filter_map(|(case, text, first)| {
            let again = Sessions::open(case).ask(&format!("/* once more */ {text}"));
            let again =
                again.unwrap_or_else(|| vec!["  and the text itself is answered otherwise".into()]);
            let told = format!("{} as {}: {text}", case.headings.join(", "), case.role);
            say(&format!("asked once more: {told}\n{}", first.join("\n")));
            (!again.is_empty()).then(|| format!("{told}\n{}", again.join("\n")))
        })
        .collect();
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(sent >= SENT_MIN, "only {sent} statements are sent");
}

/// The session whose texts are kept, and the one that has each text planned and read anew.
struct Sessions {
    again: Client,
    control: Client,
}

impl Sessions {
    fn open(case: &Case) -> Sessions {
        let connect = |name| run::connect(case, Form::Simple, name);
        Sessions { again: connect("again"), control: connect("control") }
    }

    /// How the answers differ; `None` where the control's own do.
    fn ask(&mut self, text: &str) -> Option<Vec<String>> {
        let expected = anew(&mut self.control, text);
        if anew(&mut self.control, text) != expected {
            return None;
        }
        let differs = (0..TIMES).filter_map(|time| {
            let got = comparable(self.again.simple(text), text);
            let told = format!("  time {time}\n  as text: {expected:?}\n  again:   {got:?}");
            (got != expected).then_some(told)
        });
        Some(differs.collect())
    }
}

fn is_read(case: &Case) -> bool {
    let sql = case.sql.trim_start().to_ascii_lowercase();
    let is_one = run::statements(&case.sql).len() == 1 && !case.is_undone();
    is_one && ["select", "with", "table", "values"].iter().any(|word| sql.starts_with(word))
}

/// The text as it is, and with others in the place of its free literals; none where it has none.
fn variants(sql: &str) -> Vec<String> {
    let Some((lifted, free)) = lift(sql).and_then(|lifted| Some((lifted.clone(), free(&lifted)?)))
    else {
        return Vec::new();
    };
    let others = (0..ROUNDS).map(|round| {
        lifted.with(|number, literal| {
            let other = match literal.kind {
                Kind::Text => TEXTS[(number * ROUNDS + round) % TEXTS.len()],
                Kind::Integer => INTEGERS[(number * ROUNDS + round) % INTEGERS.len()],
            };
            free[number].then_some(other)
        })
    });
    [sql.to_owned()].into_iter().chain(others).collect()
}

fn anew(client: &mut Client, text: &str) -> Vec<Answer> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // A new line first: the text may end with a comment.
    comparable(client.simple(&format!("{text}\n/* {number} */")), text)
}

/// Without the order of rows where the text asks for none, and without places in the text.
fn comparable(mut answers: Vec<Answer>, text: &str) -> Vec<Answer> {
    for answer in &mut answers {
        if !text.to_ascii_lowercase().contains("order by") {
            answer.rows.sort();
        }
        if let Some(error) = &mut answer.error {
            error.position = None;
        }
    }
    answers
}
