//! JSON Schema of what a [`super::reader::Reader`] takes, for editors: each function here describes what the reader's
//! function of the same name accepts. <https://json-schema.org/draft-07/schema>
//!
//! A schema knows forms and no meanings: it accepts whatever the reader accepts, and some of what the reader
//! refuses.

use serde_json::{Map, Value, json};

/// The draft that YAML language servers read.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// `${NAME}` somewhere in a text.
fn environment() -> Value {
    json!({"type": "string", "pattern": r"\$\{"})
}

/// A whole document.
pub fn document(title: &str, root: Value, definitions: Value) -> Value {
    let mut document = json!({"$schema": DRAFT, "title": title});
    if let (Some(document), Value::Object(root)) = (document.as_object_mut(), root) {
        document.extend(root);
        document.insert("definitions".to_owned(), definitions);
    }
    document
}

/// One of the document's definitions.
pub fn definition(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

/// The same with words for people.
pub fn described(schema: Value, description: &str) -> Value {
    match schema {
        // Beside a `$ref` nothing else counts.
        Value::Object(map) if map.contains_key("$ref") => {
            json!({"description": description, "allOf": [Value::Object(map)]})
        }
        Value::Object(mut map) => {
            map.insert("description".to_owned(), json!(description));
            Value::Object(map)
        }
        other => other,
    }
}

/// A mapping with these keys and no others; a key of which `of` knows nothing takes everything.
pub fn mapping(keys: &[&str], of: impl Fn(&str) -> Option<Value>) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), of(key).unwrap_or(json!(true)))).collect();
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

/// A mapping that must be one, with keys that must be there.
pub fn filled_mapping(
    keys: &[&str],
    required: &[&str],
    of: impl Fn(&str) -> Option<Value>,
) -> Value {
    let mut schema = mapping(keys, of);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

/// A mapping whose keys are names.
pub fn named(names: Value, values: Value) -> Value {
    json!({"type": ["object", "null"], "propertyNames": names, "additionalProperties": values})
}

/// A list; nothing at all is an empty one.
pub fn list(items: Value) -> Value {
    json!({"type": ["array", "null"], "items": items})
}

/// A list that must be one.
pub fn given_list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A text; numbers and words count as texts.
pub fn text() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// A text in which something stands.
pub fn filled_text() -> Value {
    json!({"type": ["string", "number", "boolean"], "pattern": r"\S"})
}

/// A text of a form.
pub fn text_like(pattern: &str) -> Value {
    json!({"anyOf": [
        {"type": ["string", "number", "boolean"], "pattern": pattern},
        environment(),
    ]})
}

/// `true` or `false`.
pub fn truth() -> Value {
    json!({"anyOf": [{"type": "boolean"}, environment()]})
}

/// A whole number from `least` to `most`.
pub fn number(least: u64, most: u64) -> Value {
    json!({"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, environment()]})
}

/// A number from 0 to 1.
pub fn share() -> Value {
    json!({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, environment()]})
}

/// One of some words.
pub fn word(words: &[&str]) -> Value {
    json!({"anyOf": [{"enum": words}, environment()]})
}
