//! The rules as JSON Schema, for editors: made of the tables of keys and words that the readers use, so that the two
//! cannot part.

use serde_json::{Value, json};

use super::mask_spec::ScrubKind;
use super::role::Then;
use super::{granting, load, read_keyed_masks, read_mask, read_role, table, token_users, user};
use crate::text::schema::{
    definition, described, document, filled_mapping, filled_text, given_list, list, mapping, named,
    number, text, text_like, truth, word,
};

/// As [`super::tag`] reads them.
const TAG: &str = r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$";
const TAG_PATTERN: &str = r"^(\*|[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?)$";
/// A relation or a function, with its schema; quotation marks may hold everything.
const QUALIFIED: &str = r"^.+\..+$";
const CONDITION: &str = "^[a-z_][a-z0-9_]*$";
const DETAIL: &str = "^[a-z][a-z0-9_]{0,47}$";
const MOST: u64 = u32::MAX as u64;

/// The schema of a rules file.
pub fn schema() -> Value {
    let definitions = json!({
        "table": mapping(&table::KEYS, of_table),
        "role": mapping(&read_role::KEYS, of_role),
        "mask": mask(),
        "user": user(),
        "channels": given_list(filled_text()),
    });
    document("Rules of Scrim", mapping(&load::KEYS, of_file), definitions)
}

