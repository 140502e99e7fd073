//! Who saw what of one row: of a customer, by the key.
//!
//! Three kinds of sightings, and they are never mixed. *Seen*: the key of the row went to the client, by the record of the
//! statement's end. *Opened*: a grant opened the row to the session, and the statement mentioned what it opened. *Possible*:
//! the statement read the relation, and which rows it showed is not on record.
//!
//! Sessions are numbered anew when Scrim starts, so a login ends what was kept of an older one with its number.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::entry::{Entry, Event, Keys, Mask, Read, RowsSeen, Statement};
use super::tally::Question;
use super::words::{Language, Sentence, Word};

/// Sightings that are listed one by one; of more only the number is told.
const LISTED_MAX: usize = 10_000;

/// The row that is asked for.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The database.
    pub database: String,
    /// `schema.name`
    pub relation: String,
    /// The columns of its key.
    pub key_columns: Vec<String>,
    /// The key, part by part, as the trail writes it.
    pub key: Vec<String>,
    /// Relations in which the same row stands (itself, parents, children): its key there, or that there is no such key.
    pub family: BTreeMap<String, Option<Vec<String>>>,
    /// Views and materialised views that read one of those.
    pub views: BTreeSet<String>,
    /// What a reader has to know.
    pub notes: Vec<Sentence>,
    /// No role has `audit_rows`.
    pub is_unwatched: bool,
}

/// What is told of it.
#[derive(Debug, Serialize)]
pub struct SubjectTold {
    pub(super) relation: String,
    pub(super) key_columns: Vec<String>,
    pub(super) key: Vec<String>,
    pub(super) seen: Vec<Seen>,
    /// Sightings beyond those that are listed.
    pub(super) seen_not_listed: u64,
    pub(super) opened: Vec<OpenedTo>,
    pub(super) opened_not_listed: u64,
    pub(super) possible: Vec<Possible>,
    /// Why nothing can be on record.
    pub(super) nothing: Option<Word>,
    #[serde(skip)]
    pub(super) notes: Vec<Sentence>,
}

/// A statement that was shown the row.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    pub(super) time: String,
    #[serde(flatten)]
    pub(super) by: By,
    pub(super) client: String,
    pub(super) session: u64,
    pub(super) statement: u64,
    pub(super) relation: String,
    /// Columns of the relation that the statement mentions: shown, or gone by.
    #[serde(flatten)]
    pub(super) columns: Columns,
    /// Those of them that the result has as they come from the row, masked on the way at most.
    pub(super) in_result: BTreeSet<String>,
    pub(super) sql: String,
    pub(super) rules: String,
}

/// A statement that could see the row by a grant.
#[derive(Debug, Clone, Serialize)]
pub struct OpenedTo {
    pub(super) time: String,
    #[serde(flatten)]
    pub(super) by: By,
    pub(super) grant: u64,
    pub(super) relation: String,
    pub(super) columns: BTreeSet<String>,
    pub(super) sql: String,
}

/// Statements that may have shown the row.
#[derive(Debug, Clone, Serialize)]
pub struct Possible {
    #[serde(flatten)]
    pub(super) by: By,
    pub(super) why: Word,
    pub(super) relation: String,
    pub(super) statements: u64,
    pub(super) first: String,
    pub(super) last: String,
    #[serde(flatten)]
    pub(super) columns: Columns,
}

/// Who, for whom and for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct By {
    pub(super) user: String,
    pub(super) role: String,
    pub(super) end_user: Option<String>,
    pub(super) purpose: Option<String>,
}

/// Columns, by how they were seen.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Columns {
    pub(super) clear: BTreeSet<String>,
    /// Name → masks.
    pub(super) masked: BTreeMap<String, BTreeSet<String>>,
}

impl Columns {
    fn add(&mut self, clear: &[String], masked: &BTreeMap<String, Mask>) {
        self.clear.extend(clear.iter().cloned());
        for (name, mask) in masked {
            let mask = match mask {
                Mask::Called(mask) => mask.clone(),
                Mask::Other(_) => Word::NewerMask.of(Language::English).to_owned(),
            };
            self.masked.entry(name.clone()).or_default().insert(mask);
        }
    }
}

/// A statement that has not ended.
#[derive(Debug)]
struct Running {
    time: Timestamp,
    by: By,
    client: String,
    rules: String,
    shape: String,
    reads: Vec<Read>,
    /// It puts what it reads somewhere, or gives it later.
    keeps: bool,
}

/// Who, why it is possible, and the relation.
type PossibleKey = (By, Word, String);

