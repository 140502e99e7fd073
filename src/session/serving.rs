//! A masked session at work: the shell around the pipeline, which moves bytes, plans and audits.
//!
//! One task owns both sockets. What the server has said is heard first, since it may release a message of the
//! client that waits. Nothing is sent before the audit has taken its record.

mod ending;
mod judging;
mod older;

use std::sync::Arc;

use tokio::time::Instant;

use super::Proxy;
use super::attached::{Attached, Ending, GOODBYE_MAX};
use super::catalogs::{GuardJudge, Lease};
use super::closing::{Farewell, error_frame};
use super::entrance::Entrance;
use super::link::{Moved, WAITING_BYTES_MAX};
use super::pipeline::{Ask, Event, Execute, Origin, Pipeline, SentStatement, Step, Txn};
use super::planning::{self, Message, Planned, PlannedPart, Who};
use super::settings::{Settings, Values};
use super::source::{SHARED_NAME, Source};
use super::statements::Prepared;
use super::stating::{stated, stated_too_late};
use super::welcoming::Masked;
use crate::audit::StatementFacts;
use crate::grammar::shape;
use crate::metrics::State;
use crate::policy::{Openings, RoleView};
use crate::sql::{Effect, Refusal, StatementKind, judge_parameters};
use crate::wire::{Limits, Piece, Pieces};
use ending::out_of_step;
use judging::ceiling;
use older::{Renewed, Renewing};

/// Texts planned in a row before other sessions get their turn.
const PLANS_IN_A_ROW: u32 = 8;

/// A masked session.
pub struct Serving {
    proxy: Arc<Proxy>,
    attached: Attached,
    who: Who,
    role: String,
    entrance: Entrance,
    lease: Lease,
    view: Arc<RoleView>,
    /// What grants open to the session, as it was looked at last.
    granted: Openings,
    pipeline: Pipeline,
    from_client: Pieces,
    from_server: Pieces,
    /// A message of the client that waits for a reply.
    held: Option<Piece>,
    /// The statement that it names, on its way to newer rules.
    renewing: Option<Renewing>,
    /// The client has said goodbye; what it has asked for is still finished, up to then.
    leaving: Option<Instant>,
    /// The server connection is being brought to the session's settings, which no cancel may end.
    is_setting_up: bool,
    /// The server has to say something, and has not since then.
    silent_since: Option<Instant>,
    plans: u32,
}

impl Serving {
    /// From the welcome on.
    pub fn new(proxy: Arc<Proxy>, attached: Attached, masked: Masked) -> Serving {
        let Masked { who, lease, view, start, told, entrance } = masked;
        let settings = Settings::new(start);
        let stated = stated(&who, &settings);
        // Where there is none, nothing is planned: this one is not for what the session states.
        let view = view.for_session(&stated).unwrap_or(view);
        let role = view.role();
        let ceiling = ceiling(role);
        let judge = Arc::new(GuardJudge(Arc::clone(&view)));
        let mut pipeline = Pipeline::new(settings, judge, ceiling);
        pipeline.set_process_id(attached.process_id());
        if entrance.is_shared() {
            pipeline.share(told);
        }
        Serving {
            entrance,
            role: role.name.clone(),
            proxy,
            attached,
            who,
            lease,
            granted: Arc::clone(view.openings()),
            view,
            pipeline,
            from_client: Pieces::new(Limits::frontend()),
            from_server: Pieces::new(Limits::backend()),
            held: None,
            renewing: None,
            leaving: None,
            is_setting_up: false,
            silent_since: None,
            plans: 0,
        }
    }

    /// Serves to the end. What is idle holds no more than it needs: whatever is rare or waits is put where it is freed
    /// when it is done, and the session is moved by its address.
    pub async fn serve(mut self: Box<Self>) {
        let ending = self.run().await;
        if matches!(ending, Ending::Terminated | Ending::ClientGone | Ending::Away(_)) {
            self.release().await;
        }
        let remains = self.pipeline.remains();
        self.pipeline.abandon(ending.code(), &mut self.attached.out);
        let may_speak = self.pipeline.is_between_messages();
        Box::pin(self.attached.end(ending, remains, may_speak)).await;
    }

    /// The server connection goes back to the pool where nothing keeps it.
    async fn release(&mut self) {
        let attached = &mut self.attached;
        if !self.pipeline.is_attached()
            || !attached.out.to_server.is_empty()
            || !attached.link.has_nothing_from_server()
            || !self.from_server.between_messages()
        {
            return;
        }
        if let Some(footprint) = self.pipeline.detach() {
            attached.give_back(footprint).await;
        }
    }

