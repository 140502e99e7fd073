//! What a text may leave in a session that no catalog of PostgreSQL tells of. For sessions whose texts are not planned.
//!
//! Settings with a dot in their name are in no list (`pg_settings` leaves out what no extension has defined); sequences
//! remember what a session drew; dblink keeps connections of its own. What functions of the database do is not seen
//! here. Whoever is in doubt gets `true`, which costs a session its place in the pool and nothing else.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, RawStmt};

use crate::grammar::{self, children};

/// Functions whose effect, or whose answer, is the session's own and is told nowhere.
const FUNCTIONS: [&str; 4] = ["currval", "lastval", "setseed", "dblink_connect"];
const SET_CONFIG: &str = "set_config";

/// True when the session may have something after this text, or need something of before, that cannot be asked for.
pub fn leaves_untold(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    FUNCTIONS.iter().any(|name| text.contains(name))
        || sets_dotted(&text)
        || (text.contains(SET_CONFIG) && !sets_only_locally(&text))
}

/// `SET [SESSION] a.b`, wherever it stands. `SET LOCAL` ends with the transaction.
fn sets_dotted(text: &str) -> bool {
    text.match_indices("set").any(|(place, word)| {
        let before = text.get(..place).and_then(|before| before.chars().next_back());
        let mut words = text.get(place + word.len()..).unwrap_or_default();
        if before.is_some_and(is_of_a_word) || !words.starts_with(char::is_whitespace) {
            return false;
        }
        words = words.trim_start();
        let name = |words: &str| {
            words.split(|c: char| c.is_whitespace() || c == '=').next().map(str::to_owned)
        };
        if name(words).as_deref() == Some("session") {
            words = words.trim_start_matches("session").trim_start();
        }
        name(words).is_some_and(|name| name.contains('.'))
    })
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// True when each `set_config` that stands there is a call that says `true` for local.
fn sets_only_locally(text: &str) -> bool {
    let Ok(statements) = grammar::parse(text) else { return false };
    let mut below: Vec<protobuf::Node> = statements.into_iter().filter_map(statement).collect();
    let mut local: usize = 0;
    while let Some(protobuf::Node { node: Some(mut node) }) = below.pop() {
        if let Node::FuncCall(call) = &node
            && is_local(call)
        {
            local = local.saturating_add(1);
        }
        below.extend(children(&mut node).into_iter().map(std::mem::take));
    }
    local == text.matches(SET_CONFIG).count()
}

fn statement(statement: RawStmt) -> Option<protobuf::Node> {
    statement.stmt.map(|statement| *statement)
}

fn is_local(call: &protobuf::FuncCall) -> bool {
    let name = call.funcname.last().and_then(|name| name.node.as_ref());
    let says_true = match call.args.as_slice() {
        [_, _, local] => match local.node.as_ref() {
            Some(Node::AConst(constant)) => matches!(
                &constant.val,
                Some(protobuf::a_const::Val::Boolval(protobuf::Boolean { boolval: true }))
            ),
            _ => false,
        },
        _ => false,
    };
    says_true && matches!(name, Some(Node::String(name)) if name.sval == SET_CONFIG)
}

#[cfg(test)]
mod tests {
    use super::leaves_untold;

    #[test]
    fn what_is_told_nowhere_is_noticed() {
        for text in [
            "SET app.tenant = '7'",
            "set session App.Tenant to 7",
            "SELECT 1; SET\n\"app.tenant\" = 7",
            "SELECT set_config('app.tenant', '7', false)",
            "SELECT set_config('app.tenant', $1, $2)",
            "SELECT set_config('a.b', set_config('c.d', '1', false), true)",
            "SELECT set_config('a.b', '1', true), SET_CONFIG('a.b', '1', 'true')",
            "SELECT lastval()",
            "SELECT dblink_connect('there', '')",
            "this is no statement with set_config",
        ] {
            assert!(leaves_untold(text), "{text}");
        }
    }

    #[test]
    fn what_ends_with_the_transaction_or_stands_in_a_catalog_is_not() {
        for text in [
            "SET LOCAL app.tenant = '7'",
            "SELECT set_config('app.tenant', '7', true)",
            "SELECT pg_catalog.set_config('app.tenant', $1, true) FROM t WHERE a IN (SELECT 1)",
            "SET search_path TO a, b",
            "SET TIME ZONE 'UTC'",
            "UPDATE t SET a = 1.5, b = t.a WHERE c = 2",
            "SELECT a FROM datasets OFFSET t.a",
            "SELECT 'x'",
        ] {
            assert!(!leaves_untold(text), "{text}");
        }
    }
}
