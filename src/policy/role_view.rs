//! One role's view of one database.

use std::sync::Arc;

use super::access::Access;
use crate::catalog::{RelationOid, Snapshot};
use crate::rules::{Role, RuleSet};
use crate::text::Diagnostic;

/// What one role sees of one database, under one version of rules and catalog.
#[derive(Debug)]
pub struct RoleView {
    role: Role,
    rules: Arc<RuleSet>,
    snapshot: Arc<Snapshot>,
}

/// Something in the rules that does not fit the database.
#[derive(Debug, Clone)]
pub struct Problem {
    /// For `check`.
    pub diagnostic: Diagnostic,
}

impl RoleView {
    /// The view of `role` (a name in `rules`); `None` if there is no such role.
    pub fn new(_role: &str, _rules: Arc<RuleSet>, _snapshot: Arc<Snapshot>) -> Option<RoleView> {
        todo!()
    }

    /// The role.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The catalog.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// What the role sees of a relation of the snapshot. Unknown OIDs are hidden.
    pub fn access(&self, _oid: RelationOid) -> Access {
        todo!()
    }

    /// True when a result column may come straight from this column: the guard's question.
    /// `table` and `column` are those of a row description; unknown ones are not allowed.
    pub fn may_flow_raw(&self, _table: RelationOid, _column: i16) -> bool {
        todo!()
    }

    /// True when the role's `functions` name this user function.
    pub fn may_call(&self, _schema: &str, _name: &str) -> bool {
        todo!()
    }
}
