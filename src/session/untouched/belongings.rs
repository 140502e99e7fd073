//! What an untouched session has on its server connection, as the server says, and how the next one gets it. Pure.
//!
//! Nobody reads what such a session says, so the server is asked before the connection goes: what can be given to another
//! one (settings, statements that a Parse has prepared), and whether there is anything that cannot.
//!
//! INVARIANT: as long as the server names something that cannot be moved, or cannot be asked, the session keeps its connection.

use bytes::BytesMut;

use crate::session::settings::literal;
use crate::wire::Frame;
use crate::wire::reader::{self, Malformed, Named};
use crate::wire::writer::{self, Unwritable};

/// Prepared statements that a session may have and still change its connection: each has to be prepared again.
const STATEMENTS_MAX: usize = 64;
/// Bytes of their texts.
const TEXTS_BYTES_MAX: usize = 256 * 1024;

/// The question. A row `bound`: there is something that cannot be moved. `login`: whom the session was opened as.
pub fn question(login: &str) -> String {
    let login = literal(login);
    format!(
        "SELECT 'bound' AS what, NULL AS name, NULL AS value, NULL AS types \
         WHERE CURRENT_USER <> SESSION_USER OR SESSION_USER <> {login} \
         OR pg_catalog.pg_client_encoding() <> 'UTF8' \
         OR EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) \
         OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) \
         OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) \
         OR EXISTS (SELECT FROM pg_catalog.pg_locks \
            WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()) \
         OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = pg_catalog.pg_my_temp_schema()) \
         OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = pg_catalog.pg_my_temp_schema()) \
         OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.pg_my_temp_schema()) \
         UNION ALL SELECT 'setting', name, pg_catalog.current_setting(name), NULL \
         FROM pg_catalog.pg_settings WHERE source = 'session' \
         AND name NOT IN ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable') \
         UNION ALL (SELECT 'statement', name, statement, (parameter_types::pg_catalog.oid[])::pg_catalog.text \
         FROM pg_catalog.pg_prepared_statements LIMIT {})",
        STATEMENTS_MAX.saturating_add(1)
    )
}

/// What can be moved.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Belongings {
    settings: Vec<(String, String)>,
    statements: Vec<Statement>,
}

#[derive(Debug, PartialEq, Eq)]
struct Statement {
    name: String,
    text: String,
    types: Vec<u32>,
    /// What the client has been told of its columns, or may have been; `None`: there are none.
    columns: Option<Box<[u8]>>,
}

impl Belongings {
    /// Reads the answer; `None`: the session keeps its connection.
    pub fn read(rows: Vec<Vec<Option<String>>>) -> Option<Belongings> {
        let mut all = Belongings::default();
        for row in rows {
            let [Some(what), Some(name), Some(value), types] = <[_; 4]>::try_from(row).ok()? else {
                return None;
            };
            match (what.as_str(), types) {
                ("setting", None) => all.settings.push((name, value)),
                ("statement", Some(types)) => {
                    let types = types.strip_prefix('{')?.strip_suffix('}')?;
                    let types = types.split(',').filter(|oid| !oid.is_empty());
                    let types = types.map(|oid| oid.parse().ok()).collect::<Option<_>>()?;
                    all.statements.push(Statement { name, text: value, types, columns: None });
                }
                _ => return None,
            }
        }
        let texts = all.statements.iter().map(|statement| statement.text.len());
        let is_little = all.statements.len() <= STATEMENTS_MAX
            && texts.fold(0, usize::saturating_add) <= TEXTS_BYTES_MAX;
        is_little.then_some(all)
    }

    /// The messages that give them to another connection, and how many of them are answered by themselves. The first is
    /// for the settings, where there are any; what fails of the others failed for the client too, or fails when it is used.
    pub fn messages(&self, unnamed: Option<&[u8]>) -> Result<(BytesMut, usize), Unwritable> {
        let mut out = BytesMut::new();
        let mut answers = 0_usize;
        if self.has_settings() {
            let set = |(name, value): &(String, String)| {
                format!("pg_catalog.set_config({}, {}, false)", literal(name), literal(value))
            };
            let all: Vec<String> = self.settings.iter().map(set).collect();
            writer::query(&mut out, &format!("SELECT {}", all.join(", ")))?;
            answers = answers.saturating_add(1);
        }
        for Statement { name, text, types, columns: _ } in &self.statements {
            writer::parse(&mut out, name, text, types)?;
            writer::describe(&mut out, Named::Statement, name)?;
            writer::sync(&mut out);
            answers = answers.saturating_add(1);
        }
        if let Some(unnamed) = unnamed {
            out.extend_from_slice(unnamed);
            writer::sync(&mut out);
            answers = answers.saturating_add(1);
        }
        Ok((out, answers))
    }

