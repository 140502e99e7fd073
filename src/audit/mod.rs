//! The audit trail: one JSON object a line, each with the hash of the one before.
//!
//! A record is *accepted* before the statement it speaks of is forwarded; when it cannot be (the queue is full,
//! the writer fails), the statement is refused. Records hold names and counts, never a value or a literal.

mod chain;
mod record;
mod trail;
mod writer;

pub use chain::{ChainFault, verify_chain};
pub use record::{
    LookupMade, Outcome, ReadBy, Record, RelationRead, RelationWritten, SessionFacts,
    StatementFacts, StatementRecord, Verdict,
};
pub use writer::{Audit, AuditOptions, Durability, NotAccepted};
