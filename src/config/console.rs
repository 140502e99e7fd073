//! `console:` of `scrim.yaml`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::rules::RuleSet;
use crate::text::reader::Reader;
use crate::text::yaml::Node;
use crate::text::{Diagnostic, Span, nearest};

pub(super) const KEYS: [&str; 4] = ["roles", "session_minutes", "session_hours", "origins"];
/// What a role may do in the console.
pub(super) const RIGHTS: [(&str, ConsoleRight); 5] = [
    ("look", ConsoleRight::Look),
    ("try", ConsoleRight::Try),
    ("end_sessions", ConsoleRight::EndSessions),
    ("grant", ConsoleRight::Grant),
    ("trace", ConsoleRight::Trace),
];

/// A person who does nothing for so long is signed out, unless it is said.
const SESSION_MINUTES: u64 = 30;
pub(super) const SESSION_MINUTES_MAX: u64 = 24 * 60;
/// And whatever the person does after so long.
const SESSION_HOURS: u64 = 8;
pub(super) const SESSION_HOURS_MAX: u64 = 7 * 24;

/// Who may use the console on the admin address, and for how long at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleOptions {
    /// What each role may do there; a role that is not here may not sign in.
    pub roles: BTreeMap<String, ConsoleRights>,
    /// Signed out after so long without a request.
    pub idle: Duration,
    /// Signed out after so long in any case.
    pub lifetime: Duration,
    /// Under which names a proxy with TLS in front serves it: `https://scrim.example.com`. The loopback addresses are
    /// always good.
    pub origins: Vec<String>,
}

/// One thing that a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleRight {
    /// See what the rules show to whom, the report, sessions and statements without values.
    Look,
    /// Run statements, as one's own roles.
    Try,
    /// End sessions of others.
    EndSessions,
    /// Ask for grants, agree to them and take them back, as `scrim grant` lets one.
    Grant,
    /// Ask who was shown one row, named by its key.
    Trace,
}

/// All that a role may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsoleRights {
    /// See what the rules show to whom, the report, sessions and statements without values. Whoever may do anything may
    /// do this.
    pub look: bool,
    /// Run statements, as one's own roles.
    pub may_try: bool,
    /// End sessions of others.
    pub end_sessions: bool,
    /// Ask for grants, agree to them and take them back, as `scrim grant` lets one.
    pub grant: bool,
    /// Ask who was shown one row, named by its key.
    pub trace: bool,
}

impl ConsoleRights {
    /// What either may do.
    pub fn and(self, other: ConsoleRights) -> ConsoleRights {
        ConsoleRights {
            look: self.look || other.look,
            may_try: self.may_try || other.may_try,
            end_sessions: self.end_sessions || other.end_sessions,
            grant: self.grant || other.grant,
            trace: self.trace || other.trace,
        }
    }

    fn with(self, right: ConsoleRight) -> ConsoleRights {
        let look = ConsoleRights { look: true, ..self };
        match right {
            ConsoleRight::Look => look,
            ConsoleRight::Try => ConsoleRights { may_try: true, ..look },
            ConsoleRight::EndSessions => ConsoleRights { end_sessions: true, ..look },
            ConsoleRight::Grant => ConsoleRights { grant: true, ..look },
            ConsoleRight::Trace => ConsoleRights { trace: true, ..look },
        }
    }
}

impl ConsoleOptions {
    /// Roles that the rules do not have.
    pub(super) fn judge(&self, rules: &RuleSet) -> Vec<Diagnostic> {
        let unknown = self.roles.keys().filter(|name| !rules.roles.contains_key(*name));
        let told = unknown.map(|name| {
            let message = format!("`console` of the configuration names the role `{name}`, which the rules do not have");
            let near = nearest(name, rules.roles.keys().map(String::as_str));
            let diagnostic = Diagnostic::placeless(message);
            match near {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            }
        });
        told.collect()
    }

