//! The privacy report as a page: of all, and of one row (`row`).
//!
//! INVARIANT: that somebody looks is on record before anything is read.

use std::path::Path;
use std::sync::Arc;

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::reply::Reply;
use super::words::Word;
use super::{Call, Console, row, said};
use crate::audit::{Beginning, NotRead, TrailFiles, Wanted};
use crate::changes::Picture;
use crate::report::{
    Entry, Kinds, Language, Question, Report, Rules, Sightings, Subject, Tally, TrailTold,
    beginning, end,
};
use crate::rules::RuleSet;

/// A trail that is larger is not read for a page.
const TRAIL_BYTES_MAX: u64 = 256 << 20;

/// What a report is made of.
struct Sources {
    /// The rules in force.
    rules: Arc<RuleSet>,
    /// What they show.
    picture: Arc<Picture>,
    /// The database of the catalog.
    database: String,
}

/// Why there is none.
pub(super) enum NoReport {
    /// Words of the console.
    Said(Word),
    /// A text.
    Told(String),
}

/// A report, or why there is none.
pub(super) type Made = Result<Markup, NoReport>;

impl Console {
    /// The page, with a report where one is asked for.
    pub(super) async fn report(&self, call: &Call<'_>, rules: &Arc<RuleSet>) -> Reply {
        let look = &call.look;
        if !call.query.has("make") {
            return Reply::page(page(look, &call.query, None));
        }
        let now = Timestamp::now();
        let question = match question(&call.query, now) {
            Ok(question) => question,
            Err(text) => {
                let made = Some(Err(NoReport::Told(text)));
                return Reply::page(page(look, &call.query, made)).status(StatusCode::BAD_REQUEST);
            }
        };
        let Some(signed) = &look.signed else { return Reply::to("/console/sign-in") };
        if let Err(reply) = self.record(call, signed, "report", |facts| facts).await {
            return reply;
        }
        match self.made(call, rules, question, None, now).await {
            Ok(made) => Reply::page(page(look, &call.query, Some(made))),
            Err(reply) => reply,
        }
    }

    /// Makes one, if no other is made; else the page that says why not.
    pub(super) async fn made(
        &self,
        call: &Call<'_>,
        rules: &Arc<RuleSet>,
        question: Question,
        subject: Option<Subject>,
        now: Timestamp,
    ) -> Result<Made, Reply> {
        let look = &call.look;
        let Some(sheet) = self.sheet(rules).await else {
            return Err(said(look, StatusCode::SERVICE_UNAVAILABLE, Word::NoCatalog));
        };
        let Ok(turn) = Arc::clone(&self.reports).try_acquire_owned() else {
            return Err(said(look, StatusCode::SERVICE_UNAVAILABLE, Word::Busy));
        };
        let sources = Sources {
            rules: Arc::clone(rules),
            picture: Arc::clone(&sheet.picture),
            database: self.database.clone(),
        };
        let file = self.audit_file.clone();
        let language = look.language;
        let making = tokio::task::spawn_blocking(move || {
            // Held to the end of the reading, also where nobody waits for it any more.
            let _turn = turn;
            make(&file, question, subject, &sources, (now, language))
        });
        making.await.map_err(|_| said(look, StatusCode::INTERNAL_SERVER_ERROR, Word::Busy))
    }
}

/// What is wanted of it.
///
/// # Errors
/// A time or a zone that is none; ready to be shown.
pub(super) fn question(fields: &Fields, now: Timestamp) -> Result<Question, String> {
    let named = |name: &str| Some(fields.text(name).trim()).filter(|text| !text.is_empty());
    let zone = named("timezone").unwrap_or("UTC");
    let zone = TimeZone::get(zone).map_err(|_| format!("`{zone}`: such as `Asia/Seoul`, `UTC`"))?;
    let since = named("since").map(|text| beginning(text, &zone, now)).transpose()?;
    let until = named("until").map(|text| end(text, &zone, now)).transpose()?;
    let owned = |name: &str| named(name).map(str::to_owned);
    Ok(Question { since, until, user: owned("user"), role: owned("role"), zone })
}

/// Reads the trail, as a whole.
fn make(
    file: &Path,
    question: Question,
    subject: Option<Subject>,
    sources: &Sources,
    (now, language): (Timestamp, Language),
) -> Made {
    let trail = TrailFiles::of(file).map_err(NoReport::Told)?;
    if trail.bytes() > TRAIL_BYTES_MAX {
        return Err(NoReport::Said(Word::ReportTooLarge));
    }
    let Sources { rules, picture, database } = sources;
    let kinds = Kinds::new(rules).with_catalog(database, picture);
    let files = trail.names();
    let mut tally = Tally::new(question, kinds);
    if let Some(subject) = subject {
        tally = tally.about(Sightings::new(subject));
    }
    // A chain that is broken is told on top of the page.
    let wanted = Wanted { beginning: Beginning::First, is_unverified: true, kept: None };
    let read =
        trail.read(&wanted, |line| Entry::read(line).map(|entry| tally.add(entry)).is_some());
    let read = read.map_err(|fault| match fault {
        NotRead::Broken(text) | NotRead::File(text) => NoReport::Told(text),
    })?;
    tally.end();
    let told = TrailTold {
        files: files.iter().map(|name| shown(name).into_owned()).collect(),
        records: read.checked.records,
        first: read.checked.first,
        last: read.checked.last,
        broken: read.broken,
        is_partial: false,
    };
    let rules = Rules { set: rules, picture, database: Some(database) };
    Ok(Report::new(now, told, &tally, Some(&rules)).to_markup(language))
}

/// What narrows a report; `since` is where it begins unless it is said.
pub(super) fn narrowing(look: &Look, fields: &Fields, since: &str) -> Markup {
    let field = |name: &'static str, word: Word, otherwise: &str| {
        let value = if fields.has(name) { fields.text(name) } else { otherwise };
        html! { label { span { (look.say(word)) } input name=(name) value=(value) maxlength="100" autocomplete="off"; } }
    };
    html! {
        (field("since", Word::ReportSince, since))
        (field("until", Word::ReportUntil, ""))
        (field("user", Word::User, ""))
        (field("role", Word::Role, ""))
        (field("timezone", Word::ReportZone, "UTC"))
    }
}

/// A report, or why there is none.
pub(super) fn drawn(look: &Look, made: &Made) -> Markup {
    html! {
        @match made {
            Ok(report) => (report),
            Err(NoReport::Said(word)) => p class="alarm" role="alert" { (look.say(*word)) },
            Err(NoReport::Told(text)) => p class="alarm" role="alert" { span lang="en" { (shown(&text.replace('\n', " "))) } },
        }
    }
}

/// The page, with a report where there is one.
fn page(look: &Look, fields: &Fields, made: Option<Made>) -> String {
    let may_trace = look.signed.as_ref().is_some_and(|signed| signed.rights.trace);
    let body = html! {
        p class="lead" { (look.say(Word::ReportHelp)) }
        @if may_trace { p { a href=(row::PATH) { (look.say(Word::Row)) } } }
        form class="filter" method="get" action=(Tab::Report.path()) {
            input type="hidden" name="make" value="1";
            (narrowing(look, fields, "7d"))
            button type="submit" class="main" { (look.say(Word::ReportMake)) }
        }
        p class="soft" { (look.say(Word::ReportTimes)) }
        @if let Some(made) = &made { (drawn(look, made)) }
    };
    look.page(look.say(Word::Report), Some(Tab::Report), &body)
}
