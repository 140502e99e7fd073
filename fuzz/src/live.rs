//! The sample desk for logins that may read what is open and the twins of the rest, and nothing else.
//!
//! Each template is put over the twin of its relation, and each role has a login of its own. Who then is told that
//! permission is denied has reached something that no template stands for: PostgreSQL itself says so.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use postgres::error::SqlState;
use postgres::{Client, NoTls, SimpleQueryMessage};
use scrim::catalog::Relation;
use scrim::demo::{DATABASE, PrivatePostgres, SAMPLE_PSEUDONYM_KEY};
use scrim::mask::key_settings;
use scrim::policy::Access;

use crate::canary;
use crate::desk::{self, Desk, Seen};
use crate::stand_in::{self, Into};

/// How long a statement may run.
const STATEMENT_MS: u32 = 300;

/// Bytes of an answer that are looked through.
const LOOKED_THROUGH_MAX: usize = 1 << 18;

/// The server, and a connection for each role.
pub struct Live {
    /// What the roles see.
    pub desk: Desk,
    server: PrivatePostgres,
    connections: Vec<Option<Connection>>,
}

struct Connection {
    client: Client,
    notices: Arc<Mutex<Vec<u8>>>,
}

/// What came of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Rows, or an error that says nothing.
    Harmless {
        /// At least one row came.
        rows: bool,
    },
    /// What must not be.
    Found(String),
}

impl Live {
    /// Starts the server and makes twins and logins.
    pub fn start() -> Live {
        let server = desk::start(&[
            ("temp_file_limit", "'64MB'"),
            ("work_mem", "'4MB'"),
            ("max_parallel_workers", "0"),
            ("jit", "off"),
            ("fsync", "off"),
        ]);
        let desk = Desk::of(&server);
        let script = script(&desk);
        server.run(DATABASE, &script).unwrap_or_else(|error| panic!("{error}\n{script}"));
        let connections = desk.roles.iter().map(|_| None).collect();
        Live { desk, server, connections }
    }

    /// Runs what would be sent for a role, in a transaction that is taken back.
    pub fn run(&mut self, role: usize, statements: &[&str]) -> Answer {
        let index = role % self.desk.roles.len();
        let seen = &self.desk.roles[index];
        let texts: Vec<String> = statements
            .iter()
            .map(|text| without_parameters(&stand_in::replace(text, &seen.stand_ins, Into::Twins)))
            .collect();
        if self.connections[index].as_ref().is_none_or(|open| open.client.is_closed()) {
            self.connections[index] = Some(self.connect(seen));
        }
        let Some(connection) = &mut self.connections[index] else { unreachable!("it was made") };
        let answer = connection.run(&texts);
        if let Answer::Found(found) = &answer
            && found.contains("digits")
        {
            // What comes of the time or of dice is another one the next time.
            return connection.run(&texts);
        }
        answer
    }

    fn connect(&self, seen: &Seen) -> Connection {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&notices);
        let mut config = postgres::Config::new();
        config.host_path(self.server.socket_folder()).port(self.server.port());
        config.user(&login(seen)).dbname(DATABASE);
        config.notice_callback(move |notice| {
            if let Ok(mut heard) = heard.lock() {
                heard.extend_from_slice(format!("{notice:?}\n").as_bytes());
            }
        });
        let client = config.connect(NoTls).unwrap_or_else(|error| panic!("{}: {error}", seen.name));
        Connection { client, notices }
    }
}

