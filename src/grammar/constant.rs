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

/// True for a text that is one string literal and nothing else, and means this value.
pub fn is_text_literal(text: &str, value: &str) -> bool {
    let Ok(statements) = super::parse(&format!("SELECT {text}")) else { return false };
    let [protobuf::RawStmt { stmt: Some(statement), .. }] = statements.as_slice() else {
        return false;
    };
    let Some(Node::SelectStmt(select)) = &statement.node else { return false };
    let [protobuf::Node { node: Some(Node::ResTarget(target)) }] = select.target_list.as_slice()
    else {
        return false;
    };
    let alone = protobuf::SelectStmt {
        target_list: select.target_list.clone(),
        limit_option: protobuf::LimitOption::Default.into(),
        op: protobuf::SetOperation::SetopNone.into(),
        ..Default::default()
    };
    let is_bare = target.name.is_empty() && target.indirection.is_empty() && **select == alone;
    let Some(Node::AConst(constant)) = target.val.as_ref().and_then(|value| value.node.as_ref())
    else {
        return false;
    };
    is_bare
        && matches!(&constant.val, Some(protobuf::a_const::Val::Sval(text)) if text.sval == value)
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
