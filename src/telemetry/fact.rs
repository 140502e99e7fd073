//! What a span may say: the whole list. What has no line here cannot be said.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::sqlstate::known;

/// Relations of one statement; more of them are generated SQL.
const RELATIONS_MAX: usize = 32;
/// Temporary tables are named by their session, who may put anything there.
const TEMPORARY: &str = "pg_temp";

/// A fact, with its name in OpenTelemetry's conventions where there is one.
pub(super) enum Fact<'a> {
    /// That it is PostgreSQL.
    System,
    /// A session's number.
    Session(u64),
    /// A role's name.
    Role(Arc<str>),
    /// The database in which a session is.
    Database(Arc<str>),
    /// A statement's number in its session.
    Statement(u64),
    /// How many there were.
    Statements(u64),
    /// Word for what was decided.
    Verdict(&'static str),
    /// Word for a kind of statement.
    Kind(Option<&'static str>),
    /// Word for the reason of a refusal.
    Reason(Option<&'static str>),
    /// From a text to what is sent.
    Planning(Option<Duration>),
    /// From accepted to the end of the answer.
    Upstream(Duration),
    /// What is read and written.
    Relations(Vec<String>),
    /// How many columns are read masked.
    MaskedColumns(usize),
    /// Rows given to the client.
    Rows(u64),
    /// Bytes of them.
    Bytes(u64),
    /// SQLSTATE.
    Error(&'a str),
}

impl Fact<'_> {
    /// As it is sent. `None`: there is nothing to say.
    pub(super) fn attribute(self) -> Option<KeyValue> {
        let (key, value): (&'static str, Value) = match self {
            Fact::System => ("db.system.name", "postgresql".into()),
            Fact::Session(number) => ("scrim.session", whole(number)),
            Fact::Role(name) => ("scrim.role", name.into()),
            Fact::Database(name) => ("db.namespace", name.into()),
            Fact::Statement(number) => ("scrim.statement", whole(number)),
            Fact::Statements(count) => ("scrim.statements", whole(count)),
            Fact::Verdict(word) => ("scrim.verdict", word.into()),
            Fact::Kind(word) => ("scrim.kind", word?.into()),
            Fact::Reason(word) => ("scrim.reason", word?.into()),
            Fact::Planning(time) => ("scrim.planning_us", micros(time?)),
            Fact::Upstream(time) => ("scrim.upstream_us", micros(time)),
            Fact::Relations(names) => ("scrim.relations", relations(names)?),
            Fact::MaskedColumns(count) => {
                ("scrim.masked_columns", whole(u64::try_from(count).unwrap_or(u64::MAX)))
            }
            Fact::Rows(count) => ("db.response.returned_rows", whole(count)),
            Fact::Bytes(count) => ("scrim.bytes", whole(count)),
            Fact::Error(code) => ("error.type", known(code).into()),
        };
        Some(KeyValue::new(key, value))
    }
}

fn whole(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn micros(time: Duration) -> Value {
    whole(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

fn relations(mut names: Vec<String>) -> Option<Value> {
    names.retain(|name| !name.starts_with(TEMPORARY));
    names.sort();
    names.dedup();
    names.truncate(RELATIONS_MAX);
    let names: Vec<StringValue> = names.into_iter().map(StringValue::from).collect();
    (!names.is_empty()).then_some(Value::Array(Array::String(names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fact: Fact<'_>) -> Option<String> {
        fact.attribute().map(|it| format!("{}={}", it.key, it.value))
    }

    #[test]
    fn temporary_tables_have_no_names_here() {
        let of = |names: &[&str]| {
            said(Fact::Relations(names.iter().map(|it| (*it).to_owned()).collect()))
        };
        let all =
            ["public.orders", "pg_temp.kim", "public.customers", "pg_temp_3.x", "public.orders"];
        let named = "scrim.relations=[\"public.customers\",\"public.orders\"]";
        assert_eq!(of(&all).as_deref(), Some(named));
        assert_eq!(of(&["pg_temp.kim"]), None);
    }

    #[test]
    fn times_are_in_microseconds() {
        let time = Duration::from_micros(1_500);
        assert_eq!(said(Fact::Planning(Some(time))).as_deref(), Some("scrim.planning_us=1500"));
        assert_eq!(said(Fact::Planning(None)), None);
        assert_eq!(
            said(Fact::Rows(u64::MAX)),
            Some(format!("db.response.returned_rows={}", i64::MAX))
        );
    }
}
