//! The playground: what happens to a statement of a role, and its rows, side by side with those of another role.
//!
//! INVARIANT: rows come through a session of Scrim in a role of the person who looks, inside a transaction that may only
//! read and is rolled back; never as anybody else, and never past Scrim.

use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::statements::cut;
use super::words::Word;
use crate::explain::{Explanation, Outcome};
use crate::grammar;
use crate::rules::RuleSet;
use crate::trials::{Answer, ServerError};

/// Bytes of a text.
pub const SQL_BYTES_MAX: usize = 32 * 1024;
/// Rows that are shown of an answer.
pub const ROWS_MAX: i32 = 100;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Characters of a value.
const VALUE_MAX: usize = 500;
/// Lines of details.
const DETAILS_MAX: usize = 32;

/// What is asked for.
pub struct Wanted {
    /// As which role.
    pub role: String,
    /// And beside it.
    pub beside: Option<String>,
    /// For which purpose.
    pub purpose: Option<String>,
    /// `name=value`
    pub details: Vec<String>,
    /// The text.
    pub sql: String,
    /// Rows too.
    pub is_run: bool,
}

/// What has come of it, for one role.
pub struct Tried {
    /// Which.
    pub role: String,
    /// What would happen, or why that cannot be told.
    pub explained: Result<Explanation, String>,
    /// The answer, where it was asked for.
    pub answer: Option<Result<Answer, Told>>,
}

/// Why there is no answer.
pub enum Told {
    /// Words of the console.
    Said(Word),
    /// A text.
    Text(String),
}

impl Wanted {
    /// Of a form.
    pub fn read(form: &Fields) -> Wanted {
        let filled =
            |name: &str| Some(form.text(name).trim().to_owned()).filter(|text| !text.is_empty());
        let details = form.text("details").lines().map(str::trim).filter(|line| !line.is_empty());
        Wanted {
            role: form.text("role").to_owned(),
            beside: filled("beside"),
            purpose: filled("purpose"),
            details: details.take(DETAILS_MAX).map(str::to_owned).collect(),
            sql: form.text("sql").replace("\r\n", "\n"),
            is_run: form.text("do") == "run",
        }
    }
}

/// The page.
pub fn page(
    look: &Look,
    rules: &RuleSet,
    wanted: Option<&Wanted>,
    tried: &[Tried],
    problem: Option<Word>,
) -> String {
    let own: &[String] = look.signed.as_ref().map_or(&[], |signed| &signed.roles);
    let may_try = look.signed.as_ref().is_some_and(|signed| signed.rights.may_try);
    let body = html! {
        p class="lead" { (look.say(Word::PlaygroundHelp)) }
        form class="ask" method="post" action=(Tab::Playground.path()) {
            (look.token_field())
            (choice(look, rules, own, "role", Word::Role, wanted.map(|wanted| wanted.role.as_str()), false))
            (choice(look, rules, own, "beside", Word::PlaygroundBeside, wanted.and_then(|wanted| wanted.beside.as_deref()), true))
            label { span { (look.say(Word::PlaygroundPurpose)) }
                input name="purpose" maxlength="200" autocomplete="off"
                    value=(wanted.and_then(|wanted| wanted.purpose.as_deref()).unwrap_or_default());
            }
            label class="wide" { span { (look.say(Word::PlaygroundSql)) }
                textarea name="sql" required spellcheck="false" maxlength=(SQL_BYTES_MAX) {
                    // A browser drops the first line's end.
                    "\n" (wanted.map(|wanted| wanted.sql.as_str()).unwrap_or_default())
                }
            }
            details class="wide" open[wanted.is_some_and(|wanted| !wanted.details.is_empty())] {
                summary { (look.say(Word::PlaygroundDetails)) }
                textarea class="small" name="details" spellcheck="false" maxlength="4000" aria-label=(look.say(Word::PlaygroundDetails)) {
                    "\n" (wanted.map(|wanted| wanted.details.join("\n")).unwrap_or_default())
                }
            }
            span class="buttons" {
                button type="submit" name="do" value="explain" class=[(!may_try).then_some("main")] { (look.say(Word::PlaygroundExplain)) }
                @if may_try { button type="submit" name="do" value="run" class="main" { (look.say(Word::PlaygroundRun)) } }
                @else { span class="soft" { (look.say(Word::PlaygroundMay)) } }
            }
        }
        @if let Some(word) = problem { p class="alarm" role="alert" { (look.say(word)) } }
        @if !tried.is_empty() {
            div class="beside" id="answer" { @for tried in tried { (drawn(look, tried)) } }
        }
    };
    look.page(look.say(Word::Playground), Some(Tab::Playground), &body)
}

