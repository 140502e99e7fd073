//! Masks of documents: `json`.
//!
//! A document is masked as jsonb. A `json` comes out as jsonb prints it: members sorted, the last of a name, one space;
//! and one that jsonb cannot hold is redacted.

use super::fixed::literal;
use super::site::Site;
use super::{Misfit, expression};
use crate::catalog::{Column, TypeFamily};
use crate::rules::{JsonMask, JsonNode, MaskSpec, Scalar};

/// Brackets that a document may have before its depth is counted, and that depth.
const DEPTH_MAX: usize = 1000;
/// Digits of a number that `numeric` surely holds.
const DIGITS_MAX: usize = 15_000;

/// The masked document.
pub(super) fn json(mask: &JsonMask, site: &Site<'_>) -> Result<String, Misfit> {
    let reference = &site.reference;
    let document = match site.column.family {
        TypeFamily::Jsonb => reference.clone(),
        TypeFamily::Json => {
            let text = format!("CAST({reference} AS pg_catalog.text)");
            format!(
                "CAST(CASE WHEN {} THEN {text} ELSE '{{}}' END AS pg_catalog.jsonb)",
                sound(&text)
            )
        }
        TypeFamily::Text
        | TypeFamily::Integer
        | TypeFamily::Numeric
        | TypeFamily::Float
        | TypeFamily::Boolean
        | TypeFamily::Date
        | TypeFamily::Timestamp
        | TypeFamily::Uuid
        | TypeFamily::Bytea
        | TypeFamily::Inet
        | TypeFamily::Array
        | TypeFamily::Other => {
            return Err(site.misfit(&MaskSpec::Json(mask.clone()), "it masks json and jsonb"));
        }
    };
    let depth = site.depth.saturating_add(1);
    let value = format!("scrim$v{depth}");
    let inside = site.inner(site.column, &value);
    let masked = place(&mask.root, mask.root.keep, &inside)?;
    Ok(format!("(SELECT {masked} FROM (SELECT {document} OFFSET 0) AS scrim$d{depth}({value}))"))
}

/// A place of the tree, over the jsonb that the site names.
fn place(node: &JsonNode, keep: bool, site: &Site<'_>) -> Result<String, Misfit> {
    if let Some(mask) = &node.mask {
        return value(mask, site);
    }
    let keep = keep || node.keep;
    if node.members.is_empty() {
        return Ok(site.reference.clone());
    }
    on_elements(site, &|site| members(node, keep, site))
}