/// Everything that is found.
#[derive(Debug)]
pub struct Sightings {
    subject: Subject,
    running: HashMap<u64, HashMap<u64, Running>>,
    seen: Vec<Seen>,
    seen_not_listed: u64,
    opened: Vec<OpenedTo>,
    opened_not_listed: u64,
    possible: BTreeMap<PossibleKey, (u64, Timestamp, Timestamp, Columns)>,
    has_rows: bool,
}

impl Sightings {
    /// Of nothing yet.
    pub fn new(subject: Subject) -> Sightings {
        Sightings {
            subject,
            running: HashMap::new(),
            seen: Vec::new(),
            seen_not_listed: 0,
            opened: Vec::new(),
            opened_not_listed: 0,
            possible: BTreeMap::new(),
            has_rows: false,
        }
    }

    /// One record more.
    pub(super) fn add(&mut self, entry: &Entry, question: &Question) {
        match &entry.event {
            Event::Statement(statement) => {
                let who = &statement.who;
                if question.is_in_period(entry.time)
                    && question.is_of(&who.user, &who.role)
                    && who.database == self.subject.database
                    && !statement.is_refused
                {
                    self.begun(entry.time, statement);
                }
            }
            Event::Completed { session, statement, rows, rows_seen, .. } => {
                let of_session = self.running.get_mut(session);
                if let Some(running) = of_session.and_then(|all| all.remove(statement)) {
                    self.ended((*session, *statement), &running, *rows, rows_seen.as_deref());
                }
            }
            Event::Login { who, .. } => self.is_over(who.session),
            Event::Logout { session } => self.is_over(*session),
            Event::Breach { .. }
            | Event::Found { .. }
            | Event::Grant { .. }
            | Event::Reload { .. }
            | Event::OfTrail
            | Event::Unknown => {}
        }
    }

    fn begun(&mut self, time: Timestamp, statement: &Statement) {
        let by = By {
            user: statement.who.user.clone(),
            role: statement.who.role.clone(),
            end_user: statement.end_user.clone(),
            purpose: statement.purpose.clone(),
        };
        self.opened_to(time, &by, statement);
        let is_about = |relation: &str| {
            self.subject.family.contains_key(relation) || self.subject.views.contains(relation)
        };
        let reads = statement.reads.iter().filter(|read| is_about(&read.relation)).cloned();
        let word = statement.shape.split_whitespace().next().unwrap_or_default();
        let keeps = statement.writes > 0
            || ["DECLARE", "CREATE", "INSERT"].iter().any(|one| word.eq_ignore_ascii_case(one))
            || statement.shape.to_ascii_uppercase().contains(" INTO ");
        let running = Running {
            time,
            by,
            client: statement.who.client.clone(),
            rules: statement.who.rules.clone(),
            shape: statement.shape.clone(),
            reads: reads.collect(),
            keeps,
        };
        let of_session = self.running.entry(statement.who.session).or_default();
        of_session.insert(statement.statement, running);
    }

    fn opened_to(&mut self, time: Timestamp, by: &By, statement: &Statement) {
        let mut by_grant: BTreeMap<(u64, &str), BTreeSet<String>> = BTreeMap::new();
        for cells in &statement.opened {
            let key = self.subject.family.get(&cells.relation).and_then(Option::as_ref);
            // A grant's keys are one text each.
            if key.is_some_and(|key| cells.keys.contains(&key.join(","))) {
                let columns = by_grant.entry((cells.grant, &cells.relation)).or_default();
                columns.insert(cells.column.clone());
            }
        }
        for ((grant, relation), columns) in by_grant {
            if self.opened.len() >= LISTED_MAX {
                self.opened_not_listed = self.opened_not_listed.saturating_add(1);
                continue;
            }
            self.opened.push(OpenedTo {
                time: told(time),
                by: by.clone(),
                grant,
                relation: relation.to_owned(),
                columns,
                sql: statement.shape.clone(),
            });
        }
    }

