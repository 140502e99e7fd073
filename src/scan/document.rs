//! JSON: each place of a document is judged like a column.
//!
//! Keys of documents can be data (a map from mail addresses to orders), so a place is printed by those keys alone whose words
//! all stand in Scrim's lists; every other key is `*`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::facts::Form;
use super::judge::{CONFIDENCE_MIN, Finding, Surroundings, judge_values};
use super::kind::Kind;
use super::names::{Said, said_by_name};
use super::tokens::{is_known, words};
use super::values::inside;

/// A place in documents, and what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// As the mask `json` writes it; `*` for keys that are not told.
    pub path: String,
    /// What is there.
    pub kind: Kind,
    /// Why, for people.
    pub evidence: Vec<String>,
}

/// So many places of a document are looked at, and so deep.
const PLACES_MAX: usize = 200;
const DEPTH_MAX: usize = 12;

/// Nearly all values are objects or arrays in JSON.
pub(super) fn is_mostly_json(values: &[&str]) -> bool {
    let values: Vec<&&str> = values.iter().filter(|value| !value.trim().is_empty()).collect();
    let read = |value: &&&str| {
        let text = value.trim_start();
        text.starts_with('{')
            && serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object())
    };
    values.len() >= 3 && values.iter().filter(|value| read(value)).count() * 10 >= values.len() * 8
}

/// The elements of arrays, however deep; `None` where one holds an object or is no array.
pub(super) fn scalars_of_arrays(values: &[&str]) -> Option<Vec<String>> {
    let mut scalars = Vec::new();
    for value in values {
        match serde_json::from_str::<Value>(value) {
            Ok(Value::Array(elements)) => flatten(&elements, &mut scalars)?,
            Ok(_) => return None,
            // It was cut: what there is of it is a text.
            Err(_) => scalars.push((*value).to_owned()),
        }
    }
    Some(scalars)
}

fn flatten(elements: &[Value], scalars: &mut Vec<String>) -> Option<()> {
    for element in elements {
        match element {
            Value::Array(inner) => flatten(inner, scalars)?,
            Value::Object(_) => return None,
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => scalars.push(number.to_string()),
            Value::String(text) => scalars.push(text.clone()),
        }
    }
    Some(())
}

/// What was gathered at one place.
#[derive(Default)]
struct Gathered {
    key: String,
    values: Vec<String>,
}

pub(super) fn judge(values: &[&str], said: Option<Said>, around: Surroundings) -> Option<Finding> {
    let mut gathered = BTreeMap::new();
    let mut cut = Vec::new();
    for value in values {
        match serde_json::from_str::<Value>(value) {
            Ok(document) => gather(&document, "$", "", 0, &mut gathered),
            Err(_) => cut.push(*value),
        }
    }
    let mut places = Vec::new();
    let mut sure: f32 = 0.0;
    for (path, found) in &gathered {
        let values: Vec<&str> = found.values.iter().map(String::as_str).collect();
        let said = said_by_name(&found.key)
            .filter(|said| said.kind.is_none_or(|kind| kind.fits(Form::Text)));
        let finding = judge_values(&found.key, Form::Text, said, &values, true, around);
        if let Some(finding) = finding {
            sure = sure.max(finding.confidence);
            places.push(Place {
                path: path.clone(),
                kind: finding.kind,
                evidence: finding.evidence,
            });
        }
    }
    let held = cut.iter().filter(|text| !inside::found(text).is_empty()).count();
    let mut evidence: Vec<String> = Vec::new();
    let named = said.and_then(|said| said.kind.map(|kind| (kind, said)));
    if let Some((_, said)) = named {
        evidence.push(format!("name: {}", said.pattern));
    }
    if held > 0 {
        sure = sure.max(0.6);
        evidence.push(format!("values: {held} of {} long documents hold something", cut.len()));
    }
    if !places.is_empty() {
        evidence.push(match places.len() {
            1 => "values: at one place of the documents".to_owned(),
            several => format!("values: at {several} places of the documents"),
        });
    }
    let kind = whole(&places, named.map(|(kind, _)| kind), held > 0);
    let by_name =
        named.map_or(0.0, |(_, said)| said.strength * if values.is_empty() { 0.9 } else { 0.6 });
    let confidence = sure.max(by_name).min(0.99);
    (confidence >= CONFIDENCE_MIN).then_some(Finding { kind, confidence, evidence, places })
}

/// One tag for all of it.
fn whole(places: &[Place], named: Option<Kind>, cut: bool) -> Kind {
    let all = |kinds: &[Kind]| {
        !places.is_empty() && places.iter().all(|place| kinds.contains(&place.kind))
    };
    if all(&[Kind::Address, Kind::Postcode, Kind::Area, Kind::Coordinates]) {
        return Kind::Address;
    }
    if all(&[Kind::Password, Kind::Token]) {
        let named = named.filter(|kind| matches!(kind, Kind::Password | Kind::Token));
        return named.unwrap_or(Kind::Token);
    }
    match named {
        Some(kind) if places.is_empty() && !cut => kind,
        _ => Kind::Profile,
    }
}

fn gather(
    value: &Value,
    path: &str,
    key: &str,
    depth: usize,
    gathered: &mut BTreeMap<String, Gathered>,
) {
    if depth > DEPTH_MAX {
        return;
    }
    let mut put = |path: &str, key: &str, text: String| {
        if gathered.len() < PLACES_MAX || gathered.contains_key(path) {
            let place = gathered.entry(path.to_owned()).or_default();
            key.clone_into(&mut place.key);
            place.values.push(text);
        }
    };
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => put(path, key, number.to_string()),
        Value::String(text) => put(path, key, text.clone()),
        Value::Array(elements) => {
            for element in elements {
                gather(element, &format!("{path}[*]"), key, depth.saturating_add(1), gathered);
            }
        }
        Value::Object(entries) => {
            let unknown = entries.keys().filter(|key| !is_told(key));
            // A key that is data is judged as data.
            unknown.for_each(|key| put(&format!("{path}.*"), "", key.clone()));
            for (key, value) in entries {
                let step = if is_told(key) { key.as_str() } else { "*" };
                // The name of a key may say something even where it is not told.
                gather(value, &format!("{path}.{step}"), key, depth.saturating_add(1), gathered);
            }
        }
    }
}

/// A key made of Scrim's own words.
fn is_told(key: &str) -> bool {
    let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let words = words(key);
    plain && !words.is_empty() && words.iter().all(|word| is_known(word))
}

#[cfg(test)]
mod tests {
    use super::is_told;

    #[test]
    fn keys_that_could_be_data_are_not_told() {
        for told in ["email", "shipping_address", "firstName", "postal_code"] {
            assert!(is_told(told), "{told}");
        }
        for kept in ["kim@example.com", "kim_minsu", "850312-1904175", "", "email.kim", "고객"] {
            assert!(!is_told(kept), "{kept}");
        }
    }
}
