//! What Scrim says no to, and how.

use crate::text::Origin;

/// A statement that is not sent. Drawn once, at the edge: as an ErrorResponse, in the audit, by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// SQLSTATE.
    pub code: &'static str,
    /// Starts with `scrim: ` unless it is PostgreSQL's own error (42601, 42P01, 42703).
    pub message: String,
    /// What to do, or which rule decided.
    pub hint: Option<String>,
    /// Characters from the start of the client's text, from 1.
    pub position: Option<u32>,
    /// For the audit and statistics.
    pub reason: Reason,
    /// The rule that decided, if one did.
    pub rule: Option<Origin>,
}

/// Why, as one word for audit and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// PostgreSQL's grammar does not take it.
    Syntax,
    /// Too long or too deep.
    TooLarge,
    /// A kind of statement the role may not use.
    StatementKind,
    /// A relation that does not exist, for this role at least.
    NoSuchRelation,
    /// A relation that is closed.
    ClosedRelation,
    /// A column that does not exist, for this role at least.
    NoSuchColumn,
    /// A function.
    Function,
    /// An operator.
    Operator,
    /// A type.
    Type,
    /// A setting, or a value for it.
    Setting,
    /// sqlparser did not read the canonical text as PostgreSQL does.
    NotUnderstood,
    /// The verifier found something; the rewriter is wrong, or the statement uses a corner nobody judged yet.
    NotProven,
    /// The role needs a purpose and the session stated none.
    Purpose,
    /// A protocol feature the role may not use.
    Protocol,
}

impl Reason {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Syntax => "syntax",
            Reason::TooLarge => "too_large",
            Reason::StatementKind => "statement_kind",
            Reason::NoSuchRelation => "no_such_relation",
            Reason::ClosedRelation => "closed_relation",
            Reason::NoSuchColumn => "no_such_column",
            Reason::Function => "function",
            Reason::Operator => "operator",
            Reason::Type => "type",
            Reason::Setting => "setting",
            Reason::NotUnderstood => "not_understood",
            Reason::NotProven => "not_proven",
            Reason::Purpose => "purpose",
            Reason::Protocol => "protocol",
        }
    }
}