fn of_file(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "open" => (
            list(text_like(QUALIFIED)),
            "Relations that hold nothing personal, clear for every role: public.products, \"catalog.*\".",
        ),
        "tables" => (
            named(json!({"pattern": QUALIFIED}), definition("table")),
            "What each column holds, by relation.",
        ),
        "roles" => {
            (named(json!(true), definition("role")), "What a kind of person may do and see.")
        }
        "users" => (named(json!(true), definition("user")), "Who may log in, and as what."),
        "token_users" => (
            filled_mapping(&token_users::KEYS, &[], of_user),
            "Whoever has a good JSON Web Token, in the roles that it names.",
        ),
        "databases" => (
            json!({"type": "array", "items": text(), "minItems": 1}),
            "The databases in which `open` and `tables` of this file count; otherwise all.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_table(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "columns" => {
            let tag = json!({"allOf": [text_like(TAG), {"not": {"const": "unclassified"}}]});
            (
                named(json!(true), tag),
                "The tag of each column: a dotted word of your choice, or `open` for what everybody may see.",
            )
        }
        "conditions" => (
            named(json!({"pattern": CONDITION}), filled_text()),
            "Facts about a row as SQL over its columns, for `when` and `rows`.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_role(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "description" => (text(), "For people."),
        "extends" => (text(), "Another role, whose lines count where this one has none."),
        "may" => (
            given_list(word(&read_role::PERMISSIONS)),
            "Statements; `everything` with `\"*\": clear` passes untouched.",
        ),
        "masks" => {
            let names = json!({"allOf": [
                {"pattern": TAG_PATTERN},
                {"not": {"enum": ["open", "open.*", "unclassified", "unclassified.*"]}},
            ]});
            (
                named(names, definition("mask")),
                "How each tag is seen: the longest that fits wins, \"*\" is for the rest, unclassified columns among it.",
            )
        }
        "rows" => (
            named(json!({"pattern": QUALIFIED}), filled_text()),
            "Which rows are seen, by relation: SQL over its columns and conditions.",
        ),
        "lookup" => {
            let tag = json!({"allOf": [text_like(TAG_PATTERN), {"not": {"const": "*"}}]});
            (given_list(tag), "Tags by whose true value rows may be found.")
        }
        "functions" => (
            given_list(text_like(QUALIFIED)),
            "Functions of your own that may be called; all overloads of a name.",
        ),
        "listen" => {
            (definition("channels"), "Channels to LISTEN to; what is sent there is not masked.")
        }
        "notify" => (definition("channels"), "Channels to NOTIFY."),
        "limits" => (mapping(&read_role::LIMITS, of_limits), "What a session may cost."),
        "purposes" => {
            let one = json!({"anyOf": [mapping(&read_role::PURPOSE, of_role), {"type": "null"}]});
            let named = json!({"type": "object", "minProperties": 1, "additionalProperties": one});
            (
                json!({"anyOf": [given_list(filled_text()), named]}),
                "When given, a session has to state one of them (SET scrim.purpose); as a mapping, with the masks and rows that count for it.",
            )
        }
        "guard" => (
            filled_mapping(&read_role::GUARD, &read_role::GUARD, |key| match key {
                "detect" => Some(given_list(word(&ScrubKind::ALL.map(ScrubKind::name)))),
                "then" => Some(word(&Then::ALL.map(Then::word))),
                _ => None,
            }),
            "What is looked for in every text that leaves, and what is done where it is found.",
        ),
        "audit_rows" => (
            truth(),
            "The primary keys of the rows that it is shown stand in the audit, for `scrim report --subject`.",
        ),
        "grants" => (
            filled_mapping(&granting::KEYS, &["may", "longest"], of_grants),
            "What may be opened to its users for a while (`scrim grant`); without it nothing may.",
        ),
        "details" => (
            named(json!({"pattern": DETAIL}), word(&read_role::DETAIL_KINDS)),
            "What a session may state of itself, for `rows` and `when`: `ticket: integer` is `scrim.ticket` there.",
        ),
        "database_user" => (
            filled_mapping(&read_role::DATABASE_USER, &["user"], |key| match key {
                "user" | "password" => Some(filled_text()),
                _ => None,
            }),
            "An own login at the database.",
        ),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_grants(key: &str) -> Option<Value> {
    let tag = json!({"allOf": [text_like(TAG_PATTERN), {"not": {"const": "*"}}]});
    let (schema, words) = match key {
        "may" => (given_list(tag), "Tags that may be opened, up to `clear`."),
        "hidden" => (given_list(tag), "Those of them that may be opened though they are hidden."),
        "longest" => (text_like("^[0-9]+[smhd]$"), "How long a grant lasts at most: 30m, 8h, 2d."),
        "approval" => (
            word(&granting::APPROVAL.map(|(word, _)| word)),
            "Whether another person has to agree; `required` where it is not said.",
        ),
        "approvers" => (given_list(filled_text()), "Roles whose users may agree."),
        "break_glass" => (truth(), "Users may open it to themselves at once; an alarm is raised."),
        "whole_columns" => (truth(), "In all rows too; the audit then has no keys."),
        "widen_rows" => (truth(), "Also rows that the role's own filter drops."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_limits(key: &str) -> Option<Value> {
    let rows_max = i64::MAX.unsigned_abs();
    let (schema, words) = match key {
        "rows" => (number(1, rows_max), "Rows of one result."),
        "bytes" => (number(1, rows_max), "Bytes of one result."),
        "statement_seconds" => (number(1, 2_147_483), "Seconds that one statement may run."),
        "idle_transaction_seconds" => {
            (number(1, 2_147_483), "Seconds that a transaction may stand still.")
        }
        "statements_per_second" => (number(1, MOST), "Statements of a user."),
        "lookups_per_minute" => (number(0, MOST), "Values that a user may look up."),
        "message_bytes" => (number(1024, rows_max), "Bytes of one message of a client."),
        "connections" => (number(1, MOST), "Sessions with the role at once."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn of_user(key: &str) -> Option<Value> {
    let (schema, words) = match key {
        "role" => (text(), "The role."),
        "roles" => (
            json!({"type": "array", "items": text(), "minItems": 1}),
            "Roles; the first is the one a session starts with.",
        ),
        "password" => (
            text_like(r"^SCRAM-SHA-256\$"),
            "A verifier, which `scrim password NAME` makes; never the password itself.",
        ),
        "certificate" => (filled_text(), "A name in the client certificate that has to be shown."),
        "token" => (filled_text(), "What the user claim of a JSON Web Token has to say."),
        "connections" => (number(1, MOST), "Sessions at once."),
        "acts_for_others" => (truth(), "May state on whose behalf (scrim.end_user)."),
        _ => return None,
    };
    Some(described(schema, words))
}

fn user() -> Value {
    let mut schema = filled_mapping(&user::KEYS, &[], of_user);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("oneOf".to_owned(), json!([{"required": ["role"]}, {"required": ["roles"]}]));
        schema.insert(
            "anyOf".to_owned(),
            json!([
                {"required": ["password"]},
                {"required": ["certificate"]},
                {"required": ["token"]},
            ]),
        );
        schema.insert("not".to_owned(), json!({"required": ["password", "token"]}));
    }
    schema
}

/// Words and mappings, as `read_mask` tells them apart.
fn mask() -> Value {
    let words: Vec<&str> = read_mask::WORDS.iter().map(|(name, _)| *name).collect();
    let mut forms = vec![
        described(word(&words), "A mask without a value."),
        json!({"type": "null", "description": "NULL."}),
    ];
    let mut heads: Vec<&str> = read_mask::KEYS.to_vec();
    // Two keys of one mask, of which either may stand alone.
    heads.retain(|key| *key != "keep_last");
    forms.extend(heads.into_iter().filter_map(|head| {
        let (others, needed): (&[&str], &[&str]) = match head {
            "keep_first" => (&["keep_last"], &[]),
            "replace" => (&["with"], &["replace", "with"]),
            "pseudonym" => (&["domain"], &["pseudonym"]),
            "shift" => (&["by"], &["shift", "by"]),
            "when" => (&["then", "else"], &["when", "then", "else"]),
            _ => (&[], &[]),
        };
        let keys = [&[head], others].concat();
        let needed = if needed.is_empty() && head != "keep_first" { &[head] } else { needed };
        let mut form = filled_mapping(&keys, needed, of_mask);
        if let (Some(form), "keep_first") = (form.as_object_mut(), head) {
            form.insert("minProperties".to_owned(), json!(1));
        }
        of_mask(head).map(|_| form)
    }));
    json!({"anyOf": forms})
}

fn of_mask(key: &str) -> Option<Value> {
    let names = |words: &[(&str, super::PseudonymKind)]| -> Vec<&'static str> {
        words.iter().map(|(_, kind)| kind.name()).collect()
    };
    let (schema, words) = match key {
        "constant" => (
            json!({"type": ["string", "number", "boolean", "null"]}),
            "The same value in every row.",
        ),
        "keep_first" => (number(0, u64::from(u16::MAX)), "Characters kept at the start."),
        "keep_last" => (number(0, u64::from(u16::MAX)), "Characters kept at the end."),
        "round" => (
            json!({"anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"\$\{"},
            ]}),
            "Numbers, down to a multiple.",
        ),
        "truncate" => {
            let units: Vec<&str> = read_mask::UNITS.iter().map(|(name, _)| *name).collect();
            (word(&units), "Dates and timestamps, down to a unit.")
        }
        "cap" => (
            json!({
                "type": "array",
                "items": {"type": ["string", "number", "null"]},
                "minItems": 2,
                "maxItems": 2,
            }),
            "[LOW, HIGH]: numbers, dates and timestamps, cut to the range; null leaves a side open.",
        ),
        "replace" => (filled_text(), "A regular expression, each of whose matches is replaced."),
        "with" => (text(), "What stands in the place of each match."),
        "scrub" => {
            let kinds = ScrubKind::ALL.map(ScrubKind::name);
            let mut list = given_list(word(&kinds));
            if let Some(list) = list.as_object_mut() {
                list.insert("minItems".to_owned(), json!(1));
            }
            (list, "Free text: what is found becomes its name in brackets.")
        }
        "pseudonym" => (
            word(&names(&read_keyed_masks::KINDS)),
            "Keyed, the same in every table of the domain.",
        ),
        "domain" => (filled_text(), "Where the same value has the same pseudonym."),
        "shift" => (
            number(1, read_keyed_masks::DAYS_MAX),
            "Dates and timestamps, moved by a keyed number of days, at most so many.",
        ),
        "by" => (filled_text(), "The column that says whose date it is."),
        "noise" => (
            json!({"anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"\$\{"},
            ]}),
            "Numbers, up or down by a keyed share of themselves.",
        ),
        "each" => (definition("mask"), "Arrays, element by element."),
        "json" => (
            filled_mapping(&["keep", "paths"], &[], |key| match key {
                "keep" => Some(json!({
                    "type": "array",
                    "items": text_like(r"^\$."),
                    "minItems": 1,
                    "description": "Paths that are kept; all else is gone.",
                })),
                "paths" => Some(json!({
                    "type": "object",
                    "propertyNames": {"pattern": r"^\$"},
                    "additionalProperties": definition("mask"),
                    "minProperties": 1,
                    "description": "Masks by path.",
                })),
                _ => None,
            }),
            "json and jsonb: what of a document is kept, and what is masked.",
        ),
        "when" => (filled_text(), "A condition of the table, or SQL over its columns."),
        "then" => (definition("mask"), "Where the condition is true."),
        "else" => (definition("mask"), "Where it is false or NULL."),
        "sql" => (filled_text(), "An expression of your own over the column `{}`."),
        _ => return None,
    };
    Some(described(schema, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Described = (&'static [&'static str], fn(&str) -> Option<Value>);

    /// A key that is new in a reader is described here, or this fails.
    #[test]
    fn every_key_is_described() {
        let all: [Described; 8] = [
            (&load::KEYS, of_file),
            (&table::KEYS, of_table),
            (&read_role::KEYS, of_role),
            (&read_role::LIMITS, of_limits),
            (&granting::KEYS, of_grants),
            (&user::KEYS, of_user),
            (&token_users::KEYS, of_user),
            (&read_mask::KEYS, of_mask),
        ];
        for (keys, of) in all {
            let missing: Vec<&&str> = keys.iter().filter(|key| of(key).is_none()).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    }
}
