//! The matrix: every column of the database against every role, made once for each version of rules and catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::words::Word;
use crate::catalog::{Relation, RelationKind, Snapshot};
use crate::changes::{ColumnPicture, Picture, RelationPicture, RolePicture, Seen};
use crate::rules::{MaskSpec, RuleSet};

/// All of it.
pub struct Sheet {
    /// The versions of rules and catalog.
    pub version: (String, u64),
    /// What it was made of.
    pub picture: Arc<Picture>,
    /// Roles, and where they see otherwise for a purpose, in the order of the columns.
    pub roles: Vec<Role>,
    /// Relations with a column at least, by name.
    pub relations: Vec<Lines>,
    /// What columns hold.
    pub tags: BTreeSet<String>,
}

/// A role, as the head of a column.
pub struct Role {
    /// Its name, and the purpose.
    pub name: String,
    /// For people.
    pub description: Option<String>,
}

/// A relation.
pub struct Lines {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// What each role sees of its rows.
    pub rows: Vec<Rows>,
    /// Its columns in their own order.
    pub columns: Vec<Line>,
}

/// Which rows a role sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// All.
    All,
    /// Some; the filter.
    Where(String),
    /// None: it does not exist, or cannot be read.
    None(Kind),
}

/// A column.
pub struct Line {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub tag: String,
    /// What each role sees of it.
    pub cells: Vec<Cell>,
}

/// A column as a role sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// How, in one of a few kinds.
    pub kind: Kind,
    /// The mask, or a word for it.
    pub label: String,
    /// The line that decided.
    pub rule: Option<String>,
    /// Rows can be found by its true value.
    pub lookup: bool,
}

/// How much of a value is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All of it.
    Clear,
    /// Some of it, or all of it for some rows.
    Part,
    /// What a key has made of it: the same for the same.
    Keyed,
    /// Nothing of it.
    Blank,
    /// The column does not exist.
    Hidden,
    /// The relation cannot be read.
    Closed,
    /// A view shows what its definition shows.
    View,
}

impl Kind {
    /// From the most that is seen to the least.
    pub const ALL: [Kind; 7] =
        [Kind::Clear, Kind::View, Kind::Part, Kind::Keyed, Kind::Blank, Kind::Hidden, Kind::Closed];

    /// Of what a column picture says.
    pub fn of(seen: &Seen) -> Kind {
        match seen {
            Seen::Hidden => Kind::Hidden,
            Seen::Closed => Kind::Closed,
            Seen::ByDefinition => Kind::View,
            Seen::Clear => Kind::Clear,
            Seen::Masked { mask, .. } => of_mask(mask),
        }
    }

    /// As it is named in an address and in the style.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Clear => "clear",
            Kind::Part => "part",
            Kind::Keyed => "keyed",
            Kind::Blank => "blank",
            Kind::Hidden => "hidden",
            Kind::Closed => "closed",
            Kind::View => "view",
        }
    }

    /// For who does not see its colour.
    pub fn mark(self) -> &'static str {
        match self {
            Kind::Clear => "●",
            Kind::Part => "◐",
            Kind::Keyed => "◆",
            Kind::Blank => "○",
            Kind::Hidden => "–",
            Kind::Closed => "✕",
            Kind::View => "↪",
        }
    }

    /// What it means.
    pub fn meaning(self) -> Word {
        match self {
            Kind::Clear => Word::SeenClear,
            Kind::Part => Word::SeenPart,
            Kind::Keyed => Word::SeenKeyed,
            Kind::Blank => Word::SeenBlank,
            Kind::Hidden => Word::SeenHidden,
            Kind::Closed => Word::SeenClosed,
            Kind::View => Word::SeenView,
        }
    }
}

