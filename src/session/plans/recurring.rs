//! A statement that is sent again and again, as server connections keep it: prepared, so that PostgreSQL reads and analyses it
//! once. Pure.
//!
//! A client that sends its texts by Query has PostgreSQL start afresh each time, with a text that is longer than its own for
//! the masks in it. What has been met before is prepared under a name of ours instead, and bound with the literals that
//! are free ([`crate::sql::lifting`]) as parameters. So is a Parse without a name, where it is the same text to the letter
//! ([`crate::session::pipeline`]).
//!
//! INVARIANT: a prepared statement answers as its text would. So what PostgreSQL reads once and for all when it prepares
//! must be what it would read each time: no literal names a passing day or an object, and no star counts the columns of an
//! open relation, which may get more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::session::planning::PlannedPart;
use crate::session::source::Source;
use crate::sql::{Effect, StatementKind};

/// Types whose literals are names that PostgreSQL looks up when it prepares.
/// <https://www.postgresql.org/docs/current/datatype-oid.html>
const NAMING: [&str; 13] = [
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    // `'10:00 Europe/Berlin'` has another offset in winter.
    "timetz",
    "time with time zone",
];

/// The statement.
pub struct Recurring {
    source: Source,
    /// PostgreSQL did not take it with parameters in the place of literals.
    is_unfit: AtomicBool,
}

/// A recurring statement with the values of this time.
#[derive(Clone)]
pub struct Again {
    /// The statement.
    pub recurring: Arc<Recurring>,
    /// Its parameters, as text.
    pub values: Vec<String>,
}

impl Recurring {
    /// Of what is sent in its Parse.
    pub fn new(source: Source) -> Recurring {
        Recurring { source, is_unfit: AtomicBool::new(false) }
    }

    /// What is sent in its Parse.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// False once PostgreSQL has refused it where it takes the text.
    pub fn is_fit(&self) -> bool {
        !self.is_unfit.load(Ordering::Relaxed)
    }

    /// PostgreSQL has refused it.
    pub fn is_refused(&self) {
        self.is_unfit.store(true, Ordering::Relaxed);
    }

    /// Of its text.
    pub fn bytes(&self) -> usize {
        self.source.text.len()
    }
}

/// A statement that leaves nothing behind in the session, looks nothing up, and of which the client is told what the server says.
pub fn is_plain(part: &PlannedPart) -> bool {
    part.effect == Effect::None
        && part.makes.is_none()
        && part.probe.is_none()
        && part.discretion.is_none()
        && part.tag.is_none()
        && !part.may_set()
        && part.facts.lookups.is_empty()
        && part.facts.reading.is_none()
}

/// A SELECT that only reads, and reads tables.
pub fn only_reads(part: &PlannedPart) -> bool {
    part.kind == StatementKind::Select
        && part.facts.writes.is_empty()
        && !part.facts.relations.is_empty()
}

/// True where the plan may be kept prepared, as `text`.
pub fn may_recur(part: &PlannedPart, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    is_plain(part)
        && only_reads(part)
        && !part.counts_columns
        && !NAMING.iter().any(|name| text.contains(name))
}
