//! Holes become templates.

/// SQL that may be sent to PostgreSQL for a masked role. Only this module makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedSql {
    text: String,
}

impl VerifiedSql {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The text holds the client's literals: it does not print.
impl std::fmt::Debug for VerifiedSql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedSql(…)")
    }
}
