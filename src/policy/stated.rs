//! What a session states of itself, as values in the SQL of the rules: `scrim.user`, `scrim.end_user`, `scrim.purpose`,
//! and details such as `scrim.ticket`.
//!
//! INVARIANT: a value comes into SQL as one literal, of a type that the rules say, and only where the view has been
//! found to need it ([`Needs`]): a session that states something else has another view, and so another plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use super::expression::ExpressionError;
use super::opening::Openings;
use super::role_view::RoleView;
use crate::grammar;
use crate::rules::{DetailKind, MaskSql, Role, RuleSet};

/// How names of what is stated begin, in rules and in SET.
pub const STATED_PREFIX: &str = "scrim";

/// Views that are kept for what sessions state; what has not been asked for the longest goes first.
const SIBLINGS_MAX: usize = 64;

/// What a session states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// The Scrim user.
    pub user: Option<String>,
    /// `scrim.end_user`
    pub end_user: Option<String>,
    /// `scrim.purpose`
    pub purpose: Option<String>,
    /// Details by name.
    pub details: BTreeMap<String, String>,
    /// What grants open to it, not by its own doing.
    pub openings: Openings,
    /// Nobody's session: names stand for values, so that what goes by one is told from what goes by another.
    pub(super) is_named: bool,
}

/// What of it a role goes by, in some database: rather too much than too little.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    names: BTreeSet<String>,
}

impl Stated {
    /// For who looks at rules without a session: for a purpose, with names for everything else.
    pub fn named(purpose: Option<&str>) -> Stated {
        Stated { purpose: purpose.map(str::to_owned), is_named: true, ..Stated::default() }
    }

    /// With a value, where there was a name.
    pub fn with(mut self, name: &str, value: &str) -> Stated {
        let value = value.to_owned();
        match name {
            "user" => self.user = Some(value),
            "end_user" => self.end_user = Some(value),
            "purpose" => self.purpose = Some(value),
            detail => drop(self.details.insert(detail.to_owned(), value)),
        }
        self
    }

    fn value(&self, name: &str) -> Option<String> {
        let value = match name {
            "user" => self.user.as_ref(),
            "end_user" => self.end_user.as_ref(),
            "purpose" => self.purpose.as_ref(),
            detail => self.details.get(detail),
        };
        let named = || self.is_named.then(|| format!("{STATED_PREFIX}.{name}"));
        value.cloned().or_else(named)
    }

