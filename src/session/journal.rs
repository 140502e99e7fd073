//! What a session tells the audit, and counts: a record before each statement, one after it.
//!
//! Numbers its statements and remembers when each began. Texts come in as shapes, never with literals.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pipeline::Event;
use super::settings::Values;
use crate::audit::{
    Audit, NotAccepted, Outcome, ReadBy, Record, SessionFacts, StatementFacts, StatementRecord,
    Verdict,
};
use crate::metrics::Metrics;
use crate::sql::{Reading, Reason, Refusal};
use crate::telemetry::{Begun, Ended, SessionTrace, StatementTrace};

/// A session's side of the audit trail.
pub struct Journal {
    audit: Audit,
    metrics: Arc<Metrics>,
    facts: Arc<SessionFacts>,
    statements: u64,
    began: HashMap<u64, Began>,
    /// Rarely there, so an idle session holds no room for it.
    trace: Option<Box<SessionTrace>>,
    /// How long the text took from which the next statement is.
    planning: Option<Duration>,
}

/// A statement under way.
struct Began {
    at: Instant,
    trace: Option<Box<StatementTrace>>,
}

impl Journal {
    /// For a session that begins.
    pub fn new(audit: Audit, metrics: Arc<Metrics>, facts: Arc<SessionFacts>) -> Journal {
        let began = HashMap::new();
        Journal { audit, metrics, facts, statements: 0, began, trace: None, planning: None }
    }

    /// Spans are made of it too.
    pub fn trace(&mut self, trace: Option<SessionTrace>) {
        self.trace = trace.map(Box::new);
    }

    /// A text has been planned. `is_next`: the statement that comes next is of it.
    pub fn planned(&mut self, took: Duration, is_next: bool) {
        self.metrics.planning.observe(took);
        self.planning = is_next.then_some(took);
    }

    /// From now on by rules of this version.
    pub fn follow(&mut self, rules: &str) {
        let facts = SessionFacts::clone(&self.facts);
        self.facts = Arc::new(SessionFacts { rules: rules.to_owned(), ..facts });
    }

    /// The login was good.
    pub async fn login(&self) -> Result<(), NotAccepted> {
        let facts = Arc::clone(&self.facts);
        self.audit.accept(Record::Login { facts, refused: None }).await?;
        self.metrics.logins.inc();
        Ok(())
    }

    /// A statement is about to be sent: gives its number, or it must not be.
    pub async fn accept(
        &mut self,
        statement: &Arc<StatementFacts>,
        values: &Values,
    ) -> Result<u64, NotAccepted> {
        let verdict = if statement.rewritten { Verdict::Rewrite } else { Verdict::Forward };
        let record = self.record(Arc::clone(statement), values, verdict);
        let number = record.statement;
        self.audit.accept(Record::Statement(Box::new(record))).await?;
        let trace = self.begin(number, verdict, None, statement);
        self.began.insert(number, Began { at: Instant::now(), trace });
        let sent =
            if statement.rewritten { &self.metrics.rewritten } else { &self.metrics.forwarded };
        sent.inc();
        let masked = u64::try_from(masked_columns(statement)).unwrap_or(u64::MAX);
        self.metrics.masked_columns.inc_by(masked);
        let opened = statement.opened.iter().filter_map(|cells| cells.cells);
        self.metrics.cells_opened.inc_by(opened.fold(0, u64::saturating_add));
        Ok(number)
    }

    /// A statement has been refused. It is not sent, whether the record is accepted or not.
    pub async fn refuse(&mut self, shape: String, values: &Values, refusal: &Refusal) {
        self.metrics.refusal(refusal.reason.word());
        let reading = refusal.reading.map(read_by);
        let about = StatementFacts { reading, ..StatementFacts::of_shape(shape) };
        let reason = Some(refusal.reason.word());
        let record = StatementRecord {
            reason,
            rule: refusal.rule.as_ref().map(ToString::to_string),
            ..self.record(Arc::new(about), values, Verdict::Refuse)
        };
        let trace = self.begin(record.statement, Verdict::Refuse, reason, &record.about);
        if let Some(trace) = trace {
            trace.refused(refusal.code);
        }
        let accepted = self.audit.accept(Record::Statement(Box::new(record))).await;
        self.note(accepted);
    }

