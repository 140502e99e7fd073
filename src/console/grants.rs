//! The page of grants: what is asked for, in force and over, a form to ask, and one that asks nobody.

use maud::{Markup, html};

use super::asked::Fields;
use super::frame::{Look, Tab, shown};
use super::words::Word;
use crate::grants::{Grant, approve, break_glass_roles, reject, revoke, time};
use crate::rules::{RuleSet, User};

/// Those that are over and are shown, the latest first.
const PAST_MAX: usize = 50;

/// By which a form that was sent is told from the other.
const GLASS: &str = "glass";

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
                @if let Some(user) = standing.user {
                    (form(look, user, fields))
                    @let roles = break_glass_roles(user, standing.rules);
                    @if !roles.is_empty() { (glass(look, &roles, fields)) }
                }
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

/// What was typed into one of the two forms, and is still there when it was refused.
#[derive(Clone, Copy)]
struct Typed<'f>(Option<&'f Fields>);

impl<'f> Typed<'f> {
    fn of(fields: &'f Fields, is_glass: bool) -> Typed<'f> {
        Typed(Some(fields).filter(|fields| fields.has(GLASS) == is_glass))
    }

    fn value(self, name: &str, otherwise: &'f str) -> &'f str {
        let fields = self.0.filter(|fields| fields.has(name));
        fields.map_or(otherwise, |fields| fields.text(name))
    }

    fn field(
        self,
        look: &Look,
        name: &str,
        word: Word,
        otherwise: &'f str,
        is_needed: bool,
    ) -> Markup {
        html! {
            label { span { (look.say(word)) }
                input name=(name) value=(self.value(name, otherwise)) maxlength="1000" autocomplete="off" required[is_needed];
            }
        }
    }

    /// What is to be seen, and of which rows.
    fn wish(self, look: &Look) -> Markup {
        html! {
            (self.field(look, "table", Word::GrantTable, "", false))
            label class="wide" { span { (look.say(Word::GrantMasks)) }
                textarea class="small" name="masks" required placeholder="contact.phone=clear" maxlength="4000" { (self.value("masks", "")) }
            }
            label class="wide" { span { (look.say(Word::GrantRows)) }
                input name="rows" value=(self.value("rows", "")) maxlength="4000" autocomplete="off" placeholder="id = 42";
            }
            label class="check" {
                input type="checkbox" name="widens" value="1" checked[self.0.is_some_and(|fields| fields.has("widens"))];
                " " (look.say(Word::GrantWidens))
            }
        }
    }
}

fn form(look: &Look, user: &User, fields: &Fields) -> Markup {
    let typed = Typed::of(fields, false);
    html! {
        h2 id="ask" { (look.say(Word::GrantAsk)) }
        form class="ask" method="post" action="/console/grants/ask" aria-labelledby="ask" {
            (look.token_field())
            (typed.field(look, "user", Word::User, &user.name, true))
            (typed.field(look, "role", Word::Role, "", false))
            (typed.wish(look))
            (typed.field(look, "for", Word::GrantFor, "30m", true))
            (typed.field(look, "because", Word::GrantBecause, "", true))
            button type="submit" class="main" { (look.say(Word::GrantSend)) }
            p class="soft wide" { (look.say(Word::GrantForHelp)) }
        }
    }
}

/// For oneself, at once, in one of these roles. It is told before how loud that is.
fn glass(look: &Look, roles: &[&str], fields: &Fields) -> Markup {
    let typed = Typed::of(fields, true);
    html! {
        h2 id="glass" { (look.say(Word::GlassTitle)) }
        p class="alarm" id="glass-warning" { (look.say(Word::GlassWarning)) }
        form class="ask loud" method="post" action="/console/grants/break-glass" aria-labelledby="glass"
            aria-describedby="glass-warning" {
            (look.token_field())
            input type="hidden" name=(GLASS) value="1";
            label { span { (look.say(Word::Role)) }
                select name="role" {
                    @for role in roles {
                        option value=(role) selected[typed.value("role", "") == *role] { (shown(role)) }
                    }
                }
            }
            (typed.wish(look))
            (typed.field(look, "for", Word::GrantFor, "15m", true))
            (typed.field(look, "because", Word::GrantBecause, "", true))
            label class="check" {
                input type="checkbox" name="aware" value="1" required;
                " " (look.say(Word::GlassAware))
            }
            button type="submit" class="loud" aria-describedby="glass-warning" { (look.say(Word::GlassBreak)) }
            p class="soft wide" { (look.say(Word::GlassForHelp)) }
        }
    }
}
