//! Types that a masked role may name: a cast runs the type's input function, and CHECKs of a domain.

use super::{Speaker, system};
use crate::catalog::{UserType, UserTypeKind};
use crate::grammar::Violation;
use crate::policy::{Access, ColumnVerdict, RoleView, Unreadable};

/// PostgreSQL's own types, under the names of `pg_type`.
const BUILTIN: &[&str] = &[
    "aclitem",
    "any",
    "anyarray",
    "anyelement",
    "bit",
    "bool",
    "box",
    "bpchar",
    "bytea",
    "char",
    "cid",
    "cidr",
    "circle",
    "cstring",
    "date",
    "datemultirange",
    "daterange",
    "float4",
    "float8",
    "inet",
    "int2",
    "int2vector",
    "int4",
    "int4multirange",
    "int4range",
    "int8",
    "int8multirange",
    "int8range",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "oidvector",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "record",
    "refcursor",
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "text",
    "tid",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "txid_snapshot",
    "unknown",
    "uuid",
    "varbit",
    "varchar",
    "void",
    "xid",
    "xid8",
    "xml",
];

/// Domains of `information_schema`.
const INFORMATION_SCHEMA: &[&str] =
    &["cardinal_number", "character_data", "sql_identifier", "time_stamp", "yes_or_no"];

/// Base types of well-known extensions; their code computes and reads no table.
const EXTENSIONS: &[&str] = &[
    "box2d",
    "box3d",
    "citext",
    "cube",
    "ean13",
    "geography",
    "geometry",
    "halfvec",
    "hstore",
    "isbn",
    "isbn13",
    "ismn",
    "issn",
    "lquery",
    "ltree",
    "ltxtquery",
    "query_int",
    "seg",
    "sparsevec",
    "upc",
    "vector",
];

/// PostgreSQL's own types that masked roles may name.
pub fn builtin_types() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().copied()
}

/// Judges a type name as PostgreSQL's grammar gives it.
pub(super) fn judge(
    speaker: Speaker<'_>,
    schema: Option<&str>,
    name: &str,
) -> Result<(), Violation> {
    let snapshot = speaker.view.snapshot();
    let element = name.strip_prefix('_').unwrap_or(name);
    let is_builtin = BUILTIN.contains(&name) || BUILTIN.contains(&element);
    let refused = || Err(Violation::Type(name.into()));
    let full = match schema {
        Some(schema) => format!("{schema}.{name}"),
        None => name.to_owned(),
    };
    let missing = || Err(Violation::NoSuchType(full.clone()));
    let schema = match schema {
        Some("pg_catalog") if is_builtin => return Ok(()),
        Some("information_schema") if INFORMATION_SCHEMA.contains(&name) => return Ok(()),
        None if is_builtin => return Ok(()),
        Some(schema) => schema.to_owned(),
        None => {
            let path = speaker.search_path.schemas(snapshot);
            let found = path.into_iter().find(|schema| {
                snapshot.user_types.contains_key(&((*schema).to_owned(), name.to_owned()))
            });
            match found {
                Some(schema) => schema.to_owned(),
                None => return Err(Violation::NoSuchType(name.into())),
            }
        }
    };
    let key = (schema, name.to_owned());
    let array = (key.0.clone(), element.to_owned());
    let Some(user_type) = snapshot.user_types.get(&key).or_else(|| snapshot.user_types.get(&array))
    else {
        return missing();
    };
    let judged = match user_type.kind {
        UserTypeKind::Enum | UserTypeKind::Domain | UserTypeKind::Range => Ok(()),
        // The row type of a relation tells its columns, hidden ones too.
        UserTypeKind::Composite => match hidden(speaker, user_type) {
            Hidden::Nothing => Ok(()),
            Hidden::Columns => refused(),
            Hidden::All => missing(),
        },
        UserTypeKind::Base if EXTENSIONS.contains(&user_type.name.as_str()) => Ok(()),
        UserTypeKind::Base => refused(),
    };
    // A text that becomes one would be looked up, and the error would tell what there is.
    match judged {
        Ok(()) if user_type.names_objects && system::has_absent(speaker) => refused(),
        judged => judged,
    }
}

/// OIDs below belong to PostgreSQL itself (`FirstNormalObjectId` in access/transam.h).
pub(super) const FIRST_USER_OID: u32 = 16384;

/// True for the number of a type that a role may give a parameter. What is hidden from it and what never was are the same.
pub(super) fn may_be_parameter(view: &RoleView, number: u32) -> bool {
    let snapshot = view.snapshot();
    if number < FIRST_USER_OID {
        return true;
    }
    let Some(known) = snapshot.user_types.values().find(|known| known.oid == number) else {
        return false;
    };
    let element = known.name.strip_prefix('_').map(|name| (known.schema.clone(), name.to_owned()));
    let element = element.and_then(|key| snapshot.user_types.get(&key));
    let known = element.filter(|_| known.kind == UserTypeKind::Base).unwrap_or(known);
    match known.kind {
        UserTypeKind::Enum | UserTypeKind::Domain | UserTypeKind::Range => true,
        UserTypeKind::Base => EXTENSIONS.contains(&known.name.as_str()),
        UserTypeKind::Composite => {
            let relation = snapshot.relation_named(&known.schema, &known.name);
            match relation.map(|relation| view.access(relation.oid)) {
                None | Some(Access::Open) => true,
                Some(Access::Masked(template)) => {
                    let mut columns = template.columns.iter();
                    columns.all(|column| column.verdict != ColumnVerdict::Hidden)
                }
                Some(Access::View(_) | Access::Hidden | Access::Closed { .. }) => false,
            }
        }
    }
}

/// True when a relation of that name would stand in front of a type: its row type, or the array type of that.
pub(super) fn is_taken(speaker: Speaker<'_>, name: &str) -> bool {
    let is_type = |name: &str| {
        let user_types = &speaker.view.snapshot().user_types;
        let is_user_type = user_types
            .values()
            .any(|known| known.name == name && !matches!(known.kind, UserTypeKind::Composite));
        BUILTIN.contains(&name) || EXTENSIONS.contains(&name) || is_user_type
    };
    is_type(name) || name.strip_prefix('_').is_some_and(is_type)
}

/// What of a relation is hidden.
enum Hidden {
    Nothing,
    Columns,
    All,
}

fn hidden(speaker: Speaker<'_>, user_type: &UserType) -> Hidden {
    let relation = speaker.view.snapshot().relation_named(&user_type.schema, &user_type.name);
    match relation.map(|relation| speaker.view.access(relation.oid)) {
        Some(Access::Hidden) => Hidden::All,
        Some(Access::Masked(template))
            if template.columns.iter().any(|c| c.verdict == ColumnVerdict::Hidden) =>
        {
            Hidden::Columns
        }
        // Its row type has all columns, those that are hidden on top of its definition too.
        Some(Access::View(view))
            if view.template.columns.iter().any(|c| c.verdict == ColumnVerdict::Hidden) =>
        {
            Hidden::Columns
        }
        // It may yet turn out to read what does not exist for the role.
        Some(Access::View(view)) => match super::view::body(speaker, &view) {
            Err(Unreadable::Absent) => Hidden::All,
            Ok(_) | Err(Unreadable::Closed(_)) => Hidden::Nothing,
        },
        Some(Access::Masked(_) | Access::Open | Access::Closed { .. }) | None => Hidden::Nothing,
    }
}