    fn ended(&mut self, place: (u64, u64), run: &Running, rows: u64, seen: Option<&[RowsSeen]>) {
        let Some(seen) = seen else {
            // Of a role without `audit_rows`.
            if rows > 0 || run.keeps {
                self.may_be(run, Word::NoAuditRows);
            }
            return;
        };
        self.has_rows = true;
        let mut doubts: Vec<(&RowsSeen, Word)> = Vec::new();
        let mut is_certain = false;
        for rows in seen {
            let Some(key) = self.subject.family.get(&rows.relation) else {
                if self.subject.views.contains(&rows.relation) {
                    doubts.push((rows, Word::ByAView));
                }
                continue;
            };
            match (&rows.keys, key) {
                (Keys::Unknown(_), _) => doubts.push((rows, Word::KeysDoNotComeOut)),
                (Keys::These(_), None) => doubts.push((rows, Word::ByAnotherKey)),
                (Keys::These(keys), Some(key)) if keys.iter().any(|one| one.is(key)) => {
                    is_certain = true;
                    self.seen(place, run, rows);
                }
                (Keys::These(_), Some(_)) if rows.more > 0 => doubts.push((rows, Word::RowsBeyond)),
                (Keys::These(_), Some(_)) => {}
            }
        }
        if is_certain {
            return;
        }
        for (rows, why) in doubts {
            let columns = columns(run, rows);
            self.possible(run, why, &rows.relation, &columns);
        }
    }

    fn seen(&mut self, (session, statement): (u64, u64), run: &Running, rows: &RowsSeen) {
        if self.seen.len() >= LISTED_MAX {
            self.seen_not_listed = self.seen_not_listed.saturating_add(1);
            return;
        }
        self.seen.push(Seen {
            time: told(run.time),
            by: run.by.clone(),
            client: run.client.clone(),
            session,
            statement,
            relation: rows.relation.clone(),
            columns: columns(run, rows),
            in_result: rows.columns.iter().cloned().collect(),
            sql: run.shape.clone(),
            rules: run.rules.clone(),
        });
    }

    /// Whatever it reads of the subject, it may have shown.
    fn may_be(&mut self, run: &Running, why: Word) {
        for read in &run.reads {
            let is_view = self.subject.views.contains(&read.relation);
            let mut columns = Columns::default();
            columns.add(&read.clear, &read.masked);
            self.possible(run, if is_view { Word::ByAView } else { why }, &read.relation, &columns);
        }
    }

    fn possible(&mut self, run: &Running, why: Word, relation: &str, columns: &Columns) {
        let key = (run.by.clone(), why, relation.to_owned());
        let found = self.possible.entry(key);
        let one = found.or_insert_with(|| (0, run.time, run.time, Columns::default()));
        let (statements, first, last, all) = one;
        *statements = statements.saturating_add(1);
        *first = run.time.min(*first);
        *last = run.time.max(*last);
        all.clear.extend(columns.clear.iter().cloned());
        for (name, masks) in &columns.masked {
            all.masked.entry(name.clone()).or_default().extend(masks.iter().cloned());
        }
    }

    /// What a session has not ended will not end any more.
    fn is_over(&mut self, session: u64) {
        for run in self.running.remove(&session).into_iter().flat_map(HashMap::into_values) {
            self.may_be(&run, Word::NoEndOnRecord);
        }
    }

    /// The trail is read.
    pub(super) fn end(&mut self) {
        let sessions: Vec<u64> = self.running.keys().copied().collect();
        sessions.into_iter().for_each(|session| self.is_over(session));
    }

    /// The figures on top: statements that showed it, by how many users, and statements that may have.
    pub(super) fn told(&self) -> SubjectTold {
        let possible = self.possible.iter().map(|((by, why, relation), found)| {
            let (statements, first, last, columns) = found;
            Possible {
                by: by.clone(),
                why: *why,
                relation: relation.clone(),
                statements: *statements,
                first: told(*first),
                last: told(*last),
                columns: columns.clone(),
            }
        });
        let is_nothing = self.subject.is_unwatched && !self.has_rows;
        SubjectTold {
            relation: self.subject.relation.clone(),
            key_columns: self.subject.key_columns.clone(),
            key: self.subject.key.clone(),
            seen: self.seen.clone(),
            seen_not_listed: self.seen_not_listed,
            opened: self.opened.clone(),
            opened_not_listed: self.opened_not_listed,
            possible: possible.collect(),
            nothing: is_nothing.then_some(Word::NothingOnRecord),
            notes: self.subject.notes.clone(),
        }
    }
}

/// What the statement mentions of the relation; of a FETCH the record itself says it.
fn columns(run: &Running, rows: &RowsSeen) -> Columns {
    let mut columns = Columns::default();
    columns.add(&rows.clear, &rows.masked);
    for read in run.reads.iter().filter(|read| read.relation == rows.relation) {
        columns.add(&read.clear, &read.masked);
    }
    // Of what is written and returned no read is on record.
    let unmentioned = rows.columns.iter().filter(|name| !columns.masked.contains_key(*name));
    let unmentioned: Vec<String> = unmentioned.cloned().collect();
    columns.clear.extend(unmentioned);
    columns
}

fn told(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
