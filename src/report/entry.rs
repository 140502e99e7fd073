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
        /// Which rows it has shown; `None`: that is not on record.
        rows_seen: Option<Vec<RowsSeen>>,
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
#[derive(Debug, Clone, Deserialize)]
pub struct Read {
    /// `schema.name`
    pub relation: String,
    /// Columns seen clear.
    #[serde(default)]
    pub clear: Vec<String>,
    /// Columns seen through a mask.
    #[serde(default)]
    pub masked: BTreeMap<String, Mask>,
}

/// A mask, as the trail tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Mask {
    /// By its label.
    Called(String),
    /// In words of a newer Scrim.
    Other(IgnoredAny),
}

/// Rows of a relation that a statement has shown, or may have.
#[derive(Debug, Deserialize)]
pub struct RowsSeen {
    /// `schema.name`
    pub relation: String,
    /// Columns that the result has as they come from these rows.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Which.
    pub keys: Keys,
    /// Rows beside them.
    #[serde(default)]
    pub more: u64,
    /// Columns that a cursor mentions, clear.
    #[serde(default)]
    pub clear: Vec<String>,
    /// Columns that a cursor mentions, masked.
    #[serde(default)]
    pub masked: BTreeMap<String, Mask>,
}

/// Keys of rows.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Keys {
    /// These.
    These(Vec<Key>),
    /// `unknown`, or something of a newer Scrim.
    Unknown(IgnoredAny),
}

/// A key.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Key {
    /// Of one column.
    One(String),
    /// Of several.
    Parts(Vec<String>),
}

impl Key {
    /// Part by part.
    pub fn is(&self, parts: &[String]) -> bool {
        match self {
            Key::One(one) => parts == std::slice::from_ref(one),
            Key::Parts(all) => parts == all.as_slice(),
        }
    }
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
    #[serde(default)]
    rows_seen: Option<Vec<RowsSeen>>,
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
                rows_seen: line.rows_seen,
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
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::audit::{
        CellsOpened, ConsoleFacts, GrantRecord, KeysSeen, LookupMade, Outcome, Record,
        RelationRead, RelationWritten, SessionFacts, StatementFacts, StatementRecord, Verdict,
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
            rows_seen: Some(vec![
                crate::audit::RowsSeen {
                    relation: "public.customers".into(),
                    columns: ["id".to_owned()].into(),
                    keys: KeysSeen::These(vec![vec!["42".into()], vec!["a".into(), "b".into()]]),
                    more: 3,
                    masked: [("email".to_owned(), serde_json::json!("email"))]
                        .into_iter()
                        .collect(),
                    clear: vec!["id".into()],
                },
                crate::audit::RowsSeen {
                    relation: "public.orders".into(),
                    columns: BTreeSet::new(),
                    keys: KeysSeen::Unknown,
                    more: 0,
                    masked: serde_json::Map::new(),
                    clear: Vec::new(),
                },
            ]),
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
            Record::Console(Box::new(ConsoleFacts {
                user: "alice".into(),
                client: "10.0.0.1".into(),
                act: "sign_in",
                refused: Some("password"),
                session: None,
                grant: None,
                role: None,
                row: None,
                rules: "1".into(),
            })),
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
        let Event::Completed {
            session: 7, statement: 2, rows: 5, bytes: 6, is_failed: true, ..
        } = completed
        else {
            panic!("{completed:?}")
        };
        let Event::Completed { rows_seen: Some(rows_seen), .. } = completed else { panic!() };
        let [known, unknown] = rows_seen.as_slice() else { panic!() };
        assert_eq!((known.relation.as_str(), known.more), ("public.customers", 3));
        assert!(known.masked["email"] == Mask::Called("email".into()) && known.clear == ["id"]);
        let Keys::These(keys) = &known.keys else { panic!("{known:?}") };
        let is = |key: &Key, parts: &[&str]| {
            let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            key.is(&parts)
        };
        assert!(is(&keys[0], &["42"]) && is(&keys[1], &["a", "b"]) && !is(&keys[1], &["a,b"]));
        assert!(matches!(unknown.keys, Keys::Unknown(_)));
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
