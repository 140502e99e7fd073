//! The audit trail: one JSON object a line, each with the hash of the one before.
//!
//! A record is *accepted* before the statement it speaks of is forwarded; when it cannot be (the queue is full,
//! the writer fails), the statement is refused. Records hold names and counts, never a value or a literal; but for the primary keys of rows that a
//! role with `audit_rows` is shown, or that a grant opens.

mod chain;
mod files;
mod reading;
mod recent;
mod record;
mod rendered;
mod sinks;
mod table;
mod trail;
mod writer;

pub use chain::{Beginning, Chain, ChainFault, Checked, verify_chain};
pub use files::{Rotation, first_number, is_being_written, trail_files};
pub use reading::{NotRead, Read, TrailFiles, Wanted};
pub use record::{
    CanShow, CellsOpened, ConsoleFacts, GrantRecord, KeysSeen, LookupMade, Outcome, ReadBy, Record,
    RelationRead, RelationWritten, RowsSeen, SessionFacts, StatementFacts, StatementRecord,
    Verdict,
};
pub use sinks::{FACILITIES, SinkOptions, SyslogAddress, machine};
pub use table::{TableFault, TablePlace, check_table, make_table, table_by_hand};
pub use writer::{Audit, AuditOptions, Durability, NotAccepted};