    /// A server connection of the pool, with the session's settings.
    async fn attach(&mut self) -> Result<(), Ending> {
        if self.pipeline.is_attached() {
            return Ok(());
        }
        let session = self.attached.session();
        let taken = match self.entrance.take_at_once(session) {
            Some(taken) => Ok(taken),
            None => self.attached.or_stage(Box::pin(self.entrance.take(session))).await?,
        };
        let (server, footprint, is_own) = taken.map_err(Ending::Away)?;
        self.attached.attach(server);
        self.pipeline.attach(footprint, is_own, &mut self.attached.out);
        self.is_setting_up = self.pipeline.is_replaying();
        if !self.is_setting_up {
            self.attached.may_be_cancelled().await;
        }
        Ok(())
    }

    async fn run(&mut self) -> Ending {
        if !self.entrance.is_shared()
            && let Err(ending) = self.attach().await
        {
            return ending;
        }
        loop {
            if let Err(ending) = self.hear().await {
                return ending;
            }
            if self.leaving.is_some() && self.pipeline.is_quiet() {
                return Ending::Terminated;
            }
            self.release().await;
            let is_idle = self.pipeline.is_idle() && self.held.is_none();
            if let Some(ending) = self.attached.must_end(is_idle) {
                return ending;
            }
            self.attached.seat.set(match self.pipeline.txn() {
                _ if !self.pipeline.is_quiet() => State::Active,
                Txn::Idle => State::Idle,
                Txn::InBlock | Txn::Failed => State::InTransaction,
            });
            let out = &self.attached.out;
            let client = self.held.is_none()
                && self.leaving.is_none()
                && out.to_server.len() < WAITING_BYTES_MAX;
            let server = out.to_client.len() < WAITING_BYTES_MAX;
            let overdue = self.overdue_at();
            let until = self.leaving.into_iter().chain(overdue).min();
            match self.attached.exchange(client, server, until).await {
                Some(Moved::Bytes) => {}
                Some(Moved::ClientGone) => return Ending::ClientGone,
                Some(Moved::ServerGone) => return Ending::ServerGone,
                None if self.leaving.is_some_and(|until| until <= Instant::now()) => {
                    return Ending::Terminated;
                }
                None if overdue.is_some_and(|until| until <= Instant::now()) => {
                    return self.ends_overdue();
                }
                None if self.attached.has_rested() => self.pipeline.give_room_back(),
                None => {}
            }
        }
    }

