//! What could be open. An allow-list, by name and type together, and short: what is not on it stays unclassified, and masked.

use super::facts::{Column, Form, Sample};
use super::names::said_by_name;
use super::tokens::words;

/// Flags that say nothing of a person, in words; of `is_` and `has_` the rest must be one of them.
const FLAGS: &[&str] = &[
    "active",
    "activebool",
    "enabled",
    "disabled",
    "deleted",
    "archived",
    "visible",
    "hidden",
    "published",
    "default",
    "public",
    "locked",
    "sent",
    "required",
    "voided",
    "revoked",
    "system",
    "primary",
    "read only",
    "email verified",
    "phone verified",
    "use",
    "del",
];

/// When a row was written.
const WRITTEN: &[&str] = &[
    "created",
    "created at",
    "created on",
    "create date",
    "created date",
    "date created",
    "updated",
    "updated at",
    "updated on",
    "update date",
    "last update",
    "last updated",
    "last updated at",
    "modified",
    "modified at",
    "modified on",
    "modified date",
    "inserted at",
    "write date",
    "reg dt",
    "reg dtm",
    "rgst dt",
    "rgst dtm",
    "upd dt",
    "upd dtm",
    "mdfcn dt",
    "last modified",
    "last modified date",
    "date modified",
    "등록일시",
    "수정일시",
];

/// How many, in which order.
const COUNTED: &[&str] = &[
    "quantity",
    "qty",
    "sort",
    "sort no",
    "sort order",
    "display order",
    "seq",
    "sequence",
    "version",
    "attempts",
    "stock quantity",
    "total item count",
    "duration ms",
    "item cnt",
    "line no",
    "line number",
];

/// Words out of a short list that everybody knows.
const LISTS: &[&str] = &[
    "status",
    "currency",
    "currency code",
    "locale",
    "lang",
    "language",
    "timezone",
    "tz",
    "country code",
    "use yn",
    "del yn",
    "sku",
    "mime type",
    "content type",
];

/// Different values that a list has at most, and their length in characters.
const LIST_VALUES_MAX: usize = 40;
const LIST_CHARS_MAX: usize = 32;

/// Why a column could be open; `None`: nothing says so.
pub(super) fn reason(column: &Column, sample: Option<&Sample>) -> Option<&'static str> {
    if column.is_array || said_by_name(&column.name).is_some_and(|said| said.kind.is_some()) {
        return None;
    }
    // A comment may say what a name does not: somebody has to read it.
    let parts = words(&column.name);
    let name = parts.join(" ");
    let is = |list: &[&str]| list.contains(&name.as_str());
    let without_verb =
        name.strip_prefix("is ").or_else(|| name.strip_prefix("has ")).unwrap_or(&name);
    let numbered = matches!(column.form, Form::Number | Form::Uuid);
    let whole = column.form != Form::Number || !column.type_sql.contains("numeric");
    let ends_as_key =
        parts.last().is_some_and(|last| matches!(last.as_str(), "id" | "uuid" | "seq"));
    match column.form {
        _ if column.is_key && column.references.is_none() && numbered && whole && ends_as_key => {
            Some("a primary key that is only a number")
        }
        _ if column.references.is_some() && numbered && whole && ends_as_key => {
            Some("a foreign key that is only a number")
        }
        Form::Boolean if FLAGS.contains(&without_verb) => Some("a flag"),
        Form::Day if is(WRITTEN) => Some("when the row was written"),
        Form::Number if is(COUNTED) => Some("a count or an order"),
        Form::Enum if is(LISTS) => Some("a list of words in the catalog"),
        Form::Text if is(LISTS) && sample.is_some_and(is_a_list) => Some("a short list of words"),
        _ => None,
    }
}

/// A sample that was full enough to tell.
fn is_a_list(sample: &Sample) -> bool {
    let values: std::collections::HashSet<&str> =
        sample.values.iter().map(|value| value.look()).collect();
    sample.values.len() >= 20
        && values.len() <= LIST_VALUES_MAX
        && values.len().saturating_mul(2) <= sample.values.len()
        && values.iter().all(|value| value.chars().count() <= LIST_CHARS_MAX)
}
