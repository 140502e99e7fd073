//! A masked session at work: the shell around the pipeline, which moves bytes, plans and audits.
//!
//! One task owns both sockets. What the server has said is heard first, since it may release a message of the
//! client that waits. Nothing is sent before the audit has taken its record.

use std::sync::Arc;

use tokio::time::Instant;

use super::Proxy;
use super::attached::{Attached, Ending, GOODBYE_MAX};
use super::catalogs::{GuardJudge, Lease};
use super::closing::{Farewell, error_frame};
use super::link::{Moved, WAITING_BYTES_MAX};
use super::pipeline::{Ask, Event, Execute, Fault, Origin, Pipeline, SentStatement, Step, Use};
use super::planning::{self, Planned, PlannedPart, Who};
use super::settings::{Settings, Values};
use super::statements::{Prepared, StatementFacts};
use super::welcoming::Masked;
use crate::grammar::shape;
use crate::policy::RoleView;
use crate::sql::{Effect, Reason, Refusal, StatementKind};
use crate::wire::{Limits, Piece, Pieces};

/// Texts planned in a row before other sessions get their turn.
const PLANS_IN_A_ROW: u32 = 8;

/// A masked session.
pub struct Serving {
    proxy: Arc<Proxy>,
    attached: Attached,
    who: Who,
    role: String,
    lease: Lease,
    view: Arc<RoleView>,
    pipeline: Pipeline,
    from_client: Pieces,
    from_server: Pieces,
    /// A message of the client that waits for a reply.
    held: Option<Piece>,
    /// The client has said goodbye; what it has asked for is still finished, up to then.
    leaving: Option<Instant>,
    plans: u32,
}

impl Serving {
    /// From the welcome on.
    pub fn new(proxy: Arc<Proxy>, attached: Attached, masked: Masked) -> Serving {
        let role = masked.view.role();
        let rows_max = role
            .limits
            .rows
            .map(|rows| (rows, error_frame(&planning::too_many_rows(&role.name, rows))));
        let judge = Arc::new(GuardJudge(Arc::clone(&masked.view)));
        let pipeline = Pipeline::new(Settings::new(masked.start), judge, rows_max);
        Serving {
            role: role.name.clone(),
            proxy,
            attached,
            who: masked.who,
            lease: masked.lease,
            view: masked.view,
            pipeline,
            from_client: Pieces::new(Limits::frontend()),
            from_server: Pieces::new(Limits::backend()),
            held: None,
            leaving: None,
            plans: 0,
        }
    }

    /// Serves to the end.
    pub async fn serve(mut self) {
        let ending = self.run().await;
        let is_busy = !self.pipeline.is_quiet();
        self.pipeline.abandon(ending.code(), &mut self.attached.out);
        let may_speak = self.pipeline.is_between_messages();
        self.attached.end(ending, is_busy, may_speak).await;
    }

