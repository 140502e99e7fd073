//! SQL that stands in the rules: one expression over one row, nothing else.

/// The expression cannot stand in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, for a diagnostic.
    pub message: String,
}

/// Checks an expression: parses by PostgreSQL's grammar, has no sub-select, names only `columns`, calls only
/// allowed functions; gives its canonical text.
pub fn checked_expression(_text: &str, _columns: &[&str]) -> Result<String, ExpressionError> {
    todo!()
}
