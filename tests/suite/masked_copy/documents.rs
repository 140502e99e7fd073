//! `json` a second time, over serde_json's values, printed as jsonb prints.

use serde_json::{Map, Value};
use serde_yaml::Value as Yaml;

use super::masks::{self, Type};
use super::twins::{self, Row};

/// The masked document; nothing where jsonb could not hold it.
pub fn masked(text: &str, mask: &Yaml, row: &Row, conditions: &Row) -> Option<String> {
    let document: Value = serde_json::from_str(text).ok()?;
    if holds_zero(&document) || has_a_wild_number(text) {
        return None;
    }
    let rules = Rules::read(mask, row, conditions);
    Some(printed(&rules.place(&[], &document, false)))
}

/// The rules of one mask.
struct Rules<'a> {
    keep: Option<Vec<String>>,
    paths: Vec<(String, &'a Yaml)>,
    row: &'a Row,
    conditions: &'a Row,
}

impl<'a> Rules<'a> {
    fn read(mask: &'a Yaml, row: &'a Row, conditions: &'a Row) -> Rules<'a> {
        let keep: Option<Vec<String>> = mask.get("keep").map(|paths| {
            let paths = paths.as_sequence().expect("paths").iter();
            paths.map(|path| path.as_str().expect("a path").to_owned()).collect()
        });
        let paths = mask.get("paths").and_then(Yaml::as_mapping).into_iter().flatten();
        let paths: Vec<(String, &Yaml)> =
            paths.map(|(path, mask)| (path.as_str().expect("a path").to_owned(), mask)).collect();
        Rules { keep, paths, row, conditions }
    }

    /// What becomes of the value at a place; `kept`: a line above keeps everything.
    fn place(&self, place: &[String], value: &Value, kept: bool) -> Value {
        for (path, mask) in &self.paths {
            let (steps, is_each) = steps(path);
            if steps == place {
                return match (is_each, value) {
                    (true, Value::Array(list)) => {
                        Value::Array(list.iter().map(|value| self.value(mask, value)).collect())
                    }
                    _ => self.value(mask, value),
                };
            }
        }
        let is_named = |path: &String| steps(path).0 == place;
        let kept = kept || self.keep.as_ref().is_none_or(|keep| keep.iter().any(is_named));
        let goes_on = |path: &String| {
            let (steps, _) = steps(path);
            steps.len() > place.len() && steps.starts_with(place)
        };
        let all = self.keep.iter().flatten().chain(self.paths.iter().map(|(path, _)| path));
        if !all.clone().any(goes_on) {
            return value.clone();
        }
        match value {
            Value::Array(list) => {
                Value::Array(list.iter().map(|value| self.members(place, value, kept)).collect())
            }
            other => self.members(place, other, kept),
        }
    }

    fn members(&self, place: &[String], value: &Value, kept: bool) -> Value {
        let Value::Object(members) = value else { return redacted(value) };
        let mut shown = Map::new();
        for (name, value) in members {
            let place: Vec<String> = place.iter().chain([name]).cloned().collect();
            let is_hidden = |(path, mask): &(String, &Yaml)| {
                steps(path).0 == place && mask.as_str() == Some("hide")
            };
            let all = self.keep.iter().flatten().chain(self.paths.iter().map(|(path, _)| path));
            let is_named = all.clone().any(|path| steps(path).0.starts_with(&place));
            if !self.paths.iter().any(is_hidden) && (kept || is_named) {
                shown.insert(name.clone(), self.place(&place, value, kept));
            }
        }
        Value::Object(shown)
    }

    fn value(&self, mask: &Yaml, value: &Value) -> Value {
        if let Some(condition) = mask.get("when").and_then(Yaml::as_str) {
            let holds = twins::holds(condition, self.row, self.conditions);
            return self.value(&mask[if holds { "then" } else { "else" }], value);
        }
        if let Some(inner) = mask.get("each") {
            return match value {
                Value::Array(list) => {
                    Value::Array(list.iter().map(|value| self.value(inner, value)).collect())
                }
                other => self.value(inner, other),
            };
        }
        if let Some(inner) = mask.get("json") {
            return Rules::read(inner, self.row, self.conditions).place(&[], value, false);
        }
        if let Some(constant) = mask.get("constant") {
            return serde_json::to_value(constant).expect("a scalar");
        }
        let of = |base: &str| Type { base: base.into(), modifier: -1, constrained: false };
        let apply = |text: String, base: &str| {
            masks::apply(mask, &Some(text), &of(base), self.row, self.conditions)
        };
        let is_for_numbers = ["round", "cap", "noise"].iter().any(|key| mask.get(key).is_some());
        match (mask.as_str(), value) {
            (Some("clear"), _) => value.clone(),
            (Some("null"), _) => Value::Null,
            (None, _) if mask.is_null() => Value::Null,
            (Some("redact"), _) => redacted(value),
            (_, Value::String(text)) if !is_for_numbers => {
                apply(text.clone(), "text").map_or(Value::Null, Value::String)
            }
            (_, Value::Number(number)) if is_for_numbers => {
                let masked = apply(number.to_string(), "numeric").expect("a number");
                let short = match masked.split_once('.') {
                    Some(_) => masked.trim_end_matches('0').trim_end_matches('.'),
                    None => &masked,
                };
                serde_json::from_str(short).expect("a number")
            }
            _ => redacted(value),
        }
    }
}

/// The members that a path names, and whether it ends with `[*]`. Names in it hold no dot.
fn steps(path: &str) -> (Vec<String>, bool) {
    let is_each = path.ends_with("[*]");
    let path = path.replace("[*]", "");
    let steps = path.trim_start_matches('$').split('.').skip(1);
    (steps.map(|step| step.trim_matches('"').to_owned()).collect(), is_each)
}

fn redacted(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => false.into(),
        Value::Number(_) => 0.into(),
        Value::String(_) => "***".into(),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Object(_) => Value::Object(Map::new()),
    }
}

