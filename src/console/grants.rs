//! The page of grants: what is asked for, in force and over, and a form to ask.

use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::words::Word;
use crate::grants::{Grant, approve, reject, revoke, time};
use crate::rules::{RuleSet, User};

/// Those that are over and are shown, the latest first.
const PAST_MAX: usize = 50;

/// What there is to say above the list.
pub enum Said {
    /// Nothing.
    Nothing,
    /// Something was done to the grant of this number.
    Done(u64),
    /// Why it was not.
    Refused(String),
    /// Why it was not, in words of the console.
    Word(Word),
}

/// Why there is no list.
pub enum Unlisted {
    /// None are kept.
    Off,
    /// They cannot be read.
    Unread(String),
}

/// For whom, and by which rules.
#[derive(Clone, Copy)]
pub struct Standing<'a> {
    /// Who looks; `None`: may not do anything here.
    pub user: Option<&'a User>,
    /// The rules in force.
    pub rules: &'a RuleSet,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// The page.
pub fn page(
    look: &Look,
    all: Result<&[Grant], &Unlisted>,
    standing: Standing<'_>,
    said: &Said,
    fields: &Fields,
) -> String {
    let body = html! {
        p class="lead" { (look.say(Word::GrantsHelp)) }
        @match said {
            Said::Nothing => {}
            Said::Done(number) => p class="done" role="status" { (look.say(Word::GrantDone)) " " (number) },
            Said::Word(word) => p class="alarm" role="alert" { (look.say(Word::GrantRefused)) " " (look.say(*word)) },
            Said::Refused(text) => p class="alarm" role="alert" {
                (look.say(Word::GrantRefused)) " " span lang="en" { (shown(&text.replace('\n', "; "))) }
            },
        }
        @match all {
            Err(Unlisted::Off) => p class="nothing" { (look.say(Word::GrantsOff)) },
            Err(Unlisted::Unread(text)) => p class="alarm" role="alert" {
                (look.say(Word::GrantsUnread)) " " span lang="en" { (shown(text)) }
            },
            Ok(all) => {
                @let is_open = |grant: &&Grant| matches!(grant.status(standing.now), "asked" | "in force");
                @let open: Vec<&Grant> = all.iter().rev().filter(is_open).collect();
                @let past: Vec<&Grant> = all.iter().rev().filter(|grant| !is_open(grant)).take(PAST_MAX).collect();
                (list(look, Word::GrantsNow, &open, standing, true))
                @if let Some(user) = standing.user { (form(look, user, fields)) }
                (list(look, Word::GrantsPast, &past, standing, false))
            }
        }
    };
    look.page(look.say(Word::Grants), Some(Tab::Grants), &body)
}

fn list(look: &Look, title: Word, grants: &[&Grant], standing: Standing<'_>, acts: bool) -> Markup {
    let columns = [
        Word::GrantNumber,
        Word::GrantStatus,
        Word::User,
        Word::GrantOpens,
        Word::GrantColumns,
        Word::GrantBecause,
        Word::GrantAskedBy,
        Word::GrantDecidedBy,
        Word::GrantUntil,
    ];
    let acts = acts && standing.user.is_some();
    html! {
        h2 { (look.say(title)) " (" (grants.len()) ")" }
        @if grants.is_empty() {
            p class="nothing" { (look.say(Word::GrantsNone)) }
        } @else {
            div class="scroll" tabindex="0" role="region" aria-label=(look.say(title)) {
                table class="stack" {
                    thead { tr {
                        @for word in columns { th scope="col" { (look.say(word)) } }
                        @if acts { td {} }
                    } }
                    tbody { @for grant in grants { (row(look, grant, standing, acts)) } }
                }
            }
        }
    }
}

