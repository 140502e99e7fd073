//! Who is signed in.
//!
//! A browser holds a random token in a cookie; here only its hash is kept. INVARIANT: whoever is signed in is a user of the
//! rules in force with the password that was given at the login, and with a role that may look; else the session is
//! over, whenever that is seen. The token of a form is made of the cookie's, so it is good for that browser only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};
use secrecy::ExposeSecret as _;

use crate::config::{ConsoleOptions, ConsoleRights};
use crate::rules::{RuleSet, User};

/// Sessions at once; the one that was used longest ago goes.
const VISITORS_MAX: usize = 256;
/// Those of one user.
const VISITORS_OF_USER_MAX: usize = 16;
const TOKEN_BYTES: usize = 32;

type Hash = [u8; 32];

/// All who are signed in.
pub struct Visitors {
    here: Mutex<HashMap<Hash, Visitor>>,
    forms: hmac::Key,
}

struct Visitor {
    user: String,
    /// Of the verifier by which the password was right.
    verifier: Hash,
    began: Instant,
    last: Instant,
}

/// Somebody who is signed in, as the rules have it now.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Who.
    pub user: String,
    /// With which roles.
    pub roles: Vec<String>,
    /// What those may do here.
    pub rights: ConsoleRights,
}

impl Visitors {
    /// Nobody yet. `None`: the system gives no random numbers.
    pub fn new() -> Option<Visitors> {
        let forms = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Visitors { here: Mutex::default(), forms })
    }

    /// Signs a user in: gives the token of the cookie. `None`: the system gives no random numbers.
    pub fn enter(&self, user: &User, now: Instant) -> Option<String> {
        let token = random_token()?;
        let visitor =
            Visitor { user: user.name.clone(), verifier: verifier(user), began: now, last: now };
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = here.values().filter(|other| other.user == user.name).count();
        if of_user >= VISITORS_OF_USER_MAX {
            remove_oldest(&mut here, |other| other.user == user.name);
        }
        if here.len() >= VISITORS_MAX {
            remove_oldest(&mut here, |_| true);
        }
        here.insert(hash(&token), visitor);
        Some(token)
    }

    /// Who holds this token. `is_active`: a person has asked, and not a page by itself.
    pub fn find(
        &self,
        token: &str,
        options: &ConsoleOptions,
        rules: &RuleSet,
        now: Instant,
        is_active: bool,
    ) -> Option<Signed> {
        let key = hash(token);
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let visitor = here.get_mut(&key)?;
        let is_over = |since: Instant, most: Duration| now.saturating_duration_since(since) >= most;
        let user = rules.user(&visitor.user).filter(|user| verifier(user) == visitor.verifier);
        let signed = user.map(|user| signed(user, options)).filter(|signed| signed.rights.look);
        let is_over =
            is_over(visitor.last, options.idle) || is_over(visitor.began, options.lifetime);
        if is_over || signed.is_none() {
            here.remove(&key);
            return None;
        }
        if is_active {
            visitor.last = now;
        }
        signed
    }

    /// Signs out.
    pub fn leave(&self, token: &str) {
        self.here.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(token));
    }

    /// The token of the forms of a browser that holds this cookie.
    pub fn form_token(&self, cookie: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.forms, cookie.as_bytes()))
    }

    /// Whether a form came with the token of this cookie.
    pub fn is_form_token(&self, cookie: &str, token: &str) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        hmac::verify(&self.forms, cookie.as_bytes(), &tag).is_ok()
    }
}

/// What a user may do here, by all roles of theirs.
pub fn signed(user: User, options: &ConsoleOptions) -> Signed {
    let of_roles = user.roles.iter().filter_map(|role| options.roles.get(role));
    let rights = of_roles.fold(ConsoleRights::default(), |all, one| all.and(*one));
    Signed { user: user.name, roles: user.roles, rights }
}