impl Connection {
    fn run(&mut self, texts: &[String]) -> Answer {
        let mut bytes = Vec::new();
        let mut rows = false;
        let mut denied = None;
        let _ = self.client.batch_execute("BEGIN");
        for text in texts {
            let error = match is_copy(text) {
                true => self.copy(text, &mut bytes).err(),
                false => self.query(text, &mut bytes, &mut rows).err(),
            };
            let Some(error) = error else { continue };
            if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                let message = error.as_db_error().map(|error| error.message().to_owned());
                denied = Some(format!("{}\n-- in\n{text}", message.unwrap_or_default()));
            }
            bytes.extend_from_slice(format!("{:?}", error.as_db_error()).as_bytes());
            break;
        }
        let _ = self.client.batch_execute("ROLLBACK");
        let _ = self.client.batch_execute("DISCARD ALL");
        if let Ok(mut notices) = self.notices.lock() {
            bytes.append(&mut notices);
        }
        if let Some(denied) = denied {
            return Answer::Found(denied);
        }
        let found = canary::find(&bytes[..bytes.len().min(LOOKED_THROUGH_MAX)]);
        match found.is_empty() {
            true => Answer::Harmless { rows },
            false => Answer::Found(format!("{found:?}")),
        }
    }

    fn query(
        &mut self,
        text: &str,
        bytes: &mut Vec<u8>,
        rows: &mut bool,
    ) -> Result<(), postgres::Error> {
        for message in self.client.simple_query(text)? {
            let SimpleQueryMessage::Row(row) = message else { continue };
            *rows = true;
            for at in 0..row.len() {
                if bytes.len() < LOOKED_THROUGH_MAX {
                    // A binary cursor gives what is no text, and this client nothing else; its texts are texts.
                    let value = row.try_get(at).ok().flatten().unwrap_or_default();
                    bytes.extend_from_slice(value.as_bytes());
                    bytes.push(b'\n');
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self, text: &str, bytes: &mut Vec<u8>) -> Result<(), postgres::Error> {
        use std::io::Read as _;
        let reader = self.client.copy_out(text)?;
        let _ = reader.take(LOOKED_THROUGH_MAX as u64).read_to_end(bytes);
        Ok(())
    }
}

fn is_copy(text: &str) -> bool {
    text.starts_with("COPY ")
}

/// Parameters become constants of unknown type.
fn without_parameters(text: &str) -> String {
    if !text.contains('$') {
        return text.to_owned();
    }
    let Ok(scanned) = pg_query::scan(text) else { return text.to_owned() };
    let mut replaced = String::with_capacity(text.len());
    let mut rest = 0;
    for token in scanned.tokens {
        let (start, end) = (token.start as usize, token.end as usize);
        let is_parameter = text.get(start..end).is_some_and(|piece| {
            piece.strip_prefix('$').is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if is_parameter {
            replaced.push_str(&text[rest..start]);
            replaced.push_str("'1'");
            rest = end;
        }
    }
    replaced.push_str(&text[rest..]);
    replaced
}

fn login(seen: &Seen) -> String {
    format!("watched_{}", seen.name)
}

/// SQL that makes the logins and the twins.
fn script(desk: &Desk) -> String {
    let mut script = String::from("SET client_min_messages = warning;\n");
    let mut twins: BTreeSet<(String, String)> = BTreeSet::new();
    for seen in &desk.roles {
        let login = login(seen);
        script.push_str(&format!("CREATE ROLE {login} LOGIN;\n"));
        script.push_str(&format!("ALTER ROLE {login} SET statement_timeout = {STATEMENT_MS};\n"));
        for (name, value) in key_settings(SAMPLE_PSEUDONYM_KEY.as_bytes()) {
            script.push_str(&format!("ALTER ROLE {login} SET {name} = '{value}';\n"));
        }
        script.push_str(&format!("GRANT USAGE ON SCHEMA public, catalog, trap TO {login};\n"));
        let relations = seen.view.snapshot().relations.values();
        for relation in relations.filter(|relation| !relation.is_system()) {
            if matches!(seen.view.access(relation.oid), Access::Open) {
                // FOR UPDATE needs the right to update.
                script
                    .push_str(&format!("GRANT SELECT, UPDATE ON {} TO {login};\n", full(relation)));
            }
        }
        for stand_in in &seen.stand_ins {
            let (schema, name) = (&stand_in.template.schema, &stand_in.template.name);
            twins.insert((schema.clone(), name.clone()));
        }
    }
    let schemas: BTreeSet<&str> = twins.iter().map(|(schema, _)| schema.as_str()).collect();
    for schema in schemas {
        script.push_str(&format!("CREATE SCHEMA \"twin_{schema}\";\n"));
        script.push_str(&format!("GRANT USAGE ON SCHEMA \"twin_{schema}\" TO PUBLIC;\n"));
    }
    for (schema, name) in &twins {
        let (from, twin) = (quoted(schema, name), quoted(&format!("twin_{schema}"), name));
        script.push_str(&format!("CREATE TABLE {twin} AS SELECT * FROM {from};\n"));
        script.push_str(&format!("GRANT SELECT, UPDATE ON {twin} TO PUBLIC;\n"));
    }
    script
}

fn full(relation: &Relation) -> String {
    quoted(&relation.schema, &relation.name)
}

fn quoted(schema: &str, name: &str) -> String {
    let quote = scrim::grammar::quote_identifier;
    format!("{}.{}", quote(schema), quote(name))
}
