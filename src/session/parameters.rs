//! What a client asks for at startup, judged. Pure.
//!
//! A masked role gets the settings of the allow-list and what is pinned; everything else is refused by name, since
//! a setting that is silently left out is found out too late. An untouched role gets what it asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::closing::Farewell;
use super::entrance::Start;
use super::settings::set_text;
use crate::catalog::SearchPath;
use crate::rules::Limits;
use crate::sql::{SettingVerdict, is_sound_search_path, judge_setting, may_be};
use crate::wire::startup::Startup;

/// Names of the client in audit records are cut to this.
const NAME_CHARACTERS_MAX: usize = 128;

/// The client's wishes that are Scrim's business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `scrim.role`
    pub role: Option<String>,
    /// `scrim.purpose`
    pub purpose: Option<String>,
    /// `scrim.end_user`
    pub end_user: Option<String>,
    /// Other names that begin with `scrim.`, without that: details, if the role has them.
    pub details: BTreeMap<String, String>,
    /// `application_name`, for the audit.
    pub application: String,
    /// Everything else, by lower-case name, each once.
    pub parameters: Vec<(String, String)>,
}

/// Sorts what a startup message asks for; a parameter of its own wins over one in `options`, as in PostgreSQL.
pub fn wishes(startup: &Startup) -> Result<Wishes, Farewell> {
    let mut wishes = Wishes::default();
    for (name, value) in startup.options.iter().chain(&startup.parameters) {
        let name = name.to_ascii_lowercase();
        let value = value.clone();
        match name.as_str() {
            "user" | "database" => {}
            "replication" => refuse_replication(&value)?,
            "scrim.role" => wishes.role = Some(value),
            "scrim.purpose" => wishes.purpose = Some(value),
            "scrim.end_user" => wishes.end_user = Some(value),
            own if own.starts_with("scrim.") => {
                let detail = own.strip_prefix("scrim.").unwrap_or_default().to_owned();
                wishes.details.insert(detail, value);
            }
            _ => {
                if name == "application_name" {
                    wishes.application = cut(&value);
                }
                match wishes.parameters.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = value,
                    None => wishes.parameters.push((name, value)),
                }
            }
        }
    }
    Ok(wishes)
}

/// A name of the client, as long as the audit keeps it.
pub fn cut(name: &str) -> String {
    name.chars().take(NAME_CHARACTERS_MAX).collect()
}

fn refuse_replication(value: &str) -> Result<(), Farewell> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" => Ok(()),
        _ => Err(Farewell::new("0A000", "scrim: the replication protocol is not available")
            .hint("connect to the database itself")),
    }
}

/// What a masked role's server connection starts with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskedParameters {
    /// The client's wishes: setting and value.
    pub wished: Vec<(String, String)>,
    /// The role's and Scrim's own. No SET or RESET of the client takes them back.
    pub pinned: Vec<(String, String)>,
}

/// A setting that a masked session may not start with.
#[derive(Debug)]
pub struct Unfit {
    /// What the client is told, where there is such a setting.
    pub farewell: Farewell,
    /// Its name, if it is none of those that are known here: PostgreSQL may not know it either.
    pub refused: Option<String>,
}

impl From<Farewell> for Unfit {
    fn from(farewell: Farewell) -> Unfit {
        Unfit { farewell, refused: None }
    }
}

/// What PostgreSQL says of a setting that it does not know.
pub fn unknown_setting(name: &str) -> Farewell {
    Farewell::new("42704", format!("unrecognized configuration parameter \"{name}\""))
}