    /// The messages that ask for the columns of the statements, and how many of them are answered by themselves.
    pub fn describing(&self) -> Result<(BytesMut, usize), Unwritable> {
        let mut out = BytesMut::new();
        for Statement { name, .. } in &self.statements {
            writer::describe(&mut out, Named::Statement, name)?;
            writer::sync(&mut out);
        }
        Ok((out, self.statements.len()))
    }

    /// Keeps what was answered; the names of those that the server itself does not run any more, which stay behind.
    pub fn described<E>(&mut self, answers: Vec<Result<Option<Frame>, E>>) -> Vec<String> {
        let mut outdated = Vec::new();
        let all = std::mem::take(&mut self.statements);
        for (statement, answer) in all.into_iter().zip(answers) {
            match answer.ok().map(|columns| shape(columns.as_ref())) {
                Some(Ok(columns)) => self.statements.push(Statement { columns, ..statement }),
                Some(Err(_)) | None => outdated.push(statement.name),
            }
        }
        outdated
    }

    /// The names of the statements that have come out otherwise on another connection: what is answered to their messages.
    pub fn outdated<E>(
        &self,
        answers: impl Iterator<Item = Result<Option<Frame>, E>>,
    ) -> Vec<String> {
        let is_other = |(statement, answer): &(&Statement, Result<Option<Frame>, E>)| {
            let now = answer.as_ref().ok().map(|columns| shape(columns.as_ref()));
            now.is_none_or(|now| now.as_ref() != Ok(&statement.columns))
        };
        let others = self.statements.iter().zip(answers).filter(is_other);
        others.map(|(statement, _)| statement.name.clone()).collect()
    }

    /// The messages that take them away again.
    pub fn closing(names: &[String]) -> Result<(BytesMut, usize), Unwritable> {
        let mut out = BytesMut::new();
        for name in names {
            writer::close(&mut out, Named::Statement, name)?;
            writer::sync(&mut out);
        }
        Ok((out, names.len()))
    }

    /// True when the first of the messages is for settings.
    pub fn has_settings(&self) -> bool {
        !self.settings.is_empty()
    }
}

/// What PostgreSQL compares of columns: names and types, and not the tables that they come from.
fn shape(columns: Option<&Frame>) -> Result<Option<Box<[u8]>>, Malformed> {
    let Some(columns) = columns else { return Ok(None) };
    let mut shape = Vec::new();
    for column in reader::row_description(columns.body())? {
        shape.extend_from_slice(column.name.as_bytes());
        shape.push(0);
        shape.extend_from_slice(&column.type_oid.to_be_bytes());
        shape.extend_from_slice(&column.modifier.to_be_bytes());
    }
    Ok(Some(shape.into()))
}

#[cfg(test)]
mod tests {
    use super::{Belongings, STATEMENTS_MAX, Statement};

    fn row(fields: [&str; 4]) -> Vec<Option<String>> {
        fields.iter().map(|field| (!field.is_empty()).then(|| (*field).to_owned())).collect()
    }

    #[test]
    fn what_the_server_names_is_moved_or_keeps_the_connection() {
        assert_eq!(Belongings::read(Vec::new()), Some(Belongings::default()));
        let rows = vec![
            row(["setting", "work_mem", "7MB", ""]),
            row(["statement", "s", "SELECT $1", "{23,25}"]),
        ];
        let Some(all) = Belongings::read(rows) else { panic!("bound") };
        assert_eq!(all.settings, [("work_mem".to_owned(), "7MB".to_owned())]);
        let types = vec![23, 25];
        assert_eq!(
            all.statements,
            [Statement { name: "s".into(), text: "SELECT $1".into(), types, columns: None }]
        );
        for odd in [
            ["bound", "", "", ""],
            ["setting", "a", "b", "c"],
            ["statement", "s", "SELECT", "23"],
            ["other", "a", "b", ""],
        ] {
            assert_eq!(Belongings::read(vec![row(odd)]), None, "{odd:?}");
        }
    }

    #[test]
    fn who_has_many_statements_keeps_its_connection() {
        let statements =
            |count| (0..count).map(|_| row(["statement", "s", "SELECT", "{}"])).collect();
        assert!(Belongings::read(statements(STATEMENTS_MAX)).is_some());
        assert!(Belongings::read(statements(STATEMENTS_MAX + 1)).is_none());
    }

    #[test]
    fn an_empty_setting_is_a_setting() {
        let mut empty = row(["setting", "search_path", "x", ""]);
        empty[2] = Some(String::new());
        let Some(all) = Belongings::read(vec![empty]) else { panic!("bound") };
        let Ok((messages, 1)) = all.messages(None) else { panic!("one answer") };
        let text = String::from_utf8_lossy(&messages).into_owned();
        assert!(text.contains("set_config('search_path', '', false)"), "{text}");
    }
}
