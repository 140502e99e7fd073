//! Texts → [`RuleSet`].

use super::RuleSet;
use crate::text::{Diagnostic, Sources};

/// Where `${NAME}` comes from; the process environment in production, a map in tests.
pub trait Environment {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// Reads and merges the rule files (already read, in `sources`).
/// Gives the rules with warnings, or all diagnostics with at least one error among them.
pub fn load(
    _sources: Sources,
    _environment: &dyn Environment,
) -> Result<(RuleSet, Vec<Diagnostic>), (Sources, Vec<Diagnostic>)> {
    todo!()
}
