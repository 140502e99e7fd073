//! The hash chain: each line carries the SHA-256 of the line before.

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ChainFault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Checks a whole trail.
pub fn verify_chain(_reader: impl std::io::BufRead) -> Result<usize, ChainFault> {
    todo!()
}
