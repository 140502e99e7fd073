//! A line of the trail as a row: what an auditor asks for in columns of its own, and the whole line as it stands in the file.
//!
//! All rows of a batch go in one statement, a column an array, so that a server that is cut off in the middle has heard
//! nothing at all. Nothing here can fail: what a line does not say, or says in another form than Scrim writes it, is NULL.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::audit::chain::hash;

/// Where a line says no time, which none of Scrim's does.
const NO_TIME: &str = "epoch";

/// The columns beside `scrim`, which is the same in all rows, and `received`, which is the server's: name and type.
pub(super) const COLUMNS: [(&str, &str); 20] = [
    ("sequence", "bigint"),
    ("hash", "text"),
    ("time", "timestamptz"),
    ("event", "text"),
    ("session", "bigint"),
    ("statement", "bigint"),
    ("user_name", "text"),
    ("role", "text"),
    ("end_user", "text"),
    ("purpose", "text"),
    ("client", "text"),
    ("application", "text"),
    ("database", "text"),
    ("verdict", "text"),
    ("reason", "text"),
    ("refused", "text"),
    ("error", "text"),
    ("rows", "bigint"),
    ("rules", "text"),
    ("line", "text"),
];

/// Rows, a column an array in PostgreSQL's text form.
pub(super) struct Rows {
    arrays: [String; COLUMNS.len()],
}

impl Rows {
    /// Of lines without their ends. One that is no line of a trail is left out.
    pub(super) fn of<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Rows {
        let mut rows = Rows { arrays: std::array::from_fn(|_| String::from("{")) };
        lines.into_iter().filter_map(values).for_each(|values| rows.push(&values));
        rows.arrays.iter_mut().for_each(|array| array.push('}'));
        rows
    }

    fn push(&mut self, values: &[Option<String>; COLUMNS.len()]) {
        for (array, value) in self.arrays.iter_mut().zip(values) {
            if array.len() > 1 {
                array.push(',');
            }
            match value {
                // In quotation marks it would be a text.
                None => array.push_str("NULL"),
                Some(value) => quote(value, array),
            }
        }
    }

    /// The arrays, in the order of [`COLUMNS`].
    pub(super) fn arrays(&self) -> impl Iterator<Item = &str> {
        self.arrays.iter().map(String::as_str)
    }
}

/// An item of an array: <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>
fn quote(value: &str, array: &mut String) {
    array.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            array.push('\\');
        }
        array.push(character);
    }
    array.push('"');
}

/// Of one line, in the order of [`COLUMNS`].
fn values(line: &[u8]) -> Option<[Option<String>; COLUMNS.len()]> {
    let text = std::str::from_utf8(line).ok()?;
    let told: Map<String, Value> = serde_json::from_str(text).ok()?;
    told.get("sequence").and_then(number)?;
    Some(COLUMNS.map(|(column, of)| match column {
        "hash" => Some(hash(line)),
        "line" => Some(text.to_owned()),
        "time" => {
            let time = told.get("time").and_then(word);
            let time = time.filter(|time| time.parse::<Timestamp>().is_ok());
            Some(time.unwrap_or_else(|| NO_TIME.to_owned()))
        }
        "event" => Some(told.get("event").and_then(word).unwrap_or_default()),
        "user_name" => told.get("user").and_then(word),
        column if of == "bigint" => told.get(column).and_then(number),
        column => told.get(column).and_then(word),
    }))
}

/// PostgreSQL has no NUL in a text. The line itself has it escaped, as JSON does.
fn word(value: &Value) -> Option<String> {
    value.as_str().map(|text| text.replace('\0', "\u{fffd}"))
}

fn number(value: &Value) -> Option<String> {
    value.as_i64().map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(rows: &Rows, name: &str) -> String {
        let place = COLUMNS.iter().position(|(column, _)| *column == name).expect("a column");
        rows.arrays[place].clone()
    }

    #[test]
    fn a_line_is_a_row_and_nothing_in_it_ends_a_value() {
        let lines = [
            r#"{"time":"2026-11-28T09:00:00.000000Z","sequence":7,"previous":"0","event":"statement","session":3,"user":"a\"b\\c,{}","role":"NULL","application":"x\u0000y","rows":2}"#,
            r#"{"sequence":8,"time":"now","event":7,"user":["a"],"session":18446744073709551615}"#,
            "torn",
            r#"{"no":"number"}"#,
        ];
        let rows = Rows::of(lines.iter().map(|line| line.as_bytes()));
        assert_eq!(column(&rows, "sequence"), r#"{"7","8"}"#);
        assert_eq!(column(&rows, "time"), r#"{"2026-11-28T09:00:00.000000Z","epoch"}"#);
        assert_eq!(column(&rows, "event"), r#"{"statement",""}"#);
        assert_eq!(column(&rows, "user_name"), r#"{"a\"b\\c,{}",NULL}"#);
        assert_eq!(column(&rows, "role"), r#"{"NULL",NULL}"#);
        assert_eq!(column(&rows, "application"), "{\"x\u{fffd}y\",NULL}");
        assert_eq!(column(&rows, "session"), r#"{"3",NULL}"#);
        assert_eq!(
            column(&rows, "hash"),
            format!("{{\"{}\",\"{}\"}}", hash(lines[0].as_bytes()), hash(lines[1].as_bytes()))
        );
        assert!(column(&rows, "line").contains(r#"\"x\\u0000y\""#));
        assert!(Rows::of([]).arrays().all(|array| array == "{}"));
    }
}