/// Something on each element of an array, or on the value itself where it is none.
fn on_elements(
    site: &Site<'_>,
    make: &dyn Fn(&Site<'_>) -> Result<String, Misfit>,
) -> Result<String, Misfit> {
    let list = &site.reference;
    let depth = site.depth.saturating_add(1);
    let (element, order, all) =
        (format!("scrim$v{depth}"), format!("scrim$o{depth}"), format!("scrim$l{depth}"));
    let made = site.parts.cut(make(&site.inner(site.column, &element))?);
    Ok(format!(
        "(SELECT CASE WHEN pg_catalog.jsonb_typeof({list}) = 'array' THEN COALESCE({all}, CAST('[]' AS \
         pg_catalog.jsonb)) ELSE {all} -> 0 END FROM (SELECT pg_catalog.jsonb_agg({made} ORDER BY {order}) \
         FROM pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof({list}) = 'array' THEN {list} \
         ELSE pg_catalog.jsonb_build_array({list}) END) WITH ORDINALITY AS scrim$e{depth}({element}, {order})) \
         AS scrim$a{depth}({all}))"
    ))
}

/// The members of an object; what is none is redacted, for a path goes on here.
fn members(node: &JsonNode, keep: bool, site: &Site<'_>) -> Result<String, Misfit> {
    let object = &site.reference;
    let depth = site.depth.saturating_add(1);
    let (name, member) = (format!("scrim$n{depth}"), format!("scrim$v{depth}"));
    let inside = site.inner(site.column, &member);
    let (mut branches, mut kept, mut hidden) = (String::new(), Vec::new(), Vec::new());
    for (key, below) in &node.members {
        let key = literal(key);
        if matches!(below.mask.as_deref(), Some(MaskSpec::Hide)) {
            hidden.push(key);
            continue;
        }
        let masked = site.parts.name(place(below, keep, &inside)?);
        branches.push_str(&format!(" WHEN {name} = {key} THEN {masked}"));
        kept.push(key);
    }
    let shown = match (branches.is_empty(), keep) {
        (true, _) => member.clone(),
        (false, true) => format!("CASE{branches} ELSE {member} END"),
        (false, false) => format!("CASE{branches} END"),
    };
    let which = match (keep, kept.is_empty(), hidden.is_empty()) {
        (false, true, _) => " WHERE false".to_owned(),
        (false, false, _) => format!(" WHERE {name} IN ({})", kept.join(", ")),
        (true, _, true) => String::new(),
        (true, _, false) => format!(" WHERE {name} NOT IN ({})", hidden.join(", ")),
    };
    Ok(format!(
        "CASE WHEN pg_catalog.jsonb_typeof({object}) = 'object' THEN (SELECT \
         COALESCE(pg_catalog.jsonb_object_agg({name}, {shown}), CAST('{{}}' AS pg_catalog.jsonb)) \
         FROM pg_catalog.jsonb_each({object}) AS scrim$m{depth}({name}, {member}){which}) ELSE {} END",
        redacted(object)
    ))
}

/// A mask of one value. A text is masked as text and a number as numeric, where the mask is for that; what it is not
/// for is redacted.
fn value(mask: &MaskSpec, site: &Site<'_>) -> Result<String, Misfit> {
    let json = &site.reference;
    let misfit =
        |expected: &str| Misfit { type_sql: "a JSON value".into(), ..site.misfit(mask, expected) };
    match mask {
        MaskSpec::Clear => return Ok(json.clone()),
        MaskSpec::Hide => return Err(misfit("a member can only be hidden as a whole, not by row")),
        MaskSpec::Null => return Ok("CAST('null' AS pg_catalog.jsonb)".into()),
        MaskSpec::Redact => return Ok(redacted(json)),
        MaskSpec::Constant(scalar) => {
            let text = constant(scalar).ok_or_else(|| misfit("the constant is no JSON value"))?;
            return Ok(format!("CAST({} AS pg_catalog.jsonb)", literal(&text)));
        }
        MaskSpec::When { condition, then, otherwise, span: _ } => {
            let condition = site
                .condition(&condition.text)
                .ok_or_else(|| misfit("its condition cannot be used"))?;
            let cut = |mask| value(mask, site).map(|masked| site.parts.cut(masked));
            let (then, otherwise) = (cut(then)?, cut(otherwise)?);
            return Ok(format!("CASE WHEN {condition} THEN {then} ELSE {otherwise} END"));
        }
        MaskSpec::Each(inner) => return on_elements(site, &|site| value(inner, site)),
        MaskSpec::Json(inner) => return place(&inner.root, inner.root.keep, site),
        MaskSpec::Sql(_) => return Err(misfit("an own expression is over a whole column")),
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
        | MaskSpec::Pseudonym { .. }
        | MaskSpec::Shift { .. }
        | MaskSpec::Noise(_) => {}
    }
    let (text, number) = (
        scalar(mask, site, "text", 25, TypeFamily::Text),
        scalar(mask, site, "numeric", 1700, TypeFamily::Numeric),
    );
    let (text, number) = match (text, number) {
        (Err(found), Err(_)) => return Err(misfit(&found.expected)),
        both => both,
    };
    let mut branches = String::new();
    for (kind, masked) in [("string", text), ("number", number)] {
        if let Ok(masked) = masked {
            branches.push_str(&format!(
                " WHEN pg_catalog.jsonb_typeof({json}) = '{kind}' THEN {masked}"
            ));
        }
    }
    Ok(format!("CASE{branches} ELSE {} END", redacted(json)))
}

/// The mask over the value as text or number.
fn scalar(
    mask: &MaskSpec,
    site: &Site<'_>,
    type_sql: &str,
    type_oid: u32,
    family: TypeFamily,
) -> Result<String, Misfit> {
    let column = Column {
        name: site.column.name.clone(),
        type_sql: type_sql.to_owned(),
        type_oid,
        type_modifier: -1,
        family,
        domain_over: None,
        nondeterministic_collation: None,
        ..site.column.clone()
    };
    let depth = site.depth.saturating_add(1);
    let bare = format!("scrim$v{depth}");
    let masked = site.parts.cut(expression(mask, &site.inner(&column, &bare))?);
    let json = &site.reference;
    Ok(format!(
        "(SELECT pg_catalog.to_jsonb({masked}) FROM (SELECT CAST({json} #>> CAST('{{}}' AS pg_catalog.text[]) AS \
         pg_catalog.{type_sql}) OFFSET 0) AS scrim$t{depth}({bare}))"
    ))
}

/// By its kind: `"***"`, 0, false, {}, [].
fn redacted(json: &str) -> String {
    let kinds = [
        ("string", "\"***\""),
        ("number", "0"),
        ("boolean", "false"),
        ("object", "{}"),
        ("array", "[]"),
    ];
    let branches: String = kinds
        .iter()
        .map(|(kind, value)| format!(" WHEN '{kind}' THEN CAST('{value}' AS pg_catalog.jsonb)"))
        .collect();
    format!("CASE pg_catalog.jsonb_typeof({json}){branches} ELSE {json} END")
}

fn constant(scalar: &Scalar) -> Option<String> {
    match scalar {
        Scalar::Null => Some("null".into()),
        Scalar::Bool(truth) => Some(truth.to_string()),
        Scalar::Number(text) => {
            let number: serde_json::Value = serde_json::from_str(text).ok()?;
            number.is_number().then(|| text.clone())
        }
        Scalar::String(text) if text.contains('\0') => None,
        Scalar::String(text) => serde_json::to_string(text).ok(),
    }
}

/// True for the text of a `json` that jsonb can hold: no zero character and no half of a pair in its escapes, numbers
/// that `numeric` has room for, not nested too deeply for the parser.
fn sound(text: &str) -> String {
    // Without `\\`, every `\u` begins an escape.
    let escapes = format!("pg_catalog.replace({text}, E'\\\\\\\\', '')");
    let pairs = r"E'\\\\u[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}'";
    let wrong = r"E'\\\\u(?:0000|[dD][89a-fA-F])'";
    let unescaped = format!(
        "({text} NOT LIKE E'%\\\\\\\\u%' OR (pg_catalog.getdatabaseencoding() = 'UTF8' AND \
         pg_catalog.regexp_replace({escapes}, {pairs}, '', 'g') !~ {wrong}))"
    );
    // What stands in strings is no number and no bracket.
    let bare = format!(
        "pg_catalog.regexp_replace(pg_catalog.replace({escapes}, E'\\\\\"', ''), '\"[^\"]*\"', '', 'g')"
    );
    let zeros = format!("pg_catalog.translate({text}, '123456789E+-', '000000000e')");
    let numbers = format!(
        "(({zeros} NOT LIKE '%0e0000%' AND pg_catalog.strpos({zeros}, pg_catalog.repeat('0', {DIGITS_MAX})) = 0) OR \
         ({bare} !~ '[0-9][eE][+-]?[0-9]{{4}}' AND \
         pg_catalog.strpos(pg_catalog.translate({bare}, '123456789', '000000000'), pg_catalog.repeat('0', {DIGITS_MAX})) = 0))"
    );
    let brackets = format!("pg_catalog.regexp_replace({bare}, '[^][{{}}]', '', 'g')");
    let depth = format!(
        "(SELECT pg_catalog.max(scrim$h) FROM (SELECT pg_catalog.sum(CASE WHEN scrim$c IN ('[', '{{') THEN 1 ELSE -1 END) \
         OVER (ORDER BY scrim$i) FROM pg_catalog.unnest(pg_catalog.string_to_array({brackets}, NULL)) \
         WITH ORDINALITY AS scrim$b(scrim$c, scrim$i)) AS scrim$g(scrim$h))"
    );
    let shallow = format!(
        "CASE WHEN pg_catalog.char_length({text}) - pg_catalog.char_length(pg_catalog.translate({text}, '[{{', '')) \
         <= {DEPTH_MAX} THEN true ELSE {depth} <= {DEPTH_MAX} END"
    );
    format!("{unescaped} AND {numbers} AND {shallow}")
}
