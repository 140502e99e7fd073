//! A Parse that can be sent to any server connection, and the name that the statement has there. Pure.
//!
//! Server connections hold prepared statements for whoever sends the same text. PostgreSQL reads a literal when it
//! prepares (`'01/02/2026'::date` is a day by then), so a statement is the same only for sessions that would have it
//! read alike, and one whose literals mean another thing tomorrow (`'today'::date`) is nobody else's.
//!
//! INVARIANT: two statements of one name are of the same text and types, read under the same settings.
//!
//! The unnamed statement never has another name, and most texts come in it: a name is made when somebody asks for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ring::digest::{Context, SHA256};

use super::settings::Values;

/// How the names of shared statements begin; the client's may not.
pub const SHARED_NAME: &str = "scrim$";
/// How the names of those end that are nobody else's.
pub const PASSING: &str = "!";
/// Of the hash, in the name: two texts of one name are not to be found.
const SHARED_NAME_BYTES: usize = 16;

/// Settings by which no text is read, and that drivers and pools set each in its own way.
const INDIFFERENT: [&str; 8] = [
    "application_name",
    "bytea_output",
    "client_min_messages",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "statement_timeout",
];

/// What a literal may say of a day or time that is another one later.
/// <https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-SPECIAL-VALUES>
const PASSING_DAYS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];

/// A Parse that can be sent to any server connection of the session's kind.
#[derive(Clone)]
pub struct Source {
    /// The planned text.
    pub text: Arc<str>,
    /// Types of the parameters, as far as given.
    pub types: Arc<[u32]>,
    /// Settings when it was made.
    settings: Arc<BTreeMap<String, String>>,
    named: OnceLock<Named>,
}

/// What a statement is called.
#[derive(Clone)]
struct Named {
    /// Other than 0: of this statement alone.
    own: u64,
    /// Its name under the settings when it was made.
    name: Arc<str>,
}

impl Source {
    /// Of a Parse by a session with these settings.
    pub fn new(text: Arc<str>, types: Arc<[u32]>, values: &Values) -> Source {
        Source { text, types, settings: Arc::clone(&values.others), named: OnceLock::new() }
    }

    /// Its name on server connections, for a session with these settings.
    pub fn name(&self, values: &Values) -> Arc<str> {
        let is_same = Arc::ptr_eq(&self.settings, &values.others)
            || telling(&self.settings).eq(telling(&values.others));
        let Named { own, name } = self.named();
        match is_same {
            true => Arc::clone(name),
            false => name_of(&self.text, &self.types, *own, &values.others),
        }
    }

    fn named(&self) -> &Named {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        self.named.get_or_init(|| {
            let own = match self.is_lasting() {
                true => 0,
                false => NUMBER.fetch_add(1, Ordering::Relaxed),
            };
            Named { own, name: name_of(&self.text, &self.types, own, &self.settings) }
        })
    }

    /// True when it means the same whenever it is prepared.
    pub fn is_lasting(&self) -> bool {
        is_lasting(&self.text)
    }
}

/// Settings by which a text may be read one way or another.
fn telling(settings: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    settings.iter().filter(|(name, _)| {
        !INDIFFERENT.iter().any(|indifferent| name.eq_ignore_ascii_case(indifferent))
    })
}

fn name_of(text: &str, types: &[u32], own: u64, settings: &BTreeMap<String, String>) -> Arc<str> {
    let mut hash = Context::new(&SHA256);
    // Lengths and lists first: nothing runs into what follows it.
    for kind in types {
        hash.update(&kind.to_be_bytes());
    }
    // No text holds a zero byte.
    hash.update(&[0, 0, 0, 0, 0]);
    hash.update(text.as_bytes());
    hash.update(&[0]);
    hash.update(&own.to_be_bytes());
    for (name, set) in telling(settings) {
        for part in [name, set] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
    }
    let mut name = String::from(SHARED_NAME);
    for byte in hash.finish().as_ref().iter().take(SHARED_NAME_BYTES) {
        for digit in [byte >> 4, byte & 15] {
            name.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    name.into()
}

/// True where no literal of a planned text can name a passing day or time. A quote in a literal is written twice there, so
/// every second piece between quotes is one.
fn is_lasting(text: &str) -> bool {
    let literals = text.split('\'').skip(1).step_by(2);
    literals.into_iter().all(|literal| {
        let literal = literal.to_ascii_lowercase();
        !PASSING_DAYS.iter().any(|word| literal.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(settings: &[(&str, &str)]) -> Values {
        let others = settings.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        Values { others: Arc::new(others.collect()), ..Values::default() }
    }

    #[test]
    fn a_name_is_that_of_what_is_read_alike() {
        let plain = values(&[]);
        let source =
            |text: &str, types: &[u32], values| Source::new(text.into(), types.into(), values);
        let one = source("SELECT 1", &[], &plain);
        assert_eq!(one.name(&plain), source("SELECT 1", &[], &plain).name(&plain));
        assert_ne!(one.name(&plain), source("SELECT 2", &[], &plain).name(&plain));
        assert_ne!(one.name(&plain), source("SELECT 1", &[23], &plain).name(&plain));
        let timed = values(&[("statement_timeout", "SET statement_timeout TO '1s'")]);
        assert_eq!(one.name(&plain), one.name(&timed));
        let german = values(&[("DateStyle", "SET DateStyle TO 'German'")]);
        assert_ne!(one.name(&plain), one.name(&german));
        assert_eq!(one.name(&german), source("SELECT 1", &[], &german).name(&german));
    }

    #[test]
    fn what_names_a_passing_day_is_nobody_elses() {
        let plain = values(&[]);
        let is_shared = |text: &str| {
            let [one, two] = [(); 2].map(|()| Source::new(text.into(), Arc::default(), &plain));
            assert_eq!(one.is_lasting(), one.name(&plain) == two.name(&plain), "{text}");
            one.is_lasting()
        };
        for text in [
            "SELECT now(), 'it''s'",
            "SELECT today FROM t",
            "SELECT E'\\\\' , now(), 'x'",
            "SELECT '''', now, ''''",
        ] {
            assert!(is_shared(text), "{text}");
        }
        for text in [
            "SELECT 'today'::date",
            "SELECT ' Now '::timestamptz",
            "SELECT 'it''s', 'TOMORROW 12:00'::timestamp",
            "SELECT 'yesterday",
            "SELECT '''now'''",
        ] {
            assert!(!is_shared(text), "{text}");
        }
    }
}
