//! Text ↔ PostgreSQL's raw parse tree.

use pg_query::protobuf;

/// The longest text that is looked at, in bytes.
pub const LENGTH_BYTES_MAX: usize = 1024 * 1024;

/// PostgreSQL's grammar (or our own limits) would not take the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// PostgreSQL's own words: `syntax error at or near "FORM"`.
    pub message: String,
    /// Characters from the start of the text, from 1; for the position field of an error.
    pub position: Option<u32>,
    /// What kind of error.
    pub fault: SyntaxFault,
}

/// Kinds of [`SyntaxError`], each with its SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxFault {
    /// 42601
    Syntax,
    /// 54000: longer than [`LENGTH_BYTES_MAX`]
    TooLong,
    /// 54001: nested or chained too deeply for libpg_query's limits
    TooDeep,
}

/// The statements of a text, in order; empty for an empty text. A NUL byte is a syntax error.
pub fn parse(_text: &str) -> Result<Vec<protobuf::RawStmt>, SyntaxError> {
    todo!()
}

/// One statement as canonical text: no comments, PostgreSQL's own quoting, no trailing semicolon.
/// The text parses to the same tree again (checked here, locations apart), or this is an error.
pub fn deparse(_statement: &protobuf::RawStmt) -> Result<String, SyntaxError> {
    todo!()
}
