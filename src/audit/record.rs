//! What the audit says. Everything in here is a name, a count, a time or a keyed hash; and, where a role has `audit_rows` or a
//! grant names rows, their primary keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

/// What stays the same for a session.
#[derive(Debug, Clone, Serialize)]
pub struct SessionFacts {
    /// Session number, unique while Scrim runs.
    pub session: u64,
    /// Scrim user.
    pub user: String,
    /// Role.
    pub role: String,
    /// Client address; `[local]` over a Unix socket.
    pub client: String,
    /// The proxy that has passed the connection on and told that address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// `application_name` at startup.
    pub application: String,
    /// Database.
    pub database: String,
    /// Rules version.
    pub rules: String,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// A login, good or bad. For a bad one the facts hold what the client claimed.
    Login {
        /// Who.
        #[serde(flatten)]
        facts: Arc<SessionFacts>,
        /// SQLSTATE of the refusal; `None`: logged in.
        #[serde(skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// A statement is about to be forwarded, or was refused.
    Statement(Box<StatementRecord>),
    /// A statement that was accepted has ended.
    Completed(Outcome),
    /// The guard stopped a result. An alarm.
    Breach {
        /// Who.
        #[serde(flatten)]
        facts: Arc<SessionFacts>,
        /// Which statement, by its number in the session.
        statement: u64,
        /// `pg_class.oid` and `attnum` of the column.
        table: u32,
        /// `attnum`.
        column: i16,
    },
    /// Something that the role's `guard` names was found in a result.
    Found {
        /// Who.
        #[serde(flatten)]
        facts: Arc<SessionFacts>,
        /// Which statement, by its number in the session; 0: it was heard on a channel.
        statement: u64,
        /// Position of the column, from 1; 0 in a COPY, and in what is heard.
        position: usize,
        /// What it looks like.
        kind: &'static str,
        /// What was done: `redact`, `refuse` or `alarm`.
        then: &'static str,
    },
    /// The trail ended in the middle of a line when it was opened, and goes on. Only the writer makes this one.
    Recovered {
        /// Length of what is torn; it stands in the line above.
        torn_bytes: u64,
        /// SHA-256 of it, hex.
        torn_hash: String,
    },
    /// The file before is closed; this is the first line of the next one. Only the writer makes this one.
    Rotated {
        /// The name of the file before, without its folder.
        closed: String,
        /// Files that are removed from here on, oldest first.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        removed: Vec<String>,
        /// The number of the last record in those.
        #[serde(skip_serializing_if = "Option::is_none")]
        removed_through: Option<u64>,
    },
    /// Something has happened to a grant.
    Grant(Box<GrantRecord>),
    /// Other rules are in force from here on.
    Reload {
        /// The version before.
        before: String,
        /// The version from now on.
        rules: String,
    },
    /// Rules that were to come into force are broken; those before stay.
    ReloadRefused {
        /// The version that stays.
        rules: String,
    },
    /// Somebody did something in the console, or tried to.
    Console(Box<ConsoleFacts>),
    /// The session has ended.
    Logout {
        /// Who.
        #[serde(flatten)]
        facts: Arc<SessionFacts>,
    },
}

impl Record {
    /// The word that stands in `event`.
    pub fn event(&self) -> &'static str {
        match self {
            Record::Login { .. } => "login",
            Record::Statement(_) => "statement",
            Record::Completed(_) => "completed",
            Record::Breach { .. } => "breach",
            Record::Found { .. } => "found",
            Record::Recovered { .. } => "recovered",
            Record::Rotated { .. } => "rotated",
            Record::Grant(_) => "grant",
            Record::Reload { .. } => "reload",
            Record::ReloadRefused { .. } => "reload_refused",
            Record::Console(_) => "console",
            Record::Logout { .. } => "logout",
        }
    }
}

