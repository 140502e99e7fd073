//! Who does something to a grant, proven by the password that the rules have a verifier of.

use std::io::{BufRead as _, IsTerminal as _};

use secrecy::SecretString;

use crate::rules::{RuleSet, User};

/// Where the password may stand, for programs.
const VARIABLE: &str = "SCRIM_USER_PASSWORD";

/// The user, if the password is the user's. Whoever is not known is not told so.
pub(super) fn proven(name: &str, rules: &RuleSet) -> Result<User, String> {
    let password = password(name)?;
    let user = rules.user(name).filter(|user| user.has_password(&password));
    user.ok_or_else(|| {
        format!(
            "error: the password of user `{name}` is wrong\n  who logs in by a certificate or a token alone has no \
             password, and cannot do this here"
        )
    })
}

fn password(name: &str) -> Result<SecretString, String> {
    if let Ok(password) = std::env::var(VARIABLE) {
        return Ok(SecretString::from(password));
    }
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(format!("Password for {name}: "))
            .map(SecretString::from)
            .map_err(|error| format!("error: cannot ask for a password: {error}"));
    }
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| format!("error: cannot read a password: {error}"))?;
    let length = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(length);
    Ok(SecretString::from(line))
}
