//! What a masked session has to say to a text before it is sent: its plan, by the newest catalog; the names in it, which
//! must be the session's own; and the limits of the role.

use std::sync::Arc;

use super::Serving;
use crate::audit::StatementFacts;
use crate::grammar::shape;
use crate::guard::Detector;
use crate::rules::Role;
use crate::session::attached::Ending;
use crate::session::catalogs::GuardJudge;
use crate::session::closing::{Farewell, error_frame};
use crate::session::pipeline::{Ceiling, Use};
use crate::session::planning::{self, Message, Planned};
use crate::shadow;
use crate::sql::{Effect, Reason, Refusal};
use crate::wire::Piece;
use crate::wire::frame::announced_bytes;

impl Serving {
    pub(super) async fn planned(
        &mut self,
        text: &str,
        message: Message,
    ) -> Result<Planned, Refusal> {
        let began = std::time::Instant::now();
        let planned = self.planned_by_newest(text, message).await;
        // What a Parse prepares is executed at another time, or never.
        let is_next = message == Message::Query || planned.is_err();
        self.attached.journal.planned(began.elapsed(), is_next);
        planned
    }

    /// Beside the statement's way: what other rules would have said.
    pub(super) fn cast_shadow(&self, text: &str, planned: Result<&Planned, &Refusal>, runs: bool) {
        if !self.proxy.shadow.is_on() {
            return;
        }
        let shapes: Vec<&str> = match planned {
            Ok(planned) => planned.statements.iter().map(|one| one.facts.shape.as_str()).collect(),
            Err(_) => Vec::new(),
        };
        let shape = match planned {
            Ok(_) => shapes.join("; "),
            Err(_) => shape(text),
        };
        self.proxy.shadow.planned(self.asked(text, &shape), runs, || self.stated());
    }

    /// A prepared statement is executed.
    pub(super) fn cast_shadow_again(&self, shape: &str) {
        if self.proxy.shadow.is_on() {
            self.proxy.shadow.ran(self.asked("", shape));
        }
    }

