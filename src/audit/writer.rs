//! The writer behind the queue.

use std::path::PathBuf;

use super::record::Record;

/// When a record counts as accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// It stands in the bounded queue, which the writer empties at least every 100 ms.
    #[default]
    Queued,
    /// It is on disk.
    Synced,
}

/// `audit:` of scrim.yaml.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// The file; records are appended.
    pub file: PathBuf,
    /// When a record counts as accepted.
    pub durability: Durability,
}

/// The record was not accepted, so the statement must not be forwarded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// The queue is full.
    #[error("the audit queue is full")]
    Full,
    /// The writer cannot write.
    #[error("the audit file cannot be written")]
    Failed,
}

/// The audit trail's front: cheap to clone, shared by all sessions.
#[derive(Debug, Clone)]
pub struct Audit {}

impl Audit {
    /// Opens the file, reads the last hash in it, and starts the writer's thread.
    pub fn open(_options: &AuditOptions) -> std::io::Result<Audit> {
        todo!()
    }

    /// Accepts a record: returns once it is queued (or, with [`Durability::Synced`], on disk).
    pub async fn accept(&self, _record: Record) -> Result<(), NotAccepted> {
        todo!()
    }

    /// Writes what is queued and ends the writer.
    pub async fn close(&self) {
        todo!()
    }
}