    fn begin(
        &mut self,
        number: u64,
        verdict: Verdict,
        reason: Option<&'static str>,
        about: &StatementFacts,
    ) -> Option<Box<StatementTrace>> {
        let trace = self.trace.as_mut()?;
        let read = || about.relations.iter().map(|read| read.relation.clone());
        let written = || about.writes.iter().map(|write| write.relation.clone());
        let begun = Begun {
            verdict: verdict.word(),
            kind: about.kind,
            reason,
            planning: self.planning.take(),
            relations: &|| read().chain(written()).collect(),
            masked_columns: masked_columns(about),
        };
        trace.statement(number, begun)
    }

    fn record(
        &mut self,
        about: Arc<StatementFacts>,
        values: &Values,
        verdict: Verdict,
    ) -> StatementRecord {
        self.statements = self.statements.saturating_add(1);
        StatementRecord {
            facts: Arc::clone(&self.facts),
            statement: self.statements,
            end_user: values.end_user.clone(),
            purpose: values.purpose.clone(),
            details: Arc::clone(&values.details),
            verdict,
            reason: None,
            rule: None,
            about,
        }
    }

    /// A session that is idle for long keeps no more than it needs.
    pub fn give_room_back(&mut self) {
        self.began.shrink_to_fit();
    }

    /// What the pipeline has seen.
    pub async fn tell(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            let record = match event {
                Event::Completed { statement, rows, bytes, error, rows_seen } => {
                    let began = self.began.remove(&statement);
                    let took = began.as_ref().map(|it| it.at.elapsed()).unwrap_or_default();
                    if let Some(trace) = began.and_then(|began| began.trace) {
                        let error = error.as_deref();
                        trace.ended(Ended { rows, bytes, upstream: took, error });
                    }
                    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                    self.metrics.upstream.observe(took);
                    self.metrics.rows.inc_by(rows);
                    self.metrics.row_bytes.inc_by(bytes);
                    if error.is_some() {
                        self.metrics.failed.inc();
                    }
                    let session = self.facts.session;
                    let outcome =
                        Outcome { session, statement, rows, bytes, duration_us, error, rows_seen };
                    Record::Completed(outcome)
                }
                Event::Breach { statement, breach } => {
                    self.metrics.alarms.inc();
                    tracing::error!(
                        session = self.facts.session,
                        statement,
                        table = breach.table,
                        column = breach.column,
                        "ALARM: the guard stopped a result"
                    );
                    let (table, column) = (breach.table, breach.column);
                    Record::Breach { facts: Arc::clone(&self.facts), statement, table, column }
                }
                Event::Found { statement, position, kind, then } => {
                    let (kind, then) = (kind.name(), then.word());
                    self.metrics.found.inc();
                    tracing::warn!(
                        session = self.facts.session,
                        statement,
                        position,
                        kind,
                        then,
                        "the guard of the role has found something in a result"
                    );
                    Record::Found {
                        facts: Arc::clone(&self.facts),
                        statement,
                        position,
                        kind,
                        then,
                    }
                }
            };
            let accepted = self.audit.accept(record).await;
            self.note(accepted);
        }
    }

    /// The session is over.
    pub async fn logout(&self) {
        let facts = Arc::clone(&self.facts);
        let accepted = self.audit.accept(Record::Logout { facts }).await;
        self.note(accepted);
    }

    /// What has happened cannot be undone for want of a record; the log says that one is missing.
    fn note(&self, accepted: Result<(), NotAccepted>) {
        if let Err(error) = accepted {
            let session = self.facts.session;
            tracing::error!(session, %error, "a record is missing in the audit trail");
        }
    }
}

fn masked_columns(about: &StatementFacts) -> usize {
    let masked = about.relations.iter().map(|read| read.masked.len());
    masked.fold(0, usize::saturating_add)
}

/// As the audit says it.
pub fn read_by(reading: Reading) -> ReadBy {
    ReadBy { reader: reading.reader.word(), construct: reading.construct }
}

/// The audit trail cannot take a statement's record, so the statement is not sent.
pub fn not_accepted(error: &NotAccepted) -> Refusal {
    Refusal {
        code: "53400",
        message: "scrim: the audit trail cannot take the record of this statement".to_owned(),
        hint: Some(format!("{error}; statements are refused until it is well again")),
        position: None,
        reason: Reason::Protocol,
        rule: None,
        reading: None,
    }
}