fn holds_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(holds_zero),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || holds_zero(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// An exponent of four digits or more, outside of strings.
fn has_a_wild_number(text: &str) -> bool {
    let mut in_string = false;
    let mut characters = text.chars().peekable();
    let mut exponent = None;
    while let Some(next) = characters.next() {
        exponent = match (next, exponent) {
            ('\\', _) if in_string => {
                characters.next();
                None
            }
            ('"', _) => {
                in_string = !in_string;
                None
            }
            ('e' | 'E', _) if !in_string => Some(0),
            ('+' | '-', Some(0)) => Some(0),
            ('0'..='9', Some(digits)) => Some(digits + 1),
            _ => None,
        };
        if exponent == Some(4) {
            return true;
        }
    }
    false
}

/// Short names before long ones, one space behind each colon and comma.
pub fn printed(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(printed).collect();
            format!("[{}]", list.join(", "))
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| (name.len(), name.as_bytes().to_vec()));
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), printed(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, masked};

    #[test]
    fn documents() {
        let text = r#"{"plan": "pro", "who": {"mail": "kim@example.com", "age": 47}, "list": ["a b", 1, ["c"]]}"#;
        for (mask, expected) in [
            ("{keep: [$.plan]}", r#"{"plan": "pro"}"#),
            ("{keep: [$.who.age, $.plan.deep]}", r#"{"who": {"age": 47}, "plan": "***"}"#),
            (
                "{paths: {$.who.mail: email, $.plan: hide, \"$.list[*]\": name}}",
                r#"{"who": {"age": 47, "mail": "k***@example.com"}, "list": ["a b", 0, []]}"#,
            ),
            (
                "{keep: [$.plan], paths: {$.who.age: {round: 10}}}",
                r#"{"who": {"age": 40}, "plan": "pro"}"#,
            ),
            ("{paths: {$: redact}}", "{}"),
        ] {
            let mask = serde_yaml::from_str(mask).expect("YAML");
            let (row, conditions) = (Row::new(), Row::new());
            assert_eq!(masked(text, &mask, &row, &conditions).as_deref(), Some(expected));
        }
        let keep = serde_yaml::from_str("{keep: [$.a]}").expect("YAML");
        for text in [r#"{"a": "\u0000"}"#, r#"{"a": "\ud800"}"#, r#"{"a": 1e99999}"#] {
            assert_eq!(masked(text, &keep, &Row::new(), &Row::new()), None, "{text}");
        }
    }
}
