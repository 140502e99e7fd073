//! `scrim.yaml` as JSON Schema, for editors: made of the tables of keys that the readers use.

use serde_json::{Value, json};

use super::log::LogLevel;
use super::{
    audit, console, draft, grants, limits, listening, log, pool, server, shadow, telemetry, tokens,
};
use crate::audit::FACILITIES;
use crate::text::schema::{
    definition, described, document, filled_mapping, filled_text, list, mapping, number, share,
    text, truth, word,
};
use crate::tokens::ALGORITHMS;
use crate::upstream::SessionAttributes;

const MOST: u64 = u32::MAX as u64;

/// The schema of the configuration.
pub fn schema() -> Value {
    let definitions = json!({
        "addresses": {"anyOf": [
            text(),
            {"type": "array", "items": text(), "minItems": 1},
        ]},
    });
    document("Configuration of Scrim", mapping(&draft::KEYS, of_file), definitions)
}

fn of_file(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "listen" => (
            definition("addresses"),
            "Where clients connect: 127.0.0.1:6432, \"[::1]:6432\", /run/scrim/.s.PGSQL.6432.",
        ),
        "limits" => (
            mapping(&limits::KEYS, |key| match key {
                "connections" => Some(described(number(1, MOST), "Sessions in all.")),
                "connections_per_address" => {
                    Some(described(number(1, MOST), "Sessions of one client address."))
                }
                _ => None,
            }),
            "How many sessions there may be at once.",
        ),
        "proxy_protocol" => (
            filled_mapping(&listening::PROXY_KEYS, &["from"], |key| match key {
                "from" => Some(json!({"type": "array", "items": text(), "minItems": 1})),
                _ => None,
            }),
            "Load balancers that say, by the PROXY protocol, for whom they speak.",
        ),
        "database" => (mapping(&server::KEYS, of_database), "The PostgreSQL behind."),
        "rules" => (filled_text(), "The rules folder."),
        "masks" => (
            word(&["on_the_wire", "in_sql"]),
            "Who computes masks: Scrim too, where that is proven to be right, or the database all.",
        ),
        "tls" => (mapping(&draft::TLS, of_tls), "What clients see."),
        "jwt" => (
            filled_mapping(&tokens::KEYS, &["issuer", "audience", "keys"], of_tokens),
            "Whose JSON Web Tokens are taken as passwords.",
        ),
        "pool" => (mapping(&pool::KEYS, of_pool), "How server connections are shared."),
        "admin" => (text(), "Where health and figures are told: 127.0.0.1:6433."),
        "console" => (
            filled_mapping(&console::KEYS, &["roles"], of_console),
            "The console on the admin address, for people with these roles.",
        ),
        "audit" => (mapping(&audit::KEYS, of_audit), "The audit trail."),
        "grants" => (
            filled_mapping(&grants::KEYS, &["store"], |key| match key {
                "store" => Some(described(
                    json!({"anyOf": [
                        filled_text(),
                        filled_mapping(&grants::STORE, &["host", "user"], of_store),
                    ]}),
                    "Where grants are kept: a file, or a PostgreSQL that several Scrims share.",
                )),
                "name" => Some(described(
                    filled_text(),
                    "As what this Scrim writes of shared grants into its audit; the machine's name if not said.",
                )),
                _ => None,
            }),
            "Temporary access (`scrim grant`).",
        ),
        "secrets" => (
            mapping(&draft::SECRETS, |key| match key {
                "pseudonym_key_file" => Some(described(
                    filled_text(),
                    "The key of `pseudonym`, `shift` and `noise`: a file of 32 bytes or more.",
                )),
                _ => None,
            }),
            "What nobody may know.",
        ),
        "shadow" => (
            filled_mapping(&shadow::KEYS, &["rules"], |key| match key {
                "rules" => {
                    Some(described(filled_text(), "The folder of rules that are not in force."))
                }
                "report" => Some(described(filled_text(), "The file of what they would change.")),
                _ => None,
            }),
            "Rules that are judged on live statements before they are rolled out.",
        ),
        "log" => (mapping(&log::KEYS, of_log), "The log on standard error."),
        "telemetry" => (
            filled_mapping(&telemetry::KEYS, &["otlp"], of_telemetry),
            "Spans of logins, sessions and statements, for an OpenTelemetry collector.",
        ),
        "reload" => (word(&["on_change", "on_signal"]), "When changed rules come into force."),
        "drain_seconds" => (
            number(0, draft::DRAIN_SECONDS_MAX),
            "How long running transactions may take when Scrim is told to stop.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_database(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "host" => (
            one_or_more(filled_text()),
            "A name, an address, or a folder of Unix sockets; or a list of them, of one cluster.",
        ),
        "port" => (
            one_or_more(number(1, u64::from(u16::MAX))),
            "The port of all hosts; or a list, one for each.",
        ),
        "target_session_attrs" => (
            word(&SessionAttributes::WORDS.map(|(word, _)| word)),
            "Which of the hosts will do, as in libpq.",
        ),
        "user" => (filled_text(), "The service account, which is no superuser."),
        "name" => (filled_text(), "The database that `check`, `explain` and `test` look at."),
        "password" => (filled_text(), "Its password; `${NAME}` takes the environment."),
        "password_file" => (filled_text(), "A file with the password."),
        "tls" => (word(&["disable", "prefer", "require", "verify-full"]), "TLS to the database."),
        "ca" => (filled_text(), "Whom the database's certificate must be signed by."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn one_or_more(item: Value) -> Value {
    json!({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})
}

fn of_store(key: &str) -> Option<Value> {
    match key {
        "user" => {
            Some(described(filled_text(), "An account of its own, which can do nothing else."))
        }
        "name" => Some(described(filled_text(), "The database; the account's name if not said.")),
        key => of_database(key),
    }
}

fn of_tls(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "mode" => (word(&["disable", "allow", "require"]), "Whether clients use TLS."),
        "certificate" => (filled_text(), "The certificate, PEM."),
        "key" => (filled_text(), "Its key, PEM."),
        "client_ca" => (filled_text(), "Who signs the certificates of clients, PEM."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_tokens(key: &str) -> Option<Value> {
    let texts = || {
        json!({"anyOf": [
            filled_text(),
            {"type": "array", "items": filled_text(), "minItems": 1},
        ]})
    };
    let (schema, words) = match key {
        "issuer" => (filled_text(), "What stands in `iss`, to the letter."),
        "audience" => (texts(), "What stands in `aud` of tokens that are meant for Scrim."),
        "keys" => (filled_text(), "The issuer's key set: a file, or its address."),
        "ca" => (filled_text(), "Who signs the certificate of that address."),
        "user_claim" => (texts(), "The claim that names the user; a list is a path."),
        "role_claim" => (texts(), "The claim that chooses the role; a list is a path."),
        "algorithms" => {
            let names = ALGORITHMS.map(|(name, _)| name);
            (
                json!({"type": "array", "items": word(&names), "minItems": 1}),
                "Signatures that are taken.",
            )
        }
        "leeway_seconds" => (number(0, tokens::LEEWAY_SECONDS_MAX), "How far clocks may be apart."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_pool(key: &str) -> Option<Value> {
    let seconds = || number(1, pool::POOL_SECONDS_MAX);
    let (schema, words) = match key {
        "mode" => (
            word(&["transaction", "session"]),
            "transaction: a session has a server connection during its transactions; session: always.",
        ),
        "size" => (number(1, pool::POOL_SIZE_MAX), "Server connections per database and login."),
        "min_size" => (number(0, pool::POOL_SIZE_MAX), "So many stay open."),
        "wait_seconds" => (seconds(), "How long a session waits for one."),
        "idle_seconds" => (seconds(), "How long an unused one stays open."),
        "lifetime_seconds" => (seconds(), "How old one may become."),
        "check_seconds" => (seconds(), "After so long without use one is asked whether it lives."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_console(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "roles" => {
            let rights = word(&console::RIGHTS.map(|(name, _)| name));
            let rights = json!({"type": "array", "items": rights, "minItems": 1});
            (
                json!({"type": "object", "additionalProperties": rights, "minProperties": 1}),
                "What each role may do: look, try (run statements as one's own roles), end_sessions, grant (ask for grants and decide, by their rules), trace (ask who was shown one row).",
            )
        }
        "session_minutes" => (
            number(1, console::SESSION_MINUTES_MAX),
            "Signed out after so long without a request; 30 if not said.",
        ),
        "session_hours" => (
            number(1, console::SESSION_HOURS_MAX),
            "Signed out after so long in any case; 8 if not said.",
        ),
        "origins" => (
            list(filled_text()),
            "Names under which a proxy with TLS serves it: https://scrim.example.com.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_audit(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "file" => (filled_text(), "The file; records are appended."),
        "durability" => (
            word(&["queued", "synced"]),
            "queued: accepted when it is in the queue; synced: when it is on disk.",
        ),
        "key_file" => (filled_text(), "The key of the fingerprints."),
        "rotate" => {
            (mapping(&audit::ROTATE, of_rotate), "When the file is closed and another one begun.")
        }
        "sinks" => (
            list(json!({"anyOf": [
                word(&["stdout"]),
                filled_mapping(&audit::SYSLOG, &["syslog"], of_syslog),
                filled_mapping(&audit::TABLE, &["postgres"], of_table),
            ]})),
            "Who gets each line too: stdout, {syslog: /dev/log}, {syslog: \"udp://10.0.0.5:514\"}, {postgres: {host: …, user: …}}.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_rotate(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "bytes" => (
            number(audit::ROTATE_BYTES_MIN, i64::MAX as u64),
            "A file that has so many bytes is closed.",
        ),
        "daily" => (truth(), "A file is closed when its day (UTC) is over."),
        "keep" => (number(1, audit::KEEP_MAX), "So many closed files stay."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_syslog(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "syslog" => (filled_text(), "A datagram socket, or udp://ADDRESS:PORT."),
        "facility" => (word(&FACILITIES.map(|(name, _)| name)), "authpriv, if nothing is said."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_table(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "postgres" => (
            filled_mapping(&audit::POSTGRES, &["host", "user"], of_store),
            "The PostgreSQL in which the table is.",
        ),
        "table" => (filled_text(), "schema.table; scrim_audit.trail if not said."),
        "name" => (
            filled_text(),
            "As what this Scrim's lines are known there; the machine's name if not said.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_log(key: &str) -> Option<Value> {
    let levels =
        [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];
    let (schema, words) = match key {
        "format" => (word(&["text", "json"]), "How it looks."),
        "level" => (word(&levels.map(LogLevel::word)), "What is in it."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_telemetry(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "otlp" => (filled_text(), "The collector, by OTLP over HTTP: http://127.0.0.1:4318."),
        "ca" => (filled_text(), "Who signs the collector's certificate, PEM."),
        "service_name" => (filled_text(), "As what Scrim is known there; `scrim` if not said."),
        "sample" => (share(), "The share of sessions and statements; 0.01 if not said."),
        _ => return None,
    };
    Some(described(schema, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Described = (&'static [&'static str], fn(&str) -> Option<Value>);

    /// A key that is new in a reader is described here, or this fails.
    #[test]
    fn every_key_is_described() {
        let all: [Described; 14] = [
            (&draft::KEYS, of_file),
            (&server::KEYS, of_database),
            (&grants::STORE, of_store),
            (&draft::TLS, of_tls),
            (&console::KEYS, of_console),
            (&audit::KEYS, of_audit),
            (&audit::ROTATE, of_rotate),
            (&audit::SYSLOG, of_syslog),
            (&audit::TABLE, of_table),
            (&audit::POSTGRES, of_store),
            (&tokens::KEYS, of_tokens),
            (&pool::KEYS, of_pool),
            (&log::KEYS, of_log),
            (&telemetry::KEYS, of_telemetry),
        ];
        for (keys, of) in all {
            let missing: Vec<&&str> = keys.iter().filter(|key| of(key).is_none()).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    }
}
