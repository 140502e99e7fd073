//! The privacy report as a page.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::words::Word;
use crate::audit::{Beginning, NotRead, TrailFiles, Wanted};
use crate::changes::Picture;
use crate::report::{Entry, Kinds, Question, Report, Rules, Tally, TrailTold, beginning, end};
use crate::rules::RuleSet;

/// A trail that is larger is not read for a page.
const TRAIL_BYTES_MAX: u64 = 256 << 20;

/// What a report is made of.
pub struct Sources {
    /// The rules in force.
    pub rules: Arc<RuleSet>,
    /// What they show.
    pub picture: Arc<Picture>,
    /// The database of the catalog.
    pub database: String,
}

/// Why there is none.
pub enum NoReport {
    /// Words of the console.
    Said(Word),
    /// A text.
    Told(String),
}

/// What is wanted of it.
///
/// # Errors
/// A time or a zone that is none; ready to be shown.
pub fn question(fields: &Fields, now: Timestamp) -> Result<Question, String> {
    let named = |name: &str| Some(fields.text(name).trim()).filter(|text| !text.is_empty());
    let zone = named("timezone").unwrap_or("UTC");
    let zone = TimeZone::get(zone).map_err(|_| format!("`{zone}`: such as `Asia/Seoul`, `UTC`"))?;
    let since = named("since").map(|text| beginning(text, &zone, now)).transpose()?;
    let until = named("until").map(|text| end(text, &zone, now)).transpose()?;
    let owned = |name: &str| named(name).map(str::to_owned);
    Ok(Question { since, until, user: owned("user"), role: owned("role"), zone })
}

/// Reads the trail, as a whole.
pub fn make(
    file: &Path,
    question: Question,
    sources: &Sources,
    now: Timestamp,
) -> Result<Markup, NoReport> {
    let trail = TrailFiles::of(file).map_err(NoReport::Told)?;
    if trail.bytes() > TRAIL_BYTES_MAX {
        return Err(NoReport::Said(Word::ReportTooLarge));
    }
    let Sources { rules, picture, database } = sources;
    let kinds = Kinds::new(rules).with_catalog(database, picture);
    let files = trail.names();
    let mut tally = Tally::new(question, kinds);
    // A chain that is broken is told on top of the page.
    let wanted = Wanted { beginning: Beginning::First, is_unverified: true, kept: None };
    let read =
        trail.read(&wanted, |line| Entry::read(line).map(|entry| tally.add(entry)).is_some());
    let read = read.map_err(|fault| match fault {
        NotRead::Broken(text) | NotRead::File(text) => NoReport::Told(text),
    })?;
    let told = TrailTold {
        files: files.iter().map(|name| shown(name).into_owned()).collect(),
        records: read.checked.records,
        first: read.checked.first,
        last: read.checked.last,
        broken: read.broken,
        is_partial: false,
    };
    let rules = Rules { set: rules, picture, database: Some(database) };
    Ok(Report::new(now, told, &tally, Some(&rules)).to_markup())
}

/// The page, with a report where there is one.
pub fn page(look: &Look, fields: &Fields, made: Option<Result<Markup, NoReport>>) -> String {
    let field = |name: &'static str, word: Word, value: &str| {
        html! { label { span { (look.say(word)) } input name=(name) value=(value) maxlength="100" autocomplete="off"; } }
    };
    let body = html! {
        p class="lead" { (look.say(Word::ReportHelp)) }
        form class="filter" method="get" action=(Tab::Report.path()) {
            input type="hidden" name="make" value="1";
            (field("since", Word::ReportSince, if fields.has("make") { fields.text("since") } else { "7d" }))
            (field("until", Word::ReportUntil, fields.text("until")))
            (field("user", Word::User, fields.text("user")))
            (field("role", Word::Role, fields.text("role")))
            (field("timezone", Word::ReportZone, if fields.has("timezone") { fields.text("timezone") } else { "UTC" }))
            button type="submit" class="main" { (look.say(Word::ReportMake)) }
        }
        p class="soft" { (look.say(Word::ReportTimes)) }
        @match made {
            None => {}
            Some(Ok(report)) => div lang="en" { (report) },
            Some(Err(NoReport::Said(word))) => p class="alarm" role="alert" { (look.say(word)) },
            Some(Err(NoReport::Told(text))) => p class="alarm" role="alert" { (shown(&text.replace('\n', " "))) },
        }
    };
    look.page(look.say(Word::Report), Some(Tab::Report), &body)
}
