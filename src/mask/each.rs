//! Masks of arrays: `each`.
//!
//! Elements, NULLs among them, keep their places, and the array its dimensions and bounds. What SQL cannot build again
//! is redacted: elements whose text depends on the session's settings, in more than one dimension.

use super::site::Site;
use super::{Misfit, expression};
use crate::catalog::{Column, TypeFamily};
use crate::rules::MaskSpec;

/// Arrays of PostgreSQL's own types: OID of the array, of the element, and the element's family (`pg_type.dat`).
const ELEMENTS: &[(u32, u32, TypeFamily)] = &[
    (1009, 25, TypeFamily::Text),
    (1015, 1043, TypeFamily::Text),
    (1014, 1042, TypeFamily::Text),
    (1003, 19, TypeFamily::Text),
    (1005, 21, TypeFamily::Integer),
    (1007, 23, TypeFamily::Integer),
    (1016, 20, TypeFamily::Integer),
    (1231, 1700, TypeFamily::Numeric),
    (1021, 700, TypeFamily::Float),
    (1022, 701, TypeFamily::Float),
    (1000, 16, TypeFamily::Boolean),
    (1182, 1082, TypeFamily::Date),
    (1115, 1114, TypeFamily::Timestamp),
    (1185, 1184, TypeFamily::Timestamp),
    (2951, 2950, TypeFamily::Uuid),
    (199, 114, TypeFamily::Json),
    (3807, 3802, TypeFamily::Jsonb),
    (1001, 17, TypeFamily::Bytea),
    (1041, 869, TypeFamily::Inet),
    (651, 650, TypeFamily::Other),
];

/// PostgreSQL's MAXDIM.
const DIMENSIONS_MAX: usize = 6;

/// The array with `inner` on each element.
pub(super) fn each(inner: &MaskSpec, site: &Site<'_>) -> Result<String, Misfit> {
    let misfit = |expected| site.misfit(&MaskSpec::Each(Box::new(inner.clone())), expected);
    let element = element(site.column).ok_or_else(|| {
        misfit(match site.column.family {
            TypeFamily::Array => "it masks arrays of PostgreSQL's own types",
            _ => "it masks arrays",
        })
    })?;
    let array = &site.reference;
    let depth = site.depth.saturating_add(1);
    let value = format!("scrim$v{depth}");
    let masked = site.parts.cut(expression(inner, &site.inner(&element, &value))?);
    let from = format!("pg_catalog.unnest({array})");
    let plain = format!("ARRAY(SELECT {masked} FROM {from} AS scrim$e{depth}({value}))");
    let rest = match has_steady_text(&element) {
        true => rebuilt(site, &masked, depth),
        false => format!(
            "CASE WHEN pg_catalog.array_ndims({array}) = 1 THEN {} ELSE '{{}}' END",
            shifted(array, &plain, depth)
        ),
    };
    Ok(format!(
        "CASE WHEN pg_catalog.array_ndims({array}) IS NULL THEN '{{}}' \
         WHEN pg_catalog.array_ndims({array}) = 1 AND pg_catalog.array_lower({array}, 1) = 1 \
         THEN {plain} ELSE {rest} END"
    ))
}

fn element(array: &Column) -> Option<Column> {
    let (_, type_oid, family) = ELEMENTS.iter().find(|(oid, ..)| *oid == array.type_oid)?;
    Some(Column {
        type_sql: array.type_sql.strip_suffix("[]")?.to_owned(),
        type_oid: *type_oid,
        family: *family,
        ..array.clone()
    })
}

/// True for types whose text form is the same under all settings, and read back is the same value.
fn has_steady_text(element: &Column) -> bool {
    match element.family {
        TypeFamily::Text
        | TypeFamily::Integer
        | TypeFamily::Numeric
        | TypeFamily::Boolean
        | TypeFamily::Uuid
        | TypeFamily::Json
        | TypeFamily::Jsonb
        | TypeFamily::Bytea
        | TypeFamily::Inet => true,
        // cidr is the only one that comes here.
        TypeFamily::Other => true,
        TypeFamily::Float | TypeFamily::Date | TypeFamily::Timestamp | TypeFamily::Array => false,
    }
}

/// One dimension that begins elsewhere: a first element with the bound, and the rest behind it.
fn shifted(array: &str, plain: &str, depth: usize) -> String {
    let masked = format!("scrim$m{depth}");
    format!(
        "(SELECT pg_catalog.array_cat(pg_catalog.array_fill(({masked})[1], ARRAY[1], \
         ARRAY[pg_catalog.array_lower({array}, 1)]), ({masked})[2:]) \
         FROM (SELECT {plain} OFFSET 0) AS scrim$a{depth}({masked}))"
    )
}

/// Any dimensions: the text form, with the bounds in front, a brace where a dimension begins or ends.
fn rebuilt(site: &Site<'_>, masked: &str, depth: usize) -> String {
    let (array, type_sql) = (&site.reference, &site.column.type_sql);
    let length = |dimension: usize| {
        format!(
            "CAST(COALESCE(pg_catalog.array_length({array}, {dimension}), 1) AS pg_catalog.int8)"
        )
    };
    let (value, place) = (format!("scrim$v{depth}"), format!("scrim$o{depth}"));
    // How many elements a slice of each dimension has.
    let mut sizes = Vec::new();
    let mut size_names = Vec::new();
    for dimension in 1..=DIMENSIONS_MAX {
        let lengths: Vec<String> = (dimension..=DIMENSIONS_MAX).map(length).collect();
        sizes.push(lengths.join(" * "));
        size_names.push(format!("scrim$s{depth}_{dimension}"));
    }
    let braces = |place: &str| {
        let is_end = |(index, size): (usize, &String)| {
            format!(
                "CASE WHEN pg_catalog.array_ndims({array}) > {index} AND \
                 pg_catalog.mod({place}, {size}) = 0 THEN 1 ELSE 0 END"
            )
        };
        let counts: Vec<String> = size_names.iter().enumerate().map(is_end).collect();
        counts.join(" + ")
    };
    // `replace` refuses collations that are not deterministic.
    let text = match &site.column.nondeterministic_collation {
        None => format!("CAST({masked} AS pg_catalog.text)"),
        Some(_) => format!("(CAST({masked} AS pg_catalog.text) COLLATE pg_catalog.\"default\")"),
    };
    let first = format!("{place} - CAST(1 AS pg_catalog.int8)");
    let item = format!(
        "pg_catalog.repeat('{{', {}) || COALESCE('\"' || pg_catalog.replace(pg_catalog.replace(\
         {text}, E'\\\\', E'\\\\\\\\'), '\"', E'\\\\\"') || '\"', 'NULL') \
         || pg_catalog.repeat('}}', {}) \
         || CASE WHEN {place} < {} THEN ',' ELSE '' END",
        braces(&first),
        braces(&place),
        size_names.first().map(String::as_str).unwrap_or_default()
    );
    format!(
        "CAST(pg_catalog.array_dims({array}) || '=' || (SELECT pg_catalog.string_agg({item}, '' ORDER BY {place}) \
         FROM (SELECT {} OFFSET 0) AS scrim$z{depth}({}), \
         pg_catalog.unnest({array}) WITH ORDINALITY AS scrim$e{depth}({value}, {place})) AS {type_sql})",
        sizes.join(", "),
        size_names.join(", ")
    )
}
