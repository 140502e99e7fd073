//! Identifiers in SQL text.

use pg_query::protobuf::{KeywordKind, ScanToken};

use super::tokens::tokens;

/// The name as an identifier, quoted only where PostgreSQL's `quote_ident` would.
pub fn quote_identifier(name: &str) -> String {
    let is_plain = name.bytes().enumerate().all(|(index, byte)| {
        byte.is_ascii_lowercase() || byte == b'_' || (index > 0 && byte.is_ascii_digit())
    });
    if is_plain && !name.is_empty() && !is_keyword(name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// True for every keyword but the unreserved.
fn is_keyword(name: &str) -> bool {
    let is_none = |token: &ScanToken| {
        matches!(token.keyword_kind(), KeywordKind::NoKeyword | KeywordKind::UnreservedKeyword)
    };
    !tokens(name).is_some_and(|tokens| tokens.iter().all(is_none))
}

#[cfg(test)]
mod tests {
    use super::quote_identifier;

    #[test]
    fn as_quote_ident() {
        for (name, expected) in [
            ("customers", "customers"),
            ("e_mail2", "e_mail2"),
            ("select", "\"select\""),
            ("name", "name"),
            ("left", "\"left\""),
            ("E-Mail", "\"E-Mail\""),
            ("a\"b", "\"a\"\"b\""),
            ("2fast", "\"2fast\""),
            ("", "\"\""),
        ] {
            assert_eq!(quote_identifier(name), expected);
        }
    }
}
