//! What a client sends, message by message: planned, recorded, and sent on.
//!
//! INVARIANT: no byte of a statement that was refused is ever written to the server; in its place goes a text that
//! cannot parse, and the server's error is replaced by ours. Transaction state, skip to Sync and the order of
//! replies are then the server's own.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::pipeline::{Awaited, Expected, Run};
use super::serving::{End, Session};
use super::statements::Prepared;
use crate::audit::{Record, RelationRead, StatementRecord, Verdict};
use crate::grammar;
use crate::policy::RoleView;
use crate::sql::{self, Effect, Plan, PlannedStatement, Reason, Refusal, Speaker, StatementKind};
use crate::wire::reader::{self, Malformed, Named};
use crate::wire::writer::{self, ErrorMessage};
use crate::wire::{Frame, Piece};

/// A text that PostgreSQL's grammar does not take.
const POISON: &str = "scrim refused this statement";

/// The name under which a poisoned statement is parsed; it never comes to exist.
const POISON_NAME: &str = "scrim$refused";

impl From<Malformed> for End {
    fn from(malformed: Malformed) -> End {
        if malformed.utf8 {
            End::Protocol("22021", "invalid byte sequence for encoding \"UTF8\"".to_owned())
        } else {
            End::Protocol("08P01", format!("invalid message format: {}", malformed.what))
        }
    }
}

impl Session {
    /// A piece of what the client sends.
    pub(super) async fn hear_client(&mut self, piece: Piece) -> Result<(), End> {
        match piece {
            Piece::Whole(frame) if self.is_masked => self.masked_frame(frame).await,
            Piece::Whole(frame) => self.untouched_frame(frame).await,
            Piece::Start { tag, bytes } => self.start_of_long(tag, bytes).await,
            Piece::More { bytes, last } => {
                match self.swallowing {
                    Some(tag) if last => {
                        self.swallowing = None;
                        self.refuse_long(tag).await?;
                    }
                    Some(_) => {}
                    None => self.to_server.extend_from_slice(&bytes),
                }
                Ok(())
            }
        }
    }

    async fn masked_frame(&mut self, frame: Frame) -> Result<(), End> {
        let body = frame.body();
        match frame.tag() {
            b'Q' => {
                let text = reader::Query::read(body)?.text.to_owned();
                self.query(&text).await
            }
            b'P' => self.parse(body).await,
            b'B' => {
                let head = reader::Bind::read(body)?.head;
                self.bind(head.portal, head.statement);
                self.forward(frame.into_bytes());
                Ok(())
            }
            b'D' => {
                let describe = reader::Describe::read(body)?;
                let (awaited, prepared) = match describe.kind {
                    Named::Statement => {
                        (Awaited::DescribeStatement, self.names.statement(describe.name))
                    }
                    Named::Portal => (Awaited::DescribePortal, self.names.portal(describe.name)),
                };
                self.expect(Expected { prepared, ..Expected::new(awaited) });
                self.forward(frame.into_bytes());
                Ok(())
            }
            b'E' => self.execute(frame).await,
            b'C' => {
                let close = reader::Close::read(body)?;
                let undo = match close.kind {
                    Named::Statement => self.names.set_statement(close.name, None),
                    Named::Portal => self.names.set_portal(close.name, None),
                };
                self.expect(Expected { undo: Some(undo), ..Expected::new(Awaited::Close) });
                self.forward(frame.into_bytes());
                Ok(())
            }
            b'S' => {
                reader::nothing(body, "Sync")?;
                self.expect(Expected::new(Awaited::Sync));
                self.forward(frame.into_bytes());
                Ok(())
            }
            b'H' => {
                reader::nothing(body, "Flush")?;
                self.forward(frame.into_bytes());
                Ok(())
            }
            b'F' => {
                let refusal = refusal(
                    "42501",
                    Reason::Protocol,
                    "scrim: the function-call message is not allowed for this role",
                    Some("call the function in a SELECT"),
                );
                self.refuse_query("", refusal).await
            }
            // Outside COPY, PostgreSQL ignores these; a masked role is never in COPY.
            b'd' | b'c' | b'f' => Ok(()),
            b'X' => Err(End::Client),
            tag => {
                let message = format!("unexpected message type {:?}", char::from(tag));
                Err(End::Protocol("08P01", message))
            }
        }
    }