    async fn run(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.hear().await {
                return ending;
            }
            if self.leaving.is_some() && self.pipeline.is_quiet() {
                return Ending::Terminated;
            }
            let is_idle = self.pipeline.is_idle() && self.held.is_none();
            if let Some(ending) = self.attached.must_end(is_idle) {
                return ending;
            }
            let out = &self.attached.out;
            let client = self.held.is_none()
                && self.leaving.is_none()
                && out.to_server.len() < WAITING_BYTES_MAX;
            let server = out.to_client.len() < WAITING_BYTES_MAX;
            match self.attached.exchange(client, server, self.leaving).await {
                Some(Moved::Bytes) => {}
                Some(Moved::ClientGone) => return Ending::ClientGone,
                Some(Moved::ServerGone) => return Ending::ServerGone,
                None if self.leaving.is_some_and(|until| until <= Instant::now()) => {
                    return Ending::Terminated;
                }
                None => {}
            }
        }
    }

    async fn hear(&mut self) -> Result<(), Ending> {
        self.hear_server().await?;
        while self.attached.out.to_server.len() < WAITING_BYTES_MAX && self.leaving.is_none() {
            let piece = match self.held.take() {
                Some(piece) => piece,
                None => {
                    let next = self.from_client.next(self.attached.link.client_inbox());
                    match next.map_err(|fault| Ending::Away(Farewell::from(fault)))? {
                        Some(piece) => piece,
                        None => break,
                    }
                }
            };
            let step = self.pipeline.take(piece, &mut self.attached.out);
            match step.map_err(|fault| self.closed_by(&fault))? {
                Step::Done => {}
                Step::Wait(piece) => {
                    self.held = Some(piece);
                    break;
                }
                Step::Plan(ask) => self.plan(ask).await,
                Step::Execute(execute) => self.execute(execute).await,
                Step::FunctionCall => {
                    let refusal = planning::no_function_calls();
                    self.refuse("<function call>".to_owned(), &refusal).await;
                    let error = error_frame(&refusal);
                    self.pipeline.refuse_query(error, &mut self.attached.out);
                }
                Step::Terminate => self.leaving = Some(Instant::now() + GOODBYE_MAX),
            }
        }
        self.attached.tell().await;
        Ok(())
    }

    async fn hear_server(&mut self) -> Result<(), Ending> {
        while self.attached.out.to_client.len() < WAITING_BYTES_MAX {
            let next = self.from_server.next(self.attached.link.server_inbox());
            let piece = match next {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(fault) => {
                    tracing::error!(%fault, "the server does not keep to the protocol");
                    return Err(Ending::Away(out_of_step()));
                }
            };
            let heard = self.pipeline.reply(piece, &mut self.attached.out);
            heard.map_err(|fault| self.closed_by(&fault))?;
        }
        self.attached.tell().await;
        Ok(())
    }

    fn closed_by(&self, fault: &Fault) -> Ending {
        match fault {
            Fault::Client { code, message } => Ending::Away(Farewell::new(code, message.clone())),
            Fault::ServerFatal => Ending::Told,
            Fault::Misfit { .. } => {
                let session = self.attached.session();
                tracing::error!(session, %fault, "ALARM: both connections are closed");
                Ending::Away(out_of_step())
            }
        }
    }

    /// Plans a text and sends it, or its refusal.
    async fn plan(&mut self, ask: Ask) {
        self.plans = self.plans.saturating_add(1);
        if self.plans >= PLANS_IN_A_ROW {
            self.plans = 0;
            tokio::task::yield_now().await;
        }
        self.follow_catalog();
        let planned = match &ask.text {
            Some(text) => self.planned(text).await,
            None => Err(planning::too_large()),
        };
        let sent = match (planned, &ask.origin) {
            (Ok(planned), Origin::Query) => self.send_query(planned).await,
            (Ok(planned), Origin::Parse { name, types }) => self.send_parse(planned, name, types),
            (Err(refusal), _) => Err(refusal),
        };
        if let Err(refusal) = sent {
            let shape = ask.text.as_deref().map_or_else(|| "<too large>".to_owned(), shape);
            self.refuse(shape, &refusal).await;
            let error = error_frame(&refusal);
            let out = &mut self.attached.out;
            match &ask.origin {
                Origin::Query => self.pipeline.refuse_query(error, out),
                Origin::Parse { name, .. } => self.pipeline.refuse_parse(name, error, out),
            }
        }
    }

    async fn planned(&mut self, text: &str) -> Result<Planned, Refusal> {
        let planned = planning::plan(text, &self.view, &self.pipeline.settings, &self.who).await;
        match planned {
            Err(refusal)
                if matches!(refusal.reason, Reason::NoSuchRelation | Reason::NoSuchColumn) =>
            {
                // It may be newer than the snapshot.
                if !self.lease.refresh(self.view.snapshot().version).await {
                    return Err(refusal);
                }
                self.follow_catalog();
                planning::plan(text, &self.view, &self.pipeline.settings, &self.who).await
            }
            planned => planned,
        }
    }

    /// From now on by the newest snapshot.
    fn follow_catalog(&mut self) {
        let version = self.view.snapshot().version;
        if let Some(view) = self.proxy.catalogs.newer_view(&self.lease, &self.role, version) {
            self.pipeline.set_judge(Arc::new(GuardJudge(Arc::clone(&view))));
            self.view = view;
        }
    }

    /// Refuses a text for the names in it, before any of it is on record.
    fn judge_names(&self, planned: &Planned) -> Result<(), Refusal> {
        let mut made: Vec<&str> = Vec::new();
        for part in &planned.statements {
            match &part.effect {
                Effect::Prepare(_) if self.pipeline.statements.is_full() => {
                    return Err(planning::too_many_names());
                }
                Effect::Prepare(name) => made.push(name),
                Effect::Execute(name) if made.contains(&name.as_str()) => {}
                effect => self.judge_use(effect)?,
            }
        }
        Ok(())
    }

    fn judge_use(&self, effect: &Effect) -> Result<(), Refusal> {
        match (self.pipeline.may_use(effect), effect) {
            (Use::Refused | Use::Uncertain, Effect::Execute(name)) => {
                Err(planning::not_to_be_executed(name))
            }
            (Use::Refused | Use::Uncertain, Effect::Fetch(name)) => {
                Err(planning::not_to_be_fetched(name))
            }
            _ => Ok(()),
        }
    }

    async fn send_query(&mut self, planned: Planned) -> Result<(), Refusal> {
        self.judge_names(&planned)?;
        let mut sent: Vec<SentStatement> = Vec::new();
        let mut text = String::new();
        let mut values = self.pipeline.settings.clone();
        for mut part in planned.statements {
            if let Effect::Execute(name) = &part.effect {
                let makes = Effect::Prepare(name.clone());
                let made = sent.iter().rfind(|statement| statement.effect == makes);
                let made = made.and_then(|statement| statement.makes.clone());
                let executed = made.or_else(|| self.pipeline.executed_by_name(name));
                part.facts = executing(part.facts, executed.as_deref());
            }
            if let Err(refusal) = self.spend(&part.facts) {
                take_back(&mut self.attached, &sent, &refusal);
                return Err(refusal);
            }
            match self.attached.journal.accept(&part.facts, values.current()).await {
                Ok(number) => {
                    values.apply(&part.effect, "");
                    let PlannedPart { kind, effect, discretion, makes, .. } = part;
                    let is_probe = false;
                    let statement =
                        SentStatement { number, kind, effect, discretion, makes, is_probe };
                    for piece in part.probe.iter().chain([&part.text]) {
                        text.push_str(if text.is_empty() { "" } else { "; " });
                        text.push_str(piece);
                    }
                    if part.probe.is_some() {
                        sent.push(SentStatement { is_probe: true, ..statement.clone() });
                    }
                    sent.push(statement);
                }
                Err(error) => {
                    let refusal = super::journal::not_accepted(&error);
                    take_back(&mut self.attached, &sent, &refusal);
                    return Err(refusal);
                }
            }
        }
        self.pipeline.query(&text, sent, &mut self.attached.out).map_err(|_| planning::unwritable())
    }

    fn send_parse(&mut self, planned: Planned, name: &str, types: &[u32]) -> Result<(), Refusal> {
        if self.pipeline.statements.is_full() {
            return Err(planning::too_many_names());
        }
        let mut parts = planned.statements.into_iter();
        let version = self.view.snapshot().version;
        let (text, prepared) = match (parts.next(), parts.next()) {
            (Some(part), None) => {
                let PlannedPart { text, probe, discretion, makes, facts, kind, effect } = part;
                if kind == StatementKind::Show && effect != Effect::None {
                    // Executed for its first row only, it would have its effect and never say that it is complete.
                    return Err(planning::only_by_set());
                }
                let prepared = Prepared::new(facts, Some(kind), effect, version);
                (text, prepared.with_probe(probe).with_made(makes).with_discretion(discretion))
            }
            (None, _) => (String::new(), Prepared::new(empty_facts(), None, Effect::None, version)),
            (Some(_), Some(_)) => return Err(planning::several_in_parse()),
        };
        self.pipeline
            .parse(name, &text, types, Arc::new(prepared), &mut self.attached.out)
            .map_err(|_| planning::unwritable())
    }

    async fn execute(&mut self, execute: Execute) {
        let number = match &execute.prepared {
            // A cursor that SQL has declared is a portal too, of which nothing is known here.
            None => Err(planning::no_such_portal(&execute.portal)),
            Some(prepared) => self.accept_execution(prepared).await.map(Some),
        };
        let shape = execute.prepared.as_ref().map(|prepared| prepared.facts.shape.clone());
        let sent = number.and_then(|number| {
            let out = &mut self.attached.out;
            self.pipeline.execute(execute, number, out).map_err(|_| planning::unwritable())
        });
        if let Err(refusal) = sent {
            self.refuse(shape.unwrap_or_default(), &refusal).await;
            self.pipeline.refuse_execute(error_frame(&refusal), &mut self.attached.out);
        }
    }

    async fn accept_execution(&mut self, prepared: &Prepared) -> Result<u64, Refusal> {
        if prepared.kind.is_some_and(StatementKind::reads) {
            planning::judge_purpose(&self.view, &self.pipeline.settings)?;
        }
        self.judge_use(&prepared.effect)?;
        let facts = match &prepared.effect {
            Effect::Execute(name) => {
                let executed = self.pipeline.executed_by_name(name);
                executing(prepared.facts.clone(), executed.as_deref())
            }
            _ => prepared.facts.clone(),
        };
        self.spend(&facts)?;
        let values = self.pipeline.settings.current();
        let accepted = self.attached.journal.accept(&facts, values).await;
        accepted.map_err(|error| super::journal::not_accepted(&error))
    }

    /// Takes what a statement looks up from the user's budget.
    fn spend(&self, facts: &StatementFacts) -> Result<(), Refusal> {
        let Some(limit) = self.view.role().limits.lookups_per_minute else { return Ok(()) };
        let values = facts.lookups.iter().fold(0_u64, |sum, one| sum.saturating_add(one.values));
        let now = std::time::Instant::now();
        let spent = self.proxy.lookups.spend(&self.who.user, values, limit, now);
        spent.map_err(|exhausted| planning::too_many_lookups(&self.role, limit, exhausted))
    }

    async fn refuse(&mut self, shape: String, refusal: &Refusal) {
        let values: &Values = self.pipeline.settings.current();
        self.attached.journal.refuse(shape, values, refusal).await;
    }
}