fn row(look: &Look, grant: &Grant, standing: Standing<'_>, acts: bool) -> Markup {
    let wish = &grant.wish;
    let at = |when: Option<i64>| when.map(|when| format!(" ({})", time(when))).unwrap_or_default();
    let decided = grant.ended_by.as_ref().map(|by| (by, grant.ended_at));
    let decided = decided.or(grant.decided_by.as_ref().map(|by| (by, grant.decided_at)));
    html! {
        tr {
            th scope="row" { (grant.number) }
            td data-label=(look.say(Word::GrantStatus)) {
                (status(look, grant, standing.now))
                @if grant.break_glass { " " strong { (look.say(Word::GrantBreakGlass)) } }
            }
            td data-label=(look.say(Word::User)) { (shown(&wish.user)) " (" (shown(&wish.role)) ", " (shown(&wish.database)) ")" }
            td data-label=(look.say(Word::GrantOpens)) { code lang="en" { (shown(&wish.to_string())) } }
            td data-label=(look.say(Word::GrantColumns)) { (shown(&wish.columns.join(", "))) }
            td data-label=(look.say(Word::GrantBecause)) { (shown(&wish.because)) }
            td data-label=(look.say(Word::GrantAskedBy)) { (shown(&grant.asked_by)) (at(Some(grant.asked_at))) }
            td data-label=(look.say(Word::GrantDecidedBy)) {
                @if let Some((by, when)) = decided { (shown(by)) (at(when)) }
            }
            td data-label=(look.say(Word::GrantUntil)) {
                @match grant.until {
                    Some(until) => (time(until)),
                    None => { (wish.seconds) " s" }
                }
            }
            @if acts { td { (buttons(look, grant, standing)) } }
        }
    }
}

fn status(look: &Look, grant: &Grant, now: i64) -> &'static str {
    look.say(match grant.status(now) {
        "asked" => Word::GrantAsked,
        "in force" => Word::GrantInForce,
        "rejected" => Word::GrantRejected,
        "revoked" => Word::GrantRevoked,
        "expired" => Word::GrantExpired,
        _ => Word::GrantLapsed,
    })
}

/// What the rules let this person do to it.
fn buttons(look: &Look, grant: &Grant, standing: Standing<'_>) -> Markup {
    let Standing { user: Some(user), rules, now } = standing else { return html! {} };
    let may = [
        ("approve", Word::GrantApprove, approve(grant.clone(), user, rules, now).is_ok()),
        ("reject", Word::GrantReject, reject(grant.clone(), user, rules, now).is_ok()),
        ("revoke", Word::GrantRevoke, revoke(grant.clone(), user, rules, now).is_ok()),
    ];
    html! {
        form class="inline" method="post" action="/console/grants/decide" {
            (look.token_field())
            input type="hidden" name="number" value=(grant.number);
            @for (act, word, _) in may.iter().filter(|(_, _, may)| *may) {
                button type="submit" name="act" value=(act)
                    aria-label={ (look.say(*word)) ": " (look.say(Word::GrantNumber)) " " (grant.number) } {
                    (look.say(*word))
                }
                " "
            }
        }
    }
}

fn form(look: &Look, user: &User, fields: &Fields) -> Markup {
    let value = |name: &str, otherwise: &str| match fields.has(name) {
        true => fields.text(name).to_owned(),
        false => otherwise.to_owned(),
    };
    let field = |name: &'static str, word: Word, otherwise: &str, is_needed: bool| {
        html! {
            label { span { (look.say(word)) }
                input name=(name) value=(value(name, otherwise)) maxlength="1000" autocomplete="off" required[is_needed];
            }
        }
    };
    html! {
        h2 id="ask" { (look.say(Word::GrantAsk)) }
        form class="ask" method="post" action="/console/grants/ask" aria-labelledby="ask" {
            (look.token_field())
            (field("user", Word::User, &user.name, true))
            (field("role", Word::Role, "", false))
            (field("table", Word::GrantTable, "", false))
            label class="wide" { span { (look.say(Word::GrantMasks)) }
                textarea class="small" name="masks" required placeholder="contact.phone=clear" maxlength="4000" { (value("masks", "")) }
            }
            label class="wide" { span { (look.say(Word::GrantRows)) }
                input name="rows" value=(value("rows", "")) maxlength="4000" autocomplete="off" placeholder="id = 42";
            }
            label class="check" {
                input type="checkbox" name="widens" value="1" checked[fields.has("widens")];
                " " (look.say(Word::GrantWidens))
            }
            (field("for", Word::GrantFor, "30m", true))
            (field("because", Word::GrantBecause, "", true))
            button type="submit" class="main" { (look.say(Word::GrantSend)) }
            p class="soft wide" { (look.say(Word::GrantForHelp)) }
        }
    }
}
