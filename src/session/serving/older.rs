//! A masked session's way to newer rules: between messages, and statement by statement. Where the role goes by what the
//! session states, another purpose is to it as other rules are; and so is a grant that begins or ends.

use std::sync::Arc;

use super::{GuardJudge, Serving, ceiling};
use crate::policy::Stated;
use crate::session::closing::error_frame;
use crate::session::pipeline::Renew;
use crate::session::planning::{self, Message};
use crate::session::statements::{PlannedFrom, Prepared, Rows};
use crate::session::stating::stated;
use crate::sql::Refusal;
use crate::wire::Piece;

/// A statement that the server has been asked to describe in its new form.
pub(super) struct Renewing {
    old: Arc<Prepared>,
    new: Arc<Prepared>,
    /// What is sent for it.
    text: Arc<str>,
}

/// What becomes of the message that names a statement of older rules.
pub(super) enum Renewed {
    /// It is offered again.
    Again(Piece),
    /// It waits for the server.
    Wait(Piece),
    /// It is not sent.
    Refused,
}

impl Serving {
    /// By newer rules, as soon as nothing is on its way and no unit is open.
    pub(super) fn follow_rules_between_units(&mut self) {
        let standing = &self.attached.standing;
        let is_open = self.pipeline.is_in_unit() && standing.has_grace();
        if standing.is_behind() && self.pipeline.is_quiet() && !is_open {
            self.follow_rules();
        }
    }

    /// The message to be taken next. Where there are newer rules, what has begun goes on under the older ones, what is
    /// new begins under the newer ones; `None`: it waits until it can.
    pub(super) fn piece_by_newer_rules(&mut self, piece: Piece) -> Option<Piece> {
        let standing = &self.attached.standing;
        if !standing.is_behind() || self.pipeline.goes_on(&piece, standing.has_grace()) {
            return Some(piece);
        }
        if !self.pipeline.is_quiet() {
            self.held = self.pipeline.hold(piece, &mut self.attached.out);
            return None;
        }
        self.follow_rules();
        Some(piece)
    }

    fn follow_rules(&mut self) {
        let Some(newer) = self.attached.standing.follow() else { return };
        // There is such a role: else the session would have been ended.
        if let Some(user) = newer.rules.user(self.who.user.as_ref()) {
            self.who.acts_for_others = user.acts_for_others;
        }
        self.attached.journal.follow(&newer.rules.version);
        self.see_anew();
    }

    /// What the role sees by the rules in force, of a session that states what this one does.
    fn see_anew(&mut self) {
        let rules = self.attached.standing.current();
        let base = self.lease.view_under(&self.role, rules);
        let Some(view) = base.and_then(|base| base.for_session(&self.stated())) else { return };
        let judge = Arc::new(GuardJudge(Arc::clone(&view)));
        self.pipeline.set_rules(judge, ceiling(view.role()));
        self.view = view;
        self.renewing = None;
    }

    /// What the session states.
    pub(super) fn stated(&self) -> Stated {
        stated(&self.who, &self.pipeline.settings).opened(&self.granted)
    }

    /// True while the view is the one for what the session states, and for what grants open to it.
    pub(super) fn is_seen_as_stated(&self) -> bool {
        // Most roles go by nothing of it: then nothing is put together.
        let is_opened = self.granted == *self.view.openings();
        is_opened && (self.view.needs().is_empty() || self.view.is_for(&self.stated()))
    }

    /// Looks at what grants open to the session now: by the clock, and by what has been agreed to and taken back.
    fn look_at_grants(&mut self) {
        let database = &self.view.snapshot().database;
        match self.proxy.board.of(&self.who.user, &self.role, database) {
            Some(now) if now != self.granted => self.granted = now,
            None if !self.granted.is_empty() => self.granted = Arc::default(),
            Some(_) | None => {}
        }
    }

    /// The message to be taken next. Where the role goes by what the session states, nothing is planned, bound or run
    /// while that may be about to change, and when it has, what is held is as under older rules; `None`: it waits.
    pub(super) fn piece_by_what_is_stated(&mut self, piece: Piece) -> Option<Piece> {
        if self.pipeline.goes_on(&piece, false) {
            return Some(piece);
        }
        self.look_at_grants();
        if self.view.needs().is_empty() && self.granted == *self.view.openings() {
            return Some(piece);
        }
        let is_certain = self.view.needs().is_empty() || !self.pipeline.settings_are_uncertain();
        if is_certain && self.is_seen_as_stated() {
            return Some(piece);
        }
        if !self.pipeline.is_quiet() {
            self.held = self.pipeline.hold(piece, &mut self.attached.out);
            return None;
        }
        self.see_anew();
        Some(piece)
    }

    /// Plans a statement of older rules again, in the place of the old one.
    pub(super) async fn renew(&mut self, renew: Renew) -> Renewed {
        let Renew { piece, name, prepared: old } = renew;
        match self.renewed(&name, &old).await {
            Ok(true) => Renewed::Again(piece),
            Ok(false) => match self.pipeline.hold(piece, &mut self.attached.out) {
                Some(piece) => Renewed::Wait(piece),
                None => Renewed::Refused,
            },
            Err(refusal) => {
                self.refuse(old.facts.shape.clone(), &refusal).await;
                let error = error_frame(&refusal);
                self.pipeline.refuse_piece(&piece, error, &mut self.attached.out);
                Renewed::Refused
            }
        }
    }

    /// True when it is sent; false when the server must describe it first.
    async fn renewed(&mut self, name: &str, old: &Arc<Prepared>) -> Result<bool, Refusal> {
        let Some(PlannedFrom { text: written, types }) = old.origin.clone() else {
            return Err(planning::prepared_under_older_rules(name));
        };
        if let Some(tried) = self.renewing.take().filter(|tried| Arc::ptr_eq(&tried.old, old)) {
            if self.pipeline.is_asked(&tried.new) {
                self.renewing = Some(tried);
                return Ok(false);
            }
            // Unknown: the server has failed at it, and the client has been told; now it has asked again.
            if tried.new.rows() != Rows::Unknown {
                return self.put(name, &tried.text, &types, old, tried.new).map(|()| true);
            }
        }
        self.follow_catalog();
        let planned = self.planned(&written, Message::Parse).await?;
        let (text, new) = self.prepared(planned, &types)?;
        let new = Arc::new(new.planned_from(written, Arc::clone(&types)));
        // A COPY is described by what stands for it, and its columns are its own business.
        if !new.is_described() || new.probe.is_some() {
            return self.put(name, &text, &types, old, new).map(|()| true);
        }
        let out = &mut self.attached.out;
        let tried = self.pipeline.try_renewed(&text, &types, &new, out);
        tried.map_err(|_| planning::unwritable())?;
        self.renewing = Some(Renewing { old: Arc::clone(old), new, text });
        Ok(false)
    }

    fn put(
        &mut self,
        name: &str,
        text: &str,
        types: &[u32],
        old: &Prepared,
        new: Arc<Prepared>,
    ) -> Result<(), Refusal> {
        let is_other = new.probe.is_none()
            && old.columns().is_some_and(|before| before != new.columns().flatten());
        if is_other {
            return Err(planning::other_columns());
        }
        let sent = self.pipeline.renew(name, text, types, new, &mut self.attached.out);
        sent.map_err(|_| planning::unwritable())
    }
}