    /// Everything passes as it came; statements are looked at for the audit.
    async fn untouched_frame(&mut self, frame: Frame) -> Result<(), End> {
        let body = frame.body();
        match frame.tag() {
            b'Q' => {
                let shape = reader::Query::read(body)
                    .map_or_else(|_| "<unreadable>".to_owned(), |query| grammar::shape(query.text));
                let record = self.record(shape, Verdict::Forward, Vec::new());
                match self.accept(record).await {
                    Ok(run) => {
                        let runs = [run].into();
                        self.expect(Expected { runs, ..Expected::new(Awaited::Simple) });
                    }
                    Err(refusal) => return self.answer_or_poison(refusal),
                }
            }
            b'P' => {
                if let Ok(parse) = reader::Parse::read(body) {
                    let shape = grammar::shape(parse.text);
                    let prepared =
                        Prepared::new(shape, Verdict::Forward, Vec::new(), Effect::None, false);
                    let undo = self.names.set_statement(parse.name, Some(Arc::new(prepared)));
                    let undo = Some(undo);
                    self.expect(Expected { undo, ..Expected::new(Awaited::Parse) });
                } else {
                    self.expect(Expected::new(Awaited::Parse));
                }
            }
            b'B' => match reader::BindHead::read(body) {
                Ok(head) => self.bind(head.portal, head.statement),
                Err(_) => self.expect(Expected::new(Awaited::Bind)),
            },
            b'D' => {
                let awaited = match reader::Describe::read(body).map(|describe| describe.kind) {
                    Ok(Named::Portal) => Awaited::DescribePortal,
                    Ok(Named::Statement) | Err(_) => Awaited::DescribeStatement,
                };
                self.expect(Expected::new(awaited));
            }
            b'E' => {
                let portal = reader::Execute::read(body).map(|execute| execute.portal.to_owned());
                let prepared = portal.ok().and_then(|portal| self.names.portal(&portal));
                let shape =
                    prepared.map_or_else(|| "<unknown portal>".to_owned(), |p| p.shape.clone());
                let record = self.record(shape, Verdict::Forward, Vec::new());
                match self.accept(record).await {
                    Ok(run) => {
                        let runs = [run].into();
                        self.expect(Expected { runs, ..Expected::new(Awaited::Execute) });
                    }
                    Err(refusal) => {
                        self.poison_unit(&refusal);
                        return Ok(());
                    }
                }
            }
            b'C' => self.expect(Expected::new(Awaited::Close)),
            b'S' if !self.copying_in => self.expect(Expected::new(Awaited::Sync)),
            b'F' => self.expect(Expected::new(Awaited::Simple)),
            b'X' => return Err(End::Client),
            _ => {}
        }
        self.forward(frame.into_bytes());
        Ok(())
    }

    /// A message too long to hold: values stream through, statements are swallowed and refused.
    async fn start_of_long(&mut self, tag: u8, bytes: Bytes) -> Result<(), End> {
        match tag {
            b'B' => {
                let body = bytes.get(5..).unwrap_or_default();
                let head = reader::BindHead::read(body)?;
                self.bind(head.portal, head.statement);
                self.forward(bytes);
                Ok(())
            }
            _ if self.is_masked => {
                self.swallowing = Some(tag);
                Ok(())
            }
            b'Q' | b'F' => {
                let record = self.record("<too long>".into(), Verdict::Forward, Vec::new());
                let runs = self.accept(record).await.ok().into_iter().collect();
                self.expect(Expected { runs, ..Expected::new(Awaited::Simple) });
                self.forward(bytes);
                Ok(())
            }
            b'P' => {
                self.expect(Expected::new(Awaited::Parse));
                self.forward(bytes);
                Ok(())
            }
            _ => {
                self.forward(bytes);
                Ok(())
            }
        }
    }

