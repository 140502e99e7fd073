//! Names in sqlparser's tree, as PostgreSQL reads them.
//!
//! The parser runs with `with_unescape(false)`, so an identifier holds its raw text: a doubled quote is still
//! doubled. PostgreSQL folds ASCII letters only.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

/// The name that an identifier means.
pub(super) fn meaning(ident: &Ident) -> String {
    let Ident { value, quote_style, span: _ } = ident;
    match quote_style {
        Some(_) => value.replace("\"\"", "\""),
        None => value.to_ascii_lowercase(),
    }
}

/// An identifier that means `name`, always quoted: nothing to fold, no keyword to trip over.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name.replace('"', "\"\""))
}

/// The parts of a name, or `None` where sqlparser saw something that PostgreSQL has not.
pub(super) fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => Some(meaning(ident)),
            ObjectNamePart::Function(_) => None,
        })
        .collect()
}

/// `schema.name`, quoted.
pub(super) fn qualified(schema: &str, name: &str) -> ObjectName {
    ObjectName::from(vec![quoted(schema), quoted(name)])
}
