//! Views: read through their definition.
//!
//! The definition is planned by whoever plans statements, as if the role had written it, and put where the view's
//! name stood; the view's own classification makes a template over it. Here it is decided whether the view exists
//! for the role at all, and what stands on top. This room plans nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::access::{Access, ColumnVerdict, Read};
use super::role_view::{RoleView, Unfit, closed};
use super::template::{Template, Wanted};
use crate::catalog::{Relation, RelationKind, RelationOid};
use crate::grammar::quote_identifier;
use crate::rules::MaskSpec;

/// Views that read views that read views: so many at most.
pub const VIEW_DEPTH_MAX: usize = 16;

/// A view as a role sees it.
#[derive(Debug)]
pub struct View {
    /// What stands on top of the definition: the masks, hidden columns and rows that the rules give for the view
    /// itself.
    pub template: Arc<Template>,
    /// The definition, not yet planned.
    pub definition: String,
    is_barrier: bool,
    /// Every column of the view, in order.
    columns: Vec<String>,
    body: OnceLock<Result<Arc<ViewBody>, Unreadable>>,
}

/// A view's definition, planned for the role and verified.
#[derive(Debug)]
pub struct ViewBody {
    /// The query.
    pub sql: String,
    /// What it reads.
    pub reads: Vec<Read>,
    /// It says who asks, and is another for each user.
    pub by_user: bool,
}

/// Why a view cannot be read through its definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It reads what does not exist for the role, so it does not exist itself.
    Absent,
    /// The role may not do what the definition does; why.
    Closed(String),
}

impl View {
    /// The planned definition; `plan` makes it when first asked for, and each time if it is another for each user.
    pub fn body(
        &self,
        plan: impl FnOnce() -> Result<ViewBody, Unreadable>,
    ) -> Result<Arc<ViewBody>, Unreadable> {
        if let Some(body) = self.body.get() {
            return body.clone();
        }
        // Not `get_or_init`: planning one view may plan others, and two sessions that plan the same one at once
        // get the same.
        let body = plan().map(Arc::new);
        if !body.as_ref().is_ok_and(|body| body.by_user) {
            self.body.set(body.clone()).ok();
        }
        body
    }

    /// The sub-select that stands for the view, in parentheses, without an alias, with the `wanted` ones of its columns.
    pub fn sql(&self, body: &ViewBody, wanted: &Wanted) -> String {
        let columns: Vec<_> = self.columns.iter().map(|name| quote_identifier(name)).collect();
        let source = format!(
            "({}) AS {}({})",
            body.sql,
            quote_identifier(&self.template.name),
            columns.join(", ")
        );
        self.template.over(&source, self.is_barrier, &[], &[], wanted)
    }
}

impl RoleView {
    /// What the role sees of a view.
    pub(super) fn compile_view(&self, view: &Relation, unfit: &mut Vec<Unfit>) -> Access {
        if self.is_named_open(view) {
            let mut columns = view.columns.iter();
            return match columns.find(|column| self.snapshot.names_objects(column)) {
                None => Access::Open,
                Some(column) => closed(&format!(
                    "it is in `open`, and PostgreSQL looks up whatever becomes a value of its column `{}` ({}): \
                     cast it to text or oid in the view",
                    column.name, column.type_sql
                )),
            };
        }
        let Some(reads) = self.reads_below(view) else {
            return closed("its definition reads itself, or views that read views, too many deep");
        };
        if reads.iter().any(|(oid, column)| self.is_absent(*oid, *column)) {
            return Access::Hidden;
        }
        let Some(definition) = &view.definition else {
            return closed("its definition cannot be read");
        };
        let (columns, list) = self.columns(view, unfit);
        if columns.is_empty() {
            return closed("it has no columns");
        }
        if columns.iter().all(|column| column.verdict == ColumnVerdict::Hidden) {
            return Access::Hidden;
        }
        let filter = match self.usable_filter(view, unfit) {
            Ok(filter) => filter,
            Err(closed) => return closed,
        };
        match self.template(view, columns, list, filter, Vec::new()) {
            Ok(template) => Access::View(Arc::new(View {
                template: Arc::new(template),
                definition: definition.sql.clone(),
                is_barrier: definition.security_barrier,
                columns: view.columns.iter().map(|column| column.name.clone()).collect(),
                body: OnceLock::new(),
            })),
            Err(found) => self.unproven(view, &found, unfit),
        }
    }

    /// All that a view reads, through other views too, apart from those that are open, which somebody has judged;
    /// `None` where that does not end.
    pub(super) fn reads_below(&self, view: &Relation) -> Option<BTreeSet<(RelationOid, i16)>> {
        let mut found = BTreeSet::new();
        let mut level = vec![view];
        for _ in 0..VIEW_DEPTH_MAX {
            let reads: BTreeSet<_> = level.iter().flat_map(|view| &view.reads).copied().collect();
            let views: BTreeSet<RelationOid> = reads.iter().map(|(oid, _)| *oid).collect();
            found.extend(reads);
            let views = views.into_iter().filter_map(|oid| self.snapshot().relation(oid));
            let goes_on =
                |below: &&Relation| below.kind == RelationKind::View && !self.is_named_open(below);
            level = views.filter(goes_on).collect();
            if level.is_empty() {
                return Some(found);
            }
        }
        None
    }

    /// True for a relation or column that is hidden from the role. What PostgreSQL's own catalogs hold is never
    /// hidden.
    fn is_absent(&self, oid: RelationOid, column: i16) -> bool {
        let Some(relation) = self.snapshot().relation(oid) else { return false };
        if relation.kind == RelationKind::View && !relation.is_system() {
            let hidden = |own| matches!(self.decide(relation, own), (MaskSpec::Hide, ..));
            let mut own = relation.columns.iter();
            let all_are = !relation.columns.is_empty() && relation.columns.iter().all(hidden);
            return all_are || own.any(|own| own.number == column && hidden(own));
        }
        match self.access(oid) {
            Access::Hidden => true,
            Access::Masked(template) => template
                .columns
                .iter()
                .any(|own| own.number == column && own.verdict == ColumnVerdict::Hidden),
            Access::Open | Access::View(_) | Access::Closed { .. } => false,
        }
    }
}
