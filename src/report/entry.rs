//! A line of the audit trail, as far as a report asks.
//!
//! A line may be of an older or a newer Scrim: what is not there is empty, and an event that is not known is counted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::granted::{Happened, Opened};

/// A record.
#[derive(Debug)]
pub struct Entry {
    /// When it was written.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A login; `refused` has the SQLSTATE.
    Login {
        /// Who, or whom a client claimed to be.
        who: Who,
        /// Why not.
        refused: Option<String>,
    },
    /// A statement was sent, or refused.
    Statement(Box<Statement>),
    /// A statement has ended.
    Completed {
        /// Session.
        session: u64,
        /// Its number there.
        statement: u64,
        /// Rows given.
        rows: u64,
        /// Bytes given.
        bytes: u64,
        /// It failed.
        is_failed: bool,
    },
    /// The guard stopped a result.
    Breach {
        /// Who.
        who: Who,
        /// Number of the statement.
        statement: u64,
    },
    /// The guard of a role found something in a result.
    Found {
        /// Who.
        who: Who,
        /// What it looks like.
        kind: String,
        /// What was done.
        then: String,
    },
    /// Something has happened to a grant.
    Grant {
        /// For whom.
        who: Who,
        /// What.
        happened: Box<Happened>,
    },
    /// Other rules are in force.
    Reload {
        /// Their version.
        rules: String,
    },
    /// A session is over.
    Logout {
        /// Which.
        session: u64,
    },
    /// Says something about the trail, or about the console, and nothing about data: recovered, rotated, reload_refused,
    /// console. A login at the console that failed is a login that failed.
    OfTrail,
    /// Of a newer Scrim.
    Unknown,
}

/// Who.
#[derive(Debug, Clone, Default)]
pub struct Who {
    /// Session.
    pub session: u64,
    /// User.
    pub user: String,
    /// Role.
    pub role: String,
    /// Database.
    pub database: String,
    /// Client address.
    pub client: String,
    /// Version of the rules.
    pub rules: String,
}

/// A statement.
#[derive(Debug)]
pub struct Statement {
    /// Who.
    pub who: Who,
    /// Number in the session.
    pub statement: u64,
    /// For whom.
    pub end_user: Option<String>,
    /// For what.
    pub purpose: Option<String>,
    /// It was not sent.
    pub is_refused: bool,
    /// Why.
    pub reason: Option<String>,
    /// The line that decided.
    pub rule: Option<String>,
    /// Its shape.
    pub shape: String,
    /// What it reads.
    pub reads: Vec<Read>,
    /// Relations that it writes.
    pub writes: usize,
    /// By what it finds.
    pub lookups: Vec<Lookup>,
    /// What it could see by grants.
    pub opened: Vec<Opened>,
}

/// A relation that is read.
#[derive(Debug, Deserialize)]
pub struct Read {
    /// `schema.name`
    pub relation: String,
    /// Columns seen clear.
    #[serde(default)]
    pub clear: Vec<String>,
    /// Columns seen through a mask.
    #[serde(default)]
    pub masked: BTreeMap<String, IgnoredAny>,
}

/// A column by whose true value rows are found.
#[derive(Debug, Deserialize)]
pub struct Lookup {
    /// `schema.name`
    pub relation: String,
    /// The column.
    pub column: String,
    /// How many values.
    #[serde(default)]
    pub values: u64,
}

#[derive(Deserialize)]
struct Line {
    time: String,
    event: String,
    #[serde(default)]
    session: u64,
    #[serde(default)]
    user: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    database: String,
    #[serde(default)]
    client: String,
    #[serde(default)]
    rules: String,
    #[serde(default)]
    refused: Option<String>,
    #[serde(default)]
    statement: u64,
    #[serde(default)]
    end_user: Option<String>,
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    verdict: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    sql: String,
    #[serde(default)]
    relations: Vec<Read>,
    #[serde(default)]
    writes: Vec<IgnoredAny>,
    #[serde(default)]
    lookups: Vec<Lookup>,
    #[serde(default)]
    opened: Vec<Opened>,
    #[serde(default)]
    grant: u64,
    #[serde(default)]
    action: String,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    at: String,
    #[serde(default)]
    asked_by: String,
    #[serde(default)]
    opens: String,
    #[serde(default)]
    because: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    then: String,
    #[serde(default)]
    act: String,
    #[serde(default)]
    rows: u64,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    error: Option<String>,
}

