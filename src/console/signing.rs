//! Signing in and out, and what a browser keeps of language and colours.
//!
//! INVARIANT: an unknown name, a wrong password, and a right one of somebody who may not look are one answer.

use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use maud::html;
use secrecy::SecretString;

use super::asked::Fields;
use super::frame::{Look, Theme};
use super::reply::{Cookie, Reply};
use super::visitors::{self, Signed};
use super::words::{Language, Word};
use super::{Call, Console, FORM, LANGUAGE, SESSION, THEME};
use crate::audit::{ConsoleFacts, Record};
use crate::rules::RuleSet;
use crate::session::NotAdmitted;

/// Characters of a name that somebody claims, in the audit.
const NAME_CHARACTERS_MAX: usize = 128;
/// Bytes of a password; nobody types more.
const PASSWORD_BYTES_MAX: usize = 1024;

impl Console {
    /// Lets in whoever gives a name and its password, and may look.
    pub(super) async fn sign_in(
        &self,
        call: &Call<'_>,
        form: &Fields,
        rules: &Arc<RuleSet>,
    ) -> Reply {
        let look = &call.look;
        let (name, password) = (form.text("user"), form.text("password"));
        let checked = match password.len() <= PASSWORD_BYTES_MAX {
            true => {
                let password = SecretString::from(password.to_owned());
                self.proxy
                    .check_password(name, password, Some(call.client.ip()), &self.logins)
                    .await
            }
            false => Err(NotAdmitted::Wrong),
        };
        // As the rules are now: they may have changed meanwhile.
        let rules = if checked.is_ok() { self.proxy.rules() } else { Arc::clone(rules) };
        let user = rules.user(name).filter(|_| checked.is_ok());
        let user = user.filter(|user| visitors::signed(user.clone(), &self.options).rights.look);
        let record = |refused| {
            Record::Console(Box::new(ConsoleFacts {
                user: name.chars().take(NAME_CHARACTERS_MAX).collect(),
                client: call.client.to_string(),
                act: "sign_in",
                refused,
                session: None,
                grant: None,
                role: None,
                row: None,
                rules: rules.version.clone(),
            }))
        };
        let (status, word, seconds, refused) = match (checked, &user) {
            (Ok(()), Some(_)) => (StatusCode::OK, Word::SignInWrong, None, None),
            (Ok(()), None) => {
                (StatusCode::UNAUTHORIZED, Word::SignInWrong, None, Some("not_allowed"))
            }
            (Err(NotAdmitted::Wrong), _) => {
                (StatusCode::UNAUTHORIZED, Word::SignInWrong, None, Some("password"))
            }
            (Err(NotAdmitted::TooMany(seconds)), _) => (
                StatusCode::TOO_MANY_REQUESTS,
                Word::SignInTooMany,
                Some(seconds),
                Some("too_many"),
            ),
        };
        if let Err(error) = self.audit.accept(record(refused)).await {
            tracing::error!(%error, "a record of the console is missing in the audit trail");
            return sign_in_page(
                look,
                StatusCode::SERVICE_UNAVAILABLE,
                Some((Word::NoAudit, None)),
            );
        }
        let Some(user) = user.filter(|_| refused.is_none()) else {
            return sign_in_page(look, status, Some((word, seconds)));
        };
        let Some(token) = self.visitors.enter(&user, Instant::now()) else {
            return sign_in_page(look, StatusCode::SERVICE_UNAVAILABLE, Some((Word::Busy, None)));
        };
        if let Some(before) = call.token {
            self.visitors.leave(before);
        }
        let is_secure = call.place.is_secure;
        let session = Cookie::session(Cookie::name(SESSION, is_secure), token);
        let used = Cookie::gone(Cookie::name(FORM, is_secure));
        Reply::to("/console")
            .with_cookie(session.secure(is_secure))
            .with_cookie(used.secure(is_secure))
    }

    /// Lets nobody in by this cookie any more.
    pub(super) async fn sign_out(&self, call: &Call<'_>, signed: &Signed) -> Reply {
        if let Some(token) = call.token {
            self.visitors.leave(token);
        }
        // It is done, whether there is a record of it or not.
        let _ = self.record(call, signed, "sign_out", |facts| facts).await;
        let is_secure = call.place.is_secure;
        let gone = Cookie::gone(Cookie::name(SESSION, is_secure)).secure(is_secure);
        Reply::to("/console/sign-in").with_cookie(gone)
    }
}

/// The form, and what was wrong the last time.
pub(super) fn sign_in_page(
    look: &Look,
    status: StatusCode,
    problem: Option<(Word, Option<u64>)>,
) -> Reply {
    let body = html! {
        @if let Some((word, number)) = problem {
            p class="alarm" role="alert" { (look.say(word)) @if let Some(number) = number { " " (number) } }
        }
        p class="lead" { (look.say(Word::SignInHelp)) }
        form class="sign-in" method="post" action="/console/sign-in" {
            (look.token_field())
            label { span { (look.say(Word::User)) }
                input name="user" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="256" autofocus;
            }
            label { span { (look.say(Word::Password)) }
                input type="password" name="password" autocomplete="current-password" required maxlength="1024";
            }
            button type="submit" class="main" { (look.say(Word::SignIn)) }
        }
    };
    let look = Look { signed: None, here: "/console/sign-in".to_owned(), ..copied(look) };
    Reply::page(look.page(look.say(Word::SignIn), None, &body)).status(status)
}

fn copied(look: &Look) -> Look {
    Look {
        language: look.language,
        theme: look.theme,
        token: look.token.clone(),
        here: look.here.clone(),
        signed: look.signed.clone(),
        rules: look.rules.clone(),
    }
}

/// Language and colours, kept in cookies that say nothing else.
pub(super) fn settings(call: &Call<'_>, form: &Fields) -> Reply {
    let back = form.text("back");
    let mut reply = Reply::to(if is_ours(back) { back } else { "/console" });
    if let Some(language) = Language::of_tag(form.text("language")) {
        let kept = Cookie::kept(LANGUAGE, language.tag());
        reply = reply.with_cookie(kept.secure(call.place.is_secure));
    }
    if let Some(theme) = Theme::of_word(form.text("theme")) {
        let kept = Cookie::kept(THEME, theme.word());
        reply = reply.with_cookie(kept.secure(call.place.is_secure));
    }
    reply
}

/// An address of the console, and nothing that a browser could take for another one.
fn is_ours(path: &str) -> bool {
    let is_below = path
        .strip_prefix("/console")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('?'));
    is_below
        && path.len() <= 2000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn the_way_back_leads_to_the_console_only() {
        for path in ["/console", "/console/rules", "/console?tag=a.b", "/console//x"] {
            assert!(is_ours(path), "{path}");
        }
        for path in [
            "",
            "/",
            "//evil.example",
            "/consolex",
            "https://evil.example/console",
            "/console\r\nX: y",
            "/console/\\evil",
            "console",
            "/console.evil.example",
            "/console/가",
        ] {
            assert!(!is_ours(path), "{path}");
        }
    }
}