/// 256 random bits, as a cookie holds them. `None`: the system gives none.
pub fn random_token() -> Option<String> {
    let mut bytes = [0; TOKEN_BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

fn remove_oldest(here: &mut HashMap<Hash, Visitor>, is_meant: impl Fn(&Visitor) -> bool) {
    let meant = here.iter().filter(|(_, visitor)| is_meant(visitor));
    if let Some(key) = meant.min_by_key(|(_, visitor)| visitor.last).map(|(key, _)| *key) {
        here.remove(&key);
    }
}

fn verifier(user: &User) -> Hash {
    hash(user.verifier.as_ref().map_or("", |verifier| verifier.expose_secret()))
}

fn hash(text: &str) -> Hash {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{NoEnvironment, load};
    use crate::text::Sources;

    fn rules(role: &str, password: &str) -> RuleSet {
        let key = base64::engine::general_purpose::STANDARD.encode(format!("{password:0>32}"));
        let text = format!(
            "roles:\n  desk:\n    masks: {{\"*\": redact}}\n  other:\n    masks: {{\"*\": redact}}\nusers:\n  \
             kim: {{role: {role}, password: \"SCRAM-SHA-256$4096:{key}${key}:{key}\"}}\n"
        );
        let mut sources = Sources::default();
        sources.add("rules.yaml".to_owned(), text);
        load(sources, &NoEnvironment).unwrap_or_else(|(_, found)| panic!("{found:?}")).0
    }

    fn options() -> ConsoleOptions {
        let rights = ConsoleRights { look: true, ..ConsoleRights::default() };
        ConsoleOptions {
            roles: [("desk".to_owned(), rights)].into(),
            idle: Duration::from_secs(60),
            lifetime: Duration::from_secs(600),
            origins: Vec::new(),
        }
    }

    #[test]
    fn a_session_ends_by_time_and_by_the_rules() {
        let (visitors, start, options) = (Visitors::new().unwrap(), Instant::now(), options());
        let old = rules("desk", "a");
        let kim = old.user("kim").unwrap();
        let find = |token: &str, rules: &RuleSet, seconds, is_active| {
            let now = start + Duration::from_secs(seconds);
            visitors.find(token, &options, rules, now, is_active).map(|signed| signed.user)
        };
        let known = Some("kim".to_owned());
        let token = visitors.enter(&kim, start).unwrap();
        assert_eq!(find("", &old, 0, true), None);
        assert_eq!(find(&token, &old, 50, true), known);
        assert_eq!(find(&token, &old, 100, false), known);
        assert_eq!(find(&token, &old, 111, true), None, "nobody did anything for a minute");
        assert_eq!(find(&token, &old, 50, true), None, "over is over");
        let token = visitors.enter(&kim, start).unwrap();
        for seconds in (0..600).step_by(50) {
            assert_eq!(find(&token, &old, seconds, true), known);
        }
        assert_eq!(find(&token, &old, 600, true), None, "ten minutes are over");
        for newer in [rules("other", "a"), rules("desk", "b")] {
            let token = visitors.enter(&kim, start).unwrap();
            assert_eq!(find(&token, &old, 1, true), known);
            assert_eq!(find(&token, &newer, 2, true), None);
            assert_eq!(find(&token, &old, 3, true), None, "it does not come back");
        }
        let token = visitors.enter(&kim, start).unwrap();
        visitors.leave(&token);
        assert_eq!(find(&token, &old, 1, true), None);
    }

    #[test]
    fn there_are_only_so_many() {
        let (visitors, start, options) = (Visitors::new().unwrap(), Instant::now(), options());
        let rules = rules("desk", "a");
        let kim = rules.user("kim").unwrap();
        let tokens: Vec<String> = (0..=VISITORS_OF_USER_MAX as u64)
            .map(|second| visitors.enter(&kim, start + Duration::from_secs(second)).unwrap())
            .collect();
        let now = start + Duration::from_secs(20);
        let is_in = |token: &String| visitors.find(token, &options, &rules, now, true).is_some();
        assert!(!is_in(&tokens[0]) && tokens[1..].iter().all(is_in));
        for number in 0..VISITORS_MAX * 2 {
            let other = User { name: format!("u{number}"), ..kim.clone() };
            visitors.enter(&other, now).unwrap();
        }
        assert_eq!(visitors.here.lock().unwrap().len(), VISITORS_MAX);
    }

    #[test]
    fn a_form_is_good_for_its_cookie_only() {
        let visitors = Visitors::new().unwrap();
        let token = visitors.form_token("one");
        assert!(visitors.is_form_token("one", &token));
        for (cookie, token) in [
            ("two", token.as_str()),
            ("one", ""),
            ("one", "AA"),
            ("one", &token[1..]),
            ("", &token),
        ] {
            assert!(!visitors.is_form_token(cookie, token), "{cookie}: {token}");
        }
        let others = Visitors::new().unwrap();
        assert!(!others.is_form_token("one", &token));
    }
}