/// What has happened to a grant. It names columns, keys of rows and people, and no value that it opens.
#[derive(Debug, Clone, Serialize)]
pub struct GrantRecord {
    /// Its number.
    pub grant: u64,
    /// `asked`, `approved`, `break_glass`, `rejected`, `revoked`, `expired`
    pub action: String,
    /// Who has done it; `None`: the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When; the record's own time is when Scrim has heard of it.
    pub at: String,
    /// For whom.
    pub user: String,
    /// In which role.
    pub role: String,
    /// Where.
    pub database: String,
    /// Who has asked for it.
    pub asked_by: String,
    /// What it opens, in words.
    pub opens: String,
    /// The columns that it opened when it was asked for: `schema.name.column`.
    pub columns: Vec<String>,
    /// Keys of the rows; `None`: all rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Why.
    pub because: String,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The number of the step in a shared store: the same in the trails of all who share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// Which of those Scrims has written this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrim: Option<String>,
}

/// Cells that a statement can see by a grant: of a column, in these rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellsOpened {
    /// The number of the grant.
    pub grant: u64,
    /// `schema.name`
    pub relation: String,
    /// The column; `*`: the row itself, which the role does not see otherwise.
    pub column: String,
    /// How many; `None`: in every row that the role sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<u64>,
    /// Keys of the rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// An act in the console.
#[derive(Debug, Clone, Serialize)]
pub struct ConsoleFacts {
    /// Who, or who somebody claimed to be.
    pub user: String,
    /// Client address.
    pub client: String,
    /// `sign_in`, `sign_out`, `end_session`, `try`, `report`, `trace`, `ask_grant`, `break_glass`,
    /// `approve_grant`, `reject_grant`, `revoke_grant`
    pub act: &'static str,
    /// Why it was not done; `None`: it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<&'static str>,
    /// The session that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// The number of the grant that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<u64>,
    /// The role as which it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The row that was asked about: `public.customers:42`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// Rules version.
    pub rules: String,
}

/// A statement, as the audit knows it.
#[derive(Debug, Clone, Serialize)]
pub struct StatementRecord {
    /// Who.
    #[serde(flatten)]
    pub facts: Arc<SessionFacts>,
    /// Number in the session, from 1.
    pub statement: u64,
    /// `scrim.end_user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_user: Option<String>,
    /// `scrim.purpose`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Details by name, as stated: `scrim.ticket`.
    #[serde(skip_serializing_if = "is_none_stated")]
    pub details: Arc<BTreeMap<String, String>>,
    /// What was decided.
    pub verdict: Verdict,
    /// Word for the reason of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The rule that decided, as `file:line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What is the same whenever it is executed.
    #[serde(flatten)]
    pub about: Arc<StatementFacts>,
}

/// What the audit says of a statement, whenever it is executed. Made once, when it is planned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StatementFacts {
    /// The statement with literals replaced by `?`.
    #[serde(rename = "sql")]
    pub shape: String,
    /// HMAC-SHA-256 of `sql` under the audit's key, hex, first 16 digits; filled in by the writer, once.
    #[serde(serialize_with = "once")]
    pub fingerprint: OnceLock<String>,
    /// Sent in another form than it came.
    #[serde(skip)]
    pub rewritten: bool,
    /// Word for its kind, for spans; `None`: nobody has read it.
    #[serde(skip)]
    pub kind: Option<&'static str>,
    /// By which reader, where it was not the first; for a refusal, the last that did not understand the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<ReadBy>,
    /// What is read.
    pub relations: Vec<RelationRead>,
    /// What is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<RelationWritten>,
    /// What is found by true values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<LookupMade>,
    /// What it can see by grants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<CellsOpened>,
    /// Of which relations it can show rows, where that is to be on record.
    #[serde(skip)]
    pub can_show: Vec<CanShow>,
}

impl StatementFacts {
    /// Of a text that was not planned.
    pub fn of_shape(shape: String) -> StatementFacts {
        StatementFacts { shape, ..StatementFacts::default() }
    }
}