    fn asked<'a>(&'a self, text: &'a str, shape: &'a str) -> shadow::Asked<'a> {
        let now = self.pipeline.settings.current();
        shadow::Asked {
            view: &self.view,
            user: &self.who.user,
            acts_for_others: self.who.acts_for_others,
            search_path: &now.search_path,
            temp_tables: &now.temp_tables,
            text,
            shape,
            purpose: now.purpose.as_deref(),
        }
    }

    async fn planned_by_newest(
        &mut self,
        text: &str,
        message: Message,
    ) -> Result<Planned, Refusal> {
        let planned = self.planned_once(text, message).await;
        match planned {
            Err(refusal)
                if matches!(refusal.reason, Reason::NoSuchRelation | Reason::NoSuchColumn) =>
            {
                // It may be newer than the snapshot.
                if !Box::pin(self.lease.refresh(self.view.snapshot().version)).await {
                    return Err(refusal);
                }
                self.follow_catalog();
                self.planned_once(text, message).await
            }
            planned => planned,
        }
    }

    async fn planned_once(&self, text: &str, message: Message) -> Result<Planned, Refusal> {
        let (settings, proxy) = (&self.pipeline.settings, &self.proxy);
        let (plans, metrics) = (&proxy.plans, &proxy.metrics);
        planning::plan(text, &self.view, settings, &self.who, plans, metrics, message).await
    }

    /// From now on by the newest snapshot.
    pub(super) fn follow_catalog(&mut self) {
        let version = self.view.snapshot().version;
        let rules = self.attached.standing.current();
        let newer = self.lease.newer_view(&self.role, rules, version);
        if let Some(view) = newer.and_then(|view| view.for_session(&self.stated())) {
            self.pipeline.set_judge(Arc::new(GuardJudge(Arc::clone(&view))));
            self.view = view;
        }
    }

    /// Refuses a text for the names in it, before any of it is on record.
    pub(super) fn judge_names(&self, planned: &Planned) -> Result<(), Refusal> {
        let mut made: Vec<&str> = Vec::new();
        for part in &planned.statements {
            match &part.effect {
                Effect::Prepare(_) | Effect::Declare { .. }
                    if self.pipeline.statements.is_full() =>
                {
                    return Err(planning::too_many_names());
                }
                Effect::Prepare(name) if self.pipeline.is_taken(name) => {
                    return Err(planning::name_taken(name));
                }
                Effect::Prepare(name) => made.push(name),
                Effect::Execute(name) if made.contains(&name.as_str()) => {}
                effect => self.judge_use(effect)?,
            }
        }
        Ok(())
    }

    pub(super) fn judge_use(&self, effect: &Effect) -> Result<(), Refusal> {
        match (self.pipeline.may_use(effect), effect) {
            (Use::Elsewhere, Effect::Execute(name)) => Err(planning::only_by_protocol(name)),
            (Use::Refused | Use::Uncertain, Effect::Execute(name))
                if self.pipeline.statements.is_older(name) =>
            {
                Err(planning::prepared_under_older_rules(name))
            }
            (Use::Refused | Use::Uncertain, Effect::Fetch(name))
                if self.pipeline.statements.is_older_portal(name) =>
            {
                Err(planning::opened_under_older_rules(name))
            }
            (Use::Refused | Use::Uncertain, Effect::Execute(name)) => {
                Err(planning::not_to_be_executed(name))
            }
            (Use::Refused | Use::Uncertain, Effect::Fetch(name)) => {
                Err(planning::not_to_be_fetched(name))
            }
            _ => Ok(()),
        }
    }

    /// Ends the session at a message that is too long for the role, before anything is made of it: most of it has not
    /// come yet, and never will.
    pub(super) async fn judge_length(&mut self, piece: &Piece) -> Result<(), Ending> {
        let bytes = match piece {
            Piece::Whole(frame) => u64::try_from(frame.len()).unwrap_or(u64::MAX),
            Piece::Start { bytes, .. } => announced_bytes(bytes),
            Piece::More { .. } => return Ok(()),
        };
        match self.view.role().limits.message_bytes {
            Some(most) if bytes > most => {
                let refusal = planning::too_large_message(&self.role, bytes, most);
                self.refuse("<message>".to_owned(), &refusal).await;
                let farewell = Farewell::new(refusal.code, refusal.message);
                Err(Ending::Away(farewell.hint(refusal.hint.unwrap_or_default())))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Takes a statement, and what it looks up, from the user's budgets.
    pub(super) fn spend(&self, facts: &StatementFacts) -> Result<(), Refusal> {
        let limits = self.view.role().limits;
        if let Some(limit) = limits.statements_per_second {
            let spent =
                self.proxy.statements.spend(&self.who.user, 1, limit, std::time::Instant::now());
            spent.map_err(|_| planning::too_many_statements(&self.role, limit))?;
        }
        let Some(limit) = limits.lookups_per_minute else { return Ok(()) };
        let values = facts.lookups.iter().fold(0_u64, |sum, one| sum.saturating_add(one.values));
        let now = std::time::Instant::now();
        let spent = self.proxy.lookups.spend(&self.who.user, values, limit, now);
        spent.map_err(|exhausted| planning::too_many_lookups(&self.role, limit, exhausted))
    }
}

/// The role's limits, and what is said in place of further rows.
pub(super) fn ceiling(role: &Role) -> Ceiling {
    let (name, limits) = (&role.name, role.limits);
    let rows = |rows| (rows, error_frame(&planning::too_many_rows(name, rows)));
    let bytes = |bytes| (bytes, error_frame(&planning::too_many_bytes(name, bytes)));
    let detector = role.guard.as_ref().map(|guard| Arc::new(Detector::new(guard)));
    let audits_rows = role.audit_rows;
    Ceiling { rows: limits.rows.map(rows), bytes: limits.bytes.map(bytes), detector, audits_rows }
}
