//! Relation names as the rules write them: as in SQL.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>

use std::fmt;

/// A schema-qualified relation name, exactly as it stands in the catalog (after SQL's folding and unquoting).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    /// The schema.
    pub schema: String,
    /// The relation.
    pub name: String,
}

impl fmt::Display for RelationName {
    /// As the rules would write it, and read it again: `public."Orders"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &str| {
            let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
        };
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// What `open` may say: one relation, or all of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationPattern {
    /// `public.products`
    Relation(RelationName),
    /// `catalog.*`
    Schema(String),
}

/// `NAMEDATALEN` - 1: PostgreSQL cuts longer names, so that a longer one never names anything.
const NAME_BYTES_MAX: usize = 63;

/// Reads `schema.name`, as SQL: unquoted parts are folded (ASCII only), `""` in quotes is one quote.
///
/// # Errors
/// Why it is no such name, or not one of the user's.
pub fn parse_relation(text: &str) -> Result<RelationName, String> {
    match parts(text)?.as_slice() {
        [schema, name] => {
            own_schema(schema)?;
            Ok(RelationName { schema: schema.clone(), name: name.clone() })
        }
        [_] => Err(format!("`{text}` needs its schema: `public.{text}`")),
        _ => Err(format!("`{text}` is not of the form `schema.name`")),
    }
}

/// Reads `schema.name.column`, as SQL.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_column(text: &str) -> Result<(RelationName, String), String> {
    match parts(text)?.as_slice() {
        [schema, name, column] => {
            own_schema(schema)?;
            let relation = RelationName { schema: schema.clone(), name: name.clone() };
            Ok((relation, column.clone()))
        }
        [_, _] => Err(format!("`{text}` needs its schema: `public.{text}`")),
        _ => Err(format!("`{text}` is not of the form `schema.relation.column`")),
    }
}

/// Reads `schema.name` or `schema.*`.
pub(super) fn parse_pattern(text: &str) -> Result<RelationPattern, String> {
    match text.strip_suffix(".*") {
        Some(schema) => match parts(schema)?.as_slice() {
            [schema] => {
                own_schema(schema)?;
                Ok(RelationPattern::Schema(schema.clone()))
            }
            _ => Err(format!("`{text}` is not of the form `schema.*`")),
        },
        None => parse_relation(text).map(RelationPattern::Relation),
    }
}

/// Reads the name of a channel, as LISTEN takes it: one name, without a schema.
pub(super) fn parse_channel(text: &str) -> Result<String, String> {
    match <[String; 1]>::try_from(parts(text)?) {
        Ok([channel]) => Ok(channel),
        Err(_) => Err(format!(
            "`{text}` is no channel: it has no schema, and a dot in its name needs quotes: '\"{text}\"'"
        )),
    }
}

/// What is PostgreSQL's own is not for the rules to open, close or call: a list that Scrim keeps decides.
fn own_schema(schema: &str) -> Result<(), String> {
    if schema.starts_with("pg_") || matches!(schema, "information_schema" | "scrim$") {
        return Err(format!("the rules cannot speak of schema `{schema}`, which is not yours"));
    }
    Ok(())
}

fn parts(text: &str) -> Result<Vec<String>, String> {
    let malformed = || format!("`{text}` is not a name as SQL writes it");
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, tail) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(malformed)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let (part, tail) = rest.split_at(end);
                let is_name = part.chars().enumerate().all(|(index, c)| {
                    c == '_'
                        || c.is_ascii_alphabetic()
                        || !(c.is_ascii() || c.is_whitespace() || c.is_control())
                        || (index > 0 && (c.is_ascii_digit() || c == '$'))
                });
                if !is_name {
                    return Err(malformed());
                }
                (part.to_ascii_lowercase(), tail)
            }
        };
        if part.is_empty() || part.contains('\0') {
            return Err(malformed());
        }
        if part.len() > NAME_BYTES_MAX {
            return Err(format!("`{part}` is longer than the {NAME_BYTES_MAX} bytes of a name"));
        }
        parts.push(part);
        if tail.is_empty() {
            return Ok(parts);
        }
        rest = tail.strip_prefix('.').ok_or_else(malformed)?;
    }
}

fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, tail) = rest.split_once('"')?;
        part.push_str(before);
        match tail.strip_prefix('"') {
            Some(tail) => {
                part.push('"');
                rest = tail;
            }
            None => return Some((part, tail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_as_in_sql() {
        let name =
            |text: &str| parse_relation(text).map(|name| format!("{}|{}", name.schema, name.name));
        assert_eq!(name("Public.Customers").as_deref(), Ok("public|customers"));
        assert_eq!(name("public.\"Price \"\"List\"").as_deref(), Ok("public|Price \"List"));
        assert_eq!(name("\"a.b\".c$1").as_deref(), Ok("a.b|c$1"));
        // Only ASCII is folded, as PostgreSQL does in UTF-8.
        assert_eq!(name("Größe.ÄB").as_deref(), Ok("größe|Äb"));
        for bad in [
            "",
            "customers",
            "a.b.c",
            "a.",
            ".a",
            "a b.c",
            "a.\"b",
            "a.\"b\"c",
            "1a.b",
            "a.*",
            "a.\"\"",
            "a.$b",
            "a.b(int)",
            "a.b;",
            "a.\u{a0}b",
            "a. b",
            "a.b ",
            "a.\"\0\"",
            "U&\"a\".b",
        ] {
            assert!(parse_relation(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_yours() {
        for bad in ["pg_catalog.x", "Information_Schema.tables", "\"scrim$\".\"1\"", "pg_toast.x"] {
            assert!(parse_relation(bad).is_err_and(|why| why.contains("not yours")), "{bad}");
        }
        assert!(parse_pattern("pg_catalog.*").is_err());
        let long = "x".repeat(64);
        assert!(parse_relation(&format!("public.{long}")).is_err());
        assert!(parse_relation(&format!("public.{}", &long[1..])).is_ok());
    }

    #[test]
    fn patterns() {
        assert_eq!(parse_pattern("Catalog.*"), Ok(RelationPattern::Schema("catalog".into())));
        assert_eq!(parse_pattern("\"C.*\".*"), Ok(RelationPattern::Schema("C.*".into())));
        let star = RelationName { schema: "a".into(), name: "*".into() };
        assert_eq!(parse_pattern("a.\"*\""), Ok(RelationPattern::Relation(star)));
        for bad in ["*", ".*", "a.b.*", "a.*.*", "*.*", "*.a"] {
            assert!(parse_pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn columns() {
        let column = parse_column("public.Oddities.\"E-Mail\"");
        let relation = RelationName { schema: "public".into(), name: "oddities".into() };
        assert_eq!(column, Ok((relation, "E-Mail".into())));
        assert!(parse_column("customers.email").is_err_and(|why| why.contains("public.customers")));
        for bad in ["email", "a.b.c.d", "pg_catalog.pg_class.relname", "a.b.", "a.b.c d"] {
            assert!(parse_column(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever a name is, quoted it is read back as it was.
        #[test]
        fn quoting_keeps_any_name(schema in "[^\0]{1,15}", name in "[^\0]{1,15}") {
            prop_assume!(own_schema(&schema).is_ok());
            let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let text = format!("{}.{}", quote(&schema), quote(&name));
            prop_assert_eq!(parse_relation(&text), Ok(RelationName { schema, name }));
        }

        #[test]
        fn folding_is_of_ascii_only(
            schema in "[a-oA-Oé가_][a-zA-Zé가0-9_$]{0,9}",
            name in "[a-zA-Z_][a-zA-Z0-9_$]{0,9}",
        ) {
            let read = parse_relation(&format!("{schema}.{name}"));
            let (schema, name) = (schema.to_ascii_lowercase(), name.to_ascii_lowercase());
            prop_assert_eq!(read, Ok(RelationName { schema, name }));
        }

        #[test]
        fn no_text_panics(text in "[a-zA-Z\".* $é\0]{0,20}") {
            let _ = (parse_relation(&text), parse_pattern(&text));
        }
    }
}
