//! A statement's way: canonicalise → gate → rewrite → verify → fill.
//!
//! [`plan`] takes a text as a client sent it and gives what may be sent to PostgreSQL instead, or a [`Refusal`].
//! The rewriter is not trusted; the verifier is: a [`VerifiedSql`] has no other constructor than `fill`.
//! Pure: no clock, no I/O.

mod fill;
mod gate;
mod refusal;
mod rewrite;
mod settings;
mod system;
mod verify;

pub use fill::VerifiedSql;
pub use gate::{Effect, StatementKind};
pub use refusal::{Reason, Refusal};
pub use settings::{SettingVerdict, judge_setting};

use std::collections::BTreeSet;

use crate::catalog::SearchPath;
use crate::policy::RoleView;

/// What planning needs to know of the session.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// What the role sees.
    pub view: &'a RoleView,
    /// The session's search_path.
    pub search_path: &'a SearchPath,
    /// The Scrim user, for `SHOW scrim.user`.
    pub user: &'a str,
}

/// A text, planned: its statements in order; empty for an empty text.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The statements.
    pub statements: Vec<PlannedStatement>,
}

/// One statement, ready to be sent.
#[derive(Debug, Clone)]
pub struct PlannedStatement {
    /// The client's statement in canonical form. Holds literals: for `explain` only, never for logs or audit.
    pub canonical: String,
    /// What is sent.
    pub sql: VerifiedSql,
    /// What kind of statement it is.
    pub kind: StatementKind,
    /// What the session must remember once the server has said that the statement succeeded.
    pub effect: Effect,
    /// What it reads.
    pub reads: Vec<Read>,
}

/// A relation that a statement reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub relation: String,
    /// True when it is open to the role and goes through as it is.
    pub open: bool,
    /// Columns that the statement mentions (or may mean), seen clear.
    pub clear: BTreeSet<String>,
    /// Columns that the statement mentions (or may mean), with the label of their mask.
    pub masked: BTreeSet<(String, String)>,
    /// The row filter was applied.
    pub filtered: bool,
}

/// Plans a text. All statements of it or none: one refusal refuses the text.
pub fn plan(_text: &str, _speaker: Speaker<'_>) -> Result<Plan, Refusal> {
    todo!()
}
