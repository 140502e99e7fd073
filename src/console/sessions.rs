//! Who is connected, and the pools.

use std::time::SystemTime;

use jiff::Timestamp;
use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::words::Word;
use crate::pool::Figures;
use crate::session::{Doing, Present};

/// Sessions that are shown.
const SESSIONS_MAX: usize = 500;

/// The page.
pub fn page(look: &Look, sessions: &[Present], pools: &[Figures], fields: &Fields) -> String {
    let told = |name: &str| fields.text(name).parse::<u64>().ok();
    let body = html! {
        p class="lead" { (look.say(Word::SessionsHelp)) }
        @if let Some(number) = told("ended") { p class="done" role="status" { (look.say(Word::SessionEnded)) " " (number) } }
        @if let Some(number) = told("gone") { p class="alarm" role="alert" { (look.say(Word::SessionGone)) " " (number) } }
        (follow(look))
        div id="live" {
            h2 { (look.say(Word::Sessions)) " (" (sessions.len()) ")" }
            @if sessions.is_empty() {
                p class="nothing" { (look.say(Word::NoSessions)) }
            } @else {
                (table(look, sessions))
            }
            h2 { (look.say(Word::Pools)) }
            @if pools.is_empty() { p class="nothing" { (look.say(Word::NoPools)) } } @else { (of_pools(look, pools)) }
        }
    };
    look.page(look.say(Word::Sessions), Some(Tab::Sessions), &body)
}

/// The button of a page that changes by itself, and what there is without a script.
pub fn follow(look: &Look) -> Markup {
    html! {
        p class="buttons" {
            button id="follow" type="button" hidden data-pause=(look.say(Word::Pause)) data-resume=(look.say(Word::Resume)) {
                (look.say(Word::Resume))
            }
            a href=(look.here) { (look.say(Word::Refresh)) }
        }
    }
}

fn table(look: &Look, sessions: &[Present]) -> Markup {
    let may_end = look.signed.as_ref().is_some_and(|signed| signed.rights.end_sessions);
    let columns = [
        Word::Session,
        Word::User,
        Word::Role,
        Word::Doing,
        Word::Since,
        Word::Client,
        Word::Application,
        Word::Database,
    ];
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(look.say(Word::Sessions)) {
            table class="stack" {
                thead { tr {
                    @for word in columns { th scope="col" { (look.say(word)) } }
                    @if may_end { td {} }
                } }
                tbody { @for session in sessions.iter().take(SESSIONS_MAX) { (row(look, session, may_end)) } }
            }
        }
        @if sessions.len() > SESSIONS_MAX { p class="nothing" { "+ " (sessions.len().saturating_sub(SESSIONS_MAX)) } }
    }
}

fn row(look: &Look, session: &Present, may_end: bool) -> Markup {
    let facts = &session.facts;
    let doing = match session.doing {
        Doing::Idle => Word::DoingIdle,
        Doing::Active => Word::DoingActive,
        Doing::InTransaction => Word::DoingInTransaction,
    };
    html! {
        tr {
            th scope="row" { (facts.session) }
            td data-label=(look.say(Word::User)) { (shown(&facts.user)) }
            td data-label=(look.say(Word::Role)) { (shown(&facts.role)) }
            td data-label=(look.say(Word::Doing)) { (look.say(doing)) }
            td data-label=(look.say(Word::Since)) { (at(session.since)) }
            td data-label=(look.say(Word::Client)) { (shown(&facts.client)) @if let Some(via) = &facts.via { " ← " (shown(via)) } }
            td data-label=(look.say(Word::Application)) { (shown(&facts.application)) }
            td data-label=(look.say(Word::Database)) { (shown(&facts.database)) }
            @if may_end {
                td {
                    form class="inline" method="post" action="/console/sessions/end" {
                        (look.token_field())
                        input type="hidden" name="session" value=(facts.session);
                        button type="submit" aria-label={ (look.say(Word::EndSessionNamed)) " " (facts.session) } {
                            (look.say(Word::EndSession))
                        }
                    }
                }
            }
        }
    }
}

fn of_pools(look: &Look, pools: &[Figures]) -> Markup {
    let words = [Word::Database, Word::PoolLogin, Word::PoolKind];
    let numbers = [Word::PoolSize, Word::PoolInUse, Word::PoolIdle, Word::PoolWaiting];
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(look.say(Word::Pools)) {
            table {
                thead { tr {
                    @for word in words { th scope="col" { (look.say(word)) } }
                    @for word in numbers { th scope="col" class="number" { (look.say(word)) } }
                } }
                tbody {
                    @for pool in pools {
                        tr {
                            th scope="row" { (shown(&pool.database)) }
                            td { (shown(&pool.user)) }
                            td { (look.say(if pool.is_untouched { Word::PoolUntouched } else { Word::PoolMasked })) }
                            @for number in [pool.size, pool.in_use, pool.idle, pool.waiting] { td class="number" { (number) } }
                        }
                    }
                }
            }
        }
    }
}

/// To the second, UTC.
fn at(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