/// Of two branches that which shows more, for a mask by row shows a part at the most where they differ.
fn of_mask(mask: &MaskSpec) -> Kind {
    match mask {
        MaskSpec::Clear => Kind::Clear,
        MaskSpec::Hide => Kind::Hidden,
        MaskSpec::Null | MaskSpec::Redact | MaskSpec::Constant(_) => Kind::Blank,
        MaskSpec::Pseudonym { .. } | MaskSpec::Shift { .. } | MaskSpec::Noise(_) => Kind::Keyed,
        MaskSpec::Each(each) => of_mask(each),
        MaskSpec::When { then, otherwise, .. } => match (of_mask(then), of_mask(otherwise)) {
            (one, other) if one == other => one,
            _ => Kind::Part,
        },
        MaskSpec::Keep { .. }
        | MaskSpec::Email
        | MaskSpec::Phone
        | MaskSpec::Card
        | MaskSpec::Name
        | MaskSpec::Round(_)
        | MaskSpec::Truncate(_)
        | MaskSpec::Cap { .. }
        | MaskSpec::Ip
        | MaskSpec::Replace { .. }
        | MaskSpec::Scrub(_)
        | MaskSpec::Json(_)
        | MaskSpec::Sql(_) => Kind::Part,
    }
}

impl Sheet {
    /// Of rules and a catalog.
    pub fn new(rules: &Arc<RuleSet>, snapshot: &Arc<Snapshot>) -> Sheet {
        let picture = Picture::live(rules, snapshot);
        let mut sheet = Sheet {
            version: (rules.version.clone(), snapshot.version),
            roles: picture.roles.iter().map(role).collect(),
            relations: Vec::new(),
            tags: BTreeSet::new(),
            picture: Arc::new(Picture::default()),
        };
        let mut relations: Vec<&Relation> = snapshot
            .relations
            .values()
            .filter(|relation| !relation.is_system() && relation.kind != RelationKind::Sequence)
            .collect();
        relations.sort_by_key(|relation| (&relation.schema, &relation.name));
        for relation in relations {
            let lines = lines(&picture.roles, relation);
            sheet.tags.extend(lines.columns.iter().map(|line| line.tag.clone()));
            if !lines.columns.is_empty() {
                sheet.relations.push(lines);
            }
        }
        sheet.picture = Arc::new(picture);
        sheet
    }
}

fn role((name, picture): (&String, &RolePicture)) -> Role {
    Role { name: name.clone(), description: picture.role.description.clone() }
}

fn lines(roles: &BTreeMap<String, RolePicture>, relation: &Relation) -> Lines {
    let full = format!("{}.{}", relation.schema, relation.name);
    let seen: Vec<Option<&RelationPicture>> =
        roles.values().map(|role| role.relations.get(&full)).collect();
    let columns = relation.columns.iter().map(|column| {
        let pictures: Vec<Option<&ColumnPicture>> =
            seen.iter().map(|seen| seen.and_then(|seen| seen.columns.get(&column.name))).collect();
        let tag = pictures.iter().flatten().next().map(|picture| picture.decision.tag.clone());
        Line {
            name: column.name.clone(),
            tag: tag.unwrap_or_default(),
            cells: pictures.into_iter().map(cell).collect(),
        }
    });
    Lines {
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        rows: seen.iter().map(|seen| seen.map_or(Rows::All, rows)).collect(),
        columns: columns.collect(),
    }
}

fn rows(picture: &RelationPicture) -> Rows {
    match (&picture.closed, picture.is_hidden, &picture.filter) {
        (_, true, _) => Rows::None(Kind::Hidden),
        (Some(_), false, _) => Rows::None(Kind::Closed),
        (None, false, Some(filter)) => Rows::Where(filter.written.clone()),
        (None, false, None) => Rows::All,
    }
}

fn cell(picture: Option<&ColumnPicture>) -> Cell {
    match picture {
        Some(picture) => Cell {
            kind: Kind::of(&picture.seen),
            label: picture.seen.label(),
            rule: picture.decision.rule.as_ref().map(ToString::to_string),
            lookup: picture.lookup,
        },
        // A role of which nothing is known sees nothing.
        None => Cell { kind: Kind::Hidden, label: String::new(), rule: None, lookup: false },
    }
}
