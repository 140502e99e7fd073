//! Lines of the trail whose parts have been written before: who a session is, and what a statement reads, are the same
//! from one execution to the next, and are most of a line.
//!
//! INVARIANT: a line is what serialising its record gives, to the byte. What is kept is found by its address, which is
//! nobody else's as long as it is kept, and nobody can change what is shared.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::to_writer;

use super::chain::now;
use super::record::{Record, SessionFacts, StatementFacts, StatementRecord};

/// Sessions of which something is kept; with more, all are written anew once.
const SESSIONS_MAX: usize = 4096;
/// Statements.
const STATEMENTS_MAX: usize = 1024;

/// What the writer has written before.
pub(super) struct Rendered {
    /// When the batch is written, which its lines say.
    time: String,
    sessions: Kept<SessionFacts>,
    statements: Kept<StatementFacts>,
}

impl Rendered {
    /// Nothing yet.
    pub(super) fn new() -> Rendered {
        Rendered {
            time: now(),
            sessions: Kept::new(SESSIONS_MAX),
            statements: Kept::new(STATEMENTS_MAX),
        }
    }

    /// Another batch begins.
    pub(super) fn begin(&mut self) {
        self.time = now();
    }

    /// Adds the line of a record, without its end, where it is of a kind of which there are many. `None`: it is not, or it
    /// has no JSON form, and what was added is to be taken away.
    pub(super) fn line(
        &mut self,
        record: &Record,
        sequence: u64,
        previous: &str,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        match record {
            Record::Statement(statement) => {
                self.begins(sequence, previous, out)?;
                out.extend_from_slice(b"\"event\":\"statement\",");
                out.extend_from_slice(self.sessions.members(&statement.facts)?);
                members(&Rest::of(statement), out)?;
                out.pop();
                out.push(b',');
                out.extend_from_slice(self.statements.members(&statement.about)?);
                out.push(b'}');
            }
            Record::Completed(outcome) => {
                self.begins(sequence, previous, out)?;
                out.extend_from_slice(b"\"event\":\"completed\"");
                members(outcome, out)?;
            }
            Record::Login { .. }
            | Record::Breach { .. }
            | Record::Found { .. }
            | Record::Recovered { .. }
            | Record::Rotated { .. }
            | Record::Reload { .. }
            | Record::ReloadRefused { .. }
            | Record::Grant(_)
            | Record::Console(_)
            | Record::Logout { .. } => return None,
        }
        Some(())
    }

    /// Nothing in it has to be escaped.
    fn begins(&self, sequence: u64, previous: &str, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(self.time.as_bytes());
        out.extend_from_slice(b"\",\"sequence\":");
        to_writer(&mut *out, &sequence).ok()?;
        out.extend_from_slice(b",\"previous\":\"");
        out.extend_from_slice(previous.as_bytes());
        out.extend_from_slice(b"\",");
        Some(())
    }
}

/// What of a statement's record is another one each time.
#[derive(Serialize)]
struct Rest<'a> {
    statement: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a std::collections::BTreeMap<String, String>>,
    verdict: super::record::Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
}

impl<'a> Rest<'a> {
    fn of(record: &'a StatementRecord) -> Rest<'a> {
        Rest {
            statement: record.statement,
            end_user: record.end_user.as_deref(),
            purpose: record.purpose.as_deref(),
            details: Some(&*record.details).filter(|details| !details.is_empty()),
            verdict: record.verdict,
            reason: record.reason,
            rule: record.rule.as_deref(),
        }
    }
}

/// Adds the members of an object to one that has some already, and its end.
fn members(object: &impl Serialize, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    to_writer(&mut *out, object).ok()?;
    *out.get_mut(start)? = b',';
    Some(())
}

/// Members of objects as JSON, by the object's address.
struct Kept<T> {
    most: usize,
    by_address: HashMap<usize, (Arc<T>, Box<[u8]>)>,
}

impl<T: Serialize> Kept<T> {
    fn new(most: usize) -> Kept<T> {
        Kept { most, by_address: HashMap::new() }
    }

