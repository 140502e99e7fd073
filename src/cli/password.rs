//! `scrim password`: from a password to the verifier that the rules hold.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

/// Asks for a password and prints the line for `users` in the rules. The verifier is of no use for logging in:
/// a password cannot be read out of it.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  scrim password alice\n  printf '%s\\n' \"$PASSWORD\" | scrim password alice"
)]
pub struct PasswordArgs {
    /// The user.
    #[arg(value_name = "USER")]
    user: String,
}

impl PasswordArgs {
    /// Asks, and prints.
    pub fn run(self) -> ExitCode {
        match self.line() {
            Ok(line) => {
                super::print(&line);
                ExitCode::SUCCESS
            }
            Err(text) => {
                super::complain(&format!("error: {text}"));
                ExitCode::FAILURE
            }
        }
    }

    fn line(&self) -> Result<String, String> {
        let password = ask(&self.user)?;
        // SCRAM-SHA-256 with 4096 iterations and a salt of 16 random bytes, as PostgreSQL makes it.
        let verifier =
            postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes());
        Ok(format!("{}: {{password: \"{verifier}\"}}", self.user))
    }
}

/// Twice on a terminal; one line where somebody pipes it in.
fn ask(user: &str) -> Result<SecretString, String> {
    let password = if std::io::stdin().is_terminal() {
        let prompt = |text: String| {
            rpassword::prompt_password(text)
                .map(SecretString::from)
                .map_err(|error| format!("cannot ask for a password: {error}"))
        };
        let first = prompt(format!("Password for {user}: "))?;
        let again = prompt("Once more: ".to_owned())?;
        if first.expose_secret() != again.expose_secret() {
            return Err("the two passwords differ".into());
        }
        first
    } else {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| format!("cannot read a password: {error}"))?;
        SecretString::from(line.trim_end_matches(['\n', '\r']).to_owned())
    };
    if password.expose_secret().is_empty() {
        return Err("the password is empty".into());
    }
    Ok(password)
}
