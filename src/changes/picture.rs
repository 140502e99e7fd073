//! What comes of rules: every role, with every relation and column as it sees them.
//!
//! Against a catalog it is what a session would see. Without one it is what the lines of the rules say of the relations that
//! they name: a mask that does not fit its column is not known then, nor what nobody has classified.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::catalog::{Relation, RelationKind, Snapshot};
use crate::policy::{
    Access, ColumnAccess, ColumnVerdict, Decision, RoleView, Stated, covers, mask_rule,
};
use crate::rules::{MaskSpec, RelationName, RelationPattern, Role, RuleSet, TableRule, Tag};
use crate::text::Origin;

/// What comes of a set of rules.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Roles by name.
    pub roles: BTreeMap<String, RolePicture>,
    /// Who may log in, with their roles.
    pub users: BTreeMap<String, UserPicture>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPicture {
    /// The first is the default.
    pub roles: Vec<String>,
    /// May state on whose behalf.
    pub acts_for_others: bool,
    /// Where the name stands.
    pub origin: Origin,
}

/// A role.
#[derive(Debug, Clone)]
pub struct RolePicture {
    /// Itself.
    pub role: Role,
    /// Its name's place.
    pub origin: Origin,
    /// Relations by name.
    pub relations: BTreeMap<String, RelationPicture>,
}

/// A relation as a role sees it.
#[derive(Debug, Clone, Default)]
pub struct RelationPicture {
    /// Parents by name: partitions and children are seen as these are.
    pub parents: Vec<String>,
    /// Why nothing of it may be read.
    pub closed: Option<String>,
    /// It does not exist for the role.
    pub is_hidden: bool,
    /// The row filter: as the rules have it, and as it is used.
    pub filter: Option<Filter>,
    /// Columns by name.
    pub columns: BTreeMap<String, ColumnPicture>,
}

/// A row filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// As it is written.
    pub written: String,
    /// With everything it means.
    pub meaning: String,
    /// Its line.
    pub origin: Option<Origin>,
}

/// A column as a role sees it.
#[derive(Debug, Clone)]
pub struct ColumnPicture {
    /// How.
    pub seen: Seen,
    /// Rows may be found by its true value.
    pub lookup: bool,
    /// Why.
    pub decision: Decision,
}

/// How a column is seen.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Not there.
    Hidden,
    /// There, but nothing of its relation may be read.
    Closed,
    /// Through a mask.
    Masked {
        /// Which.
        mask: MaskSpec,
        /// With everything it means: the SQL, or what conditions say.
        meaning: String,
    },
    /// Of a view: as its definition shows it, which reads what the role sees.
    ByDefinition,
    /// As it is.
    Clear,
}

impl Seen {
    /// For people.
    pub fn label(&self) -> String {
        match self {
            Seen::Hidden => "hidden".to_owned(),
            Seen::Closed => "closed".to_owned(),
            Seen::Masked { mask, .. } => mask.label(),
            Seen::ByDefinition => "by its definition".to_owned(),
            Seen::Clear => "clear".to_owned(),
        }
    }
}

impl Picture {
    /// As sessions of a database see it.
    pub fn live(rules: &Arc<RuleSet>, snapshot: &Arc<Snapshot>) -> Picture {
        let views = rules.standpoints().into_iter().filter_map(|(role, purpose)| {
            let stated = Stated::named(purpose);
            let view = RoleView::of(&role.name, rules.clone(), snapshot.clone(), &stated)?;
            Some((standpoint(&role.name, purpose), view))
        });
        let roles = views.map(|(name, view)| {
            let mut relations = BTreeMap::new();
            for relation in snapshot.relations.values().filter(|relation| is_told(relation)) {
                let picture = RelationPicture::live(&view, relation);
                relations.insert(full(&relation.schema, &relation.name), picture);
            }
            role(rules, name, view.role(), relations)
        });
        Picture { roles: roles.collect(), users: users(rules) }
    }

