//! The audit trail: one JSON object a line, each with the hash of the one before.
//!
//! A record is *accepted* before the statement it speaks of is forwarded; when it cannot be (the queue is full,
//! the writer fails), the statement is refused. Records hold names and counts, never a value or a literal.

mod chain;
mod files;
mod reading;
mod recent;
mod record;
mod rendered;
mod sinks;
mod trail;
mod writer;

pub use chain::{Beginning, Chain, ChainFault, Checked, verify_chain};
pub use files::{Rotation, first_number, is_being_written, trail_files};
pub use reading::{NotRead, Read, TrailFiles, Wanted};
pub use record::{
    CellsOpened, ConsoleFacts, GrantRecord, LookupMade, Outcome, ReadBy, Record, RelationRead,
    RelationWritten, SessionFacts, StatementFacts, StatementRecord, Verdict,
};
pub use sinks::{FACILITIES, SinkOptions, SyslogAddress};
pub use writer::{Audit, AuditOptions, Durability, NotAccepted};