/// Statements of a text whose records were taken before one was not: none of them is sent.
fn take_back(attached: &mut Attached, sent: &[SentStatement], refusal: &Refusal) {
    let sent = sent.iter().filter(|statement| !statement.is_probe);
    attached.out.events.extend(sent.map(|statement| Event::Completed {
        statement: statement.number,
        rows: 0,
        bytes: 0,
        error: Some(refusal.code.to_owned()),
    }));
}

/// An EXECUTE reads what the statement reads that it names.
fn executing(facts: StatementFacts, executed: Option<&Prepared>) -> StatementFacts {
    match executed {
        Some(Prepared { facts: StatementFacts { rewritten, relations, lookups, .. }, .. }) => {
            let (relations, lookups) = (relations.clone(), lookups.clone());
            StatementFacts { rewritten: *rewritten, relations, lookups, ..facts }
        }
        None => facts,
    }
}

fn empty_facts() -> StatementFacts {
    StatementFacts {
        shape: String::new(),
        rewritten: false,
        relations: Vec::new(),
        writes: Vec::new(),
        lookups: Vec::new(),
        reading: None,
    }
}

fn out_of_step() -> Farewell {
    Farewell::new("08P01", "scrim: the database's answer did not fit what was asked")
        .hint("an alarm has been logged")
}