    /// As the rules say it of what they name, and of what `others` name.
    pub fn offline(rules: &RuleSet, others: &RuleSet) -> Picture {
        let mut named: BTreeMap<RelationName, BTreeSet<&str>> = BTreeMap::new();
        for rules in [rules, others] {
            for table in &rules.tables {
                let columns = named.entry(table.relation.clone()).or_default();
                columns.extend(table.columns.keys().map(String::as_str));
            }
            for open in &rules.open {
                if let RelationPattern::Relation(name) = &open.pattern {
                    named.entry(name.clone()).or_default();
                }
            }
        }
        let roles = rules.standpoints().into_iter().map(|(one, purpose)| {
            let (name, one) = (standpoint(&one.name, purpose), &one.stating(purpose));
            let relations = named.iter().map(|(name, columns)| {
                (full(&name.schema, &name.name), written(rules, one, name, columns))
            });
            role(rules, name, one, relations.collect())
        });
        Picture { roles: roles.collect(), users: users(rules) }
    }
}

fn role(
    rules: &RuleSet,
    name: String,
    role: &Role,
    relations: BTreeMap<String, RelationPicture>,
) -> (String, RolePicture) {
    let origin = rules.origin(role.span);
    (name, RolePicture { role: role.clone(), origin, relations })
}

/// How a role is called where it sees otherwise for a purpose.
pub fn standpoint(role: &str, purpose: Option<&str>) -> String {
    match purpose {
        Some(purpose) => format!("{role}{FOR}{purpose}"),
        None => role.to_owned(),
    }
}

/// Between a role and a purpose.
const FOR: &str = " for ";

impl Picture {
    /// A role, or the role itself of one for a purpose of which nothing is said.
    pub(super) fn role(&self, name: &str) -> Option<&RolePicture> {
        let as_such = || self.roles.get(name.split_once(FOR)?.0);
        self.roles.get(name).or_else(as_such)
    }
}

/// Sequences are seen as the columns that own them.
fn is_told(relation: &Relation) -> bool {
    !relation.is_system() && relation.kind != RelationKind::Sequence
}

fn full(schema: &str, name: &str) -> String {
    format!("{schema}.{name}")
}

impl RelationPicture {
    /// As sessions of a role see a relation of the catalog.
    pub fn live(view: &RoleView, relation: &Relation) -> RelationPicture {
        seen(view, relation)
    }
}

fn seen(view: &RoleView, relation: &Relation) -> RelationPicture {
    let parents = relation.parents.iter().filter_map(|oid| view.snapshot().relation(*oid));
    let parents = parents.map(|parent| full(&parent.schema, &parent.name)).collect();
    let access = view.access(relation.oid);
    let all = |seen: Seen| {
        let columns = relation.columns.iter().filter_map(|column| {
            let decision = view.decision(relation.oid, &column.name)?;
            let picture = ColumnPicture { seen: seen.clone(), lookup: false, decision };
            Some((column.name.clone(), picture))
        });
        columns.collect::<BTreeMap<_, _>>()
    };
    let picture = RelationPicture { parents, ..RelationPicture::default() };
    let (template, clear) = match &access {
        Access::Open => return RelationPicture { columns: all(Seen::Clear), ..picture },
        Access::Hidden => {
            return RelationPicture { is_hidden: true, columns: all(Seen::Hidden), ..picture };
        }
        Access::Closed { reason } => {
            let columns = all(Seen::Closed);
            return RelationPicture { closed: Some(reason.clone()), columns, ..picture };
        }
        Access::Masked(template) => (template.as_ref(), Seen::Clear),
        Access::View(view) => (view.template.as_ref(), Seen::ByDefinition),
    };
    let column = |access: &ColumnAccess| {
        let seen = match &access.verdict {
            ColumnVerdict::Clear => clear.clone(),
            ColumnVerdict::Hidden => Seen::Hidden,
            ColumnVerdict::Masked(_) if access.is_as_text() => clear.clone(),
            ColumnVerdict::Masked(_) => Seen::Masked {
                mask: access.mask.clone(),
                meaning: template.mask(&access.name).unwrap_or_default().to_owned(),
            },
        };
        let (lookup, decision) = (access.lookup.is_some(), access.decision.clone());
        (access.name.clone(), ColumnPicture { seen, lookup, decision })
    };
    let filter = template.filter.as_ref().map(|meaning| filter(view, relation, meaning));
    let columns = template.columns.iter().map(column).collect();
    RelationPicture { filter, columns, ..picture }
}