    async fn refuse_long(&mut self, tag: u8) -> Result<(), End> {
        let refusal = refusal(
            "54000",
            Reason::TooLarge,
            "scrim: the statement is too long",
            Some("statements of up to 1 MiB are read"),
        );
        match tag {
            b'P' => {
                self.record_refusal("<too long>", &refusal).await;
                self.poison_unit(&refusal);
                Ok(())
            }
            b'd' => Ok(()),
            _ => self.refuse_query("<too long>", refusal).await,
        }
    }

    async fn query(&mut self, text: &str) -> Result<(), End> {
        let (plan, view) = match self.plan(text).await {
            Ok(planned) => planned,
            Err(refusal) => return self.refuse_query(&grammar::shape(text), refusal).await,
        };
        let mut runs = std::collections::VecDeque::new();
        for statement in &plan.statements {
            let (verdict, relations) = facts_of(statement);
            let record = self.record(grammar::shape(&statement.canonical), verdict, relations);
            match self.accept(record).await {
                Ok(run) => runs.push_back(Run { effect: statement.effect.clone(), ..run }),
                Err(refusal) => return self.answer_or_poison(refusal),
            }
        }
        let texts: Vec<&str> = plan.statements.iter().map(|s| s.sql.as_str()).collect();
        self.view = Some(view);
        self.send(|out| writer::query(out, &texts.join("; ")))?;
        self.expect(Expected { runs, ..Expected::new(Awaited::Simple) });
        Ok(())
    }

    async fn parse(&mut self, body: &[u8]) -> Result<(), End> {
        let parse = reader::Parse::read(body)?;
        let planned = match self.plan(parse.text).await {
            Ok((plan, _)) if plan.statements.len() > 1 => Err(refusal(
                "42601",
                Reason::Syntax,
                "cannot insert multiple commands into a prepared statement",
                None,
            )),
            Ok(_) if self.names.is_full() => Err(refusal(
                "53000",
                Reason::Protocol,
                "scrim: too many prepared statements in one session",
                Some("close statements that are no longer used"),
            )),
            Ok(planned) => Ok(planned),
            Err(refusal) => Err(refusal),
        };
        let (plan, view) = match planned {
            Ok(planned) => planned,
            Err(refusal) => {
                self.record_refusal(&grammar::shape(parse.text), &refusal).await;
                self.poison_unit(&refusal);
                return Ok(());
            }
        };
        self.view = Some(view);
        let statement = plan.statements.first();
        let text = statement.map_or("", |statement| statement.sql.as_str());
        let gives_rows = statement.is_some_and(|statement| {
            matches!(statement.kind, StatementKind::Select | StatementKind::Show)
        });
        let (verdict, relations) = statement.map_or((Verdict::Forward, Vec::new()), facts_of);
        let prepared = Arc::new(Prepared::new(
            grammar::shape(parse.text),
            verdict,
            relations,
            statement.map_or(Effect::None, |statement| statement.effect.clone()),
            statement.is_some_and(|statement| statement.kind == StatementKind::Select),
        ));
        // A name that is taken stays what it is, unless the server takes the new statement all the same.
        let is_taken = !parse.name.is_empty() && self.names.statement(parse.name).is_some();
        let (undo, confirm) = match is_taken {
            true => (None, Some((parse.name.to_owned(), prepared.clone()))),
            false => (Some(self.names.set_statement(parse.name, Some(prepared.clone()))), None),
        };
        self.send(|out| writer::parse(out, parse.name, text, &parse.types))?;
        self.expect(Expected { undo, confirm, ..Expected::new(Awaited::Parse) });
        if gives_rows {
            // The guard wants to know where the columns come from, whether the client asks or not.
            self.send(|out| writer::describe(out, Named::Statement, parse.name))?;
            let expected = Expected::new(Awaited::DescribeStatement);
            self.expect(Expected { is_own: true, prepared: Some(prepared), ..expected });
        } else {
            prepared.judge(true);
        }
        Ok(())
    }