impl Entry {
    /// Reads a line; `None` when it is no record.
    pub fn read(line: &[u8]) -> Option<Entry> {
        let line: Line = serde_json::from_slice(line).ok()?;
        let time = line.time.parse().ok()?;
        let who = Who {
            session: line.session,
            user: line.user,
            role: line.role,
            database: line.database,
            client: line.client,
            rules: line.rules,
        };
        let event = match line.event.as_str() {
            "login" => Event::Login { who, refused: line.refused },
            "statement" => Event::Statement(Box::new(Statement {
                who,
                statement: line.statement,
                end_user: line.end_user,
                purpose: line.purpose,
                is_refused: line.verdict == "refuse",
                reason: line.reason,
                rule: line.rule,
                shape: line.sql,
                reads: line.relations,
                writes: line.writes.len(),
                lookups: line.lookups,
                opened: line.opened,
            })),
            "completed" => Event::Completed {
                session: who.session,
                statement: line.statement,
                rows: line.rows,
                bytes: line.bytes,
                is_failed: line.error.is_some(),
            },
            "breach" => Event::Breach { who, statement: line.statement },
            "found" => Event::Found { who, kind: line.kind, then: line.then },
            "grant" => Event::Grant {
                who,
                happened: Box::new(Happened {
                    grant: line.grant,
                    action: line.action,
                    by: line.by,
                    at: line.at,
                    asked_by: line.asked_by,
                    opens: line.opens,
                    because: line.because,
                }),
            },
            "reload" => Event::Reload { rules: who.rules },
            "logout" => Event::Logout { session: who.session },
            "console" if line.act == "sign_in" && line.refused.is_some() => {
                Event::Login { who, refused: Some("28P01".to_owned()) }
            }
            "recovered" | "rotated" | "reload_refused" | "console" => Event::OfTrail,
            _ => Event::Unknown,
        };
        Some(Entry { time, event })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::audit::{
        CellsOpened, ConsoleFacts, GrantRecord, LookupMade, Outcome, Record, RelationRead,
        RelationWritten, SessionFacts, StatementFacts, StatementRecord, Verdict,
    };

    /// One of each. A record that is new in the audit does not compile here until a report knows it.
    fn records() -> Vec<Record> {
        let facts = Arc::new(SessionFacts {
            session: 7,
            user: "alice".into(),
            role: "support".into(),
            client: "10.0.0.1".into(),
            via: None,
            application: "psql".into(),
            database: "desk".into(),
            rules: "1".into(),
        });
        let about = StatementFacts {
            relations: vec![RelationRead {
                relation: "public.customers".into(),
                clear: vec!["id".into()],
                masked: [("email".to_owned(), serde_json::json!("email"))].into_iter().collect(),
            }],
            writes: vec![RelationWritten {
                relation: "public.customers".into(),
                kind: "update",
                columns: vec!["tier".into()],
            }],
            opened: vec![CellsOpened {
                grant: 7,
                relation: "public.customers".into(),
                column: "phone".into(),
                cells: Some(1),
                keys: vec!["42".into()],
            }],
            lookups: vec![LookupMade {
                relation: "public.customers".into(),
                column: "phone".into(),
                values: 3,
            }],
            ..StatementFacts::of_shape("SELECT ?".into())
        };
        let statement = StatementRecord {
            facts: facts.clone(),
            statement: 2,
            end_user: Some("kim".into()),
            purpose: Some("refund".into()),
            details: Arc::default(),
            verdict: Verdict::Refuse,
            reason: Some("function"),
            rule: Some("40-roles.yaml:3".into()),
            about: Arc::new(about),
        };
        let outcome = Outcome {
            session: 7,
            statement: 2,
            rows: 5,
            bytes: 6,
            duration_us: 8,
            error: Some("54000".into()),
        };
        let made = vec![
            Record::Login { facts: facts.clone(), refused: Some("28P01".into()) },
            Record::Statement(Box::new(statement)),
            Record::Completed(outcome),
            Record::Breach { facts: facts.clone(), statement: 2, table: 1, column: 2 },
            Record::Found {
                facts: facts.clone(),
                statement: 2,
                position: 1,
                kind: "card",
                then: "redact",
            },
            Record::Grant(Box::new(GrantRecord {
                grant: 7,
                action: "approved".into(),
                by: Some("lea".into()),
                at: "2026-11-28T09:00:00Z".into(),
                user: "alice".into(),
                role: "support".into(),
                database: "desk".into(),
                asked_by: "alice".into(),
                opens: "contact.phone=clear".into(),
                columns: vec!["public.customers.phone".into()],
                keys: Some(vec!["42".into()]),
                because: "T-123".into(),
                until: None,
                step: Some(3),
                scrim: Some("one".into()),
            })),
            Record::Recovered { torn_bytes: 1, torn_hash: String::new() },
            Record::Rotated { closed: "a".into(), removed: Vec::new(), removed_through: None },
            Record::Reload { before: "1".into(), rules: "2".into() },
            Record::ReloadRefused { rules: "1".into() },
            Record::Console(ConsoleFacts {
                user: "alice".into(),
                client: "10.0.0.1".into(),
                act: "sign_in",
                refused: Some("password"),
                session: None,
                role: None,
                rules: "1".into(),
            }),
            Record::Logout { facts },
        ];
        for record in &made {
            match record {
                Record::Login { .. }
                | Record::Statement(_)
                | Record::Completed(_)
                | Record::Breach { .. }
                | Record::Found { .. }
                | Record::Recovered { .. }
                | Record::Rotated { .. }
                | Record::Grant(_)
                | Record::Reload { .. }
                | Record::ReloadRefused { .. }
                | Record::Console(_)
                | Record::Logout { .. } => {}
            }
        }
        made
    }

    #[test]
    fn everything_that_the_audit_says_is_understood() {
        let mut seen = Vec::new();
        for record in records() {
            let mut line = serde_json::to_value(&record).unwrap();
            line["time"] = "2026-11-28T09:00:00.000001Z".into();
            let entry = Entry::read(line.to_string().as_bytes()).unwrap();
            assert_eq!(entry.time.to_string(), "2026-11-28T09:00:00.000001Z");
            assert!(!matches!(entry.event, Event::Unknown), "{line}");
            seen.push(entry.event);
        }
        let [login, statement, completed, breach, found, grant, ..] = seen.as_slice() else {
            panic!()
        };
        assert!(matches!(login, Event::Login { who, refused: Some(code) }
            if who.user == "alice" && who.role == "support" && who.client == "10.0.0.1" && code == "28P01"));
        let Event::Statement(statement) = statement else { panic!() };
        assert!(statement.is_refused && statement.reason.as_deref() == Some("function"));
        assert_eq!(statement.rule.as_deref(), Some("40-roles.yaml:3"));
        assert_eq!((statement.statement, statement.writes), (2, 1));
        assert_eq!(statement.purpose.as_deref(), Some("refund"));
        assert_eq!(statement.end_user.as_deref(), Some("kim"));
        assert_eq!(statement.shape, "SELECT ?");
        let [read] = statement.reads.as_slice() else { panic!() };
        assert!(read.clear == ["id"] && read.masked.contains_key("email"));
        assert_eq!(statement.lookups[0].values, 3);
        assert_eq!(
            (statement.opened[0].grant, statement.opened[0].keys.as_slice()),
            (7, &["42".to_owned()][..])
        );
        assert!(matches!(grant, Event::Grant { who, happened }
            if who.user == "alice" && happened.grant == 7 && happened.by.as_deref() == Some("lea")));
        assert!(matches!(
            completed,
            Event::Completed { session: 7, statement: 2, rows: 5, bytes: 6, is_failed: true }
        ));
        assert!(matches!(breach, Event::Breach { who, statement: 2 } if who.database == "desk"));
        assert!(matches!(found, Event::Found { who, kind, then }
            if who.role == "support" && kind == "card" && then == "redact"));
    }

    #[test]
    fn what_is_no_record_is_none() {
        for line in ["", "x", "{}", "{\"time\":\"now\",\"event\":\"login\"}", "[1]"] {
            assert!(Entry::read(line.as_bytes()).is_none(), "{line}");
        }
        let newer = b"{\"time\":\"2026-11-28T09:00:00Z\",\"event\":\"of_a_newer_scrim\"}";
        assert!(matches!(Entry::read(newer).unwrap().event, Event::Unknown));
    }
}
