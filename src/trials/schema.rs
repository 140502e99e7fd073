//! Rule tests as JSON Schema, for editors.

use serde_json::{Value, json};

use super::read;
use crate::text::schema::{described, document, filled_mapping};

/// The schema of a file of tests.
pub fn schema() -> Value {
    let tests = json!({
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/definitions/test"},
        "description": "What has to hold.",
    });
    let root = filled_mapping(&["tests"], &["tests"], |_| Some(tests.clone()));
    let mut test = filled_mapping(&read::KEYS, &["name"], of_test);
    if let Some(test) = test.as_object_mut() {
        let one_of = |keys: &[&str]| -> Vec<Value> {
            keys.iter().map(|key| json!({"required": [key]})).collect()
        };
        test.insert(
            "allOf".to_owned(),
            json!([
                {"anyOf": one_of(&["role", "user"])},
                {"oneOf": one_of(&["query", "statement"])},
                {"anyOf": one_of(&["expect", "columns", "rows", "refused", "never_shows"])},
            ]),
        );
    }
    document("Rule tests of Scrim", root, json!({"test": test}))
}

fn of_test(key: &str) -> Option<Value> {
    let filled = || json!({"type": ["string", "number", "boolean"], "pattern": r"\S"});
    let value = || json!({"type": ["string", "number", "boolean", "null"]});
    let texts =
        || json!({"anyOf": [filled(), {"type": "array", "items": filled(), "minItems": 1}]});
    let (schema, words) = match key {
        "name" => (
            json!({"allOf": [filled(), {"maxLength": read::NAME_CHARACTERS_MAX}]}),
            "In a few words what has to hold.",
        ),
        "role" => (filled(), "As somebody of this role; beside `user`, one of the user's."),
        "user" => (filled(), "As this user of the rules."),
        "database" => (filled(), "Another database than the one that `check` looks at."),
        "purpose" => (filled(), "As `SET scrim.purpose` says it."),
        "end_user" => (filled(), "As `SET scrim.end_user` says it."),
        "settings" => (
            json!({"type": ["object", "null"], "additionalProperties": value()}),
            "What the session starts with.",
        ),
        "query" | "statement" => (filled(), "One statement; $1, $2, … are taken from `params`."),
        "params" => (json!({"type": ["array", "null"], "items": value()}), "Parameters."),
        "expect" => (
            json!({"anyOf": [
                {"type": "string", "pattern": r"\S"},
                {"type": "array", "items": {"anyOf": [
                    value(),
                    {"type": "array", "items": value()},
                ]}},
            ]}),
            "The rows: a table as psql prints one (NULL is ␀), or a list of lists.",
        ),
        "columns" => (
            json!({"type": "array", "items": {"type": ["string", "number", "boolean"]}}),
            "The names of the columns.",
        ),
        "ordered" => (json!({"type": ["boolean", "string"]}), "The rows come in this order."),
        "rows" => (json!({"type": ["integer", "string"]}), "How many rows are read or written."),
        "refused" => (texts(), "An error: a part of its words, or its SQLSTATE."),
        "never_shows" => (texts(), "`/a regular expression/`, `/one/i`, or a text."),
        _ => return None,
    };
    Some(described(schema, words))
}

#[cfg(test)]
mod tests {
    use super::{of_test, read};

    #[test]
    fn every_key_is_described() {
        let missing: Vec<&&str> = read::KEYS.iter().filter(|key| of_test(key).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