/// The settings with which a masked role's server connection starts, or which one is refused.
pub fn masked_parameters(wishes: &Wishes, limits: Limits) -> Result<MaskedParameters, Unfit> {
    let mut parameters = Vec::new();
    for (name, value) in &wishes.parameters {
        match judge_setting(name) {
            SettingVerdict::Allowed if may_be(name, value) => {}
            SettingVerdict::Only(only) if is_same(only, value) => continue,
            SettingVerdict::Only(only) => {
                let message = format!("scrim: setting `{name}` is pinned to `{only}`");
                let code = if name == "client_encoding" { "22023" } else { "42501" };
                return Err(Farewell::new(code, message).into());
            }
            SettingVerdict::Allowed | SettingVerdict::Refused => {
                let message = format!("scrim: setting `{name}` may not be changed by this role");
                let hint = "leave it out of the connection's options";
                return Err(Unfit {
                    farewell: Farewell::new("42501", message).hint(hint),
                    refused: Some(name.clone()),
                });
            }
        }
        if name == "search_path" {
            judge_search_path(value)?;
        }
        parameters.push((name.clone(), value.clone()));
    }
    let mut pinned: Vec<(String, String)> = Vec::new();
    for (name, seconds) in time_limits(limits) {
        if let Some(seconds) = seconds {
            parameters.retain(|(wished, _)| wished != name);
            pinned.push((name.into(), format!("{seconds}s")));
        }
    }
    for (name, value) in [
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("backslash_quote", "safe_encoding"),
    ] {
        pinned.push((name.into(), value.into()));
    }
    Ok(MaskedParameters { wished: parameters, pinned })
}

/// Settings by which PostgreSQL keeps a role's limits of time, and what they are, if they are limited.
pub fn time_limits(limits: Limits) -> [(&'static str, Option<u64>); 2] {
    [
        ("statement_timeout", limits.statement_seconds),
        ("idle_in_transaction_session_timeout", limits.idle_transaction_seconds),
    ]
}

impl MaskedParameters {
    /// All of them, for a connection that is the session's own.
    pub fn all(&self, wishes: &Wishes) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.wished.iter().chain(&self.pinned).cloned().collect();
        own(wishes, &mut all);
        all
    }

    /// The wishes as a session sets them on connections that it shares.
    pub fn start(&self) -> Result<Start, Farewell> {
        let mut start = Start::default();
        let mut others = BTreeMap::new();
        for (name, value) in &self.wished {
            match name.as_str() {
                "search_path" => start.search_path = Some(judge_search_path(value)?),
                _ => drop(others.insert(name.clone(), set_text(name, value))),
            }
        }
        start.others = Arc::new(others);
        Ok(start)
    }
}

/// The settings with which an untouched role's server connection starts.
pub fn untouched_parameters(wishes: &Wishes) -> Vec<(String, String)> {
    let mut parameters = wishes.parameters.clone();
    own(wishes, &mut parameters);
    parameters
}

