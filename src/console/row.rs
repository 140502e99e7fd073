//! Who saw what of one row: a form for relation and key, and the answer out of the audit trail.
//!
//! A key may be somebody's name, so it stands in a form and never in an address, and whoever asks is on record with the row.
//! INVARIANT: what is no row by the catalog is written nowhere.

use std::sync::Arc;

use axum::http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab};
use super::privacy::{Made, NoReport, drawn, narrowing, question};
use super::reply::Reply;
use super::visitors::Signed;
use super::words::Word;
use super::{Call, Console, said};
use crate::audit::ConsoleFacts;
use crate::catalog::Snapshot;
use crate::report::{NoRow, Subject, relations_with_keys};
use crate::rules::RuleSet;

/// Its address.
pub(super) const PATH: &str = "/console/report/row";

/// Bytes of a relation's name, and of a key.
const NAME_BYTES_MAX: usize = 1000;
/// Relations that are offered while somebody types.
const OFFERED_MAX: usize = 500;

impl Console {
    /// The form.
    pub(super) fn row_page(&self, call: &Call<'_>) -> Reply {
        let look = &call.look;
        match look.signed.as_ref().is_some_and(|signed| signed.rights.trace) {
            true => Reply::page(page(look, self.snapshot().as_deref(), &Fields::default(), None)),
            false => said(look, StatusCode::FORBIDDEN, Word::NotAllowed),
        }
    }

    /// The answer.
    pub(super) async fn trace(
        &self,
        call: &Call<'_>,
        form: &Fields,
        rules: &Arc<RuleSet>,
        signed: &Signed,
    ) -> Reply {
        let look = &call.look;
        let denied = |why: &'static str| move |facts| ConsoleFacts { refused: Some(why), ..facts };
        if !signed.rights.trace {
            // Refused, whether there is a record of it or not.
            let _ = self.record(call, signed, "trace", denied("not_allowed")).await;
            return said(look, StatusCode::FORBIDDEN, Word::NotAllowed);
        }
        let Some(snapshot) = self.snapshot() else {
            return said(look, StatusCode::SERVICE_UNAVAILABLE, Word::NoCatalog);
        };
        let answer = |status: StatusCode, answer: Answer| {
            Reply::page(page(look, Some(&snapshot), form, Some(&answer))).status(status)
        };
        let now = Timestamp::now();
        let question = match question(form, now) {
            Ok(question) => question,
            Err(text) => {
                return answer(StatusCode::BAD_REQUEST, Answer::Made(Err(NoReport::Told(text))));
            }
        };
        let (relation, key) = (form.text("relation").trim(), form.text("key").trim());
        if relation.len() > NAME_BYTES_MAX || key.len() > NAME_BYTES_MAX {
            return answer(StatusCode::BAD_REQUEST, Answer::TooLong);
        }
        let subject = match Subject::of(relation, key, &snapshot, rules) {
            Ok(subject) => subject,
            Err(wrong) => {
                // What was typed may be anything, a name or a number of somebody too: it is not in the record.
                let _ = self.record(call, signed, "trace", denied("no_such_row")).await;
                return answer(StatusCode::BAD_REQUEST, Answer::NoRow(wrong));
            }
        };
        let row = Some(subject.called());
        let about_row = |facts| ConsoleFacts { row, ..facts };
        if let Err(reply) = self.record(call, signed, "trace", about_row).await {
            return reply;
        }
        match self.made(call, rules, question, Some(subject), now).await {
            Ok(made) => answer(StatusCode::OK, Answer::Made(made)),
            Err(reply) => reply,
        }
    }
}

enum Answer {
    Made(Made),
    NoRow(NoRow),
    TooLong,
}

fn page(
    look: &Look,
    snapshot: Option<&Snapshot>,
    fields: &Fields,
    answer: Option<&Answer>,
) -> String {
    let offered = snapshot.map(relations_with_keys).unwrap_or_default();
    let is_wrong = matches!(answer, Some(Answer::NoRow(_) | Answer::TooLong));
    let body = html! {
        p class="lead" { (look.say(Word::RowHelp)) }
        p { a href=(Tab::Report.path()) { (look.say(Word::RowBack)) } }
        form class="ask" method="post" action={ (PATH) "#answer" } aria-describedby="row-recorded" {
            (look.token_field())
            label { span { (look.say(Word::RowRelation)) }
                input name="relation" list="relations" value=(fields.text("relation")) required maxlength=(NAME_BYTES_MAX)
                    autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="public.customers"
                    aria-invalid=[is_wrong.then_some("true")] aria-describedby=[is_wrong.then_some("answer")];
            }
            datalist id="relations" {
                @for name in offered.iter().take(OFFERED_MAX) { option value=(name) {} }
            }
            label { span { (look.say(Word::RowKey)) }
                input name="key" value=(fields.text("key")) required maxlength=(NAME_BYTES_MAX) autocomplete="off"
                    autocapitalize="none" spellcheck="false" placeholder="42"
                    aria-invalid=[is_wrong.then_some("true")] aria-describedby=[is_wrong.then_some("answer")];
            }
            (narrowing(look, fields, ""))
            button type="submit" class="main" { (look.say(Word::RowAsk)) }
            p class="soft wide" { (look.say(Word::RowKeyHelp)) " " (look.say(Word::ReportTimes)) }
            p class="soft wide" id="row-recorded" { (look.say(Word::RowRecorded)) }
        }
        @if let Some(answer) = answer { (told(look, answer)) }
    };
    look.page(look.say(Word::Row), Some(Tab::Report), &body)
}

/// Where the browser goes when the answer is there, so that it is what is read next.
fn told(look: &Look, answer: &Answer) -> Markup {
    html! {
        div id="answer" tabindex="-1" {
            @match answer {
                Answer::Made(made) => {
                    @if made.is_ok() { h2 { (look.say(Word::RowAnswer)) } }
                    (drawn(look, made))
                }
                Answer::TooLong => p class="alarm" role="alert" { (look.say(Word::RowTooLong)) },
                Answer::NoRow(wrong) => p class="alarm" role="alert" {
                    (look.say(Word::RowNone)) " " (wrong.told(look.language))
                    @if let Some(help) = wrong.help(look.language) { "; " (help) }
                },
            }
        }
    }
}