    /// The console is served in the clear, so it needs an address that nobody else can listen to.
    pub(super) fn judge_address(
        reader: &mut Reader<'_>,
        admin: Option<(SocketAddr, Span)>,
        span: Span,
    ) {
        match admin {
            None => {
                let message = "`console` is served on the admin address, and there is none";
                reader.complain(Diagnostic::error(message, span).help("`admin: 127.0.0.1:6433`"));
            }
            Some((address, place)) if !address.ip().to_canonical().is_loopback() => {
                let message = "`console` takes passwords, and other machines can reach this address without TLS";
                let help = "`admin: 127.0.0.1:6433`, reached by `ssh -L` or behind a proxy with TLS on this machine; \
                            docs/console.md";
                reader.complain(
                    Diagnostic::error(message, place).also(span, "the console").help(help),
                );
            }
            Some(_) => {}
        }
    }
}

/// Reads it.
pub(super) fn console(reader: &mut Reader<'_>, node: &Node, key_span: Span) -> ConsoleOptions {
    let mut options = ConsoleOptions {
        roles: BTreeMap::new(),
        idle: Duration::from_secs(SESSION_MINUTES * 60),
        lifetime: Duration::from_secs(SESSION_HOURS * 3600),
        origins: Vec::new(),
    };
    let mut has_roles = false;
    for entry in reader.mapping(node) {
        let value = &entry.value;
        match entry.key.as_str() {
            "roles" => {
                has_roles = true;
                for role in reader.mapping(value) {
                    options.roles.insert(role.key.clone(), rights(reader, &role.value));
                }
                if options.roles.is_empty() && !reader.has_errors() {
                    let message = "nobody may use the console";
                    let help = "`roles: {auditor: [look]}`";
                    reader.complain(Diagnostic::error(message, value.span).help(help));
                }
            }
            "session_minutes" => {
                let minutes = reader.number(value, 1, SESSION_MINUTES_MAX).unwrap_or_default();
                options.idle = Duration::from_secs(minutes.saturating_mul(60));
            }
            "session_hours" => {
                let hours = reader.number(value, 1, SESSION_HOURS_MAX).unwrap_or_default();
                options.lifetime = Duration::from_secs(hours.saturating_mul(3600));
            }
            "origins" => {
                for (text, span) in reader.texts(value) {
                    match is_origin(&text) {
                        true => options.origins.push(text),
                        false => {
                            let message = format!("`{text}` is no origin of a proxy with TLS");
                            let help = "`https://`, a name in small letters, and a port unless it is 443, \
                                        without a path: `https://scrim.example.com`";
                            reader.complain(Diagnostic::error(message, span).help(help));
                        }
                    }
                }
            }
            _ => reader.unknown_key(entry, &KEYS),
        }
    }
    if !has_roles {
        let diagnostic = Diagnostic::error("`console` needs `roles`", key_span);
        reader.complain(
            diagnostic.help("`roles: {auditor: [look], operator: [look, end_sessions]}`"),
        );
    }
    options
}

fn rights(reader: &mut Reader<'_>, node: &Node) -> ConsoleRights {
    let mut rights = ConsoleRights::default();
    let words = reader.list(node);
    for word in words {
        if let Some(right) = reader.word(word, &RIGHTS) {
            rights = rights.with(right);
        }
    }
    if words.is_empty() && !reader.has_errors() {
        let message = "this role may do nothing in the console";
        let help = "some of look, try, end_sessions, grant, trace";
        reader.complain(Diagnostic::error(message, node.span).help(help));
    }
    rights
}

/// As a browser writes an origin of a page over TLS.
fn is_origin(text: &str) -> bool {
    let Some(host) = text.strip_prefix("https://") else { return false };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'));
    is_name
        && port.is_none_or(|port| port != "443" && port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for good in ["https://scrim.example.com", "https://scrim:8443", "https://10.0.0.1"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "http://scrim.example.com",
            "https://scrim.example.com/",
            "https://Scrim.example.com",
            "https://scrim:443",
            "https://scrim:0",
            "https://",
            "https://a b",
            "scrim.example.com",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
