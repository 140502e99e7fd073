//! What `grants` of a role says and what can never come of it in this database: for `check`.
//!
//! It is held against what an opening needs (`policy::opening`), so that what is told to be idle is what a request would be
//! refused for. Who has the role and who may agree is no matter of the database, and not told here.

use std::collections::BTreeSet;

use crate::catalog::{Column, Relation, RelationKind};
use crate::policy::access::Access;
use crate::policy::classify::{covers, generations, name_of};
use crate::policy::problems::{Problem, warning};
use crate::policy::role_view::RoleView;
use crate::rules::{GrantRules, MaskSpec, Tag, TagPattern};

/// Why a column cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shut {
    /// There is nothing to open.
    Clear,
    /// A CHECK of its domain might refuse the mask of the other rows.
    Domain,
    /// `hidden` does not name it.
    Hidden,
    /// Nothing of its relation may be read.
    Closed,
    /// Its rows cannot be named, and a grant needs rows here.
    Unnamed,
}

/// A classified column.
struct Tagged {
    tag: String,
    is_hidden: bool,
    /// `None`: it can be opened.
    shut: Option<Shut>,
}

impl RoleView {
    /// What of the role's `grants` opens nothing, for the purpose that is stated. Only what is said in the same words for
    /// every purpose of the role is idle.
    pub fn idle_grants(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let Some(grants) = &self.role().grants else { return found };
        let columns = self.tagged_columns(grants);
        for (pattern, span) in &grants.may {
            let message = self.shut(pattern, &columns);
            found.extend(message.map(|(message, help)| warning(message, Some(*span), help)));
        }
        for (pattern, span) in &grants.hidden {
            let TagPattern::Prefix(tag) = pattern else { continue };
            let mut there = columns.iter().filter(|column| covers(pattern, &column.tag)).peekable();
            if there.peek().is_some() && there.all(|column| !column.is_hidden) {
                let message = format!(
                    "role `{}` has nothing with the tag `{tag}` hidden, so there is nothing for `hidden` to open",
                    self.role().name
                );
                found.push(warning(message, Some(*span), None));
            }
        }
        if grants.widen_rows {
            let message = self.idle_widening();
            found.extend(message.map(|message| warning(message, Some(grants.span), None)));
        }
        found
    }

    /// Why nothing that a pattern of `may` covers can be opened; with what would help.
    fn shut(&self, pattern: &TagPattern, columns: &[Tagged]) -> Option<(String, Option<String>)> {
        let TagPattern::Prefix(tag) = pattern else { return None };
        let columns = columns.iter().filter(|column| covers(pattern, &column.tag));
        let all: Option<BTreeSet<Shut>> = columns.map(|column| column.shut).collect();
        // Tags that nobody gives are told of elsewhere, and those of another database are none of this one's.
        let all = all.filter(|all| !all.is_empty())?;
        let why: Vec<&str> = all.iter().map(|shut| shut.words()).collect();
        let message = format!(
            "nothing with the tag `{tag}` can be opened to role `{}`: {}",
            self.role().name,
            why.join("; elsewhere ")
        );
        let help = if all.contains(&Shut::Hidden) {
            Some(format!("`hidden: [{tag}]` beside `may` lets it be opened all the same"))
        } else if all.contains(&Shut::Unnamed) {
            Some("`whole_columns: true` lets a grant go without rows".to_owned())
        } else {
            None
        };
        Some((message, help))
    }

    fn tagged_columns(&self, grants: &GrantRules) -> Vec<Tagged> {
        let relations =
            self.snapshot().relations.values().filter(|relation| {
                !relation.is_system() && relation.kind != RelationKind::Sequence
            });
        let mut found = Vec::new();
        for relation in relations {
            let tagged = relation.columns.iter().filter_map(|column| {
                let given =
                    self.classification.tag(self.rules(), self.snapshot(), relation, &column.name);
                match given {
                    Some((Tag::Named(tag), _)) => Some((column, tag)),
                    Some((Tag::Open, _)) | None => None,
                }
            });
            for (column, tag) in tagged {
                let (spec, ..) = self.decide_by_rules(relation, column);
                let shut = self.why_shut(relation, column, &tag, &spec, grants);
                found.push(Tagged { tag, is_hidden: matches!(spec, MaskSpec::Hide), shut });
            }
        }
        found
    }

    fn why_shut(
        &self,
        relation: &Relation,
        column: &Column,
        tag: &str,
        spec: &MaskSpec,
        grants: &GrantRules,
    ) -> Option<Shut> {
        match spec {
            MaskSpec::Clear => Some(Shut::Clear),
            _ if column.domain_over.is_some() => Some(Shut::Domain),
            MaskSpec::Hide if !grants.may_open_hidden(tag) => Some(Shut::Hidden),
            _ if matches!(self.access(relation.oid), Access::Closed { .. }) => Some(Shut::Closed),
            _ if !grants.whole_columns && !self.names_rows(relation) => Some(Shut::Unnamed),
            _ => None,
        }
    }

    /// True where a grant may name rows of a relation, or of one that it is a part of.
    fn names_rows(&self, relation: &Relation) -> bool {
        generations(self.snapshot(), relation).into_iter().flatten().any(|member| {
            matches!(self.access(member.oid), Access::Masked(_) | Access::Hidden)
                && self.key_of_rows(member).is_ok()
        })
    }

    /// Why there are no rows that `widen_rows` could show.
    fn idle_widening(&self) -> Option<String> {
        let role = self.role();
        if role.rows.is_empty() {
            return Some(format!(
                "role `{}` has no `rows`, so there are none for `widen_rows` to show",
                role.name
            ));
        }
        let mut filtered = self.snapshot().relations.values().filter(|relation| {
            let mut members = generations(self.snapshot(), relation).into_iter().flatten();
            members.any(|member| role.rows.contains_key(&name_of(member)))
        });
        // Filters of what is not in this database say nothing of those that are in another one.
        let first = filtered.next()?;
        let is_idle = std::iter::once(first).chain(filtered).all(|one| !self.names_rows(one));
        is_idle.then(|| {
            format!(
                "no table that `rows` filters has a plain primary key that role `{}` sees clear, so there are no rows for \
                 `widen_rows` to show",
                role.name
            )
        })
    }
}

impl Shut {
    fn words(self) -> &'static str {
        match self {
            Shut::Clear => "the role sees it clear",
            Shut::Hidden => "the role has it hidden, and `hidden` does not name it",
            Shut::Domain => "it is of a domain type",
            Shut::Closed => "the role cannot read its relation",
            Shut::Unnamed => {
                "it has no table with a plain primary key that the role sees clear, by which rows are named"
            }
        }
    }
}