/// The role's own line for the relation, or that of an ancestor.
fn filter(view: &RoleView, relation: &Relation, meaning: &str) -> Filter {
    let rows = &view.role().rows;
    let mut level = vec![relation];
    // As deep as partitions go; a circle of parents cannot be made.
    for _ in 0..64 {
        for member in &level {
            let name = RelationName { schema: member.schema.clone(), name: member.name.clone() };
            if let Some(rule) = rows.get(&name) {
                return Filter {
                    written: rule.filter.text.clone(),
                    meaning: meaning.to_owned(),
                    origin: Some(view.rules().origin(rule.span)),
                };
            }
        }
        let parents = level.iter().flat_map(|member| &member.parents);
        level = parents.filter_map(|oid| view.snapshot().relation(*oid)).collect();
    }
    Filter { written: meaning.to_owned(), meaning: meaning.to_owned(), origin: None }
}

/// What the lines say.
fn written(
    rules: &RuleSet,
    role: &Role,
    name: &RelationName,
    columns: &BTreeSet<&str>,
) -> RelationPicture {
    let tables: Vec<&TableRule> =
        rules.tables.iter().filter(|table| table.relation == *name).collect();
    let conditions: Vec<String> = tables
        .iter()
        .flat_map(|table| &table.conditions)
        .map(|(name, sql)| format!("{name}: {}", sql.text))
        .collect();
    let conditions = conditions.join("; ");
    let open = rules.open.iter().find(|open| match &open.pattern {
        RelationPattern::Relation(relation) => relation == name,
        RelationPattern::Schema(schema) => *schema == name.schema,
    });
    let mut picture = RelationPicture::default();
    for column in columns {
        let rule = tables.iter().find_map(|table| table.columns.get(*column));
        let given = rule.map(|rule| (rule.tag.clone(), rule.span));
        let given = given.or_else(|| open.map(|open| (Tag::Open, open.span)));
        let tag = given.as_ref().map(|(tag, _)| tag);
        let label = match tag {
            Some(Tag::Open) => "open",
            Some(Tag::Named(name)) => name.as_str(),
            None => "unclassified",
        };
        let rule = match tag {
            Some(Tag::Open) => None,
            tag => mask_rule(role, tag),
        };
        let mask = match (tag, rule) {
            (Some(Tag::Open), _) => MaskSpec::Clear,
            (_, Some(rule)) => rule.mask.clone(),
            (_, None) => MaskSpec::Redact,
        };
        let seen = match mask {
            MaskSpec::Clear => Seen::Clear,
            MaskSpec::Hide => Seen::Hidden,
            mask => {
                let meaning = format!("{} where {conditions}", mask.label());
                Seen::Masked { mask, meaning }
            }
        };
        let lookup = matches!(seen, Seen::Masked { .. })
            && role.lookup.iter().any(|(pattern, _)| covers(pattern, label));
        let decision = Decision {
            tag: label.to_owned(),
            classified: given.as_ref().map(|(_, span)| rules.origin(*span)),
            rule: rule.map(|rule| rules.origin(rule.span)),
        };
        picture.columns.insert((*column).to_owned(), ColumnPicture { seen, lookup, decision });
    }
    picture.is_hidden = !picture.columns.is_empty()
        && picture.columns.values().all(|column| matches!(column.seen, Seen::Hidden));
    picture.filter = role.rows.get(name).map(|rule| Filter {
        written: rule.filter.text.clone(),
        meaning: format!("{} where {conditions}", rule.filter.text),
        origin: Some(rules.origin(rule.span)),
    });
    picture
}

fn users(rules: &RuleSet) -> BTreeMap<String, UserPicture> {
    let named = rules.users.values().map(|user| {
        let picture = UserPicture {
            roles: user.roles.clone(),
            acts_for_others: user.acts_for_others,
            origin: rules.origin(user.span),
        };
        (user.name.clone(), picture)
    });
    let others = rules.token_users.iter().map(|all| {
        let picture = UserPicture {
            roles: all.roles.clone(),
            acts_for_others: false,
            origin: rules.origin(all.span),
        };
        ("token_users".to_owned(), picture)
    });
    named.chain(others).collect()
}
