//! Users: who may log in, and with which roles.

use secrecy::SecretString;

use crate::text::Span;

/// A login.
#[derive(Debug, Clone)]
pub struct User {
    /// The name in the startup message.
    pub name: String,
    /// Roles; the first is the default. Never empty, every one exists.
    pub roles: Vec<String>,
    /// A SCRAM-SHA-256 verifier in PostgreSQL's form, its shape already checked; `None` when the user has only a
    /// certificate.
    pub verifier: Option<SecretString>,
    /// May state `scrim.end_user`.
    pub acts_for_others: bool,
    /// Where the name stands.
    pub span: Span,
}
