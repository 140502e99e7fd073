//! The last statements and refusals, out of the lines of the audit trail: as the audit has them, without literals.

use std::collections::HashMap;
use std::sync::Arc;

use maud::{Markup, html};
use serde::Deserialize;

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::sessions::follow;
use super::words::Word;

/// Statements that are shown.
const STATEMENTS_MAX: usize = 200;
/// Characters of one.
const SQL_MAX: usize = 2000;

/// A line of the trail, as far as it is shown.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    session: u64,
    #[serde(default)]
    statement: u64,
    #[serde(default)]
    user: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    end_user: Option<String>,
    #[serde(default)]
    application: String,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    sql: String,
    #[serde(default)]
    rows: u64,
    #[serde(default)]
    duration_us: u64,
    #[serde(default)]
    error: Option<String>,
}

/// How a statement ended.
struct Ended {
    rows: u64,
    duration_us: u64,
    error: Option<String>,
}

/// The page.
pub fn page(look: &Look, lines: &[Arc<[u8]>], fields: &Fields) -> String {
    let is_refused_only = fields.text("only") == "refused";
    let mut ended: HashMap<(u64, u64), Ended> = HashMap::new();
    let mut statements = Vec::new();
    // The newest first, so that the end of a statement is known before it comes.
    for line in lines.iter().rev() {
        let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
        match line.event.as_str() {
            "completed" => {
                let Line { rows, duration_us, error, .. } = line;
                ended.insert((line.session, line.statement), Ended { rows, duration_us, error });
            }
            "statement" if !is_refused_only || line.verdict == "refuse" => statements.push(line),
            _ => {}
        }
        if statements.len() >= STATEMENTS_MAX {
            break;
        }
    }
    let body = html! {
        p class="lead" { (look.say(Word::StatementsHelp)) }
        form class="filter" method="get" action=(Tab::Statements.path()) {
            label class="check" {
                input type="checkbox" name="only" value="refused" checked[is_refused_only]; " " (look.say(Word::OnlyRefused))
            }
            button type="submit" { (look.say(Word::FilterShow)) }
        }
        (follow(look))
        div id="live" {
            @if statements.is_empty() {
                p class="nothing" { (look.say(Word::NoStatements)) }
            } @else {
                (table(look, &statements, &ended))
            }
        }
    };
    look.page(look.say(Word::Statements), Some(Tab::Statements), &body)
}

fn table(look: &Look, statements: &[Line], ended: &HashMap<(u64, u64), Ended>) -> Markup {
    let columns = [
        Word::Time,
        Word::Session,
        Word::User,
        Word::Role,
        Word::Verdict,
        Word::Statement,
        Word::Result,
    ];
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(look.say(Word::Statements)) {
            table class="stack" {
                thead { tr { @for word in columns { th scope="col" { (look.say(word)) } } } }
                tbody {
                    @for line in statements { (row(look, line, ended.get(&(line.session, line.statement)))) }
                }
            }
        }
    }
}

fn row(look: &Look, line: &Line, ended: Option<&Ended>) -> Markup {
    let (word, class) = match line.verdict.as_str() {
        "refuse" => (Word::VerdictRefuse, "verdict refuse"),
        "rewrite" => (Word::VerdictRewrite, "verdict"),
        _ => (Word::VerdictForward, "verdict"),
    };
    html! {
        tr {
            td data-label=(look.say(Word::Time)) { (shown(&short_time(&line.time))) }
            td data-label=(look.say(Word::Session)) { (line.session) @if !line.application.is_empty() { br; span class="soft" { (shown(&line.application)) } } }
            td data-label=(look.say(Word::User)) { (shown(&line.user)) @if let Some(end_user) = &line.end_user { br; span class="soft" { (shown(end_user)) } } }
            td data-label=(look.say(Word::Role)) { (shown(&line.role)) @if let Some(purpose) = &line.purpose { br; span class="soft" { (shown(purpose)) } } }
            td data-label=(look.say(Word::Verdict)) {
                span class=(class) { @if line.verdict == "refuse" { span aria-hidden="true" { "✕ " } } (look.say(word)) }
                @if let Some(reason) = &line.reason { br; (shown(reason)) }
                @if let Some(rule) = &line.rule { br; (look.origin(rule)) }
            }
            td data-label=(look.say(Word::Statement)) { code { (shown(&cut(&line.sql, SQL_MAX))) } }
            td data-label=(look.say(Word::Result)) {
                @if let Some(Ended { rows, duration_us, error }) = ended {
                    @match error {
                        Some(code) => { (look.say(Word::Failed)) " " code { (shown(code)) } }
                        None => { (rows) " " (look.say(Word::RowsGiven)) }
                    }
                    br; span class="soft" { (duration_us / 1000) "." (format!("{:03}", duration_us % 1000)) " ms" }
                }
            }
        }
    }
}

/// To the second, UTC.
fn short_time(time: &str) -> String {
    let short = time.split_once('.').map_or(time, |(short, _)| short);
    format!("{}Z", short.trim_end_matches('Z').replacen('T', " ", 1))
}

/// So many characters at most.
pub fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().take(most).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