/// Placeholders that PostgreSQL keeps for the session, so that SHOW answers.
fn own(wishes: &Wishes, parameters: &mut Vec<(String, String)>) {
    for (name, value) in [("scrim.purpose", &wishes.purpose), ("scrim.end_user", &wishes.end_user)]
    {
        parameters.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    let details = wishes.details.iter();
    parameters.extend(details.map(|(name, value)| (format!("scrim.{name}"), value.clone())));
}

/// Reads a search_path with which a masked session may start.
pub fn judge_search_path(value: &str) -> Result<SearchPath, Farewell> {
    match SearchPath::parse(value) {
        Some(path) if is_sound_search_path(&path) => Ok(path),
        Some(_) => Err(Farewell::new(
            "42501",
            "scrim: setting `search_path` may name pg_catalog only in the first place, and no \
             temporary schema",
        )),
        None => Err(Farewell::new("22023", "invalid value for parameter \"search_path\"")),
    }
}

/// True when a value means the pinned one: `'utf-8'` is `UTF8`, `true` is `on`.
fn is_same(pinned: &str, given: &str) -> bool {
    let fold = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let (pinned, given) = (fold(pinned), fold(given));
    match pinned.as_str() {
        "on" => matches!(given.as_str(), "on" | "true" | "yes" | "1" | "t" | "y"),
        "utf8" => matches!(given.as_str(), "utf8" | "unicode"),
        _ => pinned == given,
    }
}

#[cfg(test)]
mod tests {
    use super::{Wishes, judge_search_path, masked_parameters, wishes};
    use crate::rules::Limits;
    use crate::wire::startup::Startup;

    fn startup(parameters: &[(&str, &str)], options: &[(&str, &str)]) -> Startup {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        Startup {
            major: 3,
            minor: 0,
            parameters: own(parameters),
            options: own(options),
            unknown_options: Vec::new(),
        }
    }

    fn masked(name: &str, value: &str) -> Result<Vec<(String, String)>, String> {
        let wishes = wishes(&startup(&[("user", "alice"), (name, value)], &[])).unwrap();
        let parameters =
            masked_parameters(&wishes, Limits::default()).map_err(|unfit| unfit.farewell.code)?;
        Ok(parameters.all(&wishes))
    }

    #[test]
    fn a_parameter_wins_over_options_and_names_are_folded() {
        let startup = startup(
            &[("user", "a"), ("TimeZone", "UTC"), ("application_name", "psql")],
            &[("timezone", "Asia/Seoul"), ("scrim.role", "support")],
        );
        let wishes = wishes(&startup).unwrap();
        assert_eq!(wishes.role.as_deref(), Some("support"));
        assert_eq!(wishes.application, "psql");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [pair("timezone", "UTC"), pair("application_name", "psql")];
        assert_eq!(wishes.parameters, expected);
    }

    #[test]
    fn utf8_in_all_its_spellings_and_no_other() {
        for spelling in ["UTF8", "utf-8", "'utf-8'", "Unicode", "UTF_8"] {
            let parameters = masked("client_encoding", spelling).unwrap();
            let encodings: Vec<_> =
                parameters.iter().filter(|(name, _)| name == "client_encoding").collect();
            assert_eq!(encodings, [&("client_encoding".to_owned(), "UTF8".to_owned())]);
        }
        for other in ["LATIN1", "SQL_ASCII", "", "utf16"] {
            assert_eq!(masked("client_encoding", other), Err("22023".into()), "{other}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_by_name() {
        assert!(masked("DateStyle", "ISO").is_ok());
        for (name, value) in [
            ("session_preload_libraries", "x"),
            ("role", "dba"),
            ("standard_conforming_strings", "off"),
            ("my.setting", "1"),
            ("search_path", "trap, pg_catalog"),
            ("search_path", "pg_temp_3"),
        ] {
            assert_eq!(masked(name, value), Err("42501".into()), "{name}");
        }
    }

    #[test]
    fn replication_is_for_nobody() {
        let ask = |value| wishes(&startup(&[("user", "a"), ("replication", value)], &[]));
        for value in ["true", "database", "1", ""] {
            assert_eq!(ask(value).unwrap_err().code, "0A000", "{value}");
        }
        assert!(ask("false").is_ok());
    }

    #[test]
    fn a_role_with_a_time_limit_keeps_it() {
        let wishes = Wishes {
            parameters: vec![
                ("statement_timeout".into(), "0".into()),
                ("idle_in_transaction_session_timeout".into(), "0".into()),
            ],
            ..Wishes::default()
        };
        let limits = Limits {
            statement_seconds: Some(30),
            idle_transaction_seconds: Some(60),
            ..Limits::default()
        };
        let parameters = masked_parameters(&wishes, limits).unwrap().all(&wishes);
        let timeouts: Vec<_> =
            parameters.iter().filter(|(name, _)| name.contains("timeout")).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let idle = pair("idle_in_transaction_session_timeout", "60s");
        assert_eq!(timeouts, [&pair("statement_timeout", "30s"), &idle]);
    }

    #[test]
    fn a_malformed_search_path_is_no_search_path() {
        assert_eq!(judge_search_path("a,,b").unwrap_err().code, "22023");
        assert!(judge_search_path("\"$user\", public").is_ok());
    }
}
