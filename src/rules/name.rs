//! Relation names as the rules write them: as in SQL.

/// A schema-qualified relation name, exactly as it stands in the catalog (after SQL's folding and unquoting).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    /// The schema.
    pub schema: String,
    /// The relation.
    pub name: String,
}

/// What `open` may say: one relation, or all of a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationPattern {
    /// `public.products`
    Relation(RelationName),
    /// `catalog.*`
    Schema(String),
}

/// Reads `schema.name`, as SQL: unquoted parts are folded (ASCII only), `""` in quotes is one quote.
pub(super) fn parse_relation(text: &str) -> Result<RelationName, String> {
    match parts(text)?.as_slice() {
        [schema, name] => Ok(RelationName { schema: schema.clone(), name: name.clone() }),
        [_] => Err(format!("`{text}` needs its schema: `public.{text}`")),
        _ => Err(format!("`{text}` is not of the form `schema.name`")),
    }
}

/// Reads `schema.name` or `schema.*`.
pub(super) fn parse_pattern(text: &str) -> Result<RelationPattern, String> {
    match text.strip_suffix(".*") {
        Some(schema) => match parts(schema)?.as_slice() {
            [schema] => Ok(RelationPattern::Schema(schema.clone())),
            _ => Err(format!("`{text}` is not of the form `schema.*`")),
        },
        None => parse_relation(text).map(RelationPattern::Relation),
    }
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
                        || !c.is_ascii()
                        || (index > 0 && (c.is_ascii_digit() || c == '$'))
                });
                if !is_name || part.chars().any(char::is_whitespace) {
                    return Err(malformed());
                }
                (part.to_ascii_lowercase(), tail)
            }
        };
        if part.is_empty() {
            return Err(malformed());
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
    use super::{parse_pattern, parse_relation};

    #[test]
    fn names_as_in_sql() {
        let name =
            |text: &str| parse_relation(text).map(|name| format!("{}|{}", name.schema, name.name));
        assert_eq!(name("Public.Customers").as_deref(), Ok("public|customers"));
        assert_eq!(name("public.\"Price \"\"List\"").as_deref(), Ok("public|Price \"List"));
        for bad in ["customers", "a.b.c", "a.", ".a", "a b.c", "a.\"b", "a.\"b\"c", "1a.b", "a.*"] {
            assert!(parse_relation(bad).is_err(), "{bad}");
        }
        assert!(parse_pattern("catalog.*").is_ok());
        assert!(parse_pattern("a.b.*").is_err());
    }
}