    fn bind(&mut self, portal: &str, statement: &str) {
        let prepared = self.names.statement(statement);
        let undo = Some(self.names.set_portal(portal, prepared));
        self.expect(Expected { undo, ..Expected::new(Awaited::Bind) });
    }

    async fn execute(&mut self, frame: Frame) -> Result<(), End> {
        let portal = reader::Execute::read(frame.body())?.portal;
        let Some(prepared) = self.names.portal(portal) else {
            // The server knows no such portal either, and says so; rows would be stopped.
            self.expect(Expected::new(Awaited::Execute));
            self.forward(frame.into_bytes());
            return Ok(());
        };
        let purpose = if prepared.is_query { self.needs_purpose() } else { None };
        if let Some(refusal) = purpose {
            self.record_refusal(&prepared.shape, &refusal).await;
            self.poison_unit(&refusal);
            return Ok(());
        }
        let record =
            self.record(prepared.shape.clone(), prepared.verdict, prepared.relations.clone());
        match self.accept(record).await {
            Ok(run) => {
                let runs = [Run { effect: prepared.effect.clone(), ..run }].into();
                let expected = Expected::new(Awaited::Execute);
                self.expect(Expected { runs, prepared: Some(prepared), ..expected });
                self.forward(frame.into_bytes());
            }
            Err(refusal) => self.poison_unit(&refusal),
        }
        Ok(())
    }

    /// Plans a text under what holds now; an unknown relation is looked for again in a fresh catalog.
    async fn plan(&mut self, text: &str) -> Result<(Plan, Arc<RoleView>), Refusal> {
        let mut looked_again = false;
        loop {
            let view =
                self.proxy.registry.view(&self.facts.database, &self.facts.role).await.map_err(
                    |_| {
                        refusal(
                            "58000",
                            Reason::NotProven,
                            "scrim: the database's catalog cannot be read",
                            None,
                        )
                    },
                )?;
            let speaker = Speaker {
                view: &view,
                search_path: self.settings.search_path(),
                user: &self.facts.user,
                acts_for_others: self.acts_for_others,
            };
            let mut settings = self.settings.clone();
            let mut follow = |effect: &Effect| {
                settings.apply(effect);
                Some(settings.search_path().clone())
            };
            match sql::plan_following(text, speaker, &mut follow) {
                Ok(plan) => {
                    self.judge_session(&plan)?;
                    return Ok((plan, view));
                }
                Err(found) if found.reason == Reason::NoSuchRelation && !looked_again => {
                    looked_again = true;
                    if !self.proxy.registry.refresh(&self.facts.database).await {
                        return Err(found);
                    }
                }
                Err(found) => return Err(found),
            }
        }
    }