    async fn hear(&mut self) -> Result<(), Ending> {
        // What is heard unasked is heard by the rules in force.
        self.follow_rules_between_units();
        self.hear_server().await?;
        if let Some(farewell) = self.attached.standing.must_end() {
            return Err(Ending::Away(farewell));
        }
        self.follow_rules_between_units();
        while self.attached.out.to_server.len() < WAITING_BYTES_MAX && self.leaving.is_none() {
            let piece = match self.held.take() {
                Some(piece) => piece,
                None => {
                    let next = self.from_client.next(self.attached.link.client_inbox());
                    match next.map_err(|fault| Ending::Away(Farewell::from(fault)))? {
                        Some(piece) => {
                            self.judge_length(&piece).await?;
                            piece
                        }
                        None => break,
                    }
                }
            };
            if let Some(farewell) = self.attached.standing.must_end() {
                return Err(Ending::Away(farewell));
            }
            let Some(piece) = self.piece_by_newer_rules(piece) else { break };
            let Some(piece) = self.piece_by_what_is_stated(piece) else { break };
            if self.pipeline.needs_server(&piece) {
                self.attach().await?;
            }
            let step = self.pipeline.take(piece, &mut self.attached.out);
            match step.map_err(|fault| self.closed_by(&fault))? {
                Step::Done => {}
                Step::Renew(renew) => match Box::pin(self.renew(renew)).await {
                    Renewed::Again(piece) => self.held = Some(piece),
                    Renewed::Wait(piece) => {
                        self.held = Some(piece);
                        break;
                    }
                    Renewed::Refused => {}
                },
                Step::Wait(piece) => {
                    self.held = Some(piece);
                    break;
                }
                Step::Plan(ask) => Box::pin(self.plan(ask)).await?,
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
            self.has_spoken();
            let heard = self.pipeline.reply(piece, &mut self.attached.out);
            heard.map_err(|fault| self.closed_by(&fault))?;
            if self.is_setting_up && !self.pipeline.is_replaying() {
                self.is_setting_up = false;
                self.attached.may_be_cancelled().await;
            }
        }
        self.attached.tell().await;
        Ok(())
    }

    /// Plans a text and sends it, or its refusal.
    async fn plan(&mut self, ask: Ask) -> Result<(), Ending> {
        self.plans = self.plans.saturating_add(1);
        if self.plans >= PLANS_IN_A_ROW {
            self.plans = 0;
            tokio::task::yield_now().await;
        }
        self.follow_catalog();
        let message = match &ask.origin {
            Origin::Query => Message::Query,
            Origin::Parse { .. } => Message::Parse,
        };
        let planned = match &ask.text {
            Some(text) => self.planned(text, message).await,
            None => Err(planning::too_large()),
        };
        if let Some(text) = &ask.text {
            self.cast_shadow(text, planned.as_ref(), message == Message::Query);
        }
        if planned.is_ok() {
            self.attach().await?;
        }
        let sent = match (planned, &ask.origin) {
            (Ok(planned), Origin::Query) => self.send_query(planned).await,
            (Ok(planned), Origin::Parse { name, types }) => {
                let written = ask.text.as_ref().map(Arc::clone).unwrap_or_default();
                self.send_parse(planned, written, name, types)
            }
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
        Ok(())
    }

    async fn send_query(&mut self, planned: Planned) -> Result<(), Refusal> {
        self.judge_names(&planned)?;
        let mut sent: Vec<SentStatement> = Vec::new();
        // Nearly always there is one statement: then its text is the text.
        let (mut first, mut joined) = (None, String::new());
        // As they will be at the next statement; `None`: as they are.
        let mut later: Option<Settings> = None;
        for mut part in planned.statements {
            let mut executed_masks = None;
            if let Effect::Execute(name) = &part.effect {
                let makes = Effect::Prepare(name.clone());
                let made = sent.iter().rfind(|statement| statement.effect == makes);
                let made = made.and_then(|statement| statement.makes.clone());
                let executed = made.or_else(|| self.pipeline.executed_by_name(name));
                part.facts = executing(part.facts, executed.as_deref());
                executed_masks = executed.and_then(|executed| executed.masks.clone());
            }
            if let Err(refusal) = self.spend(&part.facts) {
                take_back(&mut self.attached, &sent, &refusal);
                return Err(refusal);
            }
            let settings = later.as_ref().unwrap_or(&self.pipeline.settings);
            match self.attached.journal.accept(&part.facts, settings.current()).await {
                Ok(number) => {
                    if part.effect != Effect::None {
                        let settings = &self.pipeline.settings;
                        let settings = later.get_or_insert_with(|| settings.clone());
                        settings.apply(&part.effect, "");
                    }
                    if let Some(stand_in) = self.pipeline.stand_in(&part.effect) {
                        part.text = stand_in.text.into();
                        part.tag = Some(stand_in.tag);
                    }
                    let PlannedPart {
                        kind, effect, discretion, masks, makes, tag, runs_code, ..
                    } = part;
                    let masks = masks.or(executed_masks);
                    let about = self.pipeline.about(&part.facts);
                    let statement = SentStatement {
                        number,
                        kind,
                        effect,
                        discretion,
                        masks,
                        makes,
                        about,
                        tag,
                        runs_code,
                        is_probe: false,
                    };
                    for piece in part.probe.iter().chain([&part.text]) {
                        let Some(first) = &first else {
                            first = Some(Arc::clone(piece));
                            continue;
                        };
                        joined.push_str(if joined.is_empty() { first } else { "" });
                        joined.push_str("; ");
                        joined.push_str(piece);
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
        let text = if joined.is_empty() { first.unwrap_or_default() } else { joined.into() };
        let out = &mut self.attached.out;
        let written = match planned.again {
            Some(again) => self.pipeline.query_again(&again, &text, sent, out),
            None => self.pipeline.query(&text, sent, out).map(|()| false),
        };
        if written.map_err(|_| planning::unwritable())? {
            self.proxy.metrics.texts_bound.inc();
        }
        Ok(())
    }

    fn send_parse(
        &mut self,
        planned: Planned,
        written: Arc<str>,
        name: &str,
        types: &Arc<[u32]>,
    ) -> Result<(), Refusal> {
        if self.pipeline.statements.is_full() {
            return Err(planning::too_many_names());
        }
        if name.starts_with(SHARED_NAME) {
            return Err(planning::reserved_name(name));
        }
        if self.pipeline.is_taken(name) {
            return Err(planning::name_taken(name));
        }
        // What is met again is kept on the server connection, as far as it is that text to the letter.
        let again = planned.again.clone().filter(|again| {
            let is_same = again.values.is_empty() && again.recurring.is_fit();
            name.is_empty() && is_same && self.pipeline.may_keep_unnamed()
        });
        let (text, mut prepared) = self.prepared(planned, types)?;
        if let Some(again) = &again {
            self.proxy.metrics.texts_bound.inc();
            if types.is_empty() {
                // Its name is known.
                prepared = prepared.with_source(again.recurring.source().clone());
            }
        }
        let prepared = prepared.described_late(name.is_empty()).kept(again.is_some());
        let prepared = Arc::new(prepared.planned_from(written, Arc::clone(types)));
        self.pipeline
            .parse(name, &text, types, prepared, &mut self.attached.out)
            .map_err(|_| planning::unwritable())
    }

    /// What a Parse sends for a planned text, and what is remembered of it.
    fn prepared(
        &self,
        planned: Planned,
        types: &Arc<[u32]>,
    ) -> Result<(Arc<str>, Prepared), Refusal> {
        judge_parameters(types, &self.view)?;
        let mut parts = planned.statements.into_iter();
        let version = self.view.snapshot().version;
        let values = self.pipeline.settings.current();
        match (parts.next(), parts.next()) {
            (Some(part), None) => {
                let PlannedPart {
                    mut text,
                    probe,
                    discretion,
                    masks,
                    makes,
                    facts,
                    kind,
                    effect,
                    mut tag,
                    runs_code,
                    ..
                } = part;
                if let Some(stand_in) = self.pipeline.stand_in_prepared(&effect) {
                    text = stand_in.text.into();
                    tag = Some(stand_in.tag);
                }
                if let Effect::Execute(name) = &effect
                    && self
                        .pipeline
                        .executed_by_name(name)
                        .is_some_and(|known| known.masks.is_some())
                {
                    // Which masks its rows need is known of what it names now, and that may be another when it is bound.
                    return Err(planning::not_to_be_executed(name));
                }
                if kind == StatementKind::Show && effect != Effect::None {
                    // Executed for its first row only, it would have its effect and never say that it is complete.
                    return Err(planning::only_by_set());
                }
                let prepared = Prepared::new(facts, Some(kind), effect, version)
                    .with_tag(tag)
                    .running_code(runs_code)
                    .with_probe(probe)
                    .with_made(makes)
                    .with_discretion(discretion)
                    .with_masks(masks)
                    .with_source(Source::new(Arc::clone(&text), Arc::clone(types), values));
                Ok((text, prepared))
            }
            (None, _) => {
                let prepared = Prepared::new(Arc::default(), None, Effect::None, version)
                    .with_source(Source::new(Arc::default(), Arc::clone(types), values));
                Ok((Arc::default(), prepared))
            }
            (Some(_), Some(_)) => Err(planning::several_in_parse()),
        }
    }

    async fn execute(&mut self, execute: Execute) {
        let number = match &execute.prepared {
            // A cursor that SQL has declared is a portal too, of which nothing is known here.
            None => Err(planning::no_such_portal(&execute.portal)),
            Some(prepared) if self.pipeline.reads_older(&execute.portal, prepared) => {
                Err(planning::opened_under_older_rules(&execute.portal))
            }
            Some(prepared) => self.accept_execution(prepared).await.map(Some),
        };
        let (number, about) = match number {
            Ok(Some((number, about))) => (Ok(Some(number)), Some(about)),
            Ok(None) => (Ok(None), None),
            Err(refusal) => (Err(refusal), None),
        };
        let shape = execute.prepared.as_ref().map(|prepared| prepared.facts.shape.clone());
        let sent = number.and_then(|number| {
            let out = &mut self.attached.out;
            self.pipeline
                .execute(execute, number, about.as_ref(), out)
                .map_err(|_| planning::unwritable())
        });
        if let Err(refusal) = sent {
            self.refuse(shape.unwrap_or_default(), &refusal).await;
            self.pipeline.refuse_execute(error_frame(&refusal), &mut self.attached.out);
        }
    }

    async fn accept_execution(
        &mut self,
        prepared: &Prepared,
    ) -> Result<(u64, Arc<StatementFacts>), Refusal> {
        if prepared.kind.is_some_and(StatementKind::reads) {
            planning::judge_purpose(&self.view, &self.pipeline.settings)?;
            if !self.is_seen_as_stated() {
                return Err(stated_too_late(&self.view));
            }
        }
        self.judge_use(&prepared.effect)?;
        let facts = match &prepared.effect {
            Effect::Execute(name) => {
                let executed = self.pipeline.executed_by_name(name);
                executing(Arc::clone(&prepared.facts), executed.as_deref())
            }
            _ => Arc::clone(&prepared.facts),
        };
        self.spend(&facts)?;
        let values = self.pipeline.settings.current();
        let accepted = self.attached.journal.accept(&facts, values).await;
        self.cast_shadow_again(&facts.shape);
        match accepted {
            Ok(number) => Ok((number, facts)),
            Err(error) => Err(super::journal::not_accepted(&error)),
        }
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
        rows_seen: None,
    }));
}

/// An EXECUTE reads what the statement reads that it names.
fn executing(facts: Arc<StatementFacts>, executed: Option<&Prepared>) -> Arc<StatementFacts> {
    let Some(executed) = executed else { return facts };
    let StatementFacts { rewritten, relations, lookups, opened, can_show, .. } =
        StatementFacts::clone(&executed.facts);
    let own = StatementFacts::clone(&facts);
    Arc::new(StatementFacts { rewritten, relations, lookups, opened, can_show, ..own })
}