    fn members(&mut self, object: &Arc<T>) -> Option<&[u8]> {
        let address = Arc::as_ptr(object).addr();
        if !self.by_address.contains_key(&address) {
            if self.by_address.len() >= self.most {
                self.by_address.clear();
            }
            let json = serde_json::to_vec(&**object).ok()?;
            let members = json.strip_prefix(b"{")?.strip_suffix(b"}")?;
            self.by_address.insert(address, (Arc::clone(object), members.into()));
        }
        self.by_address.get(&address).map(|(_, members)| &**members)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::chain::Link;
    use super::super::record::{KeysSeen, LookupMade, Outcome, RelationRead, RowsSeen, Verdict};
    use super::*;

    fn session(number: u64) -> Arc<SessionFacts> {
        Arc::new(SessionFacts {
            session: number,
            user: "al\"ice".into(),
            role: "support".into(),
            client: "127.0.0.1".into(),
            via: (number > 1).then(|| "10.0.0.1".into()),
            application: "\u{1}psql é".into(),
            database: "desk".into(),
            rules: "1".into(),
        })
    }

    fn statement(facts: &Arc<SessionFacts>, about: &Arc<StatementFacts>, full: bool) -> Record {
        let details = BTreeMap::from([("ticket".to_owned(), "4\\2".to_owned())]);
        Record::Statement(Box::new(StatementRecord {
            facts: Arc::clone(facts),
            statement: 17,
            end_user: full.then(|| "kim@corp".into()),
            purpose: full.then(|| "re\nfund".into()),
            details: if full { Arc::new(details) } else { Arc::default() },
            verdict: if full { Verdict::Refuse } else { Verdict::Rewrite },
            reason: full.then_some("function"),
            rule: full.then(|| "roles.yaml:3".into()),
            about: Arc::clone(about),
        }))
    }

    fn about(sql: &str) -> Arc<StatementFacts> {
        let relations = vec![RelationRead {
            relation: "public.customers".into(),
            clear: vec!["id".into()],
            masked: serde_json::Map::from_iter([("email".to_owned(), "email".into())]),
        }];
        let lookup = LookupMade { relation: "public.c".into(), column: "phone".into(), values: 2 };
        let facts = StatementFacts { relations, ..StatementFacts::of_shape(sql.into()) };
        facts.fingerprint.get_or_init(|| "00ff".into());
        Arc::new(StatementFacts { lookups: vec![lookup], ..facts })
    }

    #[test]
    fn a_line_of_parts_is_the_line_that_serialising_gives() {
        let (sessions, texts) =
            ([session(1), session(2)], [about("SELECT ?"), about("SELECT \"ü\"")]);
        let mut records = Vec::new();
        // Each twice: as it is written first, and from what is kept.
        for _ in 0..2 {
            for facts in &sessions {
                for about in &texts {
                    records.extend([false, true].map(|full| statement(facts, about, full)));
                }
            }
            for error in [None, Some("57014".to_owned())] {
                let (session, statement) = (u64::MAX, 3);
                let (rows, bytes, duration_us) = (0, 12, 345);
                let seen = RowsSeen {
                    relation: "public.\"c\"".into(),
                    columns: ["id".to_owned()].into(),
                    keys: KeysSeen::These(vec![vec!["4\n2".into()], vec!["a".into(), "b".into()]]),
                    more: 1,
                    masked: serde_json::Map::new(),
                    clear: Vec::new(),
                };
                let unknown = RowsSeen { keys: KeysSeen::Unknown, more: 0, ..seen.clone() };
                let rows_seen = error.is_none().then(|| vec![seen, unknown]);
                let outcome =
                    Outcome { session, statement, rows, bytes, duration_us, error, rows_seen };
                records.push(Record::Completed(outcome));
            }
        }
        records.push(Record::Logout { facts: session(3) });
        let (mut parts, mut whole) = (Vec::new(), Vec::new());
        let (mut by_parts, mut by_whole) = (Link::first(), Link::first());
        let mut rendered = Rendered::new();
        for record in &records {
            by_parts.append_rendered(record, &mut rendered, &mut parts);
            by_whole.append_at(record, &rendered.time, &mut whole);
        }
        // The last line is not of parts, and has a time of its own.
        let but_last = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.lines().take(records.len() - 1).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(but_last(&parts), but_last(&whole));
        assert_eq!(super::super::verify_chain(parts.as_slice()).unwrap(), records.len());
    }

    #[test]
    fn what_is_kept_is_bounded_and_nobody_elses() {
        let mut kept = Kept::new(2);
        for number in 0..10 {
            // Freed at once but for what is kept: addresses come again.
            let facts = session(number);
            let expected = serde_json::to_string(&*facts).unwrap();
            let members = kept.members(&facts).unwrap();
            assert_eq!(format!("{{{}}}", std::str::from_utf8(members).unwrap()), expected);
            assert!(kept.by_address.len() <= 2);
        }
    }
}
