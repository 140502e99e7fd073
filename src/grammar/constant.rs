//! Constants, where the value matters and not only the shape.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;

/// The text of a string literal, under casts that leave it as it is: to text, varchar or name, without a length.
pub fn constant_text(node: Option<&protobuf::Node>) -> Option<String> {
    match node?.node.as_ref()? {
        Node::AConst(value) => match value.val.as_ref()? {
            protobuf::a_const::Val::Sval(text) => Some(text.sval.clone()),
            _ => None,
        },
        Node::TypeCast(cast) => {
            let type_name = cast.type_name.as_ref()?;
            let names: Option<Vec<&str>> = type_name
                .names
                .iter()
                .map(|name| match &name.node {
                    Some(Node::String(name)) => Some(name.sval.as_str()),
                    _ => None,
                })
                .collect();
            let is_plain = type_name.typmods.is_empty() && type_name.array_bounds.is_empty();
            match names?.as_slice() {
                ["text" | "varchar" | "name"] | ["pg_catalog", "text" | "varchar" | "name"]
                    if is_plain =>
                {
                    constant_text(cast.arg.as_deref())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pg_query::protobuf::node::Node;

    use super::constant_text;
    use crate::grammar::parse;

    fn of(expression: &str) -> Option<String> {
        let statements = parse(&format!("SELECT {expression}")).unwrap();
        let Some(Node::SelectStmt(select)) = &statements[0].stmt.as_ref().unwrap().node else {
            panic!("{expression}");
        };
        let Some(Node::ResTarget(target)) = &select.target_list[0].node else {
            panic!("{expression}");
        };
        constant_text(target.val.as_deref())
    }

    #[test]
    fn texts() {
        for text in [
            "'a b'",
            "E'a\\x20b'",
            "'a b'::text",
            "CAST('a b' AS varchar)",
            "pg_catalog.name 'a b'",
        ] {
            assert_eq!(of(text).as_deref(), Some("a b"), "{text}");
        }
        for other in [
            "'a bc'::varchar(3)",
            "'a b'::char(3)",
            "'{a}'::text[]",
            "'\"a\"'::regclass::text",
            "'a'::json::text",
            "'a' || 'b'",
            "1",
            "NULL",
            "x",
            "'a' COLLATE \"C\"",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
