//! `scrim password`: from a password to the verifier that the rules hold.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

/// Asks for a password and prints the line for `users` in the rules. The verifier is of no use for logging in:
/// a password cannot be read out of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scrim password alice
  scrim password alice --role support
  printf '%s\\n' \"$PASSWORD\" | scrim password alice

Without --role, the line is for a user who stands in the rules already: a new one needs a role.")]
pub struct PasswordArgs {
    /// The user.
    #[arg(value_name = "USER")]
    user: String,
    /// The role of a new user, put into the line.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

impl PasswordArgs {
    /// Asks, and prints.
    pub fn run(self) -> ExitCode {
        let password = ask(&self.user);
        match password.map(|password| line(&self.user, self.role.as_deref(), &password)) {
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
}

/// One line of YAML.
fn line(user: &str, role: Option<&str>, password: &SecretString) -> String {
    // SCRAM-SHA-256 with 4096 iterations and a salt of 16 random bytes, after SASLprep, as PostgreSQL makes it.
    let verifier = postgres_protocol::password::scram_sha_256(password.expose_secret().as_bytes());
    let role = role.map(|role| format!("role: {}, ", scalar(role))).unwrap_or_default();
    format!("{}: {{{role}password: \"{verifier}\"}}", scalar(user))
}

/// A name as YAML, in quotes unless it is a plain word. JSON's strings are YAML's.
fn scalar(name: &str) -> String {
    let is_word =
        name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
            && name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
            && !matches!(
                name.to_ascii_lowercase().as_str(),
                "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
            );
    if is_word { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

/// Twice on a terminal; one line where somebody pipes it in.
fn ask(user: &str) -> Result<SecretString, String> {
    if user.is_empty() {
        return Err("the user's name is empty".into());
    }
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
        let length = line.trim_end_matches(['\n', '\r']).len();
        line.truncate(length);
        SecretString::from(line)
    };
    if password.expose_secret().is_empty() {
        return Err("the password is empty".into());
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::{SecretString, line};

    /// What is printed is YAML that says what was meant, whatever the name is.
    #[test]
    fn the_line_can_be_pasted() {
        let password = SecretString::from("hunter2".to_owned());
        for user in ["alice", "o'neil", "a: b", "no", "null", "007", "é \"x\"", "{", "# x", "a\nb"]
        {
            let line = line(user, Some("first line"), &password);
            assert!(!line.contains('\n') && !line.contains("hunter2"), "{line}");
            let read: serde_yaml::Value = serde_yaml::from_str(&line).unwrap();
            let (name, entry) = read.as_mapping().unwrap().iter().next().unwrap();
            assert_eq!(name.as_str(), Some(user));
            assert_eq!(entry["role"].as_str(), Some("first line"));
            let verifier = entry["password"].as_str().unwrap();
            assert!(verifier.starts_with("SCRAM-SHA-256$4096:"), "{verifier}");
        }
        assert!(line("bob", None, &password).starts_with("bob: {password: \"SCRAM-SHA-256$4096:"));
    }
}
