//! The rules of the security team: YAML files in, one [`RuleSet`] or *all* diagnostics out.
//!
//! Parse, don't validate: a `RuleSet` that exists is consistent in itself (names unique, tags well formed,
//! `extends` resolved, `${ENV}` taken). What needs the database (does the column exist, does the mask fit its
//! type) is judged later, by `policy`.
//! This room reads no file and knows no database; the caller hands over the texts and the environment.

mod extends;
mod granting;
mod json_mask;
mod load;
mod mask_spec;
mod name;
mod read_keyed_masks;
mod read_mask;
mod read_masks_of_text;
mod read_role;
mod regex;
mod role;
mod schema;
mod table;
mod tag;
mod token_users;
mod user;

pub use granting::{GrantRules, granted_mask, lasting, seconds};
pub use json_mask::{JsonMask, JsonNode};
pub use load::{Environment, NoEnvironment, load};
pub use mask_spec::{MaskSpec, MaskSql, PseudonymKind, Scalar, ScrubKind, TruncateUnit};
pub use name::{RelationName, RelationPattern, parse_column, parse_relation};
pub use read_role::STATED_BYTES_MAX;
pub use role::{
    DatabaseUser, DetailKind, Detection, Limits, MaskRule, Permissions, PurposeLines, Role,
    RowRule, Then,
};
pub use schema::schema;
pub use table::{ColumnRule, OpenRule, SqlText, TableRule};
pub use tag::{Tag, TagPattern};
pub use token_users::TokenUsers;
pub use user::User;

use std::collections::{BTreeMap, BTreeSet};

use crate::text::{Origin, Sources, Span};

/// Everything the rules folder says, merged.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// The texts, for origins and diagnostics.
    pub sources: Sources,
    /// SHA-256 over names and texts, the first 16 hex digits; stands in every audit record. What the environment
    /// gave is not part of it, so that nobody can guess it from there.
    pub version: String,
    /// Relations that hold nothing personal.
    pub open: Vec<OpenRule>,
    /// What the columns of each relation hold. A relation can stand here once for each set of `databases`.
    pub tables: Vec<TableRule>,
    /// Roles by name, with `extends` already resolved.
    pub roles: BTreeMap<String, Role>,
    /// Users by name. Who looks for one asks [`RuleSet::user`].
    pub users: BTreeMap<String, User>,
    /// Users whom nothing but their token names.
    pub token_users: Option<TokenUsers>,
}

impl RuleSet {
    /// Lines of roles whose mask needs the key, each once.
    pub fn keyed_masks(&self) -> Vec<&MaskRule> {
        let mut found: Vec<&MaskRule> = Vec::new();
        for rule in self.roles.values().flat_map(Role::all_masks) {
            // A role has the lines of those that it extends.
            if rule.mask.is_keyed() && found.iter().all(|other| other.span != rule.span) {
                found.push(rule);
            }
        }
        found
    }

    /// Roles that no user has, none whom a token names, and that no other role extends.
    pub fn roles_of_nobody(&self) -> Vec<&Role> {
        let of_users = self.users.values().flat_map(|user| &user.roles);
        let of_tokens = self.token_users.iter().flat_map(|all| &all.roles);
        let extended = self.roles.values().filter_map(|role| role.extends.as_ref());
        let used: BTreeSet<&String> = of_users.chain(of_tokens).chain(extended).collect();
        self.roles.values().filter(|role| !used.contains(&role.name)).collect()
    }

    /// Every role, and each purpose for which it sees otherwise: all there is to look at without a session.
    pub fn standpoints(&self) -> Vec<(&Role, Option<&str>)> {
        let of_role = |role| std::iter::once((role, None)).chain(purposes_of(role));
        self.roles.values().flat_map(of_role).collect()
    }

    /// File and line of a span.
    pub fn origin(&self, span: Span) -> Origin {
        self.sources.origin(span)
    }
}

fn purposes_of(role: &Role) -> impl Iterator<Item = (&Role, Option<&str>)> {
    role.by_purpose.keys().map(move |purpose| (role, Some(purpose.as_str())))
}