    /// No more than is needed, so that who differs in the rest has the same view.
    pub(super) fn only(&self, needs: &Needs) -> Stated {
        let kept = |name: &str, value: &Option<String>| value.clone().filter(|_| needs.has(name));
        Stated {
            user: kept("user", &self.user),
            end_user: kept("end_user", &self.end_user),
            purpose: kept("purpose", &self.purpose),
            details: self
                .details
                .iter()
                .filter(|(name, _)| needs.has(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            openings: Arc::clone(&self.openings),
            is_named: self.is_named,
        }
    }

    /// With what is opened.
    pub fn opened(self, openings: &Openings) -> Stated {
        Stated { openings: Arc::clone(openings), ..self }
    }

    /// `scrim.name` as SQL: a literal of its type; NULL where it is not stated.
    pub(super) fn sql(
        &self,
        name: &str,
        role: &Role,
        needs: &Needs,
    ) -> Result<String, ExpressionError> {
        let kind = match name {
            "user" | "end_user" | "purpose" => DetailKind::Text,
            detail => role.details.get(detail).copied().ok_or_else(|| unknown(detail, role))?,
        };
        if !needs.has(name) {
            let message = format!("`{STATED_PREFIX}.{name}` is not written plainly here");
            return Err(ExpressionError { message });
        }
        let type_sql = match kind {
            DetailKind::Text => "pg_catalog.text",
            DetailKind::Integer => "pg_catalog.int8",
            DetailKind::Uuid => "pg_catalog.uuid",
        };
        let Some(value) = self.value(name) else {
            return Ok(format!("CAST(NULL AS {type_sql})"));
        };
        // A session's has been looked at when it was stated; what is not of its kind after all is as not stated.
        if !self.is_named && !kind.takes(&value) {
            return Ok(format!("CAST(NULL AS {type_sql})"));
        }
        let literal = literal(&value)?;
        Ok(format!("CAST({literal} AS {type_sql})"))
    }
}

impl Needs {
    /// Of a role: a purpose of which it says something, and whatever its SQL, or a condition of a table, names.
    pub(super) fn of(role: &Role, rules: &RuleSet) -> Needs {
        let mut texts: Vec<&str> = Vec::new();
        for rule in role.all_masks() {
            texts.extend(rule.mask.sql().into_iter().map(MaskSql::text));
        }
        texts.extend(role.all_rows().map(|rule| rule.filter.text.as_str()));
        let conditions = rules.tables.iter().flat_map(|table| table.conditions.values());
        texts.extend(conditions.map(|sql| sql.text.as_str()));
        let texts: Vec<String> = texts
            .into_iter()
            .map(str::to_ascii_lowercase)
            .filter(|text| text.contains(STATED_PREFIX))
            .collect();
        let own = ["user", "end_user", "purpose"];
        let known = own.into_iter().chain(role.details.keys().map(String::as_str));
        let mut names: BTreeSet<String> = known
            .filter(|name| texts.iter().any(|text| text.contains(name)))
            .map(str::to_owned)
            .collect();
        if !role.by_purpose.is_empty() {
            names.insert("purpose".to_owned());
        }
        Needs { names }
    }

    /// True where a name counts.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// True where nothing that a session states makes a difference.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl RoleView {
    /// The same role, under the same rules and catalog, for a session that states this; itself where that makes no
    /// difference. `None` only if the rules do not have the role, which cannot be.
    pub fn for_session(self: &Arc<Self>, stated: &Stated) -> Option<Arc<RoleView>> {
        let stated = stated.only(&self.needs);
        if stated == self.stated {
            return Some(Arc::clone(self));
        }
        let mut siblings = self.siblings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = siblings.iter().position(|known| known.stated == stated) {
            let known = siblings.remove(place);
            siblings.push(Arc::clone(&known));
            return Some(known);
        }
        let (rules, snapshot) = (Arc::clone(&self.rules), Arc::clone(&self.snapshot));
        let view = Arc::new(RoleView::of(&self.role.name, rules, snapshot, &stated)?);
        if siblings.len() >= SIBLINGS_MAX {
            siblings.remove(0);
        }
        siblings.push(Arc::clone(&view));
        Some(view)
    }

    /// True when a session that states this has this view.
    pub fn is_for(&self, stated: &Stated) -> bool {
        let is_opened = stated.openings == self.stated.openings;
        is_opened && (self.needs.is_empty() || stated.only(&self.needs) == self.stated)
    }

    /// What of what sessions state makes a difference to the role.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }
}

fn unknown(name: &str, role: &Role) -> ExpressionError {
    let known: Vec<String> = ["user", "end_user", "purpose"]
        .into_iter()
        .chain(role.details.keys().map(String::as_str))
        .map(|known| format!("`{STATED_PREFIX}.{known}`"))
        .collect();
    let message = format!(
        "there is no `{STATED_PREFIX}.{name}`; role `{}` has {} (others come under `details`)",
        role.name,
        known.join(", ")
    );
    ExpressionError { message }
}

/// A literal that PostgreSQL's grammar reads as this very text.
pub(super) fn literal(value: &str) -> Result<String, ExpressionError> {
    let quoted = value.replace('\'', "''");
    let literal = match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    };
    match grammar::is_text_literal(&literal, value) {
        true => Ok(literal),
        false => Err(ExpressionError { message: "what is stated cannot be written in SQL".into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_stated_is_one_literal() {
        for value in [
            "",
            "refund",
            "it's",
            "';--",
            "\\'",
            "\\",
            "x' OR true OR '' = '",
            "$1",
            "$$",
            "a\nb",
            "/* */",
            "E'x'",
            "U&'\\0041'",
            "한글 ' 🙂",
            "$scrim$",
        ] {
            let literal = literal(value).expect("a literal");
            assert!(grammar::is_text_literal(&literal, value), "{literal}");
        }
        assert!(!grammar::is_text_literal("'a' || 'b'", "ab"));
        assert!(!grammar::is_text_literal("'a', 'b'", "a"));
        assert!(literal("a\0b").is_err());
    }
}