fn choice(
    look: &Look,
    rules: &RuleSet,
    own: &[String],
    name: &'static str,
    word: Word,
    chosen: Option<&str>,
    may_be_none: bool,
) -> Markup {
    let chosen = chosen.or(own.first().map(String::as_str).filter(|_| !may_be_none));
    html! {
        label { span { (look.say(word)) }
            select name=(name) {
                @if may_be_none { option value="" { (look.say(Word::PlaygroundNobody)) } }
                @for role in rules.roles.keys() {
                    option value=(role) selected[chosen == Some(role)] {
                        (shown(role)) @if own.contains(role) { " – " (look.say(Word::PlaygroundOwn)) }
                    }
                }
            }
        }
    }
}

fn drawn(look: &Look, tried: &Tried) -> Markup {
    html! {
        section aria-label={ (look.say(Word::Role)) " " (shown(&tried.role)) } {
            h2 { (look.say(Word::Role)) " " (shown(&tried.role)) }
            // First, so that those of two roles stand at one height.
            @match &tried.answer {
                None => {}
                Some(Ok(answer)) => { h3 { (look.say(Word::RowsHeading)) " " (shown(&tried.role)) } (rows(look, answer)) }
                Some(Err(Told::Said(word))) => p class="alarm" { (look.say(*word)) },
                Some(Err(Told::Text(text))) => p class="alarm" { (look.say(Word::ServerSaid)) ": " (text_by_line(text)) },
            }
            @match &tried.explained {
                Err(text) => p class="alarm" { (text_by_line(text.trim_start_matches("error: "))) },
                Ok(explanation) => (explained(look, &explanation.outcome)),
            }
        }
    }
}

fn explained(look: &Look, outcome: &Outcome) -> Markup {
    match outcome {
        Outcome::Refused { refusal, .. } => html! {
            p class="verdict refuse" { span aria-hidden="true" { "✕ " } (look.say(Word::VerdictRefuse)) }
            p { code { (refusal.sqlstate) } " " (text_by_line(&refusal.message)) }
            @if let Some(hint) = &refusal.hint { p { (look.say(Word::Hint)) ": " (text_by_line(hint)) } }
            @if let Some(rule) = &refusal.rule { p { (look.say(Word::DecidedBy)) " " (look.origin(rule)) } }
            p class="soft" { (look.say(Word::NothingIsSent)) }
        },
        Outcome::Sent { statements, .. } => html! {
            @for sent in statements {
                p class="verdict" { "✓ " (look.say(match sent.verdict {
                    "rewrite" => Word::VerdictRewrite,
                    _ => Word::VerdictForward,
                })) }
                @if !sent.relations.is_empty() {
                    h3 { (look.say(Word::ReadsHeading)) }
                    ul {
                        @for relation in &sent.relations {
                            li {
                                code { (shown(&relation.relation)) } " – " (relation.seen)
                                @if let Some(filter) = &relation.rows { ", " (look.say(Word::OnlyRowsWhere)) " " code { (shown(filter)) } }
                            }
                        }
                    }
                }
                h3 { (look.say(Word::SentSql)) }
                pre class="wrap" tabindex="0" { (text_by_line(&grammar::pretty(&sent.sql).unwrap_or_else(|| sent.sql.clone()))) }
                @if !sent.masked_on_the_way.is_empty() {
                    p { (look.say(Word::MaskedOnTheWay)) " " code { (shown(&sent.masked_on_the_way.join(", "))) } }
                }
            }
        },
    }
}

fn rows(look: &Look, answer: &Answer) -> Markup {
    if let Some(ServerError { code, message, detail, hint }) = &answer.error {
        return html! {
            div class="alarm" {
                p { code { (shown(code)) } " " (text_by_line(message)) }
                @for more in [detail, hint].into_iter().flatten() { p { (text_by_line(more)) } }
            }
        };
    }
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(look.say(Word::Rows)) {
            table {
                thead { tr { @for column in &answer.columns { th scope="col" { (shown(column)) } } } }
                tbody {
                    @for row in &answer.rows {
                        tr {
                            @for value in row {
                                @match value {
                                    Some(value) => td { (text_by_line(&cut(value, VALUE_MAX))) },
                                    None => td class="null" { "NULL" },
                                }
                            }
                        }
                    }
                }
            }
        }
        @if answer.rows.is_empty() { p class="nothing" { (look.say(Word::NoRows)) } }
        @if answer.has_more { p class="nothing" { (look.say(Word::MoreRows)) } }
    }
}

/// Lines stay lines; what else is not seen is written out.
fn text_by_line(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}