/// A relation of which a statement can show rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanShow {
    /// `schema.name`
    pub relation: String,
    /// It is read once, so that what comes from it in a row of the result is of one row of it.
    pub once: bool,
    /// A row of the result may show other rows of it too.
    pub others: bool,
}

fn is_none_stated(details: &Arc<BTreeMap<String, String>>) -> bool {
    details.is_empty()
}

fn once<S: Serializer>(value: &OnceLock<String>, to: S) -> Result<S::Ok, S::Error> {
    value.get().serialize(to)
}

/// A reader, and what the first reader is known not to read. Words of Scrim's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReadBy {
    /// `tree`, `places`, `write`
    pub reader: &'static str,
    /// `sql_json`, `cycle_or_search`, …
    pub construct: &'static str,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Sent as it came.
    Forward,
    /// Sent in another form.
    Rewrite,
    /// Not sent.
    Refuse,
}

impl Verdict {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Forward => "forward",
            Verdict::Rewrite => "rewrite",
            Verdict::Refuse => "refuse",
        }
    }
}

/// A relation that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelationRead {
    /// `schema.name`
    pub relation: String,
    /// Columns seen clear.
    pub clear: Vec<String>,
    /// Columns seen masked: name → mask.
    pub masked: serde_json::Map<String, serde_json::Value>,
}

/// A relation that is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RelationWritten {
    /// `schema.name`
    pub relation: String,
    /// `insert`, `update`, `delete`, `merge`, `copy`
    pub kind: &'static str,
    /// Columns that are assigned.
    pub columns: Vec<String>,
}

/// A column by whose true value rows are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LookupMade {
    /// `schema.name`
    pub relation: String,
    /// The column.
    pub column: String,
    /// How many values are looked for.
    pub values: u64,
}

/// How a statement ended.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Session number.
    pub session: u64,
    /// Statement number in the session.
    pub statement: u64,
    /// Rows sent to the client.
    pub rows: u64,
    /// Bytes sent to the client.
    pub bytes: u64,
    /// From accepted to ended, microseconds.
    pub duration_us: u64,
    /// SQLSTATE of the error; `None`: it succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Which rows it has shown; `None`: the role has no `audit_rows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows_seen: Option<Vec<RowsSeen>>,
}

/// Rows of a relation that a statement has shown, or may have.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct RowsSeen {
    /// `schema.name`
    pub relation: String,
    /// Columns that stand in the result as they come from these rows, as they are or masked on the way.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// Which.
    pub keys: KeysSeen,
    /// Rows beside them whose keys are not named.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Columns that the cursor mentions and that are masked: name → mask. In the record of a FETCH, which itself names none.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub masked: serde_json::Map<String, serde_json::Value>,
    /// Those that it mentions and that are clear.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clear: Vec<String>,
}

/// Keys stand in the trail, and nowhere else.
impl fmt::Debug for RowsSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = match &self.keys {
            KeysSeen::Unknown => "unknown".to_owned(),
            KeysSeen::These(keys) => format!("{} keys", keys.len()),
        };
        write!(f, "RowsSeen({}, {keys})", self.relation)
    }
}

/// Keys of rows.
#[derive(Clone, PartialEq, Eq)]
pub enum KeysSeen {
    /// These, part by part.
    These(Vec<Vec<String>>),
    /// They do not come out of the statement.
    Unknown,
}

impl Serialize for KeysSeen {
    /// `"unknown"`, or a list: a text, or for a key of several columns a list of texts.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            KeysSeen::Unknown => to.serialize_str("unknown"),
            KeysSeen::These(keys) => to.collect_seq(keys.iter().map(|key| match key.as_slice() {
                [one] => KeySeen::One(one),
                parts => KeySeen::Parts(parts),
            })),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum KeySeen<'a> {
    One(&'a str),
    Parts(&'a [String]),
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