    /// What depends on the session and not on the statement alone.
    fn judge_session(&self, plan: &Plan) -> Result<(), Refusal> {
        let mut purpose = self.needs_purpose();
        for statement in &plan.statements {
            if matches!(statement.effect, Effect::Purpose(Some(_))) {
                purpose = None;
            }
            if statement.kind == StatementKind::Select
                && let Some(refusal) = purpose
            {
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn needs_purpose(&self) -> Option<Refusal> {
        if self.purposes.is_empty() || self.settings.purpose().is_some() {
            return None;
        }
        let hint = format!("SET scrim.purpose = '…', one of: {}", self.purposes.join(", "));
        let message = "scrim: this role must state a purpose before it reads";
        Some(refusal("42501", Reason::Purpose, message, Some(&hint)))
    }

    /// A simple query that is refused.
    pub(super) async fn refuse_query(&mut self, shape: &str, refusal: Refusal) -> Result<(), End> {
        self.record_refusal(shape, &refusal).await;
        self.answer_or_poison(refusal)
    }

    fn answer_or_poison(&mut self, refusal: Refusal) -> Result<(), End> {
        let error = error_of(&refusal);
        if self.pipeline.is_idle() && self.pipeline.status() == b'I' {
            self.to_client.extend_from_slice(&error);
            writer::ready_for_query(&mut self.to_client, b'I');
            return Ok(());
        }
        self.send(|out| writer::query(out, POISON))?;
        self.expect(Expected { refusal: Some(error), ..Expected::new(Awaited::Simple) });
        Ok(())
    }

    /// A message of the extended protocol that is refused: a Parse that fails goes in its place.
    fn poison_unit(&mut self, refusal: &Refusal) {
        let refusal = Some(error_of(refusal));
        // The name and the text are ours and hold no zero byte.
        if writer::parse(&mut self.to_server, POISON_NAME, POISON, &[]).is_ok() {
            self.expect(Expected { refusal, ..Expected::new(Awaited::Parse) });
        }
    }

    fn record(
        &mut self,
        sql: String,
        verdict: Verdict,
        relations: Vec<RelationRead>,
    ) -> StatementRecord {
        self.statements = self.statements.saturating_add(1);
        StatementRecord {
            facts: self.facts.clone(),
            statement: self.statements,
            end_user: self.settings.end_user().map(str::to_owned),
            purpose: self.settings.purpose().map(str::to_owned),
            sql,
            fingerprint: None,
            verdict,
            reason: None,
            rule: None,
            relations,
        }
    }

    /// Hands a record to the audit; only then may the statement go.
    async fn accept(&mut self, record: StatementRecord) -> Result<Run, Refusal> {
        let statement = record.statement;
        let accepted = self.proxy.audit.accept(Record::Statement(Box::new(record))).await;
        if let Err(error) = accepted {
            tracing::error!(%error, "a statement is refused since it cannot be recorded");
            let message = "scrim: the audit trail cannot take the record of this statement";
            return Err(refusal("58030", Reason::Protocol, message, Some("try again later")));
        }
        let started_us = self.now_us();
        Ok(Run { statement, started_us, rows: 0, bytes: 0, effect: Effect::None })
    }

    async fn record_refusal(&mut self, shape: &str, refusal: &Refusal) {
        let record = StatementRecord {
            reason: Some(refusal.reason.word()),
            rule: refusal.rule.as_ref().map(ToString::to_string),
            ..self.record(shape.to_owned(), Verdict::Refuse, Vec::new())
        };
        if let Err(error) = self.proxy.audit.accept(Record::Statement(Box::new(record))).await {
            // It is refused either way.
            tracing::error!(%error, "a refusal is not in the audit trail");
        }
    }

    /// Something was sent; what the server will skip is taken back at once.
    fn expect(&mut self, expected: Expected) {
        if let Some(skipped) = self.pipeline.push(expected)
            && let Some(undo) = skipped.undo
        {
            self.names.undo(undo);
        }
    }

    fn forward(&mut self, bytes: Bytes) {
        self.to_server.extend_from_slice(&bytes);
    }

    fn send(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), writer::Unwritable>,
    ) -> Result<(), End> {
        write(&mut self.to_server)
            .map_err(|error| End::Protocol("08P01", format!("scrim: {error}")))
    }
}

fn refusal(code: &'static str, reason: Reason, message: &str, hint: Option<&str>) -> Refusal {
    Refusal {
        code,
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
        position: None,
        reason,
        rule: None,
    }
}

/// The ErrorResponse for a refusal.
fn error_of(refusal: &Refusal) -> Bytes {
    let mut out = BytesMut::new();
    let message = ErrorMessage {
        hint: refusal.hint.as_deref(),
        position: refusal.position,
        ..ErrorMessage::new("ERROR", refusal.code, &refusal.message)
    };
    writer::error_response(&mut out, &message);
    out.freeze()
}

/// What the audit says of a planned statement.
fn facts_of(statement: &PlannedStatement) -> (Verdict, Vec<RelationRead>) {
    let is_rewritten = statement.reads.iter().any(|read| !read.open);
    let verdict = if is_rewritten { Verdict::Rewrite } else { Verdict::Forward };
    let relations = statement
        .reads
        .iter()
        .map(|read| RelationRead {
            relation: format!("{}.{}", read.schema, read.relation),
            clear: read.clear.iter().cloned().collect(),
            masked: read
                .masked
                .iter()
                .map(|(column, mask)| (column.clone(), mask.clone().into()))
                .collect(),
        })
        .collect();
    (verdict, relations)
}
